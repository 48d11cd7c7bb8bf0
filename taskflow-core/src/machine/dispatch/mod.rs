//! Which ready task starts next.
//!
//! The dispatcher holds the ready tasks of every run in the process, and the limits they share:
//! active tasks of the engine and of each run, slots of pools. Like the state machine it is pure.
//!
//! - Ready tasks that no limit distinguishes (same pool, slots, priority and lane) queue in one
//!   *bucket*. To find out whether a limit holds a bucket back, its head is enough.
//! - Within a run the highest priority goes first, then the task that has been ready longest. A
//!   task that needs more slots than are free does not hold back others that fit.
//! - Runs take turns, whatever the number of their tasks. Priorities count within a run.

mod bucket;
mod dispatcher;
mod lane;
mod pool;
mod queue;
mod shared_pools;
#[cfg(test)]
mod tests;

pub(crate) use self::dispatcher::Dispatcher;
pub(crate) use self::lane::Lane;
pub(crate) use self::pool::PoolTooSmall;
pub(crate) use self::queue::RunKey;
pub(crate) use self::shared_pools::PoolUse;
