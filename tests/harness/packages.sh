#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# needs the module
#
# The Debian packages: what is in them, and what they refuse to build for. What they do to a machine is the
# matter of harness-deb.

. "${BASH_SOURCE[0]%/*}/../ktap.sh"
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1

setup() {
	SAID=$KTAP_DIR/said
}

# package NAME: its file.
package() {
	local found
	found=$(compgen -G "build/deb/$1_*.deb") || fail "there is no package $1"
	[[ $(wc -l <<<"$found") == 1 ]] || fail "more than one package: $found"
	echo "$found"
}

# The package with the modules, whose name has the kernel's. There may be one for another series, too.
modules() (
	. scripts/env/common.sh
	echo "bonding-rs-modules-$(cat "$(kernel_folder distro)/kdir/include/config/kernel.release")"
)

# unpack NAME: what is in the package, in a folder that programs in the build environment see, too.
unpack() {
	local folder=build/deb/check/$1
	rm -rf "$folder"
	mkdir -p "$folder"
	dpkg-deb -x "$(package "$1")" "$folder"
	echo "$folder"
}

# -- the packages ------------------------------------------------------------------------

test_make_deb() {
	make deb &>"$SAID" || fail "$(tail -n 40 "$SAID")"
	package bonding-rs-dkms
	package ib-bond
	package "$(modules)"
}

test_lintian_has_nothing_to_say() {
	scripts/env/in-tree sh -c 'lintian --allow-root --fail-on error,warning build/deb/*.deb' &>"$SAID" || fail "$(<"$SAID")"
	lacks '^[EW]:' "$SAID"
}

test_the_sources_for_dkms() {
	local files sources path
	files=$(unpack bonding-rs-dkms)
	sources=$(compgen -G "$files/usr/src/bonding-rs-*")
	# Each source of the driver, and nothing of the command and the tests.
	for path in Kbuild $(git ls-files src ':!src/bin'); do
		cmp "$path" "$sources/$path" || fail "$path is not in the package as it is here"
	done
	[[ ! -e $sources/src/bin && ! -e $sources/tests ]] || fail "there is more than the driver: $(ls "$sources" "$sources/src")"
	has '^AUTOINSTALL="\?yes' <"$sources/dkms.conf"
	has "^PACKAGE_VERSION=\"${sources##*/bonding-rs-}\"" <"$sources/dkms.conf"
	dpkg-deb -f "$(package bonding-rs-dkms)" Depends | has '\<dkms\>'
}

test_the_command() {
	local files path
	files=$(unpack ib-bond)
	for path in usr/share/man/man7/bonding-rs.7.gz usr/share/man/man8/ib-bond.8.gz \
		usr/share/bash-completion/completions/ib-bond usr/share/zsh/vendor-completions/_ib-bond \
		usr/share/fish/vendor_completions.d/ib-bond.fish usr/lib/systemd/system/ib-bond-openib.service; do
		[[ -s $files/$path ]] || fail "there is no $path in $(find "$files" -type f)"
	done
	compgen -G "$files/usr/lib/udev/rules.d/*ib-bond*.rules" >/dev/null || fail "there is no udev rule"
	find "$files/usr/share/doc/ib-bond" -name 'ifcfg*' | has ifcfg
	[[ -s $files/usr/share/doc/ib-bond/examples/openib.conf.example ]]
	# What the manual page refers to is there by that name.
	for path in $(zcat "$files/usr/share/man/man7/bonding-rs.7.gz" | grep -o '[a-z-]*\.md'); do
		[[ -s $files/usr/share/doc/ib-bond/$path ]] || fail "bonding-rs(7) refers to $path"
	done
	# What the package has is the command of these sources, and it runs on a Debian 13.
	scripts/env/in-tree "$files/usr/sbin/ib-bond" --version | has "^ib-bond $(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)"
}

test_the_modules_for_one_kernel() {
	local name files release
	name=$(modules)
	release=${name#bonding-rs-modules-}
	files=$(unpack "$name")
	xz -dc "$files/usr/lib/modules/$release/updates/bonding.ko.xz" >build/deb/check/bonding.ko
	scripts/env/in-tree modinfo -F vermagic build/deb/check/bonding.ko | has "^$release "
	# The driver of this checkout, without what only a debugger reads.
	scripts/env/in-tree strip --strip-debug -o build/deb/check/expected.ko "build/$release/bonding.ko"
	cmp build/deb/check/expected.ko build/deb/check/bonding.ko || fail "it is another driver than the one of this checkout"
	dpkg-deb -f "$(package "$name")" Conflicts | has bonding-rs-dkms
}

# -- kernels that cannot be served ---------------------------------------------------------

# kernel RELEASE CONFIG-LINE...: an installed kernel with headers, on a machine of its own.
kernel() {
	local folder=$KTAP_DIR/root/lib/modules/$1/build
	mkdir -p "$folder"
	printf '%s\n' "${@:2}" >"$folder/.config"
}

# installed PACKAGE VERSION: as dpkg knows it.
installed() {
	mkdir -p "$KTAP_DIR/root/var/lib/dpkg"
	printf 'Package: %s\nStatus: install ok installed\nVersion: %s\nArchitecture: all\nMaintainer: x\nDescription: x\n\n' "$@" \
		>>"$KTAP_DIR/root/var/lib/dpkg/status"
}

# says STATUS TEXT RELEASE: the answer, which is one line (status 1) or nothing (0).
says() {
	local status=0
	cp packaging/dkms/unsupported "$KTAP_DIR/"
	echo "9.3 9.2" >"$KTAP_DIR/supported-series"
	BONDING_RS_ROOT=$KTAP_DIR/root "$KTAP_DIR/unsupported" "$3" >"$SAID" 2>&1 || status=$?
	((status == $1)) || fail "exit status $status: $(<"$SAID")"
	[[ $(<"$SAID") == *"$2"* && $(wc -l <"$SAID") == "$1" ]] || fail "it said: $(<"$SAID")"
}

test_what_cannot_be_built_is_skipped_with_a_reason() {
	local rustc
	rustc=$(PATH=/usr/sbin:/usr/bin:/sbin:/bin rustc --version 2>/dev/null) || rustc="no rustc"
	rm -rf "$KTAP_DIR/root"
	mkdir -p "$KTAP_DIR/root/usr/src" "$KTAP_DIR/root/var/lib/dpkg"
	: >"$KTAP_DIR/root/var/lib/dpkg/status"
	says 1 "its series is not supported; supported are 9.3 9.2" 6.12.1-amd64
	says 1 "its series is not supported" 19.3.1-amd64
	says 1 "its series is not supported" 9.30-amd64
	says 1 "its headers are missing; install linux-headers-9.2.1-amd64." 9.2.1-amd64
	kernel 9.2.1-amd64 "# CONFIG_RUST is not set"
	says 1 "it is built without CONFIG_RUST." 9.2.1-amd64
	kernel 9.2.1-amd64 CONFIG_RUST=y 'CONFIG_RUSTC_VERSION_TEXT="rustc 0.1"'
	says 1 "it was built by \"rustc 0.1\" and $rustc is installed; install that version" 9.2.1-amd64
	kernel 9.2.1-amd64 CONFIG_RUST=y "CONFIG_RUSTC_VERSION_TEXT=\"$rustc\""
	installed linux-headers-9.2.1-amd64 9.2.1-1
	says 1 "the source of its version 9.2.1-1 is needed and none is installed; install linux-source-9.2=9.2.1-1" 9.2.1-amd64
	installed linux-source-9.2 9.2.1-2
	says 1 "9.2.1-1 is needed and 9.2.1-2 is installed" 9.2.1-amd64
	: >"$KTAP_DIR/root/var/lib/dpkg/status"
	installed linux-headers-9.2.1-amd64 9.2.1-1
	installed linux-source-9.2 9.2.1-1
	says 1 "/usr/src/linux-source-9.2.tar.xz is missing; reinstall linux-source-9.2." 9.2.1-amd64
	: >"$KTAP_DIR/root/usr/src/linux-source-9.2.tar.xz"
	says 0 "" 9.2.1-amd64
	# With a tree that is prepared, its source is no business of ours.
	: >"$KTAP_DIR/root/var/lib/dpkg/status"
	mkdir -p "$KTAP_DIR/root/etc/dkms"
	echo 'MAKE[0]="packaging/dkms/build $kernelver --tree /x"' >"$KTAP_DIR/root/etc/dkms/bonding-rs.conf"
	says 0 "" 9.2.1-amd64
}

ktap_main "$@"
