#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 900
# reference: intree
#
# Which slave balance-xor takes for a packet: the same one as the in-tree driver, for frames of all
# kinds (tests/tools/flows.c) and all values of xmit_hash_policy. The in-tree driver's transcripts
# were made by
#
#   scripts/guest --icount --module intree -- /project/tests/guest/hash.sh --record \
#       >tests/guest/reference/hash.txt
#
# Host tests (tests/policy/hash.rs) take their frames and hashes from the section known_answers
# there.

. "${BASH_SOURCE[0]%/*}/bond.sh"
. "${BASH_SOURCE[0]%/*}/reference/compare.sh"
. "${BASH_SOURCE[0]%/*}/ways.sh"

setup() {
	build flows xdp
	loaded || modprobe bonding max_bonds=0
	make_ways a0 b0 c0
	make_way_bond balance-xor a0 b0 c0
}

# policy NAME: sends all frames with this policy.
policy() {
	set_option b7 xmit_hash_policy "$1"
	ways 1 5 b7 1
}

transcript_layer2() {
	policy layer2
}

transcript_layer23() {
	policy layer2+3
}

transcript_layer34() {
	policy layer3+4
}

transcript_encap23() {
	policy encap2+3
}

transcript_encap34() {
	policy encap3+4
}

# A flow dissector program of the administrator has the last word on tunnels, and on other packets.
transcript_encap_with_a_program() {
	local policy
	for policy in encap2+3 encap3+4; do
		set_option b7 xmit_hash_policy $policy
		echo "-- $policy, with a program that finds nothing"
		xdp dissector on
		ways 1 5 b7 1 "${some_kinds[@]}"
		echo "-- $policy, without it"
		xdp dissector off
		ways 1 5 b7 1 "${some_kinds[@]}"
	done
}

transcript_vlan_srcmac() {
	policy vlan+srcmac
}

# Tags that a VLAN device puts beside the frame; the priority is part of the tag.
transcript_tags_beside_the_frame() {
	local policy vlan
	ip link add link b7 name v5 type vlan id 5
	ip link add link b7 name v4000 type vlan id 4000 egress-qos-map 0:3
	ip link set v5 up
	ip link set v4000 up
	for policy in vlan+srcmac layer2 layer2+3 layer3+4 encap2+3 encap3+4; do
		set_option b7 xmit_hash_policy $policy
		for vlan in v5 v4000; do
			echo "-- $policy, $vlan"
			ways 2 6 $vlan 1 arp tcp4 udp6 gre4 vlan_tcp4 qinq_tcp4
		done
	done
}

# Datagrams of sockets. encap3+4 uses the hash that the socket chose at random.
transcript_sockets() {
	local policy
	ip address add 198.51.100.1/24 dev b7
	ip address add 203.0.113.129/24 dev b7
	sysctl -qw net.ipv6.conf.b7.disable_ipv6=0 net.ipv6.conf.b7.accept_dad=0
	ip address add 2001:db8:7::1/64 dev b7 nodad
	for address in 198.51.100.2 203.0.113.7 2001:db8:7::99; do
		ip neigh add $address lladdr 02:00:00:00:05:3b dev b7 nud permanent
	done
	for policy in layer2 layer2+3 layer3+4 encap2+3 vlan+srcmac; do
		echo "-- $policy"
		set_option b7 xmit_hash_policy $policy
		flows sockets 20 198.51.100.1 198.51.100.2 b7 /run/netns/peer
		flows sockets 20 203.0.113.129 203.0.113.7 b7 /run/netns/peer
		flows sockets 20 2001:db8:7::1 2001:db8:7::99 b7 /run/netns/peer
	done
}

some_kinds=(arp unknown tcp4 udp6 echo4 error6_of_tcp)

# The hash picks among the slaves that can send.
transcript_links_come_and_go() {
	as_in_tree
	set_option b7 xmit_hash_policy layer3+4
	cut_way a0
	echo "-- without a0"
	ways 3 8 b7 1 "${some_kinds[@]}"
	cut_way c0
	echo "-- without a0 and c0"
	ways 3 8 b7 1 "${some_kinds[@]}"
	mend_way a0
	echo "-- without c0"
	ways 3 8 b7 1 "${some_kinds[@]}"
	mend_way c0
	echo "-- all three"
	ways 3 8 b7 1 "${some_kinds[@]}"
}

transcript_slaves_come_and_go() {
	as_in_tree
	set_option b7 xmit_hash_policy layer3+4
	ip link set a0 nomaster
	echo "-- a0 released"
	ways 3 8 b7 1 "${some_kinds[@]}"
	enslave b7 a0
	way_is_up a0
	echo "-- a0 is the last now"
	ways 3 8 b7 1 "${some_kinds[@]}"
	ip link set b0 down
	wait_for 10 "b0 to be down" mii_status b0 down
	echo "-- b0 is closed"
	ways 3 8 b7 1 "${some_kinds[@]}"
	ip link set b0 up
	way_is_up b0
	echo "-- b0 is open"
	ways 3 8 b7 1 "${some_kinds[@]}"
	ip link delete c0
	echo "-- c0 is gone"
	ways 3 8 b7 1 "${some_kinds[@]}"
}

# moved BEFORE AFTER: each flow that has changed its slave, as "OLD NEW"; both are files of "ways".
moved() {
	paste -d ' ' <(tr ' ' '\n' <"$1") <(tr ' ' '\n' <"$2") | awk '$1 != $2'
}

# goes_through FILE: 48 flows of all kinds, without the mark of those that a bond at the far end gets.
goes_through() {
	ways 3 8 b7 1 "${some_kinds[@]}" | sed 's/+b//g' >"$1"
	cat "$1"
}

# come_back NAME: mends the link, and waits until the slave carries data.
come_back() {
	mend_way "$1"
	[[ $(option b7 mode) != 802.3ad* ]] || wait_for 20 "$1 to carry data" carries_data "$1"
}

# Only the flows of a slave that is lost move, to all others, and only these return.
resilient() {
	goes_through "$WORK/all"
	cut_way a0
	goes_through "$WORK/without_a0"
	moved "$WORK/all" "$WORK/without_a0" >"$WORK/moved"
	is "$(cut -d ' ' -f 1 <"$WORK/moved" | sort -u)" a0 "slaves that have lost flows"
	is "$(grep -ow a0 "$WORK/all" | wc -l)" "$(wc -l <"$WORK/moved")" "number of flows that moved"
	is "$(cut -d ' ' -f 2 <"$WORK/moved" | sort -u | xargs)" "b0 c0" "slaves that have taken them over"
	cut_way c0
	goes_through "$WORK/without_both"
	is "$(moved "$WORK/without_a0" "$WORK/without_both" | sort -u)" "c0 b0" "who took over for whom"
	come_back a0
	goes_through "$WORK/without_c0"
	is "$(moved "$WORK/without_both" "$WORK/without_c0" | sort -u)" "b0 a0" "who took over for whom"
	is "$(moved "$WORK/all" "$WORK/without_c0" | cut -d ' ' -f 1 | sort -u)" c0 "slaves that lack flows"
	come_back c0
	goes_through "$WORK/again"
	is "$(moved "$WORK/all" "$WORK/again")" "" "flows that have not returned"
	cut_way b0
	goes_through "$WORK/without_b0"
	set_option b7 resilient_hash off
	goes_through "$WORK/off"
	moved "$WORK/all" "$WORK/off" | has '^a0 c0\|^c0 a0' || fail "resilient_hash off has no effect"
	set_option b7 resilient_hash on
	goes_through "$WORK/on"
	is "$(moved "$WORK/without_b0" "$WORK/on")" "" "flows that off and on have moved"
	come_back b0
	ip link set a0 nomaster
	as_in_tree_with two
}

# as_in_tree_with WHAT: as long as all slaves can send, the option makes no difference.
as_in_tree_with() {
	goes_through "$WORK/$1"
	set_option b7 resilient_hash off
	goes_through "$WORK/$1_in_tree"
	set_option b7 resilient_hash on
	is "$(moved "$WORK/$1" "$WORK/$1_in_tree")" "" "flows that take another slave than in-tree"
}

test_resilient_hash() {
	ours_only "has no resilient_hash"
	set_option b7 xmit_hash_policy layer3+4
	resilient
}

# A slave whose partner has gone is lost, too; one that has never carried data has no share.
test_resilient_hash_of_802.3ad() {
	local name
	ours_only "has no resilient_hash"
	ip link delete b7
	ip link add b7 type bond mode 802.3ad lacp_rate fast xmit_hash_policy layer3+4 miimon 100
	ip -n peer link add b8 type bond mode 802.3ad lacp_rate fast miimon 100
	enslave b7 a0 b0 c0
	ip link set b7 up mtu 9000
	for name in a0p b0p; do
		ip -n peer link set $name down
		ip -n peer link set $name master b8
	done
	ip -n peer link set b8 up
	wait_for 20 "a0 to carry data" carries_data a0
	wait_for 20 "b0 to carry data" carries_data b0
	as_in_tree_with a_third
	ip -n peer link set c0p down
	ip -n peer link set c0p master b8
	wait_for 20 "c0 to carry data" carries_data c0
	resilient
}

carries_data() {
	local state
	state=$(<"$SYSFS/$1/bonding_slave/ad_actor_oper_port_state")
	echo "the state of $1 is $state"
	((state & 32))
}

# With that many slaves, the slave reveals much of the hash. The host tests need the frames.
transcript_known_answers() {
	local n policy many=()
	flows list 1 3 | grep -v '^big_'
	ip link delete b7
	for n in {10..70}; do
		many+=("s$n")
	done
	make_ways "${many[@]}"
	make_way_bond balance-xor "${many[@]}"
	for policy in layer2 layer2+3 layer3+4 vlan+srcmac encap2+3 encap3+4; do
		echo "-- $policy"
		set_option b7 xmit_hash_policy $policy
		ways 1 3 b7 1 | grep -v '^big_'
	done
}

transcripts_are_tests

reference_main "$@"
