//! What a reader compares to find out what others have changed.
//!
//! Nothing is stored for that. Each subject has something that grows with each of its changes: a
//! run has the number of its last segment and its token, schedules, consumers and backfills have
//! versions, events have numbers.

/// What changes whenever a run does.
///
/// Whether its owner is alive is not in it: nobody writes when a process dies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunHead {
    /// The number of the run.
    pub(crate) number: i64,
    /// Its DAG.
    pub(crate) dag: String,
    /// Its state as stored.
    pub(crate) state: String,
    /// How many processes have owned it.
    pub(crate) token: i64,
    /// The number of its last segment.
    pub(crate) segment: i64,
    /// Whether it waits for its admission.
    pub(crate) waits: bool,
}

/// The version of something that is not a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableVersion {
    pub(crate) subject: Subject,
    /// The id of the DAG, the number of the backfill, the name of the pool; empty for events.
    pub(crate) id: String,
    pub(crate) version: i64,
}

/// What a [`TableVersion`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// The schedule of a DAG.
    Schedule,
    /// The deadlines of its slots.
    SlotDeadlines,
    /// What it has consumed.
    Consumer,
    Backfill,
    Pool,
    /// The number of the last event.
    Events,
}
