#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 600
#
# Hardware addresses: which device has which address after enslave, failover and release, the
# address lists of the slaves, and what the neighbours are told.

. "${BASH_SOURCE[0]%/*}/bond.sh"

A=02:00:00:00:00:0a
B=02:00:00:00:00:0b
C=02:00:00:00:00:0c
OWN=02:00:00:00:00:77

setup() {
	loaded || modprobe bonding max_bonds=0
}

start() {
	make_links veth a0 b0
	make_bond b7 mode active-backup miimon 100 "$@"
	enslave b7 a0 b0
	wait_for 10 "b0 to be up" mii_status b0 up
	wait_for 10 "a0 to be the active slave" active b7 a0
	wait_for 10 "the peer to answer" ping_peer
}

fail_over() {
	cut_link a0
	wait_for 10 "b0 to be the active slave" active b7 b0
}

# addresses BOND A0 B0
addresses() {
	is "$(hwaddr b7) $(hwaddr a0) $(hwaddr b0)" "$*" "addresses of b7, a0 and b0"
}

test_fail_over_mac_none() {
	start
	addresses $A $A $A
	is "$(slave_attribute b0 perm_hwaddr)" $B
	fail_over
	addresses $A $A $A
	ip link set b0 nomaster
	is "$(hwaddr b0)" $B "address after release"
}

test_fail_over_mac_active() {
	start fail_over_mac active
	addresses $A $A $B
	fail_over
	addresses $B $A $B
	wait_for 10 "the peer to answer the new address" ping_peer
	# The slaves decide, so a request for another address is ignored.
	ip link set b7 address $OWN
	addresses $B $A $B
	ip link set b0 nomaster
	is "$(hwaddr b0)" $B "address after release"
}

test_fail_over_mac_follow() {
	start fail_over_mac follow
	addresses $A $A $B
	fail_over
	addresses $A $B $A
	wait_for 10 "the peer to answer" ping_peer
	mend_link a0
	wait_for 10 "a0 to be up" mii_status a0 up
	set_option b7 active_slave a0
	addresses $A $A $B
	ip link set a0 nomaster
	ip link set b0 nomaster
	is "$(hwaddr a0) $(hwaddr b0)" "$A $B" "addresses after release"
}

test_address_given_before_the_first_slave() {
	make_links veth a0 b0
	ip link add b7 address $OWN type bond mode active-backup miimon 100
	enslave b7 a0 b0
	addresses $OWN $OWN $OWN
	ip link set a0 nomaster
	is "$(hwaddr a0)" $A "address after release"
	is "$(hwaddr b7)" $OWN
}

test_address_change_reaches_all_slaves() {
	start
	ip link set b7 address $OWN
	addresses $OWN $OWN $OWN
	wait_for 10 "the peer to answer the new address" ping_peer
	fail_over
	addresses $OWN $OWN $OWN
	ip link set a0 nomaster
	ip link set b0 nomaster
	is "$(hwaddr a0) $(hwaddr b0)" "$A $B" "addresses after release"
}

# SIOCBONDSETHWADDR is a request for an address like any other.
test_the_address_of_another_device() {
	ours_only "changes that of the bond alone, which then receives nothing"
	build bondioctl
	start
	make_links veth c0
	bondioctl setaddress b7 c0
	addresses $C $C $C
	wait_for 10 "the peer to answer the new address" ping_peer
}

test_the_address_of_another_device_with_fail_over_mac() {
	local policy
	ours_only "changes that of the bond alone, which then receives nothing"
	build bondioctl
	for policy in active follow; do
		start fail_over_mac $policy
		bondioctl setaddress b7 b0
		addresses $A $A $B
		wait_for 10 "the peer to answer" ping_peer
		ip link delete b7
		ip link delete a0
		ip link delete b0
	done
}

# If a slave is given another address, the bond takes it too, where fail_over_mac makes the two the
# same.
test_an_address_given_to_the_active_slave() {
	local policy
	ours_only "keeps its address, and receives nothing"
	for policy in active follow; do
		start fail_over_mac $policy
		capture peer a0p arp
		ip link set a0 address $OWN
		addresses $OWN $OWN $B
		wait_for 10 "the announcement" captured_at_least 1 "arp src host $OUR4 and arp dst host $OUR4 and ether src $OWN"
		capture_stop
		wait_for 10 "the peer to answer the new address" ping_peer
		ip link set b0 address $C
		is "$(hwaddr b7)" $OWN "address of b7"
		ip link delete b7
		is "$(hwaddr a0)" "$([[ $policy == follow ]] && echo $A || echo $OWN)" "address of a0"
		ip link delete a0
		ip link delete b0
	done
}

test_round_robin_shares_one_address() {
	make_links veth a0 b0
	make_bond b7 miimon 100
	enslave b7 a0 b0
	addresses $A $A $A
	ip link set b7 address $OWN
	addresses $OWN $OWN $OWN
}

# A slave that was given another address by hand gets that one back when the bond's request fails.
test_a_refused_address_leaves_each_slave_what_it_had() {
	ours_only "gives all the address of the bond"
	make_links veth a0
	modprobe asked
	put 1 /sys/module/asked/parameters/fixed_while_up
	ip link add b1 address $B type asked_ethtool
	put 0 /sys/module/asked/parameters/fixed_while_up
	make_bond b7 miimon 100
	enslave b7 a0 b1
	ip link set a0 address $OWN
	refused "Device or resource busy" ip link set b7 address 02:00:00:00:00:78
	unmoved
	is "$(hwaddr a0)" $OWN "address of a0"
}

# -- the lists of addresses --------------------------------------------------------

# listed SLAVE ADDRESS: the slave's filter contains the address.
listed() {
	bridge fdb show dev "$1" | has "^$2 "
}

not_listed() {
	! listed "$@"
}

test_multicast_list_follows_the_active_slave() {
	build frame
	start
	frame join b7 239.1.1.1 &
	wait_for 5 "a0 to have the group's address" listed a0 01:00:5e:01:01:01
	not_listed b0 01:00:5e:01:01:01
	fail_over
	wait_for 5 "b0 to have it" listed b0 01:00:5e:01:01:01
	wait_for 5 "a0 to have it no longer" not_listed a0 01:00:5e:01:01:01
}

test_unicast_list_follows_the_active_slave() {
	start
	ip link add mv0 link b7 address $OWN type macvlan mode bridge
	ip link set mv0 up
	wait_for 5 "a0 to have the macvlan's address" listed a0 $OWN
	not_listed b0 $OWN
	fail_over
	wait_for 5 "b0 to have it" listed b0 $OWN
	wait_for 5 "a0 to have it no longer" not_listed a0 $OWN
	ip link del mv0
	wait_for 5 "b0 to have it no longer" not_listed b0 $OWN
}

test_lists_reach_all_slaves_of_round_robin() {
	make_links veth a0 b0
	make_bond b7 miimon 100
	enslave b7 a0 b0
	ip link add mv0 link b7 address $OWN type macvlan mode bridge
	ip link set mv0 up
	wait_for 5 "a0 to have the macvlan's address" listed a0 $OWN
	wait_for 5 "b0 to have the macvlan's address" listed b0 $OWN
	ip link set a0 nomaster
	not_listed a0 $OWN
}

# counts FIELD A0 B0
counts() {
	is "$(link_json a0 "$1") $(link_json b0 "$1")" "$2 $3" "${1#.} of a0 and b0"
}

test_promiscuity_follows_the_active_slave() {
	start
	ip link set b7 promisc on
	counts .promiscuity 1 0
	fail_over
	counts .promiscuity 0 1
	ip link set b7 promisc off
	counts .promiscuity 0 0
}

# Both links are lost, and the one that was not in use last comes back: its device is locked while
# its event is delivered, and a promiscuous bond moves to it only afterwards.
test_the_address_that_is_announced_is_the_new_one() {
	make_links netdevsim a0 b0
	make_bond b7 mode active-backup miimon 100 fail_over_mac active
	enslave b7 a0 b0
	wait_for 10 "b0 to be up" mii_status b0 up
	wait_for 10 "the peer to answer" ping_peer
	ip link set b7 promisc on
	cut_link b0
	wait_for 10 "b0 to be down" mii_status b0 down
	cut_link a0
	wait_for 10 "the bond to have no carrier" eval '! has_carrier b7'
	is "$(hwaddr b7)" "$(hwaddr a0)" "address of b7"
	capture peer b0p arp
	mend_link b0
	wait_for 10 "b0 to be active" active b7 b0
	# A request from us for our own address, sent as a broadcast.
	wait_for 10 "the announcement" captured_at_least 1 "arp[14:4] = 0xc0000201 and arp[24:4] = 0xc0000201"
	capture_stop
	captured "arp[14:4] = 0xc0000201 and arp[24:4] = 0xc0000201" | lacks -v -i "^$(hwaddr b0) "
	is "$(hwaddr b7)" "$(hwaddr b0)" "address of b7"
}

test_allmulti_follows_the_active_slave() {
	start
	ip link set b7 allmulticast on
	counts .allmulti 1 0
	fail_over
	counts .allmulti 0 1
	ip link set b7 allmulticast off
	counts .allmulti 0 0
}

test_promiscuity_of_a_released_slave() {
	start
	ip link set b7 promisc on
	ip link set b7 allmulticast on
	ip link set a0 nomaster
	counts .promiscuity 0 1
	counts .allmulti 0 1
}

test_promiscuity_of_round_robin() {
	make_links veth a0 b0
	make_bond b7 miimon 100
	enslave b7 a0
	ip link set b7 promisc on
	ip link set b7 allmulticast on
	enslave b7 b0
	counts .promiscuity 1 1
	counts .allmulti 1 1
	ip link set a0 nomaster
	counts .promiscuity 0 1
	ip link set b7 promisc off
	counts .promiscuity 0 0
}

# -- what the neighbours are told ---------------------------------------------------

GRATUITOUS_ARP="arp and arp src host $OUR4 and arp dst host $OUR4"
UNSOLICITED_NA="icmp6 and ip6[40] == 136 and src host $OUR6"

# The pings show that nothing more arrives in the meantime.
wait_a_while() {
	ping -q -c 8 -i 0.1 $PEER4
}

# notifications NUMBER OPTION...: that many of each kind leave through b0 after a failover.
notifications() {
	local number=$1
	shift
	start "$@"
	set_option b7 num_grat_arp "$number"
	capture peer b0p "arp or icmp6"
	fail_over
	wait_for 10 "$number gratuitous ARPs" captured_at_least "$number" "$GRATUITOUS_ARP"
	wait_for 10 "$number unsolicited NAs" captured_at_least "$number" "$UNSOLICITED_NA"
	wait_a_while
	capture_stop
	is "$(captured_count "$GRATUITOUS_ARP")" "$number" "number of gratuitous ARPs"
	is "$(captured_count "$UNSOLICITED_NA")" "$number" "number of unsolicited NAs"
	[[ $number == 0 ]] || is "$(captured "$GRATUITOUS_ARP" | cut -d' ' -f1 | sort -u)" "$(hwaddr b7)"
}

test_no_notification() {
	notifications 0
}

test_one_notification() {
	notifications 1
}

test_three_notifications() {
	notifications 3
}

test_notification_tells_the_new_address() {
	notifications 1 fail_over_mac active
	is "$(hwaddr b7)" $B
}

test_notifications_keep_their_distance() {
	local first last
	start peer_notify_delay 400
	set_option b7 num_grat_arp 3
	capture peer b0p arp
	fail_over
	wait_for 10 "three gratuitous ARPs" captured_at_least 3 "$GRATUITOUS_ARP"
	capture_stop
	read -r first last < <(tcpdump -n -tt -r "$WORK/pcap" "$GRATUITOUS_ARP" 2>/dev/null |
		awk '{ gsub(/\./, "", $1); t[NR] = $1 } END { print t[1], t[3] }')
	((last - first >= 700000)) || fail "three ARPs within $((last - first)) us, expected about 800000"
}

test_notifications_without_a_monitor() {
	ours_only "does not fail over without a monitor"
	make_links veth a0 b0
	make_bond b7 mode active-backup num_grat_arp 2
	enslave b7 a0 b0
	wait_for 10 "the peer to answer" ping_peer
	capture peer b0p arp
	fail_over
	wait_for 10 "two gratuitous ARPs" captured_at_least 2 "$GRATUITOUS_ARP"
	capture_stop
}

test_notification_of_a_vlan() {
	modprobe 8021q
	start
	ip link add v5 link b7 type vlan id 5
	ip link set v5 up
	ip address add 198.51.100.1/24 dev v5
	capture peer b0p "arp or vlan"
	fail_over
	wait_for 10 "a gratuitous ARP on the VLAN" captured_at_least 1 \
		"vlan 5 and arp src host 198.51.100.1 and arp dst host 198.51.100.1"
	capture_stop
}

test_igmp_memberships_are_sent_again() {
	build frame
	start resend_igmp 3
	frame join b7 239.1.1.1 &
	wait_for 5 "a0 to have the group's address" listed a0 01:00:5e:01:01:01
	capture peer b0p igmp
	fail_over
	wait_for 10 "three IGMP reports on b0" captured_at_least 3 "igmp and src host $OUR4"
	capture_stop
}

ktap_main "$@"
