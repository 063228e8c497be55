#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# reference: intree
# timeout: 900
#
# The programs that configure bonds on people's machines, as Debian has them: ifupdown with
# ifenslave, systemd-networkd, and NetworkManager. Each sets up a bond, changes it, sees it fail
# over, and takes it down, over Ethernet and over InfiniBand. (ifcfg.sh is about the network scripts of
# Red Hat and SUSE, which Debian does not have, and dhcp.sh about addresses by DHCP.)

. "${BASH_SOURCE[0]%/*}/configuring.sh"

# -- ifupdown ------------------------------------------------------------------------------

by_ifupdown() {
	interfaces "bond-slaves ${SLAVES[*]}" "bond-miimon 100" "$@"
	ifup b7
	works
	is "$(option b7 miimon)" 100 miimon
	fails_over

	ifdown b7
	is_taken_down
	interfaces "bond-slaves ${SLAVES[*]}" "bond-miimon 50" "bond-updelay 100" "bond-primary b0" \
		"bond-primary-reselect better" "bond-num-grat-arp 3" "$@"
	ifup b7
	works
	is "$(option b7 miimon)" 50 miimon
	is "$(option b7 updelay)" 100 updelay
	is "$(option b7 primary)" b0 primary
	is "$(option b7 primary_reselect)" "better 1" primary_reselect
	is "$(option b7 num_grat_arp)" 3 num_grat_arp
	wait_for 20 "the primary to be active" active b7 b0
	fails_over

	ifdown b7
	is_taken_down
}

test_ifupdown() {
	over_ethernet
	by_ifupdown
}

test_ifupdown_infiniband() {
	over_infiniband
	by_ifupdown "bond-fail-over-mac active"
}

# The slaves have stanzas of their own, which name the bond.
test_ifupdown_with_stanzas_of_slaves() {
	local slave
	over_ethernet
	interfaces "bond-slaves none" "bond-miimon 100"
	for slave in "${SLAVES[@]}"; do
		printf 'iface %s inet manual\n\tbond-master b7\n' "$slave" >>/etc/network/interfaces.d/b7
	done
	ifup b7 "${SLAVES[@]}"
	works
	fails_over
	ifdown a0
	is "$(option b7 slaves)" b0 slaves
	ifup a0
	works
	ifdown b7
	is_taken_down
}

test_ifupdown_with_the_arp_monitor() {
	over_ethernet
	interfaces "bond-slaves ${SLAVES[*]}" "bond-arp-interval 100" "bond-arp-ip-target $PEER4" "bond-arp-validate all"
	ifup b7
	works
	is "$(option b7 arp_interval)" 100 arp_interval
	is "$(option b7 arp_ip_target)" $PEER4 arp_ip_target
	is "$(option b7 arp_validate)" "all 3" arp_validate
	fails_over
	ifdown b7
	is_taken_down
}

# -- systemd-networkd ---------------------------------------------------------------------

by_networkd() {
	make_system
	networkd_files <<-END
		[NetDev]
		Name=b7
		Kind=bond
		[Bond]
		Mode=active-backup
		MIIMonitorSec=100ms
		UpDelaySec=200ms
		GratuitousARP=2
		${1-}
	END
	daemon networkd /usr/lib/systemd/systemd-networkd
	works
	is "$(option b7 miimon)" 100 miimon
	is "$(option b7 updelay)" 200 updelay
	is "$(option b7 num_grat_arp)" 2 num_grat_arp
	fails_over

	echo PrimarySlave=yes >>/run/systemd/network/b0.network
	networkctl reload
	wait_for 30 "b0 to be the primary" has_option primary b0
	wait_for 20 "the primary to be active" active b7 b0
	works
	fails_over

	rm /run/systemd/network/*
	networkctl reload
	networkctl delete b7
	is_taken_down
}

test_networkd() {
	over_ethernet
	by_networkd
}

test_networkd_infiniband() {
	over_infiniband
	by_networkd "FailOverMACPolicy=active"
}

# -- NetworkManager --------------------------------------------------------------------------

# by_networkmanager TYPE OPTIONS [WORD...]: the type of the slaves, further options of the bond, and
# further words for the slaves.
by_networkmanager() {
	local type=$1 options=$2 slave
	shift 2
	make_system
	daemon manager NetworkManager --no-daemon
	wait_for 60 "NetworkManager to answer" nmcli general status
	nmcli connection add type bond con-name b7 ifname b7 bond.options "mode=active-backup,miimon=100$options" \
		ipv4.method manual ipv4.addresses $OUR4/24 ipv6.method disabled
	for slave in "${SLAVES[@]}"; do
		nmcli connection add type "$type" con-name "$slave" ifname "$slave" controller b7 port-type bond "$@"
		nmcli connection up "$slave"
	done
	works
	is "$(option b7 miimon)" 100 miimon
	fails_over

	nmcli connection modify b7 +bond.options primary=b0 +bond.options num_grat_arp=4
	nmcli connection up b7
	wait_for 30 "b0 to be the primary" has_option primary b0
	for slave in "${SLAVES[@]}"; do
		nmcli connection up "$slave"
	done
	works
	is "$(option b7 num_grat_arp)" 4 num_grat_arp
	wait_for 20 "the primary to be active" active b7 b0
	fails_over

	nmcli connection down b7
	is_taken_down
	nmcli connection delete b7 "${SLAVES[@]}"
}

test_networkmanager() {
	over_ethernet
	by_networkmanager ethernet ""
}

test_networkmanager_infiniband() {
	over_infiniband
	by_networkmanager infiniband ",fail_over_mac=active" infiniband.transport-mode datagram
}

# -- a switch with LACP ------------------------------------------------------------------------

# Both slaves lead to a bond of the peer, in the place of a switch.
over_lacp() {
	cable "${SLAVES[@]}"
	bond_of_peer "${SLAVES[@]}"
}

# What README and manual say has made a bond whose slaves both carry traffic.
aggregates() {
	wait_for 60 "both slaves to carry traffic" is_carried "${SLAVES[@]}"
	wait_for 30 "the address of b7" has_ipv4
	is "$(option b7 mode) $(option b7 lacp_rate) $(option b7 xmit_hash_policy)" "802.3ad 4 fast 1 layer3+4 1"
	peer_answers
}

test_ifupdown_with_a_switch() {
	local MODE=802.3ad
	over_lacp
	interfaces "bond-lacp-rate fast" "bond-xmit-hash-policy layer3+4" "bond-slaves ${SLAVES[*]}"
	ifup b7
	aggregates
	ifdown b7
	is_taken_down
}

test_networkd_with_a_switch() {
	over_lacp
	make_system
	networkd_files <<-END
		[NetDev]
		Name=b7
		Kind=bond
		[Bond]
		Mode=802.3ad
		LACPTransmitRate=fast
		TransmitHashPolicy=layer3+4
	END
	daemon networkd /usr/lib/systemd/systemd-networkd
	aggregates
	rm /run/systemd/network/*
	networkctl reload
	networkctl delete b7
	is_taken_down
}

test_networkmanager_with_a_switch() {
	local slave
	over_lacp
	make_system
	daemon manager NetworkManager --no-daemon
	wait_for 60 "NetworkManager to answer" nmcli general status
	nmcli connection add type bond con-name b7 ifname b7 \
		bond.options "mode=802.3ad,lacp_rate=fast,xmit_hash_policy=layer3+4" \
		ipv4.method manual ipv4.addresses $OUR4/24 ipv6.method disabled
	for slave in "${SLAVES[@]}"; do
		nmcli connection add type ethernet con-name "$slave" ifname "$slave" controller b7 port-type bond
		nmcli connection up "$slave"
	done
	aggregates
	nmcli connection down b7
	is_taken_down
	nmcli connection delete b7 "${SLAVES[@]}"
}

# -- a bond that balances ------------------------------------------------------------------------

# balances MODE: the bond is there, and each slave has an address of its own.
balances() {
	wait_for 30 "the address of b7" has_ipv4
	is "$(option b7 mode)" "$1"
	is "$(option b7 miimon)" 50 miimon
	[[ $(hwaddr "${SLAVES[0]}") != "$(hwaddr "${SLAVES[1]}")" ]] || fail "both slaves have the same address"
	peer_answers
}

test_ifupdown_that_balances() {
	local MODE=balance-alb
	over_ethernet
	interfaces "bond-miimon 50" "bond-slaves ${SLAVES[*]}"
	ifup b7
	balances "balance-alb 6"
	fails_over
	ifdown b7
	is_taken_down
}

test_networkd_that_balances() {
	over_ethernet
	make_system
	networkd_files <<-END
		[NetDev]
		Name=b7
		Kind=bond
		[Bond]
		Mode=balance-tlb
		MIIMonitorSec=50ms
	END
	daemon networkd /usr/lib/systemd/systemd-networkd
	balances "balance-tlb 5"
	fails_over
	rm /run/systemd/network/*
	networkctl reload
	networkctl delete b7
	is_taken_down
}

test_networkmanager_that_balances() {
	local slave
	over_ethernet
	make_system
	daemon manager NetworkManager --no-daemon
	wait_for 60 "NetworkManager to answer" nmcli general status
	nmcli connection add type bond con-name b7 ifname b7 bond.options "mode=balance-alb,miimon=50,lp_interval=3" \
		ipv4.method manual ipv4.addresses $OUR4/24 ipv6.method disabled
	for slave in "${SLAVES[@]}"; do
		nmcli connection add type ethernet con-name "$slave" ifname "$slave" controller b7 port-type bond
		nmcli connection up "$slave"
	done
	balances "balance-alb 6"
	is "$(option b7 lp_interval)" 3 lp_interval
	fails_over
	nmcli connection down b7
	is_taken_down
	nmcli connection delete b7 "${SLAVES[@]}"
}

ktap_main "$@"
