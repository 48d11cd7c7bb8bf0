//! Watchers: what brings events from outside.
//!
//! The [service](crate::service) runs the watchers of the program and stores their events; its
//! module states the protocol.

use std::fmt;
use std::pin::Pin;

use serde::{Deserialize, Serialize};

use super::asset::Asset;
use super::def::AssetDef;
use super::registry::Assets;
use crate::base::BoxError;
use crate::value::{AnyValue, TypeInfo, Value};

/// A source of events outside of taskflow, such as a directory, a queue or an endpoint.
///
/// `taskflow::watch!` makes the events of a watcher those of an asset. The service (`serve`) then
/// runs the watcher, stores each batch together with its cursor, and only then notifies the source
/// with [`stored`](Watch::stored): an event is never lost, and never stored twice.
///
/// ```
/// use taskflow::asset::{Batch, Cursor, Watch, WatchError};
/// use taskflow::prelude::*;
///
/// taskflow::asset! {
///     TICKS: Asset<u64> = "ticks";
/// }
/// taskflow::watch!(TICKS = Clock);
///
/// /// Counts up once a minute.
/// struct Clock;
///
/// impl Watch for Clock {
///     type Event = u64;
///
///     fn source(&self) -> String {
///         "clock".to_owned()
///     }
///
///     async fn next(&mut self, cursor: Option<Cursor>) -> Result<Batch<u64>, WatchError> {
///         tokio::time::sleep(std::time::Duration::from_secs(60)).await;
///         let last = cursor.and_then(|cursor| cursor.as_str().parse::<u64>().ok()).unwrap_or(0);
///         let mut batch = Batch::up_to(Cursor::new((last + 1).to_string()));
///         batch.push(last + 1);
///         Ok(batch)
///     }
/// }
/// ```
pub trait Watch: Send + 'static {
    /// The payload of its events.
    type Event: Value;

    /// Identifies the source, such as `files:landing/*.csv`. Its cursor is stored under this name,
    /// and several assets with the same source share one watcher.
    fn source(&self) -> String;

    /// Waits for what came after `cursor`, which is the one of the last stored batch; `None` before
    /// the first.
    ///
    /// The service drops the future when it stops, so it must be cancel safe.
    ///
    /// # Errors
    ///
    /// Why the source cannot be read. The service tries again, at first after a second, later after
    /// a minute.
    fn next(&mut self, cursor: Option<Cursor>) -> impl Future<Output = Result<Batch<Self::Event>, WatchError>> + Send;

    /// The events up to this cursor are stored: the source may forget them (commit an offset,
    /// delete a message, move a file). Called again after a crash, and after an error.
    ///
    /// # Errors
    ///
    /// Why the source cannot be notified. The service tries again before it asks for the next
    /// events.
    fn stored(&mut self, cursor: &Cursor) -> impl Future<Output = Result<(), WatchError>> + Send {
        let _ = cursor;
        std::future::ready(Ok(()))
    }
}

/// How far the events of a source are stored, in the terms of the source.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cursor(String);

impl Cursor {
    /// A cursor with this text: an offset, an id, a hash.
    pub fn new(text: impl Into<String>) -> Self {
        Cursor(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Events of a source, and the cursor after them.
#[derive(Clone, Debug)]
pub struct Batch<T> {
    cursor: Cursor,
    events: Vec<(Option<String>, T)>,
}

impl<T> Batch<T> {
    /// No events yet; after what is pushed, the source is at this cursor.
    pub fn up_to(cursor: Cursor) -> Self {
        Batch { cursor, events: Vec::new() }
    }

    /// Adds an event.
    pub fn push(&mut self, payload: T) {
        self.events.push((None, payload));
    }

    /// Adds an event that the source may return again, such as a message that was not
    /// acknowledged: of the events of an asset with the same key only the first is stored.
    pub fn push_once(&mut self, key: impl Into<String>, payload: T) {
        self.events.push((Some(key.into()), payload));
    }

    /// The cursor after the events.
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// The payloads, in order.
    pub fn payloads(&self) -> impl Iterator<Item = &T> {
        self.events.iter().map(|(_, payload)| payload)
    }

    /// The number of events.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there are no events.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

/// Why a source cannot be read or notified.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WatchError(BoxError);

impl WatchError {
    /// An error with this cause.
    pub fn new(cause: impl Into<BoxError>) -> Self {
        WatchError(cause.into())
    }
}

impl From<std::io::Error> for WatchError {
    fn from(error: std::io::Error) -> Self {
        WatchError::new(error)
    }
}

impl From<String> for WatchError {
    fn from(text: String) -> Self {
        WatchError::new(text)
    }
}

/// What `watch!` submits.
#[derive(Debug)]
pub struct WatcherEntry(pub fn() -> Watcher);

inventory::collect!(WatcherEntry);

/// A watcher whose events are those of an asset.
pub struct Watcher {
    asset: AssetDef,
    watch: Box<dyn AnyWatch>,
}

impl Watcher {
    /// The events of `watch` are those of `asset`.
    pub fn new<T: Value, W: Watch<Event = T>>(asset: Asset<T>, watch: W) -> Self {
        Watcher { asset: asset.def(), watch: Box::new(watch) }
    }

    /// The asset.
    pub(crate) fn asset(&self) -> AssetDef {
        self.asset
    }

    /// Its source.
    pub(crate) fn source(&self) -> String {
        self.watch.source()
    }

    pub(crate) fn into_watch(self) -> Box<dyn AnyWatch> {
        self.watch
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watcher({})", self.asset.name)
    }
}

impl Assets {
    /// The watchers of the linked crates, each made anew, sorted by asset.
    pub(crate) fn watchers() -> Vec<Watcher> {
        let mut watchers: Vec<Watcher> = inventory::iter::<WatcherEntry>().map(|entry| (entry.0)()).collect();
        watchers.sort_by_key(|watcher| watcher.asset.name);
        watchers
    }
}

/// A future of a watcher.
pub(crate) type WatchFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, WatchError>> + Send + 'a>>;

/// A [`Watch`] whose type is erased. Payloads are in their stored form.
pub(crate) trait AnyWatch: Send {
    fn source(&self) -> String;
    fn next(&mut self, cursor: Option<Cursor>) -> WatchFuture<'_, AnyBatch>;
    fn stored<'a>(&'a mut self, cursor: &'a Cursor) -> WatchFuture<'a, ()>;
}

/// A [`Batch`] whose type is erased.
pub(crate) struct AnyBatch {
    pub(crate) cursor: Cursor,
    /// Keys and payloads.
    pub(crate) events: Vec<(Option<String>, Vec<u8>)>,
}

impl<W: Watch> AnyWatch for W {
    fn source(&self) -> String {
        Watch::source(self)
    }

    fn next(&mut self, cursor: Option<Cursor>) -> WatchFuture<'_, AnyBatch> {
        Box::pin(async move {
            let Batch { cursor, events } = Watch::next(self, cursor).await?;
            let ty = TypeInfo::of_value::<W::Event>();
            let encode = |(key, payload)| {
                let bytes = ty.encode(&AnyValue::new(payload));
                Ok((key, bytes.map_err(|reason| format!("an event cannot be stored: {reason}"))?))
            };
            let events = events.into_iter().map(encode).collect::<Result<_, WatchError>>()?;
            Ok(AnyBatch { cursor, events })
        })
    }

    fn stored<'a>(&'a mut self, cursor: &'a Cursor) -> WatchFuture<'a, ()> {
        Box::pin(Watch::stored(self, cursor))
    }
}
