//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::cell::Cell;
use crate::durable;
use crate::rivals::{Contender, Program, Rival};
use crate::shape::Shape;
use crate::suite;

/// The request of the command line.
#[derive(Debug)]
pub(crate) enum Request {
    Help,
    /// Measure the table.
    Suite(Options),
    /// Measure facts, which have no rivals.
    Facts {
        names: Vec<String>,
        markdown: Option<PathBuf>,
    },
    /// Measure durable runs, with these arguments.
    Durable(Vec<String>),
    /// One measurement of durable runs, in a child process.
    DurableJob(Vec<String>),
    /// In a child process of the suite: measure times, until this much time has passed.
    Time(Cell, Duration),
    /// In another child process: measure memory.
    Memory(Cell),
    /// In a child process under valgrind: only run.
    Instructions {
        shape: Shape,
        runs: usize,
    },
}

/// What to measure, and how long.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) shapes: Vec<Shape>,
    pub(crate) sizes: Vec<usize>,
    pub(crate) contenders: Vec<Contender>,
    /// The number of processes for each cell.
    pub(crate) rounds: usize,
    /// How long each process measures.
    pub(crate) budget: Duration,
    /// A cell that takes longer is measured in one process only.
    pub(crate) slow: Duration,
    /// A process that finishes no run within this time is killed.
    pub(crate) limit: Duration,
    pub(crate) markdown: Option<PathBuf>,
}

pub(crate) const HELP: &str = "\
Usage: cargo xtask bench -- [options]        the table
       cargo xtask bench -- durable          durable runs in SQLite; see its own --help
       cargo xtask bench -- facts [names]    sleepers, mapped, hello, reading, many-tasks, cold-build,
                                             spark-submit, spark-executors; all without names

Options that can be repeated:
  --shape NAME      chain, fan, layers, diamond, tree, random
  --n NUMBER        number of tasks (default 1000, 100000 and 1000000)
  --rival NAME      taskflow, taskflow-async, bare-loop, tokio-counters, tokio-spawn, rusty-taskflow, dagx, dagrs
  --program NAME=FILE
                    also measure the program FILE, as NAME; docs/performance.md says how it works
Other options:
  --rounds NUMBER   number of processes per cell (default 3)
  --limit SECONDS   time limit of a contender (default 20)
  --quick           1,000 and 100,000 tasks, one short process each
  --markdown FILE   also write the tables to FILE";

/// The first argument of a child process. `MEMORY` replaces the time if the process measures
/// memory.
const CELL: &str = "--cell";
const MEMORY: &str = "memory";
/// The first argument of a child process whose instructions are counted.
const INSTRUCTIONS: &str = "--instructions";

impl Options {
    fn new() -> Self {
        Options {
            shapes: Vec::new(),
            sizes: Vec::new(),
            contenders: Vec::new(),
            rounds: 3,
            budget: Duration::from_millis(1_000),
            slow: suite::SLOW,
            limit: Duration::from_secs(20),
            markdown: None,
        }
    }

    /// The arguments of a child process that measures times, or memory without a budget.
    pub(crate) fn for_cell(cell: Cell, budget: Option<Duration>) -> [String; 5] {
        let Cell { shape, n, rival } = cell;
        let budget = budget.map_or_else(|| MEMORY.to_owned(), |budget| budget.as_millis().to_string());
        [CELL.to_owned(), shape.name().to_owned(), n.to_string(), rival.name().to_owned(), budget]
    }
}

/// Reads the command line. The error is a message for the user.
pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Request, String> {
    // cargo adds this argument for every bench.
    let mut args = args.into_iter().filter(|arg| arg != "--bench").peekable();
    match args.peek().map(String::as_str) {
        Some("facts") => return facts(args.skip(1)),
        Some("durable") => return Ok(Request::Durable(args.skip(1).collect())),
        Some(durable::JOB) => return Ok(Request::DurableJob(args.skip(1).collect())),
        Some(INSTRUCTIONS) => return instructions(&args.skip(1).collect::<Vec<_>>()),
        Some(CELL) => return cell(&args.skip(1).collect::<Vec<_>>()),
        _ => {}
    }
    let mut options = Options::new();
    let (mut rivals, mut programs) = (Vec::new(), Vec::new());
    let mut quick = false;
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("`{arg}` needs a value"));
        match arg.as_str() {
            "-h" | "--help" => return Ok(Request::Help),
            "--shape" => options.shapes.push(shape(&value()?)?),
            "--n" => options.sizes.push(number(&value()?)?),
            "--rival" => rivals.push(rival(&value()?)?),
            "--program" => programs.push(Program::parse(&value()?)?),
            "--rounds" => options.rounds = number(&value()?)?,
            "--limit" => options.limit = Duration::from_secs(number(&value()?)? as u64),
            "--markdown" => options.markdown = Some(value()?.into()),
            "--quick" => quick = true,
            _ => return Err(format!("unknown option `{arg}`\n\n{HELP}")),
        }
    }
    if quick {
        options.rounds = 1;
        options.budget = Duration::from_millis(200);
        options.limit = options.limit.min(Duration::from_secs(5));
    }
    let sizes: &[usize] = if quick { &[1_000, 100_000] } else { &[1_000, 100_000, 1_000_000] };
    fill(&mut options.sizes, sizes);
    fill(&mut options.shapes, &Shape::ALL);
    fill(&mut rivals, &Rival::ALL);
    let rivals = rivals.into_iter().map(Contender::Rival);
    options.contenders = rivals.chain(programs.into_iter().map(Contender::Program)).collect();
    Ok(Request::Suite(options))
}

fn facts(mut args: impl Iterator<Item = String>) -> Result<Request, String> {
    let (mut names, mut markdown) = (Vec::new(), None);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-h" | "--help" => return Ok(Request::Help),
            "--markdown" => markdown = Some(args.next().ok_or("`--markdown` needs a value")?.into()),
            _ => names.push(arg),
        }
    }
    Ok(Request::Facts { names, markdown })
}

fn fill<T: Copy>(chosen: &mut Vec<T>, all: &[T]) {
    if chosen.is_empty() {
        chosen.extend_from_slice(all);
    }
}

fn cell(args: &[String]) -> Result<Request, String> {
    let [shape_name, n, rival_name, budget] = args else { return Err(format!("`{CELL}` is for child processes")) };
    let cell = Cell { shape: shape(shape_name)?, n: number(n)?, rival: rival(rival_name)? };
    match budget.as_str() {
        MEMORY => Ok(Request::Memory(cell)),
        _ => Ok(Request::Time(cell, Duration::from_millis(number(budget)? as u64))),
    }
}

/// The arguments of a child process that runs a shape and whose instructions are counted.
pub(crate) fn for_instructions(shape: Shape, runs: usize) -> [String; 3] {
    [INSTRUCTIONS.to_owned(), shape.name().to_owned(), runs.to_string()]
}

fn instructions(args: &[String]) -> Result<Request, String> {
    let [name, runs] = args else { return Err(format!("`{INSTRUCTIONS}` is for child processes")) };
    Ok(Request::Instructions { shape: shape(name)?, runs: number(runs)? })
}

fn shape(name: &str) -> Result<Shape, String> {
    let named = Shape::ALL.into_iter().find(|shape| shape.name() == name);
    named.ok_or_else(|| format!("there is no shape `{name}`; valid shapes: {}", Shape::ALL.map(Shape::name).join(", ")))
}

fn rival(name: &str) -> Result<Rival, String> {
    let named = Rival::ALL.into_iter().find(|rival| rival.name() == name);
    named.ok_or_else(|| format!("there is no rival `{name}`; valid rivals: {}", Rival::ALL.map(Rival::name).join(", ")))
}

fn number(text: &str) -> Result<usize, String> {
    let number = text.replace('_', "").parse().ok().filter(|&number| number > 0);
    number.ok_or_else(|| format!("`{text}` is not a positive number"))
}
