// SPDX-License-Identifier: GPL-2.0

//! Events of network devices.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)
//! (`register_netdevice_notifier()`)

use crate::bindings;
use crate::netdev_lock::Held;
use crate::netdevice::NetDevice;
use crate::netlink::ExtAck;
use crate::rtnl::{Rtnl, RtnlOnly};
use core::marker::PhantomData;
use core::pin::Pin;
use kernel::error::{to_result, Result};
use kernel::prelude::*;
use kernel::types::Opaque;

/// An event that a listener gets (`enum netdev_cmd`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The device was registered.
    Register,
    /// The device is going away. No instance lock is held.
    Unregister,
    /// The device was opened.
    Up,
    /// The device was closed. Other devices may have been closed together with it, all of them
    /// before this event, and the instance locks of all of them may be held; this is so from 7.3
    /// on.
    Down,
    /// Carrier or another flag changed.
    Change,
    /// The name changed.
    ChangeName,
    /// The features changed.
    FeatChange,
    /// The MTU changed.
    ChangeMtu,
    /// The hardware address was set.
    ChangeAddr,
    /// Multicast memberships are to be reported again.
    ResendIgmp,
    /// What the device can do with XDP changed.
    XdpFeatChange,
    /// The link type is about to change, and with it the length of hardware addresses and the
    /// header.
    PreTypeChange,
}

impl Event {
    /// Returns whether an error undoes what the event is about, or keeps it from happening.
    fn can_be_refused(self) -> bool {
        matches!(
            self,
            Event::Register | Event::ChangeName | Event::PreTypeChange
        )
    }
}

/// A listener.
///
/// ```ignore
/// # use net::netdev_lock::Held;
/// # use net::netdevice::NetDevice;
/// # use net::netlink::ExtAck;
/// # use net::notifier::{self, Event, Listener, Registration};
/// struct Names;
///
/// impl Listener for Names {
///     fn event(dev: &NetDevice, event: Event, extack: Option<&ExtAck>, _: &Held<'_>) -> Result {
///         if event != Event::Register || dev.name().as_bytes() != b"all" {
///             return Ok(());
///         }
///         if let Some(extack) = extack {
///             extack.set_msg(c"no device is named \"all\"; take another name");
///         }
///         Err(EINVAL)
///     }
/// }
///
/// fn listen() -> Result<Pin<KBox<Registration<Names>>>> {
///     Registration::new()
/// }
/// ```
pub trait Listener: 'static {
    /// Handles an event of `dev`. May sleep. `held` says what the caller holds: in all events but
    /// [`Event::Unregister`], the instance lock of `dev` may be held. The reason for an error
    /// belongs in `extack`, if the event has one.
    ///
    /// # Errors
    ///
    /// An error for [`Event::Register`] or [`Event::ChangeName`] undoes what the event is about. An
    /// error for [`Event::PreTypeChange`] keeps the change from happening. The other events report
    /// what has already happened, and the core ignores what the listener returns for them.
    fn event(dev: &NetDevice, event: Event, extack: Option<&ExtAck>, held: &Held<'_>) -> Result;
}

/// A listener, which stays registered until this is dropped.
#[pin_data(PinnedDrop)]
pub struct Registration<L: Listener> {
    #[pin]
    block: Opaque<bindings::notifier_block>,
    _listener: PhantomData<fn(L)>,
}

// SAFETY: The block is only used by the notifier chain, which has locks of its own.
unsafe impl<L: Listener> Sync for Registration<L> {}
// SAFETY: The listener may be unregistered from any thread.
unsafe impl<L: Listener> Send for Registration<L> {}

impl<L: Listener> Registration<L> {
    /// Registers the listener, which first gets [`Event::Register`] and [`Event::Up`] for all
    /// devices that exist. Sleeps.
    pub fn new() -> Result<Pin<KBox<Self>>> {
        KBox::try_pin_init(
            try_pin_init!(Self {
                block <- Opaque::try_ffi_init(|block: *mut bindings::notifier_block| {
                    // SAFETY: `block` is valid for writes and pinned until `drop` unregisters it.
                    unsafe {
                        block.write(bindings::notifier_block {
                            notifier_call: Some(call::<L>),
                            ..pin_init::zeroed()
                        });
                        to_result(bindings::register_netdevice_notifier(block))
                    }
                }),
                _listener: PhantomData,
            }? Error),
            GFP_KERNEL,
        )
    }
}

#[pinned_drop]
impl<L: Listener> PinnedDrop for Registration<L> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: `new` has registered the block. C only returns an error for blocks that are not
        // registered.
        unsafe { bindings::unregister_netdevice_notifier(self.block.get()) };
    }
}

/// Hands an event to the listener.
///
/// # Safety
///
/// `info` must be a `struct netdev_notifier_info`, with a device that is allocated. The current
/// thread must hold RTNL, and exactly the instance locks that
/// `Documentation/networking/netdevices.rst` lists for the event.
unsafe extern "C" fn call<L: Listener>(
    _block: *mut bindings::notifier_block,
    event: usize,
    info: *mut core::ffi::c_void,
) -> i32 {
    let event = match event as bindings::netdev_cmd {
        bindings::netdev_cmd_NETDEV_REGISTER => Event::Register,
        bindings::netdev_cmd_NETDEV_UNREGISTER => Event::Unregister,
        bindings::netdev_cmd_NETDEV_UP => Event::Up,
        bindings::netdev_cmd_NETDEV_DOWN => Event::Down,
        bindings::netdev_cmd_NETDEV_CHANGE => Event::Change,
        bindings::netdev_cmd_NETDEV_CHANGENAME => Event::ChangeName,
        bindings::netdev_cmd_NETDEV_FEAT_CHANGE => Event::FeatChange,
        bindings::netdev_cmd_NETDEV_CHANGEMTU => Event::ChangeMtu,
        bindings::netdev_cmd_NETDEV_CHANGEADDR => Event::ChangeAddr,
        bindings::netdev_cmd_NETDEV_RESEND_IGMP => Event::ResendIgmp,
        bindings::netdev_cmd_NETDEV_XDP_FEAT_CHANGE => Event::XdpFeatChange,
        bindings::netdev_cmd_NETDEV_PRE_TYPE_CHANGE => Event::PreTypeChange,
        _ => return bindings::NOTIFY_DONE as i32,
    };
    // SAFETY: The chain is called under RTNL, with a `struct netdev_notifier_info` whose device
    // and, if there is one, `extack` are valid during the call; the listeners get `extack` one
    // after the other. The instance locks that are held are those that
    // `Documentation/networking/netdevices.rst` and `Event` list.
    let res = unsafe {
        let info = info.cast::<bindings::netdev_notifier_info>();
        let dev = NetDevice::from_raw((*info).dev);
        let held = match event {
            Event::Unregister => Held::none(RtnlOnly::assume()),
            Event::Down => Held::when_closed(dev),
            _ => Held::in_event_of(dev),
        };
        L::event(dev, event, ExtAck::from_raw((*info).extack), &held)
    };
    // notifier_from_errno()
    match res {
        // No other error stops the chain: the listeners after us have to hear of what has happened.
        Err(err) if event.can_be_refused() => {
            bindings::NOTIFY_STOP_MASK as i32
                | (bindings::NOTIFY_OK as i32).wrapping_sub(err.to_errno())
        }
        _ => bindings::NOTIFY_OK as i32,
    }
}

/// An event that a driver itself sends along the notifier chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Announce(pub(crate) bindings::netdev_cmd);

impl Announce {
    /// The hardware address changed.
    pub const CHANGE_ADDR: Announce = Announce(bindings::netdev_cmd_NETDEV_CHANGEADDR);
    /// A device becomes a lower device, and is no longer used on its own.
    pub const JOIN: Announce = Announce(bindings::netdev_cmd_NETDEV_JOIN);
    /// The last lower device has left.
    pub const RELEASE: Announce = Announce(bindings::netdev_cmd_NETDEV_RELEASE);
    /// Announce our addresses to the neighbours again.
    pub const NOTIFY_PEERS: Announce = Announce(bindings::netdev_cmd_NETDEV_NOTIFY_PEERS);
    /// Report multicast memberships again.
    pub const RESEND_IGMP: Announce = Announce(bindings::netdev_cmd_NETDEV_RESEND_IGMP);
    /// The driver's link attributes changed.
    pub const CHANGE_INFO_DATA: Announce = Announce(bindings::netdev_cmd_NETDEV_CHANGEINFODATA);
}

/// A change of a device's link type to which no listener has objected, and which may happen now.
/// Dropping this tells the listeners that the change is over (`NETDEV_POST_TYPE_CHANGE`).
pub struct TypeChange<'a> {
    dev: &'a NetDevice,
    rtnl: &'a Rtnl,
}

impl Drop for TypeChange<'_> {
    fn drop(&mut self) {
        let event = bindings::netdev_cmd_NETDEV_POST_TYPE_CHANGE;
        // The change has already happened, so an objection has no effect.
        let _ = self.dev.call_notifiers(self.rtnl, event);
    }
}

impl NetDevice {
    /// Asks the listeners whether the link type may change (`NETDEV_PRE_TYPE_CHANGE`). They leave
    /// the multicast groups of the device until the type has changed. May sleep, and so may
    /// dropping the returned value.
    ///
    /// # Errors
    ///
    /// The error of the listener that objects. The listeners that were asked before it have their
    /// groups again.
    pub fn ask_type_change<'a>(&'a self, rtnl: &'a Rtnl) -> Result<TypeChange<'a>> {
        let change = TypeChange { dev: self, rtnl };
        self.call_notifiers(rtnl, bindings::netdev_cmd_NETDEV_PRE_TYPE_CHANGE)?;
        Ok(change)
    }

    /// Sends an event of this device along the notifier chain. May sleep.
    pub fn announce(&self, rtnl: &Rtnl, event: Announce) -> Result {
        self.call_notifiers(rtnl, event.0)
    }

    fn call_notifiers(&self, _rtnl: &Rtnl, event: bindings::netdev_cmd) -> Result {
        // SAFETY: The device is valid (type invariant) and RTNL is held.
        let ret = unsafe { bindings::call_netdevice_notifiers(event as usize, self.as_ptr()) };
        // notifier_to_errno()
        let stop = i32::try_from(bindings::NOTIFY_OK).unwrap_or(1);
        to_result(if ret > stop {
            stop.wrapping_sub(ret & 0x7fff)
        } else {
            0
        })
    }

    /// Tells the listeners that the state of this device as a lower device has changed
    /// (`NETDEV_CHANGELOWERSTATE` with a `struct netdev_lag_lower_state_info`).
    ///
    /// In response, a driver that offloads masters may ask for the speed of the master, which asks
    /// all lower devices of the master under their instance locks.
    pub fn lower_state_changed(&self, _rtnl: &RtnlOnly, link_up: bool, tx_enabled: bool) {
        let mut info: bindings::netdev_lag_lower_state_info = pin_init::zeroed();
        info.set_link_up(link_up.into());
        info.set_tx_enabled(tx_enabled.into());
        // SAFETY: The device is valid (type invariant), RTNL is held, and the info is valid for the
        // call.
        unsafe { bindings::netdev_lower_state_changed(self.as_ptr(), (&raw mut info).cast()) };
    }
}
