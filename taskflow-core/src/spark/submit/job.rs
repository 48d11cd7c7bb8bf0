//! What a job gives.

use serde::{Deserialize, Serialize};

/// A job that has succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SparkJob<R = ()> {
    /// What it was submitted as, in cluster mode: `driver-20260131060000-0007`.
    pub submission_id: Option<String>,
    /// The application, if it is known: `app-20260131060000-0003`.
    pub application_id: Option<String>,
    /// The last line that the job itself wrote, in client mode; empty if there is none.
    pub last_line: String,
    /// What its event log says.
    pub summary: Option<EventSummary>,
    /// What it gave: see [`SparkSubmit::result`](super::SparkSubmit::result).
    pub result: R,
}

/// What an application has done, added up over all its tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EventSummary {
    /// Jobs of Spark.
    pub jobs: u64,
    /// Stages that ended.
    pub stages: u64,
    /// Tasks that ended well.
    pub tasks: u64,
    /// Tasks that did not, among them those that were tried again.
    pub failed_tasks: u64,
    /// Bytes read from outside.
    pub input_bytes: u64,
    /// Bytes written outside.
    pub output_bytes: u64,
    /// Bytes read from shuffles.
    pub shuffle_read_bytes: u64,
    /// Bytes written to shuffles.
    pub shuffle_write_bytes: u64,
    /// Bytes that did not fit into memory and went to disk.
    pub spilled_bytes: u64,
    /// Time that executors computed, in milliseconds.
    pub run_ms: u64,
    /// Time of it that they collected garbage, in milliseconds.
    pub gc_ms: u64,
}
