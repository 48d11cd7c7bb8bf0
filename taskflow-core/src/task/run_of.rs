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

/// Schedules whose runs have a data interval: [`Intervals`], and not [`NoIntervals`].
#[diagnostic::on_unimplemented(
    message = "a DAG without an interval schedule has no data interval",
    label = "asked for here",
    note = "give the DAG a schedule with intervals: `#[dag(schedule = \"@daily\")]` (`@once` and `@continuous` have none)",
    note = "or use the logical date of the run: `|run| run.logical_date.date()`"
)]
pub trait IntervalSchedule {}

impl IntervalSchedule for Intervals {}

impl<'a, S> RunOf<'a, S> {
    pub(crate) fn new(run: &'a RunInfo) -> Self {
        RunOf { run, schedule: PhantomData }
    }

    /// The data interval of the run. A run that is not one of the schedule has the last complete
    /// interval before its logical date.
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
