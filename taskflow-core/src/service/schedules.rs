//! The schedules of a service: steps those that are due and stores the outcome.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;

use super::serving::ServiceEvent;
use super::wake::Wake;
use crate::base::{Timestamp, catch};
use crate::dag::{DagDef, ParamError, Params};
use crate::engine::RunRequest;
use crate::journal::{Journal, NewStep, Note, QueuedRun, StepOutcome, StoredSchedule};
use crate::ops::{self, OpsError};
use crate::run::{RunInfo, RunState, RunType};
use crate::schedule::{Decision, Schedule, ScheduleState, Situation, Slot, SlotFate, SlotRecord, Step, step};
use crate::store::{RunFilter, RunOrder};

/// The schedules of the DAGs that a service serves.
#[derive(Debug)]
pub(super) struct Schedules(Vec<Scheduled>);

#[derive(Debug)]
struct Scheduled {
    dag: &'static DagDef,
    schedule: Schedule,
    /// The version of the state at its last step.
    version: i64,
    /// When to step it again.
    wake: Wake,
}

impl Schedules {
    /// The schedules of these DAGs, and why some of them cannot be served.
    pub(super) fn of(dags: &[&'static DagDef]) -> (Self, Vec<ServiceEvent>) {
        let (mut scheduled, mut events) = (Vec::new(), Vec::new());
        for &dag in dags {
            // The slots of a DAG with event parameters are those of its consumer.
            if (dag.params)().iter().any(|param| param.event.is_some()) {
                continue;
            }
            match dag.options.schedule(dag.id) {
                Ok(Some(schedule)) => scheduled.push(Scheduled { dag, schedule, version: 0, wake: Wake::Now }),
                Ok(None) => {}
                Err(error) => events.push(ServiceEvent::Unserved { dag: dag.id, reason: error.to_string() }),
            }
        }
        (Schedules(scheduled), events)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The DAG may have room: one of its runs has ended.
    pub(super) fn run_ended(&mut self, dag: &str) {
        self.0.iter_mut().filter(|scheduled| scheduled.dag.id == dag).for_each(|scheduled| scheduled.wake = Wake::Now);
    }

    /// When the next one is due.
    pub(super) fn wake(&self) -> Option<Timestamp> {
        self.0.iter().filter_map(|scheduled| scheduled.wake.at()).min()
    }

    /// Steps the schedules that are due or were changed, and stores the outcome.
    pub(super) async fn turn(&mut self, journal: &Journal, events: &mut Vec<ServiceEvent>) -> Result<(), OpsError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut stored = journal.schedules().await?;
        let now = Timestamp::now();
        let is_due = |scheduled: &Scheduled| {
            let version = stored.get(scheduled.dag.id).map_or(0, |stored| stored.version);
            version != scheduled.version || scheduled.wake.is_due(now)
        };
        let due: Vec<usize> = (0..self.0.len()).filter(|&at| is_due(&self.0[at])).collect();
        if due.is_empty() {
            return Ok(());
        }
        let active = active_runs(journal, &[RunType::Scheduled]).await?;
        let (mut steps, mut decided) = (Vec::new(), Vec::new());
        for at in due {
            let scheduled = &mut self.0[at];
            let id = scheduled.dag.id;
            let stored = stored.remove(id);
            let unsuccessful = match scheduled.schedule.after_previous {
                true => unsuccessful(journal, id).await?,
                false => None,
            };
            let situation = Situation { now, active: active.get(id).copied().unwrap_or(0), unsuccessful };
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
                let scheduled = &mut self.0[at];
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
        let state = match stored {
            Some(stored) => Some(stored.state.clone()),
            None if dag.options.paused => Some(ScheduleState::first_seen(&self.schedule, situation.now, true)),
            None => None,
        };
        // A timetable is code of the user.
        let stepped = catch(AssertUnwindSafe(|| step(&self.schedule, state.as_ref(), situation)));
        let step = match stepped {
            Ok(step) => step,
            Err(crash) => {
                events.push(ServiceEvent::Unserved { dag: dag.id, reason: format!("its timetable panicked: {crash}") });
                return (Wake::Never, None);
            }
        };
        let is_to_be_stored = step.is_to_be_stored(stored.map(|stored| &stored.state));
        let Step { state, mut decisions, wake, .. } = step;
        let wake = wake.map_or(Wake::Never, Wake::At);
        if !is_to_be_stored {
            return (wake, None);
        }
        let (mut runs, mut records) = (Vec::new(), Vec::new());
        for decision in &mut decisions {
            if let Decision::Start { slot, .. } = *decision {
                match run_of(dag, slot, situation.now) {
                    Ok(run) => runs.push(run),
                    Err(reason) => {
                        let (at, fate) = (slot.at, SlotFate::Failed);
                        *decision = Decision::Record(SlotRecord { first: at, last: at, count: 1, fate, reason });
                    }
                }
            }
            if let Decision::Record(record) = decision {
                records.push(record.clone());
            }
        }
        let step = NewStep { dag: dag.id.to_owned(), version: self.version, state, records, runs };
        (wake, Some((step, decisions)))
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

/// How many runs of these types are queued or running, by DAG.
pub(super) async fn active_runs(journal: &Journal, run_types: &[RunType]) -> Result<HashMap<String, u32>, OpsError> {
    let filter = RunFilter {
        states: vec![RunState::Queued, RunState::Running],
        run_types: run_types.to_vec(),
        ..RunFilter::default()
    };
    let mut active = HashMap::new();
    for run in journal.runs(&filter).await? {
        *active.entry(run.info.dag_id).or_default() += 1;
    }
    Ok(active)
}

/// The last run of the schedule, if it did not succeed.
pub(super) async fn unsuccessful(journal: &Journal, dag: &str) -> Result<Option<String>, OpsError> {
    let filter = RunFilter {
        dag: Some(dag.to_owned()),
        run_types: vec![RunType::Scheduled],
        order: RunOrder::LogicalDate,
        limit: Some(1),
        ..RunFilter::default()
    };
    let last = journal.runs(&filter).await?.into_iter().next();
    Ok(last.filter(|run| run.state != RunState::Success).map(|run| run.info.run_id))
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
            Decision::CancelActive => cancel_active(journal, dag).await?,
        }
    }
    Ok(())
}

/// Cancels the active runs of a schedule.
pub(super) async fn cancel_active(journal: &Journal, dag: &str) -> Result<(), OpsError> {
    let filter = RunFilter {
        dag: Some(dag.to_owned()),
        states: vec![RunState::Queued, RunState::Running],
        run_types: vec![RunType::Scheduled],
        ..RunFilter::default()
    };
    let note = Note::by_user("the next slot is due, and overlap = \"cancel\"");
    for run in journal.runs(&filter).await? {
        // It may have ended meanwhile.
        let _ = ops::cancel(journal, &run.info.run_id, &note, None).await;
    }
    Ok(())
}
