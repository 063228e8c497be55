// SPDX-License-Identifier: GPL-2.0

//! IPsec in hardware: states (security associations) that lower devices hold for their master.
//!
//! C headers: [`include/net/xfrm.h`](srctree/include/net/xfrm.h),
//! [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h) (`struct xfrmdev_ops`)
//!
//! One lower device at a time holds a state: `xso.real_dev`. This field is written under the mutex
//! of [`States`] and the spinlock inside, so either is enough to read it. The stack deletes a state
//! at any time, with the lock of the state held or not, so the node of a state records whether the
//! device knows. A state leaves its device in two steps, with a grace period in between, because
//! senders read the field without a lock.
//!
//! The lock order is: the mutex, the lock of a state, the spinlock.

use crate::bindings;
use crate::errno::eopnotsupp;
use crate::netdevice::NetDevice;
use crate::netlink::ExtAck;
use crate::new_bh_lock;
use crate::rtnl::Rtnl;
use crate::sync::{synchronize_net, BhLock};
use core::ptr;
use kernel::error::{to_result, Result};
use kernel::new_mutex;
use kernel::prelude::*;
use kernel::sync::Mutex;

/// The states of a master.
#[pin_data]
pub struct States {
    /// Held by code that adds, moves or frees states.
    #[pin]
    pub(crate) moving: Mutex<()>,
    /// The list is changed under both locks, but the content of the nodes may change under this one
    /// alone.
    #[pin]
    pub(crate) nodes: BhLock<KVVec<Node>>,
}

#[derive(Clone, Copy)]
pub(crate) struct Node {
    pub(crate) state: *mut bindings::xfrm_state,
    /// The stack has deleted the state, and so has the device that holds it.
    pub(crate) deleted: bool,
    /// The device that still has to free the state; NULL except while the state moves.
    pub(crate) taken_from: *mut bindings::net_device,
}

// SAFETY: The state is used under the locks of `States`, and exists as long as the node does, see
// `state_free`.
unsafe impl Send for Node {}

/// Returns whether the state whose node is at `at` is deleted; a state without a node is new.
fn is_deleted(nodes: &[Node], at: Option<usize>) -> bool {
    at.and_then(|at| nodes.get(at))
        .is_some_and(|node| node.deleted)
}

impl States {
    /// Makes the place for the states of a new device.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            moving <- new_mutex!((), "States::moving"),
            nodes <- new_bh_lock!(KVVec::new(), "States::nodes"),
        })
    }

    /// Makes room for one more node. The caller holds the mutex.
    pub(crate) fn make_room(&self) -> Result {
        let (len, capacity) = self.nodes.with(|nodes| (nodes.len(), nodes.capacity()));
        if len < capacity {
            return Ok(());
        }
        let room = len.saturating_mul(2).saturating_add(8);
        let mut nodes = KVVec::with_capacity(room, GFP_KERNEL)?;
        self.nodes.with(|old| {
            for node in old.iter() {
                // There is room for all nodes.
                let _ = nodes.push_within_capacity(*node);
            }
            core::mem::swap(old, &mut nodes);
        });
        Ok(())
    }

    /// Runs a function for each state, with the index of the state's node, which does not change
    /// while the mutex is held.
    fn each(&self, mut run: impl FnMut(usize, *mut bindings::xfrm_state)) {
        let mut at = 0usize;
        while let Some(node) = self.nodes.with(|nodes| nodes.get(at).copied()) {
            run(at, node.state);
            at = at.saturating_add(1);
        }
    }

    /// Takes all states from `dev`, so that no device holds them. May sleep.
    pub(crate) fn take_from(&self, dev: &NetDevice, _rtnl: &Rtnl) {
        drop(self.take_if(|holder| holder == dev.as_ptr()));
    }

    /// Moves the states to another device, or to none. Returns how many the device did not take.
    pub(crate) fn move_to(&self, dev: Option<&NetDevice>) -> u32 {
        let new = dev.map_or(ptr::null_mut(), NetDevice::as_ptr);
        let _moving = self.take_if(|holder| holder != new);
        let mut failed = 0u32;
        let Some(dev) = dev else { return failed };
        self.each(|at, state| {
            // SAFETY: The state exists as long as its node does. The mutex is held, so nobody else
            // writes the field.
            let is_lost = unsafe {
                (*state).xso.real_dev.is_null() && self.give(Some(at), state, dev, None).is_err()
            };
            failed = failed.saturating_add(is_lost.into());
        });
        failed
    }

    /// Takes the states from the devices for which `is_wanted` says so. What a device knows about a
    /// state is freed only when all senders and readers that use the state have finished with it.
    /// Returns with the mutex held. Sleeps.
    fn take_if(
        &self,
        is_wanted: impl Fn(*mut bindings::net_device) -> bool,
    ) -> kernel::sync::MutexGuard<'_, ()> {
        let moving = self.moving.lock();
        let mut any = false;
        self.each(|at, state| {
            // SAFETY: The state exists as long as its node does, and the mutex is held.
            let holder = unsafe { (*state).xso.real_dev };
            if !holder.is_null() && is_wanted(holder) {
                // SAFETY: As above. The device that holds a state is a linked lower device: no
                // lower device leaves with states (`Lower::unlink`), and RTNL is held.
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
                // SAFETY: As above; the device held the state until `take`.
                unsafe {
                    let ops = ops_of(NetDevice::from_raw(dev));
                    if let Some(free) = ops.and_then(|ops| ops.xdo_dev_state_free) {
                        free(dev, state);
                    }
                    // The device refuses the packets that still wait in its queue.
                    (*state).xso.offload_handle = 0;
                }
            }
        });
        moving
    }

    /// Makes a device delete a state that it holds. The device has to free the state once nobody
    /// uses it any more.
    ///
    /// # Safety
    ///
    /// `state` must be valid and have its node at `at`, the mutex must be held, and `dev` must be
    /// allocated and hold the state.
    unsafe fn take(
        &self,
        at: usize,
        state: *mut bindings::xfrm_state,
        dev: *mut bindings::net_device,
    ) {
        // SAFETY: By the caller's promise; `delete` is a callback of the device that holds the
        // state.
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

    /// Makes `dev` hold a state that no device holds. Does nothing for a deleted state, which no
    /// device holds. Returns `EOPNOTSUPP` if `dev` cannot hold any states.
    ///
    /// # Safety
    ///
    /// `state` must be valid and have its node, if it has one, at `at`, and the mutex must be held.
    pub(crate) unsafe fn give(
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
        let (ops, add) = found.ok_or_else(eopnotsupp)?;
        // SAFETY: By the caller's promise; the device is allocated.
        unsafe {
            to_result(add(dev.as_ptr(), state, ExtAck::as_ptr(extack)))?;
            self.locked(state, |nodes| {
                // If the stack has deleted the state meanwhile, nobody has told this device.
                if let (true, Some(delete)) = (is_deleted(nodes, at), ops.xdo_dev_state_delete) {
                    delete(dev.as_ptr(), state);
                }
                (*state).xso.real_dev = dev.as_ptr();
            });
        }
        Ok(())
    }

    /// Runs a function under the lock of a state, as the stack does where it deletes a state, and
    /// under the spinlock.
    ///
    /// # Safety
    ///
    /// `state` must be valid, and its lock must not be held.
    unsafe fn locked<R>(
        &self,
        state: *mut bindings::xfrm_state,
        run: impl FnOnce(&mut [Node]) -> R,
    ) -> R {
        // SAFETY: By the caller's promise; the lock was initialised when the state was made.
        unsafe { bindings::nh_spin_lock_bh(&raw mut (*state).lock) };
        let res = self.nodes.with(|nodes| run(nodes));
        // SAFETY: The lock was taken above.
        unsafe { bindings::nh_spin_unlock_bh(&raw mut (*state).lock) };
        res
    }
}

/// Returns the operations of a device that can hold states. A master has none here: its states move
/// from one lower device to another, and its own master would not know.
pub(crate) fn ops_of(dev: &NetDevice) -> Option<&'static bindings::xfrmdev_ops> {
    if dev.is_master() {
        return None;
    }
    // SAFETY: The device is valid (type invariant); the table is static, like all tables of
    // operations.
    unsafe { (*dev.as_ptr()).xfrmdev_ops.as_ref() }
}
