# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For tests that repeat something hundreds of times: checks of the kernel's warnings, and of what
# the kernel has allocated. A test file sources this after bond.sh.

# -- the kernel log -----------------------------------------------------------------

clear_log() {
	dmesg --clear
	echo "<6>$KTAP_MARK" >/dev/kmsg
}

# Drops data races: the host decides whether our modules have a part in them.
without_races() {
	awk 'race { race = !/^=+$/; next }
		bar { race = /BUG: KCSAN: data-race/; if (!race) print bar; bar = "" }
		/^=+$/ { bar = $0 }
		!bar && !race
		END { if (bar) print bar }'
}

# log_is_clean [REGEX]: the kernel has logged no warnings except those that match.
log_is_clean() {
	dmesg --notime --level warn+ | without_races | { [[ -z ${1-} ]] && cat || grep -vE -- "$1"; } >"$WORK/warnings" || :
	[[ ! -s $WORK/warnings ]] || fail "the kernel warned: $(<"$WORK/warnings")"
}

# -- memory -------------------------------------------------------------------------

# take_stock NAME: records what the kernel has allocated, without what it can reclaim. Packets that
# wait to be read, or to be sent after a failover, count too, so the least of several looks counts for
# each cache.
take_stock() {
	local look
	for look in 1 2 3 4; do
		pause 0.7
		look >"$WORK/$1.look$look"
	done
	awk '{ rest = $3 " " $4 } !($1 in least) || $2 < least[$1] { least[$1] = $2; form[$1] = rest }
		END { for (cache in least) print cache, least[cache], form[cache] }' "$WORK/$1".look? >"$WORK/$1.slabinfo"
	awk '$1 ~ /^(Slab|SUnreclaim|VmallocUsed|Percpu|KernelStack|MemFree):$/ { print $1, $2 }' \
		/proc/meminfo >"$WORK/$1.meminfo"
}

# look: for each cache its name, objects in use, size, objects in a slab.
look() {
	local caches line name place
	sync
	put 3 /proc/sys/vm/drop_caches
	mapfile -t -s 2 caches </proc/slabinfo
	# KASAN keeps freed objects until their cache is shrunk. To shrink all takes seconds, in which traffic
	# fills the first ones again: each cache is looked at as soon as it is shrunk.
	[[ ! -e /sys/kernel/debug/kmemleak ]] || for place in "${!caches[@]}"; do
		name=${caches[place]%% *}
		put 1 "/sys/kernel/slab/$name/shrink"
		mapfile -t -s $((place + 2)) -n 1 line </proc/slabinfo
		[[ ${line[0]} == "$name "* ]] || fail "a cache came or went: ${line[0]} instead of $name"
		caches[place]=${line[0]}
	done
	printf '%s\n' "${caches[@]}" | awk '{ print $1, $2, $4, $5 }'
}

# For each cache that has grown: name, additional objects, additional bytes, objects per slab.
growth() {
	awk 'NR == FNR { before[$1] = $2; next }
		$2 > before[$1] { print $1, $2 - before[$1], ($2 - before[$1]) * $3, $4 }' \
		"$WORK/before.slabinfo" "$WORK/after.slabinfo" | sort -k3nr
}

# report_memory WHEN
report_memory() {
	echo "memory, $1 (kB):"
	paste -d ' ' "$WORK/before.meminfo" "$WORK/after.meminfo" |
		awk '{ printf "  %-13s %8d %8d  %+d\n", $1, $2, $4, $4 - $2 }'
	echo "caches that have grown (objects, bytes):"
	growth | head -n 15 | awk '{ printf "  %-24s %+6d %+9d\n", $1, $2, $3 }'
}

# growth_is_bounded CYCLES: a leak is one object per cycle. A partial slab that is the CPU's own
# counts as full, so some slabs may come and go: only hundreds of cycles show a small leak.
# The debug kernel remembers the last 128 references to each device and namespace that were dropped,
# in objects of 32 bytes, and the leak detector has a record of each; so these caches are ignored
# where the leak detector runs.
growth_is_bounded() {
	local kept='^$'
	[[ ! -e /sys/kernel/debug/kmemleak ]] || kept='^(kmalloc-32|kmemleak_object)$'
	growth | awk -v cycles="$1" -v kept="$kept" '$1 !~ kept && $2 > cycles / 2 + 4 * $4 { print; leak = 1 }
		END { exit leak }' >"$WORK/leaks" ||
		fail "caches have grown by about an object in each cycle (objects, bytes, objects in a slab):" \
			"$(<"$WORK/leaks")"
}
