#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The build rejects what must not be in a kernel module: warnings, and code that can panic. Each
# case builds a small module in a project of its own.

. "${BASH_SOURCE[0]%/*}/../ktap.sh"
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1
REAL=$PWD

setup() {
	DIR=$(mktemp -d)
	chmod 755 "$DIR"
	mkdir "$DIR/src"
	cp -r "$REAL/scripts" "$REAL/Makefile" "$DIR/"
	cat >"$DIR/Kbuild" <<-'END'
		obj-m := bonding.o
		bonding-y := src/main.o src/helpers.o
	END
	module 'Ok(Small)'
	echo 'int helper(int a); int helper(int a) { return a; }' >"$DIR/src/helpers.c"
	cd "$DIR"
}

teardown() {
	rm -rf "$DIR"
}

# module BODY: a module whose init function is BODY.
module() {
	cat >"$DIR/src/main.rs" <<-END
		// SPDX-License-Identifier: GPL-2.0
		//! A small module.
		use kernel::prelude::*;
		module! {
		    type: Small,
		    name: "bonding",
		    authors: ["test"],
		    description: "test",
		    license: "GPL",
		}
		struct Small;
		impl kernel::Module for Small {
		    fn init(_module: &'static ThisModule) -> Result<Self> {
		        $1
		    }
		}
	END
}

builds() {
	make &>"$DIR/said" || {
		cat "$DIR/said" >&2
		fail "it does not build"
	}
}

refused() { # TEXT
	local status=0
	make &>"$DIR/said" || status=$?
	((status != 0)) || fail "it builds and should not"
	grep -qF -- "$1" "$DIR/said" || fail "it was refused without \"$1\": $(<"$DIR/said")"
}

built() {
	compgen -G "build/*/bonding.ko" >/dev/null
}

test_a_build_leaves_the_sources_alone() {
	local before
	touch said
	before=$(find . -path ./build -prune -o -type f -print | sort)
	builds
	built
	[[ $(find . -path ./build -prune -o -type f -print | sort) == "$before" ]]
}

test_a_second_build_does_nothing() {
	builds
	local module stamp
	module=$(compgen -G "build/*/bonding.ko")
	stamp=$(stat -c %y "$module")
	builds
	[[ $(stat -c %y "$module") == "$stamp" ]]
	touch src/helpers.c
	builds
	[[ $(stat -c %y "$module") != "$stamp" ]]
}

test_a_build_needs_neither_network_nor_apt() {
	local alone=()
	[[ $(id -u) != 0 ]] || alone=(unshare --net)
	mkdir "$DIR/bin"
	for tool in apt-get apt-cache mmdebstrap; do
		printf '#!/bin/sh\necho "%s was called" >&2\nexit 1\n' $tool >"$DIR/bin/$tool"
	done
	chmod +x "$DIR/bin/"*
	"${alone[@]}" env PATH="$DIR/bin:$PATH" make &>"$DIR/said" || fail "it does not build: $(<"$DIR/said")"
	if grep 'was called' "$DIR/said"; then fail "it called what it should not need"; fi
}

test_a_warning_of_rustc_is_an_error_each_time() {
	module 'let unused = 1; Ok(Small)'
	refused 'unused variable'
	refused 'unused variable'
	if built; then fail "the module is there"; fi
	module 'Ok(Small)'
	builds
}

test_a_warning_of_gcc_is_an_error() {
	echo 'int helper(int a); int helper(int a) { int unused; return a; }' >src/helpers.c
	refused 'unused variable'
}

test_a_warning_of_modpost_is_an_error() {
	cat >src/helpers.c <<-'END'
		#include <linux/init.h>
		static int __initdata early = 1;
		int helper(int a);
		int helper(int a) { return a + early++; }
	END
	refused 'section mismatch'
}

test_an_error_shows_where_it_is() {
	module 'Err(nonsense)'
	refused 'src/main.rs:'
	refused 'bonding.ko does not build'
}

test_code_that_can_panic_is_refused() {
	module 'let a = [1u8, 2, 3]; let i = core::hint::black_box(7usize); pr_info!("{}\n", a[i]); Ok(Small)'
	refused 'can panic'
	refused 'panic_bounds_check'
}

test_overflow_can_panic() {
	module 'let i = core::hint::black_box(7u32); pr_info!("{}\n", i + 1); Ok(Small)'
	refused 'panic_const_add_overflow'
}

test_clippy_and_sparse_have_warnings_too() {
	module 'let a = core::hint::black_box(1u32); if a == a { pr_info!("same\n"); } Ok(Small)'
	builds
	local status=0
	scripts/build CLIPPY=1 &>"$DIR/said" || status=$?
	((status != 0)) || fail "clippy's warning is no error"
	grep -q 'equal expressions' "$DIR/said"
	module 'Ok(Small)'
	cat >src/helpers.c <<-'END'
		#include <linux/types.h>
		int helper(__be32 a);
		int helper(__be32 a) { return (int)a; }
	END
	builds
	status=0
	scripts/build C=2 &>"$DIR/said" || status=$?
	((status != 0)) || fail "sparse's warning is no error"
	grep -q 'restricted __be32' "$DIR/said"
}

test_kernel_trees_that_will_not_do() {
	fails_with 'does not exist' scripts/build --kdir "$DIR/nowhere"
	mkdir -p tree/include/config
	fails_with 'is not a prepared kernel build tree' scripts/build --kdir tree
	echo 1.2.3 >tree/include/config/kernel.release
	echo '# CONFIG_RUST is not set' >tree/include/config/auto.conf
	fails_with 'built without CONFIG_RUST=y' scripts/build --kdir tree
	echo 'CONFIG_RUST=y' >tree/include/config/auto.conf
	fails_with 'no Rust metadata' scripts/build --kdir tree
}

test_a_series_that_was_not_tested_is_named() {
	local series
	series=$(PROG=test && . scripts/env/common.sh && . "$LINKS/kernel/choice" && grep -oE '^[0-9]+\.[0-9]+' <<<"$RELEASE")
	builds
	lacks 'was not tested' "$DIR/said"
	sed -i 's/^SUPPORTED_SERIES=.*/SUPPORTED_SERIES="6.1 6.2"/' scripts/env/common.sh
	KERNEL_SERIES=$series builds
	has "of the series $series, with which this driver was not tested; those that it was tested with are 6.1 6.2\.$" \
		<"$DIR/said"
	built
}

test_unknown_words_are_refused() {
	fails_with 'unknown option "--fast"' scripts/build --fast
	fails_with 'there is no kernel "other"' scripts/build --kernel other
}

test_install_puts_it_where_modprobe_looks_first() {
	builds
	local release
	release=$(basename "$(dirname "$(compgen -G 'build/*/bonding.ko')")")
	mkdir -p "$DIR/bin" "$DIR/root/lib/modules/$release/kernel"
	printf '#!/bin/sh\necho %s\n' "$release" >"$DIR/bin/uname"
	chmod +x "$DIR/bin/uname"
	# Run this inside the tree, which has depmod whatever the machine; the project is /project
	# there.
	scripts/env/in-tree env PATH="/project/bin:/usr/sbin:/usr/bin" DESTDIR=/project/root make install
	grep -q '^updates/bonding.ko:' "$DIR/root/lib/modules/$release/modules.dep"
}

test_install_without_a_build_says_so() {
	mkdir "$DIR/bin"
	printf '#!/bin/sh\necho 0.1-none\n' >"$DIR/bin/uname"
	chmod +x "$DIR/bin/uname"
	fails_with 'kernel 0.1-none is built without CONFIG_RUST=y' env PATH="$DIR/bin:$PATH" scripts/install
}

ktap_main "$@"
