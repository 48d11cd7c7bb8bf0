//! `trigger [DAG]`: queues a run for the process that serves the home.

use clap::ArgMatches;

use super::choose::Dags;
use super::error::{CliError, Exit};
use super::home::Home;
use super::source::{Client, Source, TriggerAsked};
use super::terminal::Terminal;
use super::{args, consumers, flags, moment, run_args, schedules, setup};
use crate::dag::DagDef;
use crate::ops::{self, RunSummaryDocument};
use crate::store::SyncMode;

pub(super) fn trigger(matches: &ArgMatches, dags: &Dags, terminal: &Terminal) -> Result<Exit, CliError> {
    let (dag, matches) = dags.of(matches)?;
    let (source, run) = match Source::service(matches)? {
        Some(client) => {
            let run = ask(dag, &client, matches)?;
            (Source::Server(client), run)
        }
        None => store(dag, matches, terminal)?,
    };
    if args::wants_json(matches) {
        return run_args::print_json(&run, terminal);
    }
    schedules::note_pause(dag.id, source.pause_of(dag.id)?, terminal);
    terminal.note(&format!("run {} of `{}` is queued; `serve` starts it", run.number, run.dag_id));
    Ok(Exit::Success)
}

/// Asks a service, which checks the parameters.
fn ask(dag: &'static DagDef, client: &Client, matches: &ArgMatches) -> Result<RunSummaryDocument, CliError> {
    let (logical_date, interval) = moment::given(matches, dag)?;
    let params = flags::all_texts(matches, dag.plan().map_err(ops::OpsError::from)?.params());
    client.trigger(dag.id, &TriggerAsked { params, logical_date, interval })
}

/// Stores the run in a home.
fn store(
    dag: &'static DagDef,
    matches: &ArgMatches,
    terminal: &Terminal,
) -> Result<(Source, RunSummaryDocument), CliError> {
    let config = setup::load(matches)?;
    let draft = moment::draft(matches, dag)?;
    let params = draft.plan().params();
    let events = consumers::stored_events(matches, params, &config, terminal)?;
    let (params, _) = flags::read(matches, params, &args::taken(), draft.info(), &events).map_err(CliError::Usage)?;
    let home = Home::of(matches, config, terminal)?;
    let journal = home.create_journal(SyncMode::Full)?;
    let run = home.wait(ops::trigger(draft.params(params), &journal))?;
    Ok((Source::Home(home), RunSummaryDocument::of(&run)))
}
