//! The home: the directory that holds the store of runs, their values and their logs.
//!
//! Reading operations do not create anything: [`Home::find`] returns nothing where there is no home
//! yet.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::OpsError;
use crate::config::Config;
use crate::journal::{Journal, JournalBuilder};
use crate::log::{LogFiles, LogOptions, LogSink};
use crate::store::SyncMode;

/// The directory that holds runs, and the configuration that it is opened with.
///
/// ```
/// use taskflow::Config;
/// use taskflow::ops::Home;
///
/// # async fn example() -> Result<(), taskflow::ops::OpsError> {
/// let home = Home::new(None, Config::builder().build()?);
/// if let Some(journal) = home.find(taskflow::journal::SyncMode::Full).await? {
///     println!("{} runs", journal.runs(&Default::default()).await?.len());
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Home {
    path: PathBuf,
    config: Config,
}

impl Home {
    /// The directory of a home when neither the caller nor the configuration names one.
    pub const DEFAULT: &str = ".taskflow";

    /// The home in this directory; without one, in the directory of the configuration or in
    /// [`Home::DEFAULT`]. Nothing is read or created yet.
    pub fn new(path: Option<PathBuf>, config: Config) -> Self {
        let configured = || config.settings().home().map(Path::to_path_buf);
        let path = path.or_else(configured).unwrap_or_else(|| Home::DEFAULT.into());
        Home { path, config }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The file of the store.
    pub fn store(&self) -> PathBuf {
        self.path.join("taskflow.db")
    }

    /// The size of the store with its write-ahead log, in bytes; `None` if there is no store.
    pub fn store_bytes(&self) -> Option<u64> {
        let log = std::fs::metadata(self.path.join("taskflow.db-wal")).map_or(0, |file| file.len());
        Some(std::fs::metadata(self.store()).ok()?.len() + log)
    }

    /// The bytes that are left for this account in the file system of the home, or of the first
    /// directory above it that exists; `None` if the system does not tell.
    #[cfg(unix)]
    pub fn free_space(&self) -> Option<u64> {
        let path = std::path::absolute(&self.path).ok()?;
        let existing = path.ancestors().find(|path| path.exists())?;
        let found = rustix::fs::statvfs(existing).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// The system does not tell.
    #[cfg(not(unix))]
    pub fn free_space(&self) -> Option<u64> {
        None
    }

    /// The logs of its runs.
    pub fn logs(&self) -> LogFiles {
        LogFiles::new(self.log_directory())
    }

    fn log_directory(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// A sink that writes the logs of tasks into the home, with the limits of the configuration.
    ///
    /// # Errors
    ///
    /// When the directory of the logs cannot be created.
    pub fn log_sink(&self) -> io::Result<LogSink> {
        let settings = self.config.settings();
        let mut options = LogOptions::new(self.log_directory());
        if let Some(bytes) = settings.log_attempt_limit() {
            options = options.attempt_limit(bytes);
        }
        if let Some(records) = settings.log_queue_records() {
            options = options.queue_records(records.get());
        }
        if let Some(bytes) = settings.log_queue_bytes() {
            options = options.queue_bytes(usize::try_from(bytes).unwrap_or(usize::MAX));
        }
        options.open()
    }

    /// Takes away the permissions that other users have on the home. Returns a sentence about it
    /// if there were any. Opening the home does the same and logs the sentence.
    pub fn tighten(&self) -> Option<String> {
        crate::journal::tighten(&self.path)
    }

    /// Opens the journal of the home, if there is one.
    ///
    /// # Errors
    ///
    /// When there is a store that cannot be opened.
    pub async fn find(&self, sync: SyncMode) -> Result<Option<Journal>, OpsError> {
        Ok(self.builder(sync).open_existing(&self.path).await?)
    }

    /// Opens the journal of the home, which must exist.
    ///
    /// # Errors
    ///
    /// As [`Home::find`], and with [`OpsError::NoHome`] when there is none.
    pub async fn open(&self, sync: SyncMode) -> Result<Journal, OpsError> {
        self.find(sync).await?.ok_or_else(|| OpsError::NoHome { home: self.path.clone() })
    }

    /// Opens the journal of the home for writing, and creates both if they do not exist.
    ///
    /// # Errors
    ///
    /// With [`OpsError::NotWritable`] when the directory or the store in it cannot be created or
    /// written.
    pub async fn create(&self, sync: SyncMode) -> Result<Journal, OpsError> {
        let not_writable = |source| OpsError::NotWritable { home: self.path.clone(), source };
        // SQLite opens a file that cannot be written, and would fail in the middle of the run. This
        // check has to come first: closing any handle of a file releases the locks that this
        // process has on it, those of SQLite included.
        let file = self.store();
        if let Err(error) = OpenOptions::new().append(true).open(&file)
            && matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
        {
            return Err(not_writable(format!("cannot write to the store {}: {error}", file.display()).into()));
        }
        self.builder(sync).open(&self.path).await.map_err(|error| not_writable(error.into()))
    }

    /// Closes a journal after writing: delivers the callbacks that earlier runs left behind, for at
    /// most 15 seconds, and merges a long write-ahead log into the store. Nothing is lost without
    /// it.
    pub async fn close(&self, journal: &Journal) {
        /// The callbacks of this process's own run are delivered before its report.
        const PATIENCE: Duration = Duration::from_secs(15);
        /// Reading a longer log would delay the next program that opens the store.
        const LONG: u64 = 1 << 20;

        let _ = tokio::time::timeout(PATIENCE, journal.deliver_pending()).await;
        let log = std::fs::metadata(self.path.join("taskflow.db-wal")).map_or(0, |file| file.len());
        if log > LONG {
            // If it fails, the next program that opens the store does it.
            let _ = journal.close().await;
        }
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
}
