#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --nic 2
# alone
# timeout: 1200
# not in uml: it has no cards whose cable can be pulled
#
# Failover over virtio-net cards whose cable is cut from outside the guest, so the driver learns of
# it as on real hardware: by an interrupt.

LINKS=virtio
. "${BASH_SOURCE[0]%/*}/failover/cases.sh"

test_primary_reselect_better_follows_speed() {
	make_links virtio a0 b0
	ethtool -s a0 speed 10000 duplex full
	ethtool -s b0 speed 1000 duplex full
	make_bond b7 mode active-backup miimon 100 primary a0 primary_reselect better
	enslave b7 a0 b0
	wait_for 10 "a0 to be the active slave" active b7 a0
	wait_for 10 "b0 to be up" mii_status b0 up
	cut_link a0
	wait_for 10 "b0 to be the active slave" active b7 b0
	mend_link a0
	wait_for 10 "a0, which is faster, to be active again" active b7 a0
}

ktap_main "$@"
