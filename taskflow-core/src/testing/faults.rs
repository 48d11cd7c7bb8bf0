//! Faults injected into a simulated run.

use std::sync::Arc;
use std::time::Duration;

/// The faults, and when they happen.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    /// The process dies once this many journal entries are stored, across all sessions.
    pub(super) crash_after: Vec<u64>,
    /// The process dies before this many steps, whether the entries it recorded are stored or not.
    pub(super) crash_at_steps: Vec<u64>,
    /// The duration of storing.
    pub(super) slow_store: Duration,
    /// Whether the duration of storing is random, up to that.
    pub(super) random: bool,
    /// The commit that fails and ends its session, counted from 1.
    pub(super) failing_store: Option<u64>,
    /// After this virtual time the clock is moved by this many nanoseconds, forward or backward.
    pub(super) clock_jumps: Vec<(Duration, i64)>,
    /// The run is cancelled after this many transitions.
    pub(super) cancel_after: Option<u64>,
    /// The events that are sent.
    pub(super) events: Vec<SentEvent>,
    /// How often random tasks are cleared or marked after the run has ended, and run again.
    pub(super) edits: u32,
    /// How much the clock differs when the next process resumes the run, in nanoseconds.
    pub(super) restart_gap: i64,
}

/// An event that is sent after this virtual time.
#[derive(Clone, Debug)]
pub(super) struct SentEvent {
    pub(super) after: Duration,
    pub(super) key: String,
    /// The value, as JSON.
    pub(super) value: Arc<str>,
    /// Whether the run has received it.
    pub(super) is_sent: bool,
}

impl Faults {
    /// Whether the faults need a journal.
    pub(super) fn need_a_journal(&self) -> bool {
        !self.crash_after.is_empty()
            || !self.crash_at_steps.is_empty()
            || !self.slow_store.is_zero()
            || self.failing_store.is_some()
    }

    /// Random faults, for a run that takes about `steps` steps without faults.
    pub(super) fn random(rng: &mut fastrand::Rng, steps: u64) -> Faults {
        const HOUR: i64 = 3600 * 1_000_000_000;

        let mut faults = Faults { random: true, ..Faults::default() };
        // Most runs crash, some several times; the others test only the interleaving.
        faults.crash_at_steps = (0..rng.u32(0..4)).map(|_| rng.u64(0..steps.max(1) + steps / 4)).collect();
        faults.crash_at_steps.sort_unstable();
        if rng.u32(0..3) == 0 {
            faults.slow_store = Duration::from_millis(rng.u64(1..5000));
        }
        if rng.u32(0..6) == 0 {
            faults.failing_store = Some(rng.u64(1..10));
        }
        if rng.u32(0..3) == 0 {
            faults.edits = rng.u32(1..3);
        }
        faults.restart_gap = match rng.u32(0..4) {
            0 => rng.i64(-3 * HOUR..0),
            1 => rng.i64(0..48 * HOUR),
            _ => 0,
        };
        faults
    }
}
