#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --nic 2 --nic-model e1000e
# timeout: 600
# reference: intree
# not in uml: it has no cards, of which this is about
#
# What ethtool says about a bond whose slaves have a clock, and how that clock is configured. (What
# ethtool says about other bonds is in device.sh.)

. "${BASH_SOURCE[0]%/*}/bond.sh"

setup() {
	loaded || modprobe bonding max_bonds=0
	build hwstamp
}

# start MODE: a bond of two cards that have a clock, both with link.
start() {
	make_links virtio a0 b0
	# The state after a boot.
	hwstamp ioctl a0 0 0 0
	hwstamp ioctl b0 0 0 0
	make_bond b7 mode "$1" miimon 100
	enslave b7 a0 b0
	wait_for 30 "a0 to be up" mii_status a0 up
	wait_for 30 "b0 to be up" mii_status b0 up
	wait_for 10 "the bond to have carrier" has_carrier b7
}

# timestamps DEVICE: which time stamps it supports.
timestamps() {
	ethtool -T "$1" | tail -n +2
}

clock() {
	timestamps "$1" | sed -n 's/.*provider index: //p'
}

test_timestamps_are_those_of_the_active_slave() {
	start active-backup
	set_option b7 active_slave b0
	[[ $(clock b0) != "$(clock a0)" ]] || fail "both cards have the clock $(clock a0)"
	is "$(timestamps b7)" "$(timestamps b0)"
	set_option b7 active_slave a0
	is "$(timestamps b7)" "$(timestamps a0)" "what is said after the failover"
}

test_timestamps_of_a_vlan_on_top() {
	start active-backup
	modprobe 8021q
	ip link add v5 link b7 type vlan id 5
	is "$(timestamps v5)" "$(timestamps "$(option b7 active_slave)")"
}

# With several clocks, none is the bond's; all slaves can do time stamps in software.
test_timestamps_in_software_if_all_slaves_send() {
	start balance-rr
	is "$(timestamps b7 | head -n 5 | xargs)" \
		"Capabilities: software-transmit software-receive software-system-clock PTP Hardware Clock: none"
}

test_timestamps_need_all_slaves() {
	start balance-rr
	timestamps b7 | has software-transmit
	# A tunnel does not time-stamp what it sends.
	ip link add g0 type geneve id 7 remote 192.0.2.99
	timestamps g0 | lacks software-transmit
	enslave b7 g0
	is "$(timestamps b7 | head -n 3 | xargs)" "Capabilities: software-receive software-system-clock"
	ip link del g0
	timestamps b7 | has software-transmit
}

test_timestamps_without_slaves() {
	ip link add b7 type bond mode active-backup
	is "$(timestamps b7 | head -n 3 | xargs)" "Capabilities: software-receive software-system-clock"
	fails_with "Operation not supported" hwstamp ioctl b7
}

# Flag 1: the clock belongs to a slave, and changes with a failover.
test_hardware_stamps_by_ioctl() {
	start active-backup
	set_option b7 active_slave a0
	is "$(hwstamp ioctl b7)" "tx 0 rx 0 flags 1"
	is "$(hwstamp ioctl b7 1 1 1)" "tx 1 rx 1 flags 1"
	# The driver of the card keeps the flag as well.
	is "$(hwstamp ioctl a0)" "tx 1 rx 1 flags 1" "the active slave"
	is "$(hwstamp ioctl b0)" "tx 0 rx 0 flags 0" "the other slave"
	is "$(hwstamp ioctl b7)" "tx 1 rx 1 flags 1"
	set_option b7 active_slave b0
	is "$(hwstamp ioctl b7)" "tx 0 rx 0 flags 1" "after the failover"
}

test_hardware_stamps_by_netlink() {
	start active-backup
	set_option b7 active_slave a0
	is "$(hwstamp netlink b7)" "tx 0 rx 0 flags 1"
	is "$(hwstamp netlink b7 1 1)" "tx 1 rx 1 flags 1"
	is "$(hwstamp netlink a0)" "tx 1 rx 1 flags 1" "the active slave"
	is "$(hwstamp ioctl b7)" "tx 1 rx 1 flags 1" "through the other interface"
}

test_who_does_not_know_about_failovers_cannot_set_stamps() {
	start active-backup
	fails_with "Operation not supported" hwstamp ioctl b7 1 1 0
	is "$(hwstamp ioctl a0) $(hwstamp ioctl b0)" "tx 0 rx 0 flags 0 tx 0 rx 0 flags 0"
}

test_no_hardware_stamps_where_all_slaves_send() {
	start balance-rr
	fails_with "Operation not supported" hwstamp ioctl b7
	fails_with "Operation not supported" hwstamp ioctl b7 1 1 1
}

test_hardware_stamps_of_a_vlan_on_top() {
	start active-backup
	modprobe 8021q
	set_option b7 active_slave a0
	ip link add v5 link b7 type vlan id 5
	is "$(hwstamp ioctl v5 1 1 1)" "tx 1 rx 1 flags 1"
	is "$(hwstamp ioctl a0)" "tx 1 rx 1 flags 1"
}

test_speed_is_that_of_what_sends() {
	start active-backup
	ethtool b7 | has "Speed: 1000Mb/s"
	ethtool b7 | has "Duplex: Full"
}

test_speed_is_the_sum_where_all_slaves_send() {
	start balance-rr
	ethtool b7 | has "Speed: 2000Mb/s"
	ip link set a0 nomaster
	ethtool b7 | has "Speed: 1000Mb/s"
}

test_no_channels_no_rings() {
	start active-backup
	fails_with "Operation not supported" ethtool -l b7
	fails_with "Operation not supported" ethtool -g b7
	fails_with "Operation not supported" ethtool -c b7
}

ktap_main "$@"
