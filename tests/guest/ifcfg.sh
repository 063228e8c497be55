#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 900
# parts: 3
# reference: intree
#
# ifcfg files: what the network scripts of Red Hat and of SUSE do to the driver, over Ethernet and
# over InfiniBand, with the files that are in Documentation/examples/ifcfg. Each step, what came of it
# and what it led to must be what the in-tree driver makes of it; its transcripts were made by
#
#   scripts/guest --icount --module intree -- bash /project/tests/guest/ifcfg.sh --record \
#       >tests/guest/reference/ifcfg.txt

. "${BASH_SOURCE[0]%/*}/ipoib.sh"
. "${BASH_SOURCE[0]%/*}/reference/compare.sh"
. "${BASH_SOURCE[0]%/*}/ifcfg/scripts.sh"
. "${BASH_SOURCE[0]%/*}/ifcfg/redhat.sh"
. "${BASH_SOURCE[0]%/*}/ifcfg/suse.sh"

# -- the machine -----------------------------------------------------------------------

MODPROBE_CONFIGURATION=/etc/modprobe.d/ifcfg.conf

setup() {
	build bondioctl
	unload
	rm -rf /etc/sysconfig $MODPROBE_CONFIGURATION
}

# machine KIND FILES: eth0 and eth1, or ib0 and ib1, and these files of Documentation/examples/ifcfg.
machine() {
	local at=/etc/sysconfig/network-scripts
	# shellcheck disable=SC2034
	SCRIPTS=$2
	[[ $2 == rhel* ]] || at=/etc/sysconfig/network
	FOLDER=$at
	mkdir -p $at
	cp "$EXAMPLES/$2-$1"/ifcfg-* $at
	cp "$EXAMPLES/unenslave.sh" $at
	[[ ! -e $EXAMPLES/$2-$1/modprobe.conf ]] || cp "$EXAMPLES/$2-$1/modprobe.conf" $MODPROBE_CONFIGURATION
	links_of_"$1"
}

links_of_ethernet() {
	SLAVES=(eth0 eth1)
	make_links veth "${SLAVES[@]}"
	ip -n peer address add 192.0.2.3/24 dev br0
}

links_of_infiniband() {
	SLAVES=(ib0 ib1)
	make_fabric
	ip link set a0 name ib0
	ip link set b0 name ib1
	ip -n peer address add 192.0.2.3/24 dev p0
}

# configure FILE KEY VALUE: changes a file.
configure() {
	sed -i "/^$2=/d" "$FOLDER/$1"
	printf '%s="%s"\n' "$2" "$3" >>"$FOLDER/$1"
}

cut_slave() {
	if [[ $1 == ib* ]]; then
		vib_port "$(adapter_of "$1")" down
	else
		cut_link "$1"
	fi
}

mend_slave() {
	if [[ $1 == ib* ]]; then
		vib_port "$(adapter_of "$1")" up
	else
		mend_link "$1"
	fi
}

# -- what the steps lead to ----------------------------------------------------------------

slaves_are_up() {
	mii_status "${SLAVES[0]}" up && mii_status "${SLAVES[1]}" up
}

# The options that the files set, and those that follow from them.
OPTIONS=(mode miimon updelay downdelay arp_interval arp_ip_target arp_validate fail_over_mac num_grat_arp primary slaves mii_status)

# state [BOND]: what the bond is once its slaves are up, without what is left to chance, such as which
# of two ports joins its groups first.
state() {
	local bond=${1-bond0} slave name value
	echo "-- state of $bond"
	wait_for 20 "both slaves to be up" slaves_are_up
	wait_for 20 "carrier of $bond" has_carrier "$bond"
	for name in "${OPTIONS[@]}"; do
		value=
		read -r value <"$SYSFS/$bond/bonding/$name" || :
		echo "$name: $value"
	done
	if [[ -n $(option "$bond" primary) ]]; then
		wait_for 20 "the primary to be active" active "$bond" "$(option "$bond" primary)"
	fi
	link_json "$bond" '"\(.link_type) \(.operstate) \(.flags | sort | join(" "))"'
	ip -4 -j address show dev "$bond" | jq -r '.[0].addr_info[] | "\(.local)/\(.prefixlen) \(.broadcast)"'
	for slave in "${SLAVES[@]}"; do
		link_json "$slave" '"\(.ifname) \(.master) \(.flags | sort | join(" "))"'
	done
}

# left: what is there after all was taken down.
left() {
	echo "-- left"
	! loaded || echo "bonds: $(<"$SYSFS/bonding_masters")"
	for slave in "${SLAVES[@]}"; do
		link_json "$slave" '"\(.ifname) \(.master) \(.link_type) \(.flags | sort | join(" "))"'
	done
}

# fails_over [BOND]: the peer answers; the active slave loses its link, the other one takes over, and
# then the same in the other direction. With a primary, this ends as it began.
fails_over() {
	local bond=${1-bond0} from to
	peer_answers
	from=$(option "$bond" active_slave)
	to=${SLAVES[0]}
	[[ $from != "$to" ]] || to=${SLAVES[1]}
	cut_slave "$from"
	wait_for 20 "$to to be active" active "$bond" "$to"
	wait_for 20 "$from to be down" mii_status "$from" down
	peer_answers
	mend_slave "$from"
	wait_for 20 "$from to be up again" mii_status "$from" up
	if [[ -z $(option "$bond" primary) ]]; then
		cut_slave "$to"
		wait_for 20 "$from to be active" active "$bond" "$from"
		mend_slave "$to"
		wait_for 20 "$to to be up again" mii_status "$to" up
	else
		wait_for 20 "the primary to be active" active "$bond" "$(option "$bond" primary)"
	fi
	peer_answers
}

# -- both -----------------------------------------------------------------------------


# whole DISTRIBUTION: up, down one slave and up again, and down.
whole() {
	"$1_start"
	state
	fails_over
	if [[ $1 == redhat ]]; then
		redhat_ifdown "${SLAVES[0]}"
		redhat_ifup "${SLAVES[0]}"
	else
		suse_ifdown "${SLAVES[0]}"
		suse_ifup bond0
	fi
	state
	fails_over
}

# -- Red Hat -----------------------------------------------------------------------------

by_redhat() {
	whole redhat
	redhat_ifdown bond0
	left
}

transcript_rhel4() {
	machine ethernet rhel4
	by_redhat
}

transcript_rhel4_infiniband() {
	machine infiniband rhel4
	by_redhat
}

transcript_rhel5() {
	machine ethernet rhel5
	by_redhat
}

transcript_rhel5_infiniband() {
	machine infiniband rhel5
	by_redhat
}

transcript_rhel() {
	machine ethernet rhel
	by_redhat
}

transcript_rhel_infiniband() {
	machine infiniband rhel
	by_redhat
}

# The driver makes two bonds when it is loaded, and both have the options of the alias.
transcript_rhel5_two_bonds() {
	local slave
	machine ethernet rhel5
	sed -i 's/max_bonds=1/max_bonds=2/; $ a alias bond1 bonding' $MODPROBE_CONFIGURATION
	sed 's/bond0/bond1/; s/192\.0\.2\.1/198.51.100.1/' $FOLDER/ifcfg-bond0 >$FOLDER/ifcfg-bond1
	make_links veth eth2 eth3
	for slave in eth2 eth3; do
		sed "s/eth0/$slave/; s/bond0/bond1/" $FOLDER/ifcfg-eth0 >$FOLDER/ifcfg-$slave
	done
	redhat_start
	state
	fails_over
	SLAVES=(eth2 eth3)
	state bond1
	redhat_ifdown bond1
	left
}

# The same options in several orders lead to the same bond.
transcript_rhel_options_in_any_order() {
	local words=(primary=eth1 updelay=200 num_grat_arp=2 downdelay=100 miimon=100 fail_over_mac=active mode=1) turn
	machine ethernet rhel
	for turn in 0 2 2 2; do
		words=("${words[@]:turn}" "${words[@]:0:turn}")
		echo "-- ${words[*]}"
		configure ifcfg-bond0 BONDING_OPTS "${words[*]}"
		redhat_start
		state >"$WORK/state"
		# One for all.
		[[ -e $WORK/first ]] || {
			cp "$WORK/state" "$WORK/first"
			cat "$WORK/first"
		}
		diff "$WORK/first" "$WORK/state"
		redhat_ifdown bond0
	done
}

transcript_rhel_arp_targets() {
	machine ethernet rhel
	configure ifcfg-bond0 BONDING_OPTS "arp_validate=all arp_ip_target=192.0.2.2,192.0.2.3 arp_interval=100 primary=eth0 mode=active-backup"
	by_redhat
}

transcript_rhel_arp_targets_infiniband() {
	machine infiniband rhel
	configure ifcfg-bond0 BONDING_OPTS "mode=1 arp_interval=200 arp_ip_target=192.0.2.2,192.0.2.3 primary=ib1"
	by_redhat
}

mtus() {
	grep -H '' "$SYSFS"/{bond0,ib0,ib1}/mtu
}

# In connected mode, all three files have the MTU.
transcript_rhel_connected_mode() {
	machine infiniband rhel
	configure ifcfg-bond0 MTU 65520
	configure ifcfg-ib0 MTU 65520
	configure ifcfg-ib1 MTU 65520
	configure ifcfg-ib0 CONNECTED_MODE yes
	configure ifcfg-ib1 CONNECTED_MODE yes
	redhat_start
	state
	mtus
	fails_over
	mtus
	redhat_ifdown bond0
	left
}

# What cannot be set is passed over, and the bond comes up with the rest.
transcript_rhel_wrong_options() {
	local word
	machine ethernet rhel
	configure ifcfg-bond0 BONDING_OPTS \
		"mode=active-backup miimon=100 max_bonds=1 speed=100 updelay=fast arp_ip_target=192.0.2.256,192.0.2.2 primary=eth9 num_grat_arp=999"
	redhat_start
	state
	for word in updelay arp_ip_target num_grat_arp; do
		# The in-tree driver says less.
		! ours || kmsg_has "bond0: .*$word" || fail "the log does not name $word"
	done
	fails_over
	redhat_ifdown bond0
}

# Slaves may come before their bond; "ifup bond0" then finds them there.
transcript_rhel_slaves_first() {
	machine ethernet rhel
	redhat_ifup eth1
	redhat_ifup eth0
	redhat_ifup bond0
	state
	fails_over
	redhat_ifdown bond0
	left
}

# -- SUSE --------------------------------------------------------------------------------

# The slaves' files name unenslave.sh, so that "network stop" may take them down first.
by_sles10() {
	whole suse
	suse_ifdown "${SLAVES[0]}"
	suse_ifdown "${SLAVES[1]}"
	suse_ifdown bond0
	left
}

by_sles() {
	whole suse
	suse_ifdown bond0
	left
}

transcript_sles10() {
	machine ethernet sles10
	by_sles10
}

transcript_sles10_infiniband() {
	machine infiniband sles10
	by_sles10
}

transcript_sles() {
	machine ethernet sles
	by_sles
}

transcript_sles_infiniband() {
	machine infiniband sles
	by_sles
}

# The options are written again when the slaves are there: this makes the difference for active_slave.
transcript_sles_options_that_need_slaves() {
	machine ethernet sles
	configure ifcfg-bond0 BONDING_MODULE_OPTS "mode=1 miimon=100 max_bonds=1 active_slave=eth1 fail_over_mac=follow"
	suse_start
	state
	active bond0 eth1
	fails_over
	suse_ifdown bond0
	left
}

# "network restart" with other targets, while the slaves are there.
sles_arp_targets() {
	configure ifcfg-bond0 BONDING_MODULE_OPTS "mode=active-backup arp_interval=100 arp_ip_target=192.0.2.3"
	suse_start
	state
	configure ifcfg-bond0 BONDING_MODULE_OPTS "mode=active-backup arp_interval=100 arp_ip_target=192.0.2.2,192.0.2.3"
	suse_start
	state
	fails_over
	suse_ifdown bond0
	left
}

transcript_sles_arp_targets() {
	machine ethernet sles
	sles_arp_targets
}

transcript_sles_arp_targets_infiniband() {
	machine infiniband sles
	sles_arp_targets
}

transcripts_are_tests

# -- unenslave.sh ---------------------------------------------------------------------------

unenslave() {
	"$EXAMPLES/unenslave.sh" "$@"
}

# status STATUS TEXT ARGUMENT...: unenslave.sh ends with this status, and one sentence with this text.
status() {
	local status=0
	unenslave "${@:3}" >"$WORK/said" 2>&1 || status=$?
	is $status "$1" "the status of \"unenslave.sh ${*:3}\""
	grep -qF -- "$2" "$WORK/said" || fail "\"unenslave.sh ${*:3}\" says: $(<"$WORK/said")"
	is "$(wc -l <"$WORK/said")" 1 "the number of lines"
}

test_unenslave() {
	machine ethernet sles10
	suse_start
	state
	is "$(unenslave /etc/sysconfig/network/ifcfg-eth0 eth0 -o rc)" ""
	is "$(option bond0 slaves)" eth1
	is "$(unenslave eth1)" ""
	is "$(option bond0 slaves)" ""
	# Nothing is left to do.
	snapshot >"$WORK/before"
	unenslave eth1 eth1
	unmoved
}

test_unenslave_infiniband() {
	machine infiniband sles10
	suse_start
	state
	unenslave ib0 ib0
	unenslave ib1 ib1
	is "$(option bond0 slaves)" ""
}

test_unenslave_leaves_alone_what_no_bond_has() {
	machine ethernet sles10
	ip link add br7 type bridge
	ip link set eth0 master br7
	snapshot >"$WORK/before"
	is "$(unenslave eth0 eth0)" ""
	is "$(unenslave lo lo)" ""
	unmoved
}

test_unenslave_says_what_is_wrong() {
	machine ethernet sles10
	suse_start
	state
	snapshot >"$WORK/before"
	status 2 'no interface is given'
	status 2 '"" is not the name of an interface' ""
	status 2 '"../eth0" is not the name' ../eth0
	status 2 '"-h" is not the name' -h
	status 1 'there is no interface "eth9"' ifcfg-eth9 eth9
	cp "$EXAMPLES/unenslave.sh" "$WORK/unenslave.sh"
	chmod 755 "$WORK" "$WORK/unenslave.sh"
	EXAMPLES="setpriv --reuid 65534 --clear-groups $WORK"
	unenslave() {
		# shellcheck disable=SC2086
		$EXAMPLES/unenslave.sh "$@"
	}
	status 1 "eth0 cannot be released from bond0 without root's rights" eth0 eth0
	unmoved
}

# -- the end of a case -------------------------------------------------------------------------

eval "fabric_$(declare -f teardown)"

teardown() {
	rm -rf /etc/sysconfig $MODPROBE_CONFIGURATION
	fabric_teardown
}

reference_main "$@"
