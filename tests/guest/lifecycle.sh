#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 600
#
# Bonds and slaves come and go: ip, bonding_masters, sysfs, insmod and rmmod, with
# traffic, and slaves that disappear by themselves.

. "${BASH_SOURCE[0]%/*}/bond.sh"

setup() {
	loaded || modprobe bonding max_bonds=0
}

masters() {
	cat $SYSFS/bonding_masters
}

add_dummies() {
	local name
	for name; do
		ip link add "$name" address "$(link_address "$name")" type dummy
	done
}

# A released slave is as it was before: it has no traces of the bond.
is_free() {
	local slave=$1
	is "$(link_json "$slave" '.master // "none"')" none "master of $slave"
	is "$(link_json "$slave" '.flags | contains(["SLAVE"])')" false "SLAVE flag of $slave"
	[[ ! -e $SYSFS/$slave/bonding_slave && ! -e $SYSFS/$slave/master ]] ||
		fail "sysfs of $slave still shows the bond"
}

test_insmod_by_path() {
	local file
	unload
	file=$(modinfo -n bonding)
	modprobe tls
	insmod "$file" max_bonds=2
	is "$(masters)" "bond0 bond1"
	fails_with "File exists" insmod "$file"
	rmmod bonding
	gone bonding_masters
	[[ ! -e /proc/net/bonding ]] || fail "/proc/net/bonding is left behind"
}

test_ip_link_add_and_delete() {
	ip link add b7 type bond mode active-backup miimon 100
	is "$(masters)" b7
	is "$(link_json b7 .linkinfo.info_kind)" bond
	test -f /proc/net/bonding/b7
	ip link set b7 up
	is "$(link_json b7 '.flags | contains(["UP", "MASTER"])')" true
	is "$(cat $SYSFS/b7/carrier)" 0 "carrier without slaves"
	ip link del b7
	is "$(masters)" ""
	gone b7
	[[ ! -e /proc/net/bonding/b7 ]] || fail "/proc/net/bonding/b7 is left behind"
}

test_ip_link_add_without_a_name() {
	ip link add type bond
	ip link add type bond
	is "$(masters)" "bond0 bond1"
}

test_ip_link_change() {
	ip link add b7 type bond
	ip link change b7 type bond mode active-backup
	ip link set b7 type bond miimon 200 updelay 400
	is "$(link_json b7 '.linkinfo.info_data | [.mode, .miimon, .updelay]')" \
		'["active-backup",200,400]'
}

test_rtnl_queues_and_address() {
	local receive=2
	# A kernel for one CPU does not report receive queues.
	! kernel_is uml || receive=null
	ip link add b7 address 02:00:00:00:07:07 numtxqueues 3 numrxqueues 2 type bond
	is "$(link_json b7 '[.num_tx_queues, .num_rx_queues, .address]')" "[3,$receive,\"02:00:00:00:07:07\"]"
}

test_bonding_masters() {
	put +b7 $SYSFS/bonding_masters
	put +b8 $SYSFS/bonding_masters
	is "$(masters)" "b7 b8"
	is "$(option b7 mode)" "balance-rr 0"
	put -b7 $SYSFS/bonding_masters
	is "$(masters)" b8
	gone b7
}

test_rename_moves_the_proc_file() {
	ip link add b7 type bond
	ip link set b7 name c7
	is "$(masters)" c7
	test -f /proc/net/bonding/c7
	[[ ! -e /proc/net/bonding/b7 ]] || fail "/proc/net/bonding/b7 is left behind"
}

test_enslave_and_release_with_ip() {
	ip link add b7 type bond
	ip link set b7 up
	add_dummies a0
	ip link set dev a0 master b7
	is "$(link_json a0 .master)" b7
	is "$(link_json a0 '.flags | contains(["SLAVE", "UP"])')" true
	is "$(link_json a0 .linkinfo.info_slave_kind)" bond
	is "$(option b7 slaves)" a0
	test -e $SYSFS/b7/lower_a0
	test -e $SYSFS/a0/upper_b7
	is "$(hwaddr b7)" 02:00:00:00:00:0a "address of the bond, from its first slave"
	wait_for 5 "the bond to have carrier" has_carrier b7
	ip link set dev a0 nomaster
	is_free a0
	is "$(hwaddr a0)" 02:00:00:00:00:0a
	is "$(option b7 slaves)" ""
	wait_for 5 "the bond to lose carrier" no_carrier b7
}

test_enslave_and_release_with_sysfs() {
	ip link add b7 type bond
	add_dummies a0 b0
	set_option b7 slaves +a0
	set_option b7 slaves +b0
	is "$(option b7 slaves)" "a0 b0"
	set_option b7 slaves -a0
	is "$(option b7 slaves)" b0
	is_free a0
}

test_first_slave_leaves_second_stays() {
	ip link add b7 type bond mode active-backup miimon 100
	ip link set b7 up
	add_dummies a0 b0
	enslave b7 a0 b0
	active b7 a0
	ip link set dev a0 nomaster
	active b7 b0
	is "$(hwaddr b7)" 02:00:00:00:00:0a "address of the bond"
	is "$(hwaddr b0)" 02:00:00:00:00:0a "address of the slave that stayed"
	ip link set dev b0 nomaster
	is "$(hwaddr b0)" 02:00:00:00:00:0b "address of the released slave"
	[[ $(hwaddr b7) != 02:00:00:00:00:0a ]] || fail "the empty bond kept a slave's address"
}

test_a_slave_moves_from_bond_to_bond() {
	ip link add b7 type bond
	ip link add b8 type bond
	add_dummies a0
	ip link set dev a0 master b7
	ip link set dev a0 down
	ip link set dev a0 master b8
	is "$(option b7 slaves)" ""
	is "$(option b8 slaves)" a0
}

test_delete_bond_with_slaves_releases_them() {
	ip link add b7 type bond
	ip link set b7 up
	add_dummies a0 b0
	enslave b7 a0 b0
	ip link del b7
	is_free a0
	is_free b0
	is "$(hwaddr b0)" 02:00:00:00:00:0b
}

test_slave_mtu_and_address_come_back() {
	ip link add b7 mtu 1400 type bond
	add_dummies a0 b0
	ip link set b0 mtu 9000
	enslave b7 a0 b0
	is "$(cat $SYSFS/b0/mtu)" 1400
	ip link set dev b0 nomaster
	is "$(cat $SYSFS/b0/mtu)" 9000
	is "$(hwaddr b0)" 02:00:00:00:00:0b
}

test_bond_down_and_up_keeps_slaves() {
	make_links veth a0
	make_bond b7 miimon 100
	enslave b7 a0
	wait_for 5 "the peer to answer" ping_peer
	ip link set b7 down
	is "$(option b7 slaves)" a0
	ip link set b7 up
	ip address replace $OUR4/24 dev b7
	wait_for 5 "the peer to answer again" ping_peer
}

test_slave_device_deleted() {
	make_links veth a0 b0
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0
	active b7 a0
	ip link del a0
	is "$(option b7 slaves)" b0
	wait_for 5 "b0 to be active" active b7 b0
	wait_for 5 "the peer to answer" ping_peer
	ip link del b0
	is "$(option b7 slaves)" ""
}

test_slave_driver_unbound() {
	modprobe netdevsim
	make_links netdevsim a0 b0
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0
	active b7 a0
	ip netns del peer
	rmmod netdevsim
	is "$(option b7 slaves)" ""
	gone a0
	is "$(option b7 active_slave)" ""
}

# Each slave is closed while the instance locks of both are held.
test_all_slaves_closed_at_once() {
	modprobe asked locked=1
	ip link add a0 type asked_none
	ip link add b0 type asked_none
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0
	active b7 a0
	ip link set b7 promisc on
	rmmod asked
	gone a0
	gone b0
	is "$(option b7 slaves)" ""
	is "$(option b7 active_slave)" ""
}

# The slave reports its new MTU under its instance lock: code that sets the MTU from there would
# wait for itself.
test_mtu_of_one_slave_that_another_refuses() {
	modprobe asked locked=1 other=1
	ip link add a0 type asked_none
	ip link add b0 type asked_none
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0
	wait_for 10 "b0 to be up" mii_status b0 up
	put 1450 $SYSFS/b0/asked/least_mtu
	ip link set a0 mtu 1400 &
	wait_for 20 "the MTU of a0 to be set" has_ended $!
	is "$(<$SYSFS/a0/mtu) $(<$SYSFS/b0/mtu) $(<$SYSFS/b7/mtu)" "1400 1500 1500"
	# The work of the bond says so, some time later.
	wait_for 10 "the bond to say that it keeps its MTU" \
		kmsg_has "b7: \(slave a0\): its MTU is 1400 now, but the bond keeps 1500"
	# The others follow in the same work.
	ip link set a0 mtu 1460
	wait_for 10 "all to have the MTU of a0" have_mtus 1460 1460 1460
	ip link delete b7
	rmmod asked
}

# have_mtus MTU MTU MTU: of a0, of b0 and of b7.
have_mtus() {
	local mtus
	mtus="$(<$SYSFS/a0/mtu) $(<$SYSFS/b0/mtu) $(<$SYSFS/b7/mtu)"
	echo "the MTUs are $mtus"
	[[ $mtus == "$*" ]]
}

has_ended() {
	[[ ! -e /proc/$1 ]]
}

test_rename_of_a_slave() {
	ip link add b7 type bond mode active-backup miimon 100
	add_dummies a0
	enslave b7 a0
	ip link set a0 down
	ip link set a0 name z0
	is "$(option b7 slaves)" z0
	test -e $SYSFS/b7/lower_z0
	grep -q '^Slave Interface: z0$' /proc/net/bonding/b7
	put -z0 $SYSFS/b7/bonding/slaves
	is_free z0
}

test_primary_follows_names() {
	ip link add b7 type bond mode active-backup miimon 100
	set_option b7 primary z0
	add_dummies a0 b0
	enslave b7 a0 b0
	is "$(option b7 primary)" ""
	ip link set a0 down
	ip link set a0 name z0
	is "$(option b7 primary)" z0
}

test_rmmod_with_traffic() {
	make_links veth a0 b0
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0
	ping_peer
	ping -q -f -i 0.001 $PEER4 &
	wait_for 10 "traffic to flow" \
		bash -c "(( \$(cat $SYSFS/b7/statistics/tx_packets) > 100 ))"
	is "$(references)" 0 "reference count with a bond up"
	rmmod bonding
	gone b7
	is_free a0
	is_free b0
	modprobe bonding max_bonds=0
}

test_rmmod_with_vlan_on_top() {
	modprobe 8021q
	add_dummies a0
	ip link add b7 type bond
	ip link set b7 up
	enslave b7 a0
	ip link add v5 link b7 type vlan id 5
	ip link set v5 up
	rmmod bonding
	gone v5
	is_free a0
}

test_bond_on_a_bond() {
	make_links veth a0
	ip link add inner type bond miimon 100
	make_bond outer mode active-backup miimon 100
	enslave inner a0
	enslave outer inner
	wait_for 5 "the peer to answer through two bonds" ping_peer
	ip link del inner
	is "$(option outer slaves)" ""
	is_free a0
}

ktap_main "$@"
