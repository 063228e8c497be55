// SPDX-License-Identifier: GPL-2.0

//! The kernel that the module was built for.
//!
//! C header: `include/generated/utsrelease.h`

/// The release of the kernel, as `uname -r` prints it.
pub const RELEASE: &str = match core::ffi::CStr::from_bytes_with_nul(crate::bindings::UTS_RELEASE) {
    Ok(release) => match release.to_str() {
        Ok(release) => release,
        Err(_) => panic!("text"),
    },
    Err(_) => panic!("a string"),
};
