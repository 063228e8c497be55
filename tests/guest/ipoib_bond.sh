# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What tests of bonds over IPoIB interfaces share: b7 over a0 and b0, its multicast groups, and the
# signs of a failover. A test file sources this, which sources ipoib.sh.

. "${BASH_SOURCE[0]%/*}/ipoib.sh"

# make_ib_bond OPTION...: b7 over a0 and b0, up, with its addresses; returns when the peer answers.
make_ib_bond() {
	load max_bonds=0
	make_fabric
	make_bond b7 mode active-backup miimon 100 "$@"
	enslave b7 a0
	# Chance decides which of two ports joins its groups first.
	wait_for 20 "a0 to be active" active b7 a0
	enslave b7 b0
	wait_for 20 "b0 to be up" mii_status b0 up
	b7_works
}

b7_works() {
	wait_for 20 "carrier of b7" has_carrier b7
	# The in-tree driver loses IPv6 addresses when the first slave comes.
	ours || ip address replace $OUR6/64 dev b7 nodad
	peer_answers $PEER4
	peer_answers $PEER6
}

both_up() {
	mii_status a0 up && mii_status b0 up
}

has_mtu() {
	[[ $(cat "$SYSFS/$1/mtu") == "$2" ]]
}

# -- multicast groups -------------------------------------------------------------------

broadcast() {
	cat "$SYSFS/$1/broadcast"
}

# groups_of DEVICE: the link addresses of its multicast groups.
groups_of() {
	awk -v dev="$1" '$2 == dev { print $5 }' /proc/net/dev_mcast | sort
}

is_member() {
	groups_of "$1" | has -ix "$2"
}

# The link addresses of all-hosts, all-nodes and our solicited node, in partition $1.
groups_of_partition() {
	echo "00ffffffff12401b${1}00000000000000000001"
	echo "00ffffffff12601b${1}00000000000000000001"
	echo "00ffffffff12601b${1}000000000001ff000001"
}

has_all_groups() {
	local group
	for group in $(groups_of_partition "${2-ffff}"); do
		is_member "$1" "$group" || {
			echo "$1 is no member of $group, but of: $(groups_of "$1" | xargs)"
			return 1
		}
	done
}

# No group has an address of another link type.
has_no_foreign_groups() {
	groups_of "$1" | lacks -v '^00ffffffff12[0-9a-f]\{28\}$'
}

# -- failover -----------------------------------------------------------------------------

# fails_over FROM TO: waits until TO is active and the peer answers over it.
fails_over() {
	wait_for 10 "$2 to be active" active b7 "$2"
	wait_for 10 "the address of $2" has_address b7 "$(hwaddr "$2")"
	peer_answers $PEER4
	peer_answers $PEER6
	wait_for 10 "the peer to know the new address" peer_knows "$(hwaddr "$2")"
}

peer_knows() {
	in_peer ip neighbour show $OUR4 dev p0 | has -i "$1"
}
