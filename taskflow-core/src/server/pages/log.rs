//! The log of an attempt.

use std::io;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::address;
use super::dag_list::Filter;
use super::escape::html;
use super::failures::message;
use super::form::below;
use super::frame::{Crumb, Frame, Place};
use super::log_histogram::Picture;
use super::log_indexes::LogIndexes;
use super::marks::Mark;
use super::reply::{Asked, PageProblem, asked, not_found, request};
use super::times::took_for;
use crate::journal::RunHistory;
use crate::log::lines::{Line, Numbers, lines_at};
use crate::log::search::{Found, HITS, search};
use crate::log::{LinesIndex, LogLevel, LogName, LogPosition, LogRecord, LogStore, each_record};
use crate::ops::OpsError;
use crate::server::auth::Visitor;
use crate::server::base_path;
use crate::server::costly::Turn;
use crate::server::keys::{RunKey, TaskKey};
use crate::server::log_reads::read_logs;
use crate::server::permit::{Permit, ViewLogs};
use crate::server::problem::Problem;
use crate::server::streams::{self, HtmlLines, place_in_log};

/// A longer log is shown by its first and last lines.
const WHOLE: usize = 2_000;
const HEAD: usize = 200;
const TAIL: usize = 1_000;
/// The most lines of a page that somebody asks for.
const MOST: usize = 20_000;
/// How many lines a link from a search shows around one.
const AROUND: usize = 200;

#[derive(Debug, Template)]
#[template(path = "log.html")]
struct LogPage {
    frame: Frame,
    task: String,
    task_href: String,
    attempt: u32,
    mark: Mark,
    took: String,
    message: String,
    attempts: Vec<Filter>,
    levels: Vec<Filter>,
    text: String,
    level: String,
    /// `18,204 lines`, `3 of 18,204 lines match`.
    count: String,
    parts: Vec<Part>,
    here: String,
    raw: String,
    is_running: bool,
    /// After which place a stream has further lines; only where the end of the log is shown.
    follows: Option<LogPosition>,
    is_empty: bool,
    torn: bool,
    /// Whether only matching lines are shown.
    is_search: bool,
    /// Its lines over time.
    picture: Option<Picture>,
    /// The lines that the address names, from 1; and what it says about them.
    chosen: Option<RangeInclusive<usize>>,
    chosen_words: String,
}

/// Lines that follow each other, and what is left out before them.
#[derive(Debug)]
struct Part {
    gap: usize,
    /// The address that shows what is left out.
    gap_href: String,
    lines: Vec<Line>,
}

pub(super) const LEVELS: [(&str, &str, LogLevel); 4] = [
    ("", "All levels", LogLevel::Trace),
    ("info", "Info", LogLevel::Info),
    ("warn", "Warnings", LogLevel::Warn),
    ("error", "Errors", LogLevel::Error),
];

/// The run, its task and its attempt, if they exist.
async fn find(
    state: &Visitor,
    (run, task, attempt): (String, String, String),
) -> Result<(RunHistory, usize, u32), PageProblem> {
    let (run, task) = (RunKey::parse(run)?, TaskKey::parse(task)?);
    let history = Permit::<ViewLogs, _>::of_run(state, &run).await?.history(state).await?;
    let place = history.place(task.as_str()).map_err(OpsError::from)?;
    let known = history.tasks[place].attempts.iter().map(|attempt| attempt.number);
    let attempt = attempt.parse::<u32>().ok().filter(|attempt| known.clone().any(|number| number == *attempt));
    let missing = || not_found(format!("Task `{}` of run {} has no such attempt", task.as_str(), history.number));
    let attempt = attempt.ok_or_else(missing)?;
    Ok((history, place, attempt))
}

/// Reads logs on a thread that may block.
pub(super) async fn read<T: Send + 'static>(
    state: &Visitor,
    turn: Option<Arc<Turn>>,
    read: impl FnOnce(&dyn LogStore, &LogIndexes) -> io::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    let indexes = state.log_indexes.clone();
    let read = read_logs(state.logs(), turn, move |logs| read(logs, &indexes));
    read.await.map_err(|error| {
        tracing::error!("a log cannot be read: {error}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the log cannot be read")
    })
}

/// What a page shows of a log.
struct Shown {
    index: LinesIndex,
    lines: ShownLines,
}

enum ShownLines {
    Found(Found),
    /// Ranges, with their lines.
    Parts(Vec<(Range<usize>, Vec<Line>)>),
}

pub(super) async fn show(
    state: Visitor,
    turn: Option<Extension<Arc<Turn>>>,
    Path(path): Path<(String, String, String)>,
    Query(query): Asked,
) -> Result<Response, PageProblem> {
    let as_of = state.streams.place();
    let (history, place, attempt) = find(&state, path).await?;
    let task = &history.tasks[place];
    let request = request(history.info.timezone_name());
    let (text, level) = (asked(&query, "q"), asked(&query, "level"));
    let (number, here) = (history.number, address::log(history.number, &task.id, attempt));
    // The form does not know to which part of the page it leads.
    if let Some(lines) = chosen_lines(asked(&query, "go")) {
        return Ok(below(&address_of_lines(&here, &lines)).into_response());
    }
    let chosen = chosen_lines(asked(&query, "lines"));
    let severity = LEVELS.iter().find(|known| known.0 == level).map_or(LogLevel::Trace, |known| known.2);
    let shows_end = !["q", "level", "from", "to", "lines"].iter().any(|name| query.contains_key(*name));
    let is_search = !text.is_empty() || severity > LogLevel::Trace;
    let name = LogName { run: history.info.run_id.clone(), task: task.id.to_string(), attempt };
    let (from, to) = match &chosen {
        Some(lines) => (Some(lines.start().saturating_sub(AROUND).max(1)), Some(lines.end().saturating_add(AROUND))),
        None => (asked(&query, "from").parse().ok(), asked(&query, "to").parse().ok()),
    };
    let searched = text.to_owned();
    let read = read(&state, turn.map(|Extension(turn)| turn), move |logs, indexes| {
        let index = indexes.of(logs, &name)?;
        let lines = match is_search {
            true => ShownLines::Found(search(&index, logs, &name, &searched, severity, HITS)?),
            false => {
                let part = |range: Range<usize>| {
                    let lines = lines_at(&index, logs, &name, range.clone())?;
                    Ok((range, lines))
                };
                ShownLines::Parts(ranges(index.lines(), from, to).into_iter().map(part).collect::<io::Result<_>>()?)
            }
        };
        Ok(Shown { index, lines })
    });
    let Shown { index, lines } = read.await?;
    let total = index.lines();
    let (parts, count) = match lines {
        ShownLines::Found(found) => {
            let count = found.words(total);
            (vec![Part { gap: 0, gap_href: String::new(), lines: found.lines }], count)
        }
        ShownLines::Parts(read) => {
            (parts(total, read, &here), if total == 1 { "1 line".to_owned() } else { format!("{total} lines") })
        }
    };
    let of = task.attempts.iter().find(|known| known.number == attempt);
    let is_running = of.is_some_and(|attempt| attempt.ended.is_none()) && !history.state.is_terminal();
    let mark = Mark::of(of.map_or("none", |attempt| attempt.state.name()));
    let took = of.map(|attempt| match attempt.ended {
        Some(ended) => took_for(ended.since(attempt.started)),
        None => format!("{} so far", took_for(request.clock.since(attempt.started))),
    });
    let attempts = task.attempts.iter().map(|known| Filter {
        words: format!("Attempt {}", known.number),
        count: None,
        href: address::log(number, &task.id, known.number),
        is_chosen: known.number == attempt,
    });
    let levels = LEVELS.iter().map(|&(name, words, _)| Filter {
        words: words.to_owned(),
        count: None,
        href: address::with(&here, &[("q", text), ("level", name)]),
        is_chosen: name == level,
    });
    let path = vec![
        Crumb::link(history.info.dag_id.clone(), address::dag(&history.info.dag_id)),
        Crumb::link(format!("Run {number}"), address::run(number)),
        Crumb::link(task.id.to_string(), address::task(number, &task.id)),
        Crumb::here(format!("Attempt {attempt}")),
    ];
    let title = format!("{} · log of run {number}", task.id);
    let is_whole = !is_search && parts.iter().all(|part| part.gap == 0);
    let line = |number: usize| if is_whole { format!("#L{number}") } else { around(&here, number) };
    let page = Html(html(&LogPage {
        picture: Picture::of(index.histogram(), total, line),
        chosen_words: chosen.as_ref().map(lines_in_words).unwrap_or_default(),
        chosen,
        frame: Frame::new(&request, Place::Runs, title, path).with_sign(mark).live(format!("run:{number}"), as_of),
        task: task.id.to_string(),
        task_href: address::task(number, &task.id),
        attempt,
        mark,
        took: took.unwrap_or_default(),
        message: message(of.and_then(|attempt| attempt.failure.as_ref())),
        attempts: attempts.collect(),
        levels: levels.collect(),
        text: text.to_owned(),
        level: level.to_owned(),
        count,
        parts,
        raw: format!("{here}/raw"),
        here,
        is_running,
        follows: (is_running && shows_end).then_some(index.end()),
        is_empty: total == 0,
        torn: index.is_torn() && !is_running,
        is_search,
    }));
    Ok(page.into_response())
}

/// The lines that somebody names: `17`, `10-20`, `L10-L20`.
pub(super) fn chosen_lines(text: &str) -> Option<RangeInclusive<usize>> {
    let number = |text: &str| text.trim().trim_start_matches(['L', 'l']).parse::<usize>().ok().filter(|&line| line > 0);
    match text.split_once(['-', '–']) {
        None => number(text).map(|line| line..=line),
        Some((first, last)) => {
            let (first, last) = (number(first)?, number(last)?);
            Some(first.min(last)..=first.max(last))
        }
    }
}

/// `Line 17`, `Lines 10 to 20`.
fn lines_in_words(lines: &RangeInclusive<usize>) -> String {
    match (lines.start(), lines.end()) {
        (first, last) if first == last => format!("Line {first}"),
        (first, last) => format!("Lines {first} to {last}"),
    }
}

/// Where lines are marked, with those around them.
fn address_of_lines(here: &str, lines: &RangeInclusive<usize>) -> String {
    let (first, last) = (lines.start(), lines.end());
    let named = if first == last { first.to_string() } else { format!("{first}-{last}") };
    address::with(here, &[("lines", &named)]) + &format!("#L{first}")
}

/// Which lines are shown: the chosen ones, all of a short log, the first and the last of a long
/// one.
fn ranges(total: usize, from: Option<usize>, to: Option<usize>) -> Vec<Range<usize>> {
    if from.is_some() || to.is_some() {
        let start = from.unwrap_or(1).saturating_sub(1).min(total);
        let end = to.unwrap_or(total).clamp(start, total).min(start + MOST);
        return std::iter::once(start..end).collect();
    }
    match total {
        0..=WHOLE => std::iter::once(0..total).collect(),
        _ => vec![0..HEAD, total - TAIL..total],
    }
}

/// The lines of these ranges; links lead to what is between them.
fn parts(total: usize, ranges: Vec<(Range<usize>, Vec<Line>)>, here: &str) -> Vec<Part> {
    let (mut parts, mut before) = (Vec::new(), 0);
    let link = |from: usize, to: usize| {
        let from = from.max(to.saturating_sub(MOST));
        address::with(here, &[("from", &(from + 1).to_string()), ("to", &to.to_string())])
    };
    for (range, lines) in ranges {
        parts.push(Part { gap: range.start - before, gap_href: link(before, range.start), lines });
        before = range.end;
    }
    if before < total {
        parts.push(Part { gap: total - before, gap_href: link(before, total.min(before + MOST)), lines: Vec::new() });
    }
    parts
}

impl LogPage {
    /// Where the number of a line leads: where some are marked, it becomes their other end.
    fn around(&self, number: &usize) -> String {
        match &self.chosen {
            _ if self.is_search => around(&self.here, *number),
            Some(lines) => {
                let first = *lines.start();
                address_of_lines(&self.here, &(first.min(*number)..=first.max(*number)))
            }
            None => format!("#L{number}"),
        }
    }

    /// The key that leads to an attempt: the one before or after that which is shown.
    fn key_of(&self, attempt: &Filter) -> &'static str {
        let shown = self.attempts.iter().position(|known| known.is_chosen);
        let this = self.attempts.iter().position(|known| known.href == attempt.href);
        match (this, shown) {
            (Some(this), Some(shown)) if this + 1 == shown => "[",
            (Some(this), Some(shown)) if this == shown + 1 => "]",
            _ => "",
        }
    }

    /// Whether its links to lines lead to addresses, not to places of the page.
    fn leads_away(&self) -> bool {
        self.is_search || self.chosen.is_some()
    }

    fn is_chosen(&self, number: &usize) -> bool {
        self.chosen.as_ref().is_some_and(|lines| lines.contains(number))
    }
}

/// Where a line of the log at an address is shown with those around it.
pub(super) fn around(here: &str, number: usize) -> String {
    let (from, to) = (number.saturating_sub(AROUND).max(1), number + AROUND);
    address::with(here, &[("from", &from.to_string()), ("to", &to.to_string())]) + &format!("#L{number}")
}

/// Lines that follow those of a page.
#[derive(Debug, Template)]
#[template(path = "log_lines.html")]
struct NewLines {
    lines: Vec<Line>,
    /// The address of the log as text, with the base path.
    raw: String,
}

/// The lines after a place as server-sent events, in the form in which the page has them.
pub(super) async fn stream(
    state: Visitor,
    Path(path): Path<(String, String, String)>,
    Query(query): Asked,
    headers: HeaderMap,
) -> Result<Response, PageProblem> {
    let (history, place, attempt) = find(&state, path).await?;
    let header = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let after = place_in_log(header.unwrap_or_else(|| asked(&query, "after")))?;
    let name = LogName { run: history.info.run_id.clone(), task: history.tasks[place].id.to_string(), attempt };
    let log = name.clone();
    // The lines before the place have the numbers up to it.
    let numbered = read(&state, None, move |logs, indexes| {
        let index = indexes.of(logs, &log)?;
        Ok(Numbers::after(index.line_after(logs, &log, after)?, index.start()))
    });
    let mut numbers = numbered.await?;
    let raw = format!("{}{}/raw", base_path::current(), address::log(history.number, &name.task, attempt));
    let page = move |records: Vec<LogRecord>| html(&NewLines { lines: numbers.lines(&records), raw: raw.clone() });
    let lines = HtmlLines(page);
    Ok(streams::answer(&state, state.follow_log(history.number, name, after, lines).await?)?)
}

/// The whole log as text; with `lines=17` or `lines=10-20`, the records of these lines.
pub(super) async fn raw(
    state: Visitor,
    turn: Option<Extension<Arc<Turn>>>,
    Path(path): Path<(String, String, String)>,
    Query(query): Asked,
) -> Result<Response, PageProblem> {
    let (history, place, attempt) = find(&state, path).await?;
    let name = LogName { run: history.info.run_id.clone(), task: history.tasks[place].id.to_string(), attempt };
    let lines = chosen_lines(asked(&query, "lines"));
    let read = read(&state, turn.map(|Extension(turn)| turn), move |logs, indexes| {
        let mut text = String::new();
        let mut add = |record: &LogRecord| {
            text.push_str(&format!("{} {:5} {}", record.at, record.level.as_str(), record.message));
            for (name, value) in &record.fields {
                text.push_str(&format!(" {name}={value}"));
            }
            text.push('\n');
        };
        match lines {
            None => {
                each_record(logs, &name, |record| add(&record))?;
            }
            Some(lines) => {
                let index = indexes.of(logs, &name)?;
                let end = (*lines.end()).min(index.lines());
                let read = index.records(logs, &name, (lines.start() - 1).min(end)..end)?;
                read.iter().for_each(|(_, record)| add(record));
            }
        }
        Ok(text)
    });
    let text = read.await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_named_by_their_numbers() {
        assert_eq!(chosen_lines("17"), Some(17..=17));
        assert_eq!(chosen_lines(" L20 - L10 "), Some(10..=20));
        for text in ["", "0", "-", "1-", "x", "1-2-3", "99999999999999999999"] {
            assert_eq!(chosen_lines(text), None, "{text:?}");
        }
        assert_eq!(address_of_lines("/log", &(10..=20)), "/log?lines=10-20#L10");
        assert_eq!((lines_in_words(&(3..=3)), lines_in_words(&(3..=4))), ("Line 3".into(), "Lines 3 to 4".into()));
    }

    #[test]
    fn a_long_log_has_its_head_and_its_tail() {
        assert_eq!(ranges(WHOLE, None, None), vec![0..WHOLE; 1]);
        assert_eq!(ranges(5_000, None, None), [0..200, 4_000..5_000]);
        assert_eq!(ranges(5_000, Some(201), Some(300)), vec![200..300; 1]);
        assert_eq!(ranges(10, Some(700), Some(3)), vec![10..10; 1]);
    }
}
