//! Predicts the page that a visitor will read next. Learns a model from an access log, and
//! publishes it only if it is good enough.
//!
//! ```sh
//! cargo run --example recommend
//! cargo run --example recommend -- run --min-lift 3
//! cargo run --example recommend -- show
//! ```
//!
//! One task processes each day of the log (`each`). Intermediate results are in temporary files,
//! which are removed even if the run fails (`scope`). Depending on its score, the model is
//! published or rejected (`branch!`).

#![allow(unreachable_pub, reason = "the modules of a program, not of a library")]

#[path = "../clicks/log.rs"]
#[allow(dead_code, reason = "only the example `clicks` reads invalid lines")]
mod log;
mod model;
mod visits;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use csv::{ReaderBuilder, WriterBuilder};
use model::{Verdict, Visit, evaluate, judge, popular, publish, reject, split_visits, train};
use serde::{Deserialize, Serialize};
use taskflow::prelude::*;
use visits::{Day, days, pages_read, sessions};

/// The visits of a day: a tab-separated file with a row for each session and page, in the order
/// of reading.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Matrix {
    file: String,
    sessions: usize,
}

/// Creates a temporary directory for this run.
#[task(blocking)]
fn scratch(ctx: &TaskContext) -> Result<String> {
    let dir = std::env::temp_dir().join(format!("taskflow-recommend-{}", ctx.run_id()));
    fs::create_dir_all(&dir)?;
    Ok(dir.to_string_lossy().into_owned())
}

#[task(blocking)]
fn matrix(scratch: &str, date: &str, visits: &[Visit]) -> Result<Matrix> {
    let file = Path::new(scratch).join(format!("{date}.tsv"));
    let mut rows = WriterBuilder::new().delimiter(b'\t').from_path(&file)?;
    for (session, visit) in visits.iter().enumerate() {
        for page in visit {
            rows.serialize((session, page))?;
        }
    }
    rows.flush()?;
    Ok(Matrix { file: file.to_string_lossy().into_owned(), sessions: visits.len() })
}

fn read_matrix(matrix: &Matrix) -> Result<Vec<Visit>> {
    let mut visits = vec![Visit::new(); matrix.sessions];
    let mut rows = ReaderBuilder::new().delimiter(b'\t').has_headers(false).from_path(&matrix.file)?;
    for row in rows.deserialize() {
        let (session, page): (usize, String) = row.map_err(|error| format!("{}: {error}", matrix.file))?;
        let visit = visits.get_mut(session).ok_or_else(|| format!("{}: there is no session {session}", matrix.file))?;
        visit.push(page);
    }
    Ok(visits)
}

/// Splits the visits into a training set and a test set.
#[task(blocking)]
fn split(days: &[Matrix], one_in: usize) -> Result<(Vec<Visit>, Vec<Visit>)> {
    let visits: Vec<Vec<Visit>> = days.iter().map(read_matrix).collect::<Result<_>>()?;
    Ok(split_visits(visits.into_iter().flatten(), one_in))
}

#[task(blocking)]
fn remove(scratch: &str) -> Result<()> {
    match fs::remove_dir_all(scratch) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error)?,
        _ => Ok(()),
    }
}

/// Writes the size of the data and the outcome.
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

/// Learns what to read next from an access log.
#[dag(tags = ["web", "ml"])]
pub fn recommendations(
    #[param(default = "examples/data/access.log.gz", help = "access log in Apache's combined format")] log: String,
    #[param(default = 30, range = 1..=1440, help = "minutes without a request after which a session ends")]
    idle_min: u32,
    #[param(default = 5, range = 2..=100, help = "one of this many sessions is used for testing")] one_in: usize,
    #[param(default = 5, range = 1..=100, help = "how many pages to recommend")] count: usize,
    #[param(default = 1.2, help = "how many times as many hits as popularity the model needs")] min_lift: f64,
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
        Verdict::NotBetter { score, required } => reject(score, required),
    });
    report(read, matrices, outcome)
}

taskflow::main!();
