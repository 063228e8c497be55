#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# reference: intree
# timeout: 900
#
# The command ib-bond over IPoIB interfaces: the uses of the OFED manual, child interfaces for partitions, MTUs.

. "${BASH_SOURCE[0]%/*}/ipoib_bond.sh"
. "${BASH_SOURCE[0]%/*}/ib_bond_command.sh"

setup() {
	install_ib_bond
	load max_bonds=0
}

eval "ipoib_$(declare -f teardown)"

teardown() {
	ipoib_teardown
	forget_ib_bond
}

is_well() {
	ib_is "$1" .state well
}

# The names of the manual: ib0 and ib1, and ib2, which the fabric calls so anyway.
manual_fabric() {
	vib_load hcas=4
	name_ipoib vib0 ib0
	name_ipoib vib1 ib1
	name_ipoib vib2 p0
	name_ipoib vib3 ib2
}

test_the_six_uses_of_the_manual() {
	manual_fabric
	exits 0 ib-bond --bond-ip 192.186.10.100 --slaves ib0,ib2
	says "bond0 is up: 192.186.10.100/24 over ib0 and ib2, active-backup, miimon 100 ms."
	wait_for 20 "bond0 to be well" is_well bond0
	is "$(option bond0 fail_over_mac)" "active 1"

	exits 0 ib-bond --bond-name bond1 --bond-ip 192.186.10.100/25 --slaves ib0.f1f1,ib1.f1f1
	is "$(option bond1 slaves)" "ib0.f1f1 ib1.f1f1"
	is "$(ib_status bond1 '.bonds[0].slaves | map(.pkey) | join(" ")')" "0xf1f1 0xf1f1"
	is "$(link_json ib0.f1f1 .link) $(link_json ib1.f1f1 .link)" "ib0 ib1"
	ip address show dev bond1 | has 'inet 192.186.10.100/25 brd 192.186.10.127'

	# The fabric does not have this partition.
	exits 2 ib-bond --bond-name bond1 --status
	says "bond1 is down: ib0.f1f1 has no link; ib1.f1f1 has no link."

	exits 2 ib-bond --status-all
	says "bond0 is well."
	says "bond1 is down"

	exits 0 ib-bond --bond-name bond1 --stop
	gone bond1
	gone ib0.f1f1
	gone ib1.f1f1

	exits 0 ib-bond --stop-all
	gone bond0
	exists ib0
	! ours || kmsg | lacks -E 'VLAN challenged|not support setting'
}

test_the_bond_works_and_fails_over() {
	make_fabric
	exits 0 ib-bond --bond-name b7 --bond-ip $OUR4 --slaves a0,b0
	wait_for 20 "b7 to be well" is_well b7
	peer_answers $PEER4
	is "$(ib_status b7 '.bonds[0] | .link_type + " " + (.slaves | map(.pkey + " " + .ipoib_mode) | join(" "))')" \
		"infiniband 0xffff datagram 0xffff datagram"
	vib_port "$(adapter_of "$(cat $SYSFS/b7/bonding/active_slave)")" down
	wait_for 20 "b7 to be degraded" ib_is b7 .state degraded
	exits 1 ib-bond status b7
	peer_answers $PEER4
	vib_port vib0 down
	vib_port vib1 down
	wait_for 20 "b7 to be down" ib_is b7 .state down
	exits 2 ib-bond status b7
}

test_a_bond_in_a_partition_works() {
	make_fabric
	ip -n peer address flush dev p0
	ip -n peer link add link p0 name p0.8001 type ipoib pkey 0x8001
	ip -n peer link set p0.8001 up
	ip -n peer address add $PEER4/24 dev p0.8001
	exits 0 ib-bond --bond-name b7 --bond-ip $OUR4 --slaves a0.8001,b0.8001
	wait_for 20 "b7 to be well" is_well b7
	is "$(ib_status b7 '.bonds[0].slaves | map(.pkey) | join(" ")')" "0x8001 0x8001"
	peer_answers $PEER4
	exits 0 ib-bond --bond-name b7 --bond-ip $OUR4 --slaves a0.8001,b0.8001
	says "b7 is up already"
}

test_a_child_of_somebody_else_stays() {
	make_fabric
	ip link add link a0 name a0.8001 type ipoib pkey 0x8001
	exits 0 ib-bond --bond-name b7 --slaves a0.8001,b0.8001
	exits 0 ib-bond --bond-name b7 --stop
	exists a0.8001
	gone b0.8001
}

test_slaves_that_are_up_are_set_down_for_it() {
	local device
	make_fabric
	for device in a0 b0; do
		ip link set $device up
		wait_for 20 "carrier of $device" has_carrier $device
	done
	ip address add 198.51.100.1/24 dev a0
	exits 0 ib-bond --bond-name b7 --bond-ip $OUR4 --slaves a0,b0
	says "a0 has the address 198.51.100.1/24, which does not work on a slave"
	wait_for 20 "b7 to be well" is_well b7
	# Also with the in-tree driver, which would leave it at 1500.
	wait_for 20 "the MTU of the fabric" has_mtu b7 2044
	peer_answers $PEER4
}

test_what_fails_leaves_no_trace() {
	make_fabric
	ip link add d0 type dummy
	ip link set a0 up
	wait_for 20 "carrier of a0" has_carrier a0
	ip address add 198.51.100.1/24 dev a0
	ip route add 203.0.113.0/24 via 198.51.100.2
	changes_nothing 3 "a0 is InfiniBand and d0 is Ethernet" ib-bond --bond-name b7 --slaves a0,d0
	changes_nothing 3 "there is no interface c0.8001" ib-bond --bond-name b7 --slaves a0.8001,c0.8001
	changes_nothing 3 "d0 is no IPoIB interface" ib-bond --bond-name b7 --slaves a0.8001,d0.8001
	ib-bond --bond-name b8 --slaves b0
	ib-bond --bond-name b8 --stop
	mount -t tmpfs -o ro nothing /run/ib-bond/net-*
	changes_nothing 3 "what was made for b7 cannot be recorded" \
		ib-bond --bond-name b7 --bond-ip $OUR4 --slaves a0.8001,b0.8001
	umount /run/ib-bond/net-*
	ib-bond --bond-name b7 --slaves a0,b0
	wait_for 20 "b7 to be well" is_well b7
	wait_for 10 "no tentative address" settled
	changes_nothing 3 "b7 is a bond of InfiniBand interfaces, and d0 is Ethernet" ib-bond --bond-name b7 --slaves d0
}

test_slaves_change_and_their_children_go() {
	make_fabric
	exits 0 ib-bond --bond-name b7 --bond-ip $OUR4 --slaves a0.8001,b0.8001
	wait_for 20 "b7 to be well" is_well b7
	wait_for 5 "no tentative address" settled
	! ours || changes_nothing 3 "b0 cannot be put into b7: Device's partition (P_Key) is different from other slaves" \
		ib-bond --bond-name b7 --slaves a0.8001,b0
	exits 0 ib-bond --bond-name b7 --slaves a0.8001
	gone b0.8001
	is "$(option b7 slaves)" "a0.8001"
	# To another partition.
	exits 0 ib-bond --bond-name b7 --slaves a0,b0
	gone a0.8001
	is "$(option b7 slaves)" "a0 b0"
	wait_for 20 "b7 to be well" is_well b7
	peer_answers $PEER4
}

settled() {
	ip -6 address show | lacks tentative
}

ktap_main "$@"
