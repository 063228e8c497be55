#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# reference: intree
# timeout: 1500
#
# What changes below a bond of IPoIB interfaces while the bond works: one of two ports of an
# adapter, several partitions over the same adapters, connected mode, P_Keys; and what the peer sees
# of it.

. "${BASH_SOURCE[0]%/*}/ipoib_bond.sh"

# -- two ports of one adapter ----------------------------------------------------------------

make_bond_of_two_ports() {
	load max_bonds=0
	vib_load ports=2
	name_ipoib vib0 a0 1
	name_ipoib vib0 b0 2
	make_ipoib_peer
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0
	b7_works
	wait_for 20 "both to be up" both_up
}

test_two_ports_of_one_adapter() {
	make_bond_of_two_ports
	vib_port vib0 down 1
	fails_over a0 b0
	vib_port vib0 up 1
	wait_for 20 "both to be up" both_up
	vib_port vib0 down 2
	fails_over b0 a0
}

test_the_adapter_of_both_ports_is_pulled() {
	ours_only "destroys the bond"
	make_bond_of_two_ports
	vib_hca vib0 out
	wait_for 10 "both slaves to be gone" gone b0
	gone a0
	exists b7
	vib_hca vib0 in
	name_ipoib vib0 a0 1
	name_ipoib vib0 b0 2
	enslave b7 a0 b0
	b7_works
}

# -- several bonds over the same adapters ------------------------------------------------------

KEYS=(0x8001 0x8002 0x8003)

# The bond of partition 0x8001 is b.8001; it has 198.51.1.1, and the peer has 198.51.1.2.
make_bond_of_partition() {
	local key=${1#0x} parent
	ip -n peer link add link p0 name "p0.$key" type ipoib pkey "$1"
	ip -n peer link set "p0.$key" up
	ip -n peer address add "198.51.${key:3}.2/24" dev "p0.$key"
	ip link add "b.$key" type bond mode active-backup miimon 100 fail_over_mac active
	for parent in a0 b0; do
		enslave_child "$parent" "$1"
	done
	ip address add "198.51.${key:3}.1/24" dev "b.$key"
	ip link set "b.$key" up
	wait_for 20 "carrier of b.$key" has_carrier "b.$key"
	# Chance decides which of two ports joins its groups first.
	wait_for 20 "a0.$key to be up" mii_status "a0.$key" up
	set_option "b.$key" active_slave "a0.$key"
}

enslave_child() {
	put "$2" "$SYSFS/$1/create_child"
	ip link set "$1.${2#0x}" down
	ip link set "$1.${2#0x}" master "b.${2#0x}"
}

# all_bonds_work SLAVE: in each bond the slave on the adapter of SLAVE is active, and the peer
# answers.
all_bonds_work() {
	local key
	wait_for 10 "$1 to be active" active b7 "$1"
	peer_answers
	for key in "${KEYS[@]#0x}"; do
		wait_for 10 "$1.$key to be active" active "b.$key" "$1.$key"
		peer_answers "198.51.${key:3}.2"
		wait_for 5 "$1.$key to be a member" \
			is_member "$1.$key" "00ffffffff12401b${key}00000000000000000001"
	done
}

all_are_up() {
	local key
	mii_status "$1" up || return 1
	for key in "${KEYS[@]#0x}"; do
		mii_status "$1.$key" up || return 1
	done
}

test_bonds_of_four_partitions() {
	local key
	make_ib_bond
	for key in "${KEYS[@]}"; do
		make_bond_of_partition "$key"
	done
	all_bonds_work a0
	vib_port vib0 down
	all_bonds_work b0
	vib_port vib0 up
	wait_for 20 "the links over vib0 to be up" all_are_up a0
	vib_port vib1 down
	all_bonds_work a0
	vib_port vib1 up
	wait_for 20 "the links over vib1 to be up" all_are_up b0
	vib_hca vib0 out
	all_bonds_work b0
	vib_hca vib0 in
	name_ipoib vib0 a0
	enslave b7 a0
	for key in "${KEYS[@]}"; do
		enslave_child a0 "$key"
	done
	wait_for 20 "the links over vib0 to be up" all_are_up a0
	vib_port vib1 down
	all_bonds_work a0
}

# -- connected mode ---------------------------------------------------------------------------

make_connected_bond() {
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
}

# tcp_across_failovers ADDRESS: sends 60 MB to the peer, while the cables are cut in turn.
tcp_across_failovers() {
	local sum receiver sender
	make_connected_bond
	wait_for 10 "a large packet to pass" ping -q -c 1 -W 2 -M do -s 65000 "$1"
	head -c 60000000 /dev/urandom >"$WORK/data"
	sum=$(sha256sum <"$WORK/data")
	in_peer socat -u TCP6-LISTEN:7000,ipv6only=0,reuseaddr "CREATE:$WORK/received" &
	receiver=$!
	wait_for 10 "the peer to listen" peer_listens 7000
	socat -u "OPEN:$WORK/data" "TCP:${2-$1}:7000" &
	sender=$!
	wait_for 20 "data to flow" has_received 1000000
	vib_port vib0 down
	wait_for 10 "b0 to be active" active b7 b0
	vib_port vib0 up
	wait_for 20 "both to be up" both_up
	wait_for 20 "data to flow" has_received 2000000
	vib_port vib1 down
	wait_for 10 "a0 to be active" active b7 a0
	wait $sender
	wait $receiver
	is "$(sha256sum <"$WORK/received")" "$sum" "checksum of what arrived"
	is "$(cat $SYSFS/{b7,a0,b0}/mtu | xargs)" "65520 65520 65520"
	wait_for 10 "a large packet to pass" ping -q -c 1 -W 2 -M do -s 65000 "$1"
}

test_connected_mode_over_ipv4() {
	tcp_across_failovers $PEER4
}

test_connected_mode_over_ipv6() {
	tcp_across_failovers $PEER6 "[$PEER6]"
}

# -- what the peer sees -------------------------------------------------------------------------

# received_hex FILTER: what tcpdump has recorded, as one line of hexadecimal digits per packet.
received_hex() {
	tcpdump -n -x -r "$WORK/pcap" "$1" 2>/dev/null |
		awk '/^\t/ { sub(/^\t0x[0-9a-f]*: */, ""); gsub(/ /, ""); line = line $0; next }
			line { print line; line = "" } END { if (line) print line }'
}

# gratuitous PATTERN FILTER: counts the matching packets.
gratuitous() {
	received_hex "$2" | grep -c "$1" || :
}

gratuitous_at_least() {
	(($(gratuitous "$2" "$3") >= $1))
}

test_announcements_hold_20_byte_addresses() {
	local b0 arp na
	make_ib_bond num_grat_arp 3
	wait_for 20 "both to be up" both_up
	b0=$(hwaddr b0 | tr -d :)
	# InfiniBand, IPv4, lengths 20 and 4, a request from the new address for our own IP address.
	arp="^0020080014040001${b0}c0000201.*c0000201"
	# The target link-layer address option takes three units of eight bytes, of which two bytes
	# are padding.
	na="20010db8000000000000000000000001.*20010db8000000000000000000000001"
	na+="02030000$b0"
	capture peer p0 "arp or icmp6"
	vib_port vib0 down
	wait_for 10 "b0 to be active" active b7 b0
	wait_for 10 "three gratuitous ARPs" gratuitous_at_least 3 "$arp" arp
	wait_for 10 "three advertisements" gratuitous_at_least 3 "$na" icmp6
	# A fourth one would arrive before the answers to these two pings.
	ping -q -c 2 -i 0.3 $PEER4
	capture_stop
	is "$(gratuitous "$arp" arp)" 3 "number of gratuitous ARPs"
	is "$(gratuitous "$na" icmp6)" 3 "number of advertisements"
}

# -- paths that are known beforehand -------------------------------------------------------------

test_a_backup_knows_the_paths() {
	ours_only "asks for them after the failover"
	make_ib_bond
	wait_for 20 "both to be up" both_up
	ip route add 239.1.2.3 dev b7
	capture peer p0 "arp or icmp6"
	ping -q -c 1 -W 0.1 239.1.2.3 || : # nobody answers
	peer_answers
	wait_for 40 "b0 to know the path to the peer" knows b0_path "$(gid_of vib2)"
	wait_for 40 "the peer to know the path to b0" knows p0_path "$(gid_of vib1)"
	wait_for 40 "b0 to be let into the group" knows b0_mcg ff12:401b:ffff:0:0:0:f01:203
	# The probes have no sender's IP address: the peer has learned nothing about b0.
	wait_for 10 "the probe" captured_at_least 1 "arp[28:4] = 0"
	capture_stop
	received_hex arp | lacks "$(hwaddr b0 | tr -d :)c0000201"
	in_peer ip neighbour show $OUR4 dev p0 | has -i "$(hwaddr a0)"
	# Other link types have nothing to ask for.
	ip link delete b7
	ip link add d0 type dummy
	ip link add d1 type dummy
	make_bond b7 mode active-backup miimon 100
	enslave b7 d0 d1
	ip neighbour add 192.0.2.77 lladdr 02:00:00:00:00:77 dev b7
	is "$(cat $SYSFS/d1/statistics/tx_packets)" 0 "packets of the backup"
}

# -- P_Keys ------------------------------------------------------------------------------------

# move_to_partition HCA KEY: sets the first entry of the table, which IPoIB follows; the subnet
# administrator still needs the default key.
move_to_partition() {
	fabric "$1/port1/pkeys" "0 $2"
	if [[ $2 == 0xffff ]]; then
		fabric "$1/port1/pkeys" "1 0x8001"
	else
		fabric "$1/port1/pkeys" "1 0xffff"
	fi
}

in_partition() {
	[[ $(broadcast "$1") == 00:ff:ff:ff:ff:12:40:1b:${2:2:2}:${2:4:2}:* ]]
}

test_another_partition_for_all() {
	local hca
	ours_only "stays in the old partition, and hears no multicasts"
	make_ib_bond
	for hca in vib0 vib1 vib2; do
		move_to_partition $hca 0x8001
	done
	wait_for 20 "b7 to be in partition 8001" in_partition b7 0x8001
	wait_for 20 "both to be up" both_up
	wait_for 10 "the groups of the new partition" has_all_groups b7 8001
	groups_of b7 | lacks -i ffff000000000000
	the_peer_finds_us
	kmsg_has 'b7: \(slave [ab]0\): its partition \(P_Key\) is 0x8001 now: the bond follows, from 0xffff'
	for hca in vib0 vib1 vib2; do
		move_to_partition $hca 0xffff
	done
	wait_for 20 "b7 to be in the old partition" in_partition b7 0xffff
	wait_for 20 "both to be up" both_up
	wait_for 10 "the groups of the old partition" has_all_groups b7 ffff
	the_peer_finds_us
}

# The peer resolves our addresses; its own interface receives no multicasts in another partition.
the_peer_finds_us() {
	in_peer ip neighbour flush dev p0
	wait_for 40 "an answer to the peer" in_peer ping -q -c 1 -W 1 $OUR4
	wait_for 40 "an answer to the peer" in_peer ping -q -c 1 -W 1 $OUR6
}

test_another_partition_for_a_backup() {
	ours_only "says nothing"
	make_ib_bond
	wait_for 20 "both to be up" both_up
	move_to_partition vib1 0x8001
	wait_for 20 "a warning" kmsg_has \
		'b7: \(slave b0\): its partition \(P_Key\) is 0x8001 now, but the bond is in 0xffff'
	in_partition b7 0xffff
	peer_answers
	move_to_partition vib1 0xffff
	wait_for 20 "both to be up" both_up
	vib_port vib0 down
	fails_over a0 b0
	in_partition b7 0xffff
}

# target_groups SLAVE: the partitions in which a backup has joined the target's group, to hear the
# probes of the others.
target_groups() {
	groups_of "$1" | sed -n 's/^00ffffffff12601b\(....\)000000000001ff000002$/\1/p' | xargs
}

# listens_in PARTITION: some slave has joined the target's group in this partition, and none has
# joined it in another one.
listens_in() {
	local of_both
	of_both=$(echo "$(target_groups a0)" "$(target_groups b0)" | xargs)
	[[ $of_both == "$1" || $of_both == "$1 $1" ]] || {
		echo "the slaves listen to the groups of the target in: $of_both"
		return 1
	}
}

test_another_partition_with_a_target_to_listen_for() {
	local hca
	ours_only "stays in the old partition"
	load max_bonds=0
	make_fabric
	# In another partition the peer receives no multicasts, only the broadcasts of ARP.
	make_bond b7 mode active-backup arp_interval 500 arp_validate all arp_ip_target $PEER4 ns_ip6_target $PEER6
	enslave b7 a0 b0
	b7_works
	wait_for 20 "a backup to listen for the probes" listens_in ffff
	for hca in vib0 vib1 vib2; do
		move_to_partition $hca 0x8001
	done
	wait_for 20 "b7 to be in partition 8001" in_partition b7 0x8001
	wait_for 20 "a backup to listen in the new partition" listens_in 8001
	for hca in vib0 vib1 vib2; do
		move_to_partition $hca 0xffff
	done
	wait_for 20 "b7 to be in the old partition" in_partition b7 0xffff
	wait_for 20 "a backup to listen in the old partition" listens_in ffff
	# A slave that leaves does not keep the group.
	ip link set a0 nomaster
	ip link set b0 nomaster
	is "$(target_groups a0)$(target_groups b0)" "" "groups of the target"
}

ktap_main "$@"
