#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# reference: intree
# guest: --icount
# timeout: 1800
#
# The in-tree driver runs the cases that it supports; where ours is meant to be better, only ours is
# held to the limit.
# only ours is held to it.

. "${BASH_SOURCE[0]%/*}/failover/silence.sh"

stays_up() {
	local slave
	for slave; do
		is "$(failures "$slave")" 0 "failure count of $slave"
	done
}

silent_failure() {
	local interval=$1 ms before patience=15
	start arp_interval "$interval" arp_ip_target $PEER4 arp_validate all
	before=$(failures a0)
	# In the debug kernel the first answer may take more than two intervals of 10 ms: the peer
	# resolves our address first.
	((interval <= 10)) && kernel_is debug || is "$before" 0 "failure count of a0"
	ms=$(detection)
	echo "arp_interval $interval: noticed after $ms ms"
	# The debug kernel takes its time to send, and to log.
	! kernel_is debug || patience=40
	! ours || ((ms <= 2 * interval + patience)) || fail "noticed after $ms ms, at most two intervals allowed"
	ping_peer >/dev/null || wait_for 10 "the peer to answer" ping_peer
	is "$(failures a0)" $((before + 1)) "failure count of a0"
	speech a0
	wait_for 60 "a0 to be up again" mii_status a0 up
}

test_silent_failure_10() {
	silent_failure 10
}

test_silent_failure_100() {
	silent_failure 100
}

test_silent_failure_1000() {
	silent_failure 1000
}

test_silent_failure_1_ms() {
	ours_only "counts in jiffies"
	silent_failure 1
}

validated() {
	start arp_interval 100 arp_ip_target $PEER4 arp_validate "$1"
	pause 2
	stays_up a0 b0
	detection >/dev/null
	is "$(failures b0)" 0 "failure count of b0"
	speech a0
	wait_for 20 "a0 to be up again" mii_status a0 up
}

test_validate_active() {
	validated active
}

test_validate_backup() {
	validated backup
}

test_validate_all() {
	validated all
}

test_filter() {
	validated filter
}

test_filter_active() {
	validated filter_active
}

test_filter_backup() {
	validated filter_backup
}

# Other traffic does not keep a link up that is validated, but does keep up one that is not.
test_only_answers_count_where_they_are_validated() {
	start arp_interval 100 arp_ip_target $PEER4 arp_validate none
	in_peer ping -q -i 0.02 $OUR4 >/dev/null &
	wait_for 20 "the pings of the peer" pings_arrive
	set_option b7 arp_ip_target +192.0.2.99
	set_option b7 arp_ip_target -$PEER4
	pause 1
	is "$(option b7 active_slave)" a0 "active slave"
	stays_up a0
	set_option b7 arp_validate active
	wait_for 20 "a0 to be down, since nobody answers for 192.0.2.99" failed a0
}

# What keeps a link up that gets no answers: any traffic, any ARP packet (filters), or nothing
# (validated).
# counts VALIDATE TRAFFIC ROLE: whether that traffic keeps the link up, as in the in-tree driver.
counts() {
	case $1:$3 in
	all:* | filter_active:active | filter_backup:backup | active:active | backup:backup) return 1 ;;
	filter*) [[ $2 == arp ]] ;;
	esac
}

# While no slave is active, the slaves are tried in turn, which is a different state.
failed_since() {
	(($(failures "$2") > $1))
}

# holds SLAVE: the slave stays up for more than three intervals.
holds() {
	local before
	before=$(failures "$1")
	pause 1
	is "$(failures "$1")" "$before" "failure count of $1"
	mii_status "$1" up || fail "$1 is down"
}

# judge ROLE SLAVE: for each value and kind of traffic, whether the slave in that role stays up.
judge() {
	local role=$1 slave=$2 validate type before
	for type in 0800 0806; do
		in_peer /tmp/tools/frame pour br0 ff:ff:ff:ff:ff:ff 02:00:00:00:00:99 $type 10 &
		for validate in none active backup all filter filter_active filter_backup; do
			echo "-- $role, arp_validate $validate, frames of type $type"
			before=$(failures "$slave")
			set_option b7 arp_validate $validate
			if counts $validate "$([[ $type == 0806 ]] && echo arp || echo ip)" "$role"; then
				wait_for 20 "$slave to be up" mii_status "$slave" up
				holds "$slave"
			else
				wait_for 20 "$slave to be down" failed_since "$before" "$slave"
			fi
			set_option b7 arp_validate none
			wait_for 20 "$slave to be up" mii_status "$slave" up
			set_option b7 active_slave a0
		done
		kill %%
		wait %% 2>/dev/null || :
	done
}

# Each link hears the peer, but not the probes of the other link.
apart() {
	in_peer bridge link set dev a0p isolated on
	in_peer bridge link set dev b0p isolated on
}

test_what_counts_on_the_active_slave() {
	build frame
	start arp_interval 100 arp_ip_target $PEER4
	apart
	# Nobody has this address.
	set_option b7 arp_ip_target +192.0.2.99
	set_option b7 arp_ip_target -$PEER4
	judge active a0
}

test_what_counts_on_a_backup() {
	build frame
	start arp_interval 100 arp_ip_target $PEER4
	apart
	judge backup b0
}

pings_arrive() {
	local before
	before=$(nstat -asz IcmpInEchos | awk '/IcmpInEchos/ { print $2 }')
	pause 0.2
	(($(nstat -asz IcmpInEchos | awk '/IcmpInEchos/ { print $2 }') > before))
}

failed() {
	(($(failures "$1") > 0))
}

test_any_and_all_targets() {
	start arp_interval 50 arp_ip_target $PEER4,192.0.2.99 arp_validate all
	pause 1
	stays_up a0 b0
	is "$(option b7 arp_all_targets)" "any 0" "arp_all_targets"
	set_option b7 arp_all_targets all
	wait_for 20 "a0 to be down, since one target is missing" failed a0
	in_peer ip address add 192.0.2.99/24 dev br0
	wait_for 20 "a slave to be active" has_active b7
	wait_for 20 "the bond to have carrier" has_carrier b7
}

test_targets_come_and_go() {
	start arp_interval 50 arp_ip_target $PEER4 arp_validate all
	in_peer sysctl -qw net.ipv4.conf.br0.promote_secondaries=1
	in_peer ip address add 192.0.2.3/24 dev br0
	set_option b7 arp_ip_target +192.0.2.3
	is "$(option b7 arp_ip_target)" "$PEER4 192.0.2.3" "arp_ip_target"
	set_option b7 arp_ip_target -$PEER4
	in_peer ip address del $PEER4/24 dev br0
	pause 1
	wait_for 10 "192.0.2.3 to answer" ping_peer 192.0.2.3
	stays_up a0 b0
}

test_missed_max() {
	start arp_interval 50 arp_ip_target $PEER4 arp_missed_max 10 arp_validate all
	local ms
	ms=$(detection)
	echo "arp_missed_max 10: noticed after $ms ms"
	((ms >= 9 * 50)) || fail "noticed after $ms ms already"
	! ours || ((ms <= 11 * 50)) || fail "noticed after $ms ms only"
}

# The answer to the first probe activates the slave that is being tried.
test_all_down_and_back() {
	start arp_interval 50 arp_ip_target $PEER4 arp_validate all
	silence a0
	silence b0
	wait_for 20 "both slaves to fail" failed a0
	wait_for 20 "the bond to lose its carrier" no_carrier b7
	wait_for 20 "no slave to be active" no_active b7
	speech b0
	wait_for 20 "b0 to be active" active b7 b0
	wait_for 20 "the bond to have carrier" has_carrier b7
	wait_for 20 "the peer to answer" ping_peer
	speech a0
	wait_for 20 "a0 to be up" mii_status a0 up
	active b7 b0
}

no_active() {
	[[ -z $(option "$1" active_slave) ]]
}

test_carrier_loss_counts_at_once() {
	ours_only "waits for the probes"
	start arp_interval 1000 arp_ip_target $PEER4
	stream_start
	cut_link a0
	wait_for 10 "b0 to be active" active b7 b0
	stream_more 100
	stream_stop
	((lost <= 1 + cut_ms)) || fail "$lost packets lost"
	mend_link a0
	wait_for 20 "a0 to be up again" mii_status a0 up
}

test_carrier_loss() {
	start arp_interval 50 arp_ip_target $PEER4
	cut_link a0
	wait_for 20 "b0 to be active" active b7 b0
	wait_for 20 "the peer to answer" ping_peer
	mend_link a0
	wait_for 20 "a0 to be up again" mii_status a0 up
}

test_primary_comes_back() {
	start arp_interval 50 arp_ip_target $PEER4 primary a0
	silence a0
	wait_for 20 "b0 to be active" active b7 b0
	speech a0
	wait_for 20 "a0 to be active again" active b7 a0
}

test_ns_target() {
	start arp_interval 100 ns_ip6_target $PEER6 arp_validate all
	pause 2
	stays_up a0 b0
	silence a0
	wait_for 20 "b0 to be active" active b7 b0
	wait_for 20 "the peer to answer" ping_peer $PEER6
	stays_up b0
	speech a0
	wait_for 20 "a0 to be up again" mii_status a0 up
}

# Every interface has a route to link-local addresses, and another interface's route comes first.
test_link_local_target() {
	ours_only "takes the first interface that has a route"
	ip link add d0 type dummy
	ip link set d0 up
	wait_for 10 "a link-local address" eval 'ip -6 route show dev d0 | has fe80'
	start arp_interval 100 arp_ip_target $PEER4
	in_peer ip address add fe80::99/64 dev br0 nodad
	ip link set b7 type bond ns_ip6_target fe80::99
	set_option b7 arp_ip_target -$PEER4
	set_option b7 arp_validate all
	pause 2
	stays_up a0 b0
	silence a0
	wait_for 20 "b0 to be active" active b7 b0
	stays_up b0
}

# The bond has no link-local address, but the bridge on top of it has one.
test_link_local_target_of_a_bridge() {
	make_links veth a0 b0
	ip link add b7 type bond mode active-backup arp_interval 100 arp_validate all
	ip link set b7 addrgenmode none
	ip link add br7 type bridge
	ip link set b7 up master br7
	enslave b7 a0 b0
	ip link set br7 up
	ip address add fe80::77/64 dev br7 nodad
	in_peer ip address add fe80::99/64 dev br0 nodad
	ip link set b7 type bond ns_ip6_target fe80::99
	wait_for 20 "a0 to be up" mii_status a0 up
	wait_for 20 "b0 to be up" mii_status b0 up
	local before
	before="$(failures a0) $(failures b0)"
	pause 2
	is "$(failures a0) $(failures b0)" "$before" "failure counts"
}

# The ARP monitor takes over from miimon while a link is going down.
test_from_downdelay_to_the_arp_monitor() {
	ours_only "waits for the poll that is no more"
	start miimon 100 downdelay 30000
	cut_link a0
	wait_for 10 "a0 to be going down" mii_status a0 "going down"
	set_option b7 arp_ip_target +$PEER4
	set_option b7 arp_interval 100
	wait_for 10 "b0 to be active" active b7 b0
	wait_for 10 "the peer to answer" ping_peer
	mend_link a0
	wait_for 20 "a0 to be up" mii_status a0 up
}

# Probes carry the tags of the VLANs on the route to the target.
vlan_targets() {
	make_links veth a0 b0
	ip -n peer link set br0 type bridge vlan_filtering 0
	ip link add b7 type bond mode active-backup arp_interval 100 arp_validate "$1"
	ip link set b7 up
	modprobe 8021q
	ip link add v5 link b7 type vlan id 5
	ip link set v5 up
	ip -n peer link add v5 link br0 type vlan id 5
	ip -n peer link set v5 up
	if [[ $2 == stacked ]]; then
		ip link add v56 link v5 type vlan id 6
		ip -n peer link add v56 link v5 type vlan id 6
		ip link set v56 up
		ip -n peer link set v56 up
		ip address add 198.51.100.1/24 dev v56
		ip -n peer address add 198.51.100.2/24 dev v56
	else
		ip address add 198.51.100.1/24 dev v5
		ip -n peer address add 198.51.100.2/24 dev v5
	fi
	set_option b7 arp_ip_target +198.51.100.2
	enslave b7 a0 b0
	wait_for 20 "the target to answer" ping_peer 198.51.100.2
	pause 2
	stays_up a0 b0
	capture peer a0p "$3"
	wait_for 20 "tagged probes" captured_at_least 3 ""
	capture_stop
	silence a0
	wait_for 20 "b0 to be active" active b7 b0
	wait_for 20 "the target to answer" ping_peer 198.51.100.2
}

test_target_on_a_vlan() {
	vlan_targets all single 'vlan 5 and arp'
}

test_target_on_stacked_vlans() {
	vlan_targets none stacked 'vlan 5 and vlan 6 and arp'
}

test_target_on_stacked_vlans_validated() {
	ours_only "does not look behind the inner tag"
	vlan_targets all stacked 'vlan 5 and vlan 6 and arp'
}

role_of() {
	grep -qx "$2" "/sys/class/net/$1/bonding_slave/state"
}

# In a mode without an active slave each slave sends its own probes, and a slave without answers is
# a backup.
test_round_robin() {
	make_links veth a0 b0
	make_bond b7 mode balance-rr arp_interval 50 arp_ip_target $PEER4
	enslave b7 a0 b0
	wait_for 20 "the peer to answer" ping_peer
	wait_for 20 "a0 to be up" mii_status a0 up
	wait_for 20 "b0 to be up" mii_status b0 up
	cut_link a0
	wait_for 20 "a0 to be down" mii_status a0 down
	mii_status b0 up
	wait_for 20 "a0 to be a backup" role_of a0 backup
	role_of b0 active || fail "b0 is no backup"
	mend_link a0
	wait_for 20 "a0 to be up again" mii_status a0 up
	wait_for 20 "a0 to be active again" role_of a0 active
	has_carrier b7
}

# Each slave must hear an answer to its own probe before it is used again, whatever the others do.
round_robin_validated() {
	ours_only "takes answers from active slaves only, and one without answers is none"
	make_links veth a0 b0
	cut_link a0
	make_bond b7 mode balance-rr arp_interval 50 arp_validate "$1" arp_ip_target $PEER4
	enslave b7 a0 b0
	wait_for 20 "b0 to be up" mii_status b0 up
	mii_status a0 down || fail "a0 is up without carrier"
	mend_link a0
	wait_for 20 "a0 to be up" mii_status a0 up
	silence a0
	silence b0
	wait_for 20 "a0 to be down" mii_status a0 down
	wait_for 20 "b0 to be down" mii_status b0 down
	speech a0
	speech b0
	wait_for 20 "a0 to be up again" mii_status a0 up
	wait_for 20 "b0 to be up again" mii_status b0 up
	wait_for 20 "the peer to answer" ping_peer
}

test_round_robin_validate_all() {
	round_robin_validated all
}

test_round_robin_filter() {
	round_robin_validated filter
}

test_round_robin_validate_active() {
	round_robin_validated active
}

test_either_monitor() {
	start arp_interval 100 arp_ip_target $PEER4 arp_validate all
	set_option b7 miimon 50
	is "$(option b7 arp_interval)" 0 arp_interval
	is "$(option b7 arp_validate)" "none 0" arp_validate
	silence a0
	pause 1
	is "$(option b7 active_slave)" a0 "active slave"
	speech a0
	set_option b7 arp_interval 100
	is "$(option b7 miimon)" 0 miimon
	silence a0
	wait_for 20 "b0 to be active" active b7 b0
}

# Probing stops when the bond goes down, and resumes when it comes up.
test_down_and_up_again() {
	start arp_interval 20 arp_ip_target $PEER4
	local n
	for n in 1 2 3 4 5; do
		ip link set b7 down
		ip link set b7 up
	done
	ip address replace $OUR4/24 dev b7
	wait_for 20 "the peer to answer" ping_peer
	pause 1
	is "$(cat $SYSFS/b7/carrier)" 1 carrier
	ip link delete b7
}

ktap_main "$@"
