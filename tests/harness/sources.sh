#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# of the sources alone
#
# What the shell or the compiler lets pass without a word, and a reader too: constructions that look like
# assertions, and references to memory that changes.

. "${BASH_SOURCE[0]%/*}/../ktap.sh"
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1

scripts() {
	find tests scripts .ci -type f -exec grep -lIE '^#!.*sh$|shellcheck shell' {} +
}

# none AWK-PROGRAM: no line of a script is printed by it.
none() {
	local found
	found=$(scripts | xargs awk "$1")
	[[ -z $found ]] || fail "$found"
}

# errexit does not look at what is negated. The last command of a function is its result, whatever it is.
test_no_negation_in_the_middle_of_a_function() {
	none 'FNR == 1 { held = "" }
		held != "" && !/^[[:space:]]*}/ { print held }
		{ held = "" }
		/^[[:space:]]*! / && !/\|\||&&/ { held = FILENAME ":" FNR ":" $0 }'
}

# grep -q closes the pipe at the first match, and who writes on dies of it.
test_no_grep_q_behind_a_pipe() {
	none '/\|[[:space:]]*(e|f)?grep (-[a-zA-Z]+ )*-[a-zA-Z]*q/ && !/^[[:space:]]*#/ { print FILENAME ":" FNR ":" $0 }
		behind && /^[[:space:]]*grep (-[a-zA-Z]+ )*-[a-zA-Z]*q/ { print FILENAME ":" FNR ":" $0 }
		{ behind = /\|[[:space:]]*\\?$/ }'
}

# User space and clones may write the memory of a packet while it is read: src/net/shared.rs copies it. These files
# make slices of what nobody else writes: messages, parameters, what a file is given, an address to be set.
test_no_slice_of_a_packet() {
	local found
	found=$(grep -rl 'from_raw_parts' src/net | grep -vE '/(netlink|sysfs|ndo|moduleparam)\.rs$') || :
	[[ -z $found ]] || fail "slices of memory that others may write: $found"
}

ktap_main "$@"
