// SPDX-License-Identifier: GPL-2.0

//! Error numbers that the kernel crate lacks.
//!
//! C header: [`include/uapi/asm-generic/errno.h`](srctree/include/uapi/asm-generic/errno.h)

use kernel::error::Error;

/// Returns `EMSGSIZE`: message too long.
pub fn emsgsize() -> Error {
    Error::from_errno(-90)
}

/// Returns `EOPNOTSUPP`: operation not supported.
pub fn eopnotsupp() -> Error {
    Error::from_errno(-95)
}

/// Returns `EADDRNOTAVAIL`: cannot assign requested address.
pub fn eaddrnotavail() -> Error {
    Error::from_errno(-99)
}
