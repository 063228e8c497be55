#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 600
#
# Module parameters: the effect of `modprobe bonding mode=... miimon=...`, and what the module says
# about values that make no sense.

. "${BASH_SOURCE[0]%/*}/bond.sh"

# load_refused MESSAGE PARAMETER...: the module does not load, and the log says why.
load_refused() {
	local message=$1
	shift
	unload
	kmsg_mark
	fails_with "Invalid argument" modprobe bonding "$@"
	kmsg_has "$message" || fail "the kernel log does not say '$message'"
	! loaded || fail "the module is loaded"
	[[ ! -e $SYSFS/bonding_masters ]] || fail "bonding_masters is left behind"
}

# load_warns MESSAGE OPTION EXPECTED PARAMETER...: the module loads and warns, and OPTION of bond0
# is EXPECTED.
load_warns() {
	local message=$1 name=$2 expected=$3
	shift 3
	kmsg_mark
	load "$@"
	kmsg_has "$message" || fail "the kernel log does not say '$message'"
	is "$(option bond0 "$name")" "$expected" "$name"
}

test_no_parameters_give_one_round_robin_bond() {
	load
	is "$(cat $SYSFS/bonding_masters)" bond0
	is "$(option bond0 mode)" "balance-rr 0"
	is "$(option bond0 miimon)" 0
	is "$(link_json bond0 .num_tx_queues)" 16
	is "$(link_json bond0 '.flags | contains(["MASTER"])')" true
}

test_max_bonds_0_creates_none() {
	load max_bonds=0
	is "$(cat $SYSFS/bonding_masters)" ""
	gone bond0
}

test_parameters_reach_every_bond() {
	local bond
	load max_bonds=2 mode=active-backup miimon=50 updelay=100 downdelay=150 \
		primary=eth7 primary_reselect=failure fail_over_mac=active num_grat_arp=5 \
		resend_igmp=3 all_slaves_active=1 min_links=2 tx_queues=4
	is "$(cat $SYSFS/bonding_masters)" "bond0 bond1"
	for bond in bond0 bond1; do
		is "$(option $bond mode)" "active-backup 1"
		is "$(option $bond miimon)" 50
		is "$(option $bond updelay)" 100
		is "$(option $bond downdelay)" 150
		is "$(option $bond primary_reselect)" "failure 2"
		is "$(option $bond fail_over_mac)" "active 1"
		is "$(option $bond num_grat_arp)" 5
		is "$(option $bond num_unsol_na)" 5
		is "$(option $bond resend_igmp)" 3
		is "$(option $bond all_slaves_active)" 1
		is "$(option $bond min_links)" 2
		is "$(link_json $bond .num_tx_queues)" 4
	done
	is "$(link_json bond0 '.linkinfo.info_data | [.mode, .miimon, .updelay, .downdelay]')" \
		'["active-backup",50,100,150]'
}

test_arp_monitor() {
	kmsg_mark
	load max_bonds=1 mode=1 arp_interval=500 arp_ip_target=192.0.2.1,192.0.2.2 arp_validate=all \
		arp_all_targets=all
	kmsg_has 'ARP monitoring set to 500 ms, validate all, with 2 target\(s\): 192.0.2.1 192.0.2.2'
	is "$(option bond0 arp_interval)" 500
	is "$(option bond0 arp_ip_target)" "192.0.2.1 192.0.2.2"
	is "$(option bond0 arp_validate)" "all 3"
	is "$(option bond0 arp_all_targets)" "all 1"
	load_warns 'bad arp_ip_target module parameter \(nobody\)' arp_interval 0 mode=1 arp_interval=500 \
		arp_ip_target=192.0.2.1,nobody
	load_warns 'duplicate address 192.0.2.1 in arp_ip_target, skipping' arp_ip_target 192.0.2.1 mode=1 \
		arp_interval=500 arp_ip_target=192.0.2.1,192.0.2.1
	load_warns 'without providing an arp_ip_target parameter' arp_interval 0 mode=1 arp_interval=500
	load_warns "can't be used simultaneously" arp_interval 0 mode=1 arp_interval=500 miimon=100 \
		arp_ip_target=192.0.2.1
	unload
	fails_with "Invalid argument" modprobe bonding mode=1 arp_validate=all
}

# target_list N: a list of N addresses.
target_list() {
	local i list=
	for ((i = 1; i <= $1; i++)); do
		list+=,192.0.2.$i
	done
	echo "${list#,}"
}

# targets_are TARGETS INTERVAL LIST...: bond0 has these targets and this interval after the module
# was loaded with the lists.
targets_are() {
	local targets=$1 interval=$2
	shift 2
	load mode=1 arp_interval=500 "${@/#/arp_ip_target=}"
	is "$(option bond0 arp_ip_target)" "$targets" "the targets of '$*'"
	is "$(link_json bond0 '.linkinfo.info_data.arp_ip_target // [] | join(" ")')" "$targets"
	is "$(option bond0 arp_interval)" "$interval" "arp_interval with the targets '$*'"
}

test_as_many_targets_as_there_can_be() {
	local sixteen repeated
	sixteen=$(target_list 16)
	repeated=$(printf '192.0.2.1,%.0s' {1..15})
	targets_are "$(target_list 15 | tr , ' ')" 500 "$(target_list 15)"
	targets_are "${sixteen//,/ }" 500 "$sixteen"
	# A repeated address takes up the place of another one in the parameter.
	targets_are "192.0.2.1 192.0.2.2" 500 "${repeated}192.0.2.2"
	kmsg_mark
	load_refused 'arp_ip_target: can only take 16 arguments' mode=1 arp_interval=500 \
		arp_ip_target="$(target_list 17)"
	load_refused 'arp_ip_target: can only take 16 arguments' mode=1 arp_interval=500 \
		arp_ip_target="$(target_list 40)"
	load_refused 'arp_ip_target: can only take 16 arguments' mode=1 arp_interval=500 \
		arp_ip_target="$sixteen,"
	load_refused 'arp_ip_target: can only take 16 arguments' mode=1 arp_interval=500 \
		arp_ip_target="${repeated}192.0.2.1,192.0.2.2"
	load_refused 'invalid for parameter' mode=1 arp_interval=500 arp_ip_target
}

# An element that is no valid target switches the monitor off, but the other targets are kept.
test_targets_that_are_none() {
	kmsg_mark
	targets_are "192.0.2.1 192.0.2.2" 0 192.0.2.1,,192.0.2.2
	kmsg_has 'bad arp_ip_target module parameter \(\)' || fail "no word of an empty target"
	targets_are 192.0.2.1 0 ,192.0.2.1
	targets_are 192.0.2.1 0 192.0.2.1,
	targets_are "" 0 ""
	targets_are "" 0 ,,,
	targets_are "" 0 "$(printf ',%.0s' {1..15})"
	targets_are "" 0 0.0.0.0
	targets_are 192.0.2.1 0 255.255.255.255,192.0.2.1
	targets_are "" 0 192.0.2
	targets_are "" 0 192.0.2.1.5
	targets_are "" 0 192.0.2.256
	targets_are "192.0.2.1 192.0.2.2 192.0.2.3" 500 192.0.2.1,192.0.2.2,192.0.2.1,192.0.2.3
}

test_the_last_list_of_targets_counts() {
	ours_only "puts it over the beginning of the first"
	targets_are 192.0.2.9 500 192.0.2.1,192.0.2.2 192.0.2.9
}

test_primary_parameter_names_a_later_slave() {
	load mode=1 miimon=100 primary=b0
	make_links veth a0 b0
	ip link set bond0 up
	enslave bond0 a0 b0
	wait_for 5 "b0 to be the active slave" active bond0 b0
	is "$(option bond0 primary)" b0
}

test_empty_primary_is_none() {
	load mode=1 primary= primary_reselect=1
	is "$(option bond0 primary)" ""
	is "$(option bond0 primary_reselect)" "better 1"
}

test_numbers_name_the_same_values() {
	load mode=1 primary=eth7 primary_reselect=1 fail_over_mac=2
	is "$(option bond0 mode)" "active-backup 1"
	is "$(option bond0 primary_reselect)" "better 1"
	is "$(option bond0 fail_over_mac)" "follow 2"
}

test_num_unsol_na_is_num_grat_arp() {
	load num_unsol_na=7
	is "$(option bond0 num_grat_arp)" 7
	is "$(cat /sys/module/bonding/parameters/num_grat_arp)" 7
	is "$(cat /sys/module/bonding/parameters/num_unsol_na)" 7
}

test_packets_per_slave_parameter() {
	load packets_per_slave=8
	is "$(option bond0 packets_per_slave)" 8
}

test_parameters_are_described() {
	local name list
	list=$(modinfo -p bonding)
	for name in max_bonds tx_queues num_grat_arp num_unsol_na miimon updelay downdelay \
		use_carrier mode primary primary_reselect min_links fail_over_mac \
		all_slaves_active resend_igmp packets_per_slave; do
		grep -qE "^$name:.* \((int|uint|charp)\)$" <<<"$list" ||
			fail "modinfo does not describe $name with a type"
	done
}

test_unknown_texts_refuse_the_load() {
	load_refused 'nvalid bonding mode "?nonsense' mode=nonsense
	load_refused 'nvalid bonding mode "?7' mode=7
	load_refused 'nvalid primary_reselect "?never' mode=1 primary=eth7 primary_reselect=never
	load_refused 'nvalid fail_over_mac "?9' fail_over_mac=9
	load_refused 'nvalid use_carrier parameter \(2\)' use_carrier=2
	load_refused 'miimon' miimon=fast
}

test_numbers_out_of_range_are_reset_with_a_warning() {
	load_warns 'max_bonds \(-3\)' miimon 0 max_bonds=-3
	load_warns 'miimon.*\(-5\)' miimon 0 miimon=-5
	load_warns 'updelay.*\(-5\)' updelay 0 miimon=100 updelay=-5
	load_warns 'downdelay.*\(-5\)' downdelay 0 miimon=100 downdelay=-5
	load_warns 'num_grat_arp.*\(256\)' num_grat_arp 1 num_grat_arp=256
	load_warns 'resend_igmp.*\(999\)' resend_igmp 1 resend_igmp=999
	load_warns 'all_slaves_active.*\(2\)' all_slaves_active 0 all_slaves_active=2
	load_warns 'packets_per_slave.*\(70000\)' packets_per_slave 1 packets_per_slave=70000
	load_warns 'tx_queues.*\(0\)' miimon 0 tx_queues=0
	is "$(link_json bond0 .num_tx_queues)" 16
}

test_delays_are_rounded_to_the_interval() {
	load_warns 'updelay \(250\) is not a multiple of miimon \(100\)' updelay 200 \
		miimon=100 updelay=250
	load_warns 'downdelay \(199\) is not a multiple of miimon \(100\)' downdelay 100 \
		miimon=100 downdelay=199
	load_warns 'updelay and downdelay have no effect unless miimon is set' miimon 0 updelay=100
}

test_primary_means_nothing_to_round_robin() {
	load_warns 'eth7 primary device specified but has no effect' \
		mode "balance-rr 0" primary=eth7
}

test_unknown_parameter_is_ignored_with_a_warning() {
	load_warns "unknown parameter 'nonsense' ignored" mode "balance-rr 0" nonsense=1
}

test_defaults_may_be_spelt_out() {
	ours_only "wants arp_interval for arp_validate=none"
	load max_bonds=0 mode=active-backup miimon=0 updelay=0 arp_interval=0 arp_validate=none primary_reselect=always
	unload
}

test_parameters_of_our_own() {
	local name
	ours_only "has no parameters of this kind"
	for name in link_events resilient_hash; do
		load
		is "$(option bond0 $name)" "on 1"
		load $name=0
		is "$(option bond0 $name)" "off 0"
	done
	for name in rlb_ipv6 announce_stations; do
		load mode=balance-alb miimon=100
		is "$(option bond0 $name)" "off 0"
		load mode=balance-alb miimon=100 $name=1
		is "$(option bond0 $name)" "on 1"
		kmsg_mark
		load mode=balance-rr $name=on
		is "$(option bond0 $name)" "off 0"
		kmsg_has "$name param is irrelevant in mode load balancing" || fail "the log does not say that $name is dropped"
	done
}

ktap_main "$@"
