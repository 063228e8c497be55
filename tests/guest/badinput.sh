#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 600
#
# What must not work: each refusal has the errno and the message of the in-tree driver, and changes
# nothing that a user can see.

. "${BASH_SOURCE[0]%/*}/bond.sh"

setup() {
	loaded || modprobe bonding max_bonds=0
	ip link add b7 type bond mode active-backup miimon 100
	ip link add a0 address 02:00:00:00:00:0a type dummy
	ip link add b0 address 02:00:00:00:00:0b type dummy
}

# words IN-TREE OURS: the expected message, where ours says more than the in-tree driver's.
words() {
	if ours; then echo "$2"; else echo "$1"; fi
}

# says REGEX COMMAND...: the command succeeds and the kernel log has the message.
says() {
	local message=$1
	shift
	kmsg_mark
	"$@"
	kmsg_has "$message" || fail "the kernel log does not say '$message'"
}

test_unknown_values_in_sysfs() {
	says 'option mode: invalid value \(fancy\)' \
		refused "Invalid argument" set_option b7 mode fancy
	says 'option primary_reselect: invalid value \(never\)' \
		refused "Invalid argument" set_option b7 primary_reselect never
	says 'option fail_over_mac: invalid value \(3\)' \
		refused "Invalid argument" set_option b7 fail_over_mac 3
	says 'option all_slaves_active: invalid value \(2\)' \
		refused "Invalid argument" set_option b7 all_slaves_active 2
	says 'option use_carrier: invalid value \(2\)' \
		refused "Invalid argument" set_option b7 use_carrier 2
	says 'option miimon: invalid value \(often\)' \
		refused "Invalid argument" set_option b7 miimon often
	refused "Invalid argument" set_option b7 miimon 0x64
	refused "Invalid argument" set_option b7 mode "$(printf 'x%.0s' {1..300})"
	unmoved
}

test_numbers_out_of_range_in_sysfs() {
	says 'option miimon: (invalid value .*; )?allowed values 0 - 2147483647' \
		refused "Invalid argument" set_option b7 miimon -1
	refused "Invalid argument" set_option b7 miimon 2147483648
	says 'option num_grat_arp: (invalid value .*; )?allowed values 0 - 255' \
		refused "Invalid argument" set_option b7 num_grat_arp 256
	says 'option num_unsol_na: (invalid value .*; )?allowed values 0 - 255' \
		refused "Invalid argument" set_option b7 num_unsol_na 1000
	says 'option resend_igmp: (invalid value .*; )?allowed values 0 - 255' \
		refused "Invalid argument" set_option b7 resend_igmp 256
	says 'option peer_notif_delay: (invalid value .*; )?allowed values 0 - 300000' \
		refused "Invalid argument" set_option b7 peer_notif_delay 300001
	refused "Invalid argument" set_option b7 updelay 2147483648
	refused "Invalid argument" set_option b7 downdelay 99999999999999999999999
	unmoved
	ip link set b7 type bond mode balance-rr
	says 'option packets_per_slave: (invalid value .*; )?allowed values 0 - 65535' \
		refused "Invalid argument" set_option b7 packets_per_slave 65536
	unmoved
}

test_values_in_netlink() {
	refused "invalid option value" ip link set b7 type bond resend_igmp 256
	refused "invalid option value" ip link set b7 type bond miimon 2147483648
	refused "out of range" ip link set b7 type bond peer_notify_delay 300001
	unmoved
}

test_delays_without_a_monitor() {
	set_option b7 miimon 0
	says 'Unable to set up delay as MII monitoring is disabled' \
		refused "Operation not permitted" set_option b7 updelay 100
	says 'Unable to set down delay as MII monitoring is disabled' \
		refused "Operation not permitted" set_option b7 downdelay 100
	refused "$(words "Operation not permitted" "set miimon first")" ip link set b7 type bond updelay 100
	unmoved
}

test_mode_needs_the_bond_down_and_empty() {
	ip link set b7 up
	says 'option mode: unable to set because the bond device is up' \
		refused "Device or resource busy" set_option b7 mode balance-rr
	refused "unable to set option because the bond is up" \
		ip link set b7 type bond mode balance-rr
	unmoved
	enslave b7 a0
	says 'option mode: unable to set because the bond device has slaves' \
		refused "Directory not empty" set_option b7 mode balance-rr
	refused "unable to set option because the bond device has slaves" \
		ip link set b7 type bond mode balance-rr
	unmoved
}

test_fail_over_mac_needs_an_empty_bond() {
	enslave b7 a0
	says 'option fail_over_mac: unable to set because the bond device has slaves' \
		refused "Directory not empty" set_option b7 fail_over_mac active
	refused "unable to set option because the bond device has slaves" \
		ip link set b7 type bond fail_over_mac active
	unmoved
}

test_options_of_other_modes() {
	says 'option packets_per_slave: mode dependency failed, not supported in mode active-backup\(1\)' \
		refused "Permission denied" set_option b7 packets_per_slave 4
	refused "option not supported in mode" ip link set b7 type bond packets_per_slave 4
	unmoved
	ip link set b7 type bond mode balance-rr
	says 'option primary: mode dependency failed, not supported in mode balance-rr\(0\)' \
		refused "Permission denied" set_option b7 primary a0
	refused "Permission denied" set_option b7 active_slave a0
	unmoved
	enslave b7 a0
	refused "option not supported in mode" ip link set b7 type bond active_slave a0
	refused "option not supported in mode" ip link set a0 type bond_slave prio 5
	unmoved
}

test_active_slave_that_is_none() {
	enslave b7 a0
	says 'option active_slave: interface nothing does not exist' \
		refused "No such device" set_option b7 active_slave nothing
	says 'slave b0\): Device is not bonding slave|b0 is not our slave' \
		refused "Invalid argument" set_option b7 active_slave b0
	refused "$(words "invalid option value" "Device is not our slave")" \
		ip link set b7 type bond active_slave b0
	unmoved
	ip link add b8 type bond mode active-backup
	enslave b8 b0
	says 'slave b0\): Device is not our slave|b0 is not our slave' \
		refused "Invalid argument" set_option b7 active_slave b0
	unmoved
}

test_active_slave_without_link() {
	ip link add v0 type veth peer name v1
	enslave b7 a0 v0
	wait_for 5 "v0 to be down" mii_status v0 down
	says 'Could not set as active slave; either v0 is down or the link is down' \
		refused "Invalid argument" set_option b7 active_slave v0
	active b7 a0
	unmoved
}

test_slaves_commands() {
	says 'no command found in slaves file' \
		refused "Operation not permitted" set_option b7 slaves a0
	refused "Operation not permitted" set_option b7 slaves ""
	refused "Operation not permitted" set_option b7 slaves +
	refused "No such device" set_option b7 slaves +nothing
	refused "No such device" set_option b7 slaves -nothing
	refused "Invalid argument" set_option b7 slaves -a0
	unmoved
}

test_slave_that_is_already_enslaved() {
	enslave b7 a0
	says 'slave a0\): Error: Device is in use and cannot be enslaved' \
		refused "Device or resource busy" set_option b7 slaves +a0
	unmoved
	ip link add b8 type bond
	refused "Device or resource busy" set_option b8 slaves +a0
	refused "Invalid argument" set_option b8 slaves -a0
	unmoved
}

test_slave_in_use_by_others() {
	ip link add br1 type bridge
	ip link set a0 master br1
	refused "Device or resource busy" set_option b7 slaves +a0
	unmoved
	ip link add mv0 link b0 type macvlan
	refused "Device is in use and cannot be enslaved" ip link set dev b0 master b7
	unmoved
}

test_slave_that_is_up() {
	ip link set a0 up
	refused "Device can not be enslaved while up" ip link set dev a0 master b7
	says 'slave a0\): Error: Device can not be enslaved while up' \
		refused "Operation not permitted" set_option b7 slaves +a0
	unmoved
}

test_loopback() {
	refused "" set_option b7 slaves +lo
	refused "" ip link set dev lo master b7
	unmoved
}

test_bond_into_itself() {
	refused "Cannot enslave bond to itself" ip link set dev b7 master b7
	refused "Operation not permitted" set_option b7 slaves +b7
	unmoved
}

test_loop_of_bonds() {
	ip link add b8 type bond
	ip link add b9 type bond
	ip link set b8 master b7
	ip link set b9 master b8
	ip link set b7 down
	refused "" ip link set b7 master b9
	refused "" set_option b9 slaves +b7
	# The in-tree driver finds the loop at its last step, with b7 opened and b9's
	# address replaced by a random one.
	! ours || unmoved
	is "$(option b9 slaves)" ""
}

test_master_that_is_not_a_bond() {
	ip link add t0 type vrf table 7
	refused "Device type (master device) cannot be enslaved" ip link set dev t0 master b7
	unmoved
}

test_device_of_another_type() {
	ip link add gre7 type ipip local 192.0.2.9 remote 192.0.2.10 2>/dev/null ||
		skip "this kernel has no ipip"
	enslave b7 a0
	refused "Device type is different from other slaves" ip link set dev gre7 master b7
	unmoved
	ip link del gre7
}

test_names() {
	refused "File exists" put +b7 $SYSFS/bonding_masters
	refused "File exists" put +a0 $SYSFS/bonding_masters
	refused "File exists" ip link add b7 type bond
	refused "Operation not permitted" put b8 $SYSFS/bonding_masters
	refused "Operation not permitted" put + $SYSFS/bonding_masters
	refused "Operation not permitted" put "+with/slash" $SYSFS/bonding_masters
	says 'unable to delete non-existent b9' \
		refused "No such device" put -b9 $SYSFS/bonding_masters
	refused "No such device" put -a0 $SYSFS/bonding_masters
	unmoved
}

test_name_that_is_too_long() {
	ours_only "makes a bond with the first 15 letters of it"
	refused "" put "+a_name_that_is_too_long" $SYSFS/bonding_masters
	refused "" set_option b7 slaves "+a_name_that_is_too_long"
	unmoved
}

test_queue_ids() {
	local value
	enslave b7 a0
	for value in a0 a0: :1 a0:17 a0:x nothing:1 b0:1; do
		refused "Operation not permitted" set_option b7 queue_id "$value"
	done
	refused "$(words "Operation not permitted" "no such queue")" ip link set a0 type bond_slave queue_id 17
	unmoved
}

test_failed_creation_leaves_nothing() {
	refused "invalid option value" ip link add b8 type bond mode balance-rr resend_igmp 300
	refused "" ip link add b8 type bond mode active-backup updelay 100
	refused "Cannot assign requested address" ip link add b8 address 01:00:00:00:00:01 type bond
	unmoved
}

test_unprivileged_user() {
	local nobody="setpriv --reuid 65534 --clear-groups --inh-caps=-all --bounding-set=-all"
	refused "Operation not permitted" $nobody ip link add b8 type bond
	refused "Operation not permitted" $nobody ip link set b7 type bond miimon 50
	refused "Permission denied" $nobody sh -c "echo 50 > $SYSFS/b7/bonding/miimon"
	refused "Permission denied" $nobody sh -c "echo +b8 > $SYSFS/bonding_masters"
	is "$($nobody cat $SYSFS/b7/bonding/miimon)" 100
	$nobody grep -q '^Bonding Mode:' /proc/net/bonding/b7
	unmoved
}

test_read_only_and_write_only_files() {
	local file=$SYSFS/b7/bonding/mii_status
	refused "Permission denied" setpriv --reuid 65534 --clear-groups sh -c "echo 1 >$file"
	refused "" put up $file
	refused "" put up /proc/net/bonding/b7
	unmoved
}

test_a_failed_enslave_rolls_back() {
	# A macvlan refuses an MTU above that of the device below it.
	ip link add mv0 link b0 address 02:00:00:00:00:0c type macvlan
	ip link set b7 mtu 9000
	refused "" ip link set mv0 master b7
	refused "Invalid argument" set_option b7 slaves +mv0
	is "$(hwaddr mv0)" 02:00:00:00:00:0c
	is "$(cat $SYSFS/mv0/mtu)" 1500
	is "$(option b7 slaves)" ""
	[[ $(hwaddr b7) != 02:00:00:00:00:0c ]] || fail "the bond kept the address of a device that is not its slave"
	# The in-tree driver gives the bond another random address.
	! ours || unmoved
}

ktap_main "$@"
