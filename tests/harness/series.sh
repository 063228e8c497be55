#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernels of the other supported series: the driver builds for them without a warning, and fails
# over in them. All other suites use a kernel of one series, which KERNEL_SERIES chooses.

. "${BASH_SOURCE[0]%/*}/../ktap.sh"
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1

# The supported series except the one in use.
others() {
	(
		PROG=series
		. scripts/env/common.sh
		. "$LINKS/kernel/choice"
		for series in $SUPPORTED_SERIES; do
			[[ $RELEASE == "$series".* ]] || echo "$series"
		done
	)
}

setup() {
	SAID=$(mktemp)
}

teardown() {
	rm -f "$SAID"
}

# Old series leave the archive when new ones arrive: a series that is gone cannot be tested.
with_each() { # COMMAND ...
	local series tried=0
	for series in $(others); do
		if ! KERNEL_SERIES=$series scripts/env/setup &>"$SAID"; then
			has "No kernel of the series $series that Debian offers now" <"$SAID" || fail "$(<"$SAID")"
			continue
		fi
		KERNEL_SERIES=$series "$@" &>"$SAID" || fail "with $series: $(tail -n 60 "$SAID")"
		tried=$((tried + 1))
	done
	((tried > 0)) || skip "no other series that is supported is offered now"
}

test_builds() {
	with_each scripts/build --kernel distro
}

# The last line says how many packets were lost, which must be none.
test_the_demo_of_a_failover() {
	with_each make KERNEL=distro demo-ethernet
	has '^PASSED' <"$SAID" || fail "$(<"$SAID")"
}

ktap_main "$@"
