#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# modules: ours intree
# timeout: 1800
#
# The gap that a cut InfiniBand cable leaves in a stream of numbered packets, in both directions. The
# lines of the kernel log that begin with "gap:" are the figures of Documentation/ipoib.md. The guest's clock counts
# instructions, so that they do not depend on the load of the machine.

. "${BASH_SOURCE[0]%/*}/ipoib_bond.sh"

ROUNDS=4
# The longest that an answer of the subnet administrator takes, in ms.
DELAYS="0 5 20 100"
PEER=$PEER4 OUR=$OUR4
note=

# stream_between out|in INTERVAL_US: from the bond to the peer, or back; as stream_start.
stream_between() {
	local there=(ip netns exec peer) here=() to=$PEER
	if [[ $1 == in ]]; then
		there=() here=(ip netns exec peer) to=$OUR
	fi
	rm -f "$WORK/progress"
	"${there[@]}" stream recv 5001 "$WORK/progress" >"$WORK/report" 2>"$WORK/stream.err" &
	stream_receiver=$!
	wait_for 30 "the receiver to listen" test -s "$WORK/progress"
	"${here[@]}" stream send "$to" 5001 "$2" &
	stream_sender=$!
	stream_more 40
}

# Cuts the cable of the active slave a few times, each time at another moment of the poll.
# Sets worst: the most packets that were lost.
cut_the_active_one() {
	local direction=$1 interval=$2 round cut all_lost=0 longest=0
	worst=0
	for ((round = 0; round < ROUNDS; round++)); do
		wait_for 20 "both slaves to be up" both_up
		peer_answers $PEER >/dev/null
		in_peer ping -q -c 1 -W 5 $OUR >/dev/null
		cut=vib0
		active b7 a0 || cut=vib1
		stream_between "$direction" "$interval"
		pause "0.0$((round * 23 + 10))"
		vib_port $cut down
		stream_more 60
		stream_stop >/dev/null
		vib_port $cut up
		all_lost=$((all_lost + lost))
		((lost <= worst)) || worst=$lost
		((gap_ms <= longest)) || longest=$gap_ms
	done
	echo "gap: $direction, a packet per $((interval / 1000)) ms, miimon $miimon: $note" \
		"lost $all_lost in $ROUNDS failovers, at most $worst; longest silence $longest ms" |
		tee /dev/kmsg
}

prepare() {
	load max_bonds=0
	build stream
	# Programs come from outside the guest, and its clock runs on while they are fetched.
	stream &>/dev/null || :
	make_fabric
	make_bond b7 mode active-backup miimon $miimon fail_over_mac active
	enslave b7 a0 b0
	b7_works
}

# measure MIIMON
measure() {
	local direction interval
	miimon=$1
	prepare
	for direction in out in; do
		for interval in 5000 1000; do
			cut_the_active_one $direction $interval
			if ours && ((interval == 5000 && worst > 2)); then
				fail "$worst packets were lost"
			fi
		done
	done
}

test_without_a_poll() {
	ours_only "needs miimon"
	measure 0
}

test_poll_every_10_ms() {
	measure 10
}

test_poll_every_100_ms() {
	measure 100
}

test_poll_every_second() {
	measure 1000
}

# The subnet administrator takes its time, and traffic is IPv4 or IPv6.
slow_administrator() {
	local delay
	miimon=100
	prepare
	for delay in $DELAYS; do
		fabric sm/delay "$delay"
		note="administrator $delay ms late, "
		cut_the_active_one out 5000
		cut_the_active_one in 5000
	done
}

test_slow_administrator_ipv4() {
	slow_administrator
}

test_slow_administrator_ipv6() {
	PEER=$PEER6 OUR=$OUR6
	slow_administrator
}

ktap_main "$@"
