#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kernels: debug kcsan uml
# needs the module
#
# Each checker of these kernels finds the fault that it is for, and scripts/guest sees the report.

. "${BASH_SOURCE[0]%/*}/../ktap.sh"
. "${BASH_SOURCE[0]%/*}/splat/module.sh"
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1

setup() {
	DIR=$(mktemp -d)
	splat_module "$GUESTS_RUN"
}

teardown() {
	rm -rf "$DIR"
}

# The faults, and the words that report them. Lockdep, which also checks RCU, stops at the first
# fault that may have corrupted its own data; so the faults after an empty line need a guest of
# their own.
debug_kinds() {
	cat <<-'END'
		rcu WARNING: suspicious RCU usage
		lock_order WARNING: possible circular locking dependency detected
		sleep_in_atomic BUG: sleeping function called from invalid context
		schedule_in_atomic BUG: scheduling while atomic
		object ODEBUG: free active
		warn splat: asked for
		use_after_free BUG: KASAN: slab-use-after-free
		out_of_bounds BUG: KASAN: slab-out-of-bounds
		shift UBSAN: shift-out-of-bounds
		array UBSAN: array-index-out-of-bounds
		debug_net WARNING: .*debug_net
		netns_reference ref_tracker: reference already released
		netdev_reference ref_tracker: .*netdev
		list list_add double add
		refcount refcount_t: addition on 0
		hang INFO: task splat:.* blocked for more than
		stall soft lockup|detected stall
		leak kmemleak: .* new suspected memory leaks

		lock_key INFO: trying to register non-static key
		end BUG: lockdep is off
	END
}

# A loop that never ends also stops the clock of this kernel: there is no other CPU that could
# notice. And since there is only one CPU, no race can be seen.
uml_kinds() {
	debug_kinds | grep -v '^stall '
}

kcsan_kinds() {
	echo "race BUG: KCSAN: data-race in "
}

not_to_the_end() {
	tail -n 60 "$DIR/err" >&2
	fail "$1"
}

# make_all KIND...: causes one fault after another in one guest. The kernel log of each is in
# $DIR/log.KIND, that of the end in $DIR/log.end, and what scripts/guest has shown in $DIR/err.
make_all() {
	local status=0 cpus=(--cpus 2)
	[[ $GUESTS_RUN != uml ]] || cpus=()
	rm -f "$DIR"/log*
	scripts/guest --kernel "$GUESTS_RUN" ${cpus[@]+"${cpus[@]}"} --module none --timeout 900 --log "$DIR/log" \
		--append "kasan_multi_shot" -- bash -c '
		sysctl -qw kernel.hung_task_timeout_secs=5 kernel.watchdog_thresh=2
		echo 5 >/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout
		for kind in "$@"; do
			echo "splat: $kind begins" >/dev/kmsg
			insmod '"$SPLAT"' kind=$kind
			rmmod splat
		done
		echo "splat: end begins" >/dev/kmsg' bash "$@" >"$DIR/out" 2>"$DIR/err" || status=$?
	((status == 70)) || not_to_the_end "exit status $status instead of 70"
	grep -q "splat: end begins" "$DIR/log" || not_to_the_end "the guest did not come to the end"
	awk -v dir="$DIR" '/splat: .* begins/ { for (i = 1; i < NF; i++) if ($i == "splat:") kind = $(i + 1) }
		{ print >(dir "/log." kind) }' "$DIR/log"
}

# look_for KINDS: KINDS is a file of kinds and their words, for one guest.
look_for() {
	local kind words
	# shellcheck disable=SC2046
	make_all $(cut -d ' ' -f 1 "$1" | grep -v '^end$')
	while read -r kind words; do
		# The search for leaks is at the end.
		[[ $kind != leak ]] || kind=end
		grep -qE -- "$words" "$DIR/log.$kind" || missing+=("\"$words\" was not found")
		grep -qE -- "$words" "$DIR/err" || missing+=("\"$words\" was not shown")
	done <"$1"
}

test_each_fault_is_found_and_shown() {
	local missing=() kinds
	"${GUESTS_RUN}_kinds" | awk -v dir="$DIR" -v RS= '{ print >(dir "/kinds." NR) }'
	for kinds in "$DIR"/kinds.*; do
		look_for "$kinds"
	done
	((${#missing[@]} == 0)) || fail "$(printf '%s; ' "${missing[@]}")"
}

test_without_a_fault_all_is_quiet() {
	scripts/guest --kernel "$GUESTS_RUN" --timeout 900 --module none -- insmod "$SPLAT" 2>"$DIR/err" || fail "$(<"$DIR/err")"
	[[ ! -s $DIR/err ]]
}

ktap_main "$@"
