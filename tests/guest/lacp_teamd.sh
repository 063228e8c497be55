#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# kernels: distro
# timeout: 600
# not in uml: that kernel lacks what teamd needs for LACP
#
# 802.3ad with teamd.

. "${BASH_SOURCE[0]%/*}/lacp_daemons.sh"

test_joins() {
	joins teamd
}

test_cables() {
	cables_are_cut_and_swapped teamd
}

test_falls_silent() {
	falls_silent teamd
}

test_starts_anew() {
	starts_anew teamd
}

ktap_main "$@"
