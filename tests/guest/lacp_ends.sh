# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Both ends of an aggregation: ours is the bond b7, and the other one is somebody else's. A test file
# that sources this defines peer_view: for each port of the other end, it prints a line
#   NAME  SYSTEM KEY PRIORITY PORT STATE  SYSTEM KEY PRIORITY PORT STATE
# with what that port has been told of ours, and what it says itself.

. "${BASH_SOURCE[0]%/*}/bond.sh"

# The bits of a port's state.
ACTIVE=1 SHORT=2 AGGREGATES=4 SYNC=8 COLLECTS=16 DISTRIBUTES=32 DEFAULTED=64 EXPIRED=128
USED=$((AGGREGATES | SYNC | COLLECTS | DISTRIBUTES))

# view_of_bond actor|partner: the same lines from the /proc file of a bond on standard input, with
# this side first.
view_of_bond() {
	awk -v first="$1" '
		function line() { if (name) print name, said[first], said[first == "actor" ? "partner" : "actor"] }
		/^Slave Interface:/ { line(); name = $3; split("", said) }
		/^details / { side = $2 }
		/^    system mac address:/ { mac = $NF }
		/^    system priority:/ { priority = $NF }
		/^    (port|oper) key:/ { key = $NF }
		/^    port priority:/ { port_priority = $NF }
		/^    port number:/ { number = $NF }
		/^    port state:/ { said[side] = mac " " key " " port_priority " " number " " $NF }
		END { line() }'
}

our_view() {
	view_of_bond actor </proc/net/bonding/b7
}

# carrying: how many ports send and receive data, of a view.
carrying() {
	awk 'int($6 / 16) % 4 == 3 && int($11 / 16) % 4 == 3 { count++ } END { print count + 0 }'
}

# carry NAME...: these slaves of b7 carry data, and no others.
carry() {
	local name state used=
	for name in $(<"$SYSFS/b7/bonding/slaves"); do
		state=none
		{ read -r state <"$SYSFS/$name/bonding_slave/state"; } 2>/dev/null || :
		[[ $state != active ]] || used+=" $name"
	done
	echo "these carry data:$used"
	[[ ${used# } == "$*" ]]
}

# aggregated NAME...: these slaves carry data; of each of them both ends say the same, word for word;
# and the other end uses as many.
aggregated() {
	local name ours peers line
	carry "$@" || return 1
	ours=$(our_view) peers=$(peer_view)
	printf '%s\n' "ours:" "$ours" "the peer's:" "$peers"
	[[ $(carrying <<<"$ours") == $# && $(carrying <<<"$peers") == $# ]] || return 1
	for name; do
		line=$(grep "^$name " <<<"$ours")
		cut -d ' ' -f 2- <<<"$peers" | has -xF "${line#* }" || return 1
	done
}

# said NAME FIELD: a field of our view.
said() {
	our_view | awk -v name="$1" -v field="$2" '$1 == name { print $field }'
}

# states_are NAME OURS THEIRS: what the ports say of themselves in the end.
states_are() {
	is "$(said "$1" 6) $(said "$1" 11)" "$2 $3" "state of $1 and of its partner"
}

now_ms() {
	echo $((${EPOCHREALTIME/[.,]/} / 1000))
}

# aggregated_within MS SINCE NAME...
aggregated_within() {
	local limit=$1 since=$2 took
	shift 2
	wait_for $(((limit + 999) / 1000)) "$* to be aggregated" aggregated "$@"
	took=$(($(now_ms) - since))
	echo "aggregated after $took ms"
	((took <= limit * KTAP_PATIENCE)) || fail "it took $took ms"
}

# reaches ADDRESS...: several packets to each, and none is lost.
reaches() {
	local address
	for address; do
		ping -q -c 5 -i 0.01 -W 2 "$address" >"$WORK/ping" || { cat "$WORK/ping" >&2; fail "no answer from $address"; }
		has ' 0% packet loss' <"$WORK/ping" || fail "$(<"$WORK/ping")"
	done
}

# has_state NAME BIT: our port has it. It is asked over and over, so it starts no program.
has_state() {
	local state
	read -r state <"$SYSFS/$1/bonding_slave/ad_actor_oper_port_state"
	echo "state of $1: $state"
	((state & $2))
}

# between LOW HIGH SINCE WHAT: so many ms have passed.
between() {
	local took=$(($(now_ms) - $3))
	echo "$4 after $took ms"
	((took >= $1 && took <= $2 * KTAP_PATIENCE)) || fail "$4 after $took ms"
}

sent() {
	cat "$SYSFS/$1/statistics/tx_packets"
}

# reaches_through NAMES ADDRESS...: and each of the slaves has carried at least one of these flows.
reaches_through() {
	local name names
	read -ra names <<<"$1"
	shift
	declare -A before
	for name in "${names[@]}"; do
		before[$name]=$(sent "$name")
	done
	reaches "$@"
	for name in "${names[@]}"; do
		(($(sent "$name") - before[$name] >= 5)) || fail "$name has carried nothing"
	done
}

# lacpdus_of NAME: how many it has sent.
lacpdus_of() {
	ip stats show dev "$1" group xstats_slave subgroup bond | awk '/LACPDU Tx/ { print $3 }'
}

has_sent_lacpdus() {
	(($(lacpdus_of "$1") >= $2))
}

knows_partner() {
	our_view
	(($(said "$1" 10) != 0 && ($(said "$1" 6) & (EXPIRED | DEFAULTED)) == 0))
}

# port_prio NAME PRIORITY: the ip of Debian 13 does not know this attribute.
port_prio() {
	PYTHONPATH=$GUEST_DIR/../differential/guest python3 - "$(<"$SYSFS/$1/ifindex")" "$2" <<-'END'
		import struct
		import sys
		from netlink import *
		prio = attribute(10, struct.pack("=H", int(sys.argv[2])))
		info = nest(IFLA_LINKINFO, attribute(IFLA_INFO_SLAVE_KIND, b"bond"), nest(IFLA_INFO_SLAVE_DATA, prio))
		Socket().ask(RTM_NEWLINK, ifinfo(int(sys.argv[1])) + info)
	END
}
