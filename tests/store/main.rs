//! Stored runs: what is kept of them, how they are resumed, and what people do to them.

#[cfg(all(feature = "arrow", feature = "sqlite"))]
mod frames;
mod journal;
mod ops;
mod rerun;
#[cfg(feature = "sqlite")]
mod resume;
#[cfg(feature = "sqlite")]
mod stored_values;
#[cfg(feature = "sqlite")]
mod stores;
#[cfg(feature = "sqlite")]
mod xcom;
