//! The consumers of a service: steps the DAGs with event parameters and stores the outcome.
//!
//! # Protocol
//!
//! 1. The heads of events, their numbers and times, are read once for all consumers, after the last
//!    one that was read. They stay in memory until every DAG that consumes the asset and is not
//!    paused has decided about them.
//! 2. A consumer is [stepped](crate::schedule::consume()) when an event of its assets is new, when
//!    its time has come, when somebody has changed it, or when a run of it has ended.
//! 3. For each run that starts, its events are read with their payloads, and its parameters are
//!    made of them. The new state with its cursors, the records and the runs, which are queued, are
//!    one transaction. If another process has stored a step of the same DAG meanwhile, nothing of
//!    the step is stored, and it is made again.
//!    A slot whose run exists, because a backfill has made it, takes no events. If the backfill
//!    makes it meanwhile, nothing of the step is stored either.
//! 4. If a run cannot be made, because a payload has another type than the parameter, a default
//!    fails, or the runs start each other in a cycle, nothing of the step is stored but a pause of
//!    the DAG, with the reason. Its events stay pending.
//! 5. If the timetable of a DAG that has a schedule as well panics, the schedule alone is paused,
//!    with the panic as the reason. Events start runs as before, and so do slots that waited for
//!    their events. A timetable that panics before there is one leaves the whole DAG unserved:
//!    without the schedule it is not known which of its runs need a slot.
//!
//! The service looks for events of other processes once a second. Events of its own process, which

mod consuming;
mod heads;
mod runs;

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;

use self::consuming::{Consuming, Outcome, Stepped, report};
use self::heads::Heads;
use super::serving::ServiceEvent;
use super::wake::Wake;
use crate::base::{ErrorKind, Timestamp, catch};
use crate::dag::DagDef;
use crate::journal::{Journal, StepOutcome, StoredConsumer};
use crate::ops::{ActiveEventRuns, CONSUMING, Counting, OpsError, active_event_runs_of_dags};
use crate::schedule::{ConsumerState, EventSituation, consume};
use crate::store::EventProgress;

/// The DAGs with event parameters that a service serves.
#[derive(Debug, Default)]
pub(crate) struct Consumers {
    list: Vec<Consuming>,
    heads: Heads,
    /// How far the store was when it was read, with the steps that were stored since; `None` before
    /// the first turn.
    progress: Option<EventProgress>,
}

impl Consumers {
    /// The consumers among these DAGs, and why some of them cannot be served.
    pub(crate) fn of(dags: &[&'static DagDef]) -> (Self, Vec<ServiceEvent>) {
        let (mut list, mut events) = (Vec::new(), Vec::new());
        for &dag in dags {
            let consumer = match dag.consumer() {
                Ok(Some(consumer)) => dag.plan().map(|_| consumer).map_err(|errors| errors.to_string()),
                Ok(None) => continue,
                Err(error) => Err(error.to_string()),
            };
            match consumer {
                Ok(consumer) => list.push(Consuming::new(dag, consumer)),
                Err(reason) => events.push(ServiceEvent::Unserved { dag: dag.id, reason }),
            }
        }
        (Consumers { list, ..Consumers::default() }, events)
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The DAG may have room: one of its runs has ended.
    pub(crate) fn run_ended(&mut self, dag: &str) {
        self.list.iter_mut().filter(|consuming| consuming.dag.id == dag).for_each(|consuming| {
            consuming.wake = Wake::Now;
        });
    }

    /// Counts the active runs again where something waits for their end.
    pub(super) fn look_again(&mut self) {
        self.list.iter_mut().for_each(|consuming| consuming.wake.look_again());
    }

    /// When the next one is due.
    pub(crate) fn wake(&self) -> Option<Timestamp> {
        // The clock is looked at again at the next turn.
        let sound = self.list.iter().filter(|consuming| !consuming.is_damaged() && !consuming.is_held);
        sound.filter_map(|consuming| consuming.wake.at()).min()
    }

    /// Whether the clock is far behind the schedules of some of them.
    pub(super) fn is_held(&self) -> bool {
        self.list.iter().any(|consuming| consuming.is_held)
    }

    /// Finds those whose schedules the clock is far behind, as
    /// [`Schedules`](super::schedules::Schedules) does. They start no runs, not even of events,
    /// until the clock is right.
    fn hold(&mut self, now: Timestamp, events: &mut Vec<ServiceEvent>) {
        let was_held = self.is_held();
        let mut behind = Vec::new();
        for consuming in &mut self.list {
            let has_schedule = consuming.consumer.schedule.is_some();
            let by = consuming.state().filter(|_| has_schedule).and_then(|state| state.clock_is_behind(now));
            consuming.is_held = by.is_some();
            behind.extend(by.map(|by| (by, consuming.dag.id)));
        }
        if !was_held {
            events.extend(ServiceEvent::clock_behind(now, &behind));
        }
    }

    /// Steps the consumers that are due, that were changed or that have new events, and stores the
    /// outcome.
    pub(crate) async fn turn(
        &mut self,
        journal: &Journal,
        counting: Counting<'_>,
        events: &mut Vec<ServiceEvent>,
    ) -> Result<(), OpsError> {
        if self.list.is_empty() {
            return Ok(());
        }
        let last_event = self.read_changes(journal, events).await?;
        let now = journal.now();
        self.hold(now, events);
        let is_due =
            |consuming: &Consuming| !consuming.is_damaged() && !consuming.is_held && consuming.wake.is_due(now);
        let due: Vec<usize> = (0..self.list.len()).filter(|&at| is_due(&self.list[at])).collect();
        if due.is_empty() {
            return Ok(());
        }
        let ids: Vec<&'static str> = due.iter().map(|&at| self.list[at].dag.id).collect();
        let (mut active, mut damaged) = active_event_runs_of_dags(journal, &ids, counting).await?;
        let (mut steps, mut decided, mut outcome) = (Vec::new(), Vec::new(), Ok(()));
        for at in due {
            let id = self.list[at].dag.id;
            // Until the outcome is stored, the consumer stays due: if the store fails, it is
            // stepped again.
            self.list[at].wake = Wake::Now;
            let stepped = match damaged.remove(id) {
                Some(error) => Err(error),
                None => self.step(at, now, active.remove(id).unwrap_or_default(), last_event, journal).await,
            };
            let Stepped { wake, cursors, outcome: stepped } = match stepped {
                Ok(stepped) => stepped,
                // It holds up no other.
                Err(error) if error.kind() == ErrorKind::Damaged => {
                    outcome = outcome.and(Err(error));
                    continue;
                }
                Err(error) => return Err(error),
            };
            match stepped {
                Outcome::Nothing => {
                    self.list[at].wake = wake;
                    self.list[at].cursors = cursors;
                }
                Outcome::Unserved(reason) => {
                    self.list[at].wake = wake;
                    events.push(ServiceEvent::Unserved { dag: id, reason });
                }
                Outcome::Store { step, state, reports } => {
                    let stored = StoredConsumer { state: *state, version: step.version + 1 };
                    steps.push(step);
                    decided.push((at, wake, cursors, stored, reports));
                }
            }
        }
        if !steps.is_empty() {
            let stored = journal.store_consumptions(steps, now).await?;
            for ((at, wake, cursors, stored, reports), step) in decided.into_iter().zip(stored) {
                // After a conflict it stays due, and its state is read again.
                if let StepOutcome::Stored(runs) = step {
                    let consuming = &mut self.list[at];
                    consuming.stored = Ok(Some(stored));
                    // The slot of a run that a backfill has made leaves its place to the next one.
                    let wake = if runs.iter().any(Option::is_none) { Wake::Now } else { wake };
                    (consuming.wake, consuming.cursors) = (wake, cursors);
                    if let Some(progress) = &mut self.progress {
                        progress.steps += 1;
                    }
                    let reported = report(journal, consuming.dag.id, reports, counting, events).await;
                    // A run that could not be asked to end is asked by the next step.
                    if !matches!(reported, Ok(false)) {
                        self.list[at].wake = Wake::Now;
                    }
                    outcome = outcome.and(reported.map(|_| ()));
                }
            }
        }
        self.heads.forget(&self.list.iter().filter_map(|consuming| consuming.cursors.as_ref()));
        outcome
    }

    /// Reads what is new: the states if another process has stored a step, and the heads of events.
    /// Consumers that have either are due. Returns the number of the last event.
    async fn read_changes(&mut self, journal: &Journal, events: &mut Vec<ServiceEvent>) -> Result<i64, OpsError> {
        // Before the states and the heads: what is stored in between is noticed at the next turn,
        // and events are pending for a consumer that is new.
        let progress = journal.event_progress().await?;
        if self.progress == Some(progress) {
            return Ok(progress.last_event);
        }
        if self.progress.is_none_or(|before| before.steps != progress.steps) {
            let mut stored = journal.consumers().await?;
            for consuming in &mut self.list {
                let stored = stored.remove(consuming.dag.id).transpose().map_err(|error| error.to_string());
                events.extend(consuming.found(stored));
            }
        }
        if self.progress.is_none() {
            // A consumer that is new begins after the last event.
            let lowest = |consuming: &Consuming| consuming.state()?.lowest_cursor();
            let lowest = self.list.iter().filter_map(lowest).chain([progress.last_event]).min();
            let assets = self.list.iter().flat_map(|consuming| consuming.consumer.assets());
            self.heads = Heads::after(assets, lowest.unwrap_or(progress.last_event));
        }
        let fresh = self.heads.read(progress.last_event, journal).await?;
        for consuming in &mut self.list {
            if consuming.consumer.assets().iter().any(|asset| fresh.contains(asset)) {
                consuming.wake = Wake::Now;
            }
        }
        self.progress = Some(progress);
        Ok(progress.last_event)
    }

    /// Steps the consumer at a place of the list.
    async fn step(
        &mut self,
        at: usize,
        now: Timestamp,
        active: ActiveEventRuns,
        last_event: i64,
        journal: &Journal,
    ) -> Result<Stepped, OpsError> {
        let Consuming { dag, consumer, .. } = &self.list[at];
        let dag = *dag;
        let state = match self.list[at].state() {
            Some(state) => Some(state.clone()),
            None if dag.options.paused => {
                // It asks the timetable, which is code of the user.
                match catch(AssertUnwindSafe(|| ConsumerState::first_seen(consumer, now, last_event, true))) {
                    Ok(state) => Some(state),
                    Err(crash) => return self.list[at].pause_schedule(None, last_event, &crash.to_string(), now),
                }
            }
            None => None,
        };
        // A pause whose time has come ends with this step.
        if let Some(state) = state.as_ref().filter(|state| !state.is_paused(now)) {
            self.heads.reach(&state.cursors, journal).await?;
            if let Err(reason) = self.list[at].groups.read(state, journal).await? {
                return self.list[at].refuse(state.clone(), reason, now);
            }
        }
        let consuming = &self.list[at];
        let consumer = &consuming.consumer;
        // After a clock that was ahead and a reset, no slot after this one has been seen.
        let slots = state.as_ref().and_then(|state| state.schedule.as_ref());
        let until = slots.map_or(now, |slots| slots.noticed.max(now));
        let unsuccessful = match consumer.schedule.as_ref().is_some_and(|schedule| schedule.after_previous) {
            true => crate::ops::unsuccessful(journal, dag.id, until).await?,
            false => None,
        };
        let failures = match consumer.pause_after_failures {
            Some(limit) => crate::ops::failures(journal, dag.id, &CONSUMING, limit, until).await?,
            None => Vec::new(),
        };
        let mut slots_with_runs = BTreeSet::new();
        loop {
            // Nothing may fail until they are given back: they would be lost.
            let pending = self.heads.lend(&consumer.assets());
            let situation = EventSituation {
                now,
                active: active.count,
                unsuccessful: unsuccessful.clone(),
                last_event,
                pending: &pending,
                groups: consuming.groups.groups(),
                running: &active.last_events,
                slots_with_runs: &slots_with_runs,
                failures: failures.clone(),
            };
            // A timetable is code of the user.
            let stepped = catch(AssertUnwindSafe(|| consume(consumer, state.as_ref(), &situation)));
            self.heads.give_back(pending);
            let step = match stepped {
                Ok(step) => step,
                Err(crash) => return consuming.pause_schedule(state, last_event, &crash.to_string(), now),
            };
            // A run that exists would not get these events. Each round adds a slot, so this ends.
            let found = consuming.slots_with_runs(&step, journal).await?;
            if found.is_empty() {
                return consuming.outcome(step, state, now, journal).await;
            }
            slots_with_runs.extend(found);
        }
    }
}
