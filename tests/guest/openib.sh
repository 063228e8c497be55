#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# reference: intree
# timeout: 900
#
# The bonds of openib.conf: what is made, changed and removed, and that an adapter that comes back joins its bond.

. "${BASH_SOURCE[0]%/*}/ipoib_bond.sh"
. "${BASH_SOURCE[0]%/*}/ib_bond_command.sh"

FILE=/etc/infiniband/openib.conf

setup() {
	install_ib_bond
	load max_bonds=0
	mkdir -p ${FILE%/*}
}

eval "ipoib_$(declare -f teardown)"

teardown() {
	pkill -x systemd-udevd
	pkill -KILL -x systemd
	rm -f /etc/udev/rules.d/90-ib-bond.rules
	rm -f $FILE
	ipoib_teardown
	forget_ib_bond
}

# openib STATUS ACTION...: the service.
openib() {
	exits "$1" ib-bond openib "${@:2}"
}

# conf LINE...: the file has what OFED's has, and these lines.
conf() {
	{
		cat <<-'END'
			# Start HCA driver upon boot
			ONBOOT=yes
			IPOIB_LOAD=yes
			SET_IPOIB_CM=auto
			IPOIBBOND_ENABLE=yes
			IPOIB_BONDS=b7,b8
			b7_IP=192.0.2.1/24
			b7_SLAVES=a0,b0
			b8_IP=192.0.2.65/26
			b8_SLAVES=a0.8001,b0.8001
		END
		printf '%s\n' "$@"
	} >$FILE
}

# edit SED-SCRIPT: changes the file.
edit() {
	sed -i "$1" $FILE
}

is_well() {
	ib_is "$1" .state well
}

# Nothing changes for longer than it takes to look for a duplicate of an IPv6 address.
are_settled() {
	everything >"$WORK/before"
	pause 2.5
	everything_is_as_before
}

index() {
	cat $SYSFS/"$1"/ifindex
}

test_the_bonds_of_the_file_are_made() {
	make_fabric
	conf
	openib 0 start
	says "b7 is up: 192.0.2.1/24 over a0 and b0."
	says "b8 is up: 192.0.2.65/26 over a0.8001 and b0.8001."
	wait_for 20 "b7 to be well" is_well b7
	wait_for 20 "b8 to be well" is_well b8
	peer_answers $PEER4
	is "$(ib_status b7 '.bonds[0].made_by')" openib
	is "$(ib_status b8 '.bonds[0].slaves | map(.pkey) | join(" ")')" "0x8001 0x8001"
	openib 0 start
	openib 0 stop
	gone b7
	gone b8
	gone a0.8001
	exists a0
}

test_a_restart_changes_what_has_changed() {
	local first second
	make_fabric
	conf
	openib 0 start
	first=$(index b7) second=$(index b8)
	wait_for 30 "b7 to be well" is_well b7
	wait_for 30 "b8 to be well" is_well b8
	wait_for 30 "the devices to settle" are_settled
	openib 0 restart
	says "b7 is up already."
	says "b8 is up already."
	wait_for 5 "nothing to have changed" everything_is_as_before

	edit 's/^b8_IP=.*/b8_IP=192.0.2.66\/26/'
	openib 0 restart
	says "b7 is up already."
	says "b8 is changed."
	is "$(index b7) $(index b8)" "$first $second"
	ip address show dev b8 | has 'inet 192.0.2.66/26'
	ip address show dev b8 | lacks 'inet 192.0.2.65/26'

	edit 's/^b8_SLAVES=.*/b8_SLAVES=b0.8001/'
	openib 0 restart
	gone a0.8001
	is "$(option b8 slaves)" b0.8001

	edit 's/^IPOIB_BONDS=.*/IPOIB_BONDS=b7/'
	openib 0 restart
	says "b8 is deleted."
	gone b8
	is "$(index b7)" "$first"

	edit 's/^IPOIBBOND_ENABLE=.*/IPOIBBOND_ENABLE=no/'
	openib 0 restart
	gone b7
}

test_a_slave_moves_from_one_bond_to_another() {
	make_fabric
	conf
	edit 's/^b8_SLAVES=.*/b8_SLAVES=b0/; s/^b7_SLAVES=.*/b7_SLAVES=a0/'
	openib 0 start
	edit 's/^b8_SLAVES=.*/b8_SLAVES=b0.8001/; s/^b7_SLAVES=.*/b7_SLAVES=a0,b0/'
	openib 0 restart
	is "$(option b7 slaves)" "a0 b0"
	is "$(option b8 slaves)" b0.8001
}

test_a_bond_without_one_of_the_two_is_not_made() {
	make_fabric
	conf
	edit '/^b7_IP/d'
	openib 0 start
	says "$FILE: b7 is not made, because b7_IP is missing."
	gone b7
	exists b8
	conf
	edit '/^b7_SLAVES/d'
	openib 0 restart
	says "$FILE: b7 is not made, because b7_SLAVES is missing."
	gone b7
}

test_a_half_written_line_does_not_take_a_bond_down() {
	local first
	make_fabric
	conf
	openib 0 start
	first=$(index b7)
	edit 's/^b7_SLAVES=.*/b7_SLAVES="a0,/'
	openib 3 restart
	says "line 8: a quote is not closed, so it is passed over"
	says "b7 is not made, because b7_SLAVES is wrong: its line was passed over"
	is "$(index b7)" "$first"
	is "$(option b7 slaves)" "a0 b0"
	# Nor all bonds, if it is the list of them that cannot be read.
	conf
	edit 's/^IPOIB_BONDS=.*/IPOIB_BONDS=b7, b8/'
	openib 3 restart
	says "it is no assignment (NAME=VALUE, without spaces around \"=\"), so it is passed over"
	is "$(index b7)" "$first"
	exists b8
	edit 's/^IPOIB_BONDS=.*/IPOIB_BONDS=b7/'
	openib 0 restart
	is "$(index b7)" "$first"
	gone b8
}

# Who reads what it says may go away; the bonds are made all the same.
test_nobody_listens() {
	make_fabric
	conf
	edit 's/^b8_IP=.*/b8_IP=nonsense/'
	ib-bond openib start --file $FILE > >(:) 2> >(:) || is $? 3 "the exit status"
	exists b7
}

test_odd_files() {
	make_fabric
	conf '' '# comment' 'UNKNOWN_KEY=x' 'this is not shell' 'b7_IP=$(touch /tmp/executed)' "  b7_IP='192.0.2.9'  # mine" \
		'b7_SLAVES=a0", "b0'
	sed -i 's/$/\r/' $FILE
	openib 0 start
	says "line 14: it is no assignment"
	says "line 15: its value would have to be computed by a shell"
	ip address show dev b7 | has 'inet 192.0.2.9/24'
	is "$(option b7 slaves)" "a0 b0"
	[[ ! -e /tmp/executed ]]
}

test_bad_values_are_told_and_the_other_bond_is_made() {
	make_fabric
	conf
	edit 's/^b7_IP=.*/b7_IP=192.0.2.1\/255.255.255.0/'
	openib 3 start
	says "b7 is not made, because b7_IP is wrong: \"255.255.255.0\" is no length of a netmask: give the number of its bits, 24."
	gone b7
	exists b8
	rm $FILE
	openib 3 start
	says "$FILE cannot be read: No such file or directory"
	exists b8
	openib 3 start --file /nonexistent/openib.conf
	says "/nonexistent/openib.conf cannot be read"
}

test_nothing_beside_the_high_availability_service() {
	make_fabric
	conf IPOIBHA_ENABLE=yes
	openib 0 start
	says "the IPoIB high availability service and bonding exclude each other, so no bond is made"
	gone b7
	gone b8
}

test_bonds_of_others_stay_theirs() {
	local first
	make_fabric
	make_bond b7 mode active-backup miimon 200
	enslave b7 a0
	first=$(index b7)
	conf
	openib 3 start
	says "b7 exists already over a0, and ib-bond has not made it"
	exists b8
	openib 3 restart
	openib 0 stop
	is "$(index b7)" "$first"
	is "$(option b7 miimon)" 200
	is "$(option b7 slaves)" a0
	gone b8
}

test_connected_mode_and_mtu() {
	make_fabric
	in_peer bash -c "echo connected >$SYSFS/p0/mode"
	ip -n peer link set p0 mtu 65520
	conf SET_IPOIB_CM=yes
	edit 's/^IPOIB_BONDS=.*/IPOIB_BONDS=b7/'
	openib 0 start
	wait_for 20 "b7 to be well" is_well b7
	is "$(cat $SYSFS/{a0,b0}/mode | xargs)" "connected connected"
	is "$(cat $SYSFS/{b7,a0,b0}/mtu | xargs)" "65520 65520 65520"
	peer_answers $PEER4
	wait_for 10 "a large packet to pass" ping -q -c 1 -W 2 -M do -s 65000 $PEER4
	conf SET_IPOIB_CM=yes IPOIB_MTU=32000
	edit 's/^IPOIB_BONDS=.*/IPOIB_BONDS=b7/'
	openib 0 restart
	is "$(cat $SYSFS/{b7,a0,b0}/mtu | xargs)" "32000 32000 32000"
	conf SET_IPOIB_CM=no IPOIB_MTU=1800
	edit 's/^IPOIB_BONDS=.*/IPOIB_BONDS=b7/'
	openib 0 restart
	is "$(cat $SYSFS/{a0,b0}/mode | xargs)" "datagram datagram"
	is "$(cat $SYSFS/{b7,a0,b0}/mtu | xargs)" "1800 1800 1800"
	# The fabric does not have that MTU: the bond matters more.
	conf SET_IPOIB_CM=no IPOIB_MTU=4092
	edit 's/^IPOIB_BONDS=.*/IPOIB_BONDS=b7/'
	openib 0 restart
	is "$(option b7 slaves)" "a0 b0"
}

test_slaves_that_are_not_there_yet_join_later() {
	make_fabric
	conf
	vib_hca vib1 out
	gone b0
	openib 0 start
	says "b0 is not there yet; it joins b7 when it appears."
	is "$(option b7 slaves)" a0
	vib_hca vib1 in
	name_ipoib vib1 b0
	openib 0 add b0
	says "b7 is changed."
	is "$(option b7 slaves)" "a0 b0"
	is "$(option b8 slaves)" "a0.8001 b0.8001"
	wait_for 20 "b7 to be well" is_well b7
}

test_without_any_slave_it_waits() {
	make_fabric
	conf
	edit 's/a0/c0/g; s/b0/d0/g'
	openib 0 start
	says "b7 waits for its slaves."
	gone b7
	ip link set a0 name c0
	openib 0 add c0
	is "$(option b7 slaves)" c0
	is "$(option b8 slaves)" c0.8001
	ip link set c0 down || :
	openib 0 stop
	ip link set c0 name a0
}

test_what_the_file_does_not_name_is_left_alone() {
	make_fabric
	conf
	edit 's/^IPOIB_BONDS=.*/IPOIB_BONDS=b7/; s/^b7_SLAVES=.*/b7_SLAVES=a0/'
	# Not before the service is started.
	openib 0 add a0
	gone b7
	openib 0 start
	openib 0 add b0
	openib 0 add nonexistent
	is "$(option b7 slaves)" a0
	is "$(<"$WORK/said")" ""
	openib 0 stop
	openib 0 add a0
	gone b7
	rm $FILE
	openib 0 add a0
}

test_an_adapter_that_is_reset_joins_again_by_itself() {
	make_fabric
	vib_hca vib0 out
	vib_hca vib1 out
	# From here on, udev gives the names.
	mkdir -p /etc/udev/rules.d /run/udev
	cp /project/packaging/90-ib-bond.rules /etc/udev/rules.d/
	for hca in 0 1; do
		printf 'ACTION=="add", SUBSYSTEM=="net", ATTR{type}=="32", ATTR{address}=="*:00:01:0%s:01", NAME="%s0"\n' \
			$hca "$([[ $hca == 0 ]] && echo a || echo b)"
	done >/etc/udev/rules.d/70-names.rules
	/usr/lib/systemd/systemd-udevd --daemon
	conf
	openib 0 start
	vib_hca vib0 in
	vib_hca vib1 in
	wait_for 60 "both slaves in b7" slaves_of_b7_are 2
	wait_for 30 "b7 to be well" is_well b7
	vib_hca vib0 out
	wait_for 20 "b7 to lose a slave" slaves_of_b7_are 1
	vib_hca vib0 in
	wait_for 60 "both slaves in b7" slaves_of_b7_are 2
	wait_for 30 "b7 to be well" is_well b7
	wait_for 30 "b8 to be well" is_well b8
	peer_answers $PEER4
	# With the in-tree driver, the bond goes with its last slave.
	vib_hca vib0 out
	vib_hca vib1 out
	vib_hca vib1 in
	vib_hca vib0 in
	wait_for 60 "both slaves in b7" slaves_of_b7_are 2
	wait_for 30 "b7 to be well" is_well b7
	peer_answers $PEER4
	rm /etc/udev/rules.d/70-names.rules
}

# A systemd of its own, in namespaces: the units that a test starts, and nothing else.
start_systemd() {
	printf '[Unit]\nDescription=What a test starts\nRequires=dbus.socket\nDefaultDependencies=no\n' \
		>/etc/systemd/system/only.target
	cp /project/packaging/ib-bond-openib.service /etc/systemd/system/
	mkdir -p /sys/fs/cgroup/systemd
	bash -c 'echo $$ >/sys/fs/cgroup/systemd/cgroup.procs
		exec unshare --fork --pid --mount --cgroup --mount-proc bash -c "mount -t cgroup2 cgroup /sys/fs/cgroup
			exec env container=guest /usr/lib/systemd/systemd --unit=only.target"' &
	wait_for 60 "systemd" in_systemd systemctl is-system-running
}

in_systemd() {
	local pid
	pid=$(pgrep --oldest --exact systemd) || return 1
	nsenter --target "$pid" --mount --pid --cgroup "$@"
}

test_the_unit() {
	local first second
	make_fabric
	conf
	start_systemd
	in_systemd systemctl start ib-bond-openib
	first=$(index b7) second=$(index b8)
	edit 's/^b8_IP=.*/b8_IP=192.0.2.66\/26/'
	in_systemd systemctl restart ib-bond-openib
	is "$(index b7) $(index b8)" "$first $second" "the numbers of the bonds"
	ip address show dev b8 | has 'inet 192.0.2.66/26'
	edit 's/^IPOIB_BONDS=.*/IPOIB_BONDS=b7/'
	in_systemd systemctl reload ib-bond-openib
	gone b8
	edit 's/^b7_IP=.*/b7_IP=nonsense/'
	fails_with "" in_systemd systemctl restart ib-bond-openib
	is "$(index b7)" "$first" "the number of b7"
	in_systemd journalctl -u ib-bond-openib >"$WORK/said"
	says 'b7 is not made, because b7_IP is wrong: "nonsense" is no IP address'
	conf
	in_systemd systemctl restart ib-bond-openib
	is "$(index b7)" "$first" "the number of b7"
	exists b8
	in_systemd systemctl stop ib-bond-openib
	gone b7
	gone b8
}

slaves_of_b7_are() {
	ib_is b7 '.bonds[0].slaves | length' "$1"
}

ktap_main "$@"
