// SPDX-License-Identifier: GPL-2.0

//! The same state on a clock that began later. Only the model checker of the host tests needs this:
//! states that differ in what time it is, and in nothing that will ever matter, are one state to it.

use super::port::{Counters, Periodic, Port, Receive};
use super::{Churn, Mux, System, FAST_PERIODIC};
use crate::link::Millis;

/// After this time no more patience is left with a partner that uses another aggregator.
const NO_PATIENCE: Millis = 10_000;

impl Port {
    /// The port on a clock that is `by` behind, where `now` is the time on that clock. What does not
    /// matter any more is cleared, and so is what only counts: the counters, and the Churn Detection
    /// machines, which begin anew.
    pub fn rebased(mut self, now: Millis, by: Millis) -> Port {
        let back = |at: &mut Millis| *at = at.saturating_sub(by);
        match &mut self.receive {
            Receive::Expired { until } | Receive::Current { until } => back(until),
            Receive::Disabled | Receive::LacpDisabled | Receive::Defaulted => (),
        }
        match &mut self.periodic {
            Periodic::Fast { next } | Periodic::Slow { next } => back(next),
            Periodic::None => (),
        }
        match &mut self.mux {
            Mux::Waiting { until } => back(until),
            Mux::Detached | Mux::Attached | Mux::Collecting | Mux::Distributing => (),
        }
        self.resend.iter_mut().for_each(back);
        let limits = self.sent.0.iter_mut().chain(&mut self.answered.0);
        for place in limits {
            place.iter_mut().for_each(back);
            *place = place.filter(|at| at.saturating_add(FAST_PERIODIC) > now);
        }
        self.counters = Counters::default();
        (self.actor_churn, self.partner_churn) = (Churn::None, Churn::None);
        (self.actor_churned, self.partner_churned) = (0, 0);
        self
    }
}

impl System {
    /// The system on a clock that is `by` behind, where `now` is the time on that clock.
    pub fn rebased(mut self, now: Millis, by: Millis) -> System {
        let since = self.in_use_since.saturating_sub(by);
        self.in_use_since = match self.was_in_sync || self.active == 0 {
            true => now,
            false => since.max(now.saturating_sub(NO_PATIENCE)),
        };
        self
    }
}
