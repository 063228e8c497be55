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
    /// For whoever adds, moves or frees states.
    #[pin]
    pub(crate) moving: Mutex<()>,
    /// Changed under both locks, but for what the nodes say.
    #[pin]
    pub(crate) nodes: BhLock<KVVec<Node>>,
}

#[derive(Clone, Copy)]
pub(crate) struct Node {
    pub(crate) state: *mut bindings::xfrm_state,
    /// The stack has deleted it, and so has the device that holds it.
    pub(crate) deleted: bool,
    /// The device that has still to free it; NULL but while the state moves.
    pub(crate) taken_from: *mut bindings::net_device,
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
    pub(crate) fn make_room(&self) -> Result {
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
    pub(crate) fn move_to(&self, dev: Option<&NetDevice>) -> u32 {
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

    /// Has a device hold a state that no device holds; none holds one that is deleted. `EOPNOTSUPP` if it cannot hold
    /// any.
    ///
    /// # Safety
    ///
    /// `state` must be valid and have its node at `at`, if it has one, and the mutex be held.
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

/// Returns the operations of a device that can hold states. Not of a master: who holds the states of that changes,
/// of which its own master would not know.
pub(crate) fn ops_of(dev: &NetDevice) -> Option<&'static bindings::xfrmdev_ops> {
    if dev.is_master() {
        return None;
    }
    // SAFETY: The device is valid (type invariant); the table is static, as all tables of operations.
    unsafe { (*dev.as_ptr()).xfrmdev_ops.as_ref() }
}
