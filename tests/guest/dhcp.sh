#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 900
# reference: intree
#
# An address by DHCP for a bond over InfiniBand, from a server on the fabric (dnsmasq), by
# systemd-networkd and by NetworkManager. The lease is kept and renewed while the
# bond fails over, and its hardware address changes with that; and a client that starts again on
# another slave is given the same address. The files are those of Documentation/examples/dhcp-infiniband.

. "${BASH_SOURCE[0]%/*}/ipoib.sh"
. "${BASH_SOURCE[0]%/*}/configurators/system.sh"

EXAMPLES=${BASH_SOURCE[0]%/tests/*}/Documentation/examples/dhcp-infiniband
BOND=bond0

setup() {
	load max_bonds=0
	forget
	make_fabric
	ip link set a0 name ib0
	ip link set b0 name ib1
	serve
}

# No client has a configuration, or remembers a lease.
forget() {
	rm -rf /etc/network/interfaces.d/* /run/network /run/systemd/network /run/systemd/netif \
		/etc/NetworkManager/system-connections/* /var/lib/NetworkManager/*
	mkdir -p /run/network /run/systemd/network /run/systemd/netif
	chown systemd-network: /run/systemd/netif
}

# -- the server ------------------------------------------------------------------------

# The peer has the server, on p0. The leases are as short as dnsmasq makes them: they are renewed
# after half of that, a minute.
serve() {
	sed 's/^interface=.*/interface=p0/; s/,12h$/,2m/' "$EXAMPLES/server/dnsmasq.conf" >"$WORK/dnsmasq.conf"
	daemon server ip netns exec peer dnsmasq --keep-in-foreground --conf-file="$WORK/dnsmasq.conf" --pid-file= \
		--dhcp-leasefile="$WORK/leases" --user=root --log-facility=- --log-dhcp
	wait_for 20 "the server to listen" server_listens
}

server_listens() {
	in_peer ss -Hlun "sport = 67" | has .
}

acknowledged() {
	grep -c 'DHCPACK(p0)' "$WORK/server.log" || :
}

has_acknowledged() {
	pause 0.5
	(($(acknowledged) >= $1))
}

# is_renewed: the server acknowledges once more.
is_renewed() {
	wait_for 90 "the lease to be renewed" has_acknowledged $(($(acknowledged) + 1))
	is_same_lease
}

# There is one lease, by the same client for the same address, and the bond has it.
is_same_lease() {
	local leases
	leases=$(cut -d ' ' -f 3,5 "$WORK/leases")
	is "$leases" "$LEASE" "the server's list of leases"
	has_lease || fail "the bond has the addresses $(addresses)"
}

addresses() {
	ip -4 -j address show dev $BOND | jq -r '.[0].addr_info[].local'
}

has_lease() {
	[[ $(addresses) == "${LEASE% *}" ]]
}

# -- the client --------------------------------------------------------------------------

is_leased() {
	[[ $(addresses) == 192.0.2.1?? ]]
}

both_up() {
	mii_status ib0 up && mii_status ib1 up
}

# comes_up: the bond has both slaves and an address of the server, by which the peer answers.
comes_up() {
	wait_for 60 "$BOND" exists $BOND
	wait_for 60 "both slaves to be up" both_up
	wait_for 60 "an address by DHCP" is_leased
	peer_answers
}

# fails_over: the active slave loses its cable; the address stays, and its lease is renewed.
fails_over() {
	local from to
	from=$(option $BOND active_slave)
	to=ib0
	[[ $from != ib0 ]] || to=ib1
	vib_port "$(adapter_of "$from")" down
	wait_for 20 "$to to be active" active $BOND "$to"
	wait_for 20 "the address of $to" has_address $BOND "$(hwaddr "$to")"
	peer_answers
	is_renewed
	vib_port "$(adapter_of "$from")" up
	wait_for 20 "$from to be up again" mii_status "$from" up
}

# leased CLIENT: what a client has to do. CLIENT_start starts it, CLIENT_restart does so again.
leased() {
	"$1_start"
	comes_up
	LEASE=$(cut -d ' ' -f 3,5 "$WORK/leases")
	[[ $LEASE == *" ff:"* ]] || fail "the client has no identifier of its own: $LEASE"
	# The server cannot send to an address that the client does not have yet (RFC 4390).
	grep -q 'broadcast response' "$WORK/server.log"
	is_renewed
	daemon monitor ip monitor address dev $BOND
	fails_over
	fails_over
	lacks -F Deleted "$WORK/monitor.log"
	kill "${monitor_pid-}"

	# The other slave is active now than at the first start.
	vib_port "$(adapter_of "$(option $BOND active_slave)")" down
	"$1_restart"
	wait_for 60 "$BOND" exists $BOND
	wait_for 60 "the same address" has_lease
	is_renewed
}

# The bond is made by the commands of the unit, as systemd is not the first process here.
networkd_start() {
	make_system
	sed -n 's/^ExecStart=-*//p' "$EXAMPLES/networkd/ib-bond0.service" >"$WORK/commands"
	bash -ex "$WORK/commands"
	cp "$EXAMPLES"/networkd/*.network /run/systemd/network/
	daemon networkd /usr/lib/systemd/systemd-networkd
}

networkd_restart() {
	kill "${networkd_pid-}"
	wait "${networkd_pid-}" || :
	ip address flush dev $BOND
	rm -rf /run/systemd/netif/*
	daemon networkd /usr/lib/systemd/systemd-networkd
}

networkmanager_start() {
	make_system
	install -m 600 "$EXAMPLES"/NetworkManager/* /etc/NetworkManager/system-connections/
	daemon manager NetworkManager --no-daemon
	wait_for 60 "NetworkManager to answer" nmcli general status
}

networkmanager_restart() {
	nmcli connection down bond0
	nmcli connection up bond0
}

test_networkd() {
	leased networkd
}

test_networkmanager() {
	leased networkmanager
}

# -- the end of a case -------------------------------------------------------------------------

eval "fabric_$(declare -f teardown)"

teardown() {
	show_daemons
	fabric_teardown
}

ktap_main "$@"
