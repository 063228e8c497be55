#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 900
#
# The virtual InfiniBand fabric itself: how the kernel's own users work with it, what the tools
# report, and its faults. No bond is involved.

. "${BASH_SOURCE[0]%/*}/ipoib.sh"

# -- what there is -------------------------------------------------------------------------

test_ports_are_active() {
	local hca
	vib_load
	for hca in vib0 vib1 vib2; do
		wait_for 20 "$hca to be active" port_is $hca ACTIVE
		is "$(<$INFINIBAND/$hca/ports/1/phys_state)" "5: LinkUp"
		is "$(<$INFINIBAND/$hca/ports/1/link_layer)" InfiniBand
		is "$(<$INFINIBAND/$hca/ports/1/rate)" "100 Gb/sec (4X EDR)"
		is "$(<$INFINIBAND/$hca/ports/1/sm_lid)" 0x1
		is "$(<$INFINIBAND/$hca/ports/1/pkeys/0)" 0xffff
		is "$(<$INFINIBAND/$hca/ports/1/pkeys/1)" 0x8001
	done
	is "$(lid vib0) $(lid vib1) $(lid vib2)" "2 3 4" LIDs
	rdma link show vib0/1 | has "state ACTIVE physical_state LINK_UP"
}

test_parameters() {
	vib_load hcas=2 ports=2 pkeys=2
	is "$(ls $INFINIBAND | tr '\n' ' ')" "vib0 vib1 "
	is "$(ls $INFINIBAND/vib1/ports | tr '\n' ' ')" "1 2 "
	is "$(<$INFINIBAND/vib1/ports/2/pkeys/1)" 0x8001
	is "$(<$INFINIBAND/vib1/ports/2/pkeys/2)" 0x0000
	vib_unload
	fails_with "Invalid argument" modprobe vib hcas=0
	kmsg_has 'vib: .*hcas.*0.*1 to 16'
	fails_with "Invalid argument" modprobe vib ports=5
	fails_with "Invalid argument" modprobe vib pkeys=33
}

# -- IPoIB ---------------------------------------------------------------------------------

test_ping_in_datagram_mode() {
	make_fabric
	ipoib_up a0
	is "$(<$SYSFS/a0/mtu)" 2044 MTU
	peer_answers $PEER4
	peer_answers $PEER6
	ping -q -c 3 -W 2 -s 8000 $PEER4
	ping -q -c 20 -i 0.02 -W 2 $PEER4 | has ' 0% packet loss'
}

# tcp_transfer: sends 20 MB of random bytes to the peer, and compares them there.
tcp_transfer() {
	local sum
	head -c 20000000 /dev/urandom >"$WORK/data"
	sum=$(sha256sum <"$WORK/data")
	in_peer socat -u TCP-LISTEN:7000,reuseaddr "CREATE:$WORK/received" &
	wait_for 30 "the peer to listen" peer_listens 7000
	socat -u "OPEN:$WORK/data" "TCP:$PEER4:7000"
	wait $!
	is "$(sha256sum <"$WORK/received")" "$sum" "checksum of what arrived"
}

test_tcp_in_datagram_mode() {
	make_fabric
	ipoib_up a0
	peer_answers
	tcp_transfer
}

test_connected_mode() {
	make_fabric
	put connected $SYSFS/a0/mode
	in_peer bash -c "echo connected >$SYSFS/p0/mode"
	ip link set a0 mtu 65520
	ip -n peer link set p0 mtu 65520
	ipoib_up a0
	peer_answers
	wait_for 30 "a large packet to pass" ping -q -c 1 -W 2 -M do -s 65000 $PEER4
	tcp_transfer
	put datagram $SYSFS/a0/mode
	peer_answers
}

test_child_interfaces_are_partitions() {
	make_fabric
	ipoib_up a0
	ip link add link a0 name a0.8001 type ipoib pkey 0x8001
	ip link add link a0 name a0.8002 type ipoib pkey 0x8002
	ip -n peer link add link p0 name p0.8001 type ipoib pkey 0x8001
	ip link set a0.8001 up
	ip link set a0.8002 up
	ip -n peer link set p0.8001 up
	ip address add 198.51.100.1/24 dev a0.8001
	ip address add 203.0.113.1/24 dev a0.8002
	ip -n peer address add 198.51.100.2/24 dev p0.8001
	ip -n peer address add 203.0.113.2/24 dev p0.8001
	wait_for 20 "carrier of a0.8001" has_carrier a0.8001
	wait_for 20 "carrier of a0.8002" has_carrier a0.8002
	peer_answers 198.51.100.2
	# The other partition hears nothing.
	! ping -q -c 3 -i 0.2 -W 1 203.0.113.2 || fail "a packet went from partition to partition"
}

test_multicast() {
	make_fabric
	ipoib_up a0
	peer_answers
	in_peer socat -u UDP4-RECV:7001,ip-add-membership=239.1.2.3:$PEER4 "CREATE:$WORK/heard" &
	wait_for 30 "the peer to be a member" peer_is_member 239.1.2.3
	ip route add 239.0.0.0/8 dev a0
	wait_for 30 "a multicast packet to arrive" multicast_arrives
	wait_for 30 "an answer to all nodes" ping_all_nodes
}

peer_is_member() {
	in_peer ip maddress show dev p0 | has "$1" && in_peer ss -Hlun "sport = 7001" | has .
}

multicast_arrives() {
	echo hello | socat -u STDIN UDP4-SENDTO:239.1.2.3:7001
	grep -q hello "$WORK/heard"
}

# Our own answer comes first, each time.
ping_all_nodes() {
	local address
	address=$(in_peer ip -6 -j address show dev p0 scope link | jq -r '.[].addr_info[]?.local')
	ping -c 3 -i 0.2 -W 1 ff02::1%a0 | grep "from $address%a0"
}

# -- RDMA ----------------------------------------------------------------------------------

test_nfs_over_rdma() {
	make_fabric
	ipoib_up a0
	peer_answers
	nfs_server
	nfs_mount
	head -c 20000000 /dev/urandom >"$WORK/data"
	cp "$WORK/data" "$WORK/nfs/data"
	same_there data
	same_here data
	umount "$WORK/nfs"
}

# A peer that does not answer breaks a connection; a new one is made when the peer answers again.
test_nfs_over_a_connection_that_breaks() {
	local writer
	make_fabric
	ipoib_up a0
	peer_answers
	nfs_server
	nfs_mount
	head -c 20000000 /dev/urandom >"$WORK/data"
	cp "$WORK/data" "$WORK/nfs/first"
	vib_silent vib2 on
	dd if="$WORK/data" of="$WORK/nfs/data" bs=100k conv=fsync status=none &
	writer=$!
	wait_for 60 "the connection to break" connections vib0 0
	vib_silent vib2 off
	wait $writer
	same_there data
	same_here data
}

# -- the tools ------------------------------------------------------------------------------

test_ibstat() {
	vib_load
	ibstat vib1 >"$WORK/ibstat"
	cat "$WORK/ibstat"
	grep -q 'State: Active' "$WORK/ibstat"
	grep -q 'Physical state: LinkUp' "$WORK/ibstat"
	grep -q 'Base lid: 3' "$WORK/ibstat"
	grep -q 'SM lid: 1' "$WORK/ibstat"
	grep -q 'Link layer: InfiniBand' "$WORK/ibstat"
}

# records REGEX COMMAND...: the number of matching lines in the output.
records() {
	local regex=$1
	shift
	"$@" >"$WORK/tool"
	grep -cE "$regex" "$WORK/tool"
}

test_saquery() {
	make_fabric
	ipoib_up a0
	peer_answers
	is "$(records '^NodeRecord dump' saquery NR)" 4 "nodes"
	is "$(records 'NodeDescription.*vib switch' saquery NR)" 1
	is "$(records '^PathRecord dump' saquery PR)" 16 "paths"
	is "$(records 'dlid\.+0x4|dlid\.+4$' saquery PR --src-to-dst 2:4)" 1 "path to LID 4"
	is "$(records 'MGID.*ff12:401b:ffff::ffff:ffff' saquery -g)" 1 "broadcast group"
	broadcast_has_members 2
	is "$(records '^PortInfoRecord dump' saquery PIR)" 7
	is "$(records '^SMInfoRecord dump' saquery SMIR)" 1
	is "$(records '^LinkRecord dump' saquery LR)" 6
	saquery CPI | has 'Class version'
}

test_saquery_of_a_large_fabric() {
	# There are more paths than fit into a datagram, or into a window of datagrams.
	vib_load hcas=16
	is "$(records '^PathRecord dump' saquery PR)" $((17 * 17)) "paths"
}

test_smpquery() {
	vib_load
	is "$(records 'NodeType:\.+Switch' smpquery nodeinfo 1)" 1
	is "$(records 'NodeType:\.+Channel Adapter' smpquery -D nodeinfo 0,1,3)" 1
	is "$(records 'LocalPort:\.+1$' smpquery -D nodeinfo 0)" 1
	smpquery nodedesc 1 | has 'vib switch'
	is "$(records 'LinkState:\.+Active' smpquery portinfo 3 1)" 1
	vib_port vib1 down
	is "$(records 'LinkState:\.+Down' smpquery portinfo 1 2)" 1
	smpquery pkeys 4 1 | has '0xffff 0x8001'
	smpquery switchinfo 1 | has 'LinearFdbTop:\.*4'
	sminfo | has 'sm lid 1 .*SMINFO_MASTER'
	fails_with failed smpquery nodeinfo 99
}

test_ibnetdiscover() {
	vib_load
	ibnetdiscover >"$WORK/net"
	cat "$WORK/net"
	is "$(grep -c '^Ca' "$WORK/net")" 3 adapters
	is "$(grep -c '^Switch' "$WORK/net")" 1 switches
	ibtracert 2 4 | tee "$WORK/trace"
	grep -q 'To ca' "$WORK/trace"
}

# -- faults ----------------------------------------------------------------------------------

test_a_cut_cable() {
	make_fabric
	ipoib_up a0
	peer_answers
	vib_port vib0 down
	wait_for 20 "a0 to lose its carrier" no_carrier a0
	port_is vib0 DOWN
	vib_port vib0 up
	wait_for 30 "a0 to have its carrier back" has_carrier a0
	peer_answers
	vib_port vib2 down
	! ping_peer || fail "the peer answers over a cut cable"
	vib_port vib2 up
	peer_answers
}

test_a_silent_fault() {
	make_fabric
	ipoib_up a0
	peer_answers
	vib_silent vib0 on
	! ping_peer || fail "the peer's answer was received"
	has_carrier a0
	vib_silent vib0 off
	peer_answers
}

test_lost_packets() {
	local lost
	make_fabric
	ipoib_up a0
	peer_answers
	ip neighbour replace $PEER4 dev a0 lladdr "$(in_peer cat $SYSFS/p0/address)" nud permanent
	peer_answers
	fabric vib2/port1/loss 500
	lost=$(ping -q -c 100 -i 0.01 -W 1 $PEER4 | sed -n 's/.* \([0-9]*\)[.0-9]*% packet loss.*/\1/p')
	((lost >= 30 && lost <= 70)) || fail "$lost of 100 were lost"
	fabric vib2/port1/loss 0
	fabric vib2/port1/drop 3
	ping -q -c 10 -i 0.05 -W 1 $PEER4 >"$WORK/ping" || :
	wait_for 20 "three packets to be lost" has_dropped vib2
	ping -q -c 10 -i 0.05 -W 1 $PEER4 | has ' 0% packet loss'
	fails_with "Invalid argument" fabric vib2/port1/loss 1001
}

has_dropped() {
	[[ $(<"$VIB/$1/port1/drop") == 0 ]]
}

test_late_packets() {
	local rtt
	make_fabric
	ipoib_up a0
	peer_answers
	fabric vib0/port1/delay 30
	is "$(<"$VIB/vib0/port1/delay")" 30
	rtt=$(ping -q -c 5 -i 0.1 -W 1 $PEER4 | sed -n 's:^rtt .* = \([0-9]*\).*:\1:p')
	((rtt >= 30)) || fail "the round trip takes $rtt ms"
	fabric vib0/port1/delay 0
	peer_answers
	fails_with "Invalid argument" fabric vib0/port1/delay 60001
}

test_an_adapter_is_pulled_and_comes_back() {
	make_fabric
	ipoib_up a0
	peer_answers
	vib_hca vib0 out
	wait_for 30 "a0 to be gone" gone a0
	[[ ! -e $INFINIBAND/vib0 ]]
	vib_hca vib0 in
	name_ipoib vib0 a0
	is "$(lid vib0)" 2 "LID, the same as before"
	ipoib_up a0
	peer_answers
}

test_another_lid() {
	make_fabric
	ipoib_up a0
	peer_answers
	fabric vib0/port1/lid 100
	wait_for 20 "the LID" lid_is vib0 100
	# The peer has the old LID until it is told.
	fabric sm/restart 1
	peer_answers
	fails_with "busy" fabric vib0/port1/lid "$(lid vib1)"
}

lid_is() {
	[[ $(lid "$1") == "$2" ]]
}

test_another_partition() {
	make_fabric
	put 0x8001 $SYSFS/a0/create_child
	ip link set a0 up
	ip link set a0.8001 up
	wait_for 20 "carrier of a0.8001" has_carrier a0.8001
	fabric vib0/port1/pkeys "1 0"
	wait_for 30 "a0.8001 to lose its carrier" no_carrier a0.8001
	is "$(<$INFINIBAND/vib0/ports/1/pkeys/1)" 0x0000
	has_carrier a0
	fabric vib0/port1/pkeys "1 0x8001"
	wait_for 20 "a0.8001 to have its carrier back" has_carrier a0.8001
	ip link delete a0.8001
}

# All members join again.
test_the_subnet_manager_starts_anew() {
	make_fabric
	ipoib_up a0
	peer_answers
	fabric sm/restart 1
	wait_for 30 "all members to be back" broadcast_has_members 2
	peer_answers
	ip neighbour flush dev a0
	peer_answers
}

# broadcast_has_members NUMBER
broadcast_has_members() {
	saquery --smkey 1 -m >"$WORK/members"
	(($(grep -A 2 'MGID.*ff12:401b:ffff::ffff:ffff' "$WORK/members" | grep -c 'PortGid.*fe80') >= $1))
}

test_the_subnet_manager_moves() {
	make_fabric
	ipoib_up a0
	peer_answers
	fabric sm/lid 77
	is "$(<$INFINIBAND/vib0/ports/1/sm_lid)" 0x4d
	ip neighbour flush dev a0
	peer_answers
	sminfo | has 'sm lid 77'
}

test_an_administrator_that_does_not_answer() {
	make_fabric
	ipoib_up a0
	fabric sm/silent 1
	# There is no path without an answer, except over the broadcast group.
	! ping_peer || fail "a path was found without the administrator"
	fabric sm/silent 0
	peer_answers $PEER4 40
}

test_an_administrator_that_is_slow() {
	local begin took
	make_fabric
	ipoib_up a0
	fabric sm/delay 300
	is "$(<"$VIB/sm/delay")" 300
	begin=${EPOCHREALTIME/./}
	# Either side asks for the path to the other.
	ping -q -c 1 -W 5 $PEER4
	took=$(((${EPOCHREALTIME/./} - begin) / 1000))
	((took >= 600)) || fail "the first answer took $took ms"
	# Known paths need not be asked for.
	ping -q -c 1 -W 5 $PEER4 | has 'rtt .* = [0-9]\.'
	fails_with "Invalid argument" fabric sm/delay 60001
}

# -- the end -----------------------------------------------------------------------------------

test_unload_under_traffic() {
	local round
	for round in 1 2 3; do
		make_fabric
		ipoib_up a0
		peer_answers
		ping -q -f $PEER4 &>/dev/null &
		wait_for 60 "traffic" has_sent a0 300
		rmmod vib
		kill $!
		gone a0
		ip -all netns delete
		echo "round $round is over"
	done
}

# has_sent DEVICE PACKETS
has_sent() {
	(($(<"$SYSFS/$1/statistics/tx_packets") >= $2))
}

ktap_main "$@"
