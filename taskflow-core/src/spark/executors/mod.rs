//! Rust tasks on the executors of a cluster: this program, shipped there.
//!
//! 1. A run has one *session* for each description of a cluster ([`Executors`]). Its first attempt starts the *driver*: a Python
//!    program of ours (`driver.py`) that holds a Spark application, in a process group with a guard. The next ones find it there,
//!    and it ends with the run. It is started by Python and not by `spark-submit`, which would keep its stdin from it.
//! 2. An attempt is packed as for a process of its own: an order that says who it is, and its inputs as they would be stored
//!    ([`pack`](crate::process::pack)). The *batcher* of the session ([`batcher`]) collects what comes within milliseconds, or while the driver
//!    comes up, and makes one Spark job of it.
//! 3. The driver cuts the job into partitions, by the number and the size of the attempts and by the cores of the cluster. For
//!    each an executor starts this very program as a worker ([`child_main`](crate::process::child_main)), which answers one attempt
//!    after the other.
//! 4. The answers of a partition come back when it is done. They travel in an accumulator of Spark, which is added to once for
//!    each partition of a job, however often that was run; so a speculative copy or a lost executor doubles nothing. The batcher gives
//!    each answer to the future of its attempt, and takes only the first one. At the end of a job answers are counted against
//!    attempts: what has none fails, and can be retried.
//! 5. An answer is what the attempt came to, whatever that is: its error, its panic and its skip are data, and the engine retries
//!    as the task says. A worker that dies is different: Spark runs the partition again, elsewhere if it can. On the last try of
//!    Spark (`spark.task.maxFailures`) the partition is not failed, which would end the job and with it the work of all others: the
//!    attempt that took the worker with it is answered as [crashed](crate::base::Failure::Crashed), and the rest goes on in a new
//!    worker.
//! 6. An attempt that is cancelled or given up is not waited for. When a job has nobody left who waits for it, its job group is
//!    cancelled, and Spark ends the workers: a worker whose stdin is closed kills its process group.
//! 7. When the driver is lost, its attempts fail, and the next one starts another driver.
//!
//! The records of an attempt, its progress, links and named values come back with its answer, and not while it runs: nothing
//! but Spark's own connections is asked of the network.

mod answer;
mod batcher;
mod binary;
mod driver;
mod place;
mod python;
mod session;

pub(crate) use place::DEFAULT;
pub use place::Executors;
