# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Transcripts that must equal those of the in-tree driver. A test file defines
# functions transcript_NAME, calls transcripts_are_tests, and ends with
# reference_main; the in-tree driver's transcripts are in reference/FILE.txt, each
# after a line "== NAME".

REFERENCE=$GUEST_DIR/reference/$(basename "$0" .sh).txt

section() {
	sed -n "/^== $1\$/,/^== /{/^== /d;p}" "$REFERENCE"
}

# same_as_reference NAME: runs transcript_NAME and compares its output.
same_as_reference() {
	section "$1" >"$WORK/expected"
	[[ -s $WORK/expected ]] || fail "$REFERENCE has no section $1"
	# A kernel for one CPU does not report receive queues.
	! kernel_is uml || sed -i '/"num_rx_queues":/d' "$WORK/expected"
	"transcript_$1" >"$WORK/transcript"
	diff -u --label in-tree --label here "$WORK/expected" "$WORK/transcript" ||
		fail "not what the in-tree driver does (- in-tree, + here)"
}

transcripts_are_tests() {
	local name
	for name in $(transcript_names); do
		eval "test_$name() { same_as_reference $name; }"
	done
}

# Lists the names in the order of the file.
transcript_names() {
	sed -n 's/^transcript_\([a-z0-9_]*\)().*/\1/p' "$0"
}

reference_main() {
	local name
	if [[ ${1-} != --record ]]; then
		ktap_main "$@"
		return
	fi
	for name in $(transcript_names); do
		echo "== $name"
		setup >/dev/null
		"transcript_$name"
		teardown >/dev/null 2>&1
	done
}
