# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Active-backup failover over the links a0 and b0, which the file that sources
# this has chosen with LINKS (veth, netdevsim, virtio).

. "${BASH_SOURCE[0]%/*}/../bond.sh"

setup() {
	loaded || modprobe bonding max_bonds=0
}

# start OPTION...: bond b7 of a0 and b0, with a0 active, and the peer answers.
start() {
	make_links "$LINKS" a0 b0
	make_bond b7 mode active-backup "$@"
	enslave b7 a0 b0
	wait_for 10 "a0 to be up" mii_status a0 up
	wait_for 10 "b0 to have carrier" has_carrier b0
	wait_for 10 "a0 to be the active slave" active b7 a0
	wait_for 10 "the peer to answer" ping_peer
}

# The in-tree driver loses what is sent between two polls, so only ours is held to it.
lost_at_most() {
	! ours || ((lost <= $1)) || fail "$lost packets lost, at most $1 allowed"
	((lost < sent / 2)) || fail "$lost of $sent packets lost"
	is "$duplicated" 0 "number of duplicated packets"
}

now_ms() {
	echo $((${EPOCHREALTIME/./} / 1000))
}

# elapsed_since START LOWEST HIGHEST, in ms
elapsed_since() {
	local ms=$(($(now_ms) - $1))
	((ms >= $2 && ms <= $3)) || fail "took $ms ms, expected $2 to $3"
}

# The kernel has told everybody that the link of a0 is lost.
link_loss_known() {
	[[ $(<$SYSFS/a0/operstate) != up ]]
}

failover_under_stream() {
	stream_start
	cut_link a0
	wait_for 10 "b0 to be the active slave" active b7 b0
	stream_more 200
	stream_stop
	lost_at_most 1
	is "$(failures a0)" 1 "failure count of a0"
	is "$(failures b0)" 0 "failure count of b0"
	has_carrier b7
}

test_link_loss_with_miimon() {
	start miimon 100
	failover_under_stream
}

test_link_loss_without_a_monitor() {
	ours_only "does not watch links when no monitor is configured"
	start
	failover_under_stream
	mii_status a0 down
}

test_link_loss_without_monitor_and_events() {
	# What the in-tree driver does; ours when it is told to.
	start
	! ours || set_option b7 link_events off
	cut_link a0
	wait_for 10 "the loss of link to be known" link_loss_known
	active b7 a0
	mii_status a0 up
	is "$(failures a0)" 0
}

test_poll_finds_the_loss_without_events() {
	start miimon 100
	! ours || set_option b7 link_events off
	cut_link a0
	wait_for 10 "b0 to be the active slave" active b7 b0
	wait_for 10 "the peer to answer" ping_peer
}

test_initial_link_is_the_carrier() {
	ours_only "takes every link for up when no monitor is configured"
	start
	ip link set dev a0 nomaster
	cut_link a0
	wait_for 10 "a0 to lose carrier" link_loss_known
	enslave b7 a0
	mii_status a0 down
	active b7 b0
}

test_failback_to_primary() {
	start miimon 100 primary a0
	stream_start
	cut_link a0
	wait_for 10 "b0 to be the active slave" active b7 b0
	stream_more 100
	mend_link a0
	wait_for 10 "a0 to be active again" active b7 a0
	stream_more 200
	stream_stop
	lost_at_most 1
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
	build stream
	stream recv 5001 "$WORK/progress" >"$WORK/report" 2>"$WORK/stream.err" &
	stream_receiver=$!
	wait_for 5 "the receiver to listen" test -s "$WORK/progress"
	ip netns exec peer /tmp/tools/stream send $OUR4 5001 1000 &
	stream_sender=$!
	stream_more 200
	cut_link a0
	wait_for 10 "b0 to be the active slave" active b7 b0
	stream_more 200
	stream_stop
	lost_at_most 5
}

test_ten_failovers_in_a_row() {
	local n now=a0 other=b0
	start miimon 100
	stream_start
	for n in {1..10}; do
		cut_link $now
		wait_for 10 "failover $n to $other" active b7 $other
		stream_more 50
		mend_link $now
		wait_for 10 "$now to be up again" mii_status $now up
		read -r now other <<<"$other $now"
	done
	stream_stop
	lost_at_most 10
	is "$(failures a0) $(failures b0)" "5 5" "failure counts"
}

test_all_links_lost_and_back() {
	start miimon 100
	cut_link b0
	cut_link a0
	wait_for 10 "the bond to lose carrier" no_carrier b7
	is "$(option b7 active_slave)" ""
	mend_link b0
	wait_for 10 "b0 to be active" active b7 b0
	wait_for 10 "the bond to have carrier" has_carrier b7
	wait_for 10 "the peer to answer" ping_peer
}

test_active_slave_set_down_by_hand() {
	start miimon 100
	stream_start
	ip link set a0 down
	wait_for 10 "b0 to be the active slave" active b7 b0
	stream_more 100
	stream_stop
	lost_at_most 1
	ip link set a0 up
	wait_for 10 "a0 to be up again" mii_status a0 up
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

test_downdelay() {
	local begin
	start miimon 100 downdelay 500
	begin=$(now_ms)
	cut_link a0
	wait_for 10 "a0 to be going down" mii_status a0 "going down"
	active b7 a0
	wait_for 10 "b0 to be the active slave" active b7 b0
	elapsed_since "$begin" 500 4000
	mii_status a0 down
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

test_updelay() {
	local begin
	start miimon 100 updelay 700 primary a0
	cut_link a0
	wait_for 10 "b0 to be the active slave" active b7 b0
	begin=$(now_ms)
	mend_link a0
	wait_for 10 "a0 to be going back" mii_status a0 "going back"
	active b7 b0
	wait_for 10 "a0 to be active again" active b7 a0
	elapsed_since "$begin" 700 5000
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
