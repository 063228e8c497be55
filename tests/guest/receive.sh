#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 600
# kernels: distro debug kcsan
#
# Who gets a frame that arrives on a slave: the bond, only a socket bound to the
# slave, or everybody.

. "${BASH_SOURCE[0]%/*}/bond.sh"

TYPE=88b5		# for experiments
LLDP=88cc
LLDP_GROUP=01:80:c2:00:00:0e
BROADCAST=ff:ff:ff:ff:ff:ff
THEIRS=02:00:00:00:00:99

setup() {
	loaded || modprobe bonding max_bonds=0
	build frame
	make_links veth a0 b0
}

start() {
	ip link add b7 type bond "$@"
	ip link set b7 up
	enslave b7 a0 b0
	wait_for 10 "b0 to be up" mii_status b0 up
	wait_for 10 "the bond to have carrier" has_carrier b7
}

# listen NAME DEVICE TYPE: counts frames under that name; DEVICE may be "any".
listen() {
	frame count "$2" "$3" "$WORK/count.$1" &
	wait_for 5 "the socket $1 to be bound" test -s "$WORK/count.$1"
}

heard() {
	local count
	read -r count <"$WORK/count.$1"
	echo $((10#$count))
}

has_heard() {
	(($(heard "$1") >= $2))
}

# arrive SLAVE DESTINATION TYPE COUNT: frames arrive on the slave.
arrive() {
	ip netns exec peer /tmp/tools/frame send "$1p" "$2" "$THEIRS" "$3" "$4"
}

test_active_slave_delivers_to_the_bond() {
	start mode active-backup miimon 100
	listen bond b7 $TYPE
	listen slave a0 $TYPE
	listen any any $TYPE
	arrive a0 "$(hwaddr b7)" $TYPE 5
	arrive a0 $BROADCAST $TYPE 5
	wait_for 5 "the bond to get ten frames" has_heard bond 10
	wait_for 5 "the socket of the slave to get them too" has_heard slave 10
	is "$(heard any)" 10 "frames for a socket bound to no device"
}

test_inactive_slave_delivers_to_its_own_socket_only() {
	start mode active-backup miimon 100
	listen bond b7 $TYPE
	listen slave b0 $TYPE
	listen any any $TYPE
	arrive b0 "$(hwaddr b7)" $TYPE 5
	arrive b0 $BROADCAST $TYPE 5
	arrive b0 01:00:5e:01:01:01 $TYPE 5
	wait_for 5 "the socket of the slave to get them" has_heard slave 15
	is "$(heard bond)" 0 "frames for the bond"
	is "$(heard any)" 0 "frames for a socket bound to no device"
}

test_frames_nobody_wants_are_counted() {
	start mode active-backup miimon 100
	local before
	before=$(<$SYSFS/b0/statistics/rx_nohandler)
	arrive b0 $BROADCAST $TYPE 5
	wait_for 5 "rx_nohandler of the slave to count" \
		eval '(( $(<$SYSFS/b0/statistics/rx_nohandler) >= '"$before"' + 5 ))'
}

test_link_local_frames_of_an_inactive_slave() {
	# An LLDP daemon that is bound to no device still sees on which device each frame arrived.
	start mode active-backup miimon 100
	listen bond b7 $LLDP
	listen slave b0 $LLDP
	listen any any $LLDP
	arrive b0 $LLDP_GROUP $LLDP 5
	wait_for 5 "the socket of the slave to get them" has_heard slave 5
	wait_for 5 "a socket bound to no device to get them" has_heard any 5
	is "$(heard bond)" 0 "frames for the bond"
}

test_link_local_frames_of_the_active_slave() {
	start mode active-backup miimon 100
	listen bond b7 $LLDP
	listen slave a0 $LLDP
	arrive a0 $LLDP_GROUP $LLDP 5
	wait_for 5 "the bond to get them" has_heard bond 5
	wait_for 5 "the socket of the slave to get them" has_heard slave 5
}

test_roles_change_with_failover() {
	start mode active-backup miimon 100
	listen bond b7 $TYPE
	listen first a0 $TYPE
	set_option b7 active_slave b0
	arrive a0 $BROADCAST $TYPE 5
	wait_for 5 "the socket of a0 to get five frames" has_heard first 5
	is "$(heard bond)" 0 "frames for the bond"
	arrive b0 $BROADCAST $TYPE 5
	wait_for 5 "the bond to get five frames" has_heard bond 5
}

test_all_slaves_active() {
	start mode active-backup miimon 100 all_slaves_active 1
	listen bond b7 $TYPE
	listen slave b0 $TYPE
	arrive b0 $BROADCAST $TYPE 5
	wait_for 5 "the bond to get them" has_heard bond 5
	set_option b7 all_slaves_active 0
	arrive b0 $BROADCAST $TYPE 5
	wait_for 5 "the socket of the slave to get ten" has_heard slave 10
	is "$(heard bond)" 5 "frames for the bond"
	set_option b7 all_slaves_active 1
	arrive b0 $BROADCAST $TYPE 5
	wait_for 5 "the bond to get five more" has_heard bond 10
}

test_round_robin_receives_on_all() {
	start mode balance-rr miimon 100
	listen bond b7 $TYPE
	arrive a0 "$(hwaddr b7)" $TYPE 5
	arrive b0 "$(hwaddr b7)" $TYPE 5
	wait_for 5 "the bond to get ten frames" has_heard bond 10
}

test_vlan_frames() {
	modprobe 8021q
	start mode active-backup miimon 100
	ip link add v5 link b7 type vlan id 5
	ip link set v5 up
	listen vlan v5 $TYPE
	in_peer /tmp/tools/frame send b0p $BROADCAST $THEIRS $TYPE 5 5
	in_peer /tmp/tools/frame send a0p $BROADCAST $THEIRS $TYPE 5 5
	wait_for 5 "the VLAN to get five frames" has_heard vlan 5
	# The frames on the inactive slave were sent first.
	is "$(heard vlan)" 5 "frames for the VLAN"
}

test_released_slave_is_on_its_own() {
	start mode active-backup miimon 100
	ip link set b0 nomaster
	ip link set b0 up
	listen any any $TYPE
	listen bond b7 $TYPE
	arrive b0 $BROADCAST $TYPE 5
	wait_for 5 "a socket bound to no device to get them" has_heard any 5
	is "$(heard bond)" 0 "frames for the bond"
}

test_statistics_of_the_bond() {
	start mode active-backup miimon 100
	local before
	before=$(<$SYSFS/b7/statistics/rx_packets)
	arrive a0 $BROADCAST $TYPE 20
	wait_for 5 "rx_packets of the bond to count" \
		eval '(( $(<$SYSFS/b7/statistics/rx_packets) >= '"$before"' + 20 ))'
}

ktap_main "$@"
