//! `retry [RUN]`: runs the failed tasks of a run again, and everything downstream of them.

use clap::{ArgMatches, Command};

use super::error::{CliError, Exit};
use super::home;
use super::resume::{handed_over, run_rest};
use super::source::Source;
use super::terminal::Terminal;
use super::{args, run_args};
use crate::ops::{self, Rerun};

pub(super) fn command() -> Command {
    let command = Command::new("retry")
        .about("Run the failed tasks of a run again, and everything downstream")
        .arg(run_args::run_or_last())
        .arg(run_args::dry_run("List the tasks that would run again, and change nothing"))
        .arg(run_args::token("Retry only what a preview with this token has shown"))
        .arg(run_args::reason())
        .arg(run_args::by());
    run_args::run_options(command)
}

pub(super) fn retry(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let (run, note) = (run_args::run_name(matches), run_args::note(matches));
    let token = run_args::token_of(matches);
    if matches.get_flag("dry-run") {
        let preview = source.preview_retry(run)?;
        if args::wants_json(matches) {
            return run_args::print_json(&preview, terminal);
        }
        run_args::print_tasks(&preview.tasks, terminal)?;
        let token = preview.token.unwrap_or_default();
        terminal.note(&format!("nothing was retried; --token {token} retries exactly this"));
        return Ok(Exit::Success);
    }
    let home = match source {
        Source::Home(home) => home,
        Source::Server(client) => return handed_over("retrying", &client.retry(run, token, &note)?, matches, terminal),
    };
    let journal = home.journal_with(home::sync(matches, home.config()))?;
    let durability = home::durability(matches, home.config());
    let rerun = match token {
        Some(token) => home.wait(ops::retry_previewed(&journal, run, token, &note, durability))?,
        None => home.wait(ops::retry(&journal, run, &note, durability))?,
    };
    let Rerun { cleared, request, .. } = rerun;
    terminal.note(&format!("retrying {}", run_args::tasks_of(cleared.number, &cleared.tasks)));
    run_rest(request, matches, &journal, home, terminal)
}
