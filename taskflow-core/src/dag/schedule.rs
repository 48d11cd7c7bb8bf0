//! The schedule that the options of a DAG describe.

use super::def::DagDef;
use super::options::DagOptions;
use crate::base::{Date, Interval, Timestamp};
use crate::run::RunInfo;
use crate::schedule::{Consumer, EventInput, Recurrence, RecurrenceError, Schedule, Zone, ZoneError};

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
        let default = consumer.schedule.as_ref().map_or(1, |schedule| schedule.max_active_runs);
        consumer.max_active_runs = options.max_active_runs.unwrap_or(default);
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
    /// When an option is not valid. The options that `#[dag(..)]` writes are.
    pub fn schedule(&self, dag_id: &str) -> Result<Option<Schedule>, ScheduleError> {
        let Some(text) = self.schedule else { return Ok(None) };
        let zone = self.timezone.map_or(Ok(Zone::UTC), Zone::named)?;
        let mut schedule = Schedule::new(Recurrence::parse(text, &zone)?);
        schedule.start = self.start.map(|text| bound(text, &zone, first_of)).transpose()?;
        schedule.end = self.end.map(|text| bound(text, &zone, last_of)).transpose()?;
        schedule.first = self.first.unwrap_or(schedule.first);
        schedule.catchup = self.catchup.unwrap_or(schedule.catchup);
        schedule.catchup_window = self.catchup_window.unwrap_or(schedule.catchup_window);
        schedule.overlap = self.overlap.unwrap_or(schedule.overlap);
        schedule.max_active_runs = self.max_active_runs.unwrap_or(schedule.overlap.default_max_active_runs());
        schedule.after_previous = self.after_previous;
        Ok(Some(match self.spread {
            Some(spread) => schedule.spread(dag_id, spread),
            None => schedule,
        }))
    }
}

impl DagOptions {
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
                let slot = schedule.and_then(|schedule| schedule.recurrence.before(run.logical_date));
                run.with_interval(slot.and_then(|slot| slot.interval).or(given))
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
