#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 600
# reference: intree
#
# Every option: what it reads as, which values it takes, and how it refuses others. The transcripts
# are compared with those of the in-tree driver, made by
#
#   scripts/guest --module intree -- /project/tests/guest/options.sh --record \
#       >tests/guest/reference/options.txt

. "${BASH_SOURCE[0]%/*}/bond.sh"
. "${BASH_SOURCE[0]%/*}/reference/compare.sh"

setup() {
	loaded || modprobe bonding max_bonds=0
	ip link add b7 type bond
}

add_slaves() {
	ip link add a0 address 02:00:00:00:00:0a type dummy
	ip link add b0 address 02:00:00:00:00:0b type dummy
	enslave b7 a0 b0
}

# write OPTION VALUE...: prints one line for each value: the result, and what the option reads as
# afterwards.
# Starts no process, since there are hundreds of values.
write() {
	local name=$1 file=$SYSFS/b7/bonding/$1 value result now
	shift
	for value; do
		result=ok
		if ! { printf '%s\n' "$value" >"$file"; } 2>"$WORK/refusal"; then
			read -r result <"$WORK/refusal"
		fi
		now=
		read -r now <"$file" || :
		echo "$name <- '$value': ${result##*: } -> $now"
	done
}

# netlink OPTION VALUE...: the same, with ip.
netlink() {
	local name=$1 field=$1 value result
	shift
	[[ $field != num_* ]] || field=num_peer_notif
	for value; do
		if result=$(ip link set b7 type bond "$name" "$value" 2>&1); then
			result=ok
		fi
		echo "ip $name $value: $result -> $(link_json b7 ".linkinfo.info_data.$field")"
	done
}

# The files and their access modes, except for the options that only we have.
list_files() {
	local name mode value
	stat -c '%n %A' "$1"/* | while read -r name mode; do
		value=
		read -r value <"$name" || :
		is_own_option "$name" || echo "${name#"$1"/} $mode: $value"
	done
}

numbers=("0" "1" "5" "off" "maxval" "minval" "default" "" " " "7x" "-1" "+1" " 3" "3 " "4 4" "0x10" "010")

transcript_files_of_a_new_bond() {
	list_files $SYSFS/b7/bonding
}

transcript_files_in_active_backup() {
	ip link set b7 type bond mode active-backup miimon 100 updelay 200 downdelay 100 \
		peer_notify_delay 300
	ip link set b7 up
	add_slaves
	set_option b7 primary b0
	wait_for 10 "b0 to be up" mii_status b0 up
	active b7 b0
	wait_for 10 "the link state to settle" has_carrier b7
	list_files $SYSFS/b7/bonding
	list_files $SYSFS/a0/bonding_slave
	list_files $SYSFS/b0/bonding_slave
}

transcript_mode() {
	write mode 1 0 2 3 balance-xor broadcast active-backup balance-rr "active-backup extra" "1 2" default "" " 1" Active-Backup 7 -1 rr
	netlink mode active-backup balance-xor broadcast balance-rr 1 0 7 fancy
}

transcript_monitor() {
	write miimon "${numbers[@]}" 100 2147483647 2147483648 18446744073709551615 99999999999999999999
	write miimon 100
	write updelay "${numbers[@]}" 200 250 99 2147483647
	write downdelay "${numbers[@]}" 100 199 300
	write peer_notif_delay "${numbers[@]}" 100 450 300000 300001
	write updelay 200
	write downdelay 300
	write peer_notif_delay 400
	write miimon 50
	list_files $SYSFS/b7/bonding | grep -E 'delay'
	write miimon 0
	list_files $SYSFS/b7/bonding | grep -E 'delay'
	write updelay 100
	write downdelay 100
	write peer_notif_delay 100
	netlink miimon 100 0 50
	netlink updelay 100 75
	netlink downdelay 100 20
	netlink peer_notify_delay 100 300000
	write use_carrier 1 on default 2
	netlink use_carrier 1
}

transcript_active_backup_options() {
	write mode active-backup
	write primary_reselect 0 1 2 always better failure default 3 "" never
	write fail_over_mac 0 1 2 none active follow default 3 "" maybe
	write num_grat_arp "${numbers[@]}" 255 256
	write num_unsol_na 9 255 256 default
	write num_grat_arp 1
	write resend_igmp "${numbers[@]}" 255 256
	write all_slaves_active 0 1 2 on off default ""
	write min_links "${numbers[@]}" 4
	netlink primary_reselect always better failure 1 never
	netlink fail_over_mac none active follow 1 maybe
	netlink num_grat_arp 0 3 255
	netlink num_unsol_na 0 3 255
	netlink resend_igmp 0 3 255 256
	netlink all_slaves_active 0 1
	netlink min_links 0 4
	write packets_per_slave 2
}

transcript_round_robin_options() {
	write packets_per_slave "${numbers[@]}" 65535 65536
	netlink packets_per_slave 0 1 8 65535 65536
	write primary a0
	write active_slave a0
	netlink primary_reselect better
	write fail_over_mac 1
	write primary_reselect 1
}

transcript_primary() {
	write mode active-backup
	write primary later "" a0
	add_slaves
	write primary b0 "" nothing a0
	ip -d -j link show b7 | jq -MS '.[0].linkinfo.info_data.primary'
	netlink primary b0 a0
	write primary ""
	netlink active_slave b0 a0
	write active_slave b0 a0 "" nothing
	ip link set b7 up
	write active_slave b0 a0 "" nothing b7
	netlink active_slave b0 a0 nothing
}

transcript_slaves() {
	write slaves +nothing a0 "" + "+a0 +b0" ++a0
	add_slaves
	write slaves +a0 -nothing "-a0 x" -a0 -b0
	write queue_id a0:1
	enslave b7 a0 b0
	write queue_id a0:1 b0:1 b0:2 a0:16 a0:17 a0:-1 a0:x a0 ":1" "a0: 3" a0:0 b0:0
	local value result
	for value in 0 1 16 17; do
		# The in-tree driver gives no reason.
		result=$(ip link set a0 type bond_slave queue_id $value 2>&1) && result=ok || result=refused
		echo "ip queue_id $value: $result -> $(<$SYSFS/a0/bonding_slave/queue_id)"
	done
}

transcript_prio() {
	local value result
	ip link set b7 type bond mode active-backup miimon 100
	add_slaves
	ip link set b7 up
	for value in 5 -5 2147483647 -2147483648 0; do
		result=$(ip link set b0 type bond_slave prio $value 2>&1) || :
		echo "ip prio $value: $result -> $(link_json b0 .linkinfo.info_slave_data.prio)" \
			"active $(option b7 active_slave)"
	done
}

transcript_needs_down_or_empty() {
	ip link set b7 type bond mode active-backup
	ip link set b7 up
	write mode balance-rr
	write fail_over_mac active none
	add_slaves
	write mode balance-rr
	write fail_over_mac active
	write miimon 100
	write updelay 200
	write primary_reselect failure
	write num_grat_arp 3
	write all_slaves_active 1
	write min_links 1
	write resend_igmp 2
}

# Tools such as NetworkManager write every option, most of them with its default.
transcript_defaults_of_other_modes() {
	local mode
	for mode in balance-rr active-backup balance-xor broadcast; do
		write mode $mode
		write arp_interval 0 off default
		write arp_validate none 0
		write arp_all_targets any 0
		write arp_missed_max 2
		write xmit_hash_policy layer2 layer3+4 layer2+3 encap2+3 encap3+4 vlan+srcmac \
			0 1 2 3 4 5 6 -1 layer3 '' default
		write lp_interval "${numbers[@]}" 2147483647 2147483648
		write ad_select stable bandwidth count actor_port_prio 0 1 2 3 4 some default
		netlink xmit_hash_policy layer3+4 vlan+srcmac layer2 layer5
		netlink lp_interval 5 1 0
		netlink ad_select count stable 9
		write packets_per_slave 2
		[[ $mode != balance-rr ]] || write packets_per_slave 1
		write primary_reselect better always
		write queue_id a0:1
	done
}

transcript_arp_monitor() {
	local mode
	for mode in active-backup balance-rr balance-xor broadcast; do
		write mode $mode
		write arp_interval 100 0 2147483647 2147483648 -1 off maxval 1x ''
		write arp_missed_max 1 255 0 256 minval maxval 2
		write arp_all_targets all 0 any 2 some
		write arp_validate active 2 all 4 filter_active filter_backup 7 nobody none
		netlink arp_interval 50 0
		netlink arp_missed_max 3 2
		netlink arp_all_targets all any
		netlink arp_validate active backup all filter filter_active filter_backup none
	done
}

transcript_arp_targets() {
	local n
	write arp_ip_target +192.0.2.1 +192.0.2.2 +192.0.2.1 -192.0.2.3 -192.0.2.1 -192.0.2.2 -192.0.2.2 \
		192.0.2.1 + - '' +1.2.3 +1.2.3.4.5 +1.2.3.256 +0.0.0.0 +0.1.2.3 +255.255.255.255 +nobody \
		'+192.0.2.9 and' -192.0.2.9 '=192.0.2.1' ' +192.0.2.1' +010.0.0.01 -10.0.0.1
	for n in {1..17}; do
		write arp_ip_target "+198.51.100.$n"
	done
	write arp_ip_target -198.51.100.1 -198.51.100.16 -198.51.100.8 +203.0.113.1
	netlink arp_ip_target 192.0.2.1 192.0.2.1,192.0.2.2 ''
	netlink ns_ip6_target 2001:db8::1 2001:db8::1,fe80::2 ''
}

# An option that switches one monitor on switches the other off, but not within one request.
transcript_either_monitor() {
	write mode active-backup
	write arp_validate all
	write miimon 100
	write updelay 200
	write arp_interval 50
	list_monitors
	write miimon 0
	list_monitors
	write miimon 100
	list_monitors
	ip link set b7 type bond miimon 100 arp_interval 50 2>&1 || :
	ip link set b7 type bond miimon 100 arp_validate all 2>&1 || :
	list_monitors
	write arp_interval 20
	write arp_validate backup
	write mode balance-rr
	list_monitors
}

list_monitors() {
	local name
	for name in miimon updelay arp_interval arp_validate; do
		echo "$name: $(option b7 $name)"
	done
}

transcript_arp_json() {
	ip link set b7 type bond mode active-backup arp_interval 60000 arp_ip_target 192.0.2.1,192.0.2.2 \
		ns_ip6_target 2001:db8::1,2001:db8::2 arp_validate filter_backup arp_all_targets all \
		arp_missed_max 5
	ip -d -j link show b7 | jq -MS '.[0].linkinfo'
	ip -d link show b7 | sed -n 's/ addrgenmode.*//; s/^ *bond /bond /p'
}

transcript_link_json() {
	ip link set b7 type bond mode active-backup miimon 100 updelay 100 primary_reselect better \
		fail_over_mac none num_grat_arp 4 resend_igmp 2 min_links 1
	add_slaves
	ip link set b7 up
	wait_for 10 "a0 to be up" mii_status a0 up
	wait_for 10 "b0 to be up" mii_status b0 up
	ip link set b7 type bond primary b0
	ip link set b0 type bond_slave prio 3 queue_id 2
	active b7 b0
	ip -d -j link show b7 | jq -MS '.[0].linkinfo'
	ip -d -j link show a0 | jq -MS '.[0].linkinfo | {info_slave_kind, info_slave_data}'
	ip -d -j link show b0 | jq -MS '.[0].linkinfo | {info_slave_kind, info_slave_data}'
	ip -d link show b7 | sed -n 's/ addrgenmode.*//; s/^ *bond /bond /p'
	ip -d link show b0 | sed -n 's/ addrgenmode.*//; s/^ *bond_slave /bond_slave /p'
}

transcript_link_json_of_round_robin() {
	ip link set b7 type bond packets_per_slave 3
	add_slaves
	ip -d -j link show b7 | jq -MS '.[0].linkinfo'
	ip -d -j link show b0 | jq -MS '.[0].linkinfo | {info_slave_kind, info_slave_data}'
}

transcript_link_json_of_balance_xor() {
	ip link set b7 type bond mode balance-xor xmit_hash_policy layer2+3 miimon 100 lp_interval 7
	add_slaves
	ip -d -j link show b7 | jq -MS '.[0].linkinfo'
	ip -d -j link show b0 | jq -MS '.[0].linkinfo | {info_slave_kind, info_slave_data}'
	# With slaves and while the bond is up, too.
	ip link set b7 up
	write xmit_hash_policy layer3+4
	write mode broadcast
	write ad_select count
}

transcript_link_json_of_broadcast() {
	ip link set b7 type bond mode broadcast miimon 100
	add_slaves
	ip -d -j link show b7 | jq -MS '.[0].linkinfo'
	ip -d -j link show b0 | jq -MS '.[0].linkinfo | {info_slave_kind, info_slave_data}'
}

transcripts_are_tests

test_options_of_other_modes_are_refused() {
	ip link set b7 type bond mode active-backup
	fails_with "Permission denied" set_option b7 lacp_rate fast
	fails_with "Permission denied" set_option b7 tlb_dynamic_lb 0
	fails_with "Permission denied" set_option b7 ad_user_port_key 5
	refused "not supported in mode" ip link set b7 type bond lacp_rate fast
	unmoved
}

# all_values BOND: what `ip -d link` shows, as words for `ip link set BOND type bond`.
all_values() {
	link_json "$1" '.linkinfo.info_data | to_entries[] |
		(.key | sub("^ad_lacp"; "lacp") | sub("^num_peer_notif$"; "num_grat_arp")),
		(.value | if . == null then "none" elif . == true then "on" elif type == "array" then join(",")
			else tostring end)'
}

# write_back BOND [0]: writes back all values: by netlink, first in one request and then (this takes
# time) one by one, and by sysfs. None of this changes anything. A file that takes commands (slaves,
# arp_ip_target) does not show a value that could be written.
write_back() {
	local words place file value
	snapshot >"$WORK/before"
	mapfile -t words < <(all_values "$1")
	((${#words[@]} >= 40)) || fail "only ${#words[@]} words: ${words[*]}"
	ip link set "$1" type bond "${words[@]}" || fail "ip link set $1 type bond ${words[*]}"
	# The last one first.
	for ((place = ${#words[@]} - 2; place >= 0 && ${2-1}; place -= 2)); do
		ip link set "$1" type bond "${words[@]:place:2}" || fail "it was ${words[*]:place:2}"
	done
	for file in $(printf '%s\n' "$SYSFS/$1"/bonding/* | sort -r); do
		value=$(<"$file")
		[[ -w $file && -n $value && $file != */@(slaves|arp_ip_target|ad_aggregator|ad_num_ports|mii_status) ]] ||
			continue
		put "$value" "$file" || fail "$file was $value"
	done
	unmoved
}

# Configurators spell out values that they do not want to change, and write back what they have
# read.
test_the_value_in_force_is_accepted() {
	ours_only "refuses it where another value would be refused"
	local mode
	ip link del b7
	for mode in balance-rr active-backup balance-xor broadcast; do
		ip link add b7 type bond mode $mode miimon 0 updelay 0 downdelay 0 peer_notify_delay 0 use_carrier 1 \
			arp_interval 0 arp_validate none packets_per_slave 1 primary_reselect always fail_over_mac none \
			lacp_rate slow lacp_active on tlb_dynamic_lb 1 ad_actor_system 00:00:00:00:00:00 \
			ad_actor_sys_prio 65535 ad_user_port_key 0
		write_back b7 0
		ip link set b7 up
		add_slaves
		wait_for 10 "the bond to have carrier" has_carrier b7
		write_back b7
		ip link set a0 type bond_slave queue_id 0 prio 0
		set_option b7 primary ''
		ip link set b7 type bond arp_interval 60000 arp_ip_target 192.0.2.1,192.0.2.2 ns_ip6_target 2001:db8::1 \
			arp_validate all
		write_back b7 0
		set_option b7 miimon 100
		set_option b7 updelay 200
		set_option b7 arp_validate filter
		write_back b7 0
		# The mode is accepted together with other options.
		ip link set b7 type bond mode $mode miimon 50 updelay 100 lacp_rate slow arp_interval 0
		is "$(option b7 miimon) $(option b7 updelay)" "50 100"
		refused "not supported in mode" ip link set b7 type bond lacp_rate fast
		unmoved
		set_option b7 miimon 0
		set_option b7 updelay 0
		set_option b7 downdelay 0
		fails_with "Operation not permitted" set_option b7 updelay 1
		ip link del b7
		ip link del a0
		ip link del b0
	done
}

test_the_primary_in_force_moves_nothing() {
	ours_only "chooses again"
	ip link set b7 type bond mode active-backup miimon 100 primary_reselect failure
	add_slaves
	ip link set b7 up
	set_option b7 primary a0
	wait_for 10 "a0 to be active" active b7 a0
	ip link set b7 type bond active_slave b0
	set_option b7 primary a0
	ip link set b7 type bond primary a0 primary_reselect failure
	active b7 b0
	set_option b7 primary b0
	set_option b7 primary a0
	active b7 a0
}

# A delay that would exceed the range of its option.
test_a_delay_stays_in_its_range() {
	ours_only "shows what is left of a product of 32 bits"
	ip link set b7 type bond miimon 1 updelay 2147483647 peer_notify_delay 300000
	set_option b7 miimon 70000
	is "$(option b7 updelay)" 2147460000
	is "$(option b7 peer_notif_delay)" 280000
	is "$(link_json b7 .linkinfo.info_data.updelay)" 2147460000
	write_back b7
	set_option b7 miimon 1
	is "$(option b7 updelay)" 2147483647
}

# The in-tree driver has dropped this option; its effect is tested in use_carrier.sh.
test_use_carrier() {
	ours_only "has dropped use_carrier=0"
	is "$(option b7 use_carrier)" 1
	set_option b7 use_carrier 0
	is "$(option b7 use_carrier)" 0
	is "$(link_json b7 .linkinfo.info_data.use_carrier)" 0
	set_option b7 use_carrier on
	is "$(option b7 use_carrier)" 1
	ip link set b7 type bond use_carrier 0
	is "$(option b7 use_carrier)" 0
	refused "Invalid argument" set_option b7 use_carrier 2
	is "$(option b7 use_carrier)" 0
}

# A netlink message about a bond has room for the largest number of targets.
test_as_many_targets_as_there_may_be() {
	local arp ns
	arp=$(printf '198.51.100.%s,' {101..116})
	ns=$(printf '2001:db8:1111:2222:3333:4444:5555:66%s,' {11..26})
	ip link set b7 type bond mode active-backup arp_ip_target "${arp%,}" ns_ip6_target "${ns%,}"
	is "$(link_json b7 '.linkinfo.info_data.arp_ip_target | join(",")')" "${arp%,}" arp_ip_target
	is "$(link_json b7 '.linkinfo.info_data.ns_ip6_target | join(",")')" "${ns%,}" ns_ip6_target
	is "$(option b7 arp_ip_target | tr ' ' ,)" "${arp%,}" "arp_ip_target in sysfs"
	kmsg_mark
	fails_with "Invalid argument" set_option b7 arp_ip_target +192.0.2.1
	kmsg_has 'ARP target table is full!' || fail "the kernel log does not say that the list is full"
}

test_a_bad_target_changes_nothing() {
	ours_only "clears the list first"
	ip link set b7 type bond mode active-backup arp_interval 60000 arp_ip_target 192.0.2.1,192.0.2.2
	refused "give each address once" ip link set b7 type bond arp_ip_target 192.0.2.3,192.0.2.3
	refused "give the addresses of hosts" ip link set b7 type bond arp_ip_target 192.0.2.1,0.0.0.0
	refused "give the addresses of hosts" ip link set b7 type bond ns_ip6_target 2001:db8::1,ff02::1
	refused "Operation not permitted" set_option b7 arp_ip_target 192.0.2.
	unmoved
	is "$(option b7 arp_ip_target)" "192.0.2.1 192.0.2.2" arp_ip_target
}

# is_switch NAME: an option of ours alone that is on unless it is turned off.
is_switch() {
	is "$(option b7 "$1")" "on 1"
	set_option b7 "$1" off
	is "$(option b7 "$1")" "off 0"
	set_option b7 "$1" 1
	is "$(option b7 "$1")" "on 1"
	set_option b7 "$1" 0
	set_option b7 "$1" default
	is "$(option b7 "$1")" "on 1"
	refused "Invalid argument" set_option b7 "$1" 2
	refused "Invalid argument" set_option b7 "$1" maybe
	unmoved
}

test_options_of_our_own() {
	ours_only "has no options of this kind"
	is_switch link_events
	is_switch resilient_hash
}

# Those that are off unless they are turned on, and that some modes do not have.
test_options_of_our_own_in_some_modes() {
	ours_only "has no rlb_ipv6 and no announce_stations"
	ip link set b7 type bond mode balance-rr
	refused "Permission denied" set_option b7 rlb_ipv6 on
	refused "Permission denied" set_option b7 announce_stations on
	unmoved
	ip link set b7 type bond mode balance-alb
	set_option b7 rlb_ipv6 on
	set_option b7 announce_stations 1
	is "$(option b7 rlb_ipv6)" "on 1"
	is "$(option b7 announce_stations)" "on 1"
	# A mode that does not have an option sets it back.
	ip link set b7 type bond mode active-backup
	is "$(option b7 rlb_ipv6)" "off 0"
	is "$(option b7 announce_stations)" "on 1"
	ip link set b7 type bond mode balance-xor
	is "$(option b7 announce_stations)" "off 0"
}

reference_main "$@"
