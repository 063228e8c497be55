#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# of the sources alone
#
# Constructions that neither the shell, nor the compiler, nor a reader notices: they look like
# assertions, or refer to memory that changes.

. "${BASH_SOURCE[0]%/*}/../ktap.sh"
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1

scripts() {
	find tests scripts .ci -type f -exec grep -lIE '^#!.*sh$|shellcheck shell' {} +
}

# none AWK-PROGRAM: the program prints no line of any script.
none() {
	local found
	found=$(scripts | xargs awk "$1")
	[[ -z $found ]] || fail "$found"
}

# errexit ignores a negated command. Only as the last command of a function is its status the
# result.
test_no_negation_in_the_middle_of_a_function() {
	none 'FNR == 1 { held = "" }
		held != "" && !/^[[:space:]]*}/ { print held }
		{ held = "" }
		/^[[:space:]]*! / && !/\|\||&&/ { held = FILENAME ":" FNR ":" $0 }'
}

# grep -q closes the pipe at the first match, and a writer that continues dies of SIGPIPE.
test_no_grep_q_behind_a_pipe() {
	none '/\|[[:space:]]*(e|f)?grep (-[a-zA-Z]+ )*-[a-zA-Z]*q/ && !/^[[:space:]]*#/ { print FILENAME ":" FNR ":" $0 }
		behind && /^[[:space:]]*grep (-[a-zA-Z]+ )*-[a-zA-Z]*q/ { print FILENAME ":" FNR ":" $0 }
		{ behind = /\|[[:space:]]*\\?$/ }'
}

# User space and clones may write to the memory of a packet while it is read: src/net/shared.rs
# copies it. These files make slices of memory that nobody else writes: messages, parameters, the
# data written to a file, an address to be set.
test_no_slice_of_a_packet() {
	local found
	found=$(grep -rl 'from_raw_parts' src/net | grep -vE '/(netlink|sysfs|ndo|moduleparam)\.rs$') || :
	[[ -z $found ]] || fail "slices of memory that others may write: $found"
}

# floors FOLDER: what tests/harness/floors.py finds in a checkout.
floors() {
	python3 tests/harness/floors.py "$1"
}

test_files_stand_on_their_floors() {
	local found
	found=$(floors .)
	[[ -z $found ]] || fail "$found"
}

# finds TEXT FILE SED-SCRIPT: reports TEXT for a copy in which FILE is changed.
finds() {
	local copy=build/harness/floors
	rm -rf "$copy"
	mkdir -p "$copy"
	cp -r --parents src Documentation/code-map.md "$copy"
	sed -i "$3" "$copy/$2"
	if cmp -s "$2" "$copy/$2"; then fail "$2 is not changed by: $3"; fi
	floors "$copy" >"$copy/found"
	grep -qF -- "$1" "$copy/found" || fail "not found: $1; but: $(<"$copy/found")"
}

test_what_is_on_no_floor_is_found() {
	finds 'upwards: bond/links (floor 2) imports bond/engine (floor 4)' src/bond/links.rs '$a use super::engine::handle;'
	finds 'upwards: bond/wake imports interface/debugfs' src/bond/wake.rs '$a use crate::interface::debugfs::Directory;'
	finds 'upwards: bond/wake imports bond' src/bond/wake.rs '$a use super::Bond;'
	finds 'circle: bond/links bond/listeners' src/bond/listeners.rs '$a use super::links::set_roles;'
	finds 'circle: namespace netdevice' src/net/namespace.rs '$a use crate::netdevice::NetDevice;'
	finds 'undrawn: bond/mtu stands on no floor' Documentation/code-map.md 's/^\(2 .*\) mtu/\1/'
	finds 'undrawn: Documentation/code-map.md has attic on a floor' Documentation/code-map.md 's/^4  engine/& attic/'
	finds 'a match of a mode has a wildcard' src/bond/modes/mod.rs 's/Mode::RoundRobin => round_robin::xmit/_ => round_robin::xmit/'
	finds 'mtu.rs: asks for Mode::ActiveBackup' src/bond/mtu.rs '$a fn f(mode: Mode) -> bool { mode == Mode::ActiveBackup }'
	finds 'notify.rs: asks for Mode::Xor' src/policy/notify.rs '$a fn f(mode: Mode) -> bool { matches!(mode, Mode::Xor) }'
	finds 'bonding: ' src/net/netdevice.rs '$a // of a bond'
}

ktap_main "$@"
