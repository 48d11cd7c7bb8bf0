//! Statistics of the visitors of many servers. Each log is a task, which runs on a thread or a
//! Spark executor.
//!
//! To try ten million lines, make a thousand copies of the example log and process them on threads:
//!
//! ```sh
//! mkdir -p target/logs && for n in $(seq 1000); do cp examples/data/access.log.gz target/logs/$n.log.gz; done
//! TASKFLOW_SPARK=off cargo run --profile bench --features spark --example clicks_at_scale -- run --logs-in target/logs
//! ```
//!
//! To run on a cluster, whose machines must share the directory (or on local Spark, with
//! `spark://local[*]`):
//!
//! ```sh
//! export TASKFLOW_CONN_SPARK_DEFAULT='spark://host:7077'
//! cargo run --profile bench --features spark --example clicks_at_scale -- run --logs-in /shared/logs
//! ```
//!
//! Each log is reduced to its figures before they are added up, so that values between tasks stay
//! small.

#![allow(unreachable_pub, reason = "the modules of a program, not of a library")]

mod log;
#[allow(dead_code, reason = "only the example `clicks` reads all fields of a session")]
mod visits;

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use taskflow::prelude::*;

/// The figures of one or several logs. Visitors of different servers are counted separately.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Figures {
    requests: u64,
    bytes: u64,
    bad_lines: u64,
    visitors: u64,
    sessions: u64,
    pages: BTreeMap<String, u64>,
    referrers: BTreeMap<String, u64>,
}

impl Figures {
    fn add(&mut self, other: &Figures) {
        self.requests += other.requests;
        self.bytes += other.bytes;
        self.bad_lines += other.bad_lines;
        self.visitors += other.visitors;
        self.sessions += other.sessions;
        for (ours, theirs) in [(&mut self.pages, &other.pages), (&mut self.referrers, &other.referrers)] {
            for (what, count) in theirs {
                // `entry` would copy each name, but most names are present already.
                match ours.get_mut(what) {
                    Some(known) => *known += count,
                    None => _ = ours.insert(what.clone(), *count),
                }
            }
        }
    }
}

/// The logs in a directory, by name.
#[task(blocking)]
fn logs(directory: &str) -> Result<Vec<String>> {
    let named = |error| format!("{directory}: {error}");
    let mut logs = Vec::new();
    for entry in fs::read_dir(directory).map_err(named)? {
        // Absolute, because executors have other working directories.
        let path = std::path::absolute(entry.map_err(named)?.path())?;
        let name = path.to_str().ok_or_else(|| format!("{}: the name is not UTF-8", path.display()))?;
        if name.ends_with(".log") || name.ends_with(".log.gz") {
            logs.push(name.to_owned());
        }
    }
    if logs.is_empty() {
        Err(format!("{directory}: no file ends in .log or .log.gz"))?;
    }
    logs.sort();
    Ok(logs)
}

/// Computes the figures of one log.
#[task(executor = "spark")]
fn figures(log: &str, idle_min: u32, site: &str) -> Result<Figures> {
    let log = log::read(Path::new(log))?;
    let sessions = visits::sessions(&log.requests, SignedDuration::from_mins(idle_min.into()));
    let visitors: HashSet<_> = sessions.iter().map(|session| (&session.ip, &session.agent)).collect();
    let mut figures = Figures {
        requests: log.requests.len() as u64,
        bad_lines: log.bad.len() as u64,
        visitors: visitors.len() as u64,
        sessions: sessions.len() as u64,
        ..Figures::default()
    };
    for request in &log.requests {
        figures.bytes += request.bytes;
        if let Some(page) = visits::page(request) {
            *figures.pages.entry(page.to_owned()).or_default() += 1;
        }
        if let Some(host) = visits::referrer(request, site) {
            *figures.referrers.entry(host.to_owned()).or_default() += 1;
        }
    }
    Ok(figures)
}

/// Adds up the figures of all logs.
#[task]
fn report(figures: &[Figures], top: usize) -> Result<String> {
    let mut all = Figures::default();
    figures.iter().for_each(|figures| all.add(figures));

    let mut out = String::new();
    let Figures { requests, bytes, bad_lines, visitors, sessions, .. } = all;
    let gigabytes = bytes as f64 / 1e9;
    writeln!(out, "{} logs, {requests} requests, {gigabytes:.1} GB, bad lines: {bad_lines}", figures.len())?;
    writeln!(out, "{visitors} visitors in {sessions} sessions")?;
    for (title, counts) in [("top pages", all.pages), ("referrers", all.referrers)] {
        let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        writeln!(out, "\n{title}")?;
        for (what, count) in counts.iter().take(top) {
            writeln!(out, "{what:<56.56} {count:>9}")?;
        }
    }
    Ok(out)
}

/// Statistics of the visitors of many servers.
#[dag(tags = ["web"])]
pub fn clicks_at_scale(
    #[param(help = "directory of access logs in Apache's combined format, plain or gzipped")] logs_in: String,
    #[param(default = 30, range = 1..=1440, help = "minutes without a request after which a session ends")]
    idle_min: u32,
    #[param(default = 10, range = 1..=100, help = "how many pages and referrers to show")] top: usize,
    #[param(default = "semicomplete.com", help = "the site itself, which does not count as a referrer")] site: String,
) -> String {
    report(logs(logs_in).each(|log| figures(log, idle_min, site)), top)
}

taskflow::main!();
