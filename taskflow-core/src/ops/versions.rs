//! The versions of a DAG: the graphs that its runs were made with, and what changed between them.

use std::collections::BTreeSet;

use serde::Serialize;

use super::error::OpsError;
use crate::base::Timestamp;
use crate::base::schema::Schema;
use crate::dag::DagDef;
use crate::journal::{Graph, Journal, RunSummary, differences};
use crate::schedule::Note;
use crate::store::RunFilter;

/// How many of the last runs are looked at, and how many entries in the history of the schedule.
const RUNS: u32 = 1_000;
const NOTES: u32 = 100;

/// A graph of a DAG.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Schema)]
#[non_exhaustive]
pub struct DagVersion {
    /// Its structural hash.
    pub graph: String,
    /// Whether it is the graph of this program.
    pub is_present: bool,
    /// How many tasks it has.
    pub tasks: Option<usize>,
    /// How many of the last 1,000 runs were made with it.
    pub runs: usize,
    /// The number of the first of them.
    pub first_run: Option<i64>,
    /// The number of the last of them.
    pub last_run: Option<i64>,
    /// When the first of them was created.
    pub since: Option<Timestamp>,
    /// When the last of them was created.
    pub until: Option<Timestamp>,
    /// The builds of the program that made them.
    pub builds: Vec<String>,
    /// What differs from the version before, one line each: `+` is new, `-` is gone, `~` is
    /// different. Empty for the first version.
    pub changes: Vec<String>,
}

/// The versions of a DAG by its last 1,000 runs, the latest first. `dag` is the DAG of the program,
/// if it has it: its present graph is a version even before it has a run.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn versions(journal: &Journal, dag_id: &str, dag: Option<&DagDef>) -> Result<Vec<DagVersion>, OpsError> {
    let filter = RunFilter { dag: Some(dag_id.to_owned()), limit: Some(RUNS), ..RunFilter::default() };
    let mut runs = journal.runs(&filter).await?;
    runs.sort_by_key(|run| run.number);
    // The order in which the graphs were new.
    let mut versions: Vec<(DagVersion, Option<Graph>)> = Vec::new();
    for run in &runs {
        match versions.iter_mut().find(|(version, _)| version.graph == run.graph) {
            Some((version, _)) => version.add(run),
            None => {
                let graph = journal.graph(&run.graph).await?;
                let mut version = DagVersion::new(run.graph.clone(), graph.as_ref());
                version.add(run);
                versions.push((version, graph));
            }
        }
    }
    if let Some(plan) = dag.and_then(|dag| dag.plan().ok()) {
        let hash = plan.hash();
        if !versions.iter().any(|(version, _)| version.graph == hash) {
            let graph = Graph::of(&plan);
            versions.push((DagVersion::new(hash.to_owned(), Some(&graph)), Some(graph)));
        }
        for (version, _) in &mut versions {
            version.is_present = version.graph == hash;
        }
    }
    let schedules = schedule_changes(journal, dag_id).await?;
    for later in 1..versions.len() {
        let (before, after) = versions.split_at_mut(later);
        let ((before, old), (after, new)) = (&before[later - 1], &mut after[0]);
        after.changes = match (old, new) {
            (Some(old), Some(new)) => differences(old, new),
            _ => vec!["~ one of the two graphs is not in the store any more".to_owned()],
        };
        let changed_then = |at: &&Timestamp| {
            before.until.is_none_or(|until| **at >= until) && after.until.is_none_or(|until| **at <= until)
        };
        if schedules.iter().any(|at| changed_then(&at)) {
            after.changes.push("~ the schedule".to_owned());
        }
    }
    Ok(versions.into_iter().rev().map(|(version, _)| version).collect())
}

/// When the service noticed that the schedule had changed.
async fn schedule_changes(journal: &Journal, dag: &str) -> Result<BTreeSet<Timestamp>, OpsError> {
    let notes = journal.schedule_notes(dag, NOTES).await?;
    let is_change = |note: &Note| matches!(note, Note::TimetableChanged { .. });
    Ok(notes.into_iter().filter(|(_, note)| is_change(note)).map(|(at, _)| at).collect())
}

impl DagVersion {
    fn new(hash: String, graph: Option<&Graph>) -> DagVersion {
        DagVersion {
            graph: hash,
            is_present: false,
            tasks: graph.map(|graph| graph.nodes.len()),
            runs: 0,
            first_run: None,
            last_run: None,
            since: None,
            until: None,
            builds: Vec::new(),
            changes: Vec::new(),
        }
    }

    fn add(&mut self, run: &RunSummary) {
        self.runs += 1;
        self.first_run.get_or_insert(run.number);
        self.since.get_or_insert(run.created);
        (self.last_run, self.until) = (Some(run.number), Some(run.created));
        if !self.builds.contains(&run.build) {
            self.builds.push(run.build.clone());
        }
    }
}
