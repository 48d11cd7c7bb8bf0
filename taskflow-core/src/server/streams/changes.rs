//! What changes in the home, for pages and for clients that keep a copy: small facts from a ring.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::feed::{Feed, Lost, Told, Watched};
use super::source::{Batch, Source};
use super::topics::Topic;
use crate::server::auth::Visitor;
use crate::server::call::Call;
use crate::server::problem::Problem;
use crate::server::routes::Answer;

/// How many facts are taken from the ring at once, and how many topics a stream has.
const AT_ONCE: usize = 256;
const TOPICS: usize = 100;
/// After how much silence a stream says that it is there. A page that hears nothing for longer
/// knows that a proxy holds its stream back, and asks for itself.
const BEAT: Duration = Duration::from_secs(10);

struct Changes {
    visitor: Visitor,
    feed: Arc<Feed>,
    topics: Vec<Topic>,
    last: watch::Receiver<u64>,
    /// The number of the last fact that was seen; `Err` if those after it are gone.
    at: Result<u64, Lost>,
    /// When it says that it is there, unless it says something else before.
    beat: Instant,
    _watched: Vec<Watched>,
}

/// What changes of the `topics`, after the place that `Last-Event-ID` or `after` names.
pub(in crate::server) async fn changes(call: Call) -> Answer {
    let feed = Arc::clone(&call.state.streams.feed);
    let topics = match call.texts("topics").unwrap_or_default() {
        names if names.is_empty() => Topic::all(),
        names if names.len() > TOPICS => {
            return Err(Problem::bad_request(format!("a stream has at most {TOPICS} topics")).at("topics"));
        }
        names => names.iter().map(|name| Topic::parse(name)).collect::<Result<_, _>>()?,
    };
    let about = topics.iter().filter_map(|topic| match topic {
        Topic::Run(run) => Some(feed.watch(*run)),
        _ => None,
    });
    let watched = about.collect();
    let last = feed.subscribe();
    let at = match call.place() {
        "" => Ok(feed.last()),
        place => feed.number_of(place),
    };
    super::answer(
        &call.state,
        Changes { visitor: call.state.clone(), feed, topics, last, at, beat: Instant::now() + BEAT, _watched: watched },
    )
}

impl Source for Changes {
    async fn next(&mut self) -> Option<Batch> {
        loop {
            let newest = *self.last.borrow_and_update();
            let mut batch = Batch::default();
            match self.at.and_then(|at| self.feed.after(at, AT_ONCE)) {
                Err(Lost) => {
                    self.at = Ok(newest);
                    self.visitor.metrics.reset();
                    batch.named_at("reset", self.feed.place_of(newest), "{}");
                    return Some(batch);
                }
                Ok((facts, at)) => {
                    for told in &facts {
                        let Told { fact, event } = &**told;
                        if self.topics.iter().any(|topic| topic.has(fact)) && fact.is_visible(&self.visitor) {
                            batch.written(event);
                        }
                    }
                    self.at = Ok(at);
                    if !batch.is_empty() {
                        self.beat = Instant::now() + BEAT;
                        return Some(batch);
                    }
                    if !facts.is_empty() {
                        continue;
                    }
                }
            }
            match tokio::time::timeout_at(self.beat, self.last.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return None,
                Err(_) => {
                    self.beat = Instant::now() + BEAT;
                    batch.named("beat", "{}");
                    return Some(batch);
                }
            }
        }
    }
}
