// SPDX-License-Identifier: GPL-2.0

//! Spinlocks that may be taken in any context.
//!
//! C header: [`include/linux/spinlock.h`](srctree/include/linux/spinlock.h)

use crate::bindings;
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::pin::Pin;
use core::sync::atomic::{AtomicU8, Ordering};
use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::LockClassKey;
use kernel::types::{NotThreadSafe, Opaque};

/// A spinlock that turns interrupts off (`spin_lock_irqsave()`).
#[pin_data]
pub struct IrqLock<T> {
    #[pin]
    lock: Opaque<bindings::spinlock_t>,
    data: UnsafeCell<T>,
}

// SAFETY: The lock gives access to one thread at a time.
unsafe impl<T: Send> Send for IrqLock<T> {}
// SAFETY: As above.
unsafe impl<T: Send> Sync for IrqLock<T> {}

impl<T> IrqLock<T> {
    /// Makes a lock around `data`; [`irq_lock!`](crate::irq_lock) does it with a class of its own.
    pub fn new(
        data: T,
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        pin_init!(Self {
            lock <- Opaque::ffi_init(move |lock| {
                // SAFETY: `lock` is valid for writes and pinned; name and key are static.
                unsafe {
                    bindings::rh_spin_lock_init(lock, name.as_char_ptr(), key.as_ptr().cast())
                }
            }),
            data: UnsafeCell::new(data),
        })
    }

    /// Takes the lock. Any context.
    pub fn lock(&self) -> IrqGuard<'_, T> {
        // SAFETY: Initialised by `new`, which is the only way to make one, and pinned.
        unsafe { IrqGuard::take(self.lock.get(), self.data.get()) }
    }
}

/// Makes a [`sync::IrqLock`](crate::sync::IrqLock) with a lock class of its own.
#[macro_export]
macro_rules! irq_lock {
    ($data:expr, $name:literal) => {
        $crate::sync::IrqLock::new($data, $name, ::kernel::static_lock_class!())
    };
}

/// Like [`IrqLock`], for a static.
pub struct StaticLock<T> {
    lock: Opaque<bindings::spinlock_t>,
    state: AtomicU8,
    data: UnsafeCell<T>,
}

const NEW: u8 = 0;
const STARTED: u8 = 1;
const READY: u8 = 2;

// SAFETY: The lock gives access to one thread at a time.
unsafe impl<T: Send> Sync for StaticLock<T> {}

impl<T> StaticLock<T> {
    /// Makes a lock around `data`.
    pub const fn new(data: T) -> Self {
        Self {
            lock: Opaque::uninit(),
            state: AtomicU8::new(NEW),
            data: UnsafeCell::new(data),
        }
    }

    /// Takes the lock. Any context, once it has been taken for the first time.
    pub fn lock(&'static self) -> IrqGuard<'static, T> {
        if self.state.load(Ordering::Acquire) != READY {
            self.prepare();
        }
        // SAFETY: Initialised, and a static does not move.
        unsafe { IrqGuard::take(self.lock.get(), self.data.get()) }
    }

    #[cold]
    fn prepare(&'static self) {
        let (from, to) = (Ordering::Acquire, Ordering::Acquire);
        if self.state.compare_exchange(NEW, STARTED, from, to).is_err() {
            while self.state.load(Ordering::Acquire) != READY {
                core::hint::spin_loop();
            }
            return;
        }
        let lock = self.lock.get();
        // SAFETY: Only one thread gets here. The address of the static is as good a key as any other.
        unsafe { bindings::rh_spin_lock_init(lock, c"vib_static".as_char_ptr(), lock.cast()) };
        self.state.store(READY, Ordering::Release);
    }
}

/// Access to what a lock protects, until it is dropped.
pub struct IrqGuard<'a, T> {
    lock: *mut bindings::spinlock_t,
    flags: usize,
    data: &'a mut T,
    _not_send: NotThreadSafe,
}

impl<T> IrqGuard<'_, T> {
    /// # Safety
    ///
    /// `lock` must be initialised and pinned, and protect `data`; both must live as long as the
    /// guard's lifetime.
    unsafe fn take(lock: *mut bindings::spinlock_t, data: *mut T) -> Self {
        // SAFETY: By the caller's promise.
        let flags = unsafe { bindings::rh_spin_lock_irqsave(lock) };
        IrqGuard {
            lock,
            flags,
            // SAFETY: The lock is held, so nobody else has a reference.
            data: unsafe { &mut *data },
            _not_send: NotThreadSafe,
        }
    }
}

impl<T> Deref for IrqGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.data
    }
}

impl<T> DerefMut for IrqGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.data
    }
}

impl<T> Drop for IrqGuard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: The guard exists, so this thread holds the lock, taken with these flags.
        unsafe { bindings::rh_spin_unlock_irqrestore(self.lock, self.flags) };
    }
}

/// Bottom halves are off until this is dropped; then pending ones run. Has no effect where
/// interrupts are off.
pub struct BottomHalvesOff {
    disabled: bool,
    _not_send: NotThreadSafe,
}

impl BottomHalvesOff {
    /// Turns bottom halves off. Any context.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self {
            // SAFETY: No requirement.
            disabled: unsafe { bindings::rh_bh_disable() },
            _not_send: NotThreadSafe,
        }
    }
}

impl Drop for BottomHalvesOff {
    fn drop(&mut self) {
        if self.disabled {
            // SAFETY: Disabled by `new` in this context; guards of locks taken since are gone.
            unsafe { bindings::rh_bh_enable() };
        }
    }
}
