#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 900
# reference: intree
#
# balance-tlb and balance-alb, seen from outside: the peer's bridge is the switch, and each client is
# a namespace with a port of that bridge. Which slave traffic takes is counted on the slaves.

. "${BASH_SOURCE[0]%/*}/bond.sh"

CLIENTS=6
DEBUGFS=/sys/kernel/debug/bonding

setup() {
	loaded || modprobe bonding max_bonds=0
	mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
	sysctl -qw net.ipv6.conf.default.disable_ipv6=0
	make_links veth a0 b0
}

# balanced MODE [OPTION...]: b7 over a0 and b0, both up.
balanced() {
	local mode=$1
	shift
	make_bond b7 mode "$mode" miimon 100 "$@"
	enslave b7 a0 b0
	ready
}

ready() {
	wait_for 10 "a0 to be up" mii_status a0 up
	wait_for 10 "b0 to be up" mii_status b0 up
	wait_for 10 "the bond to have carrier" has_carrier b7
	wait_for 10 "the peer to answer" ping_peer
}

in_client() {
	local client=$1
	shift
	ip netns exec "c$client" "$@"
}

# make_clients: namespaces c1, c2, ... on the switch, with the addresses 192.0.2.11 and 2001:db8::11, ...
make_clients() {
	local number
	for ((number = 1; number <= CLIENTS; number++)); do
		ip netns add "c$number"
		in_client $number sysctl -qw net.ipv6.conf.default.accept_dad=0
		ip link add "c${number}p" netns peer address 02:00:00:00:fe:0$number type veth \
			peer name eth0 address 02:00:00:00:0c:0$number netns "c$number"
		ip -n peer link set "c${number}p" master br0 up
		ip -n "c$number" link set eth0 up
		ip -n "c$number" address add 192.0.2.1$number/24 dev eth0
		ip -n "c$number" address add 2001:db8::1$number/64 dev eth0 nodad
	done
}

ping_from() {
	in_client "$1" ping -q -c 1 -W 1 "$2" >/dev/null
}

# all_ping ADDRESS: each client reaches the bond.
all_ping() {
	local number
	for ((number = 1; number <= CLIENTS; number++)); do
		wait_for 10 "client $number to reach $1" ping_from $number "$1"
	done
}

# believed ADDRESS: what the clients believe to be the hardware address of ADDRESS, one per line.
believed() {
	local number
	for ((number = 1; number <= CLIENTS; number++)); do
		ip -n "c$number" -j neigh show to "$1" dev eth0 | jq -r '.[0].lladdr // "none"'
	done
}

# shared ADDRESS: the clients send to both slaves, and to nobody else.
shared() {
	local all
	all=$(believed "$1" | sort -u)
	[[ $all == "$(printf '%s\n' "$(hwaddr a0)" "$(hwaddr b0)" | sort)" ]]
}

# all_believe ADDRESS HWADDR
all_believe() {
	[[ $(believed "$1" | sort -u) == "$2" ]]
}

counter() {
	cat "$SYSFS/$1/statistics/$2"
}

# used COUNTER COMMAND...: sets a_used and b_used to what the command adds to a counter of the slaves.
used() {
	local name=$1 a b
	shift
	a=$(counter a0 "$name") b=$(counter b0 "$name")
	"$@"
	a_used=$(($(counter a0 "$name") - a)) b_used=$(($(counter b0 "$name") - b))
	echo "$name: a0 $a_used, b0 $b_used"
}

# -- addresses -----------------------------------------------------------------------

has_own_addresses() {
	[[ $(hwaddr a0) != "$(hwaddr b0)" ]] && [[ $(hwaddr "$(option b7 active_slave)") == "$(hwaddr b7)" ]]
}

# addresses_move MODE
addresses_move() {
	local before
	balanced "$1"
	has_own_addresses || fail "a0 has $(hwaddr a0), b0 $(hwaddr b0), the bond $(hwaddr b7)"
	before=$(hwaddr b7)
	is "$(option b7 active_slave)" a0 "the active slave"
	ip link set b7 type bond active_slave b0
	wait_for 5 "b0 to have the address of the bond" has_own_addresses
	is "$(hwaddr b7)" "$before" "the address of the bond"
	ping_peer >/dev/null || fail "no answer through b0"
	# The in-tree driver gives all slaves of a balance-tlb bond the same address then.
	if ours || [[ $1 == balance-alb ]]; then
		before=02:00:00:00:00:77
		ip link set b7 address $before
		has_own_addresses || fail "b0 has not taken the new address: $(hwaddr b0)"
		ping_peer >/dev/null || fail "no answer with another address"
	fi
	ip link set b0 nomaster
	wait_for 5 "a0 to take over" active b7 a0
	is "$(hwaddr a0)" $before "the address of the slave that is left"
	is "$(hwaddr b0)" "$(link_address b0)" "the address of the slave that has left"
	ip link set a0 nomaster
	is "$(hwaddr a0)" "$(link_address a0)" "the address of the last slave"
}

test_addresses_of_tlb() {
	addresses_move balance-tlb
}

test_addresses_of_alb() {
	addresses_move balance-alb
}

# The slave that joins has the address of the bond already.
test_addresses_that_collide() {
	ours_only "refuses such a device with EFAULT"
	make_links veth c0
	make_bond b7 mode balance-alb miimon 100
	enslave b7 a0
	ip link set b0 address "$(hwaddr a0)"
	enslave b7 b0 c0
	wait_for 10 "c0 to be up" mii_status c0 up
	is "$(printf '%s\n' "$(hwaddr a0)" "$(hwaddr b0)" "$(hwaddr c0)" | sort -u | wc -l)" 3 "the number of addresses"
	wait_for 10 "the peer to answer" ping_peer
}

# fixed NAME: a device that changes its address only while it is down.
fixed() {
	modprobe asked
	sysctl -qw net.ipv6.conf.default.disable_ipv6=1
	put Y /sys/module/asked/parameters/fixed_while_up
	ip link add "$1" address "$(link_address "$1")" type asked_ethtool
	put N /sys/module/asked/parameters/fixed_while_up
	# It has its queueing discipline from when it is first opened.
	ip link set "$1" up
	ip link set "$1" down
}

test_a_fixed_address_is_refused_by_alb() {
	make_bond b7 mode balance-alb miimon 100
	enslave b7 a0
	wait_for 10 "a0 to be up" mii_status a0 up
	fixed f0
	if ours; then
		refused "balance-alb needs devices that can change their address" ip link set f0 master b7
		unmoved
	else
		fails_with "Operation not supported" ip link set f0 master b7
	fi
	is "$(hwaddr f0)" "$(link_address f0)"
	# A first slave has to change its address at failovers, too; the in-tree driver does not ask it.
	if ours; then
		ip link set a0 nomaster
		refused "balance-alb needs devices that can change their address" ip link set f0 master b7
		unmoved
	fi
}

test_a_fixed_address_is_fine_with_tlb() {
	make_bond b7 mode balance-tlb miimon 100
	enslave b7 a0
	fixed f0
	enslave b7 f0
	wait_for 10 "f0 to be up" mii_status f0 up
	is "$(hwaddr f0)" "$(link_address f0)" "the address of f0"
	set_option b7 active_slave f0
	wait_for 5 "f0 to have the address of the bond" has_own_addresses_of f0 a0
	set_option b7 active_slave a0
	wait_for 5 "a0 to have the address of the bond" has_own_addresses_of a0 f0
	ip link set f0 nomaster
	is "$(hwaddr f0)" "$(link_address f0)" "the address of f0 afterwards"
	is "$(hwaddr a0)" "$(hwaddr b7)" "the address of a0"
}

# has_own_addresses_of ACTIVE OTHER
has_own_addresses_of() {
	[[ $(hwaddr "$1") == "$(hwaddr b7)" && $(hwaddr "$2") != "$(hwaddr b7)" ]]
}

test_the_arp_monitor_is_refused() {
	local mode
	for mode in balance-tlb balance-alb; do
		make_bond b7 mode $mode
		is "$(option b7 miimon)" 100 "miimon"
		refused "option not supported in mode" ip link set b7 type bond arp_interval 100
		unmoved
		ip link delete b7
	done
}

# -- sending -------------------------------------------------------------------------

# talk FROM TO: one ping to each of the clients.
talk() {
	local number
	for ((number = $1; number <= $2; number++)); do
		ping -q -c 2 -i 0.01 -W 1 192.0.2.1$number >/dev/null || fail "no answer from client $number"
	done
}

talk6() {
	local number
	for ((number = $1; number <= $2; number++)); do
		ping -q -c 2 -i 0.01 -W 1 2001:db8::1$number >/dev/null || fail "no answer from client $number"
	done
}

# datagrams COUNT: as many flows, from as many ports.
datagrams() {
	local port
	for ((port = 0; port < $1; port++)); do
		echo x >/dev/udp/$PEER4/$((20000 + port))
	done
}

test_tlb_sends_through_all_slaves() {
	ours_only "leaves all flows on one slave for the first ten seconds"
	balanced balance-tlb xmit_hash_policy layer3+4
	used tx_packets datagrams 60
	((a_used >= 20 && b_used >= 20)) || fail "the flows are not spread"
	# What is not sent to one host stays on the active slave, so the switch sees the bond there.
	in_peer bridge -j fdb show br br0 | jq -r --arg mac "$(hwaddr b7)" '.[] | select(.mac == $mac) | .ifname' | has '^a0p$' ||
		fail "the switch sees the bond elsewhere"
}

test_tlb_without_load_goes_by_the_hash() {
	ip link add b7 type bond mode balance-tlb miimon 100 tlb_dynamic_lb 0 xmit_hash_policy layer3+4
	sysctl -qw net.ipv6.conf.b7.accept_dad=0
	ip link set b7 up
	ip address add $OUR4/24 dev b7
	enslave b7 a0 b0
	ready
	grep -q 'Transmit Hash Policy: layer3+4 (1)' /proc/net/bonding/b7 || fail "/proc does not name the policy"
	used tx_packets datagrams 60
	((a_used >= 15 && b_used >= 15)) || fail "the flows are not spread"
}

test_alb_sends_through_all_slaves() {
	ours_only "leaves all flows on one slave for the first ten seconds"
	balanced balance-alb
	make_clients
	all_ping $OUR4
	used tx_packets talk 1 $CLIENTS
	((a_used >= 4 && b_used >= 4)) || fail "the clients are not spread"
	used tx_packets talk6 1 $CLIENTS
	((a_used >= 4 && b_used >= 4)) || fail "the IPv6 clients are not spread"
}

# -- receiving -----------------------------------------------------------------------

test_alb_receives_on_all_slaves() {
	balanced balance-alb
	make_clients
	all_ping $OUR4
	wait_for 10 "the clients to send to both slaves" shared $OUR4
	used rx_packets all_ping $OUR4
	((a_used >= 2 && b_used >= 2)) || fail "the clients do not send to both"
	cat $DEBUGFS/b7/rlb_hash_table >"$WORK/table" 2>/dev/null || :
	if ours; then
		is "$(head -n 1 "$WORK/table")" "SourceIP        DestinationIP   Destination MAC   DEV"
		cat "$WORK/table"
		is "$(grep -c "^192.0.2.1  *192.0.2.1[1-6]  *02:00:00:00:0c:0[1-6] [ab]0$" "$WORK/table")" $CLIENTS "the clients shown"
	fi
}

test_tlb_receives_on_one_slave() {
	balanced balance-tlb
	make_clients
	all_ping $OUR4
	all_believe $OUR4 "$(hwaddr b7)" || fail "the clients believe $(believed $OUR4)"
}

# fail_and_return ADDRESS: clients follow when a slave is lost, and when it is back.
fail_and_return() {
	all_ping "$1"
	wait_for 10 "the clients to send to both slaves" shared "$1"
	cut_link b0
	wait_for 10 "b0 to be down" mii_status b0 down
	wait_for 10 "all clients to send to a0" all_believe "$1" "$(hwaddr a0)"
	all_ping "$1"
	mend_link b0
	wait_for 10 "b0 to be up" mii_status b0 up
	wait_for 20 "the clients to send to both slaves again" shared "$1"
	all_ping "$1"
	# The active one.
	cut_link a0
	wait_for 10 "b0 to be active" active b7 b0
	wait_for 10 "all clients to send to b0" all_believe "$1" "$(hwaddr b0)"
	all_ping "$1"
}

test_alb_clients_follow() {
	balanced balance-alb
	make_clients
	fail_and_return $OUR4
}

test_alb_clients_of_ipv6_follow() {
	ours_only "has no receive balancing for IPv6"
	ip link add b7 type bond mode balance-alb miimon 100
	set_option b7 rlb_ipv6 on
	sysctl -qw net.ipv6.conf.b7.accept_dad=0
	ip link set b7 up
	ip address add $OUR6/64 dev b7 nodad
	ip address add $OUR4/24 dev b7
	enslave b7 a0 b0
	ready
	make_clients
	fail_and_return $OUR6
}

test_ipv6_clients_send_to_the_active_slave_unless_asked() {
	balanced balance-alb
	make_clients
	all_ping $OUR6
	all_believe $OUR6 "$(hwaddr b7)" || fail "the clients believe $(believed $OUR6)"
}

# Two clients whose addresses have the same XOR: with the in-tree driver they take turns in one place.
test_clients_that_collide() {
	ours_only "moves such clients to and fro"
	local round believed
	balanced balance-alb
	make_clients
	ip address add 192.0.3.1/24 dev b7
	ip -n c1 address add 192.0.3.16/24 dev eth0
	ip -n c2 address add 192.0.3.17/24 dev eth0
	all_ping $OUR4
	wait_for 10 "the clients to send to both slaves" shared $OUR4
	believed=$(believed $OUR4)
	for round in 1 2 3; do
		ip neigh flush dev b7
		talk 1 $CLIENTS
		wait_for 5 "the clients to be where they were" believe_again "$believed"
	done
}

believe_again() {
	[[ $(believed $OUR4) == "$1" ]]
}

test_vlans_on_alb() {
	balanced balance-alb
	make_clients
	ip link add link b7 name b7.5 type vlan id 5
	ip link set b7.5 up
	ip address add 192.0.5.1/24 dev b7.5
	for number in 1 2 3 4; do
		ip -n c$number link add link eth0 name eth0.5 type vlan id 5
		ip -n c$number link set eth0.5 up
		ip -n c$number address add 192.0.5.1$number/24 dev eth0.5
		wait_for 10 "client $number to reach the VLAN" ping_from $number 192.0.5.1
	done
	cut_link b0
	wait_for 10 "b0 to be down" mii_status b0 down
	for number in 1 2 3 4; do
		wait_for 10 "client $number to reach the VLAN through a0" ping_from $number 192.0.5.1
	done
}

# -- failover ------------------------------------------------------------------------

# lossless MODE SLAVE DIRECTION: the slave is active, is lost, and is back; one packet each time may be lost.
lossless() {
	balanced "$1"
	if [[ $3 == out ]]; then stream_start; else stream_start_inbound; fi
	cut_ms=0
	set_option b7 primary "$2"
	wait_for 5 "$2 to be active" active b7 "$2"
	cut_link "$2"
	wait_for 10 "$2 to be down" mii_status "$2" down
	stream_more 200
	mend_link "$2"
	wait_for 10 "$2 to be active again" active b7 "$2"
	stream_more 200
	stream_stop
	((lost <= 2 + cut_ms)) || fail "$lost packets lost, though the cable took $cut_ms ms"
}

test_tlb_failover_out() {
	ours_only "loses up to miimon"
	lossless balance-tlb a0 out
}

test_tlb_failover_in() {
	ours_only "loses up to miimon"
	lossless balance-tlb a0 in
}

test_alb_failover_out() {
	ours_only "loses up to miimon"
	lossless balance-alb a0 out
}

test_alb_failover_in() {
	ours_only "loses up to miimon"
	lossless balance-alb a0 in
}

test_alb_failover_of_the_other_slave_in() {
	ours_only "loses up to miimon"
	lossless balance-alb b0 in
}

# -- learning ------------------------------------------------------------------------

# teaches MODE
teaches() {
	balanced "$1"
	capture peer b0p "ether proto 0x9000"
	wait_for 10 "learning frames of b0" captured_at_least 2 "ether src $(hwaddr b0)"
	capture_stop
	ip link add link b7 name b7.5 type vlan id 5
	ip link set b7.5 up
	capture peer a0p "ether proto 0x8100 or vlan"
	wait_for 10 "learning frames of the VLAN" captured_at_least 1 "ether src $(hwaddr b7) and vlan 5"
	capture_stop
}

test_learning_frames_of_tlb() {
	teaches balance-tlb
}

test_learning_frames_of_alb() {
	teaches balance-alb
}

test_lp_interval() {
	ours_only "sends no frame at once"
	balanced balance-tlb lp_interval 3600
	capture peer b0p "ether proto 0x9000"
	set_option b7 lp_interval 1800
	wait_for 10 "a learning frame" captured_at_least 1 "ether src $(hwaddr b0)"
	capture_stop
}

# -- stations behind a bridge ----------------------------------------------------------

STATION=02:00:00:00:05:01

# make_station: a bridge on b7, and behind its other port a namespace that says nothing by itself.
make_station() {
	ip link add br1 type bridge forward_delay 0 mcast_snooping 0 "$@"
	ip link set br1 up
	ip link set b7 master br1
	ip netns add station
	ip netns exec station sysctl -qw net.ipv6.conf.default.disable_ipv6=1
	ip link add st0 type veth peer name eth0 address $STATION netns station
	ip link set st0 master br1 up
	ip -n station link set eth0 up
	ip -n station address add 192.0.2.9/24 dev eth0
	wait_for 10 "the station to be reached" in_peer ping -q -c 1 -W 1 192.0.2.9
}

# seen_behind PORT [VLAN]: the switch has learned the station there.
seen_behind() {
	in_peer bridge -j fdb show br br0 | jq -r --arg mac $STATION '.[] | select(.mac == $mac) | .ifname' | has "^$1\$"
}

# bond_seen_behind PORT: the switch has learned the bond there, from its gratuitous ARP.
bond_seen_behind() {
	in_peer bridge -j fdb show br br0 | jq -r --arg mac "$(hwaddr b7)" '.[] | select(.mac == $mac) | .ifname' | has "^$1\$"
}

# bridge_tells: the kernel has switchdev, by which bridges tell what they know.
bridge_tells() {
	grep -q ' switchdev_bridge_port_replay$' /proc/kallsyms
}

test_a_silent_station_is_reached_after_a_failover() {
	ours_only "leaves it cut off until it sends something"
	bridge_tells || skip "this kernel has no switchdev"
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0
	ready
	make_station
	set_option b7 announce_stations on
	wait_for 5 "the switch to see the station" seen_behind a0p
	ip link set b7 type bond active_slave b0
	wait_for 2 "the switch to see the station behind b0" seen_behind b0p
	in_peer ping -q -c 1 -W 1 192.0.2.9 >/dev/null || fail "the station is not reached"
	# Without the option, the switch does not learn.
	set_option b7 announce_stations off
	ip link set b7 type bond active_slave a0
	wait_for 5 "the switch to see the bond behind a0" bond_seen_behind a0p
	seen_behind b0p || fail "the switch has learned without a frame"
}

# With neither the option nor a word from the station, the switch sends to the old slave until it forgets.
test_a_silent_station_without_the_option() {
	local began seconds
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0
	ready
	make_station
	# Neither has to ask for the other's address any more, which would make the station speak.
	ip -n peer neigh replace 192.0.2.9 lladdr $STATION dev br0 nud permanent
	ip -n station neigh replace "$PEER4" lladdr "$(in_peer cat $SYSFS/br0/address)" dev eth0 nud permanent
	ip link set b7 type bond active_slave b0
	wait_for 5 "the switch to see the bond behind b0" bond_seen_behind b0p
	began=${EPOCHREALTIME/[.,]/}
	in_peer ping -q -c 1 -i 1 -w 400 192.0.2.9 || fail "it is not reached any more"
	seconds=$(((${EPOCHREALTIME/[.,]/} - began) / 1000000))
	echo "cut off for $seconds s"
	((seconds > 200 && seconds < 330))
}

# One packet a millisecond to a station that only receives.
test_a_silent_station_loses_nothing() {
	ours_only "leaves it cut off until it sends something"
	bridge_tells || skip "this kernel has no switchdev"
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0
	ready
	make_station
	set_option b7 announce_stations on
	stream_run "ip netns exec station" "ip netns exec peer" 192.0.2.9
	ip link set b7 type bond active_slave b0
	stream_more 200
	ip link set b7 type bond active_slave a0
	stream_more 200
	stream_stop
	((lost == 0)) || fail "$lost packets lost"
}

test_a_silent_station_in_a_vlan() {
	ours_only "leaves it cut off until it sends something"
	bridge_tells || skip "this kernel has no switchdev"
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0
	ready
	make_station vlan_filtering 1
	set_option b7 announce_stations on
	bridge vlan add dev b7 vid 5
	bridge vlan add dev st0 vid 5 pvid untagged
	bridge vlan del dev st0 vid 1
	# The station has to speak once in its VLAN.
	ip netns exec station ping -q -c 1 -W 1 192.0.2.99 >/dev/null || :
	bridge -j fdb show br br1 | jq -r --arg mac $STATION '.[] | select(.mac == $mac and .vlan == 5) | .ifname' | has '^st0$' ||
		fail "the bridge does not know the station"
	capture peer b0p "vlan 5"
	ip link set b7 type bond active_slave b0
	wait_for 5 "a frame of the station in its VLAN" captured_at_least 1 "ether src $STATION"
	captured "ether src $STATION" | has 'vlan 5' || fail "the frame has no tag: $(captured)"
	capture_stop
}

test_a_silent_macvlan() {
	ours_only "leaves it cut off until it sends something"
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0
	ready
	ip link add link b7 name mv0 address $STATION type macvlan mode bridge
	ip link set mv0 up
	set_option b7 announce_stations on
	capture peer b0p "ether proto 0x8035"
	ip link set b7 type bond active_slave b0
	wait_for 5 "a frame of the macvlan" captured_at_least 1 "ether src $STATION"
	capture_stop
}

# What a virtual machine behind a bridge on the bond sends and receives.
machine_behind() {
	balanced "$1"
	ip address flush dev b7
	make_station
	make_clients
	for number in 1 2 3 4; do
		wait_for 10 "client $number to reach the machine" ping_from $number 192.0.2.9
	done
	cut_link a0
	wait_for 10 "b0 to be active" active b7 b0
	wait_for 10 "the station to speak" ip netns exec station ping -q -c 1 -W 1 $PEER4
	for number in 1 2 3 4; do
		wait_for 10 "client $number to reach the machine" ping_from $number 192.0.2.9
	done
}

test_a_machine_behind_a_bridge_on_tlb() {
	machine_behind balance-tlb
}

test_a_machine_behind_a_bridge_on_alb() {
	machine_behind balance-alb
}

ktap_main "$@"
