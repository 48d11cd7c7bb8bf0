//! Which runs of a DAG with `max_active_runs` may start, over all processes of a store.
//!
//! 1. A process owns a run before it asks for its *admission*: it has stored the run, or claimed
//!    it. Whoever asks for the first time gets a *ticket*, its place in the queue. A ticket belongs
//!    to a token: a run that is claimed again starts at the end of the queue.
//! 2. One transaction of the store counts and admits ([`RunStore::admit`]), so two processes cannot
//!    take the same place.
//! 3. A run is *active* from its admission until it ends or its owner dies. A run that waits is
//!    shown as queued while its owner lives, and as interrupted afterwards.
//! 4. An interrupted run is not active. It uses nothing, and perhaps nobody ever resumes it:
//!    counting it would let one SIGKILL stop a DAG until somebody notices. Resuming it asks for an
//!    admission like every start. In Airflow, where another scheduler takes over the run, it stays
//!    active.
//! 5. First come, first served: a run is admitted when the active runs and the runs ahead of it in
//!    the queue together are fewer than the limit. A dead process does not hold up the queue.
//! 6. Whatever waits for a run does not stand in its way. A run that a task has triggered and waits
//!    for does not count its *ancestors*: the run of that task, the run that waits for that one,
//!    and so on. If one of them is an active run of the same DAG, the run also passes the queue,
//!    because that queue waits for its ancestor. Of several runs of one DAG, the one that was
//!    admitted last can therefore always trigger another one: they do not block each other. Two
//!    DAGs with limits that trigger each other can.
//! 7. There are two *shares*: the runs that backfills have started or are reprocessing, and all
//!    others. A run counts and queues in its own share only, so a live run never waits for a
//!    backfill and a backfill is not starved by live runs. How many runs a backfill starts beside
//!    live ones is up to whoever carries it out.
//! 8. Nobody is notified when a place is free. A process asks again when one of its own runs has
//!    ended, and otherwise several times a second. Asking in vain only reads.
//!
//! The limit is that of the process that asks: its program defines the DAG.
//!
//! [`RunStore::admit`]: super::traits::RunStore::admit

/// Asks whether a run may start.
#[derive(Clone, Debug)]
pub(crate) struct AdmissionRequest {
    /// The run, which this process owns.
    pub(crate) run: i64,
    /// The token of this process.
    pub(crate) token: u64,
    /// How many runs of its DAG and of its share may be active at once.
    pub(crate) limit: u32,
    /// The runs that wait for this one.
    pub(crate) ancestors: Vec<i64>,
    /// Whether the run counts in the share of backfills.
    pub(crate) is_backfill: bool,
    /// Whether this is the first time that this process asks for the run, which it has claimed: the
    /// same transaction stores the run as running.
    pub(crate) is_first: bool,
}

/// Whether a run may start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is active.
    Admitted,
    /// It waits. Both lists are in ascending order.
    Waits {
        /// The active runs that count against the limit.
        active: Vec<i64>,
        /// The runs that are ahead of it in the queue.
        ahead: Vec<i64>,
    },
    /// Another process has claimed the run, or the run has ended.
    Fenced,
}

/// What a store knows of the admission of a run that is stored as running.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    pub(super) run: i64,
    pub(super) ticket: i64,
    pub(super) is_admitted: bool,
    pub(super) is_backfill: bool,
}

/// Decides a request. `others` are the tickets of the runs of the same DAG whose owners are alive;
/// `own` is the ticket of the run, if it has one.
pub(super) fn decide(request: &AdmissionRequest, own: Option<Ticket>, others: &[Ticket]) -> Admission {
    if own.is_some_and(|own| own.is_admitted) {
        return Admission::Admitted;
    }
    let is_ancestor = |other: &Ticket| request.ancestors.contains(&other.run);
    let counts =
        |other: &&Ticket| other.run != request.run && other.is_backfill == request.is_backfill && !is_ancestor(other);
    let mut active: Vec<i64> =
        others.iter().filter(counts).filter(|other| other.is_admitted).map(|other| other.run).collect();
    let passes_queue = others.iter().any(|other| other.is_admitted && is_ancestor(other));
    let is_ahead = |other: &&Ticket| !other.is_admitted && own.is_none_or(|own| other.ticket < own.ticket);
    let mut ahead: Vec<i64> = match passes_queue {
        true => Vec::new(),
        false => others.iter().filter(counts).filter(is_ahead).map(|other| other.run).collect(),
    };
    if active.len() + ahead.len() < request.limit as usize {
        return Admission::Admitted;
    }
    active.sort_unstable();
    ahead.sort_unstable();
    Admission::Waits { active, ahead }
}
