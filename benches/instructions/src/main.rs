//! Runs a fixed graph on one worker, for valgrind to count the instructions of.
//!
//! `taskflow-instructions SHAPE TASKS BUILDS RUNS` builds the graph of a shape `BUILDS` times and
//! runs it `RUNS` times. The difference between two counts is the cost of the additional builds or
//! runs, without the start of the process. `cargo xtask instructions` runs it.

use std::error::Error;
use std::num::NonZeroUsize;

use taskflow::engine::Engine;
use taskflow::prelude::*;

#[task]
fn source() -> u64 {
    1
}

#[task]
fn step(x: u64) -> u64 {
    x.wrapping_mul(3).wrapping_add(1)
}

#[task]
fn add(a: u64, b: u64, c: u64) -> u64 {
    a.wrapping_add(b).wrapping_add(c)
}

#[task]
fn sum(values: &[u64]) -> u64 {
    values.iter().fold(0, |sum, &value| sum.wrapping_add(value))
}

/// Each task takes the value of the previous one.
fn chain(tasks: usize) -> Output<u64> {
    (1..tasks).fold(source(), |last, _| step(last))
}

/// One source, tasks that take its value, and one that sums up theirs.
fn fan(tasks: usize) -> Output<u64> {
    let source = source();
    sum((2..tasks).map(|_| step(source)).collect::<Vec<_>>())
}

/// √n layers of √n tasks with three inputs each from the previous layer, summed up at the end.
fn layers(tasks: usize) -> Output<u64> {
    let width = tasks.isqrt();
    let mut layer: Vec<Output<u64>> = (0..width).map(|_| source()).collect();
    for _ in 1..width {
        let input = |at: usize| layer[at % width];
        layer = (0..width).map(|at| add(input(at), input(at + 1), input(at + 7))).collect();
    }
    sum(layer)
}

fn main() -> Result<(), Box<dyn Error>> {
    let usage = "usage: taskflow-instructions chain|fan|layers TASKS BUILDS RUNS";
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [shape, tasks, builds, runs] = &args[..] else { return Err(usage.into()) };
    let (tasks, builds, runs): (usize, u32, u32) = (tasks.parse()?, builds.parse()?, runs.parse()?);
    let draw = match shape.as_str() {
        "chain" => chain,
        "fan" => fan,
        "layers" => layers,
        _ => return Err(usage.into()),
    };
    let mut dag = Dag::build("instructions", || draw(tasks))?;
    for _ in 1..builds {
        dag = Dag::build("instructions", || draw(tasks))?;
    }
    let engine = Engine::builder().workers(NonZeroUsize::MIN).build()?;
    let mut first = None;
    for _ in 0..runs {
        let report = dag.run().engine(&engine).wait()?;
        let Some(&result) = report.result() else { return Err(format!("the run is {}", report.state()).into()) };
        if *first.get_or_insert(result) != result {
            return Err("two runs of one graph have different results".into());
        }
    }
    Ok(())
}
