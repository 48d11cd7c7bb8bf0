//! The schedules of DAGs: what comes next, pausing, resetting.

use std::panic::AssertUnwindSafe;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::audit::{Action, AuditTarget, Trail, changed};
use super::consumers;
use super::deadlines::{damaged_deadlines, deadline_of};
use super::error::OpsError;
use super::slots::PastSlots;
use crate::base::schema::Schema;
use crate::base::{ErrorKind, Interval, Timestamp, catch, install_hook};
use crate::dag::{DagDef, ScheduleError};
use crate::journal::{
    DamagedSchedule, Journal, JournalError, NewStep, Note, StepOutcome, StoredDeadlines, StoredSchedule,
};
use crate::run::RunType;
use crate::schedule::{
    Backlog, Catchup, ConsumerState, DeadlineState, Decision, GRACE, Note as ScheduleNote, Pause, Schedule,
    ScheduleState, ScheduleTraces, Slot, SlotRecord, Unpause, begin_changed, end_pause, pass_over, unpause_noted,
};
use crate::store::{RunFilter, RunOrder};

/// The slots of a DAG to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct NextSlots {
    /// The DAG.
    pub dag_id: String,
    /// Its schedule in words.
    pub schedule: String,
    /// The time zone of the schedule.
    pub timezone: String,
    /// Who paused the DAG, if it is paused: then the slots pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// The slots that wait, if the schedule falls behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind: Option<Backlog>,
    /// What the schedule may not be meant to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Why the deadlines of the slots are not judged, if what is stored of them is damaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    /// The slots, in ascending order. Empty for `@continuous`, whose slots depend on its runs.
    pub slots: Vec<NextSlot>,
}

/// A slot to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct NextSlot {
    /// The logical date of its run.
    pub at: Timestamp,
    /// When its run starts: later than the slot with `spread`.
    pub starts: Timestamp,
    /// The data interval of its run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// When its deadline is due, if the DAG has one that belongs to its slots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
}

/// The next `count` slots of a DAG after a point in time. `journal` tells whether the DAG is
/// paused.
///
/// # Errors
///
/// When the DAG has no schedule, or the store cannot be read.
pub async fn next_slots(
    journal: Option<&Journal>,
    dag: &DagDef,
    after: Timestamp,
    count: usize,
) -> Result<NextSlots, OpsError> {
    let schedule = schedule_of(dag)?;
    let state = match journal {
        Some(journal) => stored_state(journal, dag).await?.map(|(state, _)| state),
        None => None,
    };
    let damage = match journal {
        Some(journal) if dag.options.deadline.is_some() => damaged_deadlines(journal).await?.remove(dag.id),
        _ => None,
    };
    next_slots_of(dag, &schedule, state, damage.as_ref(), after, count)
}

/// The same, when the state of the schedule and the damage of its deadlines were read before.
pub(super) fn next_slots_of(
    dag: &DagDef,
    schedule: &Schedule,
    state: Option<ScheduleState>,
    damage: Option<&JournalError>,
    after: Timestamp,
    count: usize,
) -> Result<NextSlots, OpsError> {
    let first_seen = state.as_ref().map_or(after, |state| state.first_seen);
    // A slot that was noticed is decided, or waits.
    let from = state.as_ref().map_or(after, |state| after.max(state.noticed));
    let (slots, words, note, behind) = asking(|| {
        let first = schedule.after(from, first_seen);
        let slots = std::iter::successors(first, |slot| schedule.after(slot.at, first_seen)).take(count);
        let slots: Vec<NextSlot> = slots
            .map(|slot| NextSlot {
                at: slot.at,
                starts: slot.at + schedule.offset,
                interval: slot.interval,
                deadline: deadline_of(dag, slot.at),
            })
            .collect();
        let behind = state.as_ref().and_then(|state| state.backlog(schedule));
        (slots, schedule.recurrence.describe(), schedule.recurrence.note(), behind)
    })?;
    Ok(NextSlots {
        dag_id: dag.id.to_owned(),
        schedule: words,
        timezone: dag.options.timezone.unwrap_or("UTC").to_owned(),
        pause: state.and_then(|state| state.pause).filter(|pause| !pause.is_over(after)),
        behind,
        note,
        damage: damage.map(|error| OpsError::unreadable_schedule(dag.id, error).to_string()),
        slots,
    })
}

/// What the schedule of a DAG may not be meant to say. `None` without a schedule, and of one that
/// cannot be made, which [`next_slots`] reports.
#[cfg(feature = "cli")]
pub(crate) fn schedule_note(dag: &DagDef) -> Option<String> {
    let schedule = schedule_of(dag).ok()?;
    asking(|| schedule.recurrence.note()).ok()?
}

/// Asks a timetable, which may be code of the user: a panic is an error.
pub(super) fn asking<T>(question: impl FnOnce() -> T) -> Result<T, OpsError> {
    install_hook();
    catch(AssertUnwindSafe(question)).map_err(|crash| ScheduleError::Panicked(crash.to_string()).into())
}

/// Pauses the schedule of a DAG, until it is unpaused or until `until`. Runs that are active go on,
/// and runs can be started by hand. The events of a DAG with event parameters stay pending.
///
/// # Errors
///
/// When the DAG has no schedule or is paused, or the store cannot be written.
pub async fn pause(journal: &Journal, dag: &DagDef, note: &Note, until: Option<Timestamp>) -> Result<Pause, OpsError> {
    let trail = Trail::begin(journal, Action::Pause, AuditTarget::dag(dag.id), &note.reason);
    changed(trail.journal(), json!({}), json!({ "paused": true, "until": until }));
    let paused = pause_dag(trail.journal(), dag, note, until).await;
    trail.end(paused).await
}

async fn pause_dag(journal: &Journal, dag: &DagDef, note: &Note, until: Option<Timestamp>) -> Result<Pause, OpsError> {
    let now = journal.now();
    if let Some(consumer) = dag.consumer()? {
        return consumers::pause(journal, dag, &consumer, note, until, now).await;
    }
    let schedule = schedule_of(dag)?;
    loop {
        let StoredSchedule { mut state, version } = state_of(journal, dag, &schedule, now).await?;
        let mut decisions = Vec::new();
        // Perhaps nobody has stepped this timetable yet. A DAG whose timetable panics can be paused
        // as well.
        if let Ok(begun) = asking(|| begin_changed(&schedule, &state, now)) {
            (state, decisions) = begun;
        }
        // What has become of a pause whose time has come while no service was running.
        let (mut state, ended) = asking(|| end_pause(&schedule, &state, now))?;
        if let Some(pause) = state.pause.take() {
            return Err(OpsError::Paused { dag: dag.id.to_owned(), by: pause.by });
        }
        decisions.extend(ended);
        if let Ok(passed) = asking(|| pass_over(&schedule, &state, now)) {
            state = passed;
        }
        let pause = Pause { by: note.by.clone(), reason: note.reason.clone(), since: now, until };
        state.pause = Some(pause.clone());
        changed(journal, json!({ "paused": false }), json!({}));
        let (records, mut notes) = Decision::records_and_notes(decisions);
        notes.push(ScheduleNote::Paused(pause.clone()));
        if store(journal, dag, version, state, records, notes, now).await? {
            return Ok(pause);
        }
    }
}

/// Who paused a DAG, if it is paused now.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn pause_of(journal: &Journal, dag: &str) -> Result<Option<Pause>, OpsError> {
    let pause = stored_schedule(journal, dag).await?.and_then(|stored| stored.state.pause);
    let now = journal.now();
    Ok(pause.filter(|pause| !pause.is_over(now)))
}

/// Ends the pause of a DAG. The slots that passed meanwhile are recorded as paused; with `catchup`,
/// the last one or all of them run. `events` decides about the events that were emitted meanwhile,
/// if the DAG has event parameters.
///
/// Returns the slots and events that were recorded.
///
/// # Errors
///
/// When the DAG has no schedule or is not paused, or the store cannot be written.
pub async fn unpause(
    journal: &Journal,
    dag: &DagDef,
    note: &Note,
    catchup: Catchup,
    events: Unpause,
) -> Result<Vec<PastSlots>, OpsError> {
    let trail = Trail::begin(journal, Action::Unpause, AuditTarget::dag(dag.id), &note.reason);
    let after = json!({ "paused": false, "catchup": catchup.to_string(), "events": events.to_string() });
    changed(trail.journal(), json!({}), after);
    let unpaused = unpause_dag(trail.journal(), dag, note, catchup, events).await;
    trail.end(unpaused).await
}

async fn unpause_dag(
    journal: &Journal,
    dag: &DagDef,
    note: &Note,
    catchup: Catchup,
    events: Unpause,
) -> Result<Vec<PastSlots>, OpsError> {
    let now = journal.now();
    if let Some(consumer) = dag.consumer()? {
        return consumers::unpause(journal, dag, &consumer, note, (catchup, events), now).await;
    }
    let schedule = schedule_of(dag)?;
    loop {
        let StoredSchedule { state, version } = state_of(journal, dag, &schedule, now).await?;
        if !state.is_paused(now) {
            return Err(OpsError::NotPaused { dag: dag.id.to_owned() });
        }
        let (state, records, mut notes) = asking(|| unpause_noted(&schedule, &state, now, catchup))?;
        changed(journal, json!({ "paused": true }), json!({}));
        notes.push(ScheduleNote::Unpaused { by: note.by.clone(), reason: note.reason.clone(), catchup });
        if store(journal, dag, version, state, records.clone(), notes, now).await? {
            return Ok(records.into_iter().map(PastSlots::from).collect());
        }
    }
}

/// The stored state of the schedule of a DAG, with its slots that wait for events.
pub(super) async fn stored_state(
    journal: &Journal,
    dag: &DagDef,
) -> Result<Option<(ScheduleState, Vec<Slot>)>, OpsError> {
    match consumers::state_of(journal, dag).await? {
        Some((_, state)) => Ok(schedule_in(state)),
        None => Ok(stored_schedule(journal, dag.id).await?.map(|stored| (stored.state, Vec::new()))),
    }
}

/// The schedule of a DAG with event parameters, which is stored with them, and its slots that wait
/// for events. A pause of the DAG is one of the schedule.
pub(super) fn schedule_in(state: ConsumerState) -> Option<(ScheduleState, Vec<Slot>)> {
    let ConsumerState { schedule, open, pause, .. } = state;
    schedule.map(|state| (ScheduleState { pause: pause.or(state.pause.clone()), ..state }, open))
}

/// The stored schedule of a DAG.
pub(super) async fn stored_schedule(journal: &Journal, dag: &str) -> Result<Option<StoredSchedule>, OpsError> {
    match journal.schedule(dag).await {
        Err(error) if error.kind() == ErrorKind::Damaged => Err(OpsError::unreadable_schedule(dag, &error)),
        stored => Ok(stored?),
    }
}

/// A schedule that was reset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct ResetSchedule {
    /// The DAG.
    pub dag_id: String,
    /// Slots up to here were decided.
    pub from: Timestamp,
    /// Slots up to here are decided now: those that follow run.
    pub to: Timestamp,
}

/// Resets the schedule of a DAG to the present time, after the clock was ahead, or makes it anew
/// because its stored state is damaged.
///
/// A clock that jumps years ahead makes the service decide the slots up to there. When the clock is
/// right again, the service would wait for years. Deadlines that were judged up to there are judged
/// from now on. A state that is damaged is replaced by one that
/// is made of the last run, the last record of a slot and the history of the schedule: the slots
/// since then passed while no service was running, and the DAG is paused if it was. Runs stay as
/// they are.
///
/// # Errors
///
/// With [`OpsError::NotAhead`] when the schedule is neither ahead of the clock nor damaged, when
/// the DAG has no schedule, or the store cannot be written.
pub async fn reset_schedule(journal: &Journal, dag: &DagDef, note: &Note) -> Result<ResetSchedule, OpsError> {
    let trail = Trail::begin(journal, Action::ResetSchedule, AuditTarget::dag(dag.id), &note.reason);
    let reset = reset(trail.journal(), dag, note).await;
    trail.end(reset).await
}

async fn reset(journal: &Journal, dag: &DagDef, note: &Note) -> Result<ResetSchedule, OpsError> {
    let schedule = schedule_of(dag)?;
    let now = journal.now();
    let has_deadlines_anew = deadlines_anew(journal, dag.id, now).await?;
    let not_ahead = || OpsError::NotAhead { dag: dag.id.to_owned() };
    if let Some(consumer) = dag.consumer()? {
        let decided = consumers::reset_schedule(journal, dag, &consumer, note, now).await?;
        if let Some((from, to)) = decided {
            changed(journal, json!({ "decided_until": from }), json!({ "decided_until": to }));
        }
        let (from, to) = decided.or(has_deadlines_anew.then_some((now, now))).ok_or_else(not_ahead)?;
        return Ok(ResetSchedule { dag_id: dag.id.to_owned(), from, to });
    }
    loop {
        let stored = journal.schedules().await?.remove(dag.id).ok_or_else(not_ahead)?;
        let (version, from, reset) = match stored {
            Ok(StoredSchedule { state, version }) => match state.reset(now) {
                Some(reset) => (version, state.noticed, reset),
                None if has_deadlines_anew => {
                    return Ok(ResetSchedule { dag_id: dag.id.to_owned(), from: state.noticed, to: state.noticed });
                }
                None => return Err(not_ahead()),
            },
            Err(DamagedSchedule { version, .. }) => {
                let traces = traces(journal, dag.id, &schedule).await?;
                let state = ScheduleState::rebuilt(&traces, dag.options.paused, now);
                (version, state.noticed, state)
            }
        };
        let to = reset.noticed;
        changed(journal, json!({ "decided_until": from }), json!({ "decided_until": to }));
        let note = ScheduleNote::Reset { by: note.by.clone(), reason: note.reason.clone(), from, to };
        if store(journal, dag, version, reset, Vec::new(), vec![note], now).await? {
            return Ok(ResetSchedule { dag_id: dag.id.to_owned(), from, to });
        }
    }
}

/// What the store has of a schedule beside its state.
async fn traces(journal: &Journal, dag: &str, schedule: &Schedule) -> Result<ScheduleTraces, OpsError> {
    let filter = RunFilter {
        dag: Some(dag.to_owned()),
        run_types: vec![RunType::Scheduled],
        order: RunOrder::LogicalDate,
        limit: Some(1),
        ..RunFilter::default()
    };
    let last_run = journal.runs(&filter).await?.into_iter().next().map(|run| run.info.logical_date);
    let last_record = journal.slot_records(dag, 1).await?.into_iter().next().map(|record| record.last);
    let notes = journal.schedule_notes(dag, u32::MAX).await?;
    let mut edits = notes.iter().filter(|(_, note)| matches!(note, ScheduleNote::TimetableChanged { .. }));
    // As the step that has noted it: a slot of the last minute was on time.
    let begun = edits.next().map(|&(at, _)| at - schedule.offset - GRACE);
    let notes = notes.into_iter().map(|(_, note)| note).collect();
    Ok(ScheduleTraces { last_run, last_record, begun, notes })
}

/// Replaces the deadlines of a DAG if they are damaged, or ahead of the clock: those up to now are
/// judged. Returns whether they were.
async fn deadlines_anew(journal: &Journal, dag: &str, now: Timestamp) -> Result<bool, OpsError> {
    let (version, state) = match journal.slot_deadlines().await?.remove(dag) {
        Some(Err(DamagedSchedule { version, .. })) => (version, DeadlineState::first_seen(now)),
        Some(Ok(StoredDeadlines { version, state })) if state.judged > now => {
            let struck = state.struck.filter(|&struck| struck <= now);
            (version, DeadlineState { judged: now, struck, ..state })
        }
        Some(Ok(_)) | None => return Ok(false),
    };
    Ok(journal.store_slot_deadlines(dag, version, &state, &[], now).await?)
}

/// The state of a schedule, or the one that a service would begin with now.
async fn state_of(
    journal: &Journal,
    dag: &DagDef,
    schedule: &Schedule,
    now: Timestamp,
) -> Result<StoredSchedule, OpsError> {
    if let Some(stored) = stored_schedule(journal, dag.id).await? {
        return Ok(stored);
    }
    let state = asking(|| ScheduleState::first_seen(schedule, now, dag.options.paused))?;
    Ok(StoredSchedule { state, version: 0 })
}

async fn store(
    journal: &Journal,
    dag: &DagDef,
    version: i64,
    state: ScheduleState,
    records: Vec<SlotRecord>,
    notes: Vec<ScheduleNote>,
    now: Timestamp,
) -> Result<bool, OpsError> {
    let dag = dag.id.to_owned();
    let step = NewStep { dag, version, state, records, notes, runs: Vec::new() };
    let outcome = journal.store_steps(vec![step], now).await?;
    Ok(outcome.iter().all(|outcome| *outcome != StepOutcome::Conflict))
}

/// The schedule of a DAG.
pub(super) fn schedule_of(dag: &DagDef) -> Result<Schedule, OpsError> {
    dag.options.schedule(dag.id)?.ok_or_else(|| OpsError::NoSchedule { dag: dag.id.to_owned() })
}
