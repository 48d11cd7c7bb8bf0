//! Which page will a visitor read next? From an access log to a model that is published only if it is worth it.
//!
//! ```sh
//! cargo run --example recommend
//! cargo run --example recommend -- run --min-lift 3
//! cargo run --example recommend -- show
//! ```
//!
//! Each day of the log is a task of its own, as many as the log has days (`each`); who read what is kept in scratch files that
//! are removed whatever happens (`scope`); the model is published, or refused with its figures, by a gate (`branch!`).

#![allow(unreachable_pub, reason = "the modules of a program, not of a library")]

#[path = "../clicks/log.rs"]
#[allow(dead_code, reason = "clicks looks at the bad lines, too")]
mod log;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;

use jiff::SignedDuration;
use log::Request;
use serde::{Deserialize, Serialize};
use taskflow::prelude::*;

/// The requests of one day.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Day {
    date: String,
    requests: Vec<Request>,
}

/// The pages of one session, in the order in which they were first read.
type Visit = Vec<String>;

/// For each page those that were read in the same sessions, most often first, with how often.
type Model = BTreeMap<String, Vec<(String, u32)>>;

/// How often the page that was read last was among those that were recommended.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Score {
    visits: u32,
    hits: u32,
    /// The hits of recommending what is read most, whoever asks.
    popular: u32,
}

/// Whether the model is worth publishing.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Verdict {
    Better(Score),
    NoBetter { score: Score, wanted: f64 },
}

/// Reads the log, plain or gzipped, and takes it apart by days (UTC).
#[task(blocking)]
fn days(log: &str) -> Result<Vec<Day>> {
    let mut days: BTreeMap<String, Vec<Request>> = BTreeMap::new();
    for request in log::read(Path::new(log))?.requests {
        let date = request.time.strftime("%Y-%m-%d").to_string();
        days.entry(date).or_default().push(request);
    }
    Ok(days.into_iter().map(|(date, requests)| Day { date, requests }).collect())
}

/// What was read, without images, scripts and other files, and without those who read robots.txt.
#[task]
fn pages_read(day: Day) -> Day {
    let robots: BTreeSet<String> =
        day.requests.iter().filter(|r| r.path == "/robots.txt").map(|r| r.ip.clone()).collect();
    let is_read = |r: &Request| r.method == "GET" && matches!(r.status, 200 | 304) && is_page(&r.path);
    let requests = day.requests.into_iter().filter(|r| is_read(r) && !robots.contains(&r.ip));
    Day { date: day.date, requests: requests.collect() }
}

/// The sessions of a day: a visitor (address and user agent) without a pause longer than `idle_min`. Those of one page say
/// nothing about what goes together, and are left out.
#[task]
fn sessions(day: &Day, idle_min: u32) -> Vec<Visit> {
    let idle = SignedDuration::from_mins(idle_min.into());
    let mut requests: Vec<&Request> = day.requests.iter().collect();
    requests.sort_by_key(|r| (&r.ip, &r.agent, r.time));
    let mut visits: Vec<Visit> = Vec::new();
    let mut last: Option<&Request> = None;
    for request in requests {
        let goes_on = last.is_some_and(|last| {
            (&last.ip, &last.agent) == (&request.ip, &request.agent) && request.time.duration_since(last.time) <= idle
        });
        if !goes_on {
            visits.push(Visit::new());
        }
        let page = request.path.split(['?', '#']).next().unwrap_or_default();
        if let Some(visit) = visits.last_mut()
            && !visit.iter().any(|read| read == page)
        {
            visit.push(page.to_owned());
        }
        last = Some(request);
    }
    visits.retain(|visit| visit.len() > 1);
    visits
}

/// Who read what in a day: a file with a line for each session and page, in the order of reading.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Matrix {
    file: String,
    sessions: usize,
}

/// A directory for the files of this run.
#[task(blocking)]
fn scratch(ctx: &TaskContext) -> Result<String> {
    let dir = std::env::temp_dir().join("taskflow-recommend").join(ctx.run_id());
    fs::create_dir_all(&dir)?;
    Ok(dir.to_string_lossy().into_owned())
}

#[task(blocking)]
fn matrix(scratch: &str, date: &str, visits: &[Visit]) -> Result<Matrix> {
    let file = Path::new(scratch).join(format!("{date}.tsv"));
    let mut lines = String::new();
    for (session, visit) in visits.iter().enumerate() {
        for page in visit {
            writeln!(lines, "{session}\t{page}")?;
        }
    }
    fs::write(&file, lines)?;
    Ok(Matrix { file: file.to_string_lossy().into_owned(), sessions: visits.len() })
}

fn read_matrix(matrix: &Matrix) -> Result<Vec<Visit>> {
    let mut visits = vec![Visit::new(); matrix.sessions];
    for line in BufReader::new(fs::File::open(&matrix.file)?).lines() {
        let line = line?;
        let (session, page) = line.split_once('\t').ok_or("a line without a session")?;
        visits.get_mut(session.parse::<usize>()?).ok_or("more sessions than there are")?.push(page.to_owned());
    }
    Ok(visits)
}

/// Every `one_in`th session is for testing, the others are for training.
#[task(blocking)]
fn split(days: &[Matrix], one_in: usize) -> Result<(Vec<Visit>, Vec<Visit>)> {
    let (mut train, mut test) = (Vec::new(), Vec::new());
    let mut number = 0;
    for day in days {
        for visit in read_matrix(day)? {
            let half = if number % one_in == 0 { &mut test } else { &mut train };
            half.push(visit);
            number += 1;
        }
    }
    Ok((train, test))
}

#[task(blocking)]
fn remove(scratch: &str) -> Result<()> {
    match fs::remove_dir_all(scratch) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error)?,
        _ => Ok(()),
    }
}

/// Counts the sessions in which two pages were both read.
#[task]
fn train(visits: &[Visit]) -> Model {
    let mut together: BTreeMap<&str, BTreeMap<&str, u32>> = BTreeMap::new();
    for visit in visits {
        for (place, page) in visit.iter().enumerate() {
            for other in visit.iter().enumerate().filter(|&(at, _)| at != place).map(|(_, other)| other) {
                *together.entry(page).or_default().entry(other).or_default() += 1;
            }
        }
    }
    let ranked = |others: BTreeMap<&str, u32>| {
        let mut others: Vec<(String, u32)> = others.into_iter().map(|(page, count)| (page.to_owned(), count)).collect();
        // Stable: of pages seen equally often the first by name.
        others.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        others
    };
    together.into_iter().map(|(page, others)| (page.to_owned(), ranked(others))).collect()
}

/// The pages read in most sessions, most first.
#[task]
fn popular(visits: &[Visit]) -> Vec<String> {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for page in visits.iter().flatten() {
        *counts.entry(page).or_default() += 1;
    }
    let mut pages: Vec<(&str, u32)> = counts.into_iter().collect();
    pages.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    pages.into_iter().map(|(page, _)| page.to_owned()).collect()
}

/// What to read after these pages: added up over them, without what was read.
fn recommend(model: &Model, read: &[String], count: usize) -> Vec<String> {
    let mut scores: BTreeMap<&str, u32> = BTreeMap::new();
    for (page, together) in read.iter().filter_map(|page| model.get(page)).flatten() {
        *scores.entry(page).or_default() += together;
    }
    let mut pages: Vec<(&str, u32)> = scores.into_iter().filter(|(page, _)| !read.iter().any(|r| r == page)).collect();
    pages.sort_by_key(|&(_, score)| std::cmp::Reverse(score));
    pages.into_iter().take(count).map(|(page, _)| page.to_owned()).collect()
}

/// Hides the last page of each session for testing, and looks whether it is among `count` recommendations.
#[task]
fn evaluate(model: &Model, popular: &[String], test: &[Visit], count: usize) -> Score {
    let mut score = Score { visits: 0, hits: 0, popular: 0 };
    for visit in test {
        let Some((last, read)) = visit.split_last() else { continue };
        let common = popular.iter().filter(|page| !read.contains(page)).take(count);
        score.visits += 1;
        score.hits += u32::from(recommend(model, read, count).contains(last));
        score.popular += u32::from(common.into_iter().any(|page| page == last));
    }
    score
}

/// The model must hit `min_lift` times as often as popularity does.
#[task]
fn judge(score: Score, min_lift: f64) -> Verdict {
    let wanted = f64::from(score.popular) * min_lift;
    if f64::from(score.hits) > 0.0 && f64::from(score.hits) >= wanted {
        Verdict::Better(score)
    } else {
        Verdict::NoBetter { score, wanted }
    }
}

/// Writes the model where a web server can read it, whole or not at all.
#[task(blocking)]
fn publish(model: &Model, score: &Score, path: &str) -> Result<String> {
    let path = Path::new(path);
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let fresh = path.with_extension("new");
    fs::write(&fresh, serde_json::to_string(model)?)?;
    fs::rename(&fresh, path)?;
    Ok(format!("published {} pages to {}: {}", model.len(), path.display(), told(score)))
}

/// The model that is there stays.
#[task]
fn refuse(score: &Score, wanted: f64) -> String {
    format!("not published, {wanted:.0} hits are wanted: {}", told(score))
}

fn told(score: &Score) -> String {
    format!("{} of {} last pages were recommended, {} by popularity", score.hits, score.visits, score.popular)
}

/// How much there was to learn from, and what came of it.
#[task]
fn report(days: &[Day], matrices: &[Matrix], outcome: &str) -> Result<String> {
    let mut out = String::new();
    writeln!(out, "day         pages read  sessions")?;
    for (day, matrix) in days.iter().zip(matrices) {
        writeln!(out, "{}  {:>10}  {:>8}", day.date, day.requests.len(), matrix.sessions)?;
    }
    write!(out, "{outcome}")?;
    Ok(out)
}

fn is_page(path: &str) -> bool {
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let file = path.rsplit('/').next().unwrap_or(path);
    match file.rsplit_once('.') {
        Some((_, extension)) => ["html", "xhtml", "php"].contains(&extension),
        None => true,
    }
}

/// What to read next, learned from an access log.
#[dag(tags = ["web", "ml"])]
pub fn recommendations(
    #[param(default = "examples/data/access.log.gz", help = "access log in Apache's combined format")] log: String,
    #[param(default = 30, range = 1..=1440, help = "minutes without a request that end a session")] idle_min: u32,
    #[param(default = 5, range = 2..=100, help = "one session in so many is for testing")] one_in: usize,
    #[param(default = 5, range = 1..=100, help = "how many pages are recommended")] count: usize,
    #[param(default = 1.2, help = "how many times the hits of popularity are wanted")] min_lift: f64,
    #[param(default = "target/recommendations.json", help = "file for the model")] model_file: String,
) -> String {
    let read = days(log).label(|day| day.date.clone()).each(pages_read);

    let learn = |scratch| {
        let matrices = read.each(|day| matrix(scratch, day.map(|day| day.date.clone()), sessions(day, idle_min)));
        let (training, test) = split(matrices, one_in).unzip();
        let model = train(training);
        let score = evaluate(model, popular(training), test, count);
        (matrices, model, score)
    };
    let (matrices, model, score) = scope(scratch(), learn, |scratch| remove(scratch));

    let outcome = branch!(judge(score, min_lift) => {
        Verdict::Better(score) => publish(model, score, model_file),
        Verdict::NoBetter { score, wanted } => refuse(score, wanted),
    });
    report(read, matrices, outcome)
}

taskflow::main!();
