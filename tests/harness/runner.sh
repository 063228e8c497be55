#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# of the sources alone
#
# The test runner counts correctly, and treats a crash, a splat, a missing result or a wrong plan as
# a failure. The guests here are scripts that print what a guest would print.

. "${BASH_SOURCE[0]%/*}/../ktap.sh"
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1
REAL=$PWD

setup() {
	DIR=$(mktemp -d)
	mkdir -p "$DIR/tests/guest" "$DIR/scripts"
	cp -r "$REAL/tests/run" "$REAL/tests/runner" "$DIR/tests/"
	printf '#!/bin/sh\nexit 0\n' | tee "$DIR/scripts/build" >"$DIR/scripts/cargo"
	# The test file itself determines what its guest prints, and how the guest ends.
	cat >"$DIR/scripts/guest" <<-'END'
		#!/bin/bash
		echo "$@" >>arguments
		while [ "$1" != -- ]; do shift; done
		exec bash ".${3#/project}" "${@:4}"
	END
	chmod +x "$DIR/scripts/"*
	cd "$DIR"
}

teardown() {
	rm -rf "$DIR"
}

# suite NAME: makes a guest test from standard input.
suite() {
	cat >"tests/guest/$1.sh"
}

# run STATUS LAST-LINE ARGUMENT...
run() {
	local expected=$1 last=$2 status=0
	shift 2
	tests/run "$@" >said 2>&1 || status=$?
	[[ $(tail -n 1 said) == "$last" ]] || fail "the last line is \"$(tail -n 1 said)\" instead of \"$last\": $(<said)"
	((status == expected)) || fail "exit status $status instead of $expected"
}

test_all_pass() {
	suite good <<<'printf "KTAP version 1\n1..2\nok 1 a\nok 2 b\n"'
	run 0 "3 passed, 0 failed" good # the build counts
}

test_one_fails() {
	suite bad <<<'printf "KTAP version 1\n1..2\nok 1 a\n# case b\n# why it failed\nnot ok 2 b\n"; exit 1'
	run 1 "2 passed, 1 failed" bad
	grep -q '^FAIL  bad: b ' said
	grep -q 'why it failed' said
	grep -q 'again: make test T=bad:b$' said
}

test_skipped_cases_are_counted_apart() {
	suite some <<<'printf "KTAP version 1\n1..2\nok 1 a\nok 2 b # SKIP not here\n"'
	run 0 "2 passed, 0 failed, 1 skipped" some
	grep -q '^skip  some: b: not here$' said
}

test_a_splat_fails_although_all_cases_pass() {
	suite splat <<<'printf "KTAP version 1\n1..1\nok 1 a\n"; echo "WARNING: at"; exit 70'
	run 1 "2 passed, 1 failed" splat
	grep -q 'WARNING: at' said
}

test_a_dead_guest_names_the_case() {
	suite dead <<<'printf "KTAP version 1\n1..2\nok 1 a\n# case b\n"; exit 70'
	run 1 "2 passed, 1 failed" dead
	grep -q '^FAIL  dead: b ' said
}

test_time_is_up() {
	suite slow <<<'printf "KTAP version 1\n1..1\n# case a\n"; exit 124'
	run 1 "1 passed, 1 failed" slow
	grep -q 'time is up' said
}

test_a_missing_result() {
	suite short <<<'printf "KTAP version 1\n1..3\nok 1 a\nok 2 b\n"'
	run 1 "3 passed, 1 failed" short
	grep -q '2 results of 3 planned' said
}

test_no_plan() {
	suite none <<<'echo hello'
	run 1 "1 passed, 1 failed" none
}

test_a_plan_of_nothing() {
	suite empty <<<'printf "KTAP version 1\n1..0\n"'
	run 1 "1 passed, 1 failed" empty
	grep -q 'the plan is of no test at all' said
}

test_a_suite_that_cannot_be_run_fails_and_the_others_go_on() {
	local name
	for name in first second third; do
		suite $name <<<'printf "KTAP version 1\n1..1\nok 1 a\n"'
	done
	# Block the files that the output would go to.
	mkdir -p build/test-logs/first.output build/test-logs/second.output
	run 1 "2 passed, 2 failed" --jobs 2 first second third
	grep -q '^ok    third: a ' said
	grep -q '^FAIL  first .*the runner could not run it: .*Is a directory' said
}

test_all_of_a_suite_and_one_case_is_all_of_it() {
	suite both <<<'printf "KTAP version 1\n1..1\nok 1 %s\n" "${1:-everything}"'
	run 0 "2 passed, 0 failed" --also both:special both
	grep -q '^ok    both: everything ' said
	run 0 "2 passed, 0 failed" both:special both
	grep -q '^ok    both: everything ' said
}

test_status_without_a_failed_case() {
	suite odd <<<'printf "KTAP version 1\n1..1\nok 1 a\n"; exit 5'
	run 1 "2 passed, 1 failed" odd
}

test_results_out_of_order() {
	suite order <<<'printf "KTAP version 1\n1..2\nok 2 b\nok 2 b\n"'
	run 1 "2 passed, 1 failed" order
}

test_bail_out() {
	suite bail <<<'echo "Bail out! no such case"; exit 2'
	run 1 "1 passed, 1 failed" bail
	grep -q 'no such case' said
}

test_the_head_of_a_file_says_how_it_is_run() {
	suite head <<-'END'
		# guest: --cpus 2 --params "mode=1 miimon=100"
		# timeout: 77
		printf "KTAP version 1\n1..1\nok 1 a\n"
	END
	run 0 "2 passed, 0 failed" head
	grep -q -- '--module ours --timeout 77 .* --cpus 2 --params mode=1 miimon=100 -- ' arguments
}

test_the_reference_runs_when_it_is_asked_for() {
	suite good <<-'END'
		# reference: intree
		printf "KTAP version 1\n1..1\nok 1 a\n"
	END
	run 0 "2 passed, 0 failed" good
	run 0 "3 passed, 0 failed" --reference good
	run 0 "2 passed, 0 failed" good@intree
	tests/run --list >said
	grep -q '^good@intree ' said
	grep -q -- '--module intree ' arguments
	rm arguments
	# The host suites do nothing here, and those that count their tests fail.
	mkdir tests/differential tests/bench
	tee scripts/{check-unsafe,check-symbols,fmt,cargo} tests/{differential,bench}/run <scripts/build >/dev/null
	chmod +x scripts/* tests/*/run
	tests/run >said 2>&1 || true
	grep -q '^ok    good: a ' said
	! grep -q -- '--module intree ' arguments || fail "the in-tree driver ran unasked"
	tests/run --reference >said 2>&1 || true
	grep -q '^ok    good@intree: a ' said
}

test_kernels() {
	suite usual <<-'END'
		# reference: intree
		printf "KTAP version 1\n1..1\nok 1 a\n"
	END
	suite checked <<-'END'
		# kernels: debug kcsan
		# timeout: 100
		printf "KTAP version 1\n1..1\nok 1 b\n"
	END
	run 0 "2 passed, 0 failed" --kernel debug usual
	grep -q '^ok    usual@debug: a ' said
	run 0 "2 passed, 0 failed" checked@kcsan
	grep -q -- '--kernel kcsan --module ours --timeout 400' arguments
	run 0 "4 passed, 0 failed" --also "checked@debug:b" usual
	[[ $(grep -c '^ok    build' said) == 2 ]]
	run 0 "4 passed, 0 failed" --kernel debug --also "checked@kcsan" usual
	suite cards <<-'END'
		# guest: --icount 3 --cpus 2 --nic 2 --nic-model e1000e --memory 512
		printf "KTAP version 1\n1..1\nok 1 c\n"
	END
	suite racing <<-'END'
		# not in uml: a race needs two CPUs
		printf "KTAP version 1\n1..1\nok 1 d\n"
	END
	: >arguments
	run 0 "4 passed, 0 failed" --kernel uml usual checked cards
	! grep -q 'icount\|nic\|cpus' arguments || fail "a program has a simulated clock, and no cards: $(<arguments)"
	grep -q -- '--kernel uml --module ours .* --memory 512 -- bash /project/tests/guest/cards.sh' arguments
	tests/run --list | lacks racing@uml
	tests/run --list >said
	! grep -q '^checked ' said || fail "the distribution's kernel was not asked for"
	! grep -q '^usual@intree@' said || fail "the in-tree driver is not what the checkers look at"
}

test_a_long_suite_is_run_in_parts_where_boots_are_cheap() {
	cp "$REAL/tests/ktap.sh" tests/
	suite long <<-'END'
		# parts: 2
		. tests/ktap.sh
		for name in a b c d e; do
			eval "test_$name() { sleep 1; }"
		done
		ktap_functions() { printf 'test_%s\n' a b c d e; }
		ktap_main "$@"
	END
	run 0 "6 passed, 0 failed" --kernel uml long
	[[ $(grep -c '^----  long@uml' said) == 2 ]] || fail "it was not run in two parts: $(<said)"
	for name in a b c d e; do
		[[ $(grep -c "^ok    long@uml: $name " said) == 1 ]] || fail "case $name: $(<said)"
	done
	[[ $(ls build/test-logs/long@uml.*.output | wc -l) == 2 ]]
	run 0 "2 passed, 0 failed" --kernel uml long:c
	run 0 "6 passed, 0 failed" --kernel distro long
	[[ $(grep -c '^----  long' said) == 1 ]] || fail "in parts where a boot costs much: $(<said)"
}

test_what_comes_too_late_is_left_out_and_named() {
	local head='# kernels: distro debug'
	suite usual <<<"$head"$'\nsleep 1; printf "KTAP version 1\n1..1\nok 1 a\n"'
	run 0 "2 passed, 0 failed" --jobs 1 --also "usual@debug:b" --also-before 0.5 usual
	grep -q '^----  usual@debug: left out, .*make test T=usual@debug' said
	grep -q '^Left out for want of time: usual@debug$' said
	! grep -q -- '--kernel debug' arguments || fail "it was run"
	run 0 "4 passed, 0 failed" --jobs 1 --also "usual@debug:b" --also-before 60 usual
	! grep -q 'Left out' said || fail "what was in time is called late"
}

test_a_suite_that_comes_too_late_is_left_out_and_named() {
	local head='# kernels: distro debug' result='printf "KTAP version 1\n1..1\nok 1 a\n"'
	suite slow <<<"$head"$'\n# timeout: 99\nsleep 6\n'"$result"
	suite usual <<<"$head"$'\n# timeout: 98\n'"$result"
	run 0 "4 passed, 0 failed" --jobs 1 --also "slow@debug usual@debug" --also-until 5 usual
	grep -q '^----  usual@debug: left out, .*make test T=usual@debug' said
	grep -q '^Left out for want of time: usual@debug$' said
	run 0 "2 passed, 0 failed" --jobs 1 --also-until 0 usual
	! grep -q 'Left out' said || fail "what was asked for by name was left out"
}

test_where_the_time_went() {
	local name
	for name in a b c; do
		suite $name <<<'printf "KTAP version 1\n1..1\nok 1 a\n"'
	done
	suite b <<-'END'
		echo "guest: 77 programs, 61.50 s, idle 40.25 s" >build/test-logs/b.kernel
		sleep 0.6
		printf "KTAP version 1\n1..1\n"
		sleep 1
		printf "ok 1 a\n"
	END
	run 0 "4 passed, 0 failed" a b c
	grep -E -A 4 '^Seconds +all +cpu +boot +end +guest +idle +programs$' said >table
	# The slowest suite comes first, with what the guest has reported about itself.
	grep -qE '^b +2 +0 +1 +0 +62 +40 +77$' <(sed -n 2p table)
	grep -qE '^(a|c) +0 +0 +0 +0$' table
	grep -qE '^sum +[0-9]' said
}

test_one_case_alone() {
	suite one <<<'printf "KTAP version 1\n1..1\nok 1 %s\n" "$1"'
	run 0 "2 passed, 0 failed" one:special
	grep -q '^ok    one: special ' said
}

test_unknown_test() {
	local status=0
	tests/run nonsense >said 2>&1 || status=$?
	((status != 0))
	grep -q 'there is no test "nonsense"' said
}

test_a_broken_build_fails_and_starts_no_guest() {
	suite good <<<'printf "KTAP version 1\n1..1\nok 1 a\n"'
	printf '#!/bin/sh\nexit 1\n' >scripts/build
	run 1 "0 passed, 1 failed" good
	[[ ! -e arguments ]]
}

test_guests_run_two_at_a_time_but_not_those_alone() {
	local name
	for name in a b; do
		# Each suite waits for the other.
		suite $name <<-'END'
			echo "+" >>times
			for ((i = 0; i < 300 && $(grep -c + times) < 2; i++)); do read -rt 0.1 <> <(:); done
			echo "-" >>times
			printf "KTAP version 1\n1..1\nok 1 a\n"
		END
	done
	for name in c d; do
		suite $name <<-'END'
			# alone
			echo "+" >>times
			read -rt 0.5 <> <(:)
			echo "-" >>times
			printf "KTAP version 1\n1..1\nok 1 a\n"
		END
	done
	run 0 "5 passed, 0 failed" --jobs 2 a b c d
	# Two suites start before one has ended; the others run one by one.
	[[ $(tr -d '\n' <times) == "++--+-+-" ]]
}

test_sources_are_tested_during_the_build_and_guests_after_it() {
	suite good <<<'echo guest >>times; printf "KTAP version 1\n1..1\nok 1 a\n"'
	# The build waits for the suites of the sources, of which cargo lets only one in.
	cat >scripts/build <<-'END'
		#!/bin/bash
		for ((i = 0; i < 300 && $(grep -c cargo- times) < 2; i++)); do read -rt 0.1 <> <(:); done
		echo built >>times
	END
	cat >scripts/cargo <<-'END'
		#!/bin/bash
		[ "$1" = test ] || exit 0
		echo cargo+ >>times
		read -rt 0.5 <> <(:)
		echo cargo- >>times
		echo "test link::up ... ok"
	END
	# The formatter comes with the Debian tree, which the build makes.
	printf '#!/bin/sh\necho fmt >>times\n' >scripts/fmt
	chmod +x scripts/*
	touch times
	run 0 "5 passed, 0 failed" --jobs 3 good policy fabric fmt
	[[ $(tr '\n' ' ' <times) =~ ^"cargo+ cargo- cargo+ cargo- built "("fmt guest "|"guest fmt ")$ ]] || fail "$(<times)"
}

test_sources_do_not_hold_up_the_build_of_another_kernel() {
	suite good <<<'printf "KTAP version 1\n1..1\nok 1 a\n"'
	# Cargo runs one suite of the sources at a time; the first one waits for the build.
	printf '#!/bin/sh\necho "build $*" >>times\n' >scripts/build
	cat >scripts/cargo <<-'END'
		#!/bin/bash
		[ "$1" = test ] || exit 0
		for ((i = 0; i < 60 && $(grep -c "build --kernel uml" times) < 1; i++)); do read -rt 0.1 <> <(:); done
		echo tested >>times
		echo "test link::up ... ok"
	END
	chmod +x scripts/*
	touch times
	run 0 "4 passed, 0 failed" --jobs 2 policy fabric good@uml
	[[ $(<times) == "build --kernel uml"$'\n'tested$'\n'tested ]] || fail "$(<times)"
}

test_cargo_results_are_counted_one_by_one() {
	cat >scripts/cargo <<-'END'
		#!/bin/sh
		printf 'running 3 tests\ntest link::up ... ok\ntest prop ... FAILED\ntest slow ... ignored\n\n'
		printf 'failures:\n\n---- prop stdout ----\nminimal input: 7\n\nfailures:\n    prop\n\ntest result: FAILED.\n'
		exit 101
	END
	chmod +x scripts/cargo
	run 1 "1 passed, 1 failed, 1 skipped" policy
	grep -q 'minimal input: 7' said
	printf '#!/bin/sh\necho "error: could not compile"\nexit 101\n' >scripts/cargo
	run 1 "0 passed, 1 failed" policy
	grep -q 'could not compile' said
}

ktap_main "$@"
