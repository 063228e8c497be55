// SPDX-License-Identifier: GPL-2.0

//! Files in sysfs: their output, and the files in `/sys/class/net`.
//! [`master::sysfs`](crate::master::sysfs) has the files of devices.
//!
//! C headers: [`include/linux/sysfs.h`](srctree/include/linux/sysfs.h),
//! [`include/linux/device.h`](srctree/include/linux/device.h)
//!
//! Removing a file waits until nobody uses it any more, and devices are removed under RTNL. So no
//! function that shows or stores a file may wait for RTNL; a `store` takes it with [`lock_rtnl`].

use crate::bindings;
use crate::namespace::Net;
use crate::rtnl::{self, RtnlGuard};
use core::fmt;
use core::marker::PhantomData;
use core::ptr;
use kernel::error::{code::*, to_result, Error, Result};
use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Full, Relaxed};
use kernel::types::Opaque;

/// Takes RTNL in a `store`, or restarts the system call, so that a removal of the file that holds
/// RTNL and waits for us goes first.
pub fn lock_rtnl() -> Result<RtnlGuard> {
    // SAFETY: This marks the current task, which returns to user space with the error.
    rtnl::try_lock().ok_or_else(|| Error::from_errno(unsafe { bindings::nh_restart_syscall() }))
}

/// The size of the buffer for the output of a file, in bytes.
const PAGE_SIZE: usize = kernel::page::PAGE_SIZE;

/// The output of a file (`sysfs_emit_at()`). What does not fit is left out.
pub struct Page<'a> {
    buf: &'a mut [u8; PAGE_SIZE],
    len: usize,
}

impl<'a> Page<'a> {
    /// Makes a writer.
    ///
    /// # Safety
    ///
    /// `buf` must point to a page that only the caller uses during `'a`.
    pub(crate) unsafe fn from_raw(buf: *mut kernel::ffi::c_char) -> Self {
        // SAFETY: By the caller's promise.
        let buf = unsafe { &mut *buf.cast() };
        Page { buf, len: 0 }
    }

    /// Writes bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        // The last byte is not used. `sysfs_emit()` does not use it either, but keeps it for a NUL.
        let free = self.buf.get_mut(self.len..PAGE_SIZE - 1).unwrap_or(&mut []);
        for (to, from) in free.iter_mut().zip(bytes) {
            *to = *from;
            self.len = self.len.wrapping_add(1);
        }
    }

    /// Calls `write` to write an item of a list, and adds a space. Returns whether more items may
    /// come: if less than `room` bytes are free, `++more++` takes the item's place.
    pub fn item(&mut self, room: usize, write: impl FnOnce(&mut Self)) -> bool {
        if self.len > PAGE_SIZE.saturating_sub(room) {
            // The text replaces the end of the last item if there is no other place.
            self.len = self.len.min(PAGE_SIZE - 10);
            self.bytes(b"++more++ ");
            return false;
        }
        write(self);
        self.bytes(b" ");
        true
    }

    /// Ends a list: the last space becomes a newline.
    pub fn end_list(&mut self) {
        if let Some(last) = self
            .len
            .checked_sub(1)
            .and_then(|last| self.buf.get_mut(last))
        {
            *last = b'\n';
        }
    }

    pub(crate) fn finish(self) -> isize {
        self.len as isize
    }
}

impl fmt::Write for Page<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

/// A file: its name, its mode, and the driver's identifier for it.
#[derive(Clone, Copy)]
pub struct File<I> {
    /// The name, of at most 31 bytes.
    pub name: &'static str,
    /// The mode; without write permission there is no `store`.
    pub mode: u16,
    /// The identifier with which `show` and `store` are called.
    pub id: I,
}

pub(crate) const NAME_SIZE: usize = 32;

/// Pads a name with NULs. For constants: panics if the name is too long.
// Runs at compile time, where a panic is a compiler error.
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#[inline]
pub(crate) const fn padded(name: &str) -> [u8; NAME_SIZE] {
    let (name, mut padded, mut i) = (name.as_bytes(), [0; NAME_SIZE], 0);
    assert!(name.len() < NAME_SIZE);
    while i < name.len() {
        padded[i] = name[i];
        i += 1;
    }
    padded
}

pub(crate) type Show = unsafe extern "C" fn(
    *mut bindings::device,
    *mut bindings::device_attribute,
    *mut kernel::ffi::c_char,
) -> isize;
pub(crate) type Store = unsafe extern "C" fn(
    *mut bindings::device,
    *mut bindings::device_attribute,
    *const kernel::ffi::c_char,
    usize,
) -> isize;

/// A C attribute, and the driver's identifier for it.
#[repr(C)]
#[derive(Clone, Copy)]
struct Entry<I> {
    attr: bindings::device_attribute,
    id: I,
}

/// The C structures of a directory with `N` files; they point to each other.
#[repr(C)]
pub(crate) struct Table<I, const N: usize> {
    dir: [u8; NAME_SIZE],
    names: [[u8; NAME_SIZE]; N],
    entries: [Entry<I>; N],
    pointers: [*const bindings::attribute; N],
    /// The NULL that ends the pointers.
    end: *const bindings::attribute,
    pub(crate) group: bindings::attribute_group,
}

impl<I: Copy + 'static, const N: usize> Table<I, N> {
    /// Makes the table for the static `this`. If the name of the directory is empty, the files are
    /// in the directory above.
    // Runs at compile time, where a panic is a compiler error.
    #[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
    pub(crate) const fn new(
        this: &'static Self,
        dir: &str,
        files: &[File<I>; N],
        show: Option<Show>,
        store: Option<Store>,
    ) -> Self {
        let mut names = [[0; NAME_SIZE]; N];
        let mut entries = [Entry {
            attr: pin_init::zeroed(),
            id: files[0].id,
        }; N];
        let mut pointers = [ptr::null(); N];
        let mut i = 0;
        while i < N {
            let file = &files[i];
            names[i] = padded(file.name);
            entries[i].id = file.id;
            let attr = &mut entries[i].attr;
            attr.attr.name = (&raw const this.names[i]).cast();
            attr.attr.mode = file.mode;
            attr.__bindgen_anon_1.show = show;
            attr.__bindgen_anon_2.store = if file.mode & 0o222 != 0 { store } else { None };
            pointers[i] = &raw const this.entries[i].attr.attr;
            i += 1;
        }
        let mut group: bindings::attribute_group = pin_init::zeroed();
        if !dir.is_empty() {
            group.name = (&raw const this.dir).cast();
        }
        group.__bindgen_anon_2.attrs_const = (&raw const this.pointers).cast();
        Table {
            dir: padded(dir),
            names,
            entries,
            pointers,
            end: ptr::null(),
            group,
        }
    }
}

/// Returns the driver's identifier for a C attribute.
///
/// # Safety
///
/// `attr` must be part of a [`Table`] with identifiers of type `I`.
pub(crate) unsafe fn id_of<I: Copy>(attr: *const bindings::attribute) -> I {
    // SAFETY: By the caller's promise, the attribute is the first field of an entry.
    unsafe { (*attr.cast::<Entry<I>>()).id }
}

/// Converts a result to the return value of a `store`.
pub(crate) fn stored(result: Result, count: usize) -> isize {
    match result {
        Ok(()) => count as isize,
        Err(err) => err.to_errno() as isize,
    }
}

/// A file in `/sys/class/net`, one in each namespace.
pub trait ClassFile: 'static {
    /// The name.
    const NAME: &'static CStr;
    /// The mode.
    const MODE: u16;

    /// Shows the file.
    fn show(net: &Net, page: &mut Page<'_>);

    /// Stores all of `text` into the file. May sleep, and may wait for RTNL, as the file is removed
    /// without RTNL.
    fn store(net: &Net, text: &[u8]) -> Result;
}

/// A [`ClassFile`] in a namespace, until it is removed or dropped.
#[repr(C)]
#[pin_data(PinnedDrop)]
pub(crate) struct ClassFileIn<F: ClassFile> {
    /// The first field, so that the callbacks find the others.
    #[pin]
    attr: Opaque<bindings::class_attribute>,
    net: *const Net,
    present: Atomic<bool>,
    _file: PhantomData<fn(F)>,
}

// SAFETY: The attribute is constant while it exists; a namespace may be used from any thread.
unsafe impl<F: ClassFile> Sync for ClassFileIn<F> {}
// SAFETY: As above.
unsafe impl<F: ClassFile> Send for ClassFileIn<F> {}

impl<F: ClassFile> ClassFileIn<F> {
    /// Adds the file to a namespace. Sleeps.
    ///
    /// It is not an error if the file already exists; see [`Self::is_present`].
    ///
    /// # Safety
    ///
    /// The value must be dropped, or its [`Self::remove`] called, before the namespace goes away.
    pub(crate) unsafe fn new(home: &Net) -> impl PinInit<Self, Error> + '_ {
        try_pin_init!(&this in Self {
            attr <- Opaque::ffi_init(|attr: *mut bindings::class_attribute| {
                // SAFETY: The place is valid for writes and pinned until the file is removed.
                unsafe {
                    attr.write(bindings::class_attribute {
                        show: Some(class_show::<F>),
                        store: Some(class_store::<F>),
                        ..pin_init::zeroed()
                    });
                    (*attr).attr.name = F::NAME.as_char_ptr();
                    (*attr).attr.mode = F::MODE;
                    bindings::nh_sysfs_attr_init(&raw mut (*attr).attr);
                }
            }),
            net: ptr::from_ref(home),
            present: {
                // SAFETY: The fields that the callbacks use were written above.
                let err = unsafe {
                    bindings::netdev_class_create_file_ns(
                        this.as_ptr().cast(),
                        bindings::nh_net_ns(home.as_ptr()),
                    )
                };
                if err != EEXIST.to_errno() {
                    to_result(err)?;
                }
                Atomic::new(err == 0)
            },
            _file: PhantomData,
        }? Error)
    }

    /// Returns whether the file is ours, and not that of another driver.
    pub(crate) fn is_present(&self) -> bool {
        self.present.load(Relaxed)
    }

    /// Removes the file, if that has not happened yet. Waits until nobody uses the file.
    pub(crate) fn remove(&self) {
        if self.present.xchg(false, Full) {
            // SAFETY: `new` has created the file in this namespace, which is still alive.
            unsafe {
                bindings::netdev_class_remove_file_ns(
                    self.attr.get(),
                    bindings::nh_net_ns((*self.net).as_ptr()),
                )
            };
        }
    }
}

#[pinned_drop]
impl<F: ClassFile> PinnedDrop for ClassFileIn<F> {
    fn drop(self: Pin<&mut Self>) {
        self.remove();
    }
}

/// Shows the file.
///
/// # Safety
///
/// `attr` must be that of a [`ClassFileIn<F>`] that is not removed before this function returns,
/// and `buf` must be a page.
unsafe extern "C" fn class_show<F: ClassFile>(
    _class: *const bindings::class,
    attr: *const bindings::class_attribute,
    buf: *mut kernel::ffi::c_char,
) -> isize {
    // SAFETY: The attribute is the first field of a `ClassFileIn<F>`. Its file is removed after
    // this function has returned, and before its namespace goes away. The buffer is a page.
    let (net, mut page) = unsafe { (&*(*attr.cast::<ClassFileIn<F>>()).net, Page::from_raw(buf)) };
    F::show(net, &mut page);
    page.finish()
}

/// Stores into the file.
///
/// # Safety
///
/// As for [`class_show`], except that `buf` must have `count` bytes.
unsafe extern "C" fn class_store<F: ClassFile>(
    _class: *const bindings::class,
    attr: *const bindings::class_attribute,
    buf: *const kernel::ffi::c_char,
    count: usize,
) -> isize {
    // SAFETY: As in `class_show`; the buffer has `count` bytes.
    let (net, text) = unsafe {
        (
            &*(*attr.cast::<ClassFileIn<F>>()).net,
            core::slice::from_raw_parts(buf.cast(), count),
        )
    };
    stored(F::store(net, text), count)
}
