//! Sending an event that tasks of a run wait for.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::audit::{Action, Trail, changed};
use super::error::OpsError;
use super::respondents;
use crate::base::schema::Schema;
use crate::journal::{EventDelivery, Journal, Note, RunHistory, word_of};

/// An event that was sent to a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct SentEvent {
    /// The number of the run.
    pub number: i64,
    /// The id of the run.
    #[serde(skip)]
    pub run_id: String,
    /// The key of the event.
    pub key: String,
    /// The process that runs the run and was notified, `host:process`. If there is none, the event
    /// is stored and [`resume`](super::resume()) continues the run.
    pub notified: Option<String>,
    /// The tasks that were waiting for the event.
    pub waiting: Vec<String>,
    /// The keys of all events that tasks of the run were waiting for, sorted.
    pub awaited: Vec<String>,
}

/// Sends an event to a run: tasks that wait for `key`, now or later, continue with `value`. See
/// [`Journal::send_event`].
///
/// If the event answers a question that not everybody may answer, whoever acts through the journal
/// must be one of those who may: see [`approval`](crate::approval#who-may-answer) and
/// [`acting_as`](super::acting_as). Their name is stored with the answer then, whatever `note`
/// says.
///
/// # Errors
///
/// When there is no such run, it has ended, or the value is not an answer that the waiting task
/// accepts; with [`OpsError::MayNotAnswer`] when somebody else may answer the question, and with
/// [`OpsError::NoQuestion`] when it is not asked: such a question is not answered in advance, and
/// no question is once it has been answered.
pub async fn send_event(
    journal: &Journal,
    run: &str,
    key: &str,
    value: &serde_json::Value,
    note: &Note,
) -> Result<SentEvent, OpsError> {
    let trail = Trail::of_run(journal, Action::Release, run, &note.reason).await;
    changed(trail.journal(), json!({}), json!({ "event": key }));
    let sent = send(trail.journal(), run, key, value, note).await;
    trail.end(sent).await
}

async fn send(
    journal: &Journal,
    run: &str,
    key: &str,
    value: &serde_json::Value,
    note: &Note,
) -> Result<SentEvent, OpsError> {
    let history = journal.history(run).await?;
    let mut note = note.clone();
    if let Some(name) = respondents::check(journal, &history, key)? {
        name.clone_into(&mut note.by);
    }
    let (number, run_id) = (history.number, history.info.run_id.clone());
    let notified = match journal.send_event(&word_of(number), key, value, &note).await? {
        EventDelivery::Requested { worker } => Some(worker),
        EventDelivery::Stored => None,
    };
    let (waiting, awaited) = (waiting(&history, key), awaited(&history));
    Ok(SentEvent { number, run_id, key: key.to_owned(), notified, waiting, awaited })
}

fn waiting(history: &RunHistory, key: &str) -> Vec<String> {
    let waits = |event: &Option<String>| event.as_deref() == Some(key);
    let tasks = history.tasks.iter().filter(|task| task.waits_for.as_ref().is_some_and(|wait| waits(&wait.event)));
    tasks.map(|task| task.id.to_string()).collect()
}

fn awaited(history: &RunHistory) -> Vec<String> {
    let mut keys: Vec<String> =
        history.tasks.iter().filter_map(|task| task.waits_for.as_ref()?.event.clone()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}
