//! Reading the audit trail.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::action::{Action, Outcome};
use super::sentence;
use crate::base::Timestamp;
use crate::base::schema::Schema;
use crate::dag::Registry;
use crate::journal::{Journal, JournalError};
use crate::ops::actor::{Actor, Via};
use crate::ops::error::OpsError;
use crate::store::{AuditFilter, AuditRow, StoreError};

/// A change that somebody asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct AuditEntry {
    /// Its number. Later entries have higher numbers.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What.
    pub action: Action,
    /// What became of it.
    pub outcome: Outcome,
    /// All of that in words.
    pub sentence: String,
    /// The DAG that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dag_id: Option<String>,
    /// The number of the run that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
    /// The id of that run, which may be deleted meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// The task that it is about, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// The number of the backfill that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backfill: Option<i64>,
    /// The asset that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// Why, as the actor says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// States and settings before the change.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub before: Map<String, Value>,
    /// States and settings after it; those that were asked for, if nothing was changed.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub after: Map<String, Value>,
    /// The token of the preview that was applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Why it was refused, or has failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// The address of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The id that the client gave its request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl AuditEntry {
    fn of(row: AuditRow) -> Result<Self, OpsError> {
        let number = row.number;
        let damaged = |what: String| {
            let what = format!("audit row {number}: {what}");
            OpsError::Journal(JournalError::Store(StoreError::Damaged { place: "of this home".to_owned(), what }))
        };
        let json = |text: &str| serde_json::from_str(text).map_err(|error| damaged(error.to_string()));
        let via = Via::named(&row.via).ok_or_else(|| damaged(format!("`{}` establishes nobody", row.via)))?;
        let outcome = Outcome::named(&row.outcome).ok_or_else(|| damaged(format!("`{}` is no outcome", row.outcome)));
        let mut entry = AuditEntry {
            number,
            at: row.at,
            action: row.action.parse().map_err(damaged)?,
            outcome: outcome?,
            sentence: String::new(),
            before: json(&row.before)?,
            after: json(&row.after)?,
            actor: Actor { name: row.actor, via },
            dag_id: row.dag,
            run: row.run,
            run_id: row.run_id,
            task_id: row.task,
            backfill: row.backfill.filter(|&number| number > 0),
            asset: row.asset,
            reason: row.reason,
            token: row.token,
            error: row.error,
            peer: row.peer,
            request_id: row.request,
        };
        entry.sentence = sentence::of(&entry);
        Ok(entry)
    }
}

/// Selects entries. The default selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditQuery {
    /// About this DAG, its runs and its backfills.
    pub dag: Option<String>,
    /// About the run with this id.
    pub run_id: Option<String>,
    /// By the actor with this name.
    pub by: Option<String>,
    /// Of this kind.
    pub action: Option<Action>,
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// Older than this.
    pub until: Option<Timestamp>,
    /// With a lower number than this: the next page.
    pub before: Option<i64>,
    /// At most this many; all if `None`.
    pub limit: Option<u32>,
}

impl AuditQuery {
    /// Everything about the DAG with this id, or the run with this number or id. They need not
    /// exist any more: a deleted run has its id.
    ///
    /// # Errors
    ///
    /// When there is neither, and the trail has nothing about it.
    pub async fn about(journal: &Journal, word: &str) -> Result<Self, OpsError> {
        let of_dag = AuditQuery { dag: Some(word.to_owned()), ..AuditQuery::default() };
        if Registry::dags().iter().any(|dag| dag.id == word) {
            return Ok(of_dag);
        }
        match AuditQuery::about_run(journal, word).await {
            Err(error) => match any(journal, &of_dag).await? {
                true => Ok(of_dag),
                false => Err(error),
            },
            of_run => of_run,
        }
    }

    /// Everything about the run with this number or id, or about a deleted run with this id.
    ///
    /// # Errors
    ///
    /// When there is no such run, and the trail has nothing about it.
    pub async fn about_run(journal: &Journal, run: &str) -> Result<Self, OpsError> {
        let of = |run_id: String| AuditQuery { run_id: Some(run_id), ..AuditQuery::default() };
        match journal.find(run).await {
            Ok(found) => Ok(of(found.info.run_id)),
            Err(error) => {
                let of_deleted = of(run.to_owned());
                if any(journal, &of_deleted).await? { Ok(of_deleted) } else { Err(error.into()) }
            }
        }
    }
}

/// Whether there is an entry.
async fn any(journal: &Journal, query: &AuditQuery) -> Result<bool, OpsError> {
    let query = AuditQuery { limit: Some(1), ..query.clone() };
    Ok(!audit(journal, &query).await?.entries.is_empty())
}

/// Entries of the audit trail.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct AuditList {
    /// The newest come first.
    pub entries: Vec<AuditEntry>,
    /// Where the next page begins: [`AuditQuery::before`]. `None` if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// Entries of the audit trail, the newest first.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn audit(journal: &Journal, query: &AuditQuery) -> Result<AuditList, OpsError> {
    let AuditQuery { dag, run_id, by, action, since, until, before, limit } = query.clone();
    let action = action.map(|action| action.name().to_owned());
    // One more than asked for tells whether there is another page.
    let more = limit.map(|limit| limit.saturating_add(1));
    let filter = AuditFilter { dag, run_id, actor: by, action, since, until, below: before, limit: more };
    let rows = journal.audit_rows(&filter).await?;
    let mut entries = rows.into_iter().map(AuditEntry::of).collect::<Result<Vec<_>, _>>()?;
    let is_more = limit.is_some_and(|limit| entries.len() > limit as usize);
    entries.truncate(limit.map_or(usize::MAX, |limit| limit as usize));
    let next = entries.last().filter(|_| is_more).map(|last| last.number);
    Ok(AuditList { entries, next })
}

/// For fuzzing: reads a text as the columns of a row of each action.
pub(in crate::ops) fn read_any(text: &str) {
    let text = || text.to_owned();
    for action in Action::ALL {
        let row = AuditRow {
            number: 1,
            at: Timestamp::EPOCH,
            actor: text(),
            via: "cli".to_owned(),
            peer: None,
            request: None,
            action: action.name().to_owned(),
            dag: Some(text()),
            run_id: None,
            run: None,
            task: None,
            backfill: None,
            asset: None,
            reason: text(),
            before: text(),
            after: text(),
            token: None,
            outcome: "applied".to_owned(),
            error: text(),
        };
        let _ = AuditEntry::of(row);
    }
}
