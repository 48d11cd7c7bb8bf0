//! The attempts of a task.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::Serialize;

use crate::base::{Failure, Timestamp};
use crate::run::TaskState;

/// One attempt of a task of a stored run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AttemptHistory {
    /// Counted from 1: Airflow's try number.
    pub number: u32,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How it ended; `running` if it has not, as far as is stored.
    pub state: TaskState,
    /// Why it did not succeed.
    pub failure: Option<Arc<Failure>>,
    /// The index of its session in [`RunHistory::sessions`](crate::journal::RunHistory::sessions).
    pub session: usize,
}

/// The attempts of a task, in order. Dereferences to a slice.
#[derive(Clone, Default, PartialEq)]
pub struct Attempts(Repr);

/// Most tasks have one attempt, which needs no memory of its own.
#[derive(Clone, PartialEq)]
enum Repr {
    One(AttemptHistory),
    Any(Vec<AttemptHistory>),
}

impl Default for Repr {
    fn default() -> Self {
        Repr::Any(Vec::new())
    }
}

impl Attempts {
    pub(super) fn push(&mut self, attempt: AttemptHistory) {
        self.0 = match std::mem::take(&mut self.0) {
            Repr::Any(attempts) if attempts.is_empty() => Repr::One(attempt),
            Repr::One(first) => Repr::Any(vec![first, attempt]),
            Repr::Any(mut attempts) => {
                attempts.push(attempt);
                Repr::Any(attempts)
            }
        };
    }

    pub(super) fn last_mut(&mut self) -> Option<&mut AttemptHistory> {
        match &mut self.0 {
            Repr::One(attempt) => Some(attempt),
            Repr::Any(attempts) => attempts.last_mut(),
        }
    }
}

impl Deref for Attempts {
    type Target = [AttemptHistory];

    fn deref(&self) -> &[AttemptHistory] {
        match &self.0 {
            Repr::One(attempt) => std::slice::from_ref(attempt),
            Repr::Any(attempts) => attempts,
        }
    }
}

impl<'a> IntoIterator for &'a Attempts {
    type Item = &'a AttemptHistory;
    type IntoIter = std::slice::Iter<'a, AttemptHistory>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl Serialize for Attempts {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}
