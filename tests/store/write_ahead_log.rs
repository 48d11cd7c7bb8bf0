//! Damage of the write-ahead log of a store.

use std::fs;

use taskflow::TaskState;
use taskflow::journal::Journal;
use taskflow::prelude::*;

#[task]
fn double(n: u32) -> u32 {
    n * 2
}

#[dag]
fn doubled_twice() -> u32 {
    double(double(1))
}

/// B5: every range of the log is changed, one at a time, as it lies there after a process was
/// killed. SQLite drops the commits from there on: what is left is what was stored before them, and
/// never anything else.
#[tokio::test]
async fn a_damaged_write_ahead_log_loses_commits_and_changes_none() -> Result<()> {
    /// How many bytes are changed at once: about a page.
    const RANGE: usize = 4096;

    let home = tempfile::tempdir()?;
    let journal = Journal::open(home.path()).await?;
    assert_eq!(doubled_twice::run().journal(&journal).await?.result(), Some(&4));
    let (file, log) = (fs::read(home.path().join("taskflow.db"))?, fs::read(home.path().join("taskflow.db-wal"))?);
    assert!(!log.is_empty());
    let mut complete = 0;
    for from in (0..=log.len()).step_by(RANGE) {
        let mut bytes = log.clone();
        bytes[from..(from + RANGE).min(log.len())].iter_mut().for_each(|byte| *byte ^= 0x25);
        let copy = tempfile::tempdir()?;
        fs::write(copy.path().join("taskflow.db"), &file)?;
        fs::write(copy.path().join("taskflow.db-wal"), bytes)?;
        // The store may not be there yet, or the run.
        let Ok(journal) = Journal::open(copy.path()).await else { continue };
        let Ok(history) = journal.history("1").await else { continue };
        for (task, expected) in [("double", "2"), ("double_2", "4")] {
            if history.task(task).is_some_and(|task| task.state == TaskState::Success) {
                let found = journal.value(&history, task).await?.map(|value| value.preview(100));
                assert_eq!(found.as_deref(), Some(expected), "{task}, byte {from}");
                complete += 1;
            }
        }
    }
    assert!(complete > 0, "nothing could be read");
    Ok(())
}
