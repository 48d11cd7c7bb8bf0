//! The reference driver: a simulation in which nothing is left to chance. One task at a time, and no waiting.
//!
//! Time is virtual: when nothing is ready it jumps to the next deadline. What the live engine does must be something
//! that this loop could have done.

use super::report::RunReport;
use super::request::{RunError, RunRequest};
use super::simulate::{Asyncs, SimConfig, SimHooks};
use crate::base::Timestamp;
use crate::run::Durability;
use crate::value::Value;

/// Takes what is possible in its order.
struct InOrder;

impl SimHooks for InOrder {}

impl<T: Value> RunRequest<T> {
    /// Runs it on this thread, one task after the other, with waits skipped: a run of hours ends in milliseconds.
    ///
    /// For tests of a DAG's logic; limits and priorities hold, parallelism there is none, and time limits of attempts
    /// do not strike. No journal is written. The test kit (feature `testing`) can do more.
    ///
    /// # Errors
    ///
    /// As [`RunRequest::start`].
    ///
    /// # Panics
    ///
    /// Inside async code, when the DAG has async tasks.
    pub fn run_sequentially(self) -> Result<RunReport<T>, RunError> {
        let stage = SimConfig { workers: 1, at_once: 1, asyncs: Asyncs::AtOnce, start: Timestamp::now() };
        Ok(self.durability(Durability::Ephemeral).simulate(stage, &mut InOrder)?.report)
    }
}
