//! What a step of a schedule needs to know of the runs in the store.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use super::error::OpsError;
use super::schedules::asking;
use crate::base::Timestamp;
use crate::journal::{Journal, RunSummary, StoredBackfill};
use crate::run::{RunInfo, RunState, RunType};
use crate::schedule::{ActiveSlot, FailedRun, Schedule, ScheduleState, Situation, Waits, step};
use crate::store::{RunFilter, RunOrder};

/// How many runs of these types are queued or running, by DAG, without those that backfills
/// reprocess.
pub(crate) async fn active_runs(
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

/// How many runs wait for a process to start them, by DAG.
pub(super) async fn queued_runs(journal: &Journal) -> Result<HashMap<String, usize>, OpsError> {
    let filter = RunFilter { states: vec![RunState::Queued], ..RunFilter::default() };
    let mut queued = HashMap::new();
    for run in journal.runs(&filter).await?.into_iter().filter(|run| !run.is_owned) {
        *queued.entry(run.info.dag_id).or_default() += 1;
    }
    Ok(queued)
}

/// Runs are looked at up to now: later ones are those of a clock that was ahead, and come before no
/// slot that is due.
fn up_to_now(journal: &Journal) -> Option<Timestamp> {
    Some(journal.now() + Duration::from_nanos(1))
}

/// The run of the last slot that has one, whoever made it, if it did not succeed.
pub(crate) async fn unsuccessful(journal: &Journal, dag: &str) -> Result<Option<String>, OpsError> {
    /// Backfills may have made other runs with the same logical date.
    const LAST: u32 = 20;

    let filter = RunFilter {
        dag: Some(dag.to_owned()),
        run_types: vec![RunType::Scheduled, RunType::Backfill],
        logical_before: up_to_now(journal),
        order: RunOrder::LogicalDate,
        limit: Some(LAST),
        ..RunFilter::default()
    };
    let is_of_slot = |run: &RunSummary| run.info.run_id == RunInfo::id_of_slot(dag, run.info.logical_date);
    let last = journal.runs(&filter).await?.into_iter().find(is_of_slot);
    Ok(last.filter(|run| run.state != RunState::Success).map(|run| run.info.run_id))
}

/// The ids of the active runs of some backfills.
pub(crate) fn runs_of_backfills(open: &[StoredBackfill]) -> HashSet<String> {
    let ids = |stored: &StoredBackfill| {
        let id = |slot: &ActiveSlot| RunInfo::id_of_backfill(&stored.dag, stored.number, slot);
        stored.plan.active.iter().map(id).collect::<Vec<_>>()
    };
    open.iter().flat_map(ids).collect()
}

/// The ids of the active runs of all backfills, which take no room from schedules and events.
pub(super) async fn backfilled(journal: &Journal) -> Result<HashSet<String>, OpsError> {
    Ok(runs_of_backfills(&journal.open_backfills().await?))
}

/// The runs of a DAG with event parameters that are queued or running, without those that backfills
/// reprocess.
#[derive(Clone, Debug, Default)]
pub(crate) struct ActiveEventRuns {
    /// How many they are.
    pub(crate) count: u32,
    /// The last event that each consumes.
    pub(crate) last_events: BTreeSet<i64>,
}

/// The active runs of the DAGs with event parameters, by DAG.
pub(crate) async fn active_event_runs(
    journal: &Journal,
    dag: Option<&str>,
    backfilled: &HashSet<String>,
) -> Result<HashMap<String, ActiveEventRuns>, OpsError> {
    let filter = RunFilter {
        dag: dag.map(str::to_owned),
        states: vec![RunState::Queued, RunState::Running],
        run_types: CONSUMING.to_vec(),
        ..RunFilter::default()
    };
    let mut active: HashMap<String, ActiveEventRuns> = HashMap::new();
    for run in journal.runs(&filter).await?.into_iter().filter(|run| !backfilled.contains(&run.info.run_id)) {
        let last = run.info.last_event();
        let runs = active.entry(run.info.dag_id).or_default();
        runs.count += 1;
        runs.last_events.extend(last);
    }
    Ok(active)
}

/// The types of the runs that a DAG with event parameters makes by itself.
pub(crate) const CONSUMING: [RunType; 2] = [RunType::Scheduled, RunType::Event];

/// The runs of these types that have failed since the last one that succeeded, at most `limit`. A
/// run that was cancelled, or has not ended, is neither.
pub(crate) async fn failures(
    journal: &Journal,
    dag: &str,
    run_types: &[RunType],
    limit: u32,
) -> Result<Vec<FailedRun>, OpsError> {
    let filter = RunFilter {
        dag: Some(dag.to_owned()),
        states: vec![RunState::Success, RunState::Failed],
        run_types: run_types.to_vec(),
        logical_before: up_to_now(journal),
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
    let active =
        active_runs(journal, &[RunType::Scheduled], &backfilled(journal).await?).await?.get(dag).copied().unwrap_or(0);
    let unsuccessful = match schedule.after_previous {
        true => unsuccessful(journal, dag).await?,
        false => None,
    };
    let failures = match schedule.pause_after_failures {
        Some(limit) => failures(journal, dag, &[RunType::Scheduled], limit).await?,
        None => Vec::new(),
    };
    let situation = Situation { now, active, unsuccessful, failures };
    asking(|| step(schedule, Some(state), &situation).waits)
}
