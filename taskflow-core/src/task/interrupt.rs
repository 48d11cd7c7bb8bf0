//! Requests of an attempt to end early or to wait.

use std::fmt;

use super::Wait;

/// How an attempt asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abort {
    /// As skipped.
    Skip,
    /// As failed, without a retry.
    Fail,
    /// Deferred: it waits and is called again.
    Wait,
}

/// The error that ends an attempt early. Created by [`skip`](super::TaskContext::skip),
/// [`fail`](super::TaskContext::fail) and the waits of [`TaskContext`](super::TaskContext), and
/// returned by the task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupt {
    kind: Abort,
    reason: String,
    /// What it waits for, if it waits.
    wait: Option<Box<Wait>>,
}

impl Interrupt {
    pub(super) fn new(kind: Abort, reason: String, wait: Option<Box<Wait>>) -> Self {
        Interrupt { kind, reason, wait }
    }

    /// A sensor has not found what it waits for.
    pub(crate) fn not_yet() -> Self {
        Interrupt { kind: Abort::Wait, reason: "nothing yet".to_owned(), wait: Some(Box::new(Wait::Poke)) }
    }

    /// What is waited for.
    pub(crate) fn into_wait(self) -> Option<Box<Wait>> {
        self.wait
    }

    /// Ends an attempt without a context as skipped.
    pub(crate) fn skip(reason: String) -> Self {
        Interrupt { kind: Abort::Skip, reason, wait: None }
    }

    /// The requested end.
    pub fn kind(&self) -> Abort {
        self.kind
    }

    /// The reason.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Interrupt {}
