// SPDX-License-Identifier: GPL-2.0

//! The old ioctls of network devices: those of ifenslave and of mii-tool.
//!
//! C headers: [`include/uapi/linux/sockios.h`](srctree/include/uapi/linux/sockios.h),
//! [`include/uapi/linux/if_bonding.h`](srctree/include/uapi/linux/if_bonding.h),
//! [`include/uapi/linux/mii.h`](srctree/include/uapi/linux/mii.h)

use crate::bindings;
use crate::errno::eopnotsupp;
use crate::master::device::{Dev, Lower, Master};
use crate::master::ops::Ops;
use crate::netdevice::{NetDevice, IFNAMSIZ};
use crate::rtnl::{Rtnl, RtnlOnly};
use core::ffi::c_void;
use core::mem::offset_of;
use kernel::error::{code::*, from_result, Result};
use kernel::transmute::{AsBytes, FromBytes};
use kernel::uaccess::{UserPtr, UserSlice};

/// What to do with another device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// Make the other device a lower device (`SIOCBONDENSLAVE`).
    Enslave,
    /// Release the other device (`SIOCBONDRELEASE`).
    Release,
    /// Take over the hardware address of the other device (`SIOCBONDSETHWADDR`).
    SetHwAddr,
    /// Make the other device the active one (`SIOCBONDCHANGEACTIVE`).
    ChangeActive,
}

/// What is reported about a device (`struct ifbond`).
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// `BOND_MODE_*`
    pub mode: i32,
    /// The number of lower devices.
    pub lowers: i32,
    /// The interval of the link monitor, in ms.
    pub miimon: i32,
}

/// What is reported about a lower device (`struct ifslave`).
#[derive(Clone, Copy, Debug)]
pub struct LowerInfo {
    /// `BOND_LINK_*`
    pub link: i8,
    /// `BOND_STATE_ACTIVE` (0) or `BOND_STATE_BACKUP` (1).
    pub state: i8,
    /// The number of times that the link went down.
    pub failures: u32,
}

/// The ioctls of a driver. All functions run under RTNL and may sleep.
pub trait Ioctl<T: Master>: 'static {
    /// Returns what is reported about a device.
    fn info(dev: &Dev<T>, rtnl: &Rtnl) -> Info;

    /// Returns what is reported about a lower device.
    fn lower_info(lower: &Lower<T>, rtnl: &Rtnl) -> LowerInfo;

    /// Carries out a command. It was checked that the user may give it (`CAP_NET_ADMIN`).
    fn command(dev: &Dev<T>, command: Command, other: &NetDevice, rtnl: &RtnlOnly) -> Result;
}

impl<T: Master> Ops<T> {
    /// Adds the ioctls.
    pub const fn with_ioctl<I: Ioctl<T>>(mut self) -> Self {
        let netdev = &mut self.netdev;
        netdev.ndo_siocbond = Some(ndo_siocbond::<T, I>);
        netdev.ndo_siocdevprivate = Some(ndo_siocdevprivate::<T, I>);
        netdev.ndo_eth_ioctl = Some(ndo_eth_ioctl::<T>);
        self
    }
}

/// `struct ifbond`
#[repr(C)]
struct IfBond {
    mode: i32,
    num_slaves: i32,
    miimon: i32,
}

/// `struct ifslave` with its padding, which must not leak what was on the kernel's stack.
#[repr(C)]
struct IfSlave {
    id: i32,
    name: [u8; IFNAMSIZ],
    link: i8,
    state: i8,
    padding: [u8; 2],
    failures: u32,
}

const _: () = {
    assert!(size_of::<IfBond>() == size_of::<bindings::ifbond>());
    assert!(size_of::<IfSlave>() == size_of::<bindings::ifslave>());
    assert!(offset_of!(IfSlave, link) == offset_of!(bindings::ifslave, link));
    assert!(offset_of!(IfSlave, failures) == offset_of!(bindings::ifslave, link_failure_count));
};

// SAFETY: The struct consists of integers with no padding between them.
unsafe impl AsBytes for IfBond {}
// SAFETY: As above.
unsafe impl AsBytes for IfSlave {}
// SAFETY: The struct consists of integers only, so any bytes are valid.
unsafe impl FromBytes for IfSlave {}

fn query<T: Master, I: Ioctl<T>>(dev: &Dev<T>, data: *mut c_void, rtnl: &Rtnl) -> Result {
    let info = I::info(dev, rtnl);
    let answer = IfBond {
        mode: info.mode,
        num_slaves: info.lowers,
        miimon: info.miimon,
    };
    UserSlice::new(UserPtr::from_ptr(data), size_of::<IfBond>())
        .writer()
        .write(&answer)
}

fn query_lower<T: Master, I: Ioctl<T>>(dev: &Dev<T>, data: *mut c_void, rtnl: &Rtnl) -> Result {
    let (mut reader, mut writer) =
        UserSlice::new(UserPtr::from_ptr(data), size_of::<IfSlave>()).reader_writer();
    let asked: IfSlave = reader.read()?;
    let index = usize::try_from(asked.id).map_err(|_| ENODEV)?;
    let lower = dev.lowers(rtnl).nth(index).ok_or(ENODEV)?;
    let info = I::lower_info(lower, rtnl);
    writer.write(&IfSlave {
        id: asked.id,
        name: *lower.dev().name().as_array(),
        link: info.link,
        state: info.state,
        padding: [0; 2],
        failures: info.failures,
    })
}

/// Carries out a command for the device that the request names.
///
/// # Safety
///
/// `ifr` must be valid.
unsafe fn command<T: Master, I: Ioctl<T>>(
    dev: &Dev<T>,
    ifr: *mut bindings::ifreq,
    command: Option<Command>,
    rtnl: &RtnlOnly,
) -> Result {
    if !dev.net().is_admin() {
        return Err(EPERM);
    }
    // SAFETY: The caller guarantees that `ifr` is valid; every bit pattern is a valid array of
    // bytes.
    let name = unsafe { (*ifr).ifr_ifru.ifru_slave };
    let name = name.split(|byte| *byte == 0).next().unwrap_or(&[]);
    let other = dev.net().device_by_name(rtnl, name).ok_or(ENODEV)?;
    I::command(dev, command.ok_or(eopnotsupp())?, other, rtnl)
}

/// Carries out an ioctl of ifenslave.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. The caller must hold
/// RTNL and no instance lock. `ifr` must be a copy of the request in the kernel.
unsafe extern "C" fn ndo_siocbond<T: Master, I: Ioctl<T>>(
    dev: *mut bindings::net_device,
    ifr: *mut bindings::ifreq,
    cmd: i32,
) -> i32 {
    from_result(|| {
        // SAFETY: The caller passes an initialised device of driver `T`, and holds RTNL and no
        // instance lock. `ifr` is valid; every bit pattern is a valid pointer.
        let (dev, rtnl, data) = unsafe {
            (
                Dev::<T>::from_raw(dev),
                RtnlOnly::assume(),
                (*ifr).ifr_ifru.ifru_data,
            )
        };
        let cmd = match cmd.unsigned_abs() {
            bindings::SIOCBONDINFOQUERY => return query::<T, I>(dev, data, rtnl).map(|()| 0),
            bindings::SIOCBONDSLAVEINFOQUERY => {
                return query_lower::<T, I>(dev, data, rtnl).map(|()| 0)
            }
            bindings::SIOCBONDENSLAVE => Some(Command::Enslave),
            bindings::SIOCBONDRELEASE => Some(Command::Release),
            bindings::SIOCBONDSETHWADDR => Some(Command::SetHwAddr),
            bindings::SIOCBONDCHANGEACTIVE => Some(Command::ChangeActive),
            _ => None,
        };
        // SAFETY: The caller guarantees that `ifr` is valid.
        unsafe { command::<T, I>(dev, ifr, cmd, rtnl) }.map(|()| 0)
    })
}

/// Carries out an ioctl of ifenslave by the number that it had before Linux 2.4.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. The caller must hold
/// RTNL and no instance lock. `ifr` must be a copy of the request in the kernel.
unsafe extern "C" fn ndo_siocdevprivate<T: Master, I: Ioctl<T>>(
    dev: *mut bindings::net_device,
    ifr: *mut bindings::ifreq,
    data: *mut c_void,
    cmd: i32,
) -> i32 {
    from_result(|| {
        // SAFETY: The caller passes an initialised device of driver `T`, and holds RTNL and no
        // instance lock.
        let (dev, rtnl) = unsafe { (Dev::<T>::from_raw(dev), RtnlOnly::assume()) };
        let cmd = match cmd.unsigned_abs() {
            bindings::BOND_INFO_QUERY_OLD => return query::<T, I>(dev, data, rtnl).map(|()| 0),
            bindings::BOND_SLAVE_INFO_QUERY_OLD => {
                return query_lower::<T, I>(dev, data, rtnl).map(|()| 0)
            }
            bindings::BOND_ENSLAVE_OLD => Command::Enslave,
            bindings::BOND_RELEASE_OLD => Command::Release,
            bindings::BOND_SETHWADDR_OLD => Command::SetHwAddr,
            bindings::BOND_CHANGE_ACTIVE_OLD => Command::ChangeActive,
            _ => return Err(eopnotsupp()),
        };
        // SAFETY: The caller guarantees that `ifr` is valid.
        unsafe { command::<T, I>(dev, ifr, Some(cmd), rtnl) }.map(|()| 0)
    })
}

/// Acts as a PHY whose status register reports the carrier.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. `ifr` must be a copy of
/// the request in the kernel.
unsafe extern "C" fn ndo_eth_ioctl<T: Master>(
    dev: *mut bindings::net_device,
    ifr: *mut bindings::ifreq,
    cmd: i32,
) -> i32 {
    from_result(|| {
        // SAFETY: The caller passes an initialised device of driver `T` and a copy of the request.
        // The union in the request has room for the MII data, which need less alignment than the
        // union has (`if_mii()`).
        let (dev, mii) = unsafe {
            (
                Dev::<T>::from_raw(dev),
                &mut *(&raw mut (*ifr).ifr_ifru).cast::<bindings::mii_ioctl_data>(),
            )
        };
        match cmd.unsigned_abs() {
            bindings::SIOCGMIIPHY => mii.phy_id = 0,
            bindings::SIOCGMIIREG => {}
            _ => return Err(eopnotsupp()),
        }
        // The status register. Its bits other than that of the link do not apply.
        if mii.reg_num == bindings::MII_BMSR as u16 {
            mii.val_out = if dev.carrier_ok() {
                bindings::BMSR_LSTATUS as u16
            } else {
                0
            };
        }
        Ok(0)
    })
}
