//! Observers and subscribers of a live run.
//!
//! The protocol:
//!
//! 1. The state machine collects [`Event`]s while the run has observers, and only then. After each
//!    step, under the lock of the engine, [`Observers::publish`] puts them into the queue of each
//!    thread below. Sending to a queue neither waits nor runs user code.
//! 2. Each [`Observer`] of a run has a thread of its own. An observer that panics sees no more
//!    events; the run continues. The report of the run is sent after the last observer has seen the
//!    last event: each thread holds a reference to the [`LastReport`].
//! 3. All [`Subscription`]s of a run share one thread, which starts with the first of them. It
//!    copies each event into the bounded queue of each subscription, and closes a subscription
//!    whose queue is full. It never waits for a subscriber, and the report does not wait for it.
//! 4. A subscription begins with a view of the run, taken under the lock in which it joins the
//!    queue of that thread: it sees every later event, each once.
//! 5. Dropping a subscription closes its queue. Without observers, subscriptions and followers
//!    left, the machine stops collecting events at its next one.
//! 6. Followers ([`LiveFollower`](super::live_follower::LiveFollower)) receive no events: each has
//!    a list of the tasks that have changed.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use tokio::sync::mpsc as stream;
use tokio::sync::oneshot;

use super::live_follower::ChangedTasks;
use super::run::Finished;
use crate::base::drop_quietly;
use crate::run::{Event, RunView};

/// Sees the events of a run, in order, on a thread of its own: it may be slow without delaying the
/// run. The report of the run waits for it.
pub trait Observer: Send + 'static {
    /// One transition.
    fn on_event(&mut self, event: &Event);
}

impl<F: FnMut(&Event) + Send + 'static> Observer for F {
    fn on_event(&mut self, event: &Event) {
        self(event);
    }
}

/// The queues that the events of a run are sent to.
#[derive(Default)]
pub(crate) struct Observers {
    observers: Vec<mpsc::Sender<ObserverMessage>>,
    streams: Option<Streams>,
    /// One for each follower, which holds the other reference.
    changed: Vec<Arc<Mutex<ChangedTasks>>>,
}

/// The thread of the subscriptions of a run.
pub(super) struct Streams {
    sender: mpsc::Sender<StreamMessage>,
    /// Each subscription holds a reference.
    alive: Arc<()>,
}

enum ObserverMessage {
    Event(Event),
    /// The last message: the run is over.
    Finish(Arc<LastReport>),
}

enum StreamMessage {
    Event(Event),
    Subscribe(Subscriber),
}

struct Subscriber {
    events: stream::Sender<Event>,
    lagged: Arc<AtomicBool>,
}

/// Sends the remains of a run to its handle when the last reference is dropped.
pub(super) struct LastReport {
    content: Option<(oneshot::Sender<Finished>, Finished)>,
}

impl LastReport {
    pub(super) fn new(handle: oneshot::Sender<Finished>, finished: Finished) -> Self {
        LastReport { content: Some((handle, finished)) }
    }
}

impl Drop for LastReport {
    fn drop(&mut self) {
        if let Some((handle, finished)) = self.content.take()
            && let Err(Finished { result: Some(result), .. }) = handle.send(finished)
        {
            drop_quietly(result);
        }
    }
}

impl Observers {
    /// Starts a thread for each observer.
    pub(super) fn start(observers: Vec<Box<dyn Observer>>) -> io::Result<Self> {
        let observers = observers.into_iter().map(start_observer).collect::<io::Result<_>>()?;
        Ok(Observers { observers, ..Observers::default() })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.observers.is_empty() && self.streams.is_none() && self.changed.is_empty()
    }

    /// Sends events to all observers and subscriptions, and forgets followers and subscriptions
    /// that are gone.
    pub(super) fn publish(&mut self, events: Vec<Event>) {
        if self.streams.as_ref().is_some_and(|streams| Arc::strong_count(&streams.alive) == 1) {
            self.streams = None;
        }
        self.changed.retain(|changed| Arc::strong_count(changed) > 1);
        for changed in &self.changed {
            let mut changed = changed.lock().unwrap_or_else(PoisonError::into_inner);
            for event in &events {
                if let Event::Task { task, .. } = event {
                    changed.add(*task);
                }
            }
        }
        for event in events {
            for observer in &self.observers {
                // A thread that has ended is not replaced; the run continues without it.
                let _ = observer.send(ObserverMessage::Event(event.clone()));
            }
            if let Some(streams) = &self.streams {
                let _ = streams.sender.send(StreamMessage::Event(event));
            }
        }
    }

    /// Adds the list of a follower.
    pub(super) fn watch(&mut self, changed: Arc<Mutex<ChangedTasks>>) {
        self.changed.push(changed);
    }

    pub(super) fn has_streams(&self) -> bool {
        self.streams.is_some()
    }

    /// Adds a subscription, which begins with `view`. `started` is the thread for it, if
    /// [`Observers::has_streams`] was false before: it is dropped if there is one by now.
    pub(super) fn subscribe(
        &mut self,
        started: Option<Streams>,
        capacity: usize,
        view: RunView,
    ) -> Option<Subscription> {
        if self.streams.is_none() {
            self.streams = started;
        }
        let streams = self.streams.as_ref()?;
        let (sender, events) = stream::channel(capacity.max(1));
        let lagged = Arc::new(AtomicBool::new(false));
        let subscriber = Subscriber { events: sender, lagged: Arc::clone(&lagged) };
        let _ = streams.sender.send(StreamMessage::Subscribe(subscriber));
        Some(Subscription { view, events, lagged, _alive: Arc::clone(&streams.alive) })
    }

    /// Sends the report when every observer has seen every event.
    pub(super) fn finish(self, report: LastReport) {
        let report = Arc::new(report);
        for observer in self.observers {
            let _ = observer.send(ObserverMessage::Finish(Arc::clone(&report)));
        }
    }
}

fn start_observer(mut observer: Box<dyn Observer>) -> io::Result<mpsc::Sender<ObserverMessage>> {
    let (sender, messages) = mpsc::channel();
    std::thread::Builder::new().name("taskflow-observer".to_owned()).spawn(move || {
        for message in messages {
            match message {
                ObserverMessage::Event(event) => {
                    if catch_unwind(AssertUnwindSafe(|| observer.on_event(&event))).is_err() {
                        // The hook has reported the panic. The report of the run must still be
                        // sent.
                        observer = Box::new(|_: &Event| {});
                    }
                }
                ObserverMessage::Finish(report) => return drop(report),
            }
        }
    })?;
    Ok(sender)
}

impl Streams {
    /// Starts the thread of the subscriptions of a run.
    pub(super) fn start() -> io::Result<Self> {
        let (sender, messages) = mpsc::channel();
        std::thread::Builder::new().name("taskflow-events".to_owned()).spawn(move || forward(&messages))?;
        Ok(Streams { sender, alive: Arc::new(()) })
    }
}

/// Copies events to subscribers until the run is over.
fn forward(messages: &mpsc::Receiver<StreamMessage>) {
    let mut subscribers: Vec<Subscriber> = Vec::new();
    for message in messages {
        match message {
            StreamMessage::Subscribe(subscriber) => subscribers.push(subscriber),
            StreamMessage::Event(event) => subscribers.retain(|subscriber| {
                // Sending wakes the subscriber, and a waker can be user code.
                let sent = catch_unwind(AssertUnwindSafe(|| subscriber.events.try_send(event.clone())));
                match sent {
                    Ok(Ok(())) => true,
                    Ok(Err(stream::error::TrySendError::Full(_))) => {
                        subscriber.lagged.store(true, Ordering::Release);
                        false
                    }
                    Ok(Err(stream::error::TrySendError::Closed(_))) | Err(_) => false,
                }
            }),
        }
    }
}

/// A view of a live run, and every event after it.
///
/// Made by [`RunControl::subscribe`](super::RunControl::subscribe). Dropping it ends the
/// subscription. It does not delay the run, nor its report.
#[derive(Debug)]
pub struct Subscription {
    view: RunView,
    events: stream::Receiver<Event>,
    lagged: Arc<AtomicBool>,
    _alive: Arc<()>,
}

/// A subscription was closed because its queue was full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the subscriber fell behind the run and missed events; subscribe again for the present state")]
pub struct Lagged;

impl Subscription {
    /// The run when the subscription began: the next event is the first one after it.
    pub fn view(&self) -> &RunView {
        &self.view
    }

    /// The next event, or `None` when the run is over. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`Lagged`] when the queue was full: the events in it are returned first, later ones are
    /// lost.
    pub async fn next(&mut self) -> Result<Option<Event>, Lagged> {
        let event = self.events.recv().await;
        self.received(event)
    }

    /// As [`Subscription::next`], and blocks the thread meanwhile.
    ///
    /// # Errors
    ///
    /// As [`Subscription::next`].
    ///
    /// # Panics
    ///
    /// Inside async code, where blocking is not allowed.
    pub fn next_blocking(&mut self) -> Result<Option<Event>, Lagged> {
        let event = self.events.blocking_recv();
        self.received(event)
    }

    fn received(&self, event: Option<Event>) -> Result<Option<Event>, Lagged> {
        match event {
            None if self.lagged.load(Ordering::Acquire) => Err(Lagged),
            event => Ok(event),
        }
    }
}
