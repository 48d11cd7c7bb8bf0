//! A failure as a document.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::base::Failure;
use crate::base::schema::Schema;

/// A failure, or another reason why a task did not succeed, as JSON documents have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct Reason {
    /// One word: see [`Failure::kind`].
    pub kind: Cow<'static, str>,
    /// The message of the error or of the panic.
    pub message: String,
    /// The causes, outermost first.
    pub causes: Vec<String>,
    /// Where it panicked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The upstream task because of which this one did not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
}

impl Reason {
    /// The sentence of the failure: the [text](std::fmt::Display) of a [`Failure`].
    pub fn in_words(&self) -> String {
        match (&*self.kind, &self.location) {
            ("panic", Some(at)) => format!("panicked at {at}: {}", self.message),
            ("panic", None) => format!("panicked: {}", self.message),
            _ => self.message.clone(),
        }
    }

    /// The document of a failure.
    pub fn of(failure: &Failure) -> Self {
        let (message, location) = match failure {
            Failure::Panic { message, location } => (message.clone(), location.clone()),
            other => (other.to_string(), None),
        };
        let upstream = match failure {
            Failure::UpstreamFailed { task } => Some(task.clone()),
            _ => None,
        };
        Reason { kind: failure.kind().into(), message, causes: failure.causes().to_vec(), location, upstream }
    }
}
