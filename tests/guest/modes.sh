#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount --nic 2
# timeout: 900
# reference: intree
# kernels: distro debug kcsan
#
# The modes that use all slaves: balance-rr, balance-xor and broadcast. Which slave the hash of
# balance-xor picks is tested in hash.sh. The transcripts are those of the in-tree driver, made by
#
#   scripts/guest --icount --nic 2 --module intree -- /project/tests/guest/modes.sh --record \
#       >tests/guest/reference/modes.txt

. "${BASH_SOURCE[0]%/*}/bond.sh"
. "${BASH_SOURCE[0]%/*}/reference/compare.sh"
. "${BASH_SOURCE[0]%/*}/ways.sh"

setup() {
	build flows
	loaded || modprobe bonding max_bonds=0
	sysctl -qw net.ipv6.conf.default.disable_ipv6=0
}

kinds=(arp igmp tcp4 udp6 vlan_tcp4 unknown big_udp6)

# show_proc TITLE: /proc/net/bonding/b7 without the kernel's release.
show_proc() {
	echo "-- $1"
	sed "1s/v$(uname -r)\$/vRELEASE/" /proc/net/bonding/b7
}

# show_drops TITLE COMMAND...: how many more packets b7 has dropped after the command.
show_drops() {
	local title=$1 before
	shift
	before=$(<$SYSFS/b7/statistics/tx_dropped)
	"$@"
	echo "$title: $(($(<$SYSFS/b7/statistics/tx_dropped) - before)) dropped"
}

# -- broadcast ---------------------------------------------------------------------

transcript_broadcast() {
	make_ways a0 b0 c0
	make_way_bond broadcast a0 b0 c0
	echo "-- all"
	ways 1 4 b7 3 "${kinds[@]}"
	cut_way b0
	echo "-- without b0"
	ways 1 4 b7 2 "${kinds[@]}"
	# The last slave takes the packet itself, the others take copies.
	cut_way c0
	echo "-- a0 alone"
	ways 1 4 b7 1 "${kinds[@]}"
	cut_way a0
	echo "-- none"
	show_drops "none" ways 1 4 b7 0 "${kinds[@]}"
	mend_way c0
	echo "-- c0 alone"
	show_drops "c0 alone" ways 1 4 b7 1 "${kinds[@]}"
	mend_way a0
	ip link set c0 nomaster
	echo "-- a0 alone, c0 released"
	ways 1 4 b7 1 "${kinds[@]}"
	ip link set a0 nomaster
	ip link set b0 nomaster
	show_drops "no slave" ways 1 4 b7 0 "${kinds[@]}"
}

# -- balance-xor ----------------------------------------------------------------------

transcript_xor_drops() {
	make_ways a0 b0
	make_way_bond balance-xor a0 b0
	cut_way a0
	show_drops "b0 alone" ways 1 4 b7 1 "${kinds[@]}"
	cut_way b0
	show_drops "none" ways 1 4 b7 0 "${kinds[@]}"
	mend_way a0
	show_drops "a0 alone" ways 1 4 b7 1 "${kinds[@]}"
	ip link set a0 nomaster
	ip link set b0 nomaster
	show_drops "no slave" ways 1 4 b7 0 "${kinds[@]}"
}

# -- balance-rr -----------------------------------------------------------------------

transcript_round_robin() {
	local number
	make_ways a0 b0 c0
	make_way_bond balance-rr a0 b0 c0
	for number in 1 2 5 7 100; do
		set_option b7 packets_per_slave $number
		echo "-- $number packets for each slave"
		ways 1 12 b7 1 "${kinds[@]}"
	done
	set_option b7 packets_per_slave 1
	cut_way b0
	echo "-- without b0"
	ways 1 12 b7 1 "${kinds[@]}"
	cut_way a0
	cut_way c0
	show_drops "none" ways 1 4 b7 0 "${kinds[@]}"
	mend_way c0
	echo "-- c0 alone"
	ways 1 4 b7 1 "${kinds[@]}"
}

# With 0, chance decides; IGMP stays on one slave.
test_round_robin_by_chance() {
	local slave found
	make_ways a0 b0 c0
	make_way_bond balance-rr a0 b0 c0
	set_option b7 packets_per_slave 0
	found=$(ways 1 100 b7 1 udp6)
	for slave in a0 b0 c0; do
		(($(grep -o "\<$slave\>" <<<"$found" | wc -l) > 10)) || fail "chance avoids $slave: $found"
	done
	[[ $found != *-* ]] || fail "not all frames arrived: $found"
	is "$(ways 1 10 b7 1 igmp)" "igmp: a0 a0 a0 a0 a0 a0 a0 a0 a0 a0"
}

# -- queues -------------------------------------------------------------------------

# In the modes that use all slaves by a rule of their own, queue_id has no effect.
transcript_queue_id() {
	local mode copies
	modprobe sch_multiq
	make_ways a0 b0 c0
	for mode in balance-rr active-backup balance-xor broadcast; do
		make_way_bond $mode a0 b0 c0
		as_in_tree
		set_option b7 queue_id b0:2
		set_option b7 queue_id c0:3
		tc qdisc add dev b7 handle 1: root multiq
		tc filter add dev b7 parent 1: protocol all prio 1 matchall \
			action skbedit queue_mapping 2
		copies=1
		[[ $mode != broadcast ]] || copies=3
		echo "-- $mode"
		ways 1 8 b7 $copies "${kinds[@]}"
		cut_way b0
		echo "-- $mode, without b0"
		[[ $mode != broadcast ]] || copies=2
		ways 1 8 b7 $copies "${kinds[@]}"
		mend_way b0
		ip link delete b7
	done
}

# -- what is shown ---------------------------------------------------------------------

transcript_proc() {
	local policy
	make_ways a0 b0
	make_way_bond balance-xor a0 b0
	for policy in layer2 layer2+3 layer3+4 encap2+3 encap3+4 vlan+srcmac; do
		set_option b7 xmit_hash_policy $policy
		show_proc "balance-xor, $policy" | sed -n '/^--/p; /^Bonding Mode/,/^MII Status/p'
	done
	cut_way a0
	show_proc "balance-xor, without a0"
	ip link delete b7
	mend_link a0
	make_way_bond broadcast a0 b0
	show_proc "broadcast"
	ip link set b7 type bond arp_interval 60000 arp_ip_target 192.0.2.2
	show_proc "broadcast, ARP monitor"
}

# The speed of the bond is the sum of the slaves that send, or that of the slowest in broadcast.
transcript_speed() {
	local mode
	make_links virtio a0 b0
	ethtool -s a0 speed 10000 duplex full
	ethtool -s b0 speed 1000 duplex full
	for mode in balance-rr balance-xor broadcast; do
		ip link add b7 type bond mode $mode miimon 100
		ip link set b7 up
		show_speed "$mode, no slave"
		enslave b7 a0 b0
		way_is_up a0
		way_is_up b0
		show_speed "$mode"
		set_link cable0 off
		wait_for 10 "a0 to be down" mii_status a0 down
		show_speed "$mode, without a0"
		set_link cable0 on
		way_is_up a0
		ip link delete b7
	done
}

show_speed() {
	echo "-- $1"
	ethtool b7 2>&1 | grep -E 'Speed|Duplex|Link detected'
}

# -- from one mode to another ----------------------------------------------------------------

# Without slaves, a bond takes any mode, and then works in that mode.
transcript_mode_changes() {
	local mode copies
	make_ways a0 b0
	ip link add b7 type bond miimon 100
	for mode in balance-xor active-backup broadcast balance-xor balance-rr broadcast \
		active-backup balance-xor; do
		set_option b7 mode $mode
		ip link set b7 up
		ip link set b7 mtu 1500
		enslave b7 a0 b0
		ip link set b7 mtu 9000
		way_is_up a0
		way_is_up b0
		copies=1
		[[ $mode != broadcast ]] || copies=2
		echo "-- $mode"
		ways 1 6 b7 $copies "${kinds[@]}"
		set_option b7 mode 1 2>/dev/null || :
		echo "with slaves it stays: $(option b7 mode)"
		ip link set a0 nomaster
		ip link set b0 nomaster
		ip link set b7 down
	done
}

transcripts_are_tests

if kernel_is kcsan; then
	test_round_robin() {
		skip "where nothing counts instructions, frames of others take their turn at any moment"
	}
fi

# -- failover ------------------------------------------------------------------------

# busy_slave: the slave that sends the stream.
busy_slave() {
	local name before after
	for name in a0 b0; do
		before=$(<$SYSFS/$name/statistics/tx_packets)
		stream_more 50 >/dev/null
		after=$(<$SYSFS/$name/statistics/tx_packets)
		if ((after - before >= 40)); then
			echo $name
			return
		fi
	done
	fail "no slave sends the stream"
}

failover_of_xor() {
	local busy late_ms
	# netdevsim reports the cut before it drops a packet.
	make_links netdevsim a0 b0
	make_bond b7 mode balance-xor xmit_hash_policy layer3+4 "$@"
	enslave b7 a0 b0
	wait_for 10 "a0 to be up" mii_status a0 up
	wait_for 10 "b0 to be up" mii_status b0 up
	wait_for 10 "the peer to answer" ping_peer
	stream_start
	busy=$(busy_slave)
	cut_link "$busy"
	wait_for 10 "$busy to be down" mii_status "$busy" down
	stream_more 200
	is "$(($(failures a0) + $(failures b0)))" 1 "number of failures"
	mend_link "$busy"
	wait_for 10 "$busy to be up" mii_status "$busy" up
	stream_more 200
	stream_stop
	# The in-tree driver loses what is sent before it acts.
	late_ms=$(switch_lag "$busy")
	# With two CPUs, the cut drops what is queued at the far end.
	! kernel_is kcsan || late_ms=$((late_ms + cut_ms))
	! ours || ((lost <= 1 + late_ms)) || fail "$lost packets lost, the switch was late by $late_ms ms"
	((lost < sent / 2)) || fail "$lost of $sent packets lost"
	is "$duplicated" 0 "number of duplicated packets"
}

test_xor_failover_with_miimon() {
	failover_of_xor miimon 100
}

test_xor_failover_without_a_monitor() {
	ours_only "does not watch links when no monitor is configured"
	failover_of_xor
}

test_xor_failover_with_downdelay() {
	failover_of_xor miimon 100 downdelay 500
}

# A loss that no event reports is noticed when a packet is sent.
test_xor_without_link_events() {
	ours_only "has no link_events"
	make_ways a0 b0
	make_way_bond balance-xor a0 b0
	set_option b7 link_events off
	set_option b7 miimon 1000000
	cut_link a0
	wait_for 10 "a0 to lose its carrier" no_carrier a0
	mii_status a0 up
	ways 1 20 b7 1 tcp4 >"$WORK/ways"
	! grep -q 'a0\|-' "$WORK/ways" || fail "frames were lost: $(<"$WORK/ways")"
}

unheard() {
	[[ $(<$SYSFS/a0/asked/unheard) == 1 ]]
}

# sent_by NAME: the number of packets it has sent so far.
sent_by() {
	cat "$SYSFS/$1/statistics/tx_packets"
}

# A carrier is lost while RTNL is held, so that nobody can be told: the transmit path notices.
carrier_lost_unheard() {
	local mode=$1 before_a before_b sent_a sent_b
	ours_only "sends into the dead link until it is told"
	[[ ! -d /sys/module/asked ]] || rmmod asked
	modprobe asked
	sysctl -qw net.ipv6.conf.default.disable_ipv6=1
	ip link add a0 type asked_ethtool
	ip link add b0 type asked_ethtool
	make_way_bond "$mode" a0 b0
	# Run it once before, since the clock runs on while a program is fetched from outside the
	# guest.
	flows send 1 20 b7 /proc/self/ns/net 0 tcp4 >/dev/null
	before_a=$(sent_by a0)
	before_b=$(sent_by b0)
	put 5000 $SYSFS/a0/asked/unheard &
	wait_for 10 "a0 to lose its carrier unheard" unheard
	flows send 1 20 b7 /proc/self/ns/net 0 tcp4 >/dev/null
	sent_a=$(($(sent_by a0) - before_a))
	sent_b=$(($(sent_by b0) - before_b))
	mii_status a0 up
	unheard || fail "others have heard of it meanwhile"
	is "$sent_a $sent_b" "0 20" "packets of a0 and b0"
	wait_for 10 "a0 to be down" mii_status a0 down
}

test_xor_sees_a_carrier_lost_unheard() {
	carrier_lost_unheard balance-xor
}

test_round_robin_sees_a_carrier_lost_unheard() {
	carrier_lost_unheard balance-rr
}

test_broadcast_sees_a_carrier_lost_unheard() {
	carrier_lost_unheard broadcast
}

# -- who listens ---------------------------------------------------------------------------

satisfied() {
	cat /sys/module/asked/parameters/satisfied
}

more_satisfied_than() {
	(($(satisfied) > $1))
}

# A driver that offloads bonds asks for the bond's speed when it hears of a slave's event. The bond
# then asks its slaves, under their instance locks, and the lock of the slave with the event may
# already be held.
curious_listener() {
	local mode=$1 before
	modprobe asked
	put 1 /sys/module/asked/parameters/curious
	make_links netdevsim a0 b0
	make_bond b7 mode "$mode" miimon 100
	[[ $mode != active-backup ]] || set_option b7 primary a0
	enslave b7 a0 b0
	wait_for 10 "b0 to be up" mii_status b0 up
	for _ in 1 2; do
		before=$(satisfied)
		cut_link a0
		wait_for 20 "a0 to be down" mii_status a0 down
		wait_for 20 "the listener to have its answer" more_satisfied_than "$before"
		before=$(satisfied)
		mend_link a0
		wait_for 20 "a0 to be up again" mii_status a0 up
		wait_for 20 "the listener to have its answer" more_satisfied_than "$before"
	done
	rmmod asked
}

test_a_listener_asks_active_backup() {
	curious_listener active-backup
}

test_a_listener_asks_round_robin() {
	curious_listener balance-rr
}

test_a_listener_asks_xor() {
	curious_listener balance-xor
}

# -- the ARP monitor -------------------------------------------------------------------

# Each slave sends its own probes.
probes() {
	make_links veth a0 b0
	make_bond b7 mode "$1" arp_interval 50 arp_ip_target $PEER4
	enslave b7 a0 b0
	wait_for 20 "a0 to be up" mii_status a0 up
	wait_for 20 "b0 to be up" mii_status b0 up
	wait_for 20 "the peer to answer" ping_peer
	# The slave keeps its carrier, but the network behind it is gone.
	ip -n peer link add dark type bridge
	ip -n peer link set a0p master dark
	wait_for 20 "a0 to be down" mii_status a0 down
	has_carrier a0
	mii_status b0 up
	has_carrier b7
	wait_for 20 "the peer to answer through b0" ping_peer
	ip -n peer link set a0p master br0
	wait_for 20 "a0 to be up again" mii_status a0 up
	ip -n peer link set a0p master dark
	ip -n peer link set b0p master dark
	wait_for 20 "the bond to lose its carrier" no_carrier b7
	mii_status a0 down
	mii_status b0 down
}

test_arp_monitor_of_xor() {
	probes balance-xor
}

test_arp_monitor_of_broadcast() {
	probes broadcast
}

# -- after a failover --------------------------------------------------------------------

joined() {
	ip maddress show dev b7 | has -F "$1"
}

# Memberships are reported again when the active slave changes; balance-rr has one for IGMP.
test_igmp_memberships_of_round_robin() {
	build frame
	make_links veth a0 b0
	make_bond b7 mode balance-rr miimon 100 resend_igmp 3
	enslave b7 a0 b0
	wait_for 10 "a0 to be up" mii_status a0 up
	wait_for 10 "b0 to be up" mii_status b0 up
	frame join b7 239.1.1.1 &
	wait_for 10 "the membership" joined 239.1.1.1
	wait_for 10 "the peer to answer" ping_peer
	capture peer b0p igmp
	cut_link a0
	wait_for 10 "three IGMP reports on b0" captured_at_least 3 "igmp and src host $OUR4"
	capture_stop
}

# No other device has the bond's address: nothing is announced, whatever the options say.
test_no_announcements_where_all_slaves_work() {
	local mode
	for mode in balance-rr balance-xor broadcast; do
		make_links veth a0 b0
		make_bond b7 mode $mode miimon 100 num_grat_arp 3
		enslave b7 a0 b0
		wait_for 10 "a0 to be up" mii_status a0 up
		wait_for 10 "b0 to be up" mii_status b0 up
		wait_for 10 "the peer to answer" ping_peer
		capture peer b0p arp
		cut_link a0
		wait_for 10 "a0 to be down" mii_status a0 down
		ping -q -c 8 -i 0.1 $PEER4
		capture_stop
		is "$(captured_count "arp src host $OUR4 and arp dst host $OUR4")" 0 "gratuitous ARPs of $mode"
		ip link delete b7
		ip link delete a0
		ip link delete b0
	done
}

reference_main "$@"
