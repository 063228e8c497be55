# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Test cases in bash, reported in KTAP: on the host (tests/harness) and in a guest (tests/guest).
# A test file sources this, defines functions test_*, and ends with: ktap_main "$@".
# Each case runs in a process of its own, with errexit really on; setup and teardown, if defined,
# are called before and after each case.

KTAP_SKIP=4 # exit status of a skipped case, as in the kernel's selftests

# -- ending a case -----------------------------------------------------------------

# fail REASON: ends the case as failed.
fail() {
	printf 'failed: %s\n' "$*" >&2
	exit 1
}

# skip REASON: the case does not apply here.
skip() {
	printf '%s\n' "$*" >"$KTAP_DIR/skip"
	exit $KTAP_SKIP
}

# -- waiting -------------------------------------------------------------------------

# A pause without a process: read from a pipe to which nobody writes.
exec {KTAP_PAUSE}<> <(:)
pause() {
	read -rt "$1" -u "$KTAP_PAUSE" || :
}

# By what factor things take longer than usual here.
KTAP_PATIENCE=${KTAP_PATIENCE-1}
# How long wait_for continues after its deadline without being idle, in microseconds.
KTAP_BUSY_WAIT=${KTAP_BUSY_WAIT-3000000}

# wait_for SECONDS DESCRIPTION COMMAND...: waits until COMMAND succeeds; the case fails if that
# takes too long.
#
# In COMMAND, as in every condition, errexit is off: write "|| return 1" after every check in a
# function but the last.
#
# Where instructions are the clock, idle time is skipped, including the time in which the host
# fetches a file: on a busy host the deadline passes before the awaited program has started. So we
# wait three more seconds without being idle, which takes longer on the host. (A simulated clock
# does not need this, and stands still meanwhile.)
wait_for() {
	local seconds=$1 description=$2 start deadline now left step
	shift 2
	start=${EPOCHREALTIME/[.,]/}
	deadline=$((start + KTAP_PATIENCE * $(ktap_microseconds "$seconds")))
	while ! "$@" &>"$KTAP_DIR/wait"; do
		now=${EPOCHREALTIME/[.,]/}
		left=$((deadline + KTAP_BUSY_WAIT - now))
		if ((left < 0)); then
			cat "$KTAP_DIR/wait" >&2
			fail "timed out after $seconds s: $description"
		elif ((left < KTAP_BUSY_WAIT)); then
			for ((left = 0; left < 2000; left++)); do :; done
		else
			# Each look starts programs: what takes long is looked at less often.
			step=$(((now - start) / 10))
			((step > 50000)) || step=50000
			((step < 250000)) || step=250000
			printf -v step 0.%06d $step
			pause "$step"
		fi
	done
}

ktap_microseconds() {
	local whole=${1%%.*} part=
	[[ $1 != *.* ]] || part=${1#*.}
	part=${part}000000
	echo $((10#${whole:-0} * 1000000 + 10#${part:0:6}))
}

# -- looking -------------------------------------------------------------------------

# has [OPTION...] PATTERN: use it at the end of a pipe instead of grep -q. grep -q closes the pipe
# at the first match; a writer that continues dies of SIGPIPE, and sometimes takes the case with it.
has() {
	[[ $(grep -c "$@") -gt 0 ]]
}

# lacks [OPTION...] PATTERN [FILE...]: no line matches; otherwise it shows the matches, and fails.
# "! grep" in the middle of a function asserts nothing: errexit ignores a negated command.
lacks() {
	local status=0
	grep "$@" >&2 || status=$?
	if ((status != 1)); then
		echo "\"grep $*\" should find nothing, and ended with status $status" >&2
		return 1
	fi
}

# -- commands that must fail -----------------------------------------------------------

# fails_with TEXT COMMAND...: COMMAND fails, and prints TEXT on standard error.
fails_with() {
	local text=$1 status=0
	shift
	"$@" 2>"$KTAP_DIR/stderr" || status=$?
	((status != 0)) || fail "succeeded and should not have: $*"
	grep -qF -- "$text" "$KTAP_DIR/stderr" ||
		fail "\"$*\" failed without \"$text\"; it said: $(<"$KTAP_DIR/stderr")"
}

# -- KTAP ------------------------------------------------------------------------------

# Hooks for a library on top of this one: before each case, and to print more after a failed one.
ktap_before_case() { :; }
ktap_after_failure() { :; }

ktap_functions() { # the test_* functions, in the order of the file
	local name
	shopt -s extdebug
	while read -r _ _ name; do
		[[ $name != test_* ]] || declare -F "$name"
	done < <(declare -F) | sort -k2n | cut -d ' ' -f 1
	shopt -u extdebug
}

# The end of a case, in the case's own process: teardown still sees its variables.
ktap_leave() {
	local status=$?
	trap - ERR EXIT
	set +eu
	if declare -F teardown >/dev/null; then
		teardown || echo "teardown failed with status $?"
	fi
	# shellcheck disable=SC2046
	kill $(jobs -p) 2>/dev/null
	exit "$status"
}

ktap_case() {
	set -eEuo pipefail
	trap 'echo "${BASH_SOURCE[0]##*/}:$LINENO: \"$BASH_COMMAND\" failed with status $?" >&2' ERR
	trap ktap_leave EXIT
	if declare -F setup >/dev/null; then
		setup
	fi
	"$1"
}

# ktap_main [CASE...]: runs all cases, or those named (with or without "test_"), and reports in
# KTAP.
# ktap_main --part=K/N: runs every Nth case, starting with the Kth.
ktap_main() {
	local all cases=() name number=0 status failed=0
	mapfile -t all < <(ktap_functions)
	if [[ ${1-} =~ ^--part=([1-9][0-9]*)/([1-9][0-9]*)$ ]]; then
		shift
		for ((number = BASH_REMATCH[1] - 1; number < ${#all[@]}; number += BASH_REMATCH[2])); do
			set -- "$@" "${all[number]}"
		done
		number=0
	fi
	for name; do
		name=test_${name#test_}
		[[ " ${all[*]} " == *" $name "* ]] || {
			echo "Bail out! there is no case \"${name#test_}\"; there are: ${all[*]#test_}"
			exit 2
		}
		cases+=("$name")
	done
	((${#cases[@]})) || cases=("${all[@]}")

	KTAP_DIR=$(mktemp -d)
	echo "KTAP version 1"
	echo "1..${#cases[@]}"
	for name in "${cases[@]}"; do
		number=$((number + 1))
		# The runner reports this case if no result follows.
		echo "# case ${name#test_}"
		rm -f "$KTAP_DIR/skip"
		ktap_before_case
		# Not in a condition: that would switch "set -e" off for the whole case.
		(ktap_case "$name") &>"$KTAP_DIR/output" </dev/null
		status=$?
		case $status in
		0) echo "ok $number ${name#test_}" ;;
		"$KTAP_SKIP") echo "ok $number ${name#test_} # SKIP $(cat "$KTAP_DIR/skip" 2>/dev/null)" ;;
		*)
			failed=1
			sed 's/^/# /' "$KTAP_DIR/output"
			echo "# exit status $status"
			ktap_after_failure | sed 's/^/# /'
			echo "not ok $number ${name#test_}"
			;;
		esac
	done
	rm -rf "$KTAP_DIR"
	exit $failed
}
