//! The same small tasks on threads and on local Spark executors: `local[2]`, which is all of Spark
//! except the network.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use taskflow::prelude::*;
use taskflow::spark::Executors;

use super::super::round;
use super::{Fact, Problem, Spark};

/// The numbers of tasks, in sequence in one run with one driver. The first job starts Spark.
const SIZES: [u32; 6] = [10, 10, 1_000, 10_000, 100_000, 1_000_000];

/// A line of a log.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Row {
    user: u32,
    path: String,
    ms: u32,
}

/// When each list was ready, and when it was finished.
static LAPS: Mutex<Vec<Instant>> = Mutex::new(Vec::new());

fn lap() {
    LAPS.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
}

#[task]
fn nothing() -> u64 {
    0
}

/// Lines of JSON, once the previous list is finished.
#[task]
fn lines(count: u32, before: u64) -> Vec<String> {
    let _ = before;
    let line = |n: u32| format!(r#"{{"user":{},"path":"/articles/{}","ms":{}}}"#, n % 1000, n % 77, n % 500);
    let lines = (0..count).map(line).collect();
    lap();
    lines
}

#[task]
fn parse(line: &str) -> Result<u64> {
    let row: Row = serde_json::from_str(line)?;
    Ok(u64::from(row.ms) + row.path.len() as u64 + u64::from(row.user))
}

#[task]
fn sum(values: &[u64]) -> u64 {
    lap();
    values.iter().sum()
}

/// The duration of some tasks on threads and on executors.
pub(in super::super) fn measure() -> Result<Vec<Fact>, Problem> {
    let spark = Spark::find()?;
    let there = Executors::new("local[2]").python(&spark.python).conf("spark.ui.enabled", "false");
    let (here, start_here) = laps(None)?;
    let (there, start_there) = laps(Some(&there))?;
    let mut facts = vec![Fact {
        what: "from the start of a run to the first ten results of executors (on threads)",
        measured: format!("{} ({})", round(start_there), round(start_here)),
        budget: "",
    }];
    let what = [
        "ten tasks with a running driver, on executors (on threads)",
        "1,000 tasks",
        "10,000 tasks",
        "100,000 tasks",
        "1,000,000 tasks",
    ];
    for (what, (size, (here, there))) in what.into_iter().zip(SIZES.iter().zip(here.iter().zip(&there)).skip(1)) {
        let rate = |took: Duration| format!("{:.0} a second", f64::from(*size) / took.as_secs_f64());
        let measured = format!("{}, {} ({}, {})", round(*there), rate(*there), round(*here), rate(*here));
        facts.push(Fact { what, measured, budget: "" });
    }
    Ok(facts)
}

/// How long each list took. The first is measured from the start of the run.
fn laps(executors: Option<&Executors>) -> Result<(Vec<Duration>, Duration), Problem> {
    LAPS.lock().unwrap_or_else(PoisonError::into_inner).clear();
    let dag = Dag::build("parsed", || {
        SIZES.iter().fold(nothing(), |before, &size| {
            let parsed = lines(size, before).each(|line| parse(line));
            sum(match executors {
                Some(executors) => parsed.on(executors),
                None => parsed,
            })
        })
    })?;
    let start = Instant::now();
    let report = dag.run().wait()?;
    if !report.is_success() {
        return Err(format!("the run failed: {report:?}").into());
    }
    let laps = LAPS.lock().unwrap_or_else(PoisonError::into_inner);
    let took = laps.chunks(2).map(|lap| lap[1] - lap[0]).collect();
    Ok((took, laps[1] - start))
}
