# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the guest tests of the bonding driver share: links to bond, a peer to talk
# to, snapshots of everything a user can see, and a stream of numbered packets.
# A test file sources this file, which sources lib.sh.

GUEST_DIR=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
TOOLS_DIR=${GUEST_DIR%/guest}/tools
. "$GUEST_DIR/lib.sh"

WORK=$(mktemp -d /tmp/bond-test.XXXXXX)
SYSFS=/sys/class/net

# -- which driver ------------------------------------------------------------

ours() {
	[[ ${MODULE_UNDER_TEST-ours} == ours ]]
}

# ours_only WHAT-THE-IN-TREE-DRIVER-DOES-INSTEAD
ours_only() {
	ours || skip "the in-tree driver $1"
}

# is_own_option FILE: an option that the in-tree driver does not have.
is_own_option() {
	[[ ${1##*/} == @(link_events|resilient_hash|rlb_ipv6|announce_stations) ]]
}

# -- programs ------------------------------------------------------------------

# Where scripts/build has put the programs for guests.
PROGRAMS=${BASH_SOURCE[0]%/*}/../../build/$(</proc/sys/kernel/osrelease)/programs

# build NAME...: compiles tests/tools/NAME.c, once per boot, and puts NAME into the PATH.
# scripts/build has already compiled it on the host, unless this machine is not one of our guests.
build() {
	local name
	mkdir -p /tmp/tools
	PATH=/tmp/tools:$PATH
	for name; do
		if [[ -x /tmp/tools/$name ]]; then
			continue
		elif [[ $PROGRAMS/$name -nt $TOOLS_DIR/$name.c ]]; then
			cp "$PROGRAMS/$name" /tmp/tools/
		else
			gcc -O1 -Wall -Werror -o "/tmp/tools/$name" "$TOOLS_DIR/$name.c"
		fi
	done
}

# -- reading and writing attributes --------------------------------------------

# put VALUE FILE: one write(2); the shell says why it failed ("write error: ...").
put() {
	printf '%s\n' "$1" >"$2"
}

# set_option BOND OPTION VALUE / option BOND OPTION
set_option() {
	put "$3" "$SYSFS/$1/bonding/$2"
}

option() {
	cat "$SYSFS/$1/bonding/$2"
}

# link_json DEVICE FILTER [IP-OPTION...]: what `ip -d link show` says, through jq.
link_json() {
	local device=$1 filter=$2
	shift 2
	ip "$@" -d -j link show dev "$device" | jq -McSr ".[0] | $filter"
}

active() {
	[[ $(option "$1" active_slave) == "$2" ]]
}

# slave_attribute SLAVE NAME
slave_attribute() {
	cat "$SYSFS/$1/bonding_slave/$2"
}

mii_status() {
	[[ $(slave_attribute "$1" mii_status) == "$2" ]]
}

failures() {
	slave_attribute "$1" link_failure_count
}

has_carrier() {
	[[ $(cat "$SYSFS/$1/carrier" 2>/dev/null) == 1 ]]
}

no_carrier() {
	[[ $(cat "$SYSFS/$1/carrier" 2>/dev/null) == 0 ]]
}

hwaddr() {
	cat "$SYSFS/$1/address"
}

has_address() {
	[[ $(hwaddr "$1") == "$2" ]]
}

exists() {
	[[ -e $SYSFS/$1 ]]
}

gone() {
	[[ ! -e $SYSFS/$1 ]]
}

is() {
	[[ $1 == "$2" ]] || fail "${3-value} is '$1', expected '$2'"
}

# -- the module ------------------------------------------------------------------

loaded() {
	[[ -d /sys/module/bonding ]]
}

unload() {
	! loaded || rmmod bonding
}

# load PARAMETER...: loads the module afresh.
load() {
	unload
	modprobe bonding "$@"
}

# Prints the module's reference count.
references() {
	cat /sys/module/bonding/refcnt
}

# -- everything a user can see --------------------------------------------------

snapshot() {
	ip -d link show
	# Unreadable files, and patterns that match no file, are fine.
	grep -sH '' $SYSFS/bonding_masters $SYSFS/*/bonding/* $SYSFS/*/bonding_slave/* \
		$SYSFS/*/flags /proc/net/bonding/* /proc/net/dev_mcast || :
}

# refused TEXT COMMAND...: the command fails with TEXT. Nothing may change from the first refusal
# until `unmoved`, so a case reads: set up, refusals, unmoved.
refused() {
	[[ -e $WORK/before ]] || snapshot >"$WORK/before"
	fails_with "$@"
}

unmoved() {
	snapshot >"$WORK/after"
	diff "$WORK/before" "$WORK/after" || fail "a command that was refused left a trace"
	rm "$WORK/before"
}

# -- links and the peer -----------------------------------------------------------
#
# The peer is a network namespace with a bridge, to which every link leads. The bridge has the
# addresses 192.0.2.2 and 2001:db8::2; the bond has .1 and ::1.

PEER4=192.0.2.2 PEER6=2001:db8::2
OUR4=192.0.2.1 OUR6=2001:db8::1

in_peer() {
	ip netns exec peer "$@"
}

make_peer() {
	ip netns add peer
	ip -n peer link set lo up
	in_peer sysctl -qw net.ipv6.conf.default.accept_dad=0
	# Without an address of its own the bridge would use the lowest of its ports', and could
	# change it with each new port.
	ip -n peer link add br0 address 02:00:00:00:ff:01 type bridge forward_delay 0 mcast_snooping 0
	ip -n peer link set br0 up
	ip -n peer address add $PEER4/24 dev br0
	ip -n peer address add $PEER6/64 dev br0 nodad
	# A port must send nothing by itself: the ARP monitor takes any packet as a sign of life.
	in_peer sysctl -qw net.ipv6.conf.default.addr_gen_mode=1
}

# plug NAME: connects NAME's far end, NAMEp, to the peer's bridge.
plug() {
	# While the port moves to another bridge it belongs to none: it would answer ARP itself,
	# with its own address, and the asker would use that address for a second.
	in_peer sysctl -qw "net.ipv4.conf.$1p.arp_ignore=8"
	ip -n peer link set "$1p" master br0 up
}

# make_links KIND NAME...: links to the peer. KIND is veth, netdevsim or virtio.
make_links() {
	local kind=$1 name
	shift
	LINK_KIND=$kind
	ip netns list | has '^peer\b' || make_peer
	for name; do
		make_link_"$kind" "$name"
		plug "$name"
	done
}

# The last byte of the address identifies the link: a0 has ...:0a, eth1 has ...:01.
link_address() {
	case $1 in
	eth*) printf '02:00:00:00:00:%02d' "${1#eth}" ;;
	*) printf '02:00:00:00:00:0%s' "${1:0:1}" ;;
	esac
}

make_link_veth() {
	ip link add "$1" address "$(link_address "$1")" type veth peer name "$1p" netns peer
}

netdevsim_id=10

# make_netdevsim NAME: an unconnected netdevsim device.
make_netdevsim() {
	local id=$((netdevsim_id++)) path
	modprobe netdevsim
	put "$id 1" /sys/bus/netdevsim/new_device
	path=(/sys/bus/netdevsim/devices/netdevsim$id/net/*)
	ip link set "${path[0]##*/}" name "$1"
}

make_link_netdevsim() {
	make_netdevsim "$1"
	ip link set "$1" address "$(link_address "$1")"
	make_netdevsim "$1p"
	ip link set "$1p" netns peer
	netdevsim_cable "$1" link_device
}

# netdevsim_cable NAME link_device|unlink_device: connects or disconnects NAME and NAMEp, at once.
netdevsim_cable() {
	local here there our_ns peer_ns
	here=$(<"$SYSFS/$1/ifindex")
	exec {our_ns}</proc/self/ns/net {peer_ns}</run/netns/peer
	if [[ $2 == link_device ]]; then
		there=$(ip -n peer -j link show "$1p" | jq '.[0].ifindex')
		put "$our_ns:$here $peer_ns:$there" /sys/bus/netdevsim/link_device
	else
		put "$our_ns:$here" /sys/bus/netdevsim/unlink_device
	fi
	exec {our_ns}<&- {peer_ns}<&-
}

# The cards of `scripts/guest --nic`, which are there from the start: a0 is nic0, whose cable leads
# to peer0, and so on in alphabetical order.
make_link_virtio() {
	local number
	number=$(virtio_number "$1")
	[[ -e $SYSFS/nic$number ]] || skip "this guest has no cards"
	modprobe virtio_net
	set_link "cable$number" on
	ip link set "nic$number" down
	ip link set "nic$number" name "$1" address "$(link_address "$1")"
	ip link set "peer$number" down
	ip link set "peer$number" name "$1p" netns peer
}

virtio_number() {
	case $1 in
	a*) echo 0 ;;
	b*) echo 1 ;;
	c*) echo 2 ;;
	esac
}

# Cards cannot be deleted: give them back their names, in the first namespace.
return_virtio_cards() {
	local name number
	for name in a0 b0 c0; do
		exists $name || continue
		number=$(virtio_number $name)
		ip link set $name down
		ip link set $name name "nic$number"
		ip -n peer link set "${name}p" down
		ip -n peer link set "${name}p" name "peer$number" netns 1
	done
}

# cut_link NAME, mend_link NAME: cut or mend the cable to the peer. A veth pair has no cable, so its
# far end is set down, and drops what it receives for as long as that takes: cut_ms.
cut_ms=0

cut_link() {
	local begin=${EPOCHREALTIME/./}
	case $LINK_KIND in
	veth) ip -n peer link set "$1p" down ;;
	netdevsim) netdevsim_cable "$1" unlink_device ;;
	virtio) set_link "cable$(virtio_number "$1")" off ;;
	esac
	cut_ms=$((cut_ms + (${EPOCHREALTIME/./} - begin) / 1000))
}

mend_link() {
	case $LINK_KIND in
	veth) ip -n peer link set "$1p" up ;;
	netdevsim) netdevsim_cable "$1" link_device ;;
	virtio) set_link "cable$(virtio_number "$1")" on ;;
	esac
}

# switch_lag NAME: by how many milliseconds, rounded up, the peer's bridge opened its port later
# than the bond took the link up, when the cable was last mended: what is sent in between is lost
# there, as in a switch. The lag only matters in the kernels with checkers; it is 0 in the
# distribution's.
switch_lag() {
	kernel_is debug || kernel_is kcsan || { echo 0; return; }
	dmesg | awk -v from="b7: .*$1.*: link status definitely up" -v to="br0: port .*[(]${1}p[)] entered forwarding state" '
		{ match($0, /[0-9]+\.[0-9]+/); now = substr($0, RSTART, RLENGTH) }
		$0 ~ from { begin = now }
		$0 ~ to { end = now }
		END { ms = (end - begin) * 1000; print (ms > 0 ? int(ms) + 1 : 0) }'
}

# make_bond NAME OPTION...: like `ip link add type bond`, but sets the bond up and gives it its
# addresses.
make_bond() {
	local name=$1
	shift
	ip link add "$name" type bond "$@"
	sysctl -qw "net.ipv6.conf.$name.accept_dad=0"
	ip link set "$name" up
	ip address add $OUR4/24 dev "$name"
	ip address add $OUR6/64 dev "$name" nodad
}

enslave() {
	local bond=$1 slave
	shift
	for slave; do
		ip link set dev "$slave" down
		ip link set dev "$slave" master "$bond"
	done
}

ping_peer() {
	ping -q -c 1 -W 1 "${1-$PEER4}"
}

# -- a stream of numbered packets -----------------------------------------------------

# stream_start [ADDRESS]: one packet a millisecond from the bond to the peer.
stream_start() {
	stream_run "ip netns exec peer" env "${1-$PEER4}"
}

# stream_start_inbound: the same from the peer to the bond.
stream_start_inbound() {
	stream_run env "ip netns exec peer" "$OUR4"
}

# stream_run RECEIVER SENDER ADDRESS: RECEIVER and SENDER are the commands that run a program on
# either side; the packets go to ADDRESS.
stream_run() {
	local receiver sender
	read -ra receiver <<<"$1"
	read -ra sender <<<"$2"
	build stream
	ping_peer >/dev/null
	"${receiver[@]}" stream recv 5001 "$WORK/progress" >"$WORK/report" 2>"$WORK/stream.err" &
	stream_receiver=$!
	wait_for 5 "the receiver to listen" test -s "$WORK/progress"
	"${sender[@]}" stream send "$3" 5001 1000 &
	stream_sender=$!
	stream_more 100
}

stream_received() {
	local count
	read -r count <"$WORK/progress"
	echo $((10#$count))
}

stream_passed() {
	(($(stream_received) >= $1))
}

# stream_more N: waits until N more packets have arrived.
stream_more() {
	wait_for 20 "$1 more packets of the stream" stream_passed $(($(stream_received) + $1))
}

# stream_stop: ends the stream; sets sent, received, lost, duplicated and gap_ms.
stream_stop() {
	kill "$stream_sender"
	wait "$stream_sender" || :
	wait "$stream_receiver" || fail "the stream ended badly: $(cat "$WORK/stream.err")"
	echo "stream: $(cat "$WORK/report")"
	sent=$(report_field sent) received=$(report_field received) lost=$(report_field lost)
	duplicated=$(report_field duplicated) gap_ms=$(report_field gap_ms)
}

report_field() {
	grep -oE "\b$1=[0-9]+" "$WORK/report" | grep -oE '[0-9]+$'
}

# peer_listens PORT: the peer listens on this TCP port.
peer_listens() {
	in_peer ss -Hltn "sport = $1" | has .
}

# has_received BYTES: the file into which the peer writes what it receives has at least that size.
has_received() {
	(($(stat -c %s "$WORK/received") >= $1))
}

# -- packets on the wire ---------------------------------------------------------------

# capture NAMESPACE DEVICE FILTER: records until capture_stop is called.
capture() {
	# Programs come from outside the guest, and its clock runs on while they are fetched.
	tcpdump --version &>/dev/null
	ip netns exec "$1" tcpdump -Z root -U -n -i "$2" -Q in -w "$WORK/pcap" "$3" >/dev/null \
		2>"$WORK/tcpdump.err" &
	capture_pid=$!
	wait_for 30 "tcpdump to listen on $2" tcpdump_listens
}

# Prints what tcpdump says instead; it is shown if tcpdump does not start to listen.
tcpdump_listens() {
	cat "$WORK/tcpdump.err"
	grep -q 'listening on' "$WORK/tcpdump.err"
}

# captured [FILTER]: the packets recorded so far, one per line.
captured() {
	tcpdump -n -e -t -r "$WORK/pcap" ${1+"$1"} 2>/dev/null
}

captured_count() {
	captured ${1+"$1"} | wc -l
}

captured_at_least() {
	(($(captured_count "$2") >= $1))
}

capture_stop() {
	kill "$capture_pid"
	wait "$capture_pid" || :
}

# -- the module as a file --------------------------------------------------------------

# copy_module: puts the decompressed module into memory, for tests that load it again and again.
copy_module() {
	local file
	file=$(modinfo -n bonding)
	if [[ $file == *.xz ]]; then
		xz -dc "$file" >"$WORK/bonding.ko"
	else
		cp "$file" "$WORK/bonding.ko"
	fi
	strip --strip-debug "$WORK/bonding.ko"
}

# -- back to nothing -------------------------------------------------------------------

# Called after each case, whatever the case left behind.
teardown() {
	local device id pids
	pids=$(jobs -p)
	# shellcheck disable=SC2086
	[[ -z $pids ]] || kill $pids 2>/dev/null
	for device in $(ip -d -j link show | jq -r '.[] | select(.linkinfo.info_kind // "" |
		IN("vlan", "macvlan", "bond", "team", "bridge", "dummy", "veth", "vrf") or startswith("asked_")) |
		.ifname'); do
		ip link delete "$device" 2>/dev/null
	done
	[[ ${LINK_KIND-} != virtio ]] || return_virtio_cards
	ip -all netns delete
	for id in /sys/bus/netdevsim/devices/netdevsim*; do
		[[ ! -e $id ]] || put "${id##*netdevsim}" /sys/bus/netdevsim/del_device
	done
	rm -rf "${WORK:?}"/*
	return 0
}
