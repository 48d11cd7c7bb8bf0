//! Keeps a journal in order: deletes old runs, finds damage, returns space.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use super::error::JournalError;
use super::events::PAYLOADS;
use super::history::RunHistory;
use super::journal::Journal;
use super::rollup::{self, Rollup};
use crate::base::Timestamp;
use crate::run::RunState;
use crate::store::{RunFilter, StoreError};

/// Selects the runs to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prune {
    /// Created longer ago than this.
    pub older_than: Duration,
    /// Of this DAG; of any if `None`.
    pub dag: Option<String>,
    /// In one of these states; in any state of a run that has ended if empty.
    pub states: Vec<RunState>,
    /// Whether old entries of the audit trail are deleted too. They stay otherwise.
    pub audit: bool,
}

impl Prune {
    /// Whether it selects by age only.
    pub(crate) fn is_of_all(&self) -> bool {
        self.dag.is_none() && self.states.is_empty()
    }
}

impl Journal {
    /// The runs that a prune would delete, newest first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub(crate) async fn would_prune(&self, prune: &Prune) -> Result<Vec<super::RunSummary>, JournalError> {
        self.runs_to_prune(prune, Timestamp::now() - prune.older_than).await
    }

    /// The runs that a prune would delete of those that were created before a time, newest first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub(crate) async fn runs_to_prune(
        &self,
        prune: &Prune,
        before: Timestamp,
    ) -> Result<Vec<super::RunSummary>, JournalError> {
        let filter = RunFilter {
            dag: prune.dag.clone(),
            states: prune.states.clone(),
            before: Some(before),
            ..RunFilter::default()
        };
        let mut runs = self.runs(&filter).await?;
        // An interrupted run can be resumed, so it is deleted only if the state is named.
        let interrupted = prune.states.contains(&RunState::Interrupted);
        runs.retain(|run| !run.state.is_active() && (run.state != RunState::Interrupted || interrupted));
        Ok(runs)
    }

    /// Deletes those of some runs that have ended, with their values, logs and artifacts, and adds
    /// to `gone` how many, also if it fails. Whoever has interrupted runs deleted cancels them
    /// first, and calls [`delete_left_files`](Journal::delete_left_files) afterwards, or
    /// [`delete_left_files_of`](Journal::delete_left_files_of) one run: that says which files could
    /// not be deleted.
    pub(crate) async fn delete_runs(&self, runs: &[super::RunSummary], gone: &mut u64) -> Result<(), JournalError> {
        for some in runs.chunks(500) {
            let mut left: Vec<i64> = some.iter().map(|run| run.number).collect();
            let mut deleted: HashSet<i64> = HashSet::new();
            // Until nothing more is deleted: an error may have ended a deletion early.
            while !left.is_empty() {
                let more = self.inner.store.delete(&left, self.audit_row().as_ref()).await?;
                if more.is_empty() {
                    break;
                }
                self.audit_stored();
                *gone += more.len() as u64;
                deleted.extend(more);
                left.retain(|number| !deleted.contains(number));
            }
            // A run that somebody has retried or resumed since is still there, and needs its files.
            let of_deleted = some.iter().filter(|run| deleted.contains(&run.number));
            let ids: Vec<String> = of_deleted.map(|run| run.info.run_id.clone()).collect();
            // What fails is tried again at the end.
            let _ = self.delete_files(ids, false).await;
        }
        // Deletes what an interrupted deletion has left.
        self.inner.store.delete(&[], None).await?;
        Ok(())
    }

    /// Deletes the files of deleted runs that are still there: their rows were deleted, and the
    /// process died before it had deleted their files, or could not. Also removes what interrupted
    /// writes have left.
    pub(crate) async fn delete_left_files(&self) -> Result<(), JournalError> {
        let swept = self.sweep().await;
        let left = self.inner.store.left_files().await?;
        if !left.is_empty() {
            self.delete_files(left, true).await?;
        }
        swept
    }

    /// Deletes the files that a deleted run has left. Returns whether some still are, because a
    /// process has its id, or a run has it again.
    pub(crate) async fn delete_left_files_of(&self, run_id: &str) -> Result<bool, JournalError> {
        self.delete_files_of_none(run_id).await?;
        Ok(self.inner.store.has_left_files(run_id).await?)
    }

    /// Deletes the files that a deleted run has left, whose id is that of a run which this process
    /// has claimed and which has never started, so that it has no files itself. Its log would begin
    /// with the lines of the deleted one.
    pub(super) async fn delete_files_before(&self, run_id: &str) -> Result<(), JournalError> {
        let store = &self.inner.store;
        if !store.has_left_files(run_id).await? {
            return Ok(());
        }
        if let Some(blobs) = self.inner.blobs.clone() {
            let id = run_id.to_owned();
            let removed = tokio::task::spawn_blocking(move || blobs.delete_run(&id)).await;
            removed.map_err(std::io::Error::other).and_then(std::convert::identity).map_err(JournalError::Files)?;
        }
        Ok(store.forget_files(&[run_id.to_owned()]).await?)
    }

    /// As [`Journal::delete_files_before`], for a run that is about to begin with an id that no run
    /// has.
    pub(super) async fn delete_files_of_none(&self, run_id: &str) -> Result<(), JournalError> {
        match self.inner.store.has_left_files(run_id).await? {
            true => self.delete_files(vec![run_id.to_owned()], true).await,
            false => Ok(()),
        }
    }

    /// Deletes the files of deleted runs. Those of an id that a process has, or that a run has
    /// again, stay. Meanwhile no run with one of these ids is stored; one that begins in another
    /// process may have written files by then, which are deleted, too.
    /// `by_rows`: see `RunStore::without_run`.
    async fn delete_files(&self, run_ids: Vec<String>, by_rows: bool) -> Result<(), JournalError> {
        if run_ids.is_empty() {
            return Ok(());
        }
        let store = &self.inner.store;
        let Some(blobs) = self.inner.blobs.clone() else { return Ok(store.forget_files(&run_ids).await?) };
        let (mut held, mut guards) = (Vec::with_capacity(run_ids.len()), Vec::with_capacity(run_ids.len()));
        for run_id in run_ids {
            if let Some(guard) = store.hold_id(&run_id).await? {
                held.push(run_id);
                guards.push(guard);
            }
        }
        let gone: HashSet<String> = store.without_run(&held, by_rows).await?.into_iter().collect();
        let removed = tokio::task::spawn_blocking(move || {
            let mut outcome: std::io::Result<()> = Ok(());
            held.retain(|run_id| {
                // It belongs to a new run, whose deletion will look for the files again.
                if !gone.contains(run_id) {
                    return false;
                }
                // No run has ever had the name of the payloads of events.
                if run_id.eq_ignore_ascii_case(PAYLOADS) {
                    return true;
                }
                let removed = blobs.delete_run(run_id).map_err(|error| {
                    let reason = format!("run `{run_id}`: {error}; the next `db prune` tries again");
                    std::io::Error::new(error.kind(), reason)
                });
                let is_removed = removed.is_ok();
                // What cannot be removed of one run does not keep the files of the others.
                if outcome.is_ok() {
                    outcome = removed;
                }
                is_removed
            });
            // The guards live as long as this thread, also if nobody waits for it any more.
            (held, outcome, guards)
        });
        let (done, outcome, guards) =
            removed.await.map_err(|error| JournalError::Files(std::io::Error::other(error)))?;
        if !done.is_empty() {
            store.forget_files(&done).await?;
        }
        drop(guards);
        outcome.map_err(JournalError::Files)
    }

    /// Removes temporary files of writes that a crash interrupted.
    async fn sweep(&self) -> Result<(), JournalError> {
        /// Longer than any write takes.
        const LEFT_BEHIND: Duration = Duration::from_secs(3600);

        let Some(blobs) = self.inner.blobs.clone() else { return Ok(()) };
        let older_than = SystemTime::now() - LEFT_BEHIND;
        let swept = tokio::task::spawn_blocking(move || blobs.sweep(older_than)).await;
        swept.map_err(std::io::Error::other).and_then(std::convert::identity).map_err(JournalError::Files)?;
        Ok(())
    }

    /// Looks for damage in the store, in the history of every run, and in stored values. Each
    /// finding is a sentence that names the place; there are none when all is well. Reads
    /// everything.
    ///
    /// # Errors
    ///
    /// When the store cannot be opened at all.
    pub async fn check(&self) -> Result<Vec<String>, JournalError> {
        let mut findings = self.inner.store.check().await?;
        let runs = match self.inner.store.runs(&RunFilter::default()).await {
            Ok(runs) => runs,
            Err(error) => {
                // The check of the store names every row.
                if findings.is_empty() {
                    findings.push(error.to_string());
                }
                return Ok(findings);
            }
        };
        for row in runs {
            let run = row.info.run_id.clone();
            let history = match self.history_of(row).await {
                Ok(history) => history,
                Err(error) => {
                    findings.push(sentence(error));
                    continue;
                }
            };
            findings.extend(self.check_rollup(&history).await?);
            for task in &history.tasks {
                let own = task.value.iter().map(|place| (format!("the value of task `{}`", task.id), place));
                let pushed = task.pushed.iter().filter_map(|pushed| {
                    Some((format!("`{}`, pushed by task `{}`,", pushed.key, task.id), pushed.place.as_ref()?))
                });
                for (what, place) in own.chain(pushed) {
                    match self.bytes_at(&history, &task.id, place).await {
                        Ok(Some(bytes)) => {
                            if let Err(error) = crate::value::check(&bytes) {
                                findings.push(format!("{what} of run `{run}` is damaged: {error}"));
                            }
                        }
                        Ok(None) => findings.push(format!("{what} of run `{run}` is missing")),
                        Err(error) => findings.push(sentence(error)),
                    }
                }
            }
        }
        findings.extend(self.check_payloads().await?);
        let mut named = HashSet::new();
        findings.retain(|finding| named.insert(finding.clone()));
        Ok(findings)
    }

    /// Compares the rollup of a run with its history. Each difference is a sentence.
    async fn check_rollup(&self, history: &RunHistory) -> Result<Vec<String>, JournalError> {
        let rollup = self.inner.store.rollups(&[history.number]).await?.pop();
        let Some(row) = rollup.filter(|row| row.segments == history.segments) else { return Ok(Vec::new()) };
        let finding = |what: String| {
            let run = &history.info.run_id;
            format!("the rollup of run `{run}` {what}; it is derived data, and its history is what counts")
        };
        let expected = Rollup::of(history);
        let found = Rollup::decode(&row).and_then(|stored| Rollup::new(row.segments, stored, history.drawn(), None));
        Ok(match found {
            // A later version has written it.
            None if row.body.first() != Some(&rollup::VERSION) => Vec::new(),
            None => vec![finding("cannot be read".to_owned())],
            Some(found) => found.differences(&expected).into_iter().map(finding).collect(),
        })
    }

    /// Looks for damage of the store without reading everything. Each finding is a sentence.
    #[cfg(feature = "sqlite")]
    pub(crate) async fn quick_check(&self) -> Result<Vec<String>, JournalError> {
        Ok(self.inner.store.quick_check().await?)
    }

    /// Looks for damage in a directory whose store cannot be opened. Each finding is a sentence.
    /// Returns none when it cannot name any damage; the error of opening tells the reason then.
    #[cfg(feature = "sqlite")]
    pub async fn examine(home: impl AsRef<std::path::Path>) -> Vec<String> {
        let path = home.as_ref().join("taskflow.db");
        let findings = crate::store::examine(&path).await;
        findings.into_iter().map(|finding| format!("{} is damaged: {finding}", path.display())).collect()
    }

    /// Returns the space of deleted runs to the file system. Returns the size of the store before
    /// and after, in bytes.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub async fn vacuum(&self) -> Result<(u64, u64), JournalError> {
        Ok(self.inner.store.vacuum().await?)
    }
}

/// What is damaged, as a check names it: the store is known.
fn sentence(error: JournalError) -> String {
    match error {
        JournalError::Store(StoreError::Damaged { what, .. }) => what,
        error => error.to_string(),
    }
}
