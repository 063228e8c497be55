// SPDX-License-Identifier: GPL-2.0

//! References to statics, as constants.

use core::ops::Deref;

/// A reference to a static, for a constant of a trait.
///
/// A function of a trait may return something else each time, and `unsafe` code must not rely on
/// what it returns. A constant is the same each time. But a constant that is a reference must not
/// lead to anything that changes; therefore this type holds a pointer.
///
/// ```ignore
/// # use net::master::registry::{Registered, Registry};
/// # use net::static_ref::StaticRef;
/// # struct Team;
/// static REGISTRY: Registry<Team> = Registry::new();
///
/// impl Registered for Team {
///     const REGISTRY: StaticRef<Registry<Self>> = StaticRef::new(&REGISTRY);
/// }
/// ```
///
/// # Invariants
///
/// The pointee is valid forever, and shared.
pub struct StaticRef<T: 'static>(*const T);

// SAFETY: As for the reference that this pointer stands for.
unsafe impl<T: Sync> Send for StaticRef<T> {}
// SAFETY: As above.
unsafe impl<T: Sync> Sync for StaticRef<T> {}

impl<T> StaticRef<T> {
    /// Makes a reference to the static `it`.
    pub const fn new(it: &'static T) -> Self {
        // INVARIANT: `it` is a reference that lives forever.
        StaticRef(it)
    }

    /// Returns the reference.
    #[inline(always)]
    pub const fn get(&self) -> &'static T {
        // SAFETY: By the type invariant.
        unsafe { &*self.0 }
    }
}

impl<T> Deref for StaticRef<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        self.get()
    }
}
