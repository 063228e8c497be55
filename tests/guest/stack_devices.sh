#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 900
# reference: intree
#
# Devices above and below a bond, and what else looks at its packets.

. "${BASH_SOURCE[0]%/*}/bond.sh"

TYPE=88b5		# for experiments
BROADCAST=ff:ff:ff:ff:ff:ff

setup() {
	loaded || modprobe bonding max_bonds=0
	modprobe -a 8021q macvlan ipvlan bridge vrf
}

# start: an active-backup bond of two slaves; a0 is active.
start() {
	make_links veth a0 b0
	make_bond b7 mode active-backup miimon 100 "$@"
	enslave b7 a0 b0
	wait_for 10 "b0 to be up" mii_status b0 up
	set_option b7 active_slave a0
	wait_for 10 "the peer to answer" ping_peer
}

fail_over() {
	cut_link a0
	wait_for 5 "b0 to be active" active b7 b0
}

# from NAMESPACE: pings the peer from there.
from() {
	ip netns exec "$1" ping -q -c 1 -W 1 $PEER4
}

# into NAMESPACE DEVICE: moves the device there, with an address in the peer's network, up.
into() {
	mk_namespace "$1"
	ip link set "$2" netns "$1"
	ip -n "$1" address add 192.0.2.7/24 dev "$2"
	ip -n "$1" link set "$2" up
}

test_vlan_on_top() {
	start
	ip -n peer link add v5 link br0 type vlan id 5
	ip -n peer address add 198.51.100.2/24 dev v5
	ip -n peer link set v5 up
	ip link add v5 link b7 type vlan id 5
	ip address add 198.51.100.1/24 dev v5
	ip link set v5 up
	wait_for 5 "the peer to answer" ping_peer 198.51.100.2
	fail_over
	wait_for 5 "the peer to answer" ping_peer 198.51.100.2
}

test_macvlan_on_top() {
	start
	ip link add m0 link b7 type macvlan mode bridge
	into box m0
	wait_for 5 "the peer to answer" from box
	fail_over
	wait_for 5 "the peer to answer" from box
}

test_ipvlan_on_top() {
	start
	ip link add i0 link b7 type ipvlan mode l2
	into box i0
	wait_for 5 "the peer to answer" from box
	fail_over
	wait_for 5 "the peer to answer" from box
}

test_bridge_on_top() {
	start
	ip link add br7 type bridge forward_delay 0 mcast_snooping 0
	ip link set b7 master br7
	ip link set br7 up
	mk_veth_pair tap0 tap0p
	ip link set tap0 master br7
	into box tap0p
	wait_for 5 "the peer to answer" from box
	is "$(link_json b7 .promiscuity)" 1
	is "$(link_json a0 '.promiscuity > 0')" true "the active slave is promiscuous"
	fail_over
	wait_for 5 "the peer to answer" from box
	is "$(link_json b0 '.promiscuity > 0')" true "the new one is promiscuous"
}

test_a_slave_moves_to_a_bridge() {
	start
	ip link add br7 type bridge
	ip link set a0 master br7
	is "$(link_json a0 .master)" br7
	is "$(option b7 slaves)" b0
	wait_for 5 "the peer to answer" ping_peer
}

test_bond_over_vlans() {
	make_links veth a0 b0
	ip -n peer link add v5 link br0 type vlan id 5
	ip -n peer address add 198.51.100.2/24 dev v5
	ip -n peer link set v5 up
	ip link set a0 up
	ip link set b0 up
	ip link add av link a0 type vlan id 5
	ip link add bv link b0 type vlan id 5
	make_bond b7 mode active-backup miimon 100
	ip address add 198.51.100.1/24 dev b7
	enslave b7 av bv
	wait_for 10 "the peer to answer" ping_peer 198.51.100.2
	set_option b7 active_slave av
	cut_link a0
	wait_for 5 "bv to be active" active b7 bv
	wait_for 5 "the peer to answer" ping_peer 198.51.100.2
}

test_bond_over_bond() {
	make_links veth a0 b0
	ip link add b8 type bond mode active-backup miimon 100
	enslave b8 a0
	ip link add b9 type bond mode active-backup miimon 100
	enslave b9 b0
	make_bond b7 mode active-backup miimon 100
	enslave b7 b8 b9
	wait_for 10 "the peer to answer" ping_peer
	# Bonds form no ring, and a bond cannot be below itself.
	refused "" ip link set b7 master b8
	refused "" ip link set b7 master b7
	unmoved
	cut_link a0
	wait_for 5 "b9 to be active" active b7 b9
	wait_for 5 "the peer to answer" ping_peer
}

test_tc_on_the_bond() {
	start
	tc qdisc add dev b7 clsact
	tc filter add dev b7 egress protocol ip matchall action drop
	! ping_peer || fail "the filter drops nothing"
	tc filter del dev b7 egress
	ping_peer
	tc filter add dev b7 ingress protocol ip matchall action drop
	! ping_peer || fail "the filter drops nothing"
	tc filter del dev b7 ingress
	ping_peer
}

test_mirroring_what_the_bond_receives_and_sends() {
	build frame
	start
	ip link add d0 type dummy
	ip link set d0 up
	tc qdisc add dev b7 clsact
	tc filter add dev b7 ingress matchall action mirred egress mirror dev d0
	tc filter add dev b7 egress matchall action mirred egress mirror dev d0
	in_peer "$(command -v frame)" send br0 $BROADCAST 02:00:00:00:00:99 $TYPE 20
	wait_for 5 "twenty frames" eval '(($(cat $SYSFS/d0/statistics/tx_packets) >= 20))'
	frame send b7 $BROADCAST 02:00:00:00:00:98 $TYPE 20
	wait_for 5 "forty frames" eval '(($(cat $SYSFS/d0/statistics/tx_packets) >= 40))'
}

test_redirecting_into_the_bond() {
	build frame
	start
	mk_veth_pair c0 c0p
	tc qdisc add dev c0 clsact
	tc filter add dev c0 ingress matchall action mirred egress redirect dev b7
	capture peer br0 "ether proto 0x$TYPE"
	frame send c0p $BROADCAST 02:00:00:00:00:99 $TYPE 10
	wait_for 5 "ten frames" captured_at_least 10 "ether proto 0x$TYPE"
	capture_stop
}

# origdev prints where packets came from, for a socket on the bond (sll_ifindex), with and without
# PACKET_ORIGDEV.
test_packet_sockets_see_the_bond_or_the_slave() {
	build origdev frame
	start
	origdev b7 $TYPE 0 "$WORK/ready" >"$WORK/plain" &
	local plain=$! orig
	origdev b7 $TYPE 1 "$WORK/ready1" >"$WORK/orig" &
	orig=$!
	wait_for 10 "the sockets" test -e "$WORK/ready" -a -e "$WORK/ready1"
	in_peer "$(command -v frame)" send a0p $BROADCAST 02:00:00:00:00:99 $TYPE 1
	wait $plain
	wait $orig
	is "$(cat "$WORK/plain")" "b7 02:00:00:00:00:99 88b5" "without PACKET_ORIGDEV"
	is "$(cat "$WORK/orig")" "a0 02:00:00:00:00:99 88b5" "with PACKET_ORIGDEV"
}

# start_below DEVICE: the link a0 is the only port of DEVICE, which is the primary slave, beside b0.
start_below() {
	make_links veth a0 b0
	ip link set a0 down
	ip link set a0 master "$1"
	ip link set a0 up
	make_bond b7 mode active-backup miimon 100 primary_reselect always
	enslave b7 "$1" b0
	set_option b7 primary "$1"
	wait_for 10 "b0 to be up" mii_status b0 up
	wait_for 10 "$1 to be active" active b7 "$1"
	wait_for 10 "the peer to answer" ping_peer
	(($(<"$SYSFS/$1/statistics/rx_packets") > 0)) || fail "nothing came through $1"
	cut_link a0
	wait_for 5 "b0 to be active" active b7 b0
	wait_for 5 "the peer to answer" ping_peer
	mend_link a0
	wait_for 10 "$1 to be active again" active b7 "$1"
	wait_for 10 "the peer to answer" ping_peer
	wait_for 10 "the peer to answer by IPv6" ping_peer $PEER6
}

test_a_bridge_below() {
	ip link add br1 type bridge forward_delay 0 mcast_snooping 0
	start_below br1
}

test_what_is_above_may_not_be_below() {
	ip link add br1 type bridge
	ip link add b7 type bond mode active-backup miimon 100
	ip link set b7 master br1
	local reason="Device or resource busy"
	! ours || reason="Cannot enslave a device that is above this bond."
	refused "$reason" ip link set br1 master b7
	! ours || unmoved
}

test_a_team_below() {
	modprobe team
	ip link add t1 type team
	python3 "$TOOLS_DIR/team_mode.py" t1 roundrobin
	start_below t1
}

# Of all masters, only those are refused that declare themselves as one.
test_a_vrf_cannot_be_a_slave() {
	ip link add vrf1 type vrf table 7
	ip link add b7 type bond mode active-backup miimon 100
	refused "Device type (master device) cannot be enslaved" ip link set vrf1 master b7
	refused "Operation not permitted" set_option b7 slaves +vrf1
	! ours || unmoved
}

ktap_main "$@"
