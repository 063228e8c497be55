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

/// A directory, which is removed on drop.
///
/// Without debugfs, or without memory, the object never holds a directory; it can be used all the
/// same.
///
/// # Invariants
///
/// The pointer was returned by `debugfs_create_dir()`, and its directory has not been removed yet.
pub struct Dir(*mut bindings::dentry);

// SAFETY: debugfs has locks of its own.
unsafe impl Send for Dir {}
// SAFETY: As above.
unsafe impl Sync for Dir {}

impl Dir {
    /// Creates a directory at the top of debugfs. Sleeps.
    pub fn new(name: &CStr) -> Self {
        // INVARIANT: `debugfs_create_dir()` returns the pointer here.
        // SAFETY: The name ends with a NUL. The parent may be NULL, which stands for the top of
        // debugfs.
        Dir(unsafe { bindings::nh_debugfs_create_dir(name.as_char_ptr(), ptr::null_mut()) })
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // SAFETY: By the type invariant. An error pointer stands for no directory, and C ignores
        // it. A file inside keeps this directory, see `File`.
        unsafe { bindings::nh_debugfs_remove(self.0) };
    }
}

/// A file that shows a shared value, in a directory of its own. Dropping it removes both, and waits
/// until nobody reads the file.
pub struct File<T: fmt::Display + Send + Sync + 'static> {
    // In the order in which they are dropped.
    _dir: Dir,
    _content: Pin<KBox<Content<T>>>,
    _parent: Arc<Dir>,
}

/// The content of a file. C only knows its first field.
#[repr(C)]
struct Content<T> {
    shown: bindings::nh_shown,
    value: Arc<T>,
}

impl<T: fmt::Display + Send + Sync + 'static> File<T> {
    /// Creates the file `name`, which root may read, in a new directory below `parent`. The name of
    /// the directory is that of a device, byte for byte, followed by `more`. Sleeps.
    ///
    /// # Errors
    ///
    /// `ENOMEM`. Without debugfs there is no file, which is not an error.
    pub fn new(
        parent: Arc<Dir>,
        device: &Name,
        more: impl fmt::Display,
        name: &CStr,
        value: Arc<T>,
    ) -> Result<Self> {
        let mut dir = Buffer::<MAX_NAME>::new();
        dir.push(device.as_bytes());
        let _ = write!(dir, "{more}");
        let shown = bindings::nh_shown {
            show: Some(show::<T>),
        };
        let content = KBox::pin(Content { shown, value }, GFP_KERNEL)?;
        // INVARIANT: `debugfs_create_dir()` returns the pointer here.
        // SAFETY: The name ends with a NUL. The parent is not removed before this directory: the
        // `File` keeps a reference to it.
        let dir = Dir(unsafe { bindings::nh_debugfs_create_dir(dir.as_ptr(), parent.0) });
        let shown = ptr::from_ref(&*content).cast_mut().cast();
        // SAFETY: The name ends with a NUL. If `dir` is an error pointer, C creates no file. The
        // content stays where it is until the directory and the file in it are removed; the removal
        // waits for the readers of the file.
        unsafe { bindings::nh_debugfs_create_file(name.as_char_ptr(), dir.0, shown) };
        Ok(File {
            _dir: dir,
            _content: content,
            _parent: parent,
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
