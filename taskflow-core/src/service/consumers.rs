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
//! the journal announces, wake it at once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::AssertUnwindSafe;

use super::serving::ServiceEvent;
use super::wake::Wake;
use crate::asset::{EventBinding, RawEvent};
use crate::base::{ErrorKind, Timestamp, catch};
use crate::dag::DagDef;
use crate::journal::{EventHead, Journal, NewConsumption, QueuedRun, StepOutcome, StoredConsumer, StoredEvent};
use crate::ops::{OpsError, active_runs};
use crate::run::{ConsumedEvents, RunInfo, RunType};
use crate::schedule::{
    Consumer, ConsumerDecision, ConsumerState, ConsumerStep, EventRun, EventSituation, Pause, PendingEvent, Takes,
    consume,
};

/// How many heads are read at once.
const BATCH: u32 = 10_000;

/// How many runs may start each other through events, one after the other.
const DEPTH: usize = 100;

/// How many of the runs that emitted the events of a run are asked for their path. In a cycle, the
/// newest are among them.
const ASKED: usize = 20;

/// The DAGs with event parameters that a service serves.
#[derive(Debug, Default)]
pub(crate) struct Consumers {
    list: Vec<Consuming>,
    /// By asset, the events that may be pending.
    heads: BTreeMap<String, Heads>,
    /// Events up to here were read; `None` before the first turn.
    read: Option<i64>,
}

#[derive(Debug)]
struct Consuming {
    dag: &'static DagDef,
    consumer: Consumer,
    /// The version of the state at its last step.
    version: i64,
    /// The cursors at its last step; none while it is paused.
    cursors: Option<BTreeMap<String, i64>>,
    /// When to step it again.
    wake: Wake,
}

/// The events of an asset.
#[derive(Debug, Default)]
struct Heads {
    /// Those after this number are all there.
    from: i64,
    events: Vec<PendingEvent>,
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
    pub(crate) fn run_ended(&mut self, dag: &str) {
        self.list.iter_mut().filter(|consuming| consuming.dag.id == dag).for_each(|consuming| {
            consuming.wake = Wake::Now;
        });
    }

    /// When the next one is due.
    pub(crate) fn wake(&self) -> Option<Timestamp> {
        self.list.iter().filter_map(|consuming| consuming.wake.at()).min()
    }

    /// Steps the consumers that are due, that were changed or that have new events, and stores the
    /// outcome. `backfilled` are the ids of the runs of backfills, which take no room.
    pub(crate) async fn turn(
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
        let now = journal.now();
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

impl Heads {
    fn after(from: i64) -> Self {
        Heads { from, events: Vec::new() }
    }

    /// Reads again what was dropped after a cursor: the consumer was paused meanwhile, or its state
    /// was changed by hand.
    async fn reach(&mut self, cursor: i64, asset: &str, journal: &Journal) -> Result<(), OpsError> {
        if cursor >= self.from {
            return Ok(());
        }
        let (mut after, until) = (cursor, self.from);
        let mut dropped = Vec::new();
        while after < until {
            let heads = journal.pending(&[asset.to_owned()], after, BATCH).await?;
            let Some(last) = heads.last() else { break };
            after = last.number;
            let heads = heads.into_iter().take_while(|head| head.number <= until);
            dropped.extend(heads.map(|head| PendingEvent { number: head.number, at: head.emitted }));
        }
        self.events.splice(0..0, dropped);
        self.from = cursor;
        Ok(())
    }
}

/// The outcome of a step.
struct Stepped {
    /// When to step again.
    wake: Wake,
    /// The cursors, unless the DAG is paused.
    cursors: Option<BTreeMap<String, i64>>,
    outcome: Outcome,
}

enum Outcome {
    /// There is nothing to store.
    Nothing,
    /// The consumer cannot be served.
    Unserved(String),
    /// This is to be stored, and then to be reported.
    Store(NewConsumption, Vec<Report>),
}

/// What is reported of a step when it is stored.
enum Report {
    Decision(ConsumerDecision),
    /// The DAG was paused, because a run could not be made.
    Paused(String),
}

impl Consuming {
    /// Makes the runs that a step starts.
    async fn outcome(
        &self,
        step: ConsumerStep,
        before: Option<ConsumerState>,
        is_stored: bool,
        now: Timestamp,
        journal: &Journal,
    ) -> Result<Stepped, OpsError> {
        let is_to_be_stored = step.is_to_be_stored(before.as_ref().filter(|_| is_stored));
        let ConsumerStep { state, decisions, wake, .. } = step;
        let wake = wake.map_or(Wake::Never, Wake::At);
        let mut runs = Vec::new();
        for decision in &decisions {
            if let ConsumerDecision::Start(run) = decision {
                match self.run_of(run, now, journal).await? {
                    Ok(run) => runs.push(run),
                    Err(reason) => return self.refuse(before.unwrap_or(state), reason, now),
                }
            }
        }
        let cursors = state.pause.is_none().then(|| state.cursors.clone());
        if !is_to_be_stored {
            return Ok(Stepped { wake, cursors, outcome: Outcome::Nothing });
        }
        let records = decisions.iter().filter_map(|decision| match decision {
            ConsumerDecision::Record(record) => Some(record.clone()),
            _ => None,
        });
        let step = self.consumption(&state, records.collect(), runs)?;
        let reports = decisions.into_iter().map(Report::Decision).collect();
        Ok(Stepped { wake, cursors, outcome: Outcome::Store(step, reports) })
    }

    /// Pauses the DAG in its state before the step.
    fn refuse(&self, before: ConsumerState, reason: String, now: Timestamp) -> Result<Stepped, OpsError> {
        let pause = Pause { by: "taskflow".to_owned(), reason: reason.clone(), since: now, until: None };
        let state = ConsumerState { pause: Some(pause), ..before };
        let step = self.consumption(&state, Vec::new(), Vec::new())?;
        let outcome = Outcome::Store(step, vec![Report::Paused(reason)]);
        Ok(Stepped { wake: Wake::Never, cursors: None, outcome })
    }

    fn consumption(
        &self,
        state: &ConsumerState,
        records: Vec<crate::schedule::SlotRecord>,
        runs: Vec<QueuedRun>,
    ) -> Result<NewConsumption, OpsError> {
        let dag = self.dag.id.to_owned();
        Ok(NewConsumption::new(dag, self.version, state, records, runs)?)
    }

    /// The run of some events, with the defaults of its other parameters; or why it cannot be made.
    async fn run_of(
        &self,
        run: &EventRun,
        now: Timestamp,
        journal: &Journal,
    ) -> Result<Result<QueuedRun, String>, OpsError> {
        let dag = self.dag;
        let plan = match dag.plan() {
            Ok(plan) => plan,
            Err(errors) => return Ok(Err(errors.to_string())),
        };
        let mut values = HashMap::new();
        let (mut consumed, mut emitters) = (Vec::new(), Vec::new());
        let bindings = plan.params().iter().filter_map(|param| Some((param.name, param.event.as_ref()?)));
        for ((param, binding), numbers) in bindings.zip(&run.taken) {
            let events = match read_events(binding, numbers, journal).await {
                Ok(events) => events,
                Err(error) if error.kind() == ErrorKind::Damaged => return Ok(Err(error.to_string())),
                Err(error) => return Err(error),
            };
            if events.len() < numbers.len() {
                let gone = format!(
                    "events of `{}` that parameter `{param}` takes are not in the store any more",
                    binding.asset
                );
                return Ok(Err(gone));
            }
            // Looking is not consuming, and starts nothing.
            if binding.takes != Takes::Seen {
                consumed.extend(ConsumedEvents::of(param, &binding.asset, numbers));
                emitters.extend(events.iter().rev().filter_map(|event| event.run.clone()));
            }
            match binding.value(events) {
                Ok(value) => values.insert(param, value),
                Err(reason) => return Ok(Err(format!("parameter `{param}`: {reason}"))),
            };
        }
        let path = self.path(emitters, journal).await?;
        if path.len() >= DEPTH {
            return Ok(Err(too_deep(&path, dag.id)));
        }
        let info = match (run.slot, run.last_event()) {
            (None, Some(number)) => RunInfo::event(dag.id, run.at, number),
            (slot, _) => RunInfo::scheduled(dag.id, run.at, slot.and_then(|slot| slot.interval)),
        };
        Ok(QueuedRun::of_dag(dag, info.consuming(consumed, path), &values, |_| None, now))
    }

    /// The longest path of the runs that emitted the events: the DAGs that led to the new run.
    async fn path(&self, emitters: Vec<String>, journal: &Journal) -> Result<Vec<String>, OpsError> {
        let mut longest = Vec::new();
        let mut asked = HashSet::new();
        for run in emitters {
            if asked.len() == ASKED {
                break;
            }
            if asked.insert(run.clone()) {
                // A run that was deleted has no path any more.
                let path = journal.run_info(&run).await?.map(|info| info.path()).unwrap_or_default();
                if path.len() > longest.len() {
                    longest = path;
                }
            }
        }
        Ok(longest)
    }
}

/// The events that a parameter takes; for one that only looks, the newest.
async fn read_events(binding: &EventBinding, numbers: &[i64], journal: &Journal) -> Result<Vec<RawEvent>, OpsError> {
    let events = match binding.takes {
        Takes::Seen => journal.newest_event(&binding.asset).await?.into_iter().collect(),
        _ => journal.events_of(&binding.asset, numbers).await?,
    };
    let raw = |StoredEvent { head, ty, bytes, run, task, .. }: StoredEvent| RawEvent {
        number: head.number,
        at: head.emitted,
        partition: head.partition,
        ty,
        bytes,
        run,
        task,
    };
    Ok(events.into_iter().map(raw).collect())
}

/// Why a cycle of runs is ended, with one round of it.
fn too_deep(path: &[String], dag: &str) -> String {
    let last = path.iter().rposition(|before| before == dag).unwrap_or(path.len().saturating_sub(3));
    let mut round: Vec<&str> = path[last..].iter().map(String::as_str).collect();
    round.push(dag);
    format!("{} runs have started each other through events: {}", path.len(), round.join(" -> "))
}

/// Carries out decisions that are stored, and reports them.
async fn report(
    journal: &Journal,
    dag: &'static str,
    reports: Vec<Report>,
    backfilled: &HashSet<String>,
    events: &mut Vec<ServiceEvent>,
) -> Result<(), OpsError> {
    for report in reports {
        match report {
            Report::Paused(reason) => events.push(ServiceEvent::Paused { dag, reason }),
            Report::Decision(ConsumerDecision::Start(_)) => {}
            Report::Decision(ConsumerDecision::Record(record)) => events.push(ServiceEvent::Recorded { dag, record }),
            Report::Decision(ConsumerDecision::Note(note)) => events.push(ServiceEvent::Noted { dag, note }),
            Report::Decision(ConsumerDecision::CancelActive) => {
                super::schedules::cancel_active(journal, dag, backfilled, events).await?;
            }
        }
    }
    Ok(())
}
