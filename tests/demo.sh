#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The first purpose, to watch: two InfiniBand ports become one interface. A TCP transfer, a stream of
# multicast packets and pings run through it while the cable of the active port is pulled and plugged in
# again. The adapters, the switch and the subnet manager are software (tests/vib); IP over InfiniBand is
# the distribution's. Runs as root in the guest (`make demo`). The exit status is 0 only if the data
# arrived as it was sent and at most two packets of each stream were lost in each failover.

set -euo pipefail

. "${BASH_SOURCE[0]%/*}/guest/ipoib.sh"
KTAP_DIR=$(mktemp -d)	# wait_for keeps its notes there

SLAVES=(ib0 ib1)
GROUP=239.1.2.3
FAILOVERS=2
MAX_LOST=$((2 * FAILOVERS))

if [[ -t 1 ]]; then
	bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
	bold='' green='' red='' plain=''
fi

# Prints plain words, after the time in seconds since the bond was made.
say() {
	local ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
	printf '%3d.%03d  %s\n' $((ms / 1000)) $((ms % 1000)) "$*"
}

# run COMMAND...: prints the command, and runs it.
run() {
	say "\$ $*"
	"$@"
}

show() {
	echo
	sed 's/^/         | /'
	echo
}

clean_up() {
	teardown 2>/dev/null
	rm -rf "$KTAP_DIR" "$WORK"
}
trap clean_up EXIT

both_up() {
	mii_status ib0 up && mii_status ib1 up
}

make_infiniband() {
	echo "Three adapters of one port, a switch and a subnet manager: modprobe vib."
	vib_load
	name_ipoib vib0 ib0
	name_ipoib vib1 ib1
	make_ipoib_peer
	echo "ib0 and ib1 are ours; the third adapter is the peer's, $PEER4, in a namespace of its own."
	rdma link show | show
}

make_the_bond() {
	run ip link add bond0 type bond mode active-backup miimon 100
	sysctl -qw net.ipv6.conf.bond0.accept_dad=0
	run ip link set ib0 master bond0
	run ip link set ib1 master bond0
	run ip address add $OUR4/24 dev bond0
	ip address add $OUR6/64 dev bond0 nodad
	run ip link set bond0 up
	wait_for 20 "both links to be up" both_up
	run ip link set bond0 type bond primary ib0
	wait_for 10 "ib0 to be active" active bond0 ib0
	peer_answers $PEER4 >/dev/null
	peer_answers $PEER6 >/dev/null
	say "The bond is an InfiniBand interface now, with the MTU of its slaves:"
	ip link show bond0 | show
}

# Produces 64 KiB of text every 20 ms and keeps a copy, until a file appears.
produce() {
	local block number=0
	printf -v block '%065535d' 0
	while [[ ! -e $WORK/enough ]]; do
		echo "${block:${#number}}$((number++))"
		pause 0.02
	done | tee "$WORK/sent"
}

start_tcp() {
	in_peer socat -u TCP-LISTEN:7000,reuseaddr "CREATE:$WORK/received" &
	tcp_receiver=$!
	wait_for 20 "the peer to listen" peer_listens
	produce | socat -u STDIN "TCP:$PEER4:7000" &
	tcp_sender=$!
	wait_for 20 "data to flow" has_received 500000
}

peer_listens() {
	in_peer ss -Hltn "sport = 7000" | has .
}

received_bytes() {
	stat -c %s "$WORK/received"
}

has_received() {
	(($(received_bytes) >= $1))
}

more_data() {
	wait_for 30 "more data" has_received $(($(received_bytes) + $1))
}

start_multicast() {
	ip -n peer address add $GROUP/32 dev p0 autojoin
	ip route add $GROUP dev bond0
	ip netns exec peer stream recv 5001 "$WORK/progress" >"$WORK/report" 2>"$WORK/stream.err" &
	stream_receiver=$!
	wait_for 20 "the receiver of multicasts" test -s "$WORK/progress"
	stream send $GROUP 5001 5000 &
	stream_sender=$!
	stream_more 50
}

start_pings() {
	ping -q -i 0.02 $PEER6 >"$WORK/ping" &
	pinger=$!
}

# pinged FIELD: prints a field of ping's summary.
pinged() {
	sed -nE "s/^([0-9]+) packets transmitted, ([0-9]+) received.*/\\$1/p" "$WORK/ping"
}

progress() {
	say "$(($(received_bytes) / 1000)) kB by TCP and $(stream_received) multicasts have arrived."
}

pull_and_plug() {
	say "${bold}The cable of ib0, which is active, is pulled.$plain"
	vib_port vib0 down
	wait_for 20 "the failover" active bond0 ib1
	say "bond0 uses ib1 now."
	more_data 1000000
	stream_more 100
	progress
	sed -n '/^Currently Active/p; /^Slave Interface/,/^Link Failure/p' /proc/net/bonding/bond0 | show
	say "${bold}The cable is plugged in again.$plain"
	vib_port vib0 up
	wait_for 20 "the failback" active bond0 ib0
	say "bond0 is back on its primary slave, ib0."
	more_data 1000000
	stream_more 100
	progress
}

finish() {
	: >"$WORK/enough"
	wait $tcp_sender
	wait $tcp_receiver
	stream_stop >/dev/null
	kill -INT $pinger
	wait $pinger || :
}

judge() {
	local pings_lost=$(($(pinged 1) - $(pinged 2))) failed=
	echo
	if cmp -s "$WORK/sent" "$WORK/received"; then
		say "TCP: $(($(received_bytes) / 1000)) kB, byte for byte what was sent."
	else
		failed="TCP: what arrived is not what was sent. "
	fi
	say "Multicasts, one each 5 ms: $sent sent, $bold$lost lost$plain, longest silence $gap_ms ms."
	say "Pings by IPv6, one each 20 ms: $(pinged 1) sent, $bold$pings_lost lost$plain."
	if ((lost > MAX_LOST || pings_lost > MAX_LOST)); then
		failed+="Too many packets were lost. "
	fi
	echo
	if [[ -n $failed ]]; then
		echo "${red}FAILED$plain  ${failed}At most $MAX_LOST may be lost in $FAILOVERS failovers."
		exit 1
	fi
	echo "${green}PASSED$plain  $FAILOVERS failovers: TCP went on; $lost of $sent multicasts and" \
		"$pings_lost of $(pinged 1) pings were lost."
}

loaded || modprobe bonding max_bonds=0
! exists bond0 || ip link delete bond0
echo "The driver is $(modinfo -F filename bonding)."
build stream
# Programs come from outside the guest, and its clock runs on while they are fetched.
for program in stream "socat -V" "ping -V" "tee --version" "stat --version"; do
	$program &>/dev/null || :
done
make_infiniband
begin=${EPOCHREALTIME/./}
make_the_bond
start_tcp
start_multicast
start_pings
say "A TCP transfer, a multicast stream and pings run from bond0 to the peer."
more_data 500000
stream_more 50
progress
pull_and_plug
finish
judge
