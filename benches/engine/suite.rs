//! Measures all cells in child processes. The contenders take turns.

use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::args::Options;
use crate::cell::{self, Cell, Fact};
use crate::graph::Graph;
use crate::rivals::{Contender, Program, program};
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
    pub(crate) contenders: Vec<(Contender, Findings)>,
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
    let contenders = &options.contenders;
    let mut findings = vec![Findings::default(); contenders.len()];
    for round in 0..options.rounds {
        for turn in 0..contenders.len() {
            let place = (round + turn) % contenders.len();
            let (contender, of) = (&contenders[place], &mut findings[place]);
            if of.is_settled(options) {
                continue;
            }
            eprint!(" {}", contender.name());
            measure(&Process { contender, shape, n, what: What::Time(options.budget) }, options.limit, of);
        }
    }
    // In small graphs the pages of the process outweigh the tasks.
    if n >= MEMORABLE {
        for (contender, of) in contenders.iter().zip(&mut findings) {
            if of.end == End::Complete {
                eprint!(" {} (memory)", contender.name());
                measure(&Process { contender, shape, n, what: What::Memory }, options.limit, of);
            }
        }
    }
    Row { shape, n, contenders: contenders.iter().cloned().zip(findings).collect() }
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

/// One process for a cell.
#[derive(Debug)]
struct Process<'a> {
    contender: &'a Contender,
    shape: Shape,
    n: usize,
    what: What,
}

impl Process<'_> {
    fn start(&self) -> io::Result<Child> {
        let budget = match self.what {
            What::Time(budget) => Some(budget),
            What::Memory => None,
        };
        let (mut command, input) = match self.contender {
            &Contender::Rival(rival) => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(Options::for_cell(Cell { shape: self.shape, n: self.n, rival }, budget));
                (command, Stdio::null())
            }
            Contender::Program(program) => (program.command(budget), Stdio::piped()),
        };
        if budget.is_none() {
            let (name, value) = cell::ALLOCATOR;
            command.env(name, value);
        }
        command.stdin(input).stdout(Stdio::piped()).spawn()
    }

    /// Whether there is a finding of what the process measures.
    fn is_measured(&self, findings: &Findings) -> bool {
        match self.what {
            What::Time(_) => !findings.runs.is_empty(),
            What::Memory => findings.run_memory.is_some(),
        }
    }

    /// What a program is given and what its results are compared with. A rival has its own.
    fn given(&self) -> Option<Given<'_>> {
        let Contender::Program(program) = self.contender else { return None };
        let graph = self.shape.graph(self.n);
        Some(Given { program, expected: self.shape.expected(self.n, &graph), graph })
    }
}

/// The graph for a program, and the result of it.
#[derive(Debug)]
struct Given<'a> {
    program: &'a Program,
    graph: Graph,
    expected: u64,
}

/// Runs one process and adds its findings. Kills it after the time limit.
fn measure(process: &Process<'_>, limit: Duration, findings: &mut Findings) {
    let given = process.given();
    let mut child = match process.start() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("\ncannot start {}: {error}", process.contender.name());
            findings.end = End::Failed;
            return;
        }
    };
    let (input, output) = (child.stdin.take(), child.stdout.take().expect("its output is piped"));
    let (sender, facts) = mpsc::channel();
    findings.end = thread::scope(|scope| {
        let given = given.as_ref();
        if let (Some(input), Some(given)) = (input, given) {
            // A program that ends before it has read everything has failed or says why.
            scope.spawn(move || program::write(&given.graph, input));
        }
        scope.spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            let facts = lines.filter_map(|line| match given {
                None => Fact::parse(&line).map(Ok),
                Some(Given { program, expected, .. }) => Some(program.read(&line, *expected)),
            });
            for fact in facts {
                // The receiver may have stopped after the time limit.
                if sender.send(fact).is_err() {
                    return;
                }
            }
        });
        let stopped = receive(&facts, Instant::now() + limit, findings);
        if stopped.is_some() {
            // The process may have ended in the meantime.
            let _ = child.kill();
        }
        let ended = child.wait().expect("the child is ours");
        drop(facts);
        if stopped.is_none() && !process.is_measured(findings) {
            eprintln!("\n{} ends without a finding: {ended}", process.contender.name());
            return End::Failed;
        }
        stopped.unwrap_or(if ended.success() { End::Complete } else { End::Failed })
    });
    if findings.end == End::Failed {
        // Runs before a crash or a wrong result are no figures.
        findings.runs.clear();
    }
}

/// Adds the findings of a process until it ends. Otherwise returns why it has to stop.
fn receive(facts: &mpsc::Receiver<Result<Fact, String>>, deadline: Instant, findings: &mut Findings) -> Option<End> {
    loop {
        match facts.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Ok(fact)) => findings.add(fact),
            Ok(Err(message)) => {
                eprintln!("\n{message}");
                return Some(End::Failed);
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => return None,
            Err(mpsc::RecvTimeoutError::Timeout) if findings.runs.is_empty() => return Some(End::CutOff),
            Err(mpsc::RecvTimeoutError::Timeout) => return Some(End::Complete),
        }
    }
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
