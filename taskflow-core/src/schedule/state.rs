//! What is stored of a schedule.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::decision::FailedRun;
use super::policy::{Catchup, First};
use super::search::SlotSearch;
use super::spec::{Recurrence, Schedule, just_before};
use super::step::CLOCK_TOLERANCE;
use super::zone_rules::ZoneRules;
use crate::base::Timestamp;
use crate::base::schema::Schema;

/// What is stored of the schedule of a DAG: which of its slots are decided.
///
/// Slots up to `noticed` were seen. All of them are decided, either a run or a record, but those in
/// the spans of `pending`, which wait for room. The state is apart from the runs: deleting runs
/// brings no slot back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleState {
    /// When a service first saw the DAG.
    pub first_seen: Timestamp,
    /// Slots up to here were seen.
    pub noticed: Timestamp,
    /// Spans whose slots are not decided yet, oldest first.
    pub pending: Vec<Span>,
    /// The last slot that became a run.
    pub last_run: Option<Timestamp>,
    /// The clock at the last step.
    pub clock: Timestamp,
    /// Whether the clock went back behind `clock` and was not there again yet.
    pub clock_went_back: bool,
    /// The timetable at the last step.
    pub fingerprint: String,
    /// The rules of the time zone at the last step. They are apart from the fingerprint: slots that
    /// wait are still slots after the rules of later years have changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone_rules: Option<ZoneRules>,
    /// `start` and `end` of the schedule at the last step: the spans of `pending` are within them.
    /// `None` before a first step, and of an earlier version, whose spans may reach beyond them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<(Option<Timestamp>, Option<Timestamp>)>,
    /// Who paused the DAG.
    pub pause: Option<Pause>,
    /// The slot of the last failed run that `pause_after_failures` has counted. It and earlier ones
    /// do not count again, so that unpausing the DAG does not pause it at once.
    #[serde(default)]
    pub failures_until: Option<Timestamp>,
    /// Whether it was noted that the schedule [falls behind](BEHIND), and slots wait since then.
    #[serde(default)]
    pub falls_behind: bool,
}

/// A schedule falls behind when so many of its slots wait. Those from the start of a DAG that was
/// new do not count.
pub const BEHIND: u64 = 10;

/// The slots of a schedule that wait, if it falls [behind](BEHIND).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, Schema)]
pub struct Backlog {
    /// How many they are; 10,000 stands for more.
    pub slots: u64,
    /// The first of them.
    pub first: Timestamp,
}

impl ScheduleState {
    /// The state of a DAG that no service has seen before. `paused`: until somebody unpauses it.
    pub fn first_seen(schedule: &Schedule, now: Timestamp, paused: bool) -> Self {
        let due = now - schedule.offset;
        let from = match (&schedule.recurrence, schedule.start) {
            // The one slot is at the start, or now.
            (Recurrence::Once, start) => just_before(start.unwrap_or(now)),
            (_, Some(start)) if start > due || schedule.catchup == Catchup::All => just_before(start),
            _ if schedule.first == First::Last => schedule.before(due, now).map_or(due, |slot| just_before(slot.at)),
            _ => due,
        };
        let passed = Span { unbounded: true, ..Span::new(from, due) }.within(schedule);
        ScheduleState {
            first_seen: now,
            noticed: from.max(due),
            pending: if passed.after < passed.until { vec![passed] } else { Vec::new() },
            last_run: None,
            clock: now,
            clock_went_back: false,
            fingerprint: schedule.recurrence.fingerprint(),
            zone_rules: schedule.zone_rules.clone(),
            bounds: Some((schedule.start, schedule.end)),
            pause: paused.then(|| Pause::of_new_dag(now)),
            failures_until: None,
            falls_behind: false,
        }
    }

    /// The slots that wait, if the schedule falls behind.
    pub fn backlog(&self, schedule: &Schedule) -> Option<Backlog> {
        const MOST: u64 = 10_000;

        let search = SlotSearch::new(schedule, self.first_seen);
        let (slots, first) = search.count_waiting(&self.pending, MOST);
        first.filter(|_| slots >= BEHIND).map(|first| Backlog { slots, first })
    }

    /// How many slots wait, at most `most`.
    pub fn count_pending(&self, schedule: &Schedule, most: u64) -> u64 {
        SlotSearch::new(schedule, self.first_seen).count_in(&self.pending, most).0
    }

    /// Whether it is paused at this time. A pause whose end has come is over, though no step may
    /// have ended it yet.
    pub fn is_paused(&self, now: Timestamp) -> bool {
        self.pause.as_ref().is_some_and(|pause| !pause.is_over(now))
    }

    /// By how much a clock is behind the last step, if that is more than [`CLOCK_TOLERANCE`].
    pub fn clock_is_behind(&self, now: Timestamp) -> Option<Duration> {
        Some(self.clock.since(now)).filter(|&by| by > CLOCK_TOLERANCE)
    }

    /// The same schedule with all slots up to now decided, and none after. `None` if it is not
    /// ahead of this time.
    ///
    /// It mends what a clock that was ahead has left behind: otherwise no slot would run until the
    /// clock is there again.
    pub fn reset(&self, now: Timestamp) -> Option<Self> {
        if self.clock <= now {
            return None;
        }
        let before = |moment: &Timestamp| *moment <= now;
        let spans = self.pending.iter().filter(|span| before(&span.after));
        Some(ScheduleState {
            first_seen: self.first_seen.min(now),
            noticed: self.noticed.min(now),
            pending: spans.map(|span| Span { until: span.until.min(now), first: None, ..*span }).collect(),
            last_run: self.last_run.filter(before),
            clock: now,
            clock_went_back: false,
            failures_until: self.failures_until.filter(before),
            ..self.clone()
        })
    }

    /// The state of a DAG whose timetable panicked: paused, with all slots undecided. The pause is
    /// `None` if the DAG is paused already, and the state as before. A pause whose time has come is
    /// none: the timetable panicked when it was to end.
    pub fn after_panic(state: Option<Self>, panic: &str, now: Timestamp) -> (Self, Option<Pause>) {
        // What the timetable would have to be asked for is found out when it answers again.
        let mut state = state.unwrap_or_else(|| ScheduleState {
            first_seen: now,
            noticed: now,
            pending: Vec::new(),
            last_run: None,
            clock: now,
            clock_went_back: false,
            fingerprint: String::new(),
            zone_rules: None,
            bounds: None,
            pause: None,
            failures_until: None,
            falls_behind: false,
        });
        if state.is_paused(now) {
            return (state, None);
        }
        let reason = format!("the timetable {panic}");
        let pause = Pause { by: BY_SERVICE.to_owned(), reason, since: now, until: None };
        state.pause = Some(pause.clone());
        (state, Some(pause))
    }
}

/// A span of time, `after < t <= until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The last point before.
    pub after: Timestamp,
    /// The last point inside.
    pub until: Timestamp,
    /// Whether `catchup_window` does not bound how long its slots may wait: they are those from the
    /// start of the schedule of a DAG that was new.
    #[serde(default)]
    pub unbounded: bool,
    /// Its first slot, by the rules of the last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
}

impl Span {
    /// The span `after < t <= until`.
    pub fn new(after: Timestamp, until: Timestamp) -> Self {
        Span { after, until, unbounded: false, first: None }
    }

    /// Its part between start and end of a schedule; an empty one if there is none.
    pub(super) fn within(self, schedule: &Schedule) -> Self {
        let after = schedule.start.map_or(self.after, |start| self.after.max(just_before(start)));
        let until = schedule.end.map_or(self.until, |end| self.until.min(end));
        self.part(after, until)
    }

    /// The part `after < t <= until` of it. If its first slot is not in there, that of the part is
    /// not known.
    pub(super) fn part(self, after: Timestamp, until: Timestamp) -> Self {
        let first = self.first.filter(|&first| first > after && first <= until);
        Span { after, until, first, ..self }
    }
}

/// Who paused a DAG, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Pause {
    /// Who.
    pub by: String,
    /// Why; may be empty.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// When the DAG is unpaused by itself.
    pub until: Option<Timestamp>,
}

/// Who pauses a DAG after failures.
const BY_FAILURES: &str = "the option `pause_after_failures`";

/// Who pauses a DAG whose timetable panics.
const BY_SERVICE: &str = "the service";

/// Who pauses a DAG whose events cannot become a run.
const BY_EVENTS: &str = "taskflow";

impl Pause {
    /// The pause of a DAG of which as many runs in a row have failed as `limit` says, with the slot
    /// of the last of them. `failures` are the failed runs, the latest first; those up to `counted`
    /// have paused the DAG before.
    pub(super) fn after_failures(
        limit: u32,
        counted: Option<Timestamp>,
        failures: &[FailedRun],
        now: Timestamp,
    ) -> Option<(Self, Timestamp)> {
        let is_new = |run: &&FailedRun| counted.is_none_or(|until| run.slot > until);
        let failed: Vec<&FailedRun> = failures.iter().filter(is_new).collect();
        let last = failed.first().filter(|_| failed.len() >= limit as usize)?;
        let reason = match failed.len() {
            1 => format!("the run {} failed", last.run_id),
            count => format!("{count} runs in a row failed, the last one is {}", last.run_id),
        };
        Some((Pause { by: BY_FAILURES.to_owned(), reason, since: now, until: None }, last.slot))
    }

    /// The pause of a DAG that is new, with the option `paused`.
    pub(super) fn of_new_dag(now: Timestamp) -> Self {
        let (by, reason) = ("the option `paused`".to_owned(), "the DAG is new".to_owned());
        Pause { by, reason, since: now, until: None }
    }

    /// The pause of a DAG whose events cannot become a run.
    pub(crate) fn refused(reason: String, now: Timestamp) -> Self {
        Pause { by: BY_EVENTS.to_owned(), reason, since: now, until: None }
    }

    /// The reason in the records of the slots that pass meanwhile.
    pub(super) fn why(&self) -> String {
        let Pause { by, reason, .. } = self;
        if reason.is_empty() { format!("paused by {by}") } else { format!("paused by {by}: {reason}") }
    }

    /// Whether its time has come. The next step of the service ends it, if none has yet.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// Whether the service paused the DAG, because something is wrong with it.
    pub fn is_report(&self) -> bool {
        [BY_FAILURES, BY_SERVICE, BY_EVENTS].contains(&&*self.by)
    }
}
