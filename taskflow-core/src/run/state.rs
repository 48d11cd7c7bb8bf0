//! The states of a task instance and of a run, and every way from one to another.

use std::fmt;

use crate::base::schema::Schema;
use serde::{Deserialize, Serialize};

// Stored entries hold the index of a variant: append new ones.
/// The state of a task instance. Names are Airflow's, plus `cancelled`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TaskState {
    /// Waits for its upstreams.
    #[default]
    None,
    /// May run; waits for a slot or a worker.
    Scheduled,
    /// An attempt is under way.
    Running,
    /// An attempt failed and another one will follow.
    UpForRetry,
    /// Returned its value.
    Success,
    /// Failed, and no retry is left or would help.
    Failed,
    /// Not run because it skipped itself, an upstream was skipped, or `fail_fast` ended the run.
    Skipped,
    /// Not run because an upstream failed.
    UpstreamFailed,
    /// Not run, or stopped, because its run was cancelled.
    Cancelled,
    /// Not part of this run.
    Removed,
    /// A sensor between two pokes, whose condition is not met yet.
    UpForReschedule,
    /// Waits for a time or an event, and holds no slot.
    Deferred,
}

/// What happens to a task instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transition {
    /// Its upstreams let it run, or the wait before a retry is over.
    Schedule,
    /// It got a slot and a worker.
    Start,
    /// Its attempt returned a value.
    Succeed,
    /// Its attempt failed and is not retried, or the time for all its attempts passed while none of
    /// them ran.
    Fail,
    /// Its attempt failed and another one follows.
    Retry,
    /// It skipped itself, or is skipped before it started.
    Skip,
    /// An upstream failed.
    FailUpstream,
    /// Its run ends early.
    Cancel,
    /// It is left out of the run.
    Remove,
    /// Its poke found nothing yet.
    Reschedule,
    /// Its attempt waits for a time or an event.
    Defer,
    /// Its attempt was cut off because the process leaves; it runs again when the run is resumed.
    Interrupt,
}

impl TaskState {
    /// Every state.
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "only the command line counts"))]
    pub(crate) const ALL: [TaskState; 12] = [
        TaskState::None,
        TaskState::Scheduled,
        TaskState::Running,
        TaskState::UpForRetry,
        TaskState::Success,
        TaskState::Failed,
        TaskState::Skipped,
        TaskState::UpstreamFailed,
        TaskState::Cancelled,
        TaskState::Removed,
        TaskState::UpForReschedule,
        TaskState::Deferred,
    ];

    /// The state after `transition`, or `None` if that cannot happen. The only definition of the
    /// legal transitions.
    #[inline]
    pub(crate) const fn after(self, transition: Transition) -> Option<TaskState> {
        use {TaskState as S, Transition as T};
        match (self, transition) {
            (S::None | S::UpForRetry | S::UpForReschedule | S::Deferred, T::Schedule) | (S::Running, T::Interrupt) => {
                Some(S::Scheduled)
            }
            (S::Scheduled, T::Start) => Some(S::Running),
            (S::Running, T::Succeed) => Some(S::Success),
            (S::Running | S::UpForReschedule | S::Deferred | S::None | S::UpForRetry, T::Fail) => Some(S::Failed),
            (S::Running, T::Retry) => Some(S::UpForRetry),
            (S::Running, T::Reschedule) => Some(S::UpForReschedule),
            (S::Running, T::Defer) => Some(S::Deferred),
            (open, T::Skip) if !open.is_terminal() => Some(S::Skipped),
            (S::None, T::FailUpstream) => Some(S::UpstreamFailed),
            (open, T::Cancel) if !open.is_terminal() => Some(S::Cancelled),
            (S::None, T::Remove) => Some(S::Removed),
            _ => None,
        }
    }

    /// Whether nothing more can happen to it.
    pub const fn is_terminal(self) -> bool {
        use TaskState as S;
        !matches!(self, S::None | S::Scheduled | S::Running | S::UpForRetry | S::UpForReschedule | S::Deferred)
    }

    /// The name, as Airflow writes it.
    pub const fn name(self) -> &'static str {
        match self {
            TaskState::None => "none",
            TaskState::Scheduled => "scheduled",
            TaskState::Running => "running",
            TaskState::UpForRetry => "up_for_retry",
            TaskState::Success => "success",
            TaskState::Failed => "failed",
            TaskState::Skipped => "skipped",
            TaskState::UpstreamFailed => "upstream_failed",
            TaskState::Cancelled => "cancelled",
            TaskState::Removed => "removed",
            TaskState::UpForReschedule => "up_for_reschedule",
            TaskState::Deferred => "deferred",
        }
    }
}

/// The state of a run.
// Stored entries hold the index of a variant: append new ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunState {
    /// Under way.
    #[default]
    Running,
    /// Every leaf task succeeded or was skipped: Airflow's rule. A failure that a downstream task
    /// handled does not fail the run.
    Success,
    /// A leaf task failed, or `fail_fast` or the time limit ended the run.
    Failed,
    /// Ended early by request.
    Cancelled,
    /// Stopped before its end, because the process that ran it was asked to leave or is gone, or
    /// the journal could not be written. It can be resumed.
    Interrupted,
    /// Created, and not started by any process yet.
    Queued,
}

impl RunState {
    /// Every state, in the order of a run.
    #[cfg_attr(not(all(feature = "cli", feature = "sqlite")), allow(dead_code, reason = "for filters"))]
    pub(crate) const ALL: [RunState; 6] = [
        RunState::Queued,
        RunState::Running,
        RunState::Success,
        RunState::Failed,
        RunState::Cancelled,
        RunState::Interrupted,
    ];

    /// Whether a process runs it, or is to run it. An interrupted run waits for somebody to resume
    /// it.
    pub const fn is_active(self) -> bool {
        matches!(self, RunState::Queued | RunState::Running)
    }

    /// Whether the run has ended. An interrupted run has not: it can be resumed.
    pub const fn is_terminal(self) -> bool {
        matches!(self, RunState::Success | RunState::Failed | RunState::Cancelled)
    }

    /// The name, as Airflow writes it.
    pub const fn name(self) -> &'static str {
        match self {
            RunState::Queued => "queued",
            RunState::Running => "running",
            RunState::Success => "success",
            RunState::Failed => "failed",
            RunState::Cancelled => "cancelled",
            RunState::Interrupted => "interrupted",
        }
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod stored_form {
    use super::*;

    /// Entries of earlier builds hold these numbers.
    #[test]
    fn the_numbers_of_states_are_stable() {
        let runs = [
            RunState::Running,
            RunState::Success,
            RunState::Failed,
            RunState::Cancelled,
            RunState::Interrupted,
            RunState::Queued,
        ];
        for (number, state) in (0_u8..).zip(runs) {
            assert_eq!(postcard::to_stdvec(&state).unwrap(), [number], "{state}");
        }
        let tasks = [
            TaskState::None,
            TaskState::Scheduled,
            TaskState::Running,
            TaskState::UpForRetry,
            TaskState::Success,
            TaskState::Failed,
            TaskState::Skipped,
            TaskState::UpstreamFailed,
            TaskState::Cancelled,
            TaskState::Removed,
            TaskState::UpForReschedule,
            TaskState::Deferred,
        ];
        for (number, state) in (0_u8..).zip(tasks) {
            assert_eq!(postcard::to_stdvec(&state).unwrap(), [number], "{state}");
        }
    }
}
