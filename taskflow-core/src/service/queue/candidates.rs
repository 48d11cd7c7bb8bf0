//! The runs that wait for their turn: those that are queued, and those whose owners died.

use std::collections::HashSet;
use std::time::Duration;

use super::RunQueue;
use crate::base::ErrorKind;
use crate::dag::DagDef;
use crate::journal::{Journal, RunSummary};
use crate::ops::{OpsError, runs_of_dags};
use crate::run::RunState;
use crate::schedule::WaitingRun;
use crate::store::{RunFilter, RunOrder};

/// A run that could not be started is tried again after this time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run that waits for its turn.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) run: RunSummary,
    pub(super) waiting: WaitingRun,
    /// Whether a backfill clears it first.
    pub(super) is_reprocessed: bool,
}

impl RunQueue {
    /// The runs that wait for their turn.
    pub(super) async fn candidates(
        &mut self,
        journal: &Journal,
        backfilled: &HashSet<String>,
    ) -> Result<Vec<Candidate>, OpsError> {
        let mut candidates = Vec::new();
        for (run, dag) in std::mem::take(&mut self.to_reprocess) {
            let waiting = waiting(&run, dag, true);
            candidates.push(Candidate { run, waiting, is_reprocessed: true });
        }
        let states = vec![RunState::Queued, RunState::Interrupted];
        let filter = RunFilter { states, order: RunOrder::Number, ..RunFilter::default() };
        self.refused.retain(|_, since| since.elapsed() < PATIENCE);
        let (runs, damaged) = runs_of_dags(journal, &filter, &self.ids()).await?;
        self.damage.extend(damaged.values().map(OpsError::to_string));
        for run in runs {
            let is_known = self.running.contains_key(&run.number) || self.refused.contains_key(&run.number);
            // A run that another process has started and that waits for its admission has an owner.
            if is_known || run.is_owned {
                continue;
            }
            let Some(dag) = self.dag(&run) else { continue };
            if run.state != RunState::Interrupted || self.is_abandoned(journal, &run).await? {
                let waiting = waiting(&run, dag, backfilled.contains(&run.info.run_id));
                candidates.push(Candidate { run, waiting, is_reprocessed: false });
            }
        }
        Ok(candidates)
    }

    /// The DAG of a run, if this service serves it.
    pub(super) fn dag(&self, run: &RunSummary) -> Option<&'static DagDef> {
        self.dags.iter().find(|dag| dag.id == run.info.dag_id).copied()
    }

    /// Whether an interrupted run has lost its process.
    async fn is_abandoned(&self, journal: &Journal, run: &RunSummary) -> Result<bool, OpsError> {
        let is_resumed_by_its_task = match journal.is_resumed_by_its_task(&run.info).await {
            // What is stored of the waiting run is damaged, which holds up no other run.
            Err(error) if error.kind() == ErrorKind::Damaged => true,
            answer => answer?,
        };
        if is_resumed_by_its_task {
            return Ok(false);
        }
        Ok(self.interrupted.contains(&run.number) || journal.owner_died(&run.info.run_id).await?)
    }
}

/// A run as it takes part in the [turns](crate::schedule::FairTurns).
pub(crate) fn waiting(run: &RunSummary, dag: &DagDef, is_backfill: bool) -> WaitingRun {
    WaitingRun {
        dag: dag.id,
        number: run.number,
        priority: dag.options.priority.unwrap_or(0),
        weight: dag.options.weight.unwrap_or(1),
        is_interrupted: run.state == RunState::Interrupted,
        is_backfill,
    }
}
