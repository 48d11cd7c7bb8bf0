//! The state machine of one DAG run.
//!
//! [`Machine::step`] takes an input and the time, and appends the commands that follow. It has no
//! clock, no I/O, no threads and no values: its driver provides those. The live engine drives it
//! from worker threads, the simulated driver from a loop.
//!
//! 1. `Start` schedules every task without upstreams and emits `Ready` for it.
//! 2. The driver gives a ready task a slot and a worker and reports `Started`; the task is
//!    `running` and its attempt is counted.
//! 3. `Finished` closes the attempt. A failure with a retry left makes the task `up_for_retry`
//!    until the retry is due. Any other end is final, and is propagated to the joins below. A join
//!    that has its verdict updates its node; a node whose joins all have theirs is scheduled,
//!    skipped or failed, and in the last two cases the same step propagates that end, too.
//! 4. `Finished` of an attempt that is not the running one changes nothing: a stale worker cannot
//!    write.
//! 5. `TimeReached` starts due retries, and ends attempts and runs that are out of time. The driver
//!    reports it whenever [`Machine::next_deadline`] has passed.
//! 6. `Cancel`, a failure under `fail_fast` and the time limit of the run *halt* it: tasks that
//!    have not started end at once, running ones are asked to stop and have the grace time to do
//!    so. Teardowns are *spared*: they run as usual, and the run ends after them. Only if nothing
//!    can be recorded any more, they end with the rest.
//!    `Drain` lets the process leave: nothing more starts, and the run is `interrupted` when no
//!    attempt runs any more (`drain`).
//! 7. A run that is resumed after a crash or a clear is the same machine with some tasks ended
//!    before it starts ([`Machine::restore`]): `Start` propagates their ends, in their order.
//! 8. An expand node that succeeds creates the elements of its list: in one step the [`Layout`] and
//!    the cells grow, the joins that waited for the list wait for the elements, and tasks of
//!    elements that have nothing else to wait for are scheduled.
//! 9. An attempt that waits ([`Outcome::Waits`]) makes its task `deferred` or `up_for_reschedule`
//!    until the time or event it waits for; then the task is scheduled, and continues under the
//!    same number.
//! 10. A group with retries is retried as a whole (`group_retry`): until the group is over, ends of
//!     its tasks are propagated only inside it.
//! 11. When no task is left open, `Ended` is the last command. If the run has failed and has a
//!     retry left, the machine waits, rebuilds itself with the failed tasks open, and starts again.
//! 12. A run that is not over at its deadline reports that once, and continues. So does a task that
//!     has not succeeded; `deadlines` has the rules.
//!
//! | module | its concept |
//! |---|---|
//! | `input`, `command`, `settings` | what goes in and comes out |
//! | `cells`, `past`, `timer` | the data of tasks, joins, resumed runs and timers |
//! | `core` | everything that changes, and the transition of one task |
//! | `step`, `attempt`, `ending` | inputs, attempts, ends of tasks and of the run |
//! | `joins`, `elements` | ends are propagated downstream, into and out of lists |
//! | `plain` | the short path of tasks that need no feature |
//! | `rate`, `waits`, `group_retry`, `run_retry`, `halt`, `drain` | one feature each |
//! | `machine`, `restore`, `queries` | the machine, resumed runs, what drivers read |
//! | `dispatch` | which ready task starts next |
//!
//! [`Layout`]: crate::dag::Layout

mod attempt;
mod cells;
mod command;
mod core;
mod deadlines;
mod dispatch;
mod drain;
mod elements;
mod ending;
mod group_retry;
mod halt;
mod input;
mod joins;
#[allow(clippy::module_inception, reason = "the type has a file beside its parts")]
mod machine;
mod past;
mod plain;
mod queries;
mod rate;
mod restore;
mod run_retry;
mod settings;
mod step;
#[cfg(test)]
mod tests;
mod timer;
mod waits;

pub(crate) use self::command::Command;
pub(crate) use self::dispatch::{Dispatcher, Lane, PoolTooSmall, PoolUse, RunKey};
pub(crate) use self::input::{Elements, Input};
pub(crate) use self::machine::Machine;
pub(crate) use self::settings::Settings;
