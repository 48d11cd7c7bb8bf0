//! The clock of a run.

use crate::base::Timestamp;

/// Wall-clock time that never goes back: the wall clock is read once, then elapsed time is added.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// What the wall clock would have shown at the zero of the monotonic clock.
    zero: Timestamp,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Clock { zero: Timestamp::now().plus_nanos(monotonic().wrapping_neg()) }
    }

    #[inline]
    pub(crate) fn now(&self) -> Timestamp {
        self.zero.plus_nanos(monotonic())
    }
}

/// Nanoseconds of a clock that never goes back. It is read for every task: `Instant` would do the
/// same and take twice as many instructions, because it shows neither its seconds nor its zero.
#[cfg(target_os = "linux")]
#[inline]
fn monotonic() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    (now.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec as u64)
}

/// Nanoseconds of a clock that never goes back.
#[cfg(not(target_os = "linux"))]
fn monotonic() -> u64 {
    use std::sync::LazyLock;
    use std::time::Instant;

    static ZERO: LazyLock<Instant> = LazyLock::new(Instant::now);
    let elapsed = ZERO.elapsed();
    elapsed.as_secs().wrapping_mul(1_000_000_000).wrapping_add(u64::from(elapsed.subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn it_begins_with_the_time_of_the_system_and_is_no_faster_than_the_clock_of_the_standard_library() {
        let (system, from) = (Timestamp::now(), Instant::now());
        let clock = Clock::start();
        let first = clock.now();
        assert!(first.since(system) < Duration::from_secs(60) && system.since(first) < Duration::from_secs(60));
        let last = (0..1_000).fold(first, |last, _| clock.now().max(last));
        assert!(last.since(first) <= from.elapsed());
    }
}
