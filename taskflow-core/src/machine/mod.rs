//! The state machine of one DAG run.
//!
//! [`Machine::step`] takes an event and the time and says what is to be done about it. There is no clock in it, no I/O,
//! no thread and no value: whoever drives it brings those. The live engine drives it from worker threads, the reference
//! driver from a loop.
//!
//! 1. `Start` makes every task without upstreams `scheduled` and says `Ready`.
//! 2. The driver grants a ready task a slot and a worker and says `Started`; the task is `running`, its attempt counted.
//! 3. `Finished` closes the attempt. A failure with a retry left makes it `up_for_retry` until its time comes; every
//!    other end is final, and is told to each join below. A join that has its verdict tells its node; a node whose
//!    joins all have theirs is scheduled, skipped or failed, and the last two are told further down in the same step.
//! 4. `Finished` of an attempt that is not the running one changes nothing: a stale worker cannot write.
//! 5. `TimeReached` starts due retries, ends attempts and runs whose time is up. The driver calls it whenever
//!    [`Machine::next_deadline`] has passed.
//! 6. `Cancel`, a failure under `fail_fast` and the time limit of the run all *halt* it: what has not started ends at
//!    once, what runs is asked to stop and has the grace time to do so. Teardowns are *spared*: they run as ever, and the run
//!    ends after them. Only where nothing can be recorded any more they end with the rest.
//! 7. A run that goes on after a crash or after tasks were cleared is the same machine with some tasks ended before it
//!    starts ([`Machine::restore`]): `Start` tells their ends to the joins below, in their order, and goes on from there.
//! 8. An expand node that succeeds brings the elements of its list: in one step the [`Layout`] and the cells grow, the joins
//!    that its list stood for wait for the elements in its place, and those without anything else to wait for are scheduled.
//! 9. An attempt that waits ([`Outcome::Waits`]) makes its task `deferred` or `up_for_reschedule` until its time comes or the
//!    event it waits for is released; then it is scheduled as any other, and goes on under the same number.
//! 10. A group with retries is tried again as a whole (`units`): until it is over nobody outside hears of its tasks.
//! 11. When no task is left open, `Ended` comes as the last command; or, if the run has failed and has retries left, the machine
//!     makes itself anew with its failed tasks open ([`Machine::restore`]), after a wait, and starts again.
//! 12. A run that is not over at its deadline says so once, and goes on.
//!
//! - `cells`: what is kept of each task and join. `core`: the transitions. `joins`: ends are told downwards. `elements`: into and
//!   out of lists. `pace`: when elements may begin. `units`: groups that are tried again. `waits`: sensors and deferred tasks.
//!   `halt`: runs that end early. `again`: runs that are tried again, and deadlines.

mod attempt;
mod cells;
mod command;
mod core;
mod dispatch;
mod elements;
mod ending;
mod group_retry;
mod halt;
mod input;
mod joins;
#[allow(clippy::module_inception, reason = "the type has a file beside its parts")]
mod machine;
mod past;
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
pub(crate) use self::dispatch::{Dispatcher, Lane, PoolTooSmall, RunKey};
pub(crate) use self::input::{Input, Outcome};
pub(crate) use self::machine::Machine;
pub(crate) use self::settings::Settings;
