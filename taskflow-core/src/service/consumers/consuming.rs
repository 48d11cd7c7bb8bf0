//! A DAG with event parameters: the outcome of a step of it.

use std::collections::BTreeMap;

use crate::base::Timestamp;
use crate::dag::DagDef;
use crate::journal::{Journal, NewConsumption, QueuedRun, StoredConsumer};
use crate::ops::{Counting, GroupReader, OpsError};
use crate::schedule::{
    Consumer, ConsumerDecision, ConsumerState, ConsumerStep, EventWaits, Note, Overlap, Pause, SlotFate, SlotRecord,
};
use crate::service::schedules::cancel_active;
use crate::service::serving::ServiceEvent;
use crate::service::wake::Wake;

/// A DAG with event parameters.
#[derive(Debug)]
pub(super) struct Consuming {
    pub(super) dag: &'static DagDef,
    pub(super) consumer: Consumer,
    /// The groups of its events, if its runs take one group each.
    pub(super) groups: GroupReader,
    /// What the store has of it, or why that cannot be read.
    pub(super) stored: Result<Option<StoredConsumer>, String>,
    /// The cursors at its last step; none while it is paused.
    pub(super) cursors: Option<BTreeMap<String, i64>>,
    /// When to step it again.
    pub(super) wake: Wake,
    /// Whether the clock is far behind its schedule.
    pub(super) is_held: bool,
}

/// The outcome of a step.
pub(super) struct Stepped {
    /// When to step again.
    pub(super) wake: Wake,
    /// The cursors, unless the DAG is paused.
    pub(super) cursors: Option<BTreeMap<String, i64>>,
    pub(super) outcome: Outcome,
}

/// What is to be done about a step.
pub(super) enum Outcome {
    /// There is nothing to store.
    Nothing,
    /// The consumer cannot be served.
    Unserved(String),
    /// The step is to be stored, and then to be reported.
    Store { step: NewConsumption, state: Box<ConsumerState>, reports: Vec<Report> },
}

/// What is reported of a step when it is stored.
pub(super) enum Report {
    Decision(ConsumerDecision),
    /// The DAG was paused, because a run could not be made.
    Paused(String),
}

impl Consuming {
    pub(super) fn new(dag: &'static DagDef, consumer: Consumer) -> Self {
        let groups = GroupReader::of(dag);
        Consuming { dag, consumer, groups, stored: Ok(None), cursors: None, wake: Wake::Now, is_held: false }
    }

    /// The state in the store; `None` for a DAG that is new.
    pub(super) fn state(&self) -> Option<&ConsumerState> {
        self.stored.as_ref().ok()?.as_ref().map(|stored| &stored.state)
    }

    /// Whether its state is damaged, so that it cannot be served.
    pub(super) fn is_damaged(&self) -> bool {
        self.stored.is_err()
    }

    /// The version of the stored state; 0 for a DAG that is new.
    fn version(&self) -> i64 {
        self.stored.as_ref().ok().and_then(Option::as_ref).map_or(0, |stored| stored.version)
    }

    /// Takes what the store has of it. If that has changed, the consumer is due, or it is reported
    /// that it is damaged.
    pub(super) fn found(&mut self, stored: Result<Option<StoredConsumer>, String>) -> Option<ServiceEvent> {
        if stored == self.stored {
            return None;
        }
        self.stored = stored;
        self.wake = Wake::Now;
        let reason = self.stored.as_ref().err()?.clone();
        Some(ServiceEvent::Unserved { dag: self.dag.id, reason })
    }

    /// Makes the runs that a step starts.
    pub(super) async fn outcome(
        &self,
        step: ConsumerStep,
        before: Option<ConsumerState>,
        now: Timestamp,
        journal: &Journal,
    ) -> Result<Stepped, OpsError> {
        let is_to_be_stored = step.is_to_be_stored(self.state());
        let ConsumerStep { state, mut decisions, wake, waits, .. } = step;
        let mut wake = wake.map_or(Wake::Never, Wake::At);
        let waits_for_runs = |waits: &EventWaits| {
            matches!(waits, EventWaits::ForRoom { .. } | EventWaits::ForPrevious { .. } | EventWaits::ForKey { .. })
        };
        // With `cancel`, each step asks the active runs to end.
        let cancels = self.consumer.schedule.as_ref().is_some_and(|schedule| schedule.overlap == Overlap::Cancel);
        if !cancels && waits.as_ref().is_some_and(waits_for_runs) {
            wake = wake.after_run();
        }
        let mut runs = Vec::new();
        for decision in &mut decisions {
            if let ConsumerDecision::Start(run) = decision {
                match self.run_of(run, now, journal).await? {
                    Ok(run) => runs.push(run),
                    // The other parts may not be in the store any more.
                    Err(reason) if run.again => {
                        let reason = format!("an update of {}: {reason}", run.key.as_deref().unwrap_or_default());
                        let (first, count, fate) =
                            (run.at, run.taken.iter().flatten().count() as u64, SlotFate::Failed);
                        *decision = ConsumerDecision::Record(SlotRecord { first, last: first, count, fate, reason });
                        // Its place is free, and no run will end.
                        wake = Wake::Now;
                    }
                    Err(reason) => return self.refuse(before.unwrap_or(state), reason, now),
                }
            }
        }
        let cursors = state.pause.is_none().then(|| state.cursors.clone());
        if !is_to_be_stored {
            return Ok(Stepped { wake, cursors, outcome: Outcome::Nothing });
        }
        let (mut records, mut notes) = (Vec::new(), Vec::new());
        for decision in &decisions {
            match decision {
                ConsumerDecision::Record(record) => records.push(record.clone()),
                ConsumerDecision::Note(note) => notes.push(note.clone()),
                ConsumerDecision::Start(_) | ConsumerDecision::CancelActive => {}
            }
        }
        let step = self.consumption(&state, records, notes, runs)?;
        let reports = decisions.into_iter().map(Report::Decision).collect();
        Ok(Stepped { wake, cursors, outcome: Outcome::Store { step, state: Box::new(state), reports } })
    }

    /// Pauses the schedule of the DAG, whose timetable has panicked. Its events are served.
    pub(super) fn pause_schedule(
        &self,
        before: Option<ConsumerState>,
        last_event: i64,
        panic: &str,
        now: Timestamp,
    ) -> Result<Stepped, OpsError> {
        let (state, pause) =
            ConsumerState::after_panic(&self.consumer, before, (last_event, self.dag.options.paused), panic, now);
        let Some(pause) = pause else {
            let outcome = Outcome::Unserved(format!("its timetable {panic}"));
            return Ok(Stepped { wake: Wake::Never, cursors: None, outcome });
        };
        let note = Note::Paused(pause);
        let step = self.consumption(&state, Vec::new(), vec![note.clone()], Vec::new())?;
        let cursors = Some(state.cursors.clone());
        let reports = vec![Report::Decision(ConsumerDecision::Note(note))];
        // The next step is about the events.
        Ok(Stepped { wake: Wake::Now, cursors, outcome: Outcome::Store { step, state: Box::new(state), reports } })
    }

    /// Pauses the DAG in its state before the step.
    pub(super) fn refuse(&self, before: ConsumerState, reason: String, now: Timestamp) -> Result<Stepped, OpsError> {
        let pause = Pause::refused(reason.clone(), now);
        // One whose time has come, which the step would have ended.
        let ended = before.pause.clone().map(Note::PauseEnded);
        let notes = ended.into_iter().chain([Note::Paused(pause.clone())]).collect();
        let state = ConsumerState { pause: Some(pause), ..before };
        let step = self.consumption(&state, Vec::new(), notes, Vec::new())?;
        let outcome = Outcome::Store { step, state: Box::new(state), reports: vec![Report::Paused(reason)] };
        Ok(Stepped { wake: Wake::Never, cursors: None, outcome })
    }

    fn consumption(
        &self,
        state: &ConsumerState,
        records: Vec<SlotRecord>,
        notes: Vec<Note>,
        runs: Vec<QueuedRun>,
    ) -> Result<NewConsumption, OpsError> {
        let dag = self.dag.id.to_owned();
        Ok(NewConsumption::new(dag, self.version(), state, records, notes, runs)?)
    }
}

/// Carries out decisions that are stored, and reports them. Returns whether that has ended a queued
/// run: the service does not hear of such an end otherwise.
pub(super) async fn report(
    journal: &Journal,
    dag: &'static str,
    reports: Vec<Report>,
    counting: Counting<'_>,
    events: &mut Vec<ServiceEvent>,
) -> Result<bool, OpsError> {
    let mut cancels = false;
    for report in reports {
        match report {
            Report::Paused(reason) => events.push(ServiceEvent::Paused { dag, reason }),
            Report::Decision(ConsumerDecision::Start(_)) => {}
            Report::Decision(ConsumerDecision::Record(record)) => events.push(ServiceEvent::Recorded { dag, record }),
            Report::Decision(ConsumerDecision::Note(note)) => events.push(ServiceEvent::Noted { dag, note }),
            Report::Decision(ConsumerDecision::CancelActive) => cancels = true,
        }
    }
    match cancels {
        true => cancel_active(journal, dag, counting, events).await,
        false => Ok(false),
    }
}
