//! Waiting without a slot: the pokes of sensors, and deferrable tasks.
//!
//! A waiting attempt is over for the engine: it holds no slot, no worker and no future. When the
//! wait is over, the function is called again from its beginning, as the same attempt. A wait
//! therefore survives the process, and what a task does before it waits is repeated afterwards.

use std::fmt;
use std::time::Duration;

use super::{Backoff, RetryPolicy};
use crate::base::Timestamp;
use crate::run::RUN_ENDED;

/// What the function of a task can wait for without holding a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Waiting {
    /// Nothing: it runs to completion.
    #[default]
    Never,
    /// `#[task(deferrable)]`: a time or an event, with
    /// [`TaskContext::defer_until`](super::TaskContext::defer_until) and
    /// [`TaskContext::wait_for`](super::TaskContext::wait_for).
    Deferrable,
    /// `#[sensor]`: it is called (*poked*) repeatedly until it returns a value.
    Sensor,
}

/// The options of sensors; `None` means "not set here".
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SensorOptions {
    /// The wait from the end of a poke to the next. Default 60 seconds, as in Airflow.
    pub poke_interval: Option<Duration>,
    /// How the wait grows. Default [`Backoff::Constant`].
    pub backoff: Option<Backoff>,
    /// The longest wait. Default 24 hours.
    pub max_poke_interval: Option<Duration>,
    /// How long it pokes, from its first poke on and including retries. Default 7 days, as in
    /// Airflow.
    pub timeout: Option<Duration>,
    /// Whether it is skipped instead of failed after the timeout. Default: no.
    pub soft_fail: Option<bool>,
}

impl SensorOptions {
    /// No option set.
    pub const NONE: SensorOptions =
        SensorOptions { poke_interval: None, backoff: None, max_poke_interval: None, timeout: None, soft_fail: None };

    /// These options, with `fallback` for those that are not set.
    #[must_use]
    pub const fn or(self, fallback: SensorOptions) -> SensorOptions {
        // `Option::or` is not const.
        macro_rules! first {
            ($($field:ident),*) => {
                SensorOptions { $($field: if self.$field.is_some() { self.$field } else { fallback.$field },)* }
            };
        }
        first!(poke_interval, backoff, max_poke_interval, timeout, soft_fail)
    }
}

/// How often and how long a sensor pokes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SensorPolicy {
    /// The wait from the end of the first poke to the second.
    pub poke_interval: Duration,
    /// How it grows from poke to poke.
    pub backoff: Backoff,
    /// Its upper bound.
    pub max_poke_interval: Duration,
    /// How long it pokes, from its first poke on and including retries.
    pub timeout: Duration,
    /// Whether it is skipped instead of failed after the timeout.
    pub soft_fail: bool,
}

impl SensorPolicy {
    /// The default of `poke_interval`: Airflow's.
    pub const DEFAULT_POKE_INTERVAL: Duration = Duration::from_secs(60);
    /// The default of `timeout`: Airflow's 7 days.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

    /// Applies the defaults to options that are not set.
    pub fn of(options: SensorOptions) -> Self {
        SensorPolicy {
            poke_interval: options.poke_interval.unwrap_or(Self::DEFAULT_POKE_INTERVAL),
            backoff: options.backoff.unwrap_or_default(),
            max_poke_interval: options.max_poke_interval.unwrap_or(RetryPolicy::DEFAULT_MAX_DELAY),
            timeout: options.timeout.unwrap_or(Self::DEFAULT_TIMEOUT),
            soft_fail: options.soft_fail.unwrap_or(false),
        }
    }

    /// The wait after this poke, counted from 1; a pure function like [`RetryPolicy::delay_after`].
    pub fn wait_after(&self, poke: u32, seed: u64) -> Duration {
        let SensorPolicy { poke_interval, backoff, max_poke_interval, .. } = *self;
        RetryPolicy { retries: 0, delay: poke_interval, backoff, max_delay: max_poke_interval }.delay_after(poke, seed)
    }
}

/// What an attempt waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The next poke of a sensor.
    Poke,
    /// A time, an event, or whichever comes first; at least one is set.
    Deferred {
        until: Option<Timestamp>,
        /// The key of the event, and the number of the last event with this key that the task could
        /// not use.
        event: Option<(String, u64)>,
    },
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wait::Poke => f.write_str("found nothing yet"),
            Wait::Deferred { event: Some((key, _)), .. } if key.starts_with(RUN_ENDED) => {
                write!(f, "deferred until the run `{}` has ended", &key[RUN_ENDED.len()..])
            }
            Wait::Deferred { until: Some(until), event: Some((key, _)) } => {
                write!(f, "deferred until the event `{key}`, or {until}")
            }
            Wait::Deferred { event: Some((key, _)), .. } => write!(f, "deferred until the event `{key}`"),
            Wait::Deferred { until: Some(until), .. } => write!(f, "deferred until {until}"),
            Wait::Deferred { .. } => f.write_str("deferred"),
        }
    }
}
