//! Where a stored value is.

use crate::run::ValueRef;
use crate::value::FileRef;

/// Where a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the data of this segment.
    Inline { segment: u32, start: u32, len: u32 },
    /// In a file of its own; the entry is in this segment.
    File { segment: u32, file: Box<FileRef> },
}

impl Place {
    /// Where the value of an entry of this segment is.
    pub(in crate::journal) fn of(segment: u32, value: &ValueRef) -> Option<Self> {
        match *value {
            ValueRef::Nowhere => None,
            ValueRef::Inline { start, len } => Some(Place::Inline { segment, start, len }),
            ValueRef::File(file) => Some(Place::File { segment, file: Box::new(file) }),
        }
    }
}
