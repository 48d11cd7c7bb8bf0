//! Stored runs: resuming, clearing and marking them, their values and XComs.

mod active_runs;
mod assets;
mod follow;
#[cfg(all(feature = "arrow", feature = "sqlite"))]
mod frames;
#[cfg(feature = "sqlite")]
mod graphs;
mod journal;
mod ops;
mod queued;
mod rerun;
#[cfg(feature = "sqlite")]
mod resume;
#[cfg(feature = "sqlite")]
mod stored_values;
#[cfg(all(feature = "cli", feature = "sqlite"))]
mod stores;
#[cfg(feature = "sqlite")]
mod value_files;
#[cfg(feature = "sqlite")]
mod write_ahead_log;
#[cfg(feature = "sqlite")]
mod xcom;
