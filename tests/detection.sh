#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# How soon the ARP monitor notices that the active slave's link has failed silently, at several
# intervals and moments; the table in Documentation/manual.md was made by
#
#   scripts/guest --icount --timeout 580 -- bash /project/tests/detection.sh
#   scripts/guest --icount --timeout 580 --module intree -- bash /project/tests/detection.sh

. "${BASH_SOURCE[0]%/*}/guest/failover/silence.sh"

KTAP_DIR=$WORK
intervals=(1 10 100 1000)
[[ ${MODULE_UNDER_TEST-ours} == ours ]] || intervals=(10 100 1000) # at 1 it flaps: a jiffy is 4 ms
for interval in "${intervals[@]}"; do
	printf 'arp_interval %4s ms: noticed after' "$interval"
	for n in 1 2 3 4 5; do
		setup
		start arp_interval "$interval" arp_ip_target $PEER4 arp_validate all >/dev/null 2>&1
		pause "0.$((n * 17))"
		printf ' %s' "$(detection 2>/dev/null)"
		teardown >/dev/null 2>&1
		mkdir -p "$WORK"
	done
	echo ' ms'
done
