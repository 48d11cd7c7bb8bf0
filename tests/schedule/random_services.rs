//! Services in virtual time to which anything may happen.
//!
//! `TASKFLOW_SERVICES` is how many there are, from the seed `TASKFLOW_FIRST_SERVICE` on, and
//! `TASKFLOW_SERVICE_SEED` the only one.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use taskflow::asset::{Day, Event, Events, Hour, Latest, Seen};
use taskflow::engine::RunType;
use taskflow::journal::RunSummary;
use taskflow::notify::Notification;
use taskflow::ops::PastSlots;
use taskflow::prelude::*;
use taskflow::schedule::{
    BackfillOrder, BackfillRequest, BackfillScope, Catchup, GRACE, MissedSlots, Note, Schedule, SlotRange, Unpause,
};
use taskflow::testing::{ServiceTest, Test};
use taskflow::{Registry, RunState};

use crate::support::on_all_cores;

const DAY: Duration = Duration::from_secs(86_400);

taskflow::asset! {
    LOADED: Asset<String> = "random/loaded";
    NUMBERS: Asset<u64> = "random/numbers";
    PARTS: Asset<u64, Hour> = "random/parts";
}

#[task]
fn extract(day: Date) -> String {
    format!("flights of {day}")
}

#[task(produces = LOADED, retries = 1, retry_delay = "3m")]
fn load(day: Date) -> String {
    format!("flights of {day}")
}

#[dag(schedule = "@hourly")]
fn emitting(#[param(default = |run| run.day())] day: Date) -> String {
    load(day)
}

fn tell(_: &Notification) {}

#[dag(
    schedule = "@hourly",
    catchup = "all",
    catchup_window = "3d",
    deadline = "2h after slot",
    on_deadline_missed = tell
)]
fn complete(#[param(default = |run| run.day())] day: Date) -> String {
    extract(day)
}

#[dag(schedule = every("20m"), overlap = "cancel")]
fn cancelled(#[param(default = |run| run.day())] day: Date) -> String {
    extract(day)
}

#[dag(schedule = every("20m"), overlap = "skip", deadline = "30m after slot", on_deadline_missed = tell)]
fn skipping(#[param(default = |run| run.day())] day: Date) -> String {
    extract(day)
}

#[dag(schedule = every("20m"), overlap = "queue_one", spread = "7m", deadline = "1h after slot", on_deadline_missed = tell)]
fn queue_one(#[param(default = |run| run.day())] day: Date) -> String {
    extract(day)
}

#[dag(schedule = every("20m"), overlap = "allow", max_active_runs = 3)]
fn beside(#[param(default = |run| run.day())] day: Date) -> String {
    extract(day)
}

#[dag(schedule = every("6h"), paused)]
fn dormant(#[param(default = |run| run.day())] day: Date) -> String {
    extract(day)
}

#[dag(schedule = "@daily", after_previous, deadline = "by 01:00", on_deadline_missed = tell)]
fn ordered(#[param(default = |run| run.day())] day: Date) -> String {
    extract(day)
}

thread_local! {
    /// By run, the numbers of the events that it has received.
    static RECEIVED: RefCell<HashMap<String, Vec<i64>>> = RefCell::default();
}

fn receive(ctx: &TaskContext, numbers: impl IntoIterator<Item = i64>) {
    RECEIVED.with_borrow_mut(|received| received.insert(ctx.run_id().to_owned(), numbers.into_iter().collect()));
}

#[task]
fn one(ctx: &TaskContext, loaded: &Event<String>) -> u64 {
    receive(ctx, [loaded.number]);
    loaded.len() as u64
}

#[dag]
fn each(#[event(LOADED)] loaded: Event<String>) -> u64 {
    one(loaded)
}

#[task]
fn several(ctx: &TaskContext, loaded: &Events<String>, numbers: &Option<Events<u64>>) -> u64 {
    let numbers = numbers.iter().flat_map(|numbers| numbers.iter());
    receive(ctx, loaded.iter().map(|event| event.number).chain(numbers.map(|event| event.number)));
    loaded.len() as u64
}

#[dag]
fn settled(
    #[event(LOADED, settle = "20m", max_age = "8h")] loaded: Events<String>,
    #[event(NUMBERS, max = 2)] numbers: Option<Events<u64>>,
) -> u64 {
    several(loaded, numbers)
}

#[task]
fn last(ctx: &TaskContext, number: &Latest<u64>, loaded: &Seen<String>) -> u64 {
    receive(ctx, [number.number]);
    number.value + loaded.iter().count() as u64
}

/// It looks at what is loaded, and consumes none of it.
#[dag]
fn latest_only(#[event(NUMBERS, max_age = "5h")] number: Latest<u64>, #[event(LOADED)] loaded: Seen<String>) -> u64 {
    last(number, loaded)
}

/// Consumes the results of another one.
#[task]
fn after(ctx: &TaskContext, lengths: &Events<u64>) -> u64 {
    receive(ctx, lengths.iter().map(|event| event.number));
    lengths.values().sum()
}

#[dag]
fn chained(#[event(each)] lengths: Events<u64>) -> u64 {
    after(lengths)
}

/// A slot and events together.
#[dag(schedule = every("2h"), wait = "3h")]
fn timed(#[event(NUMBERS)] numbers: Events<u64>) -> u64 {
    after(numbers)
}

#[task]
fn perhaps(ctx: &TaskContext, numbers: &Option<Events<u64>>) -> u64 {
    receive(ctx, numbers.iter().flat_map(|numbers| numbers.iter()).map(|event| event.number));
    numbers.iter().count() as u64
}

/// A slot or events.
#[dag(schedule = every("3h"), events = "or")]
fn either(#[event(NUMBERS)] numbers: Option<Events<u64>>) -> u64 {
    perhaps(numbers)
}

/// How many keys the numbers have.
const KEYS: u64 = 3;

#[task]
fn of_key(ctx: &TaskContext, numbers: &Events<u64>) -> u64 {
    receive(ctx, numbers.iter().map(|event| event.number));
    numbers.values().sum()
}

#[dag]
fn by_key(#[event(NUMBERS, max = 4, key = |number| number.value % KEYS)] numbers: Events<u64>) -> u64 {
    of_key(numbers)
}

/// Each of these days may become complete.
const DAYS: [&str; 2] = ["2026-03-05", "2026-03-06"];

#[task]
fn whole(ctx: &TaskContext, hours: &Complete<Day, u64>) -> u64 {
    let mut numbers: Vec<i64> = hours.iter().map(|event| event.number).collect();
    numbers.sort_unstable();
    receive(ctx, numbers);
    hours.values().sum()
}

#[dag]
fn whole_days(#[event(PARTS)] hours: Complete<Day, u64>) -> u64 {
    whole(hours)
}

/// How many hours of a day are enough.
const ENOUGH: u64 = 18;

#[dag]
fn most_of_days(#[event(PARTS, at_least = 18)] hours: Complete<Day, u64>) -> u64 {
    whole(hours)
}

const SCHEDULED: [&str; 8] =
    ["emitting", "complete", "cancelled", "skipping", "queue_one", "beside", "dormant", "ordered"];
const CONSUMERS: [&str; 9] =
    ["each", "settled", "latest_only", "chained", "timed", "either", "by_key", "whole_days", "most_of_days"];

/// The timetables that some DAGs have in one build or another, first that of their `#[dag]`.
const TIMETABLES: [(&str, [&str; 3]); 7] = [
    ("emitting", ["@hourly", "every 30m", "every 2h"]),
    ("complete", ["@hourly", "every 30m", "every 2h"]),
    ("skipping", ["every 20m", "every 30m", "@hourly"]),
    ("queue_one", ["every 20m", "every 30m", "@hourly"]),
    ("beside", ["every 20m", "every 15m", "@hourly"]),
    ("dormant", ["every 6h", "every 2h", "every 90m"]),
    ("ordered", ["@daily", "every 12h", "every 8h"]),
];

/// A build of the program, as far as the timetable of a DAG goes.
struct Build {
    dag: &'static str,
    /// As it is written.
    timetable: &'static str,
    schedule: Schedule,
    /// Whether a service of it has run.
    is_served: bool,
    /// Where its slots begin. `None` until a service, or who pauses or unpauses the DAG, has it.
    begin: Option<Begin>,
}

/// Where the slots of a build begin, and those of the build before it end.
///
/// The slots of the old timetable up to the first step of the new one are decided, and those of the
/// new one follow. In a pause, the slots of the pause are those of the timetable that ends it.
#[derive(Clone, Debug)]
struct Begin {
    /// The build has no slot up to here.
    earliest: Timestamp,
    /// It lacks no slot after this one.
    latest: Timestamp,
    /// The build before lacks no slot up to here.
    decided: Timestamp,
    /// It has no slot after this one.
    end: Timestamp,
    /// The pause in which it began.
    pause: Option<usize>,
}

/// A DAG is paused.
struct Paused {
    dag: &'static str,
    since: Timestamp,
    /// The latest time of the machine's clock until then.
    seen: Timestamp,
    /// When the pause ends by itself.
    until: Option<Timestamp>,
    /// When somebody has ended it.
    unpaused: Option<Timestamp>,
}

impl Paused {
    fn end(&self) -> Option<Timestamp> {
        self.unpaused.or(self.until)
    }

    fn ended_by_itself(&self) -> bool {
        self.unpaused.is_none() && self.until.is_some()
    }
}

/// A service to which anything happens.
struct Life {
    seed: u64,
    rng: fastrand::Rng,
    service: ServiceTest,
    /// How many runs it may have at once.
    limit: usize,
    now: Timestamp,
    /// How far the service got.
    reached: Timestamp,
    /// How far the clock of the machine is ahead, in seconds.
    clock_error: i64,
    was_clock_set: bool,
    /// The latest time of the machine's clock at which slots were decided.
    seen: Timestamp,
    pauses: Vec<Paused>,
    /// The builds of all DAGs with a schedule, in order.
    builds: Vec<Build>,
    /// By DAG, the time of the machine's clock up to which its slots were decided before a pause.
    decided: BTreeMap<&'static str, Timestamp>,
    /// The backfills, with their DAGs.
    backfills: Vec<(i64, &'static str)>,
    number: u64,
    /// By consumer and asset, the cursor when it was first seen, and the present one.
    cursors: BTreeMap<(&'static str, String), (i64, i64)>,
}

/// What happens to a service at random: it is killed between any two operations of its store, it is
/// down, its clock is set; another build has another timetable of a DAG; DAGs are paused, for a
/// while or until somebody unpauses them, and triggered, events are emitted, backfills are started,
/// paused, resumed and cancelled.
fn live_through(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut takes = || Duration::from_secs(rng.u64(..5_400));
    let takes: [Duration; 17] = std::array::from_fn(|_| takes());
    let fails = rng.u32(..3);
    let limit = rng.usize(2..20);
    let behave = |at: usize| move |test: Test<String>| test.takes(extract {}, takes[at]);
    let service = Test::service()
        .dag_with(emitting {}, |test| test.takes(load {}, takes[0]).fail_times(load {}, fails, "at random"))
        .dag_with(complete {}, behave(1))
        .dag_with(cancelled {}, behave(2))
        .dag_with(skipping {}, behave(3))
        .dag_with(queue_one {}, behave(4))
        .dag_with(beside {}, behave(5))
        .dag_with(dormant {}, behave(6))
        .dag_with(ordered {}, behave(7))
        .dag_with(each {}, |test| test.takes(one {}, takes[8]))
        .dag_with(settled {}, |test| test.takes(several {}, takes[9]))
        .dag_with(latest_only {}, |test| test.takes(last {}, takes[10]))
        .dag_with(chained {}, |test| test.takes(after {}, takes[11]))
        .dag_with(timed {}, |test| test.takes(after {}, takes[12]))
        .dag_with(either {}, |test| test.takes(perhaps {}, takes[13]))
        .dag_with(by_key {}, |test| test.takes(of_key {}, takes[14]))
        .dag_with(whole_days {}, |test| test.takes(whole {}, takes[15]))
        .dag_with(most_of_days {}, |test| test.takes(whole {}, takes[16]))
        .max_active_runs(limit);
    let now: Timestamp = "2026-03-06T12:00:01Z".parse().expect("a time");
    let mut life = Life {
        seed,
        rng,
        service,
        limit,
        now,
        reached: now,
        clock_error: 0,
        was_clock_set: false,
        seen: now,
        pauses: Vec::new(),
        builds: SCHEDULED.into_iter().map(|dag| first_build(dag, now)).collect(),
        decided: SCHEDULED.into_iter().map(|dag| (dag, now)).collect(),
        backfills: Vec::new(),
        number: 0,
        cursors: BTreeMap::new(),
    };
    RECEIVED.take();
    let first = life.now.to_string();
    life.service.at(&first).run_until(&first);
    life.pauses.push(Paused { dag: "dormant", since: now, seen: now, until: None, unpaused: None });
    life.check_cursors();
    for _ in 0..life.rng.usize(3..16) {
        life.step();
        life.check_cursors();
    }
    life.end();
    life.check();
}

impl Life {
    fn step(&mut self) {
        self.now = self.now + Duration::from_millis(self.rng.u64(..6 * 3_600_000));
        let dags: Vec<&'static str> = SCHEDULED.into_iter().chain(CONSUMERS).collect();
        match self.rng.u8(..25) {
            0..4 => self.serve(),
            4..8 => {
                for _ in 0..self.rng.usize(1..4) {
                    self.service.crash_after(self.rng.u64(..300));
                }
                self.serve();
            }
            8 => drop(self.service.crash()),
            9 => {
                self.service.down_until(&self.now.to_string());
                self.reached = self.now;
            }
            10 => {
                let dag = dags[self.rng.usize(..dags.len())];
                if self.is_paused(dag) { self.unpause(dag) } else { self.pause(dag) }
            }
            11 => {
                self.was_clock_set = true;
                let by = self.rng.u64(..7_200);
                if self.rng.bool() {
                    self.clock_error -= by as i64;
                    self.service.clock_back(Duration::from_secs(by));
                } else {
                    self.clock_error += by as i64;
                    self.service.clock_forward(Duration::from_secs(by));
                }
            }
            12 => drop(self.service.trigger(SCHEDULED[self.rng.usize(..SCHEDULED.len())])),
            13..16 => {
                for _ in 0..self.rng.usize(1..9) {
                    self.number += 1;
                    match self.rng.u8(..4) {
                        0 => self.service.emit_once(&NUMBERS, &format!("{}", self.number / 2), self.number),
                        1 => self.service.emit(&LOADED, format!("by hand {}", self.number)),
                        _ => self.service.emit(&NUMBERS, self.number),
                    };
                }
            }
            16 | 17 => self.start_backfill(),
            18..21 => self.emit_parts(),
            21 => {
                // One that has an end more often than one that waits for somebody.
                let dag = dags[self.rng.usize(..dags.len())];
                if !self.is_paused(dag) {
                    self.pause_for(dag);
                }
            }
            22 => self.edit(),
            _ => self.change_backfill(),
        }
    }

    /// Deploys a build in which a DAG has another timetable, or only another `catchup`.
    fn edit(&mut self) {
        let (dag, timetables) = TIMETABLES[self.rng.usize(..TIMETABLES.len())];
        let before = self.build(dag);
        // One build after the other: the slots that somebody asks for when he unpauses the DAG run
        // by the timetable of the next service, whichever that is.
        if !before.is_served {
            return;
        }
        let old = before.timetable;
        let timetable = timetables[self.rng.usize(..timetables.len())];
        let catchup = [Catchup::None, Catchup::Last, Catchup::All][self.rng.usize(..3)];
        let mut schedule = None;
        self.service.deploy(dag, |options| {
            options.schedule = Some(timetable.into());
            options.catchup = Some(catchup);
            schedule = options.schedule(dag).expect("a valid schedule");
        });
        if timetable != old {
            let schedule = schedule.expect("a schedule");
            self.builds.push(Build { dag, timetable, schedule, is_served: false, begin: None });
        }
        match self.rng.u8(..4) {
            0 | 1 => self.serve(),
            // Somebody uses the new build before a service has it.
            2 if self.is_paused(dag) => self.unpause(dag),
            2 => self.pause(dag),
            _ => {}
        }
    }

    /// The last build of a DAG.
    fn build(&self, dag: &str) -> &Build {
        self.builds.iter().rev().find(|build| build.dag == dag).expect("a build")
    }

    /// Notes where the slots of the last build of a DAG begin, because a service has it now, or
    /// somebody pauses or unpauses the DAG with it.
    fn begin_build(&mut self, dag: &str) {
        let builds: Vec<usize> = (0..self.builds.len()).filter(|&at| self.builds[at].dag == dag).collect();
        let [.., before, last] = builds[..] else { return };
        if self.builds[last].begin.is_some() {
            return;
        }
        let before = &self.builds[before];
        let (clock, offset) = (self.clock(), before.schedule.offset);
        let pause = self.pauses.iter().rposition(|pause| pause.dag == dag);
        // A pause whose time is over is none, although no service has ended it yet.
        let pause = pause.filter(|_| self.service.pause_of(dag).is_some());
        let begin = match (pause, &before.begin) {
            (None, _) => {
                let end = self.seen.max(clock) - offset;
                // A slot of the last minute is on time.
                let decided = clock - offset;
                Begin { earliest: decided - GRACE, latest: end, decided, end, pause }
            }
            // The build before has not decided about any slot of the pause.
            (Some(_), Some(begin)) if begin.pause == pause => Begin { decided: begin.earliest, ..begin.clone() },
            (Some(at), _) => {
                let (since, seen) = (self.pauses[at].since - offset, self.pauses[at].seen - offset);
                let decided = self.decided[dag] - offset;
                // The slots of a downtime before the pause are decided with those of the pause.
                let passed = before.schedule.after(decided, decided).is_some_and(|slot| slot.at <= since);
                let last = before.schedule.before(decided, decided).map_or(decided, |slot| slot.at);
                let earliest = if passed { last } else { since };
                Begin { earliest, latest: seen, decided, end: seen, pause }
            }
        };
        self.builds[last].begin = Some(begin);
    }

    /// Emits the events of some hours of a day.
    fn emit_parts(&mut self) {
        let midnight: Timestamp = DAYS[self.rng.usize(..DAYS.len())].parse().expect("a day");
        let hours = [0..12, 12..24, 0..20, 0..24, 0..24][self.rng.usize(..5)].clone();
        for hour in hours {
            self.number += 1;
            let hour = Hour::of(midnight + Duration::from_secs(3_600 * hour));
            self.service.emit_partition(&PARTS, hour, self.number);
        }
    }

    /// The time of the clock of the machine.
    fn clock(&self) -> Timestamp {
        Timestamp::from_nanos(self.reached.as_nanos() + self.clock_error * 1_000_000_000)
    }

    /// Whether a DAG is paused, which follows from what people have done, and from the time.
    fn is_paused(&self, dag: &str) -> bool {
        let last = self.pauses.iter().rev().find(|pause| pause.dag == dag);
        let is_open = |pause: &Paused| pause.unpaused.is_none() && pause.until.is_none_or(|until| until > self.clock());
        let is_paused = self.service.pause_of(dag).is_some();
        // A clock that is set back behind the end of a pause does not begin it again if a service
        // has seen the end.
        let is_known = self.was_clock_set || last.is_some_and(is_open) == is_paused;
        assert!(is_known, "{}", self.broken(&format!("{dag} is paused: {is_paused}")));
        is_paused
    }

    fn pause(&mut self, dag: &'static str) {
        self.begin_build(dag);
        self.see();
        self.pauses.push(Paused { dag, since: self.clock(), seen: self.seen, until: None, unpaused: None });
        self.service.pause(dag, "at random");
    }

    fn pause_for(&mut self, dag: &'static str) {
        self.begin_build(dag);
        self.see();
        let until = self.clock() + Duration::from_millis(self.rng.u64(..12 * 3_600_000));
        self.pauses.push(Paused { dag, since: self.clock(), seen: self.seen, until: Some(until), unpaused: None });
        self.service.pause_until(dag, "for a while", &until.to_string());
    }

    /// The slots up to now are decided.
    fn see(&mut self) {
        self.seen = self.seen.max(self.clock());
    }

    fn unpause(&mut self, dag: &'static str) {
        self.begin_build(dag);
        self.see();
        let clock = self.clock();
        self.decided.insert(dag, clock);
        let last = self.pauses.iter_mut().rev().find(|pause| pause.dag == dag).expect("the pause");
        last.unpaused = Some(clock);
        let catchup = [Catchup::None, Catchup::Last, Catchup::All][self.rng.usize(..3)];
        let events = [Unpause::All, Unpause::Newest, Unpause::Skip][self.rng.usize(..3)];
        self.service.unpause_with(dag, catchup, events);
    }

    fn start_backfill(&mut self) {
        let dag = ["emitting", "complete", "skipping", "ordered"][self.rng.usize(..4)];
        if self.backfills.iter().any(|&(number, of)| of == dag && self.is_open(number)) {
            return;
        }
        let clock = Timestamp::from_nanos(self.now.as_nanos() + self.clock_error * 1_000_000_000);
        let length = if dag == "ordered" { 72 } else { 8 };
        let from = clock - Duration::from_secs(3_600 * self.rng.u64(length..2 * length));
        let to = from + Duration::from_secs(3_600 * self.rng.u64(1..2 * length));
        let in_order = dag == "ordered" || self.rng.bool();
        let request = BackfillRequest {
            ranges: vec![SlotRange { from, to }],
            order: if in_order { BackfillOrder::Oldest } else { BackfillOrder::Random },
            seed: self.seed,
            scope: [BackfillScope::Missing, BackfillScope::All, BackfillScope::Failed][self.rng.usize(..3)],
            limit: self.rng.u32(1..4),
            ..BackfillRequest::default()
        };
        // It is refused if there is nothing to do.
        if let Ok(number) = self.service.try_backfill(dag, &request) {
            self.backfills.push((number, dag));
        }
    }

    fn is_open(&self, number: i64) -> bool {
        let status = self.service.backfill_status(number);
        matches!(status.phase.name(), "active" | "paused") || !status.active.is_empty()
    }

    fn change_backfill(&mut self) {
        let Some(&(number, _)) = self.rng.choice(&self.backfills) else { return };
        match (self.service.backfill_status(number).phase.name(), self.rng.u8(..4)) {
            ("active" | "paused", 0) => drop(self.service.cancel_backfill(number, self.rng.bool())),
            ("active", _) => drop(self.service.pause_backfill(number)),
            ("paused", _) => drop(self.service.resume_backfill(number)),
            _ => {}
        }
    }

    /// Ends the pauses and serves for a day. Then no slot becomes a run any more, and the service
    /// does what is left.
    fn end(&mut self) {
        for dag in SCHEDULED.into_iter().chain(CONSUMERS) {
            if self.is_paused(dag) {
                self.unpause(dag);
            }
        }
        self.serve_for_a_day();
        for dag in SCHEDULED.into_iter().chain(["timed", "either"]) {
            self.pause(dag);
        }
        let mut days = 0;
        while let Some(left) = self.left() {
            assert!(days < 60, "{}", self.broken(&format!("{left} does not end")));
            self.serve_for_a_day();
            days += 1;
        }
        self.check_cursors();
    }

    fn serve_for_a_day(&mut self) {
        self.now = self.now + DAY;
        self.serve();
    }

    fn serve(&mut self) {
        SCHEDULED.into_iter().for_each(|dag| self.begin_build(dag));
        self.service.run_until(&self.now.to_string());
        self.reached = self.now;
        self.builds.iter_mut().for_each(|build| build.is_served = true);
        self.see();
        for dag in SCHEDULED {
            if self.service.pause_of(dag).is_none() {
                self.decided.insert(dag, self.clock());
            }
        }
    }

    /// A backfill or a run that has not ended. Resumes a backfill that is paused.
    fn left(&mut self) -> Option<String> {
        if let Some(&(number, _)) = self.backfills.iter().find(|&&(number, _)| self.is_open(number)) {
            if self.service.backfill_status(number).phase.name() == "paused" {
                self.service.resume_backfill(number);
            }
            return Some(format!("backfill {number}"));
        }
        let mut runs = SCHEDULED.into_iter().chain(CONSUMERS).flat_map(|dag| self.service.runs(dag));
        runs.find(|run| !run.state.is_terminal()).map(|run| format!("the {} run {}", run.state, run.info.run_id))
    }

    fn broken(&self, what: &str) -> String {
        format!("seed {}: {what}\n{}", self.seed, self.service.event_log())
    }

    /// Cursors never go back.
    fn check_cursors(&mut self) {
        for dag in CONSUMERS {
            for input in self.service.consumer(dag).inputs {
                if input.takes == "seen" {
                    assert_eq!((input.cursor, input.pending), (None, 0), "{}", self.broken(dag));
                    continue;
                }
                let cursor = input.cursor.unwrap_or_else(|| panic!("{}", self.broken("a consumer is new")));
                let (_, before) = self.cursors.entry((dag, input.asset.clone())).or_insert((cursor, cursor));
                let before = std::mem::replace(before, cursor);
                assert!(before <= cursor, "{}", self.broken(&format!("{dag}: {before} -> {cursor}")));
            }
        }
    }

    fn check(&self) {
        for dag in SCHEDULED {
            self.check_slots(dag);
            self.check_paused_slots(dag);
            self.check_deadlines(dag);
        }
        let reprocessed = self.reprocessed();
        for dag in SCHEDULED.into_iter().chain(CONSUMERS) {
            self.check_pauses(dag);
            self.check_ends_of_pauses(dag);
            self.check_limit(dag, &self.service.runs(dag), &reprocessed);
        }
        self.check_limit_of_service();
        self.check_groups();
        for ((dag, asset), &(first, last)) in &self.cursors {
            self.check_events(dag, asset, first, last);
        }
        for &(number, dag) in &self.backfills {
            self.check_backfill(number, dag);
        }
    }

    /// Checks that each slot of a DAG is one of a timetable that it had then, that none of those is
    /// missing, and none is there twice. Slots that a backfill has run before their time count as
    /// runs.
    fn check_slots(&self, dag: &str) {
        let builds: Vec<(&Build, &Begin)> = self
            .builds
            .iter()
            .filter(|build| build.dag == dag)
            .map(|build| (build, build.begin.as_ref().expect("a service has had it")))
            .collect();
        let known = || {
            let of_build = |(build, begin): &(&Build, &Begin)| format!("{}: {begin:?}", build.timetable);
            format!("the builds are\n{}", builds.iter().map(of_build).collect::<Vec<_>>().join("\n"))
        };
        let runs = self.service.runs(dag);
        let of_backfills = runs.iter().filter(|run| run.info.run_type == RunType::Backfill);
        let of_backfills: BTreeMap<i64, Timestamp> =
            of_backfills.map(|run| (run.number, run.info.logical_date)).collect();
        let filled: BTreeSet<Timestamp> = of_backfills.values().copied().collect();
        let mut slots = self.service.slots(dag);
        slots.retain(|slots| slots.note.is_none() && slots.run.is_none_or(|run| !of_backfills.contains_key(&run)));
        let Some(last) = slots.iter().map(|slots| slots.last).max() else { return };
        let mut there = BTreeSet::new();
        for slots in &slots {
            let of_build = |at: usize| {
                let (build, begin) = builds[at];
                let end = builds.get(at + 1).map_or(last, |(_, next)| next.end);
                let all: Vec<Timestamp> =
                    slots_after(&build.schedule, just_before(slots.first)).take(slots.count as usize).collect();
                let is_it = all.first() == Some(&slots.first) && all.last() == Some(&slots.last);
                (is_it && begin.earliest < slots.first && slots.last <= end).then_some(all)
            };
            let Some(all) = (0..builds.len()).find_map(of_build) else {
                let what = format!("{dag}: these are no slots that were due: {slots:?}; {}", known());
                panic!("{}", self.broken(&what));
            };
            for slot in all {
                let is_new = there.insert(slot);
                assert!(is_new, "{}", self.broken(&format!("{dag}: {slot} is there twice: {slots:?}; {}", known())));
            }
        }
        for (at, &(build, begin)) in builds.iter().enumerate() {
            let end = builds.get(at + 1).map_or(last, |(_, next)| next.decided);
            for slot in slots_after(&build.schedule, begin.latest).take_while(|&slot| slot <= end) {
                let is_there = there.contains(&slot) || filled.contains(&slot);
                let missing = || format!("{dag}: {slot} of {} is missing; {}", build.timetable, known());
                assert!(is_there, "{}", self.broken(&missing()));
            }
        }
    }

    /// Checks that a pause that nobody has ended has ended once, which is noted.
    fn check_ends_of_pauses(&self, dag: &str) {
        let slots = self.service.slots(dag);
        for pause in self.pauses.iter().filter(|pause| pause.dag == dag && pause.ended_by_itself()) {
            let is_end = |slots: &&PastSlots| match &slots.note {
                Some(Note::PauseEnded(ended)) => ended.since == pause.since && ended.until == pause.until,
                _ => false,
            };
            let (since, until) = (pause.since, pause.until.expect("an end"));
            let ends = slots.iter().filter(is_end).count();
            assert_eq!(ends, 1, "{}", self.broken(&format!("{dag}: ends of the pause of {since}, until {until}")));
        }
    }

    /// Checks that slots are recorded as paused up to the end of a pause, and not beyond. Slots
    /// that were not decided when a pause began are recorded with those of the pause. Times cannot
    /// be compared across a clock that was set.
    fn check_paused_slots(&self, dag: &str) {
        // All timetables of a DAG have the same share of `spread`.
        let offset = self.build(dag).schedule.offset;
        let (slots, runs) = (self.service.slots(dag), self.service.runs(dag));
        let pauses: Vec<&Paused> = self.pauses.iter().filter(|pause| pause.dag == dag).collect();
        for pause in pauses.iter().filter(|pause| pause.ended_by_itself()) {
            let (since, until) = (pause.since, pause.until.expect("an end"));
            let runs = runs.iter().filter(|run| run.info.run_type == RunType::Scheduled);
            let mut runs = runs.map(|run| run.info.logical_date + offset);
            let run = runs.find(|due| (since < *due && *due <= until) && !self.was_clock_set);
            assert_eq!(
                run,
                None,
                "{}",
                self.broken(&format!("{dag}: a slot of the pause of {since} until {until} runs"))
            );
        }
        let ends: Vec<Timestamp> = pauses.iter().filter_map(|pause| pause.end()).collect();
        for slots in slots.iter().filter(|slots| slots.fate == "paused" && slots.note.is_none()) {
            let is_in_a_pause = self.was_clock_set || ends.iter().any(|&end| slots.last + offset <= end);
            assert!(is_in_a_pause, "{}", self.broken(&format!("{dag}: no pause at {slots:?}")));
        }
    }

    /// Checks that neither the schedule nor events have started a run during a pause. Times cannot
    /// be compared across a clock that was set.
    fn check_pauses(&self, dag: &str) {
        if self.was_clock_set {
            return;
        }
        let runs = self.service.runs(dag).into_iter();
        let runs = runs.filter(|run| matches!(run.info.run_type, RunType::Scheduled | RunType::Event));
        for run in runs {
            let is_in = |pause: &&Paused| {
                pause.dag == dag && pause.since < run.created && pause.end().is_none_or(|end| run.created < end)
            };
            let pause = self.pauses.iter().find(is_in).map(|pause| (pause.since, pause.end()));
            assert_eq!(pause, None, "{}", self.broken(&format!("run {} starts in a pause", run.info.run_id)));
        }
    }

    /// Checks that no slot has missed its deadline twice, before its time, or though its run had
    /// succeeded, and that a callback is notified once of what was missed.
    fn check_deadlines(&self, dag: &str) {
        let log = self.service.event_log();
        let missed = |slots: &PastSlots| match &slots.note {
            Some(Note::DeadlineMissed(missed)) => Some(missed.clone()),
            _ => None,
        };
        let mut all: Vec<MissedSlots> = self.service.slots(dag).iter().filter_map(missed).collect();
        all.sort_by_key(|missed| missed.first);
        let wrong = |what: &str| self.broken(&format!("{dag}: {what}"));
        for pair in all.windows(2) {
            assert!(pair[0].last < pair[1].first, "{}", wrong(&format!("missed twice: {pair:?}")));
        }
        let runs = self.service.runs(dag);
        for missed in &all {
            assert!(missed.noticed >= missed.deadline, "{}", wrong(&format!("before its time: {missed:?}")));
            let told = format!("{dag}: notified that slot {} of {dag} ", missed.last);
            assert_eq!(log.matches(&told).count(), 1, "{}", wrong(&format!("{missed:?}")));
            let is_in_time = |run: &RunSummary| {
                run.info.run_type == RunType::Scheduled
                    && run.info.logical_date == missed.last
                    && run.state == RunState::Success
                    && run.ended.is_some_and(|ended| ended <= missed.deadline)
            };
            // Times of runs cannot be compared across a clock that was set.
            let is_wrong = !self.was_clock_set && runs.iter().any(is_in_time);
            assert!(!is_wrong, "{}", wrong(&format!("it was in time: {missed:?}")));
        }
        assert_eq!(log.matches(&format!("{dag}: notified")).count(), all.len(), "{}", wrong("notified"));
    }

    /// Checks how many runs were active at once. Times cannot be compared across a clock that was
    /// set, and a run that was reprocessed was not active all the time.
    fn check_limit(&self, dag: &str, runs: &[RunSummary], reprocessed: &BTreeSet<String>) {
        if self.was_clock_set {
            return;
        }
        let limit = match dag {
            "beside" => 3,
            "by_key" => KEYS as usize,
            "whole_days" | "most_of_days" => DAYS.len(),
            _ => 1,
        };
        let is_whole = |run: &&RunSummary| !reprocessed.contains(&run.info.run_id);
        let of_type = |types: &[RunType]| {
            runs.iter().filter(|run| types.contains(&run.info.run_type)).filter(is_whole).collect::<Vec<_>>()
        };
        let active = most_active(&of_type(&[RunType::Scheduled, RunType::Event]));
        assert!(active <= limit, "{}", self.broken(&format!("{dag} has {active} active runs")));
        let plans = self.backfills.iter().filter(|&&(_, of)| of == dag);
        let limit = plans.map(|&(number, _)| self.service.backfill_status(number).limit as usize).max().unwrap_or(0);
        let active = most_active(&of_type(&[RunType::Backfill]));
        assert!(active <= limit, "{}", self.broken(&format!("{dag} has {active} active runs of backfills")));
    }

    /// Checks how many runs of all DAGs were active at once.
    fn check_limit_of_service(&self) {
        let log = self.service.event_log();
        let mut active = BTreeSet::new();
        for line in log.lines() {
            match line.split(' ').skip(1).collect::<Vec<_>>()[..] {
                ["the", "service", "dies"] => active.clear(),
                [dag, run, "starts" | "resumed"] | [dag, run, "is", "reprocessed"] if dag.ends_with(':') => {
                    active.insert(run);
                }
                [_, run, "ends:", _] | [_, run, "is", "cancelled"] => {
                    active.remove(run);
                }
                _ => {}
            }
            let limit = self.limit;
            assert!(active.len() <= limit, "{}", self.broken(&format!("{line}: {active:?}, and the limit is {limit}")));
        }
    }

    /// Checks that a key has one run at a time, and a period one run with as many parts as are
    /// needed.
    fn check_groups(&self) {
        let runs_by_key = |dag| {
            let mut by_key: BTreeMap<String, Vec<RunSummary>> = BTreeMap::new();
            for run in self.service.runs(dag) {
                let key = run.info.triggering_events.as_ref().and_then(|events| events.key.clone());
                let key = key.unwrap_or_else(|| panic!("{}", self.broken("a run has no key")));
                by_key.entry(key).or_default().push(run);
            }
            by_key
        };
        for (key, runs) in runs_by_key("by_key") {
            let active = most_active(&runs.iter().collect::<Vec<_>>());
            assert!(
                self.was_clock_set || active <= 1,
                "{}",
                self.broken(&format!("{active} active runs of key {key}"))
            );
        }
        for (dag, needed) in [("whole_days", 24), ("most_of_days", ENOUGH)] {
            for (day, runs) in runs_by_key(dag) {
                let events = runs.iter().filter_map(|run| run.info.triggering_events.as_ref());
                let parts: Vec<u64> = events.map(|events| events.consumed[0].count).collect();
                let is_enough = matches!(parts[..], [parts] if (needed..=24).contains(&parts));
                assert!(is_enough, "{}", self.broken(&format!("{dag}: {day} has runs with {parts:?} hours")));
            }
        }
    }

    /// The runs that ran again after their end. A service that dies after it has cleared one leaves
    /// it to the next, which resumes it.
    fn reprocessed(&self) -> BTreeSet<String> {
        let log = self.service.event_log();
        let (mut ended, mut reprocessed) = (BTreeSet::new(), BTreeSet::new());
        for line in log.lines() {
            let mut words = line.split(' ').skip(2);
            let (Some(run), Some(what)) = (words.next(), words.next()) else { continue };
            match what {
                "ends:" => drop(ended.insert(run)),
                "is" if words.next() == Some("cancelled") => drop(ended.insert(run)),
                "is" => drop(reprocessed.insert(run.to_owned())),
                "resumed" if ended.contains(run) => drop(reprocessed.insert(run.to_owned())),
                _ => {}
            }
        }
        reprocessed
    }

    /// Checks that each event is consumed once, recorded once or pending, that a run takes events
    /// of its own key, and that those of a key are consumed in order. No pending event is before
    /// the cursor.
    fn check_events(&self, dag: &str, asset: &str, first: i64, cursor: i64) {
        let events: BTreeMap<i64, Option<u64>> = self
            .service
            .events(asset)
            .iter()
            .filter(|event| event.number > first)
            .map(|event| (event.number, event.payload.as_ref().and_then(serde_json::Value::as_u64)))
            .collect();
        let wrong = |what: &str| self.broken(&format!("{dag}, {asset}: {what}"));
        let (mut consumed, mut last_of_key) = (BTreeSet::new(), BTreeMap::new());
        let mut runs = self.service.runs(dag);
        runs.sort_by_key(|run| run.number);
        for (run, started_by) in runs.iter().filter_map(|run| Some((run, run.info.triggering_events.as_ref()?))) {
            let run_id = &run.info.run_id;
            for of_asset in started_by.consumed.iter().filter(|of_asset| of_asset.asset == *asset) {
                let received = RECEIVED.with_borrow(|received| received.get(run_id).cloned()).unwrap_or_default();
                let received: Vec<i64> = received.into_iter().filter(|number| events.contains_key(number)).collect();
                assert_eq!(received.len() as u64, of_asset.count, "{}", wrong(run_id));
                for number in received {
                    let last = last_of_key.insert(&started_by.key, number);
                    let is_next = consumed.insert(number) && last.is_none_or(|last| last < number);
                    assert!(is_next, "{}", wrong(&format!("{number} is consumed twice or late")));
                    if dag == "by_key" {
                        let key = events[&number].map(|payload| (payload % KEYS).to_string());
                        assert_eq!(started_by.key, key, "{}", wrong(run_id));
                    }
                }
            }
        }
        let inputs = self.service.consumer(dag).inputs;
        let pending = inputs.iter().find(|input| input.asset == *asset).map_or(0, |input| input.pending);
        let records = self.service.slots(dag).into_iter().filter_map(|slots| numbers_of(&slots, asset));
        let records: Vec<((i64, i64), u64)> = records.collect();
        let recorded: u64 = records.iter().map(|(_, count)| count).sum();
        let decided = consumed.len() as u64 + recorded;
        let left: Vec<i64> = events.keys().copied().filter(|number| !consumed.contains(number)).collect();
        assert_eq!(decided + pending, events.len() as u64, "{}", wrong(&format!("{pending}, {left:?}, {records:?}")));
        for number in left.into_iter().filter(|&number| number <= cursor) {
            let is_recorded = records.iter().any(|&((first, last), _)| (first..=last).contains(&number));
            assert!(is_recorded, "{}", wrong(&format!("no record of {number}")));
        }
    }

    /// Checks that the counts of a plan add up, and that each of its slots has one run.
    fn check_backfill(&self, number: i64, dag: &str) {
        let status = self.service.backfill_status(number);
        let wrong = || self.broken(&format!("backfill {number} of {dag}: {status:?}"));
        let counts = &status.counts;
        let left: u64 = counts.left.values().sum();
        assert_eq!(status.pending, 0, "{}", wrong());
        assert_eq!(counts.new + counts.again + left + counts.dropped, status.slots, "{}", wrong());
        assert_eq!(counts.success + counts.failed + counts.cancelled, counts.new + counts.again, "{}", wrong());
        // A plan has the timetable with which it was started or last resumed, and its slots before
        // the resumption another one: that the counts add up is all that can be said simply.
        let is_edited = self.builds.iter().filter(|build| build.dag == dag).count() > 1;
        if status.scope == BackfillScope::Failed || counts.dropped > 0 || is_edited {
            return;
        }
        let schedule = &self.build(dag).schedule;
        let mut runs: HashMap<Timestamp, usize> = HashMap::new();
        for run in self.service.runs(dag).iter().filter(|run| run.info.run_type != RunType::Manual) {
            *runs.entry(run.info.logical_date).or_default() += 1;
        }
        let mut slots = 0;
        for range in &status.ranges {
            let first = schedule.after(Timestamp::from_nanos(range.from.as_nanos() - 1), range.from);
            let slot = std::iter::successors(first, |slot| schedule.after(slot.at, slot.at));
            for slot in slot.take_while(|slot| slot.at <= range.to) {
                assert_eq!(runs.get(&slot.at), Some(&1), "{}: {}", slot.at, wrong());
                slots += 1;
            }
        }
        assert_eq!(slots, status.slots, "{}", wrong());
    }
}

/// The build of a DAG that is its `#[dag]`, which a service has from this time on.
fn first_build(dag: &'static str, now: Timestamp) -> Build {
    let def = Registry::dags().into_iter().find(|def| def.id == dag).expect("the DAG");
    let schedule = def.options.schedule(dag).expect("a valid schedule").expect("a schedule");
    let timetable = TIMETABLES.iter().find(|(of, _)| *of == dag).map_or("its only one", |(_, all)| all[0]);
    let due = now - schedule.offset;
    let begin = Begin { earliest: due, latest: due, decided: due, end: due, pause: None };
    Build { dag, timetable, schedule, is_served: true, begin: Some(begin) }
}

fn just_before(moment: Timestamp) -> Timestamp {
    Timestamp::from_nanos(moment.as_nanos() - 1)
}

/// The slots after a point in time.
fn slots_after(schedule: &Schedule, moment: Timestamp) -> impl Iterator<Item = Timestamp> {
    let next = move |at: Timestamp| schedule.after(at, at).map(|slot| slot.at);
    std::iter::successors(next(moment), move |&at| next(at))
}

/// The most of these runs that were active at once.
fn most_active(runs: &[&RunSummary]) -> usize {
    let active =
        |at: Timestamp| runs.iter().filter(|run| run.created <= at && run.ended.is_none_or(|ended| ended > at)).count();
    runs.iter().map(|run| active(run.created)).max().unwrap_or(0)
}

/// The events of an asset that a record is about: from, to and how many.
fn numbers_of(slots: &PastSlots, asset: &str) -> Option<((i64, i64), u64)> {
    let (which, _) = slots.reason.split_once(&format!(" of `{asset}`: "))?;
    let number = |text: &str| text.parse::<i64>().expect("a number");
    let numbers = match which.strip_prefix("event ") {
        Some(one) => (number(one), number(one)),
        None => {
            let (first, last) = which.strip_prefix("events ")?.split_once(" to ")?;
            (number(first), number(last))
        }
    };
    Some((numbers, slots.count))
}

#[test]
fn whatever_happens_slots_events_and_backfills_are_done_once() {
    let variable = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = variable("TASKFLOW_FIRST_SERVICE").unwrap_or(0);
    let count = variable("TASKFLOW_SERVICES").unwrap_or(50);
    let seeds: Vec<u64> = match variable("TASKFLOW_SERVICE_SEED") {
        Some(seed) => vec![seed],
        None => (first..first + count).collect(),
    };
    on_all_cores(&seeds, |&seed| live_through(seed));
}
