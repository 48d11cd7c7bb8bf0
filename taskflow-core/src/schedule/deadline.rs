//! Deadlines of slots: when they are due, and which slots have missed them.
//!
//! # Protocol
//!
//! 1. A slot has its deadline whether or not it becomes a run. Deadlines are judged in the order in
//!    which they are due, each once: those up to [`DeadlineState::judged`] are decided.
//! 2. A deadline is judged [`SETTLING`] after it is due, so that a run that ended in time is stored
//!    by then. A DAG that no service has seen with a deadline begins with the deadlines that are
//!    due later.
//! 3. A slot meets its deadline if its run has succeeded by then. It has none if it was settled
//!    otherwise: a callback reports the failure of its run, or the DAG was not to run it. Every
//!    other slot has missed it. Slots that missed theirs for the same reason, without a run, are
//!    one entry.
//! 4. The caller stores the new state and the entries in one transaction. What no callback has been
//!    notified of yet is part of the state, so it outlives the process. A crash between the
//!    notification and the next transaction repeats the notification, with the same key.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock_time::ClockTime;
use super::zone::Zone;
use crate::base::Timestamp;
use crate::base::schema::Schema;

/// How long after it is due a deadline is judged.
pub const SETTLING: Duration = Duration::from_secs(1);

/// The deadline of the slots of a DAG.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SlotDeadline {
    /// Some time after the slot.
    After(Duration),
    /// The first time after the slot at which clocks show this time of day.
    By(ClockTime),
}

/// How many days a time of day is looked for, with that of the slot: a zone may skip a day, but not
/// two in a row.
const DAYS: usize = 4;

/// No deadline at a time of day is longer after its slot.
const LONGEST: Duration = Duration::from_secs(DAYS as u64 * 86_400);

impl SlotDeadline {
    /// When the deadline of a slot is due. The time of day is on the day of the slot, or on the
    /// next one if it is not after the slot. As for cron expressions, a time that is missing when
    /// clocks change is the end of the gap, and one that is repeated is the first pass. `None` at
    /// the end of time.
    pub fn due(self, slot: Timestamp, zone: &Zone) -> Option<Timestamp> {
        match self {
            SlotDeadline::After(after) => Some(slot + after),
            SlotDeadline::By(time) => {
                let (hour, minute, second) = time.parts();
                let time = jiff::civil::Time::new(hour as i8, minute as i8, second as i8, 0).ok()?;
                let days = std::iter::successors(Some(zone.local(slot).date()), |day| day.tomorrow().ok());
                days.take(DAYS).filter_map(|day| zone.instant_of(day.to_datetime(time))).find(|due| *due > slot)
            }
        }
    }

    /// The slots whose deadlines are due in `after < t <= until` lie in this span: after the first
    /// time, up to the second. The span of a time of day has others as well.
    pub fn slots_due(self, after: Timestamp, until: Timestamp) -> (Timestamp, Timestamp) {
        match self {
            SlotDeadline::After(wait) => (after - wait, until - wait),
            SlotDeadline::By(_) => (after - LONGEST, until),
        }
    }
}

/// What is stored of the deadlines of a DAG.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadlineState {
    /// Deadlines up to here are judged.
    pub judged: Timestamp,
    /// The last slot that has missed its deadline. It and those before it cannot miss another one.
    pub struck: Option<Timestamp>,
    /// Missed deadlines that the callback has yet to be notified of, oldest first.
    pub untold: Vec<MissedSlots>,
}

/// Slots that have missed their deadlines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct MissedSlots {
    /// The first slot.
    pub first: Timestamp,
    /// The last slot: the same if it is one slot.
    pub last: Timestamp,
    /// How many slots they are.
    pub count: u64,
    /// The deadline of the last one.
    pub deadline: Timestamp,
    /// When the service noticed it.
    pub noticed: Timestamp,
    /// The number of the run, if the slot has one.
    pub run: Option<i64>,
    /// Why: what the run or the slot waits for, or what became of it.
    pub reason: String,
    /// How often the callback was notified in vain.
    #[serde(default)]
    pub attempts: u32,
    /// Why the last notification failed.
    #[serde(default)]
    pub error: Option<String>,
    /// When the callback is notified again.
    #[serde(default)]
    pub retry_at: Option<Timestamp>,
}

/// What has become of a slot by the time its deadline is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotStanding {
    /// Its run has succeeded.
    Succeeded {
        /// When it ended.
        at: Timestamp,
        /// The number of the run.
        run: i64,
    },
    /// A callback reports the failure of its run, or the DAG was not to run it.
    Settled,
    /// Anything else.
    Open {
        /// The number of its run, if it has one.
        run: Option<i64>,
        /// Why it has not succeeded.
        reason: String,
    },
}

impl DeadlineState {
    /// The state of a DAG whose deadlines no service has judged before.
    pub fn first_seen(now: Timestamp) -> Self {
        DeadlineState { judged: now, struck: None, untold: Vec::new() }
    }

    /// Judges the deadlines of these slots, which are all those that are due in
    /// `judged < t <= until`. Returns the new state and what was missed. With `is_told`, a callback
    /// is to be notified of it.
    pub fn judge(
        &self,
        deadline: SlotDeadline,
        zone: &Zone,
        slots: impl IntoIterator<Item = (Timestamp, SlotStanding)>,
        (until, now): (Timestamp, Timestamp),
        is_told: bool,
    ) -> (Self, Vec<MissedSlots>) {
        let mut state = self.clone();
        let mut missed: Vec<MissedSlots> = Vec::new();
        let mut slots: Vec<(Timestamp, SlotStanding)> = slots.into_iter().collect();
        slots.sort_by_key(|(slot, _)| *slot);
        for (slot, standing) in slots {
            let due = deadline.due(slot, zone).filter(|due| *due > self.judged && *due <= until);
            let Some(due) = due.filter(|_| state.struck.is_none_or(|struck| slot > struck)) else { continue };
            let (run, reason) = match standing {
                SlotStanding::Succeeded { at, .. } if at <= due => continue,
                SlotStanding::Succeeded { at, run } => (Some(run), format!("run {run} succeeded later, at {at}")),
                SlotStanding::Settled => continue,
                SlotStanding::Open { run, reason } => (run, reason),
            };
            state.struck = Some(slot);
            match missed.last_mut().filter(|last| run.is_none() && last.run.is_none() && last.reason == reason) {
                Some(last) => (last.last, last.deadline, last.count) = (slot, due, last.count + 1),
                None => missed.push(MissedSlots {
                    first: slot,
                    last: slot,
                    count: 1,
                    deadline: due,
                    noticed: now,
                    run,
                    reason,
                    attempts: 0,
                    error: None,
                    retry_at: None,
                }),
            }
        }
        state.judged = state.judged.max(until);
        if is_told {
            state.untold.extend(missed.iter().cloned());
        }
        (state, missed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Cases 80 and 81 of the deadlines have tests with a service; this one is the rule for clocks.
    #[test]
    fn a_time_of_day_follows_the_clocks_of_the_zone() {
        let zone = Zone::named("America/New_York").unwrap();
        let by = |text: &str, slot: &str| {
            SlotDeadline::By(ClockTime::parse(text).unwrap()).due(utc(slot), &zone).unwrap().to_string()
        };
        // 06:00 in winter, and in summer.
        assert_eq!(by("09:00", "2026-03-07T11:00:00Z"), "2026-03-07T14:00:00Z");
        assert_eq!(by("09:00", "2026-03-08T10:00:00Z"), "2026-03-08T13:00:00Z");
        // A time that is missing is the end of the gap, one that is repeated the first pass.
        assert_eq!(by("02:30", "2026-03-08T05:00:00Z"), "2026-03-08T07:00:00Z");
        assert_eq!(by("01:30", "2026-11-01T04:00:00Z"), "2026-11-01T05:30:00Z");
        // The next day, if the slot is at that time or later.
        assert_eq!(by("09:00", "2026-03-07T14:00:00Z"), "2026-03-08T13:00:00Z");
        assert_eq!(by("00:00", "2026-01-05T23:00:00Z"), "2026-01-06T05:00:00Z");
    }

    #[test]
    fn slots_that_miss_their_deadlines_for_the_same_reason_are_one_entry() {
        let (deadline, zone) = (SlotDeadline::After(Duration::from_secs(3600)), Zone::UTC);
        let state = DeadlineState::first_seen(utc("2026-01-01T00:00:00Z"));
        let open = |run| SlotStanding::Open { run, reason: "no service was running".to_owned() };
        let slots = [
            (utc("2025-12-31T23:00:00Z"), open(None)),
            (utc("2026-01-01T01:00:00Z"), open(None)),
            (utc("2026-01-01T02:00:00Z"), open(None)),
            (utc("2026-01-01T03:00:00Z"), open(Some(1))),
            (utc("2026-01-01T04:00:00Z"), SlotStanding::Settled),
            (utc("2026-01-01T05:00:00Z"), SlotStanding::Succeeded { at: utc("2026-01-01T06:00:00Z"), run: 2 }),
            (utc("2026-01-01T06:00:00Z"), open(None)),
        ];
        let now = utc("2026-01-01T06:30:00Z");
        let (state, missed) = state.judge(deadline, &zone, slots.clone(), (now, now), true);
        let seen: Vec<(u64, Option<i64>, String)> =
            missed.iter().map(|missed| (missed.count, missed.run, missed.deadline.to_string())).collect();
        let wanted = [(2, None, "2026-01-01T03:00:00Z".to_owned()), (1, Some(1), "2026-01-01T04:00:00Z".to_owned())];
        assert_eq!(seen, wanted);
        assert_eq!((state.judged, state.untold.len()), (now, 2));
        // Nothing is judged twice, and a later deadline strikes no slot again.
        assert_eq!(state.judge(deadline, &zone, slots.clone(), (now, now), true).1, []);
        let later = SlotDeadline::After(Duration::from_secs(3 * 3600));
        let end = utc("2026-01-01T06:45:00Z");
        assert_eq!(state.judge(later, &zone, slots[..4].to_vec(), (end, end), true).1, []);
    }

    #[test]
    fn times_of_day_are_parsed_strictly() {
        assert_eq!(ClockTime::parse("09:05").map(ClockTime::parts), Ok((9, 5, 0)));
        assert_eq!(ClockTime::parse(" 23:59:58 ").map(|time| time.to_string()), Ok("23:59:58".to_owned()));
        for wrong in ["9:00", "24:00", "09:60", "0900", "09:00 pm", "noon", "", "09:00:00:00", "+9:00"] {
            assert!(ClockTime::parse(wrong).is_err(), "{wrong}");
        }
    }
}
