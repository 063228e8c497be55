#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --cpus 2
# alone
#
# Failover over veth: the far end of the active link goes down.

LINKS=veth
. "${BASH_SOURCE[0]%/*}/failover/cases.sh"

test_prio_chooses_the_next() {
	make_links veth a0 b0 c0
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0 c0
	wait_for 10 "c0 to be up" mii_status c0 up
	ip link set a0 type bond_slave prio 10
	ip link set b0 type bond_slave prio 5
	ip link set c0 type bond_slave prio 7
	active b7 a0
	cut_link a0
	wait_for 10 "c0, of the higher priority, to be active" active b7 c0
	cut_link c0
	wait_for 10 "b0 to be active" active b7 b0
	mend_link c0
	wait_for 10 "c0 to be active again" active b7 c0
	mend_link a0
	wait_for 10 "a0 to be active again" active b7 a0
}

test_primary_is_above_prio() {
	start miimon 100
	ip link set b0 type bond_slave prio 5
	active b7 b0
	set_option b7 primary a0
	active b7 a0
	ip link set b0 type bond_slave prio 9
	active b7 a0
	set_option b7 primary ""
	active b7 b0
}

test_ipv6() {
	start miimon 100
	stream_start $PEER6
	cut_link a0
	wait_for 10 "b0 to be the active slave" active b7 b0
	stream_more 200
	stream_stop
	lost_at_most 1
}

test_vlan_on_the_bond() {
	start miimon 100
	modprobe 8021q
	ip link add v5 link b7 type vlan id 5
	ip link set v5 up
	ip address add 198.51.100.1/24 dev v5
	ip -n peer link add v5 link br0 type vlan id 5
	ip -n peer link set v5 up
	ip -n peer address add 198.51.100.2/24 dev v5
	wait_for 5 "the peer to answer on the VLAN" ping_peer 198.51.100.2
	cut_link a0
	wait_for 10 "b0 to be the active slave" active b7 b0
	wait_for 5 "the peer to answer on the VLAN" ping_peer 198.51.100.2
}

ktap_main "$@"
