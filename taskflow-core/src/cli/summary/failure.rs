//! The first failure of a run in detail, and what to do next.

use std::fmt::Write;

use super::super::drive::RunOutput;
use super::super::live::Ended;
use super::super::terminal::{Paint, Terminal};
use super::super::{fit, format, shell};
use crate::base::Failure;
use crate::base::text::one_line;
use crate::engine::{RunReport, TaskReport};
use crate::run::TaskState;

/// How many tasks are named in a list.
const NAMED: usize = 5;

/// Why the run failed.
pub(super) fn report(output: &RunOutput, ended: &Ended, terminal: &Terminal) -> String {
    let (report, paint) = (&ended.report, terminal.paint_stderr());
    let Some(task) = report.first_failure() else {
        return format!("{} {}", paint.bad("error:"), one_line(report.halt_reason().unwrap_or("the run failed")));
    };
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_failure(&mut text, task, ended, paint);
    let text = fit::prose(&text, terminal.width_stderr(), 4);
    // A command is not broken into lines: it is copied.
    let node = report.plan().node(task.node());
    format!("{text}{} {}", paint.good("to retry:"), retry_command(output, ended.number, node.id()))
}

/// The lines about the failure.
fn write_failure(text: &mut String, task: TaskReport<'_>, ended: &Ended, paint: Paint) -> std::fmt::Result {
    let report = &ended.report;
    let plan = report.plan();
    let attempts = task.attempts();
    let after = match attempts.len() {
        0 | 1 => String::new(),
        several => format!(" after {several} attempts"),
    };
    let name = paint.strong(&format!("`{}`", task.id()));
    let label = task.label().map(|label| format!(" ({label})")).unwrap_or_default();
    writeln!(text, "{} task {name}{label} failed{after}", paint.bad("error:"))?;
    if let Some(failure) = task.failure() {
        write_chain(text, &failure)?;
    }
    writeln!(text, "  {} {}", paint.faint("called at"), plan.node(task.node()).location())?;
    if let Some((last, earlier)) = attempts.split_last() {
        let from_start = format::duration(last.ended.since(report.started()));
        writeln!(text, "  {} {from_start} after the start of the run", paint.faint("failed"))?;
        let differs = |failure: &Failure| task.failure().is_none_or(|last| *last != *failure);
        for attempt in earlier.iter().filter(|attempt| attempt.failure.as_deref().is_some_and(differs)) {
            let why = attempt.failure.as_ref().map(ToString::to_string).unwrap_or_default();
            let number = paint.faint(&format!("attempt {}:", attempt.number));
            writeln!(text, "  {number} {}", format::first_line(&why))?;
        }
    }
    let (not_run, others) = consequences(report, &task.id());
    if !not_run.is_empty() {
        let label = paint.faint("not run as a result:");
        writeln!(text, "  {label} {}", format::some(&not_run, NAMED))?;
    }
    if !others.is_empty() {
        writeln!(text, "  {} {}", paint.faint("also failed:"), format::some(&others, NAMED))?;
    }
    Ok(())
}

/// The failure of a single task in detail.
#[cfg(feature = "sqlite")]
pub(in crate::cli) fn failed(task: &str, failure: &Failure, paint: Paint) -> String {
    let mut text = format!("{} task {} failed\n", paint.bad("error:"), paint.strong(&format!("`{task}`")));
    // Writing to a string does not fail.
    let _ = write_chain(&mut text, failure);
    text.truncate(text.trim_end().len());
    text
}

/// The message, then each cause on its own line.
fn write_chain(text: &mut String, failure: &Failure) -> std::fmt::Result {
    match failure {
        Failure::Panic { message, location } => {
            writeln!(text, "  panicked: {}", indented(message))?;
            if let Some(location) = location {
                writeln!(text, "    at {location}")?;
            }
        }
        other => writeln!(text, "  {}", indented(&other.to_string()))?,
    }
    failure.causes().iter().try_for_each(|cause| writeln!(text, "    caused by: {}", indented(cause)))
}

/// Indents the further lines of a message.
fn indented(message: &str) -> String {
    message.trim_end().replace('\n', "\n      ")
}

/// The tasks that did not run because this one failed, and the other failed tasks.
fn consequences(report: &RunReport, id: &str) -> (Vec<String>, Vec<String>) {
    let (mut not_run, mut others) = (Vec::new(), Vec::new());
    for task in report.tasks() {
        match task.state() {
            TaskState::UpstreamFailed => {
                if let Some(Failure::UpstreamFailed { task: root }) = task.failure().as_deref()
                    && root == id
                {
                    not_run.push(named(&task));
                }
            }
            TaskState::Failed if task.id() != id => others.push(named(&task)),
            _ => {}
        }
    }
    (not_run, others)
}

fn named(task: &TaskReport<'_>) -> String {
    format::task(&task.id(), task.label().as_deref())
}

/// The command that runs the failed task and everything downstream again, in the same run if it is
/// stored.
fn retry_command(output: &RunOutput, number: Option<i64>, task: &str) -> String {
    if let Some(number) = number {
        return shell::call(&["retry", &number.to_string()], output.home.as_deref());
    }
    let mut words = vec!["run".to_owned(), output.plan.id().to_owned(), "--from".to_owned(), task.to_owned()];
    words.extend(output.given.iter().cloned());
    shell::call(&words, output.home.as_deref())
}
