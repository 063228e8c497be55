# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the network scripts of Red Hat and of SUSE do to the driver: each step is carried out and
# printed, with what came of it, so that the steps are a transcript. The scripts themselves ignore
# most failures, and so do these.
#
# redhat.sh and suse.sh know the order of the steps, and read it off ready ifcfg files, which are
# those of Documentation/examples/ifcfg.

# shellcheck disable=SC2034
EXAMPLES=${BASH_SOURCE[0]%/tests/*}/Documentation/examples/ifcfg

# -- steps -----------------------------------------------------------------------------

# step COMMAND...: one command of a script.
step() {
	local said status=0
	said=$("$@" 2>&1) || status=$?
	outcome "$*" $status "$said"
}

# store VALUE FILE: one write of a script, to a file of sysfs.
store() {
	local said status=0
	# In a process of its own: a shell that cannot open the file says so before "2>" applies.
	said=$( (printf '%s\n' "$1" >"$SYSFS/$2") 2>&1) || status=$?
	outcome "$2 <- $1" $status "$said"
}

outcome() {
	if (($2 == 0)); then
		echo "$1"
	else
		echo "$1: FAILED: ${3##*: }"
	fi
}

# -- ifcfg files ---------------------------------------------------------------------------

# FOLDER: where the ifcfg files are.
#
# configured INTERFACE COMMAND...: the command sees the variables of the interface's file.
configured() (
	# shellcheck source=/dev/null
	. "$FOLDER/ifcfg-$1"
	shift
	"$@"
)

is_bond() {
	[[ -e $SYSFS/$1/bonding/slaves ]]
}

is_slave_of() {
	[[ " $(<"$SYSFS/$1/bonding/slaves") " == *" $2 "* ]]
}

# is_used BOND: it is up, or has slaves.
is_used() {
	(($(<"$SYSFS/$1/flags") & 1)) || [[ -n $(<"$SYSFS/$1/bonding/slaves") ]]
}

# add_bond BOND: makes it, unless it exists, which is so if the driver has made it when it was loaded.
add_bond() {
	[[ " $(<"$SYSFS/bonding_masters") " == *" $1 "* ]] || store "+$1" bonding_masters
}

# prefix_of NETMASK: the number of its bits.
prefix_of() {
	local byte bits=0
	for byte in ${1//./ }; do
		while ((byte)); do
			((bits += byte & 1, byte >>= 1)) || :
		done
	done
	echo "$bits"
}
