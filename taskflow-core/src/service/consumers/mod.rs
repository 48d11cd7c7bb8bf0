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
//! 4. If a run cannot be made, because a payload has another type than the parameter, a default
//!    fails, or the runs start each other in a cycle, nothing of the step is stored but a pause of
//!    the DAG, with the reason. Its events stay pending.
//!
//! The service looks for events of other processes once a second. Events of its own process, which

mod consuming;
mod heads;
mod runs;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::AssertUnwindSafe;

use self::consuming::{Consuming, Outcome, Stepped, report};
use self::heads::{BATCH, Heads};
use super::serving::ServiceEvent;
use super::wake::Wake;
use crate::base::{Timestamp, catch};
use crate::dag::DagDef;
use crate::journal::{EventHead, Journal, StepOutcome, StoredConsumer};
use crate::ops::{OpsError, active_runs};
use crate::run::RunType;
use crate::schedule::{ConsumerState, EventSituation, PendingEvent, consume};

/// The DAGs with event parameters that a service serves.
#[derive(Debug, Default)]
pub(super) struct Consumers {
    list: Vec<Consuming>,
    /// By asset, the events that may be pending.
    heads: BTreeMap<String, Heads>,
    /// Events up to here were read; `None` before the first turn.
    read: Option<i64>,
}

impl Consumers {
    /// The consumers among these DAGs, and why some of them cannot be served.
    pub(super) fn of(dags: &[&'static DagDef]) -> (Self, Vec<ServiceEvent>) {
        let (mut list, mut events) = (Vec::new(), Vec::new());
        for &dag in dags {
            let consumer = match dag.consumer() {
                Ok(Some(consumer)) => dag.plan().map(|_| consumer).map_err(|errors| errors.to_string()),
                Ok(None) => continue,
                Err(error) => Err(error.to_string()),
            };
            match consumer {
                Ok(consumer) => list.push(Consuming { dag, consumer, version: 0, cursors: None, wake: Wake::Now }),
                Err(reason) => events.push(ServiceEvent::Unserved { dag: dag.id, reason }),
            }
        }
        (Consumers { list, ..Consumers::default() }, events)
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The DAG may have room: one of its runs has ended.
    pub(super) fn run_ended(&mut self, dag: &str) {
        self.list.iter_mut().filter(|consuming| consuming.dag.id == dag).for_each(|consuming| {
            consuming.wake = Wake::Now;
        });
    }

    /// When the next one is due.
    pub(super) fn wake(&self) -> Option<Timestamp> {
        self.list.iter().filter_map(|consuming| consuming.wake.at()).min()
    }

    /// Steps the consumers that are due, that were changed or that have new events, and stores the
    /// outcome. `backfilled` are the ids of the runs of backfills, which take no room.
    pub(super) async fn turn(
        &mut self,
        journal: &Journal,
        backfilled: &HashSet<String>,
        events: &mut Vec<ServiceEvent>,
    ) -> Result<(), OpsError> {
        if self.list.is_empty() {
            return Ok(());
        }
        let mut stored = journal.consumers().await?;
        // Read before the heads: what is emitted in between is pending for a consumer that is new.
        let last_event = journal.last_event().await?;
        self.read(journal, &stored, last_event).await?;
        let now = Timestamp::now();
        let is_due = |consuming: &Consuming| {
            let version = stored.get(consuming.dag.id).map_or(0, |stored| stored.version);
            version != consuming.version || consuming.wake.is_due(now)
        };
        let due: Vec<usize> = (0..self.list.len()).filter(|&at| is_due(&self.list[at])).collect();
        if due.is_empty() {
            return Ok(());
        }
        let active = active_runs(journal, &[RunType::Scheduled, RunType::Event], backfilled).await?;
        let (mut steps, mut decided) = (Vec::new(), Vec::new());
        for at in due {
            let id = self.list[at].dag.id;
            let stored = stored.remove(id);
            self.list[at].version = stored.as_ref().map_or(0, |stored| stored.version);
            // Until the outcome is stored, the consumer stays due: if the store fails, it is
            // stepped again.
            self.list[at].wake = Wake::Now;
            let active = active.get(id).copied().unwrap_or(0);
            let Stepped { wake, cursors, outcome } =
                self.step(at, stored.as_ref(), now, active, last_event, journal).await?;
            match outcome {
                Outcome::Nothing => {
                    self.list[at].wake = wake;
                    self.list[at].cursors = cursors;
                }
                Outcome::Unserved(reason) => {
                    self.list[at].wake = wake;
                    events.push(ServiceEvent::Unserved { dag: id, reason });
                }
                Outcome::Store(step, decisions) => {
                    steps.push(step);
                    decided.push((at, wake, cursors, decisions));
                }
            }
        }
        if !steps.is_empty() {
            let outcomes = journal.store_consumptions(steps, now).await?;
            for ((at, wake, cursors, decisions), outcome) in decided.into_iter().zip(outcomes) {
                // After a conflict it stays due.
                if matches!(outcome, StepOutcome::Stored(_)) {
                    let consuming = &mut self.list[at];
                    consuming.version += 1;
                    (consuming.wake, consuming.cursors) = (wake, cursors);
                    report(journal, consuming.dag.id, decisions, backfilled, events).await?;
                }
            }
        }
        self.forget();
        Ok(())
    }

    /// Reads the heads of new events, and wakes the consumers that they are for.
    async fn read(
        &mut self,
        journal: &Journal,
        stored: &HashMap<String, StoredConsumer>,
        last_event: i64,
    ) -> Result<(), OpsError> {
        let assets: Vec<String> = {
            let assets: HashSet<String> =
                self.list.iter().flat_map(|consuming| consuming.consumer.assets().into_iter()).collect();
            assets.into_iter().collect()
        };
        let mut after = match self.read {
            Some(read) if read >= last_event => return Ok(()),
            Some(read) => read,
            // What a stored consumer has not decided; one that is new begins after the last event.
            None => {
                let mut lowest = last_event;
                for consuming in &self.list {
                    if let Some(stored) = stored.get(consuming.dag.id) {
                        let state: ConsumerState = stored.read(consuming.dag.id)?;
                        lowest = lowest.min(state.lowest_cursor().unwrap_or(last_event));
                    }
                }
                self.heads = assets.iter().map(|asset| (asset.clone(), Heads::after(lowest))).collect();
                lowest
            }
        };
        let mut fresh: HashSet<String> = HashSet::new();
        loop {
            let heads = journal.pending(&assets, after, BATCH).await?;
            let is_last = heads.len() < BATCH as usize;
            after = heads.last().map_or(after, |head| head.number);
            for EventHead { number, asset, emitted, .. } in heads {
                if let Some(heads) = self.heads.get_mut(&asset) {
                    heads.events.push(PendingEvent { number, at: emitted });
                    fresh.insert(asset);
                }
            }
            if is_last {
                break;
            }
        }
        self.read = Some(after.max(last_event));
        for consuming in &mut self.list {
            if consuming.consumer.assets().iter().any(|asset| fresh.contains(asset)) {
                consuming.wake = Wake::Now;
            }
        }
        Ok(())
    }

    /// Steps the consumer at a place of the list.
    async fn step(
        &mut self,
        at: usize,
        stored: Option<&StoredConsumer>,
        now: Timestamp,
        active: u32,
        last_event: i64,
        journal: &Journal,
    ) -> Result<Stepped, OpsError> {
        let Consuming { dag, consumer, .. } = &self.list[at];
        let state: Option<ConsumerState> = match stored {
            Some(stored) => Some(stored.read(dag.id)?),
            None if dag.options.paused => Some(ConsumerState::first_seen(consumer, now, last_event, true)),
            None => None,
        };
        let is_paused = state.as_ref().is_some_and(|state| state.pause.is_some());
        if let Some(state) = state.as_ref().filter(|_| !is_paused) {
            for (asset, cursor) in &state.cursors {
                if let Some(heads) = self.heads.get_mut(asset) {
                    heads.reach(*cursor, asset, journal).await?;
                }
            }
        }
        let unsuccessful = match consumer.schedule.as_ref().is_some_and(|schedule| schedule.after_previous) {
            true => crate::ops::unsuccessful(journal, dag.id).await?,
            false => None,
        };
        let assets = consumer.assets();
        let mut pending: BTreeMap<String, Vec<PendingEvent>> = BTreeMap::new();
        for asset in assets {
            if let Some(heads) = self.heads.get_mut(&asset) {
                pending.insert(asset, std::mem::take(&mut heads.events));
            }
        }
        let situation = EventSituation { now, active, unsuccessful, last_event, pending: &pending };
        // A timetable is code of the user.
        let stepped = catch(AssertUnwindSafe(|| consume(consumer, state.as_ref(), &situation)));
        for (asset, events) in pending {
            if let Some(heads) = self.heads.get_mut(&asset) {
                heads.events = events;
            }
        }
        let step = match stepped {
            Ok(step) => step,
            Err(crash) => {
                let outcome = Outcome::Unserved(format!("its timetable {crash}"));
                return Ok(Stepped { wake: Wake::Never, cursors: None, outcome });
            }
        };
        self.list[at].outcome(step, state, stored.is_some(), now, journal).await
    }

    /// Drops the heads that every consumer has decided.
    fn forget(&mut self) {
        for (asset, heads) in &mut self.heads {
            let cursors = self.list.iter().filter_map(|consuming| consuming.cursors.as_ref()?.get(asset).copied());
            let decided = cursors.min().or(self.read).unwrap_or(heads.from);
            // A part is not worth moving the rest.
            let count = heads.events.partition_point(|event| event.number <= decided);
            if count == heads.events.len() || count > BATCH as usize {
                heads.events.drain(..count);
                heads.from = heads.from.max(decided);
            }
        }
    }
}
