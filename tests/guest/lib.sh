# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The basis of every guest test: cases in KTAP form, the kernel log, namespaces and cables.
# Nothing here depends on what is being tested.

. "${BASH_SOURCE[0]%/*}/../ktap.sh"

# Which module "modprobe bonding" finds (ours, intree, none), and the path of ours: set by scripts/guest.
MODULE_UNDER_TEST=${MODULE_UNDER_TEST:-none}
BONDING_KO=${BONDING_KO:-}

# kernel_is debug|kcsan: this is the kernel with checkers, or the one that looks for data races.
kernel_is() {
	[[ $(</proc/sys/kernel/osrelease) == *-"$1" ]]
}

# -- kernel log ------------------------------------------------------------------------

# kmsg_mark: forget what the kernel has logged so far. Each case starts with this.
kmsg_mark() {
	KTAP_MARK="ktap: mark $BASHPID.$SRANDOM"
	echo "$KTAP_MARK" >/dev/kmsg
}

# kmsg: what the kernel has logged since the mark.
kmsg() {
	dmesg --notime | awk -v mark="$KTAP_MARK" 'found; $0 == mark { found = 1 }'
}

# kmsg_has REGEX: the kernel has logged something that matches (grep -E).
kmsg_has() {
	kmsg | grep -E -- "$1" >/dev/null
}

# -- namespaces and cables -----------------------------------------------------------------

# mk_namespace NAME...: network namespaces with loopback up; ns_reset deletes them all.
mk_namespace() {
	local name
	for name; do
		ip netns add "$name"
		ip -n "$name" link set lo up
	done
}

ns_reset() {
	ip -all netns delete
}

# mk_veth_pair DEVICE PEER [NAMESPACE]: a cable from DEVICE here to PEER, in NAMESPACE if given; both up.
mk_veth_pair() {
	local device=$1 peer=$2 namespace=${3-}
	if [[ -n $namespace ]]; then
		ip link add "$device" type veth peer name "$peer" netns "$namespace"
		ip -n "$namespace" link set "$peer" up
	else
		ip link add "$device" type veth peer name "$peer"
		ip link set "$peer" up
	fi
	ip link set "$device" up
}

# A patch panel: cables end in its sockets, which are devices, and "patch" joins two of them. What
# arrives at one leaves through the other, slow protocols included. PANEL has ip's and tc's option for
# the namespace of the sockets.
PANEL=(-n panel)

# mk_cable DEVICE [NAMESPACE]: DEVICE has a cable to the panel, where its socket is DEVICEx.
mk_cable() {
	local in=()
	(($# == 1)) || in=(-n "$2")
	ip "${PANEL[@]}" link add "$1x" type veth peer name "$1" netns "${2-1}"
	tc "${PANEL[@]}" qdisc add dev "$1x" clsact
	ip "${PANEL[@]}" link set "$1x" addrgenmode none up
	ip "${in[@]}" link set "$1" addrgenmode none
}

# patch SOCKET SOCKET: joins them, instead of what each was joined to. unpatch SOCKET...: nothing
# passes, though the carriers stay.
patch() {
	patch_way "$1" "$2"
	patch_way "$2" "$1"
}

patch_way() {
	# This filter cannot be replaced.
	unpatch "$1"
	tc "${PANEL[@]}" filter add dev "$1" ingress pref 1 handle 1 matchall action mirred egress redirect dev "$2"
}

unpatch() {
	local socket
	for socket; do
		tc "${PANEL[@]}" filter del dev "$socket" ingress pref 1 2>/dev/null || :
	done
}

# pull SOCKET..., plug_in SOCKET...: the cable is not in its socket, or it is: carriers go and come.
pull() {
	local socket
	for socket; do
		ip "${PANEL[@]}" link set "$socket" down
	done
}

plug_in() {
	local socket
	for socket; do
		ip "${PANEL[@]}" link set "$socket" up
	done
}

# -- for ktap.sh -----------------------------------------------------------------------

ktap_before_case() {
	kmsg_mark
}

ktap_after_failure() {
	echo "the kernel log of this case:"
	kmsg | tail -n 30 | sed 's/^/  /'
}
