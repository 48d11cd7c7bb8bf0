//! `mark STATE RUN TASK..`: sets the state of tasks.

use clap::{Arg, ArgMatches, Command};

use super::error::{CliError, Exit};
use super::home;
use super::resume::run_rest;
use super::source::Source;
use super::terminal::Terminal;
use super::{args, format, run_args};
use crate::journal::TaskFilter;
use crate::ops::{self, Mark, MarkPreview};
use crate::run::TaskState;

const STATES: [TaskState; 3] = [TaskState::Success, TaskState::Failed, TaskState::Skipped];

pub(super) fn command() -> Command {
    let command = Command::new("mark")
        .about("Set the state of tasks of a run: success, failed or skipped")
        .arg(
            Arg::new("as")
                .value_name("STATE")
                .required(true)
                .value_parser(STATES.map(TaskState::name))
                .help("State to set"),
        )
        .arg(run_args::run())
        .arg(Arg::new("tasks").value_name("TASK|GROUP").num_args(1..).required(true).help("Tasks and groups to mark"))
        .arg(run_args::json_value().help("Value that they returned, with `mark success`"))
        .arg(run_args::dry_run("List the tasks that would be marked, and change nothing"))
        .arg(run_args::token("Mark only what a preview with this token has shown"))
        .arg(run_args::reason())
        .arg(run_args::by());
    run_args::run_options(command)
}

pub(super) fn mark(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let name = matches.get_one::<String>("as").map(String::as_str).unwrap_or_default();
    let Some(state) = STATES.into_iter().find(|state| state.name() == name) else {
        return Err(CliError::usage("a task can be marked as success, failed or skipped"));
    };
    let mark = Mark { state, value: matches.get_one::<serde_json::Value>("value").cloned() };
    let tasks: Vec<String> = matches.get_many::<String>("tasks").unwrap_or_default().cloned().collect();
    let (run, note) = (run_args::run_name(matches), run_args::note(matches));
    let token = run_args::token_of(matches);
    if matches.get_flag("dry-run") {
        return preview(&source.preview_mark(run, &tasks, &mark)?, matches, terminal);
    }
    let home = match source {
        Source::Home(home) => home,
        Source::Server(client) => {
            let marked = client.mark(run, &tasks, &mark, token, &note)?;
            if args::wants_json(matches) {
                return run_args::print_json(&marked, terminal);
            }
            terminal.note(&format!("marked as {state}: {}", run_args::tasks_of(marked.number, &marked.tasks)));
            return Ok(Exit::Success);
        }
    };
    let journal = home.journal_with(home::sync(matches, home.config()))?;
    let filter = TaskFilter::tasks(tasks);
    let durability = home::durability(matches, home.config());
    let mut marked = match token {
        Some(token) => home.wait(ops::mark_previewed(&journal, run, &filter, &mark, token, &note, durability))?,
        None => home.wait(ops::mark(&journal, run, &filter, &mark, &note, durability))?,
    };
    let (number, tasks) = (marked.number, run_args::tasks_of(marked.number, &marked.tasks));
    if let Some(request) = marked.request.take() {
        terminal.note(&format!("marked as {state}: {tasks}"));
        return run_rest(request, matches, &journal, home, terminal);
    }
    if args::wants_json(matches) {
        return run_args::print_json(&marked, terminal);
    }
    terminal.note(&format!("marked as {state}: {tasks}; `resume {number}` runs what is left"));
    Ok(Exit::Success)
}

fn preview(preview: &MarkPreview, matches: &ArgMatches, terminal: &Terminal) -> Result<Exit, CliError> {
    if args::wants_json(matches) {
        return run_args::print_json(preview, terminal);
    }
    let MarkPreview { number, tasks, undecided, ends, token, .. } = preview;
    run_args::print_tasks(tasks, terminal)?;
    if !undecided.is_empty() {
        let tasks = format::some(undecided, 10);
        terminal.note(&format!("`resume {number}` decides anew about what follows from them: {tasks}"));
    }
    if *ends {
        terminal.note(&format!("nothing is left to run then: run {number} ends"));
    }
    terminal.note(&format!("nothing was marked; --token {token} marks exactly this"));
    Ok(Exit::Success)
}
