#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# SLES: /etc/sysconfig/network/unenslave.sh, executable
#
# Release a slave from its bond before its interface is set down. The ifcfg file of a slave names this
# script: PRE_DOWN_SCRIPT=/etc/sysconfig/network/unenslave.sh
#
#   unenslave.sh CONFIGURATION INTERFACE [OPTION...]    as sysconfig's ifdown calls it
#   unenslave.sh INTERFACE                              by hand
#
# An interface that no bond has enslaved is left alone; that is no error. Exit status: 0 if the interface
# is not a bond's slave now, 1 if it could not be released, 2 if the arguments are wrong.

die() {
	status=$1
	shift
	printf 'unenslave.sh: %s\n' "$*" >&2
	exit "$status"
}

case $# in
0) die 2 "no interface is given: run \"unenslave.sh INTERFACE\"." ;;
1) interface=$1 ;;
*) interface=$2 ;;
esac

case $interface in
"" | . | .. | */* | -*) die 2 "\"$interface\" is not the name of an interface: run \"unenslave.sh INTERFACE\"." ;;
esac

device=/sys/class/net/$interface
[ -e "$device" ] || die 1 "there is no interface \"$interface\": nothing is released; \"ip link\" lists the interfaces."

# A bridge and a bond both are masters; only a bond has this file.
slaves=$device/master/bonding/slaves
[ -e "$slaves" ] || exit 0
bond=$(basename "$(readlink -f "$device/master")")

[ -w "$slaves" ] || die 1 "$interface cannot be released from $bond without root's rights: run this as root."
if reason=$(printf '%s\n' "-$interface" 2>&1 >"$slaves"); then
	exit 0
fi
# What somebody else has released in the meantime is released.
[ -e "$slaves" ] || exit 0
die 1 "$bond does not release $interface (${reason##*: }): the kernel log (dmesg) says why."
