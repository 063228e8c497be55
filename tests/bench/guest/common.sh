# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the sections of the benchmark share. A section runs in a guest of its own for each driver; it
# prints lines "figure ROW WHAT VALUE" for tests/bench/run, and everything else is for people.

set -euo pipefail
. "${BASH_SOURCE[0]%/*}/../../guest/bond.sh"

BENCH=${BASH_SOURCE[0]%/*}/..
KTAP_DIR=$(mktemp -d)	# wait_for keeps its notes there
# The bounded part that the test suite runs.
QUICK=${QUICK-}

figure() {
	echo "figure $*"
}

progress() {
	echo "progress $*"
}

modules_of_bench() {
	local name
	for name; do
		insmod "/project/build/$(</proc/sys/kernel/osrelease)/bench/$name.ko"
	done
}

# The console is a serial line, which costs instructions. At the end the session writes the whole
# log to it.
quiet_console() {
	put N /sys/module/printk/parameters/ignore_loglevel
	dmesg -n 1
}

# compile NAME...: like build, for tests/bench/tools.
compile() {
	TOOLS_DIR=$BENCH/tools build "$@"
}

# busy_now: sets busy, the nanoseconds (that is, instructions) during which the CPU has not been
# idle so far; woken, how often it has stopped being idle; and clock.
busy_now() {
	local idle
	read -r clock idle woken </proc/busy
	busy=$((clock - idle))
}

# The core reports changed links once a second, and not all of them at once; freed memory waits for
# grace periods.
all_quiet() {
	pause 15
}

# idle_load: sets load and wakeups: instructions and wake-ups per second.
idle_load() {
	local busy_before clock_before woken_before ms
	all_quiet
	busy_now
	busy_before=$busy clock_before=$clock woken_before=$woken
	pause $SECONDS_IDLE
	busy_now
	ms=$(((clock - clock_before) / 1000000))
	load=$(((busy - busy_before) * 1000 / ms))
	wakeups=$(((woken - woken_before) * 1000 / ms))
}

# distributes NAME: this slave and its partner have told each other that they carry data.
DISTRIBUTES=0x20
distributes() {
	local actor partner
	actor=$(slave_attribute "$1" ad_actor_oper_port_state)
	partner=$(slave_attribute "$1" ad_partner_oper_port_state)
	echo "$1: $actor, its partner: $partner"
	# The in-tree driver says "N/A" as long as the slave has no aggregator.
	[[ $actor == [0-9]* && $partner == [0-9]* ]] && ((actor & partner & DISTRIBUTES))
}

finish() {
	status=$?
	trap - EXIT
	# shellcheck disable=SC2046
	kill $(jobs -p) 2>/dev/null || :
	rm -rf "$KTAP_DIR" "$WORK"
	exit "$status"
}
trap finish EXIT

quiet_console
