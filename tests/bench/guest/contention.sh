#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Several CPUs send through one bond at the same time. CPUs that are emulated by threads have no
# clock that counts instructions: both drivers take turns in this one guest, and the quickest of
# several rounds counts. The output has lines "figure MODULE ROW WHAT VALUE UNIT".

. "${BASH_SOURCE[0]%/*}/common.sh"

COUNT=100000
ROUNDS=6
CPUS="2 4"
[[ -z $QUICK ]] || COUNT=20000 ROUNDS=2 CPUS=2

modprobe pktgen
modprobe dummy numdummies=0
modprobe tls
RELEASE=$(</proc/sys/kernel/osrelease)

load_driver() {
	unload
	case $1 in
	ours) insmod "/project/build/$RELEASE/bonding.ko" max_bonds=0 ;;
	intree) insmod "$(find "/usr/lib/modules/$RELEASE/kernel/drivers/net/bonding" -name 'bonding.ko*')" max_bonds=0 ;;
	esac
}

pktgen() {
	put "$2" "/proc/net/pktgen/$1"
}

# send CPUS: sets usec to the microseconds of the slowest CPU.
send() {
	local cpu command line each
	for ((cpu = 0; cpu < $1; cpu++)); do
		pktgen "kpktgend_$cpu" rem_device_all
		pktgen "kpktgend_$cpu" "add_device b7@$cpu"
		for command in "count $COUNT" "clone_skb 0" "delay 0" "pkt_size 60" "xmit_mode queue_xmit" \
			"dst_mac 02:00:00:00:ee:01" "dst 198.18.0.2" "src_min 198.18.0.1" "src_max 198.18.0.1"; do
			pktgen "b7@$cpu" "$command"
		done
	done
	pktgen pgctrl start
	usec=0
	for ((cpu = 0; cpu < $1; cpu++)); do
		line=$(grep '^Result: OK' "/proc/net/pktgen/b7@$cpu")
		each=${line#Result: OK: } each=${each%%(*}
		((each <= usec)) || usec=$each
		pktgen "kpktgend_$cpu" rem_device_all
	done
}

declare -A best
ip link add d0 type dummy
ip link add d1 type dummy
for mode in active-backup balance-rr balance-xor; do
	for ((round = 0; round < ROUNDS; round++)); do
		progress "$mode, round $((round + 1)) of $ROUNDS"
		for driver in intree ours; do
			load_driver $driver
			ip link add b7 type bond mode $mode
			for slave in d0 d1; do
				ip link set $slave down
				ip link set $slave master b7
			done
			ip link set b7 up
			wait_for 20 "carrier of b7" has_carrier b7
			for cpus in $CPUS; do
				send "$cpus"
				key=$mode/$cpus/$driver
				[[ -n ${best[$key]-} ]] && ((best[$key] <= usec)) || best[$key]=$usec
			done
			ip link delete b7
		done
	done
	for cpus in $CPUS; do
		for driver in intree ours; do
			figure $driver "contention/$mode/$cpus-cpus" value \
				$((best[$mode/$cpus/$driver] * 1000 / COUNT / cpus)) ns
		done
	done
done
