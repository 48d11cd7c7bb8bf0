//! The home of a call: the directory of `--home`, of `TASKFLOW_HOME`, of the configuration, or
//! `.taskflow` here.
//!
//! Adds to [`ops::Home`](crate::ops::Home) the flags, and a runtime to wait for operations.

use std::cell::OnceCell;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, value_parser};
use tokio::runtime::{Builder, Runtime};

use super::error::CliError;
use super::setup;
use super::terminal::Terminal;
use crate::base::account;
use crate::config::Config;
use crate::journal::{Journal, JournalError, RunSummary};
use crate::log::LogFiles;
use crate::ops::{self, Actor, OpsError, Via};
use crate::run::Durability;
use crate::store::SyncMode;

const VARIABLE: &str = "TASKFLOW_HOME";

/// `--home`.
pub(super) fn arg() -> Arg {
    Arg::new("home")
        .long("home")
        .value_name("DIR")
        .value_parser(value_parser!(PathBuf))
        .global(true)
        .display_order(901)
        .help(format!("Directory of runs [default: ${VARIABLE}, or {}]", ops::Home::DEFAULT))
}

/// `--sync`, for verbs that run something.
pub(super) fn sync_arg() -> Arg {
    Arg::new("sync")
        .long("sync")
        .value_name("MODE")
        .value_parser(["full", "normal"])
        .help(
            "What a commit survives: a power failure (`full`) or only the end of the process (`normal`) [default: \
               full]",
        )
        .hide_possible_values(true)
}

/// `--durability`, with these values.
pub(super) fn durability_arg(choices: &[Durability]) -> Arg {
    Arg::new("durability")
        .long("durability")
        .value_name("MODE")
        .value_parser(PossibleValuesParser::new(choices.iter().map(|durability| durability.name())))
        .help(
            "When a task starts: once its inputs are stored (`strict`) or at once (`relaxed`); `ephemeral` stores \
               nothing [default: strict]",
        )
}

/// The durability of `--durability`, or of the configuration.
pub(super) fn durability(matches: &ArgMatches, config: &Config) -> Durability {
    let all = [Durability::Strict, Durability::Relaxed, Durability::Ephemeral];
    let given = matches.get_one::<String>("durability");
    ops::durability(config, given.and_then(|name| all.into_iter().find(|durability| durability.name() == name)))
}

/// The mode of `--sync`, or of the configuration.
pub(super) fn sync(matches: &ArgMatches, config: &Config) -> SyncMode {
    let given = matches.get_one::<String>("sync").map(|name| match &**name {
        "normal" => SyncMode::Normal,
        _ => SyncMode::Full,
    });
    ops::sync_mode(config, given)
}

/// A home, and a runtime to wait for operations.
#[derive(Debug)]
pub(super) struct Home {
    home: ops::Home,
    flag: Option<PathBuf>,
    runtime: Runtime,
    /// The journal for reading, once it was opened.
    journal: OnceCell<Journal>,
}

impl Home {
    /// The home of this call, closed to other users. Nothing is read yet.
    pub(super) fn of(matches: &ArgMatches, config: Config, terminal: &Terminal) -> Result<Self, CliError> {
        let runtime = Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(|error| CliError::Failure(format!("cannot open the journal: {error}")))?;
        let home = ops::Home::new(setup::home(matches), config);
        if let Some(changed) = home.tighten() {
            terminal.warn(&changed);
        }
        Ok(Home { home, flag: setup::home_flag(matches), runtime, journal: OnceCell::new() })
    }

    pub(super) fn home(&self) -> &ops::Home {
        &self.home
    }

    pub(super) fn config(&self) -> &Config {
        self.home.config()
    }

    pub(super) fn path(&self) -> &Path {
        self.home.path()
    }

    /// The directory that `--home` names.
    pub(super) fn flag(&self) -> Option<&Path> {
        self.flag.as_deref()
    }

    pub(super) fn log_files(&self) -> LogFiles {
        self.home.logs()
    }

    /// Waits for an operation.
    pub(super) fn wait<T, E: Into<OpsError>>(
        &self,
        operation: impl Future<Output = Result<T, E>>,
    ) -> Result<T, CliError> {
        self.block_on(operation).map_err(|error| self.describe(error.into()))
    }

    /// Waits for anything.
    pub(super) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        // The verbs wait for some sixty types of futures. Each would get a copy of all of the
        // runtime's waiting, a twentieth of this crate's code.
        fn wait_for(runtime: &Runtime, future: Pin<&mut dyn Future<Output = ()>>) {
            runtime.block_on(future);
        }
        let mut output = None;
        wait_for(&self.runtime, pin!(async { output = Some(future.await) }));
        output.expect("waiting ends with the future")
    }

    /// What is printed of an error: where flags help, with those flags.
    fn describe(&self, error: OpsError) -> CliError {
        match error {
            // Not a mistake in the arguments: a program may well ask before the first run.
            OpsError::NoHome { .. } | OpsError::Journal(JournalError::NoRuns) => CliError::Failure(self.no_runs()),
            OpsError::NotWritable { home, source } => CliError::Failure(format!(
                "{source}\n  the run would be stored in {}; --home selects another directory, and --durability \
                 ephemeral stores nothing",
                home.display()
            )),
            OpsError::ValueWithoutSuccess { state } => {
                CliError::usage(format!("only a task marked as success can have a --value; the state is {state}"))
            }
            error => error.into(),
        }
    }

    /// The journal, if there is one.
    pub(super) fn existing_journal(&self) -> Result<Option<Journal>, CliError> {
        if let Some(journal) = self.journal.get() {
            return Ok(Some(journal.clone()));
        }
        let found = self.wait(self.home.find(SyncMode::Full))?;
        Ok(found.map(|journal| self.journal.get_or_init(|| signed(&journal)).clone()))
    }

    /// The journal, which must exist.
    pub(super) fn journal(&self) -> Result<Journal, CliError> {
        let none = || self.describe(OpsError::NoHome { home: self.path().to_owned() });
        self.existing_journal()?.ok_or_else(none)
    }

    /// The same, for running something.
    pub(super) fn journal_with(&self, sync: SyncMode) -> Result<Journal, CliError> {
        Ok(signed(&self.wait(self.home.open(sync))?))
    }

    /// The journal for a new run, created if it does not exist.
    pub(super) fn create_journal(&self, sync: SyncMode) -> Result<Journal, CliError> {
        Ok(signed(&self.wait(self.home.create(sync))?))
    }

    /// The journal for a service, created if it does not exist. What a service does by itself is
    /// not in the audit trail.
    pub(super) fn service_journal(&self, sync: SyncMode) -> Result<Journal, CliError> {
        self.wait(self.home.create(sync))
    }

    /// The run with this number, id or unique part of an id, or `last`.
    pub(super) fn find(&self, journal: &Journal, name: &str) -> Result<RunSummary, CliError> {
        self.wait(journal.find(name))
    }

    /// Closes a journal that was written to.
    pub(super) fn close(&self, journal: &Journal) {
        self.runtime.block_on(self.home.close(journal));
    }

    /// What is printed where there are no runs.
    pub(super) fn no_runs(&self) -> String {
        format!("no runs yet in {}: `run` starts the first, --home selects another directory", self.path().display())
    }
}

/// The journal for what the user of this process does.
fn signed(journal: &Journal) -> Journal {
    ops::acting_as(journal, &Actor { name: account(), via: Via::Cli })
}

/// A file of the home that cannot be read.
pub(super) fn unreadable(what: &str, error: &io::Error) -> CliError {
    CliError::Failure(format!("{what} cannot be read: {error}"))
}
