//! Logs: everything a task emits, in one append-only file of structured records for each attempt.
//!
//! A task logs as any Rust program does, with the macros of `tracing` or of `log`. Which attempt it works for is known by
//! the span the thread is in.
//!
//! 1. The engine makes a span for each attempt and enters it around sync tasks; the futures of async ones are instrumented
//!    with it. Without a subscriber this is free.
//! 2. The [`layer`] puts a handle of the attempt into that span, and into every span inside it. For an event it looks
//!    into the innermost span; if there is a handle, the event becomes a [`LogRecord`] with its fields and those of the
//!    spans around it.
//! 3. The record goes into a bounded queue. A task never waits: if there is no room, the record is counted for its
//!    attempt.
//! 4. One thread takes the records out, takes the [secrets](redact) out of them, and appends them to
//!    `<root>/<run>/<task>/<attempt>.jsonl`, within 200 ms of the first and when an attempt ends. The file is made with
//!    the first record. What could not be written is counted and the log says so; no task fails for it.
//! 5. The span is closed when the attempt has ended and so has all work that [`spawn`], [`spawn_blocking`] and [`carry`]
//!    handed to other threads. The layer tells the writer, which says what is missing and closes the file.
//! 6. [`LogFiles`] reads at any time, also what a process left that was killed: half a line at the end is left out.
//!
//! [`init`] sets all of it up in a program that has no subscriber; a program that has one adds the [`layer`] to it.

mod attempt;
mod fields;
mod follow;
mod init;
mod layer;
mod page;
mod patterns;
mod queue;
mod read;
mod record;
mod redact;
mod registered;
pub(crate) mod relay;
mod sink;
pub(crate) mod span;
mod spawn;
#[cfg(test)]
mod tests;
mod writer;

pub use follow::Follow;
pub use init::{AlreadyInstalled, init, init_with};
pub use layer::{layer, layer_with};
pub use read::{AttemptLog, LogFiles, RunLogRecord};
pub use record::{LogLevel, LogRecord, LogSpan};
pub use redact::{Redactor, mask, redact};
pub use sink::{LogError, LogOptions, LogSink, LogStatus};
pub(crate) use span::attempt_span;
pub use spawn::{carry, spawn, spawn_blocking};
