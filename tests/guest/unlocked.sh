#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --cpus 2
# timeout: 600
# kernels: distro debug kcsan
# not in uml: a race needs two CPUs
#
# What netlink says about a bond while others change it. So far the kernel fills messages under
# RTNL, but it is about to do without: a message must be consistent within an RCU read section
# alone. tests/asked/ requests messages in this way.

. "${BASH_SOURCE[0]%/*}/bond.sh"

setup() {
	loaded || modprobe bonding max_bonds=0
	[[ -d /sys/module/asked ]] || modprobe asked
}

# All targets of a list begin with the same three bytes.
list() {
	local i list=
	for i in {1..16}; do
		list+=,192.0.$1.$i
	done
	echo "${list#,}"
}

# forever COMMAND...: repeats the command until the case ends.
forever() {
	while :; do
		"$@" 2>/dev/null || :
	done
}

write_targets() {
	ip link set b7 type bond arp_ip_target "$lists_2"
	ip link set b7 type bond arp_ip_target "$lists_3"
}

# The delays stay the same as numbers of intervals.
write_delays() {
	echo 50 >$SYSFS/b8/bonding/miimon
	echo 20 >$SYSFS/b8/bonding/miimon
}

write_slaves() {
	ip link set b0 nomaster
	ip link set b0 master b7
	echo b0 >$SYSFS/b7/bonding/active_slave
	echo b0 >$SYSFS/b7/bonding/primary
	echo a0 >$SYSFS/b7/bonding/active_slave
	echo >$SYSFS/b7/bonding/primary
}

write_links() {
	ip link set a0 down
	ip link set a0 up
}

writers() {
	lists_2=$(list 2) lists_3=$(list 3)
	ip link add a0 type dummy
	ip link add b0 type dummy
	ip link add b7 type bond mode active-backup arp_interval 100 arp_ip_target "$lists_2"
	ip link add b8 type bond mode active-backup miimon 50 updelay 250 downdelay 150
	ip link set b7 up
	ip link set b8 up
	ip link set a0 master b7
	ip link set b0 master b7
	forever write_targets &
	forever write_delays &
	forever write_slaves &
	forever write_links &
}

test_messages_are_whole_without_rtnl() {
	local round
	writers
	for round in {1..5}; do
		put b7 /sys/module/asked/parameters/filled
		put b8 /sys/module/asked/parameters/filled
	done
	kmsg_has 'filled [0-9]{2,} times, error 0'
}

# shows_whole: `ip -d link` shows each bond in a consistent state.
shows_whole() {
	ip -d -j link show | jq -e 'map(select(.linkinfo.info_kind == "bond").linkinfo.info_data) |
		all((.arp_ip_target // [] | map(split(".")[2]) | unique | length) < 2) and
		all(.miimon == 0 or .updelay % .miimon == 0 and .downdelay % .miimon == 0) and
		all((.active_slave // "a0") | IN("a0", "b0"))' >/dev/null
}

test_ip_link_shows_what_is_whole() {
	local round
	writers
	for round in {1..15}; do
		shows_whole || fail "ip -d link shows what nobody has set: $(ip -d link)"
	done
}

ktap_main "$@"
