//! `explain RUN [TASK]`: explains the states of tasks.

use clap::{ArgMatches, Command};

use super::error::{CliError, Exit};
use super::home::Home;
use super::terminal::{Paint, Terminal};
use super::{args, fit, run_args, status};
use crate::journal::{Explanation, RunHistory};
use crate::ops;

/// Further tasks are only counted.
const SHOWN: usize = 50;

pub(super) fn command() -> Command {
    Command::new("explain")
        .about("Explain why tasks of a run wait, did not run or failed")
        .arg(run_args::run())
        .arg(run_args::task().help("Only this task [default: all that have not succeeded]"))
}

pub(super) fn explain(matches: &ArgMatches, home: &Home, terminal: &Terminal) -> Result<Exit, CliError> {
    let journal = home.journal()?;
    let history = home.wait(ops::history(&journal, run_args::run_name(matches)))?;
    let explanations = match run_args::task_name(matches) {
        Some(task) => vec![history.explain_at(history.place(task)?)],
        None => history.explain_open(),
    };
    if args::wants_json(matches) {
        return run_args::print_json(&explanations, terminal);
    }
    if explanations.is_empty() {
        terminal.print(&format!("run {}: {}; nothing to explain\n", history.number, status::counts(&history)))?;
        return Ok(Exit::Success);
    }
    if let Some(missed) = &history.missed_deadline {
        let why = if missed.reason.is_empty() { String::new() } else { format!(": {}", missed.reason) };
        terminal.print(&format!("run {} missed its deadline, {}{why}\n", history.number, missed.deadline))?;
    }
    for missed in &history.missed_task_deadlines {
        terminal.print(&format!(
            "{} missed its deadline, {}{}\n",
            missed.task,
            missed.deadline,
            status::open(missed)
        ))?;
    }
    let shown: String = explanations
        .iter()
        .take(SHOWN)
        .map(|explanation| paragraph(explanation, &history, terminal.paint_stdout()))
        .map(|paragraph| fit::prose(&paragraph, terminal.width_stdout(), 4))
        .collect();
    terminal.print(&shown)?;
    if explanations.len() > SHOWN {
        let more = explanations.len() - SHOWN;
        terminal.note(&format!("and {more} more; name a task, or use --output json"));
    }
    Ok(Exit::Success)
}

fn paragraph(explanation: &Explanation, history: &RunHistory, paint: Paint) -> String {
    let Explanation { task, state, why, .. } = explanation;
    let label = history.task(task).and_then(|known| known.label.as_deref());
    let label = label.map(|label| format!(" ({label})")).unwrap_or_default();
    let mut text = format!("{}{label}: {state}\n", paint.strong(task));
    for sentence in why {
        text += &format!("  {}\n", sentence.trim_end().replace('\n', "\n    "));
    }
    if let Some(failure) = history.task(task).and_then(|known| known.failure.as_ref()) {
        for cause in failure.causes() {
            text += &format!("    caused by: {}\n", cause.trim_end().replace('\n', "\n      "));
        }
    }
    text
}
