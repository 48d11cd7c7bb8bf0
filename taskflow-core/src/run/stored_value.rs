//! Values on their way to the journal.

use crate::value::FileRef;

/// A value in its stored form, encoded by the thread that produced it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Inline(Vec<u8>),
    File(FileRef),
}

impl Stored {
    /// How many bytes it holds in memory.
    pub(crate) fn inline_len(&self) -> usize {
        match self {
            Stored::Inline(bytes) => bytes.len(),
            Stored::File(_) => 0,
        }
    }
}

/// An encoded value.
#[derive(Debug)]
pub(crate) enum Encoded {
    /// Small enough to be stored with the entries.
    Inline(Vec<u8>),
    /// To be written to a file.
    Large(Vec<u8>),
}
