//! The graphs that stored runs refer to.

use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use taskflow::journal::Journal;
use taskflow::prelude::*;

#[task]
fn one() -> u32 {
    1
}

/// What a prune does to a graph that no run refers to, at the worst moment.
const PRUNE: &str = "CREATE TRIGGER prune AFTER INSERT ON graphs \
                     WHEN NOT EXISTS (SELECT 1 FROM runs WHERE graph = NEW.hash) \
                     BEGIN DELETE FROM graphs WHERE hash = NEW.hash; END";

/// A graph is stored before the run that refers to it, and is gone when the run is stored: another
/// process has pruned the last run that had it. The new run could not be read.
#[tokio::test]
async fn a_graph_that_a_prune_removes_before_its_run_is_stored_is_stored_again() -> Result<()> {
    let home = tempfile::tempdir()?;
    let journal = Journal::open(home.path()).await?;
    let mut store = SqliteConnectOptions::new().filename(home.path().join("taskflow.db")).connect().await?;
    sqlx::raw_sql(PRUNE).execute(&mut store).await?;
    let dag = Dag::build("pruned", one)?;
    assert!(dag.run().journal(&journal).await?.is_success());
    sqlx::raw_sql("DROP TRIGGER prune").execute(&mut store).await?;
    assert_eq!(journal.check().await?, [""; 0]);
    assert_eq!(journal.history("last").await?.tasks.len(), 1);
    Ok(())
}
