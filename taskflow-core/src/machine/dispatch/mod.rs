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
//! need fewer: each slot is taken again as soon as it is free. This rule bounds its wait:
//!
//! 1. A task *lacks slots* if it could start but for the slots of its pool: neither its run nor a
//!    group around it is at its limit.
//! 2. A task that starts in a pool *overtakes* those that lack slots there, unless it comes before
//!    them: in the same run, with a higher priority, or with the same priority and ready earlier.
//!    Tasks in pools therefore queue in the order in which they became ready, even when one of them
//!    could continue the work of a worker.
//! 3. The slots that overtaking tasks take are added up for the first task of each bucket. When
//!    they are as many as the pool has, the pool is *reserved* for that task: no other task starts
//!    in it, and no later task of its run takes the last place under a limit that it needs as well.
//!    If several tasks have reached that number, the one that was overtaken most goes first.
//! 4. The task starts as soon as enough running tasks have ended, which ends the reservation. The
//!    count of the next task of its bucket begins at zero.
//!
//! **Bound.** The first task of a bucket is overtaken by at most as many tasks as its pool has
//! slots, not counting tasks for which the pool was reserved: those take turns. The k-th task is
//! overtaken by at most k times as many.
//!
//! **Deadlocks.** A task has one pool, so a reservation waits only for tasks that already run in
//! that pool and have all they need. It never waits for another reservation. Tasks that wait for a
//! time, an event, a retry or a triggered run hold no slots. Only a function that blocks until
//! another task of its own pool has run can wait forever, as under any limit.
//!
//! **Throughput.** Until a pool is reserved, none of its slots is idle while a ready task fits. A
//! reservation makes it drain, at most once for each time that all its slots are taken over. To
//! reserve at once would drain it for every large task. Slurm can avoid that, because the time
//! limits of jobs tell it which ones end before the reservation begins; tasks need not have any.
//! Airflow never reserves: a task that does not fit is passed over.

mod bucket;
mod dispatcher;
mod lane;
mod pool;
mod queue;
mod reservation;
mod run_key;
mod shared_pools;
#[cfg(test)]
mod tests;

pub(crate) use self::dispatcher::Dispatcher;
pub(crate) use self::lane::Lane;
pub(crate) use self::pool::PoolTooSmall;
pub(crate) use self::run_key::RunKey;
pub(crate) use self::shared_pools::PoolUse;
