//! Why a queued run has not started.
//!
//! The service that starts queued runs keeps their order in memory: see
//! [`FairTurns`](crate::schedule::FairTurns). This reports what follows from the store and from the
//! options of the DAGs: which limit is reached, and which other runs wait with which priorities and
//! weights.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::dags::is_zero;
use super::error::OpsError;
use super::served::{ServingProcess, serving_process};
use super::situation::backfilled;
use crate::base::schema::Schema;
use crate::dag::DagDef;
use crate::journal::{Journal, RunHistory, RunSummary};
use crate::run::{AdmissionWait, RunState, RunType};
use crate::store::RunFilter;

/// What a queued run waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(tag = "cause", rename_all = "snake_case")]
#[non_exhaustive]
pub enum QueueWait {
    /// No process serves the home.
    NoService,
    /// The service of the home does not serve the DAG: it has `--only`, or is another program.
    NotServed {
        /// The DAG.
        dag_id: String,
        /// The service, `host:process`.
        worker: String,
    },
    /// A process of this program will refuse to start it.
    Refused {
        /// Why.
        reason: String,
    },
    /// As many runs of its DAG are active as the DAG allows.
    DagLimit {
        /// The DAG.
        dag_id: String,
        /// Its `max_active_runs`.
        limit: u32,
        /// The numbers of the active runs.
        active: Vec<i64>,
        /// The numbers of the queued runs that start before this one.
        ahead: Vec<i64>,
    },
    /// The service runs as many runs as it may.
    ServiceLimit {
        /// The `max_active_runs` of the service.
        limit: usize,
        /// How many runs it runs.
        active: usize,
        /// How many runs of the same DAG are older.
        older: usize,
        /// The DAGs whose runs start first.
        first: Vec<QueuedDag>,
        /// The other DAGs whose runs take turns with those of this one.
        in_turn: Vec<QueuedDag>,
        /// How many other DAGs have runs that start first or take turns, which whoever asks may not
        /// see.
        #[serde(default, skip_serializing_if = "is_zero")]
        hidden: usize,
    },
    /// No limit holds it up: the service starts it within a second.
    Next,
}

/// A DAG whose runs wait for the same service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct QueuedDag {
    /// The DAG.
    pub dag_id: String,
    /// Whether these are runs of its backfills.
    pub is_backfill: bool,
    /// Its priority.
    pub priority: i32,
    /// Its weight.
    pub weight: u32,
    /// How many of its runs are queued.
    pub runs: usize,
}

/// The queued and the active runs of a home.
struct RunsOfHome<'a> {
    dags: HashMap<&'a str, &'static DagDef>,
    runs: &'a [RunSummary],
    /// The ids of the runs of backfills.
    backfilled: &'a HashSet<String>,
}

/// Why a run has not started; `None` if it is not queued. `dags` are the DAGs of the program.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn queue_wait(
    journal: &Journal,
    home: &Path,
    dags: &[&'static DagDef],
    run: &RunHistory,
) -> Result<Option<QueueWait>, OpsError> {
    if run.state != RunState::Queued {
        return Ok(None);
    }
    // A lock file that cannot be read names no service.
    let service = serving_process(home).ok().flatten();
    let states = vec![RunState::Queued, RunState::Running];
    let runs = journal.runs(&RunFilter { states, ..RunFilter::default() }).await?;
    let dags = dags.iter().map(|&dag| (dag.id, dag)).collect();
    let home = RunsOfHome { dags, runs: &runs, backfilled: &backfilled(journal).await? };
    let flow = (&*run.info.dag_id, home.backfilled.contains(&run.info.run_id));
    let is_served = |dags: Option<&[String]>| dags.is_none_or(|dags| dags.iter().any(|dag| dag == flow.0));
    if let Some(reason) = journal.why_refused(run.number, &run.info).await? {
        return Ok(Some(QueueWait::Refused { reason }));
    }
    Ok(Some(match (home.dag_limit(run.number, flow), service) {
        (_, Some(ServingProcess { worker, dags, .. })) if !is_served(dags.as_deref()) => {
            QueueWait::NotServed { dag_id: flow.0.to_owned(), worker }
        }
        (Some(limit), _) => limit,
        (None, None) => QueueWait::NoService,
        (None, Some(service)) => home.service_limit(run.number, flow, &service).unwrap_or(QueueWait::Next),
    }))
}

impl<'a> RunsOfHome<'a> {
    /// The DAG of a run, and whether it is a run of a backfill: these have a share of their own.
    fn flow(&self, run: &'a RunSummary) -> (&'a str, bool) {
        (&run.info.dag_id, self.backfilled.contains(&run.info.run_id))
    }

    fn of_flow(&self, flow: (&str, bool), is_owned: bool) -> impl Iterator<Item = &'a RunSummary> {
        self.runs.iter().filter(move |run| run.is_owned == is_owned && self.flow(run) == flow)
    }

    /// The limit of the DAG, if it is reached.
    fn dag_limit(&self, number: i64, flow: (&str, bool)) -> Option<QueueWait> {
        let limit = self.dags.get(flow.0)?.options.max_active_runs?;
        let mut active: Vec<i64> =
            self.of_flow(flow, true).map(|run| run.number).filter(|&run| run != number).collect();
        let mut ahead: Vec<i64> = self.of_flow(flow, false).map(|run| run.number).filter(|&run| run < number).collect();
        active.sort_unstable();
        ahead.sort_unstable();
        let is_reached = active.len() >= limit as usize;
        is_reached.then(|| QueueWait::DagLimit { dag_id: flow.0.to_owned(), limit, active, ahead })
    }

    /// The limit of the service, if it is reached, and which runs wait with this one.
    fn service_limit(&self, number: i64, flow: (&str, bool), service: &ServingProcess) -> Option<QueueWait> {
        let limit = service.max_active_runs?;
        // The service does not count the runs that tasks trigger.
        let is_counted =
            |run: &&RunSummary| run.is_owned && run.worker == service.worker && run.info.run_type != RunType::Triggered;
        let active = self.runs.iter().filter(is_counted).count();
        if active < limit {
            return None;
        }
        let mut others: BTreeMap<(&str, bool), usize> = BTreeMap::new();
        for run in self.runs.iter().filter(|run| !run.is_owned && self.flow(run) != flow) {
            *others.entry(self.flow(run)).or_default() += 1;
        }
        let rank = |(dag, is_backfill): (&str, bool)| {
            let priority = self.dags.get(dag).and_then(|dag| dag.options.priority).unwrap_or(0);
            (!is_backfill, priority)
        };
        let (mut first, mut in_turn) = (Vec::new(), Vec::new());
        for (other, runs) in others {
            let Some(dag) = self.dags.get(other.0) else { continue };
            if self.dag_limit(i64::MAX, other).is_some() || rank(other) < rank(flow) {
                continue;
            }
            let (dag_id, weight) = (dag.id.to_owned(), dag.options.weight.unwrap_or(1));
            let queued = QueuedDag { dag_id, is_backfill: other.1, priority: rank(other).1, weight, runs };
            if rank(other) > rank(flow) { first.push(queued) } else { in_turn.push(queued) }
        }
        let older = self.of_flow(flow, false).filter(|run| run.number < number).count();
        Some(QueueWait::ServiceLimit { limit, active, older, first, in_turn, hidden: 0 })
    }
}

impl QueueWait {
    /// The same for somebody who sees these DAGs only: the others are counted.
    #[must_use]
    pub fn seen_by(mut self, sees: impl Fn(&str) -> bool) -> Self {
        if let QueueWait::ServiceLimit { first, in_turn, hidden, .. } = &mut self {
            let others: HashSet<&str> = first.iter().chain(&*in_turn).map(|queued| &*queued.dag_id).collect();
            *hidden += others.into_iter().filter(|dag| !sees(dag)).count();
            first.retain(|queued| sees(&queued.dag_id));
            in_turn.retain(|queued| sees(&queued.dag_id));
        }
        self
    }
}

impl fmt::Display for QueueWait {
    /// `waits for a place: the service runs 2 runs, max_active_runs = 2; ..`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QueueWait::NoService => f.write_str("waits for a service: no process serves this home"),
            QueueWait::NotServed { dag_id, worker } => {
                write!(f, "waits for a service of `{dag_id}`: {worker} serves this home without it")
            }
            QueueWait::Refused { reason } => write!(f, "will not start: {reason}"),
            QueueWait::DagLimit { dag_id, limit, active, ahead } => {
                let (dag_id, limit, active, ahead) = (dag_id.clone(), *limit, active.clone(), ahead.clone());
                write!(f, "{}", AdmissionWait { dag_id, limit, active, ahead })
            }
            QueueWait::ServiceLimit { limit, active, older, first, in_turn, hidden } => {
                write!(f, "waits for a place: the service runs {}, max_active_runs = {limit}", counted(*active))?;
                if *older > 0 {
                    write!(f, "; after {} of the same DAG", counted(*older))?;
                }
                if !first.is_empty() {
                    let all: Vec<String> = first.iter().map(QueuedDag::with_priority).collect();
                    write!(f, "; after {}", all.join(", "))?;
                }
                if !in_turn.is_empty() {
                    let all: Vec<String> = in_turn.iter().map(QueuedDag::with_weight).collect();
                    write!(f, "; in turn with {}", all.join(", "))?;
                }
                match hidden {
                    0 => Ok(()),
                    1 => f.write_str("; and runs of another DAG, which is not shown"),
                    hidden => write!(f, "; and runs of {hidden} other DAGs, which are not shown"),
                }
            }
            QueueWait::Next => f.write_str("starts within a second"),
        }
    }
}

impl QueuedDag {
    fn named(&self) -> String {
        let of = if self.is_backfill { "backfills of " } else { "" };
        format!("{} of {of}`{}`", counted(self.runs), self.dag_id)
    }

    /// ``3 runs of `urgent` (priority 10)``
    fn with_priority(&self) -> String {
        format!("{} (priority {})", self.named(), self.priority)
    }

    /// ``3 runs of `hourly` (weight 2)``
    fn with_weight(&self) -> String {
        format!("{} (weight {})", self.named(), self.weight)
    }
}

/// `1 run`, `2 runs`
fn counted(runs: usize) -> String {
    if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queued(dag: &str, is_backfill: bool) -> QueuedDag {
        QueuedDag { dag_id: dag.to_owned(), is_backfill, priority: 0, weight: 1, runs: 2 }
    }

    #[test]
    fn dags_that_may_not_be_seen_are_counted_and_not_named() {
        let (first, in_turn) = (vec![queued("seen", false), queued("secret", false)], vec![queued("secret", true)]);
        let wait = QueueWait::ServiceLimit { limit: 1, active: 1, older: 0, first, in_turn, hidden: 0 };
        assert_eq!(wait.clone().seen_by(|_| true), wait);
        let shown = wait.seen_by(|dag| dag == "seen");
        let expected = "waits for a place: the service runs 1 run, max_active_runs = 1; after 2 runs of `seen` \
                        (priority 0); and runs of another DAG, which is not shown";
        assert_eq!(shown.to_string(), expected);
        let document = serde_json::to_string(&shown).unwrap();
        assert!(document.contains(r#""hidden":1"#) && !document.contains("secret"), "{document}");
        assert_eq!(serde_json::from_str::<QueueWait>(&document).unwrap(), shown);
    }
}
