//! What a step of a schedule needs to know of the runs in the store.

use std::collections::HashMap;

use super::error::OpsError;
use super::schedules::asking;
use crate::base::Timestamp;
use crate::journal::Journal;
use crate::run::{RunState, RunType};
use crate::schedule::{FailedRun, Schedule, ScheduleState, Situation, Waits, step};
use crate::store::{RunFilter, RunOrder};

/// How many runs of each schedule are queued or running.
pub(crate) async fn active_runs(journal: &Journal) -> Result<HashMap<String, u32>, OpsError> {
    let filter = RunFilter {
        states: vec![RunState::Queued, RunState::Running],
        run_types: vec![RunType::Scheduled],
        ..RunFilter::default()
    };
    let mut active = HashMap::new();
    for run in journal.runs(&filter).await? {
        *active.entry(run.info.dag_id).or_default() += 1;
    }
    Ok(active)
}

/// The last run of the schedule, if it did not succeed.
pub(crate) async fn unsuccessful(journal: &Journal, dag: &str) -> Result<Option<String>, OpsError> {
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

/// The runs of the schedule that have failed since the last one that succeeded, at most `limit`. A
/// run that was cancelled, or has not ended, is neither.
pub(crate) async fn failures(journal: &Journal, dag: &str, limit: u32) -> Result<Vec<FailedRun>, OpsError> {
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

/// Why the pending slots of a schedule wait, by the same step that the service makes.
pub(super) async fn waits(
    journal: &Journal,
    dag: &str,
    schedule: &Schedule,
    state: &ScheduleState,
    now: Timestamp,
) -> Result<Option<Waits>, OpsError> {
    if state.pending.is_empty() {
        return Ok(None);
    }
    let active = active_runs(journal).await?.get(dag).copied().unwrap_or(0);
    let unsuccessful = match schedule.after_previous {
        true => unsuccessful(journal, dag).await?,
        false => None,
    };
    let failures = match schedule.pause_after_failures {
        Some(limit) => failures(journal, dag, limit).await?,
        None => Vec::new(),
    };
    let situation = Situation { now, active, unsuccessful, failures };
    asking(|| step(schedule, Some(state), &situation).waits)
}
