//! Starting backfills and changing them.
//!
//! A backfill is a stored plan. These operations only change the plan; the service carries it out.
//! Each change is stored on top of the version that it began with, and is made again if another
//! process was faster.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::audit::{Action, AuditTarget, Trail, changed};
use super::backfill_preview::{BackfillPreview, Survey, Token, limited, open_beside};
use super::backfill_status::{BackfillStatus, status_of, stored};
use super::cancel::{CancelledRun, cancel};
use super::error::OpsError;
use super::respondents::requesters;
use super::schedules::schedule_of;
use crate::base::Timestamp;
use crate::base::schema::Schema;
use crate::config::Config;
use crate::dag::{DagDef, ParamDef, ParamError, Registry};
use crate::journal::{Journal, NewBackfill, Note, QueuedRun, StoredBackfill, word_of};
use crate::run::RunInfo;
use crate::schedule::{
    ActiveRun, ActiveSlot, BackfillAction, BackfillError, BackfillPhase, BackfillPlan, BackfillRequest, BackfillScope,
    FutureSlots, Schedule, Slot, SlotRange, SlotRun, SlotRunState,
};

/// A backfill that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct StartedBackfill {
    /// The backfill.
    #[serde(flatten)]
    pub status: BackfillStatus,
    /// What was decided about its slots when it started.
    pub preview: BackfillPreview,
}

/// Starts a backfill of a DAG: stores its plan, which a service carries out. With the token of a
/// preview, it is exactly what the preview has shown.
///
/// # Errors
///
/// As [`preview_backfill`](super::preview_backfill); with [`OpsError::BackfillChanged`] when the
/// slots or their runs have changed since the preview, with [`OpsError::BackfillOverlap`] when
/// another backfill has pending slots in common, with [`OpsError::NothingToBackfill`] when all
/// slots would be left alone; and when a parameter is not valid or the store cannot be written.
pub async fn start_backfill(
    journal: &Journal,
    dag: &'static DagDef,
    request: &BackfillRequest,
    token: Option<&str>,
    note: &Note,
) -> Result<StartedBackfill, OpsError> {
    let target = AuditTarget { backfill: Some(0), ..AuditTarget::dag(dag.id) };
    let trail = Trail::begin(journal, Action::Backfill, target, &note.reason).with_token(token);
    let started = start_planned(trail.journal(), dag, request, token, note).await;
    trail.end(started).await
}

async fn start_planned(
    journal: &Journal,
    dag: &'static DagDef,
    request: &BackfillRequest,
    token: Option<&str>,
    note: &Note,
) -> Result<StartedBackfill, OpsError> {
    let token = token.map(Token::read).transpose()?;
    loop {
        let now = journal.now();
        let survey = Survey::of(Some(journal), dag, request, token.map_or(now, |token| token.at.min(now))).await?;
        if let Some(token) = token.filter(|token| *token != survey.token) {
            return Err(OpsError::BackfillChanged { previewed: token.totals, now: survey.totals });
        }
        if survey.totals.new + survey.totals.reprocessed == 0 {
            return Err(OpsError::NothingToBackfill { left: survey.left() });
        }
        check_params(dag, &request.params)?;
        let others = open_beside(journal, dag.id, 0).await?;
        refuse_overlap(&survey.plan, &others, &survey.schedule)?;
        let mut plan = survey.plan.clone();
        let preview = survey.preview(dag, &[]);
        plan.history.push(action("started", note, now));
        plan.requested_by = requesters(journal);
        changed(journal, json!({}), settings(&plan));
        let beside = Some(versions(&others));
        let new = NewBackfill { number: 0, dag: dag.id.to_owned(), version: 0, plan, runs: Vec::new(), beside };
        if let Some(number) = journal.store_backfill(new, now).await? {
            let status = status_of(journal, stored(journal, number).await?).await?;
            return Ok(StartedBackfill { status, preview });
        }
    }
}

/// Pauses a backfill: none of its runs starts until it is resumed. Active runs go on.
///
/// # Errors
///
/// When there is no such backfill, or it is not active.
pub async fn pause_backfill(journal: &Journal, number: i64, note: &Note) -> Result<BackfillStatus, OpsError> {
    change(journal, number, Action::BackfillsPause, note, |stored, now| {
        expect(stored, &["active"], "")?;
        let Note { by, reason } = note.clone();
        stored.plan.phase = BackfillPhase::Paused { by, reason, since: now };
        stored.plan.history.push(action("paused", note, now));
        Ok(())
    })
    .await
}

/// Continues a paused backfill. If the timetable has changed, it continues with the new one.
///
/// # Errors
///
/// When there is no such backfill, or it is not paused.
pub async fn resume_backfill(journal: &Journal, number: i64, note: &Note) -> Result<BackfillStatus, OpsError> {
    resume_backfill_of(journal, number, dag_of, note).await
}

/// As [`resume_backfill`], with the DAGs of a build that are not those of this program.
pub(crate) async fn resume_backfill_of(
    journal: &Journal,
    number: i64,
    dag_of: impl Fn(&StoredBackfill) -> Result<&'static DagDef, OpsError>,
    note: &Note,
) -> Result<BackfillStatus, OpsError> {
    change(journal, number, Action::BackfillsResume, note, |stored, now| {
        expect(stored, &["paused"], "")?;
        let schedule = schedule_of(dag_of(stored)?)?;
        stored.plan.resume(&schedule);
        stored.plan.history.push(action("resumed", note, now));
        Ok(())
    })
    .await
}

/// Changes how many runs of a backfill may be active at once. Active runs go on.
///
/// # Errors
///
/// When there is no such backfill, it has ended, or the limit is 0.
pub async fn limit_backfill(
    journal: &Journal,
    number: i64,
    limit: u32,
    note: &Note,
) -> Result<BackfillStatus, OpsError> {
    change(journal, number, Action::BackfillsLimit, note, |stored, now| {
        expect(stored, &["active", "paused"], "")?;
        if limit == 0 {
            return Err(OpsError::Backfill { dag: stored.dag.clone(), source: BackfillError::NoLimit });
        }
        let limit = dag_of(stored).map_or(limit, |dag| limited(dag, limit));
        stored.plan.request.limit = limit;
        stored.plan.history.push(action(&format!("limit set to {limit}"), note, now));
        Ok(())
    })
    .await
}

/// A backfill with a later end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct ExtendedBackfill {
    /// How many slots were added.
    pub added: u64,
    /// Slots up to the new end that lie in the future, and were left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub future: Option<FutureSlots>,
    /// The backfill.
    #[serde(flatten)]
    pub status: BackfillStatus,
}

/// Extends a backfill to a later end. One that is done is active again.
///
/// # Errors
///
/// When there is no such backfill, it was cancelled, the end is not later, no slot lies between, or
/// another backfill has these slots; and for a backfill in random order or of one run.
pub async fn extend_backfill(
    journal: &Journal,
    number: i64,
    to: Timestamp,
    note: &Note,
) -> Result<ExtendedBackfill, OpsError> {
    let trail = Trail::begin(journal, Action::BackfillsExtend, AuditTarget::backfill(number), &note.reason);
    let extended = extend(trail.journal(), number, to, note).await;
    trail.end(extended).await
}

async fn extend(journal: &Journal, number: i64, to: Timestamp, note: &Note) -> Result<ExtendedBackfill, OpsError> {
    loop {
        let now = journal.now();
        let stored = stored(journal, number).await?;
        about(journal, &stored);
        expect(&stored, &["active", "paused", "done"], "; start another one")?;
        let schedule = schedule_of(dag_of(&stored)?)?;
        let refused = |source| OpsError::Backfill { dag: stored.dag.clone(), source };
        let (mut plan, added, future) = stored.plan.clone().extend(&schedule, to, now).map_err(refused)?;
        let others = open_beside(journal, &stored.dag, number).await?;
        refuse_overlap(&plan, &others, &schedule)?;
        let end = plan.request.ranges.last().map_or(to, |range| range.to);
        plan.history.push(action(&format!("extended to {end}"), note, now));
        for name in requesters(journal) {
            if !plan.requested_by.contains(&name) {
                plan.requested_by.push(name);
            }
        }
        changed(journal, settings(&stored.plan), settings(&plan));
        if let Some(stored) = store(journal, stored, plan, Some(versions(&others)), now).await? {
            return Ok(ExtendedBackfill { added, future, status: status_of(journal, stored).await? });
        }
    }
}

/// A backfill that was cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct CancelledBackfill {
    /// How many pending slots were dropped.
    pub dropped: u64,
    /// The runs that were cancelled, or asked to end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<CancelledRun>,
    /// The backfill.
    #[serde(flatten)]
    pub status: BackfillStatus,
}

/// Cancels a backfill: its pending slots are dropped. Active runs go on unless `running` is set;
/// then they are cancelled too, also of a backfill that was cancelled before.
///
/// # Errors
///
/// When there is no such backfill, it has ended, or the store cannot be written.
pub async fn cancel_backfill(
    journal: &Journal,
    number: i64,
    running: bool,
    note: &Note,
    config: Option<&Config>,
) -> Result<CancelledBackfill, OpsError> {
    let trail = Trail::begin(journal, Action::BackfillsCancel, AuditTarget::backfill(number), &note.reason);
    let cancelled = cancel_plan(trail.journal(), number, running, note, config).await;
    trail.end(cancelled).await
}

async fn cancel_plan(
    journal: &Journal,
    number: i64,
    running: bool,
    note: &Note,
    config: Option<&Config>,
) -> Result<CancelledBackfill, OpsError> {
    let (dropped, stored) = loop {
        let now = journal.now();
        let stored = stored(journal, number).await?;
        about(journal, &stored);
        if running && matches!(stored.plan.phase, BackfillPhase::Cancelled { .. }) && !stored.plan.active.is_empty() {
            break (0, stored);
        }
        expect(&stored, &["active", "paused"], "")?;
        let own = journal.runs_of_backfill(&stored.dag, number, &stored.plan.active).await?;
        let mut plan = stored.plan.clone();
        let before = plan.counts.dropped;
        // A run that is not cleared yet stays as it is.
        let is_begun = |slot: &ActiveSlot| match (slot.run, own.runs.get(&slot.at)) {
            (ActiveRun::Again { ended }, Some(run)) => run.ended != ended || run.state == SlotRunState::InFlight,
            _ => true,
        };
        let begun = plan.active.len();
        plan.active.retain(is_begun);
        plan.counts.again -= (begun - plan.active.len()) as u64;
        let Note { by, reason } = note.clone();
        plan.cancel(by, reason, now);
        plan.history.push(action("cancelled", note, now));
        changed(journal, settings(&stored.plan), settings(&plan));
        changed(journal, json!({}), json!({ "runs_too": running }));
        let dropped = plan.counts.dropped - before;
        if let Some(stored) = store(journal, stored, plan, None, now).await? {
            break (dropped, stored);
        }
    };
    let mut runs = Vec::new();
    for slot in stored.plan.active.iter().filter(|_| running) {
        let run_id = RunInfo::id_of_backfill(&stored.dag, number, slot);
        // Its id may be a part of the id of another run, which is not meant once it is deleted.
        let cancelled = match journal.find_id(&run_id).await {
            Ok(run) => cancel(journal, &word_of(run.number), note, config).await,
            Err(error) => Err(error.into()),
        };
        match cancelled {
            Ok(run) => runs.push(run),
            // It has ended meanwhile, or was deleted.
            Err(error)
                if matches!(error.kind(), crate::base::ErrorKind::Conflict | crate::base::ErrorKind::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(CancelledBackfill { dropped, runs, status: status_of(journal, stored).await? })
}

/// Starts another backfill for the slots of a backfill whose runs have failed, or could not be
/// made, and have not succeeded since. Its parameters and its limit are those of the first one.
///
/// # Errors
///
/// With [`OpsError::NothingFailedInBackfill`] when there is no such slot, otherwise as
/// [`start_backfill`].
pub async fn retry_backfill(journal: &Journal, number: i64, note: &Note) -> Result<StartedBackfill, OpsError> {
    let trail = Trail::begin(journal, Action::BackfillsRetry, AuditTarget::backfill(number), &note.reason);
    let retried = retry(trail.journal(), number, note).await;
    trail.end(retried).await
}

async fn retry(journal: &Journal, number: i64, note: &Note) -> Result<StartedBackfill, OpsError> {
    let stored = stored(journal, number).await?;
    about(journal, &stored);
    let dag = dag_of(&stored)?;
    let BackfillPlan { request, failed, .. } = &stored.plan;
    let has_failed = |run: Option<&SlotRun>| run.is_none_or(|run| run.state == SlotRunState::Failed);
    let ranges = match (request.as_one_run, failed.last()) {
        (_, None) => Vec::new(),
        (true, Some(&at)) => {
            let run = journal.run_of_whole_backfill(&stored.dag, number, at).await?;
            if has_failed(run.as_ref()) { request.ranges.clone() } else { Vec::new() }
        }
        (false, Some(_)) => {
            let run = |at, run| ActiveSlot { at, run };
            let own: Vec<ActiveSlot> = failed.iter().map(|&at| run(at, ActiveRun::New)).collect();
            let siblings: Vec<ActiveSlot> = failed.iter().map(|&at| run(at, ActiveRun::Sibling)).collect();
            let own = journal.runs_of_backfill(&stored.dag, number, &own).await?;
            let siblings = journal.runs_of_backfill(&stored.dag, number, &siblings).await?;
            let run = |at: &Timestamp| siblings.runs.get(at).or_else(|| own.runs.get(at));
            failed.iter().filter(|&at| has_failed(run(at))).map(|&at| SlotRange::slot(at)).collect()
        }
    };
    if ranges.is_empty() {
        return Err(OpsError::NothingFailedInBackfill { number });
    }
    let request = BackfillRequest { ranges, scope: BackfillScope::All, ..request.clone() };
    let reason = match &*note.reason {
        "" => format!("retry of backfill {number}"),
        reason => format!("retry of backfill {number}: {reason}"),
    };
    start_backfill(journal, dag, &request, None, &Note { reason, ..note.clone() }).await
}

/// The run of a slot, with the parameters of the plan and the defaults of all others.
pub(crate) fn run_of_backfill(
    dag: &'static DagDef,
    number: i64,
    slot: Slot,
    run: ActiveRun,
    plan: &BackfillPlan,
    now: Timestamp,
) -> Result<QueuedRun, String> {
    let info = RunInfo::of_backfill(dag.id, number, slot, run).for_requesters(plan.requested_by.clone());
    let given =
        |def: &ParamDef| plan.request.params.get(def.name).map(|texts| texts.iter().map(String::as_str).collect());
    QueuedRun::of_dag(dag, info, &HashMap::new(), given, now)
}

/// Checks the parameters that were given.
fn check_params(dag: &'static DagDef, params: &BTreeMap<String, Vec<String>>) -> Result<(), OpsError> {
    let plan = dag.plan()?;
    if let Some(name) = params.keys().find(|name| !plan.params().iter().any(|def| def.name == **name)) {
        return Err(OpsError::unknown_param(dag.id, name, plan.params()));
    }
    match invalid_params(dag, plan.params(), params).into_iter().next() {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// What is wrong with the parameters of a backfill: at most one error for each of them. Defaults
/// may depend on the slot, so they show when runs are made.
pub(crate) fn invalid_params(
    dag: &'static DagDef,
    defs: &[ParamDef],
    params: &BTreeMap<String, Vec<String>>,
) -> Vec<ParamError> {
    let check = |def: &ParamDef| match params.get(def.name) {
        Some(texts) => def.parse_all(&texts.iter().map(String::as_str).collect::<Vec<_>>()).err(),
        None if def.has_default() => None,
        None => def.value_of_default(&RunInfo::manual(dag.id, Timestamp::EPOCH)).err(),
    };
    defs.iter().filter_map(check).collect()
}

/// Changes a plan until nobody else was faster.
async fn change(
    journal: &Journal,
    number: i64,
    action: Action,
    note: &Note,
    change: impl Fn(&mut StoredBackfill, Timestamp) -> Result<(), OpsError>,
) -> Result<BackfillStatus, OpsError> {
    let trail = Trail::begin(journal, action, AuditTarget::backfill(number), &note.reason);
    let status = change_plan(trail.journal(), number, change).await;
    trail.end(status).await
}

async fn change_plan(
    journal: &Journal,
    number: i64,
    change: impl Fn(&mut StoredBackfill, Timestamp) -> Result<(), OpsError>,
) -> Result<BackfillStatus, OpsError> {
    loop {
        let now = journal.now();
        let before = stored(journal, number).await?;
        about(journal, &before);
        let mut after = before.clone();
        change(&mut after, now)?;
        changed(journal, settings(&before.plan), settings(&after.plan));
        if let Some(stored) = store(journal, before, after.plan, None, now).await? {
            return status_of(journal, stored).await;
        }
    }
}

/// Says in the audit trail which DAG a backfill has.
fn about(journal: &Journal, stored: &StoredBackfill) {
    journal.amend_audit(|row| row.dag = Some(stored.dag.clone()));
}

/// What the audit trail says of a plan.
fn settings(plan: &BackfillPlan) -> Value {
    let (first, last) = (plan.request.ranges.first(), plan.request.ranges.last());
    let params: Vec<&String> = plan.request.params.keys().collect();
    json!({
        "phase": plan.phase.name(),
        "start": first.map(|range| range.from),
        "end": last.map(|range| range.to),
        "scope": plan.request.scope.to_string(),
        "limit": plan.request.limit,
        "params": (!params.is_empty()).then_some(params),
    })
}

/// Stores a changed plan. Returns it, or `None` if another process was faster.
async fn store(
    journal: &Journal,
    before: StoredBackfill,
    plan: BackfillPlan,
    beside: Option<Vec<(i64, i64)>>,
    now: Timestamp,
) -> Result<Option<StoredBackfill>, OpsError> {
    let StoredBackfill { number, dag, version, .. } = before;
    let new = NewBackfill { number, dag: dag.clone(), version, plan: plan.clone(), runs: Vec::new(), beside };
    let is_stored = journal.store_backfill(new, now).await?.is_some();
    Ok(is_stored.then_some(StoredBackfill { number, dag, version: version + 1, plan, updated: now }))
}

fn refuse_overlap(plan: &BackfillPlan, others: &[StoredBackfill], schedule: &Schedule) -> Result<(), OpsError> {
    match others.iter().find_map(|other| Some((other.number, plan.overlap(&other.plan, schedule)?))) {
        Some((backfill, shared)) => Err(OpsError::BackfillOverlap { backfill, shared }),
        None => Ok(()),
    }
}

fn versions(plans: &[StoredBackfill]) -> Vec<(i64, i64)> {
    plans.iter().map(|plan| (plan.number, plan.version)).collect()
}

fn expect(stored: &StoredBackfill, phases: &[&str], hint: &'static str) -> Result<(), OpsError> {
    let state = stored.plan.phase.name();
    let is_expected = phases.contains(&state);
    is_expected.then_some(()).ok_or(OpsError::BackfillState { number: stored.number, state, hint })
}

/// The DAG of a plan.
fn dag_of(stored: &StoredBackfill) -> Result<&'static DagDef, OpsError> {
    let found = Registry::dags().into_iter().find(|dag| dag.id == stored.dag);
    found.ok_or_else(|| OpsError::ForeignBackfill { number: stored.number, dag: stored.dag.clone() })
}

fn action(what: &str, note: &Note, at: Timestamp) -> BackfillAction {
    BackfillAction { at, what: what.to_owned(), by: note.by.clone(), reason: note.reason.clone() }
}
