#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# On a machine that has just booted: three bonds of three programs are up, by themselves, with the driver that
# is expected.
#   look.sh ours|in-tree RELEASE

. "${BASH_SOURCE[0]%/*}/../../ktap.sh"
EXPECTED=$1 RELEASE=$2
shift 2

setup() {
	[[ $(uname -r) == "$RELEASE" ]] || fail "the kernel is $(uname -r), not $RELEASE"
}

has_two_slaves() { # BOND ADDRESS
	local slaves
	slaves=$(<"/sys/class/net/$1/bonding/slaves") || return 1
	[[ $(wc -w <<<"$slaves") == 2 && $(<"/sys/class/net/$1/bonding/mii_status") == up ]] || return 1
	[[ -n $(<"/sys/class/net/$1/bonding/active_slave") ]] || return 1
	[[ $(ip -4 -o address show dev "$1") == *" $2/24 "* ]]
}

test_bond_of_ifupdown() { wait_for 120 "bond0 with its slaves and its address" has_two_slaves bond0 192.0.2.10; }
test_bond_of_networkd() { wait_for 120 "bond1 with its slaves and its address" has_two_slaves bond1 192.0.2.11; }
test_bond_of_NetworkManager() { wait_for 120 "bond2 with its slaves and its address" has_two_slaves bond2 192.0.2.12; }

test_the_driver_that_runs() {
	local file bond
	file=$(modinfo -n bonding)
	for bond in bond0 bond1 bond2; do
		ethtool -i $bond | has '^driver: bonding$'
	done
	case $EXPECTED in
	ours)
		[[ $file == */updates/* ]] || fail "modprobe takes $file"
		[[ $(</sys/module/bonding/taint) == *O* ]] || fail "the driver that runs is not ours"
		(($(</proc/sys/kernel/tainted) & 4096))
		[[ -e /sys/class/net/bond0/bonding/link_events ]]
		;;
	in-tree)
		[[ $file == */kernel/drivers/net/bonding/* ]] || fail "modprobe takes $file"
		[[ -z $(</sys/module/bonding/taint) ]] || fail "the driver that runs is not the kernel's own"
		(($(</proc/sys/kernel/tainted) == 0))
		;;
	esac
}

ktap_main "$@"
