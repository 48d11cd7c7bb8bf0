//! A test of a DAG.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::faults::{Faults, SentEvent};
use super::outcome::Outcome;
use super::script::{Behaviour, Script, Selection, Target, panics, skips};
use super::service::ServiceTest;
use super::session::{SimOptions, TestError, run_sessions};
use super::stub::StubFn;
use super::subject::Subject;
use super::test_world::TestWorld;
use crate::base::Timestamp;
use crate::dag::{BuildErrors, ParamDef, Plan};
use crate::run::{Durability, RunInfo};
use crate::task::TaskFn;
use crate::value::{AnyValue, Value};

/// A simulated run: on one thread, with a virtual clock, without files or network. Hours of
/// retries, time limits and deferred tasks pass in milliseconds, and every test is reproducible.
///
/// ```
/// use std::time::Duration;
/// use taskflow::TaskState;
/// use taskflow::prelude::*;
/// use taskflow::testing::Test;
///
/// #[task(retries = 3, retry_delay = "1h")]
/// fn extract(day: Date) -> Result<Vec<u32>> {
///     Err(format!("there is no network for {day}"))?
/// }
/// #[task]
/// fn total(rows: &[u32]) -> u32 {
///     rows.iter().sum()
/// }
/// #[dag]
/// fn daily(day: Date) -> u32 {
///     total(extract(day))
/// }
///
/// let outcome = Test::new(daily {})
///     .param("day", Date::new(2026, 1, 31).unwrap())
///     .stub(extract {}, |_: Date| Ok(vec![1, 2, 3]))
///     .fail_times(extract {}, 2, "the server is away")
///     .run();
/// outcome.assert_success().assert_attempts("extract", 3).assert_state("total", TaskState::Success);
/// assert_eq!(outcome.result(), &6);
/// assert_eq!(outcome.elapsed(), Duration::from_secs(2 * 3600));
/// ```
///
/// Sync and blocking tasks take no virtual time unless [`Test::takes`] sets it; they run one after
/// the other on the thread of the test. Async tasks run concurrently on a paused tokio clock with
/// the same time: `tokio::time::sleep` returns when nothing else can happen. Waits for a real
/// thread or for the network do not hold the clock: stub them.
#[must_use = "a test runs with `run()`"]
pub struct Test<T> {
    plan: Result<Arc<Plan>, BuildErrors>,
    params: Vec<Option<AnyValue>>,
    mistakes: Vec<String>,
    script: Script,
    pub(super) faults: Faults,
    pub(super) workers: usize,
    pub(super) seed: Option<u64>,
    logical_date: Timestamp,
    fail_fast: Option<bool>,
    pub(super) durability: Durability,
    pub(super) is_stored: bool,
    result: PhantomData<fn() -> T>,
}

impl<T: Value> Test<T> {
    /// A test of `delays {}` or `delays::run(..)`, for a `#[dag] fn delays(..)`, or of a
    /// [`Dag`](crate::dag::Dag). `T` is the type of the result: a helper that makes tests of
    /// `delays`, whose result is a `u64`, returns a `Test<u64>`.
    pub fn new(subject: impl Subject<Result = T>) -> Self {
        let (plan, params) = subject.into_parts();
        let count = plan.as_ref().map_or(0, |plan| plan.params().len());
        let params = params.unwrap_or_else(|| vec![None; count]);
        Test {
            plan,
            params,
            mistakes: Vec::new(),
            script: Script::default(),
            faults: Faults::default(),
            workers: 4,
            seed: None,
            logical_date: "2026-01-01".parse().unwrap_or(Timestamp::EPOCH),
            fail_fast: None,
            durability: Durability::Strict,
            is_stored: false,
            result: PhantomData,
        }
    }
}

impl Test<()> {
    /// A test of a service: see [`ServiceTest`].
    pub fn service() -> ServiceTest {
        ServiceTest::new()
    }
}

/// The run.
impl<T> Test<T> {
    /// Sets a parameter of the DAG. Parameters that are not set have their defaults.
    pub fn param<V: Value>(mut self, name: &str, value: V) -> Self {
        let given = std::any::type_name::<V>();
        self.set_param(name, |param| match param.ty.path() == given {
            true => Ok(AnyValue::new(value)),
            false => Err(format!("is a {}, not a {}", param.ty.short(), crate::value::TypeInfo::of::<V>().short())),
        });
        self
    }

    /// Sets a parameter from text, parsed as on the command line.
    pub fn param_text(mut self, name: &str, text: &str) -> Self {
        self.set_param(name, |param| param.parse(text).map_err(|error| error.to_string()));
        self
    }

    fn set_param(&mut self, name: &str, value: impl FnOnce(&ParamDef) -> Result<AnyValue, String>) {
        let Ok(plan) = &self.plan else { return };
        let Some(place) = plan.params().iter().position(|param| param.name == name) else {
            let all = listed(plan.params());
            self.mistakes.push(format!("the DAG `{}` has no parameter `{name}`; {all}", plan.id()));
            return;
        };
        match value(&plan.params()[place]) {
            Ok(value) => self.params[place] = Some(value),
            Err(reason) => {
                let all = listed(plan.params());
                self.mistakes.push(format!("the parameter `{name}` of `{}` {reason}; {all}", plan.id()));
            }
        }
    }

    /// Sets the logical date of the run, at which its virtual clock starts. Default: 2026-01-01.
    pub fn logical_date(mut self, logical_date: Timestamp) -> Self {
        self.logical_date = logical_date;
        self
    }

    /// Sets how many sync tasks run at once. Default: 4.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// Makes random choices wherever the order of threads could vary; the same seed makes the same
    /// choices. Without a seed, everything happens in order.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Like [`RunRequest::fail_fast`](crate::engine::RunRequest::fail_fast).
    pub fn fail_fast(mut self, fail_fast: bool) -> Self {
        self.fail_fast = Some(fail_fast);
        self
    }

    /// Like [`RunRequest::durability`](crate::engine::RunRequest::durability), for tests with a
    /// journal.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Stores the run in a journal (in memory), so its values must be serializable. Faults that
    /// need a journal enable it.
    pub fn stored(mut self) -> Self {
        self.is_stored = true;
        self
    }
}

/// The behaviour of tasks.
impl<T> Test<T> {
    /// Calls `stub` instead of the function for all nodes of a task. The compiler checks it against
    /// the signature of the function.
    pub fn stub<F: TaskFn>(self, _task: F, stub: impl StubFn<F::Args, F::Output>) -> Self {
        self.behave(Selection::Function(F::definition()), Behaviour::Call(Arc::new(move |inputs, _| stub.call(inputs))))
    }

    /// Calls `stub` instead of the function for one node, or for one element of a list
    /// (`"extract[3]"`). `task` is that function.
    pub fn stub_node<F: TaskFn>(mut self, id: &str, _task: F, stub: impl StubFn<F::Args, F::Output>) -> Self {
        let node = id.split_once('[').map_or(id, |(node, _)| node);
        if let Ok(plan) = &self.plan
            && let Some(node) = plan.find(node)
            && !std::ptr::eq(plan.def(node), F::definition())
        {
            let (task, stubbed) = (plan.def(node).id, F::definition().id);
            self.mistakes.push(format!("`{id}` is a node of the task `{task}`, but its stub is for `{stubbed}`"));
            return self;
        }
        self.behave(Selection::Id(id.to_owned()), Behaviour::Call(Arc::new(move |inputs, _| stub.call(inputs))))
    }

    /// The first `times` attempts fail with this error; later ones run as usual. Lost attempts do
    /// not count.
    pub fn fail_times(self, task: impl Target, times: u32, error: impl fmt::Display) -> Self {
        self.behave(task.selection(), Behaviour::Fail { times, message: error.to_string() })
    }

    /// Every attempt fails with this error.
    pub fn always_fails(self, task: impl Target, error: impl fmt::Display) -> Self {
        self.fail_times(task, u32::MAX, error)
    }

    /// Every attempt panics.
    pub fn panics(self, task: impl Target, message: impl fmt::Display) -> Self {
        self.behave(task.selection(), Behaviour::Call(panics(message.to_string())))
    }

    /// Every attempt skips the task.
    pub fn skips(self, task: impl Target, reason: impl fmt::Display) -> Self {
        self.behave(task.selection(), Behaviour::Call(skips(reason.to_string())))
    }

    /// The first `times` pokes of a sensor find nothing; later ones run as usual. The virtual clock
    /// passes over the waits.
    ///
    /// ```
    /// # use taskflow::prelude::*;
    /// # use taskflow::testing::Test;
    /// # use std::time::Duration;
    /// #[sensor(poke_interval = "10m")]
    /// fn landed() -> Option<String> {
    ///     std::fs::exists("landing/flights.csv").ok()?.then(|| "flights.csv".to_owned())
    /// }
    /// #[dag]
    /// fn daily() -> String {
    ///     landed()
    /// }
    /// let outcome = Test::new(daily {}).stub(landed {}, || Ok("flights.csv".to_owned())).not_yet(landed {}, 3).run();
    /// assert_eq!(outcome.elapsed(), Duration::from_secs(30 * 60));
    /// ```
    pub fn not_yet(self, sensor: impl Target, times: u32) -> Self {
        self.behave(sensor.selection(), Behaviour::NotYet { times })
    }

    /// Every attempt takes this much virtual time, in addition to the waits in its own code.
    pub fn takes(self, task: impl Target, duration: Duration) -> Self {
        self.behave(task.selection(), Behaviour::Take(duration))
    }

    fn behave(mut self, selection: Selection, behaviour: Behaviour) -> Self {
        self.script.add(selection, behaviour);
        self
    }
}

/// Events.
impl<T> Test<T> {
    /// Sends this event at the start of the run: `ctx.wait_for::<V>(key)` returns the value.
    ///
    /// ```
    /// # use taskflow::prelude::*;
    /// # use taskflow::testing::Test;
    /// #[task(deferrable)]
    /// fn ask(ctx: &TaskContext) -> Result<bool> {
    ///     Ok(ctx.wait_for("approved")?)
    /// }
    /// #[dag]
    /// fn careful() -> bool {
    ///     ask()
    /// }
    /// assert_eq!(Test::new(careful {}).send_event("approved", true).run().result(), &true);
    /// ```
    pub fn send_event(self, key: &str, value: impl serde::Serialize) -> Self {
        self.send_event_after(Duration::ZERO, key, value)
    }

    /// Like [`Test::send_event`], after this much virtual time.
    pub fn send_event_after(mut self, after: Duration, key: &str, value: impl serde::Serialize) -> Self {
        match serde_json::to_string(&value) {
            Ok(value) => {
                let (key, value) = (key.to_owned(), value.into());
                self.faults.events.push(SentEvent { after, key, value, is_sent: false });
            }
            Err(error) => {
                self.mistakes.push(format!("the value of the event `{key}` cannot be written as JSON: {error}"));
            }
        }
        self
    }
}

/// Faults. After the death of a process another one resumes the run from the journal, at once.
impl<T> Test<T> {
    /// The process dies when this many journal entries are stored. Can be called several times; the
    /// count continues across sessions.
    ///
    /// The start of a session and each transition of a task make an entry. The last entry ends the
    /// run; after it, nothing is resumed.
    pub fn crash_after(mut self, entries: u64) -> Self {
        self.faults.crash_after.push(entries);
        self.faults.crash_after.sort_unstable();
        self
    }

    /// The first attempt of the task never ends, as if its thread hung. Its `timeout` ends it; a
    /// task without one makes the test fail.
    pub fn lost_worker(self, task: impl Target) -> Self {
        self.behave(task.selection(), Behaviour::Lose)
    }

    /// Each commit takes this much virtual time. Tasks that depend on the stored entries wait.
    pub fn slow_store(mut self, duration: Duration) -> Self {
        self.faults.slow_store = duration;
        self
    }

    /// The commit with this number, counted from 1, fails: the run is interrupted. The store works
    /// again when it is resumed.
    pub fn failing_store(mut self, commit: u64) -> Self {
        self.faults.failing_store = Some(commit);
        self
    }

    /// After this much virtual time the clock jumps by so many seconds: forward, like that of a
    /// machine that slept, or backward.
    pub fn clock_jump(mut self, after: Duration, seconds: i64) -> Self {
        self.faults.clock_jumps.push((after, seconds.saturating_mul(1_000_000_000)));
        self.faults.clock_jumps.sort_unstable();
        self
    }

    /// Cancels the run after this many transitions (lines of [`Outcome::event_log`]).
    pub fn cancel_after(mut self, transitions: u64) -> Self {
        self.faults.cancel_after = Some(transitions);
        self
    }
}

impl<T: Value> Test<T> {
    /// Runs the test.
    ///
    /// # Panics
    ///
    /// If [`Test::try_run`] would return an error. Inside async code, if the DAG has async tasks.
    #[track_caller]
    pub fn run(self) -> Outcome<T> {
        // Not a closure: its panic would point into the library.
        match self.try_run() {
            Ok(outcome) => outcome,
            Err(error) => panic!("{error}"),
        }
    }

    /// Like [`Test::run`], but returns an error instead of panicking. A failed run is an outcome,
    /// not an error.
    ///
    /// # Errors
    ///
    /// If the graph is invalid, the test names something that does not exist, a parameter has no or
    /// an invalid value, or the run never ends.
    pub fn try_run(mut self) -> Result<Outcome<T>, TestError> {
        let plan = self.plan.clone()?;
        let mut info = plan.options().complete(RunInfo::manual(plan.id(), self.logical_date));
        // Always the same, because the jitter of retries and idempotency keys depend on it.
        info.run_id = format!("test__{}", self.logical_date);
        let params = self.complete_params(&plan, &info);
        self.mistakes.extend(self.script.mistakes(&plan));
        if !self.mistakes.is_empty() {
            return Err(TestError::Mistakes(self.mistakes));
        }
        let Test { script, faults, workers, seed, durability, is_stored, .. } = self;
        let fail_fast = self.fail_fast.unwrap_or(plan.options().fail_fast);
        let options = SimOptions { plan, info, params, workers, seed: seed.unwrap_or(0), fail_fast, durability };
        let mut world = TestWorld::new(script, faults, seed, self.logical_date, is_stored);
        let report = run_sessions(&options, &mut world)?;
        Ok(Outcome::new(report, world))
    }

    /// The behaviour of the tasks, and how many of them run at once.
    ///
    /// # Errors
    ///
    /// What the test names and does not exist.
    pub(super) fn into_script(mut self) -> Result<(Script, usize), TestError> {
        let plan = self.plan.clone()?;
        self.mistakes.extend(self.script.mistakes(&plan));
        if self.mistakes.is_empty() { Ok((self.script, self.workers)) } else { Err(TestError::Mistakes(self.mistakes)) }
    }

    fn complete_params(&mut self, plan: &Plan, info: &RunInfo) -> Vec<AnyValue> {
        let mut values = Vec::with_capacity(self.params.len());
        if self.params.len() != plan.params().len() {
            let (wanted, given) = (plan.params().len(), self.params.len());
            self.mistakes
                .push(format!("the DAG `{}` has {wanted} parameters, but {given} values were passed", plan.id()));
            return values;
        }
        for (param, given) in plan.params().iter().zip(&self.params) {
            match given.clone().map(Ok).or_else(|| param.default_for(info)) {
                Some(Ok(value)) => values.push(value),
                Some(Err(error)) => self.mistakes.push(error.to_string()),
                None => self.mistakes.push(format!(
                    "the parameter `{}` of `{}`, a {}, has no default: set it with `.param(\"{}\", ..)`",
                    param.name,
                    plan.id(),
                    param.ty.short(),
                    param.name
                )),
            }
        }
        values
    }
}

fn listed(params: &[ParamDef]) -> String {
    if params.is_empty() {
        return "it has none".to_owned();
    }
    let params: Vec<String> = params.iter().map(|param| format!("`{}: {}`", param.name, param.ty.short())).collect();
    format!("its parameters are {}", params.join(", "))
}

impl<T> fmt::Debug for Test<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Test").field("plan", &self.plan).field("faults", &self.faults).finish_non_exhaustive()
    }
}
