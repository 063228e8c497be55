#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# modules: ours intree
# guest: --icount
# timeout: 300
#
# RDMA over Converged Ethernet with a bond: ib_core looks into the bonding driver to keep
# its table of GIDs, the addresses of an RDMA port, and moves them when the bond fails over.

. "${BASH_SOURCE[0]%/*}/bond.sh"

INFINIBAND=/sys/class/infiniband
# A GID is an IPv6 address: an IPv4 address mapped into one, an IPv6 address as it is, and a
# link-local one from the hardware address.
MAPPED=0000:0000:0000:0000:0000:ffff
OUR_GID4=$MAPPED:c000:0201
PEER_GID4=$MAPPED:c000:0202
OUR_GID6=2001:0db8:0000:0000:0000:0000:0000:0001
HARDWARE_GID=fe80:0000:0000:0000:0000:00ff:fe00

setup() {
	loaded || modprobe bonding max_bonds=0
	modprobe rdma_rxe
	# Those of the last case went with their links.
	wait_for 10 "no RDMA device to be left" no_rdma_device
	make_links veth a0 b0
}

no_rdma_device() {
	[[ -z $(ls $INFINIBAND) ]]
}

make_rdma_bond() {
	make_bond b7 mode active-backup miimon 100 "$@"
	enslave b7 a0 b0
	rdma link add rxe0 type rxe netdev b7
}

# read_gids DEVICE: sets the array gids to what its table holds, each as "GID of LINK".
read_gids() {
	local index gid link
	gids=()
	for index in {0..7}; do
		read -r gid <"$INFINIBAND/$1/ports/1/gids/$index"
		[[ $gid != 0000:0000:0000:0000:0000:0000:0000:0000 ]] || continue
		# It may have gone between the one and the other.
		read -r link 2>/dev/null <"$INFINIBAND/$1/ports/1/gid_attrs/ndevs/$index" || continue
		gids+=("$gid of $link")
	done
}

# has_gid DEVICE GID: of b7, or of the link that is the third argument.
has_gid() {
	local gids
	read_gids "$1"
	[[ " ${gids[*]} " == *" $2 of ${3-b7} "* ]]
}

has_no_gid() {
	local gids
	read_gids "$1"
	[[ " ${gids[*]} " != *" $2 of "* ]]
}

has_our_gids() {
	has_gid "$1" $OUR_GID4 && has_gid "$1" $OUR_GID6
}

has_none_of_our_gids() {
	has_no_gid "$1" $OUR_GID4 && has_no_gid "$1" $OUR_GID6
}

# fail_over: a0 has been active, and loses its cable.
fail_over() {
	active b7 a0
	cut_link a0
	wait_for 10 "b0 to be active" active b7 b0
}

test_gids_follow_the_addresses() {
	make_rdma_bond
	wait_for 10 "the GIDs of the bond" has_our_gids rxe0
	wait_for 10 "the GID of the hardware address" has_gid rxe0 $HARDWARE_GID:000a
	ip address add 198.51.100.1/24 dev b7
	wait_for 10 "a GID for a new address" has_gid rxe0 $MAPPED:c633:6401
	ip address delete $OUR4/24 dev b7
	wait_for 10 "the GID of a deleted address to go" has_no_gid rxe0 $OUR_GID4
	has_gid rxe0 $OUR_GID6
}

test_gids_after_a_failover() {
	make_rdma_bond
	wait_for 10 "the GIDs of the bond" has_our_gids rxe0
	fail_over
	has_our_gids rxe0
	wait_for 10 "the GID of the hardware address" has_gid rxe0 $HARDWARE_GID:000a
}

test_gids_follow_the_hardware_address() {
	make_rdma_bond
	wait_for 10 "the GID of the hardware address" has_gid rxe0 $HARDWARE_GID:000a
	ip link set b7 address 02:00:00:00:07:07
	wait_for 10 "the GID of the new hardware address" has_gid rxe0 $HARDWARE_GID:0707
	has_our_gids rxe0
}

test_gids_with_fail_over_mac_active() {
	make_rdma_bond fail_over_mac active
	wait_for 10 "the GID of a0's hardware address" has_gid rxe0 $HARDWARE_GID:000a
	fail_over
	wait_for 10 "the bond to have b0's address" has_address b7 02:00:00:00:00:0b
	# ib_core makes no GID of b0's hardware address; the link-local address is still a0's.
	wait_for 10 "the GID of the link-local address" has_gid rxe0 $HARDWARE_GID:000a
	has_our_gids rxe0
	has_no_gid rxe0 $HARDWARE_GID:000b
}

# RDMA on the slaves themselves: the bond's addresses are with the active one.
test_gids_move_to_the_active_slave() {
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0
	rdma link add rxea type rxe netdev a0
	rdma link add rxeb type rxe netdev b0
	wait_for 10 "a0 to have the bond's GIDs" has_our_gids rxea
	has_none_of_our_gids rxeb
	fail_over
	wait_for 10 "b0 to have the bond's GIDs" has_our_gids rxeb
	wait_for 10 "a0 to have them no longer" has_none_of_our_gids rxea
	mend_link a0
	wait_for 10 "a0 to be up" mii_status a0 up
	ip link set b7 type bond active_slave a0
	wait_for 10 "a0 to have them again" has_our_gids rxea
	wait_for 10 "b0 to have them no longer" has_none_of_our_gids rxeb
}

test_gids_go_with_the_bond() {
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0
	rdma link add rxea type rxe netdev a0
	wait_for 10 "a0 to have the bond's GIDs" has_our_gids rxea
	ip link delete b7
	wait_for 10 "a0 to have the bond's GIDs no longer" has_none_of_our_gids rxea
}

# -- traffic ----------------------------------------------------------------------------

# The peer's end is the bridge, whose hardware address would change with its ports.
make_rdma_peer() {
	ip -n peer link set br0 address 02:00:00:00:00:02
	in_peer rdma link add rxe1 type rxe netdev br0
	wait_for 10 "the peer's GID" has_gid rxe1 $PEER_GID4 br0
	wait_for 10 "the GIDs of the bond" has_our_gids rxe0
	wait_for 10 "the peer to answer" ping_peer
}

listens() {
	in_peer rdma resource show cm_id | grep -q LISTEN
}

rdma_server() {
	rping -h &>/dev/null || :	# fetches it, and says how to use it
	in_peer rping -s -a $PEER4 "$@" &>"$WORK/server" &
	rdma_server=$!
	wait_for 10 "the RDMA server to listen" listens
}

# rdma_ping: connects, has three messages exchanged by RDMA reads and writes, and ends.
rdma_ping() {
	rdma_server -C 3
	timeout 60 rping -c -a $PEER4 -C 3 -v >"$WORK/client"
	wait $rdma_server
	is "$(grep -c '^ping data: rdma-ping-' "$WORK/client")" 3 "number of answers"
}

test_connect_before_and_after_a_failover() {
	make_rdma_bond
	make_rdma_peer
	rdma_ping
	fail_over
	wait_for 10 "the peer to answer again" ping_peer
	rdma_ping
}

ktap_main "$@"
