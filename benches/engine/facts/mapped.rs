//! `each` over lists of the run, compared with the same tasks added individually.

use std::time::{Duration, Instant};

use taskflow::prelude::*;
use taskflow::{Journal, RunReport};

use super::{Fact, Problem, scratch, spread};
use crate::machine;

const RUNS: usize = 3;
const MANY: u32 = 1_000_000;
const DURABLE: u32 = 100_000;

#[task]
fn numbers(count: u32) -> Vec<u32> {
    (0..count).collect()
}

#[task]
fn square(n: u32) -> u64 {
    u64::from(n) * u64::from(n)
}

#[task]
fn sum(values: &[u64]) -> u64 {
    values.iter().sum()
}

/// The sum of the squares of all smaller numbers.
fn squares(count: u32) -> u64 {
    (0..u64::from(count)).map(|n| n * n).sum()
}

fn mapped(count: u32) -> Result<Dag<u64>, Problem> {
    Ok(Dag::build("mapped", || sum(numbers(count).each(square)))?)
}

fn nested(count: u32) -> Result<Dag<u64>, Problem> {
    Ok(Dag::build("nested", || sum(numbers(count).each(|_| sum(numbers(count).each(square)))))?)
}

fn drawn(count: u32) -> Result<Dag<u64>, Problem> {
    Ok(Dag::build("drawn", || sum((0..count).map(square).collect::<Vec<_>>()))?)
}

/// The durations of some runs. Each must return `expected`.
fn timed(expected: u64, run: impl Fn() -> Result<RunReport<u64>, Problem>) -> Result<Vec<Duration>, Problem> {
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        let report = run()?;
        times.push(start.elapsed());
        if report.result() != Some(&expected) {
            return Err(format!("the run ended as {:?} with {:?}", report.state(), report.result()).into());
        }
    }
    Ok(times)
}

/// The peak memory that a run over many elements adds, in bytes per element. Must be measured
/// first, because later runs reuse memory that the allocator keeps.
fn memory(dag: &Dag<u64>) -> Result<u64, Problem> {
    machine::forget_peak();
    let before = machine::resident();
    timed(squares(MANY), || Ok(dag.run().wait()?))?;
    Ok(machine::peak().saturating_sub(before) / u64::from(MANY))
}

pub(super) fn measure() -> Result<Vec<Fact>, Problem> {
    let one = mapped(MANY)?;
    let bytes = memory(&one)?;
    let (two, three) = (nested(1000)?, drawn(MANY)?);
    let of_drawn = timed(squares(MANY), || Ok(three.run().wait()?))?;
    let of_mapped = timed(squares(MANY), || Ok(one.run().wait()?))?;
    let of_nested = timed(squares(1000) * 1000, || Ok(two.run().wait()?))?;

    let (stored, stored_drawn) = (mapped(DURABLE)?, drawn(DURABLE)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let durable = |dag: &Dag<u64>| -> Result<Vec<Duration>, Problem> {
        let home = scratch("mapped")?;
        let builder = Journal::builder().sync(taskflow::journal::SyncMode::Normal);
        let journal = runtime.block_on(builder.open(&home))?;
        let times = timed(squares(DURABLE), || Ok(runtime.block_on(async { dag.run().journal(&journal).await })?));
        runtime.block_on(journal.close())?;
        std::fs::remove_dir_all(&home)?;
        times
    };
    let of_stored = durable(&stored)?;
    let of_stored_drawn = durable(&stored_drawn)?;
    let fact = |what, times: &[Duration], budget| Fact { what, measured: spread(times), budget };
    Ok(vec![
        fact("a fan of 1,000,000 tasks, added individually", &of_drawn, ""),
        fact("the same with `each` over 1,000,000 elements", &of_mapped, "as above"),
        Fact { what: "memory of it, per element", measured: format!("{bytes} bytes"), budget: "300 bytes" },
        fact("1,000 elements with 1,000 each", &of_nested, "as above"),
        fact("a fan of 100,000 tasks, added individually, stored (strict, normal)", &of_stored_drawn, "1 s"),
        fact("the same with `each`", &of_stored, "1 s"),
    ])
}
