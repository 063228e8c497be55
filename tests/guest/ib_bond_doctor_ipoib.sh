#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# reference: intree
# timeout: 900
#
# ib-bond doctor over InfiniBand: ports, partitions, modes and broadcast groups, on the virtual fabric.

. "${BASH_SOURCE[0]%/*}/ipoib_bond.sh"
. "${BASH_SOURCE[0]%/*}/ib_bond_command.sh"

setup() {
	install_ib_bond
}

eval "ipoib_$(declare -f teardown)"

teardown() {
	ipoib_teardown
	forget_ib_bond
}

# finds STATUS ID...: these are the findings; what they say is in $WORK/said.
finds() {
	local status=$1
	shift
	exits "$status" ib-bond doctor --json
	is "$(jq -r '[.findings[].id] | join(" ")' "$WORK/said")" "$*" "the list of findings"
	exits "$status" ib-bond doctor
}

test_nothing_is_found() {
	make_ib_bond
	finds 0
}

test_a_port_that_is_not_active() {
	make_ib_bond
	vib_port vib0 down
	wait_for 10 "b0 to be active" active b7 b0
	finds 2 port-not-active one-link
	says "port 1 of vib0, which carries a0, is DOWN"
	vib_port vib0 up
	wait_for 20 "a0 to be up" mii_status a0 up
	finds 0
}

# make_child PARENT NAME: an interface for the partition 0x8001.
make_child() {
	ip link add link "$1" name "$2" type ipoib pkey 0x8001
	sysctl -qw "net.ipv6.conf.$2.accept_dad=0"
}

test_different_partitions() {
	make_ib_bond
	make_child b0 c0
	ip link set b0 nomaster
	if ours; then
		ip link set c0 down
		fails_with "Device's partition (P_Key) is different" ip link set c0 master b7
		return
	fi
	enslave b7 c0
	wait_for 20 "c0 to be up" mii_status c0 up
	finds 1 different-partitions
	says "a0 has P_Key 0xffff and c0 has P_Key 0x8001"
}

test_both_slaves_on_one_port() {
	load max_bonds=0
	make_fabric
	make_child a0 c0
	make_child a0 d0
	make_bond b7 mode active-backup miimon 100
	enslave b7 c0 d0
	wait_for 20 "c0 to be up" mii_status c0 up
	wait_for 20 "d0 to be up" mii_status d0 up
	finds 1 same-port
	says "c0 and d0 share one port (vib0 port 1)"
}

test_a_port_that_is_not_in_the_partition() {
	load max_bonds=0
	make_fabric
	make_child a0 c0
	make_child b0 d0
	make_bond b7 mode active-backup miimon 100
	enslave b7 c0 d0
	wait_for 20 "c0 to be up" mii_status c0 up
	wait_for 20 "d0 to be up" mii_status d0 up
	finds 0
	fabric vib1/port1/pkeys "1 0"
	wait_for 20 "d0 to be down" mii_status d0 down
	finds 2 not-in-partition one-link
	says "port 1 of vib1, which carries d0, is not in its partition 0x8001"
	says "have the subnet manager make the port $(port_guid vib1) a member"
	fabric vib1/port1/pkeys "1 0x8001"
	wait_for 30 "d0 to be up" mii_status d0 up
	finds 0
}

test_a_broadcast_group_that_was_not_joined() {
	make_ib_bond
	fabric sm/silent 1
	vib_port vib1 down
	wait_for 20 "b0 to be down" mii_status b0 down
	vib_port vib1 up
	wait_for 20 "the port" port_is vib1 ACTIVE
	finds 2 broadcast-group-not-joined one-link
	says "b0 has not joined the broadcast group of its partition 0xffff"
	fabric sm/silent 0
	wait_for 60 "b0 to be up" mii_status b0 up
	finds 0
}

test_both_slaves_on_one_adapter() {
	load max_bonds=0
	vib_load ports=2
	name_ipoib vib0 a0
	name_ipoib vib0 b0 2
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0
	wait_for 20 "a0 to be up" mii_status a0 up
	wait_for 20 "b0 to be up" mii_status b0 up
	finds 1 same-adapter
	says "a0 and b0 are on one adapter (vib0)"
}

test_different_modes() {
	make_ib_bond
	ip link set b7 mtu 2044
	put connected $SYSFS/b0/mode
	exits 1 ib-bond doctor
	says "[different-modes]"
	says "a0 has mode datagram and b0 has mode connected"
}

ktap_main "$@"
