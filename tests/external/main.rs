//! What tasks and runs exchange with the outside: configuration, events, approvals, other runs,
//! callbacks, HTTP.

#[cfg(feature = "sqlite")]
mod approval;
mod bounds;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod callbacks;
mod config;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "sqlite")]
mod other_runs;
#[cfg(feature = "sqlite")]
mod trigger;
#[cfg(feature = "sqlite")]
mod waits;
