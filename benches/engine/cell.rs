//! One cell: one contender, one shape, one size, in a process of its own.
//!
//! The process prints what it finds as it finds it, one line a fact, so that a run that is cut off loses nothing it had.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::graph::Graph;
use crate::machine;
use crate::rivals::Rival;
use crate::shape::Shape;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) shape: Shape,
    pub(crate) n: usize,
    pub(crate) rival: Rival,
}

/// One thing found out about a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// How many tasks the contender has for it.
    Tasks(u64),
    /// Building took so many nanoseconds.
    Build(u64),
    /// A run took so many nanoseconds.
    Run(u64),
    /// What the process takes in memory once the graph is built, in bytes; what it had before is left out.
    BuiltMemory(u64),
    /// What a run takes beyond that, at most.
    RunMemory(u64),
}

impl Fact {
    fn parts(self) -> (&'static str, u64) {
        match self {
            Fact::Tasks(tasks) => ("tasks", tasks),
            Fact::Build(time) => ("build", time),
            Fact::Run(time) => ("run", time),
            Fact::BuiltMemory(bytes) => ("built-memory", bytes),
            Fact::RunMemory(bytes) => ("run-memory", bytes),
        }
    }

    /// Reads a line as [`measure`] prints it.
    pub(crate) fn parse(line: &str) -> Option<Fact> {
        let (name, number) = line.split_once(' ')?;
        let number = number.parse().ok()?;
        match name {
            "tasks" => Some(Fact::Tasks(number)),
            "build" => Some(Fact::Build(number)),
            "run" => Some(Fact::Run(number)),
            "built-memory" => Some(Fact::BuiltMemory(number)),
            "run-memory" => Some(Fact::RunMemory(number)),
            _ => None,
        }
    }
}

fn tell(fact: Fact) {
    let (name, number) = fact.parts();
    let mut out = io::stdout().lock();
    // Nobody listens any more when the process was cut off.
    let _ = writeln!(out, "{name} {number}").and_then(|()| out.flush());
}

/// Measures a cell until `budget` is used up, but three times at least; once is enough for what takes far longer.
pub(crate) fn measure(cell: Cell, budget: Duration) {
    const ENOUGH: usize = 3;
    const FAR: u32 = 4;

    let graph = cell.shape.graph(cell.n);
    let expected = cell.shape.expected(cell.n, &graph);
    let began = Instant::now();
    let mut runs = 0;
    while runs == 0 || (runs < ENOUGH && began.elapsed() < budget * FAR) || began.elapsed() < budget {
        measure_build(cell, &graph, expected, runs == 0, || {
            runs += 1;
            runs < ENOUGH && began.elapsed() < budget * FAR || began.elapsed() < budget
        });
    }
}

/// Builds once and runs while `more` says so, or once where a graph can be run only once.
fn measure_build(cell: Cell, graph: &Graph, expected: u64, first: bool, mut more: impl FnMut() -> bool) {
    let before = machine::resident();
    let start = Instant::now();
    let mut built = cell.rival.build(graph);
    let took = start.elapsed();
    if first {
        tell(Fact::Tasks(built.tasks() as u64));
        tell(Fact::BuiltMemory(machine::resident().saturating_sub(before)));
    }
    tell(Fact::Build(nanoseconds(took)));

    let mut first = first;
    loop {
        machine::forget_peak();
        let before = machine::resident();
        let start = Instant::now();
        built.run();
        let took = start.elapsed();
        if std::mem::take(&mut first) {
            tell(Fact::RunMemory(machine::peak().saturating_sub(before)));
        }
        tell(Fact::Run(nanoseconds(took)));
        assert_eq!(built.result(), Some(expected), "{} gives a wrong result", cell.rival.name());
        if !more() || !built.runs_again() {
            return;
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
