#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 1200
#
# What any host on the network can make a bond do by sending as many frames as it likes. The ARP
# monitor looks at incoming frames: no frame may make it run its work, and take RTNL, more often
# than there is something new, nor write a cache line that all CPUs share.

. "${BASH_SOURCE[0]%/*}/failover/silence.sh"

TRACING=/sys/kernel/tracing
THEIRS=02:00:00:00:00:99
BROADCAST=ff:ff:ff:ff:ff:ff
# INTERVAL is in ms; INTERVALS is how many of them are counted.
INTERVAL=500 INTERVALS=4
DEAD4=192.0.2.99 DEAD6=2001:db8::99

setup() {
	loaded || modprobe bonding max_bonds=0
	mountpoint -q $TRACING || mount -t tracefs tracefs $TRACING
	modprobe tun
	build frame
}

# -- frames ------------------------------------------------------------------------------------

hex4() {
	# shellcheck disable=SC2046
	printf '%02x%02x%02x%02x' $(tr . ' ' <<<"$1")
}

# arp OPERATION SENDER TARGET: an ARP packet from the flooding host.
arp() {
	echo "000108000604000$1${THEIRS//:/}$(hex4 "$2")000000000000$(hex4 "$3")"
}

# hex6 LAST: the address 2001:db8::LAST.
hex6() {
	printf '20010db80000000000000000%08x' "0x$1"
}

# discovery TYPE SOURCE DESTINATION: a neighbour solicitation or advertisement; the addresses are as
# hex6 takes them.
discovery() {
	echo "6000000000203aff$(hex6 "$2")$(hex6 "$3")$(printf %02x "$1")00000000000000"
}

received_more_than() {
	(($(cat "$SYSFS/$1/statistics/rx_packets") > $2))
}

# under_flood SLAVE COMMAND...: runs the command once frames arrive on the slave. The caller has
# started to send them, one per millisecond, for a second or more; the host may take a while to
# fetch the sending program. Sets frames: how many have arrived while the command ran.
under_flood() {
	local slave=$1 before
	wait_for 20 "the flood to arrive" received_more_than "$1" $(($(cat "$SYSFS/$1/statistics/rx_packets") + 50))
	before=$(cat "$SYSFS/$1/statistics/rx_packets")
	shift
	"$@"
	frames=$(($(cat "$SYSFS/$slave/statistics/rx_packets") - before))
	((frames > 500)) || fail "the flood has dried up"
}

# while_pouring TYPE CONTENT COMMAND...: runs the command while that frame arrives on all slaves
# every millisecond.
while_pouring() {
	local pid
	in_peer /tmp/tools/frame pour br0 $BROADCAST $THEIRS "$1" 1 "$2" &
	pid=$!
	under_flood a0 "${@:3}"
	kill $pid
	wait $pid || :
}

# -- what is counted ------------------------------------------------------------------------------

# runs: counts how often the driver's work runs in INTERVALS; sets count.
runs() {
	put 1 $TRACING/events/workqueue/workqueue_execute_start/enable
	: >$TRACING/trace
	pause $((INTERVAL * INTERVALS / 1000))
	put 0 $TRACING/events/workqueue/workqueue_execute_start/enable
	count=$(grep -c '\[bonding\]' $TRACING/trace) || :
}

# calls FUNCTION COMMAND...: counts how often a function of the driver is called while the command
# runs; sets count.
calls() {
	[[ -e $TRACING/kprobe_events ]] || skip "this kernel cannot count calls (CONFIG_KPROBE_EVENTS)"
	put "p:floods $1" $TRACING/kprobe_events
	put 1 $TRACING/events/kprobes/floods/enable
	"${@:2}"
	put 0 $TRACING/events/kprobes/floods/enable
	count=$(awk '$1 == "floods" { print $2 }' $TRACING/kprobe_profile)
	: >$TRACING/kprobe_events
}

# wakes_once TYPE CONTENT: that frame makes the work run at most once more per interval, for each of
# two slaves.
wakes_once() {
	local quiet
	runs
	quiet=$count
	while_pouring "$1" "$2" runs
	echo "the work ran $count times, $quiet times without the flood"
	((count <= quiet + 2 * INTERVALS)) || fail "a flood has the work run $count times, instead of $quiet"
}

# -- what has the work run ------------------------------------------------------------------------

both_failed() {
	(($(failures a0) > 0 && $(failures b0) > 0))
}

# start_half_dead OPTION...: two targets, of which only one answers, so that no link is up.
start_half_dead() {
	make_links veth a0 b0
	make_bond b7 mode balance-rr arp_interval $INTERVAL arp_validate all "$@"
	enslave b7 a0 b0
	wait_for 20 "a0 to be up" mii_status a0 up
	set_option b7 arp_all_targets all
	wait_for 60 "both slaves to be down, since one target is missing" both_failed
}

test_answers_of_one_of_two_targets() {
	ours_only "has other functions"
	start_half_dead arp_ip_target $PEER4,$DEAD4
	wakes_once 0806 "$(arp 2 $PEER4 $OUR4)"
}

test_advertisements_of_one_of_two_targets() {
	ours_only "has other functions"
	start_half_dead ns_ip6_target $PEER6,$DEAD6
	wakes_once 86dd "$(discovery 136 2 1)"
}

# The only slave is tried again and again.
test_answers_to_the_only_slave() {
	ours_only "has other functions"
	make_links veth a0
	make_bond b7 mode active-backup arp_interval $INTERVAL arp_validate all arp_ip_target $PEER4,$DEAD4
	enslave b7 a0
	wait_for 20 "a0 to be up" mii_status a0 up
	set_option b7 arp_all_targets all
	wait_for 60 "a0 to be down, since one target is missing" no_carrier b7
	wakes_once 0806 "$(arp 2 $PEER4 $OUR4)"
}

# A frame that is no answer triggers no work; under a flood the counting window is a little longer.
test_other_frames_where_answers_are_validated() {
	ours_only "has other functions"
	start_half_dead arp_ip_target $PEER4,$DEAD4
	local quiet content
	runs
	quiet=$count
	for content in "$(arp 2 192.0.2.77 $OUR4)" "$(arp 1 192.0.2.77 $OUR4)" "$(arp 2 $PEER4 192.0.2.77)"; do
		while_pouring 0806 "$content" runs
		echo "the work ran $count times, $quiet times without the flood"
		((count <= quiet + INTERVALS)) || fail "a flood has the work run $count times, instead of $quiet"
	done
}

# Frames arrive on a device without carrier: its link stays down, whatever it receives.
test_frames_without_a_carrier() {
	ours_only "has other functions"
	make_bond b7 mode active-backup arp_interval $INTERVAL arp_ip_target $PEER4
	/tmp/tools/frame write t0 $BROADCAST $THEIRS 0800 1 &
	local pid=$! flooded
	wait_for 10 "t0 to have been made" exists t0
	enslave b7 t0
	is "$(slave_attribute t0 mii_status)" down "link of t0"
	under_flood t0 runs
	flooded=$count
	is "$(slave_attribute t0 mii_status)" down "link of t0"
	kill -STOP $pid
	runs
	kill -KILL $pid
	echo "the work ran $flooded times, $count times without the flood"
	((flooded <= count + INTERVALS + 1)) || fail "a flood has the work run $flooded times, instead of $count"
}

# -- what takes RTNL in 802.3ad mode -------------------------------------------------------------

# lacpdu STATE: an LACPDU of a partner that has heard what a0 says, without the type in front.
lacpdu() {
	local ours partner
	# Priority, system, key of a veth, port and its priority, state.
	ours=ffff$(ip -j link show b7 | jq -r '.[0].address' | tr -d :)000f00ff00013f
	partner=0064${THEIRS//:/}0007
	printf '01010114%s00c80001%s0000000214%s0000000310%028d0000%0100d' "$partner" "$1" "$ours" 0 0
}

says_sync() {
	local state
	state=$(slave_attribute a0 ad_actor_oper_port_state)
	echo "the state of a0 is $state"
	((state & 32))
}

# A partner that is out of sync and in sync again within milliseconds: the bond follows at once, but
# does not take RTNL and tell everybody each time.
test_a_partner_that_changes_its_mind() {
	ours_only "acts on a tick only"
	local pids told changed
	ip link add a0 type veth peer name a0p
	ip link set a0p up
	ip link add b7 type bond mode 802.3ad lacp_rate fast
	enslave b7 a0
	ip link set b7 up
	/tmp/tools/frame pour a0p 01:80:c2:00:00:02 $THEIRS 8809 1 "$(lacpdu 3d)" &
	pids=$!
	wait_for 20 "the partner to be in sync" says_sync
	/tmp/tools/frame pour a0p 01:80:c2:00:00:02 $THEIRS 8809 2 "$(lacpdu 05)" &
	pids+=" $!"
	ip -o monitor link dev b7 >"$WORK/told" &
	pids+=" $!"
	wait_for 20 "somebody to be told" test -s "$WORK/told"
	changed=$(value_of "LACPDU Rx")
	told=$(wc -l <"$WORK/told")
	pause 2
	told=$(($(wc -l <"$WORK/told") - told))
	changed=$(($(value_of "LACPDU Rx") - changed))
	# shellcheck disable=SC2086
	kill $pids
	echo "$changed LACPDUs, told $told times"
	((changed > 500)) || fail "the flood has dried up"
	((told > 2)) || fail "nobody was told"
	((told <= 2 * 50 * 3)) || fail "$told messages of b7 in 2 s, after $changed LACPDUs"
}

value_of() {
	ip stats show dev b7 group xstats subgroup bond | awk -v name="$1" 'index($0, name) { print $NF }'
}

# -- what writes a cache line of all CPUs ------------------------------------------------------------

# The ARP monitor takes the lock in its rounds, two a second, and at first to look up the route to
# its targets.
takes_few_locks() {
	calls nh_spin_lock_bh pause 0.5
	((count <= 5))
}

test_no_frame_takes_a_lock() {
	ours_only "has other functions"
	start arp_interval $INTERVAL arp_validate all arp_ip_target $PEER4
	local content
	wait_for 20 "the way to the target to be known" takes_few_locks
	for content in "0806 $(arp 2 $PEER4 $OUR4)" "0806 $(arp 2 192.0.2.77 $OUR4)" \
		"86dd $(discovery 136 2 1)" "0800 45"; do
		# shellcheck disable=SC2086
		while_pouring $content calls nh_spin_lock_bh pause 1
		echo "${content%% *}: $count locks, $frames frames"
		((count * 100 <= frames)) || fail "$frames frames of type ${content%% *} take a lock $count times"
	done
}

# Where any packet counts, the clock is read at most once per tick, and there are 250 ticks in a
# second.
test_not_every_packet_reads_the_clock() {
	ours_only "has other functions"
	start arp_interval $INTERVAL arp_ip_target $PEER4
	while_pouring 0800 45 calls nh_monotonic_us pause 1
	echo "the clock is read $count times, $frames packets come in"
	((count * 10 <= 2 * 3 * frames)) || fail "two slaves that receive $frames packets read the clock $count times"
}

ktap_main "$@"
