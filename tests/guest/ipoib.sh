# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What guest tests over InfiniBand share: the virtual fabric of tests/vib, its faults,
# IPoIB interfaces, and a peer. A test file sources this, which sources bond.sh.
#
# The fabric has three adapters of one port: vib0 and vib1 are ours, vib2 is the peer's.
# Their IPoIB interfaces are called a0, b0 and p0, and p0 is in the namespace peer.

. "${BASH_SOURCE[0]%/*}/bond.sh"

VIB=/sys/kernel/debug/vib
INFINIBAND=/sys/class/infiniband
IPOIB=/sys/kernel/debug/ipoib

# -- the fabric -------------------------------------------------------------------------

# vib_load PARAMETER...: loads the fabric, and waits for an IPoIB interface on each of its ports.
vib_load() {
	modprobe vib "$@"
	modprobe -a ib_ipoib ib_umad
	wait_for 30 "an IPoIB interface for each port" all_ports_have_ipoib
}

vib_unload() {
	[[ ! -d /sys/module/vib ]] || rmmod vib
}

all_ports_have_ipoib() {
	local port hca
	for port in "$INFINIBAND"/vib*/ports/*; do
		hca=${port%/ports/*}
		ipoib_of "${hca##*/}" "${port##*/}" || return 1
	done
}

# adapter_of INTERFACE: the adapter of one of the two bonded interfaces, by either name.
adapter_of() {
	case $1 in
	a0 | ib0) echo vib0 ;;
	b0 | ib1) echo vib1 ;;
	esac
}

# gid_of HCA: its GID as the debugfs files of ipoib show it.
gid_of() {
	sed -E 's/\b0{1,3}//g' "$INFINIBAND/$1/ports/1/gids/0"
}

# knows FILE GID: the file lists this path or group, and the administrator has answered.
knows() {
	grep -F -A 4 "GID: $2" "$IPOIB/$1" | has 'complete: *yes'
}

# fabric PATH VALUE: writes a file of the fabric's debugfs folder.
fabric() {
	put "$2" "$VIB/$1"
}

# vib_port HCA up|down [PORT]: mends or cuts a cable.
vib_port() {
	case $2 in
	up) fabric "$1/port${3-1}/link" 1 ;;
	down) fabric "$1/port${3-1}/link" 0 ;;
	esac
}

# vib_hca HCA in|out: plugs an adapter into its slot, or pulls it.
vib_hca() {
	case $2 in
	in) fabric "$1/present" 1 ;;
	out) fabric "$1/present" 0 ;;
	esac
}

# vib_silent HCA on|off [PORT]: everything that the port would receive is silently lost.
vib_silent() {
	case $2 in
	on) fabric "$1/port${3-1}/drop" 4294967295 ;;
	off) fabric "$1/port${3-1}/drop" 0 ;;
	esac
}

port_guid() {
	local gid
	gid=$(<"$INFINIBAND/$1/ports/${2-1}/gids/0")
	echo "${gid:20}"
}

lid() {
	printf '%d\n' "$(<"$INFINIBAND/$1/ports/${2-1}/lid")"
}

port_state() {
	cat "$INFINIBAND/$1/ports/${2-1}/state"
}

port_is() {
	[[ $(port_state "$1" "${3-1}") == *": $2" ]]
}

# -- IPoIB -----------------------------------------------------------------------------

# ipoib_of HCA [PORT]: the name of the port's IPoIB interface, if it is in this namespace. The
# last eight bytes of its address are the port's GUID; child interfaces have a parent.
ipoib_of() {
	local guid device address
	guid=$(port_guid "$@")
	guid=${guid//:/}
	for device in "$SYSFS"/*; do
		[[ -e $device/mode && ! -e $device/parent ]] || continue
		address=$(<"$device/address")
		address=${address//:/}
		if [[ $address == *"$guid" ]]; then
			echo "${device##*/}"
			return
		fi
	done
	echo "no IPoIB interface has the port GUID $guid"
	return 1
}

# name_ipoib HCA NAME [PORT]: gives the IPoIB interface of an adapter a name.
name_ipoib() {
	local device
	wait_for 20 "the IPoIB interface of $1" ipoib_of "$1" "${3-1}"
	device=$(ipoib_of "$1" "${3-1}")
	ip link set "$device" down
	[[ $device == "$2" ]] || ip link set "$device" name "$2"
	sysctl -qw "net.ipv6.conf.$2.accept_dad=0"
}

# make_fabric [PARAMETER...]: the fabric with a0 and b0, and p0 in the peer's namespace.
make_fabric() {
	vib_load "$@"
	name_ipoib vib0 a0
	name_ipoib vib1 b0
	make_ipoib_peer
}

make_ipoib_peer() {
	name_ipoib vib2 p0
	ip netns list | has '^peer\b' || mk_namespace peer
	ip link set p0 netns peer
	in_peer sysctl -qw net.ipv6.conf.p0.accept_dad=0
	ip -n peer link set p0 up
	ip -n peer address add $PEER4/24 dev p0
	ip -n peer address add $PEER6/64 dev p0 nodad
	wait_for 20 "carrier of p0" peer_has_carrier p0
}

peer_has_carrier() {
	in_peer cat "$SYSFS/$1/carrier" | has -x 1
}

# ipoib_up DEVICE: sets it up with our addresses, and waits for its carrier.
ipoib_up() {
	ip link set "$1" up
	ip address add $OUR4/24 dev "$1"
	ip address add $OUR6/64 dev "$1" nodad
	wait_for 20 "carrier of $1" has_carrier "$1"
}

# peer_answers [ADDRESS]: the peer answers soon; the first packets may be lost to path and address
# resolution.
peer_answers() {
	wait_for "${2-60}" "an answer of ${1-$PEER4}" ping_peer "${1-$PEER4}"
}

# -- NFS over RDMA -----------------------------------------------------------------------
#
# NFS is the user of RDMA connections that every distribution has. One side serves $WORK/export, in
# a mount namespace of its own, since that is how network namespaces are entered; the other side
# mounts it on $WORK/nfs.

# nfs_server [peer|here]: exports a folder in memory to everybody, over RDMA only.
nfs_server() {
	modprobe -nq nfsd || skip "this kernel has no NFS"
	NFS_SIDE=(in_peer)
	[[ ${1-peer} == peer ]] || NFS_SIDE=(unshare --mount)
	modprobe -a nfsd rpcrdma || skip "this kernel has no NFS over RDMA"
	mkdir -p "$WORK/export" "$WORK/nfs" /run/rpc_pipefs /var/lib/nfs/nfsdcld
	mount -t tmpfs tmpfs "$WORK/export"
	"${NFS_SIDE[@]}" bash -e -s "$WORK/export" >"$WORK/nfs_server" 2>&1 <<-'END' || fail "$(<"$WORK/nfs_server")"
		mount -t rpc_pipefs rpc_pipefs /run/rpc_pipefs
		mount -t nfsd nfsd /proc/fs/nfsd
		# nfsdcld tells the server that there is no client to wait for after the start.
		nfsdcld
		exportfs -o rw,sync,insecure,no_root_squash,no_subtree_check,fsid=0 "*:$1"
		rpc.mountd --no-nfs-version 3 --no-udp
		rpc.nfsd --no-nfs-version 3 --nfs-version 4.2 --rdma=20049 2
	END
}

# nfs_mount [OPTION]: mounts the server's folder on $WORK/nfs.
nfs_mount() {
	local client=() server=$PEER4
	if [[ ${NFS_SIDE[0]} != in_peer ]]; then
		client=(nsenter --net=/run/netns/peer) server=$OUR4
	fi
	timeout 60 "${client[@]}" mount -t nfs4 -o "rdma,port=20049,vers=4.2${1+,$1}" "$server:/" "$WORK/nfs"
	grep -q "$WORK/nfs nfs4 .*proto=rdma" /proc/mounts
}

# same_there FILE: the server has what we have, and not only in our page cache.
same_there() {
	sync "$WORK/nfs/$1"
	cmp "$WORK/$1" "$WORK/export/$1"
}

# same_here FILE: we read the same from the server, not from the page cache.
same_here() {
	echo 3 >/proc/sys/vm/drop_caches
	cmp "$WORK/$1" "$WORK/nfs/$1"
}

# connections HCA NUMBER: the adapter has this many established RC queue pairs of users.
connections() {
	[[ $(rdma resource show qp | grep -c "link $1/.* type RC state RTS") == "$2" ]]
}

nfs_stop() {
	! mountpoint -q "$WORK/nfs" || umount -f -l "$WORK/nfs"
	[[ ! -e $WORK/nfs_server ]] || {
		"${NFS_SIDE[@]}" bash -c 'mount -t nfsd nfsd /proc/fs/nfsd && echo 0 >/proc/fs/nfsd/threads'
		pkill 'rpc.mountd|nfsdcld'
		umount "$WORK/export"
	}
}

# -- back to nothing -------------------------------------------------------------------

eval "bond_$(declare -f teardown)"

teardown() {
	nfs_stop
	bond_teardown
	vib_unload
}
