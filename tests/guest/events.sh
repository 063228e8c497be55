#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 300
#
# The history of a bond, in debugfs and as a trace point: what the bond has decided, and why.

. "${BASH_SOURCE[0]%/*}/bond.sh"

DEBUG=/sys/kernel/debug
TRACING=/sys/kernel/tracing

setup() {
	loaded || modprobe bonding max_bonds=0
	mountpoint -q $DEBUG || mount -t debugfs debugfs $DEBUG
	mountpoint -q $TRACING || mount -t tracefs tracefs $TRACING
	make_links veth a0 b0
}

# events [BOND]: the history without the times.
events() {
	sed 's/^\[ *[0-9]*\.[0-9]*\] //' "$DEBUG/bonding/${1-b7}/events"
}

has_event() {
	events | has -xF "$1"
}

test_a_failover_and_its_reasons() {
	make_bond b7 mode active-backup miimon 100 updelay 200 primary a0
	enslave b7 a0 b0
	wait_for 10 "b0 to be up" mii_status b0 up
	cut_link a0
	wait_for 10 "b0 to be active" active b7 b0
	mend_link a0
	wait_for 10 "a0 to be active" active b7 a0
	ip link set b7 type bond active_slave b0
	ip link set b0 nomaster
	# The links of a new pair may come up once more before the bond uses them.
	is "$(events | sed -n '/^a0 down/,$p')" "a0 down: lost carrier
b0 is active: the one before lost its link
a0 has carrier, updelay 200 ms runs
a0 up after updelay 200 ms
a0 is active: it is the primary slave
b0 is active: by hand
b0 left
a0 is active: the one before left" "the history"
}

test_times_are_those_of_the_kernel_log() {
	local before after line lines=0
	read -r before _ </proc/uptime
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0
	read -r after _ </proc/uptime
	while read -r line; do
		[[ $line =~ ^\[\ *([0-9]+)\.[0-9]{3}\]\  ]] || fail "no time: $line"
		((BASH_REMATCH[1] >= ${before%.*} && BASH_REMATCH[1] <= ${after%.*})) ||
			fail "not between $before and $after: $line"
		before=${BASH_REMATCH[1]}
		((++lines))
	done <$DEBUG/bonding/b7/events
	((lines > 0)) || fail "there are no events"
}

test_missed_probes() {
	make_bond b7 mode active-backup arp_interval 50 arp_missed_max 3 arp_ip_target $PEER4 arp_validate all
	enslave b7 a0 b0
	wait_for 20 "the peer to answer" ping_peer
	in_peer ip address delete $PEER4/24 dev br0
	wait_for 20 "missed probes" has_event "a0 down: 3 of 3 ARP probes missed"
	wait_for 20 "no active slave" has_event "no slave is active: the one before lost its link"
	in_peer ip address add $PEER4/24 dev br0
	wait_for 20 "an answer" eval 'events | has " up: an ARP probe was answered"'
}

test_the_last_64_are_kept() {
	local round
	make_bond b7 mode active-backup miimon 100
	for round in {1..40}; do
		ip link set a0 down
		ip link set a0 master b7
		ip link set a0 nomaster
	done
	is "$(events | wc -l)" 64 "number of decisions"
	is "$(events | tail -n 1)" "no slave is active: the one before left" "the last one"
}

test_files_follow_their_bonds() {
	make_bond b7 mode active-backup
	[[ -e $DEBUG/bonding/b7/events ]]
	[[ -z $(events) ]] || fail "a new bond has decided something"
	ip link set b7 down
	ip link set b7 name b9
	[[ ! -e $DEBUG/bonding/b7 && -e $DEBUG/bonding/b9/events ]]
	ip link set b9 name b7
	ip link delete b7
	[[ ! -e $DEBUG/bonding/b7 ]]
}

test_bonds_of_the_same_name() {
	local number
	make_bond b7 mode active-backup
	mk_namespace other
	ip -n other link add b7 type bond
	number=$(ip netns exec other readlink /proc/self/ns/net)
	number=${number//[!0-9]/}
	[[ -e $DEBUG/bonding/b7/events && -e $DEBUG/bonding/b7@$number/events ]]
	ip -n other link delete b7
	[[ ! -e $DEBUG/bonding/b7@$number && -e $DEBUG/bonding/b7/events ]]
}

test_reading_while_the_bond_goes() {
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0
	exec 9<$DEBUG/bonding/b7/events
	ip link delete b7
	# The file is gone. Reading an open file returns nothing or fails, and has no other effect.
	cat <&9 &>/dev/null || :
	# Closing the file runs code of the module.
	fails_with "in use" rmmod bonding
	exec 9<&-
	unload
	[[ ! -e $DEBUG/bonding ]]
}

test_trace_point() {
	local point=$TRACING/events/bonding/bond_event
	make_bond b7 mode active-backup miimon 100
	echo 1 >$point/enable
	enslave b7 a0 b0
	echo 0 >$point/enable
	grep -qE 'bond_event: b7: a0 joined' $TRACING/trace || fail "$(tail $TRACING/trace)"
	echo >$TRACING/trace
	cut_link a0
	wait_for 10 "b0 to be active" active b7 b0
	! grep -q bond_event: $TRACING/trace || fail "it is traced while nobody wants to know"
}

# Names are sanitised where they are printed, traced or recorded; files, which programs read, have
# them as they are.
test_names_with_control_characters() {
	local bond=$'b\e[7m\x01' slave=$'s\e[31m\x9b' file dir
	dir=$SYSFS/$bond/bonding
	# No name contains white space, hence no newline.
	fails_with 'not a valid ifname' ip link add $'a\nb' type dummy
	echo 1 >$TRACING/events/bonding/bond_event/enable
	echo >$TRACING/trace
	put +"$bond" $SYSFS/bonding_masters
	put active-backup "$dir/mode"
	put 100 "$dir/miimon"
	ip link add "$slave" type dummy
	ip link set "$bond" up
	printf 'p\e[1mq\n' >"$dir/primary"
	put +"$slave" "$dir/slaves"
	has_carrier "$bond"
	is "$(<"$dir/slaves")" "$slave" "slaves in sysfs"
	is "$(<"$dir/active_slave")" "$slave" "active_slave in sysfs"
	grep -qxF "Slave Interface: $slave" "/proc/net/bonding/$bond"
	grep -qxF "Currently Active Slave: $slave" "/proc/net/bonding/$bond"
	ip link set a0 down
	fails_with "Invalid argument" put "$slave" "$dir/primary_reselect"
	printf 'x\e[1my\nb7: forged\n' >"$dir/miimon" 2>/dev/null || :
	fails_with "No such device" put +$'n\e[1m' "$dir/slaves"
	fails_with "Operation not permitted" put $'s\e[1m:70000' "$dir/queue_id"
	cp "$DEBUG/bonding/$bond/events" "$WORK/events"
	put -"$slave" "$dir/slaves"
	put -"$bond" $SYSFS/bonding_masters
	ip link del "$slave"
	echo 0 >$TRACING/events/bonding/bond_event/enable
	cp $TRACING/trace "$WORK/trace"
	# Read the log raw: other ways of reading it escape control characters themselves.
	dmesg --syslog --notime | awk -v mark="$KTAP_MARK" 'found; $0 == mark { found = 1 }' |
		grep -E '(^|: )b.{0,6}[: (]|bonding:' >"$WORK/log"
	cat -v "$WORK"/{log,trace,events}
	for file in log trace events; do
		LC_ALL=C lacks '[^ -~	]' "$WORK/$file"
	done
	grep -qF 'b?[7m?: (slave s?[31m?): ' "$WORK/log"
	grep -qF 'b?[7m? is being created' "$WORK/log"
	grep -qF 'bond_event: b?[7m?: s?[31m? joined' "$WORK/trace"
	grep -qF 's?[31m? is active' "$WORK/events"
	grep -qF 'interface n?[1m does not exist' "$WORK/log"
	lacks "^b7: forged" "$WORK/log"
}

ktap_main "$@"
