//! The run that the default of a parameter is computed from, restricted to what its DAG provides.

use std::marker::PhantomData;
use std::ops::Deref;

use crate::base::Interval;
use crate::run::RunInfo;

/// A run of a DAG with a schedule of the kind `S`: the argument of `#[param(default = |run| ..)]`.
#[derive(Clone, Copy, Debug)]
pub struct RunOf<'a, S> {
    run: &'a RunInfo,
    schedule: PhantomData<S>,
}

/// A schedule with intervals: a cron expression, or a periodic preset.
#[derive(Clone, Copy, Debug)]
pub enum Intervals {}

/// No schedule, or `@once` or `@continuous`.
#[derive(Clone, Copy, Debug)]
pub enum NoIntervals {}

/// Schedules whose runs have a data interval.
#[diagnostic::on_unimplemented(
    message = "a DAG without an interval schedule has no data interval",
    label = "asked for here",
    note = "add a schedule with intervals to the DAG: `#[dag(schedule = \"@daily\")]` (`@once` and `@continuous` have none)",
    note = "or take the day from the time that the run is about: `|run| run.logical_date.date()`"
)]
pub trait IntervalSchedule {}

impl IntervalSchedule for Intervals {}

impl<'a, S> RunOf<'a, S> {
    pub(crate) fn new(run: &'a RunInfo) -> Self {
        RunOf { run, schedule: PhantomData }
    }

    /// The data interval of the run. A manual run has the empty interval at its logical date.
    pub fn data_interval(&self) -> Interval
    where
        S: IntervalSchedule,
    {
        let date = self.run.logical_date;
        self.run.data_interval().unwrap_or(Interval { start: date, end: date })
    }
}

impl<S> Deref for RunOf<'_, S> {
    type Target = RunInfo;
    fn deref(&self) -> &RunInfo {
        self.run
    }
}
