//! Which ready task goes next.
//!
//! The dispatcher holds the ready tasks of every run in the process, and the limits they share: tasks at once in the
//! engine, tasks at once in a run, slots of pools. Like the state machine it is pure.
//!
//! - Ready tasks that no limit can tell apart (same pool, same slots, same priority, same kind of thread) queue in one
//!   *bucket*. Work that a limit holds back is therefore never looked through: a look at the head of its bucket is
//!   enough.
//! - Within a run the highest priority goes first, then the longest ready. A task that needs more slots than are free
//!   does not hold back others that fit.
//! - Runs take turns, whatever the number of their tasks; priorities count within a run.

mod bucket;
mod dispatcher;
mod lane;
mod pool;
mod queue;
#[cfg(test)]
mod tests;

pub(crate) use self::dispatcher::Dispatcher;
pub(crate) use self::lane::Lane;
pub(crate) use self::pool::PoolTooSmall;
pub(crate) use self::queue::RunKey;
