//! The clock of a journal.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::base::Timestamp;

/// Says what time it is for whoever works with a journal: that of the machine, or that of a
/// simulation. Clones show the same time.
#[derive(Clone, Debug, Default)]
pub(crate) struct JournalClock(Option<Arc<AtomicI64>>);

impl JournalClock {
    /// A clock that stands still until it is set.
    #[cfg(feature = "testing")]
    pub(crate) fn at(now: Timestamp) -> Self {
        JournalClock(Some(Arc::new(AtomicI64::new(now.as_nanos()))))
    }

    /// Sets the clock of a simulation.
    #[cfg(feature = "testing")]
    pub(crate) fn set(&self, now: Timestamp) {
        if let Some(clock) = &self.0 {
            clock.store(now.as_nanos(), Ordering::Relaxed);
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        match &self.0 {
            Some(clock) => Timestamp::from_nanos(clock.load(Ordering::Relaxed)),
            None => Timestamp::now(),
        }
    }
}
