#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# needs the module
# only when asked for: DKMS prepares a kernel's build tree, which takes many minutes
#
# The Debian packages, on a machine that has what every Debian 13 has: they are installed, the machine boots,
# its kernel is upgraded to the next series, it boots, they are removed, it boots. Everything that apt does
# happens on this host, in a root file system without network; the boots only look. The build tree of the older
# series comes from the build environment, to save its preparation; that of the newer one is made by DKMS.

. "${BASH_SOURCE[0]%/*}/../ktap.sh"
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1
LAYERS=build/deb/layers
OLD=$(. scripts/env/common.sh && echo "${SUPPORTED_SERIES##* }")
NEW=$(. scripts/env/common.sh && echo "${SUPPORTED_SERIES%% *}")

setup() {
	[[ $(id -u) == 0 ]] || skip "only root can install packages in a root file system of its own"
	MACHINE=$(scripts/env/machine 2>"$KTAP_DIR/said") ||
		{ has 'No kernel of the series' <"$KTAP_DIR/said" && skip "$(grep 'No kernel of the series' "$KTAP_DIR/said")"; fail "$(<"$KTAP_DIR/said")"; }
	SAID=$KTAP_DIR/said
}

# -- the machine -------------------------------------------------------------------------

# Its layers, the uppermost first, up to LAYER.
lower() { # LAYER
	local layer path=
	for layer in configured installed upgraded removed; do
		path=$PWD/$LAYERS/$layer/files:$path
		[[ $layer != "$1" ]] || break
	done
	echo "$path$MACHINE/root"
}

# The release of the machine's kernel of a series.
release_of() { # SERIES LAYER
	local found
	found=$(IFS=:; for folder in $(lower "$2"); do [[ ! -d $folder/usr/lib/modules ]] || ls "$folder/usr/lib/modules"; done | grep "^$1\." | sort -u)
	[[ -n $found ]] || fail "there is no kernel of the series $1"
	echo "$found"
}

# layer NAME BELOW [TREE]: the shell script on standard input changes the machine as it is after BELOW; what
# it changes is the layer NAME. It runs as root of the machine, without network, with the packages of this
# project in /packages, and with the kernel in the folder TREE, source and build tree, in /usr/src.
layer() {
	local name=$1 below=$MACHINE/root tree=${3-}
	[[ $2 == none ]] || below=$(lower "$2")
	rm -rf "${LAYERS:?}/$name" "$LAYERS/$name.new"
	mkdir -p "$LAYERS/$name.new/files" "$LAYERS/$name.new/work" "$LAYERS/root"
	cat >"$LAYERS/$name.new/script"
	unshare --mount --net --propagation private bash -c '
		set -e
		root=$1 below=$2 layer=$3 machine=$4 tree=$5
		mount -t overlay -o "lowerdir=$below,upperdir=$layer/files,workdir=$layer/work" overlay "$root"
		mount -t proc proc "$root/proc"
		mount --rbind /dev "$root/dev"
		mount -t tmpfs -o mode=1777 tmp "$root/tmp"
		mkdir -p "$root/packages" "$root/usr/src/linux" "$root/usr/src/kdir"
		mount --bind "$machine/archives" "$root/var/cache/apt/archives"
		mount --bind build/deb "$root/packages"
		if [ -n "$tree" ]; then
			mount --bind "$tree/source" "$root/usr/src/linux"
			mount --bind "$tree/kdir" "$root/usr/src/kdir"
		fi
		cp "$layer/script" "$root/tmp/script"
		exec env -i PATH=/usr/sbin:/usr/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive INITRD=No \
			chroot "$root" sh -e /tmp/script
	' sh "$PWD/$LAYERS/root" "$below" "$PWD/$LAYERS/$name.new" "$MACHINE" "$tree" >"$SAID" 2>&1 || fail "$(tail -n 60 "$SAID")"
	mv "$LAYERS/$name.new" "$LAYERS/$name"
	tr -d '\r' <"$SAID" >"$LAYERS/$name/said"
}

# on_machine LAYER COMMAND...: looks at the machine; what the command writes is gone afterwards.
on_machine() {
	unshare --mount --propagation private bash -c '
		mount -t tmpfs tmp "$2" && mkdir "$2/files" "$2/work" "$2/root" &&
			mount -t overlay -o "lowerdir=$1,upperdir=$2/files,workdir=$2/work" overlay "$2/root" &&
			mount -t proc proc "$2/root/proc" && mount --rbind /dev "$2/root/dev" &&
			exec chroot "$2/root" "${@:3}"
	' sh "$(lower "$1")" "$PWD/$LAYERS/root" "${@:2}"
}

# needs LAYER: an earlier case has made the layer.
needs() {
	[[ -d $LAYERS/$1 ]] || fail "the machine is not \"$1\", see the case about that"
}

# boot LAYER ours|in-tree RELEASE: boots the machine and looks at its bonds.
boot() {
	local status=0
	unshare --mount --propagation private bash -c '
		mount -t overlay -o "lowerdir=$1" overlay "$2" &&
			exec scripts/guest --root "$2" --nic 3 --timeout 540 -- bash /project/tests/harness/deb/look.sh "$3" "$4"
	' sh "$(lower "$1")" "$PWD/$LAYERS/root" "$2" "$3" >"$SAID" 2>&1 || status=$?
	((status == 0)) || fail "exit status $status: $(<"$SAID")"
	has '^ok 4 ' <"$SAID"
}

# -- the cases, in order -----------------------------------------------------------------

# What a person has written before: a bond for each of three programs, of two cards each.
test_a_machine_with_bonds() {
	make deb &>"$SAID" || fail "$(tail -n 40 "$SAID")"
	rm -rf "$LAYERS"
	layer configured none <<-'END'
		mkdir -p /etc/systemd/network /etc/network/interfaces.d /etc/NetworkManager/system-connections /etc/NetworkManager/conf.d
		systemd-machine-id-setup
		for side in 0 1; do
			for index in 0 1 2; do
				name=nic$index
				[ $side = 0 ] || name=peer$index
				printf '[Match]\nMACAddress=52:54:00:00:0%s:0%s\nType=ether\nKind=!bond\n[Link]\nName=%s\n' $side $index $name \
					>/etc/systemd/network/10-$name.link
			done
		done
		printf '%s\n' 'auto lo' 'iface lo inet loopback' 'source /etc/network/interfaces.d/*' >/etc/network/interfaces
		printf '%s\n' 'auto bond0' 'iface bond0 inet static' '  address 192.0.2.10/24' '  bond-mode active-backup' \
			'  bond-miimon 100' '  bond-slaves nic0 peer0' >/etc/network/interfaces.d/bond0
		printf '%s\n' '[NetDev]' 'Name=bond1' 'Kind=bond' '[Bond]' 'Mode=active-backup' 'MIIMonitorSec=100ms' \
			>/etc/systemd/network/20-bond1.netdev
		printf '%s\n' '[Match]' 'Name=nic1 peer1' '[Network]' 'Bond=bond1' >/etc/systemd/network/20-slaves.network
		printf '%s\n' '[Match]' 'Name=bond1' '[Network]' 'Address=192.0.2.11/24' >/etc/systemd/network/20-bond1.network
		printf '%s\n' '[keyfile]' 'unmanaged-devices=except:interface-name:nic2,except:interface-name:peer2,except:interface-name:bond2' \
			'[main]' 'no-auto-default=*' >/etc/NetworkManager/conf.d/bond2.conf
		cd /etc/NetworkManager/system-connections
		printf '%s\n' '[connection]' 'id=bond2' 'type=bond' 'interface-name=bond2' '[bond]' 'mode=active-backup' 'miimon=100' \
			'[ipv4]' 'method=manual' 'address1=192.0.2.12/24' '[ipv6]' 'method=disabled' >bond2.nmconnection
		for card in nic2 peer2; do
			printf '%s\n' '[connection]' "id=$card" 'type=ethernet' "interface-name=$card" 'controller=bond2' 'port-type=bond' >$card.nmconnection
		done
		chmod 600 *.nmconnection
		systemctl enable systemd-networkd NetworkManager networking
		systemctl mask systemd-networkd-wait-online
	END
}

# DKMS builds for the kernel that is supported, and leaves alone the one that is not.
test_installation() {
	needs configured
	KERNEL_SERIES=$OLD scripts/env/setup 2>"$SAID" || fail "$(<"$SAID")"
	local tree release said=$LAYERS/installed/said
	tree=$(KERNEL_SERIES=$OLD && . scripts/env/common.sh && readlink -f "$LINKS/kernel")
	release=$(release_of "$OLD" configured)
	layer installed configured "$tree" <<-'END'
		mkdir -p /usr/lib/modules/6.12.117+deb13-amd64/build/include /etc/dkms
		echo '# CONFIG_RUST is not set' >/usr/lib/modules/6.12.117+deb13-amd64/build/.config
		echo 'MAKE[0]="packaging/dkms/build $kernelver --tree /usr/src/kdir"' >/etc/dkms/bonding-rs.conf
		cp /var/cache/apt/archives/linux-headers-amd64_old.deb /tmp/
		version=$(dpkg-deb -f /tmp/linux-headers-amd64_old.deb Version)
		install="apt-get install -y --no-install-recommends"
		$install /tmp/linux-headers-amd64_old.deb "linux-source=$version"
		$install /packages/bonding-rs-dkms_*.deb /packages/ib-bond_*.deb
		dkms status bonding-rs >/packages/layers/status
		# The source of a kernel that comes after its headers: the driver is built then.
		release=$(cd /boot && ls vmlinuz-* | sed s/vmlinuz-//)
		version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"$/\1/p' /usr/src/bonding-rs-*/dkms.conf)
		dkms unbuild -m bonding-rs -v "$version" -k "$release"
		$install --reinstall "linux-source-${release%.*}"
		rm /etc/dkms/bonding-rs.conf
	END
	[[ $(<"$LAYERS/status") == "bonding-rs/"*", $release, x86_64: installed" ]] || fail "dkms status: $(<"$LAYERS/status")"
	has "^bonding-rs: skipping kernel 6.12.117+deb13-amd64, which keeps its own bonding driver: its series is not supported; .*\\.$" <"$said"
	on_machine installed dkms status bonding-rs | has "$release, x86_64: installed"
	on_machine installed dkms status bonding-rs | lacks 6.12
	on_machine installed modinfo -k "$release" -n bonding | has "/$release/updates/dkms/bonding.ko"
	on_machine installed modinfo -k "$release" -F signer bonding | has 'DKMS module signing key'
	# The kernel's own driver is where its package has put it.
	on_machine installed dpkg -V "linux-modules-$release" | lacks bonding
	on_machine installed sh -c 'man -w bonding-rs && man -w ib-bond && ib-bond --version'
	rm -rf "$LAYERS/installed/files/usr/lib/modules/6.12.117+deb13-amd64"
}

test_bonds_after_the_installation() {
	needs installed
	boot installed ours "$(release_of "$OLD" installed)"
}

# What anybody does to be up to date. The driver for the new kernel is built from what Debian offers.
test_upgrade_of_the_kernel() {
	needs installed
	layer upgraded installed <<-'END'
		apt-get full-upgrade -y --no-install-recommends
	END
	local release said=$LAYERS/upgraded/said
	release=$(release_of "$NEW" upgraded)
	on_machine upgraded dkms status bonding-rs | has "$release, x86_64: installed"
	on_machine upgraded modinfo -k "$release" -n bonding | has "/$release/updates/dkms/bonding.ko"
	on_machine upgraded dpkg -V "linux-modules-$release" | lacks bonding
	# Nothing of a gigabyte of source stays.
	[[ ! -e $LAYERS/upgraded/files/var/lib/dkms/bonding-rs/$(on_machine upgraded sh -c 'cd /usr/src && echo bonding-rs-*' | sed s/bonding-rs-//)/build ]]
}

test_bonds_after_the_upgrade() {
	needs upgraded
	boot upgraded ours "$(release_of "$NEW" upgraded)"
}

test_removal() {
	needs upgraded
	layer removed upgraded <<-'END'
		apt-get purge -y bonding-rs-dkms
	END
	local release
	for release in $(release_of "$OLD" removed) $(release_of "$NEW" removed); do
		on_machine removed modinfo -k "$release" -n bonding | has "/$release/kernel/drivers/net/bonding/bonding.ko"
		on_machine removed sh -c "find /lib/modules/$release/updates -name '*.ko*' 2>/dev/null || :" | lacks .
	done
	on_machine removed sh -c 'ls -d /usr/src/bonding-rs* /var/lib/dkms/bonding-rs 2>/dev/null || :' | lacks .
}

test_bonds_after_the_removal() {
	needs removed
	boot removed in-tree "$(release_of "$NEW" removed)"
}

# The modules for one kernel, for a machine without compilers; DKMS and they exclude each other.
test_modules_without_dkms() {
	needs removed
	layer modules removed <<-'END'
		dpkg -i /packages/bonding-rs-modules-*.deb
		release=$(cd /boot && ls vmlinuz-* | sed s/vmlinuz-// | sort -V | tail -n 1)
		modinfo -k "$release" -n bonding | grep '/updates/bonding.ko'
		modinfo -k "$release" -F vermagic bonding | grep -F "$release "
		dpkg -P "bonding-rs-modules-$release"
		modinfo -k "$release" -n bonding | grep '/kernel/drivers/net/bonding/bonding.ko'
	END
}

ktap_main "$@"
