//! The summary of a run that has ended, for people (stderr) and for programs (stdout).

mod failure;
mod json;
mod table;

use std::io;

#[cfg(feature = "sqlite")]
pub(super) use self::failure::failed;
use super::drive::RunOutput;
use super::error::CliError;
use super::live::Ended;
use super::terminal::{Paint, Terminal};
use super::{format, grid};
use crate::base::text::one_line;
use crate::run::{RunState, TaskState};

/// Prints the summary.
pub(super) fn print_summary(output: &RunOutput, ended: &Ended, terminal: &Terminal) -> Result<(), CliError> {
    let report = &ended.report;
    if !output.quiet {
        terminal.note_block(&table::table(report, terminal));
        terminal.note(&last_line(ended, terminal.paint_stderr()));
    }
    if report.state() == RunState::Failed {
        let failure = failure::report(output, ended, terminal.paint_stderr());
        terminal.note_block(&if output.quiet { failure } else { format!("\n{failure}") });
    }
    if report.state() == RunState::Interrupted {
        terminal.note_block(&interruption(output, ended, terminal.paint_stderr()));
    }
    let result = result(ended)?;
    if output.json {
        terminal.print_json(&json::document(output, ended, result))?;
    } else if let Some(result) = result {
        print(result, terminal)?;
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
    counts.sort_by_key(|&(state, _)| grid::place_of(state));
    let counts = match &*counts {
        [] | [(TaskState::Success, _)] => String::new(),
        counts => {
            let counts: Vec<String> = counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
            format!(": {}", counts.join(", "))
        }
    };
    let state = grid::painted(report.state(), paint);
    // The reason of an interruption has a line of its own, if it is an error.
    let has_line = report.state() == RunState::Interrupted && ended.signal.is_none();
    let reason = report.halt_reason().filter(|_| !has_line);
    let reason = reason.map(|reason| format!(" ({})", one_line(reason))).unwrap_or_default();
    let tasks = format::count(report.tasks().count(), "task");
    let more = ended.number.map(|number| paint.faint(&format!("; `status {number}` shows more"))).unwrap_or_default();
    format!(
        "{}: {state}{reason} in {}, {tasks}{counts}{more}",
        paint.strong(report.plan().id()),
        format::duration(report.duration())
    )
}

/// A call of this program that resumes the run.
pub(super) fn resume_command(output: &RunOutput, number: i64) -> String {
    failure::command(output, &["resume".to_owned(), number.to_string()])
}

/// Why a run was interrupted, and how to resume it.
fn interruption(output: &RunOutput, ended: &Ended, paint: Paint) -> String {
    let reason = ended.report.halt_reason().unwrap_or("the run was interrupted");
    let resume = ended.number.map(|number| format!("{} {}", paint.good("to resume:"), resume_command(output, number)));
    // A signal is no error.
    let error = ended.signal.is_none().then(|| format!("{} {}", paint.bad("error:"), one_line(reason)));
    error.into_iter().chain(resume).collect::<Vec<_>>().join("\n")
}

/// What the run returned, if it succeeded and returns anything.
fn result(ended: &Ended) -> Result<Option<serde_json::Value>, CliError> {
    let ty = ended.report.plan().result_type();
    match &ended.result {
        Err(failure) if ended.report.is_success() => {
            Err(CliError::Failure(format!("the result of the run cannot be computed: {failure}")))
        }
        Ok(Some(value)) if ended.report.is_success() && ty.path() != "()" => match ty.json(value) {
            Ok(json) => Ok(Some(json)),
            Err(message) => Err(CliError::Failure(format!("the result cannot be printed: {message}"))),
        },
        _ => Ok(None),
    }
}

/// Prints a string without quotes, anything else as JSON.
pub(super) fn print(value: serde_json::Value, terminal: &Terminal) -> io::Result<()> {
    match value {
        serde_json::Value::String(text) if text.ends_with('\n') => terminal.print_value(&text),
        serde_json::Value::String(text) => terminal.print_value(&(text + "\n")),
        other => terminal.print_json(&format!("{other:#}\n")),
    }
}
