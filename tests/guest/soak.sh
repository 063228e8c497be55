#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 900
# kernels: distro debug kcsan
#
# The whole life of a bond again and again, to find what each life leaves behind. By hand:
#   scripts/guest --icount --timeout 2700 -- env CYCLES=1000 bash /project/tests/guest/soak.sh
# The figures are in the kernel log. A cycle starts few processes, and only waits for what idle time
# brings, which icount skips.

. "${BASH_SOURCE[0]%/*}/bond.sh"
. "${BASH_SOURCE[0]%/*}/leaks.sh"

CYCLES=${CYCLES-10}
# The first cycles fill caches; memory is compared after them.
WARM_UP=5
# The kernel's log would overflow unnoticed: check it this often.
CHECK_LOG=20
PROGRESS=100

setup() {
	# The module is kept in memory, decompressed and without its debug information: loading it
	# is what costs most.
	unload
	copy_module
	# The modules that it depends on stay loaded all the time.
	modprobe tls
	sysctl -qw net.ipv6.conf.default.accept_dad=0
	make_links veth a0 b0
	cat >"$WORK/up" <<-END
		link add b7 type bond mode active-backup miimon 100
		link set b7 up
		link set a0 master b7
		link set b0 master b7
		address add $OUR4/24 dev b7
	END
	# Release a0 last: the bond uses its address, and the driver warns when a0 leaves before the
	# others.
	cat >"$WORK/release" <<-END
		link set b0 nomaster
		link set a0 nomaster
		link delete b7
	END
}

is_active() {
	local name
	read -r name <$SYSFS/b7/bonding/active_slave
	[[ $name == "$1" ]]
}

# devices NAME: sets the array NAME to the names in /proc/net/dev.
devices() {
	local -n names=$1
	local line
	names=()
	while read -r line; do
		names+=("${line%%:*}")
	done </proc/net/dev
}

cycle() {
	local number=$1 count before after
	devices before
	modprobe tls
	insmod "$WORK/bonding.ko" max_bonds=0
	ip -batch "$WORK/up"
	is_active a0 || fail "cycle $number: a0 is not active"
	ping -q -A -c 5 -w 10 $PEER4 >/dev/null
	ip -n peer link set a0p down
	wait_for 5 "cycle $number: b0 to be active" is_active b0
	ping -q -A -c 5 -w 10 $PEER4 >/dev/null
	ip -n peer link set a0p up
	# Every other time, unloading the module must find the bond and its slaves by itself.
	((number % 2)) || ip -batch "$WORK/release"
	read -r count </sys/module/bonding/refcnt
	((count == 0)) || fail "cycle $number: the module's reference count is $count"
	rmmod bonding
	! loaded || fail "cycle $number: the module is still there"
	devices after
	is "${after[*]}" "${before[*]}" "cycle $number: /proc/net/dev"
}

test_life_cycles() {
	local number
	for ((number = 1; number <= WARM_UP; number++)); do
		cycle "$number"
	done
	# The kernel says once that the module is out-of-tree.
	clear_log
	take_stock before
	for ((number = 1; number <= CYCLES; number++)); do
		cycle "$number"
		((number % CHECK_LOG)) || log_is_clean
		((number % PROGRESS)) || echo "<6>soak: $number cycles" >/dev/kmsg
	done
	log_is_clean
	take_stock after
	report_memory "after $WARM_UP cycles and after $CYCLES more" >/dev/kmsg
	growth_is_bounded $CYCLES
}

ktap_main "$@"
