//! Rust tasks on the executors of a cluster, where this program is shipped.
//!
//! 1. A run has one *session* for each description of a cluster ([`Executors`]). Its first attempt
//!    starts the *driver*: a Python program (`driver.py`) that runs a Spark application, in a
//!    process group with a guard. Later attempts use the same driver, which ends with the run. It
//!    is started by Python instead of `spark-submit`, which would not pass on its stdin.
//! 2. An attempt is packed as for a process of its own: a request that identifies it, and its
//!    serialized inputs ([`pack`](crate::process::pack)). The *batcher* of the session
//!    ([`batcher`]) collects attempts that arrive within milliseconds, or while the driver starts,
//!    and submits them as one Spark job.
//! 3. The driver divides the job into partitions, according to the number and size of the attempts
//!    and the cores of the cluster. For each partition an executor starts this program as a worker
//!    ([`child_main`](crate::process::child_main)), which answers one attempt after the other.
//! 4. The answers of a partition are returned when it is complete. They are sent in a Spark
//!    accumulator, which Spark updates once per partition of a job, however often that was run; so
//!    a speculative copy or a lost executor duplicates nothing. The batcher sends each answer to
//!    the future of its attempt and accepts only the first one. At the end of a job, attempts
//!    without an answer fail and can be retried.
//! 5. An answer contains the result of the attempt, whatever it is: errors, panics and skips are
//!    data, and the engine retries according to the task. A worker that dies is different: Spark
//!    runs the partition again, on another executor if possible. On Spark's last try
//!    (`spark.task.maxFailures`) the partition does not fail, because that would end the job and
//!    discard the work of all others: the attempt that ended the worker is answered as
//!    [crashed](crate::base::Failure::Crashed), and the rest continues in a new worker.
//! 6. A cancelled or abandoned attempt stops waiting. When no attempt of a job waits, its job group
//!    is cancelled and Spark ends the workers: a worker whose stdin is closed kills its process
//!    group.
//! 7. When the driver is lost, its attempts fail, and the next attempt starts another driver.
//!
//! The log records, progress, links and named values of an attempt are returned with its answer,
//! not while it runs: only Spark's own network connections are needed.

mod answer;
mod batcher;
mod binary;
mod driver;
mod place;
mod python;
mod session;

pub(crate) use place::DEFAULT;
pub use place::Executors;

/// For fuzzing: reads bytes as what the driver and its workers answer.
pub(super) fn read_any(bytes: &[u8]) {
    answer::read_any(bytes);
    driver::read_any(bytes);
}
