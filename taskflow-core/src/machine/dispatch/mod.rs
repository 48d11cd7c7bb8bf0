//! Which ready task starts next.
//!
//! The dispatcher holds the ready tasks of every run in the process, and the limits they share:
//! active tasks of the engine and of each run, slots of pools. Like the state machine it is pure.
//!
//! - Ready tasks that no limit distinguishes (same pool, slots, priority and lane) queue in one
//!   *bucket*. To find out whether a limit holds a bucket back, its head is enough.
//! - Within a run the highest priority goes first, then the task that has been ready longest. A
//!   task that needs more slots than are free does not hold back others that fit, until they have
//!   overtaken it too often (below).
//! - Runs take turns, whatever the number of their tasks. Priorities count within a run.
//!
//! # Reserved pools
//!
//! A task that needs several slots of a pool would never start beside a steady supply of tasks that
//! need fewer: each slot is taken again as soon as it is free. The wait is bounded as follows.
//!
//! 1. A task *lacks slots* when it could start but for the slots of its pool: neither its run nor
//!    a group around it is at its limit.
//! 2. A task that starts in a pool *overtakes* those that lack slots there, unless it comes before
//!    them: in the same run, with a higher priority, or with the same and ready earlier. For this
//!    order to mean something, tasks of pools start in the order in which they became ready, even
//!    where another task would continue the work of a worker.
//! 3. The slots that overtaking tasks take are added up, for the first task of each bucket. When
//!    they are as many as the pool has, the pool is *reserved* for that task: no other task starts
//!    in it, and no later task of its run takes the last place under a limit that it needs as well.
//!    One that was overtaken more goes first.
//! 4. The task starts as soon as enough running tasks have ended, and the pool is free again. The
//!    next task of its bucket is counted from zero.
//!
//! **Bound.** The first task of a bucket is overtaken by at most as many tasks as its pool has slots,
//! and by tasks for which the pool was reserved, which take turns. The k-th one is overtaken by at
//! most k times as many.
//!
//! **Deadlocks.** A task has one pool, so a reservation waits only for tasks that already run there
//! and lack nothing. It never waits for another reservation. Tasks that wait by themselves (for a
//! time, an event, a retry, a triggered run) have no slots. Only a function that blocks until another
//! task of the same pool has run can wait forever, as with any limit.
//!
//! **Throughput.** Until it is reserved, no slot of a pool is idle while a ready task fits. Then
//! the pool drains, once in the time in which its slots are taken once over. Strict order, which
//! Slurm keeps where it cannot predict the ends of jobs, would idle slots for each large task, and
//! passing over the large ones, as Airflow does, never bounds their wait.

mod bucket;
mod dispatcher;
mod lane;
mod pool;
mod queue;
mod reservation;
#[cfg(test)]
mod tests;

pub(crate) use self::dispatcher::Dispatcher;
pub(crate) use self::lane::Lane;
pub(crate) use self::pool::PoolTooSmall;
pub(crate) use self::queue::RunKey;
