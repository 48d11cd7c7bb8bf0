//! Deadlines of runs that wait for a pool.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use taskflow::graph::Params;
use taskflow::notify::Notification;
use taskflow::prelude::*;
use taskflow::{RunState, ops};

use crate::consumers::{Home, eventually};

taskflow::pool!("narrow", slots = 1);

static IS_HELD: AtomicBool = AtomicBool::new(true);
static TOLD: Mutex<Vec<Notification>> = Mutex::new(Vec::new());

fn told() -> Vec<Notification> {
    TOLD.lock().expect("no test panics with it").clone()
}

fn tell(notification: &Notification) {
    TOLD.lock().expect("no test panics with it").push(notification.clone());
}

#[task(pool = "narrow")]
async fn hold() -> u64 {
    while IS_HELD.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    1
}

#[dag]
fn occupying() -> u64 {
    hold()
}

#[task(pool = "narrow")]
fn squeeze() -> u64 {
    2
}

#[dag(schedule = every("3s"), deadline = "1s after slot", on_deadline_missed = tell)]
fn crowded() -> u64 {
    squeeze()
}

/// Case 80: the pool is full until after the deadline, which is told with that reason, once.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_for_a_full_pool_misses_its_deadline_with_that_reason() {
    let home = Home::new().await;
    home.trigger(occupying::def(), Params::default()).await;
    let serving = home.start(&[occupying::def(), crowded::def()]);
    let of_pool = "of the pool `narrow`, which other tasks may hold";
    let about_pool = || told().into_iter().find(|told| told.why.as_ref().is_some_and(|why| why.contains(of_pool)));
    eventually("the deadline is told", async || about_pool().is_some()).await;
    let notification = about_pool().expect("it is told");
    let slot = notification.run.logical_date;
    assert_eq!(notification.deadline, Some(slot + Duration::from_secs(1)));
    assert_eq!(notification.key, format!("{}/deadline_missed", notification.run.run_id));
    let late = home.journal.find(&notification.run.run_id).await.expect("the run");
    let why = notification.why.expect("a reason");
    assert!(why.starts_with(&format!("run {} is running; `squeeze`: ", late.number)), "{why}");
    assert_eq!(late.state, RunState::Running, "it still waits");
    // The history of the run has the same.
    let history = ops::history(&home.journal, &late.info.run_id).await.expect("a history");
    assert_eq!(history.missed_deadline.map(|missed| missed.reason), Some(why));
    IS_HELD.store(false, Ordering::SeqCst);
    eventually("it runs in the end", async || {
        home.journal.find(&late.info.run_id).await.is_ok_and(|run| run.state == RunState::Success)
    })
    .await;
    serving.stop().await;
    assert_eq!(told().iter().filter(|told| told.key == notification.key).count(), 1);
}
