//! How runs proceed and end: limits, retries, timeouts, panics, cancellation, and the events that an
//! observer sees.

mod cancel;
mod event_log;
#[cfg(feature = "testing")]
mod group_retries;
mod limits;
mod panics;
mod retries;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod run_retries;
mod timeouts;
mod values;
