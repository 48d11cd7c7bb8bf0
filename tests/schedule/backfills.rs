//! The plans of backfills: which slots become runs, in which order, and what is left alone.
//!
//! The numbers are those of the cases that the design was checked against.

use std::collections::BTreeSet;

use proptest::prelude::*;
use taskflow::schedule::{
    ActiveRun, BackfillDecision, BackfillError, BackfillFate, BackfillOrder, BackfillPhase, BackfillPlan,
    BackfillRequest, BackfillScope, BackfillSituation, BackfillWaits, Crons, Dates, Every, FutureSlots, LeftAlone,
    MAX_FAILURES, Recurrence, Schedule, SlotRange, SlotRun, SlotRunState, SlotRuns, Zone,
};
use taskflow::{Interval, Timestamp};
use taskflow_tests::common::cases;

use crate::support::{cron, utc};

fn daily() -> Schedule {
    Schedule::of(Crons::from(cron("0 0 * * *", "UTC")))
}

fn minutes() -> Schedule {
    Schedule::of(Every::parse("1m", Zone::UTC).expect("a period"))
}

fn range(from: &str, to: &str) -> SlotRange {
    SlotRange { from: utc(from), to: utc(to) }
}

fn request(from: &str, to: &str) -> BackfillRequest {
    BackfillRequest { ranges: vec![range(from, to)], limit: 100, ..BackfillRequest::default() }
}

/// The days of January 2026 with these numbers.
fn january(days: impl IntoIterator<Item = u32>) -> Vec<Timestamp> {
    days.into_iter().map(|day| utc(&format!("2026-01-{day:02}"))).collect()
}

const NOW: &str = "2026-03-01T12:00:00Z";

/// A plan that is carried out in virtual time.
struct Backfill {
    schedule: Schedule,
    plan: BackfillPlan,
    /// The runs that slots have.
    runs: SlotRuns,
    siblings: SlotRuns,
    /// The slots that were started or cleared, in order.
    started: Vec<Timestamp>,
    cleared: Vec<Timestamp>,
    waits: Option<BackfillWaits>,
    most_active: usize,
    clock: i64,
    /// How many slots are looked at together.
    window: usize,
}

impl Backfill {
    fn new(schedule: Schedule, request: BackfillRequest, runs: &SlotRuns) -> Self {
        let (plan, _) = BackfillPlan::new(&schedule, request, utc(NOW)).expect("a plan");
        let (_, total) = surveyed(&schedule, plan.clone(), runs);
        Backfill {
            plan: plan.counted(total),
            schedule,
            runs: runs.clone(),
            siblings: SlotRuns::new(),
            started: Vec::new(),
            cleared: Vec::new(),
            waits: None,
            most_active: 0,
            clock: 0,
            window: 3,
        }
    }

    fn own(&self) -> SlotRuns {
        let run = |slot: &taskflow::schedule::ActiveSlot| {
            let runs = if slot.run == ActiveRun::Sibling { &self.siblings } else { &self.runs };
            runs.get(&slot.at).map(|run| (slot.at, *run))
        };
        self.plan.active.iter().filter_map(run).collect()
    }

    /// Steps the plan as a service does, with windows of a few slots. The plan goes through the
    /// store each time.
    fn step(&mut self, room: u32) -> Vec<BackfillDecision> {
        let mut all = Vec::new();
        loop {
            let window = self.plan.window(&self.schedule, self.window);
            let wanted: BTreeSet<Timestamp> = window
                .ranges()
                .iter()
                .flat_map(|range| self.runs.range(range.from..=range.to))
                .map(|(at, _)| *at)
                .collect();
            let runs = self.runs.iter().filter(|(at, _)| wanted.contains(at)).map(|(at, run)| (*at, *run)).collect();
            let own = self.own();
            let room = room.saturating_sub(self.active());
            let situation = BackfillSituation { now: utc(NOW), room, runs: &runs, own: &own };
            let step = self.plan.clone().step(&self.schedule, &window, &situation);
            let stored = serde_json::to_string(&step.plan).expect("a plan is JSON");
            self.plan = serde_json::from_str(&stored).expect("a plan is read again");
            for decision in &step.decisions {
                let active = SlotRun { state: SlotRunState::InFlight, ended: None };
                match *decision {
                    BackfillDecision::Start { slot, run } => {
                        let runs = if run == ActiveRun::Sibling { &mut self.siblings } else { &mut self.runs };
                        let is_new = runs.insert(slot.at, active).is_none();
                        assert!(is_new, "{} has a run", slot.at);
                        self.started.push(slot.at);
                    }
                    BackfillDecision::Clear { at } => {
                        self.runs.insert(at, active);
                        self.cleared.push(at);
                    }
                    BackfillDecision::Ended { .. } => {}
                }
            }
            all.extend(step.decisions);
            self.most_active = self.most_active.max(self.plan.active.len());
            self.waits = step.waits;
            if step.waits != Some(BackfillWaits::ForWindow) {
                return all;
            }
        }
    }

    fn active(&self) -> u32 {
        let own = self.own();
        own.values().filter(|run| run.state == SlotRunState::InFlight).count() as u32
    }

    fn end(&mut self, at: Timestamp, state: SlotRunState) {
        self.clock += 1;
        let ended = Some(Timestamp::from_nanos(self.clock));
        let slot = self.plan.active.iter().find(|slot| slot.at == at).expect("it is active");
        let runs = if slot.run == ActiveRun::Sibling { &mut self.siblings } else { &mut self.runs };
        runs.insert(at, SlotRun { state, ended });
    }

    /// Carries it out to its end.
    fn until_done(&mut self) -> &mut Self {
        for _ in 0..10_000 {
            self.step(u32::MAX);
            let Some(slot) = self.plan.active.first() else { break };
            self.end(slot.at, SlotRunState::Success);
        }
        self
    }
}

/// What becomes of each slot, and how many they are.
fn surveyed(schedule: &Schedule, mut plan: BackfillPlan, runs: &SlotRuns) -> (Vec<(Timestamp, BackfillFate)>, u64) {
    let mut fates = Vec::new();
    while !plan.pending.is_empty() {
        let window = plan.window(schedule, 7);
        fates.extend(plan.survey(&window, runs));
    }
    let total = fates.len() as u64;
    assert_eq!(plan.counts.decided(), total);
    (fates, total)
}

fn run(state: SlotRunState) -> SlotRun {
    SlotRun { state, ended: (state != SlotRunState::InFlight).then_some(Timestamp::from_nanos(-1)) }
}

/// The first, second, third and fourth of January have runs in all states.
fn mixed() -> SlotRuns {
    let states = [SlotRunState::Success, SlotRunState::Failed, SlotRunState::Cancelled, SlotRunState::InFlight];
    january(1..=4).into_iter().zip(states.map(run)).collect()
}

fn refused(schedule: &Schedule, request: BackfillRequest) -> BackfillError {
    BackfillPlan::new(schedule, request, utc(NOW)).expect_err("it is refused")
}

#[test]
fn both_ends_of_a_range_are_slots_of_it() {
    let mut backfill = Backfill::new(daily(), request("2026-01-05", "2026-01-08"), &SlotRuns::new());
    assert_eq!(backfill.until_done().started, january(5..=8));
    assert!(matches!(backfill.plan.phase, BackfillPhase::Done { .. }));
    let counts = &backfill.plan.counts;
    assert_eq!((backfill.plan.total, counts.new, counts.success, backfill.plan.remaining()), (4, 4, 4, 0));
}

#[test]
fn the_order_is_that_of_the_plan() {
    let in_order = |order, seed| {
        let request = BackfillRequest { order, seed, ..request("2026-01-01", "2026-01-31") };
        Backfill::new(daily(), request, &SlotRuns::new()).until_done().started.clone()
    };
    let oldest = in_order(BackfillOrder::Oldest, 0);
    assert_eq!(oldest, january(1..=31));
    assert_eq!(in_order(BackfillOrder::Newest, 0), january((1..=31).rev()));
    let random = in_order(BackfillOrder::Random, 1);
    assert_eq!(random, in_order(BackfillOrder::Random, 1), "the same seed, the same order");
    assert_ne!(random, in_order(BackfillOrder::Random, 2));
    assert!(!random.is_sorted());
    let all: BTreeSet<Timestamp> = random.iter().copied().collect();
    assert_eq!(Vec::from_iter(all), oldest);
}

#[test]
fn several_ranges_and_single_slots_are_one_plan() {
    let ranges =
        vec![range("2026-01-20", "2026-01-22"), SlotRange::slot(utc("2026-01-03")), range("2026-01-21", "2026-01-24")];
    for (order, expected) in [
        (BackfillOrder::Oldest, january([3, 20, 21, 22, 23, 24])),
        (BackfillOrder::Newest, january([24, 23, 22, 21, 20, 3])),
    ] {
        let request = BackfillRequest { ranges: ranges.clone(), order, limit: 2, ..BackfillRequest::default() };
        let mut backfill = Backfill::new(daily(), request, &SlotRuns::new());
        assert_eq!(backfill.until_done().started, expected);
        assert_eq!(backfill.most_active, 2);
    }
}

#[test]
fn the_limit_can_change_while_it_runs() {
    let mut backfill =
        Backfill::new(daily(), BackfillRequest { limit: 2, ..request("2026-01-01", "2026-01-31") }, &SlotRuns::new());
    backfill.step(u32::MAX);
    assert_eq!((backfill.started.len(), backfill.waits), (2, Some(BackfillWaits::ForRoom)));
    backfill.plan.request.limit = 5;
    backfill.step(u32::MAX);
    assert_eq!(backfill.started.len(), 5);
    backfill.plan.request.limit = 1;
    backfill.end(utc("2026-01-01"), SlotRunState::Success);
    backfill.step(u32::MAX);
    assert_eq!(backfill.started.len(), 5, "active runs go on, and no other starts");
    assert_eq!(backfill.until_done().started, january(1..=31));
}

/// Case 56, as far as the plan decides it: what the schedule leaves is up to the caller.
#[test]
fn a_plan_starts_no_more_runs_than_there_is_room() {
    let mut backfill = Backfill::new(daily(), request("2026-01-01", "2026-01-31"), &SlotRuns::new());
    backfill.step(0);
    assert_eq!((backfill.started.len(), backfill.waits), (0, Some(BackfillWaits::ForRoom)));
    backfill.step(1);
    assert_eq!(backfill.started.len(), 1);
    backfill.step(1);
    assert_eq!(backfill.started.len(), 1);
    backfill.step(3);
    assert_eq!(backfill.started.len(), 3);
}

/// Case 59, the preview.
#[test]
fn existing_runs_are_left_alone_or_reprocessed_as_the_scope_says() {
    use BackfillFate::{Again, New, Sibling};
    use LeftAlone::{HasRun, InFlight, NoRun, NotFailed};

    let fates = |scope, params: bool| {
        let mut request = BackfillRequest { scope, ..request("2026-01-01", "2026-01-05") };
        if params {
            request.params.insert("label".to_owned(), vec!["again".to_owned()]);
        }
        let (plan, _) = BackfillPlan::new(&daily(), request, utc(NOW)).expect("a plan");
        let (fates, _) = surveyed(&daily(), plan, &mixed());
        fates.into_iter().map(|(_, fate)| fate).collect::<Vec<_>>()
    };
    let left = BackfillFate::Left;
    assert_eq!(fates(BackfillScope::Missing, false), [left(HasRun), left(HasRun), left(HasRun), left(InFlight), New]);
    assert_eq!(
        fates(BackfillScope::Failed, false),
        [left(NotFailed), Again, left(NotFailed), left(InFlight), left(NoRun)]
    );
    assert_eq!(fates(BackfillScope::All, false), [Again, Again, Again, left(InFlight), New]);
    assert_eq!(fates(BackfillScope::All, true), [Sibling, Sibling, Sibling, left(InFlight), New]);
}

/// Case 59, carried out: the same as its preview.
#[test]
fn a_preview_is_what_is_carried_out() {
    for scope in [BackfillScope::Missing, BackfillScope::Failed, BackfillScope::All] {
        let request = BackfillRequest { scope, ..request("2026-01-01", "2026-01-06") };
        let (plan, _) = BackfillPlan::new(&daily(), request.clone(), utc(NOW)).expect("a plan");
        let (fates, _) = surveyed(&daily(), plan, &mixed());
        let of = |wanted: fn(&BackfillFate) -> bool| {
            fates.iter().filter(|(_, fate)| wanted(fate)).map(|(at, _)| *at).collect::<Vec<_>>()
        };
        let mut backfill = Backfill::new(daily(), request, &mixed());
        backfill.until_done();
        assert_eq!(backfill.started, of(|fate| *fate == BackfillFate::New), "{scope}");
        assert_eq!(backfill.cleared, of(|fate| *fate == BackfillFate::Again), "{scope}");
        let counts = &backfill.plan.counts;
        assert_eq!(counts.decided(), 6, "the counts add up: {counts:?}");
        assert_eq!(counts.success as usize, backfill.started.len() + backfill.cleared.len());
    }
}

#[test]
fn other_parameters_make_a_run_beside_the_one_of_the_slot() {
    let mut request = BackfillRequest { scope: BackfillScope::All, ..request("2026-01-01", "2026-01-03") };
    request.params.insert("label".to_owned(), vec!["again".to_owned()]);
    let mut backfill = Backfill::new(daily(), request, &mixed());
    backfill.step(u32::MAX);
    assert_eq!(backfill.siblings.len(), 3);
    assert_eq!(backfill.runs, mixed(), "the runs that there are do not change");
    assert_eq!(backfill.until_done().plan.counts.again, 3);
}

/// A crash between the stored plan and the clearing of a run.
#[test]
fn a_run_that_was_not_cleared_is_cleared_by_the_next_step() {
    let request = BackfillRequest { scope: BackfillScope::Failed, ..request("2026-01-01", "2026-01-05") };
    let mut backfill = Backfill::new(daily(), request, &mixed());
    let at = utc("2026-01-02");
    assert_eq!(backfill.step(u32::MAX), [BackfillDecision::Clear { at }]);
    backfill.runs.insert(at, run(SlotRunState::Failed));
    assert_eq!(backfill.step(u32::MAX), [BackfillDecision::Clear { at }]);
    assert_eq!(backfill.step(u32::MAX), []);
    backfill.end(at, SlotRunState::Failed);
    assert_eq!(backfill.step(u32::MAX), [BackfillDecision::Ended { at, state: SlotRunState::Failed }]);
    assert_eq!((backfill.plan.failed.clone(), backfill.plan.counts.again), (vec![at], 1));
}

/// Case 62.
#[test]
fn the_future_is_left_out_and_reported() {
    let hourly = Schedule::of(Crons::from(cron("0 * * * *", "UTC")));
    let now = utc("2026-03-01T12:00:00Z");
    let (plan, future) =
        BackfillPlan::new(&hourly, request("2026-03-01T10:30:00Z", "2026-03-01T15:00:00Z"), now).expect("a plan");
    let (fates, _) = surveyed(&hourly, plan.clone(), &SlotRuns::new());
    let slots: Vec<Timestamp> = fates.into_iter().map(|(at, _)| at).collect();
    let expected = ["2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"].map(utc);
    assert_eq!(slots, expected, "the interval that ends exactly now is complete");
    let (first, last) = (utc("2026-03-01T13:00:00Z"), utc("2026-03-01T15:00:00Z"));
    assert_eq!(future, Some(FutureSlots { first, last }));
    assert_eq!(plan.request.ranges[0].to, now);
    let just_before = Timestamp::from_nanos(now.as_nanos() - 1);
    let (plan, _) = BackfillPlan::new(&hourly, request("2026-03-01T10:30:00Z", "2026-03-01T15:00:00Z"), just_before)
        .expect("a plan");
    assert_eq!(surveyed(&hourly, plan, &SlotRuns::new()).1, 1);
    let none = BackfillPlan::new(&hourly, request("2026-04-01", "2026-04-02"), now).expect_err("no slot is left");
    assert_eq!(none, BackfillError::NoSlots { future: Some(utc("2026-04-01")) });
}

/// Case 63.
#[test]
fn runs_that_need_the_one_before_run_in_order_only() {
    let mut schedule = daily();
    schedule.after_previous = true;
    for order in [BackfillOrder::Newest, BackfillOrder::Random] {
        let error = refused(&schedule, BackfillRequest { order, ..request("2026-01-01", "2026-01-05") });
        assert_eq!(error, BackfillError::AfterPrevious(order));
        assert!(error.to_string().contains(order.name()), "{error}");
    }
    let mut backfill = Backfill::new(schedule, request("2026-01-01", "2026-01-05"), &SlotRuns::new());
    backfill.step(u32::MAX);
    assert_eq!(backfill.started, january([1]));
    let first = utc("2026-01-01");
    backfill.end(first, SlotRunState::Failed);
    backfill.step(u32::MAX);
    assert_eq!((backfill.started.len(), backfill.waits), (1, Some(BackfillWaits::ForPrevious(first))));
    backfill.end(first, SlotRunState::Success);
    assert_eq!(backfill.until_done().started, january(1..=5));
    assert_eq!(backfill.most_active, 1);
}

#[test]
fn with_after_previous_a_failed_run_on_the_way_holds_up_the_next_slot() {
    let mut schedule = daily();
    schedule.after_previous = true;
    let mut backfill = Backfill::new(schedule, request("2026-01-01", "2026-01-05"), &mixed());
    backfill.step(u32::MAX);
    assert_eq!(backfill.waits, Some(BackfillWaits::ForPrevious(utc("2026-01-02"))));
    for at in january(2..=4) {
        backfill.runs.insert(at, run(SlotRunState::Success));
    }
    assert_eq!(backfill.until_done().started, january([5]));
}

/// Case 64.
#[test]
fn one_run_covers_the_whole_range() {
    let one_run = BackfillRequest { as_one_run: true, ..request("2026-01-05T12:00:00Z", "2026-01-08") };
    let mut backfill = Backfill::new(daily(), one_run.clone(), &mixed());
    let decisions = backfill.step(u32::MAX);
    let [BackfillDecision::Start { slot, run: ActiveRun::Whole { interval } }] = decisions[..] else {
        panic!("{decisions:?}")
    };
    let expected = Interval { start: utc("2026-01-05"), end: utc("2026-01-08") };
    assert_eq!((slot.at, slot.interval, interval), (utc("2026-01-08"), Some(expected), expected));
    backfill.until_done();
    assert!(matches!(backfill.plan.phase, BackfillPhase::Done { .. }));
    assert_eq!((backfill.plan.counts.new, backfill.plan.counts.success), (3, 1), "three slots, one run");
    let several = vec![range("2026-01-01", "2026-01-02"), range("2026-01-05", "2026-01-06")];
    let error = refused(&daily(), BackfillRequest { ranges: several, ..one_run.clone() });
    assert_eq!(error, BackfillError::SeveralRanges);
    let without = Schedule::of(Dates::new(january(1..=10)));
    assert_eq!(refused(&without, one_run), BackfillError::WithoutIntervals);
}

#[test]
fn a_request_that_makes_no_sense_is_refused_by_name() {
    let slot = |at: &str| BackfillRequest { ranges: vec![SlotRange::slot(utc(at))], ..BackfillRequest::default() };
    let error = refused(&daily(), slot("2026-01-05T06:00:00Z")).to_string();
    let expected = "2026-01-05T06:00:00Z is not a slot; the nearest are 2026-01-05T00:00:00Z and 2026-01-06T00:00:00Z";
    assert_eq!(error, expected);
    assert!(matches!(refused(&daily(), request("2026-01-06", "2026-01-05")), BackfillError::EmptyRange { .. }));
    let none = request("2026-01-05T06:00:00Z", "2026-01-05T18:00:00Z");
    assert_eq!(refused(&daily(), none), BackfillError::NoSlots { future: None });
    assert_eq!(refused(&daily(), BackfillRequest { limit: 0, ..slot("2026-01-05") }), BackfillError::NoLimit);
    for recurrence in [Recurrence::Once, Recurrence::Continuous] {
        let error = refused(&Schedule::new(recurrence), slot("2026-01-05"));
        assert!(matches!(error, BackfillError::NoTimetable(_)), "{error}");
    }
}

#[test]
fn the_start_and_the_end_of_the_schedule_bound_a_backfill() {
    let mut schedule = daily();
    (schedule.start, schedule.end) = (Some(utc("2026-01-10")), Some(utc("2026-01-12")));
    let mut backfill = Backfill::new(schedule, request("2026-01-01", "2026-01-31"), &SlotRuns::new());
    assert_eq!(backfill.until_done().started, january(10..=12));
}

/// Case 57, as far as plans decide it.
#[test]
fn plans_overlap_in_their_pending_slots() {
    let plan = |from: &str, to: &str| BackfillPlan::new(&daily(), request(from, to), utc(NOW)).expect("a plan").0;
    let one = plan("2026-01-01", "2026-01-10");
    let shared = one.overlap(&plan("2026-01-08", "2026-01-20"), &daily()).expect("they overlap");
    assert_eq!((shared.first, shared.last, shared.count), (utc("2026-01-08"), utc("2026-01-10"), 3));
    assert_eq!(one.overlap(&plan("2026-01-11", "2026-01-20"), &daily()), None);
    let mut begun =
        Backfill::new(daily(), BackfillRequest { limit: 8, ..request("2026-01-01", "2026-01-10") }, &SlotRuns::new());
    begun.step(u32::MAX);
    let shared = begun.plan.overlap(&plan("2026-01-08", "2026-01-20"), &daily()).expect("they overlap");
    assert_eq!((shared.first, shared.count), (utc("2026-01-09"), 2), "slots that are decided are free");
}

/// Case 58, as far as the plan decides it.
#[test]
fn a_cancelled_plan_drops_what_is_pending_and_its_counts_add_up() {
    for order in [BackfillOrder::Oldest, BackfillOrder::Newest, BackfillOrder::Random] {
        let request = BackfillRequest { limit: 3, order, ..request("2026-01-01", "2026-01-31") };
        let mut backfill = Backfill::new(daily(), request, &mixed());
        backfill.step(u32::MAX);
        let first = backfill.plan.active[0].at;
        backfill.end(first, SlotRunState::Success);
        backfill.step(u32::MAX);
        backfill.plan.cancel("mina".to_owned(), String::new(), utc(NOW));
        assert_eq!(backfill.plan.counts.decided(), 31, "{order}: {:?}", backfill.plan.counts);
        assert!(backfill.plan.is_open(), "three runs are active");
        for slot in backfill.plan.active.clone() {
            backfill.end(slot.at, SlotRunState::Cancelled);
        }
        let started = backfill.started.len();
        backfill.step(u32::MAX);
        assert_eq!((backfill.started.len(), backfill.plan.is_open()), (started, false));
        assert_eq!((backfill.plan.counts.success, backfill.plan.counts.cancelled), (1, 3));
        assert!(matches!(backfill.plan.phase, BackfillPhase::Cancelled { .. }));
    }
}

#[test]
fn a_paused_plan_starts_nothing_and_notes_what_ends() {
    let mut backfill =
        Backfill::new(daily(), BackfillRequest { limit: 2, ..request("2026-01-01", "2026-01-06") }, &SlotRuns::new());
    backfill.step(u32::MAX);
    let (by, reason, since) = ("mina".to_owned(), String::new(), utc(NOW));
    backfill.plan.phase = BackfillPhase::Paused { by, reason, since };
    backfill.end(utc("2026-01-01"), SlotRunState::Success);
    backfill.end(utc("2026-01-02"), SlotRunState::Failed);
    backfill.step(u32::MAX);
    assert_eq!((backfill.started.len(), backfill.plan.active.len(), backfill.plan.counts.success), (2, 0, 1));
    assert_eq!(backfill.plan.failed, january([2]));
    backfill.plan.resume(&daily());
    assert_eq!(backfill.until_done().started, january(1..=6));
}

#[test]
fn a_plan_is_extended_to_a_later_end() {
    for (order, expected) in
        [(BackfillOrder::Oldest, january(1..=9)), (BackfillOrder::Newest, january([5, 4, 3, 2, 1, 9, 8, 7, 6]))]
    {
        let request = BackfillRequest { order, ..request("2026-01-01", "2026-01-05") };
        let mut backfill = Backfill::new(daily(), request, &SlotRuns::new());
        backfill.until_done();
        let now = utc("2026-01-09T12:00:00Z");
        let (plan, added, future) =
            backfill.plan.clone().extend(&daily(), utc("2026-01-11"), now).expect("it is later");
        let (first, last) = (utc("2026-01-10"), utc("2026-01-11"));
        assert_eq!((added, future), (4, Some(FutureSlots { first, last })));
        backfill.plan = plan;
        assert_eq!(backfill.until_done().started, expected);
        let again = backfill.plan.clone().extend(&daily(), utc("2026-01-09"), now);
        assert_eq!(again.expect_err("it is not later"), BackfillError::NotLater(now));
        let (plan, added, _) =
            backfill.plan.clone().extend(&daily(), utc("2026-01-10"), utc(NOW)).expect("it is later");
        assert_eq!((added, plan.total), (1, 10));
    }
    let fixed = BackfillRequest { order: BackfillOrder::Random, ..request("2026-01-01", "2026-01-05") };
    let plan = Backfill::new(daily(), fixed, &SlotRuns::new()).plan;
    let error = plan.extend(&daily(), utc("2026-01-09"), utc(NOW)).expect_err("its order is fixed");
    assert!(matches!(error, BackfillError::NotExtensible(_)), "{error}");
}

#[test]
fn a_plan_pauses_itself_when_the_timetable_changes() {
    let mut backfill =
        Backfill::new(daily(), BackfillRequest { limit: 2, ..request("2026-01-01", "2026-01-06") }, &SlotRuns::new());
    backfill.step(u32::MAX);
    backfill.schedule = Schedule::of(Crons::from(cron("0 0,12 * * *", "UTC")));
    backfill.end(utc("2026-01-01"), SlotRunState::Success);
    backfill.step(u32::MAX);
    let BackfillPhase::Paused { reason, .. } = &backfill.plan.phase else { panic!("{:?}", backfill.plan.phase) };
    assert!(reason.contains("`0 0 * * * UTC` to `0 0,12 * * * UTC`"), "{reason}");
    assert_eq!(backfill.started.len(), 2);
    let schedule = backfill.schedule.clone();
    backfill.plan.resume(&schedule);
    backfill.until_done();
    assert_eq!(backfill.started.len(), 10, "the first two days, and from then on each half day");
    assert_eq!((backfill.plan.total, backfill.plan.remaining()), (10, 0));
}

#[test]
fn a_plan_pauses_itself_when_too_many_runs_have_failed() {
    let request = BackfillRequest { limit: MAX_FAILURES, ..request("2026-01-01", "2026-01-03") };
    let mut backfill = Backfill::new(minutes(), request, &SlotRuns::new());
    backfill.window = 1_000;
    backfill.step(u32::MAX);
    assert_eq!(backfill.started.len(), MAX_FAILURES as usize);
    for slot in backfill.plan.active.clone() {
        backfill.end(slot.at, SlotRunState::Failed);
    }
    backfill.step(u32::MAX);
    assert_eq!(backfill.started.len(), MAX_FAILURES as usize);
    assert!(matches!(backfill.plan.phase, BackfillPhase::Paused { .. }));
    assert_eq!(backfill.plan.failed.len(), MAX_FAILURES as usize);
    backfill.plan.resume(&minutes());
    backfill.step(u32::MAX);
    assert_eq!(backfill.started.len(), 2 * MAX_FAILURES as usize);
}

/// Case 60, as far as the plan decides it: its size does not depend on the number of slots.
#[test]
fn a_plan_over_years_of_minutes_is_small() {
    for order in [BackfillOrder::Oldest, BackfillOrder::Newest, BackfillOrder::Random] {
        let request = BackfillRequest { order, limit: 4, ..request("2021-03-01", "2026-02-28") };
        let (plan, _) = BackfillPlan::new(&minutes(), request, utc(NOW)).expect("a plan");
        let plan = plan.counted(2_628_000);
        let window = plan.window(&minutes(), 4);
        assert_eq!(window.slots().len(), 4);
        let none = SlotRuns::new();
        let situation = BackfillSituation { now: utc(NOW), room: 4, runs: &none, own: &none };
        let step = plan.step(&minutes(), &window, &situation);
        assert_eq!(step.decisions.len(), 4);
        let stored = serde_json::to_string(&step.plan).expect("a plan is JSON");
        assert!(stored.len() < 2_000, "{} bytes", stored.len());
    }
}

proptest! {
    #![proptest_config(cases(128))]

    /// Each slot is decided once, whatever the order, the limit, the runs that there are, and the
    /// pauses on the way.
    #[test]
    fn each_slot_is_decided_once(
        order in prop::sample::select(vec![BackfillOrder::Oldest, BackfillOrder::Newest, BackfillOrder::Random]),
        scope in prop::sample::select(vec![BackfillScope::Missing, BackfillScope::Failed, BackfillScope::All]),
        limit in 1_u32..6,
        seed in any::<u64>(),
        text in prop::sample::select(vec!["0 0 * * *", "0 6 * * 1-5", "*/20 9-10 * * *", "0 0 1,15 * *"]),
        ranges in prop::collection::vec((0_i64..60, 0_i64..20), 1..4),
        existing in prop::collection::vec((0_usize..200, 0_usize..3), 0..40),
        actions in prop::collection::vec((0_u8..4, 0_usize..6), 0..200),
    ) {
        let schedule = Schedule::of(Crons::from(cron(text, "Europe/Berlin")));
        let day = 86_400_000_000_000;
        let start = utc("2026-01-01").as_nanos();
        let at = |days: i64| Timestamp::from_nanos(start + days * day + 1);
        let ranges = ranges.into_iter().map(|(from, days)| SlotRange { from: at(from), to: at(from + days + 1) });
        let request = BackfillRequest { ranges: ranges.collect(), order, scope, limit, seed, ..BackfillRequest::default() };
        let Ok((plan, _)) = BackfillPlan::new(&schedule, request.clone(), utc("2026-02-15T08:00:00Z")) else {
            return Ok(());
        };
        let (fates, total) = surveyed(&schedule, plan, &SlotRuns::new());
        let states = [SlotRunState::Success, SlotRunState::Failed, SlotRunState::Cancelled];
        let runs: SlotRuns = existing
            .into_iter()
            .filter_map(|(place, state)| Some((fates.get(place)?.0, run(states[state]))))
            .collect();
        let (plan, _) = BackfillPlan::new(&schedule, request.clone(), utc("2026-02-15T08:00:00Z")).expect("a plan");
        let (fates, _) = surveyed(&schedule, plan.clone(), &runs);
        let mut backfill = Backfill::new(schedule.clone(), BackfillRequest { ..request }, &runs);
        backfill.plan = plan.counted(total);
        for (action, place) in actions {
            match action {
                0 => {
                    let (by, reason, since) = ("mina".to_owned(), String::new(), utc(NOW));
                    if backfill.plan.phase == BackfillPhase::Active {
                        backfill.plan.phase = BackfillPhase::Paused { by, reason, since };
                    }
                }
                1 if matches!(backfill.plan.phase, BackfillPhase::Paused { .. }) => backfill.plan.resume(&schedule),
                2 => {
                    if let Some(slot) = backfill.plan.active.get(place) {
                        backfill.end(slot.at, states[place % 3]);
                    }
                }
                _ => {
                    backfill.step(u32::MAX);
                }
            }
            prop_assert!(backfill.most_active <= limit as usize);
        }
        if matches!(backfill.plan.phase, BackfillPhase::Paused { .. }) {
            backfill.plan.resume(&schedule);
        }
        backfill.until_done();
        let counts = &backfill.plan.counts;
        prop_assert_eq!(counts.decided(), total, "{:?}", counts);
        let of = |wanted: BackfillFate| {
            let mut slots: Vec<_> = fates.iter().filter(|(_, fate)| *fate == wanted).map(|(at, _)| *at).collect();
            slots.sort_unstable();
            slots
        };
        let sorted = |slots: &[Timestamp]| {
            let mut slots = slots.to_vec();
            slots.sort_unstable();
            slots
        };
        prop_assert_eq!(sorted(&backfill.started), of(BackfillFate::New));
        prop_assert_eq!(sorted(&backfill.cleared), of(BackfillFate::Again));
        prop_assert_eq!(counts.success + counts.failed + counts.cancelled, (backfill.started.len() + backfill.cleared.len()) as u64);
    }
}
