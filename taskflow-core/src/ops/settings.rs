//! From a configuration to an engine and the options of a run.
//!
//! What is given for one call, such as a flag, takes precedence over the configuration, and that
//! over the default.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::error::OpsError;
use crate::config::Config;
use crate::engine::Engine;
use crate::run::Durability;
use crate::store::SyncMode;

/// How long running tasks may take to stop after a cancellation, unless it is configured.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// How many runs a service runs at once, unless it is configured. It bounds the memory that runs
/// take when many DAGs are due together or after a downtime; [`engine`] limits how many tasks run
/// at once.
pub const DEFAULT_MAX_ACTIVE_RUNS: NonZeroUsize = NonZeroUsize::new(1_000).unwrap();

/// An engine with the limits and pools of a configuration, which its tasks can read. `jobs` takes
/// precedence over the configured number of tasks that run at once.
///
/// # Errors
///
/// When the configuration sets the size of a pool that the program does not declare.
pub fn engine(config: &Config, jobs: Option<NonZeroUsize>) -> Result<Engine, OpsError> {
    let mut builder = Engine::builder().config(config);
    if let Some(jobs) = jobs.or(config.settings().jobs()) {
        builder = builder.max_active_tasks(jobs);
    }
    if let Some(workers) = config.settings().workers() {
        builder = builder.workers(workers);
    }
    for (name, slots) in config.pools() {
        builder = builder.pool(name, slots);
    }
    builder.build().map_err(OpsError::Pool)
}

/// Whether the first failed task ends the run. `None`: as the DAG declares.
pub fn fail_fast(config: &Config, given: Option<bool>) -> Option<bool> {
    given.or(config.settings().fail_fast())
}

/// How long running tasks may take to stop after a cancellation.
pub fn grace(config: &Config) -> Duration {
    config.settings().grace().unwrap_or(DEFAULT_GRACE)
}

/// How many runs a service runs at once.
pub fn max_active_runs(config: &Config, given: Option<NonZeroUsize>) -> NonZeroUsize {
    given.or(config.settings().max_active_runs()).unwrap_or(DEFAULT_MAX_ACTIVE_RUNS)
}

/// The durability of new runs. Default: [`Durability::Strict`].
pub fn durability(config: &Config, given: Option<Durability>) -> Durability {
    given.unwrap_or_else(|| match config.settings().durability() {
        Some("relaxed") => Durability::Relaxed,
        Some("ephemeral") => Durability::Ephemeral,
        _ => Durability::Strict,
    })
}

/// What a commit has to survive. Default: [`SyncMode::Full`].
pub fn sync_mode(config: &Config, given: Option<SyncMode>) -> SyncMode {
    given.unwrap_or_else(|| match config.settings().sync() {
        Some("normal") => SyncMode::Normal,
        _ => SyncMode::Full,
    })
}
