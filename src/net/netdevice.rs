// SPDX-License-Identifier: GPL-2.0

//! Network devices.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::bindings;
use crate::namespace::Net;
use crate::netdev_features::Features;
use crate::netlink::ExtAck;
use crate::rcu::Rcu;
use crate::rtnl::{Rtnl, RtnlOnly};
use core::ffi::c_void;
use core::marker::PhantomData;
use core::mem::offset_of;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use kernel::error::{to_result, Result};
use kernel::types::Opaque;

/// The longest hardware address, in bytes (`MAX_ADDR_LEN`).
pub const MAX_ADDR_LEN: usize = bindings::MAX_ADDR_LEN as usize;

/// The size of an interface name with its NUL, in bytes (`IFNAMSIZ`).
pub const IFNAMSIZ: usize = bindings::IFNAMSIZ as usize;

const STATE_START: usize = 1usize.wrapping_shl(bindings::netdev_state_t___LINK_STATE_START);
const STATE_NOCARRIER: usize = 1usize.wrapping_shl(bindings::netdev_state_t___LINK_STATE_NOCARRIER);

/// The link type Ethernet.
pub const ARPHRD_ETHER: u16 = bindings::ARPHRD_ETHER as u16;

/// The link type InfiniBand.
pub const ARPHRD_INFINIBAND: u16 = bindings::ARPHRD_INFINIBAND as u16;

/// The link type Controller Area Network.
pub const ARPHRD_CAN: u16 = bindings::ARPHRD_CAN as u16;

/// A network device of any driver (`struct net_device`).
///
/// # Invariants
///
/// The pointee is a device that stays allocated as long as a reference to it is alive. References
/// come from callbacks, from under RTNL or from an RCU read-side section, and live no longer than
/// these.
#[repr(transparent)]
pub struct NetDevice(Opaque<bindings::net_device>);

// SAFETY: All methods may be called from any thread; those that change the device ask for RTNL.
unsafe impl Send for NetDevice {}
// SAFETY: As above.
unsafe impl Sync for NetDevice {}

/// The name of an interface, as it was when it was read.
///
/// The kernel allows any byte but white space, `/` and `:` in a name, so a name need not be text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name([u8; IFNAMSIZ]);

impl Name {
    /// Returns the name without its NUL.
    pub fn as_bytes(&self) -> &[u8] {
        let len = self.0.iter().position(|b| *b == 0).unwrap_or(IFNAMSIZ);
        self.0.get(..len).unwrap_or(&[])
    }

    /// Returns the name, padded with NULs.
    pub fn as_array(&self) -> &[u8; IFNAMSIZ] {
        &self.0
    }
}

/// What a device reports about its link through ethtool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkSettings {
    /// In Mbit/s; 0 or `u32::MAX` when unknown.
    pub speed: u32,
    /// `DUPLEX_HALF` (0), `DUPLEX_FULL` (1) or `DUPLEX_UNKNOWN` (0xff).
    pub duplex: u8,
}

impl NetDevice {
    /// Makes a reference from a C pointer.
    ///
    /// # Safety
    ///
    /// `dev` must point to a device that stays allocated for all of `'a`.
    #[inline(always)]
    pub(crate) unsafe fn from_raw<'a>(dev: *mut bindings::net_device) -> &'a NetDevice {
        // SAFETY: By the caller's promise; the type is transparent. INVARIANT: likewise.
        unsafe { &*dev.cast() }
    }

    #[inline(always)]
    pub(crate) fn as_ptr(&self) -> *mut bindings::net_device {
        self.0.get()
    }

    /// Reads a word that others may write at the same time (`READ_ONCE()`).
    #[inline(always)]
    fn read_u32(&self, field: *const u32) -> u32 {
        // SAFETY: `field` points into the device (all callers are in this file), is aligned, and is
        // only accessed as a whole word by C.
        unsafe { AtomicU32::from_ptr(field.cast_mut()) }.load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn flags(&self) -> u32 {
        // SAFETY: The device is valid (type invariant); this only takes the address of the field.
        self.read_u32(unsafe { &raw const (*self.as_ptr()).flags })
    }

    #[inline(always)]
    fn state(&self) -> usize {
        // SAFETY: The device is valid (type invariant); `state` is an aligned word that C changes
        // with atomic bit operations.
        let state = unsafe { AtomicUsize::from_ptr((&raw mut (*self.as_ptr()).state).cast()) };
        state.load(Ordering::Relaxed)
    }

    /// Returns the name. Any context.
    pub fn name(&self) -> Name {
        // SAFETY: The device is allocated, and the array has the length of `Name`. A rename may run
        // meanwhile; the result is then a mixture of two names, as for all readers of `dev->name`.
        Name(unsafe { ptr::read_volatile((&raw const (*self.as_ptr()).name).cast()) })
    }

    /// Returns the interface index. Any context.
    pub fn ifindex(&self) -> i32 {
        // SAFETY: The device is valid (type invariant); the field is an aligned word, which changes
        // when the device moves to another namespace.
        unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).ifindex) }
    }

    /// Returns the network namespace. Any context.
    pub fn net(&self) -> &Net {
        // SAFETY: A device keeps its namespace alive. A device changes its namespace only under
        // RTNL, and never while it is below or above others.
        unsafe { Net::from_raw(bindings::nh_dev_net(self.as_ptr())) }
    }

    /// Returns whether the device is administratively up (`IFF_UP`). Any context.
    pub fn is_up(&self) -> bool {
        self.flags() & bindings::net_device_flags_IFF_UP != 0
    }

    /// Returns whether the device was opened (`netif_running()`). Any context.
    #[inline(always)]
    pub fn is_running(&self) -> bool {
        self.state() & STATE_START != 0
    }

    /// Returns whether the driver sees a carrier (`netif_carrier_ok()`). Any context.
    #[inline(always)]
    pub fn carrier_ok(&self) -> bool {
        self.state() & STATE_NOCARRIER == 0
    }

    /// Returns whether the device is open and has carrier. Any context.
    #[inline(always)]
    pub fn has_link(&self) -> bool {
        self.state() & (STATE_START | STATE_NOCARRIER) == STATE_START
    }

    /// Returns whether a carrier change is still on its way to the notifier chain. Any context.
    pub fn linkwatch_pending(&self) -> bool {
        // SAFETY: The device is valid (type invariant).
        unsafe { bindings::nh_linkwatch_pending(self.as_ptr()) }
    }

    /// Returns whether the device is a port of a bridge (`netif_is_bridge_port()`). Any context.
    #[inline(always)]
    pub fn is_bridge_port(&self) -> bool {
        // The private flags are the first 32 bits of the group, a whole word. This may be called for
        // every packet, so it makes no call.
        const _: () = assert!(
            offset_of!(bindings::net_device, __bindgen_anon_1) == bindings::NH_PRIV_FLAGS as usize
        );
        // SAFETY: The device is valid (type invariant); this only takes the address of the field.
        let flags = unsafe { &raw const (*self.as_ptr()).__bindgen_anon_1 };
        self.read_u32(flags.cast()) & bindings::netdev_priv_flags_IFF_BRIDGE_PORT != 0
    }

    /// Returns whether this is a macvlan (`netif_is_macvlan()`). Any context.
    pub fn is_macvlan(&self) -> bool {
        // SAFETY: The device is valid (type invariant).
        unsafe { bindings::nh_is_macvlan(self.as_ptr()) }
    }

    /// Returns whether this is a master of any kind (`IFF_MASTER`).
    pub fn is_master(&self) -> bool {
        self.flags() & bindings::net_device_flags_IFF_MASTER != 0
    }

    /// Returns whether this is a slave of any kind (`IFF_SLAVE`).
    pub fn is_slave(&self) -> bool {
        self.flags() & bindings::net_device_flags_IFF_SLAVE != 0
    }

    /// Returns whether the device is promiscuous (`IFF_PROMISC`).
    pub fn is_promisc(&self) -> bool {
        self.flags() & bindings::net_device_flags_IFF_PROMISC != 0
    }

    /// Returns whether the device takes all multicasts (`IFF_ALLMULTI`).
    pub fn is_allmulti(&self) -> bool {
        self.flags() & bindings::net_device_flags_IFF_ALLMULTI != 0
    }

    /// Returns whether the device is a point-to-point link (`IFF_POINTOPOINT`).
    pub fn is_pointopoint(&self) -> bool {
        self.flags() & bindings::net_device_flags_IFF_POINTOPOINT != 0
    }

    fn priv_flags(&self) -> u32 {
        // SAFETY: The device is valid (type invariant).
        unsafe { bindings::nh_priv_flags(self.as_ptr()) }
    }

    fn change_flags(&self, set: u32, clear: u32) {
        // SAFETY: The device is valid (type invariant), and all callers hold RTNL, which protects
        // writes.
        let flags = unsafe { &raw mut (*self.as_ptr()).flags };
        let value = (self.flags() & !clear) | set;
        // SAFETY: As above.
        unsafe { AtomicU32::from_ptr(flags) }.store(value, Ordering::Relaxed);
    }

    /// Marks or unmarks the device as a slave (`IFF_SLAVE`).
    pub(crate) fn mark_slave(&self, _rtnl: &Rtnl, slave: bool) {
        let flag = bindings::net_device_flags_IFF_SLAVE;
        self.change_flags(if slave { flag } else { 0 }, if slave { 0 } else { flag });
    }

    /// Returns whether a private flag (`IFF_*` of `enum netdev_priv_flags`) is set.
    pub(crate) fn has_priv_flag(&self, flag: u32) -> bool {
        self.priv_flags() & flag != 0
    }

    /// Sets or clears a private flag.
    ///
    /// Together with `IFF_MASTER` or `IFF_SLAVE`, some private flags tell other kernel code which
    /// type the private area or the `rx_handler_data` of the device has; see
    /// [`Layout`](crate::master::device::Layout).
    pub(crate) fn set_priv_flag(&self, _rtnl: &Rtnl, flag: u32, on: bool) {
        self.change_priv_flags(if on { flag } else { 0 }, if on { 0 } else { flag });
    }

    /// Returns whether IPv6 is kept from configuring addresses on the device.
    pub fn has_no_addrconf(&self) -> bool {
        self.has_priv_flag(bindings::netdev_priv_flags_IFF_NO_ADDRCONF)
    }

    /// Keeps IPv6 from configuring addresses on a device that carries a master's traffic.
    pub fn set_no_addrconf(&self, rtnl: &Rtnl, on: bool) {
        let flag = bindings::netdev_priv_flags_IFF_NO_ADDRCONF;
        self.set_priv_flag(rtnl, flag, on);
    }

    pub(crate) fn change_priv_flags(&self, set: u32, clear: u32) {
        // SAFETY: The device is valid (type invariant); callers hold RTNL, or nobody else knows the
        // device.
        unsafe { bindings::nh_change_priv_flags(self.as_ptr(), set, clear) };
    }

    /// Returns the link type (`ARPHRD_*`). Any context.
    pub fn link_type(&self) -> u16 {
        // SAFETY: The device is valid (type invariant); the field is an aligned word, which may
        // change meanwhile under RTNL.
        unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).type_) }
    }

    /// Returns the maximum transmission unit in bytes. Any context.
    pub fn mtu(&self) -> u32 {
        // SAFETY: The device is valid (type invariant); this only takes the address of the field.
        self.read_u32(unsafe { &raw const (*self.as_ptr()).mtu })
    }

    /// Returns the length of hardware addresses in bytes. Any context.
    pub fn addr_len(&self) -> usize {
        // SAFETY: The device is valid (type invariant); the field is a byte, which may change
        // meanwhile with the link type.
        usize::from(unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).addr_len) })
    }

    /// Returns the features in use (`NETIF_F_*`).
    pub fn features(&self) -> Features {
        // SAFETY: The device is valid (type invariant); the field is an aligned word.
        Features(unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).features) })
    }

    /// Returns the number of transmit queues in use. Any context.
    #[inline]
    pub fn real_num_tx_queues(&self) -> u16 {
        // SAFETY: The device is valid (type invariant); this only takes the address of the field.
        let n = self.read_u32(unsafe { &raw const (*self.as_ptr()).real_num_tx_queues });
        n.min(u32::from(u16::MAX)) as u16
    }

    /// Returns whether the device is registered, and its unregistration has neither begun nor been
    /// queued (`unregister_netdevice_queued()`).
    pub fn is_registered(&self, _rtnl: &Rtnl) -> bool {
        let dev = self.as_ptr();
        // SAFETY: The device is valid (type invariant); RTNL protects both fields.
        let (state, is_queued) = unsafe {
            let list = &raw const (*dev).unreg_list;
            (u32::from((*dev).reg_state), !ptr::eq((*list).next, list))
        };
        state == bindings::netdev_reg_state_NETREG_REGISTERED && !is_queued
    }

    /// Returns what a message appends to the name of a device that is not registered
    /// (`netdev_reg_state()`). Any context.
    pub fn registration(&self) -> &'static str {
        // SAFETY: The device is valid (type invariant); the field is a byte that is written under
        // RTNL.
        let state = unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).reg_state) };
        match u32::from(state) {
            bindings::netdev_reg_state_NETREG_UNINITIALIZED => " (uninitialized)",
            bindings::netdev_reg_state_NETREG_UNREGISTERING => " (unregistering)",
            bindings::netdev_reg_state_NETREG_UNREGISTERED => " (unregistered)",
            bindings::netdev_reg_state_NETREG_RELEASED => " (released)",
            _ => "",
        }
    }

    /// Returns whether the device is present (`netif_device_present()`): a driver detaches its
    /// device while the hardware is out of reach. Any context.
    pub fn is_present(&self) -> bool {
        // SAFETY: The device is valid (type invariant).
        unsafe { bindings::nh_device_present(self.as_ptr()) }
    }

    /// Opens the device (`dev_open()`). May sleep.
    pub fn open(&self, _rtnl: &RtnlOnly, extack: Option<&ExtAck>) -> Result {
        // SAFETY: The device is valid (type invariant) and RTNL is held.
        to_result(unsafe { bindings::dev_open(self.as_ptr(), ExtAck::as_ptr(extack)) })
    }

    /// Closes the device (`dev_close()`), unless it is already being closed: this function may be
    /// called during that. May sleep.
    pub fn close(&self, _rtnl: &RtnlOnly) {
        let dev = self.as_ptr();
        // SAFETY: The device is allocated and RTNL is held, which protects the list of the devices
        // that are being closed. A device that is on the list is not closed here: the core would
        // add it to the list a second time.
        unsafe {
            let list = &raw const (*dev).close_list;
            if ptr::eq((*list).next, list) {
                bindings::dev_close(dev);
            }
        }
    }

    /// Sets the MTU in bytes (`dev_set_mtu()`). May sleep.
    pub fn set_mtu(&self, _rtnl: &RtnlOnly, mtu: u32) -> Result {
        let mtu = i32::try_from(mtu).map_err(|_| kernel::error::code::EINVAL)?;
        // SAFETY: The device is valid (type invariant) and RTNL is held.
        to_result(unsafe { bindings::dev_set_mtu(self.as_ptr(), mtu) })
    }

    /// Sets the MTU in bytes of a device that is being unregistered. An MTU that the device cannot
    /// have is ignored.
    pub fn restore_mtu(&self, _rtnl: &RtnlOnly, mtu: u32) {
        // SAFETY: The device is valid (type invariant) and RTNL is held.
        unsafe { bindings::nh_restore_mtu(self.as_ptr(), i32::try_from(mtu).unwrap_or(i32::MAX)) };
    }

    /// Adds `inc`, 1 or -1, to the number of users of promiscuous mode. May sleep.
    pub fn add_promiscuity(&self, _rtnl: &RtnlOnly, inc: i32) -> Result {
        // SAFETY: The device is valid (type invariant) and RTNL is held.
        to_result(unsafe { bindings::dev_set_promiscuity(self.as_ptr(), inc) })
    }

    /// Adds `inc`, 1 or -1, to the number of users that want all multicasts. May sleep.
    pub fn add_allmulti(&self, _rtnl: &RtnlOnly, inc: i32) -> Result {
        // SAFETY: The device is valid (type invariant) and RTNL is held.
        to_result(unsafe { bindings::dev_set_allmulti(self.as_ptr(), inc) })
    }

    /// Switches large receive offload off on this device and on those below. May sleep.
    pub fn disable_lro(&self, _rtnl: &RtnlOnly) {
        // SAFETY: The device is valid (type invariant) and RTNL is held.
        unsafe { bindings::dev_disable_lro(self.as_ptr()) };
    }

    /// Returns whether another driver receives this device's packets. RTNL.
    pub fn is_rx_handler_busy(&self, _rtnl: &Rtnl) -> bool {
        // SAFETY: The device is valid (type invariant) and RTNL is held.
        unsafe { bindings::netdev_is_rx_handler_busy(self.as_ptr()) }
    }

    /// Returns whether `upper` is above this device, directly or not. RTNL.
    pub fn has_upper(&self, _rtnl: &Rtnl, upper: &NetDevice) -> bool {
        // SAFETY: Both devices are valid (type invariants) and RTNL is held.
        unsafe { bindings::netdev_has_upper_dev(self.as_ptr(), upper.as_ptr()) }
    }

    /// Returns the master of this device.
    pub fn master<'a>(&self, _rtnl: &'a Rtnl) -> Option<&'a NetDevice> {
        // SAFETY: The device is valid (type invariant) and RTNL is held.
        let master = unsafe { bindings::netdev_master_upper_dev_get(self.as_ptr()) };
        // SAFETY: A master stays allocated while RTNL is held.
        (!master.is_null()).then(|| unsafe { NetDevice::from_raw(master) })
    }

    /// Returns whether there are VLAN devices on top of this device. RTNL.
    pub fn has_vlans(&self, _rtnl: &Rtnl) -> bool {
        // SAFETY: The device is valid (type invariant) and RTNL is held.
        unsafe { bindings::vlan_uses_dev(self.as_ptr()) }
    }

    /// Adds all VLAN ids of `from` to this device. May sleep.
    pub fn add_vlans_of(&self, _rtnl: &Rtnl, from: &NetDevice) -> Result {
        // SAFETY: Both devices are valid (type invariants) and RTNL is held.
        to_result(unsafe { bindings::vlan_vids_add_by_dev(self.as_ptr(), from.as_ptr()) })
    }

    /// Removes all VLAN ids of `from` from this device. May sleep.
    pub fn del_vlans_of(&self, _rtnl: &Rtnl, from: &NetDevice) {
        // SAFETY: Both devices are valid (type invariants) and RTNL is held.
        unsafe { bindings::vlan_vids_del_by_dev(self.as_ptr(), from.as_ptr()) };
    }

    /// Adds one VLAN id to this device. May sleep.
    pub fn add_vlan(&self, _rtnl: &Rtnl, vlan: Vlan) -> Result {
        // SAFETY: The device is valid (type invariant) and RTNL is held.
        to_result(unsafe { bindings::vlan_vid_add(self.as_ptr(), vlan.proto, vlan.id) })
    }

    /// Removes one VLAN id from this device. May sleep.
    pub fn del_vlan(&self, _rtnl: &Rtnl, vlan: Vlan) {
        // SAFETY: The device is valid (type invariant) and RTNL is held.
        unsafe { bindings::vlan_vid_del(self.as_ptr(), vlan.proto, vlan.id) };
    }

    /// Reads the statistics. Requires RCU, since the device may itself have lower devices.
    pub fn stats(&self, _rcu: &Rcu) -> Stats {
        let mut stats = Stats::default();
        // SAFETY: The device is valid (type invariant), and `Stats` has the layout of the C struct.
        unsafe { bindings::dev_get_stats(self.as_ptr(), (&raw mut stats).cast()) };
        stats
    }

    /// Returns the maximum depth of the stack of devices below this one, for lock nesting. Any
    /// context.
    pub fn lower_level(&self) -> u8 {
        // SAFETY: The device is valid (type invariant); the field is a byte that is written under
        // RTNL.
        unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).lower_level) }
    }
}

impl PartialEq for NetDevice {
    /// Whether both are the same device.
    fn eq(&self, other: &NetDevice) -> bool {
        ptr::eq(self, other)
    }
}

impl Eq for NetDevice {}

/// A VLAN as drivers filter it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vlan {
    /// `ETH_P_8021Q` or `ETH_P_8021AD`, in network byte order.
    pub proto: u16,
    /// The VLAN id.
    pub id: u16,
}

/// The number of counters in the statistics of a device.
pub const STATS: usize = size_of::<bindings::rtnl_link_stats64>() / size_of::<u64>();
const _: () = assert!(size_of::<Stats>() == size_of::<bindings::rtnl_link_stats64>());

/// Statistics of a device, in the order of `struct rtnl_link_stats64`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Stats(pub [u64; STATS]);

impl Default for Stats {
    fn default() -> Self {
        Stats([0; STATS])
    }
}

impl Net {
    /// Finds a device by its name.
    pub fn device_by_name<'a>(&self, _rtnl: &'a Rtnl, name: &[u8]) -> Option<&'a NetDevice> {
        let mut buf = [0u8; IFNAMSIZ];
        if name.len() >= IFNAMSIZ {
            return None;
        }
        buf.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
        // SAFETY: The namespace is alive, RTNL is held, and the name ends with a NUL.
        let dev = unsafe { bindings::__dev_get_by_name(self.as_ptr(), buf.as_ptr().cast()) };
        // SAFETY: A device found under RTNL stays allocated as long as RTNL is held.
        (!dev.is_null()).then(|| unsafe { NetDevice::from_raw(dev) })
    }

    /// Finds a device by its index.
    pub fn device_by_index<'a>(&self, _rtnl: &'a Rtnl, index: i32) -> Option<&'a NetDevice> {
        // SAFETY: The namespace is alive and RTNL is held.
        let dev = unsafe { bindings::__dev_get_by_index(self.as_ptr(), index) };
        // SAFETY: As in `device_by_name`.
        (!dev.is_null()).then(|| unsafe { NetDevice::from_raw(dev) })
    }

    /// Iterates over all devices of the namespace, in the order of their registration.
    pub fn devices<'a>(&self, _rcu: &'a Rcu) -> Devices<'a> {
        // SAFETY: The namespace is alive.
        let head = unsafe { bindings::nh_net_devices(self.as_ptr()) };
        Devices {
            head,
            at: head,
            _section: PhantomData,
        }
    }
}

/// Calls a function with each device of all namespaces. The function must not wait for the creation
/// of a namespace, which waits for this, nor send an event of a device, whose listeners may go through
/// all namespaces as well, nor unregister a device.
pub fn each_device(_rtnl: &RtnlOnly, mut call: impl FnMut(&NetDevice)) {
    /// # Safety
    ///
    /// `dev` must be a registered device, and `context` an `F` that nobody else uses.
    unsafe extern "C" fn hand<F: FnMut(&NetDevice)>(
        dev: *mut bindings::net_device,
        context: *mut c_void,
    ) {
        // SAFETY: By the caller's promise; the device stays registered during the call, since RTNL
        // is held.
        unsafe { (*context.cast::<F>())(NetDevice::from_raw(dev)) };
    }
    fn function_of<F: FnMut(&NetDevice)>(
        _: &F,
    ) -> unsafe extern "C" fn(*mut bindings::net_device, *mut c_void) {
        hand::<F>
    }
    let function = function_of(&call);
    // SAFETY: RTNL is held. The function gets the closure that belongs to it, which lives until the
    // call returns.
    unsafe { bindings::nh_each_netdev(Some(function), (&raw mut call).cast()) };
}

/// The iterator of [`Net::devices`].
///
/// # Invariants
///
/// `at` is the list head or the `dev_list` of a device that was in the list during the read-side
/// section of `'a`. Such a device is neither freed nor moved to another namespace before the
/// section ends, and its link to the next one stays when it leaves the list.
pub struct Devices<'a> {
    head: *mut bindings::list_head,
    at: *mut bindings::list_head,
    _section: PhantomData<&'a Rcu>,
}

impl<'a> Iterator for Devices<'a> {
    type Item = &'a NetDevice;

    fn next(&mut self) -> Option<&'a NetDevice> {
        // SAFETY: By the invariant, `at` is valid; writers publish links with release semantics.
        let next = unsafe { AtomicPtr::from_ptr(&raw mut (*self.at).next) }.load(Ordering::Acquire);
        if next == self.head {
            return None;
        }
        self.at = next;
        // SAFETY: Every entry of the list but its head is the `dev_list` of a device.
        let dev = unsafe { kernel::container_of!(next, bindings::net_device, dev_list) };
        // SAFETY: A device that was seen in the list stays allocated during the section.
        Some(unsafe { NetDevice::from_raw(dev) })
    }
}
