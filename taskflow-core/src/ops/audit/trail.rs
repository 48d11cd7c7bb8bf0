//! The row of an operation, from its beginning to its end.
//!
//! 1. [`Trail::begin`] makes the row, if the journal is signed. The operation works with
//!    [`Trail::journal`]: its first change takes the row along.
//! 2. The operation says what it changes with [`changed`], before it stores the change.
//! 3. [`Trail::end`] stores the row if no change has taken it along: the operation was refused, has
//!    failed, or there was nothing to change. So each operation leaves exactly one row.
//!
//! An operation that is part of another one leaves no row of its own. What names something that
//! does not exist leaves none at all: there is nothing that it could have changed.

use serde_json::{Map, Value};

use super::action::{Action, Outcome};
use super::sentence;
use crate::base::ErrorKind;
#[cfg(feature = "server")]
use crate::base::text::bounded;
use crate::dag::ParamError;
use crate::engine::RunError;
use crate::journal::{Journal, JournalError, Signature};
use crate::ops::actor::{Actor, Via};
use crate::ops::error::OpsError;
use crate::run::RunInfo;
use crate::store::AuditRow;

/// The same journal for somebody who acts: what operations change with it is in the audit trail,
/// under this name.
///
/// A journal leaves no trail otherwise: what a program does by itself is in the histories only.
///
/// ```
/// # use taskflow::prelude::*;
/// use taskflow::journal::{Journal, Note};
/// use taskflow::ops::{self, Actor, AuditQuery, Via};
/// # #[task] fn hello() {}
/// # #[dag(schedule = "@daily")] fn greets() { hello(); }
/// # async fn example() -> Result<()> {
/// let journal = Journal::in_memory()?;
/// let kim = ops::acting_as(&journal, &Actor { name: "kim".to_owned(), via: Via::Cli });
/// ops::pause(&kim, greets::def(), &Note::by_user("the source is down"), None).await?;
/// let trail = ops::audit(&journal, &AuditQuery::default()).await?;
/// assert_eq!(trail.entries[0].sentence, "kim paused `greets`, because the source is down");
/// # Ok(()) }
/// # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
/// ```
pub fn acting_as(journal: &Journal, actor: &Actor) -> Journal {
    acting_from(journal, actor, Membership::default(), Client::default())
}

/// As [`acting_as`], for somebody who is in these groups: they may answer questions
/// [for them](crate::approval#who-may-answer). The program is believed.
pub fn acting_as_member(journal: &Journal, actor: &Actor, groups: &[String]) -> Journal {
    let membership = Membership { user: None, groups: groups.to_vec() };
    acting_from(journal, actor, membership, Client::default())
}

/// What is known of an actor besides the name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Membership {
    /// The user that the session or the token belongs to.
    pub(crate) user: Option<String>,
    /// The groups of the person.
    pub(crate) groups: Vec<String>,
}

/// Where a request comes from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    /// The address of the client.
    pub(crate) peer: Option<String>,
    /// The id that the client gave its request.
    pub(crate) request: Option<String>,
}

/// As [`acting_as`], for a request.
pub(crate) fn acting_from(journal: &Journal, actor: &Actor, membership: Membership, client: Client) -> Journal {
    let (Membership { user, groups }, Client { peer, request }) = (membership, client);
    journal.signed(Signature { actor: actor.name.clone(), via: actor.via.name(), user, groups, peer, request })
}

/// The same journal for another actor of the same client: whoever has just logged in.
#[cfg(feature = "server")]
pub(in crate::ops) fn acting_instead(journal: &Journal, actor: &Actor) -> Journal {
    match journal.signature().cloned() {
        Some(Signature { peer, request, .. }) => {
            acting_from(journal, actor, Membership::default(), Client { peer, request })
        }
        None => journal.clone(),
    }
}

impl Via {
    const ALL: [Via; 7] = [Via::Loopback, Via::Session, Via::Token, Via::Proxy, Via::Cli, Via::Service, Via::Webhook];

    /// The name in documents.
    pub const fn name(&self) -> &'static str {
        match self {
            Via::Loopback => "loopback",
            Via::Session => "session",
            Via::Token => "token",
            Via::Proxy => "proxy",
            Via::Cli => "cli",
            Via::Service => "service",
            Via::Webhook => "webhook",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Via::ALL.into_iter().find(|via| via.name() == name)
    }
}

/// What an action is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditTarget {
    /// The DAG.
    pub dag: Option<String>,
    /// The id of the run.
    pub run_id: Option<String>,
    /// The number of the run.
    pub run: Option<i64>,
    /// The backfill. 0 is the one that the action makes.
    pub backfill: Option<i64>,
    /// The asset.
    pub asset: Option<String>,
    /// The name of the user or the token.
    pub account: Option<String>,
}

impl AuditTarget {
    /// A DAG.
    pub fn dag(dag: &str) -> Self {
        AuditTarget { dag: Some(dag.to_owned()), ..AuditTarget::default() }
    }

    /// A run. One that is not stored yet has no number.
    pub(crate) fn run(info: &RunInfo, number: Option<i64>) -> Self {
        let run_id = Some(info.run_id.clone());
        AuditTarget { run_id, run: number, ..AuditTarget::dag(&info.dag_id) }
    }

    /// A backfill.
    pub(crate) fn backfill(number: i64) -> Self {
        AuditTarget { backfill: Some(number), ..AuditTarget::default() }
    }

    /// A user or a token.
    #[cfg(feature = "server")]
    pub(crate) fn account(name: &str) -> Self {
        let account = Some(bounded(name, 100).into_owned()).filter(|name| !name.is_empty());
        AuditTarget { account, ..AuditTarget::default() }
    }

    /// An asset.
    pub(crate) fn asset(asset: &str) -> Self {
        AuditTarget { asset: Some(asset.to_owned()), ..AuditTarget::default() }
    }
}

/// Records that an actor does not have the right to something. `repeated` refusals of the same kind
/// before this one have no row: whoever can cause refusals could fill the disk with them.
///
/// # Errors
///
/// When the store cannot be written.
pub async fn audit_refusal(
    journal: &Journal,
    action: Action,
    target: AuditTarget,
    error: &str,
    repeated: u64,
) -> Result<(), OpsError> {
    let account = target.account.clone();
    let Some(mut row) = row(journal, action, target, "") else { return Ok(()) };
    (row.outcome, row.error) = (Outcome::RefusedRight.name().to_owned(), error.to_owned());
    let mut after = Map::new();
    after.extend(account.map(|name| ("name".to_owned(), name.into())));
    after.extend((repeated > 0).then(|| (sentence::REPEATED.to_owned(), repeated.into())));
    row.after = Value::Object(after).to_string();
    Ok(journal.record_audit(row).await?)
}

/// The row of a signed journal.
fn row(journal: &Journal, action: Action, target: AuditTarget, reason: &str) -> Option<AuditRow> {
    let Signature { actor, via, peer, request, .. } = journal.signature()?.clone();
    let AuditTarget { dag, run_id, run, backfill, asset, account: _ } = target;
    Some(AuditRow {
        number: 0,
        at: journal.now(),
        actor,
        via: via.to_owned(),
        peer,
        request,
        action: action.name().to_owned(),
        dag,
        run_id,
        run,
        task: None,
        backfill,
        asset,
        reason: reason.trim().to_owned(),
        before: "{}".to_owned(),
        after: "{}".to_owned(),
        token: None,
        outcome: Outcome::Applied.name().to_owned(),
        error: String::new(),
    })
}

/// The row of an operation that has begun.
#[derive(Debug)]
#[must_use = "the row is stored at the end"]
pub(in crate::ops) struct Trail {
    journal: Journal,
    /// Whether the row is that of this operation.
    is_own: bool,
}

impl Trail {
    pub(in crate::ops) fn begin(journal: &Journal, action: Action, target: AuditTarget, reason: &str) -> Self {
        match row(journal, action, target, reason).filter(|_| !journal.is_auditing()) {
            Some(row) => Trail { journal: journal.auditing(row), is_own: true },
            None => Trail { journal: journal.clone(), is_own: false },
        }
    }

    /// The trail of an operation on the run that this word names.
    pub(in crate::ops) async fn of_run(journal: &Journal, action: Action, run: &str, reason: &str) -> Self {
        let mut target = AuditTarget::default();
        let mut before = None;
        if journal.signature().is_some() && !journal.is_auditing() {
            // Otherwise the operation reports the same error.
            if let Ok(run) = journal.find(run).await {
                target = AuditTarget::run(&run.info, Some(run.number));
                before = Some(run.state);
            }
        }
        let trail = Trail::begin(journal, action, target, reason);
        if let Some(state) = before {
            trail.journal.amend_audit(|row| row.before = serde_json::json!({ "state": state }).to_string());
        }
        trail
    }

    /// The journal for the operation.
    pub(in crate::ops) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// With the token of the preview that is applied.
    pub(in crate::ops) fn with_token(self, token: Option<&str>) -> Self {
        self.journal.amend_audit(|row| row.token = token.map(str::to_owned));
        self
    }

    /// The operation has ended.
    pub(in crate::ops) async fn end<T>(self, result: Result<T, OpsError>) -> Result<T, OpsError> {
        let refused = self.end_unless_started(result).await;
        let Ok((answer, trail)) = refused else { return refused.map(|(answer, _)| answer) };
        if trail.is_own {
            trail.journal.amend_audit(|row| Outcome::Unchanged.name().clone_into(&mut row.outcome));
            trail.journal.settle_audit().await?;
        }
        Ok(answer)
    }

    /// The operation has ended. If it has made a request to run something, the start of the run
    /// takes the row along.
    pub(in crate::ops) async fn end_with_start<T>(self, result: Result<T, OpsError>) -> Result<T, OpsError> {
        Ok(self.end_unless_started(result).await?.0)
    }

    async fn end_unless_started<T>(self, result: Result<T, OpsError>) -> Result<(T, Self), OpsError> {
        let error = match result {
            Ok(answer) => return Ok((answer, self)),
            Err(error) => error,
        };
        let outcome = match (&error, error.kind()) {
            (OpsError::MayNotAnswer { .. }, _) => Some(Outcome::RefusedRight),
            (_, ErrorKind::NotFound) => None,
            (_, ErrorKind::Conflict | ErrorKind::Invalid) => Some(Outcome::RefusedState),
            (_, ErrorKind::Unavailable | ErrorKind::Damaged) => Some(Outcome::Failed),
        };
        if let Some(outcome) = outcome.filter(|_| self.is_own) {
            self.journal.amend_audit(|row| {
                (row.outcome, row.error) = (outcome.name().to_owned(), message(&error));
            });
            let settled: Result<(), JournalError> = self.journal.settle_audit().await;
            if let Err(unsettled) = settled {
                // The store is gone, which is most likely the error itself.
                tracing::warn!(target: "taskflow", "a refused change is not in the audit trail: {unsettled}");
            }
        }
        Err(error)
    }
}

/// What the trail says of an error. Those about values quote them, and the trail has no values.
fn message(error: &OpsError) -> String {
    let of_param = |error: &ParamError| format!("the parameter `{}` is not valid", error.param);
    match error {
        OpsError::Param(error) => of_param(error),
        OpsError::InvalidEvent { asset, .. } => format!("the event is not valid for the asset `{asset}`"),
        OpsError::Journal(JournalError::InvalidValue { task, .. }) => format!("the value is not valid for `{task}`"),
        OpsError::Journal(JournalError::Answer { key, .. }) => format!("the value does not answer `{key}`"),
        OpsError::Journal(JournalError::Start(error)) => match &**error {
            RunError::Param(error) => of_param(error),
            error => error.to_string(),
        },
        error => error.to_string(),
    }
}

/// Says what an operation changes: states and settings before and after it. Members that are
/// already known stay.
pub(in crate::ops) fn changed(journal: &Journal, before: Value, after: Value) {
    journal.amend_audit(|row| {
        merge(&mut row.before, before);
        merge(&mut row.after, after);
    });
}

fn merge(text: &mut String, more: Value) {
    let Value::Object(more) = more else { return };
    let mut known: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    known.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
    *text = Value::Object(known).to_string();
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::journal::Prune;
    use crate::ops::{AuditQuery, audit, prune};

    fn kim(journal: &Journal) -> Journal {
        acting_as(journal, &Actor { name: "kim".to_owned(), via: Via::Token })
    }

    async fn sentences(journal: &Journal) -> Vec<String> {
        let list = audit(journal, &AuditQuery::default()).await.unwrap();
        list.entries.into_iter().map(|entry| entry.sentence).collect()
    }

    #[tokio::test]
    async fn a_journal_without_a_signature_leaves_no_rows() {
        let journal = Journal::in_memory().unwrap();
        let all = Prune { older_than: Duration::ZERO, dag: None, states: Vec::new(), audit: true };
        prune(&journal, &all, None).await.unwrap();
        audit_refusal(&journal, Action::Pause, AuditTarget::dag("etl"), "no", 0).await.unwrap();
        assert!(sentences(&journal).await.is_empty());
        prune(&kim(&journal), &all, None).await.unwrap();
        assert_eq!(sentences(&journal).await, ["kim wanted to prune runs older than 0s, which changed nothing"]);
    }

    #[tokio::test]
    async fn a_missing_right_is_recorded_with_secrets_masked() {
        let journal = Journal::in_memory().unwrap();
        let error = "the token=abc123 has no right to operate";
        audit_refusal(&kim(&journal), Action::Pause, AuditTarget::dag("etl"), error, 12).await.unwrap();
        let expected = "kim may not pause `etl`: the token=*** has no right to operate; 12 refusals before this one have \
                        no entries";
        assert_eq!(sentences(&journal).await, [expected]);
    }

    #[tokio::test]
    async fn an_operation_within_another_leaves_no_row_of_its_own() {
        let journal = kim(&Journal::in_memory().unwrap());
        let outer = Trail::begin(&journal, Action::BackfillsCancel, AuditTarget::backfill(7), "done");
        let inner = Trail::begin(outer.journal(), Action::Cancel, AuditTarget::default(), "");
        inner.end(Ok(())).await.unwrap();
        outer.end(Err::<(), _>(OpsError::NoneInterrupted)).await.unwrap_err();
        assert!(sentences(&journal).await.is_empty(), "nothing was named that exists");
        let outer = Trail::begin(&journal, Action::BackfillsCancel, AuditTarget::backfill(7), "done");
        let error = OpsError::BackfillState { number: 7, state: "done", hint: "" };
        outer.end(Err::<(), _>(error)).await.unwrap_err();
        let found = sentences(&journal).await;
        assert!(found[0].starts_with("kim could not cancel backfill 7, because done: "), "{found:?}");
    }
}
