//! Server-sent events.
//!
//! - `feed`: what changed in the home, in a ring that all streams read. `topics`: what of it a
//!   stream wants. `watcher`: finds out what changed.
//! - `source`: where the events of a stream come from. `wire`: sends them.
//! - `run`, `log`, `run_log`, `asset`, `changes`: the streams.
//! - `download`: what is no stream of events, but may be as long: a file.
//!
//! # Protocol
//!
//! 1. Everything that changes in a home is a commit of some connection: of the service in this
//!    process, of a command line, of another service. The watcher has a connection of its own and
//!    asks SQLite for the version of the data 20 times a second while streams are open, and sleeps
//!    otherwise. That reads no table. The engine knows nothing of streams.
//! 2. When the version differs, the watcher compares the heads of runs and the versions of the
//!    other tables with those it knows, and puts what differs into the ring.
//! 3. The streams of runs, logs and assets only take this as a reason to look. They read what they
//!    send from the journal and from the files, after the place that their client names. So they
//!    are exact whatever the ring has lost.
//! 4. A stream has a queue of a few batches. While it is full, the stream reads nothing: a slow
//!    reader costs its queue, and neither a transaction nor memory that grows.
//! 5. When the service begins to stop, each stream says `bye` and ends. Later ones are refused.
//! 6. A stream takes one of [`STREAMS`] places for as long as it is open, and a download does too.
//!    Somebody who is known by name has at most [`EACH`] of them, so that others find some.

mod asset;
mod changes;
mod download;
mod feed;
mod log;
mod run;
mod run_log;
mod source;
mod topics;
mod watcher;
mod wire;

use std::sync::Arc;

use axum::http::{StatusCode, header};
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

pub(super) use asset::asset;
pub(super) use changes::changes;
pub(super) use download::{File, Parts, download, in_parts};
use feed::Feed;
pub(super) use log::{HtmlLines, JsonLines, place_in_log};
pub(super) use run::run;
pub(super) use run_log::{Wanted, place_in_run_log};
use source::Source;
pub(super) use watcher::watch as watch_home;
pub(super) use wire::end_of_rights;

use super::auth::{Owner, Visitor};
use super::problem::Problem;
use super::shares::Shares;

/// The most open streams.
const STREAMS: usize = 1_000;
/// The most of somebody who is known by name.
const EACH: usize = 20;

/// What the streams of a server share.
#[derive(Debug)]
pub(super) struct Streams {
    feed: Arc<Feed>,
    free: Arc<Semaphore>,
    own: Shares,
    /// Whether the service is about to end.
    ends: watch::Sender<bool>,
}

/// A place of a stream. Free again when it is dropped.
#[derive(Debug)]
struct Place {
    _own: Option<OwnedSemaphorePermit>,
    _free: OwnedSemaphorePermit,
}

impl Streams {
    pub(super) fn new() -> Self {
        let (feed, free) = (Arc::new(Feed::new()), Arc::new(Semaphore::new(STREAMS)));
        Streams { feed, free, own: Shares::new(EACH), ends: watch::Sender::new(false) }
    }

    /// The place in the feed at which a page begins to be read: a stream after it misses nothing
    /// that the page does not show.
    pub(super) fn place(&self) -> String {
        self.feed.place()
    }

    /// How many are open.
    pub(super) fn open(&self) -> usize {
        STREAMS - self.free.available_permits()
    }

    /// Ends all streams, and refuses others.
    pub(super) fn end(&self) {
        self.ends.send_replace(true);
    }

    /// A place for a stream of somebody, if they are known by name.
    fn take(&self, owner: Option<&Owner>) -> Result<Place, Problem> {
        let unavailable = |detail: &str| Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        if *self.ends.borrow() {
            return Err(unavailable("the service is about to end").header(header::RETRY_AFTER, "10"));
        }
        let too_many = |_| {
            let detail = format!("you have {EACH} open streams, which is as many as somebody may have");
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, detail);
            problem.next("close one of them, or ask again later").header(header::RETRY_AFTER, "30")
        };
        let own = owner.map(|owner| self.own.of(owner).try_acquire_owned().map_err(too_many)).transpose()?;
        let full = |_| {
            let problem = unavailable("as many streams are open as the server has");
            problem.next(format!("close one of the {STREAMS}, or ask again later")).header(header::RETRY_AFTER, "30")
        };
        Ok(Place { _own: own, _free: Arc::clone(&self.free).try_acquire_owned().map_err(full)? })
    }
}

/// For fuzzing: reads a text as the places and the topics of streams.
pub(super) fn read_any(text: &str) {
    let _ = (place_in_log(text), place_in_run_log(text));
    let _ = (Feed::new().number_of(text), topics::Topic::parse(text));
}

/// The response with the events of a source.
/// It ends when the rights of who asked do.
pub(super) fn answer(visitor: &Visitor, source: impl Source) -> Result<Response, Problem> {
    let streams = &visitor.streams;
    Ok(wire::response(
        source,
        visitor.clone(),
        streams.take(visitor.principal().owner().as_ref())?,
        streams.ends.subscribe(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_all_places() {
        let streams = Streams::new();
        let [kim, lee] = ["kim", "lee"].map(|name| Owner::User(name.to_owned()));
        let mut open: Vec<Place> = (0..EACH).map(|_| streams.take(Some(&kim)).unwrap()).collect();
        let refused = streams.take(Some(&kim)).unwrap_err();
        assert_eq!(refused.shown().status, 429, "{refused:?}");
        assert!(refused.shown().detail.contains("you have 20 open streams"), "{refused:?}");
        let _other = streams.take(Some(&lee)).unwrap();
        // Whoever uses this machine has no name, and no limit of their own.
        let _here: Vec<Place> = (0..100).map(|_| streams.take(None).unwrap()).collect();
        assert_eq!(streams.open(), EACH + 101);
        drop(open.pop());
        assert!(streams.take(Some(&kim)).is_ok(), "one that ends makes room");
    }
}
