//! The log of an attempt: its records, from the place that the client names, and then as they are
//! written.
//!
//! 1. A poll reads what was appended, on a thread that may block. While the task logs, polls are a
//!    tenth of a second apart; otherwise up to one second.
//! 2. The writer of logs writes within 200 ms, and what an attempt leaves behind may log a little
//!    longer. So the log has ended when the attempt has, and nothing came for a second after.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::source::{Batch, Source};
use crate::base::Timestamp;
use crate::journal::{RunFollower, word_of};
use crate::log::{Follow, Followed, LogLevel, LogLine, LogName, LogPosition, LogRecord, LogStore, follow_log};
use crate::server::ServerState;
use crate::server::json;
use crate::server::problem::Problem;

/// The pause between polls.
const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(1);
/// How long after the end of an attempt its log may still grow.
const GRACE: Duration = Duration::from_secs(1);
/// How many records a batch has.
const AT_ONCE: usize = 500;

/// Writes records as events.
pub(in crate::server) trait Lines: Send + 'static {
    fn records(&mut self, batch: &mut Batch, records: Vec<(LogRecord, LogPosition)>);
}

/// The log of an attempt, while the run is followed.
pub(in crate::server) struct LogStream<L> {
    follow: Option<Follow>,
    run: RunFollower,
    name: LogName,
    lines: L,
    /// What was read and is yet to be sent.
    read: std::vec::IntoIter<Followed>,
    pause: Duration,
    /// When the run was looked at, and the end of the time that the attempt has after its end.
    looked: Option<Instant>,
    over_at: Option<Instant>,
    is_over: bool,
}

impl<L: Lines> LogStream<L> {
    /// The log after a place.
    pub(in crate::server) fn new(
        logs: &Arc<dyn LogStore>,
        name: LogName,
        after: LogPosition,
        run: RunFollower,
        lines: L,
    ) -> Self {
        let follow = Some(follow_log(logs, name.clone()).after(after));
        let (read, pause) = (Vec::new().into_iter(), SHORT);
        LogStream { follow, run, name, lines, read, pause, looked: None, over_at: None, is_over: false }
    }

    /// Reads what was appended. Not cancel safe.
    async fn poll(mut follow: Follow) -> (Follow, std::io::Result<Vec<Followed>>) {
        let polled = tokio::task::spawn_blocking(move || {
            let read = follow.poll_places();
            (follow, read)
        });
        match polled.await {
            Ok(polled) => polled,
            // It has panicked, or the server has ended.
            Err(_) => std::future::pending().await,
        }
    }

    /// How long ago the attempt has ended, if it has.
    async fn ended_ago(&mut self) -> Option<Duration> {
        if self.run.refresh().await.is_err() {
            return Some(Duration::ZERO);
        }
        let history = self.run.history();
        let task = history.task(&self.name.task);
        let attempt = task.and_then(|task| task.attempts.iter().find(|known| known.number == self.name.attempt));
        match attempt.and_then(|attempt| attempt.ended) {
            Some(ended) => Some(Timestamp::now().since(ended)),
            None if history.state.is_active() => None,
            None => Some(Duration::ZERO),
        }
    }
}

impl<L: Lines> Source for LogStream<L> {
    async fn next(&mut self) -> Option<Batch> {
        loop {
            let mut batch = Batch::default();
            let (mut records, mut is_cut) = (Vec::new(), false);
            while records.len() < AT_ONCE
                && let Some(followed) = self.read.next()
            {
                match followed {
                    Followed::Record(record, place) => records.push((record, place)),
                    Followed::Truncated if records.is_empty() => is_cut = true,
                    Followed::Truncated => {
                        let rest: Vec<_> = std::iter::once(Followed::Truncated).chain(self.read.by_ref()).collect();
                        self.read = rest.into_iter();
                        break;
                    }
                }
            }
            if is_cut {
                batch.named("truncated", "{}");
            }
            if !records.is_empty() {
                self.lines.records(&mut batch, records);
            }
            if !batch.is_empty() {
                return Some(batch);
            }
            if self.is_over {
                return None;
            }
            // A poll that is dropped reads again from the same place.
            let follow = self.follow.clone()?;
            let (follow, read) = Self::poll(follow).await;
            self.follow = Some(follow);
            match read {
                Ok(read) if !read.is_empty() => {
                    (self.read, self.pause) = (read.into_iter(), SHORT);
                    continue;
                }
                Ok(_) => {}
                Err(error) => tracing::warn!("a log cannot be read: {error}"),
            }
            if self.over_at.is_some_and(|at| at <= Instant::now()) {
                self.is_over = true;
                batch.named("end", "{}");
                return Some(batch);
            }
            if self.over_at.is_none() && self.looked.is_none_or(|at| at.elapsed() >= LONG) {
                let ago = self.ended_ago().await;
                self.looked = Some(Instant::now());
                self.over_at = ago.map(|ago| Instant::now() + GRACE.saturating_sub(ago));
                if ago.is_some() {
                    continue;
                }
            }
            tokio::time::sleep(self.pause).await;
            self.pause = if self.over_at.is_some() { SHORT } else { (self.pause * 2).min(LONG) };
        }
    }
}

/// Records as JSON, one an event.
pub(in crate::server) struct JsonLines {
    pub(in crate::server) task: String,
    pub(in crate::server) attempt: u32,
    /// Those of this level and above.
    pub(in crate::server) level: LogLevel,
}

impl Lines for JsonLines {
    fn records(&mut self, batch: &mut Batch, records: Vec<(LogRecord, LogPosition)>) {
        for (record, place) in records.iter().filter(|(record, _)| record.level >= self.level) {
            let line = LogLine { task: &self.task, attempt: self.attempt, record };
            batch.event(place, &json::line(&line));
        }
    }
}

/// Records as the lines of a page: those of a batch are one event.
pub(in crate::server) struct HtmlLines<F>(pub(in crate::server) F);

impl<F: FnMut(Vec<LogRecord>) -> String + Send + 'static> Lines for HtmlLines<F> {
    fn records(&mut self, batch: &mut Batch, records: Vec<(LogRecord, LogPosition)>) {
        let Some(&(_, place)) = records.last() else { return };
        batch.event(place, &(self.0)(records.into_iter().map(|(record, _)| record).collect()));
    }
}

/// A place that a client names.
pub(in crate::server) fn place_in_log(text: &str) -> Result<LogPosition, Problem> {
    if text.is_empty() {
        return Ok(LogPosition::default());
    }
    let wrong = |_| {
        let problem = Problem::bad_request(format!("`{text}` is not a place in a log")).at("after");
        problem.next("leave it out for the whole log")
    };
    text.parse().map_err(wrong)
}

impl ServerState {
    /// Where the logs are.
    pub(in crate::server) fn logs(&self) -> Arc<dyn LogStore> {
        match self.journal.logs() {
            Some(logs) => logs,
            None => Arc::new(self.home.logs()),
        }
    }

    /// The log of an attempt of the run with this number, which exists, after a place.
    pub(in crate::server) async fn follow_log<L: Lines>(
        &self,
        number: i64,
        name: LogName,
        after: LogPosition,
        lines: L,
    ) -> Result<LogStream<L>, Problem> {
        // Only the state of the attempt is of interest.
        let run = self.journal.follow(&word_of(number), u64::MAX).await?;
        Ok(LogStream::new(&self.logs(), name, after, run, lines))
    }
}
