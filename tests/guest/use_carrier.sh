#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount --nic 2
# timeout: 600
#
# use_carrier=0: the driver of a slave is asked for its link, through ethtool or else in the
# registers of its MII transceiver; a slave that has neither counts as up. The in-tree driver has
# dropped this. The links of tests/asked/ report what they are told to.

. "${BASH_SOURCE[0]%/*}/bond.sh"

setup() {
	loaded || modprobe bonding max_bonds=0
	# Removing the module removes its devices.
	[[ ! -d /sys/module/asked ]] || rmmod asked
	modprobe asked
	sysctl -qw net.ipv6.conf.default.disable_ipv6=0
	put 0 /sys/module/asked/parameters/locked
	put 0 /sys/module/asked/parameters/careful
}

# make_asked KIND NAME...
make_asked() {
	local kind=$1 name
	shift
	for name; do
		ip link add "$name" address "$(link_address "$name")" type "asked_$kind"
	done
}

# Sets the link of NAME; its carrier stays on.
link_of() {
	put "$2" "$SYSFS/$1/asked/link"
}

questions() {
	cat "$SYSFS/$1/asked/questions"
}

more_questions_than() {
	(($(questions "$1") > $2))
}

# start KIND OPTION...: bond b7 of a0 and b0, with a0 active.
start() {
	local kind=$1
	shift
	make_asked "$kind" a0 b0
	ip link add b7 type bond mode active-backup miimon 50 use_carrier 0 "$@"
	ip link set b7 up
	enslave b7 a0 b0
	wait_for 10 "a0 to be active" active b7 a0
	wait_for 10 "b0 to be up" mii_status b0 up
}

fail_over_and_back() {
	start "$@"
	link_of a0 0
	wait_for 10 "b0 to be active" active b7 b0
	mii_status a0 down
	has_carrier a0
	has_carrier b7
	is "$(failures a0)" 1 "failures of a0"
	is "$(failures b0)" 0 "failures of b0"
	link_of b0 0
	wait_for 10 "the bond to lose its carrier" no_carrier b7
	link_of a0 1
	wait_for 10 "a0 to be active again" active b7 a0
	has_carrier b7
	mii_status b0 down
	link_of b0 1
	wait_for 10 "b0 to be up again" mii_status b0 up
	active b7 a0
}

test_ethtool_is_asked() {
	fail_over_and_back ethtool
}

test_mii_is_asked() {
	fail_over_and_back mii
}

# These devices warn when they are asked without their instance lock held.
test_ethtool_is_asked_under_its_lock() {
	put 1 /sys/module/asked/parameters/locked
	fail_over_and_back ethtool
}

test_mii_is_asked_under_its_lock() {
	put 1 /sys/module/asked/parameters/locked
	fail_over_and_back mii
}

test_nobody_is_asked_otherwise() {
	local before
	start ethtool use_carrier 1
	before=$(questions a0)
	link_of a0 0
	pause 0.5
	mii_status a0 up
	active b7 a0
	# The ARP monitor counts answers from the network, and need not ask any driver.
	set_option b7 use_carrier 0
	wait_for 10 "a0 to be asked" more_questions_than a0 "$before"
	wait_for 10 "b0 to be active" active b7 b0
	ip link set b7 type bond arp_interval 100 arp_ip_target 192.0.2.2
	before=$(questions a0)
	pause 0.5
	is "$(questions a0)" "$before" "questions to a0"
}

test_delays_count() {
	start mii updelay 400 downdelay 200
	kmsg_mark
	link_of a0 0
	wait_for 10 "b0 to be active" active b7 b0
	kmsg_has 'a0.*link status down.*200 ms' || fail "downdelay is not counted"
	link_of a0 1
	wait_for 10 "a0 to be up" mii_status a0 up
	kmsg_has 'a0.*link status up.*400 ms' || fail "updelay is not counted"
}

test_a_link_that_is_down_at_first() {
	make_asked mii a0 b0
	link_of a0 0
	ip link add b7 type bond mode active-backup miimon 50 use_carrier 0
	ip link set b7 up
	kmsg_mark
	enslave b7 a0 b0
	kmsg_has 'a0.*Enslaving as a backup interface with a down link' ||
		fail "a0 counted as up when it joined"
	wait_for 10 "b0 to be active" active b7 b0
	mii_status a0 down
}

# A closed device has no link; its driver is not asked (it would warn).
test_a_closed_device_is_down() {
	start ethtool
	ip link set a0 down
	wait_for 10 "b0 to be active" active b7 b0
	mii_status a0 down
	pause 0.2
	ip link set a0 up
	wait_for 10 "a0 to be up" mii_status a0 up
}

WARNING='MII and ETHTOOL support not available, thus bonding will not detect link failures'

test_no_answer_counts_as_up() {
	kmsg_mark
	start none
	kmsg_has "a0.*$WARNING" || fail "no warning about a0"
	kmsg_has "b0.*$WARNING" || fail "no warning about b0"
	link_of a0 0
	pause 0.3
	mii_status a0 up
	active b7 a0
}

# dummy has a carrier that can be switched off, but no way to ask for its link.
test_carrier_of_who_does_not_answer() {
	ip link add d0 type dummy
	ip link add b7 type bond mode balance-xor miimon 50 use_carrier 0
	ip link set b7 up
	kmsg_mark
	enslave b7 d0
	kmsg_has "d0.*$WARNING" || fail "no warning about d0"
	wait_for 10 "d0 to be up" mii_status d0 up
	ip link set d0 carrier off
	wait_for 10 "d0 to lose its carrier" no_carrier d0
	pause 0.3
	mii_status d0 up
	set_option b7 use_carrier 1
	wait_for 10 "d0 to be down" mii_status d0 down
	set_option b7 use_carrier 0
	wait_for 10 "d0 to be up" mii_status d0 up
	ip link set d0 nomaster
	set_option b7 use_carrier 1
	ip link set d0 carrier on
	kmsg_mark
	enslave b7 d0
	! kmsg_has "$WARNING" || fail "a warning with use_carrier=1"
}

test_switched_while_the_bond_is_up() {
	start ethtool use_carrier 1
	link_of a0 0
	set_option b7 use_carrier 0
	wait_for 10 "b0 to be active" active b7 b0
	mii_status a0 down
	set_option b7 use_carrier 1
	wait_for 10 "a0 to be up" mii_status a0 up
	ip link set b7 type bond use_carrier 0
	wait_for 10 "a0 to be down" mii_status a0 down
	ip link set b7 type bond use_carrier 1
	wait_for 10 "a0 to be up" mii_status a0 up
}

# -- a driver that cannot be asked at any time -------------------------------------

# of_card NAME ATTRIBUTE [VALUE]: reads or sets an attribute of NAME's hardware in tests/asked/.
of_card() {
	if (($# == 3)); then
		put "$3" "$SYSFS/$1/asked/$2"
	else
		cat "$SYSFS/$1/asked/$2"
	fi
}

# From now on, devices have hardware that sleeps, and want to be told before they are asked.
# Otherwise they warn, and the guest fails.
careful() {
	put 1 /sys/module/asked/parameters/careful
}

# not_asked NAME: for some polls, NAME is neither asked nor woken.
not_asked() {
	local questions wakes
	questions=$(questions "$1") wakes=$(of_card "$1" wakes)
	pause 0.5
	is "$(questions "$1")" "$questions" "number of questions to $1"
	is "$(of_card "$1" wakes)" "$wakes" "how often $1 was woken"
}

test_a_driver_is_told_before_it_is_asked() {
	careful
	fail_over_and_back ethtool
}

test_a_driver_is_told_under_its_lock() {
	careful
	put 1 /sys/module/asked/parameters/locked
	fail_over_and_back ethtool
}

# What the driver said last counts, whatever the link does meanwhile.
sleeps_on() {
	careful
	start "$1"
	of_card a0 asleep 1
	link_of a0 0
	not_asked a0
	mii_status a0 up
	active b7 a0
	of_card a0 asleep 0
	wait_for 10 "b0 to be active" active b7 b0
	mii_status a0 down
	of_card a0 asleep 1
	link_of a0 1
	not_asked a0
	mii_status a0 down
	of_card a0 asleep 0
	wait_for 10 "a0 to be up" mii_status a0 up
}

test_a_card_that_sleeps_is_not_woken() {
	sleeps_on ethtool
}

test_a_card_that_sleeps_is_not_woken_for_mii() {
	sleeps_on mii
}

test_a_card_that_sleeps_under_its_lock() {
	put 1 /sys/module/asked/parameters/locked
	sleeps_on ethtool
}

# Opening a card wakes it. If its driver still gives no answer, its carrier counts.
test_a_card_that_sleeps_joins() {
	careful
	make_asked ethtool a0
	of_card a0 asleep 1
	ip link add b7 type bond mode active-backup miimon 50 use_carrier 0
	ip link set b7 up
	enslave b7 a0
	not_asked a0
	wait_for 10 "a0 to be up" mii_status a0 up
	ip link set a0 down
	wait_for 10 "a0 to be down" mii_status a0 down
	ip link set a0 up
	wait_for 10 "a0 to be up again" mii_status a0 up
	not_asked a0
}

# The hardware is out of reach, and nothing can be sent: ethtool does not ask it either.
test_a_card_that_is_detached_is_down() {
	local kind
	careful
	for kind in ethtool mii; do
		start $kind
		of_card a0 present 0
		fails_with "No such device" ethtool -s a0 autoneg on
		wait_for 10 "b0 to be active" active b7 b0
		mii_status a0 down
		has_carrier a0
		not_asked a0
		of_card a0 present 1
		wait_for 10 "a0 to be up" mii_status a0 up
		ip link delete b7
		ip link delete a0
		ip link delete b0
	done
}

# Nothing can be sent, whatever the driver said last.
test_a_card_that_sleeps_and_is_detached_is_down() {
	careful
	start ethtool
	of_card a0 asleep 1
	of_card a0 present 0
	wait_for 10 "b0 to be active" active b7 b0
	not_asked a0
	mii_status a0 down
	of_card a0 present 1
	not_asked a0
	mii_status a0 down
	of_card a0 asleep 0
	wait_for 10 "a0 to be up" mii_status a0 up
}

test_a_detached_card_that_joins_is_refused() {
	careful
	make_asked ethtool a0
	ip link set a0 down
	of_card a0 present 0
	ip link add b7 type bond mode active-backup miimon 50 use_carrier 0
	refused "No such device" ip link set a0 master b7
	unmoved
}

test_a_driver_that_refuses_to_be_asked() {
	careful
	start ethtool
	of_card a0 refuses 1
	link_of a0 0
	not_asked a0
	mii_status a0 up
	of_card a0 refuses 0
	wait_for 10 "b0 to be active" active b7 b0
}

# speed BOND
speed() {
	cat "$SYSFS/$1/speed"
}

# Also with use_carrier=1: the speed has to be asked for in any case.
test_speed_of_a_card_that_sleeps() {
	local use_carrier settings
	for use_carrier in 0 1; do
		careful
		start ethtool use_carrier $use_carrier
		wait_for 10 "the speed of a0" slave_speed a0 "1000 Mbps"
		is "$(speed b7)" 1000 "speed of b7"
		of_card a0 asleep 1
		settings=$(of_card a0 settings)
		is "$(speed b7)" 1000 "speed of b7 while its card sleeps"
		slave_speed a0 "1000 Mbps"
		is "$(of_card a0 settings)" "$settings" "how often a0 was asked for its speed"
		is "$(of_card a0 wakes)" 0 "how often a0 was woken"
		of_card a0 asleep 0
		of_card a0 refuses 1
		is "$(speed b7)" 1000 "speed of b7 while its driver refuses"
		of_card a0 refuses 0
		is "$(speed b7)" 1000 "speed of b7 in the end"
		ip link delete b7
		ip link delete a0
		ip link delete b0
	done
}

slave_speed() {
	[[ $(sed -n "/Interface: $1/,/^$/s/^Speed: //p" /proc/net/bonding/b7) == "$2" ]]
}

# Time stamps are configured in the hardware.
test_time_stamps_of_a_card_that_sleeps() {
	build hwstamp
	careful
	# Its carrier keeps a0 the active slave when it is detached.
	start ethtool use_carrier 1
	of_card a0 asleep 1
	is "$(hwstamp ioctl b7 1 1 1)" "tx 1 rx 1 flags 1"
	is "$(of_card a0 wakes)" 1 "how often a0 was woken"
	of_card a0 present 0
	fails_with "No such device" hwstamp ioctl a0 1 1 1
	fails_with "No such device" hwstamp ioctl b7 1 1 1
}

# Which time stamps a card supports is known without asking the hardware, but not if the card is
# absent.
test_time_stamps_of_a_detached_card() {
	local before
	careful
	start ethtool use_carrier 1
	before=$(ethtool -T b7)
	of_card a0 asleep 1
	is "$(ethtool -T b7)" "$before" "time stamps while the card sleeps"
	is "$(of_card a0 wakes)" 0 "how often a0 was woken"
	of_card a0 present 0
	fails_with "No such device" ethtool -T a0
	fails_with "No such device" ethtool -T b7
}

# Drivers that report their carrier when asked lose nothing.
drivers_with_carrier() {
	make_links "$1" a0 b0
	make_bond b7 mode active-backup miimon 50 use_carrier 0
	enslave b7 a0 b0
	wait_for 10 "b0 to be up" mii_status b0 up
	wait_for 10 "the peer to answer" ping_peer
	active b7 a0
	cut_link a0
	wait_for 10 "b0 to be active" active b7 b0
	wait_for 10 "the peer to answer through b0" ping_peer
	mend_link a0
	wait_for 10 "a0 to be up" mii_status a0 up
	is "$(failures b0)" 0 "failures of b0"
}

test_veth() {
	drivers_with_carrier veth
}

test_virtio() {
	drivers_with_carrier virtio
}

# sends_through NAME...: frames of b7 leave through these slaves, and through no other.
sends_through() {
	local name
	declare -A before
	for name in a0 b0 c0; do
		before[$name]=$(<$SYSFS/$name/statistics/tx_packets)
	done
	flows send 1 30 b7 /proc/self/ns/net 0 tcp4 udp6 >/dev/null
	for name in a0 b0 c0; do
		if [[ " $* " == *" $name "* ]]; then
			(($(<$SYSFS/$name/statistics/tx_packets) > ${before[$name]})) ||
				fail "nothing left through $name"
		else
			is "$(<$SYSFS/$name/statistics/tx_packets)" "${before[$name]}" "packets of $name"
		fi
	done
}

all_slaves_work() {
	build flows
	sysctl -qw net.ipv6.conf.default.disable_ipv6=1
	make_asked ethtool a0
	make_asked mii b0
	make_asked none c0
	ip link add b7 type bond mode "$1" miimon 50 use_carrier 0
	ip link set b7 up
	enslave b7 a0 b0 c0
	wait_for 10 "c0 to be up" mii_status c0 up
	sends_through a0 b0 c0
	link_of a0 0
	wait_for 10 "a0 to be down" mii_status a0 down
	sends_through b0 c0
	link_of b0 0
	wait_for 10 "b0 to be down" mii_status b0 down
	sends_through c0
	link_of a0 1
	wait_for 10 "a0 to be up" mii_status a0 up
	sends_through a0 c0
}

test_balance_xor() {
	all_slaves_work balance-xor
}

test_balance_rr() {
	all_slaves_work balance-rr
}

test_broadcast() {
	all_slaves_work broadcast
}

test_module_parameter() {
	load mode=1 miimon=50 use_carrier=0
	is "$(option bond0 use_carrier)" 0
	ip link add b7 type bond
	is "$(option b7 use_carrier)" 0 "use_carrier of another bond"
	make_asked ethtool a0 b0
	ip link set b7 up
	enslave b7 a0 b0
	wait_for 10 "a0 to be active" active b7 a0
	link_of a0 0
	wait_for 10 "b0 to be active" active b7 b0
}

test_bad_values() {
	local value
	ip link add b7 type bond use_carrier 0
	for value in 2 -1 x 4294967296; do
		refused "Invalid argument" set_option b7 use_carrier "$value"
	done
	refused "" ip link set b7 type bond use_carrier 2
	unmoved
	is "$(option b7 use_carrier)" 0
}

ktap_main "$@"
