//! The outcome of a successful job.

use serde::{Deserialize, Serialize};

/// A job that has succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SparkJob<R = ()> {
    /// The id of the submission, in cluster mode: `driver-20260131060000-0007`.
    pub submission_id: Option<String>,
    /// The id of the application, if it is known: `app-20260131060000-0003`.
    pub application_id: Option<String>,
    /// The last line that the job printed; empty if there is none.
    pub last_line: String,
    /// The summary of its [event log](super::SparkSubmit::event_log).
    pub summary: Option<EventSummary>,
    /// Its result: see [`SparkSubmit::result`](super::SparkSubmit::result).
    pub result: R,
}

/// The totals of an application over all its tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EventSummary {
    /// Spark jobs.
    pub jobs: u64,
    /// Completed stages.
    pub stages: u64,
    /// Successful tasks.
    pub tasks: u64,
    /// Failed tasks, including those that were retried.
    pub failed_tasks: u64,
    /// Bytes read from data sources.
    pub input_bytes: u64,
    /// Bytes written to data sinks.
    pub output_bytes: u64,
    /// Bytes read from shuffles.
    pub shuffle_read_bytes: u64,
    /// Bytes written to shuffles.
    pub shuffle_write_bytes: u64,
    /// Bytes spilled from memory to disk.
    pub spilled_bytes: u64,
    /// The run time of the tasks on the executors, in milliseconds.
    pub run_ms: u64,
    /// The part of the run time spent in garbage collection, in milliseconds.
    pub gc_ms: u64,
}
