//! The tasks of runs that have ended.
//!
//! 1. When a run of the service ends, its number is kept, and when the service began to run it.
//! 2. Who asks for the metrics reads the histories of those runs and counts their attempts. The
//!    engine does nothing for it.
//! 3. Attempts that had ended before the service ran the run belong to another process or to an
//!    earlier end of the run, and have been counted then.
//!
//! If nobody asks for long, the oldest runs are left out.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Series, labels};
use crate::base::Timestamp;
use crate::journal::{AttemptHistory, Journal, JournalError, RunHistory, Start, word_of};

/// The most runs that wait to be counted.
const KEPT: usize = 10_000;
/// The most runs that one request counts.
const AT_ONCE: usize = 100;

/// The runs that have ended and whose tasks have not been counted.
#[derive(Debug, Default)]
pub(super) struct Ended {
    runs: VecDeque<(i64, Timestamp)>,
}

impl Ended {
    /// Adds a run that has ended now, and that the service began to run then.
    pub(super) fn push(&mut self, number: i64, started: Timestamp) {
        if self.runs.len() == KEPT {
            self.runs.pop_front();
        }
        self.runs.push_back((number, started));
    }

    pub(super) fn take(&mut self) -> Vec<(i64, Timestamp)> {
        self.runs.drain(..self.runs.len().min(AT_ONCE)).collect()
    }
}

/// How long tasks were ready before they started, by pool.
pub(super) type Waits = BTreeMap<Option<String>, Vec<Duration>>;

/// The history of a run; `None` if it has been pruned, or cannot be read in one piece.
pub(super) async fn history(journal: &Journal, number: i64) -> Result<Option<RunHistory>, JournalError> {
    readable(journal.history(&word_of(number)).await)
}

/// The history of a run that has ended, and how long those of its tasks waited that have started
/// since then.
pub(super) async fn ended(
    journal: &Journal,
    number: i64,
    since: Timestamp,
) -> Result<Option<(RunHistory, Waits)>, JournalError> {
    let mut waits = Waits::new();
    let each = |start: Start<'_>| {
        if start.at >= since {
            waits.entry(start.pool.map(str::to_owned)).or_default().push(start.waited);
        }
    };
    let history = readable(journal.history_with_starts(&number.to_string(), each).await)?;
    Ok(history.map(|history| (history, waits)))
}

fn readable(history: Result<RunHistory, JournalError>) -> Result<Option<RunHistory>, JournalError> {
    match history {
        Ok(history) => Ok(Some(history)),
        Err(
            JournalError::UnknownRun { .. }
            | JournalError::PrunedRun { .. }
            | JournalError::NoRuns
            | JournalError::DamagedRun { .. },
        ) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Series {
    /// Counts the attempts of a run that have ended since then.
    pub(super) fn attempts(&mut self, run: &RunHistory, since: Timestamp) {
        let dag = self.dag(&run.info.dag_id);
        let duration = labels(&[("dag", &dag)]);
        for attempt in run.tasks.iter().flat_map(|task| &task.attempts) {
            let Some(ended) = attempt.ended.filter(|&ended| ended >= since) else { continue };
            let by_outcome = labels(&[("dag", &dag), ("outcome", outcome(attempt))]);
            self.count("taskflow_task_attempts_total", by_outcome, 1);
            self.observe("taskflow_task_duration_seconds", duration.clone(), ended.since(attempt.started));
        }
    }
}

impl Series {
    /// Observes how long tasks waited. Those without a pool have no label.
    pub(super) fn waits(&mut self, waits: Waits) {
        for (pool, waits) in waits {
            let labels = pool.map_or_else(String::new, |pool| labels(&[("pool", &pool)]));
            for waited in waits {
                self.observe("taskflow_task_queue_seconds", labels.clone(), waited);
            }
        }
    }
}

/// How an attempt ended: the kind of its failure, or else its state.
fn outcome(attempt: &AttemptHistory) -> &'static str {
    attempt.failure.as_ref().map_or(attempt.state.name(), |failure| failure.kind())
}
