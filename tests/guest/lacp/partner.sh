# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the tests of 802.3ad share: bonds that are cabled to each other, and a partner that does what
# a test tells it (tests/tools/lacp_partner.py).

. "${BASH_SOURCE[0]%/*}/../bond.sh"

setup() {
	ours_only "is at the other end in lacp_intree.sh"
	loaded || modprobe bonding max_bonds=0
	OPTIONS=()
}

# cable NAME...: links NAME to NAMEp in the namespace "peer".
cable() {
	local name
	ip netns list | has '^peer\b' || {
		ip netns add peer
		ip -n peer link set lo up
	}
	for name; do
		ip link add "$name" address "$(link_address "$name")" type veth peer name "${name}p" netns peer
		ip link set "$name" addrgenmode none
		ip -n peer link set "${name}p" addrgenmode none up
	done
}

# bond NAME...: b7 with these slaves.
bond() {
	ip link add b7 type bond mode 802.3ad lacp_rate fast "${OPTIONS[@]}"
	enslave b7 "$@"
	ip link set b7 up
	ip address add $OUR4/24 dev b7
}

# bond_of_peer NAME...: b8 at the other end.
bond_of_peer() {
	local name
	ip -n peer link add b8 type bond mode 802.3ad lacp_rate fast
	for name; do
		ip -n peer link set "${name}p" down
		ip -n peer link set "${name}p" master b8
	done
	ip -n peer link set b8 up
	ip -n peer address add $PEER4/24 dev b8
}

# The partner is one process for all cases, since it takes long to start.
PARTNER=/tmp/lacp-partner

# partner NAME...: a partner with a port at the other end of each of these links, in this namespace.
partner() {
	local name
	start_partner
	for name; do
		ip link add "$name" address "$(link_address "$name")" type veth peer name "${name}p"
		ip link set "$name" addrgenmode none
		ip link set "${name}p" addrgenmode none up
		port_of_partner "$name" open
	done
}

start_partner() {
	[[ -d $PARTNER ]] || {
		mkdir $PARTNER
		mkfifo $PARTNER/commands
		setsid python3 "$TOOLS_DIR/lacp_partner.py" <>$PARTNER/commands >>$PARTNER/heard 2>$PARTNER/errors &
		echo $! >$PARTNER/pid
		disown
	}
	says all close
}

# port_of_partner NAME open|tap
port_of_partner() {
	: >$PARTNER/heard
	says "$1" "$2"
	wait_for 60 "the partner to open ${1}p" partner_has "$1"
}

partner_has() {
	cat $PARTNER/errors
	grep -q "^0 ${1}p open" $PARTNER/heard
}

# says NAME WORD...: a command for the partner's port at the other end of NAME.
says() {
	[[ -d /proc/$(<$PARTNER/pid) ]] || fail "the partner has ended: $(<$PARTNER/errors)"
	echo "${1}p ${*:2}" >$PARTNER/commands
}

# heard NAME: the LACPDUs that the partner's port has heard, one per line: TIME SOURCE, then SYSTEM KEY
# PRIORITY PORT STATE of the actor and of the partner, and the actor's system priority.
heard() {
	awk -v device="${1}p" '$2 == device && $4 == "actor" {
		print $1, $3, $5, $6, $7, $8, $9, $11, $12, $13, $14, $15, $16 }' $PARTNER/heard
}

# last NAME FIELD: a field of the last LACPDU from NAME.
last() {
	heard "$1" | tail -n 1 | cut -d ' ' -f "$2"
}

# The bits of a port's state.
ACTIVE=1 SHORT=2 AGGREGATES=4 SYNC=8 COLLECTS=16 DISTRIBUTES=32 DEFAULTED=64 EXPIRED=128
FULL=$((ACTIVE | SHORT | AGGREGATES | SYNC | COLLECTS | DISTRIBUTES))

# announces NAME BITS MASK: of the bits in MASK, the last LACPDU of NAME has just BITS.
announces() {
	local state
	state=$(last "$1" 7)
	echo "$1 announces ${state:-nothing}"
	[[ -n $state ]] && ((( state & $3 ) == $2))
}

# is_carried NAME...: these slaves carry traffic, and no others.
is_carried() {
	local name state carried=
	for name in a0 b0 c0; do
		state=none
		{ read -r state <"$SYSFS/$name/bonding_slave/state"; } 2>/dev/null || :
		[[ $state != active ]] || carried+=" $name"
	done
	echo "these carry traffic:$carried"
	[[ ${carried# } == "$*" ]]
}

# unused NAME: why it carries no traffic.
unused() {
	awk -v name="$1" '$1 == "Slave" && $2 == "Interface:" { slave = $3 }
		slave == name && sub(/^Carries no traffic: /, "")' /proc/net/bonding/b7
}

unused_because() {
	echo "$1: $(unused "$1")"
	[[ $(unused "$1") == *"$2"* ]]
}

events() {
	cat /sys/kernel/debug/bonding/b7/events
}

prepare() {
	partner "$@"
	bond "$@"
}

# said_from FIELD NUMBER: the field has at least this number.
said_from() {
	echo "a0 says $(last a0 "$1")"
	(($(last a0 "$1") >= $2))
}

said() {
	echo "a0 says $(last a0 "$1")"
	[[ $(last a0 "$1") == "$2" ]]
}

# first BIT FROM: the time of the first LACPDU of a0 that has this bit, from a time on, in ms.
first() {
	heard a0 | awk -v bit="$1" -v from="$2" '$1 >= from && int($7 / bit) % 2 { print $1; exit }'
}

history_has() {
	events | has "$1"
}
