#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 600
# kernels: distro debug kcsan
#
# Failover over veth, where the far end of the active link goes down, and everything that does not
# depend on the kind of link.

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

test_no_failback_without_primary() {
	start miimon 100
	cut_link a0
	wait_for 10 "b0 to be the active slave" active b7 b0
	mend_link a0
	wait_for 10 "a0 to be up" mii_status a0 up
	active b7 b0
}

test_traffic_from_the_peer() {
	start miimon 100
	stream_start_inbound
	stream_more 100
	cut_link a0
	wait_for 10 "b0 to be the active slave" active b7 b0
	stream_more 200
	stream_stop
	# What the peer's bridge sends before it learns of the failover is lost, whatever the bond
	# does.
	((lost < sent / 2)) || fail "$lost of $sent packets lost"
}

test_active_slave_changed_by_hand() {
	start miimon 100
	stream_start
	set_option b7 active_slave b0
	active b7 b0
	stream_more 100
	ip link set b7 type bond active_slave a0
	active b7 a0
	stream_more 100
	stream_stop
	lost_at_most 0
	is "$(failures a0) $(failures b0)" "0 0" "failure counts"
}

test_active_slave_released() {
	start miimon 100
	stream_start
	ip link set a0 nomaster
	active b7 b0
	stream_more 100
	stream_stop
	lost_at_most 1
}

test_link_back_within_downdelay() {
	start miimon 100 downdelay 30000
	cut_link a0
	wait_for 10 "a0 to be going down" mii_status a0 "going down"
	mend_link a0
	wait_for 10 "a0 to be up again" mii_status a0 up
	active b7 a0
	is "$(failures a0)" 0 "failure count"
}

test_link_lost_within_updelay() {
	start miimon 100 updelay 30000 primary a0
	cut_link a0
	wait_for 10 "b0 to be the active slave" active b7 b0
	mend_link a0
	wait_for 10 "a0 to be going back" mii_status a0 "going back"
	cut_link a0
	wait_for 10 "a0 to be down" mii_status a0 down
	active b7 b0
}

test_updelay_is_skipped_when_nothing_else_is_left() {
	start miimon 100 updelay 60000
	cut_link b0
	cut_link a0
	wait_for 10 "the bond to lose carrier" no_carrier b7
	mend_link a0
	wait_for 10 "a0 to be active long before its delay" active b7 a0
	wait_for 10 "the peer to answer" ping_peer
}

test_primary_reselect_failure() {
	start miimon 100 primary a0 primary_reselect failure
	cut_link a0
	wait_for 10 "b0 to be the active slave" active b7 b0
	mend_link a0
	wait_for 10 "a0 to be up" mii_status a0 up
	active b7 b0
	cut_link b0
	wait_for 10 "a0 to be active after b0 failed" active b7 a0
}

test_primary_reselect_better_at_equal_speed() {
	start miimon 100 primary a0 primary_reselect better
	cut_link a0
	wait_for 10 "b0 to be the active slave" active b7 b0
	mend_link a0
	wait_for 10 "a0 to be up" mii_status a0 up
	active b7 b0
	set_option b7 primary_reselect always
	active b7 a0
}

ktap_main "$@"
