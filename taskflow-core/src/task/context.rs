//! What a task may know about the attempt it is in, and say about it.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::Wait;
use super::surroundings::{Bench, Surroundings};
use crate::config::{Config, ConfigError, Connection, Secret};
use crate::time::{Interval, Timestamp};

/// What is known of a DAG run before any of its tasks starts.
///
/// Defaults of parameters may be computed from it: `#[param(default = |run| run.logical_date.date())]`.
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
    interval: Option<Interval>,
    /// The task that started it, if one did.
    #[serde(default)]
    pub triggered_by: Option<TriggeredBy>,
}

/// The task that started a run of another DAG.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TriggeredBy {
    /// The id of its run.
    pub run_id: String,
    /// Its id.
    pub task_id: String,
}

/// What started a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunTrigger {
    /// A person or a program asked for it.
    Manual,
    /// A task of a run of another DAG did: [`RunInfo::triggered_by`].
    Dag,
}

/// Six characters that tell runs about the same moment apart, also those of different processes.
fn distinction() -> String {
    static SERIAL: AtomicU64 = AtomicU64::new(1);

    let facts = [
        SERIAL.fetch_add(1, Ordering::Relaxed),
        Timestamp::now().as_nanos().cast_unsigned(),
        u64::from(std::process::id()),
    ];
    letters(spread(facts.into_iter()), 6)
}

/// The finalizer of `SplitMix64` spreads each fact over all bits.
fn spread(facts: impl Iterator<Item = u64>) -> u64 {
    facts.fold(0_u64, |state, fact| {
        let mut mixed = (state ^ fact).wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

/// The lowest bits, five in a character.
fn letters(bits: u64, count: u32) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    (0..count).map(|place| char::from(ALPHABET[(bits >> (5 * place)) as usize % ALPHABET.len()])).collect()
}

impl RunInfo {
    /// A run asked for at `logical_date`.
    pub fn manual(dag_id: &str, logical_date: Timestamp) -> Self {
        RunInfo {
            dag_id: dag_id.to_owned(),
            run_id: format!("manual__{logical_date}_{}", distinction()),
            logical_date,
            trigger: RunTrigger::Manual,
            interval: Some(Interval { start: logical_date, end: logical_date }),
            triggered_by: None,
        }
    }

    /// A run that a task started. The id is made of a key that the task has for it, so that it is the same however often
    /// the task asks.
    pub(crate) fn triggered(dag_id: &str, logical_date: Timestamp, by: TriggeredBy, key: &str) -> Self {
        let run_id = format!("triggered__{logical_date}_{}", letters(spread(key.bytes().map(u64::from)), 12));
        let trigger = RunTrigger::Dag;
        RunInfo { run_id, trigger, triggered_by: Some(by), ..RunInfo::manual(dag_id, logical_date) }
    }

    /// The span of time whose data the run is about; none in a run of a DAG whose schedule has no intervals. A run started by
    /// hand has the empty span at its logical date.
    pub fn data_interval(&self) -> Option<Interval> {
        self.interval
    }

    /// The same of a DAG whose schedule has no intervals.
    pub(crate) fn without_interval(self) -> Self {
        RunInfo { interval: None, ..self }
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
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) run: Arc<RunInfo>,
    pub(crate) task_id: String,
    pub(crate) attempt: u32,
    pub(crate) max_attempts: u32,
    /// How often the task was cleared.
    pub(crate) generation: u32,
    /// Of a task that may wait.
    pub(crate) comeback: Option<Comeback>,
    /// Missing where that of the process is meant.
    pub(crate) config: Option<Config>,
    pub(crate) around: Arc<dyn Surroundings>,
}

/// The last event with each key that a run was told, numbered from 1.
pub(crate) type External = Arc<HashMap<String, (u64, Happening)>>;

/// An event that a run was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Happening {
    /// JSON.
    pub(crate) value: Arc<str>,
    /// Who said so, and why.
    pub(crate) by: Arc<str>,
    pub(crate) reason: Arc<str>,
    pub(crate) at: Timestamp,
}
/// What the key of an event begins with that says that another run has ended; the rest is its id.
pub(crate) const RUN_ENDED: &str = "run:";

/// What a task that may wait is told when it is called, again or for the first time.
#[derive(Clone, Debug)]
pub(crate) struct Comeback {
    /// When it was called.
    pub(crate) now: Timestamp,
    /// When it was first called.
    pub(crate) since: Timestamp,
    /// How often it has waited.
    pub(crate) waits: u32,
    /// The number of the last event that is not for it.
    pub(crate) after: u64,
    pub(crate) events: External,
}

impl TaskContext {
    pub(crate) fn new(identity: Identity, control: Arc<AttemptControl>) -> Self {
        TaskContext { identity: Arc::new(identity), control }
    }

    /// A context outside any run, for calling a task in a unit test: `f::call(&TaskContext::detached("f"), ..)`.
    pub fn detached(task_id: &str) -> Self {
        let run = Arc::new(RunInfo::manual("detached", Timestamp::now()));
        let identity = Identity {
            run,
            task_id: task_id.to_owned(),
            attempt: 1,
            max_attempts: 1,
            generation: 0,
            comeback: None,
            config: None,
            around: Arc::new(Bench::new(task_id)),
        };
        TaskContext::new(identity, Arc::default())
    }

    /// What it can reach of its run.
    pub(crate) fn surroundings(&self) -> &Arc<dyn Surroundings> {
        &self.identity.around
    }

    /// Waits until the run with this id has ended, and until a time at the latest.
    pub(crate) fn wait_for_run(&self, run_id: &str, until: Option<Timestamp>) -> Interrupt {
        let key = format!("{RUN_ENDED}{run_id}");
        let comeback = match self.comeback() {
            Ok(comeback) => comeback,
            Err(interrupt) => return interrupt,
        };
        let seen = comeback.events.get(&key).map_or(comeback.after, |&(number, _)| number.max(comeback.after));
        let wait = Wait::Deferred { until, event: Some((key, seen)) };
        self.waits(wait, format!("deferred until the run `{run_id}` has ended"))
    }

    /// When the function was called, of one that may wait; else the present time.
    pub(crate) fn now(&self) -> Timestamp {
        self.identity.comeback.as_ref().map_or_else(Timestamp::now, |comeback| comeback.now)
    }

    /// Whether it may wait without holding a slot.
    pub(crate) fn may_wait(&self) -> Result<(), Interrupt> {
        self.comeback().map(drop)
    }

    /// The same with another configuration: for a unit test of a task that asks for variables, connections or secrets.
    ///
    /// ```
    /// use taskflow::config::Config;
    /// use taskflow::prelude::*;
    ///
    /// #[task]
    /// fn is_late(ctx: &TaskContext, minutes: u32) -> Result<bool> {
    ///     Ok(minutes > ctx.variable::<u32>("late_after")?)
    /// }
    ///
    /// # fn main() -> Result<()> {
    /// let config = Config::builder().variable("late_after", 15).build()?;
    /// let context = TaskContext::detached("is_late").with_config(&config);
    /// assert!(is_late::call(&context, 20)?);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_config(&self, config: &Config) -> Self {
        let identity = Identity { config: Some(config.clone()), ..(*self.identity).clone() };
        TaskContext::new(identity, Arc::clone(&self.control))
    }

    /// The configuration: that of the engine, else that of the process, which is read when it is asked for first.
    ///
    /// # Errors
    ///
    /// When the configuration of the process has mistakes.
    pub fn config(&self) -> Result<Config, ConfigError> {
        self.identity.config.clone().map_or_else(Config::global, Ok)
    }

    /// A variable of the configuration, in the type that is wanted; see [`Config::variable`].
    ///
    /// # Errors
    ///
    /// When it is not given or of another type, and as [`TaskContext::config`].
    pub fn variable<T: DeserializeOwned>(&self, name: &str) -> Result<T, ConfigError> {
        self.config()?.variable(name)
    }

    /// A variable of the configuration, or what is taken where it is not given.
    ///
    /// # Errors
    ///
    /// When it is of another type, and as [`TaskContext::config`].
    pub fn variable_or<T: DeserializeOwned>(&self, name: &str, default: T) -> Result<T, ConfigError> {
        self.config()?.variable_or(name, default)
    }

    /// A connection of the configuration, with its secrets.
    ///
    /// # Errors
    ///
    /// When it is not given or a secret of it is not where it should be, and as [`TaskContext::config`].
    pub fn connection(&self, name: &str) -> Result<Connection, ConfigError> {
        self.config()?.connection(name)
    }

    /// A secret of the configuration. A file that holds it is read now.
    ///
    /// # Errors
    ///
    /// When it is not given or not where it should be, and as [`TaskContext::config`].
    pub fn secret(&self, name: &str) -> Result<Secret, ConfigError> {
        self.config()?.secret(name)
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
    /// crash; another one after the task was cleared, and when its group or its run is tried again, because then it is meant to
    /// happen again.
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

    /// The span of time whose data the run is about: `ctx.data_interval()?`.
    ///
    /// In a DAG with a schedule it can also be the default of a parameter, `#[param(default = |run| run.data_interval())]`; that a
    /// DAG without one asks for it is a compile error there.
    ///
    /// # Errors
    ///
    /// In a run of a DAG whose schedule has no intervals, or that has none. A task that returns this error fails for good.
    pub fn data_interval(&self) -> Result<Interval, Interrupt> {
        self.identity.run.interval.ok_or_else(|| {
            let dag = self.dag_id();
            self.fail(format!(
                "the runs of `{dag}` have no data interval, because it has no schedule with intervals: write \
                 `#[dag(schedule = \"@daily\")]`, or use `ctx.logical_date()`"
            ))
        })
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

    /// Waits until this time without holding a slot: `ctx.defer_until(opening)?;`
    ///
    /// Before that time it gives an error, which must be what the task returns. The task is `deferred` then, and its
    /// function is called again from its beginning when the time has come, as the same attempt; now this returns `Ok`. The
    /// wait outlives the process: a run that is resumed waits on.
    ///
    /// # Errors
    ///
    /// Before that time. Also in a task without `#[task(deferrable)]`, which fails for good.
    pub fn defer_until(&self, time: Timestamp) -> Result<(), Interrupt> {
        let comeback = self.comeback()?;
        if comeback.now >= time {
            return Ok(());
        }
        let wait = Wait::Deferred { until: Some(time), event: None };
        Err(self.waits(wait, format!("deferred until {time}")))
    }

    /// Waits for an event without holding a slot, and gives its value: `let approval: Approval = ctx.wait_for("approval")?;`
    ///
    /// Somebody releases the event by its key, in this run: [`RunControl::release`](crate::engine::RunControl::release),
    /// [`Journal::release`](crate::journal::Journal::release) or `release RUN KEY --value JSON` on the command line. It may
    /// come before the task waits for it, and several tasks may wait for one. Until then it is as with
    /// [`defer_until`](TaskContext::defer_until). A value that is no `T` is reported in the log of the attempt, and the task
    /// goes on waiting for another one.
    ///
    /// # Errors
    ///
    /// Before the event. Also in a task without `#[task(deferrable)]`, which fails for good.
    pub fn wait_for<T: DeserializeOwned>(&self, key: &str) -> Result<T, Interrupt> {
        match self.event(key)? {
            Ok(value) => Ok(value),
            Err(seen) => {
                let wait = Wait::Deferred { until: None, event: Some((key.to_owned(), seen)) };
                Err(self.waits(wait, format!("deferred until the event `{key}`")))
            }
        }
    }

    /// As [`wait_for`](TaskContext::wait_for), until a time at the latest: `None` when that has passed without the event.
    ///
    /// # Errors
    ///
    /// Before the event and that time. Also in a task without `#[task(deferrable)]`, which fails for good.
    pub fn wait_for_until<T: DeserializeOwned>(&self, key: &str, time: Timestamp) -> Result<Option<T>, Interrupt> {
        match self.event(key)? {
            Ok(value) => Ok(Some(value)),
            Err(_) if self.comeback()?.now >= time => Ok(None),
            Err(seen) => {
                let wait = Wait::Deferred { until: Some(time), event: Some((key.to_owned(), seen)) };
                Err(self.waits(wait, format!("deferred until the event `{key}` or {time}")))
            }
        }
    }

    /// When the task first began to look or to wait: the same each time it comes back, also after a retry. `None` in a task
    /// that cannot wait.
    pub fn waiting_since(&self) -> Option<Timestamp> {
        self.identity.comeback.as_ref().map(|comeback| comeback.since)
    }

    /// How often the task has waited so far: of a sensor, how many pokes there were before this one.
    pub fn waited(&self) -> u32 {
        self.identity.comeback.as_ref().map_or(0, |comeback| comeback.waits)
    }

    /// The value of an event, or the number of the last one that is of no use.
    fn event<T: DeserializeOwned>(&self, key: &str) -> Result<Result<T, u64>, Interrupt> {
        let Comeback { after, events, .. } = self.comeback()?;
        let Some((number, Happening { value, .. })) = events.get(key).filter(|(number, _)| number > after) else {
            return Ok(Err(*after));
        };
        Ok(serde_json::from_str(value).map_err(|error| {
            let ty = std::any::type_name::<T>();
            tracing::warn!(target: "taskflow", "the event `{key}` brought {value}, which is no {ty}: {error}");
            *number
        }))
    }

    /// The event with this key that the task has been told of, if there is one.
    pub(crate) fn happening(&self, key: &str) -> Option<&Happening> {
        let Comeback { after, events, .. } = self.identity.comeback.as_ref()?;
        events.get(key).filter(|(number, _)| number > after).map(|(_, happening)| happening)
    }

    fn comeback(&self) -> Result<&Comeback, Interrupt> {
        self.identity.comeback.as_ref().ok_or_else(|| {
            let task = self.task_id();
            self.fail(format!("`{task}` waits and is not deferrable: write `#[task(deferrable)]`"))
        })
    }

    fn waits(&self, wait: Wait, reason: String) -> Interrupt {
        self.remember(Interrupt { kind: Abort::Wait, reason, wait: Some(Box::new(wait)) })
    }

    fn interrupt(&self, kind: Abort, reason: String) -> Interrupt {
        self.remember(Interrupt { kind, reason, wait: None })
    }

    fn remember(&self, interrupt: Interrupt) -> Interrupt {
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
    /// For now: it waits, and is called again.
    Wait,
}

/// The error by which an attempt ends early: made by [`TaskContext::skip`], [`TaskContext::fail`] and the waits of
/// [`TaskContext`], returned by the task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupt {
    kind: Abort,
    reason: String,
    /// What for, if it waits.
    wait: Option<Box<Wait>>,
}

impl Interrupt {
    /// A sensor has not found what it looks for.
    pub(crate) fn not_yet() -> Self {
        Interrupt { kind: Abort::Wait, reason: "nothing yet".to_owned(), wait: Some(Box::new(Wait::Poke)) }
    }

    /// What is waited for.
    pub(crate) fn into_wait(self) -> Option<Box<Wait>> {
        self.wait
    }

    /// Ends an attempt without a context as skipped.
    pub(crate) fn skip(reason: String) -> Self {
        Interrupt { kind: Abort::Skip, reason, wait: None }
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
