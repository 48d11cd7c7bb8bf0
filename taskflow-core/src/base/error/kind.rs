//! Classes of errors: what a caller in another process needs to know of an error.

use std::fmt;

/// The class of an error that crosses a layer.
///
/// The message of an error is for people. The kind is for programs: it decides the exit code of the
/// command line and the status code of an HTTP response.
///
/// | kind | meaning | exit code | HTTP status |
/// |---|---|---|---|
/// | `NotFound` | The DAG, run, task or value does not exist. | 2 | 404 |
/// | `Conflict` | It exists, but its present state does not allow the operation. | 2 | 409 |
/// | `Invalid` | The request itself is wrong, and would be wrong in any state. | 2 | 422 |
/// | `Unavailable` | The system cannot do it now: the disk is full, the store is locked or too new. | 1 | 503 |
/// | `Damaged` | What is stored, or the graph in the program, has to be repaired first. | 1 | 500 |
///
/// Only `Unavailable` can go away by itself, so only then is the same request worth repeating.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The DAG, run, task or value does not exist.
    NotFound,
    /// It exists, but its present state does not allow the operation: the run is running, or has
    /// ended.
    Conflict,
    /// The request itself is wrong: a value of the wrong type, an ambiguous id, a mistake in the
    /// configuration.
    Invalid,
    /// The system cannot do it now: the disk is full, the store cannot be opened, a thread cannot
    /// be started.
    Unavailable,
    /// Something has to be repaired first: stored data is damaged, or the graph of a DAG has
    /// mistakes.
    Damaged,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [ErrorKind; 5] =
        [ErrorKind::NotFound, ErrorKind::Conflict, ErrorKind::Invalid, ErrorKind::Unavailable, ErrorKind::Damaged];

    /// The name in documents and logs: `not_found`, `conflict`, `invalid`, `unavailable` or
    /// `damaged`.
    pub const fn name(self) -> &'static str {
        match self {
            ErrorKind::NotFound => "not_found",
            ErrorKind::Conflict => "conflict",
            ErrorKind::Invalid => "invalid",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::Damaged => "damaged",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
