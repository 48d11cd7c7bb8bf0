//! The schedule that the options of a DAG describe.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use super::def::DagDef;
use super::options::DagOptions;
use super::schedule_source::ScheduleSource;
use crate::base::{Date, Interval, Timestamp, catch, install_hook};
use crate::run::RunInfo;
use crate::schedule::{
    Consumer, EventInput, Exceptions, Recurrence, RecurrenceError, Schedule, SlotRange, Zone, ZoneError, ZoneRules,
};

/// The options of a DAG describe no schedule. The macro reports the same while a program compiles.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// The schedule is no schedule.
    #[error(transparent)]
    Recurrence(#[from] RecurrenceError),
    /// The time zone is unknown.
    #[error(transparent)]
    Zone(#[from] ZoneError),
    /// The start or the end is no time.
    #[error("`{0}` is neither a date nor an RFC 3339 time")]
    Bound(String),
    /// A timetable or a calendar of the program panicked.
    #[error("the timetable {0}")]
    Panicked(String),
    /// The event parameters contradict each other or the schedule.
    #[error("{0}")]
    Events(String),
}

impl DagDef {
    /// What starts the runs of the DAG if it has event parameters; `None` if it has none.
    ///
    /// # Errors
    ///
    /// When an option of the schedule is not valid, or the parameters contradict each other.
    pub fn consumer(&self) -> Result<Option<Consumer>, ScheduleError> {
        let params = (self.params)();
        let inputs = params.iter().filter_map(|param| Some(param.event.as_ref()?.input(param.name)));
        let inputs: Vec<EventInput> = inputs.collect();
        if inputs.is_empty() {
            return Ok(None);
        }
        let options = &self.options;
        let mut consumer = Consumer::new(inputs);
        consumer.schedule = options.schedule(self.id)?;
        consumer.combine = options.events.unwrap_or_default();
        consumer.wait = options.wait;
        let default = consumer.schedule.as_ref().map_or(consumer.max_active_runs, |schedule| schedule.max_active_runs);
        consumer.max_active_runs = options.max_active_runs.unwrap_or(default);
        // With a schedule as well, all runs count together.
        consumer.pause_after_failures = options.pause_after_failures;
        if let Some(schedule) = &mut consumer.schedule {
            schedule.pause_after_failures = None;
        }
        match consumer.mistake() {
            Some(mistake) => Err(ScheduleError::Events(mistake)),
            None => Ok(Some(consumer)),
        }
    }
}

impl DagOptions {
    /// The schedule of a DAG with these options; `None` if it has none.
    ///
    /// # Errors
    ///
    /// When an option is not valid, or code of the user panics. The options that `#[dag(..)]`
    /// writes are valid.
    pub fn schedule(&self, dag_id: &str) -> Result<Option<Schedule>, ScheduleError> {
        let Some(source) = self.schedule else { return Ok(None) };
        install_hook();
        let schedule = catch(AssertUnwindSafe(|| self.schedule_of(source, dag_id)));
        schedule.unwrap_or_else(|crash| Err(ScheduleError::Panicked(crash.to_string()))).map(Some)
    }

    fn schedule_of(&self, source: ScheduleSource, dag_id: &str) -> Result<Schedule, ScheduleError> {
        let zone = self.timezone()?;
        let recurrence = match source {
            ScheduleSource::Text(text) => Recurrence::parse(text, &zone)?,
            ScheduleSource::Timetable(timetable) => Recurrence::Timetable(timetable.value()),
        };
        let recurrence = match (recurrence, self.except) {
            (Recurrence::Timetable(timetable), Some(calendar)) => {
                let shift = self.shift.unwrap_or_default();
                let kept = Exceptions::new(timetable, calendar.value(), shift, zone.clone());
                Recurrence::Timetable(Arc::new(kept))
            }
            (recurrence, _) => recurrence,
        };
        let mut schedule = Schedule::new(recurrence);
        schedule.start = self.start.map(|text| bound(text, &zone, first_of)).transpose()?;
        schedule.end = self.end.map(|text| bound(text, &zone, last_of)).transpose()?;
        schedule.first = self.first.unwrap_or(schedule.first);
        schedule.catchup = self.catchup.unwrap_or(schedule.catchup);
        schedule.catchup_window = self.catchup_window.unwrap_or(schedule.catchup_window);
        schedule.overlap = self.overlap.unwrap_or(schedule.overlap);
        schedule.max_active_runs = self.max_active_runs.unwrap_or(schedule.overlap.default_max_active_runs());
        schedule.after_previous = self.after_previous;
        schedule.pause_after_failures = self.pause_after_failures;
        // UTC has no rules that could change.
        schedule.zone_rules = self.timezone.map(|_| ZoneRules::of(&zone));
        Ok(match self.spread {
            Some(spread) => schedule.spread(dag_id, spread),
            None => schedule,
        })
    }

    /// The time zone of the schedule.
    ///
    /// # Errors
    ///
    /// When there is no such zone.
    pub fn timezone(&self) -> Result<Zone, ZoneError> {
        self.timezone.map_or(Ok(Zone::UTC), Zone::named)
    }
}

impl DagOptions {
    /// The slots that a text selects in the time zone of the schedule: those of a range such as
    /// `2026-01-01/2026-01-31`, whose ends are inclusive, those of a day, or the slot at a time.
    ///
    /// # Errors
    ///
    /// When the time zone is unknown, or the text or a part of it is neither a day nor a time.
    pub fn slot_range(&self, text: &str) -> Result<SlotRange, ScheduleError> {
        let zone = self.timezone.map_or(Ok(Zone::UTC), Zone::named)?;
        let (from, to) = text.split_once('/').unwrap_or((text, text));
        Ok(SlotRange { from: bound(from.trim(), &zone, first_of)?, to: bound(to.trim(), &zone, last_of)? })
    }

    /// A run as a DAG with these options has it: in the time zone of the schedule and, if the
    /// schedule has intervals, with a data interval. A run that has none is about the last complete
    /// interval before its logical date.
    pub(crate) fn complete(&self, run: RunInfo) -> RunInfo {
        let run = run.in_timezone(self.timezone);
        if !self.has_intervals() {
            return run.with_interval(None);
        }
        match run.data_interval() {
            Some(Interval { start, end }) if start < end => run,
            given => {
                let schedule = self.schedule(&run.dag_id).ok().flatten();
                // A timetable that panics has no last slot.
                let last = || schedule.and_then(|schedule| schedule.recurrence.before(run.logical_date));
                let slot = catch(AssertUnwindSafe(last)).ok().flatten();
                run.with_interval(slot.map_or(given, |slot| slot.interval))
            }
        }
    }
}

/// A time, or a day in the zone.
fn bound(text: &str, zone: &Zone, of_day: fn(&Zone, Date) -> Option<Timestamp>) -> Result<Timestamp, ScheduleError> {
    let invalid = || ScheduleError::Bound(text.to_owned());
    match text.parse::<Date>() {
        Ok(day) => of_day(zone, day).ok_or_else(invalid),
        Err(_) => text.parse().map_err(|_| invalid()),
    }
}

/// A start on a day is its first point in time.
fn first_of(zone: &Zone, day: Date) -> Option<Timestamp> {
    zone.start_of(day).or_else(|| zone.start_of(day.tomorrow()))
}

/// An end on a day is its last point in time.
fn last_of(zone: &Zone, day: Date) -> Option<Timestamp> {
    let next = first_of(zone, day.tomorrow())?;
    Some(Timestamp::from_nanos(next.as_nanos() - 1))
}
