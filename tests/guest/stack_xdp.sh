#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 900
# reference: intree
#
# XDP programs on a bond: its slaves run them, and frames are redirected to it.

. "${BASH_SOURCE[0]%/*}/bond.sh"

TYPE=88b5		# for experiments
BROADCAST=ff:ff:ff:ff:ff:ff
US=02:00:00:00:00:aa
PINS=/tmp/bpf

setup() {
	loaded || modprobe bonding max_bonds=0
	build xdp frame
	# Not below /sys, since "ip -n" mounts another sysfs there.
	mkdir -p $PINS
	mountpoint -q $PINS || mount -t bpf none $PINS
	rm -f $PINS/t-*
}

# program KIND [DEVICE]: pins the program, and prints the path.
program() {
	local path=$PINS/t-$1
	[[ -e $path ]] || xdp pin "$1" "$path" "${2-}"
	echo "$path"
}

# attach DEVICE KIND [DEVICE]: the driver of DEVICE runs the program. detach DEVICE: it no longer
# does.
attach() {
	ip link set dev "$1" xdpdrv pinned "$(program "$2" "${3-}")"
}

detach() {
	ip link set dev "$1" xdpdrv off
}

attached() {
	link_json "$1" '.xdp.mode // 0'
}

# start MODE OPTION...: a bond of two slaves, and a peer that answers.
start() {
	make_links veth a0 b0
	# The far end must accept what veth sends as XDP frames.
	in_peer ethtool -K a0p gro on
	in_peer ethtool -K b0p gro on
	make_bond b7 mode "$@" miimon 100
	enslave b7 a0 b0
	wait_for 10 "b0 to be up" mii_status b0 up
	wait_for 10 "the peer to answer" ping_peer
}

silent() {
	! ping -q -c 1 -W 0.2 $PEER4
}

test_all_slaves_run_the_program() {
	start active-backup
	attach b7 drop
	is "$(attached b7)" 1
	# The program is not shown as the slaves' own: nobody else may take it from them.
	is "$(attached a0) $(attached b0)" "0 0"
	wait_for 5 "packets to be dropped" silent
	ip link set a0 down
	wait_for 5 "b0 to be active" active b7 b0
	silent
	detach b7
	is "$(attached b7)" 0
	wait_for 5 "the peer to answer" ping_peer
}

test_a_program_takes_the_place_of_another() {
	start active-backup
	attach b7 drop
	wait_for 5 "packets to be dropped" silent
	ip -force link set dev b7 xdpdrv pinned "$(program pass)"
	wait_for 5 "the peer to answer" ping_peer
}

test_a_new_slave_runs_the_program() {
	start active-backup
	attach b7 drop
	make_links veth c0
	enslave b7 c0
	wait_for 5 "c0 to be up" mii_status c0 up
	set_option b7 active_slave c0
	silent
	ip link set c0 nomaster
	ip link set c0 up
	attach c0 pass
	is "$(attached c0)" 1
}

test_a_released_slave_runs_it_no_more() {
	start active-backup
	attach b7 drop
	ip link set a0 nomaster
	ip link set a0 up
	ip address del $OUR4/24 dev b7
	ip address add $OUR4/24 dev a0
	wait_for 5 "the peer to answer" ping_peer
}

test_slaves_without_xdp() {
	start active-backup
	ip link add d0 type dummy
	enslave b7 d0
	refused "Slave device does not support XDP" attach b7 drop
	unmoved
	ping_peer
	ip link set d0 nomaster
	attach b7 pass
	fails_with "Slave " ip link set d0 master b7
	is "$(link_json d0 .master)" null
	is "$(attached b7)" 1
}

test_slaves_with_a_program_of_their_own() {
	start active-backup
	attach b0 pass
	refused "Slave has XDP program loaded, please unload before enslaving" attach b7 drop
	unmoved
	ping_peer
	detach b0
	attach b7 pass
	make_links veth c0
	attach c0 pass
	refused "Slave has XDP program loaded, please unload before enslaving" \
		ip link set c0 master b7
	is "$(link_json c0 .master)" null
	fails_with "Cannot attach when an upper device already has a program" attach a0 drop
}

# If the driver of one slave refuses a program, no slave runs it: a program cannot run with packets
# that large.
test_a_slave_that_refuses() {
	start active-backup
	ip link set b7 mtu 9000 || skip "no large packets"
	in_peer ip link set a0p mtu 9000
	in_peer ip link set b0p mtu 9000
	refused "" attach b7 drop
	unmoved
	is "$(attached b7)" 0
	ping_peer
}

test_modes_that_can_run_no_program() {
	make_links veth a0
	ip link add b7 type bond mode broadcast
	fails_with "No native XDP support for the current bonding mode" attach b7 pass
	ip link add b8 type bond mode balance-xor xmit_hash_policy vlan+srcmac
	fails_with "No native XDP support for the current bonding mode" attach b8 pass
	ip link set b8 type bond xmit_hash_policy layer3+4
	attach b8 pass
}

test_a_program_keeps_the_mode() {
	ip link add b7 type bond mode balance-xor xmit_hash_policy layer2
	attach b7 pass
	fails_with "Operation not supported" set_option b7 mode broadcast
	fails_with "Operation not supported" set_option b7 xmit_hash_policy vlan+srcmac
	fails_with "" ip link set b7 type bond mode broadcast
	is "$(option b7 mode)" "balance-xor 2"
	is "$(option b7 xmit_hash_policy)" "layer2 0"
	set_option b7 mode active-backup
	detach b7
	set_option b7 mode broadcast
}

test_generic_programs_do_not_matter() {
	start active-backup
	ip link set dev b7 xdpgeneric pinned "$(program drop)"
	wait_for 5 "packets to be dropped" silent
	ip link set dev b7 xdpgeneric off
	ping_peer
	ip link set dev b7 down
	ip link set a0 nomaster
	ip link set b0 nomaster
	ip link set dev b7 xdpgeneric pinned "$(program drop)"
	set_option b7 mode broadcast
}

test_frames_are_sent_back() {
	start active-backup
	# The peer's bridge would forward the frames in circles.
	ip -n peer link set a0p nomaster
	ip -n peer link set b0p nomaster
	attach b7 tx
	# Frames that are sent back stay in the ring of a far end without a program until something
	# else arrives (veth_xdp_flush()).
	ip -n peer link set dev a0p xdpdrv pinned "$(program pass)"
	capture peer a0p "ether proto 0x$TYPE"
	in_peer_frame a0p 10
	wait_for 10 "ten frames to come back" captured_at_least 10 "ether proto 0x$TYPE"
	capture_stop
}

# in_peer_frame DEVICE N
in_peer_frame() {
	in_peer "$(command -v frame)" send "$1" $BROADCAST $US $TYPE "$2"
}

# A frame that arrived on a backup leaves through the active slave.
test_frames_are_sent_back_through_the_active_slave() {
	start active-backup
	set_option b7 active_slave a0
	ip -n peer link set a0p nomaster
	ip -n peer link set b0p nomaster
	attach b7 tx
	capture peer a0p "ether proto 0x$TYPE"
	in_peer_frame b0p 10
	wait_for 10 "ten frames on the active link" captured_at_least 10 "ether proto 0x$TYPE"
	capture_stop
	set_option b7 active_slave b0
	capture peer b0p "ether proto 0x$TYPE"
	in_peer_frame a0p 10
	wait_for 10 "ten frames on the other link" captured_at_least 10 "ether proto 0x$TYPE"
	capture_stop
}

# redirect: what c0's far end sends leaves through the bond.
redirect() {
	mk_namespace far
	mk_veth_pair c0 c0p far
	attach c0 redirect b7
	# Devices that send frames for others must run a program themselves, or do GRO.
	ethtool -K a0 gro on
	ethtool -K b0 gro on
	ip -n peer link set a0p nomaster
	ip -n peer link set b0p nomaster
}

far_frame() {
	ip netns exec far "$(command -v frame)" send c0p $BROADCAST "${2-$US}" $TYPE "$1"
}

# arrived: how many frames arrived on a0p and on b0p: "A B".
arrived() {
	local a b
	a=$(in_peer cat /sys/class/net/a0p/ifindex)
	b=$(in_peer cat /sys/class/net/b0p/ifindex)
	captured | awk -v a="ifindex $a " -v b="ifindex $b " \
		'index($0, a) { x++ } index($0, b) { y++ } END { print x + 0, y + 0 }'
}

test_redirected_frames_leave_through_the_active_slave() {
	start active-backup
	set_option b7 active_slave b0
	redirect
	capture peer any "ether proto 0x$TYPE"
	far_frame 20
	wait_for 10 "twenty frames" captured_at_least 20 "ether proto 0x$TYPE"
	capture_stop
	is "$(arrived)" "0 20"
	cut_link b0
	wait_for 5 "a0 to be active" active b7 a0
	capture peer any "ether proto 0x$TYPE"
	far_frame 20
	wait_for 10 "twenty frames" captured_at_least 20 "ether proto 0x$TYPE"
	capture_stop
	is "$(arrived)" "20 0"
}

test_redirected_frames_leave_in_turn() {
	start balance-rr
	redirect
	capture peer any "ether proto 0x$TYPE"
	far_frame 20
	wait_for 10 "twenty frames" captured_at_least 20 "ether proto 0x$TYPE"
	capture_stop
	is "$(arrived)" "10 10"
}

test_redirected_frames_leave_by_hash() {
	start balance-xor xmit_hash_policy layer2
	redirect
	capture peer any "ether proto 0x$TYPE"
	far_frame 10 02:00:00:00:00:aa
	wait_for 10 "ten frames" captured_at_least 10 "ether proto 0x$TYPE"
	capture_stop
	local first
	first=$(arrived)
	[[ $first == "10 0" || $first == "0 10" ]] || fail "one flow on two links: $first"
	capture peer any "ether proto 0x$TYPE"
	far_frame 10 02:00:00:00:00:ab
	wait_for 10 "ten frames" captured_at_least 10 "ether proto 0x$TYPE"
	capture_stop
	is "$(arrived)" "${first#* } ${first% *}" "the next address on the other link"
}

test_no_slave_no_frames() {
	make_links veth a0 b0
	make_bond b7 mode active-backup miimon 100
	redirect
	far_frame 5
	# There is nothing to observe; the frames were freed.
	exists b7
}

test_what_the_bond_can_do() {
	local all
	make_links veth a0 b0
	make_bond b7 mode active-backup miimon 100
	is "$(xdp features b7)" 0 "without slaves"
	enslave b7 a0
	all=$(xdp features a0)
	is "$(xdp features b7)" "$all" "with a veth"
	ip link add d0 type dummy
	enslave b7 d0
	is "$(xdp features b7)" "$(xdp features d0)" "with a dummy"
	ip link set d0 nomaster
	is "$(xdp features b7)" "$all" "without it"
	ethtool -K a0 gro on
	is "$(xdp features b7)" "$(xdp features a0)" "with more"
	ethtool -K a0 gro off
	is "$(xdp features b7)" "$(xdp features a0)" "with less"
	ip link set a0 nomaster
	is "$(xdp features b7)" 0 "without slaves again"
}

test_a_bond_goes_away_with_its_program() {
	start active-backup
	attach b7 drop
	ip link del b7
	ip link set a0 up
	attach a0 pass
	ip link add b7 type bond mode active-backup
	attach b7 pass
	enslave b7 b0
	unload
	modprobe bonding max_bonds=0
}

ktap_main "$@"
