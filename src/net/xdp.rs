// SPDX-License-Identifier: GPL-2.0

//! XDP: programs that see a device's packets before the stack does, and frames that they send.
//!
//! C headers: [`include/net/xdp.h`](srctree/include/net/xdp.h),
//! [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h) (`struct netdev_bpf`)

use crate::bindings;
use crate::device::{Dev, Master};
use crate::lower::Lower;
use crate::netdevice::NetDevice;
use crate::netlink::ExtAck;
use crate::rcu::Rcu;
use crate::rtnl::{Rtnl, RtnlOnly};
use crate::shared::Bytes;
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering;
use kernel::error::{code::*, from_result, to_result, Result};

/// A program, or rather a reference to it (`struct bpf_prog`).
///
/// # Invariants
///
/// The pointee is a program of which this object owns a reference.
pub struct Program(NonNull<bindings::bpf_prog>);

// SAFETY: References to programs are counted atomically.
unsafe impl Send for Program {}
// SAFETY: As above.
unsafe impl Sync for Program {}

impl Clone for Program {
    fn clone(&self) -> Self {
        // SAFETY: The program is valid (type invariant). INVARIANT: The reference is the new object's.
        unsafe { bindings::bpf_prog_inc(self.0.as_ptr()) };
        Program(self.0)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: The reference is ours (type invariant).
        unsafe { bindings::bpf_prog_put(self.0.as_ptr()) };
    }
}

/// What a device can do with XDP (`NETDEV_XDP_ACT_*`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct XdpFeatures(u32);

impl XdpFeatures {
    /// Nothing.
    pub const NONE: XdpFeatures = XdpFeatures(0);

    /// All that a device can do which has no rings of its own: sockets cannot share these then.
    pub const ALL_WITHOUT_RINGS: XdpFeatures = XdpFeatures(
        bindings::netdev_xdp_act_NETDEV_XDP_ACT_MASK
            & !bindings::netdev_xdp_act_NETDEV_XDP_ACT_XSK_ZEROCOPY,
    );

    /// What both can do.
    pub fn and(self, other: XdpFeatures) -> XdpFeatures {
        XdpFeatures(self.0 & other.0)
    }
}

impl NetDevice {
    /// Returns whether the driver runs XDP programs, and sends what they want sent.
    pub fn can_run_xdp(&self) -> bool {
        // SAFETY: The device is allocated; its operations are static.
        let ops = unsafe { &*(*self.as_ptr()).netdev_ops };
        ops.ndo_bpf.is_some() && ops.ndo_xdp_xmit.is_some()
    }

    /// Returns whether somebody has attached a program to the device itself.
    pub fn has_own_xdp(&self, _rtnl: &Rtnl) -> bool {
        // SAFETY: The device is allocated and RTNL is held.
        unsafe { bindings::dev_xdp_prog_count(self.as_ptr()) > 0 }
    }

    /// Has the driver run a program, in place of the one before, or none. May sleep.
    pub fn run_xdp(
        &self,
        _rtnl: &RtnlOnly,
        program: Option<&Program>,
        extack: Option<&ExtAck>,
    ) -> Result {
        let program = program.cloned();
        let mut setup: bindings::netdev_bpf = pin_init::zeroed();
        setup.command = bindings::bpf_netdev_command_XDP_SETUP_PROG;
        // SAFETY: This command uses these fields of the union.
        let args = unsafe { &mut setup.__bindgen_anon_1.__bindgen_anon_1 };
        args.prog = raw(program.as_ref());
        args.extack = ExtAck::as_ptr(extack);
        // SAFETY: The device is allocated and RTNL is held. The driver takes a reference over when it
        // succeeds.
        to_result(unsafe { bindings::dev_xdp_propagate(self.as_ptr(), &mut setup) })?;
        core::mem::forget(program);
        Ok(())
    }

    /// Returns what the device can do with XDP.
    pub fn xdp_features(&self, _rtnl: &Rtnl) -> XdpFeatures {
        // SAFETY: The device is allocated; a word that is read as a whole.
        XdpFeatures(unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).xdp_features) })
    }
}

fn raw(program: Option<&Program>) -> *mut bindings::bpf_prog {
    program.map_or(ptr::null_mut(), |program| program.0.as_ptr())
}

impl<T: Master> Dev<T> {
    /// Says what the device can do with XDP, and tells of a change. May sleep. Masters have
    /// no instance lock.
    pub fn set_xdp_features(&self, _rtnl: &Rtnl, features: XdpFeatures) {
        // SAFETY: The device is allocated and RTNL is held.
        unsafe { bindings::xdp_set_features_flag(self.as_ptr(), features.0) };
    }

    /// Returns whether a program is attached to the device, and so given to its lower devices.
    pub fn has_xdp_program(&self, _rtnl: &Rtnl) -> bool {
        !self.private().xdp_program.load(Ordering::Relaxed).is_null()
    }

    /// Returns the program that is attached to the device.
    pub fn xdp_program(&self, _rtnl: &Rtnl) -> Option<Program> {
        let program = NonNull::new(self.private().xdp_program.load(Ordering::Relaxed))?;
        // SAFETY: The device has a reference to its program, and cannot lose it while RTNL is held.
        // INVARIANT: The reference that is taken is the object's.
        unsafe { bindings::bpf_prog_inc(program.as_ptr()) };
        Some(Program(program))
    }

    /// Keeps the program that is attached now.
    pub(crate) fn keep_xdp_program(&self, _rtnl: &Rtnl, program: Option<Program>) {
        let new = program.map_or(ptr::null_mut(), |program| {
            ManuallyDrop::new(program).0.as_ptr()
        });
        let old = self.private().xdp_program.swap(new, Ordering::Relaxed);
        // While there is such a program, what programs of lower devices send back may be sent
        // through another lower device.
        if old.is_null() != new.is_null() {
            // SAFETY: Process context; counts up when the first program comes, and down when the
            // last goes.
            unsafe { bindings::nh_xdp_redirect_master(!new.is_null()) };
        }
        // INVARIANT: The reference was the device's.
        drop(NonNull::new(old).map(Program));
    }
}

// The callbacks. For all of them: `dev` is a device of driver `T`.

/// RTNL is held.
pub(crate) unsafe extern "C" fn ndo_bpf<T: Master>(
    dev: *mut bindings::net_device,
    setup: *mut bindings::netdev_bpf,
) -> i32 {
    from_result(|| {
        // SAFETY: See above; the structure is valid during the call.
        let (dev, rtnl, setup) = unsafe { (Dev::<T>::from_raw(dev), RtnlOnly::assume(), &*setup) };
        if setup.command != bindings::bpf_netdev_command_XDP_SETUP_PROG {
            return Err(EINVAL);
        }
        // SAFETY: This command uses these fields of the union.
        let args = unsafe { setup.__bindgen_anon_1.__bindgen_anon_1 };
        // INVARIANT: The caller's reference becomes ours when we succeed, and stays the caller's when
        // not.
        let program = ManuallyDrop::new(NonNull::new(args.prog).map(Program));
        // SAFETY: Valid during the call, if it is there.
        let extack = unsafe { ExtAck::from_raw(args.extack) };
        T::set_xdp(dev, program.as_ref(), extack, rtnl)?;
        dev.keep_xdp_program(rtnl, ManuallyDrop::into_inner(program));
        Ok(0)
    })
}

/// Sends frames; those that belong to one lower device together. Softirq.
pub(crate) unsafe extern "C" fn ndo_xdp_xmit<T: Master>(
    dev: *mut bindings::net_device,
    count: i32,
    frames: *mut *mut bindings::xdp_frame,
    flags: u32,
) -> i32 {
    let rcu = crate::rcu::read_lock();
    // SAFETY: See above.
    let dev = unsafe { Dev::<T>::from_raw(dev) };
    let count = usize::try_from(count).unwrap_or(0);
    let lower_of = |index: usize| {
        // SAFETY: `frames` has `count` valid frames, of which this is one; its data are `len` bytes.
        let bytes = unsafe {
            let frame = *frames.add(index);
            Bytes::new((*frame).data.cast::<u8>(), (*frame).len as usize)
        };
        T::frame_lower(dev, bytes, &rcu).map(Lower::dev)
    };
    let (mut start, mut lower) = (0usize, None);
    for index in 0..count {
        let next = lower_of(index);
        if index != 0 && next != lower {
            // SAFETY: As above; frames from `start` on are still ours.
            match unsafe { send(lower, frames.add(start), index.wrapping_sub(start), flags) } {
                Ok(sent) if sent == index.wrapping_sub(start) => start = index,
                res => return answer(start, res),
            }
        }
        lower = next;
    }
    if start == count {
        return 0;
    }
    // SAFETY: As above.
    let res = unsafe { send(lower, frames.add(start), count.wrapping_sub(start), flags) };
    answer(start, res)
}

/// How many frames were sent, or why not even the first.
fn answer(before: usize, res: Result<usize>) -> i32 {
    match res {
        Ok(sent) => i32::try_from(before.wrapping_add(sent)).unwrap_or(i32::MAX),
        Err(err) if before == 0 => err.to_errno(),
        Err(_) => i32::try_from(before).unwrap_or(i32::MAX),
    }
}

/// Has a device send frames. Returns how many it took.
///
/// # Safety
///
/// `frames` must have `count` valid frames, which are given away as far as they are taken. Softirq.
unsafe fn send(
    dev: Option<&NetDevice>,
    frames: *mut *mut bindings::xdp_frame,
    count: usize,
    flags: u32,
) -> Result<usize> {
    let dev = dev.ok_or(ENXIO)?.as_ptr();
    // SAFETY: The device is allocated, and its operations are static.
    let xmit = unsafe { (*(*dev).netdev_ops).ndo_xdp_xmit }.ok_or(ENXIO)?;
    let count = i32::try_from(count).map_err(|_| EINVAL)?;
    // SAFETY: By the caller's promise.
    let sent = unsafe { xmit(dev, count, frames, flags) };
    to_result(sent.min(0))?;
    Ok(usize::try_from(sent).unwrap_or(0))
}

/// RCU.
pub(crate) unsafe extern "C" fn ndo_xdp_get_xmit_slave<T: Master>(
    dev: *mut bindings::net_device,
    xdp: *mut bindings::xdp_buff,
) -> *mut bindings::net_device {
    // SAFETY: See above. The frame's data go from `data` to `data_end`, which lies behind it.
    let (dev, rcu, bytes) = unsafe {
        let data = (*xdp).data.cast::<u8>();
        let len = ((*xdp).data_end as usize).wrapping_sub(data as usize);
        (
            Dev::<T>::from_raw(dev),
            Rcu::assume(),
            Bytes::new(data, len),
        )
    };
    T::frame_lower(dev, bytes, rcu).map_or(ptr::null_mut(), |lower| lower.dev().as_ptr())
}
