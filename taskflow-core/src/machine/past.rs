//! What a resumed run brings with it.

use std::collections::HashMap;

use crate::base::Timestamp;
use crate::run::RestoredTask;

/// What a run that goes on brings with it.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// When it first started.
    pub(super) started: Option<Timestamp>,
    /// Tasks that have ended, in the order in which they did.
    pub(super) ended: Vec<u32>,
    /// Retries that were waited for.
    pub(super) retries: HashMap<u32, Timestamp>,
    /// Tasks that waited for something else, and whether they are sensors.
    pub(super) waits: HashMap<u32, bool>,
    /// Attempts that do not count against the retries.
    pub(super) uncounted_attempts: HashMap<u32, u32>,
    /// How often tasks ran again with their group or their run.
    pub(super) rounds: HashMap<u32, u32>,
    /// The last events that are not for tasks, because they were cleared since.
    pub(super) deaf: HashMap<u32, u64>,
    /// What is known of elements whose lists have yet to come, by id.
    pub(super) later: HashMap<String, RestoredTask>,
    /// The lists that are there: to be said again.
    pub(super) expansions: Vec<(u32, u32)>,
    /// How often groups were tried again, and when their tasks may run.
    pub(super) units: HashMap<String, (u32, Option<Timestamp>)>,
    /// When the run was asked for.
    pub(super) queued: Option<Timestamp>,
    /// Its deadline counts no more.
    pub(super) past_deadline: bool,
}
