#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What a packet costs, in instructions: over a plain device, over the floor (modules/floor.c), and
# over a bond, all measured in this guest. ROW is packet/DIRECTION/MODE/BYTES/SLAVES, with "-vlan"
# if the packets go through a VLAN on top. DIRECTION is tx, by dev_queue_xmit(), the way the stack
# sends, in which the driver chooses a queue; xmit, the driver's transmit function alone; or rx.
# MODE ends with ":arp" if the ARP monitor is on, and with ":validate" if only answers count. In
# 802.3ad mode the lower devices have a speed, and a partner that answers (modules/port.c; inject).
# In balance-tlb and balance-alb mode, two clients get the packets in turn, one through the active
# slave and one through another.

. "${BASH_SOURCE[0]%/*}/common.sh"

COUNT=3000
ROUNDS=4
# Few enough that some rounds contain no timer tick.
RX_COUNT=400
RX_ROUNDS=20
VLAN_ID=5
# The balancing modes of the in-tree driver spread flows 10 seconds after they began.
SPREAD=12
# Only these modes, if not empty.
MODES=${MODES-}

modules_of_bench floor port
modprobe pktgen
modprobe dummy numdummies=0
modprobe 8021q
modprobe tun
loaded || modprobe bonding max_bonds=0
compile inject

# -- the devices -----------------------------------------------------------------------

# with_vlan DEVICE: puts a VLAN on top if asked for, and sets top to the name of the upper device.
with_vlan() {
	top=$1
	[[ -n $vlan ]] || return 0
	ip link add link "$1" name "$1.v" type vlan id $VLAN_ID
	ip link set "$1.v" up
	top=$1.v
}

# stack KIND NAME: makes the device on top of $lowers, and sets it up.
stack() {
	local lower options=()
	case $1 in
	floor | floor_all)
		ip link add "$2" type "$1"
		for lower in $lowers; do
			ip link set "$lower" master "$2"
			[[ $1 != floor ]] || break
		done
		ip link set "$2" up
		;;
	*)
		case $1 in
		# No answer comes, but none is due before the measurement is over.
		*:arp) options=(mode "${1%:*}" arp_interval 10000 arp_ip_target 198.18.0.2) ;;
		*:validate) options=(mode "${1%:*}" arp_interval 10000 arp_ip_target 198.18.0.2 arp_validate all) ;;
		# shellcheck disable=SC2206
		*) options=(mode ${1/:/ xmit_hash_policy }) ;;
		esac
		ip link add "$2" type bond "${options[@]}"
		for lower in $lowers; do
			ip link set "$lower" down
			ip link set "$lower" master "$2"
		done
		ip link set "$2" up
		# The in-tree driver's ARP monitor takes an interval to find the first active slave.
		[[ $1 != active-backup* ]] || wait_for 30 "an active slave" make_active "$2" "${lowers%% *}"
		;;
	esac
	wait_for 10 "carrier of $2" has_carrier "$2"
	[[ $1 != 802.3ad* ]] || settled
}

# settled: each lower device carries data, and the driver has nothing more to do about that.
settled() {
	local lower
	for lower in $lowers; do
		wait_for 30 "$lower to carry data" distributes "$lower"
	done
	pause 1
}

make_active() {
	ip link set "$1" type bond active_slave "$2"
}

unstack() {
	ip link delete "$1"
	for lower in $lowers; do
		ip link set "$lower" up
	done
}

# -- sending ------------------------------------------------------------------------------

pktgen() {
	put "$2" "/proc/net/pktgen/$1"
}

declare -A xmit_mode=([tx]=queue_xmit [xmit]=start_xmit)

# send DEVICE: sets cost.
send() {
	local line usec best= round command
	pktgen kpktgend_0 rem_device_all
	pktgen kpktgend_0 "add_device $1"
	for command in "count $COUNT" "clone_skb 0" "delay 0" "pkt_size $bytes" "xmit_mode ${xmit_mode[$direction]}" \
		"dst_mac 02:00:00:00:ee:01" "dst_mac_count $clients" "dst_min 198.18.0.2" "dst_max 198.18.0.$((1 + clients))" \
		"src_min 198.18.0.1" "src_max 198.18.0.1"; do
		pktgen "$1" "$command"
	done
	[[ $1 != b7* || $clients == 1 ]] || spread
	for ((round = 0; round < ROUNDS; round++)); do
		pktgen pgctrl start
		line=$(grep '^Result: OK' "/proc/net/pktgen/$1") || fail "pktgen on $1: $(tail -n 1 "/proc/net/pktgen/$1")"
		usec=${line#*(c} usec=${usec%%+*}
		[[ -n $best ]] && ((usec >= best)) || best=$usec
	done
	pktgen kpktgend_0 rem_device_all
	cost=$(per_packet "$best")
}

# spread: sends until the clients' packets leave through different slaves.
spread() {
	local before first second
	for _ in {1..8}; do
		pktgen pgctrl start
		pause $SPREAD
		before=($(sent_by_lowers))
		pktgen pgctrl start
		first=${lowers%% *}
		second=($(sent_by_lowers))
		echo "sent by $first and the others: ${before[*]}, then ${second[*]}"
		((second[0] - before[0] != COUNT / 2)) || return 0
	done
	fail "the packets of two clients do not leave through two slaves"
}

sent_by_lowers() {
	local lower
	for lower in $lowers; do
		echo "$(<"$SYSFS/$lower/statistics/tx_packets")"
	done
}

per_packet() {
	local hundredths=$(($1 * 100000 / COUNT))
	printf '%d.%02d\n' $((hundredths / 100)) $((hundredths % 100))
}

# -- receiving -------------------------------------------------------------------------

# receive_on DEVICE: sets cost.
receive_on() {
	local id=0
	[[ -z $vlan ]] || id=$VLAN_ID
	echo "$1 $(<"$SYSFS/$1/address") $bytes $id $RX_COUNT $RX_ROUNDS" >&"${INJECT[1]}"
	read -r cost <&"${INJECT[0]}"
}

# -- all of them ---------------------------------------------------------------------------

# Measures what a packet costs through DEVICE, with a temporary VLAN if asked for.
measure() {
	with_vlan "$1"
	case $direction in
	tx | xmit) send "$top" ;;
	rx) receive_on "${lowers%% *}" ;;
	esac
	[[ $top == "$1" ]] || ip link delete "$top"
}

# rows MODE...: prints rows for the current direction, bytes, vlan and slaves.
rows() {
	local mode row floor floor_cost plain
	[[ $# -gt 0 ]] || return 0
	lowers=$(names "$slaves")
	for lower in $lowers; do
		ip link set "$lower" up
	done
	measure "${lowers%% *}"
	plain=$cost
	declare -A floor_cost=()
	for mode; do
		row=packet/$direction/$mode/$bytes/$slaves${vlan:+-vlan}
		floor=floor
		[[ $mode != broadcast || $direction == rx ]] || floor=floor_all
		if [[ -z ${floor_cost[$floor]-} ]]; then
			stack $floor f0
			measure f0
			unstack f0
			floor_cost[$floor]=$cost
		fi
		stack "$mode" b7
		measure b7
		unstack b7
		figure "$row" plain "$plain"
		figure "$row" floor "${floor_cost[$floor]}"
		figure "$row" value "$cost"
	done
}

names() {
	local n
	for ((n = 0; n < $1; n++)); do
		printf '%s%d ' "$device" $n
	done
}

MAIN="active-backup balance-rr balance-xor:layer2 balance-xor:layer3+4 broadcast"
OTHER="balance-xor:layer2+3 balance-xor:encap2+3 balance-xor:encap3+4 balance-xor:vlan+srcmac"
RECEIVE="active-backup active-backup:arp active-backup:validate balance-rr balance-rr:validate balance-xor:layer2 broadcast"
SLAVES="2 8" SIZES="60 1500" VLANS=("" yes)
LACP="802.3ad:layer2 802.3ad:layer3+4"
BALANCED="balance-tlb:layer2 balance-tlb:layer3+4 balance-alb" BALANCED_RECEIVE="balance-tlb balance-alb"
if [[ -n $QUICK ]]; then
	LACP="802.3ad:layer3+4"
	MAIN="active-backup balance-xor:layer3+4" OTHER="" RECEIVE="active-backup active-backup:arp active-backup:validate"
	BALANCED="balance-tlb:layer3+4 balance-alb" BALANCED_RECEIVE=balance-alb
	SLAVES=2 SIZES=60 VLANS=("")
fi
RECEIVE="$RECEIVE $LACP $BALANCED_RECEIVE"
if [[ -n $MODES ]]; then
	for list in MAIN OTHER RECEIVE LACP BALANCED; do
		chosen=
		for mode in ${!list}; do
			[[ " $MODES " != *" ${mode%%:*} "* ]] || chosen+="$mode "
		done
		printf -v $list %s "$chosen"
	done
fi

transmit() {
	local n
	direction=tx device=d
	for n in {0..7}; do
		ip link add d$n type dummy
		ip link add port$n type port
	done
	for slaves in $SLAVES; do
		for bytes in $SIZES; do
			for vlan in "${VLANS[@]}"; do
				progress "sending, $bytes bytes, $slaves slaves${vlan:+, VLAN}"
				# shellcheck disable=SC2086
				device=d rows $MAIN
				# shellcheck disable=SC2086
				device=port rows $LACP
				# With more slaves, neither client need leave through the active one.
				[[ $slaves == 2 ]] || continue
				# shellcheck disable=SC2086
				device=d clients=2 rows $BALANCED
			done
		done
	done
	slaves=2 bytes=60 vlan=
	if [[ -n $OTHER ]]; then
		progress "sending, the other hash policies"
		# shellcheck disable=SC2086
		rows $OTHER
	fi
	direction=xmit
	progress "the transmit functions alone"
	# shellcheck disable=SC2086
	rows $MAIN $OTHER
	# shellcheck disable=SC2086
	device=port rows $LACP
	# shellcheck disable=SC2086
	device=d clients=2 rows $BALANCED
}

receive() {
	direction=rx device=t
	# shellcheck disable=SC2046
	coproc INJECT { exec inject $(names 8); }
	read -r <&"${INJECT[0]}"
	for slaves in $SLAVES; do
		for bytes in $SIZES; do
			for vlan in "${VLANS[@]}"; do
				progress "receiving, $bytes bytes, $slaves slaves${vlan:+, VLAN}"
				# shellcheck disable=SC2086
				rows $RECEIVE
			done
		done
	done
}

# -- InfiniBand ----------------------------------------------------------------------------

IPOIB_COUNT=320
IPOIB_ROUNDS=6

# address_of DEVICE [COMMAND...]: prints its hardware address; ip is run by the command.
address_of() {
	"${@:2}" ip -j link show "$1" | jq -r '.[].address'
}

# measure_ipoib DEVICE: sets cost to that of a packet from the device to the peer, or from the peer
# to the device.
measure_ipoib() {
	local sender=() from=$1 to
	to=$(address_of p0 ip netns exec peer)
	if [[ $direction == rx ]]; then
		sender=(ip netns exec peer) from=p0 to=$(address_of a0)
	fi
	# The first packets resolve the path.
	"${sender[@]}" datagrams "$from" "$to" "$bytes" 32 3 >/dev/null
	cost=$("${sender[@]}" datagrams "$from" "$to" "$bytes" $IPOIB_COUNT $IPOIB_ROUNDS)
}

# ipoib_rows: prints rows for two slaves on the fabric of tests/vib, and a peer.
ipoib_rows() {
	local row plain floor
	. "${BASH_SOURCE[0]%/*}/../../guest/ipoib.sh"
	modules_of_bench busy
	compile datagrams
	make_fabric
	lowers="a0 b0"
	for direction in tx rx; do
		for bytes in $SIZES; do
			progress "InfiniBand, $direction, $bytes bytes"
			ip link set a0 up
			wait_for 20 "carrier of a0" has_carrier a0
			measure_ipoib a0
			plain=$cost
			ip link add f0 type floor
			ip link set a0 master f0
			ip link set f0 up
			measure_ipoib f0
			floor=$cost
			ip link delete f0
			stack active-backup b7
			measure_ipoib b7
			ip link delete b7
			row=packet/$direction/active-backup:ipoib/$bytes/2
			figure "$row" plain "$plain"
			figure "$row" floor "$floor"
			figure "$row" value "$cost"
		done
	done
	vib_unload
}

clients=1
transmit
receive
[[ -n $QUICK || -n $MODES ]] || ipoib_rows
