//! Shows what tasks log immediately: `--logs`.
//!
//! Reads the log files of running attempts several times a second. A file is closed shortly after
//! its attempt has ended; at the end of the run everything is in the files, and they are read once
//! more.

use std::time::Duration;

use super::super::terminal::Paint;
use super::super::{format, record};
use crate::base::Timestamp;
use crate::engine::ChangedTask;
use crate::log::{Follow, LogFiles, LogRecord, LogSink};
use crate::run::{TaskIndex, TaskState};

/// How long after its end an attempt is still followed: its last records are written a little
/// later.
const LINGER: Duration = Duration::from_secs(1);

/// Follows the logs.
#[derive(Debug)]
pub(in crate::cli) struct Echo {
    sink: LogSink,
    files: LogFiles,
    run: String,
    /// Records of earlier processes are not shown.
    since: Timestamp,
    /// For each task: how many of its attempts were followed so far.
    seen: Vec<u32>,
    open: Vec<Open>,
    paint: Paint,
}

#[derive(Debug)]
struct Open {
    task: TaskIndex,
    /// Its id and label.
    id: String,
    attempt: u32,
    follow: Follow,
    ended: Option<Timestamp>,
}

impl Echo {
    pub(in crate::cli) fn new(sink: &LogSink, run: &str, paint: Paint) -> Self {
        Echo {
            sink: sink.clone(),
            files: LogFiles::new(sink.root()),
            run: run.to_owned(),
            since: Timestamp::now(),
            seen: Vec::new(),
            open: Vec::new(),
            paint,
        }
    }

    /// Registers which attempts have started or ended.
    pub(super) fn apply(&mut self, changed: &[ChangedTask], now: Timestamp) {
        for task in changed {
            let view = &task.view;
            let Some(number) = view.number else { continue };
            let has_ended = |attempt: u32| attempt < view.attempt || view.state != TaskState::Running;
            let open = self.open.iter_mut().filter(|open| open.task == number && open.ended.is_none());
            open.filter(|open| has_ended(open.attempt)).for_each(|open| open.ended = Some(now));
            let place = number.as_usize();
            if self.seen.len() <= place {
                self.seen.resize(place + 1, 0);
            }
            let seen = &mut self.seen[place];
            let fresh = *seen + 1..=view.attempt;
            if fresh.is_empty() {
                continue;
            }
            *seen = *fresh.end();
            if view.ended.is_some_and(|ended| ended < self.since) {
                continue;
            }
            for attempt in fresh {
                let follow = self.files.follow(&self.run, &view.id, attempt);
                let ended = has_ended(attempt).then_some(now);
                let id = format::task(&view.id, view.label.as_deref());
                self.open.push(Open { task: number, id, attempt, follow, ended });
            }
        }
    }

    /// The new lines, oldest first.
    pub(super) fn new_lines(&mut self, now: Timestamp) -> Vec<String> {
        let mut new_lines: Vec<(Timestamp, String)> = Vec::new();
        for open in &mut self.open {
            // What cannot be read now can be read next time, or with `logs`.
            let records = open.follow.poll().unwrap_or_default();
            let fresh = records.iter().filter(|record: &&LogRecord| record.at >= self.since);
            new_lines.extend(fresh.map(|fresh| (fresh.at, record::line(&open.id, open.attempt, fresh, self.paint))));
        }
        self.open.retain(|open| open.ended.is_none_or(|ended| now.since(ended) < LINGER));
        new_lines.sort_by_key(|&(at, _)| at);
        new_lines.into_iter().map(|(_, line)| line).collect()
    }

    /// The remaining lines, once the run has ended.
    pub(super) fn rest(mut self, changed: &[ChangedTask]) -> Vec<String> {
        self.sink.flush();
        let now = Timestamp::now();
        self.apply(changed, now);
        self.new_lines(now)
    }
}
