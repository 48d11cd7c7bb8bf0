//! The clock of a run.

use std::time::Instant;

use crate::base::Timestamp;

/// Wall-clock time that never goes back: the wall clock is read once, then elapsed time is added.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    base: Timestamp,
    origin: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Clock { base: Timestamp::now(), origin: Instant::now() }
    }

    #[inline]
    pub(crate) fn now(&self) -> Timestamp {
        let elapsed = self.origin.elapsed();
        // For every task: a run of centuries would wrap, and needs no check.
        let nanos = (elapsed.as_secs() as i64).wrapping_mul(1_000_000_000) + i64::from(elapsed.subsec_nanos());
        Timestamp::from_nanos(self.base.as_nanos().wrapping_add(nanos))
    }
}
