#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# reference: intree
# timeout: 600
#
# ib-bond doctor over Ethernet: each finding is brought about, and is gone after what the finding says has been done.

. "${BASH_SOURCE[0]%/*}/bond.sh"
. "${BASH_SOURCE[0]%/*}/ib_bond_command.sh"

setup() {
	install_ib_bond
	load max_bonds=0
}

eval "bond_$(declare -f teardown)"

teardown() {
	nft flush ruleset 2>/dev/null
	sysctl -qw net.ipv4.conf.all.arp_ignore=0 net.ipv4.conf.all.drop_gratuitous_arp=0 net.ipv4.conf.all.arp_filter=0
	umount "/usr/lib/modules/$(uname -r)/modules.dep" 2>/dev/null
	bond_teardown
	forget_ib_bond
}

both_work() {
	mii_status a0 up && mii_status b0 up
}

make_b7() {
	make_links veth a0 b0
	make_bond b7 mode active-backup miimon 100 "$@"
	enslave b7 a0 b0
	wait_for 5 "both links" both_work
	is_fine
}

# finds STATUS ID...: these are the findings; what they say is in $WORK/said.
finds() {
	local status=$1
	shift
	exits "$status" ib-bond doctor --json
	is "$(jq -r '[.findings[].id] | join(" ")' "$WORK/said")" "$*" "the list of findings"
	exits "$status" ib-bond doctor
}

is_fine() {
	finds 0
	says "b7: nothing found"
}

# -- links ---------------------------------------------------------------------------------

test_nothing_is_found() {
	make_b7
	exits 0 ib-bond doctor b7
	says "b7: nothing found"
}

test_one_slave_only() {
	make_b7
	ip link set b0 nomaster
	finds 1 one-link
	says "b7 has one slave only, a0"
	ip link set a0 nomaster
	finds 2 no-slaves
	says 'ip link set DEVICE master b7'
}

test_a_lost_link() {
	make_b7
	cut_link a0
	wait_for 5 "failover" active b7 b0
	finds 2 no-link one-link
	says "a0 has no link; look at its cable"
	says "b0 is the only link of b7 that works"
	cut_link b0
	wait_for 5 "no link" mii_status b0 down
	finds 2 no-link no-link all-links-down
	mend_link a0
	mend_link b0
	wait_for 5 "both links" both_work
	is_fine
}

test_devices_that_are_set_down() {
	make_b7
	ip link set b7 down
	exits 2 ib-bond doctor
	says "b7 is set down"
	ip link set b7 up
	wait_for 5 "both links" both_work
	is_fine
	ip link set b0 down
	wait_for 5 "b0 to be down" mii_status b0 down
	finds 2 slave-down one-link
	ip link set b0 up
	wait_for 5 "both links" both_work
	is_fine
}

# -- redundancy ------------------------------------------------------------------------------

test_both_slaves_on_one_adapter() {
	local port number=0
	modprobe netdevsim || skip "this kernel has no netdevsim"
	put "77 2" /sys/bus/netdevsim/new_device
	for port in /sys/bus/netdevsim/devices/netdevsim77/net/*; do
		ip link set "${port##*/}" down
		ip link set "${port##*/}" name "n$((number++))"
	done
	make_bond b7 mode active-backup miimon 100
	enslave b7 n0 n1
	wait_for 5 "carrier" has_carrier b7
	exits 1 ib-bond doctor
	says "[same-adapter]"
	says "n0 and n1 are on one adapter (netdevsim77)"
}

test_both_slaves_on_one_port() {
	ip link add d0 type dummy
	ip link set d0 up
	ip link add link d0 name v1 type vlan id 1
	ip link add link d0 name v2 type vlan id 2
	make_bond b7 mode active-backup miimon 100
	enslave b7 v1 v2
	wait_for 5 "carrier" has_carrier b7
	exits 1 ib-bond doctor
	says "[same-port]"
	says "v1 and v2 share one port (d0)"
}

# -- options -----------------------------------------------------------------------------------

test_no_monitor() {
	make_b7
	set_option b7 miimon 0
	if ours; then
		is_fine
		set_option b7 link_events off
	fi
	finds 1 no-monitor
	says "echo 100 > /sys/class/net/b7/bonding/miimon"
	echo 100 >/sys/class/net/b7/bonding/miimon
	is_fine
}

test_no_announcements() {
	make_b7
	set_option b7 num_grat_arp 0
	finds 1 no-announcements
	set_option b7 num_grat_arp 1
	is_fine
}

test_mtus() {
	make_b7
	ip link set b0 mtu 1400
	finds 1 different-mtus
	says "a0 has MTU 1500 and b0 has MTU 1400"
	ip link set b7 mtu 1400
	is_fine
}

test_an_lacp_port_that_is_not_aggregated() {
	make_links veth a0 b0
	make_bond b7 mode 802.3ad
	enslave b7 a0 b0
	wait_for 5 "both links" both_work
	exits 2 ib-bond doctor
	says "[lacp-not-aggregated]"
	if ours; then
		says "carries no traffic: the partner does not answer; enable LACP there."
	else
		says "look whether its port at the switch is in the same LACP group"
	fi
}

# -- addresses and ARP ----------------------------------------------------------------------

test_an_address_on_a_slave() {
	make_b7
	ip address add 198.51.100.7/24 dev b0
	finds 2 address-on-slave
	says "ip address del 198.51.100.7/24 dev b0"
	ip address del 198.51.100.7/24 dev b0
	is_fine
}

test_arp_settings() {
	make_b7
	sysctl -qw net.ipv4.conf.b7.arp_ignore=2
	is_fine
	sysctl -qw net.ipv4.conf.b7.arp_ignore=8
	finds 2 arp-ignore
	sysctl -qw net.ipv4.conf.b7.arp_ignore=0 net.ipv4.conf.all.arp_ignore=8
	finds 2 arp-ignore
	sysctl -qw net.ipv4.conf.all.arp_ignore=0 net.ipv4.conf.all.drop_gratuitous_arp=1
	finds 1 arp-dropped
	sysctl -qw net.ipv4.conf.all.drop_gratuitous_arp=0
	is_fine
}

test_another_device_in_the_network() {
	make_b7
	ip link add d0 type dummy
	ip link set d0 up
	ip address add 192.0.2.77/24 dev d0
	finds 1 arp-flux
	says "d0 speaks for those of b7"
	sysctl -qw net.ipv4.conf.d0.arp_ignore=1 net.ipv4.conf.d0.arp_announce=2
	is_fine
	sysctl -qw net.ipv4.conf.b7.arp_filter=1
	finds 1 arp-filter
}

test_a_vlan_on_the_bond() {
	make_b7
	ip link add link b7 name b7.5 type vlan id 5
	ip link set b7.5 up
	ip address add 198.51.100.7/24 dev b7.5
	is_fine
	echo 8 >/proc/sys/net/ipv4/conf/b7.5/arp_ignore
	finds 2 arp-ignore
	says "net.ipv4.conf.b7/5.arp_ignore"
	sysctl -qw net.ipv4.conf.b7/5.arp_ignore=0
	is_fine
}

# -- the firewall -----------------------------------------------------------------------------

test_a_firewall_that_drops_arp() {
	make_b7
	nft add table arp t || skip "this kernel has no ARP tables"
	nft 'add chain arp t out { type filter hook output priority 0; policy accept; }'
	nft add rule arp t out arp operation request counter
	is_fine
	nft add rule arp t out arp operation request drop
	finds 1 firewall-drops-arp
	says "chain out of table arp t drops packets"
	says 'nft list table arp t'
	nft flush chain arp t out
	is_fine
	nft 'add chain arp t out { policy drop; }'
	finds 1 firewall-drops-arp
	nft 'add table arp t { flags dormant; }'
	is_fine
}

test_a_firewall_of_a_device() {
	make_b7
	nft add table netdev t || skip "this kernel has no tables for devices"
	nft 'add chain netdev t out { type filter hook egress device "b0" priority 0; }'
	is_fine
	nft add chain netdev t more
	nft add rule netdev t more ether type arp drop
	finds 1 firewall-drops-arp
	says "chain out of table netdev t drops packets"
	nft delete table netdev t
	nft add table netdev t
	nft 'add chain netdev t in { type filter hook ingress device "a0p" priority 0; policy drop; }' 2>/dev/null ||
		ip link add d0 type dummy
	exists d0 && nft 'add chain netdev t in { type filter hook ingress device "d0" priority 0; policy drop; }'
	is_fine
}

test_a_firewall_of_other_families_is_none_of_its_business() {
	make_b7
	nft add table ip t
	nft 'add chain ip t in { type filter hook input priority 0; policy drop; }'
	is_fine
}

test_old_arptables() {
	make_b7
	arptables-legacy -P OUTPUT ACCEPT || skip "this kernel has no arptables"
	finds 1 arptables-legacy
	says "arptables-legacy -L"
	rmmod arptable_filter
	rmmod arp_tables || :
	is_fine
}

# -- the driver --------------------------------------------------------------------------------

test_the_other_driver_is_installed() {
	local list
	make_b7
	list=/usr/lib/modules/$(uname -r)/modules.dep
	grep -v '/bonding\.ko' "$list" >"$WORK/modules.dep"
	if ours; then
		echo "kernel/drivers/net/bonding/bonding.ko.xz:" >>"$WORK/modules.dep"
		mount --bind "$WORK/modules.dep" "$list"
		finds 1 driver-not-installed
		says "modprobe would load the kernel's own bonding driver, so that one runs after the next boot"
		says "for the kernel $(uname -r)"
	else
		echo "updates/dkms/bonding.ko.xz:" >>"$WORK/modules.dep"
		mount --bind "$WORK/modules.dep" "$list"
		finds 1 driver-in-tree
		says 'ib-bond switch rust'
	fi
	umount "$list"
	is_fine
}

# -- the command ---------------------------------------------------------------------------------

test_only_the_bonds_that_are_named() {
	make_b7
	ip link add b8 type bond
	exits 2 ib-bond doctor
	says "b8:"
	exits 0 ib-bond doctor b7
	says "b7: nothing found"
	exits 2 ib-bond doctor b7 b8
	exits 3 ib-bond doctor b7 b9
	says "there is no bond b9"
	exits 3 ib-bond doctor a0
	says "a0 is no bond"
	exits 64 ib-bond doctor 'b/7'
}

test_no_bond() {
	exits 3 ib-bond doctor
	says "there is no bond"
	unload
	exits 3 ib-bond doctor
	says "there is no bond"
	lacks '^bonding ' /proc/modules
}

test_it_changes_nothing_and_loads_nothing() {
	make_b7
	everything >"$WORK/before"
	cut -d ' ' -f 1 /proc/modules | sort >"$WORK/modules"
	ib-bond doctor
	everything >"$WORK/after"
	diff "$WORK/before" "$WORK/after"
	cut -d ' ' -f 1 /proc/modules | sort | diff "$WORK/modules" -
}

test_without_rights() {
	make_b7
	nft add table ip t
	exits 0 setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all ib-bond doctor
	says "b7: nothing found"
	says "Note: the firewall was not looked at"
}

ktap_main "$@"
