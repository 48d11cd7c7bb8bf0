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
pub(super) use download::{File, Parts, download};
use feed::Feed;
pub(super) use log::{HtmlLines, JsonLines, place_in_log};
pub(super) use run::run;
pub(super) use run_log::{Wanted, place_in_run_log};
use source::Source;
pub(super) use watcher::watch as watch_home;

use super::auth::Visitor;
use super::problem::Problem;

/// The most open streams.
const STREAMS: usize = 1_000;

/// What the streams of a server share.
#[derive(Debug)]
pub(super) struct Streams {
    feed: Arc<Feed>,
    free: Arc<Semaphore>,
    /// Whether the service is about to end.
    ends: watch::Sender<bool>,
}

impl Streams {
    pub(super) fn new() -> Self {
        let (feed, free) = (Arc::new(Feed::new()), Arc::new(Semaphore::new(STREAMS)));
        Streams { feed, free, ends: watch::Sender::new(false) }
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

    /// A place for a stream.
    fn slot(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let unavailable = |detail: &str| Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        if *self.ends.borrow() {
            return Err(unavailable("the service is about to end").header(header::RETRY_AFTER, "10"));
        }
        let full = |_| {
            let problem = unavailable("as many streams are open as the server has");
            problem.next(format!("close one of the {STREAMS}, or ask again later")).header(header::RETRY_AFTER, "30")
        };
        Arc::clone(&self.free).try_acquire_owned().map_err(full)
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
    Ok(wire::response(source, visitor.clone(), streams.slot()?, streams.ends.subscribe()))
}
