// SPDX-License-Identifier: GPL-2.0

//! XDP: programs that see a device's packets before the stack does.
//! [`master::xdp`](crate::master::xdp) says what a master does with them.
//!
//! C headers: [`include/net/xdp.h`](srctree/include/net/xdp.h),
//! [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h) (`struct netdev_bpf`)

use crate::bindings;
use crate::netdevice::NetDevice;
use crate::netlink::ExtAck;
use crate::rtnl::{Rtnl, RtnlOnly};
use core::ptr::{self, NonNull};
use kernel::error::{to_result, Result};

/// A program, or rather a reference to it (`struct bpf_prog`).
///
/// # Invariants
///
/// The pointee is a program, and this object owns a reference to it.
pub struct Program(pub(crate) NonNull<bindings::bpf_prog>);

// SAFETY: References to programs are counted atomically.
unsafe impl Send for Program {}
// SAFETY: As above.
unsafe impl Sync for Program {}

impl Clone for Program {
    fn clone(&self) -> Self {
        // SAFETY: The program is valid (type invariant). INVARIANT: The new object owns the new
        // reference.
        unsafe { bindings::bpf_prog_inc(self.0.as_ptr()) };
        Program(self.0)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: We own the reference (type invariant).
        unsafe { bindings::bpf_prog_put(self.0.as_ptr()) };
    }
}

/// What a device can do with XDP (`NETDEV_XDP_ACT_*`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct XdpFeatures(pub(crate) u32);

impl XdpFeatures {
    /// Nothing.
    pub const NONE: XdpFeatures = XdpFeatures(0);

    /// All that a device without rings of its own can do: sockets cannot share rings with such a
    /// device.
    pub const ALL_WITHOUT_RINGS: XdpFeatures = XdpFeatures(
        bindings::netdev_xdp_act_NETDEV_XDP_ACT_MASK
            & !bindings::netdev_xdp_act_NETDEV_XDP_ACT_XSK_ZEROCOPY,
    );

    /// Returns what both can do.
    pub fn and(self, other: XdpFeatures) -> XdpFeatures {
        XdpFeatures(self.0 & other.0)
    }
}

impl NetDevice {
    /// Returns whether the driver runs XDP programs, and sends the packets that the programs want
    /// sent.
    pub fn can_run_xdp(&self) -> bool {
        // SAFETY: The device is valid (type invariant); its operations are static.
        let ops = unsafe { &*(*self.as_ptr()).netdev_ops };
        ops.ndo_bpf.is_some() && ops.ndo_xdp_xmit.is_some()
    }

    /// Returns whether somebody has attached a program to the device itself.
    pub fn has_own_xdp(&self, _rtnl: &Rtnl) -> bool {
        // SAFETY: The device is valid (type invariant) and RTNL is held.
        unsafe { bindings::dev_xdp_prog_count(self.as_ptr()) > 0 }
    }

    /// Makes the driver run a program in place of the previous one, or run none. May sleep.
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
        // SAFETY: The device is valid (type invariant) and RTNL is held. If the driver succeeds, it
        // takes over a reference to the program.
        to_result(unsafe { bindings::dev_xdp_propagate(self.as_ptr(), &mut setup) })?;
        core::mem::forget(program);
        Ok(())
    }

    /// Returns what the device can do with XDP.
    pub fn xdp_features(&self, _rtnl: &Rtnl) -> XdpFeatures {
        // SAFETY: The device is valid (type invariant); the field is a word that is read as a
        // whole.
        XdpFeatures(unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).xdp_features) })
    }
}

fn raw(program: Option<&Program>) -> *mut bindings::bpf_prog {
    program.map_or(ptr::null_mut(), |program| program.0.as_ptr())
}
