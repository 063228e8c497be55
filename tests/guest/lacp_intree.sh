#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --peer intree --wires 4
# kernels: distro
# timeout: 600
# not in uml: it takes two machines that are joined by cards
#
# 802.3ad with the kernel's own driver at the other end. Both are called bonding, so that one is in a
# second guest. There each wire ends in a patch panel, from which a cable leads to a slave: the wires
# can be cut at either end, swapped, and silenced. The clocks are those of the host, and one guest may
# stand still for a while; so only the order of things is certain, and the deadlines are generous.

. "${BASH_SOURCE[0]%/*}/lacp_ends.sh"

ADDRESSES=(192.0.2.{8..11})

setup() {
	ours_only "is at the other end"
	loaded || modprobe bonding max_bonds=0
	RATE=fast PEER_RATE=fast COUPLED=on PEER_COUPLED=on SELECT=stable
	[[ -e /tmp/joined ]] || join_guests
}

# p0 to p3 are to be the slaves of the second guest.
join_guests() {
	wait_for 120 "the second guest" at_peer true
	there '
		rmmod bonding
		modprobe bonding max_bonds=0
		for number in 0 1 2 3; do
			mk_cable p$number
			ip link set wire$number addrgenmode none promisc on up
			tc qdisc add dev wire$number clsact
			patch p${number}x wire$number
		done'
	for number in 0 1 2 3; do
		# The card of an emulated machine does not know its speed, without which there is no LACP.
		ethtool -s wire$number speed 1000 duplex full
		ip link set wire$number addrgenmode none
	done
	: >/tmp/joined
}

# there SCRIPT: runs it in the second guest, with what lib.sh has.
there() {
	at_peer ". /project/tests/guest/lib.sh; PANEL=(); set -e; $1"
}

eval "$(declare -f teardown | sed '1s/teardown/teardown_links/')"
teardown() {
	local number
	for number in 0 1 2 3; do
		set_link wire$number on
	done
	there '
		for bond in $(</sys/class/net/bonding_masters); do ip link delete $bond; done
		for number in 0 1 2 3; do
			tc filter del dev wire$number egress 2>/dev/null || :
			patch p${number}x wire$number
			plug_in p${number}x
		done'
	teardown_links
}

# -- both ends ----------------------------------------------------------------------------

# ends NUMBER...: b7 has these wires, and b8 of the second guest what is at their other ends.
ends() {
	make_theirs b8 02:00:00:00:ff:01 "$@"
	make_ours "$@"
}

make_ours() {
	ip link add b7 type bond mode 802.3ad lacp_rate "$RATE" coupled_control "$COUPLED" xmit_hash_policy layer2+3
	set_option b7 ad_select "$SELECT"
	sysctl -qw net.ipv6.conf.b7.disable_ipv6=1
	enslave b7 "${@/#/wire}"
	ip link set b7 up
	ip address add $OUR4/24 dev b7
}

# make_theirs BOND ADDRESS NUMBER...
make_theirs() {
	local bond=$1 address=$2
	shift 2
	there "
		ip link add $bond address $address type bond mode 802.3ad lacp_rate $PEER_RATE coupled_control $PEER_COUPLED \
			xmit_hash_policy layer2+3
		echo $SELECT >/sys/class/net/$bond/bonding/ad_select
		sysctl -qw net.ipv6.conf.$bond.disable_ipv6=1
		for number in $*; do
			ip link set p\$number down
			ip link set p\$number master $bond
		done
		ip link set $bond up
		for address in $PEER4 ${ADDRESSES[*]}; do
			ip address add \$address/24 dev $bond
		done"
}

peer_view() {
	at_peer 'cat /proc/net/bonding/*' | view_of_bond partner
}

used() {
	wait_for 30 "$* to be aggregated" aggregated "${@/#/wire}"
}

both_again() {
	used 0 1
	reaches_through "wire0 wire1" "${ADDRESSES[@]}"
}

# cut_cable NUMBER..., mend_cable NUMBER...: both ends see it.
cut_cable() {
	local number
	for number; do
		set_link "wire$number" off
		there "pull p${number}x"
	done
}

mend_cable() {
	local number
	for number; do
		set_link "wire$number" on
		there "plug_in p${number}x"
	done
}

# -- joining ---------------------------------------------------------------------------------

test_joins() {
	local row count state theirs wires
	while read -r -u 9 -a row; do
		echo "-- ${row[*]}"
		count=${row[0]} RATE=${row[1]} PEER_RATE=${row[2]} COUPLED=${row[3]} SELECT=${row[4]}
		# With coupled_control off, the in-tree driver does not say at once that it has begun to
		# distribute, but with its next periodic LACPDU: after 30 s, if we ask for the slow rate.
		PEER_COUPLED=on
		[[ $RATE == slow ]] || PEER_COUPLED=$COUPLED
		wires=(0 1 2 3)
		wires=("${wires[@]:0:count}")
		ends "${wires[@]}"
		used "${wires[@]}"
		state=$((USED | ACTIVE)) theirs=$((USED | ACTIVE))
		[[ $RATE == slow ]] || state=$((state | SHORT))
		[[ $PEER_RATE == slow ]] || theirs=$((theirs | SHORT))
		states_are wire0 $state $theirs
		reaches_through "${wires[*]/#/wire}" "${ADDRESSES[@]}"
		ip link delete b7
		at_peer ip link delete b8
	done 9<<-END
		1 slow slow on stable
		1 fast fast off bandwidth
		2 slow fast on count
		2 fast slow off actor_port_prio
		3 fast slow on stable
		3 slow fast off bandwidth
		4 slow slow off actor_port_prio
		4 fast fast on count
	END
}

# -- what happens to two links --------------------------------------------------------------

test_cables() {
	local of_0 of_1
	ends 0 1
	both_again
	cut_cable 0
	used 1
	reaches "${ADDRESSES[@]}"
	mend_cable 0
	both_again
	# Only one end sees it.
	there 'pull p1x'
	used 0
	reaches "${ADDRESSES[@]}"
	there 'plug_in p1x'
	set_link wire1 off
	used 0
	reaches "${ADDRESSES[@]}"
	set_link wire1 on
	both_again
	# Two cables are swapped.
	of_0=$(said wire0 10) of_1=$(said wire1 10)
	cut_cable 0 1
	wait_for 10 "b7 to lose its carrier" no_carrier b7
	there 'patch p0x wire1; patch p1x wire0'
	mend_cable 0 1
	both_again
	is "$(said wire0 10) $(said wire1 10)" "$of_1 $of_0" "ports of the partner"
}

# Nothing comes from the other end any more, though all carriers are on; and then nothing gets there.
test_falls_silent() {
	local begin
	ends 0 1
	both_again
	there 'for wire in wire0 wire1; do tc filter add dev $wire egress matchall action drop; done'
	begin=$(now_ms)
	wait_for 30 "wire0 to expire" has_state wire0 $EXPIRED
	between 1500 15000 "$begin" "expired"
	wait_for 30 "wire0 to default" has_state wire0 $DEFAULTED
	between 4000 20000 "$begin" "defaulted"
	there 'for wire in wire0 wire1; do tc filter del dev $wire egress; done'
	both_again
	there 'unpatch wire1'
	used 0
	reaches "${ADDRESSES[@]}"
	there 'patch p1x wire1'
	both_again
}

test_starts_anew() {
	ends 0 1
	both_again
	ip link set b7 down
	ip link set b7 up
	both_again
	ip link delete b7
	make_ours 0 1
	both_again
	ip link set wire1 nomaster
	used 0
	enslave b7 wire1
	both_again
	# It goes down without a word.
	there 'ip link set b8 down'
	wait_for 30 "wire0 to expire" has_state wire0 $EXPIRED
	there 'ip link set b8 up'
	both_again
	there 'ip link set p1 nomaster'
	used 0
	there 'ip link set p1 down; ip link set p1 master b8'
	both_again
	there 'ip link delete b8; rmmod bonding; modprobe bonding max_bonds=0'
	make_theirs b8 02:00:00:00:ff:01 0 1
	both_again
}

# -- two bonds at the other end: two aggregators ------------------------------------------------

# Two wires to one, which are there first, and one to the other.
two_bonds() {
	SELECT=$1
	make_theirs b8 02:00:00:00:ff:01 0 1
	make_theirs b9 02:00:00:00:ff:02 2
	make_ours 0 1
	used 0 1
	enslave b7 wire2
	wait_for 30 "wire2 to know its partner" knows_partner wire2
	used 0 1
}

test_stable_stays() {
	local before
	two_bonds stable
	cut_cable 0 1
	used 2
	mend_cable 0 1
	wait_for 30 "wire0 to know its partner" knows_partner wire0
	# What would be done would be done in the 2 s after that.
	before=$(lacpdus_of wire0)
	wait_for 30 "more LACPDUs of wire0" has_sent_lacpdus wire0 $((before + 4))
	wait_for 1 "wire2 to be aggregated" aggregated wire2
	cut_cable 2
	used 0 1
}

more_is_better() {
	two_bonds "$1"
	cut_cable 0 1
	used 2
	mend_cable 0 1
	used 0 1
	reaches $PEER4
}

test_bandwidth_is_better() {
	more_is_better bandwidth
}

test_count_is_better() {
	more_is_better count
}

test_actor_port_prio_is_better() {
	two_bonds actor_port_prio
	port_prio wire2 1000
	used 2
	port_prio wire2 100
	used 0 1
}

ktap_main "$@"
