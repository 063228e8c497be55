#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The main purpose, to watch: two links to a peer become one, the active link is cut while a
# numbered packet is sent every millisecond, and the link comes back. This happens once with the
# usual link monitor, miimon=100, and once with no monitor at all. Runs as root in the guest (`make
# demo-ethernet`), where a bonding module is loaded. The exit status is 0 only if at most one packet
# was lost each time.

set -euo pipefail

. "${BASH_SOURCE[0]%/*}/guest/bond.sh"
KTAP_DIR=$(mktemp -d)	# wait_for keeps its notes there

LINKS=(eth1 eth2)
MAX_LOST=1

if [[ -t 1 ]]; then
	bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
	bold='' green='' red='' plain=''
fi

begin=${EPOCHREALTIME/./}

# Prints plain words, after the time in seconds since the start.
say() {
	local ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
	printf '%3d.%03d  %s\n' $((ms / 1000)) $((ms % 1000)) "$*"
}

heading() {
	printf '\n%s%s%s\n' "$bold" "$*" "$plain"
}

show_state() {
	echo
	sed -n '/^Bonding Mode/,$s/^/         | /p' /proc/net/bonding/bond0
	echo
}

clean_up() {
	teardown 2>/dev/null
	rm -rf "$KTAP_DIR" "$WORK"
}
trap clean_up EXIT

# Frees the names of the links, and loads the module.
prepare() {
	local name
	loaded || modprobe bonding max_bonds=0
	say "The driver is $(modinfo -F filename bonding), version $(modinfo -F vermagic bonding | cut -d' ' -f1)."
	for name in bond0 "${LINKS[@]}"; do
		! exists "$name" || ip link delete "$name"
	done
	say "A sender and a receiver of numbered packets are compiled."
	build stream
}

# demonstrate TITLE OPTION...
demonstrate() {
	local title=$1 active_before active_after verdict
	shift
	heading "$title"

	# Unlike veth, netdevsim has a cable that is cut in an instant. The far end of a veth pair
	# swallows packets while it goes down, before the near end can know.
	make_links netdevsim "${LINKS[@]}"
	say "Two links, ${LINKS[0]} and ${LINKS[1]}, lead to a peer, $PEER4, behind a bridge."

	say "\$ ip link add bond0 type bond mode active-backup${*:+ $*}"
	make_bond bond0 mode active-backup "$@"
	say "\$ ip link set ${LINKS[0]} master bond0; ip link set ${LINKS[1]} master bond0"
	enslave bond0 "${LINKS[@]}"
	wait_for 10 "both links to be up" both_up
	wait_for 10 "${LINKS[0]} to be active" active bond0 "${LINKS[0]}"
	say "\$ ip link set bond0 type bond primary ${LINKS[0]}"
	ip link set bond0 type bond primary "${LINKS[0]}"
	say "${LINKS[0]} is the primary link and carries the traffic. /proc/net/bonding/bond0:"
	show_state

	wait_for 10 "the peer to answer" ping_peer
	stream_start
	active_before=$(option bond0 active_slave)
	say "A packet a millisecond goes to the peer; $(stream_received) have arrived."
	stream_more 500

	cut_link "$active_before"
	say "The cable of $active_before is cut."
	wait_for 20 "the failover" active bond0 "${LINKS[1]}"
	say "bond0 uses ${LINKS[1]} now."
	stream_more 500
	say "$(stream_received) packets have arrived. /proc/net/bonding/bond0:"
	show_state

	mend_link "$active_before"
	say "The cable of $active_before is mended."
	wait_for 20 "the failback" active bond0 "$active_before"
	active_after=$(option bond0 active_slave)
	say "bond0 is back on its primary link, $active_after."
	stream_more 500
	stream_stop >/dev/null

	if ((lost <= MAX_LOST)); then
		verdict="${green}good$plain"
	else
		verdict="${red}too many$plain"
		failed=1
	fi
	say "$sent packets sent, $received received, $bold$lost lost$plain ($verdict), longest gap $gap_ms ms."
	summary+="${summary:+; }$title: $lost of $sent packets lost, gap $gap_ms ms"
	teardown 2>/dev/null
	mkdir -p "$WORK"
}

both_up() {
	mii_status "${LINKS[0]}" up && mii_status "${LINKS[1]}" up
}

failed=0
summary=
prepare
demonstrate "With a link monitor, miimon=100" miimon 100
demonstrate "With no link monitor configured"

echo
if ((failed)); then
	echo "${red}FAILED$plain  $summary (at most $MAX_LOST may be lost)."
	exit 1
fi
echo "${green}PASSED$plain  $summary."
