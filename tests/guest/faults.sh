#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 2400
# kernels: debug
# parts: 4
#
# Memory runs out: each allocation of an operation fails once, in turn. Either the operation is
# refused, and everything is as before; or it succeeds completely, because it can do without the
# allocation. Then the next attempt succeeds. tests/tools/faults.c implements this, and says more.
# Needs the debug kernel:
#
#   make test KERNEL=debug T=faults
#
# The lines that begin with "# faults:" in build/test-logs/faults@debug.output say how many failure
# points were tried.

. "${BASH_SOURCE[0]%/*}/failover/silence.sh"
. "${BASH_SOURCE[0]%/*}/ipoib.sh"

DEBUGFS=/sys/kernel/debug
BONDING=$SYSFS/b7/bonding
# Counters that change with each failover, or with each lost link.
COUNTS=(-i "Link Failure Count" -i /link_failure_count -i /18/5/3:)

exec {FIGURES}> >(exec sed -u "s/^/# faults: /")

setup() {
	[[ -w /proc/thread-self/fail-nth ]] || fail "this kernel injects no faults; the debug kernel does"
	loaded || modprobe bonding max_bonds=0
	# What IPv6 does to a device in the background is not the subject here.
	sysctl -qw net.ipv6.conf.default.disable_ipv6=1
	build faults
	set_up_failures
	failed=()
}

# Lets every allocation fail; the log says who wanted the memory. Those of the leak detector are
# excluded: it has a pool of its own, and would switch itself off.
set_up_failures() {
	local kind begin end
	begin=$(leak_detector head -n 1) end=$(leak_detector tail -n 1)
	((end - begin < 0x20000)) || fail "the leak detector is not from $begin to $end"
	code reject "$begin" "$end"
	for kind in $DEBUGFS/failslab $DEBUGFS/fail_page_alloc; do
		put N $kind/ignore-gfp-wait
		put 2 $kind/verbose
		put 0 $kind/verbose_ratelimit_interval_ms
		put 32 $kind/stacktrace-depth
	done
	put N $DEBUGFS/fail_page_alloc/ignore-gfp-highmem
	put 0 $DEBUGFS/fail_page_alloc/min-order
}

# code require|reject BEGIN END: fail only the allocations of the code in that range, including its
# callees' (require); or fail all but those (reject). There is one such range of each.
code() {
	local kind
	for kind in $DEBUGFS/failslab $DEBUGFS/fail_page_alloc; do
		put "$2" $kind/"$1"-start
		put "$3" $kind/"$1"-end
	done
}

# spare FUNCTION: excludes this function, instead of the leak detector.
spare() {
	local range
	range=$(sort /proc/kallsyms | awk -v name="$1" 'begin { print begin, "0x" $1; begin = "" }
		$3 == name { begin = "0x" $1 }')
	[[ $range ]] || fail "the kernel has no function $1"
	# shellcheck disable=SC2086
	code reject $range
}

# The addresses where the leak detector's core begins and ends; the functions that others call are
# elsewhere.
leak_detector() {
	grep -E ' t (mem_pool_alloc|__alloc_object|__create_object|create_object|create_object_percpu|kmemleak_seq_show)$' \
		/proc/kallsyms | sort | awk '{ print "0x" $1 }' | "$@"
}

# What an operation can do without, and failures that the kernel does not report to its callers:
# debugfs; that IPv4 and IPv6 could not join their groups on a device that comes up; that the links
# between devices in sysfs do not follow a new name.
OPTIONAL=(-a debugfs=/sys/kernel/debug/bonding -a ip_mc_up=dev_mcast: -a ip_mc_init_dev=dev_mcast:
	-a ipv6_add_dev=dev_mcast: -a igmp_group_added=dev_mcast: -a igmp6_group_added=dev_mcast:
	-a netdev_adjacent_rename_links=/sys/class/net/)

# try NAME CALL...: each allocation of the first call fails in turn.
try() {
	faults "${OPTIONAL[@]}" "${COUNTS[@]}" "$@" 2>&1 | tee "$WORK/faults" >&"$FIGURES" || failed+=("$1")
	cat "$WORK/faults"
}

# Called at the end of each case.
all_done() {
	((${#failed[@]} == 0)) || fail "not as it should be: ${failed[*]}"
}

# add_slaves KIND NAME...
add_slaves() {
	local kind=$1 name
	shift
	if [[ $kind != dummy ]]; then
		# With a far end: without one a veth has no carrier, and a netdevsim has it only
		# until it is first closed.
		make_links "$kind" "$@"
		return
	fi
	for name; do
		ip link add "$name" address "$(link_address "$name")" type "$kind"
	done
}

# The address is fixed, so that it stays the same when the bond is made again.
add_bond() {
	ip link add b7 address 02:00:00:00:07:07 numtxqueues 2 numrxqueues 1 type bond "$@"
	ip link set b7 up
}

# bond_of KIND OPTION...: a bond of a0 and b0, of which a0 is active.
bond_of() {
	local kind=$1
	shift
	add_slaves "$kind" a0 b0
	add_bond "$@"
	enslave b7 a0 b0
	wait_for 10 "the bond to have carrier" has_carrier b7
}

NEW="add b7 bond address=02:00:00:00:07:07 txqueues=2 rxqueues=1"

# -- bonds come and go ------------------------------------------------------------------

test_create_and_delete() {
	# shellcheck disable=SC2086
	{
		try create $NEW , del b7
		try "create with options" $NEW mode=1 miimon=100 updelay=200 fail_over_mac=1 num_grat_arp=3 , del b7
		try "create by bonding_masters" write $SYSFS/bonding_masters +b7 , del b7
		ip link add b7 address 02:00:00:00:07:07 numtxqueues 2 numrxqueues 1 type bond
		try "delete" del b7 , $NEW
		try "delete by bonding_masters" write $SYSFS/bonding_masters -b7 , $NEW
		try "up" set b7 flags=1 , set b7 flags=0
		ip link set b7 up
		try "down" set b7 flags=0 , set b7 flags=1
	}
	all_done
}

test_delete_with_slaves() {
	bond_of dummy mode active-backup miimon 100
	# shellcheck disable=SC2086
	try "delete with two slaves" del b7 , $NEW mode=1 miimon=100 , set b7 flags=1 , \
		set a0 master=b7 , set b0 master=b7
	all_done
}

# -- slaves come and go -----------------------------------------------------------------

# enslave_and_release KIND WORD OPTION...
enslave_and_release() {
	local kind=$1 word=$2
	shift 2
	add_slaves "$kind" a0 b0
	add_bond "$@"
	try "$kind, $word: enslave the first" set a0 master=b7 , set a0 master=none
	enslave b7 a0
	wait_for 10 "the bond to have carrier" has_carrier b7
	try "$kind, $word: enslave the second" set b0 master=b7 , set b0 master=none
	enslave b7 b0
	try "$kind, $word: release the second" set b0 master=none , set b0 master=b7
	ip link set b0 nomaster
	try "$kind, $word: release the last" set a0 master=none , set a0 master=b7
	all_done
}

test_dummy_active_backup() {
	enslave_and_release dummy active-backup mode active-backup miimon 100
}

test_dummy_round_robin() {
	enslave_and_release dummy balance-rr mode balance-rr miimon 100
}

test_dummy_xor() {
	enslave_and_release dummy balance-xor mode balance-xor miimon 100
}

test_dummy_broadcast() {
	enslave_and_release dummy broadcast mode broadcast miimon 100
}

# Without a partner, one slave carries the traffic. The system would have the bond's address, which is
# random.
test_veth_lacp() {
	enslave_and_release veth 802.3ad mode 802.3ad ad_actor_system 02:00:00:00:00:ad
}

# What belongs to the modes is allocated when the first slave joins. veth slaves have a speed.
test_veth_tlb() {
	enslave_and_release veth balance-tlb mode balance-tlb
}

test_veth_alb() {
	enslave_and_release veth balance-alb mode balance-alb
}

# The stations behind the bond are announced, or a warning says that they are not.
test_failover_with_stations() {
	bond_of veth mode active-backup miimon 100
	set_option b7 announce_stations on
	ip link add link b7 name mv0 address 02:00:00:00:05:01 type macvlan mode bridge
	ip link set mv0 up
	try "failover with a macvlan" write $BONDING/active_slave b0 , write $BONDING/active_slave a0
	all_done
}

test_netdevsim_active_backup() {
	enslave_and_release netdevsim active-backup mode active-backup miimon 100
}

test_veth_active_backup() {
	enslave_and_release veth active-backup mode active-backup miimon 100 fail_over_mac active
}

test_enslave_by_sysfs_and_ioctl() {
	add_slaves dummy a0 b0
	add_bond mode active-backup miimon 100
	enslave b7 a0
	try "enslave by sysfs" write $BONDING/slaves +b0 , write $BONDING/slaves -b0
	try "enslave by ioctl" enslave b7 b0 , release b7 b0
	enslave b7 b0
	try "release by sysfs" write $BONDING/slaves -b0 , write $BONDING/slaves +b0
	try "release by ioctl" release b7 b0 , enslave b7 b0
	all_done
}

# The bond has a random address, and takes that of its first slave; the MTUs differ.
test_enslave_into_a_new_bond() {
	add_slaves dummy a0
	ip link set a0 mtu 2000
	ip link add b7 numtxqueues 2 numrxqueues 1 type bond
	try "enslave: addresses and MTU change" set a0 master=b7 , set a0 master=none
	all_done
}

# The bond has a VLAN, promiscuous mode and multicast groups, all of which the slave must take over.
test_enslave_into_a_bond_in_use() {
	modprobe 8021q
	add_slaves netdevsim a0 b0
	add_bond mode active-backup miimon 100
	ip link add v5 link b7 address 02:00:00:00:07:05 type vlan id 5
	ip link set v5 up
	ip link set b7 promisc on
	ip maddress add 33:33:00:00:00:77 dev b7
	try "bond with a VLAN: enslave the first" set a0 master=b7 , set a0 master=none
	enslave b7 a0
	try "bond with a VLAN: enslave the second" set b0 master=b7 , set b0 master=none
	all_done
}

test_slave_device_deleted() {
	bond_of dummy mode active-backup miimon 100
	try "delete a slave's device" del b0 , add b0 dummy address=02:00:00:00:00:0b , set b0 master=b7
	set_option b7 active_slave b0
	try "delete the active slave's device" del b0 , add b0 dummy address=02:00:00:00:00:0b , \
		set b0 master=b7 , write $BONDING/active_slave b0
	all_done
}

# -- options ----------------------------------------------------------------------------

# both OPTION NEW OLD [NEW-NUMBER OLD-NUMBER]: sets the option by sysfs and by netlink.
both() {
	try "$1 by sysfs" write $BONDING/"$1" "$2" , write $BONDING/"$1" "$3"
	try "$1 by netlink" set b7 bond "$1=${4-$2}" , set b7 bond "$1=${5-$3}"
}

test_options_of_the_link_monitor() {
	bond_of dummy mode active-backup miimon 100
	both miimon 50 100
	both updelay 200 0
	both downdelay 200 0
	both peer_notif_delay 300 0
	both use_carrier 0 1
	try "link_events by sysfs" write $BONDING/link_events 0 , write $BONDING/link_events 1
	try "resilient_hash by sysfs" write $BONDING/resilient_hash 0 , write $BONDING/resilient_hash 1
	all_done
}

test_options_of_active_backup() {
	bond_of dummy mode active-backup miimon 100
	both primary_reselect better always 1 0
	both num_grat_arp 3 1
	try "num_unsol_na by sysfs" write $BONDING/num_unsol_na 3 , write $BONDING/num_unsol_na 1
	both resend_igmp 3 1
	both all_slaves_active 1 0
	both min_links 3 0
	both lp_interval 5 1
	try "primary by sysfs" write $BONDING/primary b0 , write $BONDING/primary "" , \
		write $BONDING/active_slave a0
	try "primary by netlink" set b7 bond primary=b0 , set b7 bond primary=none , \
		set b7 bond active_slave=a0
	try "queue_id by sysfs" write $BONDING/queue_id b0:1 , write $BONDING/queue_id b0:0
	try "queue_id by netlink" slave b0 queue_id=1 , slave b0 queue_id=0
	try "prio by netlink" slave b0 prio=5 , slave b0 prio=0 , write $BONDING/active_slave a0
	all_done
}

test_options_of_an_empty_bond() {
	ip link add b7 address 02:00:00:00:07:07 numtxqueues 2 numrxqueues 1 type bond mode active-backup
	both mode balance-xor active-backup 2 1
	both fail_over_mac active none 1 0
	ip link set b7 type bond mode balance-rr
	both packets_per_slave 2 1
	all_done
}

test_options_of_balance_xor() {
	bond_of dummy mode balance-xor miimon 100
	both xmit_hash_policy layer3+4 layer2 1 0
	all_done
}

# The interval is so long that no probe is sent, and none is missed.
test_options_of_the_arp_monitor() {
	bond_of dummy mode active-backup
	try "arp_ip_target by sysfs" write $BONDING/arp_ip_target +192.0.2.2 , \
		write $BONDING/arp_ip_target -192.0.2.2
	try "arp_ip_target by netlink" set b7 bond arp_ip_target=192.0.2.2 , set b7 bond arp_ip_target=
	try "ns_ip6_target by netlink" set b7 bond ns_ip6_target=2001:db8::2 , set b7 bond ns_ip6_target=
	set_option b7 arp_ip_target +192.0.2.2
	both arp_interval 1000000 0
	set_option b7 arp_interval 1000000
	both arp_validate all none 3 0
	both arp_all_targets all any 1 0
	both arp_missed_max 3 2
	all_done
}

# -- failover ----------------------------------------------------------------------------

# failovers KIND: by hand, by loss of the link, and when the active slave leaves.
failovers() {
	bond_of "$1" mode active-backup miimon 100
	try "$1: failover by sysfs" write $BONDING/active_slave b0 , write $BONDING/active_slave a0
	try "$1: failover by netlink" set b7 bond active_slave=b0 , set b7 bond active_slave=a0
	try "$1: failover by ioctl" activate b7 b0 , activate b7 a0
	try "$1: no active slave" write $BONDING/active_slave "" , write $BONDING/active_slave a0
	try "$1: failover by admin down" set a0 flags=0 , set a0 flags=1 , write $BONDING/active_slave a0
	set_option b7 active_slave b0
	try "$1: failover by release" set b0 master=none , set b0 master=b7 , write $BONDING/active_slave b0
	all_done
}

test_failover_dummy() {
	failovers dummy
}

test_failover_netdevsim() {
	failovers netdevsim
}

# With multicast groups and promiscuous mode, which move to the other slave.
test_failover_of_a_bond_in_use() {
	local policy
	bond_of dummy mode active-backup miimon 100
	ip link set b7 promisc on
	ip maddress add 33:33:00:00:00:77 dev b7
	try "failover with groups" write $BONDING/active_slave b0 , write $BONDING/active_slave a0
	for policy in active follow; do
		ip link set b0 nomaster
		ip link set a0 nomaster
		set_option b7 fail_over_mac $policy
		enslave b7 a0 b0
		try "failover with fail_over_mac=$policy" write $BONDING/active_slave b0 , \
			write $BONDING/active_slave a0
	done
	all_done
}

# -- the bond as a device ------------------------------------------------------------------

test_device_operations() {
	modprobe 8021q
	bond_of dummy mode active-backup miimon 100
	try "MTU" set b7 mtu=1400 , set b7 mtu=1500
	try "address" set b7 address=02:00:00:00:07:08 , set b7 address=02:00:00:00:07:07
	try "a VLAN on top" add v5 vlan link=b7 id=5 , del v5
	try "promiscuous mode" set b7 flags=0x101 , set b7 flags=1
	try "bond down" set b7 flags=0 , set b7 flags=1
	try "rename a slave" set b0 name=b1 , set b1 name=b0
	try "rename the bond" set b7 name=b8 , set b8 name=b7
	all_done
}

# Only the module's own allocations fail: a namespace has thousands of them.
test_network_namespace() {
	for_the_module
	try "a new network namespace" netns
	for_everybody
	all_done
}

# Only allocations fail that the module makes, itself or through others.
for_the_module() {
	local sections=/sys/module/bonding/sections start
	# Where modules may be loaded at any address, the section is called the large text.
	start=$(cat $sections/.text 2>/dev/null || cat $sections/.ltext)
	code require "$start" "$(printf '0x%x' $((start + 0x100000)))"
}

for_everybody() {
	code require 0 0xffffffffffffffff
}

# -- in the background ----------------------------------------------------------------------

# How many slab allocations were counted in this boot: the kernel fails those whose number is a
# multiple of the interval.
counted=0

# The first allocations are those of the failover. Later ones belong to the network stack, in
# interrupts that hit the module's code.
MOST_IN_BACKGROUND=30

# in_background NAME BREAK MEND: each allocation of the failover that "BREAK a0" causes fails once,
# in turn, whoever makes it. The failover takes place, and the active slave has the groups of the
# bond; then the same in the other direction.
in_background() {
	local nth
	for ((nth = 1; nth <= MOST_IN_BACKGROUND; nth++)); do
		# With an interval of 1 the kernel does not count.
		((counted + nth > 1)) || counted=1
		put $((counted + nth)) $DEBUGFS/failslab/interval
		put 1 $DEBUGFS/failslab/times
		put 100 $DEBUGFS/failslab/probability
		"$2" a0
		wait_for 20 "$1, allocation $nth: b0 to be active" active b7 b0
		wait_for 20 "$1, allocation $nth: the groups on b0" groups_on b0
		put 0 $DEBUGFS/failslab/probability
		"$3" a0
		wait_for 20 "a0 to be up" mii_status a0 up
		set_option b7 active_slave a0
		wait_for 20 "$1, allocation $nth: the groups on a0" groups_on a0
		wait_for 20 "$1, allocation $nth: the peer to answer" ping_peer
		(($(<$DEBUGFS/failslab/times) == 0)) || break
		counted=$((counted + nth))
	done
	echo "$1: $((nth - 1)) allocations failed" >&"$FIGURES"
	((nth > 1)) || failed+=("$1: no allocation")
}

# groups_on NAME: it listens to the groups that the bond listens to, including the one of this test.
groups_on() {
	ip maddress show dev "$1" | has 33:33:00:00:00:77
}

test_failover_in_the_background() {
	sysctl -qw net.ipv6.conf.default.disable_ipv6=0
	make_links netdevsim a0 b0
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0
	wait_for 10 "b0 to be up" mii_status b0 up
	set_option b7 active_slave a0
	ip maddress add 33:33:00:00:00:77 dev b7
	for_the_module
	in_background "failover by lost carrier" cut_link mend_link
	for_everybody
	all_done
}

test_failover_by_the_arp_monitor() {
	sysctl -qw net.ipv6.conf.default.disable_ipv6=0
	make_links veth a0 b0
	make_bond b7 mode active-backup arp_interval 100 arp_ip_target $PEER4 arp_validate all
	enslave b7 a0 b0
	wait_for 20 "a0 to be up" mii_status a0 up
	wait_for 20 "b0 to be up" mii_status b0 up
	set_option b7 active_slave a0
	ip maddress add 33:33:00:00:00:77 dev b7
	for_the_module
	in_background "failover by the ARP monitor" silence speech
	for_everybody
	all_done
}

# -- IPoIB ------------------------------------------------------------------------------

test_ipoib() {
	modinfo vib &>/dev/null || skip "this kernel has no InfiniBand"
	vib_load
	# If ib_ipoib lacks the memory to be opened, it leaves its queue pair as it is, cannot be
	# opened the next time, and leaks the buffers that it has allocated. In exchange the leak
	# detector's pool comes into use.
	spare ipoib_ib_dev_open
	name_ipoib vib0 a0
	name_ipoib vib1 b0
	ip link add b7 numtxqueues 2 numrxqueues 1 type bond mode active-backup miimon 100
	ip link set b7 up
	try "IPoIB: enslave the first" set a0 master=b7 , set a0 master=none
	enslave b7 a0
	wait_for 20 "the bond to have carrier" has_carrier b7
	try "IPoIB: enslave the second" set b0 master=b7 , set b0 master=none
	enslave b7 b0
	wait_for 20 "b0 to be up" mii_status b0 up
	try "IPoIB: failover" write $BONDING/active_slave b0 , write $BONDING/active_slave a0
	try "IPoIB: release the second" set b0 master=none , set b0 master=b7
	ip link set b0 nomaster
	try "IPoIB: release the last" set a0 master=none , set a0 master=b7
	all_done
}

# -- at the end ---------------------------------------------------------------------------

# Looks for leaks of everything before; kmemleak reports an object only when it is some seconds old
# and was found unreferenced in two scans.
test_nothing_is_leaked() {
	unload
	[[ -w $DEBUGFS/kmemleak ]] || fail "this kernel looks for no leaks"
	pause 6
	put scan $DEBUGFS/kmemleak
	put scan $DEBUGFS/kmemleak
	cat $DEBUGFS/kmemleak >"$WORK/leaks"
	[[ ! -s $WORK/leaks ]] || fail "the kernel has lost memory: $(head -n 100 "$WORK/leaks")"
}

[[ ! -w $DEBUGFS/kmemleak ]] || put clear $DEBUGFS/kmemleak
ktap_main "$@"
