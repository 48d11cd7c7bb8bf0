//! A service in virtual time.
//!
//! # Protocol
//!
//! 1. There are two clocks: that of the test, which only goes forward, and that of the machine,
//!    which the test may set. The service, its runs and its journal see the second one.
//! 2. A turn is that of a live service: it steps the schedules, the consumers and the backfills
//!    that are due, and claims the queued runs in [fair turns](crate::schedule::FairTurns), as many
//!    as may be active.
//! 3. A claimed run is simulated to its end at once. What it stores is kept with its time, and is
//!    stored when the test gets there. Until then the run counts as running, and whoever crashes or
//!    cancels it loses exactly what it would have stored later.
//! 4. The test then advances to whatever comes first: a schedule or a consumer that is due, an
//!    entry of a run, the end of the run, or the time that the test was told to run until.
//! 5. Deadlines of slots are judged after the schedules, as by a live service. A callback that is
//!    to be notified is not called: the log has a line instead, and the store has it as notified.
//! 6. A crash drops everything but the store. The next service resumes the interrupted runs first.
//! 7. A crash can come between any two operations of the store: from then on the store refuses
//!    everything, the service is dropped where it is, and the store works for the next one.
//! 8. A deploy is a crash and another definition of a DAG with the same id. Whatever follows has
//!    the new definition: the next service, and what people do before it starts.
//!
//! - `turn`: the loop. `runs`: runs of the service. `actions`: what people do while it serves.
//!   `deploy`: another build of the program. `report`: what happened.

mod actions;
mod deploy;
mod report;
mod runs;
mod turn;

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use self::turn::{Died, Up};
use super::script::Script;
use super::test::Test;
use crate::base::Timestamp;
use crate::dag::{DagDef, DagFn};
use crate::journal::{JournalClock, ManualJournal};
use crate::value::Value;

/// A service in virtual time: months of schedules pass without waiting, with the code that serves
/// them in production.
///
/// ```
/// use std::time::Duration;
/// use taskflow::prelude::*;
/// use taskflow::testing::Test;
///
/// #[task]
/// fn load(day: Date) -> String {
///     format!("flights of {day}")
/// }
/// #[dag(schedule = "0 6 * * *", timezone = "America/New_York")]
/// fn daily(#[param(default = |run| run.day())] day: Date) -> String {
///     load(day)
/// }
///
/// let mut service = Test::service().dag_with(daily {}, |test| test.takes(load {}, Duration::from_secs(600)));
/// service.at("2026-03-06T12:00:00Z").run_until("2026-03-08T10:05:00Z");
/// service.crash(); // in the middle of the run of March 8
/// service.run_until("2026-03-10");
/// service.assert_slots("daily", &["2026-03-07T11:00:00Z", "2026-03-08T10:00:00Z", "2026-03-09T10:00:00Z"]);
/// assert!(service.runs("daily").iter().all(|run| run.state == taskflow::RunState::Success));
/// ```
///
/// Tasks run as in [`Test`]: async ones on the virtual clock, others take no time unless the test
/// says otherwise. The events that they emit start the DAGs that consume them, as do those that the
/// test [emits](ServiceTest::emit).
///
/// # Panics
///
/// Its methods panic if a time cannot be read, a DAG is not served, somebody does what the service
/// would refuse, or the store or the engine violates a guarantee.
pub struct ServiceTest {
    dags: Vec<Served>,
    /// The clock of the test.
    now: Timestamp,
    /// How far the clock of the machine is ahead of it, in nanoseconds.
    clock_error: i64,
    clock: JournalClock,
    journal: ManualJournal,
    /// The service, unless it is down.
    up: Option<Up>,
    /// After how many operations of the store the present service and those after it die.
    dies_after: VecDeque<u64>,
    log: Vec<String>,
    /// How many runs are active at once.
    max_active_runs: usize,
    /// The number of manual runs: it keeps their ids apart.
    triggered: u32,
}

/// A DAG that the service serves, and how its tasks behave.
struct Served {
    dag: &'static DagDef,
    script: Script,
    workers: usize,
}

impl ServiceTest {
    pub(super) fn new() -> Self {
        let now = "2026-01-01".parse().unwrap_or(Timestamp::EPOCH);
        let clock = JournalClock::at(now);
        ServiceTest {
            dags: Vec::new(),
            now,
            clock_error: 0,
            journal: ManualJournal::with_clock(clock.clone()),
            clock,
            up: None,
            dies_after: VecDeque::new(),
            log: Vec::new(),
            max_active_runs: usize::MAX,
            triggered: 0,
        }
    }

    /// Serves a DAG whose tasks run as they are written.
    #[track_caller]
    pub fn dag<D: DagFn<Result: Value>>(self, dag: D) -> Self {
        self.dag_with(dag, |test| test)
    }

    /// Serves a DAG. `behave` sets stubs, durations and failures of its tasks, as in a [`Test`] of
    /// the DAG; its parameters have their defaults, and those of events what the run consumes.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use taskflow::prelude::*;
    /// # use taskflow::testing::Test;
    /// # #[task(retries = 2, retry_delay = "5m")] fn load(day: Date) -> String { format!("{day}") }
    /// # #[dag(schedule = "@daily")]
    /// # fn daily(#[param(default = |run| run.day())] day: Date) -> String { load(day) }
    /// let minute = Duration::from_secs(60);
    /// let mut service = Test::service()
    ///     .dag_with(daily {}, |test| test.takes(load {}, minute).fail_times(load {}, 1, "no network"));
    /// service.at("2026-01-01T12:00:00Z").run_until("2026-01-03");
    /// let ended = service.runs("daily")[0].ended.unwrap();
    /// assert_eq!(ended.to_string(), "2026-01-02T00:07:00Z");
    /// ```
    #[track_caller]
    pub fn dag_with<D: DagFn<Result: Value>>(
        mut self,
        dag: D,
        behave: impl FnOnce(Test<D::Result>) -> Test<D::Result>,
    ) -> Self {
        let (script, workers) = match behave(Test::new(dag)).into_script() {
            Ok(script) => script,
            Err(error) => panic!("{error}"),
        };
        self.dags.push(Served { dag: D::definition(), script, workers });
        self
    }

    /// Runs at most so many runs at once, as `serve --max-active-runs` does: the others wait for
    /// their turns, by the priorities and the weights of their DAGs. Default: no limit but those of
    /// the DAGs.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use taskflow::prelude::*;
    /// # use taskflow::testing::Test;
    /// # #[task] fn load(day: Date) -> String { format!("{day}") }
    /// #[dag(schedule = "@daily", priority = 10)]
    /// fn urgent(#[param(default = |run| run.day())] day: Date) -> String {
    ///     load(day)
    /// }
    /// #[dag(schedule = "@daily")]
    /// fn daily(#[param(default = |run| run.day())] day: Date) -> String {
    ///     load(day)
    /// }
    /// let hour = Duration::from_secs(3600);
    /// let mut service = Test::service()
    ///     .dag_with(daily {}, |test| test.takes(load {}, hour))
    ///     .dag_with(urgent {}, |test| test.takes(load {}, hour))
    ///     .max_active_runs(1);
    /// service.at("2026-01-01T12:00:00Z").run_until("2026-01-02T12:00:00Z");
    /// let ended = |dag: &str| service.runs(dag)[0].ended.unwrap().to_string();
    /// assert_eq!((ended("urgent"), ended("daily")), ("2026-01-02T01:00:00Z".into(), "2026-01-02T02:00:00Z".into()));
    /// ```
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[track_caller]
    pub fn max_active_runs(mut self, limit: usize) -> Self {
        assert!(limit > 0, "a service that may run nothing does nothing");
        self.max_active_runs = limit;
        self
    }

    /// Sets the time at which the test begins. Default: 2026-01-01.
    #[track_caller]
    pub fn at(&mut self, moment: &str) -> &mut Self {
        assert!(self.log.is_empty(), "the test has begun: advance it with `run_until` or `down_until`");
        self.set_now(time(moment));
        self
    }

    /// Serves until this time of the test, inclusive. Starts a service if none is running.
    #[track_caller]
    pub fn run_until(&mut self, moment: &str) -> &mut Self {
        let end = time(moment);
        self.journal.fail_after(self.dies_after.pop_front());
        while let Err(Died) = self.serve_until(end) {
            self.journal.fail_after(None);
            self.crash();
            self.journal.fail_after(self.dies_after.pop_front());
        }
        if let Some(left) = self.journal.fail_after(None) {
            self.dies_after.push_front(left);
        }
        self
    }

    /// Nothing is served until this time of the test.
    #[track_caller]
    pub fn down_until(&mut self, moment: &str) -> &mut Self {
        self.crash();
        self.set_now(time(moment));
        self
    }

    /// The process of the service dies. What its runs have not stored is lost. The next
    /// [`run_until`](ServiceTest::run_until) starts another one.
    pub fn crash(&mut self) -> &mut Self {
        if self.up.take().is_some() {
            self.note("the service dies");
        }
        self
    }

    /// The process of the service dies after so many more operations of the store, reads and
    /// writes, in the middle of what it does. The next one starts at once. Further calls are for
    /// the services after it: each counts its own operations.
    ///
    /// A test with a random number, or with all from 0, covers every step of the service.
    ///
    /// ```
    /// # use taskflow::prelude::*;
    /// # use taskflow::testing::Test;
    /// # #[task] fn load(day: Date) -> String { format!("{day}") }
    /// # #[dag(schedule = "@daily")]
    /// # fn daily(#[param(default = |run| run.day())] day: Date) -> String { load(day) }
    /// for operations in 0..40 {
    ///     let mut service = Test::service().dag(daily {});
    ///     service.at("2026-01-01T12:00:00Z").run_until("2026-01-01T13:00:00Z");
    ///     service.crash_after(operations).run_until("2026-01-03T12:00:00Z");
    ///     service.assert_slots("daily", &["2026-01-02", "2026-01-03"]);
    /// }
    /// ```
    pub fn crash_after(&mut self, operations: u64) -> &mut Self {
        self.dies_after.push_back(operations);
        self
    }

    /// Sets the clock of the machine back.
    pub fn clock_back(&mut self, by: Duration) -> &mut Self {
        self.set_clock(-nanos(by))
    }

    /// Sets the clock of the machine forward.
    pub fn clock_forward(&mut self, by: Duration) -> &mut Self {
        self.set_clock(nanos(by))
    }

    fn set_clock(&mut self, by: i64) -> &mut Self {
        self.clock_error += by;
        self.set_now(self.now);
        self.note("the clock is set");
        self
    }

    /// Sets the clock of the test, and with it that of the machine.
    fn set_now(&mut self, now: Timestamp) {
        self.now = now;
        self.clock.set(self.clock());
    }

    fn clock(&self) -> Timestamp {
        Timestamp::from_nanos(self.now.as_nanos().saturating_add(self.clock_error))
    }

    /// The time of the test at which the clock of the machine shows this time, as it is set now.
    fn by_test(&self, clock: Timestamp) -> Timestamp {
        Timestamp::from_nanos(clock.as_nanos().saturating_sub(self.clock_error))
    }

    fn note(&mut self, what: &str) {
        let line = format!("{} {what}\n", self.clock());
        self.log.push(line);
    }

    #[track_caller]
    fn served(&self, dag: &str) -> &'static DagDef {
        let Some(served) = self.dags.iter().find(|served| served.dag.id == dag) else {
            let known: Vec<&str> = self.dags.iter().map(|served| served.dag.id).collect();
            panic!("the test does not serve a DAG `{dag}`; it serves {}", known.join(", "));
        };
        served.dag
    }
}

/// The outcome of what a person does.
#[track_caller]
fn done<T, E: fmt::Display>(outcome: Result<T, E>) -> T {
    match outcome {
        Ok(outcome) => outcome,
        Err(error) => panic!("{error}"),
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[track_caller]
fn time(text: &str) -> Timestamp {
    let Ok(time) = text.parse() else { panic!("`{text}` is neither a date nor an RFC 3339 time") };
    time
}

impl fmt::Debug for ServiceTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceTest").field("now", &self.now).field("log", &self.log).finish_non_exhaustive()
    }
}
