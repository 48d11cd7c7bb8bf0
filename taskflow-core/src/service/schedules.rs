//! The schedules of a service: steps those that are due and stores the outcome.

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;

use super::serving::ServiceEvent;
use super::wake::Wake;
use crate::base::{Timestamp, catch};
use crate::dag::{DagDef, ParamError, Params};
use crate::engine::RunRequest;
use crate::journal::{Journal, NewStep, Note, QueuedRun, RunSummary, StepOutcome, StoredSchedule};
use crate::ops::{self, OpsError};
use crate::run::{RunInfo, RunState, RunType};
use crate::schedule::{
    Decision, FailedRun, Schedule, ScheduleState, Situation, Slot, SlotFate, SlotRecord, Step, step,
};
use crate::store::{RunFilter, RunOrder};

/// The schedules of the DAGs that a service serves.
#[derive(Debug)]
pub(crate) struct Schedules {
    dags: Vec<Scheduled>,
    /// How many steps the store had when the states were read, and how many were stored since.
    steps: Option<i64>,
    /// The clock at the last turn.
    clock: Timestamp,
}

#[derive(Debug)]
struct Scheduled {
    dag: &'static DagDef,
    schedule: Schedule,
    /// What the store has of it.
    stored: Option<StoredSchedule>,
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
                Ok(Some(schedule)) => scheduled.push(Scheduled { dag, schedule, stored: None, wake: Wake::Now }),
                Ok(None) => {}
                Err(error) => events.push(ServiceEvent::Unserved { dag: dag.id, reason: error.to_string() }),
            }
        }
        (Schedules { dags: scheduled, steps: None, clock: Timestamp::EPOCH }, events)
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
        self.dags.iter().filter_map(|scheduled| scheduled.wake.at()).min()
    }

    /// Steps the schedules that are due or were changed, and stores the outcome. `backfilled` are
    /// the ids of the runs of backfills, which take no room from the schedule.
    pub(crate) async fn turn(
        &mut self,
        journal: &Journal,
        backfilled: &HashSet<String>,
        now: Timestamp,
        events: &mut Vec<ServiceEvent>,
    ) -> Result<(), OpsError> {
        if self.dags.is_empty() {
            return Ok(());
        }
        self.read_changes(journal).await?;
        if now < self.clock {
            // Each schedule notes that the clock went back, and none is due before it is there
            // again.
            self.dags.iter_mut().for_each(|scheduled| scheduled.wake = Wake::Now);
        }
        self.clock = now;
        let due: Vec<usize> = (0..self.dags.len()).filter(|&at| self.dags[at].wake.is_due(now)).collect();
        if due.is_empty() {
            return Ok(());
        }
        let active = active_runs(journal, &[RunType::Scheduled], backfilled).await?;
        let (mut steps, mut decided) = (Vec::new(), Vec::new());
        for at in due {
            let scheduled = &mut self.dags[at];
            let id = scheduled.dag.id;
            let unsuccessful = match scheduled.schedule.after_previous {
                true => unsuccessful(journal, id).await?,
                false => None,
            };
            let failures = match scheduled.schedule.pause_after_failures {
                Some(limit) => failures(journal, id, limit).await?,
                None => Vec::new(),
            };
            let situation = Situation { now, active: active.get(id).copied().unwrap_or(0), unsuccessful, failures };
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
            return Ok(());
        }
        let outcomes = journal.store_steps(steps, now).await?;
        for ((at, wake, stored, decisions), outcome) in decided.into_iter().zip(outcomes) {
            // After a conflict it stays due, and its state is read again.
            if matches!(outcome, StepOutcome::Stored(_)) {
                let scheduled = &mut self.dags[at];
                scheduled.stored = Some(stored);
                scheduled.wake = wake;
                self.steps = self.steps.map(|steps| steps + 1);
                report(journal, scheduled.dag.id, decisions, backfilled, events).await?;
            }
        }
        Ok(())
    }

    /// Reads the states again if another process has stored a step. Those that have changed are
    /// due.
    async fn read_changes(&mut self, journal: &Journal) -> Result<(), OpsError> {
        let steps = journal.schedule_steps().await?;
        if self.steps == Some(steps) {
            return Ok(());
        }
        let mut stored = journal.schedules().await?;
        for scheduled in &mut self.dags {
            let stored = stored.remove(scheduled.dag.id);
            if stored != scheduled.stored {
                scheduled.stored = stored;
                scheduled.wake = Wake::Now;
            }
        }
        // A step that is stored between the two reads is noticed at the next turn.
        self.steps = Some(steps);
        Ok(())
    }
}

impl Scheduled {
    /// Steps the schedule. Returns when to step it again, and what is to be stored, if there is
    /// something.
    fn step(&self, situation: &Situation, events: &mut Vec<ServiceEvent>) -> (Wake, Option<(NewStep, Vec<Decision>)>) {
        let dag = self.dag;
        let stored = self.stored.as_ref();
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
        let (mut runs, mut records, mut wake) = (Vec::new(), Vec::new(), wake);
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
            if let Decision::Record(record) = decision {
                records.push(record.clone());
            }
        }
        let step = NewStep { dag: dag.id.to_owned(), version: self.version(), state, records, runs };
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
        let step =
            NewStep { dag: dag.to_owned(), version: self.version(), state, records: Vec::new(), runs: Vec::new() };
        (Wake::Never, Some((step, vec![Decision::Note(crate::schedule::Note::Paused(pause))])))
    }
}

/// The run of a slot, with the defaults of its parameters.
fn run_of(dag: &'static DagDef, slot: Slot, now: Timestamp) -> Result<QueuedRun, String> {
    let run = || {
        let plan = dag.plan().map_err(|error| error.to_string())?;
        let info = dag.options.complete(RunInfo::scheduled(dag.id, slot.at, slot.interval));
        let params = Params::from_text(plan.params(), &info, &HashMap::new(), |_| None);
        let params =
            params.map_err(|errors| errors.iter().map(ParamError::to_string).collect::<Vec<_>>().join("; "))?;
        QueuedRun::new(RunRequest::<()>::of_plan(plan, info, params), now).map_err(|error| error.to_string())
    };
    catch(AssertUnwindSafe(run)).unwrap_or_else(|crash| Err(format!("a default of a parameter panicked: {crash}")))
}

/// How many runs of these types are queued or running, by DAG, without those that backfills
/// reprocess.
pub(super) async fn active_runs(
    journal: &Journal,
    run_types: &[RunType],
    backfilled: &HashSet<String>,
) -> Result<HashMap<String, u32>, OpsError> {
    let filter = RunFilter {
        states: vec![RunState::Queued, RunState::Running],
        run_types: run_types.to_vec(),
        ..RunFilter::default()
    };
    let mut active = HashMap::new();
    for run in journal.runs(&filter).await? {
        if !backfilled.contains(&run.info.run_id) {
            *active.entry(run.info.dag_id).or_default() += 1;
        }
    }
    Ok(active)
}

/// The run of the last slot that has one, whoever made it, if it did not succeed.
pub(super) async fn unsuccessful(journal: &Journal, dag: &str) -> Result<Option<String>, OpsError> {
    /// Backfills may have made other runs with the same logical date.
    const LAST: u32 = 20;

    let filter = RunFilter {
        dag: Some(dag.to_owned()),
        run_types: vec![RunType::Scheduled, RunType::Backfill],
        order: RunOrder::LogicalDate,
        limit: Some(LAST),
        ..RunFilter::default()
    };
    let is_of_slot = |run: &RunSummary| run.info.run_id == RunInfo::id_of_slot(dag, run.info.logical_date);
    let last = journal.runs(&filter).await?.into_iter().find(is_of_slot);
    Ok(last.filter(|run| run.state != RunState::Success).map(|run| run.info.run_id))
}

/// The runs of the schedule that have failed since the last one that succeeded, at most `limit`. A
/// run that was cancelled, or has not ended, is neither.
async fn failures(journal: &Journal, dag: &str, limit: u32) -> Result<Vec<FailedRun>, OpsError> {
    let filter = RunFilter {
        dag: Some(dag.to_owned()),
        states: vec![RunState::Success, RunState::Failed],
        run_types: vec![RunType::Scheduled],
        order: RunOrder::LogicalDate,
        limit: Some(limit),
        ..RunFilter::default()
    };
    let failed = journal.runs(&filter).await?.into_iter().take_while(|run| run.state == RunState::Failed);
    Ok(failed.map(|run| FailedRun { slot: run.info.logical_date, run_id: run.info.run_id }).collect())
}

/// Carries out decisions that are stored, and reports them.
async fn report(
    journal: &Journal,
    dag: &'static str,
    decisions: Vec<Decision>,
    backfilled: &HashSet<String>,
    events: &mut Vec<ServiceEvent>,
) -> Result<(), OpsError> {
    for decision in decisions {
        match decision {
            Decision::Start { slot, late } => events.push(ServiceEvent::Due { dag, slot: slot.at, late }),
            Decision::Record(record) => events.push(ServiceEvent::Recorded { dag, record }),
            Decision::Note(note) => events.push(ServiceEvent::Noted { dag, note }),
            Decision::CancelActive => cancel_active(journal, dag, backfilled).await?,
        }
    }
    Ok(())
}

/// Cancels the active runs of a schedule.
pub(super) async fn cancel_active(journal: &Journal, dag: &str, backfilled: &HashSet<String>) -> Result<(), OpsError> {
    let filter = RunFilter {
        dag: Some(dag.to_owned()),
        states: vec![RunState::Queued, RunState::Running],
        run_types: vec![RunType::Scheduled],
        ..RunFilter::default()
    };
    let note = Note::by_user("the next slot is due, and overlap = \"cancel\"");
    let runs = journal.runs(&filter).await?.into_iter();
    for run in runs.filter(|run| !backfilled.contains(&run.info.run_id)) {
        // It may have ended meanwhile.
        let _ = ops::cancel(journal, &run.info.run_id, &note, None).await;
    }
    Ok(())
}
