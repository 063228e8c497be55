#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 2400
#
# What is refused leaves no trace: each step of a request that can fail is made to fail, by the driver of the device
# (tests/asked/) or by a listener, and everything that anybody can see is compared.

. "${BASH_SOURCE[0]%/*}/bond.sh"

TARGET=/sys/kernel/config/netconsole/t1
VETOED=/sys/module/asked/parameters/vetoed

setup() {
	local kind
	loaded || modprobe bonding max_bonds=0
	[[ ! -d /sys/module/asked ]] || rmmod asked
	modprobe -a asked 8021q netconsole macvlan bridge dummy
	build xdp
	mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
	mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug
	mountpoint -q /sys/fs/bpf || mount -t bpf none /sys/fs/bpf
	for kind in pass drop; do
		[[ -e /sys/fs/bpf/$kind ]] || xdp pin $kind /sys/fs/bpf/$kind
	done
	# Over netconsole, messages about each step would count as packets.
	dmesg -n 1
	left=()
}

eval "$(declare -f teardown | sed '1s/teardown/teardown_links/')"
teardown() {
	untarget 2>/dev/null
	dmesg -n 7
	teardown_links
}

# -- everything --------------------------------------------------------------------------------

# Counters that only grow: opening a device, and reporting its groups, cannot be undone.
COUNTS='/carrier_(changes|up_count|down_count):|/statistics/'
# IPv6 removes the all-nodes group from a device that was ready for IPv6 before; a slave is not.
ALL_NODES='(link  |^)33:33:00:00:00:01|333300000001$'

# everything: the state of all devices but loopback. Unreadable files do not count.
everything() (
	local devices device
	set +eE
	trap - ERR
	devices=("$SYSFS"/*/ifindex)
	devices=("${devices[@]%/ifindex}")
	devices=("${devices[@]##*/}")
	ip -d link show
	ip address show
	# The order does not matter: a group may have been left and joined again.
	ip maddress show | sort
	ip -d route show table all
	ip -d -6 route show table all
	bridge -d fdb show | sort
	sort /proc/net/dev_mcast
	for device in "${devices[@]}"; do
		[[ $device != lo ]] || continue
		ethtool -k "$device"
		echo "$device can do with XDP: $(xdp features "$device")"
		echo "$SYSFS/$device/" "/proc/sys/net/ipv"{4,6}/{conf,neigh}/"$device/" >>"$WORK/folders"
	done
	# shellcheck disable=SC2046
	set -- $(<"$WORK/folders")
	rm "$WORK/folders"
	find "$@" -type l -printf '%p -> %l\n'
	grep -rsH '' "$@" "$SYSFS/bonding_masters" /proc/net/bonding /sys/kernel/debug/bonding \
		/sys/kernel/config/netconsole
	:
) 2>/dev/null

seen() {
	# stable_secret is random: on a device that has no stable address nobody has asked for it.
	everything | grep -vE "$COUNTS|$ALL_NODES|/stable_secret:"
}

# begin: from here on, what is refused changes nothing. The pause lets IPv4 and IPv6 send all that
# they send for a device that came up; it costs nothing, since idle time is skipped.
begin() {
	pause 20
	seen >"$WORK/before"
}

# refuses DESCRIPTION COMMAND...: the command fails, and everything is as it was.
refuses() {
	local what=$1
	shift
	echo "-- $what: $*"
	if "$@" 2>"$WORK/said"; then
		left+=("$what: it was not refused")
	fi
	cat "$WORK/said"
	lift
	seen >"$WORK/after"
	diff -U0 "$WORK/before" "$WORK/after" || left+=("$what")
}

# nothing_left: called at the end of each case.
nothing_left() {
	((${#left[@]} == 0)) || fail "left a trace: $(printf '%s; ' "${left[@]}")"
}

# -- who refuses -------------------------------------------------------------------------------

# Nobody refuses anything any more.
lift() {
	local file
	for file in "$SYSFS"/*/asked/refused; do
		[[ ! -e $file ]] || put "" "$file"
	done
	put "" $VETOED
}

# driver WHAT DEVICE COMMAND...: runs the command while the driver of DEVICE refuses WHAT.
driver() {
	put "$1" "$SYSFS/$2/asked/refused"
	refuses "the driver of $2 refuses: $1" "${@:3}"
}

# listener EVENT DEVICE COMMAND...: runs the command while a listener objects to that event of
# DEVICE.
listener() {
	put "$1 $2" $VETOED
	refuses "a listener objects to $1 of $2" "${@:3}"
}

# -- devices -----------------------------------------------------------------------------------

# device NAME [KIND]: a device that a user has configured, and that was up before.
device() {
	local name=$1
	ip link add "$name" address "$(link_address "$name")" type "${2-asked_none}"
	settle_device "$name"
}

settle_device() {
	local name=$1
	ip link set "$name" mtu 1600
	ip address add 198.51.100.7/24 dev "$name"
	# Makes IPv6 keep its address on the device when it is closed.
	sysctl -qw "net.ipv6.conf.$name.keep_addr_on_down=1"
	ip address add 2001:db8:7::7/64 dev "$name" nodad
	ip link set "$name" up
	ip link set "$name" down
	sysctl -qw "net.ipv6.conf.$name.keep_addr_on_down=0"
	ip maddress add 01:00:5e:77:00:01 dev "$name" 2>/dev/null || :
	sysctl -qw "net.ipv6.conf.$name.hop_limit=77"
	ethtool -K "$name" lro on 2>/dev/null || :
}

# bond NAME OPTION...: a bond that a user has configured, up.
bond() {
	local name=$1
	shift
	ip link add "$name" type bond "$@"
	sysctl -qw "net.ipv6.conf.$name.accept_dad=0" "net.ipv6.conf.$name.hop_limit=78"
	# IPv6 would send router solicitations and add addresses as time passes, whatever is
	# refused.
	sysctl -qw "net.ipv6.conf.$name.addr_gen_mode=1" "net.ipv6.conf.$name.accept_ra=0"
	ip link set "$name" up
	ip address add $OUR4/24 dev "$name"
	ip address add $OUR6/64 dev "$name" nodad
	ip maddress add 01:00:5e:78:00:01 dev "$name"
	bridge fdb add 02:00:00:00:78:02 dev "$name" self
	ip route add 203.0.113.0/24 via $PEER4 dev "$name"
}

target() {
	mkdir $TARGET
	put "$1" $TARGET/dev_name
	put 198.51.100.7 $TARGET/local_ip
	put 198.51.100.8 $TARGET/remote_ip
	put 1 $TARGET/enabled
}

untarget() {
	[[ -d $TARGET ]] || return 0
	put 0 $TARGET/enabled
	rmdir $TARGET
}

# -- enslaving ---------------------------------------------------------------------------------

ENSLAVE=(ip link set dev a0 master b7)

# Refuses each step on which enslaving a0 to b7 depends.
every_step_of_enslaving() {
	local what
	for what in mtu open vlan; do
		driver $what a0 "${ENSLAVE[@]}"
	done
	driver vlan a0 set_option b7 slaves +a0
	for what in pre_change_mtu change_mtu pre_change_addr pre_up pre_change_upper change_upper; do
		listener $what a0 "${ENSLAVE[@]}"
	done
	ip link add m0 link a0 type macvlan mode passthru
	begin
	refuses "a0 is in use" "${ENSLAVE[@]}"
	ip link delete m0
	put 8 $SYSFS/a0/asked/addr_len
	begin
	refuses "the address of a0 is of another length" "${ENSLAVE[@]}"
	put 6 $SYSFS/a0/asked/addr_len
	begin
	# With an XDP program on the bond.
	ip link set dev b7 xdpdrv pinned /sys/fs/bpf/pass
	begin
	driver xdp a0 "${ENSLAVE[@]}"
	ip link set dev b7 xdpdrv off
	begin
	# With netconsole over the bond.
	target b7
	begin
	driver netpoll a0 "${ENSLAVE[@]}"
	untarget
}

test_the_first_slave() {
	device a0
	bond b7 mode active-backup miimon 100
	ip link add v5 link b7 type vlan id 5
	begin
	listener pre_change_addr b7 "${ENSLAVE[@]}"
	every_step_of_enslaving
	nothing_left
	"${ENSLAVE[@]}"
	is "$(option b7 slaves)" a0
}

test_a_further_slave() {
	device a0
	device c0
	bond b7 mode balance-xor miimon 100
	ip link add v5 link b7 type vlan id 5
	enslave b7 c0
	wait_for 10 "c0 to be up" mii_status c0 up
	wait_for 10 "operational state up" grep -q up $SYSFS/b7/operstate
	begin
	# The first slave is given the address that it already has, of which no driver hears.
	driver address a0 "${ENSLAVE[@]}"
	every_step_of_enslaving
	nothing_left
	"${ENSLAVE[@]}"
	is "$(option b7 slaves)" "c0 a0"
}

test_the_first_slave_of_another_kind() {
	put 1 /sys/module/asked/parameters/other
	device a0
	put 0 /sys/module/asked/parameters/other
	bond b7 mode active-backup miimon 100
	begin
	# The bond takes the MTU of the slave.
	driver open a0 "${ENSLAVE[@]}"
	for what in pre_up pre_change_upper change_upper; do
		listener $what a0 "${ENSLAVE[@]}"
	done
	for what in pre_type_change pre_change_mtu change_mtu pre_change_addr; do
		listener $what b7 "${ENSLAVE[@]}"
	done
	nothing_left
}

# netconsole's messages pass through the device meanwhile, so not everything stays as it was.
test_netconsole_of_the_device_goes_on() {
	local what
	device a0
	bond b7 mode active-backup miimon 100
	ip link add v5 link b7 type vlan id 5
	target a0
	ip link set a0 down
	for what in mtu open vlan; do
		put $what $SYSFS/a0/asked/refused
		fails_with "" "${ENSLAVE[@]}"
		lift
		is "$(<$TARGET/enabled)" 1 "netconsole after a refusal: $what"
	done
	"${ENSLAVE[@]}"
	is "$(<$TARGET/enabled)" 0 "netconsole over a slave"
}

# -- what all slaves have to agree to ----------------------------------------------------------

# The slaves are a0 and c0; a user has given a0 an MTU and an address of its own.
test_what_one_of_two_slaves_refuses() {
	device a0
	device c0
	bond b7 mode balance-xor miimon 100
	enslave b7 a0 c0
	wait_for 10 "c0 to be up" mii_status c0 up
	wait_for 10 "operational state up" grep -q up $SYSFS/b7/operstate
	ip link set a0 mtu 9000
	ip link set a0 address 02:00:00:00:00:aa
	begin
	driver mtu c0 ip link set b7 mtu 1400
	listener pre_change_mtu b7 ip link set b7 mtu 1400
	listener pre_change_mtu c0 ip link set b7 mtu 1400
	refuses "an MTU that no bond can have" ip link set b7 mtu 60
	driver address c0 ip link set b7 address 02:00:00:00:00:77
	listener pre_change_addr b7 ip link set b7 address 02:00:00:00:00:77
	listener pre_change_addr c0 ip link set b7 address 02:00:00:00:00:77
	driver vlan c0 ip link add v5 link b7 type vlan id 5
	driver xdp c0 ip link set dev b7 xdpdrv pinned /sys/fs/bpf/pass
	refuses "a mode, with slaves" ip link set b7 type bond mode active-backup miimon 50
	refuses "a mode, with slaves" set_option b7 mode active-backup
	ip link set dev b7 xdpdrv pinned /sys/fs/bpf/pass
	begin
	driver xdp c0 ip -force link set dev b7 xdpdrv pinned /sys/fs/bpf/drop
	refuses "a mode without XDP" ip link set b7 type bond mode broadcast
	ip link set dev b7 xdpdrv off
	mkdir $TARGET
	put b7 $TARGET/dev_name
	put 198.51.100.7 $TARGET/local_ip
	put 198.51.100.8 $TARGET/remote_ip
	begin
	driver netpoll c0 put 1 $TARGET/enabled
	nothing_left
}

# A link that is made and enslaved in one request, and a bond that is made with a slave that it does not have.
test_a_new_link() {
	device a0
	bond b7 mode active-backup miimon 100
	enslave b7 a0
	wait_for 10 "a0 to be up" mii_status a0 up
	wait_for 10 "operational state up" grep -q up $SYSFS/b7/operstate
	begin
	listener pre_up d0 ip link add d0 master b7 type dummy
	listener pre_change_upper d0 ip link add d0 master b7 type dummy
	listener pre_change_addr d0 ip link add d0 mtu 1400 master b7 type asked_none
	refuses "a bond with a slave of another" ip link add b8 type bond mode active-backup active_slave a0
	refuses "a bond with a bad option" ip link add b8 type bond mode active-backup miimon 100 resend_igmp 300
	nothing_left
}

ktap_main "$@"
