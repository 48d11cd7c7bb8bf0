//! When a failed attempt is retried.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::base::BoxError;

/// How the wait between attempts grows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Backoff {
    /// Always `retry_delay`.
    #[default]
    Constant,
    /// `retry_delay` times `factor` to the power of the retries already made, spread by jitter.
    Exponential {
        /// The growth from one retry to the next; at least 1.
        factor: f64,
    },
}

/// How often and when a task is retried.
///
/// The delay is a pure function of the policy, the attempt and a seed: it can be displayed in
/// advance, tested without waiting, and is the same after a restart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// The number of retries.
    pub retries: u32,
    /// The wait before the first retry.
    pub delay: Duration,
    /// How it grows.
    pub backoff: Backoff,
    /// Its upper bound.
    pub max_delay: Duration,
}

impl RetryPolicy {
    /// The default of `delay`.
    pub const DEFAULT_DELAY: Duration = Duration::from_secs(10);
    /// The default of `max_delay`: Airflow's 24 hours.
    pub const DEFAULT_MAX_DELAY: Duration = Duration::from_secs(24 * 60 * 60);

    /// The wait after the failure of `attempt` (counted from 1).
    ///
    /// An exponential delay lies between half and the whole of its step, chosen by `seed` ("equal
    /// jitter" in Marc Brooker's [Exponential Backoff And
    /// Jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/)), so that
    /// tasks that failed together are not retried together. Saturates at the bound, never
    /// overflows.
    pub fn delay_after(&self, attempt: u32, seed: u64) -> Duration {
        match self.backoff {
            Backoff::Constant => self.delay.min(self.max_delay),
            Backoff::Exponential { .. } if self.delay.is_zero() => Duration::ZERO,
            Backoff::Exponential { factor } => {
                let step = self.delay.as_secs_f64() * factor.max(1.0).powf(f64::from(attempt.saturating_sub(1)));
                let capped = step.min(self.max_delay.as_secs_f64());
                let spread = 0.5 + 0.5 * unit(seed, attempt);
                Duration::try_from_secs_f64(capped * spread).unwrap_or(self.max_delay).min(self.max_delay)
            }
        }
    }
}

/// A number in `0.0..1.0`, the same for the same arguments: one round of
/// [SplitMix64](https://prng.di.unimi.it/splitmix64.c).
fn unit(seed: u64, attempt: u32) -> f64 {
    let mut bits = seed.wrapping_add(u64::from(attempt).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    // An f64 represents exactly 53 bits.
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// Whether and when to retry after an error: the result of the function in `#[task(retry_on =
/// ..)]`.
///
/// A function that only decides whether to retry may return a `bool`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Do not retry: the task fails, whatever retries are left.
    Never,
    /// Retry according to the options of the task.
    AsUsual,
    /// Retry after this delay instead of `retry_delay` and its backoff: for example, the
    /// `Retry-After` of a server.
    After(Duration),
}

impl From<bool> for Retry {
    fn from(helps: bool) -> Self {
        if helps { Retry::AsUsual } else { Retry::Never }
    }
}

/// An error of a task, with the decision about a retry.
#[derive(Debug)]
pub(crate) struct JudgedError {
    pub(crate) error: BoxError,
    pub(crate) retry: Retry,
}

impl fmt::Display for JudgedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for JudgedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}
