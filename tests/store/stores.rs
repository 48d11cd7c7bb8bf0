//! Stores that were written with schemas 1, 2 and 3: this build reads them, finds no damage, and
//! resumes the runs in them. Each is a dump, so that two of them can be compared as text. All later
//! migrations are applied to them; those from 4 on only add tables, columns and indexes.
//!
//! All hold the same two runs of `examples/hello`: one for Ada that succeeded, and one for Grace
//! whose process was killed while it ran, after which `measure` was marked as skipped.

use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use taskflow::Result;
use taskflow::engine::{RunState, TaskState};
use taskflow::journal::Journal;

#[path = "../../examples/hello.rs"]
#[allow(dead_code, reason = "only its DAG is needed")]
mod example;

fn dumps() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/stores");
    let mut dumps: Vec<PathBuf> = folder
        .read_dir()
        .expect("the dumps lie there")
        .map(|entry| entry.expect("they can be listed").path())
        .collect();
    dumps.sort();
    dumps
}

async fn restored(dump: &Path, home: &Path) -> Result<()> {
    let sql = std::fs::read_to_string(dump)?;
    let file = SqliteConnectOptions::new().filename(home.join("taskflow.db")).create_if_missing(true);
    let mut database = file.connect().await?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut database).await?;
    Ok(database.close().await?)
}

#[tokio::test]
async fn runs_of_the_first_schemas_are_read_and_resumed() -> Result<()> {
    let dumps = dumps();
    assert!(!dumps.is_empty());
    for dump in dumps {
        let home = tempfile::tempdir()?;
        restored(&dump, home.path()).await?;
        let journal = Journal::open(home.path()).await?;
        assert_eq!(journal.check().await?, Vec::<String>::new(), "{}", dump.display());

        let ada = journal.history("1").await?;
        assert_eq!((ada.state, ada.edits.len()), (RunState::Success, 0));
        assert_eq!(journal.params(&ada).await?[0].value, "Ada");
        assert_eq!(journal.value(&ada, "measure").await?.unwrap().preview(100), "11");
        assert_eq!(ada.task("frame").unwrap().attempts.len(), 1);

        let grace = journal.history("2").await?;
        assert_eq!(grace.state, RunState::Interrupted);
        assert_eq!(grace.edits[0].marked, Some(TaskState::Skipped));
        assert_eq!(grace.edits[0].reason, "the width is known");
        let report = journal.resume("2").await?.await?;
        assert_eq!(report.state(), RunState::Success);
        let grace = journal.history("2").await?;
        assert_eq!(grace.task("greet").unwrap().state, TaskState::Success);
        assert_eq!(grace.task("frame").unwrap().state, TaskState::Skipped);
        assert_eq!(journal.value(&grace, "greet").await?.unwrap().preview(100), "\"Hello, Grace!\"");
    }
    Ok(())
}
