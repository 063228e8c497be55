#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 600
#
# fail_over_mac follow: each slave has an address of its own, and the active one has the bond's.

. "${BASH_SOURCE[0]%/*}/bond.sh"

A=02:00:00:00:00:0a
B=02:00:00:00:00:0b
C=02:00:00:00:00:0c
GRATUITOUS_ARP="arp and arp src host $OUR4 and arp dst host $OUR4"

setup() {
	loaded || modprobe bonding max_bonds=0
}

start() {
	make_links veth a0 b0
	make_bond b7 mode active-backup miimon 100 fail_over_mac follow "$@"
	enslave b7 a0 b0
	wait_for 10 "b0 to be up" mii_status b0 up
	wait_for 10 "a0 to be the active slave" active b7 a0
	wait_for 10 "the peer to answer" ping_peer
}

# addresses BOND A0 B0
addresses() {
	is "$(hwaddr b7) $(hwaddr a0) $(hwaddr b0)" "$*" "addresses of b7, a0 and b0"
}

# apart DEVICE...: no two of them share an address.
apart() {
	local device
	is "$(for device; do hwaddr "$device"; done | sort | uniq -d)" "" "address of two of $*"
}

# uses BOND SLAVE: the slave is active, and the bond has its address.
uses() {
	active "$1" "$2" && has_address "$1" "$(hwaddr "$2")"
}

# Two functions of one card, which refuse to share an address: macvlans of one device.
M0=02:00:00:00:00:a0
M1=02:00:00:00:00:a1

make_functions() {
	make_links veth c0
	ip link set c0 up
	ip link add m0 link c0 address $M0 type macvlan mode bridge
	ip link add m1 link c0 address $M1 type macvlan mode bridge
}

# start_functions OPTION...: a bond of m0, which is active, and m1.
start_functions() {
	make_functions
	make_bond b7 mode active-backup miimon 100 fail_over_mac follow "$@"
	enslave b7 m0 m1
	wait_for 10 "m1 to be up" mii_status m1 up
	wait_for 10 "the bond to use m0" uses b7 m0
	wait_for 10 "the peer to answer" ping_peer
}

# start_three: a bond of a0, which is active, b0 and c0.
start_three() {
	make_links veth c0
	start "$@"
	enslave b7 c0
	wait_for 10 "c0 to be up" mii_status c0 up
	apart a0 b0 c0
}

test_follow_on_functions_of_one_card() {
	ours_only "leaves the bond's address with no slave"
	start_functions primary m0
	ip link set m0 down
	wait_for 10 "the bond to use m1" uses b7 m1
	is "$(hwaddr b7)" $M0 "address of b7"
	wait_for 10 "the peer to answer" ping_peer
	ip link set m0 up
	wait_for 10 "the bond to use m0" uses b7 m0
	is "$(hwaddr b7) $(hwaddr m0) $(hwaddr m1)" "$M0 $M0 $M1" "addresses of b7, m0 and m1"
	wait_for 10 "the peer to answer" ping_peer
	! kmsg_has 'Error [0-9]+' || fail "an address was refused: $(kmsg | grep Error)"
	ip link delete b7
	is "$(hwaddr m0) $(hwaddr m1)" "$M0 $M1" "addresses of m0 and m1"
}

# A packet per millisecond. While the address of a macvlan changes that is up, the macvlan is no
# port of its device for a grace period: what arrives then is lost, whoever changes the address. This
# is less than a millisecond for a failover, so whether it takes a packet is a matter of chance, for
# each failover anew.
test_follow_on_functions_of_one_card_loses_nothing_that_is_sent() {
	ours_only "leaves the bond's address with no slave"
	start_functions primary m0
	stream_start
	fail_over
	fail_back
	stream_stop
	lost_at_most 1
}

test_follow_on_functions_of_one_card_loses_little_that_is_received() {
	ours_only "leaves the bond's address with no slave"
	start_functions primary m0
	stream_start_inbound
	fail_over
	stream_stop
	lost_at_most 1
	stream_start_inbound
	fail_back
	stream_stop
	lost_at_most 1
}

fail_over() {
	ip link set m0 down
	wait_for 10 "the bond to use m1" uses b7 m1
	stream_more 100
}

fail_back() {
	ip link set m0 up
	wait_for 10 "the bond to use m0" uses b7 m0
	stream_more 100
}

lost_at_most() {
	((sent >= 200)) || fail "the stream was of $sent packets only"
	((lost <= $1)) || fail "$lost packets lost, at most $1 allowed"
}

# Each function has the other's address when the bond is deleted.
test_follow_functions_of_one_card_get_their_addresses_back() {
	ours_only "leaves both with one address"
	start_functions
	ip link set m0 down
	wait_for 10 "the bond to use m1" uses b7 m1
	ip link set m0 up
	is "$(hwaddr m0) $(hwaddr m1)" "$M1 $M0" "addresses of m0 and m1"
	ip link delete b7
	is "$(hwaddr m0) $(hwaddr m1)" "$M0 $M1" "addresses of m0 and m1"
}

test_follow_a_slave_that_leaves_takes_its_address() {
	ours_only "gives one address to two devices"
	start_three
	cut_link a0
	wait_for 10 "the bond to use b0" uses b7 b0
	is "$(hwaddr a0)" $B "address of a0"
	ip link set b0 nomaster
	wait_for 10 "the bond to use c0" uses b7 c0
	is "$(hwaddr b0)" $B "address of b0"
	apart a0 b0 c0
	wait_for 10 "the peer to answer" ping_peer
	enslave b7 b0
	wait_for 10 "b0 to be up" mii_status b0 up
	apart a0 b0 c0
	mend_link a0
	wait_for 10 "a0 to be up" mii_status a0 up
	set_option b7 active_slave a0
	uses b7 a0 || fail "b7 does not use a0"
	apart a0 b0 c0
	wait_for 10 "the peer to answer" ping_peer
	ip link set a0 nomaster
	ip link set b0 nomaster
	ip link set c0 nomaster
	is "$(hwaddr a0) $(hwaddr b0) $(hwaddr c0)" "$A $B $C" "addresses after release"
	apart a0 b0 c0 b7
}

# The bond has the address of its first slave, which takes that address with it: the neighbours are
# told the new one.
test_follow_the_slave_that_gave_the_bond_its_address_leaves() {
	ours_only "keeps the address"
	start_three
	capture peer b0p arp
	ip link set a0 nomaster
	wait_for 10 "the bond to use b0" uses b7 b0
	is "$(hwaddr a0) $(hwaddr b0) $(hwaddr c0)" "$A $B $C" "addresses of a0, b0 and c0"
	wait_for 10 "the announcement" captured_at_least 1 "$GRATUITOUS_ARP"
	capture_stop
	is "$(captured "$GRATUITOUS_ARP" | cut -d' ' -f1 | sort -u)" $B "address that is announced"
	wait_for 10 "the peer to answer" ping_peer
	# Likewise when the slave leaves as a backup.
	enslave b7 a0
	wait_for 10 "a0 to be up" mii_status a0 up
	set_option b7 active_slave c0
	is "$(hwaddr b7) $(hwaddr b0)" "$B $C" "addresses of b7 and b0"
	capture peer c0p arp
	ip link set b0 nomaster
	is "$(hwaddr a0) $(hwaddr b0)" "$A $B" "addresses of a0 and b0"
	uses b7 c0 || fail "b7 does not use c0"
	apart a0 b0 c0
	wait_for 10 "the announcement" captured_at_least 1 "$GRATUITOUS_ARP"
	capture_stop
	wait_for 10 "the peer to answer" ping_peer
}

# An address that the user has given the bond stays with it, and the log says that a device has the
# same one.
test_follow_an_address_given_to_the_bond_stays() {
	make_links veth a0 b0
	ip link add b7 address $A type bond mode active-backup miimon 100 fail_over_mac follow
	ip link set b7 up
	ip address add $OUR4/24 dev b7
	enslave b7 a0 b0
	wait_for 10 "b0 to be up" mii_status b0 up
	ip link set a0 nomaster
	wait_for 10 "the bond to use b0" uses b7 b0
	addresses $A $A $A
	kmsg_has 'permanent HWaddr of slave - 02:00:00:00:00:0a - is still in use by bond' || fail "the log does not say so"
	wait_for 10 "the peer to answer" ping_peer
}

test_follow_a_device_that_joins_has_an_address_of_its_own() {
	ours_only "looks at the address of the bond only"
	start_three
	set_option b7 active_slave b0
	# This is the address that a0 has in place of its own.
	is "$(hwaddr a0)" $B "address of a0"
	make_links veth d0 e0
	ip link set d0 address $B
	# And this is the address that a0 gets back.
	ip link set e0 address $A
	enslave b7 d0 e0
	apart a0 b0 c0 d0 e0
	ip link set a0 nomaster
	is "$(hwaddr a0)" $A "address of a0"
	apart a0 b0 c0 d0 e0
}

# -- devices that refuse an address ---------------------------------------------------

# make_fixed NAME ADDRESS: a device that refuses to change its address while it is up.
make_fixed() {
	modprobe asked
	put 1 /sys/module/asked/parameters/fixed_while_up
	ip link add "$1" address "$2" type asked_ethtool
	put 0 /sys/module/asked/parameters/fixed_while_up
}

test_follow_devices_that_refuse_while_up() {
	ours_only "leaves the bond's address with no slave"
	make_fixed a1 $A
	make_fixed b1 $B
	ip link add b7 type bond mode active-backup miimon 100 fail_over_mac follow
	enslave b7 a1 b1
	ip link set b7 up
	wait_for 10 "b1 to be up" mii_status b1 up
	wait_for 10 "the bond to use a1" uses b7 a1
	set_option b7 active_slave b1
	uses b7 b1 || fail "b7 has $(hwaddr b7), and b1 has $(hwaddr b1)"
	apart a1 b1
	kmsg_has 'b7: \(slave .1\): Error 16 .*takes' || fail "the log does not say so: $(kmsg)"
	set_option b7 active_slave a1
	uses b7 a1 || fail "b7 has $(hwaddr b7), and a1 has $(hwaddr a1)"
	apart a1 b1
	ip link set a1 nomaster
	uses b7 b1 || fail "b7 has $(hwaddr b7), and b1 has $(hwaddr b1)"
	is "$(hwaddr a1)" $A "address of a1"
	apart a1 b1
}

ktap_main "$@"
