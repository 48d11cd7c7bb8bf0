//! Where a verb reads and changes runs: a home on this machine, or a service that answers HTTP
//! requests.
//!
//! A verb does not know which of the two it has. It asks the [`Source`] for a document, and makes a
//! text of it. A home yields the document of an [operation](crate::ops), a service sends the same
//! one as JSON: so there is one function from a document to a text, and `--output json` prints the
//! same bytes.
//!
//! - This file: the choice between the two, and the verbs that have none.
//! - `reads`: the documents. `logs`: the lines of logs. `changes`: the operations that change
//!   something.
//! - `tasks`: the tasks of a run, one by one. `accounts`: users and tokens.
//! - `client`: requests and answers. `events`: streams. `address`: the address of a service.
//!
//! What a service has and this program has not, such as a DAG of a later build, is named by its id:
//! a source takes ids, not definitions.

#[cfg(feature = "server")]
mod accounts;
#[cfg(feature = "server")]
mod address;
mod changes;
#[cfg(feature = "server")]
mod client;
#[cfg(feature = "server")]
mod events;
mod logs;
#[cfg(not(feature = "server"))]
mod no_client;
mod reads;
mod tasks;

use clap::ArgMatches;

pub(super) use self::changes::{BackfillAsked, ClearAsked, TriggerAsked, WouldPrune};
#[cfg(feature = "server")]
pub(super) use self::client::Client;
#[cfg(feature = "server")]
use self::client::segment;
#[cfg(feature = "server")]
use self::events::Events;
#[cfg(not(feature = "server"))]
pub(super) use self::no_client::Client;
#[cfg(not(feature = "server"))]
use self::no_client::{Events, segment};
pub(super) use self::reads::{Run, RunPage};
use super::calls::{self, Calls};
use super::choose::Dags;
use super::error::CliError;
use super::home::Home;
use super::setup;
use super::terminal::Terminal;
use crate::dag::DagDef;

/// Where a verb reads and changes runs.
#[derive(Debug)]
pub(super) enum Source {
    /// A directory of this machine.
    Home(Home),
    /// A service that runs, here or elsewhere.
    Server(Client),
}

/// `--server`.
#[cfg(feature = "server")]
pub(super) fn arg() -> clap::Arg {
    clap::Arg::new("server")
        .long("server")
        .value_name("URL")
        .value_parser(clap::builder::NonEmptyStringValueParser::new())
        .global(true)
        .display_order(903)
        .help("Service to ask [default: $TASKFLOW_SERVER]")
}

/// The address of a service, if the command line or the environment names one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    address: String,
    /// Whether the command line does.
    is_flag: bool,
}

/// A home that the command line names takes precedence over `TASKFLOW_SERVER`.
fn named(matches: &ArgMatches) -> Result<Option<Named>, CliError> {
    let flag = matches.try_get_one::<String>("server").ok().flatten();
    match (flag, setup::home_flag(matches)) {
        (Some(_), Some(_)) => Err(CliError::usage("--home and --server name two places; give one of them")),
        (Some(address), None) => Ok(Some(Named { address: address.clone(), is_flag: true })),
        (None, Some(_)) => Ok(None),
        (None, None) => {
            let address = if cfg!(feature = "server") { std::env::var("TASKFLOW_SERVER").ok() } else { None };
            let address = address.filter(|address| !address.trim().is_empty());
            Ok(address.map(|address| Named { address, is_flag: false }))
        }
    }
}

/// Refuses a verb that a service cannot carry out, if a service is asked.
pub(super) fn check(verb: &str, matches: &ArgMatches) -> Result<(), CliError> {
    let why = match calls::of(verb) {
        Some(Calls::Home(why) | Calls::Program(why)) => why,
        Some(Calls::Routes(_)) | None => return Ok(()),
    };
    let is_about_program = matches!(calls::of(verb), Some(Calls::Program(_)));
    match named(matches)? {
        Some(Named { is_flag: true, .. }) => Err(CliError::usage(format!("`{verb}` has no --server: {why}"))),
        Some(Named { is_flag: false, .. }) if !is_about_program => Err(CliError::usage(format!(
            "`{verb}` cannot be asked of TASKFLOW_SERVER: {why}; unset the variable, or name a --home"
        ))),
        _ => Ok(()),
    }
}

impl Source {
    /// The source of this call. The configuration is read for a home only.
    pub(super) fn of(matches: &ArgMatches, terminal: &Terminal) -> Result<Self, CliError> {
        match Source::service(matches)? {
            Some(client) => Ok(Source::Server(client)),
            None => Ok(Source::Home(Home::of(matches, setup::load(matches)?, terminal)?)),
        }
    }

    /// The service of this call, if it is to ask one.
    pub(super) fn service(matches: &ArgMatches) -> Result<Option<Client>, CliError> {
        let Some(Named { address, is_flag }) = named(matches)? else { return Ok(None) };
        refuse_run_options(matches)?;
        Client::connect(&address, is_flag).map(Some)
    }

    /// The home, for verbs that have no service: [`check`] has refused one.
    pub(super) fn home(&self, verb: &str) -> Result<&Home, CliError> {
        match self {
            Source::Home(home) => Ok(home),
            Source::Server(_) => Err(CliError::usage(format!("`{verb}` needs a home"))),
        }
    }

    /// The flags with which the command line has named the source: a command that is suggested has
    /// to name it again.
    pub(super) fn flags(&self) -> Vec<String> {
        match self {
            Source::Home(home) => super::shell::home_flags(home.flag()),
            Source::Server(client) => client.flags(),
        }
    }

    /// The id of a DAG: the one that is named, or the only one of this program.
    pub(super) fn dag(&self, name: Option<&str>) -> Result<String, CliError> {
        match (self, name) {
            // It knows better which DAGs there are.
            (Source::Server(_), Some(name)) => Ok(name.to_owned()),
            _ => Ok(Dags::of_binary().find(name)?.id.to_owned()),
        }
    }

    /// What is printed where there are no runs.
    pub(super) fn no_runs(&self) -> String {
        match self {
            Source::Home(home) => home.no_runs(),
            Source::Server(client) => format!("no runs yet at {}: `trigger` starts the first", client.shown()),
        }
    }

    /// The place in words.
    pub(super) fn shown(&self) -> String {
        match self {
            Source::Home(home) => home.path().display().to_string(),
            Source::Server(client) => client.shown().to_owned(),
        }
    }
}

/// For fuzzing: reads bytes as what a service answers.
#[cfg(feature = "server")]
pub(crate) fn read_any(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    let _ = address::Address::parse(text);
    client::read_any(text);
    events::read_any(bytes);
}

/// A DAG of this program.
fn own_dag(id: &str) -> Result<&'static DagDef, CliError> {
    Dags::of_binary().find(Some(id))
}

/// Flags about runs in this process mean nothing to a service.
fn refuse_run_options(matches: &ArgMatches) -> Result<(), CliError> {
    use clap::parser::ValueSource;
    for flag in ["jobs", "quiet", "logs", "durability", "sync"] {
        let is_given = matches.try_contains_id(flag).is_ok_and(|known| known)
            && matches.value_source(flag) == Some(ValueSource::CommandLine);
        if is_given {
            let why = "the service runs the tasks, with options of its own";
            return Err(CliError::usage(format!("--{flag} cannot be combined with --server: {why}")));
        }
    }
    Ok(())
}
