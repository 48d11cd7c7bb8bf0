//! How long events stay in the store.

use std::time::Duration;

use serde_json::json;
use taskflow::journal::{Note, Prune};
use taskflow::ops::{self, AssetEmission, EventQuery, NewAssetEvent};
use taskflow::schedule::{Catchup, Unpause};

use crate::consumers::{Home, all, eventually, one};

/// Selects by age only.
fn older_than(older_than: Duration) -> Prune {
    Prune { older_than, dag: None, states: Vec::new(), audit: false }
}

async fn numbers(home: &Home, asset: &str) -> Vec<i64> {
    let mut query = EventQuery::default();
    query.asset = Some(asset.to_owned());
    let events = ops::events(&home.journal, &query).await.expect("the store can be read");
    let mut numbers: Vec<i64> = events.iter().map(|event| event.number).collect();
    numbers.sort_unstable();
    numbers
}

async fn once(home: &Home, asset: &str, key: &str) -> AssetEmission {
    let mut event = NewAssetEvent::new(json!(1));
    event.key = Some(key.to_owned());
    ops::emit(&home.journal, asset, event, &Note::by_user("")).await.expect("an event can be emitted")
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_all_consumers_have_passed_are_deleted() {
    let home = Home::new().await;
    home.serve(&[one::def(), all::def()]).await.stop().await;
    ops::pause(&home.journal, one::def(), &Note::default(), None).await.expect("it is not paused");
    for number in 1..=3 {
        home.emit("consumers/numbers", json!(number)).await;
        home.emit("consumers/rates", json!(1.0)).await;
    }
    let serving = home.serve(&[all::def()]).await;
    eventually("it has consumed them", async || home.status(all::def()).await.inputs[0].pending == 0).await;
    serving.stop().await;
    // Nothing is that old.
    let week = older_than(Duration::from_secs(7 * 86_400));
    assert_eq!(ops::prune(&home.journal, &week, None).await.expect("it can be pruned").events, 0);
    // Those of numbers are pending for `one`. Nobody consumes rates, and the newest stays.
    let now = older_than(Duration::ZERO);
    let would = ops::would_prune_events(&home.journal, &now).await.expect("the store can be read");
    let runs = Prune { dag: Some("all".to_owned()), ..now.clone() };
    assert_eq!(ops::prune(&home.journal, &runs, None).await.expect("it can be pruned").events, 0, "only runs");
    let pruned = ops::prune(&home.journal, &now, None).await.expect("it can be pruned");
    assert_eq!((would, pruned.events), (2, 2));
    assert_eq!(
        (numbers(&home, "consumers/numbers").await.len(), numbers(&home, "consumers/rates").await),
        (3, vec![6])
    );
    assert_eq!(home.journal.check().await.expect("the store can be read"), Vec::<String>::new());
    // Nothing was lost.
    ops::unpause(&home.journal, one::def(), &Note::default(), Catchup::None, Unpause::All).await.expect("it is paused");
    let serving = home.serve(&[one::def(), all::def()]).await;
    let ones = home.succeeded("one", 3).await;
    assert_eq!(home.values(&ones).await, [json!([1]), json!([2]), json!([3])]);
    serving.stop().await;
    ops::prune(&home.journal, &now, None).await.expect("it can be pruned");
    assert_eq!(numbers(&home, "consumers/numbers").await, [5]);
    // A number is not used again.
    assert!(home.emit("consumers/numbers", json!(4)).await > 6);
    assert_eq!(home.journal.check().await.expect("the store can be read"), Vec::<String>::new());
}

/// Case 73: the same key after the retention is another event.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_lasts_as_long_as_its_event() {
    let home = Home::new().await;
    let first = once(&home, "consumers/numbers", "a").await;
    assert!(first.is_new && !once(&home, "consumers/numbers", "a").await.is_new);
    let now = older_than(Duration::ZERO);
    // The newest event of an asset stays, and so does its key.
    ops::prune(&home.journal, &now, None).await.expect("it can be pruned");
    assert_eq!(once(&home, "consumers/numbers", "a").await.number, first.number);
    home.emit("consumers/numbers", json!(2)).await;
    ops::prune(&home.journal, &now, None).await.expect("it can be pruned");
    let again = once(&home, "consumers/numbers", "a").await;
    assert!(again.is_new && again.number > first.number);
}

/// Nobody knows what is pending for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_consumer_keeps_all_events() {
    let home = Home::new().await;
    home.serve(&[one::def()]).await.stop().await;
    home.emit("consumers/rates", json!(1.0)).await;
    home.emit("consumers/rates", json!(2.0)).await;
    home.edit("UPDATE consumers SET state = replace(state, ':0', ':7') WHERE dag = 'one'").await;
    let refused = ops::prune(&home.journal, &older_than(Duration::ZERO), None).await.expect_err("it is damaged");
    assert!(refused.to_string().contains("the consumer of `one`: its checksum does not match"), "{refused}");
    assert_eq!(numbers(&home, "consumers/rates").await.len(), 2);
}
