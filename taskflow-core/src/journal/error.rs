//! What can go wrong with stored runs.

use crate::base::{ErrorKind, Timestamp};
use crate::engine::RecorderError;
use crate::store::StoreError;

/// Why an operation on a stored run failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The store cannot be opened, read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The thread of the writer could not be started.
    #[error("the thread of the journal cannot be started: {0}")]
    Thread(std::io::Error),
    /// No run has this number, id or part of an id.
    #[error("there is no run `{run}`; `runs` lists them")]
    UnknownRun {
        /// The text that should identify it.
        run: String,
    },
    /// The run was deleted.
    #[error("run `{run}` was pruned{}", pruning(*at, by.as_deref()))]
    PrunedRun {
        /// The text that identifies it.
        run: String,
        /// When, if the audit trail has it.
        at: Option<Timestamp>,
        /// By whom, if the audit trail has it.
        by: Option<String>,
    },
    /// The store has no runs.
    #[error("there are no runs yet")]
    NoRuns,
    /// Several runs go by that name.
    #[error("`{run}` matches several runs: {}; give more of the id, or the number", runs.join(", "))]
    AmbiguousRun {
        /// The text that should identify it.
        run: String,
        /// Some of the runs.
        runs: Vec<String>,
    },
    /// The stored data of a run is inconsistent.
    #[error("the stored data of run `{run}` is damaged: {what}; `db check` lists all damage")]
    DamagedRun {
        /// The run.
        run: String,
        /// What is wrong.
        what: String,
    },
    /// Another process is running the run.
    #[error("run `{run}` is running in process {by}; wait until it ends, or cancel it")]
    Live {
        /// The run.
        run: String,
        /// The process, `host:process`.
        by: String,
    },
    /// Another process has taken the run meanwhile.
    #[error("another process has just claimed run `{run}`; check its state and try again")]
    Taken {
        /// The run.
        run: String,
    },
    /// The run cannot be claimed.
    #[error("run `{run}` cannot be claimed: {error}")]
    RunLock {
        /// The run.
        run: String,
        /// Why.
        error: std::io::Error,
    },
    /// The program has no such DAG.
    #[error("run `{run}` belongs to the DAG `{dag}`, which this program does not contain{}", known(dags))]
    UnknownDag {
        /// The run.
        run: String,
        /// Its DAG.
        dag: String,
        /// The DAGs of the program.
        dags: Vec<String>,
    },
    /// The graph of the DAG has mistakes.
    #[error(transparent)]
    Build(#[from] crate::dag::BuildErrors),
    /// The run has no such task.
    #[error("run `{run}` has no task `{task}`{}", nearest_or_list(nearest.as_deref()))]
    UnknownTask {
        /// The run.
        run: String,
        /// The text that should identify it.
        task: String,
        /// The most similar id.
        nearest: Option<String>,
    },
    /// The run cannot be resumed with the graph of this program.
    #[error("run `{run}` cannot be continued with this program: {reason}")]
    Changed {
        /// The run.
        run: String,
        /// What has changed, and what to do.
        reason: String,
    },
    /// There is nothing to do.
    #[error("run `{run}`: {reason}")]
    Nothing {
        /// The run.
        run: String,
        /// Why not.
        reason: String,
    },
    /// A task cannot be marked as a success, because other tasks need its value.
    #[error("run `{run}`: other tasks need the value of `{task}`, but it has none: pass a {ty} as JSON")]
    MissingValue {
        /// The run.
        run: String,
        /// The task.
        task: String,
        /// The type of the value.
        ty: String,
    },
    /// Its process has died several times while the same task ran alone.
    #[error(
        "run `{run}` is not resumed: its process has died {deaths} times while {} ran; `clear` runs the task again all \
         the same, and its `logs` may say why", tasks.iter().map(|task| format!("`{task}`")).collect::<Vec<_>>().join(" and ")
    )]
    Deadly {
        /// The run.
        run: String,
        /// The task that was running each time.
        tasks: Vec<String>,
        /// How often it has died.
        deaths: u32,
    },
    /// The value is not a valid answer to the question of a task.
    #[error("run `{run}`: the value does not answer `{key}`: {reason}")]
    Answer {
        /// The run.
        run: String,
        /// The task, and the key of the event that it waits for.
        key: String,
        /// What is wrong with it, and what a valid answer is.
        reason: String,
    },
    /// Files of deleted runs, or payloads of deleted events, cannot be removed. The error names no
    /// path, so that a server can say it.
    #[error("files of what was deleted cannot be removed: {0}")]
    Files(std::io::Error),
    /// A run could not be started.
    #[error(transparent)]
    Start(Box<crate::engine::RunError>),
    /// A value given for a task does not have the type that the task returns.
    #[error("task `{task}` of run `{run}` cannot have this value: {reason}")]
    InvalidValue {
        /// The run.
        run: String,
        /// The task.
        task: String,
        /// What is wrong.
        reason: String,
    },
    /// An event of an asset cannot be stored.
    #[error("the event of asset `{asset}` cannot be stored: {reason}")]
    Event {
        /// The asset.
        asset: String,
        /// Why.
        reason: String,
    },
    /// The payload of an event is gone or damaged.
    #[error("the payload of event {number} cannot be read: {reason}")]
    Payload {
        /// The number of the event.
        number: i64,
        /// Why.
        reason: String,
    },
    /// A stored value is gone or damaged.
    #[error("the value of task `{task}` of run `{run}` cannot be read: {reason}")]
    Value {
        /// The run.
        run: String,
        /// The task.
        task: String,
        /// Why.
        reason: String,
    },
}

impl JournalError {
    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            JournalError::Store(error) => error.kind(),
            JournalError::Build(errors) => errors.kind(),
            JournalError::Start(error) => error.kind(),
            JournalError::NoRuns
            | JournalError::UnknownRun { .. }
            | JournalError::PrunedRun { .. }
            | JournalError::UnknownTask { .. } => ErrorKind::NotFound,
            JournalError::Live { .. }
            | JournalError::Taken { .. }
            | JournalError::UnknownDag { .. }
            | JournalError::Changed { .. }
            | JournalError::Deadly { .. }
            | JournalError::MissingValue { .. }
            | JournalError::Nothing { .. } => ErrorKind::Conflict,
            JournalError::AmbiguousRun { .. } | JournalError::Answer { .. } | JournalError::InvalidValue { .. } => {
                ErrorKind::Invalid
            }
            JournalError::Thread(_)
            | JournalError::RunLock { .. }
            | JournalError::Files(_)
            | JournalError::Event { .. } => ErrorKind::Unavailable,
            JournalError::DamagedRun { .. } | JournalError::Value { .. } | JournalError::Payload { .. } => {
                ErrorKind::Damaged
            }
        }
    }
}

/// ` at 2026-03-03T06:00:00Z by kim`
pub(crate) fn pruning(at: Option<Timestamp>, by: Option<&str>) -> String {
    match (at, by) {
        (Some(at), Some(by)) => {
            const SECOND: i64 = 1_000_000_000;
            let at = Timestamp::from_nanos(at.as_nanos().div_euclid(SECOND) * SECOND);
            format!(" at {at} by {by}")
        }
        _ => String::new(),
    }
}

/// The nearest task, or how to list all.
fn nearest_or_list(nearest: Option<&str>) -> String {
    nearest.map_or_else(|| "; `status` lists its tasks".to_owned(), |near| format!("; did you mean `{near}`?"))
}

/// For the engine, which is a layer below the journal.
impl From<JournalError> for RecorderError {
    fn from(error: JournalError) -> Self {
        RecorderError::new(error.kind(), error)
    }
}

fn known(dags: &[String]) -> String {
    if dags.is_empty() { String::new() } else { format!("; it has {}", dags.join(", ")) }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::base::ErrorKind::{Conflict, Damaged, Invalid, NotFound, Unavailable};
    use crate::engine::RunError;

    fn text() -> String {
        String::new()
    }

    fn io() -> io::Error {
        io::Error::other("")
    }

    #[test]
    fn every_error_of_the_store_has_a_kind() {
        let kinds = [
            (StoreError::Open { place: text(), reason: text() }, Unavailable),
            (StoreError::TooNew { place: text(), found: 2, known: 1 }, Unavailable),
            (StoreError::Write { place: text(), reason: text() }, Unavailable),
            (StoreError::Busy { doing: "read", place: text(), holder: None }, Unavailable),
            (StoreError::Read { place: text(), reason: text() }, Unavailable),
            (StoreError::Damaged { place: text(), what: text() }, Damaged),
        ];
        for (error, kind) in kinds {
            assert_eq!(error.kind(), kind, "{error:?}");
            assert_eq!(JournalError::from(error.clone()).kind(), kind, "{error:?}");
        }
    }

    #[test]
    fn every_error_of_the_journal_has_a_kind() {
        let (run, reason) = (text, text);
        let start = || JournalError::Start(Box::new(RunError::System(io())));
        let kinds = [
            (JournalError::Thread(io()), Unavailable),
            (JournalError::UnknownRun { run: run() }, NotFound),
            (JournalError::NoRuns, NotFound),
            (JournalError::AmbiguousRun { run: run(), runs: Vec::new() }, Invalid),
            (JournalError::DamagedRun { run: run(), what: text() }, Damaged),
            (JournalError::Live { run: run(), by: text() }, Conflict),
            (JournalError::Taken { run: run() }, Conflict),
            (JournalError::RunLock { run: run(), error: io() }, Unavailable),
            (JournalError::UnknownDag { run: run(), dag: text(), dags: Vec::new() }, Conflict),
            (JournalError::UnknownTask { run: run(), task: text(), nearest: None }, NotFound),
            (JournalError::Changed { run: run(), reason: reason() }, Conflict),
            (JournalError::Nothing { run: run(), reason: reason() }, Conflict),
            (JournalError::MissingValue { run: run(), task: text(), ty: text() }, Conflict),
            (JournalError::Deadly { run: run(), tasks: Vec::new(), deaths: 3 }, Conflict),
            (JournalError::Answer { run: run(), key: text(), reason: reason() }, Invalid),
            (JournalError::Files(io()), Unavailable),
            (JournalError::Event { asset: text(), reason: reason() }, Unavailable),
            (JournalError::Payload { number: 1, reason: reason() }, Damaged),
            (start(), Unavailable),
            (JournalError::InvalidValue { run: run(), task: text(), reason: reason() }, Invalid),
            (JournalError::Value { run: run(), task: text(), reason: reason() }, Damaged),
        ];
        for (error, kind) in kinds {
            assert_eq!(error.kind(), kind, "{error:?}");
            let reason_by = error.to_string();
            let recorder = RecorderError::from(error);
            assert_eq!((recorder.kind(), recorder.to_string()), (kind, reason_by));
        }
    }

    #[test]
    fn an_error_for_starting_a_run_has_the_kind_of_its_cause() {
        let recorder = RecorderError::from(JournalError::Live { run: text(), by: text() });
        let kinds = [
            (RunError::ParamCount { dag: text(), expected: 1, given: 2 }, Invalid),
            (RunError::PoolTooSmall { task: text(), pool: text(), wanted: 2, slots: 1 }, Invalid),
            (RunError::Journal(recorder), Conflict),
            (RunError::System(io()), Unavailable),
        ];
        for (error, kind) in kinds {
            assert_eq!(error.kind(), kind, "{error:?}");
        }
    }
}
