#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# kernels: distro
# timeout: 600
# not in uml: that kernel lacks the datapath of Open vSwitch
#
# 802.3ad with Open vSwitch.

. "${BASH_SOURCE[0]%/*}/lacp_daemons.sh"

test_joins() {
	joins ovs
}

test_cables() {
	cables_are_cut_and_swapped ovs
}

test_falls_silent() {
	falls_silent ovs
}

test_starts_anew() {
	starts_anew ovs
}

ktap_main "$@"
