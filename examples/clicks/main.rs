//! Turns a web server's access log into sessions, top pages, referrers and status codes by hour.
//!
//! ```sh
//! cargo run --example clicks
//! cargo run --example clicks -- run --log /var/log/apache2/access.log.1 --site example.org --idle-min 60
//! cargo run --example clicks -- show
//! ```

#![allow(unreachable_pub, reason = "the modules of a program, not of a library")]

mod log;
mod visits;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use jiff::SignedDuration;
use log::{BadLine, Log};
use serde::{Deserialize, Serialize};
use taskflow::prelude::*;
use visits::Session;

/// A page or site, and how often it occurs.
#[derive(Debug, Serialize, Deserialize)]
struct Count {
    what: String,
    count: u32,
}

/// The number of requests with a status in one hour of the day (UTC).
#[derive(Debug, Serialize, Deserialize)]
struct HourStatus {
    hour: i64,
    status: u16,
    count: u32,
}

/// Reads the log, plain or gzipped.
#[task(blocking)]
fn parse(log: &str) -> Result<Log> {
    log::read(Path::new(log))
}

/// Writes invalid lines to a separate file: line number, reason, text.
#[task(blocking)]
fn quarantine(log: &Log, bad_lines: &str) -> Result<usize> {
    let lines = log.bad.iter().map(|BadLine { line, reason, text }| format!("{line}\t{reason}\t{text}\n"));
    if let Some(dir) = Path::new(bad_lines).parent() {
        fs::create_dir_all(dir)?;
    }
    fs::write(bad_lines, lines.collect::<String>())?;
    Ok(log.bad.len())
}

/// Groups requests into sessions. A session ends when its visitor is idle for longer than
/// `idle_min` minutes.
#[task]
fn sessions(log: &Log, idle_min: u32) -> Vec<Session> {
    visits::sessions(&log.requests, SignedDuration::from_mins(idle_min.into()))
}

/// The most frequently read pages.
#[task]
fn top_pages(log: &Log, top: usize) -> Vec<Count> {
    count(log.requests.iter().filter_map(visits::page), top)
}

/// The other sites that most requests came from.
#[task]
fn referrers(log: &Log, site: &str, top: usize) -> Vec<Count> {
    count(log.requests.iter().filter_map(|request| visits::referrer(request, site)), top)
}

/// Requests by hour of the day and status code.
#[task]
fn status_by_hour(log: &Log) -> Vec<HourStatus> {
    let mut counts = BTreeMap::new();
    for request in &log.requests {
        *counts.entry((visits::hour(request), request.status)).or_default() += 1;
    }
    counts.into_iter().map(|((hour, status), count)| HourStatus { hour, status, count }).collect()
}

/// The `top` most frequent words, in alphabetical order where equally frequent.
fn count<'a>(words: impl Iterator<Item = &'a str>, top: usize) -> Vec<Count> {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for word in words {
        *counts.entry(word).or_default() += 1;
    }
    let mut counts: Vec<Count> = counts.into_iter().map(|(what, count)| Count { what: what.into(), count }).collect();
    counts.sort_by_key(|c| std::cmp::Reverse(c.count));
    counts.truncate(top);
    counts
}

/// Writes the figures as tables.
#[task]
fn report(
    log: &Log,
    sessions: &[Session],
    pages: &[Count],
    referrers: &[Count],
    hours: &[HourStatus],
    bad: usize,
) -> Result<String> {
    let mut out = String::new();
    let megabytes = log.requests.iter().map(|r| r.bytes).sum::<u64>() as f64 / 1e6;
    let visitors: HashSet<_> = sessions.iter().map(|s| (&s.ip, &s.agent)).collect();
    let single = sessions.iter().filter(|s| s.requests == 1).count();
    let longest = sessions.iter().map(|s| s.end.duration_since(s.start).as_secs()).max().unwrap_or(0);
    let most = sessions.iter().map(|s| s.requests).max().unwrap_or(0);
    writeln!(out, "{} requests, {megabytes:.0} MB, bad lines: {bad}", log.requests.len())?;
    writeln!(out, "{} visitors in {} sessions, {single} of a single request", visitors.len(), sessions.len())?;
    writeln!(out, "the longest session: {longest} s, the busiest: {most} requests")?;

    for (title, counts) in [("top pages", pages), ("referrers", referrers)] {
        writeln!(out, "\n{title}")?;
        let max = counts.iter().map(|c| c.count).max().unwrap_or(1);
        for Count { what, count } in counts {
            writeln!(out, "{what:<56.56} {count:>5} {}", "█".repeat((count * 20).div_ceil(max) as usize))?;
        }
    }

    let statuses: BTreeSet<u16> = hours.iter().map(|h| h.status).collect();
    write!(out, "\nhour ")?;
    for status in &statuses {
        write!(out, "{status:>6}")?;
    }
    for hour in 0..24 {
        write!(out, "\n{hour:>4} ")?;
        for &status in &statuses {
            let count = hours.iter().find(|h| h.hour == hour && h.status == status).map_or(0, |h| h.count);
            write!(out, "{count:>6}")?;
        }
    }
    Ok(out)
}

/// Statistics of the visitors of a web site.
#[dag(tags = ["web"])]
pub fn clicks(
    #[param(default = "examples/data/access.log.gz", help = "access log in Apache's combined format")] log: String,
    #[param(default = 30, range = 1..=1440, help = "minutes without a request after which a session ends")]
    idle_min: u32,
    #[param(default = 10, range = 1..=100, help = "how many pages and referrers to show")] top: usize,
    #[param(default = "semicomplete.com", help = "the site itself, which does not count as a referrer")] site: String,
    #[param(default = "target/bad-lines.tsv", help = "file for invalid lines")] bad_lines: String,
) -> String {
    let log = parse(log);
    let bad = quarantine(log, bad_lines);
    report(log, sessions(log, idle_min), top_pages(log, top), referrers(log, site, top), status_by_hour(log), bad)
}

taskflow::main!();
