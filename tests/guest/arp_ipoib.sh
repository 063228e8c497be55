#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 900
#
# The ARP and NS monitor over InfiniBand, with every arp_validate: the monitor notices an adapter
# that silently stops receiving. (The in-tree driver rejects the replies there, since it expects
# Ethernet's hardware type.)

. "${BASH_SOURCE[0]%/*}/ipoib.sh"

# start OPTION...: a bond of a0 and b0 that probes the peer, with a0 active.
start() {
	load max_bonds=0
	make_fabric
	make_bond b7 mode active-backup "$@"
	enslave b7 a0 b0
	wait_for 30 "a0 to be up" mii_status a0 up
	wait_for 30 "b0 to be up" mii_status b0 up
	wait_for 30 "the peer to answer" ping_peer
	wait_for 30 "a0 to be the active slave" make_active a0
}

make_active() {
	set_option b7 active_slave "$1" && active b7 "$1"
}

silent_failure() {
	start "$@"
	pause 1
	is "$(failures a0)" 0 "failure count of a0"
	is "$(failures b0)" 0 "failure count of b0"
	vib_silent vib0 on
	wait_for 20 "b0 to be active" active b7 b0
	wait_for 20 "the peer to answer" ping_peer "${PEER-$PEER4}"
	is "$(failures b0)" 0 "failure count of b0"
	vib_silent vib0 off
	wait_for 30 "a0 to be up again" mii_status a0 up
}

for validate in none active backup all filter filter_active filter_backup; do
	eval "test_validate_$validate() {
		silent_failure arp_interval 100 arp_ip_target $PEER4 arp_validate $validate
	}"
done

test_ns_target() {
	PEER=$PEER6 silent_failure arp_interval 100 ns_ip6_target $PEER6 arp_validate all
}

test_a_cut_cable_counts_at_once() {
	start arp_interval 10000 arp_ip_target $PEER4 arp_validate all
	vib_port vib0 down
	wait_for 5 "b0 to be active" active b7 b0
	vib_port vib0 up
	wait_for 30 "a0 to be up again" mii_status a0 up
}

ktap_main "$@"
