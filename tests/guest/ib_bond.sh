#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# reference: intree
# timeout: 600
#
# The command ib-bond, over Ethernet: its options, its exit statuses, and that what fails changes nothing.

. "${BASH_SOURCE[0]%/*}/bond.sh"
. "${BASH_SOURCE[0]%/*}/ib_bond_command.sh"

setup() {
	install_ib_bond
	load max_bonds=0
}

eval "bond_$(declare -f teardown)"

teardown() {
	bond_teardown
	forget_ib_bond
	sysctl -qw net.ipv6.conf.default.disable_ipv6=0
	put /sbin/modprobe /proc/sys/kernel/modprobe
}

both_work() {
	mii_status a0 up && mii_status b0 up
}

make_b7() {
	make_links veth a0 b0
	ib-bond --bond-name b7 --bond-ip $OUR4 --slaves a0,b0 "$@"
	wait_for 5 "both links" both_work
}

# -- uses ----------------------------------------------------------------------------------

test_one_command_makes_a_bond_that_works() {
	make_links veth a0 b0
	ib-bond --bond-name b7 --bond-ip $OUR4 --slaves a0,b0 >"$WORK/said"
	says "b7 is up: $OUR4/24 over a0 and b0, active-backup, miimon 100 ms."
	wait_for 5 "both links" both_work
	wait_for 5 "the peer" ping_peer
	is "$(option b7 mode)" "active-backup 1"
	is "$(option b7 miimon)" 100
	is "$(option b7 slaves)" "a0 b0"
	ip address show dev b7 | has "inet $OUR4/24 brd 192.0.2.255"
	cut_link a0
	wait_for 5 "failover" active b7 b0
	wait_for 5 "the peer" ping_peer
}

test_the_defaults_are_those_of_the_manual() {
	make_links veth a0 b0
	ip link set a0 name ib0
	ip link set b0 name ib1
	ib-bond --bond-ip 192.186.10.100
	is "$(option bond0 slaves)" "ib0 ib1"
	is "$(option bond0 miimon)" 100
	ip address show dev bond0 | has 'inet 192.186.10.100/24'
	ib-bond --bond-name bond0 --stop
	ip link set ib0 name a0
	ip link set ib1 name b0
}

test_all_options() {
	make_links veth a0 b0
	ib-bond --bond-name=b7 --miimon=50 --slaves=b0 --bond-ip=192.186.10.100/25 2>"$WORK/said"
	says "b7 has one slave, b0, so nothing takes over"
	is "$(option b7 miimon)" 50
	is "$(option b7 slaves)" b0
	ip address show dev b7 | has 'inet 192.186.10.100/25 brd 192.186.10.127'
}

test_the_driver_is_loaded_if_need_be() {
	make_links veth a0 b0
	unload
	exits 3 ib-bond --status-all
	says "No bonding driver is loaded."
	make_b7_again
	loaded
	is "$(cat /sys/class/net/bonding_masters)" b7
}

make_b7_again() {
	ib-bond --bond-name b7 --bond-ip $OUR4 --slaves a0,b0 >"$WORK/said"
}

test_it_says_which_driver_runs() {
	make_links veth a0 b0
	make_b7_again
	if ours; then
		says "The driver is bonding.ko in Rust."
		is "$(ib_status b7 '[.driver.running, .driver.installed] | join(" ")')" "rust rust"
	else
		says "The driver is the kernel's own bonding driver."
		is "$(ib_status b7 '[.driver.running, .driver.installed] | join(" ")')" "in-tree in-tree"
	fi
	is "$(ib_status b7 .driver.file)" "$(modinfo -n bonding)"
}

test_the_kernels_own_driver_does_as_well() {
	local folder file
	folder=/usr/lib/modules/$(uname -r)/kernel/drivers/net/bonding
	file=$(compgen -G "$folder/bonding.ko*") || skip "this guest has only one driver"
	modprobe tls
	unload
	insmod "$file" max_bonds=0
	make_links veth a0 b0
	make_b7_again
	says "The driver is the kernel's own bonding driver."
	wait_for 5 "both links" both_work
	wait_for 5 "the peer" ping_peer
	make_b7_again
	says "b7 is up already"
	exits 0 ib-bond --bond-name b7 --status
	says "b7 is well."
	is "$(ib_status b7 .driver.running)" in-tree
	changes_nothing 3 "there is no interface c0" ib-bond --bond-name b8 --slaves c0
	ib-bond --bond-name b7 --stop
	gone b7
	unload
}

# -- twice -----------------------------------------------------------------------------------

test_the_same_command_again_does_nothing() {
	make_b7
	everything >"$WORK/before"
	exits 0 ib-bond --bond-name b7 --bond-ip $OUR4 --slaves a0,b0
	says "b7 is up already"
	exits 0 ib-bond --bond-name b7
	says "b7 is up already"
	everything >"$WORK/after"
	diff "$WORK/before" "$WORK/after"
}

# The last address of IPv4 takes all routes with it, when it goes.
test_routes_stay_when_the_address_changes() {
	make_b7
	ip address add 192.0.2.77/24 dev b7
	ip route add default via $PEER4 proto static
	ip route add 203.0.113.0/24 via 198.51.100.7 dev b7 onlink
	ip route show | grep -v '^192' | sort >"$WORK/before"
	exits 0 ib-bond --bond-name b7 --bond-ip 192.0.2.9/24
	ip route show | grep -v '^192' | sort | diff "$WORK/before" -
	is "$(ip -j -4 address show dev b7 | jq -r '[.[0].addr_info[] | .local] | sort | join(" ")')" "192.0.2.77 192.0.2.9"
	wait_for 5 "the peer" ping_peer
	# What the new address cannot reach goes.
	exits 0 ib-bond --bond-name b7 --bond-ip 198.51.100.9/24
	ip address del 192.0.2.77/24 dev b7
	exits 0 ib-bond --bond-name b7 --bond-ip 198.51.100.10/24
	ip route show | lacks '^default'
	ip route show | has '203.0.113.0/24 via 198.51.100.7'
}

test_another_command_changes_what_differs() {
	local index
	make_b7
	make_links veth c0
	index=$(<$SYSFS/b7/ifindex)
	ip address add 198.51.100.1/24 dev b7
	exits 0 ib-bond --bond-name b7 --miimon 40
	says "b7 is changed"
	is "$(option b7 miimon)" 40
	exits 0 ib-bond --bond-name b7 --slaves b0,c0
	is "$(option b7 slaves)" "b0 c0"
	exits 0 ib-bond --bond-name b7 --bond-ip 192.0.2.9/28
	is "$(ip -j -4 address show dev b7 | jq -r '[.[0].addr_info[] | .local] | sort | join(" ")')" \
		"192.0.2.9 198.51.100.1"
	is "$(<$SYSFS/b7/ifindex)" "$index" "the number of b7"
	ip link set b7 down
	exits 0 ib-bond --bond-name b7
	says "b7 is changed"
	exits 0 ib-bond --bond-name b7
	says "b7 is up already"
}

test_an_unused_bond_is_taken_over() {
	load max_bonds=1
	make_links veth a0 b0
	exits 0 ib-bond --bond-ip $OUR4 --slaves a0,b0
	is "$(option bond0 mode)" "active-backup 1"
	is "$(option bond0 miimon)" 100
}

test_two_at_once_make_one_bond() {
	local pids=() pid number
	make_links veth a0 b0
	for number in 1 2 3; do
		ib-bond --bond-name b7 --bond-ip $OUR4 --slaves a0,b0 >"$WORK/said.$number" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	is "$(grep -c 'b7 is up:' "$WORK"/said.? | grep -c ':1$')" 1 "the number of those that made it"
	is "$(cat "$WORK"/said.? | grep -c 'is up already')" 2
}

# -- status ------------------------------------------------------------------------------------

test_the_exit_status_is_that_of_the_bond() {
	make_b7
	exits 0 ib-bond --bond-name b7 --status
	says "b7 is well."
	cut_link b0
	wait_for 5 "b0 to be down" mii_status b0 down
	exits 1 ib-bond --bond-name b7 --status
	says "b7 is degraded: b0 has no link."
	exits 1 ib-bond status b7
	exits 1 ib-bond --status-all
	cut_link a0
	wait_for 5 "a0 to be down" mii_status a0 down
	wait_for 5 "the bond to be down" no_carrier b7
	exits 2 ib-bond --bond-name b7 --status
	says "b7 is down: a0 has no link; b0 has no link."
	mend_link a0
	mend_link b0
	wait_for 5 "both links" both_work
	exits 0 ib-bond status
	ip link set b7 down
	exits 2 ib-bond status
	says "b7 is down: the bond is set down"
}

test_the_worst_bond_counts() {
	make_b7
	make_links veth c0 d0
	ib-bond --bond-name b8 --slaves c0,d0
	wait_for 5 "b8 to be well" ib_is b8 .state well
	exits 0 ib-bond --status-all
	says "b7 is well."
	says "b8 is well."
	cut_link d0
	wait_for 5 "d0 to be down" mii_status d0 down
	exits 1 ib-bond --status-all
	exits 0 ib-bond --bond-name b7 --status
}

test_json() {
	make_b7
	is "$(ib_status b7 '[.schema, .state, .bonds[0].mode, .bonds[0].active_slave, .bonds[0].made_by] | join(" ")')" \
		"1 well active-backup a0 command"
	is "$(ib_status b7 '.bonds[0].slaves | map("\(.name) \(.link) \(.role) \(.link_failures)") | join(", ")')" \
		"a0 up active 0, b0 up backup 0"
	is "$(ib_status b7 '.bonds[0].addresses | join(" ")')" "$OUR4/24"
	cut_link a0
	wait_for 5 "failover" active b7 b0
	wait_for 5 "a0 to be down" mii_status a0 down
	is "$(ib_status b7 '.state + " " + .bonds[0].active_slave')" "degraded b0"
	exits 1 ib-bond --status-all --json
	is "$(jq '.bonds | length' "$WORK/said")" 1
}

test_bonds_that_others_made_are_shown() {
	make_links veth a0 b0
	make_bond b7 mode balance-xor miimon 100
	enslave b7 a0 b0
	wait_for 5 "both links" both_work
	wait_for 5 "b7 to be well" ib_is b7 .state well
	is "$(ib_status b7 '.bonds[0].made_by')" null
	exits 0 ib-bond status
	says "balance-xor"
}

test_a_port_without_a_partner_is_told() {
	make_links veth a0 b0
	make_bond b7 mode 802.3ad miimon 100
	enslave b7 a0 b0
	wait_for 5 "both links" both_work
	is "$(ib_status b7 '.state == "well"')" false
	is "$(ib_status b7 '[.bonds[0].slaves[] | select(.carries_nothing)] | length > 0')" true
}

# -- stopping ---------------------------------------------------------------------------------

test_stop() {
	make_b7
	ib-bond --bond-name b7 --stop >"$WORK/said"
	says "b7 is deleted."
	gone b7
	exists a0
	[[ ! -e $SYSFS/a0/master ]]
	changes_nothing 3 "there is no bond b7" ib-bond --bond-name b7 --stop
	changes_nothing 3 "a0 is no bond" ib-bond --bond-name a0 --stop
	is "$(find /run/ib-bond -name '*.json')" ""
}

test_stop_all() {
	make_b7
	make_links veth c0 d0
	ib-bond --bond-name b8 --slaves c0,d0
	make_bond b9 mode active-backup
	exits 0 ib-bond --stop-all
	gone b7
	gone b8
	gone b9
	exits 0 ib-bond --stop-all
	says "There is no bond."
	exits 3 ib-bond --status-all
	says "there is no bond"
}

# -- what is refused ------------------------------------------------------------------------------

test_bad_arguments() {
	local bad
	make_links veth a0 b0
	for bad in "--bond-ip 192.0.2.1/33" "--bond-ip 192.0.2" "--bond-ip 192.0.2.0" "--bond-ip 192.0.2.1/255.255.255.0" \
		"--bond-name b/7" "--bond-name much-too-long-for-it" "--slaves a0,,b0" "--slaves a0,a0" "--miimon x" \
		"--bond-name b7 --stop --status" "--stop" "--nonsense" "nonsense"; do
		# shellcheck disable=SC2086
		changes_nothing 64 'lists the options' ib-bond $bad
	done
	exits 64 ib-bond
	says "Usage: ib-bond"
	exits 0 ib-bond --help
	exits 0 ib-bond --version
}

test_names_and_slaves_that_do_not_fit() {
	make_links veth a0 b0 c0
	ip link add br7 type bridge
	ip link set c0 master br7
	modprobe asked
	ip link add e0 type asked_none
	put 512 $SYSFS/e0/asked/type
	changes_nothing 3 "the name br7 is taken by a device that is no bond (bridge)" \
		ib-bond --bond-name br7 --slaves a0,b0
	changes_nothing 3 "there is no interface d0" ib-bond --bond-name b7 --slaves a0,d0
	changes_nothing 3 "there is no interface ib0" ib-bond --bond-ip 10.0.0.1
	changes_nothing 3 "a0 is no IPoIB interface" ib-bond --bond-name b7 --slaves a0.8001,b0
	changes_nothing 3 "c0 is in use by br7 already" ib-bond --bond-name b7 --slaves a0,c0
	changes_nothing 3 "e0 is neither an InfiniBand nor an Ethernet interface" ib-bond --bond-name b7 --slaves a0,e0
	changes_nothing 3 "b7 cannot be a slave of itself" ib-bond --bond-name b7 --slaves a0,b7
}

test_a_bond_of_somebody_else_is_left_alone() {
	make_links veth a0 b0 c0
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0
	wait_for 5 "both links" both_work
	changes_nothing 3 "b7 exists already over a0 and b0, and ib-bond has not made it" \
		ib-bond --bond-name b7 --bond-ip 192.0.2.77 --slaves a0,c0
	exits 0 ib-bond --bond-name b7 --bond-ip $OUR4 --slaves a0,b0
	says "b7 is up already"
}

test_no_rights() {
	make_b7
	changes_nothing 3 "needs root's rights" setpriv --bounding-set -all --inh-caps -all ib-bond --bond-name b8 --slaves a0
	changes_nothing 3 "needs root's rights" setpriv --bounding-set -all --inh-caps -all ib-bond --stop-all
	exits 0 setpriv --bounding-set -all --inh-caps -all ib-bond status
}

test_no_driver() {
	make_links veth a0 b0
	unload
	put /nonexistent/modprobe /proc/sys/kernel/modprobe
	changes_nothing 3 "/nonexistent/modprobe is missing; install the package kmod" ib-bond --bond-name b7 --slaves a0,b0
	put /bin/false /proc/sys/kernel/modprobe
	changes_nothing 3 "the bonding driver cannot be loaded" ib-bond --bond-name b7 --slaves a0,b0
	put /sbin/modprobe /proc/sys/kernel/modprobe
	mount -t tmpfs nothing "/usr/lib/modules"
	changes_nothing 3 "no bonding driver is installed for the kernel $(uname -r)" ib-bond --bond-name b7 --slaves a0,b0
	umount /usr/lib/modules
	ib-bond --bond-name b7 --slaves a0,b0
}

# -- each step fails in turn -----------------------------------------------------------------------
#
# Real failures, of the last step as well as of earlier ones. tests/ib-bond has every operation fail, on a machine in
# memory.

# A slave that is up, with addresses and routes, which it loses while it is down.
busy_slave() {
	ip link set a0 up
	ip address add 198.51.100.1/24 dev a0
	ip address add 2001:db8:5::1/64 dev a0 nodad
	ip route add 203.0.113.0/24 via 198.51.100.2
	ip route add 203.0.114.0/24 via 10.0.0.9 dev a0 onlink
	ip -6 route add 2001:db8:9::/48 via 2001:db8:5::2
	wait_for 5 "no tentative address" settled a0
}

settled() {
	ip -6 address show dev "$1" | lacks tentative
}

test_a_driver_that_was_loaded_is_unloaded_if_a_step_fails() {
	modprobe asked
	ip link add e0 type asked_mii
	make_links veth a0
	put open $SYSFS/e0/asked/refused
	unload
	changes_nothing 3 "e0 cannot be put into b7" ib-bond --bond-name b7 --slaves a0,e0
	if loaded; then
		fail "the driver is still loaded"
	fi
}

# The driver came for our bond, but somebody else has used it since.
test_a_driver_that_others_use_stays() {
	modprobe asked
	ip link add e0 type asked_mii
	make_links veth a0
	put open $SYSFS/e0/asked/refused
	unload
	printf '#!/bin/sh\n/sbin/modprobe "$@" && { [ "$1" != -q ] || ip link add b9 type bond; }\n' >"$WORK/modprobe"
	chmod +x "$WORK/modprobe"
	put "$WORK/modprobe" /proc/sys/kernel/modprobe
	exits 3 ib-bond --bond-name b7 --slaves a0,e0
	loaded
	exists b9
	gone b7
	ip link del b9
}

test_a_slave_that_refuses_undoes_everything() {
	modprobe asked
	ip link add e0 type asked_mii
	make_links veth a0
	busy_slave
	put open $SYSFS/e0/asked/refused
	changes_nothing 3 "; nothing has changed" ib-bond --bond-name b7 --bond-ip $OUR4 --slaves a0,e0
	says "e0 cannot be put into b7"
	put "" $SYSFS/e0/asked/refused
	ib-bond --bond-name b7 --bond-ip $OUR4 --slaves a0,e0
}

test_an_address_that_is_refused_undoes_everything() {
	make_links veth a0 b0
	busy_slave
	sysctl -qw net.ipv6.conf.default.disable_ipv6=1
	changes_nothing 3 "b7 cannot be given the address 2001:db8::1/64" \
		ib-bond --bond-name b7 --bond-ip 2001:db8::1/64 --slaves a0,b0
}

test_a_record_that_cannot_be_written_undoes_everything() {
	make_links veth a0 b0
	busy_slave
	ib-bond --bond-name b8 --slaves b0
	ib-bond --bond-name b8 --stop
	mount -t tmpfs -o ro nothing /run/ib-bond/net-*
	changes_nothing 3 "what was made for b7 cannot be recorded: Read-only file system" \
		ib-bond --bond-name b7 --bond-ip $OUR4 --slaves a0,b0
	umount /run/ib-bond/net-*
	mount -t tmpfs -o ro nothing /run/ib-bond
	changes_nothing 3 "/run/ib-bond/lock cannot be locked" ib-bond --bond-name b7 --slaves a0,b0
	umount /run/ib-bond
}

test_a_change_that_fails_is_undone_too() {
	make_b7
	modprobe asked
	ip link add e0 type asked_mii
	put open $SYSFS/e0/asked/refused
	changes_nothing 3 "e0 cannot be put into b7" ib-bond --bond-name b7 --miimon 30 --slaves a0,e0 --bond-ip 192.0.2.77
	wait_for 5 "both links" both_work
	wait_for 5 "the peer" ping_peer
}

# -- elsewhere --------------------------------------------------------------------------------------

test_each_network_namespace_has_its_own_bonds() {
	make_b7
	mk_namespace other
	ip -n other link add a0 type dummy
	ip -n other link add b0 type dummy
	ip netns exec other ib-bond --bond-name b7 --slaves a0,b0
	ip netns exec other ib-bond --bond-name b7 --stop
	exits 0 ib-bond status b7
	is "$(ib_status b7 '.bonds[0].made_by')" command
}

ktap_main "$@"
