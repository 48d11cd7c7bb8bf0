//! Ten thousand async tasks that sleep at the same time. Each should cost a timer, not a worker.

use std::time::{Duration, Instant};

use taskflow::prelude::*;

use super::{Fact, Problem, spread};

const TASKS: u64 = 10_000;
const RUNS: usize = 5;

#[task]
async fn sleep(number: u64) -> u64 {
    tokio::time::sleep(Duration::from_millis(100)).await;
    number
}

#[task]
fn count(numbers: &[u64]) -> u64 {
    numbers.len() as u64
}

pub(super) fn measure() -> Result<Vec<Fact>, Problem> {
    let dag = Dag::build("sleepers", || count((0..TASKS).map(sleep).collect::<Vec<_>>()))?;
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        let report = dag.run().wait()?;
        times.push(start.elapsed());
        if report.result() != Some(&TASKS) {
            return Err(format!("the run ended as {report:?}").into());
        }
    }
    Ok(vec![Fact {
        what: "10,000 async tasks that sleep 100 ms, all at once",
        measured: spread(&times),
        budget: "0.2 s",
    }])
}
