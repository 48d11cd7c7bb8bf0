//! DAGs whose runs take one group of events, with a service in this process.

use serde::{Deserialize, Serialize};
use serde_json::json;
use taskflow::asset::{Day, Month};
use taskflow::journal::Note;
use taskflow::ops::{self, NewAssetEvent};
use taskflow::prelude::*;

use crate::consumers::{Home, eventually};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Order {
    customer: String,
    price: u64,
}

taskflow::asset! {
    SALES: Asset<u64, Day> = "groups/sales";
    ORDERS: Asset<Order> = "groups/orders";
    ATTEMPTS: Asset<u64> = "groups/attempts";
}

#[task]
fn total(days: &Complete<Month, u64>) -> (String, usize, u64) {
    assert!(days.windows(2).all(|two| two[0].partition < two[1].partition), "in the order of the days");
    (days.period().to_string(), days.len(), days.values().sum())
}

#[dag]
fn monthly(#[event(SALES)] days: Complete<Month, u64>) -> (String, usize, u64) {
    total(days)
}

#[dag]
fn corrected(#[event(SALES, on_update = "rerun")] days: Complete<Month, u64>) -> (String, usize, u64) {
    total(days)
}

#[task]
fn outline(days: &Complete<Month, u64>) -> (String, usize, Vec<Day>) {
    (days.period().to_string(), days.len(), days.missing())
}

#[dag]
fn outlined(#[event(SALES, all_but = 2, on_update = "rerun")] days: Complete<Month, u64>) -> (String, usize, Vec<Day>) {
    outline(days)
}

#[task]
fn bill(orders: &Events<Order>) -> (String, u64) {
    (orders[0].customer.clone(), orders.values().map(|order| order.price).sum())
}

#[dag]
fn bills(#[event(ORDERS, key = |order| order.customer.clone())] orders: Events<Order>) -> (String, u64) {
    bill(orders)
}

#[dag]
fn unlucky_keys(
    #[event(ORDERS, key = |order| if order.price > 100 { panic!("too dear") } else { 1 })] orders: Events<Order>,
) -> (String, u64) {
    bill(orders)
}

#[task]
fn attempt(number: &Event<u64>) -> Result<u64> {
    match number.value {
        0 => Err("no attempt".into()),
        value => Ok(value),
    }
}

#[dag(pause_after_failures = 2)]
fn attempts(#[event(ATTEMPTS)] number: Event<u64>) -> u64 {
    attempt(number)
}

async fn sell(home: &Home, day: &str, sales: u64) {
    let mut event = NewAssetEvent::new(json!(sales));
    event.partition = Some(day.to_owned());
    ops::emit(&home.journal, "groups/sales", event, &Note::by_user("")).await.expect("an event can be emitted");
}

/// Case 75. A rerun is another run of the period, where the case has the first one cleared: the
/// parameters of a run never change, and the correction is a parameter.
#[tokio::test(flavor = "multi_thread")]
async fn a_month_runs_when_all_its_days_are_there() {
    let home = Home::new().await;
    let serving = home.serve(&[monthly::def(), corrected::def()]).await;
    for day in (1..=28).rev().filter(|day| *day != 3) {
        sell(&home, &format!("2028-02-{day:02}"), day).await;
    }
    sell(&home, "2028-03-01", 1_000).await;
    eventually("the service waits for the rest", async || {
        let status = home.status(monthly::def()).await;
        let rest = "the rest of groups/sales, 2028-02: 27 of 29, missing 2028-02-03, 2028-02-29";
        status.waits_for.as_deref() == Some(rest)
    })
    .await;
    let input = home.status(monthly::def()).await.inputs.remove(0);
    let periods: Vec<String> = input.periods.iter().map(ToString::to_string).collect();
    assert_eq!((&*input.takes, input.pending, periods.len()), ("period", 28, 2));
    assert!(periods[1].starts_with("2028-03: 1 of 31, missing 2028-03-02, "), "{periods:?}");
    assert!(periods[1].ends_with(" and 25 more"), "{periods:?}");
    sell(&home, "2028-02-29", 29).await;
    sell(&home, "2028-02-03", 3).await;
    let runs = home.succeeded("monthly", 1).await;
    assert_eq!(home.values(&runs).await, [json!(["2028-02", 29, 435])]);
    let events = runs[0].info.triggering_events.as_ref().expect("events");
    assert_eq!((events.key.as_deref(), events.consumed[0].count), (Some("2028-02"), 29));
    home.succeeded("corrected", 1).await;
    // A correction.
    sell(&home, "2028-02-03", 103).await;
    let again = home.succeeded("corrected", 2).await;
    assert_eq!(home.values(&again).await, [json!(["2028-02", 29, 435]), json!(["2028-02", 29, 535])]);
    let events = again[1].info.triggering_events.as_ref().expect("events");
    assert_eq!((events.key.as_deref(), events.consumed[0].count), (Some("2028-02"), 1));
    eventually("it is recorded", async || home.status(monthly::def()).await.inputs[0].pending == 1).await;
    let past = ops::past_slots(&home.journal, monthly::def(), 10).await.expect("the store can be read");
    assert_eq!(past.iter().filter(|slot| slot.fate == "skipped").count(), 1);
    let reason = "of `groups/sales`: an update of 2028-02, which has had its run";
    assert!(past.iter().any(|slot| slot.reason.ends_with(reason)), "{past:?}");
    // Another process knows as well which events are decided, and which periods have had their run.
    serving.stop().await;
    let serving = home.serve(&[monthly::def(), corrected::def()]).await;
    for day in 2..=31 {
        sell(&home, &format!("2028-03-{day:02}"), 1).await;
    }
    sell(&home, "2028-02-04", 104).await;
    let runs = home.succeeded("monthly", 2).await;
    assert_eq!(home.values(&runs).await[1], json!(["2028-03", 31, 1_030]));
    let again = home.succeeded("corrected", 4).await;
    assert!(home.values(&again).await.contains(&json!(["2028-02", 29, 635])));
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_runs_when_enough_of_its_days_are_there() {
    let home = Home::new().await;
    let serving = home.serve(&[outlined::def()]).await;
    for day in (1..=28).filter(|day| ![3, 7].contains(day)) {
        sell(&home, &format!("2028-02-{day:02}"), day).await;
    }
    eventually("the service waits for the rest", async || {
        let rest = "the rest of groups/sales, 2028-02: 26 of 29, 27 needed, missing 2028-02-03, 2028-02-07, 2028-02-29";
        home.status(outlined::def()).await.waits_for.as_deref() == Some(rest)
    })
    .await;
    sell(&home, "2028-02-29", 29).await;
    let runs = home.succeeded("outlined", 1).await;
    assert_eq!(home.values(&runs).await, [json!(["2028-02", 27, ["2028-02-03", "2028-02-07"]])]);
    assert_eq!(home.status(outlined::def()).await.inputs[0].periods, []);
    sell(&home, "2028-02-07", 7).await;
    let runs = home.succeeded("outlined", 2).await;
    assert_eq!(home.values(&runs).await[1], json!(["2028-02", 28, ["2028-02-03"]]));
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_has_its_own_runs() {
    let home = Home::new().await;
    home.serve(&[bills::def()]).await.stop().await;
    for (customer, price) in [("ann", 1), ("bob", 10), ("ann", 2), ("cid", 50)] {
        home.emit("groups/orders", json!({"customer": customer, "price": price})).await;
    }
    let input = home.status(bills::def()).await.inputs.remove(0);
    assert_eq!((input.pending, input.keys), (4, Some(3)));
    let serving = home.serve(&[bills::def()]).await;
    let runs = home.succeeded("bills", 3).await;
    let mut values = home.values(&runs).await;
    values.sort_by_key(ToString::to_string);
    assert_eq!(values, [json!(["ann", 3]), json!(["bob", 10]), json!(["cid", 50])]);
    serving.stop().await;
}

/// As case 79: nothing is skipped.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_panics_pauses_the_dag() {
    let home = Home::new().await;
    let serving = home.serve(&[bills::def(), unlucky_keys::def()]).await;
    home.emit("groups/orders", json!({"customer": "ann", "price": 1})).await;
    home.succeeded("unlucky_keys", 1).await;
    home.succeeded("bills", 1).await;
    // The results of the two runs are events as well.
    home.emit("groups/orders", json!({"customer": "ann", "price": 101})).await;
    let pause = home.paused(unlucky_keys::def()).await;
    assert!(pause.reason.starts_with("the `key` of event 4 panicked at "), "{}", pause.reason);
    assert!(pause.reason.contains("too dear") && pause.reason.ends_with("of `groups/orders`"), "{}", pause.reason);
    assert_eq!(home.status(unlucky_keys::def()).await.inputs[0].pending, 1);
    home.succeeded("bills", 2).await;
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dag_of_events_that_fails_again_and_again_is_paused() {
    let home = Home::new().await;
    let serving = home.serve(&[attempts::def()]).await;
    for value in [0, 1, 0, 0, 1] {
        home.emit("groups/attempts", json!(value)).await;
    }
    let pause = home.paused(attempts::def()).await;
    assert_eq!(pause.by, "the option `pause_after_failures`");
    assert_eq!(pause.reason, "2 runs in a row failed, the last one is event__4__attempts");
    assert_eq!(home.status(attempts::def()).await.inputs[0].pending, 1);
    assert_eq!(home.runs("attempts").await.len(), 4);
    serving.stop().await;
}
