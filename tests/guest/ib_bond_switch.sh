#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# parts: 2
# timeout: 1800
#
# "ib-bond switch": the driver is changed under a bond that is in use, and comes back if anything is
# wrong. Nobody, ifupdown, systemd-networkd or NetworkManager has made the bond.

. "${BASH_SOURCE[0]%/*}/configuring.sh"
. "${BASH_SOURCE[0]%/*}/ib_bond_command.sh"

eval "configuring_$(declare -f setup)"
eval "configuring_$(declare -f teardown)"

setup() {
	ours_only "is one of the two drivers here"
	install_ib_bond
	configuring_setup
}

teardown() {
	local process pid
	cat /run/ib-bond/switch/log 2>/dev/null
	# What a case has left of a switch must not go on in the next one.
	for process in $(processes guard) $(processes worker); do
		kill -9 "$process"
	done
	[[ ! -s $WORK/networkd.pid ]] || kill "$(<"$WORK/networkd.pid")"
	! pid=$(pgrep -x systemd) || kill -KILL "$pid"
	rm -f /usr/local/sbin/systemctl /run/modprobe.d/ib-bond-switch.conf
	configuring_teardown
	forget_ib_bond
}

# processes ROLE: the numbers of the processes of a switch in this role.
processes() {
	local file words
	for file in /proc/[0-9]*/cmdline; do
		mapfile -d '' -t words 2>/dev/null <"$file" || continue
		[[ "${words[*]}" != *"ib-bond switch --role $1" ]] || basename "${file%/cmdline}"
	done
}

no_processes() {
	[[ -z $(processes guard)$(processes worker) ]]
}

# runs rust|in-tree: this driver is loaded.
runs() {
	local taint
	loaded || return 1
	taint=$(</sys/module/bonding/taint)
	case $1 in
	rust) [[ $taint == *O* ]] ;;
	in-tree) [[ $taint != *O* ]] ;;
	esac
}

phase() {
	[[ $(jq -r .phase /run/ib-bond/switch/journal.json) == "$1" ]]
}

# What an administrator sees of bonds, and of what is on them.
seen() {
	local file
	for file in $SYSFS/*/bonding/* $SYSFS/*/bonding_slave/{queue_id,mii_status}; do
		case ${file##*/} in
		link_events | resilient_hash | rlb_ipv6 | announce_stations | ad_* | mii_status_*) continue ;;
		esac
		grep -H '' "$file" 2>/dev/null || :
	done
	ip -j -d link show | jq -r '.[] | [.ifname, .address, .mtu, .master, .link, .linkinfo.info_data.id,
		(.flags - ["LOWER_UP", "NO-CARRIER"] | sort | join(","))] | @text'
	ip -j address show | jq -r '.[] | .ifname as $name | .addr_info[] | select(.scope == "global") |
		[$name, .local, .prefixlen] | @text'
	ip route show
	ip -6 route show proto static
}

note() {
	seen >"$WORK/seen"
}

is_as_noted() {
	seen >"$WORK/now"
	diff "$WORK/seen" "$WORK/now"
}

# A link counts again after "updelay", and the primary slave becomes active then.
as_noted() {
	wait_for 20 "everything to be as before" is_as_noted
}

# A bond that nobody's configuration has, and what is on it.
by_hand() {
	over_ethernet
	ip link add b7 type bond mode active-backup miimon 50 updelay 100 num_grat_arp 3 resend_igmp 4
	enslave b7 a0 b0
	put b0 $SYSFS/b7/bonding/primary
	put "a0:2" $SYSFS/b7/bonding/queue_id
	ip link set b7 mtu 1400
	ip link set b7 up
	ip address add $OUR4/24 dev b7
	ip -6 address add $OUR6/64 dev b7 nodad
	ip link add link b7 name b7.5 type vlan id 5
	ip link set b7.5 up
	ip address add 198.51.100.1/24 dev b7.5
	ip route add default via $PEER4 proto static
	ip route add 203.0.113.0/24 via 198.51.100.7 proto static
	wait_for 20 "the primary to be active" active b7 b0
	peer_answers
	note
}

# -- forward and back ----------------------------------------------------------------------

test_a_bond_that_nobody_has_configured() {
	by_hand
	exits 0 ib-bond switch in-tree
	says "Made again: b7 and b7.5 by ib-bond"
	says "Has to answer afterwards: $PEER4"
	says 'Keep it with "ib-bond switch --confirm"'
	runs in-tree
	as_noted
	peer_answers
	exits 0 ib-bond switch --confirm
	says "At the next boot, bonding.ko in Rust is loaded"
	runs in-tree

	exits 0 ib-bond switch rust
	exits 0 ib-bond switch --confirm
	runs rust
	as_noted
	exits 0 ib-bond switch rust
	says "runs already"
	exits 3 ib-bond switch --rollback
	says 'go back with "ib-bond switch in-tree"'
	[[ ! -e /run/modprobe.d/ib-bond-switch.conf ]]
}

# What the option of our driver alone was set to is there again after both ways.
test_an_option_of_our_driver_alone() {
	by_hand
	set_option b7 link_events off
	exits 0 ib-bond switch in-tree
	exits 0 ib-bond switch --rollback
	runs rust
	is "$(option b7 link_events)" "off 0" link_events
}

test_a_bond_of_ib_bond() {
	over_ethernet
	exits 0 ib-bond --bond-name b7 --bond-ip $OUR4/24 --slaves a0,b0
	exits 0 ib-bond switch in-tree --check $PEER4
	exits 0 ib-bond switch --confirm
	works
	is "$(ib-bond status b7 --json | jq -r '.bonds[0].made_by')" command
	exits 0 ib-bond --bond-name b7 --stop
}

test_a_bond_in_a_bridge() {
	over_ethernet
	ip link add b7 type bond mode active-backup miimon 50
	enslave b7 a0 b0
	ip link set b7 up
	ip link add br7 type bridge forward_delay 0
	ip link set b7 master br7
	ip link set br7 up
	ip address add $OUR4/24 dev br7
	wait_for 20 "the peer to answer" ping_peer
	exits 0 ib-bond switch in-tree --check $PEER4
	exits 0 ib-bond switch --confirm
	[[ -e $SYSFS/b7/brport ]]
	peer_answers
}

# The peer's bridge does not speak LACP: one of the slaves carries the traffic.
test_an_802_3ad_bond() {
	over_ethernet
	ip link add b7 type bond mode 802.3ad miimon 50 lacp_rate fast xmit_hash_policy layer3+4 min_links 1
	enslave b7 a0 b0
	ip link set b7 up
	ip address add $OUR4/24 dev b7
	wait_for 60 "the peer to answer" ping_peer
	exits 0 ib-bond switch in-tree --check $PEER4
	exits 0 ib-bond switch --confirm
	is "$(option b7 mode) $(option b7 lacp_rate) $(option b7 xmit_hash_policy)" "802.3ad 4 fast 1 layer3+4 1"
	is "$(option b7 min_links)" 1 min_links
	peer_answers
}

# -- nobody confirms, or something is wrong ------------------------------------------------

test_nobody_confirms() {
	by_hand
	exits 0 ib-bond switch in-tree --confirm-within 5
	runs in-tree
	wait_for 60 "the driver to come back" phase back
	runs rust
	as_noted
	exits 0 ib-bond switch --status
	says "nobody has confirmed within 5 s"
	exits 3 ib-bond switch --confirm
	says "the last switch is over"
}

# The peer falls silent under the new driver.
test_the_gateway_does_not_answer() {
	over_ethernet
	cat >"$WORK/hook" <<-END
		#!/bin/bash
		state=down
		[[ \$(</sys/module/bonding/taint) != *O* ]] || state=up
		ip -n peer link set br0 \$state
	END
	chmod +x "$WORK/hook"
	interfaces "bond-slaves ${SLAVES[*]}" "bond-miimon 50" "gateway $PEER4" "post-up $WORK/hook"
	ifup b7
	works
	exits 3 ib-bond switch in-tree --check-within 5
	says "Has to answer afterwards: $PEER4"
	says "going back: $PEER4 does not answer after 5 s"
	says "bonding.ko in Rust runs again"
	runs rust
	works
}

test_rollback_does_not_wait() {
	by_hand
	exits 0 ib-bond switch in-tree --confirm-within 3600
	exits 3 ib-bond switch rust
	says "a switch goes on already"
	runs in-tree
	exits 0 ib-bond switch --rollback
	says "bonding.ko in Rust runs again"
	runs rust
	as_noted
}

# The new driver does not load: its file is broken.
test_the_other_driver_does_not_load() {
	local file
	by_hand
	file=$(echo /lib/modules/*/kernel/drivers/net/bonding/bonding.ko*)
	cp "$file" "$WORK/good"
	# An empty section of the module is enough: the kernel does not take it.
	head -c 4096 "$WORK/good" >"$file"
	exits 3 ib-bond switch in-tree
	cp "$WORK/good" "$file"
	says "going back"
	says "bonding.ko in Rust runs again"
	runs rust
	as_noted
}

# -- the processes die -----------------------------------------------------------------------

test_the_worker_is_asked_to_end() {
	by_hand
	exits 0 ib-bond switch in-tree --confirm-within 3600
	kill -TERM "$(processes worker)"
	wait_for 60 "the driver to come back" phase back
	runs rust
	as_noted
}

test_the_worker_is_killed() {
	by_hand
	exits 0 ib-bond switch in-tree --confirm-within 3600
	kill -KILL "$(processes worker)"
	wait_for 60 "the driver to come back" phase back
	runs rust
	as_noted
	exits 0 ib-bond switch --status
	says "has died"
}

test_the_guard_is_killed() {
	by_hand
	exits 0 ib-bond switch in-tree --confirm-within 5
	kill -KILL "$(processes guard)"
	wait_for 60 "the driver to come back" phase back
	runs rust
	as_noted
}

test_both_are_killed() {
	by_hand
	exits 0 ib-bond switch in-tree --confirm-within 3600
	# shellcheck disable=SC2046
	kill -KILL $(processes guard) $(processes worker)
	wait_for 10 "their end" no_processes
	exits 3 ib-bond switch rust
	says "the last switch was interrupted"
	exits 3 ib-bond switch --confirm
	says "the switch was interrupted"
	exits 0 ib-bond switch --rollback
	runs rust
	as_noted
}

# The terminal is cut off while the driver is changed.
test_the_terminal_goes() {
	by_hand
	setsid bash -c 'ib-bond switch in-tree --confirm-within 3600 >/dev/null & echo $$ >"$1"; wait' _ "$WORK/session" &
	wait_for 20 "the switch to begin" test -s /run/ib-bond/switch/log
	kill -HUP -- "-$(<"$WORK/session")"
	wait_for 60 "the new driver to wait" phase waiting
	runs in-tree
	exits 0 ib-bond switch --confirm
	as_noted
}

# -- what is refused beforehand ----------------------------------------------------------------

# refuses TEXT WORD...: the command says TEXT in one sentence, and nothing has changed.
refuses() {
	local text=$1
	shift
	note
	exits 3 ib-bond switch "$@"
	says "$text"
	is "$(wc -l <"$WORK/said")" 1 "the number of lines of $(<"$WORK/said")"
	as_noted
	runs "${DRIVER-rust}"
}

test_refusals() {
	local file
	by_hand
	exec {file}<$SYSFS/../../kernel/debug/bonding/b7/events
	refuses "events open); end that, and try again; nothing has changed" in-tree
	exec {file}<&-
	refuses "192.0.2.77 does not answer now" in-tree --check 192.0.2.77
	refuses "no switch waits" --confirm
	refuses "no switch waits" --rollback
	ip link add link b7 name macvlan7 type macvlan
	refuses "macvlan7 (macvlan) on b7" in-tree
	ip link delete macvlan7
	ip netns add other
	ip -n other link add b8 type bond
	refuses "b8 in the network namespace other" in-tree
	ip netns delete other
	exits 64 ib-bond switch
	exits 64 ib-bond switch upstream
	exits 64 ib-bond switch --confirm --force
	exits 3 setpriv --bounding-set=-sys_module --inh-caps=-sys_module ib-bond switch in-tree
	says "root's rights"
	unload
	exits 3 ib-bond switch in-tree
	says "no bonding driver is loaded"
}

# What would be lost is lost if one insists.
test_force() {
	by_hand
	ip link add link b7 name macvlan7 type macvlan
	exits 0 ib-bond switch in-tree --force
	runs in-tree
	exits 0 ib-bond switch --confirm
	wait_for 5 "macvlan7 to be gone" gone macvlan7
}

test_a_bond_that_balances() {
	local before
	over_ethernet
	ip link add b7 type bond mode balance-alb miimon 50 lp_interval 7
	before=$(ip -d -j link show b7 | jq -c '.[0].linkinfo')
	exits 0 ib-bond switch in-tree
	exits 0 ib-bond switch --confirm
	is "$(ip -d -j link show b7 | jq -c '.[0].linkinfo')" "$before" "the bond"
	exits 0 ib-bond switch rust
	exits 0 ib-bond switch --confirm
	is "$(ip -d -j link show b7 | jq -c '.[0].linkinfo')" "$before" "the bond"
}

# -- ifupdown, systemd-networkd and NetworkManager ---------------------------------------------

# there_and_back CONFIGURATOR: both ways with a confirmation, and once without one.
there_and_back() {
	exits 0 ib-bond switch in-tree --check $PEER4
	says "Made again: b7 by $1"
	runs in-tree
	works
	exits 0 ib-bond switch --confirm
	exits 0 ib-bond switch rust --check $PEER4 --confirm-within 3
	runs rust
	wait_for 120 "the driver to come back" phase back
	runs in-tree
	works
	exits 0 ib-bond switch rust --check $PEER4
	exits 0 ib-bond switch --confirm
	runs rust
	works
	fails_over
}

test_ifupdown() {
	over_ethernet
	interfaces "bond-slaves ${SLAVES[*]}" "bond-miimon 50"
	ifup b7
	works
	there_and_back ifupdown
	is "$(option b7 miimon)" 50 miimon
	ifdown b7
	is_taken_down
}

test_ifupdown_with_stanzas_of_slaves() {
	local slave
	over_ethernet
	interfaces "bond-slaves none" "bond-miimon 50"
	for slave in "${SLAVES[@]}"; do
		printf 'iface %s inet manual\n\tbond-master b7\n' "$slave" >>/etc/network/interfaces.d/b7
	done
	ifup b7 "${SLAVES[@]}"
	works
	there_and_back ifupdown
	ifdown b7
	is_taken_down
}

# ifupdown makes a VLAN on a bond that it does not know.
test_a_configured_vlan_on_a_bond_made_by_hand() {
	over_ethernet
	ip link add b7 type bond mode active-backup miimon 50
	enslave b7 a0 b0
	ip link set b7 up
	ip address add $OUR4/24 dev b7
	printf '%s\n' 'iface b7.5 inet static' ' address 198.51.100.1/24' ' vlan-raw-device b7' >/etc/network/interfaces.d/v
	ifup b7.5
	wait_for 20 "both links" mii_status b0 up
	peer_answers
	note
	exits 0 ib-bond switch in-tree --check $PEER4
	says "Made again: b7.5 by ifupdown; b7 by ib-bond"
	as_noted
	exits 0 ib-bond switch --confirm
	lacks "going back" /run/ib-bond/switch/log
	exits 0 ib-bond switch rust --check $PEER4
	exits 0 ib-bond switch --confirm
	as_noted
	ifdown b7.5
	rm /etc/network/interfaces.d/v
}

# systemd is not the first process here, so nothing restarts a service: this does.
make_systemctl() {
	cat >/usr/local/sbin/systemctl <<-END
		#!/bin/bash
		[[ "\$*" == "restart systemd-networkd.service" ]] || exit 1
		[[ ! -s $WORK/networkd.pid ]] || kill \$(<$WORK/networkd.pid)
		/usr/lib/systemd/systemd-networkd &>>$WORK/networkd.log </dev/null &
		echo \$! >$WORK/networkd.pid
	END
	chmod +x /usr/local/sbin/systemctl
}

test_networkd() {
	over_ethernet
	make_system
	make_systemctl
	networkd_files <<-END
		[NetDev]
		Name=b7
		Kind=bond
		[Bond]
		Mode=active-backup
		MIIMonitorSec=50ms
	END
	/usr/local/sbin/systemctl restart systemd-networkd.service
	works
	there_and_back systemd-networkd
	is "$(option b7 miimon)" 50 miimon
}

test_networkmanager() {
	local slave
	over_ethernet
	make_system
	daemon manager NetworkManager --no-daemon
	wait_for 60 "NetworkManager to answer" nmcli general status
	nmcli connection add type bond con-name b7 ifname b7 bond.options "mode=active-backup,miimon=50" \
		ipv4.method manual ipv4.addresses $OUR4/24 ipv6.method disabled
	for slave in "${SLAVES[@]}"; do
		nmcli connection add type ethernet con-name "$slave" ifname "$slave" controller b7 port-type bond
		nmcli connection up "$slave"
	done
	works
	there_and_back NetworkManager
	is "$(option b7 miimon)" 50 miimon
	nmcli connection delete b7 "${SLAVES[@]}"
}

test_infiniband() {
	over_infiniband
	exits 0 ib-bond --bond-name b7 --bond-ip $OUR4/24 --slaves a0,b0
	works
	exits 0 ib-bond switch in-tree --check $PEER4
	exits 0 ib-bond switch --confirm
	works
	exits 0 ib-bond switch rust --check $PEER4
	exits 0 ib-bond switch --confirm
	works
	fails_over
}

# -- under systemd ---------------------------------------------------------------------------------

# A systemd of its own, in namespaces: what a test starts, and nothing else.
start_systemd() {
	printf '[Unit]\nDescription=What a test starts\nDefaultDependencies=no\n' >/etc/systemd/system/only.target
	mkdir -p /sys/fs/cgroup/systemd
	bash -c 'echo $$ >/sys/fs/cgroup/systemd/cgroup.procs
		exec unshare --fork --pid --mount --cgroup --mount-proc bash -c "mount -t cgroup2 cgroup /sys/fs/cgroup
			exec env container=guest /usr/lib/systemd/systemd --unit=only.target"' &
	wait_for 60 "systemd" in_systemd systemctl is-system-running
}

in_systemd() {
	local pid
	pid=$(pgrep -x systemd) || return 1
	nsenter --target "$pid" --mount --pid --cgroup "$@"
}

# The processes are not those of the session, but a service: its end leads back, too.
test_a_service_of_systemd() {
	by_hand
	start_systemd
	exits 0 in_systemd ib-bond switch in-tree --confirm-within 3600
	in_systemd systemctl is-active ib-bond-switch.service
	grep -q ib-bond-switch.service "/proc/$(processes worker)/cgroup"
	in_systemd systemctl stop ib-bond-switch.service
	phase back
	runs rust
	as_noted
	exits 0 in_systemd ib-bond switch in-tree
	exits 0 in_systemd ib-bond switch --confirm
	runs in-tree
	as_noted
}

service_is_gone() {
	! in_systemd systemctl is-active ib-bond-switch.service
}

# A DHCP client, for instance. The service must not take it along when it ends.
test_what_a_configurator_has_started_stays() {
	over_ethernet
	interfaces "bond-slaves ${SLAVES[*]}" "bond-miimon 50" "up setsid sleep 12345 >/dev/null 2>&1 </dev/null &"
	ifup b7
	works
	pkill -fx 'sleep 12345'
	start_systemd
	exits 0 in_systemd ib-bond switch in-tree
	pgrep -fx 'sleep 12345'
	exits 0 in_systemd ib-bond switch --confirm
	wait_for 20 "the end of the service" service_is_gone
	pause 1
	pgrep -fx 'sleep 12345' || fail "what ifup had started has gone with the service"
	pkill -fx 'sleep 12345'
	ifdown b7
}

ktap_main "$@"
