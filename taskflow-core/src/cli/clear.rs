//! `clear RUN [TASK..]`: clears tasks of a run and runs them again.

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command};

use super::error::{CliError, Exit};
use super::home;
use super::resume::{handed_over, run_rest};
use super::source::{ClearAsked, Source};
use super::terminal::Terminal;
use super::{args, run_args};
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
        .arg(run_args::dry_run("List the tasks that would run again, and change nothing"))
        .arg(switch("no-run", "Do not run them now; `resume` does"))
        .arg(run_args::token("Clear only what a preview with this token has shown").conflicts_with("no-run"))
        .arg(run_args::reason())
        .arg(run_args::by());
    run_args::run_options(command)
}

fn asked(matches: &ArgMatches) -> ClearAsked {
    let one = |flag: &str| matches.get_one::<String>(flag).cloned();
    let (only, from) = (one("only"), one("from"));
    let downstream = matches.get_flag("downstream") || from.is_some();
    let several = || Some(matches.get_many::<String>("tasks")?.cloned().collect());
    ClearAsked {
        tasks: only.or(from).map(|task| vec![task]).or_else(several),
        failed: matches.get_flag("failed"),
        upstream: matches.get_flag("upstream"),
        downstream,
    }
}

pub(super) fn clear(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let (run, asked, note) = (run_args::run_name(matches), asked(matches), run_args::note(matches));
    let token = run_args::token_of(matches);
    let json = args::wants_json(matches);
    if matches.get_flag("dry-run") {
        let preview = source.preview_clear(run, &asked)?;
        if json {
            return run_args::print_json(&preview, terminal);
        }
        run_args::print_tasks(&preview.tasks, terminal)?;
        terminal.note(&format!("nothing was cleared; --token {} clears exactly this", preview.token));
        return Ok(Exit::Success);
    }
    if matches.get_flag("no-run") {
        let cleared = source.only_clear(run, &asked, &note)?;
        if json {
            return run_args::print_json(&cleared, terminal);
        }
        let (number, tasks) = (cleared.number, run_args::tasks_of(cleared.number, &cleared.tasks));
        terminal.note(&format!("cleared {tasks}; `resume {number}` runs them"));
        return Ok(Exit::Success);
    }
    let home = match source {
        Source::Home(home) => home,
        Source::Server(client) => {
            return handed_over("cleared", &client.clear(run, &asked, token, &note)?, matches, terminal);
        }
    };
    let journal = home.journal_with(home::sync(matches, home.config()))?;
    let (filter, durability) = (asked.filter(), home::durability(matches, home.config()));
    let rerun = match token {
        Some(token) => home.wait(ops::clear_previewed(&journal, run, &filter, token, &note, durability))?,
        None => home.wait(ops::clear_and_run(&journal, run, &filter, &note, durability))?,
    };
    let Rerun { cleared, request, .. } = rerun;
    terminal.note(&format!("cleared {}", run_args::tasks_of(cleared.number, &cleared.tasks)));
    run_rest(request, matches, &journal, home, terminal)
}
