#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 600
# reference: intree
#
# The kernel's log over a bond: netconsole sends with interrupts off, through
# struct netpoll of the slaves.

. "${BASH_SOURCE[0]%/*}/bond.sh"

TARGET=/sys/kernel/config/netconsole/t1

setup() {
	loaded || modprobe bonding max_bonds=0
	modprobe netconsole
	mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
}

# start KIND MODE OPTION...: a bond of two slaves, and a peer that records what it hears.
start() {
	local kind=$1 mode=$2
	shift 2
	make_links "$kind" a0 b0
	make_bond b7 mode "$mode" miimon 100 "$@"
	enslave b7 a0 b0
	wait_for 10 "b0 to be up" mii_status b0 up
	wait_for 10 "the peer to answer" ping_peer
	: >"$WORK/heard"
	in_peer socat -u UDP-RECV:6666 "OPEN:$WORK/heard,append" &
	wait_for 10 "the peer to listen" eval 'in_peer ss -Hlun "sport = 6666" | has 6666'
}

# target DEVICE: sets up netconsole over the device to the peer.
target() {
	mkdir $TARGET
	put "$1" $TARGET/dev_name
	put $OUR4 $TARGET/local_ip
	put $PEER4 $TARGET/remote_ip
	put "$(in_peer cat /sys/class/net/br0/address)" $TARGET/remote_mac
	put 1 $TARGET/enabled
}

untarget() {
	put 0 $TARGET/enabled
	rmdir $TARGET
}

heard() {
	grep -q "$1" "$WORK/heard"
}

# says TEXT: writes it to the kernel's log, and the peer hears it.
says() {
	echo "<1>$1" >/dev/kmsg
	wait_for 5 "the peer to hear: $1" heard "$1"
}

eval "$(declare -f teardown | sed '1s/teardown/teardown_bond/')"
teardown() {
	[[ ! -d $TARGET ]] || { put 0 $TARGET/enabled; rmdir $TARGET; } 2>/dev/null
	teardown_bond
}

test_the_log_goes_through_the_active_slave() {
	start netdevsim active-backup
	target b7
	says "first message"
	is "$(cat $TARGET/enabled)" 1
	untarget
	echo "<1>after the end" >/dev/kmsg
	target b7
	says "second message"
	! heard "after the end" || fail "a message was sent without a target"
}

test_the_log_goes_on_after_a_failover() {
	start netdevsim active-backup
	set_option b7 active_slave a0
	target b7
	says "before"
	cut_link a0
	wait_for 5 "b0 to be active" active b7 b0
	says "after the failover"
	# What the driver itself logs about the failover, while it happens.
	wait_for 5 "the peer to hear of the failover" heard "making interface the new active one"
}

test_the_log_in_all_modes() {
	local mode
	for mode in balance-rr balance-xor broadcast; do
		start netdevsim $mode
		target b7
		says "message of $mode"
		untarget
		teardown_bond
	done
}

test_slaves_come_and_go() {
	start netdevsim active-backup
	target b7
	make_links netdevsim c0
	enslave b7 c0
	wait_for 5 "c0 to be up" mii_status c0 up
	set_option b7 active_slave c0
	wait_for 10 "the peer to answer" ping_peer
	says "through a new slave"
	ip link set c0 nomaster
	says "through an old one"
	# The device is free again, also for others that send such messages.
	ip link set c0 up
	ip link set a0 nomaster
	ip link set b0 nomaster
	echo "<1>nobody hears this" >/dev/kmsg
	pause 0.5
	lacks "nobody hears this" "$WORK/heard"
}

test_bond_goes_away() {
	start netdevsim active-backup
	target b7
	says "before"
	ip link del b7
	wait_for 5 "the target to be disabled" eval '[[ $(cat $TARGET/enabled) == 0 ]]'
	rmdir $TARGET
	unload
	modprobe bonding max_bonds=0
}

test_a_slave_goes_away() {
	start netdevsim active-backup
	target b7
	says "before"
	ip -n peer link set a0p down
	put 10 /sys/bus/netdevsim/del_device
	wait_for 5 "b0 to be active" active b7 b0
	says "after"
}

test_slaves_that_cannot() {
	make_links veth a0 b0
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0
	mkdir $TARGET
	put b7 $TARGET/dev_name
	put $OUR4 $TARGET/local_ip
	put $PEER4 $TARGET/remote_ip
	! put 1 $TARGET/enabled 2>/dev/null || fail "netconsole over a veth"
	kmsg_has "a0 doesn't support polling"
	ip link set a0 nomaster
	put 1 $TARGET/enabled
	# This fails while netconsole uses the bond.
	fails_with "" ip link set b0 master b7
	is "$(link_json b0 .master)" null
	untarget
	enslave b7 b0
}

test_a_vlan_on_the_bond() {
	modprobe 8021q
	start netdevsim active-backup
	ip link add v5 link b7 type vlan id 5
	ip link set v5 up
	target v5
	is "$(cat $TARGET/enabled)" 1
	capture peer a0p "vlan 5 and udp port 6666"
	echo "<1>tagged" >/dev/kmsg
	wait_for 5 "the message in a frame of the VLAN" captured_at_least 1 "vlan 5"
	capture_stop
	untarget
}

ktap_main "$@"
