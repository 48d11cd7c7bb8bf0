//! `replay RUN TASK`: runs one task again with the inputs it had, for a debugger. Nothing is
//! stored.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::drive::quiet_panics;
use super::error::{CliError, Exit};
use super::home::Home;
use super::terminal::Terminal;
use super::{args, format, run_args, summary};
use crate::ops;
use crate::render::palette::Mark;
use crate::run::TaskState;

pub(super) fn command() -> Command {
    Command::new("replay")
        .about("Run one task of a run again with the inputs it had; nothing is stored")
        .arg(run_args::run())
        .arg(run_args::task().required_unless_present("named").help("Task to run"))
        // Users of Airflow's `tasks test` try this first.
        .arg(Arg::new("named").long("task").value_name("TASK").conflicts_with("task").help("Same as TASK"))
        .arg(
            Arg::new("isolated")
                .long("isolated")
                .action(ArgAction::SetTrue)
                .help("Run an isolated task in a process of its own here, too"),
        )
}

pub(super) fn replay(matches: &ArgMatches, home: &Home, terminal: &Terminal) -> Result<Exit, CliError> {
    let journal = home.journal()?;
    let named = matches.get_one::<String>("named").map(String::as_str);
    let task = run_args::task_name(matches).or(named).unwrap_or_default();
    let json = args::wants_json(matches);
    quiet_panics();
    let cannot = |error: std::io::Error| CliError::Failure(format!("cannot start the task: {error}"));
    // The task may be async and need I/O and time.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(cannot)?;
    #[cfg(unix)]
    let redirect = if json { Some(super::live::capture::StdoutRedirect::start().map_err(cannot)?) } else { None };
    let run = run_args::run_name(matches);
    let replayed = runtime.block_on(ops::replay(&journal, run, task, matches.get_flag("isolated")));
    #[cfg(unix)]
    if let Some(redirect) = redirect {
        redirect.end()?;
    }
    let replayed = home.wait(std::future::ready(replayed))?;

    let state = replayed.state;
    let exit = if matches!(state, TaskState::Success | TaskState::Skipped) { Exit::Success } else { Exit::Failure };
    if json {
        run_args::print_json(&replayed, terminal)?;
        return Ok(exit);
    }
    match replayed.failure {
        Some(failure) if state == TaskState::Skipped => terminal.note(&format!("{task}: {failure}")),
        Some(failure) if state != TaskState::Failed => {
            terminal.error(&format!("task `{task}` does not run with these inputs: {failure}"));
        }
        Some(failure) => terminal.note_block(&summary::failed(task, &failure, terminal.paint_stderr())),
        None => {
            let state = terminal.paint_stderr().state(Mark::of(state.name()), state.name());
            terminal.note(&format!("{task}: {state} in {}", format::duration(replayed.duration)));
        }
    }
    // A task that returns nothing has no value to show.
    if let Some(value) = replayed.value.filter(|value| !value.is_null()) {
        summary::print(value, terminal)?;
    }
    Ok(exit)
}
