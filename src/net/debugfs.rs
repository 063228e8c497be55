// SPDX-License-Identifier: GPL-2.0

//! Files in debugfs.
//!
//! C header: [`include/linux/debugfs.h`](srctree/include/linux/debugfs.h)
//!
//! The `kernel` crate has such files, too, but without an owner: the module could be unloaded while one is open,
//! and closing that would run code which is gone. These keep their module until they are closed.

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

/// A directory. Dropping it removes it.
///
/// Where there is no debugfs, or no memory, it is empty and stays so; nothing else is different.
///
/// # Invariants
///
/// What `debugfs_create_dir()` has returned, not removed yet.
pub struct Dir(*mut bindings::dentry);

// SAFETY: debugfs has locks of its own.
unsafe impl Send for Dir {}
// SAFETY: As above.
unsafe impl Sync for Dir {}

impl Dir {
    /// Makes a directory at the top. Sleeps.
    pub fn new(name: &CStr) -> Self {
        // INVARIANT: It is returned here.
        // SAFETY: The name ends with a NUL, and no parent is one, too.
        Dir(unsafe { bindings::nh_debugfs_create_dir(name.as_char_ptr(), ptr::null_mut()) })
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // SAFETY: By the type invariant; an error is no directory, and is ignored. Whoever made something
        // inside keeps this directory, see `File`.
        unsafe { bindings::nh_debugfs_remove(self.0) };
    }
}

/// A file that shows a shared value, in a directory of its own. Dropping it removes both, and waits until nobody reads it.
pub struct File<T: fmt::Display + Send + Sync + 'static> {
    // In the order in which they go.
    _dir: Dir,
    _content: Pin<KBox<Content<T>>>,
    _parent: Arc<Dir>,
}

/// What a file is made from; C knows its beginning.
#[repr(C)]
struct Content<T> {
    shown: bindings::nh_shown,
    value: Arc<T>,
}

impl<T: fmt::Display + Send + Sync + 'static> File<T> {
    /// Makes the file `name` in a directory below `parent`; root may read it. The directory is called as a device,
    /// byte for byte, with `more` behind that. Sleeps.
    ///
    /// # Errors
    ///
    /// `ENOMEM`. Where there is no debugfs, there is no file, which is no error.
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
        // INVARIANT: It is returned here.
        // SAFETY: The name ends with a NUL. The parent is not removed before this one: it is kept beside it.
        let dir = Dir(unsafe { bindings::nh_debugfs_create_dir(dir.as_ptr(), parent.0) });
        let shown = ptr::from_ref(&*content).cast_mut().cast();
        // SAFETY: The name ends with a NUL, an error for a directory gives no file. The content stays where it is
        // until the directory, and with it the file, is removed, which waits for those who read it.
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
/// The content of the file must be of this type, and stay until this returns.
unsafe extern "C" fn show<T: fmt::Display + Sync>(
    seq: *mut bindings::seq_file,
    _v: *mut core::ffi::c_void,
) -> i32 {
    // SAFETY: The file was made by `File::<T>::new`, and its content stays until this has returned. The
    // `seq_file` is ours during the call.
    let (content, mut seq) = unsafe { (&*(*seq).private.cast::<Content<T>>(), Seq::from_raw(seq)) };
    // Writing there does not fail.
    let _ = write!(seq, "{}", &*content.value);
    0
}
