#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 600
#
# What others change about a slave: the bond objects, follows, or lives with it. A problem that the
# bond cannot mend is reported once, and not retried for ever.

. "${BASH_SOURCE[0]%/*}/bond.sh"

TRACING=/sys/kernel/tracing
ETHER=1 IEEE80211_RADIOTAP=803 NONE=65534

setup() {
	loaded || modprobe bonding max_bonds=0
	[[ ! -d /sys/module/asked ]] || rmmod asked
	modprobe -a asked tun bridge
	build linktype
	mountpoint -q $TRACING || mount -t tracefs tracefs $TRACING
}

eval "$(declare -f teardown | sed '1s/teardown/teardown_links/')"
teardown() {
	local name
	for name in t0 t1; do
		! exists $name || ip tuntap delete $name mode tap
	done
	teardown_links
}

tap() {
	local name
	for name; do
		ip tuntap add "$name" mode tap
		ip link set "$name" address "02:00:00:00:07:0${name#t}"
	done
}

# asked NAME...: devices whose drivers do as they are told.
asked() {
	local name
	for name; do
		ip link add "$name" address "$(link_address "$name")" type asked_none
	done
}

# other NAME: a device of type NONE instead of Ethernet.
other() {
	put 1 /sys/module/asked/parameters/other
	asked "$1"
	put 0 /sys/module/asked/parameters/other
}

# groups DEVICE: the multicast addresses that it receives.
groups() {
	ip maddress show dev "$1" | sed -n 's/^\tlink *//p' | sort
}

# work_runs SECONDS: how often the driver's work starts in that time.
work_runs() {
	local event=$TRACING/events/workqueue/workqueue_execute_start
	: >$TRACING/trace
	put 1 $event/enable
	pause "$1"
	put 0 $event/enable
	grep -c '\[bonding\]' $TRACING/trace || :
}

is_quiet() {
	local runs
	runs=$(work_runs 4)
	echo "the work ran $runs times in 4 s"
	((runs <= $1))
}

# -- the type of the link ---------------------------------------------------------------------------

test_a_slave_stays_what_it_is() {
	local mode
	tap t0 t1
	for mode in active-backup balance-rr; do
		ip link add b7 type bond mode $mode
		ip link set b7 up
		ip maddress add 01:00:5e:77:00:01 dev b7
		enslave b7 t0 t1
		ip link set t0 down
		kmsg_mark
		fails_with "Device or resource busy" linktype t0 $NONE
		kmsg_has 'b7: \(slave t0\): .*link type.*release it' || fail "the reason is not in the kernel log"
		fails_with "Device or resource busy" linktype t0 $ETHER
		is "$(cat $SYSFS/t0/type)" $ETHER "type of the slave"
		is_quiet 4 || fail "the work runs for ever"
		ip link set t0 nomaster
		linktype t0 $NONE
		is "$(cat $SYSFS/t0/type)" $NONE "type of a device that is free"
		linktype t0 $ETHER
		ip link delete b7
		ip link set t0 address 02:00:00:00:07:00
	done
}

# A driver that changes the type without asking, as Wi-Fi does.
test_a_slave_that_is_something_else_all_of_a_sudden() {
	local mode
	for mode in active-backup balance-rr; do
		asked a0 b0
		ip link add b7 type bond mode $mode
		ip link set b7 up
		enslave b7 a0 b0
		ip link set a0 down
		put $IEEE80211_RADIOTAP $SYSFS/a0/asked/type
		ip link set a0 up
		kmsg_mark
		ip link set b7 down
		ip link set b7 up
		[[ $mode != active-backup ]] || set_option b7 active_slave a0
		ip maddress add 01:00:5e:77:00:02 dev b7
		ip maddress add 01:00:5e:77:00:03 dev b7
		is_quiet 4 || fail "the work runs for ever"
		is "$(kmsg | grep -c 'b7: (slave a0): .*addresses.*release it')" 1 "messages"
		groups b7 | has 01:00:5e:77:00:03
		[[ $mode == active-backup ]] || groups b0 | has 01:00:5e:77:00:03
		put $ETHER $SYSFS/a0/asked/type
		ip maddress add 01:00:5e:77:00:04 dev b7
		wait_for 10 "the group to be joined" eval 'groups a0 | has 01:00:5e:77:00:04'
		ip link delete b7
		ip link delete a0
		ip link delete b0
	done
}

# A bond that is a slave cannot take on the type of its own slaves, either.
test_a_bond_below_a_bond_stays_what_it_is() {
	other a0
	ip link set a0 mtu 1400
	ip link add b8 type bond mode balance-rr
	ip link add b7 type bond mode balance-rr
	ip link set b7 up
	enslave b7 b8
	kmsg_mark
	fails_with "Device or resource busy" ip link set a0 master b8
	kmsg_has 'b7: \(slave b8\): .*link type.*release it' || fail "the reason is not in the kernel log"
	is "$(cat $SYSFS/b8/type)" $ETHER "type of the bond below"
	is "$(cat $SYSFS/{b7,b8,a0}/mtu | xargs)" "1500 1500 1400"
	ip link set b8 nomaster
	ip link set a0 master b8
	is "$(cat $SYSFS/b8/type)" $NONE "type of a bond that is free"
}

# A listener that is asked first leaves its groups, and joins them again when another listener
# objects.
test_a_refused_type_change_of_the_bond_keeps_its_groups() {
	local before
	other a0
	ip link add b7 type bond mode balance-rr
	ip link set b7 up
	ip address add $OUR4/24 dev b7
	ip link add br7 type bridge
	ip link set b7 master br7
	before=$(groups b7)
	[[ $before == *01:00:5e:00:00:01* ]] || fail "the bond has no groups: $before"
	fails_with "Device or resource busy" ip link set a0 master b7
	is "$(groups b7)" "$before" "groups of the bond"
}

# -- what is tried again ----------------------------------------------------------------------------

# Announcements that are due once the bond regains its carrier wait for that; they do not poll for
# it.
test_a_bond_without_carrier_sleeps() {
	local mode
	for mode in balance-rr active-backup; do
		asked a0 b0
		ip link add b7 type bond mode $mode resend_igmp 3 num_grat_arp 3
		ip link set b7 up
		ip address add $OUR4/24 dev b7
		enslave b7 a0 b0
		wait_for 10 "carrier" has_carrier b7
		ip link set a0 down
		ip link set b0 down
		wait_for 10 "no carrier" no_carrier b7
		is_quiet 4 || fail "the work of a bond in mode $mode runs for ever"
		ip link set b0 up
		wait_for 10 "carrier" has_carrier b7
		wait_for 10 "the announcements to end" is_quiet 0
		ip link delete b7
		ip link delete a0
		ip link delete b0
	done
}

# -- MTU, address, namespace ------------------------------------------------------------------------

test_the_mtu_and_address_of_a_slave_are_its_own() {
	asked a0 b0
	ip link add b7 type bond mode active-backup
	ip link set b7 up
	enslave b7 a0 b0
	# Tools raise the MTU of the slaves first, and then that of the bond.
	ip link set a0 mtu 9000
	ip link set b0 mtu 9000
	ip link set b7 mtu 9000
	is "$(cat $SYSFS/{b7,a0,b0}/mtu | xargs)" "9000 9000 9000"
	ip link set b0 address 02:00:00:00:00:77
	is "$(hwaddr b0)" 02:00:00:00:00:77
	wait_for 20 "the work to end" is_quiet 0
}

test_a_slave_that_moves_away_is_released() {
	asked a0 b0
	mk_namespace box
	ip link add b7 type bond mode active-backup
	ip link set b7 up
	enslave b7 a0 b0
	ip link set a0 netns box
	is "$(option b7 slaves)" b0
	is "$(link_json a0 '.master // "none"' -n box)" none
	wait_for 20 "the work to end" is_quiet 0
}

ktap_main "$@"
