// SPDX-License-Identifier: GPL-2.0

//! IPsec in the hardware of lower devices; see [`xfrm_state`](crate::xfrm_state).
//!
//! C headers: [`include/net/xfrm.h`](srctree/include/net/xfrm.h),
//! [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h) (`struct xfrmdev_ops`)

use super::device::{Dev, Lower, Master};
use super::ops::{nothing, Ops, Part};
use crate::bindings;
use crate::netdevice::NetDevice;
use crate::netlink::ExtAck;
use crate::rcu::Rcu;
use crate::rtnl::Rtnl;
use crate::xfrm_state::{ops_of, Node};
use core::ffi::CStr;
use core::ptr;
use kernel::error::{from_result, Result};

/// A driver whose lower devices hold IPsec states for their master.
pub trait XfrmMaster: Master {
    /// What a user is told about a lower device that cannot hold IPsec states.
    const CANNOT_HOLD: &'static CStr;

    /// Returns the lower device whose hardware does IPsec for the device now; `EOPNOTSUPP` if IPsec
    /// is done in software.
    fn ipsec_lower<'a>(dev: &'a Dev<Self>, rcu: &'a Rcu) -> Result<&'a Lower<Self>>;

    /// Returns the lower device through which all packets leave at the moment, if there is one.
    fn sole_lower<'a>(dev: &'a Dev<Self>, rcu: &'a Rcu) -> Option<&'a Lower<Self>>;
}

impl<T: XfrmMaster> Ops<T> {
    /// Adds IPsec in hardware.
    pub const fn with_xfrm(mut self) -> Self {
        self.xfrm = bindings::xfrmdev_ops {
            xdo_dev_state_add: Some(state_add::<T>),
            xdo_dev_state_delete: Some(state_delete::<T>),
            xdo_dev_state_free: Some(state_free::<T>),
            xdo_dev_offload_ok: Some(offload_ok::<T>),
            xdo_dev_state_advance_esn: Some(advance_esn::<T>),
            xdo_dev_state_update_stats: Some(update_stats::<T>),
            ..pin_init::zeroed()
        };
        self.with_part(Part {
            before: flush::<T>,
            after: nothing::<T>,
        })
    }
}

impl<T: Master> Dev<T> {
    /// Has the device offer IPsec in hardware as far as all its lower devices do, or not at all.
    pub fn want_ipsec(&self, _rtnl: &Rtnl, want: bool) {
        // SAFETY: The device is valid (type invariant) and RTNL is held.
        unsafe { bindings::nh_want_xfrm_features(self.as_ptr(), want) };
    }

    /// Moves the IPsec states to another lower device, or to none. Returns how many states could
    /// not be moved there: their packets are encrypted in software. May sleep.
    pub fn move_ipsec(&self, lower: Option<&Lower<T>>, _rtnl: &Rtnl) -> u32 {
        let lower = lower.filter(|lower| lower.is_linked_to(self));
        self.ipsec_states().move_to(lower.map(Lower::dev))
    }
}

/// Deletes the states of a device that goes away.
fn flush<T: Master>(dev: &Dev<T>, _rtnl: &Rtnl) {
    // SAFETY: The device is valid (type invariant); RTNL is held, and this may sleep.
    unsafe { bindings::xfrm_dev_state_flush(dev.net().as_ptr(), dev.as_ptr(), true) };
}

/// Adds a state that the stack offloads to the device.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. `state` must be valid;
/// `extack` must be valid or NULL.
unsafe extern "C" fn state_add<T: XfrmMaster>(
    dev: *mut bindings::net_device,
    state: *mut bindings::xfrm_state,
    extack: *mut bindings::netlink_ext_ack,
) -> i32 {
    from_result(|| {
        // SAFETY: The caller passes an initialised device of driver `T`; a state holds a reference
        // to its device.
        let dev = unsafe { Dev::<T>::from_raw(dev) };
        // SAFETY: `extack` is valid during the call, or NULL.
        let extack = unsafe { ExtAck::from_raw(extack) };
        let states = dev.ipsec_states();
        let _moving = states.moving.lock();
        states.make_room()?;
        let lower = {
            let rcu = crate::rcu::read_lock();
            Hold::new(T::ipsec_lower(dev, &rcu)?.dev())
        };
        // SAFETY: The state is valid, and the mutex is held.
        let res = unsafe { states.give(None, state, lower.dev(), extack) };
        if let (Err(_), Some(extack), None) = (&res, extack, ops_of(lower.dev())) {
            extack.set_msg(T::CANNOT_HOLD);
        }
        res?;
        let node = Node {
            state,
            deleted: false,
            taken_from: ptr::null_mut(),
        };
        // There is room (`make_room`), and nobody can delete the state before this has returned.
        let _ = states.nodes.with(|nodes| nodes.push_within_capacity(node));
        Ok(0)
    })
}

/// A device that stays allocated until this is dropped.
struct Hold {
    dev: *mut bindings::net_device,
    tracker: kernel::types::Opaque<bindings::netdevice_tracker>,
}

impl Hold {
    fn new(dev: &NetDevice) -> Hold {
        let hold = Hold {
            dev: dev.as_ptr(),
            tracker: kernel::types::Opaque::zeroed(),
        };
        // SAFETY: The device is valid (type invariant); the memory of the tracker is valid for
        // writes.
        unsafe { bindings::nh_dev_hold(hold.dev, hold.tracker.get()) };
        hold
    }

    fn dev(&self) -> &NetDevice {
        // SAFETY: The device is held.
        unsafe { NetDevice::from_raw(self.dev) }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // SAFETY: `new` took the reference.
        unsafe { bindings::nh_dev_put(self.dev, self.tracker.get()) };
    }
}

/// Called when the stack has deleted a state, whose lock may be held.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. `state` must be one of
/// its states.
unsafe extern "C" fn state_delete<T: XfrmMaster>(
    dev: *mut bindings::net_device,
    state: *mut bindings::xfrm_state,
) {
    // SAFETY: The caller passes an initialised device of driver `T`; a state holds a reference to
    // its device.
    let dev = unsafe { Dev::<T>::from_raw(dev) };
    dev.ipsec_states().nodes.with(|nodes| {
        let Some(node) = nodes.iter_mut().find(|node| node.state == state) else {
            return;
        };
        if core::mem::replace(&mut node.deleted, true) {
            return;
        }
        // SAFETY: The caller passes one of the states of the device. While the spinlock is held,
        // nobody writes the field, and while the field is not NULL, the device in it stays
        // allocated.
        unsafe {
            let real = (*state).xso.real_dev;
            if real.is_null() {
                return;
            }
            if let Some(delete) =
                ops_of(NetDevice::from_raw(real)).and_then(|ops| ops.xdo_dev_state_delete)
            {
                delete(real, state);
            }
        }
    });
}

/// Called once for each state that was added, as the last callback for it.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. `state` must be one of
/// its states.
unsafe extern "C" fn state_free<T: XfrmMaster>(
    dev: *mut bindings::net_device,
    state: *mut bindings::xfrm_state,
) {
    // SAFETY: The caller passes an initialised device of driver `T`; a state holds a reference to
    // its device.
    let dev = unsafe { Dev::<T>::from_raw(dev) };
    let states = dev.ipsec_states();
    let _moving = states.moving.lock();
    // SAFETY: The caller passes one of the states of the device; both locks are held.
    let real = states.nodes.with(|nodes| unsafe {
        if let Some(at) = nodes.iter().position(|node| node.state == state) {
            let _ = nodes.remove(at);
        }
        core::mem::replace(&mut (*state).xso.real_dev, ptr::null_mut())
    });
    if real.is_null() {
        return;
    }
    // SAFETY: The device is allocated: it was in the field, and has not been asked to give up the
    // state yet.
    unsafe {
        if let Some(free) = ops_of(NetDevice::from_raw(real)).and_then(|ops| ops.xdo_dev_state_free)
        {
            free(real, state);
        }
    }
}

/// Calls `run` for the lower device that holds a state, if that is the one that `find` returns.
///
/// # Safety
///
/// `state` must be valid, and its device must be one of driver `T`.
unsafe fn with_lower<T: XfrmMaster, R>(
    state: *mut bindings::xfrm_state,
    find: impl for<'a> FnOnce(&'a Dev<T>, &'a Rcu) -> Option<&'a Lower<T>>,
    run: impl FnOnce(&NetDevice) -> R,
) -> Option<R> {
    let rcu = crate::rcu::read_lock();
    // SAFETY: The caller guarantees that the state is valid; both words are read as a whole.
    let (dev, real) = unsafe {
        (
            ptr::read_volatile(&raw const (*state).xso.dev),
            ptr::read_volatile(&raw const (*state).xso.real_dev),
        )
    };
    if dev.is_null() {
        return None;
    }
    // SAFETY: The caller guarantees that the device of the state is one of driver `T`.
    let lower = find(unsafe { Dev::<T>::from_raw(dev) }, &rcu)?;
    (lower.dev().as_ptr() == real).then(|| run(lower.dev()))
}

fn holder<'a, T: XfrmMaster>(dev: &'a Dev<T>, rcu: &'a Rcu) -> Option<&'a Lower<T>> {
    T::ipsec_lower(dev, rcu).ok()
}

/// Returns whether the stack may leave a packet to the hardware.
///
/// # Safety
///
/// `state` must be valid, and its device must be one of driver `T`.
unsafe extern "C" fn offload_ok<T: XfrmMaster>(
    _skb: *mut bindings::sk_buff,
    state: *mut bindings::xfrm_state,
) -> bool {
    // A packet that is left to the hardware must not take another way, such as through a backup
    // that sends in place of an active slave without carrier.
    // SAFETY: The caller guarantees that the state is valid and its device is one of driver `T`.
    unsafe { with_lower::<T, _>(state, T::sole_lower, |lower| !lower.is_master()) }.unwrap_or(false)
}

/// Tells the hardware about a sequence number.
///
/// # Safety
///
/// `state` must be valid, and its device must be one of driver `T`.
unsafe extern "C" fn advance_esn<T: XfrmMaster>(state: *mut bindings::xfrm_state) {
    // SAFETY: The caller guarantees that the state is valid and its device is one of driver `T`.
    // The callback is that of the device that holds the state.
    unsafe {
        with_lower::<T, _>(state, holder, |lower| {
            if let Some(advance) = ops_of(lower).and_then(|ops| ops.xdo_dev_state_advance_esn) {
                advance(state);
            }
        })
    };
}

/// Asks the hardware what it has counted.
///
/// # Safety
///
/// `state` must be valid, and its device must be one of driver `T`.
unsafe extern "C" fn update_stats<T: XfrmMaster>(state: *mut bindings::xfrm_state) {
    // SAFETY: As in `advance_esn`.
    unsafe {
        with_lower::<T, _>(state, holder, |lower| {
            if let Some(update) = ops_of(lower).and_then(|ops| ops.xdo_dev_state_update_stats) {
                update(state);
            }
        })
    };
}
