//! Asks for the admissions that runs of a journal wait for: see
//! [`Admission`](crate::store::Admission).

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use super::queue::Queue;
use super::run_ids;
use super::run_log::{AdmissionState, RunLog};
use super::store_wait::{Round, StoreWait, Turn};
use crate::base::Timestamp;
use crate::store::{Admission, AdmissionRequest, Append, AppendTarget, Appended, Store, StoreError};

/// The runs that wait for their admission.
#[derive(Default)]
pub(super) struct Admissions {
    /// In the order in which they asked.
    waiting: Vec<Weak<RunLog>>,
    /// Whether they wait for a store that another process has locked.
    is_refused: bool,
}

impl Admissions {
    /// Adds a run. Returns whether it is new.
    pub(super) fn add(&mut self, log: &Arc<RunLog>) -> bool {
        let is_new = !self.waiting.iter().any(|waiting| std::ptr::eq(waiting.as_ptr(), Arc::as_ptr(log)));
        if is_new {
            self.waiting.push(Arc::downgrade(log));
        }
        is_new
    }

    /// Asks for the admission of all runs, and starts those that have it. If another process has
    /// locked the store, they keep waiting, but for those whose engine leaves.
    pub(super) fn ask(
        &mut self,
        store: &dyn Store,
        handle: &tokio::runtime::Handle,
        wait: &mut StoreWait,
        queue: &Queue,
    ) {
        // Whoever waits behind a run of the same DAG and share need not ask, unless it may pass the
        // queue.
        let mut full: HashSet<(String, bool)> = HashSet::new();
        let waiting = std::mem::take(&mut self.waiting);
        let mut round = Round::default();
        for log in waiting.iter().filter_map(Weak::upgrade) {
            let Some(state) = log.admission() else { continue };
            let may_pass = state.ancestors.as_ref().is_none_or(|ancestors| !ancestors.is_empty());
            let share = (state.dag_id.clone(), state.is_backfill);
            let engine = log.commits().map(|commits| commits.engine());
            match round.turn(engine) {
                Turn::Asks if !full.contains(&share) || !state.has_asked || may_pass => {}
                Turn::Asks | Turn::Waits => {
                    self.waiting.push(Arc::downgrade(&log));
                    continue;
                }
                Turn::GivesUp(reason) => {
                    log.give_up(&reason);
                    continue;
                }
            }
            match handle.block_on(ask_for(store, &log, state)) {
                Ok(Some(Admission::Admitted)) => {
                    let commits = log.admitted(Timestamp::now());
                    queue.announce(&log, log.lock(), 0, true);
                    if let Some(commits) = commits {
                        commits.admitted();
                    }
                }
                Ok(Some(Admission::Waits { active, ahead })) => {
                    log.keep_waiting(active, ahead);
                    full.insert(share);
                    self.waiting.push(Arc::downgrade(&log));
                }
                Ok(Some(Admission::Fenced)) => log.give_up("another process has taken over this run"),
                Ok(None) => log.give_up(&handle.block_on(run_ids::taken(store, log.run_id()))),
                Err(error) => match round.refused(wait, queue, engine, &error) {
                    Turn::GivesUp(reason) => log.give_up(&reason),
                    Turn::Asks | Turn::Waits => self.waiting.push(Arc::downgrade(&log)),
                },
            }
        }
        self.is_refused = round.end(wait, queue, self.is_refused);
    }
}

/// Asks whether a run may start. A new run is stored before that; a run that `enqueue` has stored
/// is queued in the store until a process starts it. Returns `None` if the store refuses the run.
async fn ask_for(store: &dyn Store, log: &RunLog, state: AdmissionState) -> Result<Option<Admission>, StoreError> {
    let AdmissionState { target, limit, ancestors, has_asked, is_backfill, audit, .. } = state;
    let is_first = !has_asked && matches!(target, AppendTarget::Existing { .. });
    if let AppendTarget::New(_) = target {
        let new = Append { run: target, segment: None, update: None, events: Vec::new(), audit };
        match store.append(&[new]).await?.first() {
            Some(&Appended::Stored(number)) => drop(log.stored(number)),
            _ => return Ok(None),
        }
    }
    let Some((run, token)) = log.stored_as() else { return Ok(None) };
    let ancestors = match ancestors {
        Some(ancestors) => ancestors,
        None => {
            let found = ancestors_of(store, run).await?;
            log.set_ancestors(found.clone());
            found
        }
    };
    store.admit(&AdmissionRequest { run, token, limit, ancestors, is_backfill, is_first }).await.map(Some)
}

/// The runs that wait for this one: the run of the task that has triggered it, the run that waits
/// for that one, and so on.
async fn ancestors_of(store: &dyn Store, run: i64) -> Result<Vec<i64>, StoreError> {
    let mut ancestors = Vec::new();
    let mut row = store.run(run).await?;
    // Runs trigger each other up to a limited depth, and a damaged store may hold a circle.
    while let Some(by) = row.and_then(|row| row.info.triggered_by).filter(|by| by.waits) {
        row = store.run_by_id(&by.run_id).await?;
        match &row {
            Some(row) if !ancestors.contains(&row.number) => ancestors.push(row.number),
            _ => break,
        }
    }
    Ok(ancestors)
}
