//! `run [DAG]`: one run of a DAG, from its flags to its exit code.
//!
//! 1. Everything said is checked: the configuration, the DAG, its graph, the values of its
//!    parameters, the tasks named. Whatever is wrong is refused before anything starts.
//! 2. The journal is opened, unless nothing is to be kept.
//! 3. The run is [driven](super::drive) to its end.

use std::sync::Arc;

use clap::ArgMatches;

use super::choose::Dags;
use super::drive::{RunFlags, RunInvocation, drive};
use super::error::{CliError, Exit};
#[cfg(feature = "sqlite")]
use super::home::{self, Home};
use super::terminal::Terminal;
use super::{args, flags, setup};
use crate::base::Timestamp;
use crate::config::Config;
use crate::dag::{DagDef, Plan, Selection, SelectionError};
use crate::engine::RunRequest;
#[cfg(feature = "sqlite")]
use crate::journal::Journal;
#[cfg(feature = "sqlite")]
use crate::run::Durability;
use crate::run::RunInfo;

pub(super) fn run(matches: &ArgMatches, dags: &Dags, terminal: &Terminal) -> Result<Exit, CliError> {
    // With several DAGs the name is a subcommand, whose flags are the DAG's; with one it is an
    // optional word.
    let (name, matches) = match matches.subcommand() {
        Some((name, matches)) => (Some(name), matches),
        None if dags.has_one() => (matches.get_one::<String>("dag").map(String::as_str), matches),
        None => (None, matches),
    };
    let dag = dags.find(name)?;
    let config = setup::load(matches)?;
    let invocation = invocation(matches, dag, &config)?;
    #[cfg(feature = "sqlite")]
    if let Some((home, journal)) = journal(matches, &config)? {
        let request = invocation.request.durability(home::durability(matches, &config)).journal(&journal);
        let exit = drive(RunInvocation { request, logs: Some(home.logs()), ..invocation }, terminal);
        home.leave(&journal);
        return exit;
    }
    drive(invocation, terminal)
}

/// A run as it was asked for, checked.
fn invocation(matches: &ArgMatches, dag: &'static DagDef, config: &Config) -> Result<RunInvocation, CliError> {
    let plan = dag.plan().map_err(|errors| CliError::Failure(errors.to_string()))?;
    let date = matches.get_one::<Timestamp>("logical-date").copied();
    let info = RunInfo::manual(dag.id, date.unwrap_or_else(Timestamp::now));
    let (params, given) = flags::read(matches, plan.params(), &args::taken(), &info).map_err(CliError::Usage)?;
    let selection = selection(matches, &plan).map_err(|unknown| CliError::usage(unknown.to_string()))?;
    let mut request = RunRequest::of_plan(Arc::clone(&plan), info, params);
    if let Some(selection) = selection {
        request = request.select(selection);
    }
    if let Some(fail_fast) = matches.get_one::<bool>("fail-fast").copied().or(config.settings().fail_fast()) {
        request = request.fail_fast(fail_fast);
    }
    let (flags, config) = (RunFlags::read(matches, config), config.clone());
    Ok(RunInvocation { flags, request, logs: None, goes_on: false, given, config })
}

/// The journal that the run is kept in, unless that is not wanted.
#[cfg(feature = "sqlite")]
fn journal(matches: &ArgMatches, config: &Config) -> Result<Option<(Home, Journal)>, CliError> {
    if home::durability(matches, config) == Durability::Ephemeral {
        if matches.get_flag("logs") {
            return Err(CliError::usage(
                "--logs shows the logs of a run that is kept; this one has the durability `ephemeral`",
            ));
        }
        return Ok(None);
    }
    let home = Home::of(matches, config.clone())?;
    let journal = home.make(home::sync(matches, config))?;
    Ok(Some((home, journal)))
}

fn selection(matches: &ArgMatches, plan: &Plan) -> Result<Option<Selection>, SelectionError> {
    let named = |flag| matches.get_one::<String>(flag);
    match (named("only"), named("from")) {
        (Some(task), _) => Selection::only(plan, task).map(Some),
        (_, Some(task)) => Selection::from(plan, task).map(Some),
        (None, None) => Ok(None),
    }
}
