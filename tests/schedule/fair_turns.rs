//! The order in which the queued runs of several DAGs start.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use taskflow::schedule::{FairTurns, PASSED_OVER, WaitingRun};
use taskflow_tests::common::cases;

const DAGS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// A run of a DAG with the default priority and weight.
fn run(dag: &'static str, number: i64) -> WaitingRun {
    WaitingRun { dag, number, priority: 0, weight: 1, is_interrupted: false, is_backfill: false }
}

fn of(dag: &'static str, number: i64, priority: i32, weight: u32) -> WaitingRun {
    WaitingRun { priority, weight, ..run(dag, number) }
}

/// The DAGs of the runs that start, in their order, one place after the other.
fn order(turns: &mut FairTurns, mut waiting: Vec<WaitingRun>, starts: usize) -> String {
    let mut order = String::new();
    for _ in 0..starts {
        for at in turns.pick(&waiting, 1, |_, _| u32::MAX) {
            order += waiting.remove(at).dag;
        }
    }
    order
}

/// Ten runs of each, as old as each other.
fn backlog(dags: &[(&'static str, i32, u32)]) -> Vec<WaitingRun> {
    (0..10)
        .flat_map(|number| dags.iter().map(move |&(dag, priority, weight)| of(dag, number, priority, weight)))
        .collect()
}

#[test]
fn dags_take_turns_and_their_oldest_runs_come_first() {
    let waiting = vec![run("a", 1), run("a", 2), run("a", 3), run("b", 4), run("c", 5)];
    let picked = FairTurns::default().pick(&waiting, 10, |_, _| u32::MAX);
    assert_eq!(picked, [0, 3, 4, 1, 2]);
}

#[test]
fn a_higher_priority_starts_first() {
    let waiting = vec![of("a", 1, -1, 1), of("b", 2, 0, 1), of("c", 3, 1_000, 1)];
    assert_eq!(order(&mut FairTurns::default(), waiting, 3), "cba");
}

/// The next start after [`PASSED_OVER`] of them is a fair turn.
#[test]
fn a_priority_passes_over_the_others_three_times_in_a_row() {
    assert_eq!(PASSED_OVER, 3);
    let waiting = backlog(&[("a", i32::MAX, 1), ("b", i32::MIN, 1)]);
    assert_eq!(order(&mut FairTurns::default(), waiting, 12), "aaabaaabaaab");
}

#[test]
fn a_weight_is_a_share_of_the_starts() {
    let waiting = backlog(&[("a", 0, 3), ("b", 0, 1)]);
    assert_eq!(order(&mut FairTurns::default(), waiting, 12), "abaaabaaabaa");
}

/// What was interrupted has begun before, and backfills are in no hurry.
#[test]
fn interrupted_runs_come_first_and_backfills_last() {
    let interrupted = WaitingRun { is_interrupted: true, ..of("a", 9, -5, 1) };
    let backfill = WaitingRun { is_backfill: true, ..of("c", 1, 5, 1) };
    let waiting = vec![backfill, of("b", 2, 0, 1), interrupted];
    assert_eq!(order(&mut FairTurns::default(), waiting, 3), "abc");
}

/// Pitfall 11: with many live runs, those of backfills never started.
#[test]
fn a_backfill_is_not_starved_by_live_runs() {
    let mut waiting = backlog(&[("a", 0, 1), ("b", 0, 1)]);
    waiting.push(WaitingRun { is_backfill: true, ..run("z", 0) });
    let order = order(&mut FairTurns::default(), waiting, 4);
    assert!(order.contains('z'), "{order}");
}

/// A DAG that was idle gets its share from now on, not what it did not use.
#[test]
fn nobody_saves_up_turns() {
    let mut turns = FairTurns::default();
    assert_eq!(order(&mut turns, backlog(&[("a", 0, 1)]), 10), "aaaaaaaaaa");
    assert_eq!(order(&mut turns, backlog(&[("a", 0, 1), ("b", 0, 1)]), 6), "bababa");
}

/// A DAG whose priority has given it many starts does not pay for them.
#[test]
fn starts_by_priority_are_not_a_debt() {
    let mut turns = FairTurns::default();
    for _ in 0..10 {
        order(&mut turns, backlog(&[("a", 1, 1), ("b", 0, 1)]), 10);
    }
    let starts = order(&mut turns, backlog(&[("a", 0, 1), ("b", 0, 1)]), 8);
    assert_eq!(starts.matches('a').count(), 4, "{starts}");
}

#[test]
fn a_dag_without_room_is_left_out() {
    let waiting = vec![of("a", 1, 9, 1), of("a", 2, 9, 1), of("b", 3, 0, 1), of("b", 4, 0, 1)];
    let picked = FairTurns::default().pick(&waiting, 10, |dag, _| if dag == "a" { 1 } else { 0 });
    assert_eq!(picked, [0]);
}

/// What a waiting flow has seen.
#[derive(Clone, Debug, Default)]
struct Wait {
    /// How many starts of others.
    starts: u32,
    /// Which others took part.
    others: BTreeSet<(&'static str, bool)>,
}

/// What happens between two picks.
#[derive(Clone, Debug)]
enum Change {
    /// New runs of a DAG wait.
    Runs { dag: usize, count: usize, is_backfill: bool, is_interrupted: bool },
    /// Runs end.
    End { count: usize },
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let runs = (0..DAGS.len(), 1..8_usize, any::<bool>(), 0..8_u8);
    let runs = runs.prop_map(|(dag, count, is_backfill, interrupted)| {
        let is_interrupted = interrupted == 0;
        Change::Runs { dag, count, is_backfill, is_interrupted }
    });
    let change = prop_oneof![2 => runs, 3 => (1..4_usize).prop_map(|count| Change::End { count })];
    prop::collection::vec(change, 1..150)
}

/// A model of the queue of a service.
struct Queue {
    options: Vec<(i32, u32)>,
    waiting: Vec<WaitingRun>,
    active: Vec<(&'static str, bool)>,
    waits: BTreeMap<(&'static str, bool), Wait>,
    numbers: i64,
}

impl Queue {
    fn weight(&self, dag: &str) -> u32 {
        let at = DAGS.iter().position(|known| *known == dag).expect("a DAG");
        self.options[at].1
    }

    fn change(&mut self, change: &Change) {
        match *change {
            Change::Runs { dag, count, is_backfill, is_interrupted } => {
                let (priority, weight) = self.options[dag];
                for _ in 0..count {
                    self.numbers += 1;
                    let run = of(DAGS[dag], self.numbers, priority, weight);
                    self.waiting.push(WaitingRun { is_backfill, is_interrupted, ..run });
                }
            }
            Change::End { count } => drop(self.active.drain(..count.min(self.active.len()))),
        }
    }

    /// The bound of the documentation.
    fn bound(&self, flow: (&'static str, bool), wait: &Wait) -> u32 {
        let weight = self.weight(flow.0);
        (PASSED_OVER + 1) * (1 + wait.others.iter().map(|&(other, _)| self.weight(other) / weight + 1).sum::<u32>())
    }

    /// Starts a run. The flows that take part and have waited longer than the bound are an error.
    fn start(
        &mut self,
        run: WaitingRun,
        room: impl Fn(&Self, (&'static str, bool)) -> bool,
    ) -> Result<(), TestCaseError> {
        let started = (run.dag, run.is_backfill);
        let taking_part: BTreeSet<_> = self.waiting.iter().map(|run| (run.dag, run.is_backfill)).collect();
        let taking_part: BTreeSet<_> = taking_part.into_iter().filter(|&flow| room(self, flow)).collect();
        self.waits.retain(|flow, _| taking_part.contains(flow));
        for &flow in &taking_part {
            let wait = self.waits.entry(flow).or_default();
            wait.starts += 1;
            wait.others.extend(taking_part.iter().filter(|&&other| other != flow));
            let wait = wait.clone();
            prop_assert!(wait.starts <= self.bound(flow, &wait), "{flow:?} {wait:?}");
        }
        self.waits.remove(&started);
        self.waiting.retain(|waiting| waiting.number != run.number);
        self.active.push(started);
        Ok(())
    }
}

proptest! {
    #![proptest_config(cases(400))]

    /// B14: nothing bounded the wait. The limits hold whatever happens, a place is never left free
    /// while a run may start, and no flow waits longer than the bound.
    #[test]
    fn nobody_starves_and_the_limits_hold(
        options in prop::collection::vec((-2..3_i32, 1..9_u32), DAGS.len()),
        limits in prop::collection::vec(prop_oneof![Just(u32::MAX), 1..4_u32], DAGS.len()),
        places in 1..5_usize,
        changes in changes(),
    ) {
        let mut turns = FairTurns::default();
        let (waiting, active, waits) = (Vec::new(), Vec::new(), BTreeMap::new());
        let mut queue = Queue { options, waiting, active, waits, numbers: 0 };
        let limit = |dag: &str| limits[DAGS.iter().position(|known| *known == dag).expect("a DAG")];
        let active_of = |queue: &Queue, flow: (&str, bool)| queue.active.iter().filter(|&&other| other == flow).count() as u32;
        let has_room = |queue: &Queue, flow: (&'static str, bool)| active_of(queue, flow) < limit(flow.0);
        for change in changes {
            queue.change(&change);
            let picked = turns.pick(&queue.waiting, places - queue.active.len(), |dag, is_backfill| {
                limit(dag) - active_of(&queue, (dag, is_backfill))
            });
            let runs: Vec<WaitingRun> = picked.iter().map(|&at| queue.waiting[at]).collect();
            for run in runs {
                queue.start(run, has_room)?;
            }
            prop_assert!(queue.active.len() <= places);
            for &flow in &queue.active {
                prop_assert!(active_of(&queue, flow) <= limit(flow.0));
            }
            let may_start = queue.waiting.iter().any(|run| has_room(&queue, (run.dag, run.is_backfill)));
            prop_assert!(queue.active.len() == places || !may_start);
        }
    }

    /// While all of them want more, the starts of DAGs of one priority, each divided by the weight,
    /// differ by the starts of one stride each at most.
    #[test]
    fn shares_follow_the_weights(weights in prop::collection::vec(1..20_u32, 2..6), starts in 1..400_usize) {
        let mut turns = FairTurns::default();
        let mut started = vec![0_i64; weights.len()];
        for _ in 0..starts {
            // Each always has a run that waits.
            let waiting: Vec<WaitingRun> =
                weights.iter().zip(DAGS).map(|(&weight, dag)| of(dag, 1, 0, weight)).collect();
            for at in turns.pick(&waiting, 1, |_, _| u32::MAX) {
                started[at] += 1;
            }
        }
        for (&one, &of_one) in weights.iter().zip(&started) {
            for (&other, &of_other) in weights.iter().zip(&started) {
                let apart = (of_one * i64::from(other) - of_other * i64::from(one)).abs();
                prop_assert!(apart <= i64::from(one + other), "{weights:?}: {started:?} of {starts}");
            }
        }
    }
}
