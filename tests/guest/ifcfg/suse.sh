# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What SUSE's sysconfig does to the driver, for the ifcfg files in FOLDER: the options are set, the bond
# goes up, its slaves come, and the options are set again, for those that need slaves. An option that
# has its value is left alone; of the ARP targets, the old ones are removed first.

suse_start() {
	local file interface
	for file in "$FOLDER"/ifcfg-*; do
		interface=${file##*-}
		! configured "$interface" suse_starts || suse_ifup "$interface"
	done
}

suse_starts() {
	[[ ${STARTMODE-} == @(onboot|auto|on|boot) ]]
}

suse_ifup() {
	echo "-- ifup $1"
	configured "$1" suse_up "$1"
}

suse_ifdown() {
	echo "-- ifdown $1"
	configured "$1" suse_down "$1"
}

suse_up() {
	local bond=$1 variable slave
	[[ ${BONDING_MASTER-} == yes ]]
	loaded || step modprobe bonding
	add_bond "$bond"
	suse_options "$bond"
	step ip link set "$bond" up
	for variable in "${!BONDING_SLAVE@}"; do
		slave=${!variable}
		! is_slave_of "$bond" "$slave" || continue
		configured "$slave" suse_mode "$slave"
		step ip address flush dev "$slave"
		step ip link set "$slave" down
		store "+$slave" "$bond/bonding/slaves"
	done
	suse_options "$bond"
	if [[ $IPADDR != */* ]]; then
		IPADDR=$IPADDR/$(prefix_of "$NETMASK")
	fi
	[[ -n $(ip -4 address show dev "$bond" to "${IPADDR%/*}") ]] || step ip address add "$IPADDR" broadcast + dev "$bond"
}

suse_mode() {
	[[ -z ${IPOIB_MODE-} || $(<"$SYSFS/$1/mode") == "$IPOIB_MODE" ]] || store "$IPOIB_MODE" "$1/mode"
}

suse_options() {
	local word name value target now
	for word in $BONDING_MODULE_OPTS; do
		name=${word%%=*} value=${word#*=}
		# Parameters of the module alone, such as max_bonds.
		if [[ ! -e $SYSFS/$1/bonding/$name ]]; then
			echo "$1/bonding has no $name"
			continue
		fi
		now=$(<"$SYSFS/$1/bonding/$name")
		if [[ $name == arp_ip_target ]]; then
			[[ $now != "${value//,/ }" ]] || continue
			for target in $now; do
				store "-$target" "$1/bonding/$name"
			done
			for target in ${value//,/ }; do
				store "+$target" "$1/bonding/$name"
			done
		# Options that have names show name and number.
		elif [[ $now != "$value" && ${now% *} != "$value" && ${now#* } != "$value" ]]; then
			store "$value" "$1/bonding/$name"
		fi
	done
}

suse_down() {
	local slave bond=$SYSFS/$1/master
	if [[ -n ${PRE_DOWN_SCRIPT-} ]]; then
		step "$PRE_DOWN_SCRIPT" "$1" "$1" -o rc
	elif [[ -e $bond ]]; then
		# SLES 10 itself leaves slaves enslaved.
		bond=$(readlink -f "$bond")
		store "-$1" "${bond##*/}/bonding/slaves"
	fi
	step ip address flush dev "$1"
	if ! is_bond "$1"; then
		step ip link set "$1" down
		return
	fi
	for slave in $(<"$SYSFS/$1/bonding/slaves"); do
		store "-$slave" "$1/bonding/slaves"
	done
	step ip link set "$1" down
	store "-$1" bonding_masters
	# The module goes with its last bond.
	[[ -n $(<"$SYSFS/bonding_masters") ]] || step rmmod bonding
}
