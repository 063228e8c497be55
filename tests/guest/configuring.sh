# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What tests of the programs that configure bonds share: b7 over a0 and b0, and the system that these
# programs expect. A test file sources this.

. "${BASH_SOURCE[0]%/*}/lacp/partner.sh"
. "${BASH_SOURCE[0]%/*}/ipoib.sh"
. "${BASH_SOURCE[0]%/*}/configurators/system.sh"

SLAVES=(a0 b0)

# -- what all of them lead to ----------------------------------------------------------

# No bond and no old configuration exist, so that only the configurator decides what is made.
setup() {
	load max_bonds=0
	rm -rf /etc/network/interfaces.d/* /run/network /run/systemd/network /etc/NetworkManager/system-connections/*
	mkdir -p /run/network
}

over_ethernet() {
	make_links veth "${SLAVES[@]}"
}

over_infiniband() {
	make_fabric
}

cut_slave() {
	if [[ -d /sys/module/vib ]]; then
		vib_port "$(adapter_of "$1")" down
	else
		cut_link "$1"
	fi
}

mend_slave() {
	if [[ -d /sys/module/vib ]]; then
		vib_port "$(adapter_of "$1")" up
	else
		mend_link "$1"
	fi
}

has_slaves() {
	local slave
	for slave in "${SLAVES[@]}"; do
		[[ " $(option b7 slaves) " == *" $slave "* ]] && mii_status "$slave" up || return 1
	done
}

# works: both slaves are in the bond, one is active, and the peer answers.
works() {
	wait_for 60 "b7 with both slaves" has_slaves
	wait_for 20 "carrier of b7" has_carrier b7
	wait_for 30 "the address of b7" has_ipv4
	is "$(option b7 mode)" "active-backup 1" mode
	[[ -n $(option b7 active_slave) ]]
	peer_answers
}

has_ipv4() {
	[[ $(ip -4 -j address show dev b7) == *"$OUR4"* ]]
}

has_option() {
	[[ $(option b7 "$1") == "$2" ]]
}

# The active slave loses its link, the other one takes over, and then the same in the other
# direction.
fails_over() {
	local from to
	from=$(option b7 active_slave)
	to=a0
	[[ $from != a0 ]] || to=b0
	cut_slave "$from"
	wait_for 20 "$to to be active" active b7 $to
	wait_for 20 "$from to be down" mii_status "$from" down
	peer_answers
	mend_slave "$from"
	wait_for 30 "$from to be up again" mii_status "$from" up
	peer_answers
}

is_taken_down() {
	local slave
	wait_for 30 "b7 to be gone" gone b7
	for slave in "${SLAVES[@]}"; do
		exists "$slave"
		[[ ! -e $SYSFS/$slave/master ]] || fail "$slave is still enslaved"
	done
}

# -- their files ---------------------------------------------------------------------------

# interfaces LINE...: writes the stanza of b7, and those of its slaves.
interfaces() {
	{
		printf 'auto b7\niface b7 inet static\n\taddress %s/24\n' $OUR4
		printf '\t%s\n' "bond-mode ${MODE-active-backup}" "$@"
	} >/etc/network/interfaces.d/b7
}

networkd_files() {
	mkdir -p /run/systemd/network
	cat >/run/systemd/network/b7.netdev
	cat >/run/systemd/network/b7.network <<-END
		[Match]
		Name=b7
		[Network]
		Address=$OUR4/24
		LinkLocalAddressing=no
	END
	for slave in "${SLAVES[@]}"; do
		printf '[Match]\nName=%s\n[Network]\nBond=b7\n' "$slave" >"/run/systemd/network/$slave.network"
	done
}

# -- the end of a case -------------------------------------------------------------------------

eval "fabric_$(declare -f teardown)"

# The output has what the daemons have said; it is shown if the case has failed.
teardown() {
	show_daemons
	fabric_teardown
}
