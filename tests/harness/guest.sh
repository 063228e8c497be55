#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# scripts/guest keeps its promises: exit status, output, time-out, splats, cables, modules.
# needs the module

. "${BASH_SOURCE[0]%/*}/../ktap.sh"
. "${BASH_SOURCE[0]%/*}/splat/module.sh"
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1

setup() {
	DIR=$(mktemp -d)
	# Twice the time that a start takes on a busy machine; the limit is for hangs.
	GUEST=(scripts/guest --module none --timeout 120 --log "$DIR/log")
}

teardown() {
	rm -rf "$DIR"
}

# guest EXPECTED-STATUS ARGUMENT...: run a guest; output in $DIR/out and $DIR/err.
guest() {
	local expected=$1 status=0
	shift
	"${GUEST[@]}" "$@" >"$DIR/out" 2>"$DIR/err" || status=$?
	((status == expected)) || {
		cat "$DIR/out" "$DIR/err" >&2
		fail "exit status $status instead of $expected"
	}
}

test_status_and_separate_outputs() {
	guest 7 -- sh -c 'echo to out; echo to err >&2; echo again >/dev/stderr; exit 7'
	[[ $(<"$DIR/out") == "to out" ]]
	[[ $(<"$DIR/err") == $'to err\nagain' ]]
	grep -q 'Run /init' "$DIR/log"
}

test_script_on_standard_input() {
	guest 3 <<-'END'
		for word in one two; do echo "$word"; done
		exit 3
	END
	[[ $(<"$DIR/out") == $'one\ntwo' ]]
}

test_output_is_binary_clean() {
	guest 0 -- sh -c 'head -c 3000000 /dev/urandom >/tmp/data; sha256sum </tmp/data >&2; cat /tmp/data'
	[[ $(sha256sum <"$DIR/out") == "$(<"$DIR/err")" ]]
}

test_merged_outputs_keep_their_order() {
	"${GUEST[@]}" -- sh -c 'for i in 1 2 3 4 5 6 7 8; do echo $i; echo $i >&2; done' >"$DIR/both" 2>&1
	[[ $(uniq -c "$DIR/both" | awk '{ print $1 $2 }' | tr '\n' ' ') == "21 22 23 24 25 26 27 28 " ]]
}

test_leftover_processes_do_not_hold_the_end() {
	guest 0 -- sh -c 'sleep 1000 & setsid sleep 1000 & echo done'
	[[ $(<"$DIR/out") == "done" ]]
}

test_time_out() {
	local started=$SECONDS
	GUEST=(scripts/guest --module none --timeout 30)
	guest 124 -- sh -c 'echo before; exec sleep 1000'
	((SECONDS - started < 120))
	grep -q before "$DIR/out"
	grep -q 'no end after 30 s' "$DIR/err"
}

test_a_warning_fails_the_run() {
	splat_module
	guest 70 -- sh -c "insmod $SPLAT kind=warn; echo survived"
	[[ $(<"$DIR/out") == "survived" ]]
	grep -q 'splat: asked for' "$DIR/err"
	grep -q 'WARNING: ' "$DIR/err"
}

test_a_bug_fails_the_run() {
	splat_module
	guest 70 -- insmod $SPLAT kind=bug
	grep -q 'kernel BUG at ' "$DIR/err"
}

test_an_oops_fails_the_run() {
	splat_module
	guest 70 -- insmod $SPLAT kind=oops
	grep -q 'BUG: kernel NULL pointer dereference' "$DIR/err"
}

test_the_same_module_without_a_fault_passes() {
	splat_module
	guest 0 -- insmod $SPLAT
	[[ ! -s $DIR/err ]]
}

test_a_guest_that_switches_itself_off_is_a_failure() {
	guest 70 -- sh -c 'echo o >/proc/sysrq-trigger; sleep 100'
	grep -q 'ended before the command did' "$DIR/err"
}

test_the_end_of_qemu_is_named() {
	local pid status=0
	scripts/guest --module none -- sh -c 'echo running; exec sleep 1000' >"$DIR/out" 2>"$DIR/err" &
	pid=$!
	wait_for 120 "the guest to run" grep -q running "$DIR/out"
	pkill -SEGV -P $pid qemu
	wait $pid || status=$?
	((status == 70))
	grep -q 'ended before the command did .*; QEMU ended with status -11: ' "$DIR/err"
}

test_cables() {
	guest 0 --nic 2 <<-'END'
		set -e
		carrier() { cat /sys/class/net/"$1"/carrier; }
		for card in nic0 peer0 nic1 peer1; do ip link set $card up; done
		set_link nic0 off; [ "$(carrier nic0) $(carrier peer0)" = "0 1" ]
		set_link nic0 on; [ "$(carrier nic0) $(carrier peer0)" = "1 1" ]
		set_link cable1 off; [ "$(carrier nic1) $(carrier peer1) $(carrier nic0)" = "0 0 1" ]
		if set_link nic7 off 2>/tmp/said; then exit 1; fi
		grep -q 'no card or cable "nic7"' /tmp/said
		ip netns add far
		ip link set peer0 netns far
		ip addr add 192.0.2.1/24 dev nic0
		ip -n far addr add 192.0.2.2/24 dev peer0
		ip -n far link set peer0 up
		ping -q -c 1 -w 20 192.0.2.2
	END
}

test_two_guests_that_are_joined() {
	guest 0 --peer intree --wires 2 <<-'END'
		set -e
		for try in $(seq 600); do ! at_peer true || break; sleep 0.2; done 2>/dev/null
		at_peer modinfo -n bonding
		for number in 0 1; do
			ip link set wire$number up
			ip address add 192.0.2.$((number * 16 + 1))/28 dev wire$number
			at_peer "ip link set wire$number up; ip address add 192.0.2.$((number * 16 + 2))/28 dev wire$number"
		done
		ping -q -c 1 -w 20 192.0.2.2
		ping -q -c 1 -w 20 192.0.2.18
		set_link wire1 off
		[ "$(cat /sys/class/net/wire0/carrier) $(cat /sys/class/net/wire1/carrier)" = "1 0" ]
		! at_peer "echo said >&2; exit 7" || exit 1
		if set_link wire2 off; then exit 1; fi
	END
	grep -q '/kernel/drivers/net/bonding/bonding\.ko' "$DIR/out"
	grep -q '^said$' "$DIR/out"
	grep -q 'no card or cable "wire2"' "$DIR/err"
	guest 70 --peer intree <<-'END'
		for try in $(seq 600); do ! at_peer true || break; sleep 0.2; done 2>/dev/null
		at_peer "echo 'BUG: made up' >/dev/kmsg"
	END
	grep -q 'the kernel log of the second guest' "$DIR/err"
	guest 2 --peer intree --icount -- true
}

test_modprobe_finds_the_module_that_was_asked_for() {
	GUEST=(scripts/guest --timeout 120)
	guest 0 --module ours -- sh -c 'modinfo -n bonding; modprobe bonding; lsmod'
	grep -q '^/project/build/.*/bonding\.ko$' "$DIR/out"
	grep -q '^bonding ' "$DIR/out"
	guest 0 --module intree --params "max_bonds=2" -- sh -c 'modinfo -n bonding; cat /sys/class/net/bonding_masters'
	grep -q '/kernel/drivers/net/bonding/bonding\.ko' "$DIR/out"
	grep -q '^bond0 bond1$' "$DIR/out"
	guest 0 --module none -- sh -c 'modinfo -n bonding; lsmod'
	grep -q '^/project/build/.*/bonding\.ko$' "$DIR/out"
	if grep -q '^bonding ' "$DIR/out"; then fail "the module is loaded"; fi
}

test_modules_that_the_distribution_lacks() {
	guest 0 -- sh -c 'modprobe netdevsim && modprobe siw && lsmod'
	grep -q '^netdevsim ' "$DIR/out"
	grep -q '^siw ' "$DIR/out"
}

test_what_is_shared_cannot_be_written() {
	guest 0 -- sh -c '! touch /project/x && ! touch /usr/src/linux/x && touch /tmp/x /etc/x && rm /bin/true'
	[[ ! -e x && -e ${XDG_CACHE_HOME:-$HOME/.cache}/bonding-rs/tree/bin/true ]]
}

test_counted_instructions_are_a_clock_that_skips_idle_time() {
	# The later limit holds. It ends a guest that waits, and leaves time to a busy machine.
	guest 0 --timeout 400 --icount -- sh -c 'sleep 600; cat /proc/uptime'
	(($(cut -d . -f 1 "$DIR/out") >= 600))
}

test_wrong_usage_is_one_sentence() {
	guest 2 --frobnicate
	[[ $(wc -l <"$DIR/err") == 1 ]]
	grep -q -- '--frobnicate' "$DIR/err"
	guest 2 --cpus 0 -- true
	grep -q -- '--cpus 0 is out of range' "$DIR/err"
	guest 2 --kernel other -- true
	guest 2 --params mode=1 -- true
	grep -q -- '--params needs a module' "$DIR/err"
	guest 2 --root "$DIR" -- true
	grep -q -- "--root $DIR has no /sbin/init" "$DIR/err"
	guest 2 --root "$DIR" --kernel uml -- true
	grep -q -- '--root brings its own kernel' "$DIR/err"
}

test_a_system_without_a_kernel_cannot_start() {
	mkdir "$DIR/sbin"
	: >"$DIR/sbin/init"
	guest 69 --root "$DIR" -- true
	grep -q "$DIR has no /vmlinuz" "$DIR/err"
}

ktap_main "$@"
