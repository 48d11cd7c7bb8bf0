//! How an attempt asks to end early, or to wait.

use std::fmt;

use super::Wait;

/// How an attempt asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abort {
    /// As skipped.
    Skip,
    /// As failed, without a retry.
    Fail,
    /// For now: it waits, and is called again.
    Wait,
}

/// The error by which an attempt ends early: made by [`skip`](super::TaskContext::skip), [`fail`](super::TaskContext::fail) and the waits
/// of [`TaskContext`](super::TaskContext), returned by the task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupt {
    kind: Abort,
    reason: String,
    /// What for, if it waits.
    wait: Option<Box<Wait>>,
}

impl Interrupt {
    pub(super) fn new(kind: Abort, reason: String, wait: Option<Box<Wait>>) -> Self {
        Interrupt { kind, reason, wait }
    }

    /// A sensor has not found what it looks for.
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

    /// What was asked for.
    pub fn kind(&self) -> Abort {
        self.kind
    }

    /// Why.
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
