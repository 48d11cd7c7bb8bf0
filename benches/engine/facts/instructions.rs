//! The instructions that the engine executes for a task, counted by valgrind.
//!
//! Unlike times, they hardly depend on the machine and not at all on its load. This program runs
//! itself under valgrind with one run and with several. The difference is the cost of the
//! additional runs, without the graph and the start of the process.

use std::num::NonZeroUsize;
use std::process::Command;

use taskflow::engine::Engine;

use super::{Fact, Problem};
use crate::args;
use crate::rivals::taskflow::{Tasks, dag};
use crate::shape::Shape;

const TASKS: usize = 100_000;
/// A second run reuses memory of the first, so several are compared with one.
const MANY: usize = 4;

/// Runs the graph of a shape on one worker.
pub(crate) fn child(shape: Shape, runs: usize) -> Result<(), Problem> {
    let graph = shape.graph(TASKS);
    let expected = shape.expected(TASKS, &graph);
    let dag = dag(&graph, Tasks::Sync);
    let engine = Engine::builder().workers(NonZeroUsize::MIN).build()?;
    for _ in 0..runs {
        let report = dag.run().engine(&engine).wait()?;
        if report.result() != Some(&expected) {
            return Err(format!("the run ended as {} with {:?}", report.state(), report.result()).into());
        }
    }
    Ok(())
}

pub(super) fn measure() -> Result<Vec<Fact>, Problem> {
    let facts = [
        (Shape::Chain, "instructions per task, chain of 100,000, one worker", "900"),
        (Shape::Fan, "instructions per task, fan of 100,000, one worker", "900"),
        (Shape::Layers, "instructions per task, layers of 100,000, one worker", "900"),
    ];
    facts.into_iter().map(|(shape, what, budget)| Ok(Fact { what, measured: per_task(shape)?, budget })).collect()
}

fn per_task(shape: Shape) -> Result<String, Problem> {
    let tasks = shape.graph(TASKS).len();
    let more = count(shape, MANY)?.saturating_sub(count(shape, 1)?);
    Ok((more / ((MANY - 1) * tasks) as u64).to_string())
}

fn count(shape: Shape, runs: usize) -> Result<u64, Problem> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(std::env::current_exe()?);
    let output = valgrind.args(args::for_instructions(shape, runs)).output();
    let output = output.map_err(|error| format!("cannot start valgrind, which counts instructions: {error}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("the run under valgrind failed ({}):\n{}", output.status, errors.trim_end()).into());
    }
    let counted = errors.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    counted.ok_or_else(|| format!("valgrind printed no count:\n{}", errors.trim_end()).into())
}
