#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# of the sources alone
#
# The differential test notices what differs, knows what may differ, and recognises a guest that has
# died. The guests here are scripts that print what a guest would print.

. "${BASH_SOURCE[0]%/*}/../ktap.sh"
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1
REAL=$PWD

setup() {
	DIR=$(mktemp -d)
	mkdir -p "$DIR/tests" "$DIR/scripts"
	cp -r "$REAL/tests/differential" "$DIR/tests/"
	cd "$DIR"
	# Each operation succeeds in both guests. Files named like a module change its output; they
	# are sed scripts.
	cat >scripts/guest <<-'END'
		#!/bin/bash
		while [ "$1" != -- ]; do
			[ "$1" != --module ] || module=$2
			shift
		done
		touch "$module"
		number=0
		while read -r operation; do
			printf '@ %s\n= ok\nlog 6 %s\n' $((number++)) "$operation"
		done <".${4#/project}" | { cat; echo "@ end"; } | sed -f "$module"
		exit "$(cat status 2>/dev/null || echo 0)"
	END
	chmod +x scripts/guest
	differences <<<''
}

teardown() {
	rm -rf "$DIR"
}

differences() {
	cat >tests/differential/differences
}

# run STATUS [ARGUMENT...]
run() {
	local expected=$1 status=0
	shift
	tests/differential/run --operations 100 "$@" >said 2>&1 || status=$?
	((status == expected)) || fail "exit status $status instead of $expected: $(<said)"
}

test_two_that_are_alike() {
	run 0
	grep -q '^1\.\.9$' said
	grep -q '^ok 9 guests$' said
	grep -q ' 0 wanted differences, .* 0 episodes with unexplained' said
}

test_the_same_seed_is_the_same_script() {
	run 0
	mv build/test-logs/differential/seed-1.script first
	run 0
	cmp first build/test-logs/differential/seed-1.script
	run 0 --seed 2
	! cmp -s first build/test-logs/differential/seed-2.script
}

test_one_that_differs() {
	echo '/^@ 7$/,/^@ 8$/s/^= ok/= EINVAL/' >ours
	run 1 --no-shrink
	grep -q '^#   -= ok$' said
	grep -q '^#   += EINVAL$' said
	grep -q '^not ok 1 options$' said
}

test_a_short_script_is_found() {
	# All operations that involve miimon differ.
	echo '/miimon/s/log 6/log 4/' >ours
	run 1 options
	sed -n '/^# The shortest script/,/^# [0-9]* episodes/p' said >short
	(($(wc -l <short) == 5)) || fail "two operations before the one that differs, and that one: $(<short)"
	sed -n 4p short | has miimon
}

test_a_difference_that_is_wanted() {
	echo '/^@ 7$/,/^@ 8$/s/^= ok/= EINVAL/' >ours
	differences <<-'END'
		[why not]
		why = a reason
		difference =
		    -= ok
		    += E.*
	END
	run 0
	grep -q '^# *1 why not$' said
	grep -q ' 1 wanted differences, after which 0 ' said
}

test_states_that_part() {
	echo '/^@ 7$/,$s/^= ok/= EINVAL/' >ours
	differences <<-'END'
		[why not]
		why = a reason
		difference =
		    -= ok
		    += E.*
		then = stop
	END
	run 0
	grep -qE ' after which [1-9][0-9]+ operations were left out' said
}

test_a_guest_that_dies() {
	echo '/^@ 9$/,$d' >ours
	run 1 --no-shrink
	grep -q 'the guest did not get here' said
	grep -q 'the guest with the module ours ended with status 0 in operation 8' said
	grep -q '^not ok 9 guests$' said
}

# The first boot ends with a splat; the boots that look for a shorter script do not.
test_a_guest_that_dies_is_not_forgotten_while_a_shorter_script_is_looked_for() {
	echo '/miimon/s/log 6/log 4/' >ours
	sed -i 's/^exit .*/[ -e died ] || { touch died; exit 70; }/' scripts/guest
	run 1 options
	grep -q '^# The shortest script' said
	grep -q 'ended with status 70' said
	grep -q '^not ok 2 guests$' said
}

test_a_splat() {
	echo 70 >status
	run 1
	grep -q 'ended with status 70' said
	grep -q '^not ok 9 guests$' said
}

test_a_rule_that_nobody_understands() {
	differences <<<$'[a name]\nwhy = a reason'
	run 1
	grep -q 'wants "why" and "difference"' said
	differences <<<$'[a name]\nwhy = a reason\nwhat\n'
	run 1
	grep -q 'is neither \[name\] nor key = value' said
}

test_a_scene_that_does_not_exist() {
	run 2 nothing
	grep -q '^Bail out! there is no case "nothing"; there are: options ' said
}

ktap_main "$@"
