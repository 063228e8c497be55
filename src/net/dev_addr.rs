// SPDX-License-Identifier: GPL-2.0

//! Hardware addresses of devices, and the lists of further addresses that devices receive.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)
//! (`net/core/dev_addr_lists.c`)

use crate::bindings;
use crate::netdevice::{NetDevice, MAX_ADDR_LEN};
use crate::netlink::ExtAck;
use crate::notifier::Announce;
use crate::rtnl::{Rtnl, RtnlOnly};
use crate::shared;
use core::ptr;
use kernel::error::{code::EINVAL, to_result, Result};

/// A hardware address, as it was when it was read.
#[derive(Clone, Copy)]
pub struct Addr {
    bytes: [u8; MAX_ADDR_LEN],
    len: u8,
}

impl core::ops::Deref for Addr {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.len))
            .unwrap_or(&self.bytes)
    }
}

/// How a device got its hardware address (`dev->addr_assign_type`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddrAssign {
    /// The device's own (`NET_ADDR_PERM`).
    Permanent,
    /// Made at random (`NET_ADDR_RANDOM`).
    Random,
    /// Taken from another device (`NET_ADDR_STOLEN`).
    Stolen,
    /// Set by the user (`NET_ADDR_SET`).
    Set,
}

impl NetDevice {
    /// Returns the hardware address.
    pub fn addr(&self, _rtnl: &Rtnl) -> Addr {
        let len = self.addr_len().min(MAX_ADDR_LEN);
        // SAFETY: `dev_addr` points to `MAX_ADDR_LEN` bytes. They change under RTNL, except that
        // InfiniBand's own driver takes only the address lock; `shared::read` allows for such
        // concurrent writes.
        let bytes = unsafe { shared::read((*self.as_ptr()).dev_addr) };
        Addr {
            bytes,
            len: len as u8,
        }
    }

    /// Returns how the device got its hardware address.
    pub fn addr_assign(&self, _rtnl: &Rtnl) -> AddrAssign {
        // SAFETY: The device is valid (type invariant); RTNL protects the field.
        match u32::from(unsafe { (*self.as_ptr()).addr_assign_type }) {
            bindings::NET_ADDR_RANDOM => AddrAssign::Random,
            bindings::NET_ADDR_STOLEN => AddrAssign::Stolen,
            bindings::NET_ADDR_SET => AddrAssign::Set,
            _ => AddrAssign::Permanent,
        }
    }

    /// Records how the device got its hardware address.
    pub fn set_addr_assign(&self, _rtnl: &Rtnl, assign: AddrAssign) {
        let value = match assign {
            AddrAssign::Permanent => bindings::NET_ADDR_PERM,
            AddrAssign::Random => bindings::NET_ADDR_RANDOM,
            AddrAssign::Stolen => bindings::NET_ADDR_STOLEN,
            AddrAssign::Set => bindings::NET_ADDR_SET,
        };
        // SAFETY: The device is valid (type invariant); RTNL protects the field.
        unsafe { (*self.as_ptr()).addr_assign_type = value as u8 };
    }

    /// Returns whether the driver can set the hardware address at all.
    pub fn can_set_addr(&self) -> bool {
        // SAFETY: The device is valid (type invariant); its operations are static.
        unsafe { (*(*self.as_ptr()).netdev_ops).ndo_set_mac_address.is_some() }
    }

    /// Asks the driver to use another hardware address (`dev_set_mac_address()`).
    ///
    /// May sleep. `addr` is truncated to `MAX_ADDR_LEN`.
    pub fn set_addr(&self, _rtnl: &RtnlOnly, addr: &[u8], extack: Option<&ExtAck>) -> Result {
        let mut ss: bindings::__kernel_sockaddr_storage = pin_init::zeroed();
        let len = addr.len().min(MAX_ADDR_LEN);
        ss.__bindgen_anon_1.__bindgen_anon_1.ss_family = self.link_type();
        // SAFETY: This copies plain bytes from a slice of at least `len` bytes into the union's
        // array, which has more than `MAX_ADDR_LEN` bytes.
        unsafe {
            let data = &raw mut ss.__bindgen_anon_1.__bindgen_anon_1.__data;
            ptr::copy_nonoverlapping(addr.as_ptr(), data.cast::<u8>(), len);
        }
        // SAFETY: The device is valid (type invariant), RTNL is held, and the address is valid for
        // the call.
        to_result(unsafe {
            bindings::dev_set_mac_address(self.as_ptr(), &mut ss, ExtAck::as_ptr(extack))
        })
    }

    /// Asks the listeners that may object whether the device may have this address
    /// (`NETDEV_PRE_CHANGEADDR`). May sleep.
    pub fn ask_addr_change(&self, _rtnl: &Rtnl, addr: &[u8], extack: Option<&ExtAck>) -> Result {
        let mut bytes = [0u8; MAX_ADDR_LEN];
        bytes
            .iter_mut()
            .zip(addr)
            .for_each(|(to, from)| *to = *from);
        // SAFETY: The device is allocated and RTNL is held; `bytes` holds an address of any length.
        to_result(unsafe {
            bindings::netif_pre_changeaddr_notify(
                self.as_ptr(),
                bytes.as_ptr().cast(),
                ExtAck::as_ptr(extack),
            )
        })
    }

    /// Takes over `addr` as the device's own address, after asking the listeners that may object.
    /// May sleep.
    ///
    /// For devices that have no hardware. Tells all listeners (`NETDEV_CHANGEADDR`).
    pub fn steal_addr(&self, rtnl: &Rtnl, addr: &[u8]) -> Result {
        self.ask_addr_change(rtnl, addr, None)?;
        self.take_addr(rtnl, addr);
        Ok(())
    }

    /// The second half of [`Self::steal_addr`], to be called if no listener has objected in the
    /// [first half](Self::ask_addr_change).
    pub fn take_addr(&self, rtnl: &Rtnl, addr: &[u8]) {
        self.assign_addr(rtnl, addr);
        self.set_addr_assign(rtnl, AddrAssign::Stolen);
        // The change has already happened, so an objection has no effect.
        let _ = self.announce(rtnl, Announce::CHANGE_ADDR);
    }

    /// Sets the device's hardware address without telling any listener.
    pub fn assign_addr(&self, _rtnl: &Rtnl, addr: &[u8]) {
        let len = addr.len().min(self.addr_len());
        // SAFETY: The device is valid (type invariant), RTNL is held; `len` bytes are valid on both
        // sides.
        unsafe { bindings::dev_addr_mod(self.as_ptr(), 0, addr.as_ptr().cast(), len) };
    }

    /// Gives the device a random Ethernet address (`eth_hw_addr_random()`) without telling any
    /// listener.
    pub fn randomize_addr(&self, _rtnl: &Rtnl) {
        // SAFETY: The device is valid (type invariant) and RTNL is held.
        unsafe { bindings::nh_eth_hw_addr_random(self.as_ptr()) };
    }

    /// Adds the unicast and multicast addresses of `from` to this device.
    ///
    /// `multiple` says that other devices get these addresses as well. Takes both address locks.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if some addresses are missing now; another call adds them. `EINVAL` if the
    /// addresses of `from` have another length, or if both are the same device.
    pub fn sync_addrs_from(&self, _rtnl: &Rtnl, from: &NetDevice, multiple: bool) -> Result {
        if self == from {
            // The device would wait for its own address lock.
            return Err(EINVAL);
        }
        // SAFETY: Both devices are valid (type invariants) and RTNL is held.
        to_result(unsafe { bindings::nh_sync_addresses(self.as_ptr(), from.as_ptr(), multiple) })
    }

    /// As [`Self::sync_addrs_from`], for `ndo_set_rx_mode`, whose caller holds `from`'s address
    /// lock with bottom halves off.
    pub(crate) fn sync_addrs_locked(&self, from: &NetDevice, multiple: bool) -> Result {
        // SAFETY: Both devices are valid (type invariants) and `from`'s address lock is held by the
        // caller.
        to_result(unsafe {
            bindings::nh_sync_addresses_locked(self.as_ptr(), from.as_ptr(), multiple)
        })
    }

    /// Removes the addresses that came from `from` from this device. Takes both address locks.
    pub fn unsync_addrs_from(&self, _rtnl: &Rtnl, from: &NetDevice) {
        if self == from {
            return;
        }
        // SAFETY: Both devices are valid (type invariants).
        unsafe {
            bindings::dev_uc_unsync(self.as_ptr(), from.as_ptr());
            bindings::dev_mc_unsync(self.as_ptr(), from.as_ptr());
        }
    }

    /// Has the device receive what is sent to a group (`dev_mc_add()`). Only for Ethernet. Takes the
    /// address lock.
    pub fn join_group(&self, _rtnl: &Rtnl, group: &[u8; 6]) -> Result {
        if self.addr_len() != group.len() {
            return Err(EINVAL);
        }
        // SAFETY: The device is valid (type invariant), and its addresses are as long as the array.
        to_result(unsafe { bindings::dev_mc_add(self.as_ptr(), group.as_ptr()) })
    }

    /// Undoes one [`Self::join_group`] (`dev_mc_del()`).
    pub fn leave_group(&self, _rtnl: &Rtnl, group: &[u8; 6]) {
        if self.addr_len() == group.len() {
            // SAFETY: As in `join_group`. If the device has forgotten the group, that is just as
            // good.
            unsafe { bindings::dev_mc_del(self.as_ptr(), group.as_ptr()) };
        }
    }

    /// Has the device receive what is sent to another address, too (`dev_uc_add()`). Only for
    /// Ethernet. Takes the address lock.
    pub fn join_unicast(&self, _rtnl: &Rtnl, addr: &[u8; 6]) -> Result {
        if self.addr_len() != addr.len() {
            return Err(EINVAL);
        }
        // SAFETY: The device is valid (type invariant), and its addresses are as long as the array.
        to_result(unsafe { bindings::dev_uc_add(self.as_ptr(), addr.as_ptr()) })
    }

    /// Undoes one [`Self::join_unicast`] (`dev_uc_del()`).
    pub fn leave_unicast(&self, _rtnl: &Rtnl, addr: &[u8; 6]) {
        if self.addr_len() == addr.len() {
            // SAFETY: As in `join_unicast`. If the device has forgotten the address, that is just as
            // good.
            unsafe { bindings::dev_uc_del(self.as_ptr(), addr.as_ptr()) };
        }
    }

    /// Returns the hardware address of an Ethernet device, as it is at the moment. Any context.
    #[inline(always)]
    pub fn ether_addr(&self) -> [u8; 6] {
        // SAFETY: `dev_addr` points to `MAX_ADDR_LEN` bytes as long as the device is allocated
        // (type invariant). They may change meanwhile, which `shared::read` allows for: the result
        // is then a mixture of two addresses, as for all readers without RTNL.
        unsafe { shared::read((*self.as_ptr()).dev_addr) }
    }

    /// Removes all additional unicast and multicast addresses of this device.
    pub fn flush_addrs(&self, _rtnl: &Rtnl) {
        // SAFETY: The device is valid (type invariant).
        unsafe {
            bindings::dev_uc_flush(self.as_ptr());
            bindings::dev_mc_flush(self.as_ptr());
        }
    }
}
