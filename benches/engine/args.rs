//! The words of the command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::cell::Cell;
use crate::durable;
use crate::rivals::Rival;
use crate::shape::Shape;
use crate::suite;

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    Help,
    /// The table.
    Suite(Options),
    /// What is measured once and not against anybody.
    Facts {
        names: Vec<String>,
        markdown: Option<PathBuf>,
    },
    /// Runs that are kept; the words say which.
    Durable(Vec<String>),
    /// One measurement for that.
    DurableJob(Vec<String>),
    /// What the suite asks of its child processes: times, until so much time is used up.
    Time(Cell, Duration),
    /// What it asks of others: memory.
    Memory(Cell),
}

/// What to measure, and how long.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) shapes: Vec<Shape>,
    pub(crate) sizes: Vec<usize>,
    pub(crate) rivals: Vec<Rival>,
    /// How many processes for each cell.
    pub(crate) rounds: usize,
    /// How long one of them measures.
    pub(crate) budget: Duration,
    /// What takes longer gets no second process.
    pub(crate) slow: Duration,
    /// What has not finished a run by then is cut off.
    pub(crate) limit: Duration,
    pub(crate) markdown: Option<PathBuf>,
}

pub(crate) const HELP: &str = "\
Usage: cargo xtask bench -- [options]        the table
       cargo xtask bench -- durable          runs that are kept in SQLite; has a --help of its own
       cargo xtask bench -- facts [names]    sleepers, mapped, hello, many-tasks, cold-build, spark-submit,
                                             spark-executors; all without names

Options, each may be given several times to choose several:
  --shape NAME      chain, fan, layers, diamond, tree, random
  --n NUMBER        how many tasks (default 1000, 100000 and 1000000)
  --rival NAME      taskflow, taskflow-async, bare-loop, tokio-counters, tokio-spawn, rusty-taskflow, dagx, dagrs
And
  --rounds NUMBER   how many processes for each cell (default 3)
  --limit SECONDS   when to give a contender up (default 20)
  --quick           1,000 and 100,000 tasks, one short process each
  --markdown FILE   also write the tables to FILE";

/// Before the words that a child process gets, and in place of a time that which asks for memory.
const CELL: &str = "--cell";
const MEMORY: &str = "memory";

impl Options {
    fn new() -> Self {
        Options {
            shapes: Vec::new(),
            sizes: Vec::new(),
            rivals: Vec::new(),
            rounds: 3,
            budget: Duration::from_millis(1_000),
            slow: suite::SLOW,
            limit: Duration::from_secs(20),
            markdown: None,
        }
    }

    /// The words for a child process that measures times, or memory if it gets no time.
    pub(crate) fn for_cell(cell: Cell, budget: Option<Duration>) -> [String; 5] {
        let Cell { shape, n, rival } = cell;
        let budget = budget.map_or_else(|| MEMORY.to_owned(), |budget| budget.as_millis().to_string());
        [CELL.to_owned(), shape.name().to_owned(), n.to_string(), rival.name().to_owned(), budget]
    }
}

/// Reads the command line. The error is a message for the user.
pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Request, String> {
    // cargo adds this word for every bench.
    let mut words = words.into_iter().filter(|word| word != "--bench").peekable();
    match words.peek().map(String::as_str) {
        Some("facts") => return facts(words.skip(1)),
        Some("durable") => return Ok(Request::Durable(words.skip(1).collect())),
        Some(durable::JOB) => return Ok(Request::DurableJob(words.skip(1).collect())),
        Some(CELL) => return cell(&words.skip(1).collect::<Vec<_>>()),
        _ => {}
    }
    let mut options = Options::new();
    let mut quick = false;
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
        match word.as_str() {
            "-h" | "--help" => return Ok(Request::Help),
            "--shape" => options.shapes.push(shape(&value()?)?),
            "--n" => options.sizes.push(number(&value()?)?),
            "--rival" => options.rivals.push(rival(&value()?)?),
            "--rounds" => options.rounds = number(&value()?)?,
            "--limit" => options.limit = Duration::from_secs(number(&value()?)? as u64),
            "--markdown" => options.markdown = Some(value()?.into()),
            "--quick" => quick = true,
            _ => return Err(format!("no option `{word}`\n\n{HELP}")),
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
    fill(&mut options.rivals, &Rival::ALL);
    Ok(Request::Suite(options))
}

fn facts(mut words: impl Iterator<Item = String>) -> Result<Request, String> {
    let (mut names, mut markdown) = (Vec::new(), None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "-h" | "--help" => return Ok(Request::Help),
            "--markdown" => markdown = Some(words.next().ok_or("`--markdown` needs a value")?.into()),
            _ => names.push(word),
        }
    }
    Ok(Request::Facts { names, markdown })
}

fn fill<T: Copy>(chosen: &mut Vec<T>, all: &[T]) {
    if chosen.is_empty() {
        chosen.extend_from_slice(all);
    }
}

fn cell(words: &[String]) -> Result<Request, String> {
    let [shape_name, n, rival_name, budget] = words else { return Err(format!("`{CELL}` is for child processes")) };
    let cell = Cell { shape: shape(shape_name)?, n: number(n)?, rival: rival(rival_name)? };
    match budget.as_str() {
        MEMORY => Ok(Request::Memory(cell)),
        _ => Ok(Request::Time(cell, Duration::from_millis(number(budget)? as u64))),
    }
}

fn shape(name: &str) -> Result<Shape, String> {
    let named = Shape::ALL.into_iter().find(|shape| shape.name() == name);
    named.ok_or_else(|| format!("no shape `{name}`; there are {}", Shape::ALL.map(Shape::name).join(", ")))
}

fn rival(name: &str) -> Result<Rival, String> {
    let named = Rival::ALL.into_iter().find(|rival| rival.name() == name);
    named.ok_or_else(|| format!("no rival `{name}`; there are {}", Rival::ALL.map(Rival::name).join(", ")))
}

fn number(text: &str) -> Result<usize, String> {
    let number = text.replace('_', "").parse().ok().filter(|&number| number > 0);
    number.ok_or_else(|| format!("`{text}` is not a positive number"))
}
