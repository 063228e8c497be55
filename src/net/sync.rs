// SPDX-License-Identifier: GPL-2.0

//! Locks and counters that the kernel crate lacks.
//!
//! C headers: [`include/linux/spinlock.h`](srctree/include/linux/spinlock.h),
//! [`include/linux/percpu.h`](srctree/include/linux/percpu.h)
//!
//! Each lock has a lockdep class of its own, given by the place in the code that makes the lock
//! ([`new_bh_lock!`](crate::new_bh_lock), [`new_nested_lock!`](crate::new_nested_lock)), so that
//! lockdep learns the order of any two locks. For the locks of the kernel crate, `new_spinlock!`
//! and `new_mutex!` do the same.
//!
//! ```ignore
//! # use net::rtnl::Rtnl;
//! # use net::sync::{BhLock, RtnlLock};
//! #[pin_data]
//! struct Port {
//!     #[pin]
//!     partner: BhLock<[u8; 6]>,
//!     #[pin]
//!     speed: RtnlLock<u32>,
//! }
//!
//! fn port() -> impl PinInit<Port> {
//!     pin_init!(Port {
//!         partner <- net::new_bh_lock!([0; 6], "Port::partner"),
//!         speed <- net::new_rtnl_lock!(0, "Port::speed"),
//!     })
//! }
//!
//! /// In softirq context.
//! fn heard(port: &Port, from: [u8; 6]) -> bool {
//!     port.partner.with(|partner| core::mem::replace(partner, from) != from)
//! }
//!
//! /// In process context.
//! fn set_speed(port: &Port, speed: u32, rtnl: &Rtnl) {
//!     port.speed.set(rtnl, speed);
//! }
//! ```
//!
//! Atomics are those of `kernel::sync::atomic`, except on the packet path, where they are those of
//! `core`. In kernels that do not inline the helpers of Rust, such as Debian's, each load of an
//! atomic of `kernel::sync::atomic` is a call, and a packet would pay for one call per field that
//! it looks at. Both kinds compile to the same instructions for relaxed and acquire loads.

use crate::bindings;
use crate::rtnl::Rtnl;
use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ops::{Deref, DerefMut};
use core::ptr::{self, NonNull};
use core::sync::atomic::{fence, AtomicPtr, AtomicUsize, Ordering};
use kernel::error::{code::ENOMEM, Result};
use kernel::prelude::*;
use kernel::str::CStrExt;
use kernel::sync::atomic::{Atomic, Full, Relaxed};
use kernel::sync::LockClassKey;
use kernel::types::{NotThreadSafe, Opaque};

/// A spinlock around data. `Manner` says who takes it, and thereby which functions there are:
/// [`NestedLock`], [`RtnlLock`], [`BhLock`].
#[pin_data]
pub struct SpinLock<T, Manner> {
    #[pin]
    lock: Opaque<bindings::spinlock_t>,
    data: UnsafeCell<T>,
    manner: PhantomData<Manner>,
}

// SAFETY: The data may be sent, and the lock is not held while the object is sent.
unsafe impl<T: Send, Manner> Send for SpinLock<T, Manner> {}
// SAFETY: The functions of each manner give access to one thread at a time; those of an `RtnlLock`
// give several threads copies, while nobody writes: a writer holds RTNL and the lock, and a reader
// holds one of them.
unsafe impl<T: Send, Manner> Sync for SpinLock<T, Manner> {}

impl<T, Manner> SpinLock<T, Manner> {
    /// Makes a lock around `data`, of the class that is given. The macros do so:
    /// [`new_nested_lock!`](crate::new_nested_lock), [`new_rtnl_lock!`](crate::new_rtnl_lock),
    /// [`new_bh_lock!`](crate::new_bh_lock).
    pub fn new(
        data: T,
        name: &'static CStr,
        class: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        let init = move |lock: *mut bindings::spinlock_t| {
            // SAFETY: `lock` is valid for writes and stays where it is (pinned); name and class are
            // statics, as lockdep requires.
            unsafe { bindings::nh_spin_lock_init(lock, name.as_char_ptr(), class.as_ptr().cast()) }
        };
        pin_init!(Self {
            lock <- Opaque::ffi_init(init),
            data: UnsafeCell::new(data),
            manner: PhantomData,
        })
    }
}

/// Makes a lock of one of the types here.
#[doc(hidden)]
#[macro_export]
macro_rules! new_lock {
    ($type:ident, $data:expr, $name:literal) => {
        $crate::sync::$type::new(
            $data,
            ::kernel::c_str!($name),
            ::kernel::static_lock_class!(),
        )
    };
}

/// How a [`NestedLock`] is taken.
pub enum Nested {}

/// How an [`RtnlLock`] is taken.
pub enum UnderRtnl {}

/// How a [`BhLock`] is taken.
pub enum Bh {}

/// A spinlock of which a thread may hold several at once; it takes that of an upper device first.
///
/// Lockdep knows each level of a class as a subclass, and complains if the lock of an upper device
/// is taken after that of a lower device.
pub type NestedLock<T> = SpinLock<T, Nested>;

/// Makes a [`NestedLock`] of a class of its own: `new_nested_lock!(data, "Owner::field")`.
#[macro_export]
macro_rules! new_nested_lock {
    ($data:expr, $name:literal) => {
        $crate::new_lock!(NestedLock, $data, $name)
    };
}

impl<T> NestedLock<T> {
    /// Takes the lock. `level` is the [`lower_level`](crate::netdevice::NetDevice::lower_level) of
    /// the device that the lock belongs to, 1 to 8; of two locks, the one with the higher level is
    /// taken first. Any context but hard interrupts, but always the same context for one lock.
    pub fn lock(&self, level: u8) -> NestedGuard<'_, T> {
        // Lockdep has eight subclasses, from 0 on; at most as many devices are stacked
        // (`MAX_NEST_DEV`).
        let subclass = i32::from(level.saturating_sub(1).min(7));
        // SAFETY: The lock was initialised by `new`, which is the only way to make one, and is
        // pinned.
        unsafe { bindings::nh_spin_lock_nested(self.lock.get(), subclass) };
        NestedGuard {
            lock: self,
            _not_send: NotThreadSafe,
        }
    }
}

/// Access to what a [`NestedLock`] protects, until the guard is dropped.
pub struct NestedGuard<'a, T> {
    lock: &'a NestedLock<T>,
    _not_send: NotThreadSafe,
}

impl<T> Deref for NestedGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: The lock is held as long as the guard exists.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T> DerefMut for NestedGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: The lock is held as long as the guard exists, and the guard is borrowed mutably.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T> Drop for NestedGuard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: The guard exists, so this thread holds the lock.
        unsafe { bindings::nh_spin_unlock(self.lock.lock.get()) };
    }
}

/// A value that is written under RTNL. It is read under RTNL, or copied without RTNL.
pub type RtnlLock<T> = SpinLock<T, UnderRtnl>;

/// Makes an [`RtnlLock`] of a class of its own: `new_rtnl_lock!(data, "Owner::field")`.
#[macro_export]
macro_rules! new_rtnl_lock {
    ($data:expr, $name:literal) => {
        $crate::new_lock!(RtnlLock, $data, $name)
    };
}

impl<T: Copy> RtnlLock<T> {
    /// Returns the value. Takes no lock.
    #[inline]
    pub fn get(&self, _rtnl: &Rtnl) -> T {
        // SAFETY: RTNL is held, so nobody writes meanwhile.
        unsafe { *self.data.get() }
    }

    /// Returns a copy of the value. Process context.
    pub fn copy(&self) -> T {
        // SAFETY: The lock was initialised by `new`, the only way to make one. Nobody writes while
        // the lock is held.
        unsafe {
            bindings::nh_spin_lock(self.lock.get());
            let data = *self.data.get();
            bindings::nh_spin_unlock(self.lock.get());
            data
        }
    }

    /// Replaces the value. Process context.
    pub fn set(&self, _rtnl: &Rtnl, data: T) {
        // SAFETY: RTNL is held, which excludes `get`, and so is the lock, which excludes `copy`.
        unsafe {
            bindings::nh_spin_lock(self.lock.get());
            *self.data.get() = data;
            bindings::nh_spin_unlock(self.lock.get());
        }
    }
}

/// A spinlock that is also taken in softirqs.
pub type BhLock<T> = SpinLock<T, Bh>;

/// Makes a [`BhLock`] of a class of its own: `new_bh_lock!(data, "Owner::field")`.
#[macro_export]
macro_rules! new_bh_lock {
    ($data:expr, $name:literal) => {
        $crate::new_lock!(BhLock, $data, $name)
    };
}

impl<T> BhLock<T> {
    /// Runs a function, which must not sleep, with the data. Any context but hard interrupts.
    pub fn with<R>(&self, run: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: The lock was initialised by `new`, the only way to make one; the data are ours
        // while the lock is held.
        unsafe {
            bindings::nh_spin_lock_bh(self.lock.get());
            let res = run(&mut *self.data.get());
            bindings::nh_spin_unlock_bh(self.lock.get());
            res
        }
    }
}

impl<T: Copy> BhLock<T> {
    /// Returns a copy of the data. Any context but hard interrupts.
    pub fn get(&self) -> T {
        self.with(|data| *data)
    }

    /// Replaces the data. Any context but hard interrupts.
    pub fn set(&self, data: T) {
        self.with(|place| *place = data);
    }
}

/// Data that are seldom replaced, and may be read at any time in any context: readers neither wait
/// nor write anything (`seqcount_latch_t`).
///
/// There are two copies, one of which is consistent at any time.
///
/// ```ignore
/// # use net::rtnl::Rtnl;
/// # use net::sync::Latch;
/// fn longest(latch: &Latch<[usize; 2]>) -> usize {
///     let [here, there] = latch.get();
///     here.max(there)
/// }
///
/// fn forget(latch: &Latch<[usize; 2]>, rtnl: &Rtnl) {
///     latch.set([0, 0], rtnl);
/// }
/// ```
pub struct Latch<T> {
    /// How often a writer has begun to write a copy. The last bit tells which copy is consistent
    /// meanwhile.
    sequence: AtomicUsize,
    copies: [UnsafeCell<T>; 2],
}

// SAFETY: Readers copy the data, and use their copy only if nobody has written meanwhile; writers
// hold RTNL.
unsafe impl<T: Copy + Send> Sync for Latch<T> {}

impl<T: Copy> Latch<T> {
    /// The number of words in a copy.
    const WORDS: usize = {
        assert!(align_of::<T>() == align_of::<Word>() && size_of::<T>() % size_of::<Word>() == 0);
        size_of::<T>() / size_of::<Word>()
    };

    /// Makes both copies of `data`.
    pub fn new(data: T) -> Self {
        Self {
            sequence: AtomicUsize::new(0),
            copies: [UnsafeCell::new(data), UnsafeCell::new(data)],
        }
    }

    /// Returns a copy of the data. Any context.
    pub fn get(&self) -> T {
        loop {
            let sequence = self.sequence.load(Ordering::Acquire);
            let [even, odd] = &self.copies;
            let from = if sequence & 1 == 0 { even } else { odd };
            let mut data = MaybeUninit::<T>::uninit();
            for word in 0..Self::WORDS {
                // SAFETY: Source and destination are `WORDS` aligned words. The source may be
                // written meanwhile, so it is read as memory whose content may change, and as words
                // that need not be initialised.
                unsafe {
                    let value = ptr::read_volatile(from.get().cast::<Word>().add(word));
                    data.as_mut_ptr().cast::<Word>().add(word).write(value);
                }
            }
            fence(Ordering::Acquire);
            if self.sequence.load(Ordering::Relaxed) == sequence {
                // SAFETY: The sequence has not changed since this copy was known to be consistent.
                // A writer counts first, so nobody has begun to write the copy.
                return unsafe { data.assume_init() };
            }
        }
    }

    /// Replaces the data.
    pub fn set(&self, data: T, _rtnl: &Rtnl) {
        let from = ptr::from_ref(&data).cast::<Word>();
        for copy in &self.copies {
            // Readers leave this copy for the other one, which is consistent. The order is that of
            // `write_seqcount_latch()`.
            self.sequence.fetch_add(1, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            for word in 0..Self::WORDS {
                // SAFETY: Source and destination are `WORDS` aligned words. RTNL is held, so nobody
                // else writes; a reader uses `get`, which detects the write.
                unsafe {
                    let value = from.add(word).read();
                    ptr::write_volatile(copy.get().cast::<Word>().add(word), value);
                }
            }
            fence(Ordering::SeqCst);
        }
    }
}

/// Defines the function for one type of integer.
macro_rules! update {
    ($name:ident, $type:ty) => {
        /// Sets an atomic to what `next` returns for its value, unless that is `None`. Returns the
        /// previous value, as an error if the atomic was not written. A full barrier if the atomic
        /// was written.
        pub fn $name(
            atomic: &Atomic<$type>,
            next: impl Fn($type) -> Option<$type>,
        ) -> core::result::Result<$type, $type> {
            let mut now = atomic.load(Relaxed);
            loop {
                let new = next(now).ok_or(now)?;
                match atomic.cmpxchg(now, new, Full) {
                    Ok(before) => return Ok(before),
                    Err(other) => now = other,
                }
            }
        }
    };
}

update!(update_u32, u32);
update!(update_u64, u64);

/// Sets an atomic to the lesser of its value and `other`. Returns the previous value. Always a full
/// barrier.
pub fn fetch_min(atomic: &Atomic<u64>, other: u64) -> u64 {
    // The atomic is written even if its value stays the same, since callers rely on the barrier.
    update_u64(atomic, |now| Some(now.min(other))).unwrap_or_else(|before| before)
}

/// A word of memory of which some bytes may be padding.
type Word = MaybeUninit<usize>;

/// A counter per CPU, so that counting does not write to a shared cache line.
pub struct PerCpuCounter(NonNull<u32>);

// SAFETY: The counters may be incremented from any thread.
unsafe impl Send for PerCpuCounter {}
// SAFETY: As above; each CPU changes its own counter.
unsafe impl Sync for PerCpuCounter {}

impl PerCpuCounter {
    /// Allocates the counters, all zero. May sleep.
    pub fn new() -> Result<Self> {
        // SAFETY: This only allocates.
        NonNull::new(unsafe { bindings::nh_alloc_counter() })
            .map(Self)
            .ok_or(ENOMEM)
    }

    /// Increments this CPU's counter, which wraps, and returns its new value. Any context.
    #[inline]
    pub fn increment(&self) -> u32 {
        // SAFETY: The counters live as long as `self`.
        unsafe { bindings::nh_inc_counter(self.0.as_ptr()) }
    }
}

impl Drop for PerCpuCounter {
    fn drop(&mut self) {
        // SAFETY: `new` has allocated the counters, and nobody uses them any more.
        unsafe { bindings::nh_free_counter(self.0.as_ptr()) };
    }
}

/// Counters per CPU, a number of them in a row, which need no memory before they are
/// [allocated](Self::allocate).
///
/// # Invariants
///
/// The pointer is NULL, or was returned by `nh_alloc_counters()` for `N` counters.
pub struct PerCpuCounters<const N: usize>(AtomicPtr<u64>);

impl<const N: usize> PerCpuCounters<N> {
    /// Makes `N` counters, all zero.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        // INVARIANT: The pointer is NULL.
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Allocates the memory of the counters, unless that was done before. May sleep.
    pub fn allocate(&self, _rtnl: &Rtnl) -> Result {
        if !self.0.load(Ordering::Relaxed).is_null() {
            return Ok(());
        }
        // SAFETY: This only allocates.
        let counters = unsafe { bindings::nh_alloc_counters(N as u32) };
        if counters.is_null() {
            return Err(ENOMEM);
        }
        // INVARIANT: The pointer was just returned for as many counters. RTNL is held, so nobody
        // else stores one.
        self.0.store(counters, Ordering::Release);
        Ok(())
    }

    /// Adds to a counter, which wraps. Does nothing if there is no such counter, or no memory yet.
    /// Any context.
    #[inline(always)]
    pub fn add(&self, place: usize, count: u32) {
        let counters = self.0.load(Ordering::Acquire);
        if place < N && !counters.is_null() {
            // SAFETY: There are more counters than `place` (type invariant).
            unsafe { bindings::nh_add_to_counter(counters, place as u32, count) };
        }
    }

    /// Returns a counter for C functions, which may add to it as long as `self` is borrowed. `None` if
    /// there is no such counter, or no memory yet.
    #[inline(always)]
    pub(crate) fn counter(&self, place: usize) -> Option<*mut u64> {
        let counters = self.0.load(Ordering::Acquire);
        (place < N && !counters.is_null()).then(|| counters.wrapping_add(place))
    }

    /// Returns the sum over all CPUs. Any context.
    pub fn sum(&self, place: usize) -> u64 {
        let counters = self.0.load(Ordering::Acquire);
        if place >= N || counters.is_null() {
            return 0;
        }
        // SAFETY: As in `add`.
        unsafe { bindings::nh_sum_counter(counters, place as u32) }
    }
}

impl<const N: usize> Drop for PerCpuCounters<N> {
    fn drop(&mut self) {
        // SAFETY: `nh_alloc_counters` has returned the pointer, or it is NULL, which C ignores.
        // Nobody uses the counters any more.
        unsafe { bindings::nh_free_counters(*self.0.get_mut()) };
    }
}

/// Returns a random number (`get_random_u32()`). Any context.
pub fn random_u32() -> u32 {
    // SAFETY: The function has no requirements.
    unsafe { bindings::nh_random_u32() }
}

/// Returns the monotonic clock in ms (`ktime_get()`). Any context.
pub fn now_ms() -> u64 {
    // SAFETY: The function has no requirements.
    unsafe { bindings::nh_monotonic_ms() }
}

/// Returns the monotonic clock in µs (`ktime_get()`). Any context.
pub fn now_us() -> u64 {
    // SAFETY: The function has no requirements.
    unsafe { bindings::nh_monotonic_us() }
}

/// The length of a [`tick`], in µs.
pub const TICK_US: u64 = 1_000_000 / bindings::HZ as u64;

/// Returns the number of the timer tick (`jiffies`), which wraps. This is cheap enough for every
/// packet: one read of memory that is written once per tick. Any context.
#[inline(always)]
pub fn tick() -> usize {
    // SAFETY: The kernel's own counter is an aligned word that C writes as a whole.
    unsafe { ptr::read_volatile(&raw const bindings::jiffies) as usize }
}

/// Returns the jiffies since start-up (`get_jiffies_64()`). Any context.
pub fn jiffies() -> u64 {
    // SAFETY: The function has no requirements.
    unsafe { bindings::nh_jiffies() }
}

/// Converts `ms` to jiffies, rounded up. The result is at least one, unless the time is zero.
pub fn msecs_to_jiffies(ms: u32) -> u64 {
    kernel::time::msecs_to_jiffies(ms) as u64
}

/// Waits until all packets that are now on their way through the stack have left it
/// (`synchronize_net()`). Sleeps.
pub fn synchronize_net() {
    // SAFETY: The only requirement is a context that may sleep, which our caller provides.
    unsafe { bindings::synchronize_net() };
}

/// Returns whether a message may be printed now (`net_ratelimit()`). Any context.
pub fn ratelimit() -> bool {
    // SAFETY: The function has no requirements.
    unsafe { bindings::net_ratelimit() != 0 }
}
