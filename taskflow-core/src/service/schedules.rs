//! The schedules of a service: steps those that are due and stores the outcome.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use super::serving::ServiceEvent;
use crate::base::{Timestamp, catch};
use crate::dag::{DagDef, ParamError, Params};
use crate::engine::RunRequest;
use crate::journal::{Journal, NewStep, Note, QueuedRun, StepOutcome, StoredSchedule};
use crate::ops::{self, OpsError, active_runs, failures, unsuccessful};
use crate::run::{RunInfo, RunState, RunType};
use crate::schedule::{
    Decision, Note as ScheduleNote, Schedule, ScheduleState, Situation, Slot, SlotFate, SlotRecord, Step, step,
};
use crate::store::RunFilter;

/// The schedules of the DAGs that a service serves.
#[derive(Debug)]
pub(super) struct Schedules {
    all: Vec<Scheduled>,
    /// Whether the clock is so far behind that nothing is scheduled.
    is_held: bool,
    /// The time of the last turn.
    last_turn: Timestamp,
}

#[derive(Debug)]
struct Scheduled {
    dag: &'static DagDef,
    schedule: Schedule,
    /// The version of the state at its last step.
    version: i64,
    /// When to step it again.
    wake: Wake,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wake {
    Now,
    At(Timestamp),
    /// When somebody acts, or a run ends.
    Never,
}

impl Schedules {
    /// The schedules of these DAGs, and why some of them cannot be served.
    pub(super) fn of(dags: &[&'static DagDef]) -> (Self, Vec<ServiceEvent>) {
        let (mut scheduled, mut events) = (Vec::new(), Vec::new());
        for &dag in dags {
            match dag.options.schedule(dag.id) {
                Ok(Some(schedule)) => scheduled.push(Scheduled { dag, schedule, version: 0, wake: Wake::Now }),
                Ok(None) => {}
                Err(error) => events.push(ServiceEvent::Unserved { dag: dag.id, reason: error.to_string() }),
            }
        }
        (Schedules { all: scheduled, is_held: false, last_turn: Timestamp::EPOCH }, events)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The DAG may have room: one of its runs has ended.
    pub(super) fn run_ended(&mut self, dag: &str) {
        self.all
            .iter_mut()
            .filter(|scheduled| scheduled.dag.id == dag)
            .for_each(|scheduled| scheduled.wake = Wake::Now);
    }

    /// When the next one is due.
    pub(super) fn wake(&self) -> Option<Timestamp> {
        // The clock is looked at again at the next turn.
        let wakes = self.all.iter().filter(|_| !self.is_held).filter_map(|scheduled| match scheduled.wake {
            Wake::Now => Some(Timestamp::EPOCH),
            Wake::At(at) => Some(at),
            Wake::Never => None,
        });
        wakes.min()
    }

    /// Whether nothing is scheduled, because the clock is far behind what the store says.
    fn hold(
        &mut self,
        stored: &HashMap<String, StoredSchedule>,
        now: Timestamp,
        events: &mut Vec<ServiceEvent>,
    ) -> bool {
        let mut behind = Vec::new();
        for scheduled in &self.all {
            let stored = stored.get(scheduled.dag.id);
            let by = stored.and_then(|stored| stored.state.clock_is_behind(now));
            behind.extend(by.map(|by| (by, scheduled.dag.id)));
        }
        let is_held = !behind.is_empty();
        if let (Some(&(by, _)), false) = (behind.iter().max(), self.is_held) {
            let dags = behind.iter().map(|&(_, dag)| dag).collect();
            events.push(ServiceEvent::ClockBehind { now, by, dags });
        }
        self.is_held = is_held;
        is_held
    }

    /// Steps the schedules that are due or were changed, and stores the outcome.
    pub(super) async fn turn(&mut self, journal: &Journal, events: &mut Vec<ServiceEvent>) -> Result<(), OpsError> {
        if self.all.is_empty() {
            return Ok(());
        }
        let mut stored = journal.schedules().await?;
        let now = Timestamp::now();
        if self.hold(&stored, now, events) {
            return Ok(());
        }
        if std::mem::replace(&mut self.last_turn, now).since(now) >= Duration::from_secs(1) {
            // The clock went back, which each schedule notes.
            self.all.iter_mut().for_each(|scheduled| scheduled.wake = Wake::Now);
        }
        let is_due = |scheduled: &Scheduled| {
            let version = stored.get(scheduled.dag.id).map_or(0, |stored| stored.version);
            version != scheduled.version
                || match scheduled.wake {
                    Wake::Now => true,
                    Wake::At(at) => at <= now,
                    Wake::Never => false,
                }
        };
        let due: Vec<usize> = (0..self.all.len()).filter(|&at| is_due(&self.all[at])).collect();
        if due.is_empty() {
            return Ok(());
        }
        let active = active_runs(journal).await?;
        let (mut steps, mut decided) = (Vec::new(), Vec::new());
        for at in due {
            let scheduled = &mut self.all[at];
            let id = scheduled.dag.id;
            let stored = stored.remove(id);
            let unsuccessful = match scheduled.schedule.after_previous {
                true => unsuccessful(journal, id).await?,
                false => None,
            };
            let failures = match scheduled.schedule.pause_after_failures {
                Some(limit) => failures(journal, id, limit).await?,
                None => Vec::new(),
            };
            let situation = Situation { now, active: active.get(id).copied().unwrap_or(0), unsuccessful, failures };
            scheduled.version = stored.as_ref().map_or(0, |stored| stored.version);
            // Until the outcome is stored, the schedule stays due: if the store fails, it is
            // stepped again.
            scheduled.wake = Wake::Now;
            let (wake, new) = scheduled.step(stored.as_ref(), &situation, events);
            match new {
                Some((new, decisions)) => {
                    steps.push(new);
                    decided.push((at, wake, decisions));
                }
                None => scheduled.wake = wake,
            }
        }
        if steps.is_empty() {
            return Ok(());
        }
        let outcomes = journal.store_steps(steps, now).await?;
        for ((at, wake, decisions), outcome) in decided.into_iter().zip(outcomes) {
            // After a conflict it stays due.
            if matches!(outcome, StepOutcome::Stored(_)) {
                let scheduled = &mut self.all[at];
                scheduled.version += 1;
                scheduled.wake = wake;
                report(journal, scheduled.dag.id, decisions, events).await?;
            }
        }
        Ok(())
    }
}

impl Scheduled {
    /// Steps the schedule. Returns when to step it again, and what is to be stored, if there is
    /// something.
    fn step(
        &self,
        stored: Option<&StoredSchedule>,
        situation: &Situation,
        events: &mut Vec<ServiceEvent>,
    ) -> (Wake, Option<(NewStep, Vec<Decision>)>) {
        let dag = self.dag;
        let state = stored.map(|stored| stored.state.clone());
        // A timetable is code of the user.
        let stepped = catch(AssertUnwindSafe(|| {
            let new = || dag.options.paused.then(|| ScheduleState::first_seen(&self.schedule, situation.now, true));
            step(&self.schedule, state.clone().or_else(new).as_ref(), situation)
        }));
        let step = match stepped {
            Ok(step) => step,
            Err(crash) => return self.paused_by(&crash.to_string(), state, situation.now, events),
        };
        let is_to_be_stored = step.is_to_be_stored(stored.map(|stored| &stored.state));
        let Step { state, mut decisions, wake, .. } = step;
        let wake = wake.map_or(Wake::Never, Wake::At);
        if !is_to_be_stored {
            return (wake, None);
        }
        let (mut runs, mut records, mut notes, mut wake) = (Vec::new(), Vec::new(), Vec::new(), wake);
        for decision in &mut decisions {
            if let Decision::Start { slot, .. } = *decision {
                match run_of(dag, slot, situation.now) {
                    Ok(run) => runs.push(run),
                    Err(reason) => {
                        let (at, fate) = (slot.at, SlotFate::Failed);
                        *decision = Decision::Record(SlotRecord { first: at, last: at, count: 1, fate, reason });
                        // Its place is free for the next slot, and no run will end.
                        wake = Wake::Now;
                    }
                }
            }
            match decision {
                Decision::Record(record) => records.push(record.clone()),
                Decision::Note(note) => notes.push(note.clone()),
                Decision::Start { .. } | Decision::CancelActive => {}
            }
        }
        let step = NewStep { dag: dag.id.to_owned(), version: self.version, state, records, notes, runs };
        (wake, Some((step, decisions)))
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
        let step = NewStep { dag, version: self.version, state, records, notes, runs };
        (Wake::Never, Some((step, vec![Decision::Note(note)])))
    }
}

/// The run of a slot, with the defaults of its parameters.
fn run_of(dag: &'static DagDef, slot: Slot, now: Timestamp) -> Result<QueuedRun, String> {
    let run = || {
        let plan = dag.plan().map_err(|error| error.to_string())?;
        let info = dag.options.complete(RunInfo::scheduled(dag.id, slot.at, slot.interval));
        let params = Params::from_text(plan.params(), &info, |_| None);
        let params =
            params.map_err(|errors| errors.iter().map(ParamError::to_string).collect::<Vec<_>>().join("; "))?;
        QueuedRun::new(RunRequest::<()>::of_plan(plan, info, params), now).map_err(|error| error.to_string())
    };
    catch(AssertUnwindSafe(run)).unwrap_or_else(|crash| Err(format!("a default of a parameter panicked: {crash}")))
}

/// Carries out decisions that are stored, and reports them.
async fn report(
    journal: &Journal,
    dag: &'static str,
    decisions: Vec<Decision>,
    events: &mut Vec<ServiceEvent>,
) -> Result<(), OpsError> {
    for decision in decisions {
        match decision {
            Decision::Start { .. } => {}
            Decision::Record(record) => events.push(ServiceEvent::Recorded { dag, record }),
            Decision::Note(note) => events.push(ServiceEvent::Noted { dag, note }),
            Decision::CancelActive => {
                let filter = RunFilter {
                    dag: Some(dag.to_owned()),
                    states: vec![RunState::Queued, RunState::Running],
                    run_types: vec![RunType::Scheduled],
                    ..RunFilter::default()
                };
                let note = Note::by_user("the next slot is due, and overlap = \"cancel\"");
                for run in journal.runs(&filter).await? {
                    match ops::cancel(journal, &run.info.run_id, &note, None).await {
                        // It may have ended meanwhile.
                        Ok(_) | Err(OpsError::Ended { .. }) => {}
                        Err(error) => {
                            let (run, error) = (run.number, error.to_string());
                            events.push(ServiceEvent::NotCancelled { dag, run, error });
                        }
                    }
                }
            }
        }
    }
    Ok(())
}
