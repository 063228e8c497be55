# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# An active-backup bond over veth links that can fail silently: they keep their carrier, but the
# network behind them is gone.

. "${BASH_SOURCE[0]%/*}/../bond.sh"

setup() {
	loaded || modprobe bonding max_bonds=0
}

# silence NAME, speech NAME: the link keeps its carrier, but the network behind it is gone or back.
# The port of its far end is disabled, which holds RTNL only for a moment: so the monitor need not
# wait for it.
silence() {
	bridge -n peer link set dev "${1}p" state 0
}

speech() {
	bridge -n peer link set dev "${1}p" state 3
}

# start OPTION...: an active-backup bond b7 of a0 and b0 that probes the peer.
start() {
	make_links veth a0 b0
	make_bond b7 mode active-backup "$@"
	enslave b7 a0 b0
	wait_for 20 "a0 to be up" mii_status a0 up
	wait_for 20 "b0 to be up" mii_status b0 up
	wait_for 20 "a slave to be active" has_active b7
	wait_for 20 "the peer to answer" ping_peer
	set_option b7 active_slave a0
}

has_active() {
	[[ -n $(option "$1" active_slave) ]]
}

# detection: milliseconds from the silence of the active slave to the failover, by the kernel's
# clock, starting when the bridge logs it: a shell's clock runs on while commands are fetched.
detection() {
	silence a0
	wait_for 60 "b0 to be active" active b7 b0
	dmesg | awk '
		{ match($0, /[0-9]+\.[0-9]+/); now = substr($0, RSTART, RLENGTH) }
		/br0: port .*a0p.* entered disabled state/ { began = now; ended = 0 }
		began && !ended && /link status definitely down/ { ended = now }
		END {
			if (!ended) {
				print "the log does not say when a0 went down" >"/dev/stderr"
				exit 1
			}
			printf "%d", (ended - began) * 1000 + 0.5
		}'
}
