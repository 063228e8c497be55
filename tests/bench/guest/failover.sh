#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# How much a failover loses of a stream of one packet per millisecond: after a cut cable and after
# "ip link set down", at several intervals of the link monitor; and after a network that fails
# silently, at several intervals of the ARP monitor. Each failover is repeated at different moments
# of the interval; the worst one counts. After a second the link comes back, so that a driver that
# never recovers loses a thousand packets.

. "${BASH_SOURCE[0]%/*}/common.sh"
. "$GUEST_DIR/failover/silence.sh"
KTAP_DIR=$WORK

ROUNDS=5
MIIMON="0 1 10 100"
ARP="10 100 1000"
[[ -z $QUICK ]] || ROUNDS=2 MIIMON="0 100" ARP=

modprobe netdevsim
loaded || modprobe bonding max_bonds=0

# -- the ways in which a link fails -------------------------------------------------------------

fail_carrier() { cut_link "$1"; }
mend_carrier() { mend_link "$1"; }
fail_down() { ip link set "$1" down; }
mend_down() { ip link set "$1" up; }
fail_arp() { silence "$1"; }
mend_arp() { speech "$1"; }

# prepare CAUSE VALUE: makes the bond b7 over a0, which is active, and b0.
prepare() {
	if [[ $1 == arp ]]; then
		start arp_interval "$2" arp_ip_target $PEER4 arp_validate all
	else
		make_links netdevsim a0 b0
		make_bond b7 mode active-backup miimon "$2"
		enslave b7 a0 b0
		wait_for 10 "a0 to be up" mii_status a0 up
		wait_for 10 "b0 to be up" mii_status b0 up
	fi
}

# Makes a0 active, and waits until the peer is reachable through it.
begin_again() {
	wait_for 20 "a0 to be up" mii_status a0 up
	wait_for 20 "b0 to be up" mii_status b0 up
	set_option b7 active_slave a0
	wait_for 20 "the peer to answer" ping_peer
}

# one_failover CAUSE ROUND OUTAGE: an outage of that many seconds; sets lost and gap_us.
one_failover() {
	# Remove the file of the previous stream, which would look as if the receiver were ready.
	rm -f "$WORK/progress"
	stream_start
	# Start at a different point of the interval in each round.
	pause "0.$((100 + $2 * 37))"
	fail_"$1" a0
	pause "$3"
	# The in-tree driver never fails over without a monitor.
	[[ $MODULE_UNDER_TEST != ours ]] || active b7 b0 || fail "no failover by $1"
	mend_"$1" a0
	stream_more 50
	stream_stop >/dev/null
	gap_us=$(report_field gap_us)
}

# failovers CAUSE WHAT VALUE
failovers() {
	local cause=$1 row=$1/$2=$3 round worst=0 longest=0 outage=1
	# Silence is only noticed after two intervals.
	[[ $row != arp/*=1000 ]] || outage=4
	progress "$cause, $2=$3"
	prepare "$cause" "$3" >/dev/null
	for ((round = 0; round < ROUNDS; round++)); do
		begin_again >/dev/null
		one_failover "$cause" $round $outage
		((lost <= worst)) || worst=$lost
		((gap_us <= longest)) || longest=$gap_us
	done
	teardown >/dev/null 2>&1
	mkdir -p "$WORK"
	figure "failover/lost/$row" value $worst packets
	figure "failover/silence/$row" value "$((longest / 1000)).$(printf %03d $((longest % 1000)))" ms
}

build stream
for cause in carrier down; do
	for value in $MIIMON; do
		failovers $cause miimon "$value"
	done
done
for value in $ARP; do
	failovers arp arp_interval "$value"
done
! ours || [[ -n $QUICK ]] || failovers arp arp_interval 1
