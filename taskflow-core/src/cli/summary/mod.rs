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
use super::{fit, format, grid, shell};
use crate::base::text::one_line;
use crate::callback::CallbackFailure;
use crate::engine::TaskReport;
use crate::run::{RunState, TaskState};

/// Prints the summary.
pub(super) fn print_summary(output: &RunOutput, ended: &Ended, terminal: &Terminal) -> Result<(), CliError> {
    let report = &ended.report;
    if !output.quiet {
        terminal.note_block(&table::table(report, terminal));
        terminal.note(&fit::prose(&last_line(ended, terminal.paint_stderr()), terminal.width_stderr(), 2));
    }
    if report.state() == RunState::Failed {
        let failure = failure::report(output, ended, terminal);
        terminal.note_block(&if output.quiet { failure } else { format!("\n{failure}") });
    }
    if report.state() == RunState::Interrupted {
        terminal.note_block(&interruption(output, ended, terminal.paint_stderr()));
    }
    if let (RunState::Cancelled, Some(number)) = (report.state(), ended.number) {
        let retry = shell::call(&["retry", &number.to_string()], output.home.as_deref());
        terminal.note(&format!("{} {retry}", terminal.paint_stderr().good("to run the rest:")));
    }
    for failure in report.callback_failures() {
        terminal.warn(&callback_failure(failure));
    }
    let (result, note) = match result(ended) {
        Some((result, note)) => (Some(result), note.map(|note| format!("the result is shown as text: {note}"))),
        None => (None, None),
    };
    let lost = ended.result.as_ref().err().filter(|_| report.is_success());
    let lost = lost.map(|failure| format!("the result of the run cannot be computed: {failure}"));
    if let Some(note) = &note {
        terminal.note(&format!("note: {note}"));
    }
    if output.json {
        terminal.print_json(&json::document(output, ended, result, note.or_else(|| lost.clone())))?;
    } else if let Some(result) = result {
        print(result, terminal)?;
    }
    match lost {
        Some(lost) => Err(CliError::Failure(lost)),
        None => Ok(()),
    }
}

/// ``the callback `page` failed: nobody is there (run .. failed); it is notified again``
fn callback_failure(failure: &CallbackFailure) -> String {
    let CallbackFailure { callback, notification, error, retry_at, .. } = failure;
    let error = error.split_whitespace().collect::<Vec<_>>().join(" ");
    let again = if retry_at.is_some() { "; it is notified again" } else { "" };
    format!("the callback `{callback}` failed: {error} ({notification}){again}")
}

/// `delays: failed in 1.23 s, 40 tasks: 38 success, 1 failed, 1 upstream_failed`
fn last_line(ended: &Ended, paint: Paint) -> String {
    let report = &ended.report;
    let mut counts: Vec<(TaskState, usize)> = Vec::new();
    for task in report.tasks().filter(|task| task.state() != TaskState::Removed) {
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
    let is_drawn = |task: &TaskReport<'_>| report.plan().node_of(task.index()).is_some();
    let taking_part = report.tasks().filter(|task| task.state() != TaskState::Removed);
    let (drawn, elements): (Vec<_>, Vec<_>) = taking_part.partition(is_drawn);
    let all = report.plan().task_count();
    let tasks = format::tasks(all, all - drawn.len(), elements.len());
    let more = ended.number.map(|number| paint.faint(&format!("; `status {number}` shows more"))).unwrap_or_default();
    format!(
        "{}: {state}{reason} in {}, {tasks}{counts}{more}",
        paint.strong(report.plan().id()),
        format::duration(report.duration())
    )
}

/// A call of this program that resumes the run.
pub(super) fn resume_command(output: &RunOutput, number: i64) -> String {
    shell::call(&["resume", &number.to_string()], output.home.as_deref())
}

/// Why a run was interrupted, and how to resume it.
fn interruption(output: &RunOutput, ended: &Ended, paint: Paint) -> String {
    let reason = ended.report.halt_reason().unwrap_or("the run was interrupted");
    let resume = ended.number.map(|number| format!("{} {}", paint.good("to resume:"), resume_command(output, number)));
    // A signal is no error.
    let error = ended.signal.is_none().then(|| format!("{} {}", paint.bad("error:"), one_line(reason)));
    error.into_iter().chain(resume).collect::<Vec<_>>().join("\n")
}

/// What the run returned, if it succeeded and returns anything, and why it is shown as text, if it
/// is.
fn result(ended: &Ended) -> Option<(serde_json::Value, Option<String>)> {
    let ty = ended.report.plan().result_type();
    let value = ended.result.as_ref().ok()?.as_ref()?;
    if !ended.report.is_success() || ty.path() == "()" {
        return None;
    }
    let shown = ty.readable_json(value);
    Some(shown.unwrap_or_else(|why| (format!("<{}>", ty.short()).into(), Some(why))))
}

/// Prints a string without quotes, anything else as JSON.
pub(super) fn print(value: serde_json::Value, terminal: &Terminal) -> io::Result<()> {
    match value {
        serde_json::Value::String(text) if text.ends_with('\n') => terminal.print_value(&text),
        serde_json::Value::String(text) => terminal.print_value(&(text + "\n")),
        other => terminal.print_json(&format!("{other:#}\n")),
    }
}
