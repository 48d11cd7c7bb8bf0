//! What simulated runs emit.

use std::time::Duration;

use taskflow::asset::{Day, Hour, Month};
use taskflow::prelude::*;
use taskflow::testing::Test;

taskflow::asset! {
    COUNTS: Asset<u64> = "counts";
    DAILY: Asset<u64, Day> = "daily";
    HOURLY: Asset<u64, Hour> = "hourly";
    MONTHLY: Asset<u64, Month> = "monthly";
    REGIONS: Asset<String, String> = "regions";
}

#[task(retries = 1, retry_delay = "1m")]
fn second_time(ctx: &TaskContext) -> Result<u64> {
    ctx.emit(&COUNTS, u64::from(ctx.attempt()))?;
    if ctx.attempt() == 1 { Err("not yet")? } else { Ok(2) }
}

#[task]
fn skips(ctx: &TaskContext) -> Result<u64> {
    ctx.emit(&COUNTS, 10)?;
    Err(ctx.skip("nothing to do"))?
}

#[task]
fn fails(ctx: &TaskContext) -> Result<u64> {
    ctx.emit(&COUNTS, 20)?;
    Err("no")?
}

#[task(timeout = "1m")]
async fn is_late(ctx: &TaskContext) -> Result<u64> {
    ctx.emit(&COUNTS, 30)?;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    Ok(30)
}

/// Emits in each call, and waits in the first.
#[task(deferrable)]
fn waits(ctx: &TaskContext) -> Result<u64> {
    ctx.emit(&COUNTS, 40)?;
    ctx.defer_until(ctx.logical_date() + Duration::from_secs(60))?;
    ctx.emit(&COUNTS, 41)?;
    Ok(41)
}

#[dag]
fn attempts() {
    second_time();
    skips();
    fails();
    is_late();
    waits();
}

/// Case 65.
#[test]
fn an_attempt_that_does_not_succeed_emits_nothing() {
    for test in [Test::new(attempts {}), Test::new(attempts {}).stored()] {
        let outcome = test.run();
        let mut emitted = outcome.emitted(&COUNTS);
        emitted.sort_unstable();
        assert_eq!(emitted, [2, 40, 41]);
        let events = outcome.events();
        let first = events.iter().find(|event| event.task == "second_time").expect("it has emitted");
        assert_eq!((&*first.asset, &first.payload), ("counts", &serde_json::json!(2)));
    }
}

#[task(produces = DAILY)]
fn daily() -> u64 {
    1
}

#[task(produces = HOURLY)]
async fn hourly() -> Result<u64> {
    Ok(2)
}

#[task(produces = MONTHLY)]
fn monthly(ctx: &TaskContext) -> Result<u64> {
    ctx.emit_partition(&REGIONS, "eu", "Europe".to_owned())?;
    ctx.emit_partition_once(&REGIONS, "us", "key", "America".to_owned())?;
    Ok(3)
}

#[dag(schedule = "0 6 * * *", timezone = "Asia/Seoul")]
fn partitions() {
    daily();
    hourly();
    monthly();
}

#[test]
fn the_partition_follows_from_the_run() {
    let outcome = Test::new(partitions {}).logical_date("2026-01-31T21:00:00Z".parse().unwrap()).run();
    outcome.assert_success();
    let mut events: Vec<(&str, Option<&str>, Option<&str>)> = outcome
        .events()
        .iter()
        .map(|event| (&*event.asset, event.partition.as_deref(), event.key.as_deref()))
        .collect();
    events.sort_unstable();
    let expected = [
        ("daily", Some("2026-02-01"), None),
        ("hourly", Some("2026-01-31T21Z"), None),
        ("monthly", Some("2026-02"), None),
        ("regions", Some("eu"), None),
        ("regions", Some("us"), Some("key")),
    ];
    assert_eq!(events, expected);
    assert_eq!(outcome.emitted(&REGIONS), ["Europe", "America"]);
}

#[task]
fn numbers() -> Vec<u64> {
    vec![1, 1, 2, 2, 1]
}

#[task(produces = COUNTS, on_change)]
fn changed(number: u64) -> u64 {
    number
}

#[task]
fn once(number: u64, ctx: &TaskContext) -> Result<()> {
    ctx.emit_once(&COUNTS, &format!("number {number}"), number + 100)?;
    Ok(())
}

#[dag]
fn equal_values() {
    let all = numbers();
    let _ = all.each(|number| changed(number));
    let _ = all.each(|number| once(number));
}

/// Case 74: a value that equals that of the last event is no event. And case 73, within a run.
#[test]
fn an_unchanged_value_is_no_event() {
    let outcome = Test::new(equal_values {}).workers(1).stored().run();
    outcome.assert_success();
    let of = |task: &str| -> Vec<u64> {
        let events = outcome.events().iter().filter(|event| event.task.starts_with(task));
        events.filter_map(|event| event.payload.as_u64()).collect()
    };
    assert_eq!(of("once"), [101, 102]);
    assert_eq!(of("changed"), [1, 2, 1]);
}

/// Case 65, with a crash of the process at every point: exactly one event of each success.
#[test]
fn every_success_emits_once_despite_crashes() {
    for entries in 1..40 {
        let outcome = Test::new(attempts {}).crash_after(entries).run();
        let mut emitted = outcome.emitted(&COUNTS);
        emitted.sort_unstable();
        // An attempt that a crash has ended may have been the first.
        assert!(matches!(emitted[..], [1..=3, 40, 41]), "{entries}: {emitted:?}");
    }
}
