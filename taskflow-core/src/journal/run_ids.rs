//! Which ids runs can have.

use super::events::PAYLOADS;
use crate::store::Store;

/// Why a run cannot have this id, if it cannot: whoever names the run by it would get another one
/// (see [`Journal::find`](super::Journal::find)), or its files would be among those of events.
pub(crate) fn unusable_id(id: &str) -> Option<String> {
    let is_number = || id.strip_prefix('#').unwrap_or(id).parse::<i64>().is_ok();
    let reason = match id {
        "last" => "`last` names the newest run",
        // Some file systems ignore case.
        _ if id.eq_ignore_ascii_case(PAYLOADS) => "the store keeps the payloads of events under this name",
        _ if id.trim().is_empty() => "it is empty",
        _ if is_number() => "a number names the run with this number",
        _ => return None,
    };
    Some(format!("a run cannot have the id `{id}`: {reason}"))
}

/// The word that names the run with this number and no other, wherever a word names a run. Its id
/// need not: it can be a part of another one, and those of old runs can be `5` or `last`.
pub(crate) fn word_of(number: i64) -> String {
    format!("#{number}")
}

/// Why a run cannot have this id, with the next step.
pub(super) fn refused(id: &str) -> Option<String> {
    unusable_id(id).map(|reason| format!("{reason}; choose another id"))
}

/// Why the store has refused a new run with an id that runs can have.
pub(super) async fn taken(store: &dyn Store, run_id: &str) -> String {
    // If the store cannot be read, the usual reason is the likely one.
    if !matches!(store.run_by_id(run_id).await, Ok(None)) {
        return "a run with this id already exists".to_owned();
    }
    // A prune holds the id of a run, which has no row any more, while it deletes the files.
    let left = store.left_files().await.unwrap_or_default();
    let reason = if left.iter().any(|id| id == run_id) {
        "the files of a deleted run with this id are being deleted; try again when the prune is done, or choose \
         another id"
    } else {
        "another process has just taken this id; choose another id"
    };
    reason.to_owned()
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use std::sync::Arc;

    use crate::base::Timestamp;
    use crate::dag::{Dag, DagOptions, Params};
    use crate::engine::{Archive, RunRequest};
    use crate::journal::Journal;
    use crate::run::{RunInfo, RunState};
    use crate::task::TaskContext;

    /// A prune of another process is at the files of a run. A run with the same id begins, with and
    /// without an admission.
    #[tokio::test]
    async fn a_run_whose_id_is_being_deleted_is_refused_with_the_next_step() {
        for limit in [None, Some(1)] {
            let home = tempfile::tempdir().unwrap();
            // Two journals of one home stand for two processes.
            let (journal, other) =
                (Journal::open(home.path()).await.unwrap(), Journal::open(home.path()).await.unwrap());
            let mut options = DagOptions::NONE;
            options.max_active_runs = limit;
            let dag: Dag<()> = Dag::draw_with("daily", options, |dag| {
                dag.add("ends", |_| Ok(()));
            })
            .unwrap();
            let run = || {
                let mut info = RunInfo::manual("daily", Timestamp::EPOCH);
                info.run_id = "again".to_owned();
                RunRequest::<()>::of_plan(Arc::clone(dag.plan()), info, Params::default()).journal(&journal)
            };
            assert_eq!(run().await.unwrap().state(), RunState::Success);
            let store = &other.inner.store;
            assert_eq!(store.delete(&[1], None).await.unwrap(), [1]);
            // The process of the run has it for a moment after its end.
            let held = loop {
                if let Some(held) = store.hold_id("again").await.unwrap() {
                    break held;
                }
            };
            let refused = run().await.unwrap();
            assert_eq!(refused.state(), RunState::Interrupted, "{limit:?}");
            let reason = refused.halt_reason().unwrap_or_default();
            assert!(reason.contains("are being deleted; try again when the prune is done"), "{limit:?}: {reason}");
            store.forget_files(&["again".to_owned()]).await.unwrap();
            drop(held);
            // The refused run has the id for a moment after its end, too.
            let retried = loop {
                match run().await {
                    Ok(report) => break report,
                    Err(_) => tokio::task::yield_now().await,
                }
            };
            assert_eq!(retried.state(), RunState::Success, "{limit:?}");
        }
    }

    /// The rows of a run are deleted, and its process dies before it has deleted the log and an
    /// artifact. A backfill makes the run again, or a task triggers it again: the log began with
    /// the lines of the deleted run.
    #[tokio::test]
    async fn a_run_that_is_made_again_begins_without_the_files_of_the_deleted_one() {
        let home = tempfile::tempdir().unwrap();
        let journal = Journal::open(home.path()).await.unwrap();
        let store = &journal.inner.store;
        let dag: Dag<()> = Dag::draw("daily", |dag| {
            dag.add("ends", |_| Ok(()));
        })
        .unwrap();
        let enqueue = async || {
            let mut info = RunInfo::manual("daily", Timestamp::EPOCH);
            info.run_id = "again".to_owned();
            let request = RunRequest::<()>::of_plan(Arc::clone(dag.plan()), info, Params::default());
            journal.enqueue(request).await.unwrap().number
        };
        let claim = async || loop {
            // Whoever had it last has it for a moment after the end.
            match journal.resume_dag("again", &dag).await {
                Ok(request) => break request,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        let files = ["logs/again/ends/1.jsonl", "artifacts/again/report.txt"].map(|path| home.path().join(path));
        let write = || {
            for file in &files {
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                std::fs::write(file, b"text").unwrap();
            }
        };
        let first = enqueue().await;
        assert_eq!(claim().await.await.unwrap().state(), RunState::Success);
        write();
        assert_eq!(store.delete(&[first], None).await.unwrap(), [first]);

        let second = enqueue().await;
        let claimed = claim().await;
        assert!(files.iter().all(|file| !file.exists()));
        assert_eq!(store.left_files().await.unwrap(), [""; 0]);
        // Its process dies before anything of it is stored: these files are its own.
        write();
        drop(claimed);
        assert_eq!(claim().await.await.unwrap().state(), RunState::Success);
        assert!(files.iter().all(|file| file.exists()));

        assert_eq!(store.delete(&[second], None).await.unwrap(), [second]);
        while store.hold_id("again").await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        Archive::make_room(&journal, "again", &TaskContext::detached("asks")).await.unwrap();
        assert!(files.iter().all(|file| !file.exists()));
        assert_eq!(store.left_files().await.unwrap(), [""; 0]);
    }

    /// A run is deleted whose process still has its id, and then has not. Whoever has deleted it
    /// was not told that its files were left.
    #[tokio::test]
    async fn files_of_a_deleted_run_are_left_as_long_as_its_process_has_them() {
        let home = tempfile::tempdir().unwrap();
        // Two journals of one home stand for two processes.
        let (journal, other) = (Journal::open(home.path()).await.unwrap(), Journal::open(home.path()).await.unwrap());
        let dag: Dag<()> = Dag::draw("daily", |dag| {
            dag.add("ends", |_| Ok(()));
        })
        .unwrap();
        let mut info = RunInfo::manual("daily", Timestamp::EPOCH);
        info.run_id = "again".to_owned();
        let request = RunRequest::<()>::of_plan(Arc::clone(dag.plan()), info, Params::default()).journal(&other);
        assert_eq!(request.await.unwrap().state(), RunState::Success);
        let log = home.path().join("logs/again/ends/1.jsonl");
        std::fs::create_dir_all(log.parent().unwrap()).unwrap();
        std::fs::write(&log, b"text").unwrap();
        let store = &other.inner.store;
        // Whoever had it last has it for a moment after the end.
        let held = loop {
            match store.hold_id("again").await.unwrap() {
                Some(held) => break held,
                None => tokio::task::yield_now().await,
            }
        };
        assert_eq!(store.delete(&[1], None).await.unwrap(), [1]);
        assert!(journal.delete_left_files_of("again").await.unwrap());
        assert!(log.exists());
        drop(held);
        while journal.delete_left_files_of("again").await.unwrap() {
            tokio::task::yield_now().await;
        }
        assert!(!log.exists());
        assert!(!journal.delete_left_files_of("never stored").await.unwrap());
    }
}
