//! The engine: limits, retries, timeouts, panics, cancellation, values, and the events of a run.

mod cancel;
mod drain;
mod event_log;
#[cfg(feature = "testing")]
mod group_retries;
mod limits;
mod panics;
mod pools;
mod priorities;
mod retries;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod run_retries;
mod starvation;
mod subscriptions;
mod support;
mod timeouts;
mod turns;
mod values;
mod workers;
