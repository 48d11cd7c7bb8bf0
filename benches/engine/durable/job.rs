//! One measurement in a process and a directory of its own.
//!
//! The process prints each finding at once, one per line: a name and a number.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ::taskflow::journal::SyncMode;

use super::contender::Contender;
use super::{apalis, raw, taskflow};
use crate::shape::Shape;

/// A measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Job {
    pub(super) contender: Contender,
    pub(super) shape: Shape,
    pub(super) n: usize,
    pub(super) sync: SyncMode,
    /// The number of runs.
    pub(super) runs: usize,
    /// Whether memory is measured. The times are then meaningless.
    pub(super) memory: bool,
    /// The amount that the raw contenders write.
    pub(super) rows: Rows,
}

/// The amount that a run stored in the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) segments: u64,
    pub(super) events: u64,
    pub(super) data: u64,
}

/// The first argument of such a process.
pub(crate) const JOB: &str = "--durable-job";

impl Default for Job {
    fn default() -> Self {
        let (contender, shape) = (Contender::STRICT, Shape::Fan);
        Job { contender, shape, n: 1, sync: SyncMode::Full, runs: 1, memory: false, rows: Rows::default() }
    }
}

impl Job {
    /// The arguments of a process that measures it in this directory.
    pub(super) fn args(&self, home: &Path) -> Vec<String> {
        let Rows { segments, events, data } = self.rows;
        let names = [self.contender.name(), self.shape.name(), sync_name(self.sync)].map(str::to_owned);
        let numbers = [self.n as u64, self.runs as u64, u64::from(self.memory), segments, events, data];
        let home = [home.to_string_lossy().into_owned()];
        names.into_iter().chain(numbers.map(|number| number.to_string())).chain(home).collect()
    }

    fn parse(args: &[String]) -> Option<(Job, PathBuf)> {
        let [contender, shape, sync, numbers @ .., home] = args else { return None };
        let numbers: Vec<u64> = numbers.iter().map(|number| number.parse().ok()).collect::<Option<_>>()?;
        let &[n, runs, memory, segments, events, data] = &numbers[..] else { return None };
        let job = Job {
            contender: Contender::ALL.into_iter().find(|known| known.name() == contender)?,
            shape: Shape::ALL.into_iter().find(|known| known.name() == shape)?,
            sync: SYNCS.into_iter().find(|&known| sync_name(known) == sync)?,
            n: n as usize,
            runs: runs as usize,
            memory: memory != 0,
            rows: Rows { segments, events, data },
        };
        Some((job, home.into()))
    }
}

/// The main function of such a process.
pub(super) fn run(args: &[String]) -> Result<(), String> {
    let (job, home) = Job::parse(args).ok_or_else(|| format!("`{JOB}` is for child processes"))?;
    match job.contender {
        Contender::Taskflow(durability) => taskflow::run(job, durability, &home),
        Contender::RawSegments => raw::segments(job, &home),
        Contender::RawRows => raw::rows(job, &home),
        Contender::Apalis => apalis::run(job, &home),
        Contender::Durare => return Err("durare is measured by a separate program".to_owned()),
    }
    .map_err(|error| error.to_string())
}

/// Prints one fact.
pub(super) fn print_fact(name: &str, number: impl fmt::Display) {
    println!("{name} {number}");
}

/// Prints a duration.
pub(super) fn print_time(start: Instant) {
    let took: Duration = start.elapsed();
    print_fact("run", took.as_nanos());
}

pub(super) const SYNCS: [SyncMode; 2] = [SyncMode::Normal, SyncMode::Full];

pub(super) fn sync_name(sync: SyncMode) -> &'static str {
    if sync == SyncMode::Full { "full" } else { "normal" }
}
