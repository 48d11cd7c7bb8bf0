//! What goes wrong around a run.

use std::sync::Arc;
use std::time::Duration;

/// What is to go wrong, and when.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    /// The process dies when so many journal entries are stored, in all its sessions together.
    pub(super) crash_after: Vec<u64>,
    /// The process dies before so many steps, whether what it recorded is stored or not.
    pub(super) crash_at_steps: Vec<u64>,
    /// Storing takes as long.
    pub(super) slow_store: Duration,
    /// Storing takes any time up to that.
    pub(super) random: bool,
    /// This commit fails, and the session ends with it. Counted from 1.
    pub(super) failing_store: Option<u64>,
    /// After so much virtual time the clock is set forward, or back if less than 0, by so many nanoseconds.
    pub(super) clock_jumps: Vec<(Duration, i64)>,
    /// After so many transitions somebody cancels the run.
    pub(super) cancel_after: Option<u64>,
    /// What somebody releases.
    pub(super) releases: Vec<Release>,
    /// How the clock differs when the next process takes the run, in nanoseconds.
    pub(super) restart_gap: i64,
}

/// An event that comes after so much virtual time.
#[derive(Clone, Debug)]
pub(super) struct Release {
    pub(super) after: Duration,
    pub(super) key: String,
    /// JSON.
    pub(super) value: Arc<str>,
    /// The run has been told.
    pub(super) is_told: bool,
}

impl Faults {
    /// Whether the run needs a journal for it.
    pub(super) fn need_a_journal(&self) -> bool {
        !self.crash_after.is_empty()
            || !self.crash_at_steps.is_empty()
            || !self.slow_store.is_zero()
            || self.failing_store.is_some()
    }

    /// Random ones, in a run that takes about `steps` steps when nothing goes wrong.
    pub(super) fn random(rng: &mut fastrand::Rng, steps: u64) -> Faults {
        const HOUR: i64 = 3600 * 1_000_000_000;

        let mut faults = Faults { random: true, ..Faults::default() };
        // Most runs crash, some several times; the others show what an interleaving alone can do.
        faults.crash_at_steps = (0..rng.u32(0..4)).map(|_| rng.u64(0..steps.max(1) + steps / 4)).collect();
        faults.crash_at_steps.sort_unstable();
        if rng.u32(0..3) == 0 {
            faults.slow_store = Duration::from_millis(rng.u64(1..5000));
        }
        if rng.u32(0..6) == 0 {
            faults.failing_store = Some(rng.u64(1..10));
        }
        if rng.bool() {
            faults.restart_gap = rng.i64(-HOUR..48 * HOUR);
        }
        faults
    }
}
