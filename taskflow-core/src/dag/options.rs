//! The options of a DAG.

use std::time::Duration;

use super::schedule_source::{Expression, ScheduleSource};
use crate::schedule::{Calendar, Catchup, Combine, First, Overlap, Shift};
use crate::task::{Callbacks, Deadline, RetryPolicy, TaskOptions};

/// The table of the options of a DAG. Each row is one option:
///
/// ```text
/// name: type = not set, hash(how), show(how);
/// ```
///
/// - `hash`: when the structural hash of a DAG includes it: `always`, `if_some` or `if_any`;
///   `defaults` is for the task defaults. The hash takes options in the order of the rows. An
///   option that is added later is `if_some` or `if_any`, so that the hashes of graphs without it
///   stay the same.
/// - `show`: how pictures of a DAG show it, a function of `render`.
///
/// What a user writes in `#[dag(..)]` is a row of the table in the macros.
macro_rules! dag_options {
    ($consumer:ident) => {
        $consumer! {
            /// A cron expression, a preset such as `@daily`, or a period such as `every 15m`.
            /// Several cron expressions are separated by `;`. Or a timetable of one's own.
            schedule: Option<ScheduleSource> = None, hash(always), show(name);
            /// The IANA time zone of the schedule. Default UTC.
            timezone: Option<&'static str> = None, hash(always), show(value);
            /// No run before this time.
            start: Option<&'static str> = None, hash(always), show(value);
            /// No run after this time.
            end: Option<&'static str> = None, hash(always), show(value);
            /// What happens to slots that passed while no service was running. Default: the last
            /// one runs.
            catchup: Option<Catchup> = None, hash(catchup), show(name);
            /// How many runs of the DAG may be active at once.
            max_active_runs: Option<u32> = None, hash(always), show(value);
            /// Of queued runs, those of the DAG with the highest priority start first. Default 0.
            priority: Option<i32> = None, hash(never), show(value);
            /// The share of its queued runs in the starts among DAGs of the same priority. Default
            /// 1.
            weight: Option<u32> = None, hash(never), show(value);
            /// How many tasks of one run may be active at once.
            max_active_tasks: Option<u32> = None, hash(always), show(value);
            /// How long a run may take.
            timeout: Option<Duration> = None, hash(always), show(duration);
            /// Whether the first failed task ends the run.
            fail_fast: bool = false, hash(always), show(switch);
            /// How often a failed run is retried: its failed tasks, and those that did not run
            /// because of them. Default 0.
            retries: Option<u32> = None, hash(if_some), show(value);
            /// The delay before a retry of the run. Default 10 seconds.
            retry_delay: Option<Duration> = None, hash(if_some), show(duration);
            /// The time by which the run of a slot, or a run, should be over.
            deadline: Option<Deadline> = None, hash(if_some), show(deadline);
            /// The callbacks to notify of what happens to a run.
            callbacks: Callbacks = Callbacks::NONE, hash(if_any), show(callbacks);
            /// The first slot of a DAG that the service has not seen before. Default: the next one.
            first: Option<First> = None, hash(never), show(name);
            /// How late a slot may start. Default 7 days.
            catchup_window: Option<Duration> = None, hash(never), show(duration);
            /// What happens to a slot while as many runs are active as may be. Default: it waits.
            overlap: Option<Overlap> = None, hash(never), show(name);
            /// Whether a slot waits until the run of the slot before it has succeeded.
            after_previous: bool = false, hash(never), show(switch);
            /// Runs start within this time after their slots: at an offset that is the same for all
            /// slots of the DAG.
            spread: Option<Duration> = None, hash(never), show(duration);
            /// The days on which the DAG is not due.
            except: Option<Expression<dyn Calendar>> = None, hash(if_some), show(name);
            /// Where slots on these days go. Default: they are left out.
            shift: Option<Shift> = None, hash(if_some), show(name);
            /// Whether a slot of the schedule and events start a run only together. Default: they
            /// do.
            events: Option<Combine> = None, hash(never), show(name);
            /// How long a slot waits for events. Default: until they are there.
            wait: Option<Duration> = None, hash(never), show(duration);
            /// Whether the schedule of a new DAG is paused until somebody unpauses it.
            paused: bool = false, hash(never), show(switch);
            /// How many runs of the schedule fail in a row before the DAG is paused. Default: it is
            /// not.
            pause_after_failures: Option<u32> = None, hash(never), show(value);
            /// Tags to find the DAG by.
            tags: &'static [&'static str] = &[], hash(always), show(tags);
            /// The options of its tasks where they set none themselves.
            task_defaults: TaskOptions = TaskOptions::NONE, hash(defaults), show(defaults);
        }
    };
}
pub(crate) use dag_options;

macro_rules! define {
    ($(
        $(#[$doc:meta])*
        $name:ident: $ty:ty = $unset:expr, hash($hash:ident), show($show:ident);
    )*) => {
        /// The options of a DAG. Those for a scheduler are checked and kept in the plan.
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        #[non_exhaustive]
        pub struct DagOptions {
            $($(#[$doc])* pub $name: $ty,)*
        }

        impl DagOptions {
            /// No option is set.
            pub const NONE: DagOptions = DagOptions { $($name: $unset,)* };
        }
    };
}

dag_options!(define);

impl DagOptions {
    /// Whether its runs are about spans of time: it has a schedule, and that has a period. A
    /// timetable of one's own is taken to have one.
    pub fn has_intervals(&self) -> bool {
        self.schedule.is_some_and(|schedule| !matches!(schedule.text(), "@once" | "@continuous"))
    }

    /// The delay before a retry of the run.
    pub(crate) fn wait_before_retry(&self) -> Duration {
        self.retry_delay.unwrap_or(RetryPolicy::DEFAULT_DELAY)
    }
}
