#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# reference: intree
#
# What a mode is: the columns of its row in src/policy/mode.rs that can be seen from outside, of all
# seven modes. The transcripts are those of the in-tree driver, made by
#
#   scripts/guest --icount --module intree -- bash /project/tests/guest/mode_rows.sh --record \
#       >tests/guest/reference/mode_rows.txt

. "${BASH_SOURCE[0]%/*}/bond.sh"
. "${BASH_SOURCE[0]%/*}/reference/compare.sh"

setup() {
	loaded || modprobe bonding max_bonds=0
}

teardown() {
	ip -br link show type bond | while read -r name _; do ip link delete "$name"; done
	ip -br link show type veth | while read -r name _; do ip link delete "${name%@*}" 2>/dev/null; done
	return 0
}

# pair NAME...: veth pairs NAME and NAMEp, both up.
pair() {
	local name
	for name; do
		ip link add "$name" type veth peer name "${name}p"
		ip link set "${name}p" up
	done
}

# says COMMAND...: "accepted", or "refused".
says() {
	if "$@" 2>/dev/null; then echo accepted; else echo refused; fi
}

promiscuity() {
	ip -d -j link show dev "$1" | jq '.[0].promiscuity'
}

hears_group() {
	if ip maddress show dev "$1" | has -F 01:00:5e:7f:00:01; then echo yes; else echo no; fi
}

link_address() {
	cat "$SYSFS/$1/address"
}

row() {
	local mode=$1 slave
	pair a0 b0
	make_bond b7 mode "$mode" miimon 100 fail_over_mac 1
	ip link set b7 address 02:00:00:00:00:07
	ip link set a0 address 02:00:00:00:00:0a
	ip link set b0 address 02:00:00:00:00:0b
	enslave b7 a0 b0
	ip link set b7 up
	wait_for 20 "a0 to be up" mii_status a0 up
	wait_for 20 "b0 to be up" mii_status b0 up
	wait_for 20 "the bond to have carrier" has_carrier b7
	grep "Bonding Mode" /proc/net/bonding/b7
	echo "active slave: $(option b7 active_slave)"
	for slave in a0 b0; do
		echo "$slave: $(<"$SYSFS/$slave/bonding_slave/state")"
	done
	ip link set b7 promisc on
	ip maddress add 01:00:5e:7f:00:01 dev b7
	for slave in a0 b0; do
		echo "$slave: promiscuity $(promiscuity $slave), group $(hears_group $slave)"
	done
	ip maddress del 01:00:5e:7f:00:01 dev b7
	ip link set b7 promisc off
	if [[ $(link_address a0) == "$(link_address b0)" ]]; then
		echo "addresses: shared"
	else
		echo "addresses: each its own"
	fi
	echo "speed: $(<$SYSFS/b7/speed)"
	echo "IPsec: $(ethtool -k b7 | sed -n 's/^esp-hw-offload: //p')"
	set_option b7 min_links 3
	if has_carrier b7; then echo "carrier with min_links 3: yes"; else echo "carrier with min_links 3: no"; fi
	set_option b7 min_links 0
	echo "arp_interval: $(says set_option b7 arp_interval 1000)"
	echo "primary: $(says set_option b7 primary b0)"
}

transcript_round_robin() {
	row balance-rr
}

transcript_active_backup() {
	row active-backup
}

transcript_xor() {
	row balance-xor
}

transcript_broadcast() {
	row broadcast
}

transcript_lacp() {
	row 802.3ad
}

transcript_tlb() {
	row balance-tlb
}

transcript_alb() {
	row balance-alb
}

transcripts_are_tests

reference_main "$@"
