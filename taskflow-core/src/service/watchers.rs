//! The watchers of a service: each follows its source and stores the events.
//!
//! 1. Watchers with the same source are one: its events are those of several assets.
//! 2. A watcher begins at the cursor that is stored for its source. It first notifies the source
//!    that everything up to there is stored, because the process may have died before it did.
//! 3. It waits for the next batch. The events and the new cursor are one transaction, and an event
//!    whose key is known is left out. Then it notifies the source.
//! 4. After an error or a panic it pauses, at first for a second, later for a minute, and begins at
//!    2 again. No other watcher notices.
//! 5. When the service stops, the watchers are dropped where they wait.
//! 6. Each time that a watcher runs, because its time has come or its source has something, that is
//!    noted: one that hangs is told from one that has nothing to do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

use super::serving::ServiceEvent;
use crate::asset::{AnyBatch, AnyWatch, AssetDef, Assets, Cursor, WatchError, WatchFuture, Watcher};
use crate::base::Timestamp;
use crate::journal::Journal;
use crate::run::Stored;
use crate::store::{Emitted, NewEvent};

/// The pause after the first error, and the longest one.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// When each watcher has run last, by its source. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct LastPolls(Arc<Mutex<BTreeMap<String, Timestamp>>>);

impl LastPolls {
    pub(super) fn all(&self) -> BTreeMap<String, Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, source: &str) {
        let mut polls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match polls.get_mut(source) {
            Some(last) => *last = Timestamp::now(),
            None => drop(polls.insert(source.to_owned(), Timestamp::now())),
        }
    }

    /// Waits for a watcher, and notes each time that it runs.
    async fn noting<T>(&self, source: &str, mut watching: WatchFuture<'_, T>) -> Result<T, WatchError> {
        std::future::poll_fn(|context| {
            self.note(source);
            watching.as_mut().poll(context)
        })
        .await
    }
}

/// The running watchers of a service. Dropping it ends them.
#[derive(Debug)]
pub(super) struct Watchers {
    _running: JoinSet<()>,
}

impl Watchers {
    /// Starts the watchers of the program. Must be called within a tokio runtime.
    pub(super) fn start(journal: &Journal, events: &UnboundedSender<ServiceEvent>, polls: &LastPolls) -> Self {
        let mut sources: BTreeMap<String, Vec<AssetDef>> = BTreeMap::new();
        for watcher in Assets::watchers() {
            sources.entry(watcher.source()).or_default().push(watcher.asset());
        }
        let mut running = JoinSet::new();
        for (source, assets) in sources {
            let (journal, events, polls) = (journal.clone(), events.clone(), polls.clone());
            running.spawn(keep_watching(source, assets, journal, events, polls));
        }
        Watchers { _running: running }
    }
}

/// Follows a source for as long as the service runs.
async fn keep_watching(
    source: String,
    assets: Vec<AssetDef>,
    journal: Journal,
    events: UnboundedSender<ServiceEvent>,
    polls: LastPolls,
) {
    let mut pause = PAUSE;
    loop {
        let (own, to, of, asset) = (source.clone(), assets.clone(), journal.clone(), assets[0].name);
        let (sender, polls) = (events.clone(), polls.clone());
        // A task of its own, so that a panic of the watcher ends only that.
        let mut watching = JoinSet::new();
        watching.spawn(async move {
            let is_it = |watcher: &Watcher| watcher.asset().name == asset && watcher.source() == own;
            let Some(watcher) = Assets::watchers().into_iter().find(is_it) else { return (false, None) };
            let watch = watcher.into_watch();
            let mut watching = Watching { watch, source: own, assets: to, journal: of, events: sender, polls };
            let mut has_stored = false;
            loop {
                match watching.turn(&mut has_stored).await {
                    Ok(()) => {}
                    Err(error) => return (has_stored, Some(error)),
                }
            }
        });
        let (has_stored, error) = match watching.join_next().await {
            Some(Ok((has_stored, Some(error)))) => (has_stored, error),
            Some(Err(error)) if error.is_panic() => (false, "the watcher panicked".to_owned()),
            // The runtime shuts down.
            _ => return,
        };
        if has_stored {
            pause = PAUSE;
        }
        // The service may have stopped.
        let _ = events.send(ServiceEvent::WatchFailed { source: source.clone(), error, pause });
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
    }
}

/// A watcher that follows its source.
struct Watching {
    watch: Box<dyn AnyWatch>,
    source: String,
    assets: Vec<AssetDef>,
    journal: Journal,
    events: UnboundedSender<ServiceEvent>,
    polls: LastPolls,
}

impl Watching {
    /// Notifies the source of what is stored, and stores the next batch.
    async fn turn(&mut self, has_stored: &mut bool) -> Result<(), String> {
        let cursor = self.journal.watch_cursor(&self.source).await.map_err(|error| error.to_string())?;
        let cursor = cursor.map(Cursor::new);
        if let Some(cursor) = &cursor {
            self.watch.stored(cursor).await.map_err(|error| error.to_string())?;
        }
        let next = self.polls.noting(&self.source, self.watch.next(cursor));
        let AnyBatch { cursor, events } = next.await.map_err(|error| error.to_string())?;
        let now = Timestamp::now();
        let new = events.iter().flat_map(|(key, payload)| {
            self.assets.iter().map(|asset| NewEvent {
                asset: asset.name.to_owned(),
                partition: None,
                key: key.clone(),
                ty: asset.ty.short(),
                value: Stored::Inline(payload.clone()),
                emitted: now,
                run: None,
                task: None,
                by: self.source.clone(),
                on_change: false,
            })
        });
        let emitted = self.journal.emit_watched(new.collect(), &self.source, cursor.as_str()).await;
        let emitted = emitted.map_err(|error| error.to_string())?;
        *has_stored = true;
        let count = emitted.iter().filter(|emitted| matches!(emitted, Emitted::Stored(_))).count();
        if count > 0 {
            let assets = self.assets.iter().map(|asset| asset.name).collect();
            let _ = self.events.send(ServiceEvent::Watched { source: self.source.clone(), assets, count });
        }
        Ok(())
    }
}
