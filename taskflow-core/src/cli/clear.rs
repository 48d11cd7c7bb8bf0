//! `clear RUN [TASK..]`: clears tasks of a run and runs them again.

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command};

use super::error::{CliError, Exit};
use super::home::{self, Home};
use super::resume::run_rest;
use super::terminal::Terminal;
use super::{args, run_args};
use crate::base::text::one_line;
use crate::journal::TaskFilter;
use crate::ops::{self, Rerun};

pub(super) fn command() -> Command {
    let switch =
        |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    let command = Command::new("clear")
        .about("Clear tasks of a run and run them again")
        .after_help("Without a task, clears the whole run. Earlier attempts stay in the history.")
        .arg(run_args::run())
        .arg(Arg::new("tasks").value_name("TASK|GROUP").num_args(0..).help("Tasks and groups to clear"))
        .arg(Arg::new("only").long("only").value_name("TASK").help("Clear only this task"))
        .arg(Arg::new("from").long("from").value_name("TASK").help("Clear this task and everything downstream of it"))
        .group(ArgGroup::new("meant").args(["tasks", "only", "from"]))
        .arg(switch("upstream", "Also clear everything upstream of them").conflicts_with_all(["only", "from"]))
        .arg(switch("downstream", "Also clear everything downstream of them").conflicts_with_all(["only", "from"]))
        .arg(switch("failed", "Clear only those that failed or did not run because another task failed"))
        .arg(switch("dry-run", "List the tasks that would run again, and change nothing"))
        .arg(switch("no-run", "Do not run them now; `resume` does"))
        .arg(run_args::reason())
        .arg(run_args::by());
    run_args::run_options(command)
}

fn filter(matches: &ArgMatches) -> TaskFilter {
    let one = |flag: &str| matches.get_one::<String>(flag).cloned();
    let mut filter = match (one("only"), one("from"), matches.get_many::<String>("tasks")) {
        (Some(only), ..) => TaskFilter::tasks([only]),
        (_, Some(from), _) => TaskFilter::tasks([from]).downstream(),
        (.., Some(tasks)) => TaskFilter::tasks(tasks.cloned()),
        _ => TaskFilter::all(),
    };
    if matches.get_flag("failed") {
        filter = filter.failed();
    }
    if matches.get_flag("upstream") {
        filter = filter.upstream();
    }
    if matches.get_flag("downstream") {
        filter = filter.downstream();
    }
    filter
}

pub(super) fn clear(matches: &ArgMatches, home: &Home, terminal: &Terminal) -> Result<Exit, CliError> {
    let journal = home.journal_with(home::sync(matches, home.config()))?;
    let (run, filter, note) = (run_args::run_name(matches), filter(matches), run_args::note(matches));
    let json = args::wants_json(matches);
    if matches.get_flag("dry-run") {
        let cleared = home.wait(ops::would_clear(&journal, run, &filter))?;
        if json {
            return run_args::print_json(&cleared, terminal);
        }
        let lines: String = cleared.tasks.iter().map(|task| format!("{}\n", one_line(task))).collect();
        terminal.print(&lines)?;
        return Ok(Exit::Success);
    }
    if matches.get_flag("no-run") {
        let cleared = home.wait(ops::clear(&journal, run, &filter, &note))?;
        if json {
            return run_args::print_json(&cleared, terminal);
        }
        let (number, tasks) = (cleared.number, run_args::tasks_of(cleared.number, &cleared.tasks));
        terminal.note(&format!("cleared {tasks}; `resume {number}` runs them"));
        return Ok(Exit::Success);
    }
    let durability = home::durability(matches, home.config());
    let Rerun { cleared, request, .. } = home.wait(ops::clear_and_run(&journal, run, &filter, &note, durability))?;
    terminal.note(&format!("cleared {}", run_args::tasks_of(cleared.number, &cleared.tasks)));
    run_rest(request, matches, &journal, home, terminal)
}
