//! durare on the shapes `chain` and `fan`:
//! `durable-durare <shape> <n> <normal|full> <runs> <directory>`.
//!
//! A task is a step of a workflow. Prints facts, one per line, in the format of the benches of
//! taskflow.

use std::sync::Arc;
use std::time::Instant;

use durare::{DurableContext, DurableEngine, Error, Result, SqliteProvider, WorkflowOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

async fn chain(ctx: DurableContext, n: u64) -> Result<u64> {
    let mut value = ctx.step("source", || async { Ok::<_, Error>(1_u64) }).await?;
    for _ in 1..n {
        value = ctx.step("step", move || async move { Ok::<_, Error>(value.wrapping_mul(3).wrapping_add(1)) }).await?;
    }
    Ok(value)
}

async fn fan(ctx: DurableContext, n: u64) -> Result<u64> {
    let value = ctx.step("source", || async { Ok::<_, Error>(1_u64) }).await?;
    let steps = (0..n).map(|_| ctx.step("step", move || async move { Ok::<_, Error>(value * 3 + 1) }));
    let values = futures::future::try_join_all(steps).await?;
    let sum: u64 = values.into_iter().sum();
    ctx.step("sum", move || async move { Ok::<_, Error>(sum) }).await
}

#[tokio::main(worker_threads = 2)]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [shape, n, sync, runs, home] = &args[..] else { return Err("expected five arguments".into()) };
    let (n, runs): (u64, usize) = (n.parse()?, runs.parse()?);
    std::fs::create_dir_all(home)?;
    let file = std::path::Path::new(home).join("durare.db");
    // The options of `SqliteProvider::connect`, except for `full`.
    let options = SqliteConnectOptions::new()
        .filename(&file)
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(if sync == "full" { SqliteSynchronous::Full } else { SqliteSynchronous::Normal })
        .busy_timeout(std::time::Duration::from_secs(5));
    let pool = SqlitePoolOptions::new().max_connections(5).connect_with(options).await?;
    let engine = DurableEngine::new(Arc::new(SqliteProvider::from_pool(pool.clone()))).await?;
    let mut engine = engine;
    engine.register("chain", chain);
    engine.register("fan", fan);
    let (tasks, expected) = match shape.as_str() {
        "chain" => (n, (1..n).fold(1_u64, |value, _| value.wrapping_mul(3).wrapping_add(1))),
        "fan" => (n + 2, 4 * n),
        _ => return Err("durare runs only `chain` and `fan`".into()),
    };
    println!("tasks {tasks}");
    for run in 0..runs {
        let start = Instant::now();
        let handle = engine.start::<_, u64>(shape, n, WorkflowOptions::with_id(format!("{shape}-{run}"))).await?;
        let value = handle.result().await?;
        println!("run {}", start.elapsed().as_nanos());
        assert_eq!(value, expected, "a wrong result");
    }
    pool.close().await;
    println!("database {}", std::fs::metadata(file)?.len() / runs as u64);
    Ok(())
}
