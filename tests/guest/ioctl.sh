#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 600
#
# The ioctls that ifenslave used, with today's numbers and those from before Linux 2.4, and the link
# status of mii-tool.

. "${BASH_SOURCE[0]%/*}/bond.sh"

setup() {
	loaded || modprobe bonding max_bonds=0
	build bondioctl
	ip link add b7 type bond mode active-backup miimon 100
	ip link set b7 up
	ip link add a0 address 02:00:00:00:00:0a type dummy
	ip link add b0 address 02:00:00:00:00:0b type dummy
}

# each_numbering FUNCTION: runs it once with today's numbers, and once with the old ones.
each_numbering() {
	"$1"
	option b7 slaves | xargs -rn1 | while read -r slave; do ip link set "$slave" nomaster; done
	"$1" -o
}

enslave_and_release() {
	bondioctl "$@" enslave b7 a0
	bondioctl "$@" enslave b7 b0
	is "$(option b7 slaves)" "a0 b0"
	bondioctl "$@" release b7 a0
	is "$(option b7 slaves)" b0
	ip link set a0 down
}

test_enslave_and_release() {
	each_numbering enslave_and_release
}

change_active() {
	enslave b7 a0 b0
	active b7 a0
	bondioctl "$@" activate b7 b0
	active b7 b0
}

test_change_active() {
	each_numbering change_active
}

information() {
	enslave b7 a0 b0
	is "$(bondioctl "$@" info b7)" "mode=1 slaves=2 miimon=100"
	is "$(bondioctl "$@" slave b7 0)" "name=a0 link=0 state=0 failures=0"
	is "$(bondioctl "$@" slave b7 1)" "name=b0 link=0 state=1 failures=0"
	fails_with "No such device" bondioctl "$@" slave b7 2
	fails_with "No such device" bondioctl "$@" slave b7 -1
}

test_information() {
	each_numbering information
}

set_address() {
	enslave b7 b0
	ip link set b7 address 02:00:00:00:00:77
	bondioctl "$@" setaddress b7 a0
	is "$(hwaddr b7)" 02:00:00:00:00:0a
}

test_set_address() {
	each_numbering set_address
}

# The in-tree driver does nothing, but reports success.
test_an_address_of_another_length_is_refused() {
	local before
	ours_only "accepts it"
	ip link add c0 type gre local 192.0.2.1 remote 192.0.2.2
	before=$(hwaddr b7)
	fails_with "Invalid argument" bondioctl setaddress b7 c0
	kmsg_has 'b7: \(slave c0\): its hardware address is of another length' || fail "the log does not say why"
	is "$(hwaddr b7)" "$before"
}

refusals() {
	enslave b7 a0
	refused "No such device" bondioctl "$@" enslave b7 nothing
	refused "Device or resource busy" bondioctl "$@" enslave b7 a0
	refused "Invalid argument" bondioctl "$@" release b7 b0
	refused "Invalid argument" bondioctl "$@" activate b7 b0
	refused "Operation not permitted" bondioctl "$@" enslave b7 b7
	unmoved
}

test_refusals() {
	each_numbering refusals
}

test_unprivileged_user_may_only_look() {
	local call
	enslave b7 a0
	for call in "enslave b7 b0" "release b7 a0" "activate b7 a0" "setaddress b7 a0"; do
		# shellcheck disable=SC2086
		refused "Operation not permitted" \
			setpriv --reuid 65534 --clear-groups /tmp/tools/bondioctl $call
	done
	unmoved
	is "$(setpriv --reuid 65534 --clear-groups /tmp/tools/bondioctl info b7)" \
		"mode=1 slaves=1 miimon=100"
}

test_mii_status() {
	is "$(bondioctl phy b7)" "phy=0"
	is "$(bondioctl reg b7 0 1)" "value=0"
	enslave b7 a0
	wait_for 5 "the bond to have carrier" has_carrier b7
	is "$(bondioctl reg b7 0 1)" "value=4"
}

ktap_main "$@"
