#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# needs the module
#
# What safe code cannot do with src/net: programs that the compiler refuses, and a driver
# (misuse/module.rs) that does at run time what it should not, without any effect. And what it can
# do: the examples of the documentation.

. "${BASH_SOURCE[0]%/*}/../ktap.sh"
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1
KERNEL=${GUESTS_RUN-distro}
COPY=build/harness/misuse-$KERNEL

# compile MAIN-FILE: compiles src/net with another module on top, in a copy of the sources.
compile() {
	mkdir -p "$COPY"
	cp -pru Kbuild src "$COPY"
	cp "$1" "$COPY/src/bonding_main.rs"
	scripts/env/make-module "$KERNEL" M="/project/$COPY" >"$COPY/said" 2>&1
}

# refused TEXT: the module does not compile, and the compiler says TEXT. Standard input is Rust
# code, which follows the lines that each module needs.
refused() {
	{
		cat <<-'END'
			// SPDX-License-Identifier: GPL-2.0
			//! Refused.
			#![forbid(unsafe_code)]
			#![allow(dead_code, unused_imports)]
			use core::ffi::CStr;
			use kernel::prelude::*;
			use kernel::sync::Arc;
			use net::bonding::published::Bonding;
			use net::master::device::{Dev, Layout, Lower, Master};
			use net::master::ops::Ops;
			use net::master::pernet::{self, PerNet, Place};
			use net::master::registry::{Registered, Registry};
			use net::master::{registration, rtnetlink};
			use net::netdev_lock::Held;
			use net::netdevice::NetDevice;
			use net::rcu::Rcu;
			use net::rtnl::{self, Rtnl, RtnlGuard, RtnlOnly};
			use net::static_ref::StaticRef;
			use net::sync;
		END
		cat
	} >"$COPY.rs"
	if compile "$COPY.rs"; then fail "it compiles and should not: $(<"$COPY.rs")"; fi
	grep -qF -- "$1" "$COPY/said" || fail "it was refused without \"$1\": $(<"$COPY/said")"
}

setup() {
	mkdir -p build/harness
}

test_a_link_type_needs_the_registration_of_its_driver() {
	refused 'error[E0061]' <<-'END'
		fn f<T: Master>() -> Result<rtnetlink::Registration<T>> {
		    rtnetlink::Registration::new()
		}
	END
}

test_no_function_says_where_a_registration_is() {
	refused 'error[E0407]: method `registry` is not a member of trait `Registered`' <<-'END'
		struct Two;
		static ONE: Registry<Two> = Registry::new();
		static OTHER: Registry<Two> = Registry::new();
		impl Registered for Two {
		    fn registry() -> &'static Registry<Self> {
		        if sync::random_u32() & 1 == 0 { &ONE } else { &OTHER }
		    }
		}
	END
	refused 'error[E0716]: temporary value dropped while borrowed' <<-'END'
		struct NoStatic<T: Registered>(T);
		impl<T: Registered> NoStatic<T> {
		    const REGISTRY: StaticRef<Registry<T>> = StaticRef::new(&Registry::new());
		}
	END
	refused 'error[E0407]: method `place` is not a member of trait `PerNet`' <<-'END'
		struct Two;
		static PLACE: Place<Two> = Place::new();
		impl PerNet for Two {
		    fn place() -> &'static Place<Self> { &PLACE }
		}
	END
}

test_nobody_marks_a_device_as_a_bond() {
	refused 'error[E0599]: no method named `set_bonding`' <<-'END'
		fn f(dev: &NetDevice, rtnl: &Rtnl) {
		    dev.set_bonding(rtnl, true);
		}
	END
	refused 'error[E0624]: method `set_priv_flag` is private' <<-'END'
		fn f(dev: &NetDevice, rtnl: &Rtnl) {
		    dev.set_priv_flag(rtnl, 1, true);
		}
	END
	refused 'error[E0200]: the trait `net::master::device::Layout` requires' <<-'END'
		struct Other;
		impl Layout for Other {
		    type Master = <Bonding as Layout>::Master;
		    type Lower = <Bonding as Layout>::Lower;
		    const FLAG: u32 = 1;
		}
	END
}

# Code that takes a device's instance lock needs a proof that no such lock is held; a listener has
# the proof only where that is true.
test_no_instance_lock_is_taken_in_an_event_that_holds_it() {
	refused 'error[E0308]: mismatched types' <<-'END'
		fn f(dev: &NetDevice, held: &Held<'_>) -> Result {
		    dev.set_mtu(held, 1500)
		}
	END
	refused 'error[E0308]: mismatched types' <<-'END'
		fn f(dev: &NetDevice, rtnl: &Rtnl) {
		    let _ = dev.ask(rtnl).link_settings();
		}
	END
	refused 'error[E0624]: associated function `assume` is private' <<-'END'
		fn f(dev: &NetDevice) {
		    dev.close(RtnlOnly::assume());
		}
	END
	refused 'error[E0624]: associated function `in_event_of` is private' <<-'END'
		fn f<'a>(dev: &'a NetDevice) -> Held<'a> {
		    Held::in_event_of(dev)
		}
	END
}

test_no_lock_without_a_class() {
	refused 'error[E0061]' <<-'END'
		fn f() -> impl PinInit<sync::BhLock<u32>> {
		    sync::BhLock::new(0)
		}
	END
	refused 'error[E0061]' <<-'END'
		fn f() -> impl PinInit<sync::NestedLock<u32>> {
		    sync::NestedLock::new(0)
		}
	END
}

# The core calls a callback with RTNL held, and continues to use the device afterwards.
test_no_device_is_unregistered_in_a_callback() {
	refused 'error[E0308]: mismatched types' <<-'END'
		fn f<T: Master>(dev: &Dev<T>, rtnl: &Rtnl) {
		    dev.unregister(rtnl);
		}
	END
}

test_what_rtnl_protects_does_not_outlive_it() {
	refused 'error[E0515]: cannot return value referencing local variable `rtnl`' <<-'END'
		fn f<T: Master>(dev: &Dev<T>) -> Option<&Lower<T>> {
		    let rtnl = rtnl::lock();
		    dev.lowers(&rtnl).next()
		}
	END
	refused 'error[E0505]: cannot move out of `rtnl` because it is borrowed' <<-'END'
		fn f<T: Master>(dev: &Dev<T>) -> bool {
		    let rtnl = rtnl::lock();
		    let lower = dev.lowers(&rtnl).next();
		    drop(rtnl);
		    lower.is_some()
		}
	END
	refused 'cannot be shared between threads safely' <<-'END'
		fn send<T: Send>(_: T) {}
		fn f(rtnl: &Rtnl) {
		    send(rtnl);
		}
	END
}

# The examples in the documentation of src/net, each in a module of its own. rustdoc does not show the lines that
# begin with "#", but they are part of an example.
examples() {
	cat <<-'END'
		// SPDX-License-Identifier: GPL-2.0
		//! Examples.
		#![forbid(unsafe_code)]
		#![allow(dead_code, missing_docs, unused_imports)]
	END
	grep -rl '^ *//[/!] ```ignore$' src/net --include='*.rs' | sort | while IFS= read -r file; do
		awk -v file="$file" '!/^ *\/\/[\/!]/ { inside = 0; next }
			{ text = $0; sub(/^ *\/\/[\/!] ?/, "", text) }
			text == "```ignore" { inside = 1; print "/// " file ", line " FNR ".\nmod " module(file) FNR " {"
				print "#[allow(unused_imports)]\nuse kernel::prelude::*;"; next }
			inside && text == "```" { inside = 0; print "}"; next }
			inside { sub(/^# /, "", text); print text }
			function module(name) { gsub(/[^a-z0-9]/, "_", name); return name "_" }' "$file"
	done
}

test_the_examples_of_the_documentation_compile() {
	local blocks
	examples >"$COPY.rs"
	blocks=$(grep -c '^mod ' "$COPY.rs")
	# A block without a mark would be compiled by rustdoc, for another target than the kernel.
	each_fence_is_marked
	((blocks >= 10)) || fail "only $blocks examples were found"
	cat >>"$COPY.rs" <<-'END'
		use kernel::prelude::*;
		module! {
		    type: None,
		    name: "bonding",
		    authors: ["The authors of bonding.ko in Rust"],
		    description: "Examples",
		    license: "GPL",
		    imports_ns: ["NETDEV_INTERNAL"],
		}
		struct None;
		impl kernel::Module for None {
		    fn init(_module: &'static ThisModule) -> Result<Self> {
		        Ok(None)
		    }
		}
	END
	compile "$COPY.rs" || fail "$(grep -vE '^ *(CC|LD|RUSTC|BINDGEN|MODPOST)' "$COPY/said")"
}

# Each fence in src/net opens or closes an example.
each_fence_is_marked() {
	local fences marked
	fences=$(grep -rhc '^ *//[/!] ```' src/net --include='*.rs' | awk '{ sum += $1 } END { print sum }')
	marked=$(grep -rhc '^ *//[/!] ```ignore$' src/net --include='*.rs' | awk '{ sum += $1 } END { print sum }')
	((fences == 2 * marked)) || fail "$fences fences, $marked of them open an example: the others are not compiled"
}

test_a_driver_does_what_it_should_not() {
	local case
	compile tests/harness/misuse/module.rs || fail "$(<"$COPY/said")"
	scripts/guest --kernel "$KERNEL" --module none --timeout 300 --log "$COPY/log" -- bash -ec '
		modprobe -a $(modinfo -F depends "/project/$1/bonding.ko" | tr , " ")
		insmod "/project/$1/bonding.ko"
		refused() {
			if "$@"; then echo "should be refused: $*" >&2; exit 1; fi
		}
		for name in early late lost low; do ip link add $name type dummy; done

		# The driver stays registered as long as its link type is, whatever became of its
		# registration.
		ip link add top type misuse
		ip link set top up

		# A device comes and goes.
		ip link set low master top
		ip link set low nomaster

		ip link add red type vrf table 7
		refused ip link set red master top
		refused ip link set top master top

		# A device on top of the master is also to go below it.
		ip link add upper type misuse
		ip link set top master upper
		refused ip link set upper master top
		ip link set top nomaster
		ip link delete upper

		ip link delete lost
		# Delete the master with a device that nobody takes away.
		ip link set low master top
		ip link set top down
		ip link set top up
		ip link delete top
		ip -d link show low
		ip link set low up
		rmmod bonding
	' bash "$COPY" >"$COPY/out" 2>"$COPY/err" || fail "$(cat "$COPY/out" "$COPY/err")"
	for case in 'early: misuse: linking to a master that comes: -19' \
		'low: misuse: linking what was asked for: 0' \
		'red: misuse: linking what was asked for: -1' \
		'top: misuse: linking what was asked for: -16' \
		'upper: misuse: linking what was asked for: -16' \
		'lost: misuse: linking a device that leaves: -19' \
		'late: misuse: linking to a master that leaves: -19' \
		'misuse: closed while it is being closed' \
		'misuse: addresses from itself: -22'; do
		grep -qF -- "$case" "$COPY/log" || fail "without \"$case\": $(grep misuse "$COPY/log")"
	done
	if grep -F 'unlinked twice' "$COPY/log"; then fail "what was unlinked was unlinked"; fi
	if grep -qE 'master top|SLAVE' "$COPY/out"; then fail "the device is below a master that is gone: $(<"$COPY/out")"; fi
}

ktap_main "$@"
