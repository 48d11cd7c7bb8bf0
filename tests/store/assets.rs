//! Results of runs as events, and events over several runs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};
use taskflow::ErrorKind;
use taskflow::journal::{Journal, Note, Prune, TaskFilter};
use taskflow::ops::{self, EventQuery, OpsError};
use taskflow::prelude::*;

taskflow::asset! {
    LEVELS: Asset<u64> = "store/levels";
    GAUGES: Asset<u64> = "store/gauges";
}

#[task(produces = LEVELS, on_change)]
fn measure(level: u64) -> u64 {
    level
}

#[dag]
fn levels(level: u64) -> u64 {
    measure(level)
}

static GAUGE: AtomicU64 = AtomicU64::new(7);

#[task(produces = GAUGES, on_change)]
fn read_gauge() -> u64 {
    GAUGE.load(Ordering::SeqCst)
}

#[dag]
fn gauges() -> u64 {
    read_gauge()
}

#[task]
fn pair(level: u64) -> (u64, Vec<u64>) {
    (level, vec![level; 3])
}

/// The result is a part of a value.
#[dag]
fn projected(level: u64) -> Vec<u64> {
    pair(level).unzip().1
}

/// The result is a parameter.
#[dag]
fn passed_on(level: u64) -> u64 {
    let _ = measure(3_u64);
    level
}

#[task]
fn skips(ctx: &TaskContext) -> Result<u64> {
    Err(ctx.skip("nothing"))?
}

#[dag]
fn skipped() -> u64 {
    skips()
}

#[task]
fn fails() -> Result<u64> {
    Err("no")?
}

#[dag]
fn failed(level: u64) -> u64 {
    let _ = fails();
    measure(level)
}

static IS_OPEN: AtomicBool = AtomicBool::new(false);

#[task]
fn gate() -> Result<u64> {
    if IS_OPEN.load(Ordering::SeqCst) { Ok(1) } else { Err("closed")? }
}

#[dag]
fn repaired(level: u64) -> Vec<u64> {
    let _ = gate();
    pair(level).unzip().1
}

#[task]
fn large(size: usize) -> Vec<u64> {
    (0..size as u64).map(|number| number * 1_000_000).collect()
}

#[dag]
fn large_result(size: usize) -> Vec<u64> {
    large(size)
}

/// The payloads of the events of an asset, oldest first.
async fn payloads(journal: &Journal, asset: &str) -> Vec<Value> {
    let mut query = EventQuery::default();
    query.asset = Some(asset.to_owned());
    let mut events = ops::events(journal, &query).await.expect("the store can be read");
    events.reverse();
    events.into_iter().map(|event| event.payload.unwrap_or_default()).collect()
}

#[tokio::test]
async fn the_result_of_a_dag_is_an_event() {
    let journal = Journal::in_memory().unwrap();
    levels::run(1).journal(&journal).await.unwrap();
    projected::run(2).journal(&journal).await.unwrap();
    passed_on::run(3).journal(&journal).await.unwrap();
    skipped::run().journal(&journal).await.unwrap();
    failed::run(5).journal(&journal).await.unwrap();
    assert_eq!(payloads(&journal, "dag:levels").await, [json!(1)]);
    assert_eq!(payloads(&journal, "dag:projected").await, [json!([2, 2, 2])]);
    assert_eq!(payloads(&journal, "dag:passed_on").await, [json!(3)]);
    // No result, and no success.
    assert_eq!(payloads(&journal, "dag:skipped").await, [json!(null); 0]);
    assert_eq!(payloads(&journal, "dag:failed").await, [json!(null); 0]);
}

/// The task of the result has succeeded in an earlier process of the run.
#[tokio::test]
async fn a_run_that_is_repaired_emits_its_result() {
    let journal = Journal::in_memory().unwrap();
    let report = repaired::run(7).journal(&journal).await.unwrap();
    let run = &report.run().run_id;
    assert_eq!(payloads(&journal, "dag:repaired").await.len(), 0);
    IS_OPEN.store(true, Ordering::SeqCst);
    journal.clear(run, &TaskFilter::tasks(["gate"]), &Note::default()).await.unwrap();
    let again = journal.resume(run).await.unwrap().await.unwrap();
    assert!(again.is_success());
    assert_eq!(payloads(&journal, "dag:repaired").await, [json!([7, 7, 7])]);
}

/// Case 74: a cleared task emits if its value is another one.
#[tokio::test]
async fn a_cleared_task_whose_value_has_changed_emits() {
    let journal = Journal::in_memory().unwrap();
    let report = gauges::run().journal(&journal).await.unwrap();
    let run = &report.run().run_id;
    let emitted = async |gauge: u64| {
        GAUGE.store(gauge, Ordering::SeqCst);
        journal.clear(run, &TaskFilter::tasks(["read_gauge"]), &Note::default()).await.unwrap();
        assert!(journal.resume(run).await.unwrap().await.unwrap().is_success());
        payloads(&journal, "store/gauges").await
    };
    assert_eq!(emitted(7).await, [json!(7)], "equal");
    assert_eq!(emitted(8).await, [json!(7), json!(8)], "different");
    assert_eq!(emitted(8).await, [json!(7), json!(8)], "equal to the last one");
}

/// Case 74: cleared and equal is no event; another value is one.
#[tokio::test]
async fn a_value_that_did_not_change_is_no_event_of_a_later_run() {
    let journal = Journal::in_memory().unwrap();
    for level in [1, 1, 2, 2, 1] {
        levels::run(level).journal(&journal).await.unwrap();
    }
    assert_eq!(payloads(&journal, "store/levels").await, [json!(1), json!(2), json!(1)]);
    let run = journal.find("last").await.unwrap().info.run_id;
    journal.clear(&run, &TaskFilter::tasks(["measure"]), &Note::default()).await.unwrap();
    let again = journal.resume(&run).await.unwrap().await.unwrap();
    assert!(again.is_success());
    assert_eq!(payloads(&journal, "store/levels").await.len(), 3);
    // The run has ended once more.
    assert_eq!(payloads(&journal, "dag:levels").await.len(), 6);
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_large_result_stays_with_its_run() {
    let home = tempfile::tempdir().unwrap();
    let journal = Journal::open(home.path()).await.unwrap();
    let report = large_result::run(100_000).journal(&journal).await.unwrap();
    assert!(report.is_success());
    let event = ops::event(&journal, 1).await.unwrap();
    assert_eq!(event.asset, "dag:large_result");
    assert_eq!(event.payload.and_then(|payload| payload.as_array().map(Vec::len)), Some(100_000));
    let all = Prune { older_than: std::time::Duration::ZERO, dag: None, states: Vec::new(), audit: false };
    assert_eq!(ops::prune(&journal, &all, None).await.unwrap().pruned, 1);
    let error = ops::event(&journal, 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert!(error.to_string().starts_with("the payload of event 1 cannot be read: "), "{error}");
    let unknown = ops::event(&journal, 2).await.unwrap_err();
    assert!(matches!(unknown, OpsError::UnknownEvent { number: 2 }), "{unknown}");
}
