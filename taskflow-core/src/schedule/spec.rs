//! The schedule of a DAG: its timetable and its policies.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::policy::{Catchup, First, Overlap};
use super::slot::Slot;
use super::timetable::Timetable;
use super::zone_rules::{ZoneRules, stable_hash};
use crate::base::{Interval, Timestamp};

/// When a DAG is due, and what happens to slots that cannot start in time.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Schedule {
    /// When it is due.
    pub recurrence: Recurrence,
    /// No slot before this time.
    pub start: Option<Timestamp>,
    /// No slot after this time.
    pub end: Option<Timestamp>,
    /// The first slot of a DAG that is new.
    pub first: First,
    /// Slots that passed while no service was running.
    pub catchup: Catchup,
    /// How late a slot may start. Later slots are missed. At least a minute.
    pub catchup_window: Duration,
    /// Slots that find too many active runs.
    pub overlap: Overlap,
    /// How many runs of the schedule may be active at once. At least 1.
    pub max_active_runs: u32,
    /// Whether a slot waits until the run of the slot before it has succeeded.
    pub after_previous: bool,
    /// How many runs of the schedule fail in a row before the DAG is paused.
    pub pause_after_failures: Option<u32>,
    /// How long after its slot a run starts: the share of `spread` that falls to this DAG.
    pub offset: Duration,
    /// The rules of its time zone, if a change of them is to be noted.
    pub zone_rules: Option<ZoneRules>,
}

/// The pattern of slots.
#[derive(Clone, Debug)]
pub enum Recurrence {
    /// A timetable.
    Timetable(Arc<dyn Timetable>),
    /// Once: at the start of the schedule, or when the service first sees the DAG.
    Once,
    /// As soon as the run before has ended.
    Continuous,
}

impl Recurrence {
    /// The pattern in words.
    pub fn describe(&self) -> String {
        match self {
            Recurrence::Timetable(timetable) => timetable.describe(),
            Recurrence::Once => "once".to_owned(),
            Recurrence::Continuous => "as soon as the run before has ended".to_owned(),
        }
    }

    /// The last slot at or before a point in time, if that does not depend on runs.
    pub fn before(&self, moment: Timestamp) -> Option<Slot> {
        match self {
            Recurrence::Timetable(timetable) => timetable.before(moment),
            Recurrence::Once | Recurrence::Continuous => None,
        }
    }

    /// What the pattern may not be meant to say.
    pub fn note(&self) -> Option<String> {
        match self {
            Recurrence::Timetable(timetable) => timetable.note(),
            Recurrence::Once | Recurrence::Continuous => None,
        }
    }

    pub(super) fn fingerprint(&self) -> String {
        match self {
            Recurrence::Timetable(timetable) => timetable.fingerprint(),
            Recurrence::Once => "@once".to_owned(),
            Recurrence::Continuous => "@continuous".to_owned(),
        }
    }
}

/// The default of [`Schedule::catchup_window`].
pub const CATCHUP_WINDOW: Duration = Duration::from_secs(7 * 86_400);

impl Schedule {
    /// A schedule with the default policies.
    pub fn new(recurrence: Recurrence) -> Self {
        Schedule {
            recurrence,
            start: None,
            end: None,
            first: First::Next,
            catchup: Catchup::Last,
            catchup_window: CATCHUP_WINDOW,
            overlap: Overlap::Queue,
            max_active_runs: Overlap::Queue.default_max_active_runs(),
            after_previous: false,
            pause_after_failures: None,
            offset: Duration::ZERO,
            zone_rules: None,
        }
    }

    /// A schedule with the default policies and these slots.
    pub fn of(timetable: impl Timetable) -> Self {
        Schedule::new(Recurrence::Timetable(Arc::new(timetable)))
    }

    /// Delays the runs of a DAG by its share of `spread`: the same in each process, different from
    /// DAG to DAG. It never reaches the next slot.
    pub fn spread(mut self, dag_id: &str, spread: Duration) -> Self {
        let hash = stable_hash(dag_id.bytes());
        let nanos = u64::try_from(spread.min(self.smallest_gap()).as_nanos()).unwrap_or(u64::MAX);
        self.offset = Duration::from_nanos(hash.checked_rem(nanos).unwrap_or(0));
        self
    }

    /// The smallest gap that the timetable knows of, or among some slots.
    fn smallest_gap(&self) -> Duration {
        const SAMPLE: usize = 200;

        let from = self.start.unwrap_or(Timestamp::EPOCH);
        if let Recurrence::Timetable(timetable) = &self.recurrence
            && let Some(gap) = timetable.smallest_gap(just_before(from))
        {
            return gap;
        }
        let first = self.after(just_before(from), from);
        let slots: Vec<Slot> = std::iter::successors(first, |slot| self.after(slot.at, from)).take(SAMPLE).collect();
        slots.windows(2).map(|pair| pair[1].at.since(pair[0].at)).min().unwrap_or(Duration::MAX)
    }

    /// The first slot after a point in time, between start and end. `None` for `@continuous`, whose
    /// slots depend on its runs; `@once` without a start is due at `first_seen`.
    pub fn after(&self, moment: Timestamp, first_seen: Timestamp) -> Option<Slot> {
        let slot = match &self.recurrence {
            Recurrence::Timetable(timetable) => {
                let moment = self.start.map_or(moment, |start| moment.max(just_before(start)));
                timetable.after(moment)?
            }
            Recurrence::Once => Slot::instant(self.start.unwrap_or(first_seen)),
            Recurrence::Continuous => return None,
        };
        (slot.at > moment && self.end.is_none_or(|end| slot.at <= end)).then_some(slot)
    }

    /// The last slot at or before a point in time, between start and end.
    pub fn before(&self, moment: Timestamp, first_seen: Timestamp) -> Option<Slot> {
        let moment = self.end.map_or(moment, |end| moment.min(end));
        let slot = match &self.recurrence {
            Recurrence::Timetable(timetable) => timetable.before(moment)?,
            Recurrence::Once => Slot::instant(self.start.unwrap_or(first_seen)),
            Recurrence::Continuous => return None,
        };
        (slot.at <= moment && self.start.is_none_or(|start| slot.at >= start)).then_some(slot)
    }

    /// The slot of a continuous schedule at a point in time.
    pub(super) fn continuous_slot(&self, now: Timestamp, previous: Option<Timestamp>) -> Option<Slot> {
        let open = self.start.is_none_or(|start| now >= start) && self.end.is_none_or(|end| now <= end);
        let start = previous.or(self.start).unwrap_or(now);
        open.then_some(Slot { at: now, interval: Some(Interval { start, end: now }) })
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.recurrence.describe())
    }
}

pub(super) fn just_before(moment: Timestamp) -> Timestamp {
    Timestamp::from_nanos(moment.as_nanos().saturating_sub(1))
}
