//! A run that is over, told to people (stderr) and to programs (stdout).

mod failure;
mod json;
mod table;

use super::live::Ended;
use super::run::Asked;
use super::stop::Stop;
use super::terminal::{Paint, Terminal};
use super::words;
use crate::engine::{RunState, TaskState};

/// Tells all that is to be told.
pub(super) fn tell(asked: &Asked, ended: &Ended, terminal: &Terminal) -> Result<(), Stop> {
    let report = &ended.report;
    if !asked.quiet {
        terminal.note(&table::table(report, terminal));
        terminal.note(&last_line(ended, terminal.paint_stderr()));
    }
    if report.state() == RunState::Failed {
        let account = failure::account(asked, report, terminal.paint_stderr());
        terminal.note(&if asked.quiet { account } else { format!("\n{account}") });
    }
    let result = result(ended)?;
    if asked.json {
        terminal.print(&json::document(asked, ended, result))?;
    } else if let Some(text) = result.and_then(printed) {
        terminal.print(&text)?;
    }
    Ok(())
}

/// `delays: failed in 1.23 s, 40 tasks: 38 success, 1 failed, 1 upstream_failed`
fn last_line(ended: &Ended, paint: Paint) -> String {
    let report = &ended.report;
    let mut counts: Vec<(TaskState, usize)> = Vec::new();
    for task in report.tasks() {
        let state = task.state();
        match counts.iter_mut().find(|(known, _)| *known == state) {
            Some((_, count)) => *count += 1,
            None => counts.push((state, 1)),
        }
    }
    counts.sort_by_key(|&(state, _)| table::place_of(state));
    let counts = match &*counts {
        [] | [(TaskState::Success, _)] => String::new(),
        counts => {
            let counts: Vec<String> = counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
            format!(": {}", counts.join(", "))
        }
    };
    let state = report.state().name();
    let state = match report.state() {
        RunState::Success => paint.good(state),
        RunState::Failed => paint.bad(state),
        RunState::Running | RunState::Cancelled | RunState::Interrupted => paint.odd(state),
    };
    let reason = report.halt_reason().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let tasks = words::count(report.plan().len(), "task");
    format!(
        "{}: {state}{reason} in {}, {tasks}{counts}",
        paint.strong(report.plan().id()),
        words::duration(report.duration())
    )
}

/// What the run returned, if it ended well and returns anything.
fn result(ended: &Ended) -> Result<Option<serde_json::Value>, Stop> {
    let ty = ended.report.plan().result_type();
    match &ended.result {
        Some(value) if ended.report.is_success() && ty.path() != "()" => match ty.json(value) {
            Ok(json) => Ok(Some(json)),
            Err(message) => Err(Stop::Failure(format!("the result cannot be printed: {message}"))),
        },
        _ => Ok(None),
    }
}

/// A text as it is, anything else as JSON.
fn printed(result: serde_json::Value) -> Option<String> {
    match result {
        serde_json::Value::String(text) if text.ends_with('\n') => Some(text),
        serde_json::Value::String(text) => Some(text + "\n"),
        other => serde_json::to_string_pretty(&other).ok().map(|json| json + "\n"),
    }
}
