//! `run [DAG]`: one run of a DAG, from its flags to its exit code.
//!
//! 1. Checks all arguments before anything starts: the configuration, the DAG, its graph, the
//!    parameters, the named tasks.
//! 2. Opens the journal, unless the run is ephemeral.
//! 3. [Runs](super::drive) the DAG to its end.

#[cfg(not(feature = "sqlite"))]
use std::collections::HashMap;

use clap::ArgMatches;

use super::choose::Dags;
use super::drive::{RunFlags, RunInvocation, drive};
use super::error::{CliError, Exit};
#[cfg(feature = "sqlite")]
use super::home::{self, Home};
#[cfg(feature = "sqlite")]
use super::schedules;
use super::terminal::Terminal;
use super::{args, flags, moment, setup};
use crate::config::Config;
use crate::dag::DagDef;
#[cfg(feature = "sqlite")]
use crate::journal::Journal;
use crate::ops::{self, Draft};
#[cfg(feature = "sqlite")]
use crate::run::Durability;

pub(super) fn run(matches: &ArgMatches, dags: &Dags, terminal: &Terminal) -> Result<Exit, CliError> {
    let (dag, matches) = dags.of(matches)?;
    let config = setup::load(matches)?;
    let (draft, given) = draft(matches, dag, &config, terminal)?;
    let flags = RunFlags::read(matches);
    #[cfg(feature = "sqlite")]
    if let Some((home, journal)) = journal(matches, &config, terminal)? {
        if !flags.quiet {
            schedules::note_pause(dag.id, schedules::pause_of(dag, &journal, &home)?, terminal);
        }
        let request = ops::start(draft, Some((&journal, home::durability(matches, &config))));
        let home_of_run = Some(home.home().clone());
        let exit = drive(RunInvocation { flags, request, home: home_of_run, resumed: false, given, config }, terminal);
        home.close(&journal);
        return exit;
    }
    let request = ops::start(draft, None);
    drive(
        RunInvocation {
            flags,
            request,
            #[cfg(feature = "sqlite")]
            home: None,
            resumed: false,
            given,
            config,
        },
        terminal,
    )
}

/// The run with its parameters and options, checked, and the flags that gave the parameters.
fn draft(
    matches: &ArgMatches,
    dag: &'static DagDef,
    config: &Config,
    terminal: &Terminal,
) -> Result<(Draft, Vec<String>), CliError> {
    let draft = moment::draft(matches, dag)?;
    let params = draft.plan().params();
    #[cfg(feature = "sqlite")]
    let events = super::consumers::stored_events(matches, params, config, terminal)?;
    #[cfg(not(feature = "sqlite"))]
    let (events, _) = (HashMap::new(), terminal);
    let (params, given) =
        flags::read(matches, params, &args::taken(), draft.info(), &events).map_err(CliError::Usage)?;
    let named = |flag| matches.get_one::<String>(flag);
    let mut draft = match (named("only"), named("from")) {
        (Some(task), _) => draft.only(task)?,
        (_, Some(task)) => draft.from(task)?,
        (None, None) => draft,
    };
    if let Some(fail_fast) = ops::fail_fast(config, matches.get_one::<bool>("fail-fast").copied()) {
        draft = draft.fail_fast(fail_fast);
    }
    Ok((draft.params(params), given))
}

/// The journal that the run is stored in, unless it is ephemeral.
#[cfg(feature = "sqlite")]
fn journal(matches: &ArgMatches, config: &Config, terminal: &Terminal) -> Result<Option<(Home, Journal)>, CliError> {
    if home::durability(matches, config) == Durability::Ephemeral {
        if matches.get_flag("logs") {
            return Err(CliError::usage(
                "--logs shows the logs of a stored run, and a run with the durability `ephemeral` is not stored",
            ));
        }
        return Ok(None);
    }
    let home = Home::of(matches, config.clone(), terminal)?;
    let journal = home.create_journal(home::sync(matches, config))?;
    Ok(Some((home, journal)))
}
