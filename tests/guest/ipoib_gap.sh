#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# reference: intree
# timeout: 1800
#
# The gap that a cut InfiniBand cable leaves in a stream of numbered packets, in both directions.
# The lines of the kernel log that begin with "gap:" are the figures of Documentation/ipoib.md. The
# guest's clock counts instructions, so they do not depend on the load of the machine. To get all
# figures for one driver:
#
#   scripts/guest --icount --module ours|intree --timeout 1800 -- env INTERVALS="5000 1000" \
#       bash /project/tests/guest/ipoib_gap.sh

. "${BASH_SOURCE[0]%/*}/ipoib_bond.sh"

ROUNDS=4
# The interval between two packets, in us, at which the driver is held to a limit of losses. Packets
# that are a millisecond apart may queue up behind the fabric's own processing time, so their
# figures only say how long. A kernel with all checks takes ten times as long for everything.
HELD=5000
! kernel_is debug || HELD=50000
INTERVALS=${INTERVALS-$HELD}
# How long a slow subnet administrator takes for an answer, in ms.
DELAYS="5 20 100"
PEER=$PEER4 OUR=$OUR4
note= group_gid= silent=

# stream_between out|in INTERVAL_US: a stream from the bond to the peer, or back; like stream_start.
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

# Cuts the cable of the active slave a few times, each time at a different moment of the poll.
# Sets worst: the most packets lost in one failover.
cut_the_active_one() {
	local direction=$1 interval=$2 round cut all_lost=0 longest=0
	worst=0
	for ((round = 0; round < ROUNDS; round++)); do
		wait_for 20 "both slaves to be up" both_up
		prepare_for_a_cut
		if [[ -z $group_gid ]]; then
			peer_answers $PEER >/dev/null
			in_peer ping -q -c 1 -W 5 $OUR >/dev/null
		fi
		cut=vib0
		active b7 a0 || cut=vib1
		stream_between "$direction" "$interval"
		pause "0.0$((round * 23 + 10))"
		vib_port $cut down
		stream_more 60
		stream_stop >/dev/null
		[[ -z $silent ]] || fabric sm/silent 0
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
	if [[ -n $group_gid ]]; then
		ip -n peer address add $PEER/32 dev p0 autojoin
		ip route add $PEER dev b7
	fi
}

# measure MIIMON
measure() {
	local direction interval
	miimon=$1
	prepare
	for direction in out in; do
		for interval in $INTERVALS; do
			cut_the_active_one $direction $interval
			if ours && ((interval == HELD && worst > 2)); then
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

# -- a subnet administrator that is slow, or silent -------------------------------------------

# The peer forgets all paths, as if it had not yet talked to both slaves; ours are forgotten when a
# cable is mended.
peer_forgets_paths() {
	ip -n peer link set p0 down
	ip -n peer link set p0 up
	wait_for 20 "carrier of p0" peer_has_carrier p0
}

# The backup and the peer already know what a failover needs.
is_prepared() {
	local backup=b0 hca=vib1
	active b7 a0 || backup=a0 hca=vib0
	knows ${backup}_path "$(gid_of vib2)" || return 1
	knows p0_path "$(gid_of $hca)" || return 1
	[[ -z $group_gid ]] || knows ${backup}_mcg "$group_gid"
}

prepare_for_a_cut() {
	[[ -n $note ]] || return 0
	peer_forgets_paths
	peer_answers $PEER4 >/dev/null
	peer_answers $PEER6 >/dev/null
	# A route to the group is enough; nobody answers.
	[[ -z $group_gid ]] || ping -q -c 1 -W 0.1 $PEER >/dev/null || :
	ours || return 0
	wait_for 60 "the paths to be known" is_prepared
	[[ -z $silent ]] || fabric sm/silent 1
}

# with_administrator DIRECTION...
with_administrator() {
	local delay direction
	miimon=100 ROUNDS=2
	prepare
	in_peer sysctl -qw net.ipv6.conf.p0.keep_addr_on_down=1
	for delay in $DELAYS; do
		fabric sm/delay "$delay"
		note="administrator $delay ms late, $traffic, "
		for direction; do
			cut_the_active_one "$direction" $HELD
			! ours || ((worst <= 2)) || fail "$worst packets were lost"
		done
	done
}

test_slow_administrator_ipv4() {
	traffic=IPv4 with_administrator out in
}

test_slow_administrator_ipv6() {
	PEER=$PEER6 OUR=$OUR6 traffic=IPv6 with_administrator out in
}

test_slow_administrator_multicast() {
	load max_bonds=0
	group_gid=ff12:401b:ffff:0:0:0:f01:203
	PEER=239.1.2.3 traffic=multicast with_administrator out
}

test_silent_administrator() {
	ours_only "needs an answer for each path"
	silent=yes DELAYS=0 traffic="IPv4, then silent" with_administrator out in
}

ktap_main "$@"
