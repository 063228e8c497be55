#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 900
# kernels: distro debug
#
# Slaves that are set down, or closed because they go away. Their devices have an instance lock,
# which from 7.3 on is held while everybody is told that a device goes away: nobody may wait for the
# lock then, and yet everything that belongs to the traffic moves on at once.

. "${BASH_SOURCE[0]%/*}/bond.sh"

GROUP=01:00:5e:01:02:03

setup() {
	loaded || modprobe bonding max_bonds=0
	[[ ! -d /sys/module/asked ]] || rmmod asked
}

# start OPTION...: bond b7 of a0 and b0, with a0 active, VLAN 7 on top, promiscuous, member of a
# group.
start() {
	make_links netdevsim a0 b0
	make_bond b7 mode active-backup miimon 100 "$@"
	enslave b7 a0 b0
	wait_for 10 "a0 to be active" active b7 a0
	wait_for 10 "b0 to be up" mii_status b0 up
	ip link add link b7 name v7 type vlan id 7
	ip link set v7 up
	ip link set b7 promisc on allmulticast on
	ip maddress add $GROUP dev b7
	wait_for 10 "the peer to answer" ping_peer
	wait_for 10 "a0 to have all" carries a0 b0
}

# in_group NAME
in_group() {
	grep -E "[[:space:]]$1[[:space:]].*[[:space:]]${GROUP//:/}" /proc/net/dev_mcast >/dev/null
}

# The device is promiscuous because of the bond. Uses builtins only: the clock runs on while a
# program is fetched.
is_promisc() {
	local flags
	read -r flags <"$SYSFS/$1/flags"
	((flags & 0x100))
}

# carries NEW OLD: NEW receives what the bond receives, and OLD no longer does.
carries() {
	active b7 "$1" && is_promisc "$1" && ! is_promisc "$2" && in_group "$1" && ! in_group "$2" &&
		[[ $(link_json "$1" '[.promiscuity, .allmulti]') == "[1,1]" ]] &&
		[[ $(link_json "$2" '[.promiscuity, .allmulti]') == "[0,0]" ]]
}

now_ms() {
	local up
	read -r up _ </proc/uptime
	echo $((10#${up/./} * 10))
}

# set_down OLD NEW: NEW has the traffic when `ip` returns, and the rest within 100 ms.
set_down() {
	local begin
	ip link set "$1" down
	begin=$(now_ms)
	active b7 "$2" || fail "$2 is not active yet"
	until is_promisc "$2"; do
		(($(now_ms) - begin < 100)) || fail "$2 is not promiscuous 100 ms later"
		pause 0.001
	done
	wait_for 5 "$2 to have all" carries "$2" "$1"
	ping_peer
}

back_and_forth() {
	set_down a0 b0
	"$@" b0 a0
	ip link set a0 up
	wait_for 10 "a0 to be up" mii_status a0 up
	set_down b0 a0
	"$@" a0 b0
	ip link set b0 up
	wait_for 10 "b0 to be up" mii_status b0 up
}

all_alike() {
	is "$(hwaddr a0) $(hwaddr b0)" "$(hwaddr b7) $(hwaddr b7)" "addresses"
}

bond_follows() {
	is "$(hwaddr b7)" "$(hwaddr "$1")" "address of b7 on $1"
	is "$(hwaddr v7)" "$(hwaddr "$1")" "address of v7 on $1"
	is "$(hwaddr a0) $(hwaddr b0)" "$(link_address a0) $(link_address b0)" "addresses"
}

active_has_it() {
	is "$(hwaddr "$1")" "$(hwaddr b7)" "address of $1"
	is "$(hwaddr b7)" "$(link_address a0)" "address of b7"
	is "$(hwaddr "$2")" "$(link_address b0)" "address of $2"
}

test_set_down_with_one_address() {
	start
	back_and_forth all_alike
}

test_set_down_when_the_bond_follows() {
	start fail_over_mac active
	back_and_forth bond_follows
}

test_set_down_when_the_slaves_follow() {
	start fail_over_mac follow
	back_and_forth active_has_it
}

test_no_slave_is_left() {
	start
	set_down a0 b0
	ip link set b0 down
	wait_for 5 "no slave to be active" active b7 ""
	wait_for 5 "b0 to be as it was" lacks_all b0
	no_carrier b7
	ip link set a0 up
	wait_for 10 "a0 to have all" carries a0 b0
}

lacks_all() {
	! is_promisc "$1" && ! in_group "$1" && [[ $(link_json "$1" '[.promiscuity, .allmulti]') == "[0,0]" ]]
}

# delete_netdevsim NAME: deletes its whole bus device.
delete_netdevsim() {
	local path
	path=$(readlink -f "$SYSFS/$1/device")
	put "${path##*netdevsim}" /sys/bus/netdevsim/del_device
}

test_a_slave_goes_away_while_it_is_down() {
	start
	set_down a0 b0
	delete_netdevsim a0
	gone a0
	is "$(option b7 slaves)" b0
	is "$(link_json b0 '[.promiscuity, .allmulti]')" "[1,1]"
	ping_peer
}

test_the_active_slave_goes_away() {
	start fail_over_mac follow
	delete_netdevsim a0
	gone a0
	active b7 b0
	is "$(hwaddr b0)" "$(hwaddr b7)" "address of b0"
	wait_for 5 "b0 to be promiscuous" is_promisc b0
	in_group b0 || fail "b0 does not receive the group"
	ping_peer
}

# A card with eight ports, whose driver removes all of them.
all_ports() {
	local ports port
	modprobe netdevsim
	put "77 8" /sys/bus/netdevsim/new_device
	ports=(/sys/bus/netdevsim/devices/netdevsim77/net/*)
	ports=("${ports[@]##*/}")
	ip link add b7 type bond mode active-backup miimon 100 fail_over_mac "$1"
	ip link set b7 up promisc on
	ip maddress add $GROUP dev b7
	enslave b7 "${ports[@]}"
	wait_for 10 "a port to be active" has_active b7
	put 77 /sys/bus/netdevsim/del_device
	for port in "${ports[@]}"; do
		gone "$port"
	done
	is "$(option b7 slaves)" ""
	is "$(option b7 active_slave)" ""
	no_carrier b7
}

has_active() {
	[[ -n $(option "$1" active_slave) ]]
}

test_all_ports_of_a_card_go_away_with_one_address() {
	all_ports none
}

test_all_ports_of_a_card_go_away_when_the_bond_follows() {
	all_ports active
}

test_all_ports_of_a_card_go_away_when_the_slaves_follow() {
	all_ports follow
}

# Both cards are closed at once, under both locks: the VLAN that takes over is still open, and
# passes its settings on to one of them.
test_a_vlan_of_what_is_closed_takes_over() {
	modprobe asked locked=1
	ip link add a0 type asked_none
	ip link add b0 type asked_none
	ip link set b0 up
	ip link add link b0 name v5 type vlan id 5
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 v5
	wait_for 10 "a0 to be active" active b7 a0
	wait_for 10 "v5 to be up" mii_status v5 up
	ip link set b7 promisc on allmulticast on
	rmmod asked
	gone a0
	gone b0
	gone v5
	is "$(option b7 slaves)" ""
	is "$(option b7 active_slave)" ""
}

# A VLAN of the very slave that is set down.
test_a_vlan_of_the_slave_takes_over() {
	modprobe asked locked=1
	ip link add a0 type asked_none
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0
	ip link add link a0 name v5 type vlan id 5
	enslave b7 v5
	wait_for 10 "a0 to be active" active b7 a0
	wait_for 10 "v5 to be up" mii_status v5 up
	ip link set b7 promisc on allmulticast on
	ip link set a0 down
	wait_for 10 "v5 to be down, too" mii_status v5 down
	ip link set a0 up
	wait_for 10 "a0 to be up" mii_status a0 up
	ip link set v5 up
	wait_for 10 "v5 to be up" mii_status v5 up
	wait_for 10 "a slave to be promiscuous" has_active b7
}

# b8 is a bond of the bond b7 and c0.
test_a_slave_of_a_slave() {
	make_links netdevsim a0 b0 c0
	ip link add b7 type bond mode active-backup miimon 100
	ip link add b8 type bond mode active-backup miimon 100 primary b7
	enslave b7 a0 b0
	enslave b8 b7 c0
	ip link set b8 up promisc on
	wait_for 10 "a0 to be active" active b7 a0
	wait_for 10 "b7 to be active" active b8 b7
	wait_for 10 "a0 to be promiscuous" is_promisc a0
	ip link set a0 down
	active b7 b0
	wait_for 5 "b0 to be promiscuous" is_promisc b0
	ip link set b0 down
	wait_for 10 "c0 to be active" active b8 c0
	wait_for 5 "c0 to be promiscuous" is_promisc c0
	lacks_all a0
	lacks_all b0
	ip link set a0 up
	wait_for 10 "b7 to be active again" active b8 b7
	wait_for 5 "a0 to be promiscuous" is_promisc a0
	lacks_all c0
}

# Such a device has carrier without a peer.
make_peerless() {
	local name
	for name; do
		ip link set "$name" up
		wait_for 5 "$name to have carrier" has_carrier "$name"
	done
}

# dummy has an instance lock from 7.3 on only.
test_dummy() {
	ip link add a0 type dummy
	ip link add b0 type dummy
	ip link add b7 type bond mode active-backup miimon 100 fail_over_mac follow
	ip link set b7 up promisc on
	enslave b7 a0 b0
	wait_for 10 "a0 to be active" active b7 a0
	ip link set a0 down
	active b7 b0
	wait_for 5 "b0 to be promiscuous" is_promisc b0
	lacks_all a0
	is "$(hwaddr b0)" "$(hwaddr b7)" "address of b0"
	ip link delete b0
	wait_for 5 "no slave to be active" active b7 ""
}

ktap_main "$@"
