//! `explain RUN [TASK]`: explains the states of tasks.

use std::collections::{HashMap, HashSet};

use clap::{ArgMatches, Command};

use super::error::{CliError, Exit};
use super::source::Source;
use super::terminal::{Paint, Terminal};
use super::{args, fit, run_args, status};
use crate::journal::Explanation;
use crate::ops::TaskStatus;
use crate::render::palette::Mark;

/// Further tasks are only counted.
const SHOWN: usize = 50;

pub(super) fn command() -> Command {
    Command::new("explain")
        .about("Explain why tasks of a run wait, did not run or failed")
        .arg(run_args::run())
        .arg(run_args::task().help("Only this task [default: all that have not succeeded]"))
}

pub(super) fn explain(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let run = source.run(run_args::run_name(matches))?;
    let explanations = match run_args::task_name(matches) {
        Some(task) => vec![run.explain(task)?],
        None => run.explain_open()?,
    };
    if args::wants_json(matches) {
        return run_args::print_json(&explanations, terminal);
    }
    let number = run.status.number;
    if let Some(wait) = &run.status.queue_wait {
        let wait = format!("run {number} is queued: it {wait}\n");
        terminal.print(&fit::prose(&wait, terminal.width_stdout(), 4))?;
    }
    if explanations.is_empty() {
        terminal.print(&format!("run {number}: {}; nothing to explain\n", status::counts(&run)))?;
        return Ok(Exit::Success);
    }
    if let Some(missed) = &run.status.missed_deadline {
        let why = if missed.reason.is_empty() { String::new() } else { format!(": {}", missed.reason) };
        terminal.print(&format!("run {number} missed its deadline, {}{why}\n", missed.deadline))?;
    }
    for missed in &run.status.missed_task_deadlines {
        terminal.print(&format!(
            "{} missed its deadline, {}{}\n",
            missed.task,
            missed.deadline,
            status::open(missed)
        ))?;
    }
    let of_interest: HashSet<&str> = explanations.iter().take(SHOWN).map(|explanation| &*explanation.task).collect();
    let found = run.tasks().filter(|task| of_interest.contains(task.id));
    let tasks: HashMap<&str, TaskStatus> = found.map(|task| (task.id, run.task(task.place))).collect();
    let shown: String = explanations
        .iter()
        .take(SHOWN)
        .map(|explanation| paragraph(explanation, tasks.get(&*explanation.task), terminal.paint_stdout()))
        .map(|paragraph| fit::prose(&paragraph, terminal.width_stdout(), 4))
        .collect();
    terminal.print(&shown)?;
    if explanations.len() > SHOWN {
        let more = explanations.len() - SHOWN;
        terminal.note(&format!("and {more} more; name a task, or use --output json"));
    }
    Ok(Exit::Success)
}

fn paragraph(explanation: &Explanation, known: Option<&TaskStatus>, paint: Paint) -> String {
    let Explanation { task, state, why, .. } = explanation;
    let label = known.and_then(|known| known.label.as_deref());
    let label = label.map(|label| format!(" ({label})")).unwrap_or_default();
    let state = paint.state(Mark::of(state.name()), state.name());
    let mut text = format!("{}{label}: {state}\n", paint.strong(task));
    for sentence in why {
        text += &format!("  {}\n", sentence.trim_end().replace('\n', "\n    "));
    }
    for cause in known.and_then(|known| known.reason.as_ref()).map_or(&[][..], |reason| &reason.causes) {
        text += &format!("    caused by: {}\n", cause.trim_end().replace('\n', "\n      "));
    }
    text
}
