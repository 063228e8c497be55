# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Peers of 802.3ad that nobody here has written: teamd, and Open vSwitch, and what each of them has to
# stand. Each cable leads through a patch panel, so that it can be cut at both ends, swapped, and
# silenced.

. "${BASH_SOURCE[0]%/*}/lacp_ends.sh"

setup() {
	ours_only "was compared by hand"
	loaded || modprobe bonding max_bonds=0
	RATE=fast PEER_RATE=fast COUPLED=on WHO=both
	warm_up
}

# Programs come from outside the guest, and its clock runs on while they are fetched.
warm_up() {
	[[ ! -e /tmp/warm ]] || return 0
	: >/tmp/warm
	teamdctl --help &>/dev/null || :
	teamd --version &>/dev/null || :
	ovs-appctl --version >/dev/null
	ovs-vsctl --version >/dev/null
	ovs-vswitchd --version >/dev/null
	modprobe -a veth team team_mode_loadbalance openvswitch cls_matchall act_mirred sch_ingress
}

# cables PEER NAME...: NAME is a slave of ours, and NAMEp a port of the peer, in a namespace of the
# peer's name.
cables() {
	local peer=$1 name
	shift
	mk_namespace "$peer"
	ip netns list | has '^panel\b' || mk_namespace panel
	for name; do
		mk_cable "$name"
		ip link set "$name" address "$(link_address "$name")"
		mk_cable "${name}p" "$peer"
		patch "${name}x" "${name}px"
	done
}

# cut_cable NAME, mend_cable NAME: both ends see it.
cut_cable() {
	pull "$1x" "$1px"
}

mend_cable() {
	plug_in "$1x" "$1px"
}

# -- our end -----------------------------------------------------------------------------

# bond: without slaves. RATE, COUPLED and WHO (both, ours, peer: is active) are as the case says.
bond() {
	local active=on
	[[ $WHO != peer ]] || active=off
	ip link add b7 type bond mode 802.3ad lacp_rate "$RATE" lacp_active $active coupled_control "$COUPLED" \
		xmit_hash_policy layer2+3
	sysctl -qw net.ipv6.conf.b7.disable_ipv6=1
}

# bond_up NAME...: with these slaves.
bond_up() {
	enslave b7 "$@"
	ip link set b7 up
	ip address replace $OUR4/24 dev b7
}

# -- the peers ----------------------------------------------------------------------------
#
# A peer has the addresses 192.0.2.2 and .8 to .11, which the hash layer2+3 spreads over up to four
# slaves. PEER is teamd or ovs. The functions teamd_* and ovs_* are:
#   start NAME...   the peer with the ports of these cables
#   view NAME...    see lacp_ends.sh
#   pause, go_on    the process of the peer stands still, and goes on
#   stop            the peer is gone
ADDRESSES=(192.0.2.{8..11})

peer_view() {
	"${PEER}_view"
}

# give_addresses NAMESPACE DEVICE
give_addresses() {
	local address
	for address in $PEER4 "${ADDRESSES[@]}"; do
		echo "address add $address/24 dev $2"
	done | ip -n "$1" -batch -
	ip -n "$1" link set "$2" up
}

teamd_start() {
	local name ports= active=true fast=true
	[[ $WHO != ours ]] || active=false
	[[ $PEER_RATE != slow ]] || fast=false
	for name; do
		ip -n teamd link set "${name}p" down
		ports+="${ports:+, }\"${name}p\": {}"
	done
	cat >"$WORK/teamd.conf" <<-END
		{ "device": "team0", "hwaddr": "02:00:00:00:ff:01", "ports": { $ports }, "link_watch": { "name": "ethtool" },
		  "runner": { "name": "lacp", "active": $active, "fast_rate": $fast, "tx_hash": ["eth", "ipv4"] } }
	END
	ip netns exec teamd teamd -d -U -f "$WORK/teamd.conf"
	give_addresses teamd team0
}

teamd_view() {
	ip netns exec teamd teamdctl team0 state dump | jq -r '.ports | to_entries[] | [(.key | rtrimstr("p"))] + (.value.runner |
		[.partner_lacpdu_info, .actor_lacpdu_info | .system, .key, .port_priority, .port, .state]) | join(" ")'
}

teamd_pid() {
	cat /run/teamd/team0.pid
}

teamd_pause() {
	kill -STOP "$(teamd_pid)"
}

teamd_go_on() {
	kill -CONT "$(teamd_pid)"
}

teamd_stop() {
	ip netns exec teamd teamd -k -t team0
	wait_for 10 "the team to be gone" team_is_gone
}

team_is_gone() {
	! ip -n teamd link show team0
}

# Open vSwitch with the kernel's datapath, as its service would start it.
export OVS_RUNDIR=/tmp/ovs OVS_LOGDIR=/tmp/ovs OVS_DBDIR=/tmp/ovs OVS_SYSCONFDIR=/tmp/ovs

ovs_start() {
	mkdir -p $OVS_RUNDIR
	[[ -e $OVS_RUNDIR/empty.db ]] || ovsdb-tool create $OVS_RUNDIR/empty.db /usr/share/openvswitch/vswitch.ovsschema
	cp $OVS_RUNDIR/empty.db $OVS_RUNDIR/conf.db
	ovsdb-server $OVS_RUNDIR/conf.db --remote=punix:$OVS_RUNDIR/db.sock --pidfile --detach --no-chdir --log-file
	ovs-vsctl --no-wait init
	ovs_start_switch
	ovs-vsctl add-br br0 -- set bridge br0 other_config:hwaddr=02:00:00:00:ff:02
	ovs_ports "$@"
	give_addresses ovs br0
}

ovs_start_switch() {
	ip netns exec ovs ovs-vswitchd unix:$OVS_RUNDIR/db.sock --pidfile --detach --no-chdir --log-file
}

# ovs_ports NAME...: one port of the switch with these links.
ovs_ports() {
	local name lacp=active rate=$PEER_RATE
	[[ $WHO != ours ]] || lacp=passive
	for name; do
		ip -n ovs link set "${name}p" up
	done
	if (($# == 1)); then
		ovs-vsctl add-port br0 "$1p" -- set port "$1p" lacp=$lacp other_config:lacp-time="$rate"
	else
		ovs-vsctl add-bond br0 lag "${@/%/p}" lacp=$lacp other_config:lacp-time="$rate" bond_mode=balance-tcp
	fi
}

ovs_view() {
	ovs-appctl lacp/show | awk '
		BEGIN {
			split("activity timeout aggregation synchronized collecting distributing defaulted expired", names)
			for (i in names) bit[names[i]] = 2 ^ (i - 1)
		}
		function line() { if (name) print name, said["partner"], said["actor"] }
		/^(member|slave): / { line(); name = $2; sub(/p:$/, "", name) }
		$1 == "actor" || $1 == "partner" {
			side = $1
			if ($2 == "sys_id:") mac = $3
			if ($2 == "key:") key = $3
			if ($2 == "port_id:") port = $3
			if ($2 == "port_priority:") priority = $3
			if ($2 == "state:") {
				state = 0
				for (i = 3; i <= NF; i++) state += bit[$i]
				said[side] = mac " " key " " priority " " port " " state
			}
		}
		END { line() }'
}

ovs_pid() {
	cat $OVS_RUNDIR/ovs-vswitchd.pid
}

ovs_pause() {
	kill -STOP "$(ovs_pid)"
}

ovs_go_on() {
	kill -CONT "$(ovs_pid)"
}

ovs_stop() {
	ovs-appctl exit --cleanup
	ovs-appctl -t ovsdb-server exit
	wait_for 10 "the switch to end" ovs_is_gone
}

ovs_is_gone() {
	[[ ! -e $OVS_RUNDIR/ovs-vswitchd.pid && ! -e $OVS_RUNDIR/ovsdb-server.pid ]]
}

eval "$(declare -f teardown | sed '1s/teardown/teardown_links/')"
teardown() {
	local file
	for file in /run/teamd/*.pid $OVS_RUNDIR/*.pid; do
		[[ ! -e $file ]] || kill -KILL "$(<"$file")"
		rm -f "$file"
	done 2>/dev/null
	teardown_links
}

# -- joining --------------------------------------------------------------------------------

# joins PEER: each pair of values is in one of these rows at least.
joins() {
	local row count begin state theirs names
	PEER=$1
	cables "$PEER" a0 b0 c0 d0
	while read -r -u 9 -a row; do
		echo "-- ${row[*]}"
		count=${row[0]} RATE=${row[1]} PEER_RATE=${row[2]} COUPLED=${row[3]} WHO=${row[4]}
		names=(a0 b0 c0 d0)
		names=("${names[@]:0:count}")
		"${PEER}_start" "${names[@]}"
		bond
		begin=$(now_ms)
		bond_up "${names[@]}"
		aggregated_within 5000 "$begin" "${names[@]}"
		state=$USED theirs=$USED
		[[ $WHO == peer ]] || state=$((state | ACTIVE))
		[[ $WHO == ours ]] || theirs=$((theirs | ACTIVE))
		# A single port of Open vSwitch does not aggregate.
		[[ $PEER$count != ovs1 ]] || theirs=$((theirs & ~AGGREGATES))
		[[ $RATE == slow ]] || state=$((state | SHORT))
		[[ $PEER_RATE == slow ]] || theirs=$((theirs | SHORT))
		states_are "${names[0]}" $state $theirs
		reaches_through "${names[*]}" "${ADDRESSES[@]}"
		"${PEER}_stop"
		ip link delete b7
	done 9<<-END
		1 slow slow on both
		1 fast slow off ours
		1 slow fast on peer
		2 fast fast on ours
		2 slow slow off peer
		2 slow fast off both
		4 fast slow on peer
		4 slow fast off ours
		4 fast fast off both
	END
}

# -- what happens to two links --------------------------------------------------------------

two_links() {
	PEER=$1
	cables "$PEER" a0 b0
	"${PEER}_start" a0 b0
	bond
	bond_up a0 b0
	aggregated_within 5000 "$(now_ms)" a0 b0
}

both_again() {
	aggregated_within 5000 "$(now_ms)" a0 b0
	reaches_through "a0 b0" "${ADDRESSES[@]}"
}

cables_are_cut_and_swapped() {
	local of_a0 of_b0
	two_links "$1"
	cut_cable a0
	wait_for 1 "b0 to carry all traffic" carry b0
	reaches "${ADDRESSES[@]}"
	# Open vSwitch says that it uses a link without a carrier until it has defaulted.
	wait_for 10 "the peer to say the same" aggregated b0
	mend_cable a0
	both_again
	# Only one end sees it.
	pull b0px
	wait_for 10 "a0 to carry all traffic" aggregated a0
	reaches "${ADDRESSES[@]}"
	plug_in b0px
	both_again
	of_a0=$(said a0 10) of_b0=$(said b0 10)
	cut_cable a0
	cut_cable b0
	patch a0x b0px
	patch b0x a0px
	mend_cable a0
	mend_cable b0
	both_again
	is "$(said a0 10) $(said b0 10)" "$of_b0 $of_a0" "ports of the partner"
	cut_cable a0
	cut_cable b0
	wait_for 1 "b7 to lose its carrier" no_carrier b7
	mend_cable a0
	mend_cable b0
	both_again
}

# Its last LACPDU may be a second old, or with the slow rate 30 s.
falls_silent() {
	local begin
	two_links "$1"
	"${PEER}_pause"
	begin=$(now_ms)
	wait_for 10 "a0 to expire" has_state a0 $EXPIRED
	between 1900 3300 "$begin" "expired"
	wait_for 10 "a0 to default" has_state a0 $DEFAULTED
	between 4900 6300 "$begin" "defaulted"
	"${PEER}_go_on"
	both_again
	# A wire that carries nothing in one direction.
	unpatch b0px
	wait_for 10 "a0 to carry all traffic" aggregated a0
	patch b0x b0px
	both_again
	ip link set b7 down
	ip link set b7 type bond lacp_rate slow
	ip link set b7 up
	both_again
	"${PEER}_pause"
	begin=$(now_ms)
	wait_for 100 "a0 to expire" has_state a0 $EXPIRED
	between 59000 91000 "$begin" "expired"
	"${PEER}_go_on"
	both_again
}

# Either end starts anew, in the ways that an end can.
starts_anew() {
	two_links "$1"
	ip link set b7 down
	ip link set b7 up
	both_again
	ip link delete b7
	bond
	bond_up a0 b0
	both_again
	ip link set b0 nomaster
	aggregated_within 5000 "$(now_ms)" a0
	enslave b7 b0
	both_again
	"${PEER}_stop"
	"${PEER}_start" a0 b0
	both_again
	# It is killed, and says nothing.
	kill -KILL "$("${PEER}_pid")"
	"${PEER}_after_kill" a0 b0
	both_again
}

teamd_after_kill() {
	rm /run/teamd/team0.pid
	ip -n teamd link delete team0
	teamd_start "$@"
}

ovs_after_kill() {
	rm $OVS_RUNDIR/ovs-vswitchd.pid
	ovs_start_switch
}
