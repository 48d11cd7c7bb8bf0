//! What waits for a run that ends without the service hearing of it.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use taskflow::RunState;
use taskflow::graph::Params;
use taskflow::journal::Note;
use taskflow::ops;
use taskflow::prelude::*;

use crate::consumers::{Home, eventually};

taskflow::asset! {
    TURNS: Asset<u64> = "unheard/turns";
}

static BLOCKS: AtomicBool = AtomicBool::new(true);

#[task]
async fn block() {
    while BLOCKS.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[dag]
fn blocks() {
    block();
}

#[task]
fn take(turn: &Event<u64>) -> u64 {
    turn.value
}

#[dag]
fn turns(#[event(TURNS)] turn: Event<u64>) -> u64 {
    take(turn)
}

/// The second event waited for the next one, since the run of the first never ran here.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_does_not_wait_for_a_run_that_was_cancelled_in_the_queue() {
    let home = Home::new().await;
    let serving = home.serve_at_most(&[blocks::def(), turns::def()], NonZeroUsize::MIN).await;
    home.trigger(blocks::def(), Params::default()).await;
    eventually("the only place is taken", async || {
        home.runs("blocks").await.first().is_some_and(|run| run.state == RunState::Running)
    })
    .await;
    home.emit("unheard/turns", json!(1)).await;
    home.emit("unheard/turns", json!(2)).await;
    eventually("the first event has a run", async || home.runs("turns").await.len() == 1).await;
    let queued = home.runs("turns").await.remove(0);
    assert_eq!(queued.state, RunState::Queued);
    let cancelled = ops::cancel(&home.journal, &queued.info.run_id, &Note::by_user("not now"), None).await;
    assert_eq!(cancelled.expect("a queued run can be cancelled").state, RunState::Cancelled);
    eventually("the second event has a run", async || home.runs("turns").await.len() == 2).await;
    BLOCKS.store(false, Ordering::SeqCst);
    eventually("it runs", async || home.runs("turns").await[1].state == RunState::Success).await;
    serving.stop().await;
}
