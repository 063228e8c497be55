// SPDX-License-Identifier: GPL-2.0

//! IPsec in hardware: states (security associations) that lower devices hold for their master.
//!
//! C headers: [`include/net/xfrm.h`](srctree/include/net/xfrm.h),
//! [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h) (`struct xfrmdev_ops`)
//!
//! A state is in one lower device at a time, `xso.real_dev`, which is written under the mutex of
//! [`States`] and the spinlock inside, so that either is enough to read it. The stack deletes a state
//! with its lock held or without, at any time, so that whether the device knows is noted down here. A state leaves
//! its device in two steps, with a grace period in between: those who send read the field without a lock.
//!
//! The order of locks: the mutex, the lock of a state, the spinlock.

use crate::bindings;
use crate::device::{Dev, Master};
use crate::errno::eopnotsupp;
use crate::lower::Lower;
use crate::netdevice::NetDevice;
use crate::netlink::ExtAck;
use crate::new_bh_lock;
use crate::rcu::Rcu;
use crate::rtnl::Rtnl;
use crate::sync::{synchronize_net, BhLock};
use core::ptr;
use kernel::error::{from_result, to_result, Result};
use kernel::new_mutex;
use kernel::prelude::*;
use kernel::sync::Mutex;

/// The states of a master.
#[pin_data]
pub struct States {
    /// For whoever adds, moves or frees states.
    #[pin]
    moving: Mutex<()>,
    /// Changed under both locks, but for what the nodes say.
    #[pin]
    nodes: BhLock<KVVec<Node>>,
}

#[derive(Clone, Copy)]
struct Node {
    state: *mut bindings::xfrm_state,
    /// The stack has deleted it, and so has the device that holds it.
    deleted: bool,
    /// The device that has still to free it; NULL but while the state moves.
    taken_from: *mut bindings::net_device,
}

// SAFETY: The state is used under the locks of `States`, and exists as long as the node, see `state_free`.
unsafe impl Send for Node {}

/// Whether the state with this node is deleted; one without a node is new.
fn is_deleted(nodes: &[Node], at: Option<usize>) -> bool {
    at.and_then(|at| nodes.get(at))
        .is_some_and(|node| node.deleted)
}

impl States {
    /// Makes the place for the states of a device that is new.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            moving <- new_mutex!((), "States::moving"),
            nodes <- new_bh_lock!(KVVec::new(), "States::nodes"),
        })
    }

    /// Makes room for one more. The mutex is held.
    fn make_room(&self) -> Result {
        let (len, capacity) = self.nodes.with(|nodes| (nodes.len(), nodes.capacity()));
        if len < capacity {
            return Ok(());
        }
        let room = len.saturating_mul(2).saturating_add(8);
        let mut nodes = KVVec::with_capacity(room, GFP_KERNEL)?;
        self.nodes.with(|old| {
            for node in old.iter() {
                // There is room for all of them.
                let _ = nodes.push_within_capacity(*node);
            }
            core::mem::swap(old, &mut nodes);
        });
        Ok(())
    }

    /// Runs a function for each state, with the place of its node, which stays while the mutex is held.
    fn each(&self, mut run: impl FnMut(usize, *mut bindings::xfrm_state)) {
        let mut at = 0usize;
        while let Some(node) = self.nodes.with(|nodes| nodes.get(at).copied()) {
            run(at, node.state);
            at = at.saturating_add(1);
        }
    }

    /// Has no device hold a state that this one holds now. May sleep.
    pub(crate) fn take_from(&self, dev: &NetDevice, _rtnl: &Rtnl) {
        drop(self.take_if(|holder| holder == dev.as_ptr()));
    }

    /// Has another device hold the states, or none.
    fn move_to(&self, dev: Option<&NetDevice>) -> u32 {
        let new = dev.map_or(ptr::null_mut(), NetDevice::as_ptr);
        let _moving = self.take_if(|holder| holder != new);
        let mut failed = 0u32;
        let Some(dev) = dev else { return failed };
        self.each(|at, state| {
            // SAFETY: The state exists as long as its node, and the mutex is held, so that nobody else writes the
            // field.
            let is_lost = unsafe {
                (*state).xso.real_dev.is_null() && self.give(Some(at), state, dev, None).is_err()
            };
            failed = failed.saturating_add(is_lost.into());
        });
        failed
    }

    /// Takes the states from the devices for which a function says so. Whoever sends or asks by such a state has
    /// finished with what the device knows of it before that is freed. Returns with the mutex held. Sleeps.
    fn take_if(
        &self,
        is_wanted: impl Fn(*mut bindings::net_device) -> bool,
    ) -> kernel::sync::MutexGuard<'_, ()> {
        let moving = self.moving.lock();
        let mut any = false;
        self.each(|at, state| {
            // SAFETY: The state exists as long as its node, and the mutex is held.
            let holder = unsafe { (*state).xso.real_dev };
            if !holder.is_null() && is_wanted(holder) {
                // SAFETY: As above. The device that holds a state is a linked lower device: none leaves with states
                // (`Lower::unlink`), and RTNL is held.
                unsafe { self.take(at, state, holder) };
                any = true;
            }
        });
        if any {
            synchronize_net();
        }
        self.each(|at, state| {
            let taken = self.nodes.with(|nodes| {
                let node = nodes.get_mut(at);
                node.map(|node| core::mem::replace(&mut node.taken_from, ptr::null_mut()))
            });
            if let Some(dev) = taken.filter(|dev| !dev.is_null()) {
                // SAFETY: As above; the device has held the state until `take`.
                unsafe {
                    let ops = ops_of(NetDevice::from_raw(dev));
                    if let Some(free) = ops.and_then(|ops| ops.xdo_dev_state_free) {
                        free(dev, state);
                    }
                    // What waits in the device's queue is refused there.
                    (*state).xso.offload_handle = 0;
                }
            }
        });
        moving
    }

    /// Has a device delete a state that it holds, which is to be freed there when nobody uses it any more.
    ///
    /// # Safety
    ///
    /// `state` must be valid and have its node at `at`, the mutex be held, and `dev` be allocated and hold the state.
    unsafe fn take(
        &self,
        at: usize,
        state: *mut bindings::xfrm_state,
        dev: *mut bindings::net_device,
    ) {
        // SAFETY: By the caller's promise; a callback of the device that holds the state.
        unsafe {
            let delete = ops_of(NetDevice::from_raw(dev)).and_then(|ops| ops.xdo_dev_state_delete);
            self.locked(state, |nodes| {
                (*state).xso.real_dev = ptr::null_mut();
                if let (false, Some(delete)) = (is_deleted(nodes, Some(at)), delete) {
                    delete(dev, state);
                }
                if let Some(node) = nodes.get_mut(at) {
                    node.taken_from = dev;
                }
            });
        }
    }

    /// Has a device hold a state that no device holds; none holds one that is deleted.
    ///
    /// # Safety
    ///
    /// `state` must be valid and have its node at `at`, if it has one, and the mutex be held.
    unsafe fn give(
        &self,
        at: Option<usize>,
        state: *mut bindings::xfrm_state,
        dev: &NetDevice,
        extack: Option<&ExtAck>,
    ) -> Result {
        if self.nodes.with(|nodes| is_deleted(nodes, at)) {
            return Ok(());
        }
        let found = ops_of(dev).and_then(|ops| Some((ops, ops.xdo_dev_state_add?)));
        let Some((ops, add)) = found else {
            if let Some(extack) = extack {
                extack.set_msg(c"bonding: Slave does not support ipsec offload");
            }
            return Err(eopnotsupp());
        };
        // SAFETY: By the caller's promise; the device is allocated.
        unsafe {
            to_result(add(dev.as_ptr(), state, ExtAck::as_ptr(extack)))?;
            self.locked(state, |nodes| {
                // If it was deleted meanwhile, nobody told this device.
                if let (true, Some(delete)) = (is_deleted(nodes, at), ops.xdo_dev_state_delete) {
                    delete(dev.as_ptr(), state);
                }
                (*state).xso.real_dev = dev.as_ptr();
            });
        }
        Ok(())
    }

    /// Runs a function under the lock of a state, as the stack does where it deletes one, and the spinlock.
    ///
    /// # Safety
    ///
    /// `state` must be valid, and its lock not be held.
    unsafe fn locked<R>(
        &self,
        state: *mut bindings::xfrm_state,
        run: impl FnOnce(&mut [Node]) -> R,
    ) -> R {
        // SAFETY: By the caller's promise; the lock was initialised when the state was made.
        unsafe { bindings::nh_spin_lock_bh(&raw mut (*state).lock) };
        let res = self.nodes.with(|nodes| run(nodes));
        // SAFETY: Taken above.
        unsafe { bindings::nh_spin_unlock_bh(&raw mut (*state).lock) };
        res
    }
}

impl<T: Master> Dev<T> {
    /// Has another lower device hold the states of IPsec, or none. Returns how many could not be taken
    /// there: their packets are encrypted in software. May sleep.
    pub fn move_ipsec(&self, lower: Option<&Lower<T>>, _rtnl: &Rtnl) -> u32 {
        let lower = lower.filter(|lower| lower.is_linked_to(self));
        self.ipsec_states().move_to(lower.map(Lower::dev))
    }
}

/// Returns the operations of a device that can hold states. Not of a bond: who holds the states of a
/// bond changes, of which its master would not know.
fn ops_of(dev: &NetDevice) -> Option<&'static bindings::xfrmdev_ops> {
    if dev.is_bond_master() {
        return None;
    }
    // SAFETY: The device is allocated; the table is static, as all tables of operations.
    unsafe { (*dev.as_ptr()).xfrmdev_ops.as_ref() }
}

/// The table of a driver.
pub(crate) const fn ops<T: Master>() -> bindings::xfrmdev_ops {
    bindings::xfrmdev_ops {
        xdo_dev_state_add: Some(state_add::<T>),
        xdo_dev_state_delete: Some(state_delete::<T>),
        xdo_dev_state_free: Some(state_free::<T>),
        xdo_dev_offload_ok: Some(offload_ok::<T>),
        xdo_dev_state_advance_esn: Some(advance_esn::<T>),
        xdo_dev_state_update_stats: Some(update_stats::<T>),
        ..pin_init::zeroed()
    }
}

/// Deletes the states of a device that goes away.
pub(crate) fn flush(dev: &NetDevice, _rtnl: &Rtnl) {
    // SAFETY: The device is allocated; RTNL is held, and this may sleep.
    unsafe { bindings::xfrm_dev_state_flush(dev.net().as_ptr(), dev.as_ptr(), true) };
}

// The callbacks. For all of them: the state is valid, and its device is one of driver `T`.

unsafe extern "C" fn state_add<T: Master>(
    dev: *mut bindings::net_device,
    state: *mut bindings::xfrm_state,
    extack: *mut bindings::netlink_ext_ack,
) -> i32 {
    from_result(|| {
        // SAFETY: See above; a state holds its device.
        let dev = unsafe { Dev::<T>::from_raw(dev) };
        // SAFETY: Valid during the call, if it is there.
        let extack = unsafe { ExtAck::from_raw(extack) };
        let states = dev.ipsec_states();
        let _moving = states.moving.lock();
        states.make_room()?;
        let lower = {
            let rcu = crate::rcu::read_lock();
            Hold::new(T::ipsec_lower(dev, &rcu)?.dev())
        };
        // SAFETY: The state is valid, and the mutex is held.
        unsafe { states.give(None, state, lower.dev(), extack)? };
        let node = Node {
            state,
            deleted: false,
            taken_from: ptr::null_mut(),
        };
        // Room was made, and nobody can delete the state before this has returned.
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
        // SAFETY: The device is allocated; the tracker's place is valid for writes.
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
        // SAFETY: Held by `new`.
        unsafe { bindings::nh_dev_put(self.dev, self.tracker.get()) };
    }
}

/// The lock of the state may be held.
unsafe extern "C" fn state_delete<T: Master>(
    dev: *mut bindings::net_device,
    state: *mut bindings::xfrm_state,
) {
    // SAFETY: See above; a state holds its device.
    let dev = unsafe { Dev::<T>::from_raw(dev) };
    dev.ipsec_states().nodes.with(|nodes| {
        let Some(node) = nodes.iter_mut().find(|node| node.state == state) else {
            return;
        };
        if core::mem::replace(&mut node.deleted, true) {
            return;
        }
        // SAFETY: See above; with the spinlock, nobody writes the field, and while it is not NULL, the
        // device is allocated.
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

/// Called once for each state that was added, as the last.
unsafe extern "C" fn state_free<T: Master>(
    dev: *mut bindings::net_device,
    state: *mut bindings::xfrm_state,
) {
    // SAFETY: See above; a state holds its device.
    let dev = unsafe { Dev::<T>::from_raw(dev) };
    let states = dev.ipsec_states();
    let _moving = states.moving.lock();
    // SAFETY: See above; both locks are held.
    let real = states.nodes.with(|nodes| unsafe {
        if let Some(at) = nodes.iter().position(|node| node.state == state) {
            let _ = nodes.remove(at);
        }
        core::mem::replace(&mut (*state).xso.real_dev, ptr::null_mut())
    });
    if real.is_null() {
        return;
    }
    // SAFETY: The device is allocated: it was in the field, and has not been asked to give the state back.
    unsafe {
        if let Some(free) = ops_of(NetDevice::from_raw(real)).and_then(|ops| ops.xdo_dev_state_free)
        {
            free(real, state);
        }
    }
}

/// Runs a function for the lower device that holds a state, if it is the one that `find` finds.
///
/// # Safety
///
/// See above.
unsafe fn with_lower<T: Master, R>(
    state: *mut bindings::xfrm_state,
    find: impl for<'a> FnOnce(&'a Dev<T>, &'a Rcu) -> Option<&'a Lower<T>>,
    run: impl FnOnce(&NetDevice) -> R,
) -> Option<R> {
    let rcu = crate::rcu::read_lock();
    // SAFETY: By the caller's promise; words that are read as a whole.
    let (dev, real) = unsafe {
        (
            ptr::read_volatile(&raw const (*state).xso.dev),
            ptr::read_volatile(&raw const (*state).xso.real_dev),
        )
    };
    if dev.is_null() {
        return None;
    }
    // SAFETY: By the caller's promise.
    let lower = find(unsafe { Dev::<T>::from_raw(dev) }, &rcu)?;
    (lower.dev().as_ptr() == real).then(|| run(lower.dev()))
}

fn holder<'a, T: Master>(dev: &'a Dev<T>, rcu: &'a Rcu) -> Option<&'a Lower<T>> {
    T::ipsec_lower(dev, rcu).ok()
}

unsafe extern "C" fn offload_ok<T: Master>(
    _skb: *mut bindings::sk_buff,
    state: *mut bindings::xfrm_state,
) -> bool {
    // A packet that is left to the hardware must not take another way, such as that of a backup which
    // sends in place of an active slave without carrier.
    // SAFETY: See above.
    unsafe { with_lower::<T, _>(state, T::sole_lower, |lower| !lower.is_bond_master()) }
        .unwrap_or(false)
}

unsafe extern "C" fn advance_esn<T: Master>(state: *mut bindings::xfrm_state) {
    // SAFETY: See above; a callback of the device that holds the state.
    unsafe {
        with_lower::<T, _>(state, holder, |lower| {
            if let Some(advance) = ops_of(lower).and_then(|ops| ops.xdo_dev_state_advance_esn) {
                advance(state);
            }
        })
    };
}

unsafe extern "C" fn update_stats<T: Master>(state: *mut bindings::xfrm_state) {
    // SAFETY: As in `advance_esn`.
    unsafe {
        with_lower::<T, _>(state, holder, |lower| {
            if let Some(update) = ops_of(lower).and_then(|ops| ops.xdo_dev_state_update_stats) {
                update(state);
            }
        })
    };
}
