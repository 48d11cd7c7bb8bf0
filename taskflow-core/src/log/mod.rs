//! Logs: everything a task emits, in an append-only file of structured records per attempt.
//!
//! Tasks log like any Rust program, with the macros of `tracing` or `log`. The span of the thread
//! identifies the attempt.
//!
//! 1. The engine creates a span for each attempt and enters it around sync tasks; the futures of
//!    async tasks are instrumented with it. Without a subscriber this is free.
//! 2. The [`layer`] stores a handle of the attempt in that span and in every span inside it. For an
//!    event, it looks into the innermost span; if there is a handle, the event becomes a
//!    [`LogRecord`] with its fields and those of the surrounding spans.
//! 3. The record enters the bounded queue of its attempt (`queue`). A task never waits: if the
//!    queue is full, the oldest record in it is dropped and counted, so that the last words of an
//!    attempt, why it failed, always arrive. The output of child processes is held back instead
//!    (`backpressure`).
//! 4. One thread takes the records, [redacts](redact) secrets and appends the records to
//!    `<root>/<run>/<task>/<attempt>.jsonl`, within 200 ms of the first and when an attempt ends.
//!    The first record creates the file. A log that reaches its limit keeps its beginning and its
//!    end (`segments`). Records that cannot be written are counted, and the log
//!    reports the count; no task fails because of it.
//! 5. The span closes when the attempt and all work that [`spawn`], [`spawn_blocking`] and
//!    [`carry`] moved to other threads have ended. The layer notifies the writer, which closes the
//!    file.
//! 6. [`LogFiles`] reads at any time, including the logs of a killed process: an incomplete last
//!    line is skipped.
//!
//! [`init`] sets all of this up in a program without a subscriber; a program that has one adds the
//! [`layer`] to it.

#[cfg(feature = "server")]
pub(crate) mod ansi;
mod attempt;
mod backpressure;
pub(crate) mod encodings;
mod fields;
mod follow;
#[cfg(feature = "server")]
mod histogram;
mod init;
mod layer;
#[cfg(feature = "server")]
pub(crate) mod lines;
#[cfg(feature = "server")]
mod lines_index;
mod page;
mod patterns;
mod queue;
mod read;
mod record;
mod records;
mod redact;
mod registered;
pub(crate) mod relay;
#[cfg(all(feature = "cli", feature = "sqlite"))]
mod reports;
#[cfg(feature = "server")]
pub(crate) mod search;
mod segments;
mod sink;
pub(crate) mod span;
mod spawn;
mod store;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use backpressure::with_backpressure;
pub use follow::Follow;
#[cfg(feature = "server")]
pub(crate) use follow::{Followed, LogPosition};
#[cfg(feature = "server")]
pub(crate) use histogram::LogHistogram;
#[cfg(all(feature = "cli", feature = "sqlite"))]
pub(crate) use init::default_targets;
#[cfg(all(feature = "cli", feature = "sqlite"))]
pub(crate) use init::init_for_service;
pub use init::{AlreadyInstalled, init, init_with};
pub use layer::{layer, layer_with};
#[cfg(feature = "server")]
pub(crate) use lines_index::LinesIndex;
pub use read::{AttemptLog, LogFiles, RunLogRecord};
#[cfg(any(feature = "cli", feature = "server"))]
#[cfg_attr(not(feature = "sqlite"), allow(unused_imports, reason = "only the verbs about stored runs use it"))]
pub(crate) use record::LogLine;
pub use record::{LogLevel, LogRecord, LogSpan};
#[cfg(any(feature = "cli", feature = "server"))]
#[cfg_attr(not(feature = "sqlite"), allow(unused_imports, reason = "only the verbs about stored runs use it"))]
pub(crate) use records::each_record;
#[cfg(feature = "server")]
pub(crate) use records::{LogBlock, each_record_at, each_record_of};
pub use redact::{Redactor, mask, redact};
#[cfg(feature = "server")]
pub(crate) use sink::dropped_records;
pub use sink::{LogError, LogOptions, LogSink, LogStatus};
pub(crate) use span::attempt_span;
pub use spawn::{carry, spawn, spawn_blocking};
#[cfg(feature = "server")]
pub(crate) use store::LogChunk;
pub(crate) use store::LogStore;
#[cfg(any(feature = "cli", feature = "server"))]
#[cfg_attr(not(feature = "sqlite"), allow(unused_imports, reason = "only the verbs about stored runs use it"))]
pub(crate) use store::{LogName, follow_log};
