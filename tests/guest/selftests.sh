#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# reference: intree
# guest: --icount 3
# timeout: 1800
# parts: 3
#
# The kernel's own tests of the bonding driver, as they come with the kernel's source.

. "${BASH_SOURCE[0]%/*}/bond.sh"

SELFTESTS=/usr/src/linux/tools/testing/selftests

run_in() { # FOLDER NAME ARGUMENT...
	be_patient
	export -f sleep
	(cd "$1" && PATH=$WORK/bin:$PATH "./$2" "${@:3}") || fail "$2 ended with status $?"
}

# The tests look for what they wait for ten times a second, for minutes. Each look starts half a dozen
# programs: once a second is enough.
sleep() {
	[[ $* != 0.1 ]] || set -- 1
	command sleep "$@"
}

# In a kernel that checks every step, a process takes seconds of this guest's slow clock to start: a
# receiver that the tests end after 3 s has not started by then. The tests still wait for their
# conditions, but give up later.
be_patient() {
	keep_tc_in_memory
	((KTAP_PATIENCE > 1)) || return 0
	# The waits of the tests take 20 s at most, but timeout(1) starts counting before the
	# process exists.
	local factor=$((20 * KTAP_PATIENCE))
	export WAIT_TIMEOUT=$((20 * KTAP_PATIENCE))
	mkdir -p "$WORK/bin"
	cat >"$WORK/bin/timeout" <<-END
		#!/bin/bash
		exec $(type -P timeout) \$((\$1 * $factor)) "\${@:2}"
	END
	chmod +x "$WORK/bin/timeout"
}

# Tests read counters with it in loops that end at a time. To fetch it from a busy host takes so much
# of the counted clock that the time is over before the counter has been looked at again.
keep_tc_in_memory() {
	local word words files=("$(type -P tc)")
	while read -ra words; do
		for word in "${words[@]}"; do
			[[ $word != /* ]] || files+=("$word")
		done
	done < <(LD_TRACE_LOADED_OBJECTS=1 tc)
	chown root:root "${files[@]}"
}

# An ip(8) that knows the newest options, for tests that set them. The real one, once it does.
with_newer_ip() {
	local ip
	ip=$(type -P ip)
	! "$ip" link help bond 2>&1 | has lacp_strict || return 0
	mkdir -p "$WORK/bin"
	# Starting Python takes a while, and most commands do not need it.
	cat >"$WORK/bin/ip" <<-END
		#!/bin/bash
		case " \$* " in
		*" lacp_strict "* | *" actor_port_prio "* | *" -d -j link show "*)
			exec python3 $TOOLS_DIR/newer_ip.py $ip "\$@" ;;
		esac
		exec $ip "\$@"
	END
	chmod +x "$WORK/bin/ip"
}

# If a test skips, this guest lacks something: that is a failure here.
kernel_test() {
	loaded || modprobe bonding
	run_in $SELFTESTS/drivers/net/bonding "$1"
}

# copy_kernel_test: copies the tests, so that they can be changed.
copy_kernel_test() {
	local dir=$WORK/selftests/drivers/net/bonding
	mkdir -p "$dir"
	ln -sfn $SELFTESTS/net "$WORK/selftests/net"
	ln -sfn $SELFTESTS/drivers/net/lib "$dir/../lib"
	cp "$SELFTESTS/drivers/net/bonding/"*.sh "$dir"
}

run_copy() {
	loaded || modprobe bonding
	run_in "$WORK/selftests/drivers/net/bonding" "$1"
}

test_bond_arp_interval_causes_panic() {
	kernel_test bond-arp-interval-causes-panic.sh
}

test_bond_eth_type_change() {
	kernel_test bond-eth-type-change.sh
}

test_bond_lladdr_target() {
	kernel_test bond-lladdr-target.sh
}

test_bond_ipsec_offload() {
	kernel_test bond_ipsec_offload.sh
}

test_bond_macvlan_ipvlan() {
	kernel_test bond_macvlan_ipvlan.sh
}

# With fail_over_mac follow, the first slave leaves and comes back. The test assumes that the bond
# has kept the address of that slave, so that the slave gets another one. With our driver the slave
# takes its address with it: what must differ are the addresses of the bond and of the slave.
test_bond_options() {
	local copy=$WORK/selftests/drivers/net/bonding/bond_options.sh
	copy_kernel_test
	sed -i 's/^\t\[ "$eth0_mac" = "${mac\[0\]}" \] && RET=1$/\t[ "$eth0_mac" = "$(address_of_bond)" ] \&\& RET=1/' "$copy"
	sed -i 's/^check_first_slave_random_mac()$/address_of_bond() { ip -n "$s_ns" -j link show bond0 | jq -r ".[].address"; }\n&/' "$copy"
	grep -q '^	\[ "$eth0_mac" = "$(address_of_bond)"' "$copy" || fail "the kernel's test looks at something else"
	run_copy bond_options.sh
}

test_bond_stacked_header_parse() {
	kernel_test bond_stacked_header_parse.sh
}

test_bond_vlan_real_dev() {
	kernel_test bond_vlan_real_dev.sh
}

test_dev_addr_lists() {
	kernel_test dev_addr_lists.sh
}

test_bond_break_lacpdu_tx() {
	kernel_test bond-break-lacpdu-tx.sh
}

test_bond_passive_lacp() {
	kernel_test bond_passive_lacp.sh
}

# What it cannot read, it takes for right.
test_bond_lacp_prio() {
	with_newer_ip
	kernel_test bond_lacp_prio.sh |& tee "$WORK/said"
	lacks 'integer expression expected' "$WORK/said"
}

test_bond_lacp_strict() {
	with_newer_ip
	kernel_test bond_lacp_strict.sh
}

test_mode_1_recovery_updelay() {
	kernel_test mode-1-recovery-updelay.sh
}

test_mode_2_recovery_updelay() {
	kernel_test mode-2-recovery-updelay.sh
}

test_netcons_over_bonding() {
	! kernel_is uml || skip "the kernel's script misses its message there, with the in-tree driver, too"
	modprobe -a configfs netconsole
	mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
	kernel_test netcons_over_bonding.sh
}

# What this test of all links has of bonds: one whose slave was up, and one below a bridge.
test_rtnetlink() {
	run_in $SELFTESTS/net rtnetlink.sh -t "kci_test_enslave_bonding kci_test_bridge_parent_id"
}

ktap_main "$@"
