//! One cell: one contender, one shape, one size, in a process of its own.
//!
//! The process prints what it finds as it finds it, one line a fact, so that a run that is cut off loses nothing it had.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::machine;
use crate::rivals::{Rival, Thread};
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

    /// Reads a line as it was told.
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

/// Measures times until `budget` is used up, but three times at least; once is enough for what takes far longer.
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
        tell(Fact::Build(nanoseconds(start.elapsed())));
        if runs == 0 {
            tell(Fact::Tasks(built.tasks() as u64));
        }
        loop {
            let start = Instant::now();
            built.run();
            tell(Fact::Run(nanoseconds(start.elapsed())));
            assert_eq!(built.result(), Some(expected), "{} gives a wrong result", cell.rival.name());
            runs += 1;
            if !built.runs_again() || !go_on(runs) {
                break;
            }
        }
    }
}

/// Measures memory, of one build and one run, as the system sees it.
///
/// The graph is built on a thread of its own. What it needed for a while and gave back stays with the allocator of that
/// thread: it counts as memory of the graph, and the run cannot hide in it. For the large blocks see [`ALLOCATOR`].
pub(crate) fn measure_memory(cell: Cell) {
    let graph = cell.shape.graph(cell.n);
    let before = machine::resident();
    let mut built = cell.rival.build(&graph, Thread::Another);
    let with_graph = machine::resident();
    machine::forget_peak();
    built.run();
    let peak = machine::peak();
    tell(Fact::Tasks(built.tasks() as u64));
    tell(Fact::BuiltMemory(with_graph.saturating_sub(before)));
    tell(Fact::RunMemory(peak.saturating_sub(with_graph)));
}

/// Makes the allocator of glibc give every large block back as soon as it is free. It makes runs slower.
pub(crate) const ALLOCATOR: (&str, &str) = ("MALLOC_MMAP_THRESHOLD_", "65536");

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
