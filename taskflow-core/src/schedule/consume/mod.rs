//! The one function that decides which events of assets become runs of a DAG.
//!
//! It is to events what [`step`](crate::schedule::step()) is to slots: it reads no clock and no
//! store, and the service, the tests and the question why a run has not started use the same one.
//!
//! # Protocol
//!
//! 1. Events have numbers that only grow. A consumer has a cursor for each asset that it consumes:
//!    the events up to it are decided, and the events after it are pending. The cursors of a DAG
//!    that is new, and of an asset that is new to the DAG, begin at the last event.
//! 2. While the DAG is paused nothing is decided, and its events stay pending.
//! 3. Pending events that are older than `max_age` expire, with a record.
//! 4. With a schedule, a slot that may start becomes an open slot. It becomes a run when the events
//!    are there, or expires, with a record, after `wait`.
//! 5. Otherwise a run starts when each required input has what it takes, or when any input has
//!    something if none is required. A run takes from every input, and moves the cursors over what
//!    it takes. Events that an input passes over are superseded, with a record.
//! 6. With a key, or of periods, a run is about one group of events: one run for each key at a
//!    time, and one for each period, when each of its parts has an event, or as many as are needed.
//!    Groups do not wait for each other, so what is decided after the cursor is noted as well. A
//!    later event of a period is recorded, or starts another run of it.
//! 7. The caller stores the new state, the records and the runs in one transaction. A crash before
//!    that repeats the step; the id of a run derives from its slot, or from the last event that it
//!    consumes, so that no second process can make a run twice.

use std::collections::BTreeMap;

mod consumer;
mod events;
mod groups;
mod offers;
mod pending;
mod slots;
mod state;
mod step;
mod stepper;
mod unpause;

pub use consumer::{Consumer, EventInput, PartsNeeded, Takes};
pub(crate) use offers::{Offered, offers};
pub(crate) use pending::is_of_events;
use pending::{move_cursors, undecided};
pub use state::ConsumerState;
pub use step::{
    ConsumerDecision, ConsumerStep, EventGroup, EventGroups, EventRun, EventSituation, EventWaits, PendingEvent,
    PendingPeriod,
};
use stepper::Stepper;
pub use unpause::unpause_consumer;
pub(crate) use unpause::{begin_changed_slots, end_consumer_pause, pass_over_slots, unpause_consumer_noted};

/// Decides which runs start now. `None` as the state is a DAG that no service has seen before.
pub fn consume(consumer: &Consumer, state: Option<&ConsumerState>, situation: &EventSituation<'_>) -> ConsumerStep {
    let EventSituation { now, last_event, .. } = *situation;
    let state = state.cloned().unwrap_or_else(|| ConsumerState::first_seen(consumer, now, last_event, false));
    let all = situation.pending;
    let undecided = undecided(&state, situation);
    let situation = &EventSituation { pending: undecided.as_ref().unwrap_or(all), ..situation.clone() };
    let mut stepper = Stepper {
        consumer,
        situation,
        state,
        passed: BTreeMap::new(),
        decisions: Vec::new(),
        ended: None,
        wake: None,
        room: consumer.max_active_runs.saturating_sub(situation.active),
        schedule_changed: false,
    };
    stepper.fit_cursors();
    stepper.pause_after_failures();
    let is_paused = stepper.is_paused();
    let waits = if is_paused {
        Some(EventWaits::Paused)
    } else {
        stepper.expire();
        let waits = stepper.slots();
        match consumer.starts_with_slots() {
            true => waits.or(Some(EventWaits::ForSlot)),
            false if consumer.is_grouped() => stepper.groups(),
            false => stepper.events().or(waits),
        }
    };
    let Stepper { mut state, passed, decisions, wake, schedule_changed, .. } = stepper;
    // Of a paused DAG, not all events after its cursors are known.
    if !is_paused {
        move_cursors(&mut state, all, &passed);
    }
    ConsumerStep { state, decisions, wake, waits, schedule_changed }
}
