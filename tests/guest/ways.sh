# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Which way frames leave a bond: veth slaves whose far ends are in namespace peer, unconnected to
# each other, and a program that sends frames and checks where each one arrives
# (tests/tools/flows.c). A test file sources this file after bond.sh.

# make_ways NAME...: links to bond; the far end of NAME is NAMEp. Nobody else sends on them.
make_ways() {
	local name number=0
	sysctl -qw net.ipv6.conf.default.disable_ipv6=1
	if ! ip netns list | has '^peer\b'; then
		ip netns add peer
		in_peer sysctl -qw net.ipv6.conf.default.disable_ipv6=1
	fi
	for name; do
		printf 'link add %s address 02:00:00:00:07:%02x mtu 9000 ' "$name" $((++number))
		printf 'type veth peer name %sp mtu 9000 netns peer\n' "$name"
	done | ip -b -
	for name; do
		printf 'link set %sp up\n' "$name"
	done | ip -n peer -b -
	LINK_KIND=veth
}

# make_way_bond MODE NAME...: bond b7, which sends nothing by itself.
make_way_bond() {
	local mode=$1 name
	shift
	ip link add b7 type bond mode "$mode" miimon 100
	ip link set b7 up
	enslave b7 "$@"
	ip link set b7 mtu 9000
	for name; do
		way_is_up "$name"
	done
}

# as_in_tree: a hash picks among the slaves that can send.
as_in_tree() {
	! ours || set_option b7 resilient_hash off
}

way_is_up() {
	wait_for 10 "$1 to be up" mii_status "$1" up
}

# cut_way NAME, mend_way NAME: cut or mend the link, and wait until the bond has noticed.
cut_way() {
	cut_link "$1"
	wait_for 10 "$1 to be down" mii_status "$1" down
}

mend_way() {
	mend_link "$1"
	way_is_up "$1"
}

# ways SEED COUNT DEVICE COPIES [KIND...]: one line for each kind of frame.
ways() {
	flows send "$1" "$2" "$3" /run/netns/peer "${@:4}"
}
