#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 1500
# parts: 2
#
# What IEEE 802.1AX-2014 demands of a bond on the wire, beyond what lacp.sh has: a bond with a partner
# that does what a test tells it. Documentation/lacp.md says which demand is tested where.

. "${BASH_SOURCE[0]%/*}/lacp/partner.sh"

# Netlink attributes that the distribution's ip does not know: IFLA_BOND_LACP_STRICT,
# IFLA_BOND_SLAVE_ACTOR_PORT_PRIO.
set_strict() {
	build bondattr
	bondattr b7 bond 34 1 "$1"
}

set_port_priority() {
	build bondattr
	bondattr "$1" slave 10 2 "$2"
}

# carried NAME...: a bond whose slaves NAME... carry traffic, with a partner.
carried() {
	local name
	prepare "$@"
	for name; do
		says "$name" state=$FULL
	done
	wait_for 10 "all slaves to carry traffic" is_carried "$@"
	for name; do
		wait_for 5 "$name to say all" announces "$name" $FULL $FULL
	done
}

# is_last NAME FIELD VALUE: see `heard`.
is_last() {
	echo "$1 says $(last "$1" "$2")"
	[[ $(last "$1" "$2") == "$3" ]]
}

# known NAME WHAT: what /proc shows of the partner of a slave.
known() {
	awk -v name="$1" -v what="$2" '$1 == "Slave" && $2 == "Interface:" { slave = $3 }
		/^details/ { whose = $2 }
		slave == name && whose == "partner" && sub("^ *" what ": ", "")' /proc/net/bonding/b7
}

now_ms() {
	echo $((${EPOCHREALTIME/./} / 1000))
}

# heard_since NAME TIME: the LACPDUs that NAME has sent since.
heard_since() {
	heard "$1" | awk -v from="$2" '$1 >= from'
}

# has_spoken NAME COUNT
has_spoken() {
	(($(heard "$1" | wc -l) >= $2))
}

# speaks_since NAME TIME
speaks_since() {
	[[ -n $(heard_since "$1" "$2") ]]
}

# keeps_the_limit NAME: no four LACPDUs were heard within a second.
keeps_the_limit() {
	heard "$1" | awk '{ time[NR] = $1
		if (NR > 3 && $1 - time[NR - 3] < 995) { print "4 in " $1 - time[NR - 3] " ms"; bad = 1 } } END { exit bad }' ||
		fail "$1 sent more than three LACPDUs in a second"
}

received_lacpdus() {
	ip stats show dev "$1" group xstats_slave subgroup bond | awk '/LACPDU Rx/ { print $3 }'
}

has_received_lacpdus() {
	local count
	count=$(received_lacpdus "$1")
	echo "$1 has received $count LACPDUs"
	((count >= $2))
}

# -- Receive -------------------------------------------------------------------------------------

# What is known of the partner stays while the link is down, but for its SYNC; then it is asked at once.
test_link_down_keeps_the_identity() {
	local up
	carried a0 b0
	ip link set a0p down
	wait_for 3 "a0 to stop" is_carried b0
	is "$(known a0 "system mac address") $(known a0 "oper key") $(known a0 "port number")" "02:00:00:00:00:aa 7 1"
	is "$(($(slave_attribute a0 ad_partner_oper_port_state) & SYNC))" 0 "SYNC of the partner"
	is "$(($(slave_attribute a0 ad_actor_oper_port_state) & (COLLECTS | DISTRIBUTES)))" 0 "what a0 does"
	up=$(now_ms)
	ip link set a0p up
	wait_for 5 "a0 to speak" speaks_since a0 "$up"
	is "$(heard_since a0 "$up" | head -n 1 | cut -d ' ' -f 8)" "02:00:00:00:00:aa" "partner in the first LACPDU"
	(($(heard_since a0 "$up" | head -n 1 | cut -d ' ' -f 7) & EXPIRED)) || fail "a0 does not begin EXPIRED"
	wait_for 10 "a0 to carry traffic again" is_carried a0 b0
}

# Of what the partner says of us, COLL, DIST, DEF and EXP are no reason to answer; AGG is. A partner that
# asks for the short timeout is answered at once.
test_what_makes_a_port_speak() {
	local sent received asked
	OPTIONS=(lacp_rate slow)
	prepare a0
	says a0 state=$((FULL & ~SHORT)) every=0
	wait_for 10 "a0 to carry traffic" is_carried a0
	wait_for 5 "a0 to say all" announces a0 $((FULL & ~SHORT)) 255
	sent=$(heard a0 | wc -l) received=$(received_lacpdus a0)
	says a0 xor=$((COLLECTS | DISTRIBUTES | DEFAULTED | EXPIRED)) every=100
	wait_for 10 "a0 to hear it ten times" has_received_lacpdus a0 $((received + 10))
	is "$(heard a0 | wc -l)" "$sent" "LACPDUs sent"
	is_carried a0
	asked=$(now_ms)
	says a0 xor=0 every=0 state=$FULL
	wait_for 3 "an answer" speaks_since a0 "$asked"
	(($(heard_since a0 "$asked" | head -n 1 | cut -d ' ' -f 1) - asked < 500 * KTAP_PATIENCE)) ||
		fail "the short timeout is not answered at once: $(heard_since a0 "$asked")"
	says a0 xor=$AGGREGATES
	wait_for 2 "a0 not to believe it" is_carried
}

# Nothing that a partner lies about us is believed, and it is contradicted within the limit.
test_a_partner_that_lies_about_us() {
	local name
	carried a0 b0
	says a0 reflects=wrong every=100
	wait_for 3 "a0 to stop" is_carried b0
	unused_because a0 "the partner is not in sync"
	wait_for 10 "a0 to hear much of it" has_received_lacpdus a0 $(($(received_lacpdus a0) + 30))
	is_carried b0
	keeps_the_limit a0
	says a0 reflects=yes
	wait_for 5 "a0 to carry traffic again" is_carried a0 b0
}

# A partner that is another system in each LACPDU is never aggregated; nothing is said more than once.
test_a_partner_that_changes_its_identity() {
	carried a0 b0
	says a0 changes=yes answers=no every=400
	wait_for 20 "a0 to have met eight systems" has_met 8
	is_carried b0
	unused_because a0 "its partner is another system"
	keeps_the_limit a0
	(($(events | grep -c "a0 carries no traffic") == 1)) || fail "the history: $(events)"
	(($(kmsg | grep -c "slave a0.*carries no traffic") == 1)) || fail "the kernel log"
	says a0 changes=no answers=yes every=1000 system=02:00:00:00:00:aa
	wait_for 10 "a0 to carry traffic again" is_carried a0 b0
}

has_met() {
	heard a0 | awk -v least="$1" '!met[$8]++ { count++ } END { print count; exit count <= least }'
}

# LACPDUs and Markers as fast as they can be sent move nothing, and are answered within the limits.
test_a_flood_moves_nothing() {
	local before marker number
	carried a0
	before=$(events)
	says a0 every=1
	wait_for 30 "the flood" has_received_lacpdus a0 $(($(received_lacpdus a0) + 300))
	says a0 every=1000
	keeps_the_limit a0
	# Of port 1, system 02:00:00:00:00:99, transaction 1.
	marker=0201011000010200000000""9900000001$(printf '%0188d' 0)
	for ((number = 0; number < 30; number++)); do
		says a0 frame "$marker"
	done
	wait_for 5 "an answer" grep "a0p .* other 0201021000010200" $PARTNER/heard
	awk '$2 == "a0p" && $4 == "other" { time[++count] = $1
		if (count > 5 && $1 - time[count - 5] < 995) bad = 1 } END { exit bad }' $PARTNER/heard ||
		fail "Markers are not answered five times a second: $(grep other $PARTNER/heard | cut -c 1-60)"
	is "$(events)" "$before" "the history"
	is_carried a0
	is "$(failures a0)" 0
}

# -- which system is at the other end --------------------------------------------------------------

# Two cables are swapped behind media converters: no link goes down.
test_swapped_cables() {
	carried a0 b0
	says a0 port=2
	says b0 port=1
	wait_for 5 "a0 to meet port 2" is_last a0 11 2
	wait_for 5 "b0 to meet port 1" is_last b0 11 1
	wait_for 10 "both slaves to carry traffic" is_carried a0 b0
	wait_for 5 "a0 to say all" announces a0 $FULL $FULL
	is "$(known a0 "port number") $(known b0 "port number")" "2 1"
	is "$(option b7 ad_num_ports) $(option b7 ad_partner_mac)" "2 02:00:00:00:00:aa"
	# Two switches that pass for one may have the same port twice.
	says a0 port=7
	says b0 port=7
	wait_for 5 "a0 to meet port 7" is_last a0 11 7
	wait_for 5 "b0 to meet port 7" is_last b0 11 7
	wait_for 10 "both slaves to carry traffic" is_carried a0 b0
}

# Two bonds with the same system are one to each other, until one of them is given another.
test_two_bonds_with_one_system() {
	local name
	OPTIONS=(ad_actor_system 02:00:00:00:00:77)
	cable a0 b0
	bond a0 b0
	bond_of_peer a0 b0
	ip -n peer link set b8 type bond ad_actor_system 02:00:00:00:00:77
	wait_for 10 "the reason" unused_because b0 "it hears this bond itself"
	wait_for 10 "one slave to carry traffic" is_carried a0
	for name in a0 b0; do
		(($(kmsg | grep -c "b7: .slave $name.*hears this bond itself") <= 2)) || fail "$name says so more than once"
	done
	set_option b7 ad_actor_system 02:00:00:00:00:78
	wait_for 15 "both slaves to carry traffic" is_carried a0 b0
	is "$(option b7 ad_partner_mac)" 02:00:00:00:00:77
	ping_peer
}

# A loop costs the other slaves nothing; and what the bond hears of itself keeps no partner alive.
test_a_loop_beside_a_partner() {
	partner c0
	ip link add a0 type veth peer name b0
	bond a0 b0 c0
	says c0 state=$FULL
	wait_for 10 "c0 to carry traffic" is_carried c0
	unused_because a0 "it hears this bond itself"
	unused_because b0 "it hears this bond itself"
	says c0 system="$(hwaddr b7)"
	wait_for 10 "c0 to expire" announces c0 $EXPIRED $EXPIRED
	wait_for 5 "c0 to give its partner up" announces c0 $DEFAULTED $DEFAULTED
	unused_because c0 "it hears this bond itself"
	wait_for 5 "a0 to do without a partner" history_has "a0 carries traffic without an LACP partner"
}

# -- Selection ---------------------------------------------------------------------------------

# taps NAME...: slaves-to-be at whose other ends are ports of the partner; their speeds can be set.
taps() {
	local name
	modprobe tun
	start_partner
	for name; do
		wait_for 5 "the last $name to be gone" gone "$name"
		port_of_partner "$name" tap
		ip link set "$name" address "$(link_address "$name")" addrgenmode none
	done
}

# has_speed NAME MBPS DUPLEX: makes the tap device tell this, and waits until the device does so.
has_speed() {
	says "$1" speed "$2" "$3"
	wait_for 5 "$1 to have the speed $2 $3" partner_has_done "$1" speed "$2" "$3"
}

partner_has_done() {
	grep -q "^0 ${1}p ${*:2}$" $PARTNER/heard
}

# select_by POLICY [NAME...]: the bond begins afresh, with this ad_select, and these slaves carry traffic.
select_by() {
	ip link set b7 down
	set_option b7 ad_select "$1"
	ip link set b7 up
	wait_for 10 "$1 to choose ${*:2}" is_carried "${@:2}"
}

unplug_tap() {
	ip link set "$1" carrier off
}

plug_tap() {
	ip link set "$1" carrier on
}

chooses() {
	wait_for 10 "the choice of $*" is_carried "$@"
}

# Two slow links and a fast one. Each speed is an aggregator.
test_ad_select() {
	local name
	taps a0 b0 c0
	has_speed a0 1000 full
	has_speed b0 1000 full
	has_speed c0 10000 full
	bond a0 b0 c0
	for name in a0 b0 c0; do
		says "$name" state=$FULL
	done
	select_by bandwidth c0
	unused_because a0 "another speed"
	unplug_tap c0
	chooses a0 b0
	plug_tap c0
	chooses c0
	select_by count a0 b0
	unused_because c0 "another speed"
	unplug_tap a0
	chooses c0
	plug_tap a0
	chooses a0 b0
	set_port_priority c0 600
	select_by actor_port_prio c0
	set_port_priority c0 300
	chooses a0 b0
	unplug_tap b0
	chooses c0
	plug_tap b0
	chooses a0 b0
	says all close
}

# A standby aggregator needs one exchange to take over, and keeps the traffic.
test_a_standby_takes_over() {
	local cut
	prepare a0 b0
	says a0 state=$FULL
	says b0 state=$FULL system=02:00:00:00:00:bb
	wait_for 10 "a0 to carry traffic" is_carried a0
	wait_for 10 "b0 to wait" unused_because b0 "its partner is another system"
	wait_for 10 "b0 to have met its partner" is_last b0 8 02:00:00:00:00:bb
	# It sends an LACPDU each second, and waits for two seconds.
	wait_for 10 "b0 to have waited" has_spoken b0 $(($(heard b0 | wc -l) + 3))
	cut=$(now_ms)
	ip link set a0p down
	wait_for 3 "b0 to take over" is_carried b0
	wait_for 3 "b0 to say so" announces b0 $FULL $FULL
	(($(heard_since b0 "$cut" | awk -v all=$FULL '$7 == all { print $1; exit }') - cut < 500 * KTAP_PATIENCE)) ||
		fail "it took too long: $(heard_since b0 "$cut")"
	is "$(option b7 ad_partner_mac)" 02:00:00:00:00:bb
	ip link set a0p up
	wait_for 10 "a0 to stand by" unused_because a0 "its partner is another system"
	is_carried b0
	is "$(option b7 ad_aggregator)" "$(slave_attribute b0 ad_aggregator_id)"
}

# Half duplex and unknown speed: silent, unused, and said why.
test_links_on_which_lacp_does_not_run() {
	taps a0 b0 c0
	has_speed a0 1000 full
	has_speed b0 1000 half
	has_speed c0 -1 full
	bond a0 b0 c0
	says a0 state=$FULL
	wait_for 10 "a0 to carry traffic" is_carried a0
	unused_because b0 "the link is half duplex"
	unused_because c0 "its device does not tell speed or duplex mode"
	wait_for 10 "a0 to speak five times" has_spoken a0 5
	is "$(heard b0)$(heard c0)" "" "LACPDUs"
	# A speed that becomes known is noticed.
	has_speed c0 1000 full
	has_speed b0 1000 full
	unplug_tap b0
	plug_tap b0
	says b0 state=$FULL
	says c0 state=$FULL
	wait_for 10 "all to carry traffic" is_carried a0 b0 c0
	says all close
}

# -- Mux and the rest ----------------------------------------------------------------------------

# With independent control a port goes on receiving when its partner has stopped to.
test_independent_control_receives() {
	OPTIONS=(coupled_control off)
	carried a0
	says a0 state=$((FULL & ~COLLECTS & ~DISTRIBUTES))
	wait_for 3 "a0 to stop sending" announces a0 $((SYNC | COLLECTS)) $((SYNC | COLLECTS | DISTRIBUTES))
	is_carried
	hears_a_ping 1
	says a0 state=$((FULL & ~SYNC))
	wait_for 3 "a0 to stop receiving" announces a0 0 $((COLLECTS | DISTRIBUTES))
	hears_a_ping 0
}

# hears_a_ping COUNT: of an echo request to b7 that arrives on a0, this many get to the bond.
hears_a_ping() {
	local before received=$SYSFS/a0/statistics/rx_packets arrived request
	request=4500001c0001000040""01f6dcc0000202c00002010800f7ff00000000
	before=$(pings_heard) arrived=$(<"$received")
	says a0 raw "$(hwaddr b7 | tr -d :)020000000099""0800$request"
	wait_for 3 "the request" has_counted "$received" $((arrived + 1))
	is "$(($(pings_heard) - before))" "$1" "echo requests that the bond has received"
}

has_counted() {
	(($(<"$1") >= $2))
}

pings_heard() {
	awk '$1 == "Icmp:" { if (fields) { print $place; exit } fields = 1
		for (place = 1; place <= NF && $place != "InEchos"; place++); }' /proc/net/snmp
}

# What is changed is on the wire as soon as the limit of three LACPDUs in a second allows it. Otherwise
# the next one is due after 30 seconds.
test_changed_priorities() {
	OPTIONS=(lacp_rate slow)
	prepare a0
	says a0 state=$((FULL & ~SHORT)) every=20000
	wait_for 10 "a0 to carry traffic" is_carried a0
	set_option b7 ad_actor_sys_prio 7
	wait_for 2 "the priority of the system" is_last a0 13 7
	set_port_priority a0 9
	wait_for 2 "the priority of the port" is_last a0 5 9
	wait_for 5 "a0 to carry traffic" is_carried a0
}

# churn NAME ACTOR PARTNER
churn() {
	local state
	state=$(awk -v name="$1" '$1 == "Slave" && $2 == "Interface:" { slave = $3 }
		slave == name && / Churn State: / { printf " %s", $NF }' /proc/net/bonding/b7)
	echo "$1:$state"
	[[ $state == " $2 $3" ]]
}

# b0 is out of sync because another aggregator is used, and c0 because its partner is.
test_churn() {
	local name slow=$((FULL & ~SHORT))
	OPTIONS=(lacp_rate slow)
	prepare a0 b0 c0
	for name in a0 b0 c0; do
		says "$name" state=$slow
	done
	wait_for 10 "all to carry traffic" is_carried a0 b0 c0
	# Seldom, so that the minute passes quickly.
	for name in a0 b0 c0; do
		says "$name" every=20000
	done
	churn a0 none none
	says b0 key=8
	says c0 state=$((slow & ~SYNC))
	wait_for 5 "b0 to be watched" churn b0 monitoring none
	wait_for 5 "c0 to be watched" churn c0 none monitoring
	# Not before 60 s.
	pause 55
	churn b0 monitoring none
	churn c0 none monitoring
	wait_for 10 "b0 to have churned" churn b0 churned none
	wait_for 10 "c0 to have churned" churn c0 none churned
	churn a0 none none
	is "$(grep -c "Churned Count: 1" /proc/net/bonding/b7)" 2 "how many have churned"
	unused_because c0 "the partner is not in sync"
	wait_for 3 "the history" history_has "c0 carries no traffic: the partner is not in sync"
	says b0 key=7
	says c0 state=$slow
	wait_for 10 "all to carry traffic" is_carried a0 b0 c0
	churn b0 none none
	churn c0 none none
}

# Without min_links, too, lacp_strict means that there is no carrier without a partner.
test_strict_bonds() {
	prepare a0
	says a0 answers=no every=0
	wait_for 10 "a0 to carry traffic without a partner" history_has "a0 carries traffic without an LACP partner"
	has_carrier b7
	set_strict 1
	wait_for 3 "the bond to lose its carrier" no_carrier b7
	unused_because a0 "the partner does not answer"
	says a0 answers=yes every=1000 state=$FULL
	wait_for 10 "the bond to have carrier" has_carrier b7
	says a0 state=$((FULL & ~SYNC))
	wait_for 3 "the bond to lose its carrier" no_carrier b7
	says a0 state=$FULL
	wait_for 3 "the bond to have carrier" has_carrier b7
	says a0 answers=no every=0
	wait_for 5 "the bond to lose its carrier" no_carrier b7
}

# A bond that has too few links says so where people look.
test_too_few_links() {
	OPTIONS=(min_links 2)
	carried a0 b0
	has_carrier b7
	lacks "No carrier" /proc/net/bonding/b7
	ip link set b0p down
	wait_for 3 "the bond to lose its carrier" no_carrier b7
	grep -qx "No carrier: 1 slave carries traffic, min_links is 2" /proc/net/bonding/b7
	wait_for 3 "the history" history_has "no carrier: 1 slave carries traffic, min_links is 2"
	kmsg_has "b7: no carrier: 1 slave carries traffic, min_links is 2"
	ip link set b0p up
	wait_for 10 "the bond to have carrier" has_carrier b7
	lacks "No carrier" /proc/net/bonding/b7
}

# -- the last word ---------------------------------------------------------------------------------

is_last_word() {
	announces a0 0 $((SYNC | COLLECTS | DISTRIBUTES))
}

test_a_last_word_when_the_module_goes() {
	carried a0
	rmmod bonding
	wait_for 1 "the last word" is_last_word
}

test_a_last_word_when_the_namespace_ends() {
	partner a0
	ip netns add n1
	ip link set a0 netns n1
	ip -n n1 link add b7 type bond mode 802.3ad lacp_rate fast
	ip -n n1 link set a0 master b7
	ip -n n1 link set b7 up
	says a0 state=$FULL
	wait_for 10 "a0 to carry traffic" announces a0 $FULL $FULL
	ip netns del n1
	wait_for 10 "the end of a0" gone a0p
	wait_for 1 "the last word" is_last_word
}

ktap_main "$@"
