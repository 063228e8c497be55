# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Active-backup failover over the links a0 and b0. The file that sources this one has chosen their
# kind with LINKS (veth, netdevsim, virtio).

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
	wait_for 10 "the switch to forward to b0" forwards b0
	wait_for 10 "the peer to answer" ping_peer
}

# forwards NAME: the port of the peer's bridge to which NAME leads is forwarding. A card learns of
# its link with a delay.
forwards() {
	in_peer grep -qx 3 "$SYSFS/$1p/brport/state"
}

# The in-tree driver loses what is sent between two polls, so only ours is held to the limit. Only
# netdevsim reports the cut before it drops a packet: the far end of a veth pair drops what it
# receives while it goes down, and a card drops packets until its interrupt is served. With two
# CPUs, the cut drops what is queued at the far end of a netdevsim.
lost_at_most() {
	local allowed=$1
	{ [[ $LINKS == netdevsim ]] && ! kernel_is kcsan; } || allowed=$((allowed + cut_ms))
	! ours || ((lost <= allowed)) || fail "$lost packets lost, at most $allowed allowed"
	((lost < sent / 2)) || fail "$lost of $sent packets lost"
	is "$duplicated" 0 "number of duplicated packets"
}

# log_gap REGEX REGEX LOWEST HIGHEST: checks the milliseconds from the last message that matches the
# first regex to the last one that matches the second, by the kernel's clock: a shell's clock runs
# on while its commands are fetched from outside the guest. A message is logged after its event, the
# first one perhaps later than the second: the gap may be too short by that much (10 ms, a tenth of
# a poll).
log_gap() {
	local ms
	ms=$(dmesg | awk -v from="$1" -v to="$2" '
		{ match($0, /[0-9]+\.[0-9]+/); now = substr($0, RSTART, RLENGTH) }
		$0 ~ from { begin = now }
		$0 ~ to { end = now }
		END { printf "%d", (end - begin) * 1000 + 0.5 }')
	((ms >= $3 - 10 && ms <= $4)) || fail "$ms ms from \"$1\" to \"$2\", expected $3 to $4"
}

# A delay in milliseconds. It is long, since the clock may run on between two commands; with counted
# instructions waiting is free, but with cards it takes real time.
long_delay=30000
[[ $LINKS != virtio ]] || long_delay=8000

# The kernel has told everybody that a0 has lost its link.
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
	# What the in-tree driver does, and ours when told to.
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
	local moment=()
	# The bridge's port to a card starts to forward a moment after the card has carrier, which
	# the card reports before that; updelay is meant for this.
	[[ $LINKS != virtio ]] || moment=(updelay 1000)
	start miimon 100 primary a0 "${moment[@]}"
	stream_start
	cut_link a0
	wait_for 10 "b0 to be the active slave" active b7 b0
	stream_more 100
	mend_link a0
	wait_for 10 "a0 to be active again" active b7 a0
	stream_more 200
	stream_stop
	lost_at_most $((1 + $(switch_lag a0)))
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

test_downdelay() {
	start miimon 100 downdelay $long_delay
	cut_link a0
	wait_for 10 "a0 to be going down" mii_status a0 "going down"
	active b7 a0
	# Traffic continues through the standby meanwhile, in both directions.
	wait_for 3 "the peer to answer" ping_peer
	mii_status a0 "going down"
	active b7 a0
	wait_for 60 "b0 to be the active slave" active b7 b0
	log_gap "slave a0.: link status down for" "slave a0.: link status definitely down" $long_delay $((long_delay + 1000))
	mii_status a0 down
}

# A delay ends at the first poll after it, and at nothing else.
test_delays_without_link_events() {
	ours_only "has no link_events"
	start miimon 100 downdelay 2000 updelay 2000 primary a0
	set_option b7 link_events off
	cut_link a0
	wait_for 10 "a0 to be going down" mii_status a0 "going down"
	wait_for 10 "b0 to be the active slave" active b7 b0
	log_gap "slave a0.: link status down for" "slave a0.: link status definitely down" 2000 2400
	mend_link a0
	wait_for 10 "a0 to be going back" mii_status a0 "going back"
	wait_for 10 "a0 to be active again" active b7 a0
	log_gap "slave a0.: link status up, enabling" "slave a0.: link status definitely up" 2000 2400
}

# A name that belongs to no slave is kept for one that joins later; the traffic stays where a user
# has sent it.
test_primary_that_is_no_slave_yet() {
	start miimon 100
	set_option b7 active_slave b0
	set_option b7 primary eth9
	active b7 b0
	# The first slave is the one that would be chosen again.
	set_option b7 primary ""
	wait_for 10 "a0 to be the active slave" active b7 a0
	set_option b7 active_slave b0
	set_option b7 primary b0
	set_option b7 primary eth9
	wait_for 10 "a0 to be the active slave" active b7 a0
}

# Likewise when the option changes while a delay runs.
test_link_events_off_within_a_delay() {
	ours_only "has no link_events"
	start miimon 100 downdelay 2000
	cut_link a0
	wait_for 10 "a0 to be going down" mii_status a0 "going down"
	set_option b7 link_events off
	wait_for 10 "b0 to be the active slave" active b7 b0
}

test_updelay() {
	start miimon 100 updelay $long_delay primary a0
	cut_link a0
	wait_for 10 "b0 to be the active slave" active b7 b0
	mend_link a0
	wait_for 10 "a0 to be going back" mii_status a0 "going back"
	active b7 b0
	wait_for 60 "a0 to be active again" active b7 a0
	log_gap "slave a0.: link status up, enabling" "slave a0.: link status definitely up" $long_delay $((long_delay + 1000))
}
