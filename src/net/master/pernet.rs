// SPDX-License-Identifier: GPL-2.0

//! What a driver has in each network namespace: a file in `/sys/class/net`, a directory in
//! `/proc/net`, and its devices, which are removed together with the namespace.
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
    /// The driver, whose devices are removed together with their namespace.
    type Driver: Master;
    /// The file in `/sys/class/net`.
    type File: ClassFile;
    /// The name of the directory in `/proc/net`.
    const DIR: &'static CStr;

    /// The static through which the registration is found; each [`PerNet`] has one of its own.
    const PLACE: StaticRef<Place<Self>>;

    /// Called if the file was not added because another driver has one of that name. `device` says
    /// whether a network device has that name.
    fn file_exists(device: bool);

    /// Called if the directory could not be made.
    fn no_dir();
}

/// Where the registration of a [`PerNet`] is found.
pub struct Place<P> {
    id: UnsafeCell<u32>,
    /// Whether a registration owns the id.
    taken: Atomic<bool>,
    /// Whether every namespace has been initialised.
    registered: Atomic<bool>,
    _what: PhantomData<fn(P)>,
}

// SAFETY: Only the registration that has taken the place writes the id, before a callback runs and
// before `registered` is set. Others read the id only after that.
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

/// What a driver has in one namespace.
#[pin_data]
struct Part<P: PerNet> {
    #[pin]
    file: ClassFileIn<P::File>,
    dir: Option<Dir>,
}

/// What the kernel keeps for us in each namespace; initially zeroed.
struct Slot<P: PerNet> {
    part: Atomic<*mut Part<P>>,
    /// Whether devices may be added: until `exit_rtnl`. Written under RTNL, except for the first
    /// time.
    open: Atomic<bool>,
}

/// A [`PerNet`] that is registered. Dropping it unregisters the driver's devices in all namespaces.
#[pin_data(PinnedDrop)]
pub struct Registration<P: PerNet> {
    #[pin]
    ops: Opaque<bindings::pernet_operations>,
    _what: PhantomData<fn(P)>,
}

// SAFETY: Only the kernel uses the operations, and it has locks of its own.
unsafe impl<P: PerNet> Sync for Registration<P> {}
// SAFETY: The operations may be unregistered from any thread.
unsafe impl<P: PerNet> Send for Registration<P> {}

impl<P: PerNet> Registration<P> {
    /// Registers what the driver has in each namespace. Only one registration may exist at a time
    /// (`EBUSY`). Sleeps; must not be called with RTNL held.
    pub fn new() -> Result<Pin<KBox<Self>>> {
        let place = P::PLACE.get();
        if place.taken.xchg(true, Full) {
            return Err(EBUSY);
        }
        let this = KBox::try_pin_init(
            try_pin_init!(Self {
                ops <- Opaque::try_ffi_init(|ops: *mut bindings::pernet_operations| {
                    // SAFETY: `ops` is valid for writes, and pinned until `drop` unregisters it.
                    // The id lives for ever.
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
        // Every namespace has been initialised, and every new one will be before it is visible.
        place.registered.store(true, Release);
        Ok(this)
    }
}

#[pinned_drop]
impl<P: PerNet> PinnedDrop for Registration<P> {
    fn drop(self: Pin<&mut Self>) {
        {
            // Whoever has found a `Part` holds RTNL, so this waits for them.
            let _rtnl = rtnl::lock();
            P::PLACE.registered.store(false, Release);
        }
        // SAFETY: `new` registered the operations.
        unsafe { bindings::unregister_pernet_subsys(self.ops.get()) };
        P::PLACE.taken.store(false, Release);
    }
}

/// Returns the directory of the driver in the namespace of a device, as long as devices may be
/// added there.
pub(crate) fn dir<'a, P: PerNet>(dev: &Dev<P::Driver>, _rtnl: &'a Rtnl) -> Option<&'a Dir> {
    let place = P::PLACE.get();
    if !place.registered.load(Acquire) {
        return None;
    }
    // SAFETY: RTNL is held, so what is registered now stays registered for `'a`. The namespace of a
    // device has been initialised. Its part is freed only after `exit_rtnl` has closed the slot,
    // under RTNL.
    unsafe {
        let slot = slot::<P>(dev.net().as_ptr());
        if !(*slot).open.load(Relaxed) {
            return None;
        }
        (*slot).part.load(Acquire).as_ref()?.dir.as_ref()
    }
}

/// Returns what the kernel keeps for us in a namespace.
///
/// # Safety
///
/// The namespace must be alive. `P` must be registered, or the caller must be one of the callbacks
/// below.
unsafe fn slot<P: PerNet>(net: *mut bindings::net) -> *const Slot<P> {
    // SAFETY: The caller guarantees that `P` is registered or being registered, so the id is valid,
    // and that the namespace is alive.
    unsafe { bindings::nh_net_generic(net, *P::PLACE.id.get()).cast() }
}

/// Initialises what we have in a new namespace.
///
/// # Safety
///
/// `net` must be alive, and its slot must be allocated.
unsafe extern "C" fn init<P: PerNet>(net: *mut bindings::net) -> i32 {
    from_result(|| {
        // SAFETY: The caller guarantees that the namespace is alive.
        let net = unsafe { Net::from_raw(net) };
        // SAFETY: `exit` drops the directory before the namespace goes away. By then, the files of
        // devices are gone, together with the devices.
        let dir = unsafe { Dir::new(net, P::DIR) };
        if dir.is_none() {
            P::no_dir();
        }
        let part = KBox::try_pin_init(
            try_pin_init!(Part::<P> {
                // SAFETY: `pre_exit` removes the file.
                file <- unsafe { ClassFileIn::new(net) },
                dir,
            }? Error),
            GFP_KERNEL,
        )?;
        if !part.file.is_present() {
            // RTNL keeps the names of devices as they are.
            let _rtnl = rtnl::lock();
            // SAFETY: The namespace is alive, the name is NUL-terminated, and RTNL is held.
            P::file_exists(unsafe {
                bindings::netdev_name_in_use(net.as_ptr(), P::File::NAME.as_char_ptr())
            });
        }
        // SAFETY: The caller guarantees that the slot is allocated. The part stays pinned until
        // `exit` drops it.
        unsafe {
            let slot = slot::<P>(net.as_ptr());
            let part = KBox::into_raw(Pin::into_inner_unchecked(part));
            (*slot).part.store(part, Release);
            (*slot).open.store(true, Release);
        }
        Ok(0)
    })
}

/// Removes the file of a namespace that ends. Runs without RTNL, so that a `store` of the file may
/// wait for RTNL.
///
/// # Safety
///
/// `net` must be alive, and `init` must have succeeded for it.
unsafe extern "C" fn pre_exit<P: PerNet>(net: *mut bindings::net) {
    // SAFETY: The caller guarantees that the namespace is alive and that `init` has succeeded. The
    // part exists from `init` to `exit`.
    if let Some(part) = unsafe { (*slot::<P>(net)).part.load(Acquire).as_ref() } {
        part.file.remove();
    }
}

/// Unregisters the devices of a namespace that ends.
///
/// # Safety
///
/// `net` must be alive, and `init` must have succeeded for it. The caller must hold RTNL, and
/// `kill_list` must be the caller's.
unsafe extern "C" fn exit_rtnl<P: PerNet>(
    net: *mut bindings::net,
    kill_list: *mut bindings::list_head,
) {
    // SAFETY: The caller guarantees that the namespace is alive and that `init` has succeeded,
    // holds RTNL, and passes its own list.
    unsafe {
        (*slot::<P>(net)).open.store(false, Relaxed);
        unregister_all::<P::Driver>(Net::from_raw(net), Rtnl::assume(), kill_list);
    }
}

/// Frees what is left in a namespace that ends.
///
/// # Safety
///
/// `net` must be alive, and its slot must be allocated. The devices of the namespace must be gone.
unsafe extern "C" fn exit<P: PerNet>(net: *mut bindings::net) {
    // SAFETY: The caller guarantees that the namespace is alive and its slot is allocated.
    let part = unsafe { (*slot::<P>(net)).part.xchg(ptr::null_mut(), Full) };
    if !part.is_null() {
        // SAFETY: `init` made the pointer from a pinned box. Nobody can find the part any more (see
        // `dir`), and the devices of the namespace are gone.
        drop(unsafe { Pin::new_unchecked(KBox::from_raw(part)) });
    }
}
