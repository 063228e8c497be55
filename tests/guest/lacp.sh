#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 1500
# parts: 2
#
# 802.3ad: two bonds that are cabled to each other, and a bond with a partner that does what a test
# tells it. Times are those of packets, taken by the kernel. lacp_conformance.sh goes on with the
# standard.

. "${BASH_SOURCE[0]%/*}/lacp/partner.sh"

# -- two bonds -----------------------------------------------------------------------------

test_two_bonds() {
	cable a0 b0
	bond a0 b0
	bond_of_peer a0 b0
	wait_for 10 "both slaves to carry traffic" is_carried a0 b0
	has_carrier b7
	ping_peer
	is "$(option b7 ad_num_ports) $(option b7 ad_aggregator)" "2 1"
	is "$(option b7 ad_partner_mac)" "$(ip -n peer -j link show b8 | jq -r '.[0].address')"
	is "$(option b7 ad_actor_key)" "$(option b7 ad_partner_key)"
	wait_for 5 "both ends to say all" says_all
	is "$(link_json b7 '.linkinfo.info_data.ad_info | [.aggregator, .num_ports]')" "[1,2]"
	is "$(link_json a0 '.linkinfo.info_slave_data | [.state, .ad_aggregator_id, .ad_actor_oper_port_state]')" \
		"[\"ACTIVE\",1,$FULL]"
	[[ -z $(unused a0) ]]
	events | has "a0 carries traffic in aggregator 1"
	ip stats show dev b7 group xstats subgroup bond >"$WORK/xstats"
	(($(awk '/LACPDU Rx/ { print $3 }' "$WORK/xstats") >= 4)) || fail "$(<"$WORK/xstats")"
	has "LACPDU Illegal Rx 0" <"$WORK/xstats"
}

says_all() {
	is_full() {
		echo "$1: $(slave_attribute a0 "$1")"
		[[ $(slave_attribute a0 "$1") == "$FULL" ]]
	}
	is_full ad_actor_oper_port_state && is_full ad_partner_oper_port_state
}

test_a_cut_cable_moves_the_traffic() {
	cable a0 b0
	bond a0 b0
	bond_of_peer a0 b0
	wait_for 10 "both slaves to carry traffic" is_carried a0 b0
	ping_peer
	LINK_KIND=veth
	stream_start
	cut_link a0
	wait_for 10 "b0 to carry all traffic" is_carried b0
	stream_more 50
	mend_link a0
	wait_for 10 "both slaves to carry traffic" is_carried a0 b0
	cut_link b0
	wait_for 10 "a0 to carry all traffic" is_carried a0
	stream_more 50
	stream_stop
	has_carrier b7
	# A veth that is set down drops what it is given meanwhile.
	((lost <= cut_ms + 2)) || fail "$lost packets were lost; the cuts took $cut_ms ms"
	cut_link a0
	wait_for 10 "the bond to lose its carrier" no_carrier b7
	wait_for 10 "the reason to be told" unused_because a0 "the link is down"
}

# A bond that is set down says so: its partner stops at once, and not after 90 seconds.
test_each_end_tells_the_other() {
	OPTIONS=(lacp_rate slow)
	cable a0 b0
	bond a0 b0
	OPTIONS=()
	bond_of_peer a0 b0
	ip -n peer link set b8 down
	ip -n peer link set b8 type bond lacp_rate slow
	ip -n peer link set b8 up
	wait_for 10 "both slaves to carry traffic" is_carried a0 b0
	ip -n peer link set b8 down
	wait_for 5 "b7 to hear that b8 is down" no_carrier b7
	has_carrier a0
	ip -n peer link set b8 up
	wait_for 10 "both slaves to carry traffic" is_carried a0 b0
}

test_a_slave_joins_later() {
	local name
	cable a0 b0
	bond a0
	ip -n peer link add b8 type bond mode 802.3ad lacp_rate fast
	for name in a0 b0; do
		ip -n peer link set ${name}p down
		ip -n peer link set ${name}p master b8
	done
	ip -n peer link set b8 up
	wait_for 10 "a0 to carry the traffic" is_carried a0
	enslave b7 b0
	wait_for 10 "b0 to join" is_carried a0 b0
	ip link set b0 nomaster
	is_carried a0
}

# -- a partner that does what it is told ---------------------------------------------------------

test_what_is_said() {
	prepare a0
	says a0 state=$FULL
	wait_for 10 "a0 to carry traffic" is_carried a0
	is "$(last a0 2)" "$(link_address a0)" "source of LACPDUs"
	is "$(last a0 3)" "$(hwaddr b7)" "system"
	wait_for 5 "a0 to say all" announces a0 $FULL 255
	is "$(last a0 4) $(last a0 5) $(last a0 6)" "15 255 1" "key, priority, port"
	is "$(last a0 8) $(last a0 9) $(last a0 10) $(last a0 11) $(last a0 12)" "02:00:00:00:00:aa 7 200 1 $FULL"
	# What is changed is said at once.
	set_option b7 ad_actor_system 02:00:00:00:00:77
	wait_for 1 "the new system to be said" said 3 02:00:00:00:00:77
	set_option b7 ad_actor_system 00:00:00:00:00:00
	ip link set b7 address 02:00:00:00:00:78
	wait_for 3 "the new address to be said" said 3 02:00:00:00:00:78
	ip link set b7 down
	wait_for 1 "the last word" announces a0 0 $((SYNC | COLLECTS | DISTRIBUTES))
	set_option b7 lacp_rate slow
	set_option b7 ad_user_port_key 5
	ip link set b7 up
	wait_for 3 "the new key to be said" said 4 $((5 * 64 + 15))
	wait_for 3 "the slow rate to be said" announces a0 0 $SHORT
}

# The times of the Receive machine: 3 s of silence, 3 more, and any LACPDU.
test_a_partner_that_falls_silent() {
	local silent expired defaulted
	prepare a0
	says a0 state=$FULL
	wait_for 10 "a0 to carry traffic" is_carried a0
	silent=$((${EPOCHREALTIME/./} / 1000))
	says a0 every=0 answers=no
	wait_for 20 "a0 to give up" announces a0 $DEFAULTED $((EXPIRED | DEFAULTED))
	expired=$(first $EXPIRED $silent) defaulted=$(first $DEFAULTED $silent)
	echo "silent at $silent, expired at $expired, defaulted at $defaulted"
	((expired - silent >= 2900 && expired - silent <= 3000 + 1500 * KTAP_PATIENCE)) ||
		fail "expired after $((expired - silent)) ms"
	((defaulted - expired >= 2900 && defaulted - expired <= 3000 + 1500 * KTAP_PATIENCE)) ||
		fail "defaulted $((defaulted - expired)) ms later"
	wait_for 10 "a0 to carry traffic without a partner" is_carried a0
	events | has "a0 carries traffic without an LACP partner"
	says a0 every=1000 answers=yes
	wait_for 10 "a0 to know its partner again" announces a0 0 $((EXPIRED | DEFAULTED))
	wait_for 10 "a0 to carry traffic" is_carried a0
}

# A partner that goes out of sync, or that stops receiving, is sent nothing more.
test_a_partner_out_of_sync() {
	prepare a0 b0
	says a0 state=$FULL
	says b0 state=$FULL
	wait_for 10 "both slaves to carry traffic" is_carried a0 b0
	says a0 state=$((FULL & ~SYNC))
	wait_for 1 "a0 to stop" is_carried b0
	wait_for 1 "a0 to say that it has stopped" announces a0 $SYNC $((SYNC | COLLECTS | DISTRIBUTES))
	wait_for 1 "the reason" unused_because a0 "the partner is not in sync"
	says a0 state=$FULL
	wait_for 5 "both slaves to carry traffic" is_carried a0 b0
}

test_independent_control() {
	OPTIONS=(coupled_control off)
	prepare a0
	OPTIONS=()
	says a0 state=$((FULL & ~COLLECTS & ~DISTRIBUTES))
	wait_for 10 "a0 to receive only" announces a0 $((SYNC | COLLECTS)) $((SYNC | COLLECTS | DISTRIBUTES))
	is_carried
	unused_because a0 "the partner does not receive yet"
	says a0 state=$FULL
	wait_for 3 "a0 to send" announces a0 $((SYNC | COLLECTS | DISTRIBUTES)) $((SYNC | COLLECTS | DISTRIBUTES))
	is_carried a0
	says a0 state=$((FULL & ~COLLECTS))
	wait_for 3 "a0 to stop sending" announces a0 $((SYNC | COLLECTS)) $((SYNC | COLLECTS | DISTRIBUTES))
}

test_reasons() {
	prepare a0 b0 c0
	says a0 state=$FULL
	says b0 state=$FULL key=8
	says c0 state=$FULL system=02:00:00:00:00:bb
	wait_for 10 "a0 to carry traffic" is_carried a0
	wait_for 10 "the reason of b0" unused_because b0 "its partner's key differs"
	wait_for 10 "the reason of c0" unused_because c0 "its partner is another system"
	says b0 state=$((FULL & ~AGGREGATES)) key=7
	wait_for 10 "the reason of b0" unused_because b0 "the partner does not aggregate its port"
	wait_for 10 "the history" history_has "b0 carries no traffic: the partner does not aggregate its port"
	says b0 state=$FULL key=7
	says c0 state=$FULL system=02:00:00:00:00:aa
	wait_for 10 "all to carry traffic" is_carried a0 b0 c0
}

test_carrier_and_min_links() {
	OPTIONS=(min_links 2)
	prepare a0 b0
	OPTIONS=()
	says b0 state=$((FULL & ~SYNC))
	says a0 state=$FULL
	wait_for 10 "a0 to carry traffic" is_carried a0
	no_carrier b7
	says b0 state=$FULL
	wait_for 10 "the bond to have carrier" has_carrier b7
	says b0 state=$((FULL & ~SYNC))
	wait_for 3 "the bond to lose its carrier" no_carrier b7
	set_option b7 min_links 1
	has_carrier b7
}

# At most three LACPDUs leave in any second, whatever is heard; and the last word is said.
test_a_flood_is_answered_within_limits() {
	prepare a0
	says a0 state=$FULL every=0
	wait_for 10 "a0 to carry traffic" is_carried a0
	says a0 flood 200
	wait_for 10 "a0 to answer the flood" said_from 11 1000
	says a0 state=$FULL
	wait_for 10 "a0 to know the last port" said 11 1
	heard a0 | awk '{ time[NR] = $1; if (NR > 3 && $1 - time[NR - 3] < 995) { print "4 in " $1 - time[NR - 3] " ms"; bad = 1 } }
		END { exit bad }' || fail "more than three LACPDUs in a second"
	wait_for 10 "a0 to carry traffic" is_carried a0
}

# Two slaves of a bond that are cabled to each other, and a slave that hears what it sends.
test_a_loop() {
	ip link add a0 type veth peer name b0
	bond a0 b0
	wait_for 5 "the reason" unused_because a0 "it hears this bond itself"
	wait_for 5 "the messages" loop_is_told
}

# Once by each end when it happens, and once for each that carries no traffic because of it.
loop_is_told() {
	local count
	count=$(kmsg | grep -c "hears this bond itself; look for a loop")
	echo "$count messages"
	((count >= 2 && count <= 4))
}

test_malformed() {
	local pdu good
	prepare a0
	says a0 state=$FULL
	wait_for 10 "a0 to carry traffic" is_carried a0
	# Version 2, port 9 of the same system.
	good=01020114""00010200000000aa""000700c80009$(printf '%02x' $FULL)000000
	good+=0214$(printf '%036d' 0)0310$(printf '%0188d' 0)
	# Too short; a wrong type; a wrong length; a Marker of an unknown kind; another slow protocol.
	for pdu in 0101 01010214 01010113 020103 0301; do
		pdu=$pdu$(printf '%0220d' 0)
		says a0 frame "${pdu::220}"
	done
	says a0 frame "${good::40}"
	wait_for 3 "the counters" illegal_are 4 1 1
	is_carried a0
	# A later version with more behind it is read as version 1.
	says a0 every=0 answers=no
	says a0 frame "$good"
	wait_for 5 "a0 to know the port" said 11 9
}

illegal_are() {
	ip stats show dev a0 group xstats_slave subgroup bond >"$WORK/xstats"
	cat "$WORK/xstats"
	[[ $(awk '/Illegal/ { print $4 }' "$WORK/xstats") == "$1" &&
		$(awk '/Marker unknown/ { print $5 }' "$WORK/xstats") == "$2" &&
		$(awk '/LACPDU Unknown/ { print $5 }' "$WORK/xstats") == "$3" ]]
}

test_a_marker_is_answered() {
	prepare a0
	says a0 state=$FULL
	wait_for 10 "a0 to carry traffic" is_carried a0
	# Information of port 0x1234, system 02:00:00:00:00:99, transaction 0xcafe0001.
	says a0 frame "0201011012340200000000""99cafe0001$(printf '%0188d' 0)"
	wait_for 3 "the answer" marker_answered
}

marker_answered() {
	grep " other " $PARTNER/heard
	grep -q "a0p $(link_address a0) other 0201021012340200000000""99cafe0001" $PARTNER/heard
}

# A slave that is released first has its partner stop.
test_a_release_loses_nothing() {
	local direction
	for direction in stream_start stream_start_inbound; do
		cable a0 b0
		bond a0 b0
		bond_of_peer a0 b0
		wait_for 10 "both slaves to carry traffic" is_carried a0 b0
		ping_peer
		$direction
		ip link set a0 nomaster
		stream_more 50
		ip link set a0 master b7
		wait_for 10 "both slaves to carry traffic" is_carried a0 b0
		ip link set b0 nomaster
		stream_more 50
		stream_stop
		is "$lost" 0 "packets lost ($direction)"
		teardown
	done
}

# A partner that does not stop holds up a release for less than half a second.
test_a_release_does_not_wait_for_long() {
	local begin
	prepare a0
	says a0 state=$FULL
	wait_for 10 "a0 to carry traffic" is_carried a0
	says a0 answers=no every=0
	begin=${EPOCHREALTIME/./}
	ip link set a0 nomaster
	((${EPOCHREALTIME/./} - begin < 700000 * KTAP_PATIENCE)) || fail "it took $(((${EPOCHREALTIME/./} - begin) / 1000)) ms"
}

test_a_last_word_when_a_slave_leaves() {
	prepare a0 b0
	says a0 state=$FULL
	says b0 state=$FULL
	wait_for 10 "both slaves to carry traffic" is_carried a0 b0
	ip link set a0 nomaster
	wait_for 1 "the last word of a0" announces a0 0 $((SYNC | COLLECTS | DISTRIBUTES))
	! grep -q 01:80:c2:00:00:02 <(ip maddress show dev a0) || fail "a0 still hears slow protocols"
	ip link delete b7
	wait_for 1 "the last word of b0" announces b0 0 $((SYNC | COLLECTS | DISTRIBUTES))
}

ktap_main "$@"
