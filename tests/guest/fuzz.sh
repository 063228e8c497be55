#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 600
# kernels: distro debug kcsan
#
# Netlink messages, writes to sysfs, and frames, of which any part may be wrong: the cases of
# tests/fuzz/corpus, and some that are generated from a seed. The kernel must survive, and say the
# same through all of its interfaces. By hand, with a script of one's own or with another seed:
#
#   make fuzz SEED=7
#   make fuzz SCRIPT=build/test-logs/fuzz/found.ops
#
# make fuzz MINUTES=60 continues with seeds that nobody has tried.

. "${BASH_SOURCE[0]%/*}/bond.sh"

FUZZ=/project/tests/fuzz
# Each line is "SEED OPERATIONS".
SEEDS=$FUZZ/corpus/seeds

setup() {
	local name
	unload
	copy_module
	modprobe tls
	insmod "$WORK/bonding.ko" max_bonds=0
	# The log tells which operation was the last one.
	sysctl -qw kernel.printk_devkmsg=on net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.dad_transmits=0
	# Do not wait for the time limit when the kernel hangs: a second of this guest is many of
	# ours. (Except where the clock stands still in such a kernel.)
	[[ ! -e /proc/sys/kernel/watchdog_thresh ]] || sysctl -qw kernel.watchdog_thresh=2
	for name in softlockup_panic panic_on_rcu_stall hung_task_panic; do
		sysctl -qw kernel.$name=1 2>/dev/null || :
	done
	make_links veth a0 b0 c0 d0
	cp "$PROGRAMS/fuzz" "$WORK/"
}

# fuzz SCRIPT...: fails with the last operations. The kernel log has what was tried.
fuzz() {
	FUZZ_MODULE=$WORK/bonding.ko "$WORK/fuzz" /run/netns/peer "$@" >"$WORK/said" || {
		cat "$WORK/said"
		return 1
	}
	sed 's/^/<6>fuzz: /' "$WORK/said" >/dev/kmsg
	ip -d link show >/dev/null
}

test_what_was_found_before() {
	fuzz $FUZZ/corpus/*.ops
}

test_what_need_not_be_left_to_chance() {
	python3 $FUZZ/generate.py basics >"$WORK/basics"
	fuzz "$WORK/basics"
	# Frames that never leave test nothing; those that are cut within the Ethernet header do not
	# leave.
	awk 'match($0, /sent [0-9]+/) { sent = substr($0, RSTART + 5, RLENGTH - 5) }
		match($0, /[0-9]+ more refused/) { refused = substr($0, RSTART) + 0 }
		END { exit !(sent > 3 * refused && sent > 1000) }' "$WORK/said" || fail "$(<"$WORK/said")"
}

test_what_seeds_generate() {
	local seed operations
	while read -r seed operations; do
		[[ $seed != "#" ]] || continue
		python3 $FUZZ/generate.py "$seed" "$operations" >"$WORK/seed-$seed"
		fuzz "$WORK/seed-$seed"
	done <$SEEDS
}

if [[ -n ${SCRIPT-} ]]; then
	test_a_script() {
		fuzz "$SCRIPT"
	}
fi

ktap_main "$@"
