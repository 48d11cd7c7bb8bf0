//! Values on their way to the journal.

use crate::value::FileRef;

/// A value in its stored form, encoded by the thread that produced it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Inline(Vec<u8>),
    File(FileRef),
}

/// An encoded value.
#[derive(Debug)]
pub(crate) enum Encoded {
    /// Small enough to be stored with the entries.
    Inline(Vec<u8>),
    /// To be written to a file.
    Large(Vec<u8>),
}
