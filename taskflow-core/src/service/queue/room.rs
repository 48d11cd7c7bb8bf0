//! How many more runs may be active: of the service, and of each DAG.

use std::collections::{HashMap, HashSet};

use super::RunQueue;
use super::candidates::Candidate;
use crate::base::ErrorKind;
use crate::journal::Journal;
use crate::ops::OpsError;
use crate::run::RunState;
use crate::store::RunFilter;

/// Which limit of a DAG an active run counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Active {
    pub(super) dag: &'static str,
    pub(super) is_backfill: bool,
}

/// How many runs are active, by the limit that they count against.
pub(super) type ActiveRuns = HashMap<Active, u32>;

impl RunQueue {
    /// The active runs that this service has not started, of the DAGs of these runs that have a
    /// limit. Removes those of a DAG of which it is not known, because a run is damaged.
    pub(super) async fn active_elsewhere(
        &mut self,
        journal: &Journal,
        backfilled: &HashSet<String>,
        candidates: &mut Vec<Candidate>,
    ) -> Result<ActiveRuns, OpsError> {
        let (mut active, mut damage) = (ActiveRuns::new(), Vec::new());
        let waiting: HashSet<&'static str> = candidates.iter().map(|candidate| candidate.waiting.dag).collect();
        for dag in self.dags.iter().filter(|dag| dag.options.max_active_runs.is_some() && waiting.contains(dag.id)) {
            let states = vec![RunState::Queued, RunState::Running];
            let filter = RunFilter { dag: Some(dag.id.to_owned()), states, ..RunFilter::default() };
            let runs = match journal.runs(&filter).await {
                Err(error) if error.kind() == ErrorKind::Damaged => {
                    candidates.retain(|candidate| candidate.waiting.dag != dag.id);
                    damage.push(OpsError::from(error).to_string());
                    continue;
                }
                runs => runs?,
            };
            for run in runs {
                if run.is_owned && !self.running.contains_key(&run.number) {
                    let is_backfill = backfilled.contains(&run.info.run_id);
                    *active.entry(Active { dag: dag.id, is_backfill }).or_default() += 1;
                }
            }
        }
        damage.retain(|error| !self.damage.contains(error));
        self.damage.extend(damage);
        Ok(active)
    }

    /// How many more runs of a DAG and share may be active by the limit of the DAG.
    pub(super) fn room(&self, elsewhere: &ActiveRuns) -> impl Fn(&'static str, bool) -> u32 + use<> {
        let mut active = elsewhere.clone();
        for &run in self.running.values().chain(self.permits.values()) {
            *active.entry(run).or_default() += 1;
        }
        let limits: HashMap<&str, u32> =
            self.dags.iter().filter_map(|dag| Some((dag.id, dag.options.max_active_runs?))).collect();
        move |dag, is_backfill| {
            let active = active.get(&Active { dag, is_backfill }).copied().unwrap_or(0);
            limits.get(dag).copied().unwrap_or(u32::MAX).saturating_sub(active)
        }
    }

    /// How many more runs may be active.
    pub(super) fn places(&self) -> usize {
        self.options.max_active_runs.get().saturating_sub(self.running.len() + self.permits.len())
    }
}
