//! What a task may know about the attempt it is in, and say about it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::time::{Interval, Timestamp};

/// What is known of a DAG run before any of its tasks starts.
///
/// Defaults of parameters may be computed from it: `#[param(default = |run| run.data_interval().start_date())]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunInfo {
    /// The id of the DAG.
    pub dag_id: String,
    /// The id of the run, `manual__2026-01-31T06:00:00Z_k3f9qa` for one started by hand. No two runs have the same.
    pub run_id: String,
    /// The point in time the run is about; for a run started by hand, when that happened.
    pub logical_date: Timestamp,
    /// What started it.
    pub trigger: RunTrigger,
    interval: Interval,
}

/// What started a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunTrigger {
    /// A person or a program asked for it.
    Manual,
}

/// Six characters that tell runs about the same moment apart, also those of different processes.
fn distinction() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    static SERIAL: AtomicU64 = AtomicU64::new(1);

    let facts = [
        SERIAL.fetch_add(1, Ordering::Relaxed),
        Timestamp::now().as_nanos().cast_unsigned(),
        u64::from(std::process::id()),
    ];
    // The finalizer of SplitMix64 spreads each fact over all bits.
    let mixed = facts.into_iter().fold(0_u64, |state, fact| {
        let mut mixed = (state ^ fact).wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    });
    (0..6).map(|place| char::from(ALPHABET[(mixed >> (5 * place)) as usize % ALPHABET.len()])).collect()
}

impl RunInfo {
    /// A run asked for at `logical_date`.
    pub fn manual(dag_id: &str, logical_date: Timestamp) -> Self {
        RunInfo {
            dag_id: dag_id.to_owned(),
            run_id: format!("manual__{logical_date}_{}", distinction()),
            logical_date,
            trigger: RunTrigger::Manual,
            interval: Interval { start: logical_date, end: logical_date },
        }
    }

    /// The span of time whose data the run is about. A run started by hand has the empty span at its logical date.
    pub fn data_interval(&self) -> Interval {
        self.interval
    }
}

/// The attempt a task is in: who it is, how to report progress, how to end early.
///
/// A parameter `ctx: &TaskContext` receives it; it is not an input of the task. Cheap to clone.
#[derive(Clone)]
pub struct TaskContext {
    identity: Arc<Identity>,
    control: Arc<AttemptControl>,
}

/// Who an attempt is.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) run: Arc<RunInfo>,
    pub(crate) task_id: String,
    pub(crate) attempt: u32,
    pub(crate) max_attempts: u32,
    /// How often the task was cleared.
    pub(crate) generation: u32,
}

impl TaskContext {
    pub(crate) fn new(identity: Identity, control: Arc<AttemptControl>) -> Self {
        TaskContext { identity: Arc::new(identity), control }
    }

    /// A context outside any run, for calling a task in a unit test: `f::call(&TaskContext::detached("f"), ..)`.
    pub fn detached(task_id: &str) -> Self {
        let run = Arc::new(RunInfo::manual("detached", Timestamp::now()));
        let identity = Identity { run, task_id: task_id.to_owned(), attempt: 1, max_attempts: 1, generation: 0 };
        TaskContext::new(identity, Arc::default())
    }

    /// The run.
    pub fn run(&self) -> &RunInfo {
        &self.identity.run
    }

    /// The id of the run.
    pub fn run_id(&self) -> &str {
        &self.identity.run.run_id
    }

    /// The id of the DAG.
    pub fn dag_id(&self) -> &str {
        &self.identity.run.dag_id
    }

    /// The id of the task in its DAG.
    pub fn task_id(&self) -> &str {
        &self.identity.task_id
    }

    /// Which attempt this is, counted from 1: Airflow's `try_number`.
    pub fn attempt(&self) -> u32 {
        self.identity.attempt
    }

    /// A key under which an effect outside can be made once: the same in every attempt of the task in this run, also after a
    /// crash; another one after the task was cleared, because then it is meant to happen again.
    ///
    /// Tasks run *at least* once: a process can die after a task has done its work and before that was stored. What must
    /// not happen twice is done under this key, as an upsert or as the idempotency key of an API.
    pub fn idempotency_key(&self) -> String {
        let Identity { run, task_id, generation, .. } = &*self.identity;
        match generation {
            0 => format!("{}/{task_id}", run.run_id),
            cleared => format!("{}/{task_id}/{cleared}", run.run_id),
        }
    }

    /// How many attempts there may be: one more than `retries`, and one more for each that was lost in a crash.
    pub fn max_attempts(&self) -> u32 {
        self.identity.max_attempts
    }

    /// The point in time the run is about.
    pub fn logical_date(&self) -> Timestamp {
        self.identity.run.logical_date
    }

    /// Reports that `done` of `total` steps are made; shown while the task runs.
    pub fn progress(&self, done: u64, total: u64) {
        self.control.report(done, total);
    }

    /// Ends the attempt as skipped: `return Err(ctx.skip("nothing landed"))?;`
    ///
    /// The task becomes `skipped`, without a retry; `Option<T>` parameters downstream receive `None`. The error must
    /// be what the task returns, alone or as a source of it.
    #[must_use = "return it: `return Err(ctx.skip(..))?;`"]
    pub fn skip(&self, reason: impl fmt::Display) -> Interrupt {
        self.interrupt(Abort::Skip, reason.to_string())
    }

    /// Ends the attempt as failed, without a retry: `return Err(ctx.fail("the table is gone"))?;`
    #[must_use = "return it: `return Err(ctx.fail(..))?;`"]
    pub fn fail(&self, reason: impl fmt::Display) -> Interrupt {
        self.interrupt(Abort::Fail, reason.to_string())
    }

    fn interrupt(&self, kind: Abort, reason: String) -> Interrupt {
        let interrupt = Interrupt { kind, reason };
        self.control.interrupts.lock().unwrap_or_else(PoisonError::into_inner).push(interrupt.clone());
        interrupt
    }

    /// Whether the attempt should end: its run was cancelled or its time is up. For the loops of sync tasks.
    pub fn is_cancelled(&self) -> bool {
        self.control.is_cancelled()
    }

    /// Waits until the attempt should end. Cancel safe.
    ///
    /// An async task with a context has the grace time of the run to come to its end after this returns; one without a
    /// context is dropped at its next `await`.
    pub async fn cancelled(&self) {
        self.control.cancelled().await;
    }
}

impl fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskContext")
            .field("run_id", &self.run_id())
            .field("task_id", &self.task_id())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}

/// How an attempt asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abort {
    /// As skipped.
    Skip,
    /// As failed, without a retry.
    Fail,
}

/// The error by which a task ends early: made by [`TaskContext::skip`] and [`TaskContext::fail`], returned by the task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupt {
    kind: Abort,
    reason: String,
}

impl Interrupt {
    /// Ends an attempt without a context as skipped.
    pub(crate) fn skip(reason: String) -> Self {
        Interrupt { kind: Abort::Skip, reason }
    }

    /// What was asked for.
    pub fn kind(&self) -> Abort {
        self.kind
    }

    /// Why.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Interrupt {}

/// What the engine and a running attempt share.
#[derive(Debug)]
pub(crate) struct AttemptControl {
    cancelled: watch::Sender<bool>,
    done: AtomicU64,
    total: AtomicU64,
    /// Those the task asked for; it may return one of them, or none.
    interrupts: Mutex<Vec<Interrupt>>,
    future: Mutex<FutureHandle>,
}

/// How to drop the future of an async attempt. Being aborted may come before being spawned.
#[derive(Debug, Default)]
enum FutureHandle {
    #[default]
    Unknown,
    Running(AbortHandle),
    Aborted,
}

impl Default for AttemptControl {
    fn default() -> Self {
        AttemptControl {
            cancelled: watch::Sender::new(false),
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            interrupts: Mutex::default(),
            future: Mutex::default(),
        }
    }
}

impl AttemptControl {
    pub(crate) fn cancel(&self) {
        self.cancelled.send_replace(true);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        *self.cancelled.borrow()
    }

    /// Says how the future of the attempt can be dropped; drops it at once if that was asked for already.
    pub(crate) fn set_abort(&self, handle: AbortHandle) {
        let mut future = self.future.lock().unwrap_or_else(PoisonError::into_inner);
        match *future {
            FutureHandle::Aborted => handle.abort(),
            FutureHandle::Unknown | FutureHandle::Running(_) => *future = FutureHandle::Running(handle),
        }
    }

    /// Drops the future of the attempt at its next await.
    pub(crate) fn abort(&self) {
        let mut future = self.future.lock().unwrap_or_else(PoisonError::into_inner);
        if let FutureHandle::Running(handle) = std::mem::replace(&mut *future, FutureHandle::Aborted) {
            handle.abort();
        }
    }

    /// Takes down how many steps are made.
    pub(crate) fn report(&self, done: u64, total: u64) {
        self.total.store(total, Ordering::Relaxed);
        self.done.store(done, Ordering::Relaxed);
    }

    /// Waits until the attempt should end. Cancel safe.
    pub(crate) async fn cancelled(&self) {
        let mut signal = self.cancelled.subscribe();
        // The sender lives in `self`, so waiting ends only by the signal.
        let _ = signal.wait_for(|cancelled| *cancelled).await;
    }

    /// The last reported steps, `(done, total)`.
    pub(crate) fn progress(&self) -> Option<(u64, u64)> {
        let total = self.total.load(Ordering::Relaxed);
        (total > 0).then(|| (self.done.load(Ordering::Relaxed), total))
    }

    /// The interrupt that the task returned: one it asked for, whose words are those of an error in the chain.
    ///
    /// Error types that box their source (`anyhow`) hide its type, so it is recognised by its text.
    pub(crate) fn interrupt_in(&self, chain: &[String]) -> Option<Interrupt> {
        let asked = self.interrupts.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().find(|interrupt| chain.contains(&interrupt.reason)).cloned()
    }
}
