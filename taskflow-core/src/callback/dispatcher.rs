//! Delivers callback notifications.
//!
//! 1. A run whose graph has callbacks has a dispatcher: a thread that ends some time after the run.
//!    User code runs on this thread and may block without delaying the engine or the run.
//! 2. The dispatcher receives a notification when the entry that causes it is stored; in a run
//!    without a journal, at once.
//! 3. It delivers notifications one after the other, in the order of the entries, and records each
//!    delivery attempt in the delivery log of the journal. After a crash the last notifications are
//!    delivered again, and none is lost: a process that resumes the run, or opens its home to run
//!    something else, delivers those that are not in the log.
//!    While another process has locked the store, what was attempted is kept, and offered to the
//!    log again: this process attempts nothing twice because of that, and the report of the run
//!    does not wait for it. Another process does, if this one ends first, or if it looks for what
//!    is not delivered in the seconds until it is recorded.
//! 4. A failed delivery is recorded with its error and the time of the next attempt: after 10 s,
//!    then 20 s, up to an hour. After a week the dispatcher gives up. Without a journal there is a
//!    single attempt.
//! 5. The last message is the report of the run. It is released when every delivery was attempted
//!    once, or a minute later. Further attempts follow as long as the process has the journal open.

use std::fmt;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::base::{Timestamp, catch};
use crate::log::Redactor;
use crate::task::{Backoff, Callback, Notification, RetryPolicy};

/// When failed deliveries are retried.
const TRIES: RetryPolicy = RetryPolicy {
    retries: u32::MAX,
    delay: Duration::from_secs(10),
    backoff: Backoff::Exponential { factor: 2.0 },
    max_delay: Duration::from_secs(60 * 60),
};

/// How long deliveries are retried.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How many deliveries are attempted before the delivery log is written, and how long that may
/// take.
const BATCH: usize = 64;
const UNNOTED: Duration = Duration::from_millis(500);

/// The pause before the delivery log is asked again that another process has locked.
const AGAIN: Duration = Duration::from_secs(1);

/// How long the report of a run waits for slow callbacks.
const LINGER: Duration = Duration::from_secs(60);

/// A notification to be delivered to a callback.
pub(crate) struct PendingCallback {
    pub(crate) notification: Notification,
    callback: Callback,
    /// Delivery attempts so far, and when the next one is due.
    attempts: u32,
    due: Option<Timestamp>,
}

/// The result of a delivery attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeliveryAttempt {
    pub(crate) key: String,
    /// The notification, in one line.
    pub(crate) notification: String,
    /// The name of the callback.
    pub(crate) callback: String,
    pub(crate) at: Timestamp,
    /// The number of attempts.
    pub(crate) attempts: u32,
    /// The error, if it failed.
    pub(crate) error: Option<String>,
    /// When it is retried; `None` if it succeeded or is given up.
    pub(crate) next: Option<Timestamp>,
}

/// What has become of attempts that were to be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    Stored,
    /// Not yet: another process has locked the store.
    Later,
    /// The journal is no longer open, or cannot be written.
    Never,
}

/// Where a journal records deliveries.
pub(crate) trait DeliveryLog: Send + Sync {
    /// Records delivery attempts. Waits for the store.
    fn record(&self, tried: &[DeliveryAttempt]) -> Recorded;

    /// Called when everything is delivered.
    fn done(&self);
}

impl PendingCallback {
    pub(crate) fn new(notification: Notification, callback: Callback) -> Self {
        PendingCallback { notification, callback, attempts: 0, due: None }
    }

    /// The state after recorded attempts.
    pub(crate) fn after(mut self, attempts: u32, due: Option<Timestamp>) -> Self {
        (self.attempts, self.due) = (attempts, due);
        self
    }

    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.due.is_none_or(|due| due <= now)
    }

    /// Delivers it. A failure is also logged by the process.
    pub(crate) fn deliver(&self) -> Result<(), String> {
        let result = catch(|| {
            self.callback.notifier().notify(&self.notification).map_err(|error| {
                let mut text = error.to_string();
                let mut source = error.source();
                while let Some(cause) = source {
                    text = format!("{text}: {cause}");
                    source = cause.source();
                }
                text
            })
        });
        let result = result.map_err(|failure| failure.to_string()).and_then(std::convert::identity);
        result.map_err(|mut error| {
            Redactor::current().reason(&mut error);
            let callback = self.callback.name();
            tracing::warn!(target: "taskflow", "the callback `{callback}` could not be notified that {}: {error}", self.notification);
            error
        })
    }

    /// The record of a delivery by another process.
    #[cfg(feature = "testing")]
    pub(crate) fn as_delivered(&self, at: Timestamp) -> DeliveryAttempt {
        DeliveryAttempt {
            key: self.notification.key.clone(),
            notification: self.notification.to_string(),
            callback: self.callback.name(),
            at,
            attempts: self.attempts.saturating_add(1),
            error: None,
            next: None,
        }
    }

    /// Attempts the delivery and returns its record.
    pub(crate) fn attempt(&mut self) -> DeliveryAttempt {
        let result = self.deliver();
        let at = Timestamp::now();
        self.attempts = self.attempts.saturating_add(1);
        let seed = self.notification.at.as_nanos().cast_unsigned();
        let next = at + TRIES.delay_after(self.attempts, seed);
        self.due = (result.is_err() && next.since(self.notification.at) < PATIENCE).then_some(next);
        let mut notification = self.notification.to_string();
        Redactor::current().message(&mut notification);
        DeliveryAttempt {
            key: self.notification.key.clone(),
            notification,
            callback: self.callback.name(),
            at,
            attempts: self.attempts,
            error: result.err(),
            next: self.due,
        }
    }
}

impl fmt::Debug for PendingCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PendingCallback({})", self.notification.key)
    }
}

enum Message {
    PendingCallback(Box<PendingCallback>),
    Last(Box<dyn FnOnce() + Send>),
}

/// A notification that its callback could not deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallbackFailure {
    /// The name of the callback.
    pub callback: String,
    /// The notification, in one line.
    pub notification: String,
    /// Why: the error, or the panic.
    pub error: String,
    /// When the delivery is repeated, if the run has a journal.
    pub retry_at: Option<Timestamp>,
}

/// At most this many failures of callbacks are kept for the report.
const FAILURES: usize = 100;

/// The handle of the dispatcher thread.
pub(crate) struct CallbackDispatcher {
    sender: Mutex<Sender<Message>>,
    /// The failures of first attempts.
    failures: Arc<Mutex<Vec<CallbackFailure>>>,
    /// Since when the report of the run is waited for.
    over: Arc<OnceLock<Instant>>,
}

impl CallbackDispatcher {
    /// Starts the thread.
    pub(crate) fn start(delivery_log: Option<Arc<dyn DeliveryLog>>) -> std::io::Result<Self> {
        let (sender, messages) = mpsc::channel();
        let over = Arc::new(OnceLock::new());
        let known = Arc::clone(&over);
        let failures = Arc::default();
        let failed = Arc::clone(&failures);
        let thread = std::thread::Builder::new().name("taskflow-notifications".to_owned());
        thread.spawn(move || deliver_all(&messages, delivery_log.as_deref(), &known, &failed))?;
        Ok(CallbackDispatcher { sender: Mutex::new(sender), failures, over })
    }

    /// The notifications of the run whose first delivery has failed, with those of earlier
    /// processes.
    pub(crate) fn failures(&self) -> Vec<CallbackFailure> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Queues a notification. Does not wait.
    pub(crate) fn send(&self, pending: PendingCallback) {
        self.hand(Message::PendingCallback(Box::new(pending)));
    }

    /// Calls `then` when everything before has been attempted.
    pub(crate) fn last(&self, then: Box<dyn FnOnce() + Send>) {
        // A run ends once.
        let _ = self.over.set(Instant::now());
        self.hand(Message::Last(then));
    }

    fn hand(&self, message: Message) {
        // The thread ends only after this is dropped, and no user code can make it panic.
        if let Err(mpsc::SendError(Message::Last(then))) =
            self.sender.lock().unwrap_or_else(PoisonError::into_inner).send(message)
        {
            then();
        }
    }
}

impl fmt::Debug for CallbackDispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallbackDispatcher")
    }
}

/// The attempts that the delivery log does not have yet, in their order.
#[derive(Default)]
struct Unnoted {
    attempts: Vec<DeliveryAttempt>,
    /// When to offer them to it again, if another process has locked the store.
    again: Option<Instant>,
}

impl Unnoted {
    /// Offers them to the log, unless it is too early. Returns `false` if they are lost.
    fn note(&mut self, delivery_log: Option<&dyn DeliveryLog>) -> bool {
        if self.attempts.is_empty() || self.again.is_some_and(|again| Instant::now() < again) {
            return true;
        }
        let recorded = delivery_log.map_or(Recorded::Stored, |delivery_log| delivery_log.record(&self.attempts));
        self.again = (recorded == Recorded::Later).then(|| Instant::now() + AGAIN);
        if recorded != Recorded::Later {
            self.attempts.clear();
        }
        recorded != Recorded::Never
    }
}

fn deliver_all(
    messages: &Receiver<Message>,
    delivery_log: Option<&dyn DeliveryLog>,
    over: &OnceLock<Instant>,
    failures: &Mutex<Vec<CallbackFailure>>,
) {
    let (mut late, mut unnoted): (Vec<PendingCallback>, Unnoted) = (Vec::new(), Unnoted::default());
    let (mut is_over, mut has_lost) = (false, false);
    loop {
        let mut last = None;
        let mut now: Vec<PendingCallback> = Vec::new();
        if !is_over {
            let first = match soonest(&late, &unnoted) {
                Some(wait) => messages.recv_timeout(wait),
                None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let mut next = match first {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => {
                    is_over = true;
                    None
                }
            };
            while let Some(message) = next.take() {
                match message {
                    Message::PendingCallback(pending) => now.push(*pending),
                    Message::Last(then) => {
                        last = Some(then);
                        break;
                    }
                }
                if now.len() < BATCH {
                    next = messages.try_recv().ok();
                }
            }
        } else if let Some(wait) = soonest(&late, &unnoted) {
            std::thread::sleep(wait);
        }
        let present = Timestamp::now();
        now.append(&mut late);
        let (due, rest): (Vec<PendingCallback>, Vec<PendingCallback>) =
            now.into_iter().partition(|pending| pending.is_due(present));
        late = rest;
        let (mut since, mut is_noted) = (Instant::now(), true);
        for mut pending in due {
            if !is_over && over.get().is_some_and(|over| over.elapsed() > LINGER) {
                late.push(pending);
                continue;
            }
            let attempt = pending.attempt();
            if let Some(failure) = failure_of(&attempt, delivery_log.is_some()) {
                let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                if failures.len() < FAILURES {
                    failures.push(failure);
                }
            }
            unnoted.attempts.push(attempt);
            if pending.due.is_some() && delivery_log.is_some() {
                late.push(pending);
            }
            if since.elapsed() > UNNOTED {
                is_noted &= unnoted.note(delivery_log);
                since = Instant::now();
            }
        }
        is_noted &= unnoted.note(delivery_log);
        if let Some(then) = last {
            then();
            is_over = true;
        }
        if !is_noted {
            // Whoever opens the journal next delivers what is missing.
            late.clear();
            has_lost = true;
        }
        if is_over && late.is_empty() && unnoted.attempts.is_empty() {
            if let Some(delivery_log) = delivery_log.filter(|_| !has_lost) {
                delivery_log.done();
            }
            return;
        }
    }
}

/// The failure of the first attempt of a delivery.
fn failure_of(attempt: &DeliveryAttempt, is_repeated: bool) -> Option<CallbackFailure> {
    let error = attempt.error.clone().filter(|_| attempt.attempts == 1)?;
    Some(CallbackFailure {
        callback: attempt.callback.clone(),
        notification: attempt.notification.clone(),
        error,
        retry_at: attempt.next.filter(|_| is_repeated),
    })
}

/// The time until the next attempt, or until the delivery log is asked again.
fn soonest(late: &[PendingCallback], unnoted: &Unnoted) -> Option<Duration> {
    let due = late.iter().filter_map(|pending| pending.due).min().map(|due| due.since(Timestamp::now()));
    let again = unnoted.again.map(|again| again.saturating_duration_since(Instant::now()));
    due.into_iter().chain(again).min()
}
