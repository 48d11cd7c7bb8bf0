//! Measures all cells in child processes. The contenders take turns.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::args::Options;
use crate::cell::{self, Cell, Fact};
use crate::rivals::Rival;
use crate::shape::Shape;
use crate::table;

/// The findings about a cell, of all its processes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    pub(crate) tasks: u64,
    pub(crate) builds: Vec<u64>,
    pub(crate) runs: Vec<u64>,
    /// The memory of the built graph, in bytes.
    pub(crate) built_memory: Option<u64>,
    /// The additional memory of a run, in bytes.
    pub(crate) run_memory: Option<u64>,
    pub(crate) end: End,
}

/// How the measurement of a cell ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    #[default]
    Complete,
    /// No run ended within the time limit.
    CutOff,
    /// The process crashed, or its result was wrong.
    Failed,
}

/// The cells of one shape and size.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) shape: Shape,
    pub(crate) n: usize,
    pub(crate) rivals: Vec<(Rival, Findings)>,
}

/// Measures everything that the options select, and reports each row when it is complete.
pub(crate) fn run(options: &Options) -> Vec<Row> {
    let mut rows = Vec::new();
    for &shape in &options.shapes {
        for &n in &options.sizes {
            eprint!("{} {n}:", shape.name());
            let row = measure_row(shape, n, options);
            eprint!("\n{}", table::overview_line(&row, options.limit.as_secs()));
            rows.push(row);
        }
    }
    rows
}

/// Noise on the machine changes within seconds. The contenders take turns, so that it affects all
/// of them equally.
fn measure_row(shape: Shape, n: usize, options: &Options) -> Row {
    let mut findings: HashMap<&'static str, Findings> = HashMap::new();
    for round in 0..options.rounds {
        for turn in 0..options.rivals.len() {
            let rival = options.rivals[(round + turn) % options.rivals.len()];
            let of = findings.entry(rival.name()).or_default();
            if of.is_settled(options) {
                continue;
            }
            eprint!(" {}", rival.name());
            measure(Cell { shape, n, rival }, What::Time(options.budget), options, of);
        }
    }
    // In small graphs the pages of the process outweigh the tasks.
    for &rival in options.rivals.iter().filter(|_| n >= MEMORABLE) {
        let of = findings.entry(rival.name()).or_default();
        if of.end == End::Complete {
            eprint!(" {} (memory)", rival.name());
            measure(Cell { shape, n, rival }, What::Memory, options, of);
        }
    }
    let rivals = options.rivals.iter().map(|&rival| (rival, findings.remove(rival.name()).unwrap_or_default()));
    Row { shape, n, rivals: rivals.collect() }
}

impl Findings {
    /// Whether another process would add nothing: it timed out or failed, or is so slow that noise
    /// averages out.
    fn is_settled(&self, options: &Options) -> bool {
        let slow = self.runs.iter().chain(&self.builds).any(|&time| u128::from(time) > options.slow.as_nanos());
        self.end != End::Complete || slow
    }

    fn add(&mut self, fact: Fact) {
        match fact {
            Fact::Tasks(tasks) => self.tasks = tasks,
            Fact::Build(time) => self.builds.push(time),
            Fact::Run(time) => self.runs.push(time),
            Fact::BuiltMemory(bytes) => self.built_memory = Some(bytes),
            Fact::RunMemory(bytes) => self.run_memory = Some(bytes),
        }
    }
}

/// What a process measures.
#[derive(Clone, Copy, Debug)]
enum What {
    Time(Duration),
    Memory,
}

/// Runs one process for a cell and adds its findings. Kills it after the time limit.
fn measure(cell: Cell, what: What, options: &Options, findings: &mut Findings) {
    let program = std::env::current_exe().expect("the path of this program is known");
    let mut command = Command::new(program);
    match what {
        What::Time(budget) => command.args(Options::for_cell(cell, Some(budget))),
        What::Memory => {
            let (name, value) = cell::ALLOCATOR;
            command.args(Options::for_cell(cell, None)).env(name, value)
        }
    };
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("this program can be started again");
    let output = child.stdout.take().expect("its output is piped");

    let (sender, facts) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let lines = BufReader::new(output).lines().map_while(Result::ok);
        for fact in lines.filter_map(|line| Fact::parse(&line)) {
            // The receiver may have stopped after the time limit.
            if sender.send(fact).is_err() {
                return;
            }
        }
    });

    let deadline = Instant::now() + options.limit;
    let mut in_time = true;
    loop {
        match facts.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(fact) => findings.add(fact),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                in_time = false;
                break;
            }
        }
    }
    if !in_time {
        // The process may have ended in the meantime.
        let _ = child.kill();
    }
    let ended = child.wait().expect("the child is ours");
    drop(facts);
    reader.join().expect("reading lines does not panic");
    findings.end = match (in_time, ended.success()) {
        (false, _) if findings.runs.is_empty() => End::CutOff,
        (false, _) | (true, true) => End::Complete,
        (true, false) => End::Failed,
    };
}

/// The minimum and the median of some numbers, or `None` without numbers.
pub(crate) fn least_and_median(numbers: &[u64]) -> Option<(u64, u64)> {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    Some((*sorted.first()?, sorted[sorted.len() / 2]))
}

/// The smallest size for which memory is measured.
const MEMORABLE: usize = 100_000;

/// The duration from which a contender is measured only once.
pub(crate) const SLOW: Duration = Duration::from_secs(5);
