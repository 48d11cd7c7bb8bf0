//! The whole: every cell in child processes, the contenders in turns.

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

/// What was found out about a cell, over all its processes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    pub(crate) tasks: u64,
    pub(crate) builds: Vec<u64>,
    pub(crate) runs: Vec<u64>,
    /// Of the built graph, in bytes.
    pub(crate) built_memory: Option<u64>,
    /// Of a run, beyond that.
    pub(crate) run_memory: Option<u64>,
    pub(crate) end: End,
}

/// How the measurement of a cell ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    #[default]
    Complete,
    /// Not even one run was over in time.
    CutOff,
    /// The process died, or its result was wrong.
    Failed,
}

/// The cells of one shape and size.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) shape: Shape,
    pub(crate) n: usize,
    pub(crate) rivals: Vec<(Rival, Findings)>,
}

/// Measures everything that the options ask for, and tells of each row as soon as it is there.
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

/// Noise comes and goes within seconds, so the contenders take turns: it then hits all of them alike.
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
    // In small graphs the pages of the process say more than the tasks.
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
    /// Whether another process would tell nothing more: it was cut off or failed, or is so slow that noise averages out.
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

/// What a process is to measure.
#[derive(Clone, Copy, Debug)]
enum What {
    Time(Duration),
    Memory,
}

/// Runs one process for a cell and adds what it tells. It is killed when its time is over.
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
            // The other side gives up when time is over.
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
        // It may have ended by itself just now.
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

/// The least and the middle of some numbers; `None` of none.
pub(crate) fn least_and_median(numbers: &[u64]) -> Option<(u64, u64)> {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    Some((*sorted.first()?, sorted[sorted.len() / 2]))
}

/// From this size on memory is measured.
const MEMORABLE: usize = 100_000;

/// How long a contender may take before it is not measured a second time.
pub(crate) const SLOW: Duration = Duration::from_secs(5);
