//! Mapping over lists that are known only at run time.

use std::sync::atomic::{AtomicU32, Ordering};

use taskflow::Selection;
use taskflow::engine::{RunReport, RunState, TaskState};
use taskflow::graph::BuildError;
use taskflow::prelude::*;
use taskflow_tests::common::{self, live, on_both_drivers};

#[task]
fn count_to(n: u32) -> Vec<u32> {
    (0..n).collect()
}

#[task]
fn square(n: u32) -> u32 {
    n * n
}

#[task]
fn add(n: &u32, to: &u32) -> u32 {
    n + to
}

#[task]
fn sum(values: &[u32]) -> u32 {
    values.iter().sum()
}

#[task]
fn list(values: Vec<u32>) -> Vec<u32> {
    values
}

/// Fails for 2, skips itself for 3.
#[task]
fn picky(n: u32, ctx: &TaskContext) -> Result<u32> {
    match n {
        2 => Err("two is no good")?,
        3 => Err(ctx.skip("three is left out"))?,
        n => Ok(n),
    }
}

#[task]
fn present(values: Vec<Option<u32>>) -> Vec<Option<u32>> {
    values
}

#[task]
fn outcomes(values: Vec<Result<u32, Failure>>) -> Vec<String> {
    values.into_iter().map(|value| value.map_or_else(|failure| failure.kind().to_owned(), |n| n.to_string())).collect()
}

fn states<T: taskflow::Value>(report: &RunReport<T>) -> Vec<String> {
    let mut states: Vec<String> = report.tasks().map(|task| format!("{} {}", task.id(), task.state())).collect();
    states.sort();
    states
}

#[test]
fn every_element_has_its_own_task() {
    let dag = Dag::build("squares", || sum(count_to(4).each(square))).unwrap();
    on_both_drivers(&dag, |report| {
        assert_eq!(report.result(), Some(&14));
        assert_eq!(
            states(report),
            [
                "count_to success",
                "count_to.each success",
                "square[0] success",
                "square[1] success",
                "square[2] success",
                "square[3] success",
                "sum success"
            ]
        );
        assert_eq!(report.task("square[2]").unwrap().attempt_count(), 1);
        assert!(report.task("square").is_none() && report.task("square[4]").is_none());
    });
}

#[test]
fn an_empty_list_has_an_empty_result_and_skips_nothing() {
    let dag = Dag::build("none", || list(count_to(0).each(square))).unwrap();
    on_both_drivers(&dag, |report| {
        assert_eq!((report.state(), report.result()), (RunState::Success, Some(&vec![])));
    });
}

#[test]
fn elements_keep_the_order_of_the_list() {
    let dag = Dag::build("order", || list(count_to(100).each(square))).unwrap();
    let squares: Vec<u32> = (0..100).map(|n| n * n).collect();
    on_both_drivers(&dag, |report| assert_eq!(report.result(), Some(&squares)));
}

#[test]
fn a_closure_can_have_several_tasks_and_take_outer_values() {
    let dag = Dag::build("several", || {
        let base = square(3);
        list(count_to(3).each(|n| add(add(square(n), base), n)))
    });
    on_both_drivers(&dag.unwrap(), |report| {
        assert_eq!(report.result(), Some(&vec![9, 11, 15]));
        assert!(report.task("add_2[2]").is_some());
    });
}

#[test]
fn a_closure_can_ignore_its_element() {
    let dag = Dag::build("constant", || list(count_to(3).each(|_| square(7)))).unwrap();
    on_both_drivers(&dag, |report| assert_eq!(report.result(), Some(&vec![49, 49, 49])));
}

/// An element waits for its list, also if it does not take it: the list was left out, and the run
/// never ended, or succeeded without a call.
#[test]
fn a_part_of_a_graph_has_the_list_of_elements_that_ignore_it() {
    let dag = Dag::build("part", || list(count_to(3).each(|_| square(7)))).unwrap();
    for part in [Selection::only(dag.plan(), "list"), Selection::from(dag.plan(), "square")] {
        let report = live(dag.run().select(part.expect("there is such a task")));
        assert_eq!(report.result(), Some(&vec![49, 49, 49]));
    }
    let report = live(dag.run().select(Selection::only(dag.plan(), "square").expect("there is such a task")));
    assert_eq!(report.task("square[2]").map(|task| task.state()), Some(TaskState::Success));
}

/// The graph was accepted, and its runs never ended.
#[test]
fn a_cycle_through_a_list_that_its_elements_ignore_is_a_mistake() {
    let errors = Dag::build("ignored", || {
        let list = count_to(3);
        let total = sum(list.each(|_| square(7)));
        list.after(total);
        total
    });
    let errors = errors.expect_err("there is a cycle");
    let [BuildError::Cycle { members, .. }] = errors.errors() else { panic!("{errors}") };
    assert_eq!(members.len(), 4, "{errors}");
}

/// E3: `each` with a closure that returns a tuple: one list for each part, also of tasks of
/// different depth, of an inner `each`, and of the element itself.
#[test]
fn a_closure_that_returns_a_tuple_has_a_list_for_each_part() {
    let build = || {
        let (kept, squares) = count_to(3).each(|n| (n, square(n)));
        let (sums, (lists, rest)) = count_to(3).each(|n| (add(square(n), 1), (count_to(n).each(square), add(n, n))));
        let (labelled, _) = count_to(2).label(|n| n + 1).each(|n| (square(n), n));
        #[task]
        #[allow(clippy::too_many_arguments, reason = "one for each list")]
        fn show(
            kept: &[u32],
            squares: &[u32],
            sums: &[u32],
            lists: &[Vec<u32>],
            rest: &[u32],
            labelled: &[u32],
        ) -> String {
            format!("{kept:?} {squares:?} {sums:?} {lists:?} {rest:?} {labelled:?}")
        }
        show(kept, squares, sums, lists, rest, labelled)
    };
    on_both_drivers(&Dag::build("tuples", build).unwrap(), |report| {
        assert_eq!(report.result().unwrap(), "[0, 1, 2] [0, 1, 4] [1, 2, 5] [[], [0], [0, 1]] [0, 2, 4] [0, 1]");
    });
}

/// The parts of the tuple fail and are skipped independently.
#[test]
fn each_part_of_a_tuple_has_its_own_outcomes() {
    let build = || {
        let (picked, squares) = count_to(4).each(|n| (picky(n), square(n)));
        #[task]
        fn both(picked: &[Result<u32, Failure>], squares: &[u32]) -> String {
            let picked: Vec<_> = picked.iter().map(|value| value.as_ref().ok()).collect();
            format!("{picked:?} {squares:?}")
        }
        both(picked, squares)
    };
    on_both_drivers(&Dag::build("parts", build).unwrap(), |report| {
        assert_eq!(report.result().unwrap(), "[Some(0), Some(1), None, None] [0, 1, 4, 9]");
    });
}

/// Options of the mapping can be set on any part, and a part can be mapped again.
#[test]
fn the_parts_of_a_tuple_belong_to_one_mapping() {
    let build = || {
        let (numbers, squares) = count_to(3).each(|n| (add(n, 10), square(n)));
        let _ = numbers.limit(2);
        sum(squares.each(square))
    };
    on_both_drivers(&Dag::build("one", build).unwrap(), |report| {
        assert_eq!(report.state(), RunState::Failed);
        assert_eq!(report.task("add").map(|task| task.state()), None);
        assert_eq!(report.task("sum").unwrap().state(), TaskState::UpstreamFailed);
    });
    let build = || {
        let (_, squares) = count_to(3).each(|n| (add(n, 10), square(n)));
        sum(squares.each(square))
    };
    on_both_drivers(&Dag::build("again", build).unwrap(), |report| assert_eq!(report.result(), Some(&17)));
}

#[test]
fn each_can_be_nested() {
    let dag = Dag::build("nested", || {
        let sums = count_to(4).each(|n| {
            let inner = count_to(n).each(|m| add(m, n));
            sum(inner)
        });
        list(sums)
    });
    on_both_drivers(&dag.unwrap(), |report| {
        // 0; 1; 2 + 3; 3 + 4 + 5
        assert_eq!(report.result(), Some(&vec![0, 1, 5, 12]));
        assert_eq!(report.task("add[3][2]").unwrap().state(), TaskState::Success);
        assert!(report.task("add[3][3]").is_none() && report.task("add[0][0]").is_none());
    });
}

#[test]
fn an_inner_each_can_be_returned_directly() {
    #[task]
    fn lengths(values: &[Vec<u32>]) -> Vec<usize> {
        values.iter().map(Vec::len).collect()
    }
    let dag = Dag::build("returned", || lengths(count_to(4).each(|n| count_to(n).each(square))));
    on_both_drivers(&dag.unwrap(), |report| assert_eq!(report.result(), Some(&vec![0, 1, 2, 3])));
}

#[test]
fn a_second_each_continues_with_each_element() {
    let dag = Dag::build("chained", || {
        let squares = count_to(3).each(square);
        let total = sum(squares);
        list(squares.each(|n| add(n, total)))
    });
    on_both_drivers(&dag.unwrap(), |report| assert_eq!(report.result(), Some(&vec![5, 6, 9])));
}

#[test]
fn an_element_does_not_wait_for_others_in_a_second_each() {
    static SECOND: AtomicU32 = AtomicU32::new(0);
    /// The first element waits until the second is through both tasks.
    #[task]
    async fn first(n: u32) -> u32 {
        while n == 0 && SECOND.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        n
    }
    #[task]
    fn second(n: u32) -> u32 {
        SECOND.fetch_add(n, Ordering::SeqCst);
        n
    }
    let dag = Dag::build("no_barrier", || list(count_to(2).each(first).each(second))).unwrap();
    assert_eq!(live(dag.run()).result(), Some(&vec![0, 1]));
}

#[test]
fn the_type_of_a_consumer_decides_which_outcomes_it_accepts() {
    let all = Dag::build("all", || list(count_to(4).each(picky))).unwrap();
    on_both_drivers(&all, |report| {
        assert_eq!(report.state(), RunState::Failed);
        assert_eq!(report.task("list").unwrap().state(), TaskState::UpstreamFailed);
        assert_eq!(report.task("picky[3]").unwrap().state(), TaskState::Skipped);
    });
    let some = Dag::build("some", || present(count_to(2).each(|n| picky(add(n, 3))))).unwrap();
    on_both_drivers(&some, |report| assert_eq!(report.result(), Some(&vec![None, Some(4)])));
    let any = Dag::build("any", || outcomes(count_to(5).each(picky))).unwrap();
    on_both_drivers(&any, |report| {
        assert_eq!(report.state(), RunState::Success);
        assert_eq!(report.result().unwrap(), &["0", "1", "error", "skipped", "4"]);
    });
}

#[test]
fn a_failed_list_has_no_elements() {
    #[task]
    fn no_list() -> Result<Vec<u32>> {
        Err("there is none")?
    }
    #[task]
    fn how(values: Result<Vec<u32>, Failure>) -> String {
        values.map_or_else(|failure| failure.to_string(), |values| format!("{values:?}"))
    }
    let dag = Dag::build("no_list", || how(no_list().each(square).collect())).unwrap();
    on_both_drivers(&dag, |report| {
        assert_eq!(
            states(report),
            ["collect upstream_failed", "how success", "no_list failed", "no_list.each upstream_failed"]
        );
        assert_eq!(report.result().unwrap(), "upstream task `no_list` failed");
    });
}

#[test]
fn a_late_or_failed_outer_task_affects_every_element() {
    #[task]
    async fn late(fails: bool, ctx: &TaskContext) -> Result<u32> {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let _ = ctx;
        if fails { Err("late and failed")? } else { Ok(10) }
    }
    for fails in [false, true] {
        let dag = Dag::build("late", || {
            let base = late(fails);
            outcomes(count_to(3).each(|n| add(n, base)))
        });
        on_both_drivers(&dag.unwrap(), |report| {
            let expected: [&str; 3] = if fails { ["upstream_failed"; 3] } else { ["10", "11", "12"] };
            assert_eq!(report.result().unwrap(), &expected);
        });
    }
}

#[test]
fn tasks_after_a_mapped_task_wait_for_all_its_elements() {
    static DONE: AtomicU32 = AtomicU32::new(0);
    #[task]
    fn note(n: u32) -> u32 {
        DONE.fetch_add(1, Ordering::SeqCst);
        n
    }
    #[task]
    fn seen(values: &[u32], others: &[u32]) -> (usize, usize, u32) {
        (values.len(), others.len(), DONE.load(Ordering::SeqCst))
    }
    let dag = Dag::build("all_of_them", || {
        let (few, many) = (count_to(3).each(note), count_to(50).each(note));
        seen(few, many)
    });
    let report = live(dag.unwrap().run());
    assert_eq!(report.result(), Some(&(3, 50, 53)));
}

#[test]
fn each_element_has_its_own_retries() {
    #[task(retries = 2, retry_delay = "1h")]
    fn flaky(n: u32, ctx: &TaskContext) -> Result<u32> {
        if ctx.attempt() <= n { Err("not yet")? } else { Ok(ctx.attempt()) }
    }
    let dag = Dag::build("flaky", || outcomes(count_to(4).each(flaky))).unwrap();
    let report = common::reference(dag.run());
    assert_eq!(report.result().unwrap(), &["1", "2", "3", "error"]);
    assert_eq!(report.task("flaky[3]").unwrap().attempts().len(), 3);
}

#[test]
fn many_elements_of_many_lists_run() {
    let dag = Dag::build("large", || {
        let sums = count_to(300).each(|_| sum(count_to(300).each(square)));
        list(sums)
    });
    let report = live(dag.unwrap().run());
    let expected: u32 = (0..300).map(|n| n * n).sum();
    assert!(report.result().unwrap().iter().all(|sum| *sum == expected));
    assert_eq!(report.tasks().count(), 3 + 300 * 303);
}

#[test]
fn values_from_inside_and_elements_cannot_be_used_outside() {
    let mut inside = None;
    let mut element = None;
    let error = Dag::build("outside", || {
        let mapped = count_to(3).each(|n| {
            element = Some(n);
            let output = square(n);
            inside = Some(output);
            output
        });
        let _ = (square(inside.unwrap()), square(element.unwrap()));
        count_to(2).each(|_| sum(mapped).after(mapped.collect())).each(|_| list(mapped)).collect()
    });
    let error = error.unwrap_err().to_string();
    assert!(error.contains("`square` is inside an `each` and is used outside"), "{error}");
    assert!(error.contains("an element of a list is used outside its `each`"), "{error}");
}

#[test]
fn a_limit_on_the_length_fails_the_list_with_the_count() {
    let dag = Dag::build("limited", || list(count_to(5).each(square).limit(4))).unwrap();
    on_both_drivers(&dag, |report| {
        assert_eq!(report.state(), RunState::Failed);
        let failure = report.task("count_to.each").unwrap().failure().unwrap();
        assert_eq!(failure.to_string(), "the list has 5 elements, and its `each` takes at most 4");
        assert!(report.task("square[0]").is_none());
    });
    let dag = Dag::build("limited", || list(count_to(4).each(square).limit(4))).unwrap();
    on_both_drivers(&dag, |report| assert_eq!(report.state(), RunState::Success));
}

#[test]
fn a_mapping_limits_its_concurrent_tasks() {
    static RUNNING: AtomicU32 = AtomicU32::new(0);
    static MOST: AtomicU32 = AtomicU32::new(0);
    #[task]
    async fn slow(n: u32) -> u32 {
        MOST.fetch_max(RUNNING.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        RUNNING.fetch_sub(1, Ordering::SeqCst);
        n
    }
    let dag = Dag::build("three", || list(count_to(30).each(|n| slow(slow(n))).concurrency(3))).unwrap();
    assert_eq!(live(dag.run()).result().map(Vec::len), Some(30));
    assert_eq!(MOST.load(Ordering::SeqCst), 3);
}

#[test]
fn a_mapping_limit_of_zero_is_a_mistake() {
    let error = Dag::build("none", || list(count_to(3).each(square).concurrency(0))).unwrap_err().to_string();
    assert!(error.contains("`.concurrency(0)` (at tests/flow/each.rs:"), "{error}");
}

#[test]
fn lists_of_different_lengths_cannot_be_zipped() {
    let dag = Dag::build("zipped", || {
        let pairs = count_to(3).zip(count_to(4));
        list(pairs.each(|pair| square(pair.map(|pair| pair.0 + pair.1))))
    });
    on_both_drivers(&dag.unwrap(), |report| {
        let failure = report.task("count_to.zip").unwrap().failure().unwrap();
        let expected = "lists of different lengths cannot be zipped: one has 3 elements and 4 has the other";
        assert_eq!(failure.to_string(), expected);
    });
}

#[test]
fn branches_and_lists_can_be_nested() {
    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    enum Size {
        Small(u32),
        Large { rows: Vec<u32> },
    }
    #[task]
    fn size(n: u32) -> Size {
        if n < 2 { Size::Small(n) } else { Size::Large { rows: (0..n).collect() } }
    }
    let dag = Dag::build("nested", || {
        let chosen = count_to(4).each(|n| {
            branch!(size(n) => {
                Size::Small(n) => square(n),
                Size::Large { rows } => sum(rows.each(|row| add(row, n))),
            })
        });
        list(chosen)
    });
    on_both_drivers(&dag.unwrap(), |report| {
        // 0, 1, then 0 + 1 + 2 * 2 and 0 + 1 + 2 + 3 * 3
        assert_eq!(report.result(), Some(&vec![0, 1, 5, 12]));
        assert_eq!(report.task("square[2]").unwrap().state(), TaskState::Skipped);
        assert!(report.task("add[3][2]").is_some() && report.task("add[1][0]").is_none());
    });
    let gated = Dag::build("gated", || {
        let some = when(count_to(3).map(|list| list.len() > 5), || sum(count_to(3).each(|_| square(3))));
        some.otherwise(|| sum(count_to(2).each(|n| add(n, square(4)))))
    });
    on_both_drivers(&gated.unwrap(), |report| assert_eq!(report.result(), Some(&33)));
}

#[test]
fn the_result_of_a_dag_cannot_be_one_element() {
    let error = Dag::build("inside", || {
        let mut inside = None;
        let _ = count_to(3).each(|n| *inside.insert(square(n)));
        inside.unwrap()
    });
    assert!(error.unwrap_err().to_string().contains("`square` is inside an `each` and is used outside"));
}

mod any_lists {
    use proptest::prelude::*;
    use taskflow::engine::RunReport;
    use taskflow::journal::Journal;
    use taskflow::prelude::*;

    use super::common::{self, live, reference};

    #[task]
    fn given(lists: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        lists
    }

    /// 7 skips itself, 8 fails, 9 succeeds at its second attempt.
    #[task(retries = 1, retry_delay = "0s")]
    fn judge(n: u8, ctx: &TaskContext) -> Result<u8> {
        match n {
            7 => Err(ctx.skip("seven"))?,
            8 => Err(ctx.fail("eight"))?,
            9 if ctx.attempt() == 1 => Err("not yet")?,
            n => Ok(n),
        }
    }

    #[task]
    fn strict(values: &[u8]) -> usize {
        values.len()
    }

    #[task]
    fn told(values: Vec<Result<u8, Failure>>) -> String {
        let told =
            |value: Result<u8, Failure>| value.map_or_else(|failure| failure.kind().to_owned(), |n| n.to_string());
        values.into_iter().map(told).collect::<Vec<_>>().join(",")
    }

    #[task]
    fn both(told: &str, strict: Result<usize, Failure>) -> String {
        format!("{told}: {}", strict.map_or_else(|failure| failure.kind().to_owned(), |n| n.to_string()))
    }

    #[task]
    fn lines(values: &[String]) -> String {
        values.join("\n")
    }

    /// The expected result, computed without a graph.
    fn expected(lists: &[Vec<u8>]) -> String {
        let line = |list: &Vec<u8>| {
            let told = list.iter().map(|n| match n {
                7 => "skipped".to_owned(),
                8 => "error".to_owned(),
                n => n.to_string(),
            });
            let strict = match () {
                () if list.contains(&8) => "upstream_failed".to_owned(),
                () if list.contains(&7) => "skipped".to_owned(),
                () => list.len().to_string(),
            };
            format!("{}: {strict}", told.collect::<Vec<_>>().join(","))
        };
        lists.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn dag(lists: Vec<Vec<u8>>) -> Dag<String> {
        let dag = Dag::build("any_lists", move || {
            let told = given(lists).each(|list| {
                let judged = list.each(judge);
                both(told(judged), strict(judged))
            });
            lines(told)
        });
        dag.expect("the graph is sound")
    }

    fn states<T: taskflow::Value>(report: &RunReport<T>) -> Vec<(String, String, u32)> {
        let state =
            |task: taskflow::TaskReport<'_>| (task.id().into_owned(), task.state().to_string(), task.attempt_count());
        let mut states: Vec<_> = report.tasks().map(state).collect();
        states.sort();
        states
    }

    proptest! {
        #![proptest_config(common::cases(64))]

        #[test]
        fn end_the_same_on_both_drivers_and_in_the_journal(
            lists in prop::collection::vec(prop::collection::vec(0u8..10, 0..6), 0..6),
        ) {
            let wanted = expected(&lists);
            let dag = dag(lists);
            let of_reference = reference(dag.run());
            prop_assert_eq!(of_reference.result(), Some(&wanted));
            let journal = Journal::in_memory().unwrap();
            let of_live = live(dag.run().journal(&journal));
            prop_assert_eq!(of_live.result(), Some(&wanted));
            prop_assert_eq!(states(&of_live), states(&of_reference));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let history = runtime.block_on(journal.history("last")).unwrap();
            let mut of_history: Vec<_> = history
                .tasks
                .iter()
                .map(|task| (task.id.to_string(), task.state.to_string(), task.attempts.len() as u32))
                .collect();
            of_history.sort();
            prop_assert_eq!(of_history, states(&of_reference));
        }
    }
}

#[test]
fn a_list_that_arrives_after_a_cancellation_has_no_elements() {
    static GATE: common::Gate = common::Gate::new();
    let dag = Dag::build("cancelled", || {
        let held = count_to(3).map(|list| {
            GATE.pass();
            list.clone()
        });
        list(held.each(square))
    });
    let handle = dag.unwrap().run().start().unwrap();
    let control = handle.control();
    common::eventually("the list is being made", || control.running().iter().any(|task| task.id == "count_to.each"));
    control.cancel("enough");
    GATE.open();
    let report = common::finish(handle);
    assert_eq!(report.state(), RunState::Cancelled);
    assert_eq!(states(&report), ["count_to success", "count_to.each cancelled", "list cancelled"]);
}
