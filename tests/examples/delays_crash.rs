//! `examples/delays`, killed again and again in the middle of a run and resumed each time: the
//! report and the warehouse are those of an unbroken run.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Output;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row};
use taskflow::Result;
use taskflow_tests::binaries;
use tempfile::TempDir;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data");

/// Calls `delays` with runs and a warehouse in `dir`, and with what is to go wrong.
fn delays(dir: &Path, words: &[&str], failpoints: &str) -> Output {
    let mut program = binaries::program("delays");
    program.env("TASKFLOW_HOME", dir.join("home")).env("TASKFLOW_FAILPOINTS", failpoints).current_dir(dir).args(words);
    program.output().expect("a built program starts")
}

/// Every row of the table that the run loads, in an order of its own.
async fn rows(dir: &Path) -> Result<Vec<String>> {
    let mut warehouse = SqliteConnectOptions::new().filename(dir.join("warehouse.db")).connect().await?;
    let columns = sqlx::query("select * from delays").fetch_all(&mut warehouse).await?;
    let mut rows = Vec::new();
    for row in columns {
        let mut cells = Vec::new();
        for index in 0..row.len() {
            let integer = row.try_get::<Option<i64>, _>(index).map(|cell| format!("{cell:?}"));
            let real = || row.try_get::<Option<f64>, _>(index).map(|cell| format!("{cell:?}"));
            let text = || row.try_get::<Option<String>, _>(index).map(|cell| format!("{cell:?}"));
            cells.push(integer.or_else(|_| real()).or_else(|_| text())?);
        }
        rows.push(cells.join("|"));
    }
    rows.sort();
    Ok(rows)
}

#[tokio::test]
async fn a_killed_and_resumed_run_writes_the_same_report() -> Result<()> {
    let words = ["run", "--data", DATA, "--warehouse", "warehouse.db", "--month", "2013-01"];
    let (unbroken, broken) = (TempDir::new()?, TempDir::new()?);
    let expected = delays(unbroken.path(), &words, "");
    assert!(expected.status.success(), "{expected:?}");

    // Dies before one of its first commits, again and again: every process goes a little further.
    // Before, and not after: after the commit that ends the run there is nothing to resume. Every
    // second process gets further than one task, because a task with which three die is not run
    // again.
    let mut crashes = 0;
    let mut output = delays(broken.path(), &words, "store.append@2=kill");
    while output.status.signal() == Some(9) {
        crashes += 1;
        assert!(crashes < 50, "it comes to no end: {output:?}");
        let failpoint = ["store.append@14=kill", "store.append@4=kill"][crashes % 2];
        output = delays(broken.path(), &["resume", "last"], if crashes < 12 { failpoint } else { "" });
    }
    assert!(output.status.success(), "{output:?}");
    assert!(crashes >= 2, "it was killed {crashes} times only");
    assert_eq!(String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&expected.stdout));
    assert_eq!(rows(broken.path()).await?, rows(unbroken.path()).await?);

    let status = delays(broken.path(), &["status", "last", "--output", "json"], "");
    let status: serde_json::Value = serde_json::from_slice(&status.stdout)?;
    assert_eq!(status["state"], "success");
    assert_eq!(status["sessions"].as_array().map(Vec::len), Some(crashes + 1));
    Ok(())
}
