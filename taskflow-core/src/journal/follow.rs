//! Follows a stored run: its history is read once and then updated.
//!
//! The protocol:
//!
//! 1. A [`RunFollower`] holds the history of a run and the number of the last segment in it. Each
//!    refresh reads only later segments, and the snapshots of graphs that it does not have yet.
//! 2. Entries are numbered from 1 over all processes of a run, in their stored order. This number
//!    is the position of a stream: a follower that starts after number `n` reports the entries from
//!    `n + 1`, each once, whichever process reads or writes.
//! 3. The follower reads and never locks: the run may be live, over or interrupted, here or in
//!    another process. A run without an `Ended` entry is `running` while a process holds it, and
//!    `interrupted` otherwise. A resumed run is `running` again in the same follower.
//! 4. [`Journal::history`] is a follower that is refreshed once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::error::JournalError;
use super::graph::Graph;
use super::history::RunHistory;
use super::journal::Journal;
use super::segment;
use crate::base::Timestamp;
use crate::run::{Entry, RunState, RunView, TaskView};
use crate::store::{Liveness, RunRow, SEGMENTS, SegmentRow, Store};

/// Reads a stored run while it grows. Made by [`Journal::follow`].
///
/// ```
/// # use taskflow::prelude::*;
/// # use taskflow::journal::Journal;
/// # #[task] fn double(n: u32) -> u32 { 2 * n }
/// # #[dag] fn doubled(n: u32) -> u32 { double(n) }
/// # async fn example() -> Result<()> {
/// # let journal = Journal::in_memory()?;
/// # doubled::run(4).journal(&journal).await?;
/// let mut follower = journal.follow("last", 0).await?;
/// while let Some(changes) = follower.next().await? {
///     for change in changes {
///         println!("{} {:?}", change.entry, change.tasks);
///     }
/// }
/// assert_eq!(follower.view().entry, follower.position());
/// # Ok(()) }
/// # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
/// ```
pub struct RunFollower {
    store: Arc<dyn Store>,
    graphs: HashMap<String, Arc<Graph>>,
    history: RunHistory,
    /// The state by the entries alone, whether or not a process holds the run.
    stored_state: RunState,
    /// Changes up to this entry are not reported.
    after: u64,
    /// Changes that a refresh has yet to return: it may be dropped before it has read everything.
    changes: Vec<RunChange>,
    /// Whether a read stops once it has changes, with further segments to read.
    in_parts: bool,
    is_behind: bool,
}

/// What one journal entry changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RunChange {
    /// The number of the entry, counted from 1 over all processes of the run.
    pub entry: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// The state of the run after it.
    pub run: RunState,
    /// The tasks that it changed, as they are after it.
    pub tasks: Vec<TaskView>,
}

impl Journal {
    /// Follows a run, named as for [`Journal::find`]. The first refresh reports the changes after
    /// entry number `after`: 0 for all of them, [`RunView::entry`] for those after a view.
    ///
    /// # Errors
    ///
    /// As [`Journal::history`].
    pub async fn follow(&self, run: &str, after: u64) -> Result<RunFollower, JournalError> {
        let row = self.row(run).await?;
        RunFollower::new(&self.inner.store, row, after).await
    }
}

impl RunFollower {
    /// A follower that has read nothing yet.
    pub(super) async fn new(store: &Arc<dyn Store>, row: RunRow, after: u64) -> Result<Self, JournalError> {
        RunFollower::with_graphs(store, row, after, HashMap::new()).await
    }

    /// As [`RunFollower::new`], without reading the graphs that are known.
    pub(super) async fn with_graphs(
        store: &Arc<dyn Store>,
        row: RunRow,
        after: u64,
        mut graphs: HashMap<String, Arc<Graph>>,
    ) -> Result<Self, JournalError> {
        let graph = load_graph(&**store, &row, &mut graphs, &row.graph).await?;
        let history = RunHistory::of_row(row, &graph);
        let stored_state = history.state;
        let store = Arc::clone(store);
        Ok(RunFollower {
            store,
            graphs,
            history,
            stored_state,
            after,
            changes: Vec::new(),
            in_parts: false,
            is_behind: false,
        })
    }

    /// The history up to the last refresh. It has no [deliveries](RunHistory::deliveries).
    pub fn history(&self) -> &RunHistory {
        &self.history
    }

    /// The history up to the last refresh, by value.
    pub(super) fn into_history(self) -> RunHistory {
        self.history
    }

    /// The state of the run at the last refresh.
    pub fn view(&self) -> RunView {
        self.history.view()
    }

    /// The number of the last entry read: a later follower continues after it.
    pub fn position(&self) -> u64 {
        self.history.entries
    }

    /// Reads what was stored since the last refresh and returns what it changed, in order.
    ///
    /// Cancel safe. Not to be used again after an error.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or what is stored of the run is damaged.
    pub async fn refresh(&mut self) -> Result<Vec<RunChange>, JournalError> {
        self.read(|_, _, _| {}, true).await?;
        Ok(std::mem::take(&mut self.changes))
    }

    /// As [`RunFollower::refresh`], but a long history comes in parts, so that it is never in
    /// memory as a whole. The state of the run is known after the last part, when
    /// [`RunFollower::is_behind`] is false.
    #[cfg(feature = "server")]
    pub(crate) async fn refresh_in_parts(&mut self) -> Result<Vec<RunChange>, JournalError> {
        self.in_parts = true;
        let read = self.read(|_, _, _| {}, true).await;
        self.in_parts = false;
        read?;
        Ok(std::mem::take(&mut self.changes))
    }

    /// Whether the last part of a history is yet to be read.
    #[cfg(feature = "server")]
    pub(crate) fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Waits until something changed; `None` when the run is over or interrupted and all of it was
    /// returned. Polls the store: within 50 milliseconds while the run is busy, each second while
    /// it is idle.
    ///
    /// Cancel safe. Requires the time driver of tokio.
    ///
    /// # Errors
    ///
    /// As [`RunFollower::refresh`].
    pub async fn next(&mut self) -> Result<Option<Vec<RunChange>>, JournalError> {
        const FIRST: Duration = Duration::from_millis(50);
        const LAST: Duration = Duration::from_secs(1);
        let mut pause = FIRST;
        loop {
            let changes = self.refresh().await?;
            if !changes.is_empty() {
                return Ok(Some(changes));
            }
            if !self.history.state.is_active() {
                return Ok(None);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST);
        }
    }

    /// Reads what was stored since the last refresh, one segment after the other. Shows each entry
    /// with the history before it, and `reports` the changes if anybody wants them.
    pub(super) async fn read(
        &mut self,
        mut each: impl FnMut(&RunHistory, Timestamp, &Entry),
        reports: bool,
    ) -> Result<(), JournalError> {
        let store = Arc::clone(&self.store);
        // Before the segments: a process that ends the run stores its last entry before it lets go.
        let row = match self.history.segments {
            0 => None,
            _ => store.run(self.history.number).await?,
        };
        if let Some(row) = row {
            self.history.row = row;
        }
        loop {
            let segments = store.segments(self.history.number, self.history.segments + 1).await?;
            let is_last = segments.len() < SEGMENTS as usize;
            for row in segments {
                self.read_segment(&row, &mut each, reports).await?;
            }
            if is_last {
                break;
            }
            if self.in_parts && !self.changes.is_empty() {
                self.is_behind = true;
                return Ok(());
            }
        }
        self.is_behind = false;
        self.history.put_back_gone();
        self.history.state = match self.stored_state {
            // Editing a queued run does not start it.
            RunState::Running if self.history.row.state == RunState::Queued => RunState::Queued,
            RunState::Running if self.history.row.liveness != Liveness::Alive => RunState::Interrupted,
            RunState::Running if self.history.row.waits => RunState::Queued,
            state => state,
        };
        Ok(())
    }

    /// Reads one segment. Once its first entry is applied, all are.
    async fn read_segment(
        &mut self,
        row: &SegmentRow,
        each: &mut impl FnMut(&RunHistory, Timestamp, &Entry),
        reports: bool,
    ) -> Result<(), JournalError> {
        let number = row.number;
        let run = self.history.info.run_id.clone();
        let damaged =
            |damage| JournalError::DamagedRun { run: run.clone(), what: format!("segment {number}: {damage}") };
        // A run that was resumed with another graph has the snapshots of all of them. The entries
        // are decoded twice: together they would take as much memory as the history.
        for entry in segment::entries(&row.events).map_err(damaged)? {
            if let (_, Entry::Session(session)) = entry.map_err(damaged)? {
                load_graph(&*self.store, &self.history.row, &mut self.graphs, &session.graph).await?;
            }
        }
        self.history.state = self.stored_state;
        let RunFollower { history, graphs, after, stored_state, changes, .. } = self;
        for entry in segment::entries(&row.events).map_err(damaged)? {
            let (at, entry) = entry.map_err(damaged)?;
            if let Entry::Session(session) = &entry
                && history.entries == 0
                && let Some(graph) = graphs.get(&session.graph)
            {
                // The graph of the row is that of the last process.
                *history = RunHistory::of_row(history.row.clone(), graph);
            }
            each(history, at, &entry);
            let is_reported = reports && history.entries >= *after;
            let touched = is_reported.then(|| history.before(&entry));
            let graph = |hash: &str| graphs.get(hash).cloned().ok_or_else(|| format!("its graph {hash} is missing"));
            if let Err(what) = history.apply(number, at, entry, graph) {
                return Err(JournalError::DamagedRun { run, what });
            }
            if let Some(touched) = touched {
                let tasks = history.changed_since(touched);
                changes.push(RunChange { entry: history.entries, at, run: history.state, tasks });
            }
        }
        *stored_state = history.state;
        Ok(())
    }
}

/// A graph by its hash, read once.
async fn load_graph(
    store: &dyn Store,
    row: &RunRow,
    graphs: &mut HashMap<String, Arc<Graph>>,
    hash: &str,
) -> Result<Arc<Graph>, JournalError> {
    if let Some(graph) = graphs.get(hash) {
        return Ok(Arc::clone(graph));
    }
    let damaged = |what: String| JournalError::DamagedRun { run: row.info.run_id.clone(), what };
    let bytes = store.graph(hash).await?.ok_or_else(|| damaged(format!("its graph {hash} is missing")))?;
    let graph = Arc::new(Graph::decode(&bytes).map_err(|what| damaged(format!("its graph {hash}: {what}")))?);
    graphs.insert(hash.to_owned(), Arc::clone(&graph));
    Ok(graph)
}

impl std::fmt::Debug for RunFollower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RunFollower({}, entry {})", self.history.info.run_id, self.position())
    }
}
