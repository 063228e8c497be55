#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# reference: intree
# timeout: 600
#
# ib-bond watch: one screen on paper, and the live screen on a terminal.

. "${BASH_SOURCE[0]%/*}/bond.sh"
. "${BASH_SOURCE[0]%/*}/ib_bond_command.sh"

setup() {
	install_ib_bond
	load max_bonds=0
	make_links veth a0 b0
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0
	wait_for 5 "both links" both_work
}

eval "bond_$(declare -f teardown)"

teardown() {
	bond_teardown
	forget_ib_bond
}

both_work() {
	mii_status a0 up && mii_status b0 up && active b7 a0
}

# on_terminal COLUMNS ROWS ARGUMENT... <STEPS: ib-bond watch there.
on_terminal() {
	local columns=$1 rows=$2
	shift 2
	python3 "$GUEST_DIR/ib_bond/terminal.py" "$columns" "$rows" ib-bond watch "$@"
}

# because REASON: what our driver adds to a decision.
because() {
	! ours || echo ": $1"
}

# -- one screen ------------------------------------------------------------------------

test_one_screen_has_links_roles_and_counters() {
	ping -q -i 0.05 -c 200 $PEER4 >/dev/null &
	exits 0 ib-bond watch --once
	says "b7 is well"
	says "$OUR4/24 and $OUR6/64, active-backup, MTU 1500"
	grep -qE '^  a0 +up +active( +[1-9][0-9]*){4} +0$' "$WORK/said" || fail "no traffic of a0: $(<"$WORK/said")"
	grep -qE '^  b0 +up +backup( +[0-9]+){4} +0$' "$WORK/said" || fail "no line of b0: $(<"$WORK/said")"
	if ours; then
		says "The driver is bonding.ko in Rust."
	else
		says "The driver is the kernel's own bonding driver."
	fi
}

test_one_screen_has_the_last_decisions() {
	ours_only "keeps no history"
	cut_link a0
	wait_for 5 "failover" active b7 b0
	exits 0 ib-bond watch --once --interval 0.1
	says "b7 is degraded: a0 has no link"
	says "a0 down: lost carrier"
	says "b0 is active: the one before lost its link"
	mend_link a0
}

test_decisions_of_another_namespace() {
	ours_only "keeps no history"
	mk_namespace other
	ip -n other link add b7 type bond mode active-backup
	mk_veth_pair c0 c0p
	ip link set c0 down
	ip link set c0 netns other
	ip -n other link set c0 master b7
	# ip netns exec would hide debugfs.
	exits 0 nsenter --net=/run/netns/other ib-bond watch --once --interval 0.1
	says "c0 joined"
	lacks 'a0 joined' "$WORK/said"
	exits 0 ip netns exec other ib-bond watch --once --interval 0.1
	says "the reasons are in debugfs, which cannot be read here"
}

test_only_the_bonds_that_are_named() {
	ip link add b8 type bond
	exits 0 ib-bond watch --once --interval 0.1 b8
	says "b8 is down"
	lacks '^b7' "$WORK/said"
}

test_what_makes_no_sense() {
	exits 3 ib-bond watch --once b9
	says "there is no bond b9"
	exits 3 ib-bond watch --once a0
	says "a0 is no bond"
	exits 64 ib-bond watch --once --interval 0
	says "give a number of seconds from 0.1 to 3600"
	exits 3 ib-bond watch </dev/null
	says '"ib-bond watch --once" prints one screen'
	is "$(wc -l <"$WORK/said")" 1 lines
	ip link delete b7
	exits 3 ib-bond watch --once --interval 0.1
	says "there is no bond"
}

test_without_rights_the_reasons_are_missing() {
	exits 0 setpriv --reuid 65534 --regid 65534 --clear-groups ib-bond watch --once --interval 0.1
	says "b7 is well"
	if ours; then
		says "the reasons are in debugfs, which cannot be read here"
	else
		says "this driver gives no reasons"
	fi
}

# -- the live screen ---------------------------------------------------------------------

test_a_failover_is_shown_at_once() {
	# The counters are read once in an hour here, so only the news of the link can bring this.
	on_terminal 80 24 --interval 3600 <<-END
		shows b7 is well
		run ip -n peer link set a0p down
		shows b7 is degraded: a0 has no link
		shows b0 is active$(because "the one before lost its link")
		run ip -n peer link set a0p up
		shows b7 is well
		type q
		ends 0
	END
}

test_counters_move() {
	ping -q -i 0.05 -c 1000 $PEER4 >/dev/null &
	on_terminal 80 24 --interval 0.5 <<-END
		shows a0      up          active        
		type q
		ends 0
	END
}

test_a_terminal_of_any_size() {
	on_terminal 200 50 <<-END
		shows b7 is well
		fits
		resize 80 24
		fits
		resize 30 8
		shows more lines
		fits
		resize 1 1
		fits
		resize 80 24
		shows b7 is well
		type x
		type Q
		ends 0
	END
}

test_every_end_gives_the_terminal_back() {
	local steps
	for steps in "type ^C" "type ^D" "signal INT" "signal TERM" "signal HUP" "signal QUIT"; do
		on_terminal 80 24 <<-END
			shows b7 is well
			signal TSTP
			$steps
			ends 0
		END
	done
}

test_bonds_come_and_go() {
	on_terminal 80 24 <<-END
		shows b7 is well
		run ip link delete b7
		shows There is no bond
		run ip link add b8 type bond mode active-backup
		shows b8 is down
		type q
		ends 0
	END
}

ktap_main "$@"
