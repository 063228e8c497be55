#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# reference: intree
# guest: --icount
# timeout: 300
#
# RDMA over Converged Ethernet with a bond: ib_core looks into the bonding driver to maintain its
# table of GIDs, the addresses of an RDMA port, and moves them when the bond fails over.

. "${BASH_SOURCE[0]%/*}/bond.sh"

INFINIBAND=/sys/class/infiniband
# A GID is an IPv6 address. Each IPv4 address is mapped to one, each IPv6 address is used as it is,
# and a link-local one is derived from the hardware address.
MAPPED=0000:0000:0000:0000:0000:ffff
OUR_GID4=$MAPPED:c000:0201
PEER_GID4=$MAPPED:c000:0202
OUR_GID6=2001:0db8:0000:0000:0000:0000:0000:0001
HARDWARE_GID=fe80:0000:0000:0000:0000:00ff:fe00

setup() {
	loaded || modprobe bonding max_bonds=0
	modprobe rdma_rxe
	# The RDMA devices of the previous case disappeared with their links.
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

# read_gids DEVICE: sets the array gids to what the device's table holds, each as "GID of LINK".
read_gids() {
	local index gid link
	gids=()
	for index in {0..7}; do
		read -r gid <"$INFINIBAND/$1/ports/1/gids/$index"
		[[ $gid != 0000:0000:0000:0000:0000:0000:0000:0000 ]] || continue
		# The GID may have gone between the two reads.
		read -r link 2>/dev/null <"$INFINIBAND/$1/ports/1/gid_attrs/ndevs/$index" || continue
		gids+=("$gid of $link")
	done
}

# has_gid DEVICE GID [LINK]: the table holds this GID of b7, or of the link.
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

# fail_over: a0 is active, and its cable is cut.
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
	# ib_core makes no GID from b0's hardware address; the link-local address is still based on
	# a0's.
	wait_for 10 "the GID of the link-local address" has_gid rxe0 $HARDWARE_GID:000a
	has_our_gids rxe0
	has_no_gid rxe0 $HARDWARE_GID:000b
}

# RDMA on the slaves themselves: the active slave has the GIDs of the bond's addresses.
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

# The peer's end is the bridge, whose hardware address would otherwise change with its ports.
make_rdma_peer() {
	ip -n peer link set br0 address 02:00:00:00:00:02
	in_peer rdma link add rxe1 type rxe netdev br0
	wait_for 10 "the peer's GID" has_gid rxe1 $PEER_GID4 br0
	wait_for 10 "the GIDs of the bond" has_our_gids rxe0
	wait_for 10 "the peer to answer" ping_peer
}

listens() {
	in_peer rdma resource show cm_id | has LISTEN
}

rdma_server() {
	rping -h &>/dev/null || :	# fetches it, and says how to use it
	in_peer rping -s -a $PEER4 "$@" &>"$WORK/server" &
	rdma_server=$!
	wait_for 10 "the RDMA server to listen" listens
}

# rdma_ping: connects, exchanges three messages by RDMA reads and writes, and ends.
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

# -- a connection that goes on ---------------------------------------------------------------

# start_pings: a connection to the peer that exchanges one message after another until stop_pings;
# each is fetched, sent back and compared. The client is slow because the reader of its output is
# slow.
start_pings() {
	rping -h &>/dev/null || :	# fetches it, and says how to use it
	in_peer rping -s -a $PEER4 -V -S 1000 &>"$WORK/server" &
	wait_for 10 "the RDMA server to listen" listens_at $PEER4
	stdbuf -oL rping -c -a $PEER4 -V -v -S 1000 > >(read_slowly >"$WORK/client") 2>&1 &
	pings=$!
	more_answers 20
}

read_slowly() {
	local line
	while read -r line; do
		printf '%s\n' "$line"
		pause 0.01
	done
}

listens_at() {
	rdma resource show cm_id | has "LISTEN .*src-addr $1:" ||
		in_peer rdma resource show cm_id | has "LISTEN .*src-addr $1:"
}

answers() {
	grep -c '^ping data: rdma-ping-' "$WORK/client" || :
}

has_answers() {
	(($(answers) >= $1))
}

more_answers() {
	wait_for 60 "$1 more answers" has_answers $(($(answers) + $1))
}

# connection DEVICE: the queue pairs of working connections.
connection() {
	rdma resource show qp link "$1/1" | sed -n 's/.* lqpn \([0-9]*\) .* type RC state RTS .*/\1/p'
}

# stop_pings: no message is missing, none was answered twice, and neither end complained.
stop_pings() {
	kill -0 $pings || fail "the client has ended: $(tail -n 3 "$WORK/client")"
	kill $pings
	wait $pings || :
	# The last line may have been cut off.
	sed -n '$!s/^ping data: rdma-ping-\([0-9]*\): .*/\1/p' "$WORK/client" >"$WORK/numbers"
	cmp "$WORK/numbers" <(seq 0 $(($(wc -l <"$WORK/numbers") - 1)))
	lacks -i mismatch "$WORK/client" "$WORK/server"
	echo "$(wc -l <"$WORK/numbers") answers"
}

# fail_over_and_back MORE...: the cable is cut, mended, the other one cut, mended, and the bond
# switched by hand; after each step the command must succeed.
fail_over_and_back() {
	fail_over
	"$@"
	mend_link a0
	wait_for 10 "a0 to be up" mii_status a0 up
	cut_link b0
	wait_for 10 "a0 to be active" active b7 a0
	"$@"
	mend_link b0
	wait_for 10 "b0 to be up" mii_status b0 up
	set_option b7 active_slave b0
	"$@"
}

test_iwarp_connection_goes_on() {
	local connection
	modprobe siw
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0
	rdma link add siw0 type siw netdev b7
	in_peer rdma link add siw1 type siw netdev br0
	wait_for 10 "the peer to answer" ping_peer
	start_pings
	connection=$(connection siw0)
	[[ -n $connection ]]
	fail_over_and_back more_answers 20
	is "$(connection siw0)" "$connection" "queue pair of the connection"
	stop_pings
}

# own_rdma_ping DEVICE: a server on the bond's address, which must use that device; we connect to
# it.
own_rdma_ping() {
	local server
	rping -s -a $OUR4 -C 3 &>"$WORK/server" &
	server=$!
	wait_for 10 "the RDMA server to listen" listens_at $OUR4
	is "$(rdma resource show cm_id | sed -n 's,^link \(.*\)/.* LISTEN .*,\1,p')" "$1" "device of the listener"
	timeout 60 rping -c -a $OUR4 -C 3 -v >"$WORK/client"
	wait $server
	is "$(grep -c '^ping data: rdma-ping-' "$WORK/client")" 3 "number of answers"
	has_only_sent "$1"
}

# has_only_sent DEVICE: it has sent more than before, and the other device nothing.
has_only_sent() {
	local device sent
	# For 10 ms the kernel shows a counter as it was at the last read.
	pause 0.02
	for device in rxea rxeb; do
		sent=$(<"$INFINIBAND/$device/ports/1/hw_counters/rdma_sends")
		if [[ $device == "$1" ]]; then
			((sent > ${sent_by[$device]-0})) || fail "$device has sent nothing"
		else
			is "$sent" "${sent_by[$device]-0}" "messages sent by $device"
		fi
		sent_by[$device]=$sent
	done
}

# What rxe receives belongs to the device on which IP received it, and that is the bond: rxe on a
# slave hears only itself, so both ends of the connection are on this machine.
test_connect_on_the_active_slave() {
	local -A sent_by
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0
	rdma link add rxea type rxe netdev a0
	rdma link add rxeb type rxe netdev b0
	rping -h &>/dev/null || :	# fetches it, and says how to use it
	wait_for 10 "a0 to have the bond's GIDs" has_our_gids rxea
	own_rdma_ping rxea
	fail_over
	wait_for 10 "b0 to have the bond's GIDs" has_our_gids rxeb
	wait_for 10 "a0 to have them no longer" has_none_of_our_gids rxea
	own_rdma_ping rxeb
}

# gid_index DEVICE GID
gid_index() {
	grep -lx "$2" "$INFINIBAND/$1"/ports/1/gids/* | head -n 1 | sed 's:.*/::'
}

# start_ping_pong NUMBER: a connection that exchanges this many messages of 4096 bytes and compares
# all of them. It does not use the RDMA CM.
start_ping_pong() {
	ibv_rc_pingpong -h &>/dev/null || :
	in_peer ibv_rc_pingpong -d rxe1 -g "$(gid_index rxe1 $PEER_GID4)" -e -c -n "$1" &>"$WORK/server" &
	ping_server=$!
	wait_for 10 "the server to listen" peer_listens 18515
	ibv_rc_pingpong -d rxe0 -g "$(gid_index rxe0 $OUR_GID4)" -e -c -n "$1" $PEER4 &>"$WORK/client" &
	pings=$!
}

sends() {
	cat $INFINIBAND/rxe0/ports/1/hw_counters/rdma_sends
}

has_sent() {
	(($(sends) >= $1))
}

# ping_pong: exchanges 100 messages in full.
ping_pong() {
	start_ping_pong 100
	wait $pings || fail "the client: $(<"$WORK/client")"
	wait $ping_server || fail "the server: $(<"$WORK/server")"
	grep -q '^100 iters' "$WORK/client"
	lacks -i invalid "$WORK/client" "$WORK/server"
}

# This case comes last: rxe may keep the remains of a broken connection, and its device with them.
# At a failover ib_core deletes the GIDs of the bond and adds them again, also those of a device on
# the bond itself. A connection keeps the old GIDs, with which rxe no longer sends: a new connection
# is needed.
test_a_connection_is_made_anew() {
	make_rdma_bond
	make_rdma_peer
	start_ping_pong 100000
	wait_for 20 "messages" has_sent $(($(sends) + 50))
	fail_over
	wait_for 20 "the connection to end" has_ended $pings
	lacks -i invalid "$WORK/client" "$WORK/server"
	kill $ping_server
	wait $ping_server || :
	wait_for 10 "the GIDs of the bond" has_our_gids rxe0
	ping_pong
	mend_link a0
	wait_for 10 "a0 to be up" mii_status a0 up
	set_option b7 active_slave a0
	wait_for 10 "the GIDs of the bond" has_our_gids rxe0
	ping_pong
}

has_ended() {
	! kill -0 "$1"
}

ktap_main "$@"
