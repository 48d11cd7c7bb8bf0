//! Values on their way into a journal.

use crate::value::FileRef;

/// A value made ready for being stored, by the thread that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Inline(Vec<u8>),
    File(FileRef),
}

/// A value written down.
#[derive(Debug)]
pub(crate) enum Encoded {
    /// Small enough to engine_ref among the entries.
    Inline(Vec<u8>),
    /// To be put into a file.
    Large(Vec<u8>),
}
