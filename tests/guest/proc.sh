#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 600
# reference: intree
#
# /proc/net/bonding/BOND is byte for byte what the in-tree driver writes, because monitoring scripts
# parse it. The transcripts are made by
#
#   scripts/guest --module intree -- /project/tests/guest/proc.sh --record \
#       >tests/guest/reference/proc.txt

. "${BASH_SOURCE[0]%/*}/bond.sh"
. "${BASH_SOURCE[0]%/*}/reference/compare.sh"

setup() {
	loaded || modprobe bonding max_bonds=0
}

# The kernel's release is the only part that may differ.
show() {
	echo "-- $1"
	sed "1s/v$(uname -r)\$/vRELEASE/" /proc/net/bonding/b7
}

add_dummies() {
	ip link add a0 address 02:00:00:00:00:0a type dummy
	ip link add b0 address 02:00:00:00:00:0b type dummy
	enslave b7 a0 b0
}

transcript_round_robin() {
	ip link add b7 type bond
	show "new"
	ip link set b7 up
	show "up"
	add_dummies
	wait_for 5 "carrier" has_carrier b7
	show "with slaves"
	set_option b7 queue_id b0:3
	ip link set dev a0 nomaster
	show "one released"
	ip link set b7 down
	show "down"
}

transcript_active_backup() {
	make_links veth a0 b0
	ip link add b7 type bond mode active-backup miimon 100
	show "new"
	ip link set b7 up
	enslave b7 a0 b0
	wait_for 5 "b0 to be up" mii_status b0 up
	show "with slaves"
	cut_link a0
	wait_for 5 "failover" active b7 b0
	wait_for 5 "a0 to be down" mii_status a0 down
	show "after failover"
	cut_link b0
	wait_for 5 "b0 to be down" mii_status b0 down
	wait_for 5 "the bond to lose carrier" no_carrier b7
	show "no link"
	mend_link a0
	wait_for 5 "a0 to be active" active b7 a0
	wait_for 5 "carrier" has_carrier b7
	show "one link back"
	set_option b7 primary b0
	show "with a primary"
	set_option b7 primary_reselect better
	show "with another reselect policy"
	mend_link b0
	wait_for 5 "b0 to be up" mii_status b0 up
	set_option b7 primary_reselect failure
	show "both links back"
}

transcript_delays() {
	make_links veth a0 b0
	ip link add b7 type bond mode active-backup miimon 50 downdelay 600000 updelay 900000 \
		peer_notify_delay 150
	ip link set b7 up
	enslave b7 a0
	wait_for 5 "a0 to be up" mii_status a0 up
	enslave b7 b0
	wait_for 5 "b0 to be going back" mii_status b0 "going back"
	show "second link delayed"
	cut_link a0
	wait_for 5 "a0 to be going down" mii_status a0 "going down"
	# Whether a bond has carrier while its last link is going down depends on the moment.
	show "first link delayed" | sed '/^Slave Interface/,$!d'
}

transcript_fail_over_mac() {
	local policy
	for policy in active follow; do
		ip link add b7 type bond mode active-backup miimon 100 fail_over_mac $policy
		add_dummies
		ip link set b7 up
		wait_for 5 "carrier" has_carrier b7
		show "fail_over_mac $policy"
		ip link del b7
		ip link del a0
		ip link del b0
	done
}

transcript_arp_monitor() {
	make_links veth a0 b0
	ip link add b7 type bond mode active-backup arp_interval 100
	show "without targets"
	ip link set b7 type bond arp_ip_target $PEER4,192.0.2.3 ns_ip6_target 2001:db8::2,fe80::1 \
		arp_missed_max 3
	show "with targets"
	set_option b7 arp_interval 0
	show "switched off"
}

transcript_speeds() {
	ip link add b7 type bond mode active-backup miimon 100
	make_netdevsim n0
	ip link set n0 address 02:00:00:00:00:0c
	ip link set b7 up
	enslave b7 n0
	wait_for 5 "the state of n0" mii_status n0 up
	show "netdevsim"
}

transcripts_are_tests

test_everybody_may_read() {
	ip link add b7 type bond
	is "$(stat -c %A /proc/net/bonding/b7)" -r--r--r--
	setpriv --reuid 65534 --clear-groups grep -q '^Bonding Mode: load balancing (round-robin)$' \
		/proc/net/bonding/b7
}

test_two_bonds_have_two_files() {
	ip link add b7 type bond mode active-backup
	ip link add b8 type bond
	is "$(ls /proc/net/bonding | xargs)" "b7 b8"
	grep -q '^Bonding Mode: fault-tolerance (active-backup)$' /proc/net/bonding/b7
	grep -q '^Bonding Mode: load balancing (round-robin)$' /proc/net/bonding/b8
}

test_more_slaves_than_a_page() {
	local n
	ip link add b7 type bond
	for n in {1..40}; do
		echo "link add d$n type dummy"
		echo "link set d$n master b7"
	done | ip -batch -
	is "$(grep -c '^Slave Interface: d[0-9]*$' /proc/net/bonding/b7)" 40
	is "$(wc -w <$SYSFS/b7/bonding/slaves)" 40
}

reference_main "$@"
