//! The schedules of a service: steps those that are due and stores the outcome.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use super::serving::ServiceEvent;
use super::wake::Wake;
use crate::base::{ErrorKind, Timestamp, catch};
use crate::dag::{DagDef, ScheduleError};
use crate::journal::{DamagedSchedule, Journal, NewStep, Note, QueuedRun, StepOutcome, StoredSchedule, word_of};
use crate::ops::{self, Counting, OpsError, active_runs_of_dags, failures, unsuccessful};
use crate::run::{RunInfo, RunType};
use crate::schedule::{
    Decision, Note as ScheduleNote, Overlap, Recurrence, Schedule, ScheduleState, Situation, SlotFate, SlotRecord,
    Step, Waits, step,
};
use crate::store::RunFilter;

/// How long `@continuous` waits after a slot whose run could not be made.
const CONTINUOUS_PAUSE: Duration = Duration::from_secs(60);

/// The schedules of the DAGs that a service serves.
#[derive(Debug)]
pub(crate) struct Schedules {
    dags: Vec<Scheduled>,
    /// How many steps the store had when the states were read, and how many were stored since.
    steps: Option<i64>,
    /// The clock at the last turn.
    clock: Timestamp,
    /// Whether the clock is so far behind that nothing is scheduled.
    is_held: bool,
}

#[derive(Debug)]
struct Scheduled {
    dag: &'static DagDef,
    /// The schedule, or the panic of the code that makes its timetable.
    schedule: Result<Schedule, String>,
    /// What the store has of it.
    stored: Option<StoredSchedule>,
    /// Why that cannot be read: then it is not served.
    damage: Option<String>,
    /// When to step it again.
    wake: Wake,
}

impl Schedules {
    /// The schedules of these DAGs, and why some of them cannot be served.
    pub(crate) fn of(dags: &[&'static DagDef]) -> (Self, Vec<ServiceEvent>) {
        let (mut scheduled, mut events) = (Vec::new(), Vec::new());
        for &dag in dags {
            // The slots of a DAG with event parameters are those of its consumer.
            if (dag.params)().iter().any(|param| param.event.is_some()) {
                continue;
            }
            match dag.options.schedule(dag.id) {
                Ok(Some(schedule)) => scheduled.push(Scheduled::new(dag, Ok(schedule))),
                Ok(None) => {}
                Err(ScheduleError::Panicked(panic)) => scheduled.push(Scheduled::new(dag, Err(panic))),
                Err(error) => events.push(ServiceEvent::Unserved { dag: dag.id, reason: error.to_string() }),
            }
        }
        (Schedules { dags: scheduled, steps: None, clock: Timestamp::EPOCH, is_held: false }, events)
    }

    /// Whether nothing is scheduled, because the clock is far behind.
    pub(super) fn is_held(&self) -> bool {
        self.is_held
    }

    pub(super) fn len(&self) -> usize {
        self.dags.len()
    }

    /// The DAG may have room: one of its runs has ended.
    pub(crate) fn run_ended(&mut self, dag: &str) {
        let of_dag = self.dags.iter_mut().filter(|scheduled| scheduled.dag.id == dag);
        of_dag.for_each(|scheduled| scheduled.wake = Wake::Now);
    }

    /// When the next one is due.
    pub(crate) fn wake(&self) -> Option<Timestamp> {
        // The clock is looked at again at the next turn.
        let sound = self.dags.iter().filter(|scheduled| !self.is_held && scheduled.damage.is_none());
        sound.filter_map(|scheduled| scheduled.wake.at()).min()
    }

    /// Whether nothing is scheduled, because the clock is far behind what the store says.
    fn hold(&mut self, now: Timestamp, events: &mut Vec<ServiceEvent>) -> bool {
        let mut behind = Vec::new();
        for scheduled in &self.dags {
            let by = scheduled.stored.as_ref().and_then(|stored| stored.state.clock_is_behind(now));
            behind.extend(by.map(|by| (by, scheduled.dag.id)));
        }
        if !self.is_held {
            events.extend(ServiceEvent::clock_behind(now, &behind));
        }
        self.is_held = !behind.is_empty();
        self.is_held
    }

    /// Counts the active runs again where something waits for their end.
    pub(super) fn look_again(&mut self) {
        self.dags.iter_mut().for_each(|scheduled| scheduled.wake.look_again());
    }

    /// Steps the schedules that are due or were changed, and stores the outcome.
    pub(crate) async fn turn(
        &mut self,
        journal: &Journal,
        counting: Counting<'_>,
        now: Timestamp,
        events: &mut Vec<ServiceEvent>,
    ) -> Result<(), OpsError> {
        if self.dags.is_empty() {
            return Ok(());
        }
        self.read_changes(journal, events).await?;
        if self.hold(now, events) {
            return Ok(());
        }
        if self.clock.since(now) >= Duration::from_secs(1) {
            // The clock went back, which each schedule notes.
            self.dags.iter_mut().for_each(|scheduled| scheduled.wake = Wake::Now);
        }
        self.clock = now;
        let is_due = |scheduled: &Scheduled| scheduled.damage.is_none() && scheduled.wake.is_due(now);
        let due: Vec<usize> = (0..self.dags.len()).filter(|&at| is_due(&self.dags[at])).collect();
        if due.is_empty() {
            return Ok(());
        }
        let ids: Vec<&'static str> = due.iter().map(|&at| self.dags[at].dag.id).collect();
        let (active, mut damaged) = active_runs_of_dags(journal, &ids, &[RunType::Scheduled], counting).await?;
        let (mut steps, mut decided, mut outcome) = (Vec::new(), Vec::new(), Ok(()));
        for at in due {
            let scheduled = &mut self.dags[at];
            let id = scheduled.dag.id;
            scheduled.make();
            let active = match damaged.remove(id) {
                Some(error) => Err(error),
                None => Ok(active.get(id).copied().unwrap_or(0)),
            };
            // After a clock that was ahead and a reset, no slot after this one has been seen.
            let until = scheduled.stored.as_ref().map_or(now, |stored| stored.state.noticed.max(now));
            let asked = situation(journal, id, scheduled.schedule.as_ref().ok(), active, (until, now));
            let situation = match asked.await {
                Ok(situation) => situation,
                // The schedule stays due, and holds up no other.
                Err(error) if error.kind() == ErrorKind::Damaged => {
                    outcome = outcome.and(Err(error));
                    continue;
                }
                Err(error) => return Err(error),
            };
            // Until the outcome is stored, the schedule stays due: if the store fails, it is
            // stepped again.
            scheduled.wake = Wake::Now;
            let (wake, new) = scheduled.step(&situation, events);
            match new {
                Some((new, decisions)) => {
                    let stored = StoredSchedule { state: new.state.clone(), version: new.version + 1 };
                    steps.push(new);
                    decided.push((at, wake, stored, decisions));
                }
                None => scheduled.wake = wake,
            }
        }
        if steps.is_empty() {
            return outcome;
        }
        let stored = journal.store_steps(steps, now).await?;
        for ((at, wake, stored, decisions), step) in decided.into_iter().zip(stored) {
            // After a conflict it stays due, and its state is read again.
            if let StepOutcome::Stored(runs) = step {
                let scheduled = &mut self.dags[at];
                scheduled.stored = Some(stored);
                // The slot of a run that a backfill has made leaves its place to the next one.
                scheduled.wake = if runs.iter().any(Option::is_none) { Wake::Now } else { wake };
                self.steps = self.steps.map(|steps| steps + 1);
                let reported = report(journal, scheduled.dag.id, decisions, counting, events).await;
                // A run that could not be asked to end is asked by the next step.
                if !matches!(reported, Ok(false)) {
                    self.dags[at].wake = Wake::Now;
                }
                outcome = outcome.and(reported.map(|_| ()));
            }
        }
        outcome
    }

    /// Reads the states again if another process has stored a step. Those that have changed are
    /// due, and one that is damaged is reported.
    async fn read_changes(&mut self, journal: &Journal, events: &mut Vec<ServiceEvent>) -> Result<(), OpsError> {
        let steps = journal.schedule_steps().await?;
        if self.steps == Some(steps) {
            return Ok(());
        }
        let mut stored = journal.schedules().await?;
        for scheduled in &mut self.dags {
            let dag = scheduled.dag.id;
            let (stored, damage) = match stored.remove(dag).transpose() {
                Ok(stored) => (stored, None),
                Err(DamagedSchedule { error, .. }) => {
                    (None, Some(OpsError::unreadable_schedule(dag, &error).to_string()))
                }
            };
            if stored != scheduled.stored || damage != scheduled.damage {
                events.extend(damage.clone().map(|reason| ServiceEvent::Unserved { dag, reason }));
                (scheduled.stored, scheduled.damage) = (stored, damage);
                scheduled.wake = Wake::Now;
            }
        }
        // A step that is stored between the two reads is noticed at the next turn.
        self.steps = Some(steps);
        Ok(())
    }
}

impl Scheduled {
    fn new(dag: &'static DagDef, schedule: Result<Schedule, String>) -> Self {
        Scheduled { dag, schedule, stored: None, damage: None, wake: Wake::Now }
    }

    /// Makes the timetable again if that has panicked: somebody may have mended what it needs, and
    /// unpaused the DAG.
    fn make(&mut self) {
        if self.schedule.is_err()
            && let Ok(Some(schedule)) = self.dag.options.schedule(self.dag.id)
        {
            self.schedule = Ok(schedule);
        }
    }

    /// Steps the schedule. Returns when to step it again, and what is to be stored, if there is
    /// something.
    fn step(&self, situation: &Situation, events: &mut Vec<ServiceEvent>) -> (Wake, Option<(NewStep, Vec<Decision>)>) {
        let dag = self.dag;
        let stored = self.stored.as_ref();
        let state = stored.map(|stored| stored.state.clone());
        let schedule = match &self.schedule {
            Ok(schedule) => schedule,
            Err(panic) => return self.paused_by(panic, state, situation.now, events),
        };
        // A timetable is code of the user.
        let stepped = catch(AssertUnwindSafe(|| {
            let new = || dag.options.paused.then(|| ScheduleState::first_seen(schedule, situation.now, true));
            step(schedule, state.clone().or_else(new).as_ref(), situation)
        }));
        let step = match stepped {
            Ok(step) => step,
            Err(crash) => return self.paused_by(&crash.to_string(), state, situation.now, events),
        };
        let is_to_be_stored = step.is_to_be_stored(stored.map(|stored| &stored.state));
        let Step { state, mut decisions, wake, waits } = step;
        let mut wake = wake.map_or(Wake::Never, Wake::At);
        // With `cancel`, each step asks the active runs to end.
        if matches!(waits, Some(Waits::ForRoom { .. } | Waits::ForPrevious { .. }))
            && schedule.overlap != Overlap::Cancel
        {
            wake = wake.after_run();
        }
        if !is_to_be_stored {
            return (wake, None);
        }
        let (mut runs, mut records, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for decision in &mut decisions {
            if let Decision::Start { slot, .. } = *decision {
                let info = RunInfo::scheduled(dag.id, slot.at, slot.interval);
                match QueuedRun::of_dag(dag, info, &HashMap::new(), |_| None, situation.now) {
                    Ok(run) => runs.push(run),
                    Err(reason) => {
                        let (at, fate) = (slot.at, SlotFate::Failed);
                        *decision = Decision::Record(SlotRecord { first: at, last: at, count: 1, fate, reason });
                        // Its place is free for the next slot, and no run will end. Another slot of
                        // `@continuous` would be due at once, and fail again.
                        wake = match schedule.recurrence {
                            Recurrence::Continuous => Wake::At(situation.now + CONTINUOUS_PAUSE),
                            _ => Wake::Now,
                        };
                    }
                }
            }
            match decision {
                Decision::Record(record) => records.push(record.clone()),
                Decision::Note(note) => notes.push(note.clone()),
                Decision::Start { .. } | Decision::CancelActive => {}
            }
        }
        let step = NewStep { dag: dag.id.to_owned(), version: self.version(), state, records, notes, runs };
        (wake, Some((step, decisions)))
    }

    /// The version of the stored state.
    fn version(&self) -> i64 {
        self.stored.as_ref().map_or(0, |stored| stored.version)
    }

    /// The timetable has panicked: the DAG is paused, so that nobody else notices.
    fn paused_by(
        &self,
        panic: &str,
        state: Option<ScheduleState>,
        now: Timestamp,
        events: &mut Vec<ServiceEvent>,
    ) -> (Wake, Option<(NewStep, Vec<Decision>)>) {
        let dag = self.dag.id;
        let (state, pause) = ScheduleState::after_panic(state, panic, now);
        let Some(pause) = pause else {
            events.push(ServiceEvent::Unserved { dag, reason: format!("the timetable {panic}") });
            return (Wake::Never, None);
        };
        let (note, dag) = (ScheduleNote::Paused(pause), dag.to_owned());
        let (records, runs, notes) = (Vec::new(), Vec::new(), vec![note.clone()]);
        let step = NewStep { dag, version: self.version(), state, records, notes, runs };
        (Wake::Never, Some((step, vec![Decision::Note(note)])))
    }
}

/// What a step of a schedule needs to know of the runs of its DAG: of those of the slots up to
/// `until`.
async fn situation(
    journal: &Journal,
    dag: &str,
    schedule: Option<&Schedule>,
    active: Result<u32, OpsError>,
    (until, now): (Timestamp, Timestamp),
) -> Result<Situation, OpsError> {
    let active = active?;
    let unsuccessful = match schedule.is_some_and(|schedule| schedule.after_previous) {
        true => unsuccessful(journal, dag, until).await?,
        false => None,
    };
    let failures = match schedule.and_then(|schedule| schedule.pause_after_failures) {
        Some(limit) => failures(journal, dag, &[RunType::Scheduled], limit, until).await?,
        None => Vec::new(),
    };
    Ok(Situation { now, active, unsuccessful, failures })
}

/// Carries out decisions that are stored, and reports them. Returns whether that has ended a queued
/// run: the service does not hear of such an end otherwise.
async fn report(
    journal: &Journal,
    dag: &'static str,
    decisions: Vec<Decision>,
    counting: Counting<'_>,
    events: &mut Vec<ServiceEvent>,
) -> Result<bool, OpsError> {
    let mut cancels = false;
    for decision in decisions {
        match decision {
            Decision::Start { slot, late } => events.push(ServiceEvent::Due { dag, slot: slot.at, late }),
            Decision::Record(record) => events.push(ServiceEvent::Recorded { dag, record }),
            Decision::Note(note) => events.push(ServiceEvent::Noted { dag, note }),
            Decision::CancelActive => cancels = true,
        }
    }
    match cancels {
        true => cancel_active(journal, dag, counting, events).await,
        false => Ok(false),
    }
}

/// Cancels the active runs of a schedule, and those of events if the DAG has event parameters.
/// Returns whether one has ended at once, because it was queued.
///
/// # Errors
///
/// When the runs cannot be read, or the store is locked: the next step asks again.
pub(super) async fn cancel_active(
    journal: &Journal,
    dag: &'static str,
    counting: Counting<'_>,
    events: &mut Vec<ServiceEvent>,
) -> Result<bool, OpsError> {
    // Only events start runs of events.
    let run_types = [RunType::Scheduled, RunType::Event];
    let filter = RunFilter { dag: Some(dag.to_owned()), ..Counting::filter(&run_types) };
    let note = Note::by_user("the next slot is due, and overlap = \"cancel\"");
    let runs = journal.runs(&filter).await?.into_iter();
    let mut has_ended = false;
    for run in runs.filter(|run| counting.counts(run)) {
        match ops::cancel(journal, &word_of(run.number), &note, None).await {
            Ok(cancelled) => has_ended |= cancelled.state.is_terminal(),
            // It has ended meanwhile.
            Err(OpsError::Ended { .. }) => {}
            Err(error) if error.locked_store().is_some() => return Err(error),
            Err(error) => {
                let (run, error) = (run.number, error.to_string());
                events.push(ServiceEvent::NotCancelled { dag, run, error });
            }
        }
    }
    Ok(has_ended)
}
