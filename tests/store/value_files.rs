//! Damage of the files of values and of payloads of events.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::json;
use taskflow::journal::{Journal, Note, Prune, RunHistory, SyncMode, TaskFilter};
use taskflow::ops::{self, EventQuery, NewAssetEvent, OpsError};
use taskflow::prelude::*;
use taskflow::{Durability, RunState, TaskState};

taskflow::asset! {
    ROWS: Asset<Vec<u64>> = "store/value_files";
}

/// Returns a value that goes to a file, and emits another one that does.
#[task]
fn rows(ctx: &TaskContext) -> Result<Vec<u64>> {
    ctx.emit(&ROWS, (0..9_000).map(|number| number * 1_000_003).collect())?;
    Ok((0..8_000).map(|number| number * 1_000_003).collect())
}

#[task]
fn count(rows: &[u64]) -> usize {
    rows.len()
}

#[dag]
fn counted() -> usize {
    count(rows())
}

/// The files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("it can be listed").flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// B5: every byte range of the files is changed, one at a time; then they are cut, extended and
/// removed. `db check` names each damage, and nobody gets what was not stored.
#[tokio::test]
async fn a_damaged_file_of_a_value_is_refused_and_named_by_a_check() -> Result<()> {
    /// How many bytes are changed at once.
    const RANGE: usize = 1024;

    let home = tempfile::tempdir()?;
    let journal = Journal::open(home.path()).await?;
    counted::run().journal(&journal).await?;
    assert_eq!(journal.check().await?, [""; 0]);
    let mut query = EventQuery::default();
    query.asset = Some("store/value_files".to_owned());
    let emitted = ops::events(&journal, &query).await?[0].number;
    let files = files(&home.path().join("values"));
    assert_eq!(files.len(), 2, "{files:?}");
    for file in files {
        let sound = fs::read(&file)?;
        let is_value = file.display().to_string().contains("manual__");
        let ranges = (0..sound.len()).step_by(RANGE).map(|from| {
            let mut bytes = sound.clone();
            bytes[from..(from + RANGE).min(sound.len())].iter_mut().for_each(|byte| *byte ^= 0x25);
            Some(bytes)
        });
        let others =
            [Some(sound[..sound.len() / 2].to_vec()), Some(Vec::new()), Some([&sound[..], b"0"].concat()), None];
        for (number, bytes) in ranges.chain(others).enumerate() {
            match bytes {
                Some(bytes) => fs::write(&file, bytes)?,
                None => fs::remove_file(&file)?,
            }
            let findings = journal.check().await?;
            let history = journal.history("1").await?;
            let value = journal.value(&history, "rows").await;
            let event = ops::event(&journal, emitted).await;
            match is_value {
                true => {
                    assert!(findings.iter().any(|finding| finding.contains("`rows`")), "{number}: {findings:?}");
                    assert!(value.is_err(), "{number}");
                }
                false => {
                    assert!(
                        findings.iter().any(|finding| finding.contains("payload of event")),
                        "{number}: {findings:?}"
                    );
                    assert!(value.is_ok(), "{number}");
                    assert!(event.is_err(), "{number}: {event:?}");
                }
            }
        }
        fs::write(&file, &sound)?;
        assert_eq!(journal.check().await?, [""; 0]);
    }
    Ok(())
}

#[task]
fn large() -> Vec<u64> {
    (0..8_000).map(|number| number * 1_000_003).collect()
}

/// Its result, which is an event, stays with the run.
#[dag]
fn large_result_of_a_run() -> Vec<u64> {
    large()
}

/// The file of a result is deleted with its run, the event is not.
#[tokio::test]
async fn a_result_whose_run_was_deleted_is_no_damage() -> Result<()> {
    let home = tempfile::tempdir()?;
    let journal = Journal::open(home.path()).await?;
    large_result_of_a_run::run().journal(&journal).await?;
    assert_eq!(journal.check().await?, [""; 0]);
    let all = Prune { older_than: Duration::ZERO, dag: None, states: Vec::new(), audit: false };
    assert_eq!(ops::prune(&journal, &all, None).await?.pruned, 1);
    assert_eq!(journal.check().await?, [""; 0]);
    Ok(())
}

/// Runs `counted` with this id.
async fn counted_as(id: &str, journal: &Journal) -> Result<()> {
    let draft = ops::draft(counted::def(), None)?.run_id(id);
    ops::start(draft, Some((journal, Durability::Strict))).await?;
    Ok(())
}

/// A prune of everything, or of the runs of a DAG.
fn prune_of(older_than: Duration, dag: Option<&str>) -> Prune {
    Prune { older_than, dag: dag.map(str::to_owned), states: Vec::new(), audit: false }
}

/// What a prune leaves that dies between the rows and the files of a run, or cannot delete the
/// files: here, a file is where the directory of the artifacts should be. Old directories that no
/// run has made, such as those of a file system, stay.
#[tokio::test]
async fn files_that_a_prune_could_not_delete_are_deleted_by_the_next_one() -> Result<()> {
    let home = tempfile::tempdir()?;
    let journal = Journal::open(home.path()).await?;
    counted_as("counted once", &journal).await?;
    let mut others = Vec::new();
    for (root, name) in [("values", "lost+found"), ("logs", "backups"), ("artifacts", "scheduled__2026-02-01")] {
        let other = home.path().join(root).join(name);
        fs::create_dir_all(&other)?;
        fs::write(other.join("of somebody else"), "text")?;
        fs::File::open(&other)?.set_modified(SystemTime::now() - Duration::from_secs(3 * 86_400))?;
        others.push(other);
    }
    let values = home.path().join("values/counted%20once");
    assert!(values.is_dir());
    let in_the_way = home.path().join("artifacts/counted%20once");
    fs::write(&in_the_way, "text")?;
    let failed = ops::prune(&journal, &prune_of(Duration::ZERO, None), None).await;
    let failed = failed.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(failed.contains("run `counted once`: "), "{failed}");
    assert!(failed.ends_with("; the next `db prune` tries again; deleted: 1 run"), "{failed}");
    assert!(values.is_dir());
    assert_eq!(journal.check().await?, [""; 0], "it is no damage");

    fs::remove_file(&in_the_way)?;
    assert_eq!(ops::prune(&journal, &prune_of(Duration::ZERO, Some("another")), None).await?.pruned, 0);
    assert!(!values.exists());
    assert!(others.iter().all(|other| other.join("of somebody else").exists()), "{others:?}");
    assert_eq!(journal.check().await?, [""; 0]);
    Ok(())
}

/// The files of a deleted run could not be deleted, and a run with the same id has values by now.
#[tokio::test]
async fn files_of_a_run_that_has_the_id_of_a_deleted_one_stay() -> Result<()> {
    let home = tempfile::tempdir()?;
    let journal = Journal::open(home.path()).await?;
    counted_as("again", &journal).await?;
    fs::create_dir_all(home.path().join("artifacts"))?;
    let in_the_way = home.path().join("artifacts/again");
    fs::write(&in_the_way, "text")?;
    assert!(ops::prune(&journal, &prune_of(Duration::ZERO, None), None).await.is_err());
    counted_as("again", &journal).await?;
    fs::remove_file(&in_the_way)?;
    for _ in 0..2 {
        assert_eq!(ops::prune(&journal, &prune_of(Duration::from_secs(86_400), None), None).await?.pruned, 0);
        assert_eq!(journal.check().await?, [""; 0], "its values are there");
    }
    Ok(())
}

/// Emits an event with a payload that goes to a file.
async fn emit(journal: &Journal, first: u64) -> Result<()> {
    let rows: Vec<u64> = (first..first + 9_000).map(|number| number * 1_000_003).collect();
    ops::emit(journal, "store/value_files", NewAssetEvent::new(json!(rows)), &Note::by_user("")).await?;
    Ok(())
}

/// A journal with two events, and the files of their payloads.
async fn with_two_payloads(home: &Path) -> Result<(Journal, PathBuf, PathBuf)> {
    let journal = Journal::open(home).await?;
    emit(&journal, 0).await?;
    let values = home.join("values");
    let first = files(&values).pop().ok_or("the first payload has no file")?;
    emit(&journal, 1).await?;
    let newest = files(&values).into_iter().find(|file| *file != first).ok_or("the other payload has no file")?;
    Ok((journal, first, newest))
}

/// Nobody has used the file for three hours.
fn age(file: &Path) -> Result<()> {
    let opened = fs::File::options().write(true).open(file)?;
    opened.set_modified(SystemTime::now() - Duration::from_secs(3 * 3_600))?;
    Ok(())
}

/// A file is where the directory of the payload should be. The prune said that it had deleted
/// nothing, and no other one deleted the payload.
#[tokio::test]
async fn a_prune_that_cannot_delete_the_payload_of_an_event_says_what_it_has_deleted() -> Result<()> {
    let home = tempfile::tempdir()?;
    let (journal, payload, newest) = with_two_payloads(home.path()).await?;
    age(&payload)?;
    let (directory, aside) = (payload.parent().ok_or("it has a directory")?, home.path().join("aside"));
    fs::rename(directory, &aside)?;
    fs::write(directory, "text")?;
    let failed = ops::prune(&journal, &prune_of(Duration::ZERO, None), None).await.expect_err("a file stays");
    let says_how_many = matches!(&failed, OpsError::PrunedInPart { pruned, .. } if pruned.events == 1);
    assert!(says_how_many, "{failed:?}");
    let failed = failed.to_string();
    assert!(failed.contains("the payload "), "{failed}");
    assert!(failed.ends_with("; the next `db prune` tries again; deleted: 1 event"), "{failed}");

    fs::remove_file(directory)?;
    fs::rename(&aside, directory)?;
    assert_eq!(ops::prune(&journal, &prune_of(Duration::ZERO, Some("another")), None).await?.events, 0);
    assert!(!payload.exists() && newest.exists());
    assert_eq!(journal.check().await?, [""; 0]);
    Ok(())
}

/// An event that was emitted just now, as with `--older-than 1h`. Its payload stayed for ever.
#[tokio::test]
async fn the_payload_of_a_young_event_is_deleted_by_a_later_prune() -> Result<()> {
    let home = tempfile::tempdir()?;
    let (journal, payload, newest) = with_two_payloads(home.path()).await?;
    assert_eq!(ops::prune(&journal, &prune_of(Duration::ZERO, None), None).await?.events, 1);
    assert!(payload.exists(), "a process may be about to store an event with it");
    age(&payload)?;
    ops::prune(&journal, &prune_of(Duration::ZERO, Some("another")), None).await?;
    assert!(!payload.exists() && newest.exists());
    assert_eq!(journal.check().await?, [""; 0]);
    Ok(())
}

/// It was left because it was young, and is that of another event by the next prune.
#[tokio::test]
async fn the_payload_of_a_deleted_event_stays_if_another_event_has_it_again() -> Result<()> {
    let home = tempfile::tempdir()?;
    let (journal, payload, _) = with_two_payloads(home.path()).await?;
    assert_eq!(ops::prune(&journal, &prune_of(Duration::ZERO, None), None).await?.events, 1);
    emit(&journal, 0).await?;
    age(&payload)?;
    ops::prune(&journal, &prune_of(Duration::ZERO, Some("another")), None).await?;
    assert!(payload.exists());
    assert_eq!(journal.check().await?, [""; 0]);
    Ok(())
}

/// What `sync = normal` promises: after a loss of power the file of a stored value may be empty.
#[tokio::test]
async fn a_value_whose_file_was_lost_with_the_power_is_named_and_made_again() -> Result<()> {
    let home = tempfile::tempdir()?;
    let journal = Journal::builder().sync(SyncMode::Normal).open(home.path()).await?;
    counted::run().journal(&journal).await?;
    let is_value = |file: &PathBuf| !file.to_string_lossy().contains("%28events%29");
    let value = files(&home.path().join("values")).into_iter().find(is_value).ok_or("the value has no file")?;
    fs::write(&value, "")?;
    let findings = journal.check().await?;
    assert!(findings.iter().any(|finding| finding.contains("the value is truncated")), "{findings:?}");
    journal.clear("last", &TaskFilter::tasks(["count"]), &Note::default()).await?;
    let refused = journal.resume("last").await.err().map(|error| error.to_string());
    let is_named = |error: &String| error.contains("run the task that produced it again");
    assert!(refused.as_ref().is_some_and(is_named), "{refused:?}");
    journal.clear("last", &TaskFilter::tasks(["rows"]).downstream(), &Note::default()).await?;
    assert_eq!(journal.resume("last").await?.await?.state(), RunState::Success);
    assert_eq!(journal.check().await?, [""; 0]);
    Ok(())
}

#[task]
async fn holds(_cluster: &[u64], ctx: &TaskContext) -> Result<u64> {
    ctx.cancelled().await;
    Err("stopped")?
}

#[task]
fn tear_down(cluster: &[u64]) -> usize {
    cluster.len()
}

/// Its files were deleted, although the run stays until its teardown has run.
#[tokio::test]
async fn a_run_whose_teardown_is_left_keeps_its_values_when_it_is_pruned() -> Result<()> {
    let home = tempfile::tempdir()?;
    let dag = Dag::build("left", || scope(large(), |cluster| holds(cluster), |cluster| tear_down(cluster)))?;
    let journal = Journal::open(home.path()).await?;
    let handle = dag.run().journal(&journal).grace(Duration::from_secs(5)).start()?;
    let is_running = |history: RunHistory| history.task("holds").is_some_and(|task| task.state == TaskState::Running);
    while !journal.history("last").await.is_ok_and(is_running) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    journal.close().await?;
    assert_eq!(handle.await.state(), RunState::Interrupted);

    let journal = Journal::open(home.path()).await?;
    let states = vec![RunState::Interrupted];
    let interrupted = Prune { older_than: Duration::ZERO, dag: None, states, audit: false };
    assert_eq!(ops::prune(&journal, &interrupted, None).await?.pruned, 0);
    let report = journal.resume_dag("last", &dag).await?.await?;
    let state = |task: &str| report.task(task).map(|task| task.state());
    assert_eq!((state("holds"), state("tear_down")), (Some(TaskState::Cancelled), Some(TaskState::Success)));
    Ok(())
}
