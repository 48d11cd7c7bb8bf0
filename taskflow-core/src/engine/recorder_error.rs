//! Why a journal could not do what a run asked of it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::base::{BoxError, ErrorKind};

/// An error of the journal that stores a run.
///
/// The engine does not know the type of the error, only its [kind](RecorderError::kind). The
/// message is that of the error of the journal.
#[derive(Clone)]
pub struct RecorderError {
    kind: ErrorKind,
    source: Arc<dyn Error + Send + Sync>,
}

impl RecorderError {
    pub(crate) fn new(kind: ErrorKind, source: impl Into<BoxError>) -> Self {
        RecorderError { kind, source: source.into().into() }
    }

    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Debug for RecorderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecorderError({:?}, {:?})", self.kind, self.source)
    }
}

impl fmt::Display for RecorderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.source, f)
    }
}

impl Error for RecorderError {
    /// The source of the error that this one replaces, whose message is already part of this
    /// one's.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.source()
    }
}
