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
