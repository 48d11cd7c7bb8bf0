//! The journal of a run: its entries, from the place that the client names, and then as they come.

use std::time::Duration;

use super::feed::Changed;
use super::source::{Batch, Source};
use super::topics::Fact;
use crate::journal::{RunChange, RunFollower};
use crate::server::call::Call;
use crate::server::json;
use crate::server::permit::View;
use crate::server::problem::Problem;
use crate::server::routes::Answer;

/// How many bytes a batch has at least, if there is so much to send.
const BATCH: usize = 64 * 1024;
/// How often a run is looked at that nobody writes.
const PATIENCE: Duration = Duration::from_secs(1);

struct Entries {
    follower: RunFollower,
    changed: Changed,
    number: i64,
    /// What was read and is yet to be sent.
    changes: std::vec::IntoIter<RunChange>,
    has_ended: bool,
}

/// The entries of a run after the one that `Last-Event-ID` or `after` names.
pub(in crate::server) async fn run(call: Call) -> Answer {
    let permit = call.run::<View>().await?;
    let number = permit.run().number;
    let after = match call.place() {
        "" => 0,
        text => text.parse().map_err(|_| {
            let problem = Problem::bad_request(format!("`{text}` is not the number of an entry")).at("after");
            problem.next("leave it out for all entries")
        })?,
    };
    let changed = Changed::of(&call.state.streams.feed, Some(number));
    let follower = call.state.journal.follow(&permit.word(), after).await?;
    let entries = Entries { follower, changed, number, changes: Vec::new().into_iter(), has_ended: false };
    super::answer(&call.state, entries)
}

impl Source for Entries {
    async fn next(&mut self) -> Option<Batch> {
        loop {
            let mut batch = Batch::default();
            while batch.len() < BATCH
                && let Some(change) = self.changes.next()
            {
                batch.event(change.entry, &json::line(&change));
            }
            if !batch.is_empty() {
                return Some(batch);
            }
            if self.has_ended {
                return None;
            }
            let changes = match self.follower.refresh_in_parts().await {
                Ok(changes) => changes,
                Err(error) => {
                    tracing::warn!("the stream of run {} ends: {error}", self.number);
                    return None;
                }
            };
            let state = self.follower.history().state;
            if !changes.is_empty() {
                self.changes = changes.into_iter();
            } else if !self.follower.is_behind() && !state.is_active() {
                self.has_ended = true;
                batch.named_at("end", self.follower.position(), &serde_json::json!({ "state": state }).to_string());
                return Some(batch);
            } else if !self.follower.is_behind() {
                let number = self.number;
                self.changed.wait(|fact| matches!(fact, Fact::Run { run, .. } if *run == number), PATIENCE).await;
            }
        }
    }
}
