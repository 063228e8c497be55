#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 600
# reference: intree
#
# IPsec in the hardware of slaves: netdevsim says which states it holds, and how many packets it was
# given to encrypt. (It sends them as they are, so no peer could answer.)

. "${BASH_SOURCE[0]%/*}/bond.sh"

PEER=$PEER4
KEY="rfc4106(gcm(aes)) 0x3132333435363738393031323334353664636261 128"

setup() {
	loaded || modprobe bonding max_bonds=0
	mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug
	declare -gA ID=()
}

# nsim NAME...: makes netdevsim devices, whose files `holds` reads.
nsim() {
	local name
	for name; do
		ID[$name]=$netdevsim_id
		make_netdevsim "$name"
	done
}

file() {
	echo "/sys/kernel/debug/netdevsim/netdevsim${ID[$1]}/ports/0/ipsec"
}

# holds NAME N: NAME holds N states.
holds() {
	grep -q "SA count=$2 " "$(file "$1")"
}

encrypted() {
	sed -n 's/.*tx=//p' "$(file "$1")"
}

# state SPI out|in [IP-OPTION...]: adds a state whose device is b7.
state() {
	local from=$OUR4 to=$PEER spi=$1 dir=$2
	[[ $dir == out ]] || from=$PEER to=$OUR4
	# shellcheck disable=SC2086
	ip xfrm state add proto esp src $from dst $to spi "$spi" mode transport reqid 42 \
		aead $KEY sel src $from/24 dst $to/24 offload dev b7 dir "$dir"
}

policy() {
	ip xfrm policy add dir out src $OUR4/24 dst $PEER/24 \
		tmpl proto esp src $OUR4 dst $PEER spi 9 mode transport reqid 42
}

# start MODE: a bond of two slaves with IPsec in hardware.
start() {
	nsim a0 b0
	make_bond b7 mode "$1" miimon 100
	enslave b7 a0 b0
	wait_for 10 "b0 to be up" mii_status b0 up
	wait_for 10 "the bond to have carrier" has_carrier b7
	ip neighbour add $PEER dev b7 lladdr 02:00:00:00:00:99
}

# a0, which is active, holds a state; v0 cannot hold it.
start_with_a_slave_without_ipsec() {
	start active-backup
	make_links veth v0
	enslave b7 v0
	wait_for 5 "v0 to be up" mii_status v0 up
	set_option b7 active_slave a0
	policy
	state 9 out
}

# send N: sends packets to the peer.
send() {
	ping -q -c "$1" -i 0.01 -W 1 $PEER >/dev/null || :
}

teardown_states() {
	ip xfrm state flush
	ip xfrm policy flush
}

eval "$(declare -f teardown | sed '1s/teardown/teardown_bond/')"
teardown() {
	teardown_states
	teardown_bond
}

offered() {
	ethtool -k "$1" | sed -n 's/^esp-hw-offload: //p' | cut -d ' ' -f 1
}

test_the_active_slave_holds_states_and_encrypts() {
	start active-backup
	set_option b7 active_slave a0
	policy
	state 9 out
	state 10 in
	holds a0 2
	holds b0 0
	is "$(ip xfrm state list | grep -c 'crypto offload parameters: dev b7')" 2 "states in hardware"
	send 3
	is "$(encrypted a0)" 3 "packets that a0 encrypts"
}

test_states_follow_a_failover() {
	start active-backup
	set_option b7 active_slave a0
	policy
	state 9 out
	state 10 in
	set_option b7 active_slave b0
	holds a0 0
	holds b0 2
	send 3
	is "$(encrypted b0)" 3 "packets that b0 encrypts"
	ip link set b0 down
	wait_for 5 "a0 to be active" active b7 a0
	holds a0 2
	holds b0 0
}

test_states_are_deleted_after_a_failover() {
	start active-backup
	set_option b7 active_slave a0
	state 9 out
	state 10 in
	set_option b7 active_slave b0
	ip xfrm state delete proto esp src $OUR4 dst $PEER spi 9
	wait_for 5 "one state" holds b0 1
	teardown_states
	wait_for 5 "no state" holds b0 0
	holds a0 0
}

test_states_without_a_slave_for_a_while() {
	start active-backup
	# Such a device has no carrier any more once it has been closed.
	nsim c0 d0
	state 9 out
	ip link set a0 nomaster
	ip link set b0 nomaster
	holds a0 0
	holds b0 0
	enslave b7 c0
	wait_for 5 "c0 to be active" active b7 c0
	holds c0 1
	ip link set c0 nomaster
	# A state that no slave holds can be deleted as well.
	teardown_states
	enslave b7 d0
	wait_for 5 "d0 to be active" active b7 d0
	holds d0 0
}

test_a_slave_that_goes_away_holds_nothing() {
	start active-backup
	set_option b7 active_slave a0
	state 9 out
	put "${ID[a0]}" /sys/bus/netdevsim/del_device
	wait_for 5 "b0 to be active" active b7 b0
	holds b0 1
}

test_a_bond_that_goes_away_deletes_its_states() {
	start active-backup
	state 9 out
	state 10 in
	ip link del b7
	wait_for 5 "no states" eval '[[ -z $(ip xfrm state list) ]]'
	holds a0 0
	holds b0 0
	kmsg_has "unregister_netdevice: waiting" && fail "somebody holds the bond" || :
}

test_a_slave_without_ipsec() {
	make_links veth v0
	make_bond b7 mode active-backup miimon 100
	enslave b7 v0
	# Then IPsec is done in software.
	state 9 out
	is "$(ip xfrm state list | grep -c offload || :)" 0 "states in hardware"
}

test_a_failover_to_a_slave_without_ipsec() {
	start_with_a_slave_without_ipsec
	holds a0 1
	set_option b7 active_slave v0
	holds a0 0
	send 3
	set_option b7 active_slave b0
	holds b0 1
}

test_no_slave_no_state() {
	make_bond b7 mode active-backup miimon 100
	fails_with "Device failed to offload this state" state 9 out
}

test_no_packet_in_clear_through_a_backup() {
	# While the active slave keeps its role without carrier, a backup of ours carries the
	# traffic, but not the packets that were left for the active slave's hardware to encrypt.
	local name
	for name in a0 b0; do
		ID[$name]=$netdevsim_id
		make_links netdevsim $name
	done
	make_bond b7 mode active-backup miimon 100 downdelay 30000
	enslave b7 a0 b0
	wait_for 10 "b0 to be up" mii_status b0 up
	set_option b7 active_slave a0
	ip neighbour add $PEER dev b7 lladdr 02:00:00:00:00:99
	policy
	state 9 out
	send 3
	is "$(encrypted a0)" 3 "packets that a0 encrypts"
	cut_link a0
	wait_for 10 "a0 to be going down" mii_status a0 "going down"
	send 3
	active b7 a0
	is "$(encrypted a0)" 3 "packets that a0 encrypts, without carrier"
	kmsg_has "unused sa_idx" && fail "a packet in clear was given to a slave that holds no state" || :
}

test_no_packet_in_clear_after_a_failover() {
	# The packets are left to the hardware of a0, and sent after the failover to a slave without
	# IPsec.
	ours_only "sends it"
	local before
	start_with_a_slave_without_ipsec
	send 3
	is "$(encrypted a0)" 3 "packets that a0 encrypts"
	tc qdisc add dev b7 root netem delay 10s
	before=$(<$SYSFS/b7/statistics/tx_dropped)
	send 3
	set_option b7 active_slave v0
	wait_for 30 "the queue to be empty" queue_is_empty b7
	is "$(encrypted a0)" 3 "packets that a0 encrypts, when it is active no more"
	is $(($(<$SYSFS/b7/statistics/tx_dropped) - before)) 3 "packets that were dropped"
}

queue_is_empty() {
	tc -s qdisc show dev "$1"
	tc -s qdisc show dev "$1" | has ' backlog 0b 0p '
}

test_other_modes_do_it_in_software() {
	local mode
	nsim a0 b0
	for mode in balance-rr balance-xor broadcast; do
		make_bond b7 mode $mode miimon 100
		enslave b7 a0 b0
		state 9 out
		# The in-tree driver gives the hardware a state that it never uses.
		! ours || { holds a0 0 && holds b0 0; }
		is "$(ip xfrm state list | grep -c offload || :)" 0 "states in hardware, $mode"
		teardown_states
		ip link del b7
	done
}

test_a_bond_holds_no_states_for_a_bond() {
	start active-backup
	ip link set b7 down
	ip link add b8 type bond mode active-backup miimon 100
	ip link set b7 master b8
	ip link set b8 up
	wait_for 5 "b7 to be active" active b8 b7
	# shellcheck disable=SC2086
	ip xfrm state add proto esp src 192.0.2.8 dst $PEER spi 8 mode transport reqid 42 \
		aead $KEY sel src 192.0.2.8/24 dst $PEER/24 offload dev b8 dir out
	holds a0 0
	holds b0 0
}

test_what_the_bond_offers() {
	start active-backup
	is "$(offered b7)" on
	make_links veth v0
	enslave b7 v0
	is "$(offered b7)" on "with a slave without it"
	ethtool -K b7 esp-hw-offload off
	is "$(offered b7)" off "when it is not wanted"
}

test_offered_in_active_backup_only() {
	start balance-rr
	is "$(offered b7)" off
	ip link set a0 nomaster
	ip link set b0 nomaster
	ip link set b7 down
	set_option b7 mode active-backup
	enslave b7 a0
	is "$(offered b7)" on
}

ktap_main "$@"
