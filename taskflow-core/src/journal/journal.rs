//! The public API of the journal: opening one, and recording runs with it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::audit::Acting;
use super::awaited::AwaitedRuns;
use super::clock::JournalClock;
use super::deliveries::{StoreDeliveryLog, Unrecorded};
use super::error::JournalError;
use super::queue::Queue;
use super::rollups::RollupCache;
use super::run_log::{Log, RecordOptions, RunLog, RunLogInit};
use super::{params, run_ids};
use crate::base::{ErrorKind, Timestamp};
use crate::engine::{Recorder, RecorderError, RunRequest, RunStart};
use crate::log::LogStore;
use crate::run::{Entry, RunType, Session};
use crate::store::{
    AppendTarget, BlobStore, DirectoryBlobs, MemoryStore, NewRun, Store, StoreRuntime, build_id, worker,
};

/// Records runs: their history, their values, and what is needed to resume them after a crash.
///
/// Cheap to clone. Its threads end when the last handle and the last run are dropped. A process may
/// end at any moment without harm.
///
/// ```
/// # use taskflow::prelude::*;
/// use taskflow::journal::Journal;
/// # #[task] fn double(n: u32) -> u32 { 2 * n }
/// # #[dag] fn doubled(n: u32) -> u32 { double(n) }
/// # async fn example() -> Result<()> {
/// let journal = Journal::in_memory()?;
/// let report = doubled::run(4).journal(&journal).await?;
/// let history = journal.history(&report.run().run_id).await?;
/// assert_eq!(history.task("double").map(|task| task.attempts.len()), Some(1));
/// # Ok(()) }
/// # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
/// ```
#[derive(Clone)]
pub struct Journal {
    pub(super) inner: Arc<Inner>,
    pub(super) acting: Acting,
}

pub(super) struct Inner {
    pub(super) store: Arc<dyn Store>,
    pub(super) queue: Arc<Queue>,
    pub(super) runtime: StoreRuntime,
    pub(super) clock: JournalClock,
    pub(super) awaited: AwaitedRuns,
    pub(super) rollups: RollupCache,
    /// Large values, logs and artifacts; none for a journal in memory.
    pub(super) blobs: Option<Arc<dyn BlobStore>>,
    pub(super) home: Option<PathBuf>,
    pub(super) inline_limit: usize,
    value_limit: usize,
    /// Held while callbacks of earlier runs are delivered.
    pub(super) delivering: tokio::sync::Mutex<()>,
    /// Whether this journal has started to deliver them.
    pub(super) has_delivered: AtomicBool,
    /// When a locked store has refused to record deliveries.
    pub(super) unrecorded: Unrecorded,
}

/// The settings of a [`Journal`].
#[derive(Clone, Debug)]
pub struct JournalBuilder {
    sync: crate::store::SyncMode,
    inline_limit: usize,
    value_limit: usize,
}

impl Default for JournalBuilder {
    fn default() -> Self {
        JournalBuilder { sync: crate::store::SyncMode::default(), inline_limit: 48 << 10, value_limit: 512 << 20 }
    }
}

impl JournalBuilder {
    /// What a commit must survive. Default: [`SyncMode::Full`](crate::store::SyncMode::Full).
    #[must_use]
    pub fn sync(mut self, sync: crate::store::SyncMode) -> Self {
        self.sync = sync;
        self
    }

    /// The size in bytes above which a value is stored in its own file. Default: 48 KiB.
    #[must_use]
    pub fn inline_limit(mut self, bytes: usize) -> Self {
        self.inline_limit = bytes.min(16 << 20);
        self
    }

    /// The size in bytes above which a value is refused and its task fails. Default: 512 MiB.
    #[must_use]
    pub fn value_limit(mut self, bytes: usize) -> Self {
        self.value_limit = bytes;
        self
    }

    /// A journal in the memory of this process.
    ///
    /// # Errors
    ///
    /// When its threads cannot be started.
    pub fn in_memory(self) -> Result<Journal, JournalError> {
        self.over(Arc::new(MemoryStore::default()), None)
    }

    /// A journal in a directory, which is created if it does not exist. It holds `taskflow.db` and
    /// the directories `values`, `logs`, `artifacts` and `live`.
    ///
    /// # Errors
    ///
    /// When the directory or its database cannot be opened or created.
    #[cfg(feature = "sqlite")]
    pub async fn open(self, home: impl AsRef<Path>) -> Result<Journal, JournalError> {
        let home = home.as_ref();
        let failed = |error: std::io::Error| {
            let reason = format!("the directory cannot be created: {error}");
            crate::store::StoreError::Open { place: home.display().to_string(), reason }
        };
        crate::base::private::create_dir_all(home).map_err(failed)?;
        close_to_others(home);
        let store = crate::store::SqliteStore::open(&home.join("taskflow.db"), self.sync).await?;
        self.over(Arc::new(store), Some(home))
    }

    /// The journal in a directory, if there is one: as [`JournalBuilder::open`], but creates
    /// nothing.
    ///
    /// # Errors
    ///
    /// When there is a database that cannot be opened.
    #[cfg(feature = "sqlite")]
    pub async fn open_existing(self, home: impl AsRef<Path>) -> Result<Option<Journal>, JournalError> {
        let home = home.as_ref();
        close_to_others(home);
        let store = crate::store::SqliteStore::open_existing(&home.join("taskflow.db"), self.sync).await?;
        store.map(|store| self.over(Arc::new(store), Some(home))).transpose()
    }

    pub(super) fn over(self, store: Arc<dyn Store>, home: Option<&Path>) -> Result<Journal, JournalError> {
        let runtime = StoreRuntime::default();
        let queue = Queue::start(Arc::clone(&store), runtime.clone()).map_err(JournalError::Thread)?;
        Ok(self.with_queue(store, queue, runtime, home, JournalClock::default()))
    }

    /// A journal whose entries are stored by whoever has the queue.
    pub(super) fn with_queue(
        self,
        store: Arc<dyn Store>,
        queue: Arc<Queue>,
        runtime: StoreRuntime,
        home: Option<&Path>,
        clock: JournalClock,
    ) -> Journal {
        let blobs = home.map(|home| Arc::new(DirectoryBlobs::new(home, self.sync)) as Arc<dyn BlobStore>);
        let JournalBuilder { inline_limit, value_limit, .. } = self;
        let home = home.map(Path::to_path_buf);
        let (delivering, has_delivered) = (tokio::sync::Mutex::new(()), AtomicBool::new(false));
        let (awaited, rollups) = (AwaitedRuns::default(), RollupCache::default());
        let inner = Inner {
            store,
            queue,
            runtime,
            clock,
            awaited,
            rollups,
            blobs,
            home,
            inline_limit,
            value_limit,
            delivering,
            has_delivered,
            unrecorded: Unrecorded::default(),
        };
        Journal { inner: Arc::new(inner), acting: Acting::default() }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.shut_down();
    }
}

/// Opening, and recording runs.
impl Journal {
    /// A journal with settings.
    pub fn builder() -> JournalBuilder {
        JournalBuilder::default()
    }

    /// A journal in the memory of this process, with default settings.
    ///
    /// # Errors
    ///
    /// As [`JournalBuilder::in_memory`].
    pub fn in_memory() -> Result<Self, JournalError> {
        Journal::builder().in_memory()
    }

    /// The journal in a directory, with default settings.
    ///
    /// # Errors
    ///
    /// As [`JournalBuilder::open`].
    #[cfg(feature = "sqlite")]
    pub async fn open(home: impl AsRef<Path>) -> Result<Self, JournalError> {
        Journal::builder().open(home).await
    }

    /// The directory of the journal; `None` for a journal in memory.
    pub fn home(&self) -> Option<&Path> {
        self.inner.home.as_deref()
    }

    /// The time: that of the machine, unless the journal is simulated.
    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Opens the log of a new run.
    pub(super) fn begin(&self, run: &RunStart<'_>) -> Result<Arc<dyn Recorder>, RecorderError> {
        let run_id = &run.info.run_id;
        if let Some(reason) = run_ids::refused(run_id) {
            return Err(RecorderError::new(ErrorKind::Invalid, reason));
        }
        let params = params::encode(run.plan.params(), run.params);
        let params = params.map_err(|reason| RecorderError::new(ErrorKind::Invalid, reason))?;
        let guard = self.inner.store.reserve(run_id).ok_or_else(|| {
            let reason = format!(
                "this process has a run with the id `{run_id}`, or deletes the files of one; wait until that is over, or \
                 choose another id"
            );
            RecorderError::new(ErrorKind::Conflict, reason)
        })?;
        self.amend_params(&params);
        let at = run.at;
        let new = NewRun {
            info: run.info.clone(),
            graph: run.plan.hash().to_owned(),
            build: build_id().to_owned(),
            owner: Some(worker()),
            params,
            tasks: run.plan.task_count() as u32,
            created: at,
            has_callbacks: run.plan.has_callbacks(),
        };
        let delivery_log = StoreDeliveryLog::of(&self.inner, run_id, new.token());
        let init = RunLogInit {
            run_id: run_id.clone(),
            target: AppendTarget::New(Box::new(new)),
            next: 1,
            at,
            session: session(run, 1),
            counts: Default::default(),
            generations: Default::default(),
            guard: Some(guard),
            graph: Arc::clone(run.plan),
            update: None,
            delivery_log,
            is_backfill: run.info.run_type == RunType::Backfill,
            audit: self.pending_audit(),
        };
        Ok(self.log(run, init))
    }

    pub(super) fn log(&self, run: &RunStart<'_>, init: RunLogInit) -> Arc<dyn Recorder> {
        let inner = &self.inner;
        self.deliver_beside();
        let options = RecordOptions {
            durability: run.durability,
            inline_limit: inner.inline_limit,
            value_limit: inner.value_limit,
            blobs: inner.blobs.clone(),
        };
        Arc::new(Log(RunLog::begin(&inner.queue, self.unsigned(), options, init)))
    }
}

impl Journal {
    /// The directory for artifacts of a run, whether it exists or not; `None` for a journal in
    /// memory.
    pub fn artifacts_of(&self, run_id: &str) -> Option<PathBuf> {
        Some(self.inner.blobs.as_ref()?.artifacts(run_id))
    }

    /// The logs of its runs; `None` for a journal in memory.
    #[cfg_attr(
        not(all(feature = "cli", feature = "sqlite")),
        allow(dead_code, reason = "only the verbs about stored runs use it")
    )]
    pub(crate) fn logs(&self) -> Option<Arc<dyn LogStore>> {
        Some(self.inner.blobs.as_ref()?.logs())
    }
}

/// The first entry of a session.
pub(super) fn session(run: &RunStart<'_>, token: u64) -> Entry {
    Entry::Session(Box::new(Session {
        worker: worker(),
        build: build_id().to_owned(),
        token,
        graph: run.plan.hash().to_owned(),
        durability: run.durability,
    }))
}

impl<T> RunRequest<T> {
    /// Records the run in this journal: its history, its values, and what is needed to resume it.
    pub fn journal(self, journal: &Journal) -> Self {
        let journal = journal.clone();
        self.recorded(Box::new(move |run| journal.begin(run)))
    }
}

impl Journal {
    /// Finishes writing and closes files. Runs that this journal records are interrupted.
    ///
    /// Optional: nothing is lost without it, but the directory is left tidy.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub async fn close(&self) -> Result<(), JournalError> {
        self.inner.queue.settle().await;
        Ok(self.inner.store.close().await?)
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("store", &self.inner.store).finish_non_exhaustive()
    }
}

/// Takes away the permissions that other users have on a home.
#[cfg(feature = "sqlite")]
fn close_to_others(home: &Path) {
    if let Some(changed) = super::permissions::tighten(home) {
        tracing::warn!(target: "taskflow", "{changed}");
    }
}
