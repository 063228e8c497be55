#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# reference: intree
# timeout: 1500
# kernels: distro debug kcsan
#
# One failover after another over InfiniBand, for every reason, under traffic: TCP connections
# opened by either side, over IPv4 and IPv6, multicast streams in both directions, and pings. By
# hand:
#   scripts/guest --icount --timeout 7200 -- env FAILOVERS=500 bash /project/tests/guest/ipoib_failovers.sh
# The figures are in the kernel log, in lines that begin with "failovers:".

. "${BASH_SOURCE[0]%/*}/ipoib_bond.sh"
. "${BASH_SOURCE[0]%/*}/leaks.sh"

FAILOVERS=${FAILOVERS-60}
# The first failovers fill caches; memory is compared after them.
WARM_UP=12
# The kernel's log would overflow unnoticed: check it this often.
CHECK_LOG=10
PROGRESS=100
# Seven reasons in turn, so that each of the two slaves meets them all; now and then the adapter is
# pulled.
REASONS=(cable down hand cable down cable hand)
PULL_EVERY=11

# What the in-tree driver logs about each InfiniBand slave.
EXPECTED=
ours || EXPECTED='VLAN challenged slave|support setting the MAC address'

# We send to one group, and the peer sends to the other.
GROUP_OUT=239.1.2.3 GROUP_IN=239.1.2.4

# The listener, its address and its port. In each conversation, either end sends 4 KiB every 20 ms.
CONVERSATIONS=("peer $PEER4 7001" "peer $PEER6 7002" "us $OUR4 7003" "us $OUR6 7004")

on() {
	local where=$1
	shift
	if [[ $where == peer ]]; then
		in_peer "$@"
	else
		"$@"
	fi
}

# become us|peer COMMAND...: to be run in the background; the process becomes the command itself, so
# that it can be killed.
become() {
	local where=$1
	shift
	[[ $where == us ]] || set -- ip netns exec peer "$@"
	exec "$@"
}

other() {
	if [[ $1 == peer ]]; then echo us; else echo peer; fi
}

# -- traffic -------------------------------------------------------------------------

listens_on() {
	on "$1" ss -Hltn "sport = $2" | has .
}

start_conversations() {
	local conversation listener address port end
	talkers=()
	for conversation in "${CONVERSATIONS[@]}"; do
		read -r listener address port <<<"$conversation"
		become "$listener" talk listen "$port" 4096 20 "$WORK/heard.$port.a" >"$WORK/talk.$port.a" 2>&1 &
		talkers+=($!)
		wait_for 20 "$listener to listen on port $port" listens_on "$listener" "$port"
		become "$(other "$listener")" talk connect "$address" "$port" 4096 20 "$WORK/heard.$port.b" \
			>"$WORK/talk.$port.b" 2>&1 &
		talkers+=($!)
		for end in a b; do
			wait_for 20 "the conversation on port $port" test -s "$WORK/heard.$port.$end"
		done
	done
}

# heard NAME: sets the array NAME to the number of bytes that each end of each conversation has
# received.
heard() {
	local -n counts=$1
	local conversation end count
	counts=()
	for conversation in "${CONVERSATIONS[@]}"; do
		for end in a b; do
			read -r count <"$WORK/heard.${conversation##* }.$end"
			counts+=($((10#$count)))
		done
	done
}

# Every end has received more than when `heard before` was called.
all_heard_more() {
	local now place
	heard now
	for place in "${!now[@]}"; do
		((now[place] > before[place])) || {
			echo "end $place of the conversations has heard nothing since: $(tail -qn 1 "$WORK"/talk.*)"
			return 1
		}
	done
}

# Ends the conversations, and compares what each end sent with what the other end received.
end_conversations() {
	local conversation port pid place a b
	# Kill each listener; the other end then ends by itself.
	for ((place = 0; place < ${#talkers[@]}; place += 2)); do
		kill "${talkers[place]}" || fail "a connection ended early: $(cat "$WORK"/talk.*)"
	done
	for pid in "${talkers[@]}"; do
		wait "$pid" || fail "a connection ended badly: $(cat "$WORK"/talk.*)"
	done
	for conversation in "${CONVERSATIONS[@]}"; do
		port=${conversation##* }
		read -r a <"$WORK/talk.$port.a"
		read -r b <"$WORK/talk.$port.b"
		figure "TCP, port $port: the listener $a, the other end $b"
		is "$(number_of sent "$a")" "$(number_of received "$b")" "port $port: bytes sent"
		is "$(number_of received "$a")" "$(number_of sent "$b")" "port $port: bytes received"
	done
}

# number_of FIELD REPORT
number_of() {
	grep -oE "\b$1=[0-9]+" <<<"$2" | grep -oE '[0-9]+$'
}

start_multicast() {
	ip -n peer address add $GROUP_OUT/32 dev p0 autojoin
	ip address add $GROUP_IN/32 dev b7 autojoin
	ip route add $GROUP_OUT dev b7
	ip -n peer route add $GROUP_IN dev p0
	receivers=() senders=()
	start_stream out peer $GROUP_OUT 5001
	start_stream in us $GROUP_IN 5002
}

# start_stream NAME RECEIVER GROUP PORT: a packet every 5 ms.
start_stream() {
	become "$2" stream recv "$4" "$WORK/progress.$1" >"$WORK/report.$1" 2>&1 &
	receivers+=($!)
	wait_for 20 "the receiver of multicasts" test -s "$WORK/progress.$1"
	become "$(other "$2")" stream send "$3" "$4" 5000 &
	senders+=($!)
	wait_for 20 "multicasts to arrive" multicasts_passed "$1" 20
}

multicasts() {
	local count
	read -r count <"$WORK/progress.$1"
	echo $((10#$count))
}

multicasts_passed() {
	(($(multicasts "$1") >= $2))
}

end_multicast() {
	local name lost
	kill "${senders[@]}"
	wait "${senders[@]}" || :
	wait "${receivers[0]}" || fail "the stream ended badly: $(cat "$WORK/report.out")"
	wait "${receivers[1]}" || fail "the stream ended badly: $(cat "$WORK/report.in")"
	for name in out in; do
		figure "multicasts $name, one per 5 ms: $(<"$WORK/report.$name")"
		lost=$(number_of lost "$(<"$WORK/report.$name")")
		! ours || ((lost <= 2 * FAILOVERS)) ||
			fail "$lost multicasts were lost in $FAILOVERS failovers"
	done
}

start_pings() {
	ping -q -i 0.05 $PEER4 >"$WORK/ping.out4" &
	pingers=($!)
	ping -q -i 0.05 $PEER6 >"$WORK/ping.out6" &
	pingers+=($!)
	become peer ping -q -i 0.05 $OUR4 >"$WORK/ping.in4" &
	pingers+=($!)
	become peer ping -q -i 0.05 $OUR6 >"$WORK/ping.in6" &
	pingers+=($!)
}

end_pings() {
	local name summary
	kill -INT "${pingers[@]}"
	wait "${pingers[@]}" || :
	for name in out4 out6 in4 in6; do
		summary=$(grep 'packets transmitted' "$WORK/ping.$name")
		figure "pings $name, one per 50 ms: $summary"
		[[ $summary != *" 100% packet loss"* ]] || fail "no ping was answered: $summary"
	done
}

# without_traffic COMMAND...: while every sender stands still. A kernel with KASAN keeps what was freed
# meanwhile, so that traffic would look like a leak.
without_traffic() {
	local ends=("${talkers[@]}" "${pingers[@]}")
	kill -STOP "${ends[@]}"
	"$@"
	kill -CONT "${ends[@]}"
}

figure() {
	echo "<6>failovers: $*" >/dev/kmsg
}

# -- a failover -----------------------------------------------------------------------

# is_active SLAVE, is_up SLAVE: start no process.
is_active() {
	local name
	read -r name <$SYSFS/b7/bonding/active_slave
	[[ $name == "$1" ]]
}

is_up() {
	local status
	read -r status <"$SYSFS/$1/bonding_slave/mii_status"
	[[ $status == up ]]
}

# reason_of NUMBER
reason_of() {
	if (($1 % PULL_EVERY == 0)); then
		echo pull
	else
		echo "${REASONS[$1 % ${#REASONS[@]}]}"
	fi
}

# break_slave REASON SLAVE, mend_slave REASON SLAVE
break_slave() {
	case $1 in
	cable) vib_port "$(adapter_of "$2")" down ;;
	down) ip link set "$2" down ;;
	pull) vib_hca "$(adapter_of "$2")" out ;;
	esac
}

mend_slave() {
	case $1 in
	cable) vib_port "$(adapter_of "$2")" up ;;
	down) ip link set "$2" up ;;
	pull)
		gone "$2"
		vib_hca "$(adapter_of "$2")" in
		name_ipoib "$(adapter_of "$2")" "$2"
		ip link set "$2" master b7
		;;
	esac
}

# failover NUMBER
failover() {
	local number=$1 from=a0 to=b0 reason before out in
	is_active a0 || from=b0 to=a0
	reason=$(reason_of "$number")
	if [[ $reason == hand ]]; then
		set_option b7 active_slave $to
	else
		break_slave "$reason" $from
	fi
	wait_for 10 "failover $number ($reason): $to to be active" is_active $to
	heard before
	out=$(multicasts out) in=$(multicasts in)
	wait_for 30 "failover $number ($reason): every connection to go on" all_heard_more
	wait_for 10 "failover $number ($reason): multicasts to the peer" multicasts_passed out $((out + 5))
	wait_for 10 "failover $number ($reason): multicasts from the peer" multicasts_passed in $((in + 5))
	mend_slave "$reason" $from
	wait_for 30 "failover $number ($reason): $from to be up again" is_up $from
	count[$reason]=$((${count[$reason]-0} + 1))
}

# -- the test ---------------------------------------------------------------------------

prepare() {
	local program
	build stream talk
	# Programs come from outside the guest, and its clock runs on while they are fetched.
	for program in stream talk "ping -V" "ss -V"; do
		$program &>/dev/null || :
	done
	make_ib_bond num_grat_arp 2
	wait_for 20 "both slaves to be up" both_up
}

test_failovers_under_traffic() {
	local number begin line
	local -A count=()
	prepare
	start_conversations
	start_multicast
	start_pings
	clear_log
	begin=${EPOCHREALTIME/./}
	for ((number = 1; number <= FAILOVERS; number++)); do
		failover $number
		((number != WARM_UP)) || without_traffic take_stock before
		((number % CHECK_LOG)) || log_is_clean "$EXPECTED"
		((number % PROGRESS)) || figure "$number so far"
	done
	log_is_clean "$EXPECTED"
	if ((FAILOVERS > WARM_UP)); then
		without_traffic take_stock after
		report_memory "after $WARM_UP failovers and after $FAILOVERS" >"$WORK/memory"
		while read -r line; do
			figure "$line"
		done <"$WORK/memory"
		growth_is_bounded $((FAILOVERS - WARM_UP))
	fi
	figure "$FAILOVERS in $(((${EPOCHREALTIME/./} - begin) / 1000000)) s:" \
		"$(for number in "${!count[@]}"; do echo -n " ${count[$number]} $number"; done)"
	end_conversations
	end_pings
	end_multicast
	# Nobody holds a reference to what is gone: otherwise these commands would wait for it, and
	# say so.
	ip link delete b7
	is "$(references)" 0 "reference count of the module"
	unload
	vib_unload
	log_is_clean "$EXPECTED"
}

ktap_main "$@"
