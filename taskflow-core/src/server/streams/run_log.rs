//! The log of a run: the records of all its attempts, from the place that the client names, and
//! then as they are written.
//!
//! 1. The journal says which attempts there are. An attempt is known by the number of the entry
//!    that began it, which never changes.
//! 2. At most [`OPEN`] logs are read at once, those that began first. Each is polled at a pace of
//!    its own: a tenth of a second apart while it grows, up to one second otherwise.
//! 3. A log is over when its attempt has ended, and a poll a second later finds nothing more: what
//!    an attempt leaves behind may log a little longer. Then it makes room for the next one.
//! 4. An event has the records of a moment, in the order of time, as lines of JSON. Its place names
//!    the last entry whose attempts were looked at, and of each open log how much was sent. Whoever
//!    was not sent the whole event has not got any of it, so nothing is missed and nothing is sent
//!    twice, whatever the attempts have written meanwhile.
//! 5. The stream ends when no process runs the run, and no log is open: the end of a run is in the
//!    journal, and each log ends with its attempt or with the run.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::feed::Changed;
use super::source::{Batch, Source};
use super::topics::Fact;
use crate::base::Timestamp;
use crate::journal::{JournalError, RunFollower, word_of};
use crate::log::{Follow, Followed, LogLevel, LogLine, LogName, LogPosition, LogRecord, LogStore, follow_log};
use crate::server::ServerState;
use crate::server::json;
use crate::server::problem::Problem;

/// The most logs that are read at once. Their places fit into a header.
const OPEN: usize = 200;
/// The pause between polls of a log.
const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(1);
/// How long after the end of an attempt its log may still grow.
const GRACE: Duration = Duration::from_secs(1);
/// How often a run is looked at that nobody writes.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many records an event has.
const AT_ONCE: usize = 500;

/// Which records a stream has.
#[derive(Clone, Debug)]
pub(in crate::server) struct Wanted {
    pub(in crate::server) task: Option<String>,
    pub(in crate::server) attempt: Option<u32>,
    /// Those of this level and above.
    pub(in crate::server) level: LogLevel,
}

/// A place in the log of a run: `17,3:2.1048,9:0`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::server) struct RunLogPlace {
    /// The last entry of the journal that was looked at.
    entry: u64,
    /// The entries that began the attempts whose logs are not over, with the place in each log.
    open: Vec<(u64, LogPosition)>,
}

impl fmt::Display for RunLogPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.entry)?;
        self.open.iter().try_for_each(|(entry, place)| write!(f, ",{entry}:{place}"))
    }
}

/// A text is not a place in the log of a run.
#[derive(Debug)]
pub(in crate::server) struct NotAPlace;

impl From<ParseIntError> for NotAPlace {
    fn from(_: ParseIntError) -> Self {
        NotAPlace
    }
}

impl FromStr for RunLogPlace {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let mut parts = text.split(',');
        let entry = parts.next().unwrap_or_default().parse()?;
        let mut open = Vec::new();
        for part in parts {
            let (began, place) = part.split_once(':').ok_or(NotAPlace)?;
            open.push((began.parse()?, place.parse()?));
            if open.len() > OPEN {
                return Err(NotAPlace);
            }
        }
        Ok(RunLogPlace { entry, open })
    }
}

/// The place in the log of a run that a client names.
pub(in crate::server) fn place_in_run_log(text: &str) -> Result<RunLogPlace, Problem> {
    if text.is_empty() {
        return Ok(RunLogPlace::default());
    }
    let wrong = |NotAPlace| {
        let problem = Problem::bad_request(format!("`{text}` is not a place in the log of a run")).at("after");
        problem.next("leave it out for the whole log")
    };
    text.parse().map_err(wrong)
}

/// The log of a run, while the run is followed.
pub(in crate::server) struct RunLog {
    logs: Arc<dyn LogStore>,
    run: RunFollower,
    changed: Changed,
    number: i64,
    wanted: Wanted,
    /// Where the client was.
    from: RunLogPlace,
    /// The last attempt of each task that has begun.
    last: HashMap<String, u32>,
    /// Attempts that have begun, whose logs are yet to be opened.
    begun: VecDeque<Begun>,
    open: Vec<Open>,
    /// What was read and is yet to be sent, in the order in which it is sent.
    read: VecDeque<Read>,
    /// When the run was looked at.
    looked: Option<Instant>,
    is_over: bool,
}

/// An attempt that has begun.
struct Begun {
    entry: u64,
    task: String,
    attempt: u32,
    after: LogPosition,
}

/// A log that is read.
struct Open {
    entry: u64,
    name: LogName,
    follow: Follow,
    /// The place up to which it was sent.
    sent: LogPosition,
    /// When it is polled next, and the pause after that.
    due: Instant,
    pause: Duration,
    /// From when on a poll that finds nothing is the last one.
    over_at: Option<Instant>,
}

/// A record of the open log that began with this entry.
struct Read {
    entry: u64,
    at: Timestamp,
    place: LogPosition,
    record: LogRecord,
}

impl RunLog {
    /// Looks at what has happened in the run.
    ///
    /// Cancel safe.
    async fn look(&mut self) -> Result<(), JournalError> {
        loop {
            let changes = self.run.refresh_in_parts().await?;
            for change in &changes {
                for task in &change.tasks {
                    self.note(change.entry, &task.id, task.attempt);
                }
            }
            if !self.run.is_behind() {
                break;
            }
        }
        self.looked = Some(Instant::now());
        self.open_next();
        let RunLog { open, run, .. } = self;
        let history = run.history();
        for log in open.iter_mut().filter(|log| log.over_at.is_none()) {
            let task = history.task(&log.name.task);
            let attempt = task.and_then(|task| task.attempts.iter().find(|known| known.number == log.name.attempt));
            let ended = match attempt.and_then(|attempt| attempt.ended) {
                Some(ended) => Timestamp::now().since(ended),
                None if history.state.is_active() => continue,
                None => Duration::ZERO,
            };
            let over_at = Instant::now() + GRACE.saturating_sub(ended);
            (log.over_at, log.due) = (Some(over_at), log.due.min(over_at));
        }
        Ok(())
    }

    /// Notes the attempt that a task has had at an entry.
    fn note(&mut self, entry: u64, task: &str, attempt: u32) {
        if attempt == 0 || self.wanted.task.as_ref().is_some_and(|wanted| wanted != task) {
            return;
        }
        match self.last.get_mut(task) {
            Some(last) if *last >= attempt => return,
            Some(last) => *last = attempt,
            None => drop(self.last.insert(task.to_owned(), attempt)),
        }
        if self.wanted.attempt.is_some_and(|wanted| wanted != attempt) {
            return;
        }
        let known = self.from.open.iter().find(|(known, _)| *known == entry);
        let after = match known {
            Some(&(_, place)) => place,
            // Its log was over when the client was sent the event of its place.
            None if entry <= self.from.entry => return,
            None => LogPosition::default(),
        };
        self.begun.push_back(Begun { entry, task: task.to_owned(), attempt, after });
    }

    /// Opens the logs of further attempts, as long as there is room.
    fn open_next(&mut self) {
        while self.open.len() < OPEN
            && let Some(Begun { entry, task, attempt, after }) = self.begun.pop_front()
        {
            let name = LogName { run: self.run.history().info.run_id.clone(), task, attempt };
            let follow = follow_log(&self.logs, name.clone()).after(after);
            let (due, pause) = (Instant::now(), SHORT);
            self.open.push(Open { entry, name, follow, sent: after, due, pause, over_at: None });
        }
    }

    /// Reads what was appended to the logs that are due. `None` if the server ends.
    ///
    /// Cancel safe: a poll that is dropped reads again from the same places.
    async fn poll(&mut self) -> Option<()> {
        let began = Instant::now();
        let due: Vec<(u64, Follow)> =
            self.open.iter().filter(|log| log.due <= began).map(|log| (log.entry, log.follow.clone())).collect();
        if due.is_empty() {
            return Some(());
        }
        let polled = tokio::task::spawn_blocking(move || {
            due.into_iter().map(|(entry, mut follow)| (entry, follow.poll_places(), follow)).collect::<Vec<_>>()
        });
        let mut read = Vec::new();
        for (entry, found, follow) in polled.await.ok()? {
            let found = found.unwrap_or_else(|error| {
                tracing::warn!("a log of run {} cannot be read: {error}", self.number);
                Vec::new()
            });
            let Some(place) = self.open.iter().position(|log| log.entry == entry) else { continue };
            let log = &mut self.open[place];
            let is_over = log.over_at.is_some_and(|at| at <= began);
            if found.is_empty() && is_over {
                self.open.remove(place);
                continue;
            }
            log.follow = follow;
            let is_quiet = found.is_empty() && log.over_at.is_none();
            log.pause = if is_quiet { (log.pause * 2).min(LONG) } else { SHORT };
            log.due = if is_over { began } else { Instant::now() + log.pause };
            let mut last = Timestamp::EPOCH;
            for followed in found {
                if let Followed::Record(record, place) = followed {
                    // Those of an attempt keep their order, also if its clock was set back.
                    last = last.max(record.at);
                    read.push(Read { entry, at: last, place, record });
                }
            }
        }
        read.sort_by_key(|read| read.at);
        self.read = read.into();
        self.open_next();
        Some(())
    }

    /// The next records that were read, as an event. There is none if all are left out.
    fn event(&mut self) -> Batch {
        let (mut batch, mut lines) = (Batch::default(), Vec::new());
        for Read { entry, place, record, .. } in self.read.drain(..self.read.len().min(AT_ONCE)) {
            let Some(log) = self.open.iter_mut().find(|log| log.entry == entry) else { continue };
            log.sent = place;
            if record.level >= self.wanted.level {
                let line = LogLine { task: &log.name.task, attempt: log.name.attempt, record: &record };
                lines.push(json::line(&line));
            }
        }
        if !lines.is_empty() {
            batch.event(self.place(), &lines.join("\n"));
        }
        batch
    }

    /// The place after what was sent.
    fn place(&self) -> RunLogPlace {
        let entry = self.begun.front().map_or_else(|| self.run.position(), |begun| begun.entry - 1);
        RunLogPlace { entry, open: self.open.iter().map(|log| (log.entry, log.sent)).collect() }
    }
}

impl Source for RunLog {
    async fn next(&mut self) -> Option<Batch> {
        loop {
            while !self.read.is_empty() {
                let batch = self.event();
                if !batch.is_empty() {
                    return Some(batch);
                }
            }
            if self.is_over {
                return None;
            }
            let wait =
                self.looked.map_or(Duration::ZERO, |at| (at + PATIENCE).saturating_duration_since(Instant::now()));
            let number = self.number;
            let due = self.open.iter().map(|log| log.due).min();
            let must_look = tokio::select! {
                () = self.changed.wait(|fact| matches!(fact, Fact::Run { run, .. } if *run == number), wait) => true,
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => false,
            };
            if must_look && let Err(error) = self.look().await {
                tracing::warn!("the stream of the log of run {} ends: {error}", self.number);
                return None;
            }
            self.poll().await?;
            let state = self.run.history().state;
            if self.read.is_empty() && self.open.is_empty() && self.begun.is_empty() && !state.is_active() {
                self.is_over = true;
                let mut batch = Batch::default();
                batch.named_at("end", self.place(), &serde_json::json!({ "state": state }).to_string());
                return Some(batch);
            }
        }
    }
}

impl ServerState {
    /// The log of a run, which exists, after a place.
    pub(in crate::server) async fn follow_run_log(
        &self,
        number: i64,
        after: RunLogPlace,
        wanted: Wanted,
    ) -> Result<RunLog, Problem> {
        let changed = Changed::of(&self.streams.feed, Some(number));
        Ok(RunLog {
            logs: self.logs(),
            run: self.journal.follow(&word_of(number), 0).await?,
            changed,
            number,
            wanted,
            from: after,
            last: HashMap::new(),
            begun: VecDeque::new(),
            open: Vec::new(),
            read: VecDeque::new(),
            looked: None,
            is_over: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_back() {
        for text in ["0", "17", "17,3:2.1048,9:0"] {
            assert_eq!(text.parse::<RunLogPlace>().unwrap().to_string(), text);
        }
        let endless = format!("1{}", ",1:1".repeat(OPEN + 1));
        for wrong in ["", "x", "1,", "1,2", "1,2:", "1,:3", "1,2:3:4", "-1", &endless] {
            assert!(wrong.parse::<RunLogPlace>().is_err(), "{wrong}");
        }
    }
}
