//! DAGs that the program does not have any more, and whose runs were deleted.

use super::audit::{Action, AuditQuery, Outcome, audit};
use super::error::OpsError;
use crate::journal::Journal;

/// How many entries of the trail are searched.
const ENTRIES: u32 = 200;

/// The error about a DAG that neither the program nor a run has, if the audit trail knows it.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn pruned_dag(journal: &Journal, dag: &str) -> Result<Option<OpsError>, OpsError> {
    let query = AuditQuery { dag: Some(dag.to_owned()), limit: Some(ENTRIES), ..AuditQuery::default() };
    let entries = audit(journal, &query).await?.entries;
    if entries.is_empty() {
        return Ok(None);
    }
    let is_prune =
        |entry: &crate::ops::AuditEntry| entry.action == Action::DbPrune && entry.outcome == Outcome::Applied;
    let (at, by) = entries.into_iter().find(is_prune).map(|entry| (entry.at, entry.actor.name)).unzip();
    Ok(Some(OpsError::PrunedDag { dag: dag.to_owned(), at, by }))
}
