//! The search of a run: the lines of the logs of all its attempts that have a text, by task.
//!
//! 1. The tasks that failed come first, then the others in the order of the graph.
//! 2. Of each log, the bytes say whether a line may match; only then is it read as a log.
//! 3. After [`MOST`] bytes no further log is read, and the page says how many were not.

use std::io;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query};
use axum::response::Html;

use super::address;
use super::dag_list::Filter;
use super::escape::html;
use super::frame::{Frame, Place};
use super::log::{LEVELS, around, read};
use super::marks::Mark;
use super::reply::{Asked, Page, asked, request};
use super::run_tabs::{path, tabs};
use crate::base::units;
use crate::journal::RunHistory;
use crate::log::lines::Line;
use crate::log::search::{Found, Sieve, search};
use crate::log::{LinesIndex, LogLevel, LogName, LogStore};
use crate::server::auth::Visitor;
use crate::server::costly::Turn;
use crate::server::keys::RunKey;
use crate::server::permit::{Permit, ViewLogs};

/// How many bytes are read, and as how many a log counts at least: opening it takes time, too.
const MOST: u64 = 128 * 1024 * 1024;
const LEAST: u64 = 4 * 1024;
/// Of how many tasks the lines are shown, and how many lines of an attempt.
const TASKS: usize = 50;
const LINES: usize = 3;

#[derive(Debug, Template)]
#[template(path = "run_log.html")]
struct RunLogPage {
    frame: Frame,
    number: i64,
    dag: String,
    mark: Mark,
    tabs: Vec<Filter>,
    levels: Vec<Filter>,
    text: String,
    level: String,
    /// `12 lines of 3 tasks match`
    count: String,
    /// What was not searched; empty if everything was.
    limit: String,
    tasks: Vec<TaskHits>,
    more_tasks: usize,
}

/// What was found of a task.
#[derive(Debug)]
struct TaskHits {
    mark: Mark,
    id: String,
    href: String,
    attempts: Vec<AttemptHits>,
}

#[derive(Debug)]
struct AttemptHits {
    number: u32,
    /// The address of its log, and of all lines of it that match.
    here: String,
    all: String,
    /// How many lines match that are not shown: `9 more lines`.
    more: String,
    lines: Vec<Line>,
}

impl AttemptHits {
    fn around(&self, number: &usize) -> String {
        around(&self.here, *number)
    }
}

/// A log to search.
struct Log {
    place: usize,
    attempt: u32,
}

/// What was found.
#[derive(Default)]
struct Hits {
    /// By the place of the task and the attempt, in the order in which the logs were read.
    logs: Vec<(usize, u32, Found)>,
    bytes: u64,
    /// How many logs were not read.
    left: usize,
}

pub(super) async fn show(
    state: Visitor,
    turn: Option<Extension<Arc<Turn>>>,
    Path(run): Path<String>,
    Query(query): Asked,
) -> Page {
    let permit = Permit::<ViewLogs, _>::of_run(&state, &RunKey::parse(run)?).await?;
    let history = permit.history(&state).await?;
    let request = request(history.info.timezone_name());
    let (number, mark) = (history.number, Mark::of(history.state.name()));
    let text = asked(&query, "q").to_owned();
    // Without a text, all lines would match.
    let level = match asked(&query, "level") {
        "" if text.is_empty() => "warn",
        level => level,
    };
    let severity = LEVELS.iter().find(|known| known.0 == level).map_or(LogLevel::Trace, |known| known.2);
    let here = address::run(number) + "/log";
    let levels = LEVELS.iter().filter(|known| !text.is_empty() || known.2 >= LogLevel::Warn);
    let levels = levels.map(|&(name, words, _)| Filter {
        words: words.to_owned(),
        count: None,
        href: address::with(&here, &[("q", &text), ("level", name)]),
        is_chosen: name == level,
    });
    let (logs, names) = (logs(&history), names(&history));
    let (run, searched) = (permit.run_id().to_owned(), text.clone());
    let hits = read(&state, turn.map(|Extension(turn)| turn), move |store, _| {
        let name = |log: &Log| LogName { run: run.clone(), task: names[log.place].clone(), attempt: log.attempt };
        search_all(store, &logs, name, &searched, severity, MOST)
    });
    let hits = hits.await?;
    let lines: usize = hits.logs.iter().map(|(_, _, found)| found.count).sum();
    let (limit, tasks) = (limit(&hits), tasks(&history, hits, &text, level));
    let count = match (lines, tasks.len()) {
        (0, _) => String::new(),
        (1, _) => "1 line matches".to_owned(),
        (lines, 1) => format!("{lines} lines of 1 task match"),
        (lines, tasks) => format!("{lines} lines of {tasks} tasks match"),
    };
    let title = format!("Log · run {number}");
    Ok(Html(html(&RunLogPage {
        frame: Frame::new(&request, Place::Runs, title, path(&history, "Log")).with_sign(mark),
        number,
        dag: history.info.dag_id.clone(),
        mark,
        tabs: tabs(&state, &history, "Log"),
        levels: levels.collect(),
        level: level.to_owned(),
        count,
        limit,
        more_tasks: tasks.len().saturating_sub(TASKS),
        tasks: tasks.into_iter().take(TASKS).collect(),
        text,
    })))
}

fn names(history: &RunHistory) -> Vec<String> {
    history.tasks.iter().map(|task| task.id.to_string()).collect()
}

/// The logs of a run, the most urgent tasks first.
fn logs(history: &RunHistory) -> Vec<Log> {
    let mut places: Vec<usize> = history.in_order().collect();
    places.sort_by_key(|&place| Mark::of(history.tasks[place].state.name()).urgency());
    let logs = |place: usize| {
        let attempts = history.tasks[place].attempts.iter();
        attempts.map(move |attempt| Log { place, attempt: attempt.number })
    };
    places.into_iter().flat_map(logs).collect()
}

fn search_all(
    store: &dyn LogStore,
    logs: &[Log],
    name: impl Fn(&Log) -> LogName,
    text: &str,
    level: LogLevel,
    most: u64,
) -> io::Result<Hits> {
    let lower = text.to_lowercase();
    let mut sieve = Sieve::new(&lower, level);
    let mut hits = Hits::default();
    for (at, log) in logs.iter().enumerate() {
        if hits.bytes >= most {
            hits.left = logs.len() - at;
            break;
        }
        let name = name(log);
        let (bytes, may_match) = look_through(store, &name, &mut sieve)?;
        hits.bytes += bytes.max(LEAST);
        if may_match {
            let mut index = LinesIndex::default();
            index.update(store, &name)?;
            let found = search(&index, store, &name, text, level, LINES)?;
            if found.count > 0 {
                hits.logs.push((log.place, log.attempt, found));
            }
        }
    }
    Ok(hits)
}

/// How many bytes a log has, and whether a line of it may match.
fn look_through(store: &dyn LogStore, name: &LogName, sieve: &mut Sieve<'_>) -> io::Result<(u64, bool)> {
    let (mut read, mut may_match) = (0, false);
    for segment in std::iter::once(0).chain(store.tail(name)?) {
        let Some(chunk) = store.read(name, segment, 0, u64::MAX)? else { continue };
        read += chunk.bytes.len() as u64;
        let mut lines = chunk.bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        may_match = may_match || lines.any(|line| sieve.may_match(line));
    }
    Ok((read, may_match))
}

/// What was not searched, in words.
fn limit(hits: &Hits) -> String {
    let read = units::bytes(MOST);
    match hits.left {
        0 => String::new(),
        1 => format!("A search reads {read}: 1 log was not searched."),
        left => format!("A search reads {read}: {left} logs were not searched. Search the log of a task."),
    }
}

/// What was found, by task.
fn tasks(history: &RunHistory, hits: Hits, text: &str, level: &str) -> Vec<TaskHits> {
    let mut tasks: Vec<TaskHits> = Vec::new();
    for (place, attempt, found) in hits.logs {
        let task = &history.tasks[place];
        let here = address::log(history.number, &task.id, attempt);
        let attempt = AttemptHits {
            number: attempt,
            all: address::with(&here, &[("q", text), ("level", level)]),
            here,
            more: match found.count - found.lines.len() {
                0 => String::new(),
                1 => "1 more line".to_owned(),
                more => format!("{more} more lines"),
            },
            lines: found.lines,
        };
        match tasks.last_mut().filter(|last| *last.id == *task.id) {
            Some(last) => last.attempts.push(attempt),
            None => tasks.push(TaskHits {
                mark: Mark::of(task.state.name()),
                id: task.id.to_string(),
                href: address::task(history.number, &task.id),
                attempts: vec![attempt],
            }),
        }
    }
    tasks
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::log::LogFiles;

    #[test]
    fn a_search_ends_after_so_many_bytes_and_says_what_it_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let files = LogFiles::new(directory.path());
        for task in ["a", "b", "c"] {
            let path = files.path("r", task, 1);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let line = r#"{"at":"2026-01-31T06:00:00Z","level":"INFO","message":"a Horse"}"#;
            fs::write(&path, format!("{line}\n{line}\n")).unwrap();
        }
        let logs = [0, 1, 2].map(|place| Log { place, attempt: 1 });
        let name = |log: &Log| LogName { run: "r".to_owned(), task: ["a", "b", "c"][log.place].to_owned(), attempt: 1 };
        let searched = |text, most| {
            let hits = search_all(&files, &logs, name, text, LogLevel::Trace, most).unwrap();
            let counts: Vec<_> = hits.logs.iter().map(|(place, _, found)| (*place, found.count)).collect();
            (counts, hits.left, limit(&hits).is_empty())
        };
        assert_eq!(searched("horse", MOST), (vec![(0, 2), (1, 2), (2, 2)], 0, true));
        assert_eq!(searched("zebra", MOST), (vec![], 0, true));
        // Each of these small logs counts as the least.
        assert_eq!(searched("horse", 2 * LEAST), (vec![(0, 2), (1, 2)], 1, false));
    }
}
