//! The events of an asset, from the number that the client names, and then as they come.

use std::time::Duration;

use super::feed::Changed;
use super::source::{Batch, Source};
use super::topics::Fact;
use crate::journal::Journal;
use crate::ops::{self, OpsError};
use crate::server::auth::{AssetRights, Visitor};
use crate::server::call::Call;
use crate::server::json;
use crate::server::problem::Problem;
use crate::server::routes::Answer;

/// How many events are read at once.
const AT_ONCE: u32 = 100;
/// How often the events are looked at without a reason.
const PATIENCE: Duration = Duration::from_secs(10);

struct Events {
    visitor: Visitor,
    journal: Journal,
    changed: Changed,
    asset: String,
    after: i64,
}

/// The events of an asset after the one that `Last-Event-ID` or `after` names; without one, those
/// that are emitted from now on.
pub(in crate::server) async fn asset(call: Call) -> Answer {
    let asset = call.asset()?;
    let journal = call.state.journal.clone();
    let changed = Changed::of(&call.state.streams.feed, None);
    let after = match call.place() {
        "" => journal.last_event().await?,
        text => text.parse().map_err(|_| {
            let problem = Problem::bad_request(format!("`{text}` is not the number of an event")).at("after");
            problem.next("0 is the place before the first event; leave it out for new events only")
        })?,
    };
    if !AssetRights::of(&call.state).sees(&asset) {
        return Err(OpsError::UnknownAsset { asset, nearest: None }.into());
    }
    ops::check_asset(&asset)?;
    super::answer(&call.state, Events { visitor: call.state.clone(), journal, changed, asset, after })
}

impl Source for Events {
    async fn next(&mut self) -> Option<Batch> {
        loop {
            let documents = match ops::events_after(&self.journal, &self.asset, self.after, AT_ONCE).await {
                Ok(documents) => documents,
                Err(error) => {
                    tracing::warn!("the stream of asset {} ends: {error}", self.asset);
                    return None;
                }
            };
            let mut batch = Batch::default();
            for document in documents {
                self.after = self.after.max(document.number);
                match AssetRights::of(&self.visitor).shown(document).await {
                    Ok(document) => batch.event(document.number, &json::line(&document)),
                    Err(error) => {
                        tracing::warn!("the stream of asset {} ends: {error}", self.asset);
                        return None;
                    }
                }
            }
            if !batch.is_empty() {
                return Some(batch);
            }
            let of = &self.asset;
            self.changed.wait(|fact| matches!(fact, Fact::Asset { asset, .. } if asset == of), PATIENCE).await;
        }
    }
}
