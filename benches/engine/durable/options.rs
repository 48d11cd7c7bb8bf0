//! The words after `durable`.

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
    /// How many processes for each.
    pub(super) rounds: usize,
    /// How many runs in one.
    pub(super) runs: usize,
    pub(super) limit: Duration,
    /// Where the databases are.
    pub(super) home: PathBuf,
    pub(super) markdown: Option<PathBuf>,
}

pub(super) const HELP: &str = "\
Usage: cargo xtask bench -- durable [options]    runs that are kept in SQLite

Options, each may be given several times to choose several:
  --shape NAME       chain, fan, layers (or another that the engine's table has)
  --n NUMBER         how many tasks (default 1000 for chains, 10000, 100000 and 1000000; strict chains end at 10000)
  --contender NAME   strict, relaxed, ephemeral, raw-segments, raw-rows, apalis, durare
  --sync NAME        normal, full
And
  --rounds NUMBER    how many processes for each (default 3)
  --runs NUMBER      how many runs in each (default 3)
  --limit SECONDS    when to give a contender up (default 60)
  --home DIRECTORY   where the databases are (default target/bench-durable)
  --quick            10,000 and 100,000 tasks, one process each
  --markdown FILE    also write the table to FILE";

/// Reads them; nothing if help is wanted. The error is a message for the user.
pub(super) fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
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
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
        let number =
            |text: String| text.replace('_', "").parse::<usize>().map_err(|error| format!("`{text}`: {error}"));
        match word.as_str() {
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
            _ => return Err(format!("no option `{word}`\n\n{HELP}")),
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
    // In the order in which they need each other.
    let place = |contender: &Contender| Contender::ALL.iter().position(|known| known == contender);
    options.contenders.sort_by_key(place);
    Ok(Some(options))
}

fn named<T: Copy, const N: usize>(name: &str, all: [T; N], of: fn(T) -> &'static str) -> Result<T, String> {
    let found = all.into_iter().find(|&known| of(known) == name);
    found.ok_or_else(|| format!("no `{name}`; there are {}", all.map(of).join(", ")))
}
