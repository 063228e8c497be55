// SPDX-License-Identifier: GPL-2.0

//! Module parameters: integers that may be read and written in sysfs, strings, arrays of strings.
//!
//! C header: [`include/linux/moduleparam.h`](srctree/include/linux/moduleparam.h)
//!
//! A parameter is a static of one of the types here, and [`module_param!`](crate::module_param)
//! announces it to the module loader:
//!
//! ```ignore
//! # use net::moduleparam::Int;
//! static SPEED: Int = Int::new(10);
//! net::module_param!(SPEED: Int, "speed", "How fast", 0o644);
//! ```
//!
//! A parameter may be given more than once; the last value counts.

use crate::bindings;
use core::cell::UnsafeCell;
use kernel::ffi::{c_char, c_void};
use kernel::sync::atomic::{Atomic, Relaxed};

/// What the module loader knows about a parameter (`struct kernel_param`).
#[doc(hidden)]
#[repr(transparent)]
pub struct Descriptor(bindings::kernel_param);

// SAFETY: The descriptor is constant; the loader and sysfs take the module's parameter lock.
unsafe impl Sync for Descriptor {}

impl Descriptor {
    // Inline, like all functions that only run at compile time, so that none of them ends up in the
    // object file.
    #[inline]
    const fn new(
        name: &'static [u8],
        module: *const kernel::bindings::module,
        ops: *const bindings::kernel_param_ops,
        mode: u16,
        arg: *mut c_void,
    ) -> Self {
        assert!(matches!(name.last(), Some(0)));
        Descriptor(bindings::kernel_param {
            name: name.as_ptr().cast(),
            mod_: module.cast_mut().cast(),
            ops,
            perm: mode,
            level: -1,
            flags: 0,
            __bindgen_anon_1: bindings::kernel_param__bindgen_ty_1 { arg },
        })
    }
}

/// Concatenates texts, with a NUL at the end. For constants: panics if the texts together are not
/// `N - 1` bytes long.
#[doc(hidden)]
// Runs at compile time, where a panic is a compiler error.
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
pub const fn join<const N: usize>(texts: &[&str]) -> [u8; N] {
    let mut joined = [0; N];
    let (mut at, mut i) = (0, 0);
    while i < texts.len() {
        let (text, mut j) = (texts[i].as_bytes(), 0);
        while j < text.len() {
            joined[at] = text[j];
            at += 1;
            j += 1;
        }
        i += 1;
    }
    assert!(at + 1 == N);
    joined
}

/// An integer (`int`).
pub struct Int(Atomic<i32>);

impl Int {
    #[doc(hidden)]
    pub const TYPE: &'static str = "int";

    /// Makes a parameter with its default.
    pub const fn new(default: i32) -> Self {
        Int(Atomic::new(default))
    }

    /// Returns the value.
    pub fn get(&self) -> i32 {
        self.0.load(Relaxed)
    }

    #[doc(hidden)]
    #[inline]
    pub const fn descriptor(
        &'static self,
        name: &'static [u8],
        module: *const kernel::bindings::module,
        mode: u16,
    ) -> Descriptor {
        let ops = &raw const bindings::param_ops_int;
        Descriptor::new(name, module, ops, mode, self.0.as_ptr().cast())
    }
}

/// An unsigned integer (`uint`).
pub struct Uint(Atomic<u32>);

impl Uint {
    #[doc(hidden)]
    pub const TYPE: &'static str = "uint";

    /// Makes a parameter with its default.
    pub const fn new(default: u32) -> Self {
        Uint(Atomic::new(default))
    }

    /// Returns the value.
    pub fn get(&self) -> u32 {
        self.0.load(Relaxed)
    }

    #[doc(hidden)]
    #[inline]
    pub const fn descriptor(
        &'static self,
        name: &'static [u8],
        module: *const kernel::bindings::module,
        mode: u16,
    ) -> Descriptor {
        let ops = &raw const bindings::param_ops_uint;
        Descriptor::new(name, module, ops, mode, self.0.as_ptr().cast())
    }
}

/// Returns the bytes of a string that the module loader has set.
///
/// # Safety
///
/// `text` must be NULL, or a string that does not change any more while the module is loaded.
unsafe fn bytes(text: *const c_char) -> Option<&'static [u8]> {
    if text.is_null() {
        return None;
    }
    let (text, mut len) = (text.cast::<u8>(), 0usize);
    // SAFETY: The string ends with a NUL, by the caller's promise.
    while unsafe { *text.add(len) } != 0 {
        len = len.wrapping_add(1);
    }
    // SAFETY: The bytes up to the NUL are valid.
    Some(unsafe { core::slice::from_raw_parts(text, len) })
}

/// A string (`charp`). It has no file in sysfs, so it does not change after the module was loaded.
pub struct Charp(Atomic<*mut c_char>);

impl Charp {
    #[doc(hidden)]
    pub const TYPE: &'static str = "charp";

    /// Makes a parameter that is unset by default.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Charp(Atomic::new(core::ptr::null_mut()))
    }

    /// Returns the string without its NUL, if it was given.
    pub fn get(&'static self) -> Option<&'static [u8]> {
        // SAFETY: Only the loader sets the parameter, before the module's code runs, and the string
        // is freed with the module.
        unsafe { bytes(self.0.load(Relaxed)) }
    }

    #[doc(hidden)]
    #[inline]
    pub const fn descriptor(
        &'static self,
        name: &'static [u8],
        module: *const kernel::bindings::module,
        mode: u16,
    ) -> Descriptor {
        assert!(
            mode == 0,
            "`get` relies on it that the string does not change"
        );
        let ops = &raw const bindings::param_ops_charp;
        Descriptor::new(name, module, ops, mode, self.0.as_ptr().cast())
    }
}

/// An array of at most `N` strings, separated by commas (`array of charp`). It has no file in
/// sysfs.
pub struct CharpArray<const N: usize> {
    elements: UnsafeCell<[*mut c_char; N]>,
    count: Atomic<u32>,
    array: bindings::kparam_array,
}

// SAFETY: Only the loader writes the array, before the module's code runs.
unsafe impl<const N: usize> Sync for CharpArray<N> {}

impl<const N: usize> CharpArray<N> {
    #[doc(hidden)]
    pub const TYPE: &'static str = "array of charp";

    /// Makes the value of the static `this`, a parameter that is unset by default.
    pub const fn new(this: &'static Self) -> Self {
        CharpArray {
            elements: UnsafeCell::new([core::ptr::null_mut(); N]),
            count: Atomic::new(0),
            array: bindings::kparam_array {
                max: N as u32,
                elemsize: size_of::<*mut c_char>() as u32,
                num: this.count.as_ptr(),
                ops: &raw const bindings::param_ops_charp,
                elem: this.elements.get().cast(),
            },
        }
    }

    /// Returns the strings that were given, without their NULs.
    pub fn get(&'static self) -> impl Iterator<Item = &'static [u8]> {
        let count = self.count.load(Relaxed) as usize;
        // SAFETY: Only the loader sets the parameter, before the module's code runs.
        let elements = unsafe { &*self.elements.get() };
        elements.iter().take(count).filter_map(|text| {
            // SAFETY: As above; the strings are freed with the module.
            unsafe { bytes(*text) }
        })
    }

    #[doc(hidden)]
    #[inline]
    pub const fn descriptor(
        &'static self,
        name: &'static [u8],
        module: *const kernel::bindings::module,
        mode: u16,
    ) -> Descriptor {
        assert!(
            mode == 0,
            "`get` relies on it that the strings do not change"
        );
        let (ops, array) = (&raw const bindings::param_array_ops, &raw const self.array);
        Descriptor::new(name, module, ops, mode, array.cast_mut().cast())
    }
}

/// Announces a parameter to the module loader. Takes a static with its type, the name and the
/// description, both constant texts, and the mode of the file in sysfs, which is zero for no file.
#[macro_export]
macro_rules! module_param {
    ($param:ident: $ty:ty, $name:expr, $description:expr, $mode:expr) => {
        const _: () = {
            const NAME: &str = $name;
            const DESCRIPTION: &str = $description;
            const TYPE: &str = <$ty>::TYPE;

            static NAME_WITH_NUL: [u8; NAME.len() + 1] = $crate::moduleparam::join(&[NAME]);

            #[link_section = "__param"]
            #[used(compiler)]
            static PARAM: $crate::moduleparam::Descriptor = $param.descriptor(
                &NAME_WITH_NUL,
                &raw const ::kernel::bindings::__this_module,
                $mode,
            );

            #[link_section = ".modinfo"]
            #[used(compiler)]
            static PARMTYPE: [u8; "parmtype=:".len() + NAME.len() + TYPE.len() + 1] =
                $crate::moduleparam::join(&["parmtype=", NAME, ":", TYPE]);

            #[link_section = ".modinfo"]
            #[used(compiler)]
            static PARM: [u8; "parm=:".len() + NAME.len() + DESCRIPTION.len() + 1] =
                $crate::moduleparam::join(&["parm=", NAME, ":", DESCRIPTION]);
        };
    };
}
