// SPDX-License-Identifier: GPL-2.0

//! Files in debugfs.
//!
//! C header: [`include/linux/debugfs.h`](srctree/include/linux/debugfs.h)
//!
//! The `kernel` crate has such files, too, but without an owner: the module could be unloaded while
//! a file is open, and closing the file would run code that is gone. The files here keep their
//! module loaded until they are closed.

use crate::bindings;
use crate::buffer::Buffer;
use crate::netdevice::Name;
use crate::seq_file::Seq;
use core::fmt::{self, Write};
use core::ptr;
use kernel::error::Result;
use kernel::prelude::*;
use kernel::sync::Arc;

/// The longest name of a directory, with its NUL, in bytes.
const MAX_NAME: usize = 64;

/// An entry of debugfs, which is removed on drop.
///
/// Without debugfs, or without memory, the object never holds an entry; it can be used all the same.
///
/// # Invariants
///
/// The pointer was returned by a function of debugfs that creates an entry, and the entry has not
/// been removed yet.
struct Entry(*mut bindings::dentry);

// SAFETY: debugfs has locks of its own.
unsafe impl Send for Entry {}
// SAFETY: As above.
unsafe impl Sync for Entry {}

impl Drop for Entry {
    fn drop(&mut self) {
        // SAFETY: By the type invariant. An error pointer stands for no entry, and C ignores it. An
        // entry is removed before the directory that it is in, see `Dir` and `File`.
        unsafe { bindings::nh_debugfs_remove(self.0) };
    }
}

/// A directory, which is removed once nobody has a reference to it.
pub struct Dir {
    // In the order in which they are dropped.
    entry: Entry,
    _parent: Option<Arc<Dir>>,
}

impl Dir {
    /// Creates a directory at the top of debugfs. Sleeps.
    pub fn new(name: &CStr) -> Self {
        Self::create(name.as_char_ptr(), None)
    }

    /// Creates a directory whose name is that of a device, byte for byte, followed by `more`. Sleeps.
    pub fn within(parent: Arc<Dir>, device: &Name, more: impl fmt::Display) -> Self {
        let mut name = Buffer::<MAX_NAME>::new();
        name.push(device.as_bytes());
        let _ = write!(name, "{more}");
        Self::create(name.as_ptr(), Some(parent))
    }

    /// `name` ends with a NUL.
    fn create(name: *const kernel::ffi::c_char, parent: Option<Arc<Dir>>) -> Self {
        let above = parent.as_ref().map_or(ptr::null_mut(), |dir| dir.entry.0);
        // INVARIANT: `debugfs_create_dir()` returns the pointer here.
        // SAFETY: The name ends with a NUL. The parent may be NULL, which stands for the top of
        // debugfs; otherwise, it is not removed before this directory, which has a reference to it.
        let entry = Entry(unsafe { bindings::nh_debugfs_create_dir(name, above) });
        Dir {
            entry,
            _parent: parent,
        }
    }
}

/// A file that shows a shared value. Dropping it removes the file, and waits until nobody reads it.
pub struct File<T: fmt::Display + Send + Sync + 'static> {
    // In the order in which they are dropped.
    _entry: Entry,
    _content: Pin<KBox<Content<T>>>,
    _dir: Arc<Dir>,
}

/// The content of a file. C only knows its first field.
#[repr(C)]
struct Content<T> {
    shown: bindings::nh_shown,
    value: Arc<T>,
}

impl<T: fmt::Display + Send + Sync + 'static> File<T> {
    /// Creates the file `name`, which root may read. Sleeps.
    ///
    /// # Errors
    ///
    /// `ENOMEM`. Without debugfs there is no file, which is not an error.
    pub fn new(dir: Arc<Dir>, name: &CStr, value: Arc<T>) -> Result<Self> {
        let shown = bindings::nh_shown {
            show: Some(show::<T>),
        };
        let content = KBox::pin(Content { shown, value }, GFP_KERNEL)?;
        let shown = ptr::from_ref(&*content).cast_mut().cast();
        // INVARIANT: `debugfs_create_file()` returns the pointer here.
        // SAFETY: The name ends with a NUL. If `dir` holds an error pointer, C creates no file. The
        // content stays where it is until the file is removed; the removal waits for the readers of
        // the file.
        let entry = Entry(unsafe {
            bindings::nh_debugfs_create_file(name.as_char_ptr(), dir.entry.0, shown)
        });
        Ok(File {
            _entry: entry,
            _content: content,
            _dir: dir,
        })
    }
}

/// Shows the file.
///
/// # Safety
///
/// The content of the file must be a `Content<T>`, and stay until this function returns.
unsafe extern "C" fn show<T: fmt::Display + Sync>(
    seq: *mut bindings::seq_file,
    _v: *mut core::ffi::c_void,
) -> i32 {
    // SAFETY: The file was made by `File::<T>::new`, and its content stays until this function has
    // returned. The `seq_file` is ours during the call.
    let (content, mut seq) = unsafe { (&*(*seq).private.cast::<Content<T>>(), Seq::from_raw(seq)) };
    // Writing to a `Seq` does not fail.
    let _ = write!(seq, "{}", &*content.value);
    0
}
