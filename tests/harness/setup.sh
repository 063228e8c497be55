#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The set-up of the build environment says in one sentence what is wrong, and leaves nothing behind
# that a later run takes as finished. Nothing here uses the network, or writes to the real cache.

. "${BASH_SOURCE[0]%/*}/../ktap.sh"
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1
REAL_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/bonding-rs

setup() {
	DIR=$(mktemp -d)
	chmod 755 "$DIR"
	export XDG_CACHE_HOME=$DIR/cache
	# Ignore the series that the whole run was asked for.
	unset KERNEL_SERIES
	# A copy that everybody can read, wherever this checkout is.
	cp -r scripts "$DIR/"
	SETUP=$DIR/scripts/env/setup
}

teardown() {
	rm -rf "$DIR"
}

root_only() {
	[[ $(id -u) == 0 ]] || skip "only root can ${1}"
}

# refused SENTENCE-PART COMMAND...: the command fails, and its last line is a sentence with that
# part.
refused() {
	local part=$1 status=0
	shift
	"$@" &>"$DIR/said" </dev/null || status=$?
	((status != 0)) || fail "succeeded and should not have: $*"
	tail -n 1 "$DIR/said" | grep -F -- "$part" | has '\.$' ||
		fail "the last line is no sentence with \"$part\": $(tail -n 5 "$DIR/said")"
}

nothing_finished() {
	local left
	left=$(find "$DIR/cache" -mindepth 2 -maxdepth 2 \( -name 'tree*' -o -name 'kernel*' \) ! -name '*.partial' 2>/dev/null || :)
	[[ -z $left ]] || fail "a later run would take this for finished: $left"
}

test_unknown_distribution() {
	printf 'ID=plan9\nVERSION_ID=4\n' >"$DIR/os-release"
	refused 'this machine runs "plan9 4"' env BONDING_OS_RELEASE="$DIR/os-release" "$SETUP"
	nothing_finished
}

test_unknown_option() {
	refused 'unknown option "--fast"' "$SETUP" --fast
}

# The programs of this machine except sudo; a case may add a sudo that refuses.
path_without_sudo() {
	mkdir "$DIR/bin"
	find /usr/bin /bin -maxdepth 1 ! -type d ! -name sudo -exec ln -sf -t "$DIR/bin" {} +
}

as_nobody() {
	if [[ $(id -u) == 0 ]]; then
		setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
	else
		"$@"
	fi
}

test_neither_root_nor_sudo() {
	path_without_sudo
	refused 'sudo is not installed' as_nobody env PATH="$DIR/bin" "$SETUP"
	nothing_finished
}

test_sudo_that_refuses() {
	path_without_sudo
	printf '#!/bin/sh\nexit 1\n' >"$DIR/bin/sudo"
	chmod 755 "$DIR/bin/sudo"
	local status=0
	as_nobody env PATH="$DIR/bin" "$SETUP" &>"$DIR/said" || status=$?
	((status != 0)) || fail "succeeded without root"
	nothing_finished
}

test_what_a_person_has_set_goes_through_sudo() {
	path_without_sudo
	printf '#!/bin/sh\necho "$@"\nexit 1\n' >"$DIR/bin/sudo"
	chmod 755 "$DIR/bin/sudo"
	as_nobody env PATH="$DIR/bin" KERNEL_SERIES=77.2 BONDING_NEED_GB=5 "$SETUP" &>"$DIR/said" || :
	has -F " KERNEL_SERIES=77.2 BONDING_NEED_GB=5 " <"$DIR/said" || fail "sudo got: $(<"$DIR/said")"
	has -F " XDG_CACHE_HOME=$DIR/cache " <"$DIR/said"
}

test_a_person_with_sudo_builds_a_kernel_with_checkers() {
	root_only "be somebody else"
	[[ -d $REAL_CACHE/tree/usr && -d $REAL_CACHE/kernel/kdir ]] || skip "there is no build environment yet"
	local part
	mkdir -p "$DIR/cache/bonding-rs"
	for part in "$(readlink "$REAL_CACHE/tree")" "$(readlink "$REAL_CACHE/kernel")"; do
		ln -s "$REAL_CACHE/$part" "$DIR/cache/bonding-rs/$part"
		ln -s "$part" "$DIR/cache/bonding-rs/${part%%-*}"
	done
	cp "$REAL_CACHE/chosen-from" "$DIR/cache/bonding-rs/"
	# Instead of building, make a file in each folder that a build writes to.
	printf '#!/bin/sh\ntouch "$3/built" /usr/lib/modules/built\n' >"$DIR/scripts/env/debug-build"
	chown -R 65534:65534 "$DIR"
	SUDO_UID=65534 SUDO_GID=65534 BONDING_NEED_GB=1 "$DIR/scripts/env/debug-kernel" debug &>"$DIR/said" ||
		fail "$(<"$DIR/said")"
	[[ -e $DIR/cache/bonding-rs/debug/kdir/built && -e $DIR/cache/bonding-rs/debug/modules/built ]]
}

test_disk_full() {
	root_only "mount a small disk"
	refused 'GB free and the build environment needs' unshare --mount --propagation private sh -c \
		"mkdir -p '$DIR/cache' && mount -t tmpfs -o size=10m small '$DIR/cache' && exec '$SETUP'"
}

test_cache_that_cannot_be_written() {
	root_only "put a file in the way of the cache"
	touch "$DIR/cache"
	refused 'cannot make the cache folder' "$SETUP"
}

test_no_network() {
	root_only "take the network away"
	[[ -x $(command -v mmdebstrap) ]] || skip "mmdebstrap is not installed here"
	refused 'the Debian mirror cannot be reached' env BONDING_NEED_GB=1 unshare --net "$SETUP"
	nothing_finished
}

test_second_run_waits_for_the_first() {
	root_only "take the network away"
	mkdir -p "$DIR/cache/bonding-rs"
	exec 5>"$DIR/cache/bonding-rs/lock"
	flock 5
	BONDING_NEED_GB=1 unshare --net "$SETUP" &>"$DIR/said" 5>&- &
	wait_for 20 "the second run says that it waits" grep -q 'Another set-up .* is running' "$DIR/said"
	if grep -q '^\[1/' "$DIR/said"; then fail "it did not wait"; fi
	exec 5>&-
	wait_for 60 "the second run goes on" grep -q '^\[1/' "$DIR/said"
	wait $! || :
}

# A mmdebstrap that makes something, and then never ends.
test_interrupted_run_leaves_nothing() {
	root_only "make the tree"
	mkdir "$DIR/bin"
	cat >"$DIR/bin/mmdebstrap" <<-'END'
		#!/bin/bash
		for last; do case $last in */tree-*) mkdir -p "$last/usr/bin"; esac; done
		exec sleep 1000
	END
	chmod +x "$DIR/bin/mmdebstrap"
	PATH=$DIR/bin:$PATH BONDING_NEED_GB=1 "$SETUP" &>"$DIR/said" &
	local pid=$!
	wait_for 30 "the tree is begun" compgen -G "$DIR/cache/bonding-rs/tree-*.partial/usr/bin"
	kill -TERM $pid
	local status=0
	wait $pid || status=$?
	((status == 130)) || fail "exit status $status: $(<"$DIR/said")"
	grep -q 'Interrupted' "$DIR/said"
	nothing_finished
	# Nothing of the run is left, so the lock is free.
	flock -n "$DIR/cache/bonding-rs/lock" true
}

test_a_failing_step_shows_its_log() {
	root_only "make the tree"
	mkdir "$DIR/bin"
	printf '#!/bin/sh\necho "the reason of the failure"\nexit 3\n' >"$DIR/bin/mmdebstrap"
	chmod +x "$DIR/bin/mmdebstrap"
	refused 'failed: ' env PATH="$DIR/bin:$PATH" BONDING_NEED_GB=1 "$SETUP"
	grep -q 'the reason of the failure' "$DIR/said"
	nothing_finished
}

# -- the choice of the kernel, from an archive that exists only here ------------------------

# archive: lines "image VERSION RELEASE yes|no" and "source VERSION SERIES" on standard input.
archive() {
	mkdir -p "$DIR/bin" "$DIR/out/debs" "$DIR/pool"
	local kind version name rust
	: >"$DIR/available"
	: >"$DIR/madison"
	while read -r kind version name rust; do
		case $kind in
		image)
			printf 'Package: linux-image-%s\nVersion: %s\n\n' "$name" "$version" >>"$DIR/available"
			mkdir -p "$DIR/deb/DEBIAN" "$DIR/deb/usr/src/linux-headers-$name"
			printf 'Package: linux-headers-%s\nVersion: %s\nArchitecture: all\nMaintainer: test\nDescription: test\n' \
				"$name" "$version" >"$DIR/deb/DEBIAN/control"
			printf 'CONFIG_CC_VERSION_TEXT="some-gcc-14 (Debian)"\n%s\n' \
				"$([[ $rust == yes ]] && echo CONFIG_RUST=y || echo '# CONFIG_RUST is not set')" \
				>"$DIR/deb/usr/src/linux-headers-$name/.config"
			dpkg-deb --build "$DIR/deb" "$DIR/pool/linux-headers-$name.deb" >/dev/null
			rm -r "$DIR/deb"
			;;
		source)
			printf 'Package: linux-source-%s\nVersion: %s\n\n' "$name" "$version" >>"$DIR/available"
			printf 'linux-source-%s | %s | somewhere\n' "$name" "$version" >>"$DIR/madison"
			;;
		esac
	done
	cat >"$DIR/bin/apt-cache" <<-END
		#!/bin/bash
		case \$1 in dumpavail) cat "$DIR/available" ;; madison) cat "$DIR/madison" ;; esac
	END
	cat >"$DIR/bin/apt-get" <<-END
		#!/bin/bash
		for last; do :; done
		cp "$DIR/pool/\${last%%=*}.deb" .
	END
	chmod +x "$DIR/bin/"*
}

choose() { # SERIES ...
	PATH=$DIR/bin:$PATH scripts/env/kernel-choice "$DIR/out" "$@" >/dev/null
}

reasons() { cat "$DIR/out/reasons"; }

test_newest_kernel_with_rust_and_source() {
	archive <<-'END'
		image 6.12.9-1 6.12.9+deb13-amd64 no
		image 7.2.9-1 7.2.9+deb13-amd64 yes
		image 7.2.12-1 7.2.12+deb13-amd64 yes
		image 7.2.12-1 7.2.12+deb13-cloud-amd64 yes
		source 7.2.9-1 7.2
		source 7.2.12-1 7.2
		source 7.3.4-1 7.3
	END
	choose 7.2
	. "$DIR/out/choice"
	[[ $RELEASE == 7.2.12+deb13-amd64 && $VERSION == 7.2.12-1 && $COMPILER == some-gcc-14 ]]
	[[ $PACKAGES == *" linux-source-7.2=7.2.12-1"* ]]
}

test_kernel_whose_source_is_gone_is_passed_over() {
	archive <<-'END'
		image 7.2.9-1 7.2.9+deb13-amd64 yes
		image 7.2.12-1 7.2.12+deb13-amd64 yes
		source 7.2.9-1 7.2
		source 7.2.11-1 7.2
	END
	choose 7.2
	. "$DIR/out/choice"
	[[ $RELEASE == 7.2.9+deb13-amd64 ]]
	reasons | has '^7.2.12.deb13-amd64 was not taken: .* the source of its version'
}

test_kernel_of_an_untried_series_is_taken_on_request_only() {
	archive <<-'END'
		image 7.2.9-1 7.2.9+deb13-amd64 yes
		image 77.2.1-1 77.2.1+deb13-amd64 yes
		source 7.2.9-1 7.2
		source 77.2.1-1 77.2
	END
	choose 7.3 7.2
	. "$DIR/out/choice"
	[[ $RELEASE == 7.2.9+deb13-amd64 ]]
	reasons | has '^77.2.1.deb13-amd64 is newer; it was not taken, .* its series 77.2 is not among those to choose from: 7.3 7.2\.$'
	rm "$DIR"/out/debs/*
	choose 77.2
	. "$DIR/out/choice"
	[[ $RELEASE == 77.2.1+deb13-amd64 ]]
}

test_kernel_without_rust_is_passed_over() {
	archive <<-'END'
		image 7.2.9-1 7.2.9+deb13-amd64 yes
		image 7.2.12-1 7.2.12+deb13-amd64 no
		source 7.2.9-1 7.2
		source 7.2.12-1 7.2
	END
	choose 7.2
	. "$DIR/out/choice"
	[[ $RELEASE == 7.2.9+deb13-amd64 ]]
	reasons | has '^7.2.12.deb13-amd64 was not taken: it is built without CONFIG_RUST\.$'
	[[ $(find "$DIR/out/debs" -name '*.deb' | wc -l) == 1 ]]
}

test_no_kernel_with_rust() {
	archive <<-'END'
		image 7.2.12-1 7.2.12+deb13-amd64 no
		source 7.2.12-1 7.2
	END
	refused 'No kernel of the series 7.2 that Debian offers now is built with CONFIG_RUST=y' \
		env PATH="$DIR/bin:$PATH" scripts/env/kernel-choice "$DIR/out" 7.2
	[[ ! -e $DIR/out/choice ]]
}

test_the_series_to_prefer_comes_first() {
	archive <<-'END'
		image 7.2.12-1 7.2.12+deb13-amd64 yes
		image 7.3.3-1 7.3.3+deb13-amd64 yes
		image 7.3.4-1 7.3.4+deb13-amd64 yes
		source 7.2.12-1 7.2
		source 7.3.3-1 7.3
		source 7.3.4-1 7.3
	END
	choose 7.3 7.2
	. "$DIR/out/choice"
	[[ $RELEASE == 7.3.4+deb13-amd64 && $PACKAGES == *" linux-source-7.3=7.3.4-1"* ]]
	[[ $(reasons) == "7.3.4+deb13-amd64 was taken: the newest that will do of the series 7.3." ]]
	rm "$DIR"/out/debs/*
	choose 7.2
	. "$DIR/out/choice"
	[[ $RELEASE == 7.2.12+deb13-amd64 ]]
	reasons | has "^7.2.12.deb13-amd64 was taken: the newest that will do of the series 7.2\.$"
}

test_a_series_that_is_gone_gives_way_to_the_next() {
	archive <<-'END'
		image 7.2.12-1 7.2.12+deb13-amd64 yes
		source 7.2.12-1 7.2
	END
	choose 7.3 7.2
	. "$DIR/out/choice"
	[[ $RELEASE == 7.2.12+deb13-amd64 ]]
	reasons | has '^No kernel of the series 7.3 is offered\.$'
	reasons | has '^7.2.12.deb13-amd64 was taken'
}

test_a_series_without_a_kernel_that_will_do_gives_way_to_the_next() {
	archive <<-'END'
		image 7.2.12-1 7.2.12+deb13-amd64 yes
		image 7.3.4-1 7.3.4+deb13-amd64 no
		source 7.2.12-1 7.2
		source 7.3.4-1 7.3
	END
	choose 7.3 7.2
	. "$DIR/out/choice"
	[[ $RELEASE == 7.2.12+deb13-amd64 ]]
	reasons | has '^7.3.4.deb13-amd64 was not taken: it is built without CONFIG_RUST\.$'
}

# -- two series in one cache -----------------------------------------------------------------

# in_cache VERSION ...: puts finished kernels, and the tree, into the cache of this case.
in_cache() {
	local cache=$DIR/cache/bonding-rs version tree
	tree=tree-$(sha256sum <scripts/env/packages | cut -c 1-12)
	mkdir -p "$cache/$tree/usr" "$cache/$tree/etc"
	ln -sfn "$tree" "$cache/tree"
	for version; do
		mkdir -p "$cache/kernel-$version"
		sed -n 's/^RECIPE=//p' scripts/env/setup >"$cache/kernel-$version/recipe"
	done
}

in_use() { # LINK
	readlink -f "$DIR/cache/bonding-rs/$1" | sed 's,.*/,,'
}

test_a_series_chosen_by_hand_leaves_the_default_alone() {
	root_only "make the tree"
	in_cache 7.2.9-1 7.2.12-1 7.3.4-1
	ln -s kernel-7.3.4-1 "$DIR/cache/bonding-rs/kernel"
	(. scripts/env/common.sh && echo "$SUPPORTED_SERIES") >"$DIR/cache/bonding-rs/chosen-from"
	# What is already in the cache needs no network.
	unshare --net "$SETUP"
	KERNEL_SERIES=7.2 unshare --net "$SETUP"
	[[ $(in_use kernel) == kernel-7.3.4-1 && $(in_use series-7.2/kernel) == kernel-7.2.12-1 ]]
}

test_a_series_that_is_no_series_is_refused() {
	refused 'KERNEL_SERIES is "7.2 7.3" and must be one series' env KERNEL_SERIES="7.2 7.3" "$SETUP"
	refused 'KERNEL_SERIES is "../x" and must be one series' env KERNEL_SERIES="../x" "$SETUP"
}

# The choice was made by an older version of this project, which supported other series.
test_the_choice_is_made_anew_when_other_series_are_supported() {
	root_only "make the tree"
	in_cache 7.2.12-1
	ln -s kernel-7.2.12-1 "$DIR/cache/bonding-rs/kernel"
	# The tree is an empty folder, so nothing can be chosen in it.
	refused '"Kernel packages: choose and download" failed' env BONDING_NEED_GB=1 unshare --net "$SETUP"
}

ktap_main "$@"
