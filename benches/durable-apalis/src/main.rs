//! apalis-workflow on the shapes `chain` and `fan`: `durable-apalis <shape> <n> <normal|full> <runs> <directory>`.
//!
//! A chain is a fold over n items, a fan a `filter_map` over n items and a step that adds them up. Tells facts, one a line,
//! as the benches of taskflow read them.

use std::time::{Duration, Instant};

use apalis::prelude::*;
use apalis_sqlite::SqliteStorage;
use apalis_workflow::*;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

async fn items(n: u64) -> Result<Vec<u64>, BoxDynError> {
    Ok(vec![1; n as usize])
}

async fn step((value, item): (u64, u64)) -> Result<u64, BoxDynError> {
    Ok(value.wrapping_mul(3).wrapping_add(item))
}

async fn apart(item: u64) -> Result<Option<u64>, BoxDynError> {
    Ok(Some(item * 3 + 1))
}

async fn last(value: u64, worker: WorkerContext) -> Result<(), BoxDynError> {
    println!("value {value}");
    worker.stop()?;
    Ok(())
}

async fn sum(values: Vec<u64>, worker: WorkerContext) -> Result<(), BoxDynError> {
    println!("value {}", values.iter().sum::<u64>());
    worker.stop()?;
    Ok(())
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), BoxDynError> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [shape, n, sync, runs, home] = &words[..] else { return Err("five words are needed".into()) };
    let (n, runs): (u64, usize) = (n.parse()?, runs.parse()?);
    std::fs::create_dir_all(home)?;
    let file = std::path::Path::new(home).join("apalis.db");
    // `SqliteStorage::setup` would turn `synchronous` off on one connection of the pool: its tables are made here, with the
    // durability that was asked for on all of them.
    let options = SqliteConnectOptions::new()
        .filename(&file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(if sync == "full" { SqliteSynchronous::Full } else { SqliteSynchronous::Normal });
    let pool = SqlitePoolOptions::new().max_connections(5).connect_with(options).await?;
    SqliteStorage::migrations().run(&pool).await?;
    println!("tasks {}", n + 2);
    for run in 0..runs {
        let mut storage = SqliteStorage::new(&pool).poll_with_interval(Duration::from_millis(1));
        let start = Instant::now();
        storage.push(n).await?;
        let worker = WorkerBuilder::new(format!("bench-{run}")).backend(storage);
        match shape.as_str() {
            "chain" => {
                let flow = SteppedFlow::new("chain").and_then(items).fold(step).and_then(last);
                worker.build(flow).run().await?;
            }
            "fan" => {
                let flow = SteppedFlow::new("fan").and_then(items).filter_map(apart).and_then(sum);
                worker.build(flow).run().await?;
            }
            _ => return Err("apalis runs `chain` and `fan`".into()),
        }
        println!("run {}", start.elapsed().as_nanos());
    }
    pool.close().await;
    println!("database {}", std::fs::metadata(file)?.len() / runs as u64);
    Ok(())
}
