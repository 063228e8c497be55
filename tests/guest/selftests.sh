#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# modules: ours intree
# guest: --icount
# timeout: 1200
#
# The kernel's own tests of the bonding driver, as they come with the kernel's source.

. "${BASH_SOURCE[0]%/*}/bond.sh"

KERNEL_TESTS=/usr/src/linux/tools/testing/selftests/drivers/net/bonding

# A skip of theirs means that this guest lacks something: a failure here.
kernel_test() {
	loaded || modprobe bonding
	"$KERNEL_TESTS/$1" || fail "$1 ended with status $?"
}

test_bond_eth_type_change() {
	kernel_test bond-eth-type-change.sh
}

test_bond_lladdr_target() {
	kernel_test bond-lladdr-target.sh
}

test_bond_vlan_real_dev() {
	kernel_test bond_vlan_real_dev.sh
}

test_mode_1_recovery_updelay() {
	kernel_test mode-1-recovery-updelay.sh
}

ktap_main "$@"
