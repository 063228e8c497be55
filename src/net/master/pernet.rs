// SPDX-License-Identifier: GPL-2.0

//! What a driver has in each network namespace: a file in `/sys/class/net`, a directory in
//! `/proc/net`, and its devices, which go with the namespace.
//!
//! C headers: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h),
//! [`include/net/netns/generic.h`](srctree/include/net/netns/generic.h)

use super::device::{Dev, Master};
use super::ops::unregister_all;
use crate::bindings;
use crate::namespace::Net;
use crate::procfs::Dir;
use crate::rtnl::{self, Rtnl};
use crate::static_ref::StaticRef;
use crate::sysfs::{ClassFile, ClassFileIn};
use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ptr;
use kernel::error::{code::EBUSY, from_result, to_result, Result};
use kernel::prelude::*;
use kernel::sync::atomic::{Acquire, Atomic, Full, Relaxed, Release};
use kernel::types::Opaque;

/// What a driver has in each namespace.
pub trait PerNet: Sized + 'static {
    /// The driver, whose devices go with their namespace.
    type Driver: Master;
    /// The file in `/sys/class/net`.
    type File: ClassFile;
    /// The name of the directory in `/proc/net`.
    const DIR: &'static CStr;

    /// Where the registration is found: a static of its own.
    const PLACE: StaticRef<Place<Self>>;

    /// The file is another driver's, and was not added. `device` is whether a device has its name.
    fn file_exists(device: bool);

    /// The directory could not be made.
    fn no_dir();
}

/// Where the registration of a [`PerNet`] is found.
pub struct Place<P> {
    id: UnsafeCell<u32>,
    /// Whether a registration owns the id.
    taken: Atomic<bool>,
    /// Whether every namespace was initialised.
    registered: Atomic<bool>,
    _what: PhantomData<fn(P)>,
}

// SAFETY: The id is written by the registration that has taken the place, before it is registered, and
// read by others only when it is.
unsafe impl<P> Sync for Place<P> {}

impl<P> Place<P> {
    /// Makes an empty place.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Place {
            id: UnsafeCell::new(0),
            taken: Atomic::new(false),
            registered: Atomic::new(false),
            _what: PhantomData,
        }
    }
}

/// What is in one namespace.
#[pin_data]
struct Part<P: PerNet> {
    #[pin]
    file: ClassFileIn<P::File>,
    dir: Option<Dir>,
}

/// What the kernel keeps for us in each namespace, zeroed at first.
struct Slot<P: PerNet> {
    part: Atomic<*mut Part<P>>,
    /// Whether devices may come: until `exit_rtnl`. Written under RTNL, but at first.
    open: Atomic<bool>,
}

/// A [`PerNet`] that is registered. Dropping it unregisters the driver's devices in all namespaces.
#[pin_data(PinnedDrop)]
pub struct Registration<P: PerNet> {
    #[pin]
    ops: Opaque<bindings::pernet_operations>,
    _what: PhantomData<fn(P)>,
}

// SAFETY: The operations are only used by the kernel, which has locks of its own.
unsafe impl<P: PerNet> Sync for Registration<P> {}
// SAFETY: May be unregistered from any thread.
unsafe impl<P: PerNet> Send for Registration<P> {}

impl<P: PerNet> Registration<P> {
    /// Registers; once at a time (`EBUSY`). Sleeps; must not be called with RTNL held.
    pub fn new() -> Result<Pin<KBox<Self>>> {
        let place = P::PLACE.get();
        if place.taken.xchg(true, Full) {
            return Err(EBUSY);
        }
        let this = KBox::try_pin_init(
            try_pin_init!(Self {
                ops <- Opaque::try_ffi_init(|ops: *mut bindings::pernet_operations| {
                    // SAFETY: `ops` is valid for writes and pinned until `drop` unregisters it; the
                    // id lives for ever.
                    unsafe {
                        ops.write(bindings::pernet_operations {
                            init: Some(init::<P>),
                            pre_exit: Some(pre_exit::<P>),
                            exit: Some(exit::<P>),
                            exit_rtnl: Some(exit_rtnl::<P>),
                            id: place.id.get(),
                            size: size_of::<Slot<P>>(),
                            ..pin_init::zeroed()
                        });
                        to_result(bindings::register_pernet_subsys(ops))
                    }
                }),
                _what: PhantomData,
            }? Error),
            GFP_KERNEL,
        )
        .inspect_err(|_| place.taken.store(false, Release))?;
        // Every namespace was initialised, and every new one will be before it is seen.
        place.registered.store(true, Release);
        Ok(this)
    }
}

#[pinned_drop]
impl<P: PerNet> PinnedDrop for Registration<P> {
    fn drop(self: Pin<&mut Self>) {
        {
            // Whoever has found a `Part` holds RTNL.
            let _rtnl = rtnl::lock();
            P::PLACE.registered.store(false, Release);
        }
        // SAFETY: Registered by `new`.
        unsafe { bindings::unregister_pernet_subsys(self.ops.get()) };
        P::PLACE.taken.store(false, Release);
    }
}

/// Gives the directory of the driver in the namespace of a device, while devices may come.
pub(crate) fn dir<'a, P: PerNet>(dev: &Dev<P::Driver>, _rtnl: &'a Rtnl) -> Option<&'a Dir> {
    let place = P::PLACE.get();
    if !place.registered.load(Acquire) {
        return None;
    }
    // SAFETY: RTNL is held, so that what is registered now stays so as long as `'a`. The namespace
    // of a device was initialised. Its part is freed only after `exit_rtnl`, under RTNL, has closed
    // the slot.
    unsafe {
        let slot = slot::<P>(dev.net().as_ptr());
        if !(*slot).open.load(Relaxed) {
            return None;
        }
        (*slot).part.load(Acquire).as_ref()?.dir.as_ref()
    }
}

/// Gives what the kernel keeps for us in a namespace.
///
/// # Safety
///
/// The namespace must be alive, and `P` registered or in one of the callbacks below.
unsafe fn slot<P: PerNet>(net: *mut bindings::net) -> *const Slot<P> {
    // SAFETY: By the caller's promise, the id is valid.
    unsafe { bindings::nh_net_generic(net, *P::PLACE.id.get()).cast() }
}

/// A namespace begins.
///
/// # Safety
///
/// `net` must be alive, and its slot be allocated.
unsafe extern "C" fn init<P: PerNet>(net: *mut bindings::net) -> i32 {
    from_result(|| {
        // SAFETY: By the caller's promise.
        let net = unsafe { Net::from_raw(net) };
        // SAFETY: `exit` drops it, when all files of devices have gone with them, before the
        // namespace goes.
        let dir = unsafe { Dir::new(net, P::DIR) };
        if dir.is_none() {
            P::no_dir();
        }
        let part = KBox::try_pin_init(
            try_pin_init!(Part::<P> {
                // SAFETY: `pre_exit` removes it.
                file <- unsafe { ClassFileIn::new(net) },
                dir,
            }? Error),
            GFP_KERNEL,
        )?;
        if !part.file.is_present() {
            // Under which the names of devices stay as they are.
            let _rtnl = rtnl::lock();
            // SAFETY: The namespace is alive, the name is NUL-terminated, and RTNL is held.
            P::file_exists(unsafe {
                bindings::netdev_name_in_use(net.as_ptr(), P::File::NAME.as_char_ptr())
            });
        }
        // SAFETY: By the caller's promise. The part stays pinned until `exit` drops it.
        unsafe {
            let slot = slot::<P>(net.as_ptr());
            let part = KBox::into_raw(Pin::into_inner_unchecked(part));
            (*slot).part.store(part, Release);
            (*slot).open.store(true, Release);
        }
        Ok(0)
    })
}

/// Without RTNL, so that a `store` of the file may wait for it.
///
/// # Safety
///
/// `net` must be alive, and `init` have succeeded.
unsafe extern "C" fn pre_exit<P: PerNet>(net: *mut bindings::net) {
    // SAFETY: By the caller's promise; the part is there from `init` to `exit`.
    if let Some(part) = unsafe { (*slot::<P>(net)).part.load(Acquire).as_ref() } {
        part.file.remove();
    }
}

/// A namespace ends: its devices go.
///
/// # Safety
///
/// `net` must be alive, and `init` have succeeded; RTNL must be held, and the list be the caller's.
unsafe extern "C" fn exit_rtnl<P: PerNet>(
    net: *mut bindings::net,
    kill_list: *mut bindings::list_head,
) {
    // SAFETY: By the caller's promise; RTNL is held, and the list is that of the caller.
    unsafe {
        (*slot::<P>(net)).open.store(false, Relaxed);
        unregister_all::<P::Driver>(Net::from_raw(net), Rtnl::assume(), kill_list);
    }
}

/// A namespace ends: what is left of it goes.
///
/// # Safety
///
/// `net` must be alive, and its slot be allocated; its devices must have gone.
unsafe extern "C" fn exit<P: PerNet>(net: *mut bindings::net) {
    // SAFETY: By the caller's promise.
    let part = unsafe { (*slot::<P>(net)).part.xchg(ptr::null_mut(), Full) };
    if !part.is_null() {
        // SAFETY: Made from a pinned box by `init`. Nobody finds it any more (see `dir`), and the
        // devices of the namespace have gone.
        drop(unsafe { Pin::new_unchecked(KBox::from_raw(part)) });
    }
}
