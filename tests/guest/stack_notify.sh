#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 900
# reference: intree
#
# What the driver reports about itself: to programs by RTM_NEWLINK, and to other drivers, such as
# those of switches, by the notifier chain, where a module listens. The transcripts are made by
#
#   scripts/guest --module intree -- /project/tests/guest/stack_notify.sh --record \
#       >tests/guest/reference/stack_notify.txt

. "${BASH_SOURCE[0]%/*}/bond.sh"
. "${BASH_SOURCE[0]%/*}/leaks.sh"
. "${BASH_SOURCE[0]%/*}/reference/compare.sh"

setup() {
	loaded || modprobe bonding max_bonds=0
	[[ -d /sys/module/asked ]] || modprobe asked told=1
}

# told KIND: what the module has been told since the log was cleared: a device's upper device, a
# device's state (its link, and whether it sends), or NETDEV_BONDING_INFO.
told() {
	dmesg | sed -n "s/.*asked: told $1 //p"
}

# last KIND: what the module was told last about each device.
last() {
	told "$1" | tac | awk '!seen[$1]++' | sort
}

# newlinks: which events RTM_NEWLINK reported for which device.
newlinks() {
	awk '/^[0-9]/ {
		split($2, name, /[:@]/)
		kind = match($0, / event [A-Z ]+[A-Z]/) ? substr($0, RSTART + 7, RLENGTH - 7) : "no event"
		print name[1] ": " kind
	}' "$WORK/monitor" | { grep -E '^(b7|a0|b0): ' || :; } | sort -u
}

calm() {
	local now
	now="$(told ".*" | wc -l) $(wc -l <"$WORK/monitor")"
	[[ $now == "${before-}" ]] || calm_for=0
	before=$now
	((++calm_for > 8))
}

# listens PROCESS: the process has a NETLINK_ROUTE (0) socket that is in the group of links (1).
listens() {
	awk -v pid="$1" '$2 == 0 && $3 == pid && $4 ~ /[13579bdf]$/ { found = 1 } END { exit !found }' /proc/net/netlink
}

# step COMMAND...: prints what is reported once the command has been carried out.
step() {
	echo "-- $*"
	clear_log
	ip -o monitor link >"$WORK/monitor" &
	local monitor=$!
	wait_for 5 "the monitor to listen" listens $monitor
	before='' calm_for=0
	"$@"
	wait_for 60 "everything to be told" calm
	kill $monitor
	wait $monitor 2>/dev/null || :
	told upper
	last lower
	last info
	newlinks
}

links() {
	make_links netdevsim a0 b0
}

transcript_active_backup() {
	links
	step ip link add b7 type bond mode active-backup miimon 100
	step ip link set b7 up
	step ip link set a0 master b7
	step ip link set b0 master b7
	step set_option b7 active_slave b0
	step set_option b7 miimon 200
	step ip link set b7 type bond resend_igmp 2
	step set_option b7 primary a0
	step cut_link a0
	step ip link set b7 mtu 1400
	step ip link set a0 nomaster
	step ip link set b0 nomaster
	step ip link set b7 down
	step set_option b7 mode balance-rr
}

transcript_options_by_netlink() {
	links
	ip link add b7 type bond mode active-backup miimon 100
	step ip link set b7 type bond fail_over_mac active
	step ip link set b7 type bond num_grat_arp 3
	step ip link set b7 up
	enslave b7 a0 b0
	wait_for 5 "b0 to be up" mii_status b0 up
	step ip link set b7 type bond active_slave b0
	step ip link set a0 type bond_slave queue_id 2
	step ip link set a0 type bond_slave prio 5
}

# lag MODE [OPTION VALUE]: prints how a bond says that it spreads its packets.
lag() {
	echo "-- $*"
	clear_log
	ip link add b7 type bond mode "$@"
	ip link set d0 master b7
	wait_for 5 "the slave" eval '[[ -n $(told upper) ]]'
	told upper
	ip link del b7
}

transcript_lag() {
	local policy
	ip link add d0 type dummy
	lag balance-rr
	lag active-backup
	lag broadcast
	for policy in layer2 layer3+4 layer2+3 encap2+3 encap3+4 vlan+srcmac; do
		lag balance-xor xmit_hash_policy $policy
	done
}

# A mode with nothing to report has an empty nest.
transcript_xstats() {
	links
	ip link add b7 type bond mode active-backup miimon 100
	enslave b7 a0
	ip stats show dev b7 group xstats 2>&1 | sed 's/^[0-9]*: //'
	ip stats show dev a0 group xstats_slave 2>&1 | sed 's/^[0-9]*: //'
}

transcripts_are_tests

reference_main "$@"
