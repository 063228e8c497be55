// SPDX-License-Identifier: GPL-2.0

//! XDP on masters: the programs that are passed to the lower devices, and the frames that programs
//! send.
//!
//! C headers: [`include/net/xdp.h`](srctree/include/net/xdp.h),
//! [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h) (`struct netdev_bpf`)

use super::device::{Dev, Lower, Master};
use super::ops::{nothing, Ops, Part};
use crate::bindings;
use crate::netdevice::NetDevice;
use crate::netlink::ExtAck;
use crate::rcu::Rcu;
use crate::rtnl::{Rtnl, RtnlOnly};
use crate::shared::Bytes;
use crate::xdp::{Program, XdpFeatures};
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};
use kernel::error::{code::*, from_result, to_result, Result};
use kernel::sync::atomic::Relaxed;

/// A driver whose devices run XDP programs.
pub trait XdpMaster: Master {
    /// Sets the XDP program that runs for what the device receives, or none (`ndo_bpf`), by passing
    /// it to the lower devices.
    fn set_xdp(
        dev: &Dev<Self>,
        program: Option<&Program>,
        extack: Option<&ExtAck>,
        rtnl: &RtnlOnly,
    ) -> Result;

    /// Returns the lower device through which a frame of an XDP program would leave
    /// (`ndo_xdp_get_xmit_slave`). The frame begins with its Ethernet header.
    fn frame_lower<'a>(
        dev: &'a Dev<Self>,
        frame: Bytes<'_>,
        rcu: &'a Rcu,
    ) -> Option<&'a Lower<Self>>;
}

impl<T: XdpMaster> Ops<T> {
    /// Adds XDP.
    pub const fn with_xdp(mut self) -> Self {
        self.netdev.ndo_bpf = Some(ndo_bpf::<T>);
        self.netdev.ndo_xdp_xmit = Some(ndo_xdp_xmit::<T>);
        self.netdev.ndo_xdp_get_xmit_slave = Some(ndo_xdp_get_xmit_slave::<T>);
        self.with_part(Part {
            before: nothing::<T>,
            after: |dev, rtnl| dev.keep_xdp_program(rtnl, None),
        })
    }
}

impl<T: Master> Dev<T> {
    /// Sets what the device can do with XDP, and announces a change. May sleep. Masters have no
    /// instance lock.
    pub fn set_xdp_features(&self, _rtnl: &Rtnl, features: XdpFeatures) {
        // SAFETY: The device is valid (type invariant) and RTNL is held.
        unsafe { bindings::xdp_set_features_flag(self.as_ptr(), features.0) };
    }

    /// Returns whether a program is attached to the device, and therefore to its lower devices.
    pub fn has_xdp_program(&self, _rtnl: &Rtnl) -> bool {
        !self.private().xdp_program.load(Relaxed).is_null()
    }

    /// Returns the program that is attached to the device.
    pub fn xdp_program(&self, _rtnl: &Rtnl) -> Option<Program> {
        let program = NonNull::new(self.private().xdp_program.load(Relaxed))?;
        // SAFETY: The device has a reference to its program, and cannot lose it while RTNL is held.
        // INVARIANT: The reference that is taken here belongs to the returned object.
        unsafe { bindings::bpf_prog_inc(program.as_ptr()) };
        Some(Program(program))
    }

    /// Records the program that is attached now.
    pub(crate) fn keep_xdp_program(&self, _rtnl: &Rtnl, program: Option<Program>) {
        let new = program.map_or(ptr::null_mut(), |program| {
            ManuallyDrop::new(program).0.as_ptr()
        });
        let old = self.private().xdp_program.xchg(new, Relaxed);
        // While there is such a program, frames that the programs of lower devices send back may be
        // sent through another lower device.
        if old.is_null() != new.is_null() {
            // SAFETY: This is process context. The counter goes up when the device gets a program,
            // and down when it has none any more.
            unsafe { bindings::nh_xdp_redirect_master(!new.is_null()) };
        }
        // INVARIANT: The device owned this reference.
        drop(NonNull::new(old).map(Program));
    }
}

/// Attaches or detaches a program.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. The caller must hold
/// RTNL and no instance lock. `setup` must be valid; a program in it becomes ours if this succeeds.
unsafe extern "C" fn ndo_bpf<T: XdpMaster>(
    dev: *mut bindings::net_device,
    setup: *mut bindings::netdev_bpf,
) -> i32 {
    from_result(|| {
        // SAFETY: The caller passes an initialised device of driver `T`, and holds RTNL and no
        // instance lock. The structure is valid during the call.
        let (dev, rtnl, setup) = unsafe { (Dev::<T>::from_raw(dev), RtnlOnly::assume(), &*setup) };
        if setup.command != bindings::bpf_netdev_command_XDP_SETUP_PROG {
            return Err(EINVAL);
        }
        // SAFETY: This command uses these fields of the union.
        let args = unsafe { setup.__bindgen_anon_1.__bindgen_anon_1 };
        // INVARIANT: The caller's reference becomes ours if this succeeds, and stays the caller's
        // if it does not.
        let program = ManuallyDrop::new(NonNull::new(args.prog).map(Program));
        // SAFETY: `extack` is valid during the call, or NULL.
        let extack = unsafe { ExtAck::from_raw(args.extack) };
        T::set_xdp(dev, program.as_ref(), extack, rtnl)?;
        dev.keep_xdp_program(rtnl, ManuallyDrop::into_inner(program));
        Ok(0)
    })
}

/// Sends frames; consecutive frames that leave through the same lower device are sent together.
/// Softirq.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. `frames` must have
/// `count` frames; as many of them as the return value says become ours.
unsafe extern "C" fn ndo_xdp_xmit<T: XdpMaster>(
    dev: *mut bindings::net_device,
    count: i32,
    frames: *mut *mut bindings::xdp_frame,
    flags: u32,
) -> i32 {
    let rcu = crate::rcu::read_lock();
    // SAFETY: The caller passes an initialised device of driver `T`.
    let dev = unsafe { Dev::<T>::from_raw(dev) };
    let count = usize::try_from(count).unwrap_or(0);
    let lower_of = |index: usize| {
        // SAFETY: `frames` has `count` valid frames, and this is one of them; its data are `len`
        // bytes long.
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
            // SAFETY: As above; the frames from `start` on are still ours.
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

/// Returns how many frames were sent, or the error if not even the first one was.
fn answer(before: usize, res: Result<usize>) -> i32 {
    match res {
        Ok(sent) => i32::try_from(before.wrapping_add(sent)).unwrap_or(i32::MAX),
        Err(err) if before == 0 => err.to_errno(),
        Err(_) => i32::try_from(before).unwrap_or(i32::MAX),
    }
}

/// Has a device send frames. Returns how many of them it took.
///
/// # Safety
///
/// `frames` must have `count` valid frames; those that the device takes are given away. Softirq.
unsafe fn send(
    dev: Option<&NetDevice>,
    frames: *mut *mut bindings::xdp_frame,
    count: usize,
    flags: u32,
) -> Result<usize> {
    let dev = dev.ok_or(ENXIO)?.as_ptr();
    // SAFETY: The device is valid (type invariant), and its operations are static.
    let xmit = unsafe { (*(*dev).netdev_ops).ndo_xdp_xmit }.ok_or(ENXIO)?;
    let count = i32::try_from(count).map_err(|_| EINVAL)?;
    // SAFETY: The caller guarantees that `frames` has `count` valid frames; the device is valid,
    // and this is its own operation.
    let sent = unsafe { xmit(dev, count, frames, flags) };
    to_result(sent.min(0))?;
    Ok(usize::try_from(sent).unwrap_or(0))
}

/// Returns the lower device through which a frame would leave. Called in an RCU read-side section.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. `xdp` must be valid.
/// The caller must be in an RCU read-side section.
unsafe extern "C" fn ndo_xdp_get_xmit_slave<T: XdpMaster>(
    dev: *mut bindings::net_device,
    xdp: *mut bindings::xdp_buff,
) -> *mut bindings::net_device {
    // SAFETY: The caller passes an initialised device of driver `T`, and is in an RCU read-side
    // section. The data of the frame begin at `data` and end at `data_end`, which is not before it.
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
