//! The arguments after `durable`.

use std::path::PathBuf;
use std::time::Duration;

use ::taskflow::journal::SyncMode;

use super::contender::Contender;
use super::job::{SYNCS, sync_name};
use crate::shape::Shape;

/// What to measure, and how long.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) graphs: Vec<(Shape, usize)>,
    pub(super) contenders: Vec<Contender>,
    pub(super) syncs: Vec<SyncMode>,
    /// The number of processes for each contender.
    pub(super) rounds: usize,
    /// The number of runs in each process.
    pub(super) runs: usize,
    pub(super) limit: Duration,
    /// The directory of the databases.
    pub(super) home: PathBuf,
    pub(super) markdown: Option<PathBuf>,
}

pub(super) const HELP: &str = "\
Usage: cargo xtask bench -- durable [options]    durable runs in SQLite

Options that can be repeated:
  --shape NAME       chain, fan, layers (or another shape of the engine's table)
  --n NUMBER         number of tasks (default 1000 for chains, 10000, 100000 and 1000000; strict chains only up to 10000)
  --contender NAME   strict, relaxed, ephemeral, raw-segments, raw-rows, apalis, durare
  --sync NAME        normal, full
Other options:
  --rounds NUMBER    number of processes per contender (default 3)
  --runs NUMBER      number of runs per process (default 3)
  --limit SECONDS    time limit of a contender (default 60)
  --home DIRECTORY   directory of the databases (default target/bench-durable)
  --quick            10,000 and 100,000 tasks, one process each
  --markdown FILE    also write the table to FILE";

/// Parses the arguments. Returns `None` if help is requested. The error is a message for the user.
pub(super) fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let (mut shapes, mut sizes, mut quick) = (Vec::new(), Vec::new(), false);
    let home = crate::facts::scratch("durable").map_err(|error| error.to_string())?;
    let mut options = Options {
        graphs: Vec::new(),
        contenders: Vec::new(),
        syncs: Vec::new(),
        rounds: 3,
        runs: 3,
        limit: Duration::from_secs(60),
        home,
        markdown: None,
    };
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("`{arg}` needs a value"));
        let number =
            |text: String| text.replace('_', "").parse::<usize>().map_err(|error| format!("`{text}`: {error}"));
        match arg.as_str() {
            "-h" | "--help" => return Ok(None),
            "--shape" => shapes.push(named(&value()?, Shape::ALL, Shape::name)?),
            "--n" => sizes.push(number(value()?)?),
            "--contender" => options.contenders.push(named(&value()?, Contender::ALL, Contender::name)?),
            "--sync" => options.syncs.push(named(&value()?, SYNCS, sync_name)?),
            "--rounds" => options.rounds = number(value()?)?,
            "--runs" => options.runs = number(value()?)?.max(1),
            "--limit" => options.limit = Duration::from_secs(number(value()?)? as u64),
            "--home" => options.home = value()?.into(),
            "--markdown" => options.markdown = Some(value()?.into()),
            "--quick" => quick = true,
            _ => return Err(format!("unknown option `{arg}`\n\n{HELP}")),
        }
    }
    if quick {
        options.rounds = 1;
    }
    if shapes.is_empty() {
        shapes = vec![Shape::Chain, Shape::Fan, Shape::Layers];
    }
    for &shape in &shapes {
        let usual: &[usize] = match (quick, shape) {
            (true, Shape::Chain) => &[1_000, 10_000],
            (true, _) => &[10_000, 100_000],
            (false, Shape::Chain) => &[1_000, 10_000, 100_000, 1_000_000],
            (false, _) => &[10_000, 100_000, 1_000_000],
        };
        let sizes = if sizes.is_empty() { usual } else { &sizes };
        options.graphs.extend(sizes.iter().map(|&n| (shape, n)));
    }
    if options.contenders.is_empty() {
        options.contenders = Contender::ALL.to_vec();
    }
    if options.syncs.is_empty() {
        options.syncs = SYNCS.to_vec();
    }
    // Sorted so that each contender follows those it depends on.
    let place = |contender: &Contender| Contender::ALL.iter().position(|known| known == contender);
    options.contenders.sort_by_key(place);
    Ok(Some(options))
}

fn named<T: Copy, const N: usize>(name: &str, all: [T; N], of: fn(T) -> &'static str) -> Result<T, String> {
    let found = all.into_iter().find(|&known| of(known) == name);
    found.ok_or_else(|| format!("there is no `{name}`; valid names: {}", all.map(of).join(", ")))
}
