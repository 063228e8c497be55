// SPDX-License-Identifier: GPL-2.0

//! Files in sysfs: of a device, of a lower device, and in `/sys/class/net`.
//!
//! C headers: [`include/linux/sysfs.h`](srctree/include/linux/sysfs.h),
//! [`include/linux/device.h`](srctree/include/linux/device.h)
//!
//! Removing a file waits until nobody uses it any more, and devices are removed under RTNL: no
//! function that shows or stores a file may wait for RTNL. A `store` takes it by [`lock_rtnl`].

use crate::bindings;
use crate::device::{Dev, Master, Ops};
use crate::lower::Lower;
use crate::namespace::Net;
use crate::netdevice::NetDevice;
use crate::rtnl::{self, Rtnl, RtnlGuard};
use core::fmt;
use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};
use kernel::error::{code::*, to_result, Error, Result};
use kernel::prelude::*;
use kernel::types::Opaque;

/// Takes RTNL in a `store`, or has the system call start again, so that a removal of the file which
/// holds RTNL and waits for us goes first.
pub fn lock_rtnl() -> Result<RtnlGuard> {
    // SAFETY: Marks the current task, which returns to user space with the error.
    rtnl::try_lock().ok_or_else(|| Error::from_errno(unsafe { bindings::nh_restart_syscall() }))
}

/// The size of the buffer for what a file shows, in bytes.
const PAGE_SIZE: usize = kernel::page::PAGE_SIZE;

/// What a file shows (`sysfs_emit_at()`). What does not fit is left out.
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
    unsafe fn from_raw(buf: *mut kernel::ffi::c_char) -> Self {
        // SAFETY: By the caller's promise.
        let buf = unsafe { &mut *buf.cast() };
        Page { buf, len: 0 }
    }

    /// Writes bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        // The last byte is not used, as by `sysfs_emit()`, which keeps it for a NUL.
        let free = self.buf.get_mut(self.len..PAGE_SIZE - 1).unwrap_or(&mut []);
        for (to, from) in free.iter_mut().zip(bytes) {
            *to = *from;
            self.len = self.len.wrapping_add(1);
        }
    }

    /// Writes an item of a list, with a space behind it, by `write`. Returns whether more may come:
    /// if less than `room` bytes are free, `++more++` takes the item's place.
    pub fn item(&mut self, room: usize, write: impl FnOnce(&mut Self)) -> bool {
        if self.len > PAGE_SIZE.saturating_sub(room) {
            // In place of the end of the last item, if there is no other.
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

    fn finish(self) -> isize {
        self.len as isize
    }
}

impl fmt::Write for Page<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

/// A file: its name, its mode, and what the driver knows it by.
#[derive(Clone, Copy)]
pub struct File<I> {
    /// The name, of at most 31 bytes.
    pub name: &'static str,
    /// The mode; without write permission there is no `store`.
    pub mode: u16,
    /// What [`DeviceFiles`] or [`LowerFiles`] are called with.
    pub id: I,
}

const NAME_SIZE: usize = 32;

/// For constants: panics if the name is too long.
// Runs in the compiler, where a panic is an error message.
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#[inline]
const fn padded(name: &str) -> [u8; NAME_SIZE] {
    let (name, mut padded, mut i) = (name.as_bytes(), [0; NAME_SIZE], 0);
    assert!(name.len() < NAME_SIZE);
    while i < name.len() {
        padded[i] = name[i];
        i += 1;
    }
    padded
}

type Show = unsafe extern "C" fn(
    *mut bindings::device,
    *mut bindings::device_attribute,
    *mut kernel::ffi::c_char,
) -> isize;
type Store = unsafe extern "C" fn(
    *mut bindings::device,
    *mut bindings::device_attribute,
    *const kernel::ffi::c_char,
    usize,
) -> isize;

/// A C attribute, and the driver's name for it.
#[repr(C)]
#[derive(Clone, Copy)]
struct Entry<I> {
    attr: bindings::device_attribute,
    id: I,
}

/// The C structures of a directory with `N` files; they point to each other.
#[repr(C)]
struct Table<I, const N: usize> {
    dir: [u8; NAME_SIZE],
    names: [[u8; NAME_SIZE]; N],
    entries: [Entry<I>; N],
    pointers: [*const bindings::attribute; N],
    /// The NULL behind the pointers.
    end: *const bindings::attribute,
    group: bindings::attribute_group,
}

impl<I: Copy + 'static, const N: usize> Table<I, N> {
    /// Makes the table that is to stand at `this`. An empty name of the directory is for files
    /// that are in the one above.
    // Runs in the compiler, where a panic is an error message.
    #[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
    const fn new(
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

/// Gives the driver's name for a C attribute.
///
/// # Safety
///
/// `attr` must be of a table with names of type `I`.
unsafe fn id_of<I: Copy>(attr: *const bindings::attribute) -> I {
    // SAFETY: By the caller's promise, the attribute is the beginning of an entry.
    unsafe { (*attr.cast::<Entry<I>>()).id }
}

/// The files in a directory of each device of a driver.
pub trait DeviceFiles<T: Master>: 'static {
    /// What the driver knows a file by.
    type Id: Copy + Send + Sync + 'static;

    /// Shows a file. Must not wait for RTNL.
    fn show(dev: &Dev<T>, id: Self::Id, page: &mut Page<'_>);

    /// Stores `text` into a file, all of it. May sleep; takes RTNL by [`lock_rtnl`].
    fn store(dev: &Dev<T>, id: Self::Id, text: &[u8]) -> Result;
}

/// A directory with `N` files for each device of driver `T`; a static.
pub struct DeviceDir<T: Master, F: DeviceFiles<T>, const N: usize> {
    table: Table<F::Id, N>,
    _driver: PhantomData<fn(T)>,
}

// SAFETY: The table is constant, and so is all that it points to.
unsafe impl<T: Master, F: DeviceFiles<T>, const N: usize> Sync for DeviceDir<T, F, N> {}

impl<T: Master, F: DeviceFiles<T>, const N: usize> DeviceDir<T, F, N> {
    /// Makes the static `this`, a directory of this name.
    pub const fn new(this: &'static Self, name: &str, files: &[File<F::Id>; N]) -> Self {
        let table = Table::new(
            &this.table,
            name,
            files,
            Some(device_show::<T, F>),
            Some(device_store::<T, F>),
        );
        DeviceDir {
            table,
            _driver: PhantomData,
        }
    }
}

impl<T: Master> Ops<T> {
    /// Adds a directory for each device.
    pub const fn with_sysfs<F: DeviceFiles<T>, const N: usize>(
        mut self,
        dir: &'static DeviceDir<T, F, N>,
    ) -> Self {
        self.group = &raw const dir.table.group;
        self
    }
}

/// Gives the device whose file is used.
///
/// # Safety
///
/// `dev` must be the `struct device` of a network device of driver `T`, whose files exist for all of
/// `'a`: between `ndo_init` and the destructor.
unsafe fn to_dev<'a, T: Master>(dev: *mut bindings::device) -> &'a Dev<T> {
    // SAFETY: By the caller's promise.
    unsafe { Dev::from_raw(kernel::container_of!(dev, bindings::net_device, dev)) }
}

unsafe extern "C" fn device_show<T: Master, F: DeviceFiles<T>>(
    dev: *mut bindings::device,
    attr: *mut bindings::device_attribute,
    buf: *mut kernel::ffi::c_char,
) -> isize {
    // SAFETY: The file is of a `DeviceDir<T, F, _>`, which only devices of driver `T` have, and it
    // is not removed before this returns; the buffer is a page.
    let (dev, id, mut page) =
        unsafe { (to_dev::<T>(dev), id_of(attr.cast()), Page::from_raw(buf)) };
    F::show(dev, id, &mut page);
    page.finish()
}

unsafe extern "C" fn device_store<T: Master, F: DeviceFiles<T>>(
    dev: *mut bindings::device,
    attr: *mut bindings::device_attribute,
    buf: *const kernel::ffi::c_char,
    count: usize,
) -> isize {
    // SAFETY: As in `device_show`; the buffer has `count` bytes.
    let (dev, id, text) = unsafe {
        (
            to_dev::<T>(dev),
            id_of(attr.cast()),
            core::slice::from_raw_parts(buf.cast(), count),
        )
    };
    stored(F::store(dev, id, text), count)
}

/// Gives the return value of a `store`.
fn stored(result: Result, count: usize) -> isize {
    match result {
        Ok(()) => count as isize,
        Err(err) => err.to_errno() as isize,
    }
}

/// The files, read-only, in a directory of each lower device of a driver.
pub trait LowerFiles<T: Master>: 'static {
    /// What the driver knows a file by.
    type Id: Copy + Send + Sync + 'static;

    /// Shows a file. Must not wait for RTNL.
    fn show(lower: &Lower<T>, id: Self::Id, page: &mut Page<'_>);
}

/// A directory with `N` files in that of each device below driver `T`'s; a static.
#[repr(C)]
pub struct LowerDir<T: Master, F: LowerFiles<T>, const N: usize> {
    table: Table<F::Id, N>,
    /// The directory itself; its files are in `table` without one.
    name: [u8; NAME_SIZE],
    groups: [*const bindings::attribute_group; 2],
    ops: bindings::sysfs_ops,
    ktype: bindings::kobj_type,
    _driver: PhantomData<fn(T)>,
}

// SAFETY: As for `DeviceDir`.
unsafe impl<T: Master, F: LowerFiles<T>, const N: usize> Sync for LowerDir<T, F, N> {}

impl<T: Master, F: LowerFiles<T>, const N: usize> LowerDir<T, F, N> {
    /// Makes the static `this`, a directory of this name.
    pub const fn new(this: &'static Self, name: &str, files: &[File<F::Id>; N]) -> Self {
        LowerDir {
            table: Table::new(&this.table, "", files, None, None),
            name: padded(name),
            groups: [&raw const this.table.group, ptr::null()],
            ops: bindings::sysfs_ops {
                show: Some(lower_show::<T, F>),
                store: None,
            },
            ktype: bindings::kobj_type {
                release: Some(lower_release::<T>),
                sysfs_ops: &raw const this.ops,
                default_groups: (&raw const this.groups).cast_mut().cast(),
                ..pin_init::zeroed()
            },
            _driver: PhantomData,
        }
    }
}

/// What [`Ops`] keep of a [`LowerDir`].
pub(crate) struct LowerDirRef<T: Master> {
    name: *const kernel::ffi::c_char,
    ktype: *const bindings::kobj_type,
    _driver: PhantomData<fn(T)>,
}

impl<T: Master> LowerDirRef<T> {
    pub(crate) const fn new<F: LowerFiles<T>, const N: usize>(
        dir: &'static LowerDir<T, F, N>,
    ) -> Self {
        LowerDirRef {
            name: (&raw const dir.name).cast(),
            ktype: &raw const dir.ktype,
            _driver: PhantomData,
        }
    }
}

/// The directory of one lower device, which is part of its [`Lower`], and counts the references to it.
#[repr(transparent)]
#[pin_data]
pub(crate) struct LowerObject {
    #[pin]
    kobj: Opaque<bindings::kobject>,
}

impl LowerObject {
    /// Makes the object, with one reference, which [`Self::put`] gives back; `dir` is the driver's.
    pub(crate) fn new<T: Master>(dir: &LowerDirRef<T>) -> impl PinInit<Self> {
        let ktype = dir.ktype;
        pin_init!(Self {
            kobj <- Opaque::ffi_init(move |kobj: *mut bindings::kobject| {
                // SAFETY: The place is valid for writes, and pinned. The type is a static.
                unsafe {
                    kobj.write(pin_init::zeroed());
                    bindings::kobject_init(kobj, ktype);
                }
            }),
        })
    }

    /// Makes the directory of a device. Sleeps.
    ///
    /// # Safety
    ///
    /// The object must be that of a lower device of this device, and be [removed](Self::remove) before the device
    /// goes, in process context and under RTNL like this.
    pub(crate) unsafe fn add<T: Master>(&self, dev: &NetDevice, dir: &LowerDirRef<T>) -> Result {
        // SAFETY: The object is initialised, and was not added before. The parent is valid; the format takes one
        // string.
        to_result(unsafe {
            let parent = &raw mut (*dev.as_ptr()).dev.kobj;
            bindings::kobject_add(self.kobj.get(), parent, c"%s".as_char_ptr(), dir.name)
        })
    }

    /// Removes the directory, if there is one. Waits until nobody reads its files.
    pub(crate) fn remove(&self, _rtnl: &Rtnl) {
        // SAFETY: The object is initialised; whether it is in sysfs changes under RTNL, by `add` and here.
        unsafe {
            if (*self.kobj.get()).state_in_sysfs() != 0 {
                bindings::kobject_del(self.kobj.get());
            }
        }
    }

    /// Gives the first reference back. Nothing else may be done with the object from here on.
    ///
    /// # Safety
    ///
    /// To be called once, after the directory was removed.
    pub(crate) unsafe fn put(&self) {
        // SAFETY: By the caller's promise; its release has the lower device freed.
        unsafe { bindings::kobject_put(self.kobj.get()) };
    }
}

/// Gives the lower device that an object is part of.
///
/// # Safety
///
/// The object must be that of a [`Lower<T>`].
unsafe fn to_lower<T: Master>(kobj: *mut bindings::kobject) -> *mut Lower<T> {
    // SAFETY: By the caller's promise; `LowerObject` is transparent.
    unsafe { kernel::container_of!(kobj.cast::<LowerObject>(), Lower<T>, object) }
}

unsafe extern "C" fn lower_release<T: Master>(kobj: *mut bindings::kobject) {
    // SAFETY: The object is of a `LowerDir<T, _, _>`, which only objects of a `Lower<T>` have; this was the last
    // reference to it.
    unsafe { Lower::free_later(to_lower::<T>(kobj)) };
}

unsafe extern "C" fn lower_show<T: Master, F: LowerFiles<T>>(
    kobj: *mut bindings::kobject,
    attr: *mut bindings::attribute,
    buf: *mut kernel::ffi::c_char,
) -> isize {
    // SAFETY: The file is of a `LowerDir<T, F, _>`, which only objects of a `Lower<T>` have, and goes, after this has
    // returned, before the lower device does; the buffer is a page.
    let (lower, id, mut page) =
        unsafe { (&*to_lower::<T>(kobj), id_of(attr), Page::from_raw(buf)) };
    F::show(lower, id, &mut page);
    page.finish()
}

/// A file in `/sys/class/net`, one in each namespace.
pub trait ClassFile: 'static {
    /// The name.
    const NAME: &'static CStr;
    /// The mode.
    const MODE: u16;

    /// Shows the file.
    fn show(net: &Net, page: &mut Page<'_>);

    /// Stores `text` into the file, all of it. May sleep, and wait for RTNL, as the file is removed
    /// without.
    fn store(net: &Net, text: &[u8]) -> Result;
}

/// A [`ClassFile`] in a namespace, until it is removed or dropped.
#[repr(C)]
#[pin_data(PinnedDrop)]
pub(crate) struct ClassFileIn<F: ClassFile> {
    /// First, so that the callbacks find the rest.
    #[pin]
    attr: Opaque<bindings::class_attribute>,
    net: *const Net,
    present: AtomicBool,
    _file: PhantomData<fn(F)>,
}

// SAFETY: The attribute is constant while it exists; a namespace may be used from any thread.
unsafe impl<F: ClassFile> Sync for ClassFileIn<F> {}
// SAFETY: As above.
unsafe impl<F: ClassFile> Send for ClassFileIn<F> {}

impl<F: ClassFile> ClassFileIn<F> {
    /// Adds the file to a namespace. Sleeps.
    ///
    /// That there is such a file already is no error; see [`Self::is_present`].
    ///
    /// # Safety
    ///
    /// The value must be dropped, or its [`Self::remove`] called, before the namespace goes.
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
                AtomicBool::new(err == 0)
            },
            _file: PhantomData,
        }? Error)
    }

    /// Returns whether the file is this one, and not that of another driver.
    pub(crate) fn is_present(&self) -> bool {
        self.present.load(Ordering::Relaxed)
    }

    /// Removes the file, once. Waits until nobody uses it.
    pub(crate) fn remove(&self) {
        if self.present.swap(false, Ordering::AcqRel) {
            // SAFETY: Created by `new` in this namespace, which is still alive.
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

unsafe extern "C" fn class_show<F: ClassFile>(
    _class: *const bindings::class,
    attr: *const bindings::class_attribute,
    buf: *mut kernel::ffi::c_char,
) -> isize {
    // SAFETY: The attribute is the first field of a `ClassFileIn<F>`, whose file is removed, after
    // this has returned, before its namespace goes; the buffer is a page.
    let (net, mut page) = unsafe { (&*(*attr.cast::<ClassFileIn<F>>()).net, Page::from_raw(buf)) };
    F::show(net, &mut page);
    page.finish()
}

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
