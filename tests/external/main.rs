//! What tasks and runs have to do with the world outside: configuration, events, people, other runs, callbacks, HTTP.

#[cfg(feature = "sqlite")]
mod approval;
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
