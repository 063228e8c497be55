#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --cpus 2
# kernels: debug
#
# Lockdep can tell the driver's locks apart: each has a class of its own, with its name. Lockdep
# learns the order of locks per class, so if two locks share a class, a wrong order stays hidden,
# and a right one looks wrong.

. "${BASH_SOURCE[0]%/*}/bond.sh"

LOCKS=(Bond::balancer Bond::clients Bond::config Bond::counted Bond::lacp Bond::lookups History::ring Poller::work Slave::counted
	Slave::lacp Slave::port States::moving States::nodes Master::work)

setup() {
	ours_only "names its locks otherwise"
	loaded || modprobe bonding max_bonds=0
	# lower1 and lower2 are bonds of two ports each, and slaves of upper.
	for bond in lower1 lower2; do
		ip link add $bond type bond mode active-backup arp_interval 100 arp_ip_target 192.0.2.2 \
			arp_validate all
		for port in 0 1; do
			ip link add ${bond}p$port type dummy
			ip link set ${bond}p$port master $bond
		done
	done
	ip link add upper type bond mode active-backup miimon 10
	ip link set lower1 master upper
	ip link set lower2 master upper
	ip link set upper up
	ip link add lacp type bond mode 802.3ad
	ip link add lacpp0 type dummy
	ip link set lacpp0 master lacp
	ip link set lacp up
	ip link add alb type bond mode balance-alb
	ip link add albp0 type dummy
	ip link set albp0 master alb
	ip link set alb up
}

teardown() {
	ip link delete lacp
	ip link delete lacpp0
	ip link delete alb
	ip link delete albp0
	ip link delete upper
	ip link delete lower1
	ip link delete lower2
	for port in lower{1,2}p{0,1}; do
		ip link delete $port
	done
}

# classes: what lockdep knows by these names, each as "KEY NAME". If two classes have the same name,
# the second one is shown with "#2" behind it; each level of a nested lock has "/LEVEL".
classes() {
	local names
	names=$(printf '|%s' "${LOCKS[@]}")
	sed -nE "s,^([0-9a-f]+) .*: ((${names#|})(#[0-9]+)?(/[0-9]+)?)\$,\1 \2,p" /proc/lockdep
}

# Takes every lock: reading statistics takes the nested ones, and a slave that leaves takes those of
# IPsec.
use_all_locks() {
	ip -s link show dev upper >/dev/null
	ip link set lower1p0 nomaster
	cat /proc/net/bonding/upper /sys/kernel/debug/bonding/*/events >/dev/null
}

all_are_known() {
	[[ $(classes | cut -d ' ' -f 2 | sed -E 's,[#/].*,,' | sort -u | wc -l) == "${#LOCKS[@]}" ]]
}

test_each_lock_has_a_class_of_its_own() {
	use_all_locks
	wait_for 10 "all locks to be used" all_are_known || fail "$(classes)"
	if classes | grep '#' >"$WORK/twice"; then fail "$(cat "$WORK/twice")"; fi
	is "$(classes | cut -d ' ' -f 1 | sort | uniq -d)" "" "a key of two classes"
}

# Two bonds on two levels take their locks with the upper one first; the slave's lock is inside.
test_the_statistics_lock_of_an_upper_bond_comes_first() {
	ip -s link show dev upper >/dev/null
	taken_inside Bond::counted/2 Bond::counted/1 || fail "never both at once"
	taken_inside Bond::counted/2 Slave::counted || fail "no lock of a slave of the upper one"
	taken_inside Bond::counted/1 Slave::counted || fail "no lock of a slave of the lower ones"
	if taken_inside Bond::counted/1 Bond::counted/2; then fail "the other way round"; fi
}

# taken_inside CLASS OTHER: OTHER has been taken while CLASS was held. (/proc/lockdep only shows
# which lock was taken next, and between two bonds that is RCU's.)
taken_inside() {
	awk -v class="$1" -v other="$2" '/^irq_context/ { held = 0 } held && $2 == other { found = 1 } $2 == class { held = 1 }
		END { exit !found }' /proc/lockdep_chains
}

ktap_main "$@"
