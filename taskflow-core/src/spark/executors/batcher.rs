//! Batches attempts into jobs and distributes the answers.
//!
//! 1. The driver starts at once; attempts that arrive meanwhile wait.
//! 2. An attempt waits for others until none has arrived for a short time, or the first has waited
//!    for a long time ([`patience`]), or there are [`MANY`]. Both times are longer while jobs are
//!    running, because the cluster is busy. While [`AT_ONCE`] jobs are running, it waits for one of
//!    them to end. All waiting attempts then become one job.
//! 3. An answer is sent to its attempt by job and number, and the attempt is removed from the job:
//!    a second answer is discarded. Attempts without an answer at the end of the job fail.
//! 4. When an attempt stops waiting, jobs that no attempt waits for are cancelled.
//! 5. The batcher closes when the session drops its end of the channel, or when the driver is lost.
//!    All waiting attempts then fail.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::answer::{AttemptAnswer, Block};
use super::driver::{Driver, Event};
use super::place::Executors;
use crate::base::Failure;
use crate::config::Config;
use crate::run::RunInfo;

/// How long to wait for another attempt, and how long the first one waits for others, with so many
/// running jobs.
///
/// A job costs some tenths of a second, so it is worth waiting for the remaining elements of a
/// list. While jobs are running there is time for that: a list that arrives more slowly than it is
/// processed becomes a few jobs instead of a hundred.
fn patience(running: usize) -> (Duration, Duration) {
    let quiet = [5, 50, 200, 500];
    let longest = [1, 2, 4, 8];
    let at = running.min(3);
    (Duration::from_millis(quiet[at]), Duration::from_secs(longest[at]))
}

/// The most attempts in a job, and the most bytes.
const MANY: (usize, usize) = (1_000_000, 256 << 20);
const AT_ONCE: usize = 16;

/// An attempt that waits for its answer.
pub(super) struct Ask {
    /// The request, in the format that a worker reads.
    pub(super) request: Vec<u8>,
    pub(super) reply: oneshot::Sender<Result<AttemptAnswer, Failure>>,
}

/// The state of the batcher.
pub(super) struct Batcher {
    pub(super) of: &'static Executors,
    pub(super) run: Arc<RunInfo>,
    pub(super) config: Option<Config>,
    pub(super) abandoned: Arc<Notify>,
}

/// A running job, with the receivers of its answers.
struct Job {
    /// By number; `None` if the answer has arrived.
    waiting: Vec<Option<oneshot::Sender<Result<AttemptAnswer, Failure>>>>,
    cancelled: bool,
}

/// The attempts that will become the next job.
#[derive(Default)]
struct Pending {
    asks: Vec<Ask>,
    bytes: usize,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Pending {
    fn push(&mut self, ask: Ask) {
        let now = Instant::now();
        self.bytes += ask.request.len();
        self.first.get_or_insert(now);
        self.last = Some(now);
        self.asks.push(ask);
    }

    /// When they become a job, unless others arrive.
    fn due(&self, running: usize) -> Option<Instant> {
        let (quiet, longest) = patience(running);
        let (first, last) = (self.first?, self.last?);
        let is_full = self.asks.len() >= MANY.0 || self.bytes >= MANY.1;
        Some(if is_full { first } else { (last + quiet).min(first + longest) })
    }
}

/// Serves the attempts of a session.
pub(super) async fn serve(batcher: Batcher, mut asks: mpsc::UnboundedReceiver<Ask>) {
    let mut pending = Pending::default();
    let started = {
        let mut starting = std::pin::pin!(Driver::start(batcher.of, &batcher.run, batcher.config.as_ref()));
        loop {
            tokio::select! {
                started = &mut starting => break started,
                ask = asks.recv() => match ask {
                    Some(ask) => pending.push(ask),
                    // The session is closed.
                    None => return,
                },
            }
        }
    };
    match started {
        Ok(driver) => {
            let mut work = Work { batcher, driver, pending, jobs: HashMap::new(), next: 1 };
            match work.run(&mut asks).await {
                Some(failure) => work.fail_all(&mut asks, &failure),
                None => work.driver.end().await,
            }
        }
        Err(failure) => fail(pending.asks, &mut asks, &failure),
    }
}

/// Fails all waiting attempts and those that arrive later.
fn fail(pending: Vec<Ask>, asks: &mut mpsc::UnboundedReceiver<Ask>, failure: &Failure) {
    asks.close();
    let late = std::iter::from_fn(|| asks.try_recv().ok());
    for ask in pending.into_iter().chain(late) {
        let _ = ask.reply.send(Err(failure.clone()));
    }
}

struct Work {
    batcher: Batcher,
    driver: Driver,
    pending: Pending,
    jobs: HashMap<u64, Job>,
    next: u64,
}

impl Work {
    /// Runs until the session closes, or returns a failure when the driver is lost.
    async fn run(&mut self, asks: &mut mpsc::UnboundedReceiver<Ask>) -> Option<Failure> {
        let abandoned = Arc::clone(&self.batcher.abandoned);
        loop {
            let due = self.pending.due(self.jobs.len()).filter(|_| self.jobs.len() < AT_ONCE);
            tokio::select! {
                event = self.driver.events.recv() => match event {
                    Some(event) => self.handle(event),
                    None => return Some(self.driver.lost()),
                },
                ask = asks.recv() => self.pending.push(ask?),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.submit().await,
                () = abandoned.notified() => self.cancel_abandoned().await,
            }
        }
    }

    async fn submit(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        let awaited = pending.asks.into_iter().filter(|ask| !ask.reply.is_closed());
        let (requests, replies): (Vec<_>, Vec<_>) = awaited.map(|ask| (ask.request, ask.reply)).unzip();
        if requests.is_empty() {
            return;
        }
        let (job, attempts) = (self.next, requests.len());
        self.next += 1;
        tracing::debug!(target: "taskflow::spark", "job {job} has {attempts} attempts");
        let waiting = replies.into_iter().map(Some).collect();
        self.jobs.insert(job, Job { waiting, cancelled: false });
        self.driver.submit(job, &requests, self.batcher.of.partitions).await;
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Answers { job, blocks } => {
                let Some(job) = self.jobs.get_mut(&job) else { return };
                for (number, answer) in blocks.into_iter().flat_map(Block::answers) {
                    if let Some(reply) = job.waiting.get_mut(number).and_then(Option::take) {
                        let _ = reply.send(Ok(answer));
                    }
                }
            }
            Event::Done { job: number, answers } => {
                let Some(job) = self.jobs.remove(&number) else { return };
                let attempts = job.waiting.len();
                job.fail(|missing| {
                    let what = format!("Spark has lost the answers of {missing} attempts");
                    let counted = format!("job {number} has {attempts} attempts, but only {answers} answers");
                    vec![what, counted]
                });
            }
            Event::Failed { job: number, reason } => {
                let Some(job) = self.jobs.remove(&number) else { return };
                job.fail(|_| {
                    let mut chain = vec!["the Spark job of the attempt failed".to_owned(), reason.clone()];
                    if reason.contains("did not start") {
                        let help = "is the program built for the machines of the cluster? A build for musl runs on any Linux: \
                                    `Executors::binary`";
                        chain.push(help.to_owned());
                    }
                    chain
                });
            }
            // Sent only before the first job.
            Event::Ready { .. } | Event::Unready(_) => {}
        }
    }

    /// Cancels jobs whose attempts have all stopped waiting.
    async fn cancel_abandoned(&mut self) {
        let abandoned = self.jobs.iter_mut().filter(|(_, job)| !job.cancelled && job.is_abandoned());
        let abandoned: Vec<u64> = abandoned
            .map(|(number, job)| {
                job.cancelled = true;
                *number
            })
            .collect();
        for job in abandoned {
            tracing::debug!(target: "taskflow::spark", "job {job} is cancelled");
            self.driver.cancel(job).await;
        }
    }

    /// Fails everything after the driver is lost.
    fn fail_all(self, asks: &mut mpsc::UnboundedReceiver<Ask>, failure: &Failure) {
        for job in self.jobs.into_values() {
            job.waiting.into_iter().flatten().for_each(|reply| drop(reply.send(Err(failure.clone()))));
        }
        fail(self.pending.asks, asks, failure);
    }
}

impl Job {
    /// Whether all remaining receivers have stopped waiting.
    fn is_abandoned(&self) -> bool {
        let mut open = self.waiting.iter().flatten().peekable();
        open.peek().is_some() && open.all(oneshot::Sender::is_closed)
    }

    /// Fails the attempts without an answer; `chain` receives their number.
    fn fail(self, chain: impl Fn(usize) -> Vec<String>) {
        let open: Vec<_> = self.waiting.into_iter().flatten().collect();
        let missing = open.len();
        for reply in open {
            let _ = reply.send(Err(Failure::Error { chain: chain(missing), retryable: true }));
        }
    }
}
