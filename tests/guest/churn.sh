#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount --cpus 2
# timeout: 1800
# kernels: distro debug kcsan
# not in uml: a race needs two CPUs
#
# Everybody changes everything at once: eight writers against each other, under traffic, for some
# time. Afterwards nothing is left behind, and a new bond works. By hand, for longer:
#
#   scripts/guest --kernel debug --icount --cpus 2 --timeout 7200 -- \
#       env SECONDS_OF_CHURN=600 bash /project/tests/guest/churn.sh
#
# The lines in the output that begin with "# churn:" say how many rounds each writer has made. A
# writer's errors do not count: the device that it wants may be gone. What counts is that the kernel
# does not complain.

. "${BASH_SOURCE[0]%/*}/bond.sh"

# Seconds of the guest's clock, which counts instructions: a busy machine does not make the test any
# gentler. Only a kernel with checkers, where a command takes 80 million instructions, sees most of
# what can go wrong here.
if kernel_is debug || kernel_is kcsan; then
	SECONDS_OF_CHURN=${SECONDS_OF_CHURN-60}
else
	SECONDS_OF_CHURN=${SECONDS_OF_CHURN-10}
fi

exec {FIGURES}>&1

setup() {
	loaded || modprobe bonding max_bonds=0
	modprobe netdevsim
	build stream
	sysctl -qw net.ipv6.conf.default.accept_dad=0
	make_peer
}

# -- what there is to fight for -----------------------------------------------------------------

# b1 and b2 are bonds, v0 to v3 links to the peer, n0 and n1 netdevsim, d0 a dummy.
BONDS=(b1 b2)
SLAVES=(v0 v1 v2 v3 n0 n1 d0)

# any NAME...: picks one of them.
any() {
	local all=("$@")
	ANY=${all[RANDOM % $#]}
}

# Makes missing devices again, bonds among them, since the module was unloaded.
make_what_is_missing() {
	local name
	for name in "${BONDS[@]}"; do
		exists $name || {
			ip link add $name type bond mode active-backup miimon 10
			ip link set $name up
			ip address add 192.0.2.1${name#b}/24 dev $name
		}
	done
	for name in v0 v1 v2 v3; do
		exists $name || {
			ip -n peer link delete ${name}p
			ip link add $name type veth peer name ${name}p netns peer
			ip -n peer link set ${name}p master br0 up
		}
	done
	exists d0 || ip link add d0 type dummy
}

# did WHAT: notes that it has worked; most attempts here are refused, or their device is gone.
did() {
	: >"$WORK/did.$1"
}

# -- the writers ----------------------------------------------------------------------------------

# Good values, and some that are never valid, or not at this moment.
OPTIONS=(mode:0 mode:1 mode:2 mode:3 mode:4 mode:4 mode:5 mode:6 tlb_dynamic_lb:0 tlb_dynamic_lb:1
	rlb_ipv6:1 rlb_ipv6:0 announce_stations:1 announce_stations:0 lacp_rate:0 lacp_rate:1 lacp_active:0 lacp_active:1
	ad_actor_sys_prio:7 ad_actor_system:02:00:00:00:00:77 ad_user_port_key:5 ad_select:2 miimon:0 miimon:1 miimon:100 updelay:100 downdelay:100 updelay:0
	primary:v0 primary:n0 primary: primary_reselect:0 primary_reselect:2 fail_over_mac:0 fail_over_mac:1
	fail_over_mac:2 active_slave:v1 active_slave:n1 active_slave: num_grat_arp:0 num_grat_arp:9
	all_slaves_active:0 all_slaves_active:1 resend_igmp:3 min_links:0 min_links:1 use_carrier:0 use_carrier:1
	arp_interval:0 arp_interval:10 arp_ip_target:+192.0.2.2 arp_ip_target:-192.0.2.2 arp_validate:0
	arp_validate:3 xmit_hash_policy:0 xmit_hash_policy:1 xmit_hash_policy:4 packets_per_slave:0
	packets_per_slave:7 queue_id:v0:1 queue_id:v0:0 lp_interval:3 slaves:+v0 slaves:-v0)

# Reads files without a process.
skim() {
	local file line
	for file; do
		while read -r line; do :; done <"$file"
	done
}

writer_sysfs() {
	local option
	for _ in {1..30}; do
		any "${OPTIONS[@]}" && option=$ANY && any "${BONDS[@]}"
		echo "${option#*:}" >$SYSFS/$ANY/bonding/${option%%:*}
	done
	skim $SYSFS/$ANY/bonding/* $SYSFS/*/bonding_slave/* /proc/net/bonding/* /sys/kernel/debug/bonding/*/*
}

# batch FUNCTION: some commands of ip in one process. ip looks up a name only once per process, so
# not more.
batch() {
	for _ in {1..8}; do $1; done | ip -force -batch -
}

writer_netlink() {
	batch change_options
}

change_options() {
	local bond
	any "${BONDS[@]}"
	bond=$ANY
	any "mode 1" "mode 0" "mode 2" "mode 4" "mode 4" "mode 5" "mode 6" "mode 6" "lp_interval 1" "miimon 5" "miimon 0 arp_interval 20 arp_ip_target 192.0.2.2" "arp_interval 0 miimon 100" \
		"primary v1" "active_slave n0" "min_links 1" "fail_over_mac 0" "num_grat_arp 5" "updelay 10 downdelay 10"
	echo "link set $bond type bond $ANY"
	any "${SLAVES[@]}"
	echo "link set $ANY type bond_slave queue_id $((RANDOM % 4))"
	echo "link set $ANY type bond_slave prio $((RANDOM % 9))"
	((RANDOM % 10)) || echo "-d link show"
}

writer_slaves() {
	batch move_slaves
}

move_slaves() {
	local bond
	any "${BONDS[@]}"
	bond=$ANY
	any "${SLAVES[@]}"
	echo "link set $ANY down"
	echo "link set $ANY master $bond"
	any "${SLAVES[@]}"
	((RANDOM % 2)) || echo "link set $ANY nomaster"
}

writer_namespaces() {
	local name=x$((RANDOM % 3))
	ip netns add $name && did namespaces || {
		ip netns delete $name
		return
	}
	ip -n $name -force -batch - <<-END
		link add b3 type bond mode balance-alb
		link add br3 type bridge
		link set b3 master br3
		link add u0 type veth peer name u1
		link set b3 up
		link set u0 master b3
		link add b1 type bond mode active-backup miimon 10
		link add w0 type veth peer name w1
		link set b1 up
		link set w0 master b1
		link set w1 up
		link add d0 type dummy
		link set d0 master b1
		link add b2 type bond mode balance-xor
		link set d0 nomaster
	END
	ip netns delete $name
}

# Removes a netdevsim through its driver, and a veth pair by its far end.
writer_drivers() {
	local name=n$((RANDOM % 2)) id
	id=10${name#n}
	if exists $name; then
		echo $id >/sys/bus/netdevsim/del_device && did drivers
	else
		echo "$id 1" >/sys/bus/netdevsim/new_device
		for device in /sys/bus/netdevsim/devices/netdevsim$id/net/*; do
			ip link set ${device##*/} name $name
		done
	fi
	any v0 v1 v2 v3
	((RANDOM % 3)) || ip -n peer link delete ${ANY}p
}

writer_bonds() {
	make_what_is_missing
	batch make_bonds
}

make_bonds() {
	any balance-xor balance-tlb balance-alb
	echo "link add c1 type bond mode $ANY miimon 10"
	echo "link set c1 up"
	any "${SLAVES[@]}"
	echo "link set $ANY down"
	echo "link set $ANY master c1"
	echo "link add link c1 c1.5 type vlan id 5"
	echo +c2 >$SYSFS/bonding_masters
	echo "link delete c1"
	echo -c2 >$SYSFS/bonding_masters
	((RANDOM % 20)) || {
		any "${BONDS[@]}"
		echo "link delete $ANY"
	}
}

writer_links() {
	batch change_links
	any v0 v1 v2 v3
	ip -n peer link set ${ANY}p down
	ip -n peer link set ${ANY}p up
}

change_links() {
	any "${SLAVES[@]}" "${BONDS[@]}"
	echo "link set $ANY down"
	echo "link set $ANY up"
	any "${BONDS[@]}"
	echo "link set $ANY mtu $((1400 + RANDOM % 3 * 50))"
	echo "link set $ANY promisc on"
	echo "link set $ANY promisc off"
}

# Rests a second or so, so that the others have something to fight for.
writer_module() {
	pause 1.$((RANDOM % 10))
	rmmod bonding && did module
	modprobe bonding max_bonds=$((RANDOM % 2)) mode=$((RANDOM % 7)) miimon=$((RANDOM % 100))
	make_what_is_missing
}

traffic() {
	ping -q -i 0.002 -c 1000 -w 5 $PEER4 | has ' [1-9][0-9]* received' && did traffic
	ping -q -i 0.002 -c 1000 -w 5 -b 192.0.2.255
}

WRITERS=(writer_sysfs writer_netlink writer_slaves writer_namespaces writer_drivers writer_bonds writer_links writer_module)

# repeat FUNCTION: runs it until the time is up, and counts the rounds in a file. A line that fails
# does not stop it.
repeat() {
	local rounds=0
	trap - ERR
	set +eEu +o pipefail
	exec &>/dev/null
	RANDOM=$BASHPID
	while [[ ! -e $WORK/stop ]]; do
		$1
		echo $((++rounds)) >"$WORK/rounds.$1"
	done
}

# -- afterwards -----------------------------------------------------------------------------------

remove_everything() (
	set +eE
	trap - ERR
	teardown
) &>/dev/null

only_loopback() {
	local devices
	devices=$(ip -o link show | grep -v ': lo:' || :)
	echo "$devices"
	[[ -z $devices ]]
}

# All writers have stopped; one that never stops shows up as a task stuck in the kernel.
ended() {
	local pid
	for pid; do
		[[ ! -e /proc/$pid ]] || {
			cat /proc/"$pid"/{stat,stack}
			return 1
		}
	done
}

# What must have happened before the test ends: every writer has completed a round, each kind of
# attempt has worked at least once, and links were lost and taken over. On a busy host that takes
# longer than on an idle one.
everything_has_happened() {
	local missing=() name line
	for name in "${WRITERS[@]}"; do
		[[ -e $WORK/rounds.$name ]] || missing+=("$name never got round")
	done
	for name in namespaces drivers module traffic; do
		[[ -e $WORK/did.$name ]] || missing+=("of all that was tried with $name, nothing has worked")
	done
	dmesg >"$WORK/log"
	for line in "Enslaving as" "Releasing" "link status definitely down" "interface the new active one"; do
		grep -q "$line" "$WORK/log" || missing+=("never in the kernel log: $line")
	done
	((${#missing[@]} == 0)) || {
		printf '%s\n' "${missing[@]}"
		return 1
	}
}

test_everybody_at_once() {
	local writer pids=() began=$SECONDS
	[[ ! -w /sys/kernel/debug/kmemleak ]] || put clear /sys/kernel/debug/kmemleak
	(set +eE; trap - ERR; make_what_is_missing) &>/dev/null
	for writer in "${WRITERS[@]}" traffic traffic; do
		repeat "$writer" &
		pids+=($!)
	done
	pause "$SECONDS_OF_CHURN"
	wait_for 120 "everything to have happened" everything_has_happened
	touch "$WORK/stop"
	wait_for 120 "the writers to stop" ended "${pids[@]}"
	for writer in "${WRITERS[@]}"; do
		echo "# churn: ${writer#writer_} got round $(<"$WORK/rounds.$writer") times in $((SECONDS - began)) s" >&"$FIGURES"
	done

	remove_everything
	wait_for 60 "all devices to be gone" only_loopback
	loaded || modprobe bonding max_bonds=0
	is "$(references)" 0 "reference count of the module"
	rmmod bonding
	modprobe bonding max_bonds=0
}

test_a_new_bond_works() {
	make_links veth a0 b0
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0
	wait_for 10 "the peer to answer" ping_peer
	active b7 a0
	cut_link a0
	wait_for 10 "b0 to be active" active b7 b0
	wait_for 10 "the peer to answer over b0" ping_peer
}

# kmemleak reports an object only when it is some seconds old and was found unreferenced in two
# scans.
test_nothing_is_leaked() {
	[[ -w /sys/kernel/debug/kmemleak ]] || {
		! kernel_is debug || fail "the leak detector is off"
		skip "this kernel looks for no leaks"
	}
	pause 6
	put scan /sys/kernel/debug/kmemleak
	put scan /sys/kernel/debug/kmemleak
	cat /sys/kernel/debug/kmemleak >"$WORK/leaks"
	[[ ! -s $WORK/leaks ]] || fail "the kernel has lost memory: $(head -n 100 "$WORK/leaks")"
}

ktap_main "$@"
