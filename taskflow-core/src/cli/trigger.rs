//! `trigger [DAG]`: queues a run for the process that serves the home.

use clap::ArgMatches;

use super::choose::Dags;
use super::error::{CliError, Exit};
use super::home::Home;
use super::terminal::Terminal;
use super::{args, consumers, flags, moment, run_args, schedules, setup};
use crate::ops::{self, RunSummaryDocument};
use crate::store::SyncMode;

pub(super) fn trigger(matches: &ArgMatches, dags: &Dags, terminal: &Terminal) -> Result<Exit, CliError> {
    let (dag, matches) = dags.of(matches)?;
    let config = setup::load(matches)?;
    let draft = moment::draft(matches, dag)?;
    let params = draft.plan().params();
    let events = consumers::stored_events(matches, params, &config, terminal)?;
    let (params, _) = flags::read(matches, params, &args::taken(), draft.info(), &events).map_err(CliError::Usage)?;
    let home = Home::of(matches, config, terminal)?;
    let journal = home.create_journal(SyncMode::Full)?;
    let run = home.wait(ops::trigger(draft.params(params), &journal))?;
    if args::wants_json(matches) {
        return run_args::print_json(&RunSummaryDocument::of(&run), terminal);
    }
    schedules::note_pause(dag, &journal, &home, terminal)?;
    terminal.note(&format!("run {} of `{}` is queued; `serve` starts it", run.number, run.info.dag_id));
    Ok(Exit::Success)
}
