#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# reference: intree
#
# Who may do what, through every interface: a user without privileges, root without CAP_NET_ADMIN,
# and users who have that capability only in a user namespace of their own. The transcripts are
# compared with those of the in-tree driver, made by
#
#   scripts/guest --module intree -- /project/tests/guest/privileges.sh --record \
#       >tests/guest/reference/privileges.txt

. "${BASH_SOURCE[0]%/*}/bond.sh"
. "${BASH_SOURCE[0]%/*}/reference/compare.sh"

# b7 with a0 and b0 is the bond that others want to change; c0 is free.
setup() {
	loaded || modprobe bonding max_bonds=0
	! exists bond0 || ip link delete bond0
	build bondioctl
	ip link add b7 address 02:00:00:00:07:07 type bond mode active-backup miimon 100
	ip link add a0 address 02:00:00:00:00:0a type dummy
	ip link add b0 address 02:00:00:00:00:0b type dummy
	ip link add c0 address 02:00:00:00:00:0c type dummy
	ip link set b7 up
	enslave b7 a0 b0
	wait_for 10 "the bond to have carrier" has_carrier b7
}

# as WHO FUNCTION: runs the function in a shell of another user, who may not be able to read this
# file.
as() {
	local who=$1 function=$2 user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	case $who in
	nobody) ;;
	root_without_net_admin)
		user=(setpriv --bounding-set -net_admin --inh-caps -net_admin)
		;;
	root_of_child_user_namespace) user+=(unshare --user --map-root-user) ;;
	root_of_own_network) user+=(unshare --user --map-root-user --net --mount) ;;
	esac
	"${user[@]}" env BASH_ENV= bash -c "PATH=/tmp/tools:$PATH; cd /; $(declare -f attempt put_text show is_own_option "$function"); $function" 2>&1
}

# attempt COMMAND...: prints one line: the command, and its result.
attempt() {
	local said
	if said=$("$@" 2>&1); then
		echo "$*: ok"
	else
		said=${said##*$'\n'}
		echo "$*: ${said##*: }"
	fi
}

# put_text TEXT FILE
put_text() {
	printf '%s\n' "$1" >"$2"
}

# show FILE: whether the current user may read it.
show() {
	local said
	if said=$({ read -rN 1 <"$1" || [[ -r $1 ]]; } 2>&1); then
		echo "read $1: ok"
	else
		echo "read $1: ${said##*: }"
	fi
}

# -- what others do to the bonds of the first network namespace ---------------------------------

by_sysfs() {
	local file
	for file in /sys/class/net/b7/bonding/* /sys/class/net/a0/bonding_slave/*; do
		is_own_option "$file" || show "$file"
	done
	show /sys/class/net/bonding_masters
	attempt put_text +b8 /sys/class/net/bonding_masters
	attempt put_text -b8 /sys/class/net/bonding_masters
	attempt put_text 50 /sys/class/net/b7/bonding/miimon
	attempt put_text 100 /sys/class/net/b7/bonding/miimon
	attempt put_text b0 /sys/class/net/b7/bonding/active_slave
	attempt put_text a0 /sys/class/net/b7/bonding/active_slave
	attempt put_text +c0 /sys/class/net/b7/bonding/slaves
	attempt put_text -c0 /sys/class/net/b7/bonding/slaves
	attempt put_text a0:1 /sys/class/net/b7/bonding/queue_id
	attempt put_text a0:0 /sys/class/net/b7/bonding/queue_id
	attempt put_text 1 /sys/class/net/b7/bonding/lp_interval
	attempt put_text 7 /sys/class/net/b7/bonding/mii_status
	attempt put_text 7 /sys/class/net/a0/bonding_slave/state
}

by_netlink() {
	attempt ip link add b8 type bond
	attempt ip link delete b7
	attempt ip link set b7 down
	attempt ip link set b7 type bond miimon 50
	attempt ip link set b7 type bond active_slave b0
	attempt ip link set c0 master b7
	attempt ip link set b0 nomaster
	attempt ip link set a0 type bond_slave queue_id 1
	attempt ip link set b7 address 02:00:00:00:07:08
	attempt ip link set b7 mtu 1400
	attempt ip -d link show b7
	attempt ip link xstats type bond dev b7
}

by_ioctl() {
	attempt bondioctl info b7
	attempt bondioctl slave b7 0
	attempt bondioctl phy b7
	attempt bondioctl reg b7 0 1
	attempt bondioctl enslave b7 c0
	attempt bondioctl release b7 b0
	attempt bondioctl activate b7 b0
	attempt bondioctl setaddress b7 c0
	attempt bondioctl -o info b7
	attempt bondioctl -o enslave b7 c0
	attempt bondioctl -o release b7 b0
	attempt bondioctl -o activate b7 b0
	attempt bondioctl -o setaddress b7 c0
}

by_files() {
	local file
	show /proc/net/bonding/b7
	attempt put_text x /proc/net/bonding/b7
	for file in /sys/module/bonding/parameters/*; do
		! is_own_option "$file" || continue
		show "$file"
		attempt put_text 1 "$file"
	done
}

by_rest() {
	attempt ls /sys/kernel/debug/bonding
	attempt rmmod bonding
}

# A device keeps its queueing discipline once it has been opened.
all_there_is() {
	snapshot | sed 's/ qdisc no[a-z]* / /'
}

# every_interface WHO WAY...
every_interface() {
	local who=$1 way
	shift
	all_there_is >"$WORK/was"
	for way; do
		echo "-- $way"
		as "$who" $way
	done
	all_there_is >"$WORK/is"
	echo "-- what has changed"
	diff "$WORK/was" "$WORK/is" || :
}

transcript_user_without_privileges() {
	every_interface nobody by_sysfs by_netlink by_ioctl by_files by_rest
}

# For files only the owner counts. This root may load and unload modules, which takes
# CAP_SYS_MODULE.
transcript_root_without_net_admin() {
	every_interface root_without_net_admin by_sysfs by_netlink by_ioctl by_files
}

transcript_root_of_a_child_user_namespace() {
	every_interface root_of_child_user_namespace by_sysfs by_netlink by_ioctl by_files by_rest
}

# -- a user in a network namespace of his own -----------------------------------------------------

# A user may do everything there, but can reach nothing else.
own_bonds() {
	# His own view of sysfs, where the kernel grants him one.
	attempt mount -t sysfs none /sys
	attempt ip link add b8 type bond mode active-backup miimon 100
	attempt ip link add d0 type dummy
	attempt ip link add e0 type dummy
	attempt ip link set b8 up
	attempt ip link set d0 master b8
	attempt put_text +e0 /sys/class/net/b8/bonding/slaves
	attempt put_text e0 /sys/class/net/b8/bonding/active_slave
	attempt ip link set b8 type bond miimon 50
	cat /sys/class/net/b8/bonding/{mode,miimon,slaves,active_slave}
	attempt put_text 100 /sys/class/net/b8/bonding/miimon
	attempt put_text +b9 /sys/class/net/bonding_masters
	attempt cat /sys/class/net/bonding_masters
	attempt ls /sys/class/net/b7
	attempt bondioctl info b8
	attempt bondioctl release b8 e0
	attempt bondioctl enslave b8 e0
	attempt bondioctl activate b8 e0
	attempt bondioctl info b7
	attempt ls /proc/self/net/bonding
	show /proc/self/net/bonding/b8
	attempt ls /sys/kernel/debug/bonding
	attempt put_text 1 /sys/module/bonding/parameters/miimon
	attempt rmmod bonding
	attempt ip link set d0 nomaster
	attempt ip link delete b8
	ls /proc/self/net/bonding
}

transcript_root_of_his_own_network_namespace() {
	local before
	before=$(references)
	all_there_is >"$WORK/was"
	as root_of_own_network own_bonds
	all_there_is >"$WORK/is"
	echo "-- what has changed here"
	diff "$WORK/was" "$WORK/is" || :
	wait_for 10 "the namespace to go" no_more_references "$before"
}

no_more_references() {
	(($(references) <= $1))
}

# The kernel loads the module for a user who may make devices in his own namespace, and for nobody
# else.
first_bond() {
	attempt ip link add b8 type bond
}

module_on_demand() {
	(
		WORK=$(mktemp -d)
		teardown
	) &>/dev/null
	unload
	as "$1" first_bond
	if loaded; then echo "loaded"; else echo "not loaded"; fi
	modprobe bonding max_bonds=0
	ls $SYSFS
}

transcript_module_on_demand() {
	echo "-- nobody"
	module_on_demand nobody
	echo "-- root of a child user namespace"
	module_on_demand root_of_child_user_namespace
	echo "-- root of his own network namespace"
	module_on_demand root_of_own_network
}

transcripts_are_tests
reference_main "$@"
