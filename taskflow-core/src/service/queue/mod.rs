//! Claims and starts queued runs.
//!
//! # Protocol
//!
//! 1. Each turn reads the runs that are queued, and those whose owners died. The runs that
//!    backfills want to reprocess wait with them.
//! 2. [`FairTurns`] picks those that start now. At most `max_active_runs` runs of this service are
//!    active, and of each DAG and share no more than the `max_active_runs` that the DAG declares:
//!    a run that would only wait for its [admission](crate::store::Admission) takes no place from
//!    other DAGs. The runs of other processes, and those that tasks have triggered, count against
//!    the limit of their DAG. All other runs stay queued.
//! 3. The runs that were picked are claimed, up to `CLAIMS` of them at the same time, and then
//!    started in the order in which they were picked. Claims are commits that do not wait for the
//!    disk, but take turns with those that do: one at a time, each would wait for the first entries
//!    of the run before it.
//! 4. A run that cannot be started leaves its place to the next one, and is tried again after a
//!    minute. If it was interrupted, it counts as active in the schedule of its DAG while it waits
//!    for its turn, and goes on to do so if the system cannot start it now, because the disk is
//!    full for example: after any other error it leaves that place, too. If the reason is that
//!    another process has locked the store, no other run could start either: the turn ends, and the
//!    next one tries again.
//! 5. A run that is to be reprocessed is cleared only when it may start: it gets a *permit*, which
//!    takes a place. The backfill uses it in the next turn, which follows at once, or loses it.
//! 6. A queued run that a task of this process waits for starts before all others, and beyond
//!    `max_active_runs`: see the protocol of the [service](super). Only the limit of its DAG holds
//!    it up.
//!
//! Runs that somebody starts with `run` or `resume`, and those that tasks trigger, do not wait in
//! the queue, and take no place.
//!
//! `candidates` finds what waits (1), `room` counts what may start (2), `starts` claims and starts
//! (3, 4, 6), and `reprocess` is for backfills (5).

mod candidates;
mod reprocess;
mod room;
mod starts;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use self::candidates::Candidate;
#[cfg(feature = "testing")]
pub(crate) use self::candidates::waiting;
use self::room::Active;
use super::serving::{ServiceEvent, ServiceOptions};
use crate::base::Timestamp;
use crate::dag::DagDef;
use crate::engine::Engine;
use crate::journal::{Journal, RunSummary};
use crate::ops::{OpsError, runs_of_dags};
use crate::run::RunState;
use crate::schedule::{FairTurns, WaitingRun};
use crate::store::RunFilter;

/// A run of the service that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) number: i64,
    pub(super) dag_id: String,
    pub(super) state: RunState,
    pub(super) started: Timestamp,
    pub(super) took: Duration,
}

/// The queued runs of the DAGs of a service.
#[derive(Debug)]
pub(super) struct RunQueue {
    engine: Engine,
    options: ServiceOptions,
    dags: Vec<&'static DagDef>,
    turns: FairTurns,
    /// The runs that this service runs.
    running: HashMap<i64, Active>,
    /// The runs that backfills want to reprocess.
    to_reprocess: Vec<(RunSummary, &'static DagDef)>,
    /// The numbers of those that may start in the next turn.
    permits: HashMap<i64, Active>,
    /// The interrupted runs that are resumed although nobody knows that their owners died: those of
    /// the time before this service, and those of its own that were interrupted because the store
    /// was in trouble.
    interrupted: HashSet<i64>,
    /// Those of them that wait for their turn, and have not been refused for a reason that stays:
    /// they keep their place in the schedule of their DAG, and their key.
    to_resume: HashSet<i64>,
    refused: HashMap<i64, Instant>,
    /// Why the runs of some DAGs cannot be read, which holds up no other DAG.
    damage: Vec<String>,
    /// The ids of the runs that tasks wait for and that are still queued.
    awaited: HashSet<String>,
    /// Whether runs have waited for a place since no run waited.
    is_at_limit: bool,
    ended: mpsc::UnboundedSender<Ended>,
}

impl RunQueue {
    pub(super) fn new(
        engine: Engine,
        options: &ServiceOptions,
        dags: Vec<&'static DagDef>,
    ) -> (Self, mpsc::UnboundedReceiver<Ended>) {
        let (ended, receiver) = mpsc::unbounded_channel();
        let queue = RunQueue {
            engine,
            options: *options,
            dags,
            turns: FairTurns::default(),
            running: HashMap::new(),
            to_reprocess: Vec::new(),
            permits: HashMap::new(),
            interrupted: HashSet::new(),
            to_resume: HashSet::new(),
            refused: HashMap::new(),
            damage: Vec::new(),
            awaited: HashSet::new(),
            is_at_limit: false,
            ended,
        };
        (queue, receiver)
    }

    /// Whether runs of this service are active.
    pub(super) fn is_busy(&self) -> bool {
        !self.running.is_empty()
    }

    /// Whether an interrupted run counts as active: it is resumed when it is its turn, or its end
    /// is not known here yet.
    pub(super) fn counts_as_active(&self, number: i64) -> bool {
        self.to_resume.contains(&number) || self.running.contains_key(&number)
    }

    /// Whether the next turn should come at once.
    pub(super) fn is_due(&self) -> bool {
        !self.permits.is_empty()
    }

    pub(super) fn ended(&mut self, number: i64, state: RunState) {
        self.running.remove(&number);
        if state == RunState::Interrupted {
            self.interrupted.insert(number);
            self.to_resume.insert(number);
            self.refused.insert(number, Instant::now());
        }
    }

    /// Has the next turns resume all interrupted runs.
    pub(super) async fn resume(&mut self, journal: &Journal) -> Result<(), OpsError> {
        let filter = RunFilter { states: vec![RunState::Interrupted], ..RunFilter::default() };
        // The first turn reports what is damaged.
        let (runs, _) = runs_of_dags(journal, &filter, &self.ids()).await?;
        self.interrupted.extend(runs.iter().map(|run| run.number));
        self.to_resume.extend(runs.iter().map(|run| run.number));
        Ok(())
    }

    /// Claims and starts queued runs, and resumes the runs whose owners died, as many as may be
    /// active. A run that a person interrupted, which its process has released, waits for `resume`
    /// or for the next service. `backfilled` are the ids of the runs of backfills.
    pub(super) async fn turn(
        &mut self,
        journal: &Journal,
        backfilled: &HashSet<String>,
        events: &mut Vec<ServiceEvent>,
    ) -> Result<(), OpsError> {
        self.permits.clear();
        self.awaited.extend(journal.take_awaited());
        if self.is_at_limit && self.places() == 0 && self.awaited.is_empty() {
            // Nothing can start, and that is known.
            self.to_reprocess.clear();
            return Ok(());
        }
        let known = std::mem::take(&mut self.damage);
        let mut candidates = self.candidates(journal, backfilled).await?;
        let elsewhere = self.active_elsewhere(journal, backfilled, &mut candidates).await?;
        let news = self.damage.iter().filter(|error| !known.contains(error));
        events.extend(news.map(|error| ServiceEvent::Trouble { error: error.clone() }));
        let mut candidates = self.start_awaited(journal, candidates, &elsewhere, events).await?;
        loop {
            let waiting: Vec<WaitingRun> = candidates.iter().map(|candidate| candidate.waiting).collect();
            let room = self.room(&elsewhere);
            let places = self.places();
            let picked = self.turns.pick(&waiting, places, room);
            if picked.is_empty() {
                break;
            }
            let mut left: Vec<Option<Candidate>> = candidates.into_iter().map(Some).collect();
            let picked = picked.into_iter().filter_map(|at| left[at].take()).collect();
            self.start_all(journal, picked, events).await?;
            candidates = left.into_iter().flatten().collect();
        }
        if self.places() > 0 || candidates.is_empty() {
            self.is_at_limit = false;
        } else if !self.is_at_limit {
            self.is_at_limit = true;
            let (limit, waiting) = (self.options.max_active_runs.get(), candidates.len());
            events.push(ServiceEvent::AtLimit { limit, waiting });
        }
        Ok(())
    }

    /// The ids of the DAGs of the service.
    fn ids(&self) -> Vec<&'static str> {
        self.dags.iter().map(|dag| dag.id).collect()
    }
}
