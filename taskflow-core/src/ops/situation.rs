//! What a step of a schedule needs to know of the runs in the store.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::error::OpsError;
use super::schedules::asking;
use crate::base::{ErrorKind, Timestamp};
use crate::journal::{Journal, RunSummary, StoredBackfill};
use crate::run::{RunInfo, RunState, RunType};
use crate::schedule::{
    ActiveSlot, Decision, FailedRun, Overlap, Schedule, ScheduleState, Situation, Step, Waits, step,
};
use crate::store::{RunFilter, RunOrder};

/// By DAG, why its runs cannot be read.
pub(crate) type DamagedRuns = BTreeMap<String, OpsError>;

/// The runs that match a filter, in its order. If one of them is damaged, only those of these DAGs,
/// the newest first, and none of a DAG that has a damaged one.
pub(crate) async fn runs_of_dags(
    journal: &Journal,
    filter: &RunFilter,
    dags: &[&'static str],
) -> Result<(Vec<RunSummary>, DamagedRuns), OpsError> {
    match journal.runs(filter).await {
        Err(error) if error.kind() == ErrorKind::Damaged => {}
        runs => return Ok((runs?, DamagedRuns::new())),
    }
    let (mut runs, mut damaged) = (Vec::new(), DamagedRuns::new());
    for &dag in dags {
        match journal.runs(&RunFilter { dag: Some(dag.to_owned()), ..filter.clone() }).await {
            Ok(of_dag) => runs.extend(of_dag),
            Err(error) if error.kind() == ErrorKind::Damaged => drop(damaged.insert(dag.to_owned(), error.into())),
            Err(error) => return Err(error.into()),
        }
    }
    runs.sort_by_key(|run| Reverse(run.number));
    Ok((runs, damaged))
}

/// Which runs a service counts as active runs of schedules and events.
#[derive(Clone, Copy)]
pub(crate) struct Counting<'a> {
    /// The ids of the runs of backfills, which take no room.
    pub(crate) backfilled: &'a HashSet<String>,
    /// Whether an interrupted run with this number is active: the service resumes it when it is its
    /// turn.
    pub(crate) is_resumed: &'a (dyn Fn(i64) -> bool + Sync),
}

impl Counting<'_> {
    /// Selects the runs of these types that may be counted.
    pub(crate) fn filter(run_types: &[RunType]) -> RunFilter {
        let states = vec![RunState::Queued, RunState::Running, RunState::Interrupted];
        RunFilter { states, run_types: run_types.to_vec(), ..RunFilter::default() }
    }

    /// Whether one of them is counted.
    pub(crate) fn counts(&self, run: &RunSummary) -> bool {
        is_counted(run, self.backfilled, self.is_resumed)
    }
}

/// Whether a service counts a run that [may be counted](Counting::filter): see [`Counting`].
pub(crate) fn is_counted(run: &RunSummary, backfilled: &HashSet<String>, is_resumed: impl Fn(i64) -> bool) -> bool {
    !backfilled.contains(&run.info.run_id) && (run.state != RunState::Interrupted || is_resumed(run.number))
}

/// How many runs of these types are queued or running, of one DAG or by DAG, without those that
/// backfills reprocess, and without interrupted ones: which of them a service resumes is known to
/// it alone.
pub(crate) async fn active_runs(
    journal: &Journal,
    dag: Option<&str>,
    run_types: &[RunType],
    backfilled: &HashSet<String>,
) -> Result<HashMap<String, u32>, OpsError> {
    let filter = RunFilter { dag: dag.map(str::to_owned), ..active_of(run_types) };
    Ok(counted(journal.runs(&filter).await?, |run| !backfilled.contains(&run.info.run_id)))
}

/// How many runs of these types a service counts, by DAG, of some DAGs. One with a damaged run
/// hides no other.
pub(crate) async fn active_runs_of_dags(
    journal: &Journal,
    dags: &[&'static str],
    run_types: &[RunType],
    counting: Counting<'_>,
) -> Result<(HashMap<String, u32>, DamagedRuns), OpsError> {
    let (runs, damaged) = runs_of_dags(journal, &Counting::filter(run_types), dags).await?;
    Ok((counted(runs, |run| counting.counts(run)), damaged))
}

/// Selects the runs of these types that are queued or running.
fn active_of(run_types: &[RunType]) -> RunFilter {
    let states = vec![RunState::Queued, RunState::Running];
    RunFilter { states, run_types: run_types.to_vec(), ..RunFilter::default() }
}

fn counted(runs: Vec<RunSummary>, counts: impl Fn(&RunSummary) -> bool) -> HashMap<String, u32> {
    let mut active = HashMap::new();
    for run in runs.into_iter().filter(counts) {
        *active.entry(run.info.dag_id).or_default() += 1;
    }
    active
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

/// The run of the last slot that has one, whoever made it, if it did not succeed. Slots after
/// `until` are not looked at: they are of a clock that was ahead.
pub(crate) async fn unsuccessful(journal: &Journal, dag: &str, until: Timestamp) -> Result<Option<String>, OpsError> {
    /// Backfills may have made other runs with the same logical date.
    const LAST: u32 = 20;

    let filter = RunFilter {
        dag: Some(dag.to_owned()),
        run_types: vec![RunType::Scheduled, RunType::Backfill],
        logical_before: Some(just_after(until)),
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
    // The runs of a plan that is damaged count with the others.
    let open: Vec<StoredBackfill> = journal.open_backfills().await?.into_iter().filter_map(Result::ok).collect();
    Ok(runs_of_backfills(&open))
}

/// The active runs of a DAG with event parameters, without those that backfills reprocess.
#[derive(Clone, Debug, Default)]
pub(crate) struct ActiveEventRuns {
    /// How many they are.
    pub(crate) count: u32,
    /// The last event that each consumes.
    pub(crate) last_events: BTreeSet<i64>,
}

/// The active runs of a DAG with event parameters. Interrupted ones are not among them, as in
/// [`active_runs`].
pub(super) async fn active_event_runs(
    journal: &Journal,
    dag: &str,
    backfilled: &HashSet<String>,
) -> Result<ActiveEventRuns, OpsError> {
    let filter = RunFilter { dag: Some(dag.to_owned()), ..active_of(&CONSUMING) };
    let runs = by_consumer(journal.runs(&filter).await?, |run| !backfilled.contains(&run.info.run_id)).remove(dag);
    Ok(runs.unwrap_or_default())
}

/// The runs of some DAGs with event parameters that a service counts, by DAG. One with a damaged
/// run hides no other.
pub(crate) async fn active_event_runs_of_dags(
    journal: &Journal,
    dags: &[&'static str],
    counting: Counting<'_>,
) -> Result<(HashMap<String, ActiveEventRuns>, DamagedRuns), OpsError> {
    let (runs, damaged) = runs_of_dags(journal, &Counting::filter(&CONSUMING), dags).await?;
    Ok((by_consumer(runs, |run| counting.counts(run)), damaged))
}

fn by_consumer(runs: Vec<RunSummary>, counts: impl Fn(&RunSummary) -> bool) -> HashMap<String, ActiveEventRuns> {
    let mut active: HashMap<String, ActiveEventRuns> = HashMap::new();
    for run in runs.into_iter().filter(counts) {
        let last = run.info.last_event();
        let runs = active.entry(run.info.dag_id).or_default();
        runs.count += 1;
        runs.last_events.extend(last);
    }
    active
}

/// The types of the runs that a DAG with event parameters makes by itself.
pub(crate) const CONSUMING: [RunType; 2] = [RunType::Scheduled, RunType::Event];

/// The runs of these types that have failed since the last one that succeeded, at most `limit`. A
/// run that was cancelled, or has not ended, is neither, nor is one after `until`, as for
/// [`unsuccessful`].
pub(crate) async fn failures(
    journal: &Journal,
    dag: &str,
    run_types: &[RunType],
    limit: u32,
    until: Timestamp,
) -> Result<Vec<FailedRun>, OpsError> {
    let filter = RunFilter {
        dag: Some(dag.to_owned()),
        states: vec![RunState::Success, RunState::Failed],
        run_types: run_types.to_vec(),
        logical_before: Some(just_after(until)),
        order: RunOrder::LogicalDate,
        limit: Some(limit),
        ..RunFilter::default()
    };
    let failed = journal.runs(&filter).await?.into_iter().take_while(|run| run.state == RunState::Failed);
    Ok(failed.map(|run| FailedRun { slot: run.info.logical_date, run_id: run.info.run_id }).collect())
}

fn just_after(moment: Timestamp) -> Timestamp {
    Timestamp::from_nanos(moment.as_nanos().saturating_add(1))
}

/// Why the pending slots of a schedule wait.
#[derive(Debug, Default)]
pub(super) struct PendingWaits {
    /// By the runs that are queued or running.
    pub(super) waits: Option<Waits>,
    /// The number of the interrupted run that they wait for: the one that has not succeeded, with
    /// [`Waits::ForPrevious`], or else one that leaves them no room when a service resumes it: with
    /// `overlap = "skip"` they are skipped then.
    pub(super) interrupted: Option<i64>,
}

/// Why the pending slots of a schedule wait, by the same step that the service makes.
pub(super) async fn waits(
    journal: &Journal,
    dag: &str,
    schedule: &Schedule,
    state: &ScheduleState,
    now: Timestamp,
) -> Result<PendingWaits, OpsError> {
    if state.pending.is_empty() {
        return Ok(PendingWaits::default());
    }
    let backfilled = backfilled(journal).await?;
    let active = active_runs(journal, Some(dag), &[RunType::Scheduled], &backfilled).await?;
    let active = active.get(dag).copied().unwrap_or(0);
    let until = state.noticed.max(now);
    let unsuccessful = match schedule.after_previous {
        true => unsuccessful(journal, dag, until).await?,
        false => None,
    };
    let failures = match schedule.pause_after_failures {
        Some(limit) => failures(journal, dag, &[RunType::Scheduled], limit, until).await?,
        None => Vec::new(),
    };
    let situation = Situation { now, active, unsuccessful, failures };
    let is_start = |decision: &Decision| matches!(decision, Decision::Start { .. });
    let Step { waits, decisions, .. } = asking(|| step(schedule, Some(state), &situation))?;
    let starts = decisions.iter().any(is_start);
    // If the step starts one of them, the others wait for that one only then.
    let waits = waits.filter(|_| !starts);
    if matches!(waits, Some(Waits::ForRoom { .. } | Waits::Paused)) {
        return Ok(PendingWaits { waits, interrupted: None });
    }
    let states = vec![RunState::Interrupted];
    let run_types = vec![RunType::Scheduled];
    let filter = RunFilter { dag: Some(dag.to_owned()), states, run_types, ..RunFilter::default() };
    let mut interrupted = match journal.runs(&filter).await {
        // One that is damaged is reported elsewhere.
        Err(error) if error.kind() == ErrorKind::Damaged => Vec::new(),
        runs => runs?,
    };
    interrupted.retain(|run| !backfilled.contains(&run.info.run_id));
    let ahead = match &waits {
        Some(Waits::ForPrevious { run }) => interrupted.iter().find(|interrupted| interrupted.info.run_id == *run),
        // The service cancels it, to make room.
        _ if schedule.overlap == Overlap::Cancel => None,
        _ => {
            let situation = Situation { active: active + interrupted.len() as u32, ..situation };
            let resumed = asking(|| step(schedule, Some(state), &situation))?;
            let is_ahead = starts && !resumed.decisions.iter().any(is_start);
            interrupted.iter().min_by_key(|run| run.number).filter(|_| is_ahead)
        }
    };
    let interrupted = ahead.map(|run| run.number);
    Ok(PendingWaits { waits, interrupted })
}
