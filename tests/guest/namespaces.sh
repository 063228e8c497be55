#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 600
#
# Every network namespace has its own bonds, and takes them with it.

. "${BASH_SOURCE[0]%/*}/bond.sh"

setup() {
	loaded || modprobe bonding max_bonds=0
	! exists bond0 || ip link delete bond0
}

# in_ns COMMAND...: runs it in namespace n1, with that namespace's sysfs.
in_ns() {
	ip netns exec n1 "$@"
}

test_own_list_of_bonds() {
	ip netns add n1
	ip link add b7 type bond
	in_ns sh -c "echo +b8 > $SYSFS/bonding_masters"
	ip -n n1 link add b9 type bond
	is "$(cat $SYSFS/bonding_masters)" b7
	is "$(in_ns cat $SYSFS/bonding_masters)" "b8 b9"
	is "$(in_ns ls /proc/net/bonding | xargs)" "b8 b9"
	is "$(ls /proc/net/bonding)" b7
}

test_same_name_in_two_namespaces() {
	ip netns add n1
	ip link add b7 type bond mode active-backup
	ip -n n1 link add b7 type bond
	is "$(option b7 mode)" "active-backup 1"
	is "$(in_ns cat $SYSFS/b7/bonding/mode)" "balance-rr 0"
	grep -q active-backup /proc/net/bonding/b7
	in_ns grep -q round-robin /proc/net/bonding/b7
}

test_masters_of_another_namespace_are_out_of_reach() {
	ip netns add n1
	ip -n n1 link add b8 type bond
	fails_with "No such device" put -b8 $SYSFS/bonding_masters
	in_ns test -e $SYSFS/b8
}

test_a_bond_cannot_move() {
	ip netns add n1
	ip link add b7 type bond
	refused "netns is immutable" ip link set b7 netns n1
	unmoved
}

test_slave_of_another_namespace() {
	ip netns add n1
	ip -n n1 link add d1 type dummy
	ip link add b7 type bond
	refused "No such device" put +d1 $SYSFS/b7/bonding/slaves
	unmoved
}

test_a_slave_moves_away() {
	ip netns add n1
	ip link add b7 type bond mode active-backup miimon 100
	ip link add d1 type dummy
	ip link add d2 type dummy
	enslave b7 d1 d2
	ip link set d1 netns n1
	is "$(option b7 slaves)" d2
	active b7 d2
	is "$(ip -n n1 -j link show d1 | jq -r '.[0].flags | contains(["SLAVE"])')" false
}

test_namespace_goes_with_its_bonds() {
	local before
	before=$(references)
	ip netns add n1
	ip -n n1 link add b8 type bond mode active-backup miimon 100
	ip -n n1 link add d1 type dummy
	ip -n n1 link add v1 type veth peer name v1p
	ip -n n1 link set d1 master b8
	ip -n n1 link set v1 master b8
	ip -n n1 link set b8 up
	ip netns del n1
	wait_for 10 "the veth pair of the namespace to be gone" gone v1p
	is "$(references)" "$before" "reference count"
	unload
	modprobe bonding max_bonds=0
}

test_physical_device_returns_when_its_namespace_dies() {
	ip netns add n1
	make_netdevsim a0
	ip link set a0 netns n1
	ip -n n1 link add b8 type bond mode active-backup miimon 100
	ip -n n1 link set a0 master b8
	ip netns del n1
	wait_for 10 "a0 to come back" exists a0
	is "$(link_json a0 '.master // "none"')" none
}

test_rmmod_with_bonds_in_namespaces() {
	ip netns add n1
	ip netns add n2
	ip -n n1 link add b8 type bond
	ip -n n2 link add b8 type bond
	ip link add b7 type bond
	rmmod bonding
	fails_with "does not exist" ip -n n1 link show b8
	in_ns test ! -e $SYSFS/bonding_masters
	modprobe bonding max_bonds=1
	is "$(cat $SYSFS/bonding_masters)" bond0
	is "$(in_ns cat $SYSFS/bonding_masters)" ""
}

test_unprivileged_user_owns_bonds_of_his_namespace() {
	# Root of a user namespace has no privileges outside: he may make bonds in his own network
	# namespace only.
	ip link add b7 type bond mode active-backup
	setpriv --reuid 65534 --regid 65534 --clear-groups \
		unshare --user --map-root-user --net --mount sh -ec '
		ip link add b8 type bond mode active-backup
		ip link add d1 type dummy
		ip link set d1 master b8
		test -e /sys/class/net/b7
		if echo 100 2>/dev/null >/sys/class/net/b7/bonding/miimon; then
			echo "he has set an option of a bond that is not his"
			exit 1
		fi
		mount -t sysfs none /sys
		test "$(cat /sys/class/net/b8/bonding/mode)" = "active-backup 1"
		echo 100 >/sys/class/net/b8/bonding/miimon
		test "$(cat /sys/class/net/b8/bonding/miimon)" = 100'
	is "$(option b7 miimon)" 0 "miimon of the bond outside"
}

ktap_main "$@"
