//! `clear RUN [TASK..]`: lets tasks of a run run again, and runs them.

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command};
use serde::Serialize;

use super::error::{CliError, Exit};
use super::home::{self, Home};
use super::resume::go_on;
use super::terminal::Terminal;
use super::{args, run_args};
use crate::journal::TaskFilter;

pub(super) fn command() -> Command {
    let switch =
        |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    let command = Command::new("clear")
        .about("Let tasks of a run run again, and run them")
        .after_help("Without a task, all of the run. Attempts that were made stay in the history.")
        .arg(run_args::run())
        .arg(
            Arg::new("tasks").value_name("TASK|GROUP").num_args(0..).help("These tasks, and the tasks of these groups"),
        )
        .arg(Arg::new("only").long("only").value_name("TASK").help("This task and no other"))
        .arg(Arg::new("from").long("from").value_name("TASK").help("This task and what depends on it"))
        .group(ArgGroup::new("meant").args(["tasks", "only", "from"]))
        .arg(switch("upstream", "And everything upstream of them").conflicts_with_all(["only", "from"]))
        .arg(switch("downstream", "And everything downstream of them").conflicts_with_all(["only", "from"]))
        .arg(switch("failed", "Of them, those that failed or did not run because another one failed"))
        .arg(switch("dry-run", "Say which tasks would run again, and do nothing"))
        .arg(switch("no-run", "Leave running them to `resume`"))
        .arg(run_args::reason());
    run_args::going_on(command)
}

fn pick(matches: &ArgMatches) -> TaskFilter {
    let one = |flag: &str| matches.get_one::<String>(flag).cloned();
    let mut pick = match (one("only"), one("from"), matches.get_many::<String>("tasks")) {
        (Some(only), ..) => TaskFilter::tasks([only]),
        (_, Some(from), _) => TaskFilter::tasks([from]).downstream(),
        (.., Some(tasks)) => TaskFilter::tasks(tasks.cloned()),
        _ => TaskFilter::all(),
    };
    if matches.get_flag("failed") {
        pick = pick.failed();
    }
    if matches.get_flag("upstream") {
        pick = pick.upstream();
    }
    if matches.get_flag("downstream") {
        pick = pick.downstream();
    }
    pick
}

/// What was cleared, or would be.
#[derive(Serialize)]
struct Document {
    number: i64,
    tasks: Vec<String>,
    dry_run: bool,
}

pub(super) fn clear(matches: &ArgMatches, home: &Home, terminal: &Terminal) -> Result<Exit, CliError> {
    let journal = home.need_with(home::sync(matches, home.config()))?;
    let run = home.find(&journal, run_args::run_word(matches))?;
    let (id, number, pick) = (&run.info.run_id, run.number, pick(matches));
    let json = args::wants_json(matches);
    if matches.get_flag("dry-run") {
        let tasks = home.wait(journal.would_clear(id, &pick))?;
        if json {
            return run_args::print_json(&Document { number, tasks, dry_run: true }, terminal);
        }
        let lines: String = tasks.iter().map(|task| format!("{task}\n")).collect();
        terminal.print(&lines)?;
        return Ok(Exit::Success);
    }
    let mut adopted = home.wait(journal.adopt(id))?;
    let tasks = home.wait(adopted.clear(&pick, &run_args::note(matches)))?;
    let told = run_args::tasks_of(number, &tasks);
    if matches.get_flag("no-run") {
        if json {
            return run_args::print_json(&Document { number, tasks, dry_run: false }, terminal);
        }
        terminal.note(&format!("cleared {told}; `resume {number}` runs them"));
        return Ok(Exit::Success);
    }
    terminal.note(&format!("cleared {told}"));
    let request = home.wait(adopted.resume())?;
    go_on(request, matches, &journal, home, terminal)
}
