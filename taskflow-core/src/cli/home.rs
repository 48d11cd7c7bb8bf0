//! Where runs are kept: the directory that `--home` names, or `TASKFLOW_HOME`, or the
//! configuration, or `.taskflow` here.
//!
//! Verbs that only look make nothing: where there is no home yet there are no runs, and they say
//! so.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, value_parser};
use tokio::runtime::{Builder, Runtime};

use super::error::CliError;
use super::setup;
use crate::config::Config;
use crate::journal::{Journal, JournalBuilder, JournalError, RunSummary};
use crate::log::LogFiles;
use crate::run::Durability;
use crate::store::SyncMode;

const DEFAULT: &str = ".taskflow";
const VARIABLE: &str = "TASKFLOW_HOME";

/// The flag.
pub(super) fn arg() -> Arg {
    Arg::new("home")
        .long("home")
        .value_name("DIR")
        .value_parser(value_parser!(PathBuf))
        .global(true)
        .display_order(901)
        .help(format!("Where runs are kept [default: ${VARIABLE}, or {DEFAULT}]"))
}

/// `--sync`, of verbs that run something.
pub(super) fn sync_arg() -> Arg {
    Arg::new("sync")
        .long("sync")
        .value_name("SYNC")
        .value_parser(["full", "normal"])
        .help("What is stored survives a loss of power (`full`), or the end of the process only (`normal`) [default: full]")
        .hide_possible_values(true)
}

/// `--durability`, with these words.
pub(super) fn durability_arg(words: &[Durability]) -> Arg {
    Arg::new("durability")
        .long("durability")
        .value_name("HOW")
        .value_parser(PossibleValuesParser::new(words.iter().map(|durability| durability.name())))
        .help("Whether a task waits until what it depends on is stored [default: strict]")
}

/// What `--durability` says, or the configuration.
pub(super) fn durability(matches: &ArgMatches, config: &Config) -> Durability {
    let flag = matches.get_one::<String>("durability").map(String::as_str);
    match flag.or(config.settings().durability()) {
        Some("relaxed") => Durability::Relaxed,
        Some("ephemeral") => Durability::Ephemeral,
        _ => Durability::Strict,
    }
}

/// What `--sync` says, or the configuration.
pub(super) fn sync(matches: &ArgMatches, config: &Config) -> SyncMode {
    match matches.get_one::<String>("sync").map(String::as_str).or(config.settings().sync()) {
        Some("normal") => SyncMode::Normal,
        _ => SyncMode::Full,
    }
}

/// The directory, and a runtime to wait for its journal.
#[derive(Debug)]
pub(super) struct Home {
    path: PathBuf,
    runtime: Runtime,
    config: Config,
}

impl Home {
    /// The home that the words of this call mean. Nothing is looked at yet.
    pub(super) fn of(matches: &ArgMatches, config: Config) -> Result<Self, CliError> {
        let configured = || config.settings().home().map(Path::to_path_buf);
        let path = setup::home(matches).or_else(configured).unwrap_or_else(|| DEFAULT.into());
        let runtime = Builder::new_current_thread().enable_time().build();
        let runtime =
            runtime.map_err(|error| CliError::Failure(format!("cannot start what the journal needs: {error}")))?;
        Ok(Home { path, runtime, config })
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// A journal with the limits of the configuration.
    fn builder(&self, sync: SyncMode) -> JournalBuilder {
        let settings = self.config.settings();
        let size = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
        let mut builder = Journal::builder().sync(sync);
        if let Some(bytes) = settings.inline_limit() {
            builder = builder.inline_limit(size(bytes));
        }
        if let Some(bytes) = settings.value_limit() {
            builder = builder.value_limit(size(bytes));
        }
        builder
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the logs of its runs are.
    pub(super) fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    pub(super) fn log_files(&self) -> LogFiles {
        LogFiles::new(self.logs())
    }

    /// Waits for something that the journal does.
    pub(super) fn wait<T>(&self, answer: impl Future<Output = Result<T, JournalError>>) -> Result<T, CliError> {
        self.runtime.block_on(answer).map_err(|error| match error {
            JournalError::NoRuns => self.nothing(),
            error => error.into(),
        })
    }

    /// Waits for anything.
    pub(super) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// The journal, if there is one.
    pub(super) fn look(&self) -> Result<Option<Journal>, CliError> {
        self.existing(SyncMode::Full)
    }

    /// The journal, which must be there: it holds what is asked for.
    pub(super) fn need(&self) -> Result<Journal, CliError> {
        self.need_with(SyncMode::Full)
    }

    /// The same, for going on with a run.
    pub(super) fn need_with(&self, sync: SyncMode) -> Result<Journal, CliError> {
        self.existing(sync)?.ok_or_else(|| self.nothing())
    }

    /// What is wrong with a store that cannot be opened.
    pub(super) fn examine(&self) -> Vec<String> {
        self.runtime.block_on(Journal::examine(&self.path))
    }

    fn existing(&self, sync: SyncMode) -> Result<Option<Journal>, CliError> {
        self.wait(self.builder(sync).open_existing(&self.path))
    }

    /// The run that a word names.
    pub(super) fn find(&self, journal: &Journal, word: &str) -> Result<RunSummary, CliError> {
        self.wait(journal.find(word))
    }

    /// The journal for a new run, made if it is not there.
    pub(super) fn make(&self, sync: SyncMode) -> Result<Journal, CliError> {
        // SQLite opens a file that cannot be written, and would say so in the middle of the run.
        // This has to come first: closing any handle of a file gives up the locks that this process
        // has on it, those of SQLite included.
        let file = self.path.join("taskflow.db");
        if let Err(error) = OpenOptions::new().append(true).open(&file)
            && matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
        {
            return Err(self.not_writable(&format!("cannot write to the store {}: {error}", file.display())));
        }
        let opened = self.runtime.block_on(self.builder(sync).open(&self.path));
        opened.map_err(|error| self.not_writable(&error.to_string()))
    }

    /// Closes a journal that was written to, after the pending callbacks of earlier runs were
    /// delivered. What was stored is safe without it, but lies in a log beside the store that the
    /// next program has to read before anything else: once that would take longer than it is worth,
    /// the store takes it in.
    pub(super) fn leave(&self, journal: &Journal) {
        // What callbacks of earlier runs are pending: those of this one were told before its report
        // came.
        let patience = std::time::Duration::from_secs(15);
        let _ = self.runtime.block_on(async { tokio::time::timeout(patience, journal.deliver_pending()).await });
        const LONG: u64 = 1 << 20;
        let log = std::fs::metadata(self.path.join("taskflow.db-wal")).map_or(0, |file| file.len());
        if log > LONG {
            // The next one will.
            let _ = self.runtime.block_on(journal.close());
        }
    }

    /// What to do where nothing can be stored.
    pub(super) fn not_writable(&self, reason: &str) -> CliError {
        CliError::Failure(format!(
            "{reason}\n  the run would be kept in {}; --home names another place, and --durability ephemeral keeps \
             nothing",
            self.path.display()
        ))
    }

    fn nothing(&self) -> CliError {
        CliError::Failure(self.no_runs())
    }

    /// What is said where there are no runs.
    pub(super) fn no_runs(&self) -> String {
        format!("no runs yet in {}: `run` makes the first, --home names another place", self.path.display())
    }
}

impl From<JournalError> for CliError {
    fn from(error: JournalError) -> Self {
        CliError::of(error.kind(), &error)
    }
}

/// A file of the home that cannot be read.
pub(super) fn unreadable(what: &str, error: &io::Error) -> CliError {
    CliError::Failure(format!("{what} cannot be read: {error}"))
}
