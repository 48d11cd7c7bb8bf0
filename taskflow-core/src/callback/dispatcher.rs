//! Telling callbacks what they are to be told.
//!
//! 1. A run whose graph has callbacks has a callback_dispatcher: a thread, which ends some time after the run. User code runs on it, and
//!    it may wait: neither the engine nor the run does.
//! 2. A notification is handed to it when the entry that it follows from is stored; in a run without a journal at once.
//! 3. It tells one callback after the other, in the order of the entries, and notes in the delivery_log of the journal what came of
//!    it. A process that dies in between tells the last ones again, and never leaves one out: who goes on with the run, or
//!    opens its home to run something else, finds what is noted missing.
//! 4. What fails is noted with its error and the time of the next try, which comes after 10 s, then 20 s, up to an hour. After
//!    a week it is given up. Without a journal there is one try.
//! 5. The last thing it is handed is the report of the run: whoever waits for that has it when everything was tried once, or a
//!    minute later. Further tries come after the report, as long as the process has the journal open.

use std::fmt;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::base::{Timestamp, catch};
use crate::log::Redactor;
use crate::task::{Backoff, Callback, Notification, RetryPolicy};

/// When what failed is tried again.
const TRIES: RetryPolicy = RetryPolicy {
    retries: u32::MAX,
    delay: Duration::from_secs(10),
    backoff: Backoff::Exponential { factor: 2.0 },
    max_delay: Duration::from_secs(60 * 60),
};

/// How long anybody tries.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How many are told before the delivery_log is written, and how long that may take.
const BATCH: usize = 64;
const UNNOTED: Duration = Duration::from_millis(500);

/// How long the report of a run waits for callbacks that are slow.
const LINGER: Duration = Duration::from_secs(60);

/// A notification that somebody is to be told.
pub(crate) struct PendingCallback {
    pub(crate) notification: Notification,
    callback: Callback,
    /// Tries so far, and when the next one is due.
    attempts: u32,
    due: Option<Timestamp>,
}

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeliveryAttempt {
    pub(crate) key: String,
    /// What the notification says, in one line.
    pub(crate) notification: String,
    /// Who was told, or was not.
    pub(crate) callback: String,
    pub(crate) at: Timestamp,
    /// How many tries there were.
    pub(crate) attempts: u32,
    /// Why it failed, if it did.
    pub(crate) error: Option<String>,
    /// When it is tried again; never, if it succeeded or is given up.
    pub(crate) next: Option<Timestamp>,
}

/// Where a journal keeps what callbacks were told.
pub(crate) trait DeliveryLog: Send + Sync {
    /// Notes what came of tries; `false` when that cannot be, because nobody has the journal open any more. Waits for the store.
    fn record(&self, tried: &[DeliveryAttempt]) -> bool;

    /// Everything there was to tell is told.
    fn done(&self);
}

impl PendingCallback {
    pub(crate) fn new(notification: Notification, callback: Callback) -> Self {
        PendingCallback { notification, callback, attempts: 0, due: None }
    }

    /// As it stands after tries that are noted.
    pub(crate) fn after(mut self, attempts: u32, due: Option<Timestamp>) -> Self {
        (self.attempts, self.due) = (attempts, due);
        self
    }

    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.due.is_none_or(|due| due <= now)
    }

    /// What the callback is called; both making it and asking it run user code.
    fn name(&self) -> String {
        catch(|| self.callback.notifier().name()).unwrap_or_else(|_| "?".to_owned())
    }

    /// Tells. What fails is said in the log of the process, too.
    pub(crate) fn deliver(&self) -> Result<(), String> {
        let told = catch(|| {
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
        let told = told.map_err(|failure| failure.to_string()).and_then(std::convert::identity);
        told.map_err(|mut error| {
            Redactor::current().message(&mut error);
            let callback = self.name();
            tracing::warn!(target: "taskflow", "the callback `{callback}` was not told that {}: {error}", self.notification);
            error
        })
    }

    /// What is to be noted when somebody else has told it.
    #[cfg(feature = "testing")]
    pub(crate) fn as_told(&self, at: Timestamp) -> DeliveryAttempt {
        DeliveryAttempt {
            key: self.notification.key.clone(),
            notification: self.notification.to_string(),
            callback: self.name(),
            at,
            attempts: self.attempts.saturating_add(1),
            error: None,
            next: None,
        }
    }

    /// Tells, and says what is to be noted.
    pub(crate) fn attempt(&mut self) -> DeliveryAttempt {
        let told = self.deliver();
        let at = Timestamp::now();
        self.attempts = self.attempts.saturating_add(1);
        let seed = self.notification.at.as_nanos().cast_unsigned();
        let next = at + TRIES.delay_after(self.attempts, seed);
        self.due = (told.is_err() && next.since(self.notification.at) < PATIENCE).then_some(next);
        let mut notification = self.notification.to_string();
        Redactor::current().message(&mut notification);
        DeliveryAttempt {
            key: self.notification.key.clone(),
            notification,
            callback: self.name(),
            at,
            attempts: self.attempts,
            error: told.err(),
            next: self.due,
        }
    }
}

impl fmt::Debug for PendingCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PendingCallback({})", self.notification.key)
    }
}

enum Parcel {
    PendingCallback(Box<PendingCallback>),
    Last(Box<dyn FnOnce() + Send>),
}

/// The way to the thread that tells.
pub(crate) struct CallbackDispatcher {
    sender: Mutex<Sender<Parcel>>,
    /// Since when somebody waits for the report of the run.
    over: Arc<OnceLock<Instant>>,
}

impl CallbackDispatcher {
    /// Starts the thread.
    pub(crate) fn start(delivery_log: Option<Arc<dyn DeliveryLog>>) -> std::io::Result<Self> {
        let (sender, parcels) = mpsc::channel();
        let over = Arc::new(OnceLock::new());
        let known = Arc::clone(&over);
        let thread = std::thread::Builder::new().name("taskflow-notifications".to_owned());
        thread.spawn(move || carry(&parcels, delivery_log.as_deref(), &known))?;
        Ok(CallbackDispatcher { sender: Mutex::new(sender), over })
    }

    /// Something is to be told. Does not wait.
    pub(crate) fn send(&self, pending: PendingCallback) {
        self.hand(Parcel::PendingCallback(Box::new(pending)));
    }

    /// To be done when everything before was tried.
    pub(crate) fn last(&self, then: Box<dyn FnOnce() + Send>) {
        // It is over once.
        let _ = self.over.set(Instant::now());
        self.hand(Parcel::Last(then));
    }

    fn hand(&self, parcel: Parcel) {
        // The thread ends only after this is gone, and no user code can make it panic.
        if let Err(mpsc::SendError(Parcel::Last(then))) =
            self.sender.lock().unwrap_or_else(PoisonError::into_inner).send(parcel)
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

fn carry(parcels: &Receiver<Parcel>, delivery_log: Option<&dyn DeliveryLog>, over: &OnceLock<Instant>) {
    let mut late: Vec<PendingCallback> = Vec::new();
    let mut is_over = false;
    loop {
        let mut last = None;
        let mut now: Vec<PendingCallback> = Vec::new();
        if !is_over {
            let first = match soonest(&late) {
                Some(wait) => parcels.recv_timeout(wait),
                None => parcels.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let mut next = match first {
                Ok(parcel) => Some(parcel),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => {
                    is_over = true;
                    None
                }
            };
            while let Some(parcel) = next.take() {
                match parcel {
                    Parcel::PendingCallback(pending) => now.push(*pending),
                    Parcel::Last(then) => {
                        last = Some(then);
                        break;
                    }
                }
                if now.len() < BATCH {
                    next = parcels.try_recv().ok();
                }
            }
        } else if let Some(wait) = soonest(&late) {
            std::thread::sleep(wait);
        }
        let present = Timestamp::now();
        now.append(&mut late);
        let (due, rest): (Vec<PendingCallback>, Vec<PendingCallback>) =
            now.into_iter().partition(|pending| pending.is_due(present));
        late = rest;
        let note = |tried: &mut Vec<DeliveryAttempt>| {
            let tried = std::mem::take(tried);
            tried.is_empty() || delivery_log.is_none_or(|delivery_log| delivery_log.record(&tried))
        };
        let (mut tried, mut since, mut is_noted) = (Vec::new(), Instant::now(), true);
        for mut pending in due {
            if !is_over && over.get().is_some_and(|over| over.elapsed() > LINGER) {
                late.push(pending);
                continue;
            }
            tried.push(pending.attempt());
            if pending.due.is_some() && delivery_log.is_some() {
                late.push(pending);
            }
            if since.elapsed() > UNNOTED {
                is_noted &= note(&mut tried);
                since = Instant::now();
            }
        }
        is_noted &= note(&mut tried);
        if let Some(then) = last {
            then();
            is_over = true;
        }
        if !is_noted {
            // Whoever opens the journal next knows what is missing.
            late.clear();
        }
        if is_over && late.is_empty() {
            if let Some(delivery_log) = delivery_log.filter(|_| is_noted) {
                delivery_log.done();
            }
            return;
        }
    }
}

/// How long the next try is away.
fn soonest(late: &[PendingCallback]) -> Option<Duration> {
    let due = late.iter().filter_map(|pending| pending.due).min()?;
    Some(due.since(Timestamp::now()))
}
