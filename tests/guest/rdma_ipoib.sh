#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# reference: intree
# timeout: 1800
#
# RDMA connections over a bond of IPoIB interfaces: the RDMA CM uses the port of the active slave,
# and hears of a failover. The user is NFS, with the client or the server behind the bond.

. "${BASH_SOURCE[0]%/*}/ipoib.sh"

BLOCK=65536

# make_ib_bond OPTION...: b7 over a0 and b0, up, with its addresses; returns when the peer answers.
make_ib_bond() {
	make_bond b7 mode active-backup miimon 100 "$@"
	enslave b7 a0
	wait_for 20 "a0 to be active" active b7 a0
	enslave b7 b0
	wait_for 20 "b0 to be up" mii_status b0 up
	peer_answers
}

# -- data -------------------------------------------------------------------------------

# write_blocks FILE: writes block after block, each in a request of its own, reads it back and
# compares it, until $WORK/enough exists. $WORK/done has the number of blocks so far.
write_blocks() {
	local number=0 data
	while [[ ! -e $WORK/enough ]]; do
		data=$WORK/data.$((number % 64))
		dd if="$data" of="$1" bs=$BLOCK seek=$number oflag=direct conv=notrunc status=none
		dd if="$1" bs=$BLOCK skip=$number count=1 iflag=direct status=none |
			cmp - "$data"
		number=$((number + 1))
		echo $number >"$WORK/number" && mv "$WORK/number" "$WORK/done"
	done
}

# start_writing FILE: starts the writer, and waits until the first blocks are there.
start_writing() {
	local number
	for number in {0..63}; do
		head -c $BLOCK /dev/urandom >"$WORK/data.$number"
	done
	echo 0 >"$WORK/done"
	write_blocks "$1" &
	writer=$!
	more_blocks 5
}

written() {
	(($(<"$WORK/done") >= $1))
}

# more_blocks NUMBER: waits until the writer has written that many more blocks.
more_blocks() {
	wait_for 100 "$1 more blocks" written $(($(<"$WORK/done") + $1))
}

# stop_writing FILE: stops the writer, and compares all blocks with the server's FILE.
stop_writing() {
	local number blocks
	touch "$WORK/enough"
	wait $writer
	rm "$WORK/enough"
	blocks=$(<"$WORK/done")
	for ((number = 0; number < blocks; number++)); do
		cat "$WORK/data.$((number % 64))"
	done >"$WORK/blocks"
	cmp -n $((blocks * BLOCK)) "$WORK/blocks" "$1"
	echo "$blocks blocks of $BLOCK bytes are what they were"
}

# -- the connection -----------------------------------------------------------------------

# How often the client has connected.
connects() {
	awk '$1 == "xprt:" && $2 == "rdma" { print $5 }' /proc/self/mountstats
}

# our_ends: our adapters at which the client's working connections begin or end. A server whose port
# was cut may not know for minutes, so the client's connections are the ones that count.
our_ends() {
	rdma -j resource show qp >"$WORK/qps"
	rdma -j resource show cm_id >"$WORK/ids"
	jq -nr --slurpfile qps "$WORK/qps" --slurpfile ids "$WORK/ids" '
		def port: split(":")[-1];
		def place: [.ifname, .lqpn];
		[$qps[0][] | select(.type == "RC" and .state == "RTS") | place] as $working |
		[$ids[0][] | select(.state == "CONNECT")] as $ids |
		[$ids[] | select((."dst-addr" | port | IN("20049", "4420")) and (place | IN($working[])))
			| ."src-addr" | port] as $clients |
		[$ids[] | select(.ifname != "vib2")
			| select([."src-addr", ."dst-addr"][] | port | IN($clients[])) | .ifname]
		| unique | join(" ")'
}

# connected_on HCA: all of the client's connections use this adapter.
connected_on() {
	our_ends
	[[ $(our_ends) == "$1" ]]
}

# listens_on HCA: somebody listens for connections to the bond's address on this adapter, and on no
# other.
listens_on() {
	rdma resource show cm_id
	[[ $(rdma resource show cm_id | sed -n "s,^link \\(.*\\)/.* LISTEN .* src-addr $OUR4:.*,\\1,p") == "$1" ]]
}

# serve_the_bond: the peer serves NFS, which is mounted over the bond, has data, and the writer is
# running.
serve_the_bond() {
	load max_bonds=0
	make_fabric
	make_ib_bond "$@"
	nfs_server
	nfs_mount
	begin
}

# serve_from_the_bond OPTION...: the other way round.
serve_from_the_bond() {
	load max_bonds=0
	make_fabric
	make_ib_bond "$@"
	nfs_server here
	nfs_mount
	begin
}

begin() {
	wait_for 10 "the connection to be on vib0" connected_on vib0
	is "$(connects)" 1 "number of connections made"
	head -c 1000000 /dev/urandom >"$WORK/before"
	cp "$WORK/before" "$WORK/nfs/before"
	start_writing "$WORK/nfs/blocks"
}

# goes_on HCA: the writer continues, over a connection on HCA.
goes_on() {
	wait_for 100 "a connection on $1" connected_on "$1"
	more_blocks 3
}

end() {
	stop_writing "$WORK/export/blocks"
	same_here blocks
	same_there before
	same_here before
	head -c 1000000 /dev/urandom >"$WORK/after"
	cp "$WORK/after" "$WORK/nfs/after"
	same_there after
	same_here after
}

# -- the client is behind the bond ------------------------------------------------------------

test_client_and_a_cut_cable() {
	serve_the_bond primary a0
	vib_port vib0 down
	wait_for 10 "b0 to be active" active b7 b0
	goes_on vib1
	kmsg_has 'RDMA CM addr change for ndev b7'
	vib_port vib0 up
	wait_for 10 "a0 to be active" active b7 a0
	goes_on vib0
	is "$(connects)" 3 "number of connections made"
	end
}

test_client_and_a_pulled_adapter() {
	serve_the_bond
	vib_hca vib0 out
	wait_for 10 "b0 to be active" active b7 b0
	goes_on vib1
	vib_hca vib0 in
	name_ipoib vib0 a0
	enslave b7 a0
	wait_for 10 "a0 to be up" mii_status a0 up
	vib_hca vib1 out
	wait_for 10 "a0 to be active" active b7 a0
	goes_on vib0
	end
}

test_client_and_a_switch_by_hand() {
	serve_the_bond
	set_option b7 active_slave b0
	goes_on vib1
	set_option b7 active_slave a0
	goes_on vib0
	is "$(connects)" 3 "number of connections made"
	end
}

# -- the server is -----------------------------------------------------------------------------

# The client hears of nothing; its connection ends when nobody acknowledges what it sends.
test_server_and_a_cut_cable() {
	serve_from_the_bond primary a0
	vib_port vib0 down
	wait_for 10 "b0 to be active" active b7 b0
	goes_on vib1
	vib_port vib0 up
	wait_for 10 "a0 to be active" active b7 a0
	vib_port vib1 down
	goes_on vib0
	is "$(connects)" 3 "number of connections made"
	end
}

test_server_and_a_pulled_adapter() {
	serve_from_the_bond
	vib_hca vib0 out
	wait_for 10 "b0 to be active" active b7 b0
	goes_on vib1
	vib_hca vib0 in
	name_ipoib vib0 a0
	enslave b7 a0
	wait_for 10 "a0 to be up" mii_status a0 up
	vib_hca vib1 out
	wait_for 10 "a0 to be active" active b7 a0
	goes_on vib0
	end
}

# Both ports work: the connection stays where it is, and the next connection uses the other port.
test_server_and_a_switch_by_hand() {
	serve_from_the_bond
	set_option b7 active_slave b0
	more_blocks 3
	connected_on vib0
	is "$(connects)" 1 "number of connections made"
	vib_port vib0 down
	goes_on vib1
	is "$(connects)" 2 "number of connections made"
	end
}

# -- a listener on the bond's address ------------------------------------------------------------
#
# NFS listens on all addresses. NVMe listens on the address it was told, at the port of the active
# slave, and listens again when it hears of a failover. NVMe only knows the initial namespace, so
# the peer is in a VRF.

NVMET=/sys/kernel/config/nvmet

make_vrf_fabric() {
	vib_load
	name_ipoib vib0 a0
	name_ipoib vib1 b0
	name_ipoib vib2 p0
	ip rule add pref 32765 table local
	ip rule delete pref 0
	is "$(ip rule list pref 0)" "" "rules before the one of the VRF"
	ip link add vrf0 type vrf table 10
	ip link set vrf0 up
	ip link set p0 master vrf0
	ip link set p0 up
	ip address add $PEER4/24 dev p0
	wait_for 20 "carrier of p0" has_carrier p0
}

# nvme_target: a disk of 64 MB in memory, for connections to the bond's address.
nvme_target() {
	! kernel_is debug || skip "lockdep warns of two locks that the kernel's NVMe target takes in either order"
	modprobe -a nvmet-rdma nvme-rdma || skip "this kernel has no NVMe over RDMA"
	mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
	truncate -s 64M "$WORK/disk"
	mkdir $NVMET/subsystems/bond
	put 1 $NVMET/subsystems/bond/attr_allow_any_host
	mkdir $NVMET/subsystems/bond/namespaces/1
	printf %s "$WORK/disk" >$NVMET/subsystems/bond/namespaces/1/device_path
	put 1 $NVMET/subsystems/bond/namespaces/1/buffered_io
	put 1 $NVMET/subsystems/bond/namespaces/1/enable
	mkdir $NVMET/ports/1
	put ipv4 $NVMET/ports/1/addr_adrfam
	put rdma $NVMET/ports/1/addr_trtype
	put $OUR4 $NVMET/ports/1/addr_traddr
	put 4420 $NVMET/ports/1/addr_trsvcid
	ln -s $NVMET/subsystems/bond $NVMET/ports/1/subsystems/bond
}

nvme_connect() {
	put "transport=rdma,traddr=$OUR4,trsvcid=4420,host_traddr=$PEER4,nqn=bond,nr_io_queues=1,reconnect_delay=1" \
		/dev/nvme-fabrics
	wait_for 20 "the disk" test -b /dev/nvme0n1
}

nvme_stop() {
	[[ ! -e /sys/class/nvme/nvme0 ]] || put 1 /sys/class/nvme/nvme0/delete_controller
	[[ ! -e $NVMET/ports/1 ]] || {
		rm -f $NVMET/ports/1/subsystems/bond
		rmdir $NVMET/ports/1 $NVMET/subsystems/bond/namespaces/1 $NVMET/subsystems/bond
	}
	# The kernel accepts a second rule of this kind, which would remain when the first one is
	# deleted.
	[[ -z $(ip rule list pref 32765 table local) ]] || {
		ip rule add pref 0 table local
		ip rule delete pref 32765 table local
	}
}

eval "ipoib_$(declare -f teardown)"

# Tearing down a connection notifies the other end, which takes a minute over a cut cable.
teardown() {
	local link
	for link in "$VIB"/vib*/port1/link; do
		[[ ! -e $link ]] || put 1 "$link"
	done
	nvme_stop
	ipoib_teardown
}

# nvme_goes_on HCA: the listener, the connections and the writer work there.
nvme_goes_on() {
	wait_for 10 "the listener on $1" listens_on "$1"
	wait_for 100 "connections on $1" connected_on "$1"
	more_blocks 3
}

serve_a_disk_from_the_bond() {
	load max_bonds=0
	make_vrf_fabric
	make_ib_bond "$@"
	nvme_target
	nvme_connect
	start_writing /dev/nvme0n1
	nvme_goes_on vib0
}

test_listener_and_a_cut_cable() {
	serve_a_disk_from_the_bond primary a0
	vib_port vib0 down
	wait_for 10 "b0 to be active" active b7 b0
	nvme_goes_on vib1
	vib_port vib0 up
	wait_for 10 "a0 to be active" active b7 a0
	vib_port vib1 down
	nvme_goes_on vib0
	stop_writing "$WORK/disk"
}

# The module that was loaded last is the first to hear that an adapter is being removed. NVMe does
# not listen again if the RDMA CM gives up the adapter before the bond has failed over.
test_listener_and_a_pulled_adapter() {
	modprobe -r ib_ipoib
	modprobe rdma_cm
	serve_a_disk_from_the_bond
	vib_hca vib0 out
	wait_for 10 "b0 to be active" active b7 b0
	nvme_goes_on vib1
	stop_writing "$WORK/disk"
}

test_listener_and_a_switch_by_hand() {
	serve_a_disk_from_the_bond
	set_option b7 active_slave b0
	nvme_goes_on vib1
	set_option b7 active_slave a0
	nvme_goes_on vib0
	stop_writing "$WORK/disk"
}

ktap_main "$@"
