//! Logs: lines of JSON, or plain text for a client that accepts it.

use std::fmt::Write as _;
use std::io;

use axum::http::{HeaderValue, header};

use super::document::{ranged, ranged_head};
use super::earliest::Earliest;
use super::log_parts::LogParts;
use super::log_text::{FoundText, LogText};
use crate::base::text::one_line;
use crate::log::search::is_found;
use crate::log::{LogLevel, LogLine, LogName, LogRecord, LogStore, each_record};
use crate::server::call::Call;
use crate::server::json;
use crate::server::log_reads::read_logs;
use crate::server::permit::ViewLogs;
use crate::server::problem::Problem;
use crate::server::routes::Answer;
use crate::server::streams::{self, JsonLines, Wanted};

/// Which records a client wants of logs that are not followed, and in which form.
#[derive(Debug)]
pub(super) struct Selection {
    pub(super) level: LogLevel,
    /// In lower case; empty for all.
    pub(super) text: String,
    pub(super) is_plain: bool,
}

pub(in crate::server) async fn attempt(call: Call) -> Answer {
    let (task, attempt) = (call.task()?, call.number_of_path::<u32>("attempt")?);
    let history = call.run::<ViewLogs>().await?.history(&call.state).await?;
    let place = history.place(task.as_str())?;
    let task = &history.tasks[place];
    if !task.attempts.iter().any(|known| known.number == attempt) {
        let detail = format!("task `{}` of run {} has no attempt {attempt}", task.id, history.number);
        return Err(Problem::not_found(detail));
    }
    let name = LogName { run: history.info.run_id.clone(), task: task.id.to_string(), attempt };
    if call.switch("follow") {
        let (state, lines) = (&call.state, JsonLines { task: name.task.clone(), attempt, level: level(&call) });
        let (number, after) = (history.number, streams::place_in_log(call.place())?);
        return streams::answer(state, state.follow_log(number, name, after, lines).await?);
    }
    no_place(&call)?;
    answer(&call, move |_| Ok(vec![name])).await
}

/// Refuses a place where nothing is followed.
fn no_place(call: &Call) -> Result<(), Problem> {
    if call.text("after").is_none() {
        return Ok(());
    }
    let problem = Problem::bad_request("`after` is a place for `follow`").at("after");
    Err(problem.next("add `follow=true`"))
}

/// Refuses a search of what is followed.
fn no_search(call: &Call) -> Result<(), Problem> {
    let Some(field) = ["q", "limit"].into_iter().find(|field| call.value(field).is_some()) else { return Ok(()) };
    let problem = Problem::bad_request(format!("`{field}` is for logs that are not followed")).at(field);
    Err(problem.next("leave out `follow`, or search what it sends"))
}

pub(in crate::server) async fn run(call: Call) -> Answer {
    let permit = call.run::<ViewLogs>().await?;
    let run = permit.run_id().to_owned();
    let only = call.text("task").map(str::to_owned);
    if let Some(task) = &only {
        permit.history(&call.state).await?.place(task)?;
    }
    let number = call.number("attempt").and_then(|number| u32::try_from(number).ok());
    if call.switch("follow") {
        no_search(&call)?;
        let (state, after) = (&call.state, streams::place_in_run_log(call.place())?);
        let wanted = Wanted { task: only, attempt: number, level: level(&call) };
        return streams::answer(state, state.follow_run_log(permit.run().number, after, wanted).await?);
    }
    no_place(&call)?;
    answer(&call, move |logs| {
        let mut names = Vec::new();
        for task in only.map_or_else(|| logs.tasks(&run), |task| Ok(vec![task]))? {
            let attempts = logs.attempts(&run, &task)?.into_iter();
            let attempts = attempts.filter(|attempt| number.is_none_or(|number| number == *attempt));
            names.extend(attempts.map(|attempt| LogName { run: run.clone(), task: task.clone(), attempt }));
        }
        Ok(names)
    })
    .await
}

/// The level below which records are left out.
fn level(call: &Call) -> LogLevel {
    match call.text("level") {
        Some("error") => LogLevel::Error,
        Some("warn") => LogLevel::Warn,
        Some("info") => LogLevel::Info,
        Some("debug") => LogLevel::Debug,
        _ => LogLevel::Trace,
    }
}

/// Answers with the lines of logs in the order of time. Of what is read, only they are held, and of
/// a text without a limit only a part.
async fn answer(call: &Call, names: impl FnOnce(&dyn LogStore) -> io::Result<Vec<LogName>> + Send + 'static) -> Answer {
    let accept = call.header("accept").unwrap_or_default();
    let is_plain = accept.contains("text/plain") && !accept.contains("json");
    let text = call.text("q").unwrap_or_default().to_lowercase();
    let selection = Selection { level: level(call), text, is_plain };
    let limit = call.size("limit");
    let found = read_logs(call.state.logs(), call.turn.clone(), move |logs| {
        let names = names(logs)?;
        let Some(limit) = limit else { return LogText::find(logs, names, selection, LogText::PART) };
        let mut lines = Earliest::new(limit);
        for name in &names {
            selection.add(logs, name, &mut lines)?;
        }
        Ok(FoundText::Whole(lines.text()))
    });
    let media_type = if is_plain { "text/plain; charset=utf-8" } else { "application/jsonl" };
    let mut response = match found.await.map_err(|error| unreadable(&error))? {
        FoundText::Whole(text) => ranged(&call.headers, media_type, text.into_bytes()),
        FoundText::Larger(text, first) => {
            let (mut response, range) = ranged_head(&call.headers, media_type, text.tag(), text.length());
            if let Some(range) = range {
                let parts = LogParts::new(call.state.clone(), call.turn.clone(), text, first, range);
                *response.body_mut() = streams::in_parts(&call.state, parts).await?;
            }
            response
        }
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

pub(super) fn unreadable(error: &io::Error) -> Problem {
    Problem::internal(&format!("a log cannot be read: {error}"))
}

impl Selection {
    /// The line of a record, if it is wanted.
    pub(super) fn line(&self, name: &LogName, record: &LogRecord) -> Option<String> {
        self.has(record).then(|| {
            let line = LogLine { task: &name.task, attempt: name.attempt, record };
            if self.is_plain { plain(&line) } else { json::line(&line) }
        })
    }

    /// Adds the lines of a log.
    fn add(&self, logs: &dyn LogStore, name: &LogName, lines: &mut Earliest) -> io::Result<()> {
        each_record(logs, name, |record| {
            if lines.takes(record.at)
                && let Some(line) = self.line(name, &record)
            {
                lines.add(record.at, line);
            }
        })?;
        Ok(())
    }

    fn has(&self, record: &LogRecord) -> bool {
        record.level >= self.level && (self.text.is_empty() || is_found(record, &self.text, self.level))
    }
}

/// `2026-01-31T06:00:00Z INFO load#1: read rows=3`
fn plain(LogLine { task, attempt, record }: &LogLine<'_>) -> String {
    let mut text = format!("{} {} {task}#{attempt}: {}", record.at, record.level, one_line(&record.message));
    for (name, value) in &record.fields {
        // Writing to a string does not fail.
        let _ = write!(text, " {}={}", one_line(name), one_line(&value.to_string()));
    }
    text
}
