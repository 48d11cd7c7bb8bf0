//! A DAG that has another name in a new build.

use taskflow::Timestamp;
use taskflow::ops;
use taskflow::prelude::*;

use crate::consumers::{Home, eventually};

#[task]
fn tick() {}

#[dag(schedule = every("1s"), catchup = "all")]
fn clock() {
    tick();
}

/// The same DAG under another name.
#[dag(schedule = every("1s"), catchup = "all")]
fn pendulum() {
    tick();
}

/// Case 48: the time before is no downtime of the new name.
#[tokio::test(flavor = "multi_thread")]
async fn a_dag_with_a_new_name_is_new_and_that_of_the_old_name_can_be_read() {
    let home = Home::new().await;
    let (old, new) = (clock::def(), pendulum::def());
    let serving = home.start(&[old]);
    eventually("a slot of it runs", async || !home.runs("clock").await.is_empty()).await;
    serving.stop().await;
    let before = home.runs("clock").await.len();
    let deployed = Timestamp::now();
    let serving = home.start(&[new]);
    eventually("a slot of the new name runs", async || !home.runs("pendulum").await.is_empty()).await;
    serving.stop().await;
    for run in home.runs("pendulum").await {
        assert!(run.info.logical_date > deployed, "{}", run.info.run_id);
    }
    assert_eq!(home.runs("clock").await.len(), before);
    let dags = ops::dags(Some(&home.journal), &[new]).await.expect("the store can be read");
    let gone = dags.iter().find(|dag| dag.dag_id == "clock").expect("the store has runs of it");
    assert!(gone.is_gone && gone.last_run.is_some());
    let slots = ops::past_slots(&home.journal, old, 1_000).await.expect("a build that has it can ask");
    assert_eq!(slots.iter().filter(|slot| slot.run.is_some()).count(), before);
}
