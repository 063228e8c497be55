// SPDX-License-Identifier: GPL-2.0

//! Asking a driver for the state of its link, for drivers that do not report it.
//!
//! C headers: [`include/linux/ethtool.h`](srctree/include/linux/ethtool.h),
//! [`include/uapi/linux/mii.h`](srctree/include/uapi/linux/mii.h)

use crate::bindings;
use crate::ethtool::{Answer, Awake};
use crate::netdev_lock::Askable;
use crate::netdevice::NetDevice;
use core::ptr;

impl Askable<'_> {
    /// Asks the driver whether the link is up: through ethtool, or else through the status register
    /// of its MII transceiver (IEEE 802.3, 22.2.4.2). A device that is not present has no link.
    ///
    /// May sleep, and may send link events of the device.
    pub fn driver_link(&self) -> Answer<bool> {
        if !self.dev().is_present() {
            return Answer::Told(false);
        }
        let Ok(awake) = Awake::keep(self) else {
            return Answer::NotNow;
        };
        // SAFETY: The device is valid (type invariant), and its operations are static.
        let ops = unsafe { (*self.dev().as_ptr()).ethtool_ops.as_ref() };
        if let Some(get_link) = ops.and_then(|ops| ops.get_link) {
            let Ok(asked) = awake.begin() else {
                return Answer::NotNow;
            };
            // SAFETY: The device is allocated, and `asked` proves that the driver is ready to be
            // asked.
            return Answer::Told(unsafe { get_link(asked.as_ptr()) } != 0);
        }
        match mii_status(self.dev(), &awake) {
            Some(status) => Answer::Told(u32::from(status) & bindings::BMSR_LSTATUS != 0),
            None => Answer::Never,
        }
    }
}

fn mii_status(device: &NetDevice, _awake: &Awake<'_>) -> Option<u16> {
    let dev = device.as_ptr();
    // SAFETY: The device is valid (type invariant), and its operations are static. RTNL is held,
    // and so is the instance lock if the driver wants it.
    let ioctl = unsafe { (*dev).netdev_ops.as_ref()?.ndo_eth_ioctl? };
    let mut request: bindings::ifreq = pin_init::zeroed();
    // As in `if_mii()`, the registers take the place of the request's argument.
    let mii = (&raw mut request.ifr_ifru).cast::<bindings::mii_ioctl_data>();
    // SAFETY: The request is large enough for the registers, which are plain numbers; the name has
    // the same length in both places. The operation may be called for the reasons given above.
    unsafe {
        ptr::copy_nonoverlapping(
            (&raw const (*dev).name).cast::<u8>(),
            (&raw mut request.ifr_ifrn).cast(),
            bindings::IFNAMSIZ as usize,
        );
        if ioctl(dev, &mut request, bindings::SIOCGMIIPHY as i32) != 0 {
            return None;
        }
        (*mii).reg_num = bindings::MII_BMSR as u16;
        if ioctl(dev, &mut request, bindings::SIOCGMIIREG as i32) != 0 {
            return None;
        }
        Some((*mii).val_out)
    }
}

const _: () = assert!(
    size_of::<bindings::mii_ioctl_data>() <= size_of::<bindings::ifreq__bindgen_ty_2>()
        && align_of::<bindings::mii_ioctl_data>() <= align_of::<bindings::ifreq>()
);
