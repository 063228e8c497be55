# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The system that programs expect which configure interfaces: udev and the bus.

# daemon NAME COMMAND...: runs a daemon until the end of the case; its output is shown if the case
# fails.
daemon() {
	local name=$1
	shift
	"$@" >>"$WORK/$name.log" 2>&1 &
	declare -g "${name}_pid=$!"
}

make_system() {
	[[ -s /etc/machine-id ]] || echo 0123456789abcdef0123456789abcdef >/etc/machine-id
	mkdir -p /run/dbus /run/NetworkManager
	rm -f /run/dbus/pid
	daemon bus dbus-daemon --system --nofork --nopidfile
	daemon udev /usr/lib/systemd/systemd-udevd
	wait_for 20 "udev to listen" udevadm control --ping
	# Tells udev that these devices exist; what udev would do to InfiniBand does not concern a
	# bond.
	udevadm trigger --action=add --subsystem-match=net
	udevadm settle
	wait_for 20 "the bus to listen" test -S /run/dbus/system_bus_socket
}

# What the daemons have said; it is shown if the case has failed.
show_daemons() {
	tail -n 15 "$WORK"/*.log 2>/dev/null
}
