#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Many bonds, in instructions: creating, enslaving, deleting; what they cost while nothing happens;
# memory; reading about them; and a failover of a hundred at once. Each bond has one slave, and
# miimon=100.

. "${BASH_SOURCE[0]%/*}/common.sh"

COUNTS="1 10 100 1000"
SECONDS_IDLE=10
SHARED=100
[[ -z $QUICK ]] || COUNTS="1 10" SHARED=10

modules_of_bench busy floor
modprobe dummy numdummies=0
modprobe 8021q
modprobe netdevsim
loaded || modprobe bonding max_bonds=0
compile links
# IPv6's timers and neighbours would be most of what an idle system does.
sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1

# -- memory ------------------------------------------------------------------------------

# free_memory: sets free, in KiB; memory that was freed and is only cached counts as free.
free_memory() {
	local cache
	all_quiet
	put 3 /proc/sys/vm/drop_caches
	for cache in /sys/kernel/slab/*/shrink; do
		put 1 "$cache" 2>/dev/null || :
	done
	put 1 /proc/sys/vm/compact_memory
	all_quiet
	free=$(awk '$1 == "MemFree:" { print $2 }' /proc/meminfo)
}

# -- reading ----------------------------------------------------------------------------------

# instructions COMMAND...: sets spent; runs the command twice, since the first time its program is
# fetched.
instructions() {
	local before
	"$@" >/dev/null
	busy_now
	before=$busy
	"$@" >/dev/null
	busy_now
	spent=$((busy - before))
}

read_proc() {
	cat /proc/net/bonding/*
}

# -- all of it, for COUNT bonds -----------------------------------------------------------------

with_bonds() {
	local count=$1 empty bonds slaves cost
	links add dummy d "$count" >/dev/null
	# A device that is stacked on another one, has a bond's queues, and does nothing: what the
	# network core costs.
	progress "$count devices that do nothing"
	cost=$(links add floor f "$count")
	figure "scale/floor/create/$count" value "$cost" instructions
	cost=$(links enslave d f "$count")
	figure "scale/floor/enslave/$count" value "$cost" instructions
	cost=$(links delete f "$count")
	figure "scale/floor/delete/$count" value "$cost" instructions
	# These devices are up now, and no bond would take them.
	links delete d "$count" >/dev/null
	links add dummy d "$count" >/dev/null
	progress "$count bonds: create"
	free_memory
	empty=$free
	cost=$(links add bond b "$count" 100)
	figure "scale/create/$count" value "$cost" instructions
	free_memory
	bonds=$free
	progress "$count bonds: enslave"
	cost=$(links enslave d b "$count")
	figure "scale/enslave/$count" value "$cost" instructions
	free_memory
	slaves=$free
	if ((count >= 100)); then
		figure "scale/memory/bond/$count" value "$(((empty - bonds) * 1024 / count))" bytes
		figure "scale/memory/slave/$count" value "$(((bonds - slaves) * 1024 / count))" bytes
		figure "scale/memory/both/$count" value "$(((empty - slaves) * 1024 / count))" bytes
	fi
	if ((count != 10)); then
		progress "$count bonds: idle"
		cost=$(links up b "$count")
		figure "scale/up/$count" value "$cost" instructions
		idle_load
		figure "scale/idle/instructions/$count" value $((load - base_load)) instructions/s
		figure "scale/idle/wakeups/$count" value $((wakeups - base_wakeups)) wake-ups/s
	fi
	if ((count == 1000)); then
		progress "$count bonds: read"
		instructions ip link show
		figure "scale/read/ip-link/$count" value "$spent" instructions
		instructions read_proc
		figure "scale/read/proc/$count" value "$spent" instructions
	fi
	progress "$count bonds: delete"
	cost=$(links delete b "$count")
	figure "scale/delete/$count" value "$cost" instructions
	links delete d "$count" >/dev/null
}

# -- many bonds, one cable ---------------------------------------------------------------------

now_all_on() {
	local n
	for ((n = 0; n < SHARED; n++)); do
		[[ $(<"$SYSFS/b$n/bonding/active_slave") == "$1$n" ]] || return 1
	done
}

shared_failure() {
	local n side before quiet
	progress "$SHARED bonds over VLANs of the same two cards: the cable of one is cut"
	make_links netdevsim eth0 eth1
	for side in 0 1; do
		ip link set eth$side up
		ip -n peer link set eth${side}p up
		for ((n = 0; n < SHARED; n++)); do
			echo "link add link eth$side name v$side.$n type vlan id $((n + 100))"
		done
	done | ip -batch -
	links add bond b $SHARED 100 >/dev/null
	for side in 0 1; do
		links enslave v$side. b $SHARED >/dev/null
	done
	links up b $SHARED >/dev/null
	wait_for 20 "the bonds to use the first card" now_all_on v0.
	now_all_on v1. || :
	pause 2
	# Measure what the system does by itself, and what cutting the cable costs.
	busy_now
	before=$busy
	pause 2
	busy_now
	quiet=$((busy - before))
	before=$busy
	echo "bench: the cable is cut" >/dev/kmsg
	cut_link eth0
	pause 2
	busy_now
	figure scale/failover/instructions value $((busy - before - quiet)) instructions
	wait_for 20 "the bonds to use the second card" now_all_on v1.
	figure scale/failover/last value "$(last_failover)" ms
	links delete b $SHARED >/dev/null
	teardown
}

# Milliseconds from the cut to the last failover, by the kernel's log.
last_failover() {
	dmesg | awk '
		{ match($0, /[0-9]+\.[0-9]+/); now = substr($0, RSTART, RLENGTH) }
		/bench: the cable is cut/ { begin = now; end = "" }
		/new active one|new active slave|now the active/ { if (begin) end = now }
		END { if (end == "") exit 1; printf "%.2f", (end - begin) * 1000 }'
}

idle_load
idle_load
base_load=$load base_wakeups=$wakeups
figure scale/idle-without-bonds/instructions value "$load" instructions/s
links add dummy d 1 >/dev/null
links add bond b 1 100 >/dev/null
links enslave d b 1 >/dev/null
links up b 1 >/dev/null
links delete b 1 >/dev/null
links delete d 1 >/dev/null
for count in $COUNTS; do
	with_bonds "$count"
done
shared_failure
