//! When a schedule or a consumer is to be stepped again.

use crate::base::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    Now,
    At(Timestamp),
    /// When somebody acts, an event is emitted or a run ends.
    Never,
    /// When a run ends, which something waits for, or at this time. The service may not hear of the
    /// end: a person cancels the run while it is queued, or repairs it in another process. So the
    /// active runs are counted [again](Wake::look_again) now and then.
    AfterRun(Option<Timestamp>),
}

impl Wake {
    pub(super) fn is_due(self, now: Timestamp) -> bool {
        self.at().is_some_and(|at| at <= now)
    }

    /// The same for something that waits for the end of a run.
    pub(super) fn after_run(self) -> Self {
        match self {
            Wake::Now => Wake::Now,
            Wake::At(_) | Wake::Never | Wake::AfterRun(_) => Wake::AfterRun(self.at()),
        }
    }

    /// Is due if it waits for the end of a run.
    pub(super) fn look_again(&mut self) {
        if matches!(self, Wake::AfterRun(_)) {
            *self = Wake::Now;
        }
    }

    /// When; in the past for [`Wake::Now`].
    pub(super) fn at(self) -> Option<Timestamp> {
        match self {
            Wake::Now => Some(Timestamp::EPOCH),
            Wake::At(at) => Some(at),
            Wake::Never => None,
            Wake::AfterRun(at) => at,
        }
    }
}
