//! What a store takes and returns of the audit trail.

use crate::base::Timestamp;

/// A change that somebody asked for. The store does not interpret it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuditRow {
    /// Counted from 1, and never used again. 0 until it is stored.
    pub(crate) number: i64,
    pub(crate) at: Timestamp,
    /// Who.
    pub(crate) actor: String,
    /// How that was established.
    pub(crate) via: String,
    /// The address of the client.
    pub(crate) peer: Option<String>,
    /// The id that the client gave its request.
    pub(crate) request: Option<String>,
    pub(crate) action: String,
    pub(crate) dag: Option<String>,
    pub(crate) run_id: Option<String>,
    /// The number of the run. The store finds that of a run that it stores with the row.
    pub(crate) run: Option<i64>,
    /// The task, if it is one.
    pub(crate) task: Option<String>,
    /// The number of the backfill. 0 is the backfill that is stored with the row.
    pub(crate) backfill: Option<i64>,
    pub(crate) asset: Option<String>,
    /// Why, as the actor says.
    pub(crate) reason: String,
    /// States and settings before the change, as a JSON object.
    pub(crate) before: String,
    /// The same after it.
    pub(crate) after: String,
    /// The token of the preview that was applied.
    pub(crate) token: Option<String>,
    pub(crate) outcome: String,
    /// Why it was refused, or has failed.
    pub(crate) error: String,
}

/// Selects rows. The default selects all. The newest come first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AuditFilter {
    /// About this DAG, or one of its runs and backfills.
    pub(crate) dag: Option<String>,
    /// About the run with this id.
    pub(crate) run_id: Option<String>,
    /// By this actor.
    pub(crate) actor: Option<String>,
    pub(crate) action: Option<String>,
    /// Not older than this.
    pub(crate) since: Option<Timestamp>,
    /// Older than this.
    pub(crate) until: Option<Timestamp>,
    /// With a lower number than this: the next page.
    pub(crate) below: Option<i64>,
    /// At most this many; all if `None`.
    pub(crate) limit: Option<u32>,
}

impl AuditFilter {
    /// Whether it selects a row.
    pub(super) fn allows(&self, row: &AuditRow) -> bool {
        let is = |wanted: &Option<String>, text: Option<&String>| wanted.is_none() || wanted.as_ref() == text;
        is(&self.dag, row.dag.as_ref())
            && is(&self.run_id, row.run_id.as_ref())
            && is(&self.actor, Some(&row.actor))
            && is(&self.action, Some(&row.action))
            && self.since.is_none_or(|since| row.at >= since)
            && self.until.is_none_or(|until| row.at < until)
            && self.below.is_none_or(|below| row.number < below)
    }
}
