//! The life of a value from the task that returns it to its last consumer: no needless copies, and
//! no value is kept longer than needed.

#![allow(clippy::needless_pass_by_value, reason = "how tasks take their inputs is what is tested here")]

use std::sync::atomic::{AtomicUsize, Ordering};

use taskflow::engine::{Engine, RunState};
use taskflow::prelude::*;
use taskflow::{Selection, Value};
use taskflow_tests::common::{Gate, eventually, finish, in_a_separate_process, live, reference, states};

use crate::support::workers;

fn build<T: Value>(body: impl FnOnce() -> Output<T>) -> Dag<T> {
    Dag::build("values", body).expect("the graph is sound")
}

/// Counts what happens to the values of one type. Each test has a type of its own, since tests run
/// at once.
struct Counters {
    made: AtomicUsize,
    cloned: AtomicUsize,
    dropped: AtomicUsize,
}

impl Counters {
    const fn new() -> Self {
        Counters { made: AtomicUsize::new(0), cloned: AtomicUsize::new(0), dropped: AtomicUsize::new(0) }
    }

    fn clones(&self) -> usize {
        self.cloned.load(Ordering::SeqCst)
    }

    fn dropped(&self) -> usize {
        self.dropped.load(Ordering::SeqCst)
    }

    /// Made or cloned, and not dropped yet.
    fn alive(&self) -> usize {
        self.made.load(Ordering::SeqCst) + self.clones() - self.dropped()
    }

    fn reset(&self) {
        for counter in [&self.made, &self.cloned, &self.dropped] {
            counter.store(0, Ordering::SeqCst);
        }
    }
}

/// A type whose values are counted, and a task `make` that returns one.
macro_rules! counted {
    ($type:ident) => {
        static COUNTS: Counters = Counters::new();

        #[derive(Debug, serde::Serialize, serde::Deserialize)]
        struct $type(u32);

        impl $type {
            fn new(number: u32) -> Self {
                COUNTS.made.fetch_add(1, Ordering::SeqCst);
                $type(number)
            }
        }

        impl Clone for $type {
            fn clone(&self) -> Self {
                COUNTS.cloned.fetch_add(1, Ordering::SeqCst);
                $type(self.0)
            }
        }

        impl Drop for $type {
            fn drop(&mut self) {
                COUNTS.dropped.fetch_add(1, Ordering::SeqCst);
            }
        }

        #[task]
        fn make(number: u32) -> $type {
            $type::new(number)
        }
    };
}

/// Runs the graph on both drivers, and checks the number of clones after each.
#[track_caller]
fn assert_clones<T: Value>(counts: &Counters, expected: usize, body: impl Fn() -> Output<T>) {
    let dag = build(body);
    counts.reset();
    let report = reference(dag.run());
    assert_eq!(report.state(), RunState::Success);
    assert_eq!(counts.clones(), expected, "on the reference driver");
    drop(report);
    assert_eq!(counts.alive(), 0, "on the reference driver");

    counts.reset();
    let report = live(dag.run().engine(&workers(1)));
    assert_eq!(report.state(), RunState::Success);
    assert_eq!(counts.clones(), expected, "on the live engine");
    drop(report);
    eventually("every value is dropped", || counts.alive() == 0);
}

// Copies.

#[test]
fn a_reference_needs_no_clone() {
    counted!(Counted);
    #[task]
    fn sync(value: &Counted) -> u32 {
        value.0
    }
    #[task]
    async fn later(value: &Counted) -> u32 {
        tokio::task::yield_now().await;
        value.0
    }
    #[task(blocking)]
    fn blocking(value: &Counted) -> u32 {
        value.0
    }
    #[task(retries = 2, retry_delay = "0s")]
    fn tries(value: &Counted, ctx: &TaskContext) -> Result<u32> {
        if ctx.attempt() < 3 { Err("again")? } else { Ok(value.0) }
    }
    assert_clones(&COUNTS, 0, || {
        let value = make(1);
        for _ in 0..10 {
            sync(value);
            later(value);
            blocking(value);
        }
        tries(value)
    });
}

#[test]
fn references_point_to_the_same_value() {
    #[task]
    fn make() -> Vec<u32> {
        vec![1, 2, 3]
    }
    #[task]
    fn place(list: &[u32]) -> u64 {
        list.as_ptr() as u64
    }
    #[task]
    fn different(places: Vec<u64>) -> usize {
        places.into_iter().collect::<std::collections::BTreeSet<_>>().len()
    }
    let dag = build(|| {
        let list = make();
        different((0..10).map(|_| place(list)).collect::<Vec<_>>())
    });
    assert_eq!(reference(dag.run()).result(), Some(&1));
    assert_eq!(live(dag.run()).result(), Some(&1));
}

#[test]
fn the_only_consumer_of_a_value_gets_it_by_move() {
    counted!(Counted);
    #[task]
    fn sync(value: Counted) -> Counted {
        value
    }
    #[task]
    async fn later(value: Counted) -> Counted {
        tokio::task::yield_now().await;
        value
    }
    #[task(blocking)]
    fn blocking(value: Counted) -> Counted {
        value
    }
    assert_clones(&COUNTS, 0, || {
        let mut value = make(1);
        for _ in 0..30 {
            value = blocking(later(sync(value)));
        }
        value
    });
}

#[test]
fn the_last_of_several_consumers_gets_the_value_by_move() {
    counted!(Counted);
    #[task]
    fn takes(value: Counted) -> u32 {
        value.0
    }
    #[task]
    fn borrows(value: &Counted) -> u32 {
        value.0
    }
    // Four copies for five tasks; those that borrow have ended before.
    assert_clones(&COUNTS, 4, || {
        let value = make(1);
        let borrowed = [borrows(value), borrows(value)];
        let mut last = takes(value).after(borrowed);
        for _ in 0..4 {
            last = takes(value).after(last);
        }
        last
    });
}

#[test]
fn a_task_that_takes_a_value_twice_needs_one_copy() {
    counted!(Counted);
    #[task]
    fn twice(one: Counted, other: Counted) -> u32 {
        one.0 + other.0
    }
    assert_clones(&COUNTS, 1, || {
        let value = make(1);
        twice(value, value)
    });
}

#[test]
fn a_value_in_a_wrapper_is_moved_too() {
    counted!(Counted);
    #[task]
    fn wrapped(
        option: Option<Counted>,
        result: Result<Counted, Failure>,
        list: Vec<Counted>,
        options: Vec<Option<Counted>>,
        results: Vec<Result<Counted, Failure>>,
        first: AnyOf<Counted>,
    ) -> u32 {
        let lists = list.len() + options.iter().flatten().count() + results.iter().flatten().count();
        option.map_or(0, |value| value.0) + result.map_or(0, |value| value.0) + first.0 + lists as u32
    }
    assert_clones(&COUNTS, 0, || wrapped(make(1), make(2), [make(3), make(4)], [make(5)], vec![make(6)], [make(7)]));
}

#[test]
fn a_value_that_a_retry_might_need_is_copied() {
    counted!(Counted);
    #[task]
    fn takes(value: Counted) -> u32 {
        value.0
    }
    #[task]
    fn fails_until(attempt: u32, value: Counted, ctx: &TaskContext) -> Result<u32> {
        if ctx.attempt() < attempt { Err("again")? } else { Ok(value.0) }
    }
    let retried = |attempt| move || fails_until(attempt, make(1)).retries(2).retry_delay(std::time::Duration::ZERO);
    assert_clones(&COUNTS, 1, || takes(make(1)).retries(1));
    assert_clones(&COUNTS, 1, retried(1));
    assert_clones(&COUNTS, 2, retried(2));
    // The third attempt is the last there can be, and takes the value itself.
    assert_clones(&COUNTS, 2, retried(3));
}

#[test]
fn parameters_and_constants_are_copied_because_the_next_run_needs_them() {
    counted!(Counted);
    #[task]
    fn takes(value: Counted) -> u32 {
        value.0
    }
    let dag = build(|| {
        make(0);
        takes(Counted::new(7))
    });
    COUNTS.reset();
    for run in 1..=3 {
        assert_eq!(reference(dag.run()).result(), Some(&7));
        assert_eq!(COUNTS.clones(), run);
    }
}

#[test]
fn a_task_outside_a_partial_run_needs_no_copy() {
    counted!(Counted);
    #[task]
    fn takes(value: Counted) -> u32 {
        value.0
    }
    let dag = build(|| {
        let value = make(1);
        takes(value).id("removed");
        takes(value).id("taken")
    });
    let selection = Selection::only(dag.plan(), "taken").expect("there is such a task");
    let report = reference(dag.run().select(selection));
    assert_eq!(states(&report), "make=success removed=removed taken=success");
    assert_eq!(COUNTS.clones(), 0);
}

// The end of a value.

#[test]
fn a_value_is_dropped_after_its_last_consumer() {
    counted!(Counted);
    #[task]
    fn borrows(value: &Counted) -> u32 {
        assert_eq!(COUNTS.alive(), 1);
        value.0
    }
    #[task]
    fn looks(_number: u32) -> usize {
        eventually("the value is gone", || COUNTS.alive() == 0);
        COUNTS.dropped()
    }
    let dag = build(|| {
        let value = make(1);
        // Not the last attempt there could be: the value is given back when the task is through.
        looks(borrows(value).after(borrows(value)).retries(1))
    });
    assert_eq!(reference(dag.run()).result(), Some(&1));
    COUNTS.reset();
    assert_eq!(live(dag.run()).result(), Some(&1));
}

#[test]
fn a_value_without_consumers_is_dropped_at_once() {
    counted!(Counted);
    #[task]
    fn looks() -> usize {
        eventually("the value is gone", || COUNTS.dropped() == 1);
        COUNTS.alive()
    }
    let dag = build(|| looks().after(make(1)));
    assert_eq!(reference(dag.run()).result(), Some(&0));
    COUNTS.reset();
    assert_eq!(live(dag.run()).result(), Some(&0));
}

#[test]
fn a_value_is_dropped_when_its_consumers_do_not_run() {
    counted!(Counted);
    #[task]
    fn ends(how: &str, ctx: &TaskContext) -> Result<u32> {
        if how == "failed" { Err("no")? } else { Err(ctx.skip("no"))? }
    }
    #[task]
    fn needs(value: Counted, _other: u32) -> u32 {
        value.0
    }
    #[task]
    fn looks() -> usize {
        eventually("the values are gone", || COUNTS.dropped() == 2);
        COUNTS.alive()
    }
    let dag = build(|| {
        let (failed, skipped) = (ends("failed"), ends("skipped"));
        let (one, other) = (needs(make(1), failed), needs(make(2), skipped));
        looks().after([one, other]).trigger_rule(TriggerRule::AllDone)
    });
    assert_eq!(reference(dag.run()).result(), Some(&0));
    COUNTS.reset();
    assert_eq!(live(dag.run()).result(), Some(&0));
}

#[test]
fn unused_values_of_any_of_are_dropped_with_the_run() {
    counted!(Counted);
    static FIRST_RAN: Gate = Gate::new();
    #[task(blocking)]
    fn make_late() -> Counted {
        FIRST_RAN.pass();
        Counted::new(2)
    }
    #[task]
    fn first(value: AnyOf<Counted>) -> u32 {
        FIRST_RAN.open();
        value.0
    }
    let report = live(build(|| first([make_late(), make(1)])).run());
    assert_eq!(report.result(), Some(&1));
    eventually("both are gone", || COUNTS.dropped() == 2);
    assert_eq!(COUNTS.clones(), 0);
}

#[test]
fn no_value_outlives_its_run() {
    counted!(Counted);
    #[task]
    fn takes(value: Counted, how: u32, ctx: &TaskContext) -> Result<Counted> {
        match how {
            0 => Err("no")?,
            1 => panic!("no"),
            2 => Err(ctx.skip("no"))?,
            3 if ctx.attempt() == 1 => Err("not yet")?,
            _ => Ok(value),
        }
    }
    #[task]
    fn collects(values: Vec<Result<Counted, Failure>>) -> u32 {
        values.iter().flatten().count() as u32
    }
    let dag = build(|| {
        let values = (0..20).map(|number| {
            let value = make(number);
            let other = takes(value, number % 5).retries(1).retry_delay(std::time::Duration::ZERO);
            takes(value, number % 3);
            takes(other, 4)
        });
        collects(values.collect::<Vec<_>>())
    });
    let report = reference(dag.run());
    assert_eq!(report.result(), Some(&8));
    assert_eq!(COUNTS.alive(), 0);
    for workers in [1, 2, 4] {
        COUNTS.reset();
        let engine = Engine::builder().workers(workers.try_into().expect("not zero")).build();
        let report = live(dag.run().engine(&engine.expect("no pool is named")));
        assert_eq!(report.result(), Some(&8));
        eventually("every value is gone", || COUNTS.alive() == 0);
    }
}

/// Short tasks, of which a worker takes many together, in places that are used again: with two
/// inputs and with more than a place has room for. Every fifth panics before it takes its inputs.
#[test]
fn tasks_that_a_worker_takes_together_see_their_own_inputs_and_leave_nothing() {
    counted!(Counted);
    #[task]
    fn two(value: Counted, fails: bool) -> Counted {
        assert!(!fails, "as asked");
        value
    }
    #[task]
    fn five(a: Counted, b: Counted, c: &Counted, d: &Counted, e: Counted) -> u32 {
        a.0 + b.0 + c.0 + d.0 + e.0
    }
    #[task]
    fn collects(values: Vec<Result<Counted, Failure>>, sums: &[u32]) -> (u32, u32) {
        (values.iter().flatten().count() as u32, sums.iter().sum())
    }
    let dag = build(|| {
        let (mut values, mut sums) = (Vec::new(), Vec::new());
        for number in 0..500 {
            let value = make(number);
            values.push(two(value, number % 5 == 0));
            sums.push(five(value, value, value, value, value));
        }
        collects(values, sums)
    });
    let expected = (400, 5 * (0..500).sum::<u32>());
    assert_eq!(reference(dag.run()).result(), Some(&expected));
    for workers in [1, 2, 4] {
        COUNTS.reset();
        let engine = Engine::builder().workers(workers.try_into().expect("not zero")).build();
        let engine = engine.expect("no pool is named");
        for _ in 0..3 {
            assert_eq!(live(dag.run().engine(&engine)).result(), Some(&expected));
        }
        eventually("every value is gone", || COUNTS.alive() == 0);
    }
}

// The result.

#[test]
fn the_result_is_kept_although_tasks_consume_it() {
    counted!(Counted);
    #[task]
    fn changes(mut value: Counted) -> u32 {
        value.0 += 100;
        value.0
    }
    let dag = build(|| {
        let value = make(1);
        changes(value);
        changes(value);
        value
    });
    for report in [reference(dag.run()), live(dag.run())] {
        assert_eq!(report.result().map(|value| value.0), Some(1));
    }
    assert_eq!(COUNTS.clones(), 4, "each who changes it has a copy");
}

#[test]
fn the_result_is_dropped_with_the_report() {
    counted!(Counted);
    let report = live(build(|| make(1)).run());
    assert_eq!(COUNTS.alive(), 1);
    let result = report.into_result().expect("it succeeded");
    assert_eq!((COUNTS.alive(), result.0, COUNTS.clones()), (1, 1, 0));
    drop(result);
    assert_eq!(COUNTS.alive(), 0);
}

/// A failure elsewhere does not take the result away; `success()` is for those who want both.
#[test]
fn a_run_that_failed_elsewhere_keeps_its_result() {
    #[task]
    fn fails() -> Result<u32> {
        Err("no")?
    }
    #[task]
    fn fine() -> u32 {
        1
    }
    let dag = build(|| {
        fails();
        fine()
    });
    for report in [reference(dag.run()), live(dag.run())] {
        assert_eq!(report.state(), RunState::Failed);
        assert_eq!(report.result(), Some(&1));
        assert!(report.success().is_err());
    }
}

// Destructors that panic.

/// A value whose destructor panics, unless a panic is under way already.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Explosive;

impl Drop for Explosive {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("the value exploded");
        }
    }
}

/// As above, without looking: two of them in one unwinding end the process.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Dynamite;

impl Drop for Dynamite {
    fn drop(&mut self) {
        panic!("the dynamite exploded");
    }
}

#[task]
fn explosive() -> Explosive {
    Explosive
}

#[task]
fn dynamite() -> Dynamite {
    Dynamite
}

#[task]
fn borrows(_value: &Explosive) -> u32 {
    1
}

#[task]
fn takes(value: Explosive) -> u32 {
    std::mem::forget(value);
    1
}

#[task]
fn fails() -> Result<u32> {
    Err("no")?
}

#[task]
fn fine() -> u32 {
    1
}

/// Runs the graph on an engine with one worker, which must survive. Returns the states.
#[track_caller]
fn survives<T: Value>(dag: &Dag<T>) -> String {
    let engine = workers(1);
    let report = live(dag.run().engine(&engine));
    let states = states(&report);
    // The result may explode here, which is not the engine's business.
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || drop(report)));
    assert_eq!(live(build(fine).run().engine(&engine)).result(), Some(&1), "the worker lives");
    states
}

#[test]
fn a_panicking_destructor_does_not_kill_the_worker() {
    // Nobody takes it.
    assert_eq!(survives(&build(|| fine().after(explosive()))), "fine=success explosive=success");
    // Given back by a task that could have been tried again.
    let dag = build(|| fine().after(borrows(explosive()).retries(1)));
    assert_eq!(survives(&dag), "fine=success explosive=success borrows=success");
    // Given back by a task that did not run.
    #[task]
    fn needs(_value: &Explosive, _number: u32) {}
    let dag = build(|| {
        needs(explosive(), fails());
        fine()
    });
    assert_eq!(survives(&dag), "explosive=success fails=failed needs=upstream_failed fine=success");
    // The result.
    assert_eq!(survives(&build(explosive)), "explosive=success");
}

/// The panic is in the time of the task and counts as its own.
#[test]
fn a_panicking_destructor_inside_a_task_fails_the_task() {
    #[task]
    fn drops(value: Explosive) -> u32 {
        drop(value);
        1
    }
    assert_eq!(survives(&build(|| drops(explosive()))), "explosive=success drops=failed");
}

#[test]
fn a_panicking_destructor_does_not_stop_async_and_blocking_tasks() {
    #[task]
    async fn makes_async() -> Explosive {
        Explosive
    }
    #[task(blocking)]
    fn makes_blocking() -> Explosive {
        Explosive
    }
    let dag = build(|| {
        let (one, other) = (makes_async(), makes_blocking());
        let fine = fine().after((one, other));
        takes(makes_async().after(fine))
    });
    let report = live(dag.run().engine(&workers(1)));
    assert!(report.is_success(), "{report:?}");
}

#[test]
fn a_panicking_destructor_does_not_stop_the_reference_driver() {
    let report = reference(build(|| fine().after(explosive())).run());
    assert_eq!(report.result(), Some(&1));
}

#[dag]
fn with_explosive_parameter(value: Explosive) -> u32 {
    takes(value)
}

#[test]
fn a_parameter_with_a_panicking_destructor_does_not_kill_the_worker() {
    let engine = workers(1);
    for _ in 0..3 {
        let report = live(with_explosive_parameter::run(Explosive).engine(&engine));
        assert_eq!(report.result(), Some(&1));
    }
}

#[test]
fn an_unawaited_result_can_panic_in_its_destructor() {
    static RELEASE: Gate = Gate::new();
    #[task]
    fn late() -> Explosive {
        RELEASE.pass();
        Explosive
    }
    let engine = workers(1);
    drop(build(late).run().engine(&engine).start().expect("the graph is sound"));
    let next = build(fine).run().engine(&engine).start().expect("the graph is sound");
    RELEASE.open();
    assert_eq!(finish(next).result(), Some(&1), "the worker lives");
}

#[test]
fn two_panicking_destructors_do_not_abort_the_process() {
    in_a_separate_process("values::two_panicking_destructors_do_not_abort_the_process", || {
        #[task]
        fn needs(_one: &Dynamite, _other: &Dynamite, _number: u32) {}
        let dag = build(|| {
            // Both are given back at once when the task that would take them turns out not to run.
            let (one, other) = (dynamite(), dynamite());
            needs(one, other, fails().after((one, other)));
            fine()
        });
        let expected = "dynamite=success dynamite_2=success fails=failed needs=upstream_failed fine=success";
        assert_eq!(survives(&dag), expected);
    });
}
