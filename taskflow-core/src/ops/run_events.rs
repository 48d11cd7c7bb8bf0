//! The events that a run has consumed and emitted, and the runs behind and ahead of it.

use serde::Serialize;

use super::error::OpsError;
use super::events::EventDocument;
use crate::base::Timestamp;
use crate::journal::{Journal, RunHistory, RunSummary};
use crate::run::{ConsumedEvents, RunState, RunType};
use crate::store::{EventFilter, RunFilter};

/// The most events of each kind, and the most runs that are looked at.
const EVENTS: u32 = 200;
const RUNS: u32 = 1_000;

/// The events of a run, and the runs that they connect it with.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RunEvents {
    /// What started the run: its events by parameter.
    pub triggered_by_events: Vec<ConsumedEvents>,
    /// The key or the period that its events have in common.
    pub key: Option<String>,
    /// Those events, oldest first, at most 200 of each parameter. Where events are grouped by a key
    /// or filtered, there may be others between the first and the last.
    pub consumed: Vec<EventDocument>,
    /// The events that its tasks and its result emitted, at most 200.
    pub emitted: Vec<EventDocument>,
    /// The runs that emitted what it consumed, and the run whose task triggered it.
    pub behind: Vec<NeighbourRun>,
    /// The runs that its tasks triggered, and those that consumed what it emitted.
    pub ahead: Vec<NeighbourRun>,
}

/// A run before or after another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NeighbourRun {
    /// Its number.
    pub number: i64,
    /// Its id.
    pub run_id: String,
    /// Its DAG.
    pub dag_id: String,
    /// Its state.
    pub state: RunState,
    /// Its logical date.
    pub logical_date: Timestamp,
    /// The asset of the event between the two, or the task that triggered one of them.
    pub through: String,
}

impl NeighbourRun {
    fn of(run: RunSummary, through: &str) -> NeighbourRun {
        let RunSummary { number, info, state, .. } = run;
        let (run_id, dag_id, logical_date) = (info.run_id, info.dag_id, info.logical_date);
        NeighbourRun { number, run_id, dag_id, state, logical_date, through: through.to_owned() }
    }
}

/// The events of a run with their payloads, and the runs one step behind and ahead of it. Runs and
/// events that were pruned are left out. [`lineage`](super::lineage()) follows runs further.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn run_events(journal: &Journal, history: &RunHistory) -> Result<RunEvents, OpsError> {
    let info = &history.info;
    let events = info.triggering_events.as_ref();
    let triggered_by_events = events.map(|events| events.consumed.clone()).unwrap_or_default();
    let mut consumed = Vec::new();
    for of_param in &triggered_by_events {
        let filter = EventFilter {
            assets: vec![of_param.asset.clone()],
            after: Some(of_param.first.saturating_sub(1)),
            before: Some(of_param.last.saturating_add(1)),
            limit: Some(EVENTS),
            with_values: true,
            ..EventFilter::default()
        };
        let rows = journal.event_rows(&filter).await?;
        consumed.extend(rows.into_iter().map(|row| EventDocument::of(row, true)));
    }
    let filter = EventFilter {
        run: Some(info.run_id.clone()),
        limit: Some(EVENTS),
        with_values: true,
        ..EventFilter::default()
    };
    let emitted: Vec<EventDocument> =
        journal.event_rows(&filter).await?.into_iter().map(|row| EventDocument::of(row, true)).collect();
    let behind = behind(journal, history, &consumed).await?;
    let ahead = ahead(journal, history, &emitted).await?;
    let key = events.and_then(|events| events.key.clone());
    Ok(RunEvents { triggered_by_events, key, consumed, emitted, behind, ahead })
}

async fn behind(
    journal: &Journal,
    history: &RunHistory,
    consumed: &[EventDocument],
) -> Result<Vec<NeighbourRun>, OpsError> {
    let by_task = history.info.triggered_by.iter().map(|by| (by.run_id.as_str(), by.task_id.as_str()));
    let by_event = consumed.iter().filter_map(|event| Some((event.run_id.as_deref()?, event.asset.as_str())));
    let mut runs: Vec<NeighbourRun> = Vec::new();
    for (run_id, through) in by_task.chain(by_event) {
        if runs.iter().any(|run| run.run_id == run_id && run.through == through) {
            continue;
        }
        // It may have been pruned.
        if let Ok(run) = journal.find_id(run_id).await {
            runs.push(NeighbourRun::of(run, through));
        }
    }
    Ok(runs)
}

async fn ahead(
    journal: &Journal,
    history: &RunHistory,
    emitted: &[EventDocument],
) -> Result<Vec<NeighbourRun>, OpsError> {
    let filter = RunFilter {
        run_types: vec![RunType::Triggered, RunType::Event],
        since: Some(history.created),
        limit: Some(RUNS),
        ..RunFilter::default()
    };
    let consumes = |run: &RunSummary| {
        let events = run.info.triggering_events.as_ref()?;
        let of = |event: &&EventDocument| {
            let has = |taken: &ConsumedEvents| {
                taken.asset == event.asset && (taken.first..=taken.last).contains(&event.number)
            };
            events.consumed.iter().any(has)
        };
        Some(emitted.iter().find(of)?.asset.clone())
    };
    let mut runs = Vec::new();
    for run in journal.runs(&filter).await? {
        let by = run.info.triggered_by.as_ref().filter(|by| by.run_id == history.info.run_id);
        let through = by.map(|by| by.task_id.clone()).or_else(|| consumes(&run));
        if let Some(through) = through {
            runs.push(NeighbourRun::of(run, &through));
        }
    }
    runs.sort_by_key(|run| run.number);
    Ok(runs)
}
