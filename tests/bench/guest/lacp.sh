#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# 802.3ad: how much a failover loses of a stream of one packet per millisecond, to the peer (tx) and from it
# (rx), where the peer is a bond of the same driver in another network namespace, and the worst of several
# failovers counts; how long it takes until data pass; and what many settled bonds cost. The cables are ports
# of modules/port.c, as is the partner that goes out of sync.

. "${BASH_SOURCE[0]%/*}/common.sh"
KTAP_DIR=$WORK

ROUNDS=3 OUTAGE=1
BONDS=1000
# LACPDUs are 30 seconds apart.
SECONDS_IDLE=60
[[ -z $QUICK ]] || ROUNDS=2 OUTAGE=0.3

modules_of_bench busy port
loaded || modprobe bonding max_bonds=0

# -- two bonds -------------------------------------------------------------------------------

# cable NAME...: links NAME to NAMEp in the namespace "peer".
cable() {
	local name
	for name; do
		ip link add "$name" address "$(link_address "$name")" type port
		ip link add "${name}p" type port
		put "${name}p" "$SYSFS/$name/port/peer"
		ip link set "$name" addrgenmode none
		ip link set "${name}p" netns peer addrgenmode none
	done
}

# bond_of_peer BOND NAME...: a bond of the far ends, and a port of the peer's bridge.
bond_of_peer() {
	local bond=$1 name
	ip -n peer link add "$bond" type bond mode 802.3ad lacp_rate "$rate"
	for name in "${@:2}"; do
		ip -n peer link set "${name}p" master "$bond"
	done
	ip -n peer link set "$bond" addrgenmode none
	ip -n peer link set "$bond" master br0 up
}

our_bond() {
	ip link add b7 type bond mode 802.3ad lacp_rate "$rate"
	ip link set b7 addrgenmode none
	enslave b7 "$@"
}

begin() {
	mkdir -p "$WORK"
	make_peer
	cable a0 b0
}

end() {
	# A partner that answers by itself has no namespace.
	{
		ip link delete b7
		ip link delete a0
		ip link delete b0
		teardown
	} &>/dev/null || :
	mkdir -p "$WORK"
}

# -- failovers ---------------------------------------------------------------------------------

# sent_through NAME: how many packets have gone through this link in the direction of the stream.
sent_through() {
	if [[ $direction == tx ]]; then
		cat "$SYSFS/$1/statistics/tx_packets"
	else
		in_peer cat "$SYSFS/${1}p/statistics/tx_packets"
	fi
}

# Sets victim to the link that the stream takes, and other to the other one.
find_victim() {
	local before
	before=$(sent_through a0)
	pause 0.1
	victim=b0 other=a0
	(($(sent_through a0) - before < 50)) || victim=a0 other=b0
}

fail_cut() { put 0 "$SYSFS/$victim/port/link"; }
mend_cut() { put 1 "$SYSFS/$victim/port/link"; }
fail_silent() { put 1 "$SYSFS/$victim/port/silent"; }
mend_silent() { put 0 "$SYSFS/$victim/port/silent"; }
fail_release() { ip link set "$victim" nomaster; }
mend_release() { enslave b7 "$victim"; }
# The link that failed comes back.
fail_back() { mend_cut; }
mend_back() { :; }
fail_standby() { fail_cut; }
mend_standby() { mend_cut; }

# Both links carry data or, with a bond of the peer for each, the bond in use does.
ready() {
	if [[ $cause == standby ]]; then
		wait_for 60 "a link to carry data" some_distributes
	else
		wait_for 60 "a0 to carry data" distributes a0
		wait_for 60 "b0 to carry data" distributes b0
	fi
	wait_for 60 "the peer to answer" ping_peer
	# The other link settles, too.
	pause 5
}

some_distributes() {
	distributes a0 || distributes b0
}

# one_failover ROUND: sets lost and gap_us.
one_failover() {
	local outage=$OUTAGE
	case $cause in
	# An LACPDU is missed after three seconds.
	silent) outage=4 ;;
	# The link does not carry data again before the two ends have agreed.
	back) outage=3 ;;
	esac
	ready >/dev/null
	# Remove the file of the previous stream, which would look as if the receiver were ready.
	rm -f "$WORK/progress"
	if [[ $direction == tx ]]; then stream_start; else stream_start_inbound; fi
	find_victim
	if [[ $cause == back ]]; then
		stream_after_cut
	fi
	# Start at a different point of the interval in each round.
	pause "0.$((100 + $1 * 37))"
	fail_"$cause"
	pause $outage
	stream_stop >/dev/null
	gap_us=$(report_field gap_us)
	mend_"$cause"
}

# Cuts the link that the stream takes, and starts another stream.
stream_after_cut() {
	fail_cut
	pause 2
	stream_stop >/dev/null
	rm -f "$WORK/progress"
	if [[ $direction == tx ]]; then stream_start; else stream_start_inbound; fi
}

# milliseconds MICROSECONDS
milliseconds() {
	echo "$(($1 / 1000)).$(printf %03d $(($1 % 1000)))"
}

# failovers CAUSE
failovers() {
	local cause=$1 row direction round worst longest
	begin
	if [[ $cause == standby ]]; then
		bond_of_peer b8 a0
		bond_of_peer b9 b0
	else
		bond_of_peer b8 a0 b0
	fi
	our_bond a0 b0
	ip link set b7 up
	ip address add $OUR4/24 dev b7
	for direction in tx rx; do
		row=$cause/$direction worst=0 longest=0
		progress "$row"
		for ((round = 0; round < ROUNDS; round++)); do
			one_failover $round
			((lost <= worst)) || worst=$lost
			((gap_us <= longest)) || longest=$gap_us
		done
		figure "lacp/lost/$row" value $worst packets
		figure "lacp/silence/$row" value "$(milliseconds $longest)" ms
	done
	end
}

# -- a partner that goes out of sync --------------------------------------------------------------

# The partner drops what arrives once it has said that it is out of sync.
out_of_sync() {
	local round late first last silence worst=0 longest=0 sender direction=tx
	progress "the partner goes out of sync"
	ip link add a0 address "$(link_address a0)" type port
	ip link add b0 address "$(link_address b0)" type port
	our_bond a0 b0
	ip link set b7 up
	ip address add $OUR4/24 dev b7
	ip neighbour add $PEER4 lladdr 02:00:00:00:ff:01 dev b7
	for ((round = 0; round < ROUNDS; round++)); do
		wait_for 60 "a0 to carry data" distributes a0
		wait_for 60 "b0 to carry data" distributes b0
		pause 2
		stream send $PEER4 5001 1000 &
		sender=$!
		pause 0.1
		find_victim
		put reset "$SYSFS/a0/port/arrivals"
		put reset "$SYSFS/b0/port/arrivals"
		pause "0.$((100 + round * 37))"
		put 05 "$SYSFS/$victim/port/state"
		pause 1
		read -r late _ last <"$SYSFS/$victim/port/arrivals"
		read -r _ first _ <"$SYSFS/$other/port/arrivals"
		kill $sender
		wait $sender || :
		((first > last)) || fail "the stream did not move from $victim to $other"
		silence=$(((first - last) / 1000))
		((late <= worst)) || worst=$late
		((silence <= longest)) || longest=$silence
		put 3d "$SYSFS/$victim/port/state"
	done
	figure lacp/lost/out-of-sync/tx value $worst packets
	figure lacp/silence/out-of-sync/tx value "$(milliseconds $longest)" ms
	end
}

# -- until data pass ------------------------------------------------------------------------------

# until_data ROW: the longest time, from "up" or from the first slave that joins.
until_data() {
	local row=$1 round ms longest=0 how=(ip link set b7 up)
	progress "$row"
	for ((round = 0; round < 3; round++)); do
		begin
		bond_of_peer b8 a0 b0
		# The partner's bond has given up waiting for us.
		pause 20
		if [[ $row == join ]]; then
			our_bond
			ip link set b7 up
			pause "10.$((100 + round * 37))"
			how=(ip link set a0 master b7)
		else
			our_bond a0 b0
			pause "0.$((100 + round * 37))"
		fi
		ms=$(first b7 peer br0 "${how[@]}")
		((${ms%.*} < longest)) || longest=${ms%.*}
		end
	done
	figure "lacp/first-packet/$row" value $longest ms
}

# -- many bonds ------------------------------------------------------------------------------------

idle_bonds() {
	local base_load base_wakeups
	progress "$BONDS settled bonds: idle"
	# IPv6's timers and neighbours would be most of what an idle system does.
	sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	idle_load
	idle_load
	base_load=$load base_wakeups=$wakeups
	links add port p $BONDS >/dev/null
	links add bond b $BONDS 100 802.3ad >/dev/null
	links enslave p b $BONDS >/dev/null
	links up b $BONDS >/dev/null
	wait_for 600 "the last bond to settle" distributes "p$((BONDS - 1))"
	pause 30
	idle_load
	figure lacp/idle/instructions/$BONDS value $((load - base_load)) instructions/s
	figure lacp/idle/wakeups/$BONDS value $((wakeups - base_wakeups)) wake-ups/s
	links delete b $BONDS >/dev/null
}

build stream
rate=fast
failovers cut
failovers release
out_of_sync
if [[ -z $QUICK ]]; then
	failovers standby
	compile first links
	until_data fast
	until_data join
	rate=slow
	until_data slow
	rate=fast
	failovers silent
	failovers back
	idle_bonds
fi
