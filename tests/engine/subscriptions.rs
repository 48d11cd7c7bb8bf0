//! Subscribing to a live run: a view of its present state, then every later event exactly once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskflow::engine::{Event, Lagged, RunState, Subscription, TaskState};
use taskflow::prelude::*;
use taskflow_tests::common::{Gate, live, locked, states};

/// The events that are left, until the run is over.
fn rest(subscription: &mut Subscription) -> Vec<Event> {
    std::iter::from_fn(|| subscription.next_blocking().expect("the queue is large enough")).collect()
}

fn end_of(task: u32, event: &Event) -> bool {
    matches!(event, Event::Task { task: number, to, .. } if number.as_u32() == task && to.is_terminal())
}

#[test]
fn a_subscription_during_a_run_has_a_view_and_every_later_event() {
    static STARTED: Gate = Gate::new();
    static RELEASE: Gate = Gate::new();
    #[task]
    fn first() -> u32 {
        1
    }
    #[task]
    fn holds(n: u32) -> u32 {
        STARTED.open();
        RELEASE.pass();
        n
    }
    #[task]
    fn last(n: u32) -> u32 {
        n
    }
    let dag = Dag::build("subscribed", || last(holds(first()))).expect("the graph is sound");
    let all = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&all);
    let handle = dag.run().observe(move |event: &Event| locked(&seen).push(event.clone())).start();
    let handle = handle.expect("the graph is sound");
    STARTED.pass();
    let subscribe = || handle.control().subscribe(100).expect("there are threads").expect("the run is live");
    let (mut one, mut other) = (subscribe(), subscribe());
    let view = one.view();
    assert_eq!(view.state, RunState::Running);
    let states: Vec<_> = view.tasks.iter().map(|task| (&*task.id, task.state, task.attempt)).collect();
    assert_eq!(
        states,
        [("first", TaskState::Success, 1), ("holds", TaskState::Running, 1), ("last", TaskState::None, 0)]
    );
    assert_eq!(view.entry, 0, "the run has no journal");
    RELEASE.open();
    let control = handle.control();
    let report = handle.wait();
    let (events, others) = (rest(&mut one), rest(&mut other));
    assert_eq!(events, others);
    let all = locked(&all);
    let after = all.iter().position(|event| end_of(1, event)).expect("the task ended");
    assert_eq!(events, all[after..], "nothing is missed and nothing comes twice");
    assert!(matches!(events.last(), Some(Event::Run { to: RunState::Success, .. })));
    assert!(control.view().is_none());
    assert!(control.subscribe(1).expect("no thread is needed").is_none());
    let view = report.view();
    assert_eq!(view.state, RunState::Success);
    assert!(view.tasks.iter().all(|task| task.state == TaskState::Success && task.ended.is_some()));
}

#[test]
fn several_observers_see_the_same_events() {
    #[task]
    fn one() -> u32 {
        1
    }
    let seen: Vec<Arc<Mutex<Vec<Event>>>> = (0..3).map(|_| Arc::default()).collect();
    let dag = Dag::build("observed", || one()).expect("the graph is sound");
    let mut request = dag.run();
    for seen in &seen {
        let seen = Arc::clone(seen);
        request = request.observe(move |event: &Event| {
            // The report waits for the slowest.
            std::thread::sleep(Duration::from_millis(2));
            locked(&seen).push(event.clone());
        });
    }
    let request = request.observe(|_: &Event| panic!("this observer panicked"));
    assert_eq!(states(&live(request)), "one=success");
    assert_eq!(locked(&seen[0]).len(), 4);
    assert_eq!(*locked(&seen[0]), *locked(&seen[1]));
    assert_eq!(*locked(&seen[0]), *locked(&seen[2]));
}

#[test]
fn a_subscriber_that_does_not_read_is_closed_and_delays_nothing() {
    static STARTED: Gate = Gate::new();
    static RELEASE: Gate = Gate::new();
    #[task]
    fn holds() -> u32 {
        STARTED.open();
        RELEASE.pass();
        1
    }
    #[task]
    fn counts(n: u32) -> u32 {
        n
    }
    let dag = Dag::build("lagging", || {
        let held = holds();
        for _ in 0..20 {
            let _ = counts(held);
        }
        held
    });
    let handle = dag.expect("the graph is sound").run().start().expect("the graph is sound");
    STARTED.pass();
    let mut slow = handle.control().subscribe(3).expect("there are threads").expect("the run is live");
    let mut fast = handle.control().subscribe(1000).expect("there are threads").expect("the run is live");
    RELEASE.open();
    assert!(handle.wait().is_success());
    assert_eq!(rest(&mut fast).len(), 1 + 3 * 20 + 1);
    for _ in 0..3 {
        assert!(slow.next_blocking().expect("these were sent before the queue was full").is_some());
    }
    assert_eq!(slow.next_blocking(), Err(Lagged));
    assert_eq!(slow.next_blocking(), Err(Lagged));
}

#[test]
fn dropping_a_subscription_ends_it_and_a_later_one_sees_what_follows() {
    static STARTED: Gate = Gate::new();
    static NEXT: Gate = Gate::new();
    static AGAIN: Gate = Gate::new();
    static RELEASE: Gate = Gate::new();
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    #[task]
    fn first() -> u32 {
        STARTED.open();
        NEXT.pass();
        1
    }
    #[task]
    fn second(n: u32) -> u32 {
        CALLS.fetch_add(1, Ordering::SeqCst);
        AGAIN.open();
        RELEASE.pass();
        n
    }
    let dag = Dag::build("unsubscribed", || second(first())).expect("the graph is sound");
    let handle = dag.run().start().expect("the graph is sound");
    STARTED.pass();
    drop(handle.control().subscribe(1).expect("there are threads").expect("the run is live"));
    NEXT.open();
    AGAIN.pass();
    let mut later = handle.control().subscribe(10).expect("there are threads").expect("the run is live");
    assert_eq!(later.view().tasks[1].state, TaskState::Running);
    RELEASE.open();
    assert!(handle.wait().is_success());
    assert_eq!(rest(&mut later).len(), 2);
    assert_eq!(CALLS.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_async_reader_is_woken_by_events() {
    static STARTED: Gate = Gate::new();
    static RELEASE: Gate = Gate::new();
    #[task]
    async fn waits() -> u32 {
        STARTED.open();
        RELEASE.pass_async().await;
        1
    }
    let dag = Dag::build("awaited", || waits()).expect("the graph is sound");
    let handle = dag.run().start().expect("the graph is sound");
    STARTED.pass_async().await;
    let mut events = handle.control().subscribe(10).expect("there are threads").expect("the run is live");
    let reader = tokio::spawn(async move {
        let mut count = 0;
        while events.next().await.expect("the queue is large enough").is_some() {
            count += 1;
        }
        count
    });
    RELEASE.open();
    assert!(handle.await.is_success());
    assert_eq!(reader.await.expect("it does not panic"), 2);
}
