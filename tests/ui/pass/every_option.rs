//! Every option once, at each place it may stand.
use std::time::Duration;

use taskflow::notify::{Notification, CallbackKind, log_line};
use taskflow::prelude::*;
use taskflow::schedule::{Catchup, Combine, Crons, First, Overlap, Shift};

fn tell(notification: &Notification) -> Result<()> {
    println!("{notification}");
    Ok(())
}

#[task(
    id = "the.first-task_1",
    retries = 5,
    retry_delay = "1m 30s",
    backoff = "exponential",
    max_retry_delay = "2h",
    timeout = "1.5h",
    blocking,
    pool = "warehouse",
    pool_slots = 3,
    priority = -7,
    trigger_rule = "all_done",
    tags = ["a", "b"],
    connections = ["warehouse", "mail"],
    secrets = ["api_key"],
    doc = "What it does.",
    on_success = tell,
    on_failure = log_line(),
    on_retry = |notification| println!("{}", notification.key),
    on_skip = |_| -> Result<(), String> { Err("nobody is there".to_owned()) },
    crate = taskflow,
)]
fn all() {}

#[task(backoff = 3, retry_delay = "250ms", blocking = false)]
fn some() {}

#[task(backoff = "constant", timeout = "1w")]
fn few() {}

#[task()]
fn none() {}

taskflow::pool!("warehouse", slots = 8);

#[dag(
    schedule = "*/15 6-18 * * MON-FRI",
    timezone = "America/New_York",
    except = [Date::new(2026, 12, 25).unwrap()],
    shift = "previous_day",
    start = "2026-01-01",
    end = "2026-12-31T23:59:59-05:00",
    first = "last",
    catchup = true,
    catchup_window = "3d",
    overlap = "skip",
    after_previous,
    spread = "10m",
    paused,
    pause_after_failures = 3,
    max_active_runs = 1,
    priority = -10,
    weight = 3,
    max_active_tasks = 16,
    timeout = "1d",
    fail_fast,
    retries = 1,
    retry_delay = "5m",
    deadline = "2h 30m after logical_date",
    on_success = tell,
    on_failure = tell,
    on_retry = tell,
    on_deadline_missed = tell,
    on_cancel = tell,
    tags = ["x"],
    default(
        retries = 2,
        retry_delay = "10s",
        backoff = 2.5,
        max_retry_delay = "5m",
        timeout = "30m",
        pool = "warehouse",
        pool_slots = 1,
        priority = 4,
        on_failure = tell,
        tags = ["y"],
        connections = ["warehouse"],
        secrets = ["token"],
    ),
    crate = ::taskflow,
)]
fn everything() {
    some() >> few() >> none() >> all()
}

#[dag(schedule = Crons::new([]), except = holidays())]
fn own() {
    none()
}

#[task]
fn count(rows: &Events<u32>) -> usize {
    rows.len()
}

#[dag]
fn rows() -> u32 {
    one()
}

#[task]
fn one() -> u32 {
    1
}

#[dag(schedule = "@daily", wait = "3h", events = "and")]
fn after_events(#[event(rows)] rows: Events<u32>) -> usize {
    count(rows)
}

fn holidays() -> Vec<Date> {
    Vec::new()
}

fn main() {
    let options = all::def().options;
    assert_eq!(all::def().id, "the.first-task_1");
    assert_eq!(all::def().doc, "What it does.");
    assert_eq!(all::def().kind.name(), "blocking");
    assert_eq!(options.retries, Some(5));
    assert_eq!(options.retry_delay, Some(Duration::from_secs(90)));
    assert_eq!(options.backoff, Some(Backoff::Exponential { factor: 2.0 }));
    assert_eq!(options.max_retry_delay, Some(Duration::from_secs(7200)));
    assert_eq!(options.timeout, Some(Duration::from_secs(5400)));
    assert_eq!(options.pool, Some("warehouse"));
    assert_eq!(options.pool_slots, Some(3));
    assert_eq!(options.priority, Some(-7));
    assert_eq!(options.trigger_rule, Some(TriggerRule::AllDone));
    assert_eq!(options.tags, ["a", "b"]);
    assert_eq!((options.connections, options.secrets), (&["warehouse", "mail"][..], &["api_key"][..]));
    let callbacks = options.callbacks;
    let of_runs = [CallbackKind::DeadlineMissed, CallbackKind::Cancel];
    assert!(CallbackKind::ALL.iter().all(|it| callbacks.on(*it).is_some() != of_runs.contains(it)));
    assert_eq!(some::def().options.backoff, Some(Backoff::Exponential { factor: 3.0 }));
    assert_eq!(some::def().kind.name(), "sync");
    assert_eq!(few::def().options.backoff, Some(Backoff::Constant));
    assert_eq!(none::def().options, taskflow::TaskOptions::NONE);

    let options = everything::def().options;
    assert_eq!(options.schedule, Some("*/15 6-18 * * MON-FRI".into()));
    assert_eq!(options.except.map(|days| days.source()), Some("[Date::new(2026, 12, 25).unwrap()]"));
    assert_eq!((options.shift, options.pause_after_failures), (Some(Shift::PreviousDay), Some(3)));
    assert_eq!(options.timezone, Some("America/New_York"));
    assert_eq!(options.start, Some("2026-01-01"));
    assert_eq!(options.end, Some("2026-12-31T23:59:59-05:00"));
    assert!(options.paused);
    let schedule = options.schedule("everything").unwrap().unwrap();
    assert_eq!((schedule.first, schedule.catchup, schedule.overlap), (First::Last, Catchup::All, Overlap::Skip));
    assert_eq!(schedule.catchup_window, Duration::from_secs(3 * 86_400));
    assert_eq!((schedule.after_previous, schedule.max_active_runs), (true, 1));
    assert!(schedule.offset > Duration::ZERO && schedule.offset < Duration::from_secs(600));
    assert_eq!((options.catchup, options.fail_fast), (Some(Catchup::All), true));
    assert_eq!((options.max_active_runs, options.max_active_tasks), (Some(1), Some(16)));
    assert_eq!((options.priority, options.weight), (Some(-10), Some(3)));
    assert_eq!(options.timeout, Some(Duration::from_secs(86_400)));
    assert_eq!((options.retries, options.retry_delay), (Some(1), Some(Duration::from_secs(300))));
    let deadline = options.deadline.unwrap();
    assert_eq!(deadline.after, Duration::from_secs(9000));
    assert_eq!(deadline.reference, taskflow::notify::DeadlineReference::LogicalDate);
    assert!(options.callbacks.on_deadline_missed.is_some() && options.callbacks.on_cancel.is_some());
    assert!( options.callbacks.on_skip.is_none());
    assert_eq!(options.tags, ["x"]);
    assert_eq!(options.task_defaults.retries, Some(2));
    assert_eq!(options.task_defaults.backoff, Some(Backoff::Exponential { factor: 2.5 }));
    assert_eq!(options.task_defaults.tags, ["y"]);
    everything::def().plan().unwrap();
    let options = after_events::def().options;
    assert_eq!((options.wait, options.events), (Some(Duration::from_secs(3 * 3600)), Some(Combine::And)));
    assert!(after_events::def().consumer().unwrap().is_some());
    after_events::def().plan().unwrap();
    assert_eq!(own::def().options.schedule.unwrap().text(), "Crons::new([])");
    assert_eq!(own::def().options.schedule("own").unwrap().unwrap().start, None);
}
