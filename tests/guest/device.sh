#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 600
# reference: intree
#
# The bond as a network device: MTU, features, VLAN ids, queues, statistics,
# ethtool, and how round-robin spreads packets. The transcripts are made by
#
#   scripts/guest --module intree -- /project/tests/guest/device.sh --record \
#       >tests/guest/reference/device.txt

. "${BASH_SOURCE[0]%/*}/bond.sh"
. "${BASH_SOURCE[0]%/*}/reference/compare.sh"

TYPE=88b5		# for experiments
BROADCAST=ff:ff:ff:ff:ff:ff

setup() {
	loaded || modprobe bonding max_bonds=0
}

# start MODE OPTION...: a bond of a0 and b0, and a peer that answers.
start() {
	make_links veth a0 b0
	make_bond b7 mode "$@" miimon 100
	enslave b7 a0 b0
	wait_for 10 "b0 to be up" mii_status b0 up
	wait_for 10 "the peer to answer" ping_peer
}

counter() {
	cat "$SYSFS/$1/statistics/$2"
}

counted() {
	(($(counter "$1" "$2") >= $3))
}

# -- transcripts ---------------------------------------------------------------------

features() {
	echo "-- $1"
	ethtool -k b7
}

transcript_features() {
	make_links veth a0 b0
	make_netdevsim n0
	ip link add d0 type dummy
	ip link add b7 type bond mode active-backup miimon 100
	features "no slaves"
	enslave b7 a0
	features "veth"
	enslave b7 b0
	ethtool -K b0 tx off >/dev/null
	features "veth, one without checksums"
	ethtool -K b0 tx on >/dev/null
	enslave b7 d0
	features "veth and dummy"
	ip link set a0 nomaster
	ip link set b0 nomaster
	ip link set d0 nomaster
	enslave b7 n0
	features "netdevsim"
	ethtool -K b7 gro off >/dev/null
	features "gro off"
}

transcript_ethtool() {
	make_links veth a0 b0
	ip link add b7 type bond mode active-backup miimon 100
	ethtool b7 2>&1
	ip link set b7 up
	ethtool b7 2>&1
	enslave b7 a0 b0
	wait_for 10 "b0 to be up" mii_status b0 up
	wait_for 10 "the bond to have carrier" has_carrier b7
	ethtool b7 2>&1
	cat $SYSFS/b7/speed $SYSFS/b7/duplex
	ethtool -i b7 | sed "s/$(uname -r)/RELEASE/"
	ip link del b7
	ip link add b7 type bond mode balance-rr miimon 100
	ip link set b7 up
	enslave b7 a0 b0
	wait_for 10 "b0 to be up" mii_status b0 up
	wait_for 10 "the bond to have carrier" has_carrier b7
	ethtool b7 2>&1
}

transcript_link_attributes() {
	ip link add b7 address 02:00:00:00:00:77 type bond
	ip -d -j link show b7 | jq -MS '.[0] | del(.ifindex, .linkinfo)'
	make_links veth a0
	ip link set b7 up
	enslave b7 a0
	wait_for 10 "the bond to have carrier" has_carrier b7
	wait_for 10 "operational state up" grep -q up $SYSFS/b7/operstate
	ip -d -j link show b7 | jq -MS '.[0] | del(.ifindex, .linkinfo)'
	cat $SYSFS/b7/{flags,type,addr_assign_type,tx_queue_len,dev_id,iflink} | sed 's/^[0-9]*$/number/'
}

transcripts_are_tests

# -- MTU ------------------------------------------------------------------------------

test_mtu_reaches_slaves() {
	start active-backup
	ip link set b7 mtu 1400
	is "$(cat $SYSFS/{b7,a0,b0}/mtu | xargs)" "1400 1400 1400"
	ping -q -c 1 -W 1 -M do -s 1372 $PEER4
	! ping -q -c 1 -W 1 -M do -s 1373 $PEER4 || fail "a packet of 1401 bytes left the bond"
}

test_mtu_that_a_slave_refuses_changes_none() {
	# A macvlan refuses an MTU above that of the device below it.
	ip link add d0 type dummy
	ip link add d1 type dummy
	ip link add mv0 link d1 type macvlan
	ip link add b7 type bond
	enslave b7 d0 mv0
	refused "" ip link set b7 mtu 9000
	unmoved
	is "$(cat $SYSFS/{b7,d0,mv0}/mtu | xargs)" "1500 1500 1500"
}

# -- VLAN ids ---------------------------------------------------------------------------

# vlan_ids ID-OF-NETDEVSIM: the VLAN ids in its filter, without 0, which every device has while it
# is up.
vlan_ids() {
	grep -v ' 0$' "/sys/kernel/debug/netdevsim/netdevsim$1/ports/0/vlan" | xargs
}

test_vlan_ids_reach_slaves() {
	local first=$netdevsim_id second
	modprobe 8021q
	mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug
	make_netdevsim n0
	second=$netdevsim_id
	make_netdevsim n1
	ip link add b7 type bond mode active-backup miimon 100
	ip link set b7 up
	enslave b7 n0
	ip link add v5 link b7 type vlan id 5
	ip link add v6 link b7 type vlan proto 802.1ad id 6
	is "$(vlan_ids "$first")" "ctag 5 stag 6" "ids of the first slave"
	enslave b7 n1
	is "$(vlan_ids "$second")" "ctag 5 stag 6" "ids of a later slave"
	ip link del v5
	is "$(vlan_ids "$first")" "stag 6"
	ip link set n0 nomaster
	is "$(vlan_ids "$first")" "" "ids of a released slave"
	is "$(vlan_ids "$second")" "stag 6"
	ip link del b7
	is "$(vlan_ids "$second")" "" "ids after the bond is gone"
}

# -- statistics ----------------------------------------------------------------------------

test_statistics_survive_release() {
	local name before
	start active-backup
	ping -q -c 20 -i 0.01 $PEER4
	before=$(counter b7 tx_packets)
	((before >= 20)) || fail "only $before packets counted"
	ip link set a0 nomaster
	counted b7 tx_packets "$before"
	ip link set b0 nomaster
	for name in tx_packets rx_packets; do
		counted b7 $name 20
	done
}

test_earlier_traffic_of_a_slave_does_not_count() {
	build frame
	make_links veth a0
	ip link set a0 up
	frame send a0 $BROADCAST 02:00:00:00:00:99 $TYPE 1000
	make_bond b7 miimon 100
	enslave b7 a0
	(($(counter b7 tx_packets) < 100)) || fail "the bond counts $(counter b7 tx_packets) packets"
	counted a0 tx_packets 1000
}

test_statistics_are_the_sum() {
	build frame
	start balance-rr
	local bond a b
	frame send b7 $BROADCAST 02:00:00:00:00:99 $TYPE 100
	bond=$(counter b7 tx_packets)
	a=$(counter a0 tx_packets)
	b=$(counter b0 tx_packets)
	((bond >= 100 && bond <= a + b)) || fail "the bond counts $bond packets, its slaves $a and $b"
}

# received DEVICE PACKETS BYTES: sets what an asked_ device reports as received.
received() {
	put "$2 $3" "$SYSFS/$1/asked/received"
}

# is_counted PACKETS BYTES: the bond has counted these.
is_counted() {
	is "$(counter b7 rx_packets) $(counter b7 rx_bytes)" "$1 $2" "packets and bytes of the bond"
}

# With 64-bit counters: what one second at 24 Gbit/s adds.
test_three_gigabytes_between_two_looks() {
	ours_only "takes that for a counter of 32 bits that went back, and counts nothing"
	modprobe asked
	ip link add a0 type asked_none
	ip link add b7 type bond mode active-backup
	enslave b7 a0
	received a0 2000000 3000000000
	is_counted 2000000 3000000000
	received a0 4000000 6000000000
	is_counted 4000000 6000000000
}

test_a_counter_of_32_bits_that_wraps() {
	modprobe asked
	ip link add a0 type asked_none
	received a0 1000 4294967000
	ip link add b7 type bond mode active-backup
	enslave b7 a0
	received a0 1010 1000
	is_counted 10 1296
	received a0 2000010 1000001000
	is_counted 1999010 1000001296
}

test_a_device_that_is_reset_adds_nothing() {
	ours_only "takes it for a counter of 32 bits that has wrapped"
	modprobe asked
	ip link add a0 type asked_none
	ip link add b7 type bond mode active-backup
	enslave b7 a0
	received a0 2000000 2000000000
	is_counted 2000000 2000000000
	received a0 3000000 3000000000
	is_counted 3000000 3000000000
	received a0 0 0
	is_counted 3000000 3000000000
	received a0 10 1000
	is_counted 3000010 3000001000
	ip link set a0 nomaster
	is_counted 3000010 3000001000
}

test_packets_without_a_slave_are_dropped_and_counted() {
	build frame
	ip link add b7 type bond mode active-backup miimon 100
	ip link set b7 up
	frame send b7 $BROADCAST 02:00:00:00:00:99 $TYPE 10
	counted b7 tx_dropped 10
}

# -- queues ------------------------------------------------------------------------------------

test_queue_id_chooses_the_slave() {
	start active-backup
	set_option b7 queue_id b0:2
	tc qdisc add dev b7 handle 1: root multiq
	tc filter add dev b7 parent 1: protocol ip prio 1 u32 match ip dst 192.0.2.55/32 \
		action skbedit queue_mapping 2
	ip neighbour add 192.0.2.55 lladdr 02:00:00:00:00:55 dev b7
	capture peer b0p "icmp and dst host 192.0.2.55"
	ping -q -c 5 -i 0.05 -W 1 192.0.2.55 || :
	wait_for 5 "five packets on b0, which is not active" captured_at_least 5 icmp
	capture_stop
	ping_peer
	# When the link of b0 is gone, the active slave must do.
	cut_link b0
	wait_for 5 "b0 to be down" mii_status b0 down
	capture peer a0p "icmp and dst host 192.0.2.55"
	ping -q -c 5 -i 0.05 -W 1 192.0.2.55 || :
	wait_for 5 "five packets on a0" captured_at_least 5 icmp
	capture_stop
}

# -- round-robin ---------------------------------------------------------------------------------

# slaves_of_packets: one letter for each packet captured on any link: the slave that sent it.
slaves_of_packets() {
	local a b
	a=$(in_peer cat /sys/class/net/a0p/ifindex)
	b=$(in_peer cat /sys/class/net/b0p/ifindex)
	captured | sed -n "s/.* ifindex $a .*/a/p; s/.* ifindex $b .*/b/p" | tr -d '\n'
}

packets_arrived() {
	(($(slaves_of_packets | wc -c) >= $1))
}

# spread PACKETS-PER-SLAVE: sends 100 packets; slaves_of_packets then tells which slaves sent them.
spread() {
	set_option b7 packets_per_slave "$1"
	capture peer any "ether proto 0x$TYPE"
	frame send b7 $BROADCAST 02:00:00:00:00:99 $TYPE 100
	wait_for 10 "a hundred packets" packets_arrived 100
	capture_stop
}

# turns PACKETS-PER-SLAVE LOWEST HIGHEST: checks how often the slave changes.
turns() {
	local order changes
	spread "$1"
	order=$(slaves_of_packets)
	changes=$(($(sed 's/a\+/a/g; s/b\+/b/g' <<<"$order" | tr -d '\n' | wc -c) - 1))
	((changes >= $2 && changes <= $3)) ||
		fail "packets_per_slave $1: the slave changed $changes times, expected $2 to $3: $order"
}

test_round_robin_spreads_packets() {
	build frame
	start balance-rr
	turns 1 90 99
	turns 10 9 12
	turns 50 1 3
	turns 0 10 90
}

test_round_robin_uses_what_has_link() {
	build frame
	start balance-rr
	cut_link a0
	wait_for 5 "a0 to be down" mii_status a0 down
	turns 1 0 0
	wait_for 5 "the peer to answer" ping_peer
}

test_round_robin_keeps_igmp_on_one_slave() {
	local group
	build frame
	start balance-rr
	# IGMPv3 would put several groups into one report.
	sysctl -qw net.ipv4.conf.b7.force_igmp_version=2
	sysctl -qw net.ipv4.conf.b7.igmpv2_unsolicited_report_interval=200
	capture peer any igmp
	for group in {1..6}; do
		frame join b7 239.1.1.$group &
	done
	wait_for 10 "six IGMP reports" packets_arrived 6
	capture_stop
	is "$(slaves_of_packets | sed 's/\(.\)\1*/\1/g' | wc -c)" 1 "number of slaves"
}

# -- data -----------------------------------------------------------------------------------------

# A transfer arrives intact, with all the offloads that the bond advertises.
transfer() {
	head -c 3000000 /dev/urandom >"$WORK/sent"
	socat -V >/dev/null	# fetches it
	in_peer socat -u TCP-LISTEN:5002,reuseaddr "CREATE:$WORK/received" &
	local receiver=$!
	wait_for 5 "the receiver to listen" eval 'in_peer ss -Hltn "sport = 5002" | has 5002'
	socat -u "OPEN:$WORK/sent" TCP:$PEER4:5002
	wait $receiver
	cmp "$WORK/sent" "$WORK/received"
}

test_tcp_over_active_backup() {
	start active-backup
	transfer
}

test_tcp_over_round_robin() {
	start balance-rr
	transfer
}

test_min_links_is_for_lacp_only() {
	start active-backup min_links 5
	has_carrier b7
}

reference_main "$@"
