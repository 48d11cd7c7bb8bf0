//! Reads the rollups of runs, and makes those that are missing.
//!
//! 1. A rollup covers the segments of its run up to a number, and is up to date as long as the run
//!    has no more. Whoever changes a run need not know that rollups exist.
//! 2. The process that stores the end of a run writes its rollup soon after
//!    ([`rollup_writer`](super::rollup_writer)), unless it ends before; an edit that ends a run
//!    writes it at once.
//! 3. A reader takes a rollup from memory, then from the store. If neither has one that is up to
//!    date, it makes one of the history of the run.
//! 4. Of a live run, the history is kept and continues with the next segments, and its rollup is
//!    not stored. Of any other run, the rollup is stored for the next reader. That may fail: a
//!    store may be read-only, and nothing is lost.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::JournalError;
use super::follow::RunFollower;
use super::graph::Graph;
use super::journal::Journal;
use super::rollup::{self, Rollup, Stored};
use super::run_ids::word_of;
use crate::base::ErrorKind;
use crate::store::{Liveness, RollupRow};

/// How many tasks of rollups are kept in memory, how many live runs are followed, and how many
/// graphs are kept.
const TASKS: usize = 4_000_000;
const FOLLOWED: usize = 16;
const GRAPHS: usize = 200;

/// Rollups in memory, and what they are made of.
#[derive(Default)]
pub(super) struct RollupCache {
    state: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    rollups: HashMap<i64, Arc<Rollup>>,
    tasks: usize,
    followed: HashMap<i64, Arc<tokio::sync::Mutex<RunFollower>>>,
    /// Graphs by their hashes, each with a rollup that has it.
    graphs: HashMap<String, (Arc<Graph>, Option<Arc<Rollup>>)>,
}

impl RollupCache {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets everything, so that the next reader reads the store.
    #[cfg(test)]
    pub(super) fn forget(&self) {
        *self.lock() = Known::default();
    }
}

impl fmt::Debug for RollupCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RollupCache")
    }
}

impl Known {
    fn put(&mut self, run: i64, rollup: &Arc<Rollup>) {
        if self.tasks > TASKS {
            self.rollups.clear();
            self.tasks = 0;
        }
        self.tasks += rollup.len();
        if let Some(before) = self.rollups.insert(run, Arc::clone(rollup)) {
            self.tasks -= before.len();
        }
    }
}

impl Journal {
    /// The rollups of these runs, by number. Runs that do not exist or are damaged have none.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub(crate) async fn rollups(&self, runs: &[i64]) -> Result<HashMap<i64, Arc<Rollup>>, JournalError> {
        let store = &self.inner.store;
        let last: HashMap<i64, u32> = store.last_segments(runs).await?.into_iter().collect();
        let is_present = |run: i64, rollup: &Rollup| last.get(&run) == Some(&rollup.segments);
        let mut found: HashMap<i64, Arc<Rollup>> = HashMap::new();
        {
            let known = self.inner.rollups.lock();
            for &run in runs {
                if let Some(rollup) = known.rollups.get(&run).filter(|rollup| is_present(run, rollup)) {
                    found.insert(run, Arc::clone(rollup));
                }
            }
        }
        let missing: Vec<i64> = runs.iter().copied().filter(|run| !found.contains_key(run)).collect();
        if missing.is_empty() {
            return Ok(found);
        }
        for row in store.rollups(&missing).await? {
            if last.get(&row.run) == Some(&row.segments)
                && let Some(stored) = Rollup::decode(&row)
                && let Some(rollup) = self.rollup_of_stored(row.segments, stored).await?
            {
                self.inner.rollups.lock().put(row.run, &rollup);
                found.insert(row.run, rollup);
            }
        }
        let mut made = Vec::new();
        for run in missing.into_iter().filter(|run| !found.contains_key(run)).collect::<HashSet<_>>() {
            match self.make_rollup(run, &mut made).await {
                Ok(Some(rollup)) => drop(found.insert(run, rollup)),
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::Damaged => {}
                Err(error) => return Err(error),
            }
        }
        // Whoever cannot write reads all the same.
        let _ = store.put_rollups(&made).await;
        Ok(found)
    }

    /// The rollup of a run.
    ///
    /// # Errors
    ///
    /// When there is no such run, it is damaged, or the store cannot be read.
    pub(crate) async fn rollup(&self, run: i64) -> Result<Arc<Rollup>, JournalError> {
        if let Some(rollup) = self.rollups(&[run]).await?.remove(&run) {
            return Ok(rollup);
        }
        // It says what is wrong.
        let history = self.history(&word_of(run)).await?;
        Ok(Arc::new(Rollup::of(&history)))
    }

    /// The labels of the tasks of a run, in the order of its rollup. None at all if no task has
    /// one.
    ///
    /// # Errors
    ///
    /// As [`Journal::rollup`].
    pub(crate) async fn rollup_labels(&self, run: i64, of: &Rollup) -> Result<Vec<Option<Arc<str>>>, JournalError> {
        let row = self.inner.store.rollup_with_labels(run).await?;
        if let Some(row) = row.filter(|row| row.segments == of.segments) {
            if row.labels.is_empty() {
                return Ok(Vec::new());
            }
            if let Ok(labels) = postcard::from_bytes::<Vec<Option<Arc<str>>>>(&row.labels)
                && labels.len() == of.len()
            {
                return Ok(labels);
            }
        }
        let history = self.history(&word_of(run)).await?;
        let labels = rollup::labels(&history);
        // A live run may have gone on.
        Ok(if labels.len() == of.len() { labels } else { Vec::new() })
    }

    /// Makes the rollup of a run of its entries. Those that can be stored are added to `made`.
    async fn make_rollup(&self, run: i64, made: &mut Vec<RollupRow>) -> Result<Option<Arc<Rollup>>, JournalError> {
        let followed = self.inner.rollups.lock().followed.get(&run).cloned();
        let follower = match followed {
            Some(follower) => follower,
            None => {
                let Some(row) = self.inner.store.run(run).await? else { return Ok(None) };
                Arc::new(tokio::sync::Mutex::new(RunFollower::new(&self.inner.store, row, 0).await?))
            }
        };
        let mut reading = follower.lock().await;
        if let Err(error) = reading.read(|_, _, _| {}, false).await {
            // It cannot be used again.
            self.inner.rollups.lock().followed.remove(&run);
            return Err(error);
        }
        let history = reading.history();
        let rollup = Arc::new(Rollup::of(history));
        let mut known = self.inner.rollups.lock();
        if history.row.liveness == Liveness::Alive {
            if known.followed.len() >= FOLLOWED && !known.followed.contains_key(&run) {
                known.followed.clear();
            }
            known.followed.insert(run, Arc::clone(&follower));
        } else {
            known.followed.remove(&run);
            made.push(rollup.row(history));
        }
        known.put(run, &rollup);
        Ok(Some(rollup))
    }

    /// The rollup of what is stored; `None` if its graph does not fit or is missing.
    async fn rollup_of_stored(&self, segments: u32, stored: Stored) -> Result<Option<Arc<Rollup>>, JournalError> {
        let hash = stored.graph.clone();
        let known = self.inner.rollups.lock().graphs.get(&hash).cloned();
        let (graph, like) = match known {
            Some(known) => known,
            None => {
                let Some(bytes) = self.inner.store.graph(&hash).await? else { return Ok(None) };
                let Ok(graph) = Graph::decode(&bytes) else { return Ok(None) };
                (Arc::new(graph), None)
            }
        };
        let Some(rollup) = Rollup::new(segments, stored, &graph, like.as_deref()).map(Arc::new) else {
            return Ok(None);
        };
        let mut known = self.inner.rollups.lock();
        if known.graphs.len() >= GRAPHS {
            known.graphs.clear();
        }
        known.graphs.insert(hash, (graph, Some(Arc::clone(&rollup))));
        Ok(Some(rollup))
    }
}
