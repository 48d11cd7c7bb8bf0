//! Where a run comes from, and what comes from it.
//!
//! A run is *behind* another if it triggered it, or emitted an event that it consumes. A run is
//! *ahead* if it is behind that one the other way round. Both are followed over several runs.

use std::collections::{HashMap, HashSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::error::OpsError;
use super::events::EventDocument;
use crate::base::schema::Schema;
use crate::journal::{Journal, JournalError, RunSummary};
use crate::run::{ConsumedEvents, RunInfo, RunState, RunType};
use crate::store::{EventFilter, RunFilter};

/// How many runs are followed in each direction.
const RUNS: usize = 500;
/// How many events of a run are looked at.
const EVENTS: u32 = 1_000;

/// Where a run comes from, and what comes from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct Lineage {
    /// The number of the run.
    pub number: i64,
    /// Its id.
    pub run_id: String,
    /// Its DAG.
    pub dag_id: String,
    /// The events that it consumes.
    pub consumed: Vec<ConsumedEvents>,
    /// The events that it emitted, without their payloads; at most 1,000.
    pub emitted: Vec<EventDocument>,
    /// The runs that it comes from, the nearest first; at most 500.
    pub behind: Vec<LineageRun>,
    /// The runs that come from it, the nearest first; at most 500.
    pub ahead: Vec<LineageRun>,
    /// Whether some are left off: there are more runs, or a run has more events than are looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A run in a lineage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct LineageRun {
    /// Its number.
    pub number: i64,
    /// Its id.
    pub run_id: String,
    /// Its DAG.
    pub dag_id: String,
    /// Its state.
    pub state: RunState,
    /// How many steps away it is, from 1.
    pub depth: u32,
    /// The number of the run that it is one step away from.
    pub of: i64,
    /// The asset whose event leads from one to the other; none if one triggered the other.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asset: Option<String>,
}

/// The lineage of a run.
///
/// # Errors
///
/// When there is no such run, or the store cannot be read.
pub async fn lineage(journal: &Journal, run: &str) -> Result<Lineage, OpsError> {
    let run = journal.find(run).await?;
    let emitted = emitted_by(journal, &run.info.run_id).await?;
    let (behind, more_behind) = behind(journal, &run).await?;
    let (ahead, more_ahead) = ahead(journal, &run).await?;
    Ok(Lineage {
        number: run.number,
        consumed: consumed(&run.info).to_vec(),
        run_id: run.info.run_id,
        dag_id: run.info.dag_id,
        more: is_full(emitted.len()) || more_behind || more_ahead,
        emitted,
        behind,
        ahead,
    })
}

fn consumed(info: &RunInfo) -> &[ConsumedEvents] {
    info.triggering_events.as_ref().map_or(&[], |events| &events.consumed)
}

/// The events that a run emitted, its result included.
async fn emitted_by(journal: &Journal, run_id: &str) -> Result<Vec<EventDocument>, OpsError> {
    let filter = EventFilter { run: Some(run_id.to_owned()), limit: Some(EVENTS), ..EventFilter::default() };
    let rows = journal.event_rows(&filter).await?;
    Ok(rows.into_iter().map(|row| EventDocument::of(row, false)).collect())
}

/// Whether there may be more events than these.
fn is_full(events: usize) -> bool {
    events >= EVENTS as usize
}

fn step(run: &RunSummary, depth: u32, of: i64, asset: Option<String>) -> LineageRun {
    let (run_id, dag_id) = (run.info.run_id.clone(), run.info.dag_id.clone());
    LineageRun { number: run.number, run_id, dag_id, state: run.state, depth, of, asset }
}

/// Follows parents: the run that triggered a run, and those that emitted its events. Says whether
/// there may be more.
async fn behind(journal: &Journal, run: &RunSummary) -> Result<(Vec<LineageRun>, bool), OpsError> {
    let (mut found, mut seen) = (Vec::new(), HashSet::from([run.info.run_id.clone()]));
    let mut more = false;
    let mut open = VecDeque::from([(run.clone(), 0)]);
    while let Some((run, depth)) = open.pop_front() {
        let mut parents: Vec<(String, Option<String>)> = Vec::new();
        parents.extend(run.info.triggered_by.iter().map(|parent| (parent.run_id.clone(), None)));
        for events in consumed(&run.info) {
            let filter = EventFilter {
                assets: vec![events.asset.clone()],
                after: Some(events.first.saturating_sub(1)),
                before: Some(events.last.saturating_add(1)),
                limit: Some(EVENTS),
                ..EventFilter::default()
            };
            let rows = journal.event_rows(&filter).await?;
            more |= is_full(rows.len());
            parents.extend(rows.into_iter().filter_map(|row| Some((row.run?, Some(events.asset.clone())))));
        }
        for (id, asset) in parents {
            if !seen.insert(id.clone()) {
                continue;
            }
            if found.len() == RUNS {
                more = true;
                continue;
            }
            match journal.find_id(&id).await {
                Ok(parent) => {
                    found.push(step(&parent, depth + 1, run.number, asset));
                    open.push_back((parent, depth + 1));
                }
                // It was deleted.
                Err(JournalError::UnknownRun { .. } | JournalError::PrunedRun { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok((found, more))
}

/// Follows children: the runs that a run triggered, and those that consume its events. Says whether
/// there may be more.
async fn ahead(journal: &Journal, run: &RunSummary) -> Result<(Vec<LineageRun>, bool), OpsError> {
    let filter = RunFilter {
        run_types: vec![RunType::Triggered, RunType::Event],
        since: Some(run.created),
        ..RunFilter::default()
    };
    let later = journal.runs(&filter).await?;
    let mut triggered: HashMap<&str, Vec<&RunSummary>> = HashMap::new();
    let mut consuming: HashMap<&str, Vec<(&ConsumedEvents, &RunSummary)>> = HashMap::new();
    for run in &later {
        if let Some(parent) = &run.info.triggered_by {
            triggered.entry(&parent.run_id).or_default().push(run);
        }
        for events in consumed(&run.info) {
            consuming.entry(&events.asset).or_default().push((events, run));
        }
    }
    let (mut found, mut seen) = (Vec::new(), HashSet::from([run.number]));
    let mut more = false;
    let mut open = VecDeque::from([(run, 0)]);
    while let Some((run, depth)) = open.pop_front() {
        let mut children: Vec<(&RunSummary, Option<String>)> = Vec::new();
        children.extend(triggered.get(&*run.info.run_id).into_iter().flatten().map(|run| (*run, None)));
        if !consuming.is_empty() {
            let emitted = emitted_by(journal, &run.info.run_id).await?;
            more |= is_full(emitted.len());
            for event in emitted {
                let takers = consuming.get(&*event.asset).into_iter().flatten();
                let takers = takers.filter(|(events, _)| (events.first..=events.last).contains(&event.number));
                children.extend(takers.map(|(_, run)| (*run, Some(event.asset.clone()))));
            }
        }
        children.sort_by_key(|(run, _)| run.number);
        for (child, asset) in children {
            if !seen.insert(child.number) {
                continue;
            }
            if found.len() == RUNS {
                more = true;
                continue;
            }
            found.push(step(child, depth + 1, run.number, asset));
            open.push_back((child, depth + 1));
        }
    }
    Ok((found, more))
}
