//! What a service keeps of consumers between its turns, and what it does about those that are
//! damaged.

use serde_json::json;
use taskflow::journal::Note;
use taskflow::ops;
use taskflow::prelude::*;
use taskflow::schedule::{Catchup, Unpause};
use taskflow::service::ServiceEvent;

use crate::consumers::{Home, all, eventually, one};

taskflow::asset! {
    LEVELS: Asset<u64> = "kept/levels";
}

#[task]
fn take(level: &Event<u64>) -> u64 {
    level.value
}

/// The service looks at its last runs before each step.
#[dag(pause_after_failures = 3)]
fn watched(#[event(LEVELS)] level: Event<u64>) -> u64 {
    take(level)
}

/// The last run of the DAG is damaged when the service looks at it, and mended later. The events
/// that were read before were lost until the next service.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_store_loses_no_event_of_a_dag_that_pauses_after_failures() {
    let home = Home::new().await;
    let serving = home.serve(&[watched::def()]).await;
    home.emit("kept/levels", json!(1)).await;
    home.succeeded("watched", 1).await;
    serving.stop().await;
    home.edit("UPDATE runs SET info = info || ' ' WHERE dag_id = 'watched'").await;
    home.emit("kept/levels", json!(2)).await;
    let serving = home.start(&[watched::def()]);
    let is_trouble = |event: &ServiceEvent| matches!(event, ServiceEvent::Trouble { .. });
    eventually("the run cannot be read", async || serving.has_reported(is_trouble)).await;
    home.edit("UPDATE runs SET info = substr(info, 1, length(info) - 1) WHERE dag_id = 'watched'").await;
    let runs = home.succeeded("watched", 2).await;
    assert_eq!(home.values(&runs).await, [json!(1), json!(2)]);
    assert!(serving.stop().await.iter().any(|event| matches!(event, ServiceEvent::Recovered { .. })));
}

/// The same damage. Nothing of another DAG with events was stored either.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_run_holds_up_no_other_consumer() {
    let home = Home::new().await;
    let serving = home.serve(&[watched::def(), all::def()]).await;
    home.emit("kept/levels", json!(1)).await;
    home.succeeded("watched", 1).await;
    serving.stop().await;
    home.edit("UPDATE runs SET info = info || ' ' WHERE dag_id = 'watched'").await;
    let serving = home.start(&[watched::def(), all::def()]);
    home.emit("kept/levels", json!(2)).await;
    home.emit("consumers/numbers", json!(1)).await;
    home.succeeded("all", 1).await;
    serving.stop().await;
}

/// One damaged row holds up no other DAG, and is reported once.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_consumer_holds_up_no_other() {
    let home = Home::new().await;
    home.serve(&[one::def(), all::def()]).await.stop().await;
    home.edit("UPDATE consumers SET state = replace(state, ':0', ':7') WHERE dag = 'one'").await;
    let serving = home.start(&[one::def(), all::def()]);
    for number in 1..=3 {
        home.emit("consumers/numbers", json!(number)).await;
        home.succeeded("all", number).await;
    }
    // The service looks at what others have stored once a second.
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert!(home.runs("one").await.is_empty());
    let events = serving.stop().await;
    let unserved = events.iter().filter_map(|event| match event {
        ServiceEvent::Unserved { dag, reason } => Some((*dag, reason.as_str())),
        _ => None,
    });
    let unserved: Vec<_> = unserved.collect();
    assert_eq!(unserved.len(), 1, "{unserved:?}");
    assert_eq!(unserved[0].0, "one");
    assert!(unserved[0].1.contains("the consumer of `one`: its checksum does not match"), "{unserved:?}");
    assert!(!events.iter().any(|event| matches!(event, ServiceEvent::Trouble { .. })), "{events:?}");
    // The views of the others work, too.
    assert_eq!(home.status(all::def()).await.inputs[0].pending, 0);
    assert!(ops::consumers(Some(&home.journal), &[one::def()]).await.is_err());
    // Mended, it goes on where it was.
    home.edit("UPDATE consumers SET state = replace(state, ':7', ':0') WHERE dag = 'one'").await;
    let serving = home.serve(&[one::def(), all::def()]).await;
    let ones = home.succeeded("one", 3).await;
    assert_eq!(home.values(&ones).await, [json!([1]), json!([2]), json!([3])]);
    serving.stop().await;
}

/// The service keeps states, and notices within a second that somebody else has changed one.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_notices_what_others_change() {
    let home = Home::new().await;
    let serving = home.serve(&[one::def(), all::def()]).await;
    ops::pause(&home.journal, one::def(), &Note::default(), None).await.expect("it is not paused");
    home.emit("consumers/numbers", json!(1)).await;
    home.succeeded("all", 1).await;
    assert!(home.runs("one").await.is_empty());
    ops::unpause(&home.journal, one::def(), &Note::default(), Catchup::None, Unpause::All).await.expect("it is paused");
    home.succeeded("one", 1).await;
    eventually("the cursor is stored", async || home.status(one::def()).await.inputs[0].pending == 0).await;
    let events = serving.stop().await;
    assert!(!events.iter().any(|event| matches!(event, ServiceEvent::Trouble { .. })), "{events:?}");
}
