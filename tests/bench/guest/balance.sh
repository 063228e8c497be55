#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# balance-tlb under a load that does not change. Steady: how often flows of different rates change their
# slave within a minute, and how many packets arrive after a later one of their flow, where the slaves'
# paths have different delays. Speeds: which slaves new flows of the same rate take, when one slave is
# faster than the other. The slaves are tap devices, which have the speed that ethtool gives them; the
# program behind them (tools/loads.c) sends the flows, too.

. "${BASH_SOURCE[0]%/*}/common.sh"

CLIENT=198.18.0.2
# How long the in-tree driver takes to spread the flows for the first time, and then some.
SETTLE=25 MINUTE=60
[[ -z $QUICK ]] || MINUTE=20

modprobe tun
modprobe sch_netem
loaded || modprobe bonding max_bonds=0
compile loads
coproc LOADS { exec loads t0 t1 t2; }
read -r <&"${LOADS[0]}"

# balanced SPEED...: a bond over as many slaves of these speeds.
balanced() {
	local slave=0 speed
	ip link add b7 type bond mode balance-tlb xmit_hash_policy layer3+4 miimon 100
	for speed; do
		ethtool -s t$slave speed "$speed" duplex full
		enslave b7 t$slave
		slave=$((slave + 1))
	done
	ip link set b7 up
	ip address add 198.18.0.1/24 dev b7
	ip neighbour add $CLIENT lladdr 02:00:00:00:ee:01 dev b7
	for ((slave = 0; slave < $#; slave++)); do
		wait_for 10 "t$slave to be up" mii_status t$slave up
	done
	pause 1
}

# flows COUNT RATE EQUAL GAP SETTLE SECONDS: sets answer.
flows() {
	echo "$CLIENT $*" >&"${LOADS[1]}"
	read -ra answer <&"${LOADS[0]}"
	echo "loads: ${answer[*]}"
}

# delayed MILLISECONDS...: of each slave's path.
delayed() {
	local slave=0 ms
	for ms; do
		((ms == 0)) || tc qdisc replace dev t$slave root netem delay "${ms}ms" limit 10000
		slave=$((slave + 1))
	done
}

undo() {
	local slave
	ip link delete b7
	for slave in t0 t1 t2; do
		tc qdisc delete dev $slave root 2>/dev/null || :
	done
}

# steady SLAVES
steady() {
	local speeds=(100 100 100) delays=(0 10 20)
	progress "a steady load, $1 slaves"
	balanced "${speeds[@]:0:$1}"
	delayed "${delays[@]:0:$1}"
	flows 60 200 0 1 $SETTLE $MINUTE
	undo
	figure "balance/steady/moves/$1-slaves" value "${answer[0]}" moves
	figure "balance/steady/flows-moved/$1-slaves" value "${answer[1]}" flows
	figure "balance/steady/out-of-order/$1-slaves" value "${answer[2]}" packets
	figure "balance/steady/packets/$1-slaves" value "${answer[3]}" packets
}

# speeds SPEED SPEED
speeds() {
	progress "new flows, slaves of $1 and $2 Mbit/s"
	balanced "$1" "$2"
	flows 120 10 1 100 0 $MINUTE
	undo
	figure "balance/begin/$1-of-$1+$2" value "${answer[4]}" flows
	figure "balance/begin/$2-of-$1+$2" value "${answer[7]}" flows
	figure "balance/end/$1-of-$1+$2" value "${answer[5]}" flows
	figure "balance/end/$2-of-$1+$2" value "${answer[8]}" flows
}

steady 2
steady 3
speeds 10000 2500
speeds 2500 1000
