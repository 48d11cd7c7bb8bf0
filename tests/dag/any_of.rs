//! `AnyOf`: the first success of several upstreams.
#![allow(clippy::needless_pass_by_value, reason = "how tasks take their inputs is what is tested here")]

use taskflow::prelude::*;
use taskflow_tests::common::{Gate, live, on_both_drivers, reference, states};

use crate::edges::{assert_ends, number, upstream};

#[task]
pub(crate) fn first(number: AnyOf<u32>) -> String {
    format!("{} from {}", *number, number.index())
}

#[test]
fn any_of_requires_one_success() {
    let expected = [
        "success 7 from 0",
        "upstream_failed -",
        "upstream_failed -",
        "upstream_failed -",
        "upstream_failed -",
        "upstream_failed -",
    ];
    assert_ends(|end| first([upstream(end), number("failed")]), expected);

    let expected =
        ["success 7 from 1", "upstream_failed -", "upstream_failed -", "skipped -", "upstream_failed -", "skipped -"];
    assert_ends(|end| first(vec![number("skipped"), upstream(end)]), expected);
}

#[test]
fn any_of_reports_which_upstream_succeeded() {
    for winner in 0..4 {
        let dag = Dag::build("index", || {
            let ends = (0..4).map(|index| match index {
                index if index == winner => "success",
                1 => "skipped",
                2 => "panicked",
                _ => "failed",
            });
            first(ends.map(number).collect::<Vec<_>>())
        });
        on_both_drivers(&dag.expect("the graph is sound"), |report| {
            assert_eq!(report.result(), Some(&format!("7 from {winner}")));
        });
    }
}

#[test]
fn any_of_does_not_wait_for_the_rest() {
    static FIRST_RAN: Gate = Gate::new();
    #[task(blocking)]
    fn slow() -> u32 {
        FIRST_RAN.pass();
        1
    }
    #[task]
    fn quick() -> u32 {
        2
    }
    #[task]
    fn takes_the_first(number: AnyOf<u32>) -> (u32, usize) {
        FIRST_RAN.open();
        let index = number.index();
        (number.into_inner(), index)
    }
    let dag = Dag::build("race", || takes_the_first([slow(), quick()])).expect("the graph is sound");
    let report = live(dag.run());
    assert_eq!(report.result(), Some(&(2, 1)));
    assert_eq!(states(&report), "slow=success quick=success takes_the_first=success");
}

/// What comes later must not take the place of what came first, however long the task waits for
/// something else.
#[test]
fn any_of_keeps_the_first_success() {
    #[task]
    fn is(number: u32) -> u32 {
        number
    }
    #[task]
    fn first_and_gate(number: AnyOf<u32>, other: AnyOf<u32>, _gate: ()) -> (u32, usize, u32, usize) {
        (*number, number.index(), *other, other.index())
    }
    #[task]
    fn gate() {}

    let dag = Dag::build("late", || {
        let (early, late, last) = (is(10).id("early"), is(20).id("late"), is(30).id("last"));
        chain((early, late, last));
        // In the second list only the later two take part, so its first is another.
        first_and_gate([last, late, early], [last, late], gate().after(last))
    });
    on_both_drivers(&dag.expect("the graph is sound"), |report| {
        assert_eq!(report.result(), Some(&(10, 2, 20, 1)));
    });
    // In the other order, the second one got what had decided the first.
    let dag = Dag::build("late", || {
        let (early, late, last) = (is(10).id("early"), is(20).id("late"), is(30).id("last"));
        chain((early, late, last));
        first_and_gate([last, late], [last, late, early], gate().after(last))
    });
    on_both_drivers(&dag.expect("the graph is sound"), |report| {
        assert_eq!(report.result(), Some(&(20, 1, 10, 2)));
    });
}

/// The elements of a list got what came later, if it lay before the first in the list.
#[test]
fn any_of_keeps_the_first_success_for_the_elements_of_a_list() {
    #[task]
    fn is(number: u32) -> u32 {
        number
    }
    #[task]
    fn names(count: u32) -> Vec<u32> {
        (0..count).collect()
    }
    #[task]
    fn pick(number: AnyOf<u32>, _of: u32) -> usize {
        number.index()
    }
    let dag = Dag::build("elements", || {
        let (early, late) = (is(10).id("early"), is(20).id("late"));
        chain((early, late));
        let list = names(2);
        list.after(late);
        list.each(|name| pick([late, early], name)).collect()
    });
    on_both_drivers(&dag.expect("the graph is sound"), |report| assert_eq!(report.result(), Some(&vec![1, 1])));
}

#[test]
fn any_of_has_the_same_value_in_a_retry() {
    #[task]
    fn is(number: u32) -> u32 {
        number
    }
    #[task(retries = 2, retry_delay = "1h")]
    fn third_time(number: AnyOf<u32>, ctx: &TaskContext) -> Result<(u32, usize)> {
        if ctx.attempt() < 3 { Err("not yet")? } else { Ok((*number, number.index())) }
    }
    let dag = Dag::build("again", || {
        let (early, late) = (is(1), is(2));
        early.before(late);
        third_time([late, early])
    });
    let report = reference(dag.expect("the graph is sound").run());
    assert_eq!(report.result(), Some(&(1, 1)));
}

#[test]
fn any_of_a_repeated_upstream_reports_its_first_position() {
    let dag = Dag::build("twice", || {
        let up = number("success");
        first([number("failed"), up, up])
    });
    on_both_drivers(&dag.expect("the graph is sound"), |report| {
        assert_eq!(report.result().map(String::as_str), Some("7 from 1"));
    });
}

/// An `AnyOf` without upstreams could never be fed, so the graph is rejected.
#[test]
fn any_of_an_empty_list_is_a_mistake() {
    let error = Dag::build("nothing", || first(Vec::<Output<u32>>::new()))
        .map(|dag| format!("it was accepted, and ran: {:?}", reference(dag.run())))
        .expect_err("the list is empty");
    assert!(error.to_string().contains("first"), "{error}");
}
