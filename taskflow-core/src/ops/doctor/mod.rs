//! Checks what keeps a home from working when nobody watches.
//!
//! - `finding`: what can be found, in words. `examination`: the checks.

#[cfg(feature = "sqlite")]
mod examination;
mod finding;

use std::path::PathBuf;

use crate::base::schema::Schema;
use serde::{Deserialize, Serialize};

#[cfg(feature = "sqlite")]
pub use self::examination::doctor;
pub use self::finding::FindingKind;

/// The outcome of [`doctor`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct Diagnosis {
    /// The directory of the home.
    pub home: PathBuf,
    /// Whether a finding is a problem.
    pub needs_attention: bool,
    /// The findings, in the order of the checks.
    pub findings: Vec<Finding>,
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct Finding {
    /// Whether somebody has to act.
    pub severity: Severity,
    /// The finding in words.
    pub message: String,
    /// What to do, if there is something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_step: Option<String>,
    /// The finding as data.
    #[serde(flatten)]
    pub kind: FindingKind,
}

/// Whether somebody has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Notice,
    /// Somebody has to act.
    Problem,
}

impl From<FindingKind> for Finding {
    fn from(kind: FindingKind) -> Self {
        let (severity, message, next_step) = (kind.severity(), kind.to_string(), kind.next_step());
        Finding { severity, message, next_step, kind }
    }
}
