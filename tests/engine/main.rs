//! How runs come to their end: limits, retries, timeouts, panics, cancelling; and what an observer sees of it.

mod cancel;
mod event_log;
#[cfg(feature = "testing")]
mod group_retries;
mod limits;
mod panics;
mod retries;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod run_retries;
mod subscriptions;
mod timeouts;
mod values;
