#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# reference: intree
# timeout: 1500
#
# Bonds over IPoIB interfaces, on the virtual fabric: what type the bond takes on and gives up,
# multicast groups, MTU, failover, adapters that go and come back, and what is refused.

. "${BASH_SOURCE[0]%/*}/ipoib_bond.sh"

# -- what the bond becomes ---------------------------------------------------------------

test_the_bond_is_what_its_slaves_are() {
	make_ib_bond
	is "$(link_json b7 .link_type)" infiniband
	is "$(cat $SYSFS/b7/addr_len)" 20
	is "$(broadcast b7)" "$(broadcast a0)"
	is "$(hwaddr b7)" "$(hwaddr a0)"
	is "$(option b7 fail_over_mac)" "active 1"
}

test_the_bond_is_ethernet_again_without_slaves() {
	ours_only "stays InfiniBand until an Ethernet slave comes"
	make_ib_bond
	ip link set a0 nomaster
	is "$(link_json b7 .link_type)" infiniband
	ip link set b0 nomaster
	is "$(link_json b7 .link_type)" ether
	is "$(cat $SYSFS/b7/addr_len)" 6
	is "$(broadcast b7)" ff:ff:ff:ff:ff:ff
	is "$(cat $SYSFS/b7/mtu)" 1500 MTU
	ip address show b7 | has "inet $OUR4/24"
	ip address show b7 | has "inet6 $OUR6/64"
	link_json b7 '.flags' | has '"BROADCAST","MULTICAST","MASTER","UP"'
	is "$(groups_of b7 | grep -vE '^(01005e|3333..)......$')" "" "groups that are not Ethernet's"
	is_member b7 3333ff000001
	# The bond becomes InfiniBand again.
	enslave b7 a0 b0
	b7_works
	has_no_foreign_groups b7
}

test_a_bond_of_ethernet_cards_then_of_infiniband() {
	ours_only "closes the bond, whose IPv6 addresses are lost"
	load max_bonds=0
	make_fabric
	make_bond b7 mode active-backup miimon 100
	ip link add d0 type dummy
	enslave b7 d0
	ip link set d0 nomaster
	enslave b7 a0
	b7_works
	ip link set a0 nomaster
	enslave b7 d0
	is "$(link_json b7 .link_type)" ether
}

test_no_message_where_nothing_is_wrong() {
	ours_only "warns of VLANs and addresses whatever the options"
	load max_bonds=0
	make_fabric
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0
	kmsg | lacks -E 'VLAN challenged|not support setting'
	is "$(kmsg | grep -c 'b7: (slave a0): Setting fail_over_mac to active')" 1
	ip link delete b7
	kmsg_mark
	make_bond b7 mode active-backup miimon 100 fail_over_mac active
	enslave b7 a0 b0
	kmsg | lacks -E 'VLAN challenged|fail_over_mac|MAC address'
}

# -- multicast, in every order -------------------------------------------------------------

# in_order STEP...: sets up b7 in this order, then checks the groups.
in_order() {
	local step
	load max_bonds=0
	make_fabric
	ip link add b7 type bond mode active-backup miimon 100
	sysctl -qw net.ipv6.conf.b7.accept_dad=0
	for step; do
		case $step in
		up) ip link set b7 up ;;
		enslave) enslave b7 a0 b0 ;;
		addresses)
			ip address add $OUR4/24 dev b7
			ip address add $OUR6/64 dev b7 nodad
			;;
		esac
	done
	b7_works
	has_all_groups b7
	has_no_foreign_groups b7
	wait_for 5 "a0 to be a member" has_all_groups a0
	! ours || wait_for 5 "b0 to be a member, too" has_all_groups b0
	has_no_foreign_groups a0
	has_no_foreign_groups b0
	hears_multicasts
	vib_port vib0 down
	wait_for 10 "b0 to be active" active b7 b0
	wait_for 5 "b0 to be a member" has_all_groups b0
	peer_answers $PEER6
	hears_multicasts
	vib_port vib0 up
	wait_for 10 "a0 to be up" mii_status a0 up
	vib_port vib1 down
	wait_for 10 "a0 to be active" active b7 a0
	wait_for 5 "a0 to be a member" has_all_groups a0
	hears_multicasts
	# The fabric has the groups, too.
	saquery -m >"$WORK/members" || saquery MCMR >"$WORK/members"
	grep -qi 'ff12:401b:ffff::1' "$WORK/members"
}

# Queries to all-hosts and all-nodes, and to our solicited-node group: the peer's neighbour
# solicitation for our address.
hears_multicasts() {
	sysctl -qw net.ipv4.icmp_echo_ignore_broadcasts=0
	wait_for 10 "an answer to all-hosts" answers_peer 224.0.0.1 "from $OUR4"
	wait_for 10 "an answer to all-nodes" answers_peer ff02::1 "from fe80:"
	in_peer ip neighbour flush dev p0
	wait_for 10 "an answer to our solicited node" answers_peer $OUR6 "from $OUR6"
}

answers_peer() {
	in_peer ping -c 1 -W 1 -I p0 "$1" | grep -F "$2"
}

test_order_enslave_up_addresses() {
	in_order enslave up addresses
}

test_order_up_enslave_addresses() {
	in_order up enslave addresses
}

test_order_up_addresses_enslave() {
	in_order up addresses enslave
}

test_order_enslave_addresses_up() {
	in_order enslave addresses up
}

test_order_addresses_enslave_up() {
	in_order addresses enslave up
}

# -- MTU -------------------------------------------------------------------------------------

test_the_bond_takes_the_mtu_of_its_slaves() {
	ours_only "stays at 1500"
	make_ib_bond
	wait_for 5 "the MTU of the fabric" has_mtu b7 2044
	is "$(cat $SYSFS/b0/mtu)" 2044
	ping -q -c 1 -W 5 -M do -s 2016 $PEER4
}

test_a_chosen_mtu_stays() {
	load max_bonds=0
	make_fabric
	make_bond b7 mode active-backup miimon 100
	ip link set b7 mtu 1400
	enslave b7 a0 b0
	b7_works
	is "$(cat $SYSFS/{b7,a0,b0}/mtu | xargs)" "1400 1400 1400"
}

test_connected_mode_and_its_end() {
	local device
	load max_bonds=0
	make_fabric
	in_peer bash -c "echo connected >$SYSFS/p0/mode"
	ip -n peer link set p0 mtu 65520
	for device in a0 b0; do
		put connected $SYSFS/$device/mode
	done
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0
	ours || ip link set b7 mtu 65520
	b7_works
	is "$(cat $SYSFS/{b7,a0,b0}/mtu | xargs)" "65520 65520 65520"
	wait_for 10 "a large packet to pass" ping -q -c 1 -W 2 -M do -s 65000 $PEER4
	vib_port vib0 down
	wait_for 10 "b0 to be active" active b7 b0
	wait_for 10 "a large packet to pass" ping -q -c 1 -W 2 -M do -s 65000 $PEER4
	ours || return 0
	vib_port vib0 up
	put datagram $SYSFS/a0/mode
	is "$(cat $SYSFS/{b7,a0,b0}/mtu | xargs)" "2044 2044 2044"
	kmsg_has 'b7: \(slave a0\): its MTU is 2044 now: the MTU of the bond follows, from 65520'
	peer_answers
}

# -- failover ----------------------------------------------------------------------------------

test_failover_by_a_cut_cable() {
	make_ib_bond primary a0
	vib_port vib0 down
	fails_over a0 b0
	vib_port vib0 up
	fails_over b0 a0
}

test_failover_by_link_set_down() {
	make_ib_bond primary a0
	ip link set a0 down
	fails_over a0 b0
	ip link set a0 up
	fails_over b0 a0
}

test_failover_by_hand() {
	make_ib_bond
	set_option b7 active_slave b0
	fails_over a0 b0
	set_option b7 active_slave a0
	fails_over b0 a0
}

test_failover_by_a_pulled_adapter() {
	make_ib_bond
	vib_hca vib0 out
	fails_over a0 b0
	gone a0
	vib_hca vib0 in
	name_ipoib vib0 a0
	enslave b7 a0
	wait_for 10 "a0 to be up" mii_status a0 up
	vib_port vib1 down
	fails_over b0 a0
}

test_tcp_goes_on() {
	local sum
	make_ib_bond
	head -c 20000000 /dev/urandom >"$WORK/data"
	sum=$(sha256sum <"$WORK/data")
	in_peer socat -u TCP-LISTEN:7000,reuseaddr "CREATE:$WORK/received" &
	wait_for 10 "the peer to listen" peer_listens 7000
	socat -u "OPEN:$WORK/data" "TCP:$PEER4:7000" &
	wait_for 20 "data to flow" has_received 1000000
	vib_port vib0 down
	wait_for 10 "b0 to be active" active b7 b0
	wait
	is "$(sha256sum <"$WORK/received")" "$sum" "checksum of what arrived"
}

# -- the last adapter goes ---------------------------------------------------------------------

test_the_bond_waits_for_its_adapters() {
	local address
	ours_only "destroys the bond"
	make_ib_bond fail_over_mac active num_grat_arp 3 updelay 100 resend_igmp 2 primary b0
	settings >"$WORK/settings"
	set_option b7 active_slave b0
	address=$(hwaddr b7)
	vib_hca vib0 out
	vib_hca vib1 out
	wait_for 10 "the last slave to be gone" gone b0
	exists b7
	is "$(link_json b7 .link_type)" infiniband
	is "$(hwaddr b7)" "$address"
	settings | diff "$WORK/settings" - || fail "an option has changed"
	ip address show b7 | has "inet $OUR4/24"
	ip address show b7 | has "inet6 $OUR6/64"
	vib_hca vib1 in
	name_ipoib vib1 b0
	enslave b7 b0
	b7_works
	has_all_groups b7
	settings | diff "$WORK/settings" - || fail "an option has changed"
	is "$(option b7 primary)" b0 "primary"
	vib_hca vib0 in
	name_ipoib vib0 a0
	enslave b7 a0
	wait_for 10 "both to be up" both_up
	vib_port vib1 down
	fails_over b0 a0
}

# An InfiniBand bond without slaves, up.
make_waiting_bond() {
	make_ib_bond
	vib_hca vib0 out
	vib_hca vib1 out
	wait_for 10 "a0 to be gone" gone a0
	wait_for 10 "b0 to be gone" gone b0
	is "$(link_json b7 .link_type)" infiniband
}

# Packets in flight when a slave joins must have room for its header: IPoIB's has 4 bytes, and the
# address that the stack puts in front of it has 20. Without CAP_SYS_RAWIO nobody can send less than
# a header.
test_a_waiting_bond_keeps_its_header() {
	ours_only "destroys the bond"
	make_waiting_bond
	is "$(send_raw b7 20 || :)" "Invalid argument"
	send_raw b7 24
}

# send_raw DEVICE BYTES: sends that many bytes; prints the reason if that fails.
send_raw() {
	setpriv --bounding-set=-sys_rawio --inh-caps=-sys_rawio python3 -c '
import os, socket, sys
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
raw.bind((sys.argv[1], 0))
try:
    raw.send(bytes(int(sys.argv[2])))
except OSError as error:
    print(os.strerror(error.errno))
    sys.exit(1)' "$@"
}

test_a_waiting_bond_takes_an_ethernet_slave() {
	ours_only "destroys the bond"
	make_waiting_bond
	set_option b7 fail_over_mac none
	ip link add c0 address 02:00:00:00:00:0c type dummy
	enslave b7 c0
	is "$(link_json b7 .link_type)" ether
	is "$(hwaddr b7) $(hwaddr c0)" "02:00:00:00:00:0c 02:00:00:00:00:0c"
	ip address show b7 | has "inet $OUR4/24"
	ip link delete c0
}

test_a_waiting_bond_stays_what_it_is_when_a_slave_is_refused() {
	local before
	ours_only "destroys the bond"
	make_waiting_bond
	before=$(ip -d link show b7)
	settings >"$WORK/settings"
	ip link add c0 type dummy
	# A VLAN cannot be opened while the device below it is down: by then the bond is Ethernet.
	modprobe 8021q
	ip link add link c0 name c0.5 type vlan id 5
	fails_with "Network is down" ip link set c0.5 master b7
	is "$(ip -d link show b7)" "$before"
	settings | diff "$WORK/settings" - || fail "an option has changed"
	ip address show b7 | has "inet $OUR4/24"
	vib_hca vib0 in
	name_ipoib vib0 a0
	enslave b7 a0
	b7_works
	ip link delete c0
}

# What a user has set, without the attributes that describe the slaves present.
settings() {
	grep -sH '' $SYSFS/b7/bonding/* | grep -vE '/(slaves|active_slave|mii_status|primary|queue_id):'
}

test_unload_the_fabric_under_the_bond() {
	make_ib_bond
	rmmod vib
	gone a0
	ours || return 0
	exists b7
	is "$(link_json b7 .link_type)" infiniband
	ip link delete b7
}

# -- partitions ---------------------------------------------------------------------------------

test_bonds_over_child_interfaces() {
	make_ib_bond
	put 0x8001 $SYSFS/a0/create_child
	put 0x8001 $SYSFS/b0/create_child
	ip -n peer link add link p0 name p0.8001 type ipoib pkey 0x8001
	ip -n peer link set p0.8001 up
	ip -n peer address add 198.51.100.2/24 dev p0.8001
	ip link set a0.8001 down
	ip link set b0.8001 down
	ip link add b8 type bond mode active-backup miimon 100
	ip link set a0.8001 master b8
	ip link set b0.8001 master b8
	ip address add 198.51.100.1/24 dev b8
	ip link set b8 up
	wait_for 20 "carrier of b8" has_carrier b8
	is "$(broadcast b8)" "$(broadcast a0.8001)"
	peer_answers 198.51.100.2
	vib_port vib0 down
	wait_for 10 "b0.8001 to be active" active b8 b0.8001
	peer_answers 198.51.100.2
	peer_answers
	has_all_groups b7
	is_member b8 00ffffffff12401b800100000000000000000001
	ip link delete b8
}

# -- bad input -------------------------------------------------------------------------------------

test_only_active_backup() {
	local mode
	load max_bonds=0
	make_fabric
	for mode in balance-rr balance-xor broadcast balance-tlb balance-alb; do
		ip link add b7 type bond mode $mode miimon 100
		refused "Only active-backup" ip link set a0 master b7
		refused "not supported" put +a0 $SYSFS/b7/bonding/slaves
		# By then the in-tree driver has turned the bond to InfiniBand and back, and leaves
		# a multicast group with an InfiniBand address on the Ethernet bond.
		if ours; then unmoved; else rm "$WORK/before"; fi
		ip link delete b7
	done
}

test_link_types_exclude_each_other() {
	make_ib_bond
	ip link add d0 type dummy
	refused "Device type is different from other slaves" ip link set d0 master b7
	unmoved
	ip link set a0 nomaster
	ip link add b8 type bond mode active-backup miimon 100
	ip link set d0 master b8
	refused "Device type is different from other slaves" ip link set a0 master b8
	unmoved
}

test_options_with_infiniband_slaves() {
	make_ib_bond
	refused "not empty" set_option b7 fail_over_mac none
	refused "not empty" set_option b7 fail_over_mac follow
	refused "not empty" set_option b7 mode balance-rr
	unmoved
}

test_address_by_hand() {
	ours_only "accepts it without effect"
	make_ib_bond
	refused "not supported" ip link set b7 address \
		80:00:00:40:fe:80:00:00:00:00:00:00:02:76:69:62:00:07:07:07
	kmsg_has 'b7: Cannot set the hardware address: it is that of the active slave'
	unmoved
}

test_an_mtu_that_a_slave_cannot_take() {
	ours_only "accepts what the slave then does not use"
	make_ib_bond
	wait_for 5 "the MTU of the fabric" has_mtu b7 2044
	refused "Invalid argument" ip link set b7 mtu 4000
	kmsg_has 'b7: \(slave a0\): cannot have the MTU 4000'
	refused "Invalid argument" ip link set b7 mtu 65520
	unmoved
}

test_a_slave_that_cannot_take_the_mtu() {
	ours_only "has taken the slave's type by then"
	load max_bonds=0
	make_fabric
	ip link add b7 mtu 9000 type bond mode active-backup miimon 100
	refused "cannot have the MTU of the bond" ip link set a0 master b7
	unmoved
}

test_another_partition() {
	ours_only "takes it, and loses its multicasts"
	load max_bonds=0
	make_fabric
	put 0x8001 $SYSFS/b0/create_child
	ip link set b0.8001 down
	ip link add b7 type bond mode active-backup miimon 100
	ip link set a0 master b7
	refused "P_Key) is different" ip link set b0.8001 master b7
	unmoved
	ip link delete b0.8001
}

test_vlans() {
	make_ib_bond
	refused "" ip link add link b7 name b7.5 type vlan id 5
	unmoved
}

ktap_main "$@"
