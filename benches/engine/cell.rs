//! The measurement of one cell: one contender, one shape, one size, in a separate process.
//!
//! The process prints each finding at once, one per line, so that a process that is killed loses
//! none.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::machine;
use crate::rivals::{Rival, Thread};
use crate::shape::Shape;

/// A measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) shape: Shape,
    pub(crate) n: usize,
    pub(crate) rival: Rival,
}

/// One finding about a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// The number of tasks of the contender's graph.
    Tasks(u64),
    /// The duration of building the graph, in nanoseconds.
    Build(u64),
    /// The duration of a run, in nanoseconds.
    Run(u64),
    /// The memory of the built graph, in bytes, without what the process used before.
    BuiltMemory(u64),
    /// The additional peak memory of a run, in bytes.
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

    /// Parses a line of the process.
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

fn print_fact(fact: Fact) {
    let (name, number) = fact.parts();
    let mut out = io::stdout().lock();
    // The receiver may be gone, after the time limit.
    let _ = writeln!(out, "{name} {number}").and_then(|()| out.flush());
}

/// Measures runs until `budget` has passed, at least three, or one that takes much longer.
pub(crate) fn measure_time(cell: Cell, budget: Duration) {
    const ENOUGH: usize = 3;
    const FAR: u32 = 4;

    let graph = cell.shape.graph(cell.n);
    let expected = cell.shape.expected(cell.n, &graph);
    let began = Instant::now();
    let mut runs = 0;
    let go_on = |runs: usize| {
        let passed = began.elapsed();
        passed < budget || (runs < ENOUGH && passed < budget * FAR)
    };
    while runs == 0 || go_on(runs) {
        let start = Instant::now();
        let mut built = cell.rival.build(&graph, Thread::This);
        print_fact(Fact::Build(nanoseconds(start.elapsed())));
        if runs == 0 {
            print_fact(Fact::Tasks(built.tasks() as u64));
        }
        loop {
            let start = Instant::now();
            built.run();
            print_fact(Fact::Run(nanoseconds(start.elapsed())));
            assert_eq!(built.result(), Some(expected), "{} gives a wrong result", cell.rival.name());
            runs += 1;
            if !built.runs_again() || !go_on(runs) {
                break;
            }
        }
    }
}

/// Measures the resident memory of one build and one run.
///
/// The graph is built on a separate thread. Memory that building used temporarily stays with the
/// allocator of that thread, so it counts as memory of the graph and the run cannot reuse it. For
/// large blocks, see [`ALLOCATOR`].
pub(crate) fn measure_memory(cell: Cell) {
    let graph = cell.shape.graph(cell.n);
    let before = machine::resident();
    let mut built = cell.rival.build(&graph, Thread::Another);
    let with_graph = machine::resident();
    machine::forget_peak();
    built.run();
    let peak = machine::peak();
    print_fact(Fact::Tasks(built.tasks() as u64));
    print_fact(Fact::BuiltMemory(with_graph.saturating_sub(before)));
    print_fact(Fact::RunMemory(peak.saturating_sub(with_graph)));
}

/// Makes the allocator of glibc return every large block to the system when it is freed. Makes runs
/// slower.
pub(crate) const ALLOCATOR: (&str, &str) = ("MALLOC_MMAP_THRESHOLD_", "65536");

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
