# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What guest tests of the command ib-bond share. A test file sources this after bond.sh or ipoib.sh.
#
# The runner builds the command (IB_BOND in tests/runner/host.py); by hand, that is
#   scripts/cargo build --bin ib-bond --target-dir target/ib-bond

IB_BOND=${BASH_SOURCE[0]%/*}/../../target/ib-bond/debug/ib-bond

# Copies the command to where a package has it, once per boot, together with its rule for udev.
install_ib_bond() {
	[[ -x /usr/sbin/ib-bond ]] && return
	[[ -x $IB_BOND ]] || fail "ib-bond is not built: scripts/cargo build --bin ib-bond --target-dir target/ib-bond"
	cp "$IB_BOND" /usr/sbin/ib-bond
}

# exits STATUS COMMAND...: the command ends with this status; what it says is in $WORK/said.
exits() {
	local expected=$1 status=0
	shift
	"$@" &>"$WORK/said" || status=$?
	((status == expected)) || fail "\"$*\" ended with $status instead of $expected; it said: $(<"$WORK/said")"
}

# says TEXT: the command before said this.
says() {
	grep -qF -- "$1" "$WORK/said" || fail "not said: $1; but: $(<"$WORK/said")"
}

# ib_status BOND FILTER: the JSON of a bond, through jq. The exit status, which is that of the bond, is ignored.
ib_status() {
	ib-bond status "$1" --json >"$WORK/json" || :
	jq -r "$2" "$WORK/json"
}

# ib_is BOND FILTER VALUE: for wait_for.
ib_is() {
	[[ $(ib_status "$1" "$2") == "$3" ]]
}

# everything: what must be the same after a command that failed. Counters and times are not part of that, nor is
# whether a device was ever up, which its queueing discipline shows.
everything() {
	ip -d -o link show | sed -E 's/ (qlen|promiscuity) [0-9]+//g; s/qdisc noop/qdisc noqueue/'
	ip address show | sed -E '/valid_lft/d; s/qdisc noop/qdisc noqueue/'
	ip route show table all
	ip -6 route show table all
	cat $SYSFS/*/mode /proc/net/bonding/* /run/ib-bond/net-*/*.json 2>/dev/null || :
	! loaded || echo "the driver is loaded"
}

# changes_nothing STATUS TEXT COMMAND...: the command fails, says TEXT in one sentence, and leaves no trace.
changes_nothing() {
	local status=$1 text=$2
	shift 2
	everything >"$WORK/before"
	exits "$status" "$@"
	says "$text"
	is "$(wc -l <"$WORK/said")" 1 "the number of lines of $(<"$WORK/said")"
	# Links and link-local addresses need a moment to come back.
	wait_for 5 "no trace of \"$*\"" everything_is_as_before
}

everything_is_as_before() {
	everything >"$WORK/after"
	diff "$WORK/before" "$WORK/after"
}

# The state of one case must not reach the next.
forget_ib_bond() {
	umount /run/ib-bond/net-* /run/ib-bond 2>/dev/null
	rm -rf /run/ib-bond
}
