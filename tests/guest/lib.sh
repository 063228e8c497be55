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

# -- for ktap.sh -----------------------------------------------------------------------

ktap_before_case() {
	kmsg_mark
}

ktap_after_failure() {
	echo "the kernel log of this case:"
	kmsg | tail -n 30 | sed 's/^/  /'
}
