//! A service in virtual time.
//!
//! # Protocol
//!
//! 1. There are two clocks: that of the test, which only goes forward, and that of the machine,
//!    which the test may set. The service and its runs see the second one.
//! 2. A turn is that of a live service: it steps the schedules that are due, and claims the queued
//!    runs, oldest first.
//! 3. A claimed run is simulated to its end at once. What it stores is kept with its time, and is
//!    stored when the test gets there. Until then the run counts as running, and whoever crashes or
//!    cancels it loses exactly what it would have stored later.
//! 4. The test then advances to whatever comes first: a schedule that is due, an entry of a run,
//!    the end of the run, or the time that the test was told to run until.
//! 5. Deadlines of slots are judged after the schedules, as by a live service. A callback that is
//!    to be notified is not called: the log has a line instead, and the store has it as notified.
//! 6. A crash drops everything but the store. The next service resumes the interrupted runs first.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::time::Duration;

use super::faults::Faults;
use super::script::Script;
use super::test::Test;
use super::test_world::TestWorld;
use crate::base::Timestamp;
use crate::dag::{DagDef, DagFn, ParamError, Params};
use crate::engine::{Asyncs, End, RunRequest, SimConfig, Simulated};
use crate::journal::{Journal, ManualJournal, Note, RunHistory, RunSummary, TaskFilter, at_once};
use crate::ops::{self, PastSlots};
use crate::run::{RunInfo, RunState, RunType};
use crate::schedule::{Catchup, MissedSlots, Note as ScheduleNote, Pause, Unpause};
use crate::service::{Deadlines, Schedules, ServiceEvent};
use crate::store::{Append, RunFilter, RunGuard, RunOrder};
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
/// says otherwise.
///
/// # Panics
///
/// Its methods panic, at the line of their call, if a time cannot be read, a DAG is not served or
/// has event parameters, or the store or the engine violates a guarantee.
pub struct ServiceTest {
    dags: Vec<Served>,
    /// The clock of the test.
    now: Timestamp,
    /// How far the clock of the machine is ahead of it, in nanoseconds.
    clock_error: i64,
    journal: ManualJournal,
    /// The service, unless it is down.
    up: Option<Up>,
    log: Vec<String>,
    /// The number of manual runs: it keeps their ids apart.
    triggered: u32,
}

/// A DAG that the service serves, and how its tasks behave.
struct Served {
    dag: &'static DagDef,
    script: Script,
    workers: usize,
}

/// What a service has in memory.
struct Up {
    schedules: Schedules,
    deadlines: Deadlines,
    running: Vec<Running>,
}

/// A run of the service.
struct Running {
    number: i64,
    run_id: String,
    dag: &'static DagDef,
    /// What it stores from now on.
    later: VecDeque<(Timestamp, Append)>,
    /// When it ends; `None` if it waits for something that never comes.
    ends: Option<Timestamp>,
    _guard: Option<RunGuard>,
}

impl ServiceTest {
    pub(super) fn new() -> Self {
        ServiceTest {
            dags: Vec::new(),
            now: "2026-01-01".parse().unwrap_or(Timestamp::EPOCH),
            clock_error: 0,
            journal: ManualJournal::new(),
            up: None,
            log: Vec::new(),
            triggered: 0,
        }
    }

    /// Serves a DAG whose tasks run as they are written.
    #[track_caller]
    pub fn dag<D: DagFn<Result: Value>>(self, dag: D) -> Self {
        self.dag_with(dag, |test| test)
    }

    /// Serves a DAG. `behave` sets stubs, durations and failures of its tasks, as in a [`Test`] of
    /// the DAG; its parameters have their defaults.
    #[track_caller]
    pub fn dag_with<D: DagFn<Result: Value>>(
        mut self,
        dag: D,
        behave: impl FnOnce(Test<D::Result>) -> Test<D::Result>,
    ) -> Self {
        // Their events would never start a run, and the test would pass.
        let has_events = (D::definition().params)().iter().any(|param| param.event.is_some());
        assert!(
            !has_events,
            "`{}` has event parameters, which a service in virtual time does not serve",
            D::definition().id
        );
        let (script, workers) = match behave(Test::new(dag)).into_script() {
            Ok(script) => script,
            Err(error) => panic!("{error}"),
        };
        self.dags.push(Served { dag: D::definition(), script, workers });
        self
    }

    /// Sets the time at which the test begins. Default: 2026-01-01.
    #[track_caller]
    pub fn at(&mut self, moment: &str) -> &mut Self {
        assert!(self.log.is_empty(), "the test has begun: advance it with `run_until` or `down_until`");
        self.now = time(moment);
        self
    }

    /// Serves until this time of the test, inclusive. Starts a service if none is running.
    #[track_caller]
    pub fn run_until(&mut self, moment: &str) -> &mut Self {
        let end = time(moment);
        self.start();
        loop {
            let next = self.turn();
            match next {
                Some(next) if next <= end => self.advance(next),
                _ => break,
            }
        }
        self.advance(end);
        self
    }

    /// Nothing is served until this time of the test.
    #[track_caller]
    pub fn down_until(&mut self, moment: &str) -> &mut Self {
        self.crash();
        self.now = time(moment);
        self
    }

    /// The process of the service dies. What its runs have not stored is lost.
    pub fn crash(&mut self) -> &mut Self {
        if self.up.take().is_some() {
            self.note("the service dies");
        }
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
        self.note("the clock is set");
        self
    }

    /// Pauses a DAG, until it is unpaused.
    #[track_caller]
    pub fn pause(&mut self, dag: &str, reason: &str) -> &mut Self {
        let note = Note { by: "the test".to_owned(), reason: reason.to_owned() };
        let paused = at_once(ops::pause_at(self.journal.journal(), self.served(dag), &note, None, self.clock()));
        match paused {
            Ok(Pause { .. }) => self.note(&format!("{dag}: paused")),
            Err(error) => panic!("{error}"),
        }
        self
    }

    /// Unpauses a DAG. `catchup` decides about the slots that passed.
    #[track_caller]
    pub fn unpause(&mut self, dag: &str, catchup: Catchup) -> &mut Self {
        let unpaused = at_once(ops::unpause_at(
            self.journal.journal(),
            self.served(dag),
            &Note { by: "the test".to_owned(), reason: String::new() },
            catchup,
            Unpause::All,
            self.clock(),
        ));
        match unpaused {
            Ok(slots) => {
                self.note(&format!("{dag}: unpaused"));
                slots.iter().for_each(|slots| self.note(&recorded(dag, slots)));
            }
            Err(error) => panic!("{error}"),
        }
        self
    }

    /// Clears the failed tasks of the last run of a DAG, by logical date, and runs them again.
    #[track_caller]
    pub fn clear_failed(&mut self, dag: &str) -> &mut Self {
        let Some(run) = self.runs(dag).pop() else { panic!("`{dag}` has no run") };
        let note = Note { by: "the test".to_owned(), reason: String::new() };
        let failed = TaskFilter::all().failed();
        if let Err(error) = at_once(self.journal.journal().clear(&run.info.run_id, &failed, &note)) {
            panic!("{error}");
        }
        self.note(&format!("{dag}: {} is cleared", run.info.run_id));
        if self.up.is_some() {
            self.start_run(&run);
        }
        self
    }

    /// Queues a manual run of a DAG.
    #[track_caller]
    pub fn trigger(&mut self, dag: &str) -> &mut Self {
        let (dag, at) = (self.served(dag), self.clock());
        self.triggered += 1;
        let mut info = dag.options.complete(RunInfo::manual(dag.id, at));
        info.run_id = format!("manual__{at}_{}", self.triggered);
        let plan = match dag.plan() {
            Ok(plan) => plan,
            Err(errors) => panic!("{errors}"),
        };
        let params = match Params::from_text(plan.params(), &info, &HashMap::new(), |_| None) {
            Ok(params) => params,
            Err(errors) => panic!("{}", errors.iter().map(ParamError::to_string).collect::<Vec<_>>().join("; ")),
        };
        let request = RunRequest::<()>::of_plan(plan, info, params);
        if let Err(error) = at_once(self.journal.journal().enqueue_at(request, at)) {
            panic!("{error}");
        }
        self
    }
}

/// What happened.
impl ServiceTest {
    /// All runs of a DAG, by logical date.
    #[track_caller]
    pub fn runs(&self, dag: &str) -> Vec<RunSummary> {
        let filter = RunFilter { dag: Some(dag.to_owned()), order: RunOrder::LogicalDate, ..RunFilter::default() };
        let mut runs = self.read(&filter);
        runs.reverse();
        runs
    }

    /// What is stored of a run.
    #[track_caller]
    pub fn history(&self, run: &RunSummary) -> RunHistory {
        match at_once(self.journal.journal().history(&run.info.run_id)) {
            Ok(history) => history,
            Err(error) => panic!("{error}"),
        }
    }

    /// The last slots of a DAG, the latest first: its runs, and the records of why there is none.
    #[track_caller]
    pub fn slots(&self, dag: &str) -> Vec<PastSlots> {
        match at_once(ops::past_slots(self.journal.journal(), self.served(dag), u32::MAX)) {
            Ok(slots) => slots,
            Err(error) => panic!("{error}"),
        }
    }

    /// Asserts that exactly these slots of the schedule of a DAG have become runs.
    ///
    /// # Panics
    ///
    /// If others have.
    #[track_caller]
    pub fn assert_slots(&self, dag: &str, wanted: &[&str]) -> &Self {
        let runs = self.runs(dag);
        let scheduled = runs.iter().filter(|run| run.info.run_type == RunType::Scheduled);
        let found: Vec<Timestamp> = scheduled.map(|run| run.info.logical_date).collect();
        let wanted: Vec<Timestamp> = wanted.iter().map(|text| time(text)).collect();
        if found != wanted {
            let list = |times: &[Timestamp]| times.iter().map(Timestamp::to_string).collect::<Vec<_>>().join(", ");
            panic!("the slots of `{dag}` are [{}], not [{}]\n{}", list(&found), list(&wanted), self.event_log());
        }
        self
    }

    /// What the service did, an event on a line with the time of its clock. Identical in every run
    /// of the test, for snapshots.
    pub fn event_log(&self) -> String {
        self.log.concat()
    }
}

impl ServiceTest {
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

    #[track_caller]
    fn read(&self, filter: &RunFilter) -> Vec<RunSummary> {
        match at_once(self.journal.journal().runs(filter)) {
            Ok(runs) => runs,
            Err(error) => panic!("{error}"),
        }
    }

    /// Starts a service, which resumes interrupted runs first.
    #[track_caller]
    fn start(&mut self) {
        if self.up.is_some() {
            return;
        }
        let dags: Vec<&'static DagDef> = self.dags.iter().map(|served| served.dag).collect();
        let (schedules, events) = Schedules::of(&dags);
        let deadlines = Deadlines::of(&dags);
        self.up = Some(Up { schedules, deadlines, running: Vec::new() });
        self.note("a service starts");
        self.report(events);
        let states = vec![RunState::Interrupted];
        let mut interrupted = self.read(&RunFilter { states, order: RunOrder::Number, ..RunFilter::default() });
        interrupted.reverse();
        for run in interrupted {
            self.start_run(&run);
        }
    }

    /// Does what is to be done now. Returns when there is something to do again.
    #[track_caller]
    fn turn(&mut self) -> Option<Timestamp> {
        let clock = self.clock();
        let mut events = Vec::new();
        let up = self.up.as_mut()?;
        if let Err(error) = at_once(up.schedules.turn(self.journal.journal(), &HashSet::new(), clock, &mut events)) {
            panic!("{error}");
        }
        let notified = at_once(judge(&mut up.deadlines, self.journal.journal(), clock, &mut events));
        self.report(events);
        match notified {
            Ok(notified) => notified.iter().for_each(|line| self.note(line)),
            Err(error) => panic!("{error}"),
        }
        self.cancel_runs();
        let states = vec![RunState::Queued];
        let mut queued = self.read(&RunFilter { states, order: RunOrder::Number, ..RunFilter::default() });
        queued.reverse();
        for run in queued {
            self.start_run(&run);
        }
        let up = self.up.as_ref()?;
        let wakes = up.schedules.wake().into_iter().chain(up.deadlines.wake());
        let due = wakes.min().map(|wake| self.by_test(wake).max(self.now + Duration::from_millis(1)));
        let stored = up.running.iter().filter_map(|run| run.later.front().map(|&(at, _)| at));
        let ends = up.running.iter().filter_map(|run| run.ends);
        due.into_iter().chain(stored).chain(ends).min()
    }

    /// Advances the clock, and stores what the runs have stored until then.
    #[track_caller]
    fn advance(&mut self, to: Timestamp) {
        self.now = self.now.max(to);
        let Some(up) = &mut self.up else { return };
        let mut ended = Vec::new();
        for run in &mut up.running {
            while let Some((_, part)) = run.later.pop_front_if(|(at, _)| *at <= to) {
                if let Err(error) = self.journal.put_late(part) {
                    panic!("run {}: {error}", run.run_id);
                }
            }
            if run.ends.is_some_and(|ends| ends <= to) {
                ended.push((run.run_id.clone(), run.dag.id));
            }
        }
        up.running.retain(|run| run.ends.is_none_or(|ends| ends > to));
        for (run_id, dag) in ended {
            if let Some(up) = &mut self.up {
                up.schedules.run_ended(dag);
            }
            let state = match at_once(self.journal.journal().find(&run_id)) {
                Ok(run) => run.state,
                Err(error) => panic!("{error}"),
            };
            self.note(&format!("{dag}: {run_id} ends: {state}"));
        }
    }

    /// Ends the runs that somebody has asked to cancel.
    #[track_caller]
    fn cancel_runs(&mut self) {
        let Some(up) = &mut self.up else { return };
        let numbers: Vec<i64> = up.running.iter().map(|run| run.number).collect();
        let asked = match self.journal.cancellations(&numbers) {
            Ok(asked) => asked,
            Err(error) => panic!("{error}"),
        };
        for (number, note) in asked {
            let Some(up) = &mut self.up else { return };
            let Some(at) = up.running.iter().position(|run| run.number == number) else { continue };
            let run = up.running.remove(at);
            up.schedules.run_ended(run.dag.id);
            let (run_id, dag) = (run.run_id.clone(), run.dag.id);
            // Releases it.
            drop(run);
            if let Err(error) = self.journal.cancel(&run_id, self.clock(), &note) {
                panic!("{error}");
            }
            self.note(&format!("{dag}: {run_id} is cancelled"));
        }
    }

    /// Claims a run and simulates it.
    #[track_caller]
    fn start_run(&mut self, run: &RunSummary) {
        let Some(served) = self.dags.iter().find(|served| served.dag.id == run.info.dag_id) else { return };
        let (start, run_id) = (self.clock(), run.info.run_id.clone());
        let mut world = TestWorld::new(served.script.clone(), Faults::default(), None, start, false);
        let own = self.journal.beside();
        let simulated = served.dag.plan().map_err(|errors| errors.to_string()).and_then(|plan| {
            let request = own.resume::<()>(&run_id, &plan, start).map_err(|error| error.to_string())?;
            world.journal = Some(own);
            world.later = Some(Vec::new());
            let config = SimConfig { workers: served.workers, at_once: usize::MAX, asyncs: Asyncs::Virtual, start };
            let request = request.observe(|_: &crate::run::Event| {});
            request.simulate(config, &mut world).map_err(|error| error.to_string())
        });
        let Simulated { end, now: ended, .. } = match simulated {
            Ok(simulated) => simulated,
            Err(error) => panic!("the run {run_id} cannot be simulated: {error}"),
        };
        world.end_session();
        assert!(world.broken.is_empty(), "the engine has violated its guarantees: {}", world.broken.join("; "));
        let later = world.later.take().unwrap_or_default();
        let later = later.into_iter().map(|(at, part)| (self.by_test(at), part)).collect();
        let ends = (end == End::Over).then(|| self.by_test(ended));
        let (number, dag) = (run.number, served.dag);
        let running = Running { number, run_id: run_id.clone(), dag, later, ends, _guard: self.journal.hold(&run_id) };
        let resumed = if run.state == RunState::Interrupted { "resumed" } else { "starts" };
        self.note(&format!("{}: {run_id} {resumed}", dag.id));
        if let Some(up) = &mut self.up {
            up.running.push(running);
        }
        self.advance(self.now);
    }

    fn report(&mut self, events: Vec<ServiceEvent>) {
        for event in events {
            match event {
                ServiceEvent::Recorded { dag, record } => self.note(&recorded(dag, &PastSlots::from(record))),
                ServiceEvent::Noted { dag, note: ScheduleNote::DeadlineMissed(missed) } => {
                    let MissedSlots { last, count, deadline, reason, .. } = missed;
                    let slots = if count == 1 { "the slot".to_owned() } else { format!("{count} slots until") };
                    self.note(&format!("{dag}: {slots} {last} missed the deadline {deadline}: {reason}"));
                }
                ServiceEvent::Noted { dag, note } => self.note(&format!("{dag}: {note:?}")),
                ServiceEvent::Unserved { dag, reason } => self.note(&format!("{dag} is not served: {reason}")),
                // Its start is noted.
                ServiceEvent::Due { .. } => {}
                other => self.note(&format!("{other:?}")),
            }
        }
    }
}

/// Judges the deadlines of slots. Returns a line for each notification of a callback.
async fn judge(
    deadlines: &mut Deadlines,
    journal: &Journal,
    now: Timestamp,
    events: &mut Vec<ServiceEvent>,
) -> Result<Vec<String>, ops::OpsError> {
    deadlines.turn(journal, now, events).await?;
    let mut lines = Vec::new();
    for (dag, pending) in deadlines.pending(now) {
        lines.push(format!("{dag}: notified that {}", pending.notification));
        deadlines.returned(journal, dag, pending.as_delivered(now), now).await?;
    }
    Ok(lines)
}

fn recorded(dag: &str, slots: &PastSlots) -> String {
    let PastSlots { first, count, fate, reason, .. } = slots;
    let slots = if *count == 1 { "1 slot".to_owned() } else { format!("{count} slots") };
    format!("{dag}: {slots} from {first} {fate}: {reason}")
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
