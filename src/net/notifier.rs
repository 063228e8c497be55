// SPDX-License-Identifier: GPL-2.0

//! Events of network devices.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)
//! (`register_netdevice_notifier()`)

use crate::bindings;
use crate::netdevice::NetDevice;
use crate::rtnl::Rtnl;
use core::marker::PhantomData;
use core::pin::Pin;
use kernel::error::{to_result, Result};
use kernel::prelude::*;
use kernel::types::Opaque;

/// An event that a listener gets (`enum netdev_cmd`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The device was registered. Its instance lock is held where it has one.
    Register,
    /// The device is going away.
    Unregister,
    /// The device was opened. Its instance lock is held where it has one.
    Up,
    /// The device was closed.
    Down,
    /// Carrier or another flag changed. The device's instance lock is held where it has one.
    Change,
    /// The name changed. The device's instance lock is held where it has one.
    ChangeName,
    /// The features changed.
    FeatChange,
    /// Multicast memberships shall be reported again.
    ResendIgmp,
}

/// A listener.
pub trait Listener: 'static {
    /// An event of `dev`. May sleep. See [`Event`] for the lock that is held besides RTNL.
    fn event(dev: &NetDevice, event: Event, rtnl: &Rtnl);
}

/// A listener that is registered, until this is dropped.
#[pin_data(PinnedDrop)]
pub struct Registration<L: Listener> {
    #[pin]
    block: Opaque<bindings::notifier_block>,
    _listener: PhantomData<fn(L)>,
}

// SAFETY: The block is only used by the notifier chain, which has locks of its own.
unsafe impl<L: Listener> Sync for Registration<L> {}
// SAFETY: May be unregistered from any thread.
unsafe impl<L: Listener> Send for Registration<L> {}

impl<L: Listener> Registration<L> {
    /// Registers the listener, which first gets [`Event::Register`] and [`Event::Up`] of the devices
    /// that exist. Sleeps.
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
        // SAFETY: The block was registered by `new`. The error it may return is for blocks that were
        // not.
        unsafe { bindings::unregister_netdevice_notifier(self.block.get()) };
    }
}

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
        bindings::netdev_cmd_NETDEV_RESEND_IGMP => Event::ResendIgmp,
        _ => return bindings::NOTIFY_DONE as i32,
    };
    // SAFETY: The chain is called under RTNL, with a `struct netdev_notifier_info`, whose device is
    // valid during the call.
    unsafe {
        let dev = (*info.cast::<bindings::netdev_notifier_info>()).dev;
        L::event(NetDevice::from_raw(dev), event, Rtnl::assume());
    }
    bindings::NOTIFY_DONE as i32
}
