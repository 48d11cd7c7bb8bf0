//! The reference driver: a deterministic simulation, one task at a time, without waiting.
//!
//! Time is virtual: if nothing is ready, it jumps to the next deadline. Whatever the live engine
//! does, this loop could have done as well.

use super::report::RunReport;
use super::request::{RunError, RunRequest};
use super::simulate::{Asyncs, SimConfig, SimHooks};
use crate::base::Timestamp;
use crate::run::Durability;
use crate::value::Value;

/// Takes possible steps in their order.
struct InOrder;

impl SimHooks for InOrder {}

impl<T: Value> RunRequest<T> {
    /// Runs it on this thread, one task after the other, and skips waits: a run of hours ends in
    /// milliseconds.
    ///
    /// For tests of the logic of a DAG. Limits and priorities apply; there is no parallelism, and
    /// timeouts of attempts have no effect. No journal is written. The test kit (feature `testing`)
    /// can do more.
    ///
    /// # Errors
    ///
    /// As [`RunRequest::start`].
    ///
    /// # Panics
    ///
    /// Inside async code, when the DAG has async tasks.
    pub fn run_sequentially(self) -> Result<RunReport<T>, RunError> {
        let sim_config = SimConfig { workers: 1, at_once: 1, asyncs: Asyncs::AtOnce, start: Timestamp::now() };
        Ok(self.durability(Durability::Ephemeral).simulate(sim_config, &mut InOrder)?.report)
    }
}
