# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the initscripts of Red Hat do to the driver, for the ifcfg files in FOLDER. SCRIPTS says whose:
#
#   rhel4   the driver is loaded by the bond's name, which is an alias with options in modprobe's
#           configuration; the bond is up before the program ifenslave enslaves by ioctls.
#           TYPE=Bonding is for a script that came with the package ib-bonding: all by sysfs, and
#           the slaves come before the bond is up.
#   rhel5   loaded the same way; the bond is up before slaves are enslaved by sysfs
#   rhel    BONDING_OPTS: the mode first, then miimon, then the others in their order, and primary
#           once the slaves are there

redhat_start() {
	local file interface
	for file in "$FOLDER"/ifcfg-*; do
		interface=${file##*-}
		! configured "$interface" redhat_starts || redhat_ifup "$interface"
	done
}

# "network start" leaves the slaves to their bond.
redhat_starts() {
	[[ ${ONBOOT-} == yes && ${SLAVE-} != yes ]]
}

redhat_ifup() {
	echo "-- ifup $1"
	configured "$1" redhat_up
}

redhat_ifdown() {
	echo "-- ifdown $1"
	configured "$1" redhat_down
}

# redhat_slaves BOND: the interfaces whose files name it.
redhat_slaves() {
	local file
	for file in "$FOLDER"/ifcfg-*; do
		! grep -qE "^MASTER=\"?$1\"?\$" "$file" || echo "${file##*-}"
	done
}

# -- up ----------------------------------------------------------------------------------

redhat_up() {
	local slave
	if [[ ${SLAVE-} == yes && -n ${MASTER-} ]]; then
		redhat_driver "$MASTER"
		redhat_up_slave
		return
	fi
	redhat_driver "$DEVICE"
	[[ -z ${MTU-} ]] || step ip link set "$DEVICE" mtu "$MTU"
	[[ ${TYPE-} == Bonding ]] || step ip link set "$DEVICE" up
	for slave in $(redhat_slaves "$DEVICE"); do
		redhat_ifup "$slave"
	done
	[[ ${TYPE-} != Bonding ]] || step ip link set "$DEVICE" up
	redhat_primary
	redhat_address
}

redhat_driver() {
	case $SCRIPTS-$(configured "$1" redhat_type) in
	rhel4-Bonding) redhat_ib_bonding "$1" ;;
	rhel4* | rhel5*) [[ -e $SYSFS/$1 ]] || step modprobe "$1" ;;
	*) redhat_install_driver "$1" ;;
	esac
}

redhat_type() {
	echo "${TYPE-}"
}

# The options are those that ib-bond had without arguments.
redhat_ib_bonding() {
	loaded || step modprobe bonding
	add_bond "$1"
	! is_used "$1" || return 0
	store 1 "$1/bonding/mode"
	store 100 "$1/bonding/miimon"
}

redhat_install_driver() {
	loaded || step modprobe bonding
	add_bond "$1"
	# Not again for each slave.
	! is_used "$1" || return 0
	configured "$1" redhat_options
}

redhat_options() {
	local word first
	for first in mode miimon; do
		for word in $BONDING_OPTS; do
			[[ ${word%%=*} != "$first" ]] || redhat_option "$word"
		done
	done
	for word in $BONDING_OPTS; do
		[[ ${word%%=*} == @(mode|miimon|primary) ]] || redhat_option "$word"
	done
}

# redhat_option NAME=VALUE: targets are separated by commas, and added one by one.
redhat_option() {
	local name=${1%%=*} value=${1#*=} target
	if [[ $name == arp_ip_target ]]; then
		for target in ${value//,/ }; do
			grep -qwF -- "$target" "$SYSFS/$DEVICE/bonding/$name" || store "+$target" "$DEVICE/bonding/$name"
		done
	else
		store "$value" "$DEVICE/bonding/$name"
	fi
}

redhat_primary() {
	local word
	for word in ${BONDING_OPTS-}; do
		[[ ${word%%=*} != primary ]] || redhat_option "$word"
	done
}

redhat_up_slave() {
	if [[ ${CONNECTED_MODE-} == yes ]]; then
		store connected "$DEVICE/mode"
	fi
	[[ -z ${MTU-} ]] || step ip link set "$DEVICE" mtu "$MTU"
	! is_slave_of "$MASTER" "$DEVICE" || return 0
	if [[ $SCRIPTS == rhel4 && ${TYPE-} != InfiniBand ]]; then
		ifenslave_of_old "$MASTER" "$DEVICE"
	else
		step ip link set "$DEVICE" down
		store "+$DEVICE" "$MASTER/bonding/slaves"
	fi
}

# ifenslave_of_old BOND SLAVE: the program asked the driver for its version first. Since version 1, the
# driver has set addresses, and set slaves up, itself.
ifenslave_of_old() {
	local version
	version=$(ethtool -i "$1" | sed -n 's/^firmware-version: //p')
	echo "the driver's interface has version $version"
	((version >= 1)) || fail "ifenslave would set the addresses itself"
	step bondioctl info "$1"
	step ip address flush dev "$2"
	step ip link set "$2" down
	step ip link set "$2" mtu "$(<"$SYSFS/$1/mtu")"
	step bondioctl enslave "$1" "$2"
}

redhat_address() {
	[[ -n ${IPADDR-} ]] || return 0
	# LINKDELAY, for as long as it takes.
	wait_for 20 "carrier of $DEVICE" has_carrier "$DEVICE"
	step arping -q -c 2 -w 3 -D -I "$DEVICE" "$IPADDR"
	step ip address add "$IPADDR/${PREFIX:-$(prefix_of "${NETMASK-}")}" broadcast + dev "$DEVICE"
	step arping -q -A -c 1 -I "$DEVICE" "$IPADDR"
}

# -- down --------------------------------------------------------------------------------

redhat_down() {
	local slave word target
	if [[ ${SLAVE-} == yes && -n ${MASTER-} ]]; then
		if [[ $SCRIPTS == rhel4 && ${TYPE-} != InfiniBand ]]; then
			step bondioctl release "$MASTER" "$DEVICE"
		else
			store "-$DEVICE" "$MASTER/bonding/slaves"
		fi
		step ip link set "$DEVICE" down
		return
	fi
	for slave in $(redhat_slaves "$DEVICE"); do
		redhat_ifdown "$slave"
	done
	for word in ${BONDING_OPTS-}; do
		[[ ${word%%=*} == arp_ip_target ]] || continue
		word=${word#*=}
		for target in ${word//,/ }; do
			! grep -qwF -- "$target" "$SYSFS/$DEVICE/bonding/arp_ip_target" ||
				store "-$target" "$DEVICE/bonding/arp_ip_target"
		done
	done
	step ip address flush dev "$DEVICE"
	step ip link set "$DEVICE" down
	[[ $SCRIPTS == rhel4 || $SCRIPTS == rhel5 ]] || store "-$DEVICE" bonding_masters
}
