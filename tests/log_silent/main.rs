//! Attempts without a subscriber. A program of its own: in one where some test subscribes, the
//! place of the span is switched on for all of them.

#[test]
fn without_a_subscriber_there_is_no_span() {
    assert!(taskflow_tests::private::attempt_span("run", "dag", "task", 1).is_disabled());
}
