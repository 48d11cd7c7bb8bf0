//! Keeping the store in order.

#[cfg(feature = "sqlite")]
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::audit::{Action, AuditTarget, Trail, changed};
use super::cancel::cancel_unowned;
use super::error::OpsError;
#[cfg(feature = "sqlite")]
use super::home::Home;
use super::prune_preview;
use crate::base::schema::Schema;
use crate::base::{Timestamp, units};
use crate::config::Config;
#[cfg(feature = "sqlite")]
use crate::journal::DamagedSchedule;
use crate::journal::{Journal, Note, Prune, RunSummary};
use crate::run::RunState;
#[cfg(feature = "sqlite")]
use crate::store::SyncMode;

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct Pruned {
    /// How many runs.
    pub pruned: u64,
    /// How many events of assets.
    pub events: u64,
    /// How many entries of the audit trail.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub audit: u64,
    /// Of the deletion of one run: whether files of it are left, because its process still has them
    /// or another run has its id by now. The next prune deletes them if they are still its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub files_left: bool,
}

impl Pruned {
    fn is_nothing(self) -> bool {
        self.pruned + self.events + self.audit == 0
    }

    /// `3 runs and 5 events`
    pub(crate) fn counts(self) -> String {
        let counts = [
            (self.pruned, "run", "runs"),
            (self.events, "event", "events"),
            (self.audit, "entry of the audit trail", "entries of the audit trail"),
        ];
        let counted = counts.into_iter().filter(|&(count, ..)| count > 0);
        let words = counted.map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }));
        words.collect::<Vec<_>>().join(" and ")
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The runs that [`prune`] would delete, newest first.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn would_prune(journal: &Journal, prune: &Prune) -> Result<Vec<RunSummary>, OpsError> {
    Ok(journal.would_prune(prune).await?)
}

/// How many events [`prune`] would delete.
///
/// # Errors
///
/// When the store cannot be read, or the state of a consumer is damaged.
pub async fn would_prune_events(journal: &Journal, prune: &Prune) -> Result<u64, OpsError> {
    events_before(journal, prune, Timestamp::now() - prune.older_than).await
}

async fn events_before(journal: &Journal, prune: &Prune, before: Timestamp) -> Result<u64, OpsError> {
    match prune.is_of_all() {
        true => Ok(journal.would_prune_events(before).await?),
        false => Ok(0),
    }
}

/// How many entries of the audit trail [`prune`] would delete.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn would_prune_audit(journal: &Journal, prune: &Prune) -> Result<u64, OpsError> {
    audit_before(journal, prune, Timestamp::now() - prune.older_than).await
}

async fn audit_before(journal: &Journal, prune: &Prune, before: Timestamp) -> Result<u64, OpsError> {
    match prune.audit {
        true => Ok(journal.count_audit(before).await?),
        false => Ok(0),
    }
}

/// Deletes old runs with their values, logs and artifacts, files that earlier prunes have left, and
/// old events of assets unless the filter names a DAG or states. If the filter includes
/// interrupted runs, their jobs on clusters are ended first, as by [`cancel`](super::cancel()).
/// Running runs stay, and so do the events that are pending for a consumer and the newest event of
/// each asset. Entries of the audit trail stay unless [`Prune::audit`] is set.
///
/// # Errors
///
/// When the store cannot be written, files cannot be removed, or the state of a consumer is
/// damaged. If something was deleted all the same, [`OpsError::PrunedInPart`] says how much; of
/// entries of the audit trail, that may be more.
pub async fn prune(journal: &Journal, prune: &Prune, config: Option<&Config>) -> Result<Pruned, OpsError> {
    let trail = Trail::begin(journal, Action::DbPrune, AuditTarget::default(), "");
    let pruned = prune_all(trail.journal(), prune, None, config).await;
    trail.end(pruned).await
}

/// As [`prune`], but only the runs that [`preview_prune`](super::preview_prune) has shown with this
/// token, and nothing that has become old enough since.
///
/// # Errors
///
/// With [`OpsError::PruneChanged`] when other runs would be deleted, or one of them has another
/// state by now; and as [`prune`].
pub async fn prune_previewed(
    journal: &Journal,
    prune: &Prune,
    token: &str,
    config: Option<&Config>,
) -> Result<Pruned, OpsError> {
    let trail = Trail::begin(journal, Action::DbPrune, AuditTarget::default(), "").with_token(Some(token));
    let pruned = prune_all(trail.journal(), prune, Some(token), config).await;
    trail.end(pruned).await
}

async fn prune_all(
    journal: &Journal,
    prune: &Prune,
    token: Option<&str>,
    config: Option<&Config>,
) -> Result<Pruned, OpsError> {
    let now = Timestamp::now();
    let at = token.map(prune_preview::time_of).transpose()?.map_or(now, |at| at.min(now));
    // All that is deleted is as old as what the preview has counted.
    let before = at - prune.older_than;
    let runs = journal.runs_to_prune(prune, before).await?;
    if token.is_some_and(|token| prune_preview::token(prune, at, &runs) != token) {
        return Err(OpsError::PruneChanged { now: prune_preview::with_states(&runs) });
    }
    if journal.is_auditing() {
        // The row is stored with the first deletion: it has what all of them are about to delete.
        let events = events_before(journal, prune, before).await?;
        let audit = audit_before(journal, prune, before).await?;
        let states: Vec<&str> = prune.states.iter().map(|state| state.name()).collect();
        let after = json!({
            "older_than": units::duration(prune.older_than),
            "dag": prune.dag,
            "states": (!states.is_empty()).then_some(states),
            "runs": runs.len(),
            "events": events,
            "audit": prune.audit.then_some(audit),
        });
        changed(journal, json!({}), after);
        journal.amend_audit(|row| row.dag.clone_from(&prune.dag));
    }
    journal.note_pruned(&runs);
    // A run that cannot be cancelled, because it is damaged for example, stays and is reported.
    let mut cancelled = Ok(());
    let note = Note { by: String::new(), reason: "pruned".to_owned() };
    for run in runs.iter().filter(|run| run.state == RunState::Interrupted) {
        cancelled = cancelled.and(cancel_unowned(journal, run.number, &note, config).await);
    }
    let mut pruned = Pruned::default();
    let deleted = delete(journal, prune, before, &runs, &mut pruned).await;
    match cancelled.and(deleted) {
        Ok(()) => Ok(pruned),
        Err(error) if pruned.is_nothing() => Err(error),
        Err(error) => Err(OpsError::PrunedInPart { pruned, error: Box::new(error) }),
    }
}

/// Deletes, and counts what is gone also if it fails.
async fn delete(
    journal: &Journal,
    prune: &Prune,
    before: Timestamp,
    runs: &[RunSummary],
    pruned: &mut Pruned,
) -> Result<(), OpsError> {
    journal.delete_runs(runs, &mut pruned.pruned).await?;
    let files = journal.delete_left_files().await;
    if prune.is_of_all() {
        journal.prune_events(before, &mut pruned.events).await?;
    }
    let files = files.and(journal.delete_left_payloads().await);
    if prune.audit {
        pruned.audit = journal.prune_audit(before).await?;
    }
    Ok(files?)
}

/// How much space the store took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Vacuumed {
    /// Bytes before.
    pub before: u64,
    /// Bytes now.
    pub after: u64,
}

/// Returns the space of deleted runs to the file system.
///
/// # Errors
///
/// When the store cannot be written.
pub async fn vacuum(journal: &Journal) -> Result<Vacuumed, OpsError> {
    let (before, after) = journal.vacuum().await?;
    Ok(Vacuumed { before, after })
}

/// The damage of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
#[non_exhaustive]
pub struct Checked {
    /// Each a sentence that names the place; none when no damage was found.
    pub findings: Vec<String>,
}

/// Looks for damage in the store of a home, also in one that cannot be opened. Reads everything.
///
/// # Errors
///
/// When there is no store, or it cannot be opened for a reason other than damage.
#[cfg(feature = "sqlite")]
pub async fn check(home: &Home) -> Result<Checked, OpsError> {
    let findings = match home.open(SyncMode::Full).await {
        Ok(journal) => {
            let mut findings = journal.check().await?;
            // The store knows neither the states nor what mends them.
            let schedules: BTreeMap<_, _> = journal.schedules().await.unwrap_or_default().into_iter().collect();
            for (dag, stored) in schedules {
                if let Err(DamagedSchedule { error, .. }) = stored {
                    let place = format!("the schedule of `{dag}`: ");
                    findings.retain(|finding| !finding.starts_with(&place));
                    findings.push(OpsError::unreadable_schedule(&dag, &error).to_string());
                }
            }
            findings
        }
        Err(error) => match Journal::examine(home.path()).await {
            findings if findings.is_empty() => return Err(error),
            findings => findings,
        },
    };
    Ok(Checked { findings })
}
