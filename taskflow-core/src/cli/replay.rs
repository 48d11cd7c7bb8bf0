//! `replay RUN TASK`: runs one task again with the inputs it had, for a debugger. Nothing is
//! written.

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Serialize;
use serde_json::Value;

use super::drive::quiet_panics;
use super::error::{CliError, Exit};
use super::home::Home;
use super::summary::{self, Reason};
use super::terminal::Terminal;
use super::{args, format, run_args};
use crate::run::TaskState;

pub(super) fn command() -> Command {
    Command::new("replay")
        .about("Run one task of a run again with the inputs it had; nothing is stored")
        .arg(run_args::run())
        .arg(run_args::task().required_unless_present("named").help("Which task"))
        // What a person who thinks of Airflow's `tasks test` writes first.
        .arg(Arg::new("named").long("task").value_name("TASK").conflicts_with("task").help("The same, by name"))
        .arg(
            Arg::new("isolated")
                .long("isolated")
                .action(ArgAction::SetTrue)
                .help("Give an isolated task a process of its own here, too; otherwise it runs in this one"),
        )
}

/// What came of it.
#[derive(Serialize)]
struct Document<'a> {
    task: &'a str,
    state: TaskState,
    value: Option<Value>,
    failure: Option<Reason>,
}

pub(super) fn replay(matches: &ArgMatches, home: &Home, terminal: &Terminal) -> Result<Exit, CliError> {
    let journal = home.need()?;
    let named = matches.get_one::<String>("named").map(String::as_str);
    let task = run_args::task_word(matches).or(named).unwrap_or_default();
    let json = args::wants_json(matches);
    quiet_panics();
    let cannot = |error: std::io::Error| CliError::Failure(format!("cannot start what the task needs: {error}"));
    // The task may be async, and want all that a runtime can have.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(cannot)?;
    #[cfg(unix)]
    let aside = if json { Some(super::live::capture::Aside::start().map_err(cannot)?) } else { None };
    let run = run_args::run_word(matches);
    let replayed = match matches.get_flag("isolated") {
        true => runtime.block_on(journal.replay_isolated(run, task)),
        false => runtime.block_on(journal.replay(run, task)),
    };
    #[cfg(unix)]
    if let Some(aside) = aside {
        aside.end()?;
    }
    let replayed = home.wait(std::future::ready(replayed))?;

    let known = replayed.report.task(task);
    let state = known.map_or(TaskState::None, |known| known.state());
    let failure = known.and_then(|known| known.failure());
    let damaged = |error: String| CliError::Failure(format!("the value of task `{task}` cannot be shown: {error}"));
    let value = replayed.value.map(|value| value.json().map_err(damaged)).transpose()?;
    let exit = if matches!(state, TaskState::Success | TaskState::Skipped) { Exit::Success } else { Exit::Failure };
    if json {
        let failure = failure.as_deref().map(Reason::of);
        run_args::print_json(&Document { task, state, value, failure }, terminal)?;
        return Ok(exit);
    }
    match failure {
        Some(failure) if state == TaskState::Skipped => terminal.note(&format!("{task}: {failure}")),
        Some(failure) if state != TaskState::Failed => {
            terminal.error(&format!("task `{task}` does not run with these inputs: {failure}"));
        }
        Some(failure) => terminal.note(&summary::failed(task, &failure, terminal.paint_stderr())),
        None => {
            let took = known.map(|known| format::duration(known.duration())).unwrap_or_default();
            terminal.note(&format!("{task}: {state} in {took}"));
        }
    }
    // A task that returns nothing has no value worth a line.
    if let Some(value) = value.filter(|value| !value.is_null()) {
        summary::print(value, terminal)?;
    }
    Ok(exit)
}
