#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# kernels: distro
# timeout: 600
# not in uml: that kernel lacks what teamd and Open vSwitch need
#
# 802.3ad with teamd and Open vSwitch at one bond: two aggregators, one of which is used.

. "${BASH_SOURCE[0]%/*}/lacp_daemons.sh"

both_view() {
	teamd_view
	ovs_view
}

# Two links to one, which are there first, and one to the other, which has another port: a single port
# of Open vSwitch does not aggregate.
two_peers() {
	PEER=both
	cables teamd a0 b0
	cables ovs c0 d0
	teamd_start a0 b0
	ovs_start c0 d0
	bond
	set_option b7 ad_select "$1"
	bond_up a0 b0
	wait_for 10 "a0 and b0" aggregated a0 b0
	enslave b7 c0
	wait_for 10 "c0 to know its partner" knows_partner c0
	wait_for 5 "a0 and b0" aggregated a0 b0
}

test_stable_stays() {
	local before
	two_peers stable
	cut_cable a0
	cut_cable b0
	wait_for 5 "c0" aggregated c0
	mend_cable a0
	mend_cable b0
	wait_for 10 "a0 to know its partner" knows_partner a0
	# What would be done would be done in the 2 s after that.
	before=$(lacpdus_of a0)
	wait_for 10 "more LACPDUs of a0" has_sent_lacpdus a0 $((before + 4))
	wait_for 1 "c0" aggregated c0
	cut_cable c0
	wait_for 5 "a0 and b0" aggregated a0 b0
}

more_is_better() {
	two_peers "$1"
	cut_cable a0
	wait_for 5 "one of two equals" one_of b0 c0
	cut_cable b0
	wait_for 5 "c0" aggregated c0
	mend_cable a0
	mend_cable b0
	wait_for 10 "a0 and b0" aggregated a0 b0
	reaches "${ADDRESSES[@]}"
}

one_of() {
	aggregated "$1" || aggregated "$2"
}

test_bandwidth_is_better() {
	more_is_better bandwidth
}

test_count_is_better() {
	more_is_better count
}

test_actor_port_prio_is_better() {
	two_peers actor_port_prio
	port_prio c0 1000
	wait_for 10 "c0" aggregated c0
	port_prio c0 100
	wait_for 10 "a0 and b0" aggregated a0 b0
}

ktap_main "$@"
