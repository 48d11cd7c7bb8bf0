//! The first failure of a run in detail, and what to do next.

use std::fmt::Write;

use super::super::drive::RunOutput;
use super::super::format;
use super::super::live::Ended;
use super::super::terminal::Paint;
use crate::base::Failure;
use crate::base::text::{is_unsafe, one_line};
use crate::engine::{RunReport, TaskReport};
use crate::run::TaskState;

/// How many tasks are named in a list.
const NAMED: usize = 5;

/// Why the run failed.
pub(super) fn report(output: &RunOutput, ended: &Ended, paint: Paint) -> String {
    let mut text = String::new();
    let report = &ended.report;
    // Writing to a string does not fail.
    let _ = match report.first_failure() {
        Some(task) => write_failure(&mut text, task, output, ended, paint),
        None => write!(text, "{} {}", paint.bad("error:"), one_line(report.halt_reason().unwrap_or("the run failed"))),
    };
    text
}

fn write_failure(
    text: &mut String,
    task: TaskReport<'_>,
    output: &RunOutput,
    ended: &Ended,
    paint: Paint,
) -> std::fmt::Result {
    let report = &ended.report;
    let plan = report.plan();
    let attempts = task.attempts();
    let after = match attempts.len() {
        0 | 1 => String::new(),
        several => format!(" after {several} attempts"),
    };
    writeln!(text, "{} task {} failed{after}", paint.bad("error:"), paint.strong(&format!("`{}`", task.id())))?;
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
    write!(text, "{} {}", paint.good("to retry:"), retry_command(output, ended.number, plan.node(task.node()).id()))
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
                    not_run.push(task.id().into_owned());
                }
            }
            TaskState::Failed if task.id() != id => others.push(task.id().into_owned()),
            _ => {}
        }
    }
    (not_run, others)
}

/// The command that runs the failed task and everything downstream again, in the same run if it is
/// stored.
fn retry_command(output: &RunOutput, number: Option<i64>, task: &str) -> String {
    if let Some(number) = number {
        return command(output, &["retry".to_owned(), number.to_string()]);
    }
    let mut words = vec!["run".to_owned(), output.plan.id().to_owned(), "--from".to_owned(), task.to_owned()];
    words.extend(output.given.iter().cloned());
    command(output, &words)
}

/// A call of this program with the same home, as a shell takes it.
pub(super) fn command(output: &RunOutput, words: &[String]) -> String {
    let program = std::env::args().next().unwrap_or_else(|| output.plan.id().to_owned());
    let home = output.home.iter().flat_map(|home| ["--home".to_owned(), home.display().to_string()]);
    let words: Vec<String> =
        [program].into_iter().chain(words.iter().cloned()).chain(home).map(|word| quoted(&word)).collect();
    words.join(" ")
}

/// Quotes a word for a shell.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let is_special = |c: char| c == '\n' || c == '\t' || is_unsafe(c);
    if !word.contains(is_special) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    // A terminal does not show these characters, and a shell takes their escapes in this form.
    let escaped = word.chars().map(|c| match c {
        '\'' | '\\' => format!("\\{c}"),
        '\n' => r"\n".to_owned(),
        c if is_special(c) && u32::from(c) < 0x10000 => format!("\\u{:04x}", u32::from(c)),
        c if is_special(c) => format!("\\U{:08x}", u32::from(c)),
        c => c.to_string(),
    });
    format!("$'{}'", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_where_a_shell_would_split_them() {
        assert_eq!(quoted("--day=2013-01-07"), "--day=2013-01-07");
        assert_eq!(quoted("--name=Ada L"), "'--name=Ada L'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(
            quoted("--text=it's\n\x1b[2J\\ \u{202e}\u{e0041}"),
            r"$'--text=it\'s\n\u001b[2J\\ \u202e\U000e0041'"
        );
    }
}
