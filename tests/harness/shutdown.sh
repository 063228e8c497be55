#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A machine that reboots tells the partners of its 802.3ad bonds. The guest ends in this test, so its
# kernel log has to tell: a rule logs what arrives at the other end of a cable.
# needs the module

. "${BASH_SOURCE[0]%/*}/../ktap.sh"
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1

setup() {
	DIR=$(mktemp -d)
}

teardown() {
	rm -rf "$DIR"
}

# What the log of the guest says from the reboot on.
said() {
	sed -n '/the reboot begins/,$p' "$DIR/log"
}

test_a_reboot() {
	# The bonds are settled, with the slow rate: an LACPDU is due every 30 s, and no other comes.
	scripts/guest --module ours --params max_bonds=0 --icount --timeout 300 --log "$DIR/log" >"$DIR/out" 2>&1 <<-'END' || :
		. /project/tests/guest/bond.sh
		for name in b7 b8; do
			ip link add $name type bond mode 802.3ad
			ip link set $name up
		done
		ip link add a0 type veth peer name a0p
		ip link set a0 master b7
		ip link set a0p master b8
		carries_data() {
			(($(<$SYSFS/$1/bonding_slave/ad_actor_oper_port_state) & 32))
		}
		wait_for 20 "a0 to carry data" carries_data a0
		wait_for 20 "a0p to carry data" carries_data a0p
		nft -f - <<-'RULES'
			table netdev heard {
				chain heard {
					type filter hook ingress device "a0p" priority 0;
					ether type 0x8809 log prefix "heard an LACPDU "
				}
			}
		RULES
		echo "<1>the reboot begins" >/dev/kmsg
		exec python3 -c "import ctypes; ctypes.CDLL(None).reboot(0x1234567)"
	END
	said | has 'reboot: ' || fail "the guest has not rebooted: $(<"$DIR/out")"
	said | sed '/reboot: /q' | has 'heard an LACPDU .*a0p' || fail "nothing was heard: $(said)"
}

ktap_main "$@"
