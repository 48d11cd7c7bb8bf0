//! Keeping a journal in order: forgetting old runs, finding damage, giving room back.

use std::time::Duration;

use super::error::JournalError;
use super::journal::Journal;
use crate::base::Timestamp;
use crate::log::LogFiles;
use crate::run::{RunState, ValueRef};
use crate::store::RunFilter;

/// Which runs are to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prune {
    /// Those created longer ago than this.
    pub older_than: Duration,
    /// Of this DAG only.
    pub dag: Option<String>,
    /// In one of these states only; empty for every run that has ended.
    pub states: Vec<RunState>,
}

impl Journal {
    /// The runs that [`Journal::prune`] would forget, newest first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn would_prune(&self, prune: &Prune) -> Result<Vec<super::RunSummary>, JournalError> {
        let filter = RunFilter {
            dag: prune.dag.clone(),
            states: prune.states.clone(),
            before: Some(Timestamp::now() - prune.older_than),
            ..RunFilter::default()
        };
        let mut runs = self.runs(&filter).await?;
        // One that was interrupted waits for somebody to go on with it, unless it is named.
        let interrupted = prune.states.contains(&RunState::Interrupted);
        runs.retain(|run| {
            !matches!(run.state, RunState::Queued | RunState::Running)
                && (run.state != RunState::Interrupted || interrupted)
        });
        Ok(runs)
    }

    /// Forgets runs, with their values, logs and artifacts. Those that somebody runs stay. How many are gone.
    ///
    /// # Errors
    ///
    /// When the store cannot be written, or files cannot be removed.
    pub async fn prune(&self, prune: &Prune) -> Result<u64, JournalError> {
        let runs = self.would_prune(prune).await?;
        let mut gone = 0;
        for some in runs.chunks(500) {
            for run in some.iter().filter(|run| run.state == RunState::Interrupted) {
                // It has to have an end before it can be forgotten.
                self.cancel(&run.info.run_id, &super::Note { by: String::new(), reason: "pruned".to_owned() }).await?;
            }
            let numbers: Vec<i64> = some.iter().map(|run| run.number).collect();
            gone += self.inner.store.delete(&numbers).await?;
            let (files, home) = (self.inner.files.clone(), self.inner.home.clone());
            let ids: Vec<String> = some.iter().map(|run| run.info.run_id.clone()).collect();
            let artifacts: Vec<_> = ids.iter().filter_map(|id| self.artifacts_of(id)).collect();
            let removed = tokio::task::spawn_blocking(move || {
                for dir in artifacts {
                    match std::fs::remove_dir_all(dir) {
                        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                        Ok(()) | Err(_) => {}
                    }
                }
                let logs = home.map(|home| LogFiles::new(home.join("logs")));
                for id in &ids {
                    if let Some(files) = &files {
                        files.remove_run(id)?;
                    }
                    if let Some(logs) = &logs {
                        logs.remove_run(id)?;
                    }
                }
                Ok(())
            });
            removed
                .await
                .map_err(std::io::Error::other)
                .and_then(std::convert::identity)
                .map_err(JournalError::Files)?;
        }
        self.sweep().await?;
        Ok(gone)
    }

    /// Removes the temporary files of writes that a crash cut off.
    async fn sweep(&self) -> Result<(), JournalError> {
        /// No write takes as long as that.
        const LEFT_BEHIND: Duration = Duration::from_secs(3600);

        let Some(files) = self.inner.files.clone() else { return Ok(()) };
        let older_than = std::time::SystemTime::now() - LEFT_BEHIND;
        let swept = tokio::task::spawn_blocking(move || files.sweep(older_than)).await;
        swept.map_err(std::io::Error::other).and_then(std::convert::identity).map_err(JournalError::Files)?;
        Ok(())
    }

    /// Looks for damage: in the store, in what is stored of every run, and in the files of values. Each finding is a
    /// sentence that names the place; none when all is well. Reads everything there is.
    ///
    /// # Errors
    ///
    /// When the store cannot be opened at all.
    pub async fn check(&self) -> Result<Vec<String>, JournalError> {
        let mut findings = self.inner.store.check().await?;
        let runs = match self.inner.store.runs(&RunFilter::default()).await {
            Ok(runs) => runs,
            Err(error) => {
                findings.push(error.to_string());
                return Ok(findings);
            }
        };
        for row in runs {
            let run = row.info.run_id.clone();
            let history = match self.history_of(row).await {
                Ok(history) => history,
                Err(error) => {
                    findings.push(error.to_string());
                    continue;
                }
            };
            for task in &history.tasks {
                let own = task.value.iter().map(|place| (format!("the value of task `{}`", task.id), place));
                let pushed = task.pushed.iter();
                let pushed =
                    pushed.map(|pushed| (format!("`{}`, pushed by task `{}`,", pushed.key, task.id), &pushed.place));
                for (what, place) in own.chain(pushed).filter(|(_, place)| place.value != ValueRef::Nowhere) {
                    match self.bytes_at(&history, &task.id, place).await {
                        Ok(Some(bytes)) => {
                            if let Err(error) = crate::value::check(&bytes) {
                                findings.push(format!("{what} of run `{run}` is damaged: {error}"));
                            }
                        }
                        Ok(None) => findings.push(format!("{what} of run `{run}` is missing")),
                        Err(error) => findings.push(error.to_string()),
                    }
                }
            }
        }
        Ok(findings)
    }

    /// Looks for damage in a directory target store cannot be opened. Each finding is a sentence; none when no damage can be
    /// named, and then the error of opening says what stands in the way.
    #[cfg(feature = "sqlite")]
    pub async fn examine(home: impl AsRef<std::path::Path>) -> Vec<String> {
        let path = home.as_ref().join("taskflow.db");
        let findings = crate::store::examine(&path).await;
        findings.into_iter().map(|finding| format!("{} is damaged: {finding}", path.display())).collect()
    }

    /// Gives the room of forgotten runs back to the file system. How many bytes the store took before, and takes now.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub async fn vacuum(&self) -> Result<(u64, u64), JournalError> {
        Ok(self.inner.store.vacuum().await?)
    }
}
