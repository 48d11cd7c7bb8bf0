//! When a schedule or a consumer is to be stepped again.

use crate::base::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    Now,
    At(Timestamp),
    /// When somebody acts, an event is emitted or a run ends.
    Never,
}

impl Wake {
    pub(super) fn is_due(self, now: Timestamp) -> bool {
        self.at().is_some_and(|at| at <= now)
    }

    /// When; in the past for [`Wake::Now`].
    pub(super) fn at(self) -> Option<Timestamp> {
        match self {
            Wake::Now => Some(Timestamp::EPOCH),
            Wake::At(at) => Some(at),
            Wake::Never => None,
        }
    }
}
