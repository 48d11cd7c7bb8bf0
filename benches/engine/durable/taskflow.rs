//! taskflow with its journal.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use sqlx::{ConnectOptions, Connection, Row};
use taskflow::engine::Durability;
use taskflow::journal::Journal;

use super::job::{Job, print_fact, print_time};
use super::raw;
use crate::machine;
use crate::rivals::{runtime, taskflow as ours};

pub(super) fn run(job: Job, durability: Durability, home: &Path) -> Result<(), Box<dyn Error>> {
    let graph = job.shape.graph(job.n);
    let expected = job.shape.expected(job.n, &graph);
    // As in `cell`: memory that building freed stays with the allocator of its thread.
    let dag = std::thread::scope(|scope| scope.spawn(|| ours::dag(&graph, ours::Tasks::Sync)).join())
        .expect("every shape can be built");
    let journal = runtime().block_on(Journal::builder().sync(job.sync).open(home))?;
    print_fact("tasks", dag.plan().len());
    let before = machine::resident();
    machine::forget_peak();
    for _ in 0..job.runs {
        let start = Instant::now();
        let report = dag.run().engine(ours::engine()).journal(&journal).durability(durability).start()?.wait();
        print_time(start);
        assert_eq!(report.result(), Some(&expected), "a wrong result: {report:?}");
    }
    if job.memory {
        print_fact("memory", machine::peak().saturating_sub(before));
    }
    runtime().block_on(journal.close())?;
    drop(journal);
    runtime().block_on(look(job, home))
}

/// The content of the database.
async fn look(job: Job, home: &Path) -> Result<(), Box<dyn Error>> {
    let file = home.join("taskflow.db");
    let mut connection = raw::options(&file, job.sync).connect().await?;
    let sql = "SELECT count(*), coalesce(sum(length(events)), 0), coalesce(sum(length(data)), 0), \
               (SELECT coalesce(sum(length(snapshot)), 0) FROM graphs) FROM segments";
    let row = sqlx::query(sql).fetch_one(&mut connection).await?;
    let runs = job.runs as i64;
    for (place, name) in ["segments", "events", "data"].into_iter().enumerate() {
        print_fact(name, row.try_get::<i64, _>(place)? / runs);
    }
    let graph: i64 = row.try_get(3)?;
    print_fact("graph", graph);
    connection.close().await?;
    print_fact("database", (std::fs::metadata(file)?.len() as i64 - graph).max(0) / runs);
    Ok(())
}
