//! Ready-made callbacks and their building blocks: a line in the log, a command, a webhook.
//!
//! The options `on_success`, `on_failure`, `on_retry` and `on_skip` of tasks and `on_success`,
//! `on_failure`, `on_retry`, `on_deadline_missed` and `on_cancel` of DAGs take a callback: a
//! function of a [`Notification`], or one of these.
//!
//! ```
//! use taskflow::notify::{self, Notification, log_line};
//! use taskflow::prelude::*;
//! use taskflow::process::Command;
//!
//! fn page(notification: &Notification) -> Result<()> {
//!     eprintln!("{notification}"); // task load of daily failed (attempt 3): the table is gone
//!     Ok(())
//! }
//!
//! #[task(retries = 2, on_retry = log_line())]
//! fn load(rows: u32) -> u32 {
//!     rows
//! }
//!
//! #[dag(
//!     deadline = "2h after logical_date",
//!     on_deadline_missed = page,
//!     on_failure = page,
//!     on_success = notify::command(Command::new("touch").arg("/var/run/daily.done")),
//! )]
//! fn daily(rows: u32) -> u32 {
//!     load(rows)
//! }
//! # assert!(daily::def().plan().is_ok());
//! ```
//!
//! [`Notifier`] describes when and how often callbacks are called.

mod command;
#[cfg(feature = "http")]
mod webhook;

pub use self::command::{CommandNotifier, command};
#[cfg(feature = "http")]
pub use self::webhook::{Webhook, webhook, webhook_of};

use crate::base::BoxError;
pub use crate::task::{
    Callback, CallbackKind, CallbackResult, Callbacks, Deadline, DeadlineReference, Notification, Notifier,
    TaskNotification,
};

/// Writes each notification as a line to the log of the process: failures and missed deadlines as
/// errors, retries as warnings.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct LogLine;

/// Logs each notification through `tracing`.
pub fn log_line() -> LogLine {
    LogLine
}

impl Notifier for LogLine {
    fn notify(&self, notification: &Notification) -> Result<(), BoxError> {
        let mut line = notification.to_string();
        crate::log::Redactor::current().message(&mut line);
        let key = &*notification.key;
        match notification.kind {
            CallbackKind::Failure | CallbackKind::DeadlineMissed => tracing::error!(target: "taskflow", key, "{line}"),
            CallbackKind::Retry | CallbackKind::Cancel => tracing::warn!(target: "taskflow", key, "{line}"),
            CallbackKind::Success | CallbackKind::Skip => tracing::info!(target: "taskflow", key, "{line}"),
        }
        Ok(())
    }

    fn name(&self) -> String {
        "log_line".to_owned()
    }
}

/// A notification as JSON, with the state of its task or run, and without secrets.
fn json_of(notification: &Notification) -> Result<String, BoxError> {
    let mut json = serde_json::to_value(notification)?;
    if let Some(fields) = json.as_object_mut() {
        fields.insert("state".to_owned(), notification.state().into());
        fields.insert("message".to_owned(), notification.to_string().into());
    }
    let mut text = json.to_string();
    crate::log::Redactor::current().message(&mut text);
    Ok(text)
}
