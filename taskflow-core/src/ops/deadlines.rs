//! The deadlines of slots: what has become of a slot by then, and which were missed.

use std::collections::{BTreeMap, HashMap};

use super::error::OpsError;
use super::schedules::asking;
use super::situation::{PendingWaits, waits};
use crate::base::Timestamp;
use crate::dag::DagDef;
use crate::journal::{Journal, JournalError, MissedDeadline, RunHistory, RunSummary, word_of};
use crate::run::{RunInfo, RunState, RunType, TaskState};
use crate::schedule::{
    MissedSlots, Note, Overlap, Schedule, Slot, SlotDeadline, SlotFate, SlotStanding, Span, Waits, Zone, is_of_events,
};
use crate::store::RunFilter;

/// How many records of slots are looked at.
const RECORDS: u32 = 1_000;

/// The slots of a DAG whose deadlines are due in a span of time.
pub(crate) struct DueSlots {
    /// What has become of them.
    pub(crate) slots: BTreeMap<Timestamp, SlotStanding>,
    /// The deadlines up to here can be judged: those of slots that the schedule has not decided
    /// about yet are later.
    pub(crate) until: Timestamp,
}

/// What has become of the slots of a DAG whose deadlines are due in `after < t <= until`.
pub(crate) async fn due_slots(
    journal: &Journal,
    dag: &DagDef,
    schedule: &Schedule,
    (deadline, zone): (SlotDeadline, &Zone),
    (after, until): (Timestamp, Timestamp),
    now: Timestamp,
) -> Result<DueSlots, OpsError> {
    let (from, to) = deadline.slots_due(after, until);
    let is_due = |slot: Timestamp| deadline.due(slot, zone).is_some_and(|due| due > after && due <= until);
    let mut found: BTreeMap<Timestamp, SlotStanding> = BTreeMap::new();
    // What comes first counts: a slot with a run may have a record as well.
    let add = |found: &mut BTreeMap<Timestamp, SlotStanding>, slot: Timestamp, standing: SlotStanding| {
        if is_due(slot) {
            found.entry(slot).or_insert(standing);
        }
    };
    for run in runs(journal, dag.id, from, to).await? {
        if is_due(run.info.logical_date)
            && let Some(standing) = standing(journal, dag, &run).await?
        {
            add(&mut found, run.info.logical_date, standing);
        }
    }
    let slots_of = |schedule: &Schedule, span: Span, first_seen| {
        let span = Span::new(span.after.max(from), span.until.min(to));
        let first = schedule.after(span.after, first_seen);
        let slots = std::iter::successors(first, |slot: &Slot| schedule.after(slot.at, first_seen));
        slots.map(|slot| slot.at).take_while(|at| *at <= span.until).collect::<Vec<Timestamp>>()
    };
    let state = super::schedules::stored_state(journal, dag).await?;
    let first_seen = state.as_ref().map_or(now, |(state, _)| state.first_seen);
    // An edit that no step has noted yet. A timetable that panics is found out below.
    let edited = state.as_ref().and_then(|(state, _)| asking(|| schedule.replaces(state).map(str::to_owned)).ok()?);
    let mut records = journal.slot_records(dag.id, RECORDS).await?;
    records.retain(|record| record.last >= from && record.first <= to && !is_of_events(&record.reason));
    let edits = match records.iter().filter(|record| record.count > 1).map(|record| record.decided).min() {
        Some(since) => Edits::load(journal, dag.id, since).await?,
        None => Edits::default(),
    };
    // The slots of a record were within the bounds of their time.
    let unbounded = schedule.unbounded();
    for record in records {
        let before = Timestamp::from_nanos(record.first.as_nanos().saturating_sub(1));
        let span = Span::new(before, record.last);
        let timetable = match edits.timetable_at(record.decided).or(edited.as_deref()) {
            None => Some(unbounded.clone()),
            Some(fingerprint) => Schedule::of_fingerprint(fingerprint),
        };
        let timetable = timetable.filter(|_| record.count > 1);
        let recorded = timetable.and_then(|timetable| asking(|| slots_of(&timetable, span, first_seen)).ok());
        // What is between them is not known.
        let recorded = recorded.unwrap_or_else(|| vec![record.first, record.last]);
        for slot in recorded {
            let standing = match SlotFate::named(&record.fate) {
                Some(SlotFate::Missed | SlotFate::Expired | SlotFate::Failed) => {
                    let reason = match &*record.fate {
                        "failed" => format!("its run could not be made: {}", record.reason),
                        fate => format!("the slot was {fate}: {}", record.reason),
                    };
                    SlotStanding::Open { run: None, reason }
                }
                _ => SlotStanding::Settled,
            };
            add(&mut found, slot, standing);
        }
    }
    let Some((state, open)) = state else { return Ok(DueSlots { slots: found, until }) };
    for slot in open {
        let reason = "it waits for events that are not there yet".to_owned();
        add(&mut found, slot.at, SlotStanding::Open { run: None, reason });
    }
    if state.is_paused(now) {
        return Ok(DueSlots { slots: found, until });
    }
    let timetable = match &edited {
        None => Some(schedule.clone()),
        Some(fingerprint) => Schedule::of_fingerprint(fingerprint),
    };
    let pending: Vec<Timestamp> = match timetable {
        Some(timetable) => {
            asking(|| state.pending.iter().flat_map(|&span| slots_of(&timetable, span, first_seen)).collect())?
        }
        None => state.pending.iter().filter_map(|span| span.first).collect(),
    };
    if pending.iter().any(|slot| is_due(*slot)) {
        let PendingWaits { waits, interrupted } = waits(journal, dag.id, schedule, &state, now).await?;
        let reason = match waits {
            Some(Waits::ForRoom { active: 1 }) => "it waits for the end of the run that is active".to_owned(),
            Some(Waits::ForRoom { active }) => format!("it waits for the end of one of the {active} runs"),
            Some(Waits::ForPrevious { run }) if interrupted.is_some() => {
                format!("it waits for the run {run}, which was interrupted")
            }
            Some(Waits::ForPrevious { run }) => format!("it waits, because the run {run} has not succeeded"),
            Some(Waits::Paused) | None => match interrupted {
                Some(run) if schedule.overlap == Overlap::Skip => {
                    format!("it is skipped if run {run}, which was interrupted, goes on first")
                }
                Some(run) => format!("it waits for run {run}, which was interrupted"),
                None => "it waits for its start".to_owned(),
            },
        };
        for slot in pending {
            add(&mut found, slot, SlotStanding::Open { run: None, reason: reason.clone() });
        }
    }
    let undecided = asking(|| schedule.after(state.noticed.max(from), first_seen))?;
    let undecided = undecided.filter(|slot| !found.contains_key(&slot.at));
    let not_yet = undecided.and_then(|slot| deadline.due(slot.at, zone));
    let until = not_yet.map_or(until, |due| until.min(Timestamp::from_nanos(due.as_nanos().saturating_sub(1))));
    found.retain(|&slot, _| deadline.due(slot, zone).is_some_and(|due| due <= until));
    Ok(DueSlots { slots: found, until })
}

/// The edits of a timetable since a time, the earliest first: when a service has noted each, and
/// the fingerprint of the timetable before it.
#[derive(Default)]
struct Edits(Vec<(Timestamp, String)>);

impl Edits {
    async fn load(journal: &Journal, dag: &str, since: Timestamp) -> Result<Edits, OpsError> {
        /// How many notes of all kinds are read at once, and how often. Edits are few among them.
        const BATCH: u32 = 1_000;
        const BATCHES: u32 = 100;

        let mut edits = Vec::new();
        for batch in 0..BATCHES {
            let notes = journal.schedule_notes_from(dag, since, batch * BATCH, BATCH).await?;
            let is_last = notes.len() < BATCH as usize;
            edits.extend(notes.into_iter().filter_map(|(at, note)| match note {
                Note::TimetableChanged { from, .. } => Some((at, from)),
                _ => None,
            }));
            if is_last {
                break;
            }
        }
        Ok(Edits(edits))
    }

    /// The fingerprint of the timetable by which something was decided then; `None` if it was not
    /// edited since.
    fn timetable_at(&self, decided: Timestamp) -> Option<&str> {
        self.0.iter().find(|(at, _)| *at > decided).map(|(_, from)| &**from)
    }
}

/// The runs of the slots of a DAG in a span, whoever made them.
async fn runs(journal: &Journal, dag: &str, from: Timestamp, to: Timestamp) -> Result<Vec<RunSummary>, OpsError> {
    let next = |moment: Timestamp| Timestamp::from_nanos(moment.as_nanos().saturating_add(1));
    let filter = RunFilter {
        dag: Some(dag.to_owned()),
        run_types: vec![RunType::Scheduled, RunType::Backfill],
        logical_since: Some(next(from)),
        logical_before: Some(next(to)),
        ..RunFilter::default()
    };
    let is_of_slot = |run: &RunSummary| run.info.run_id == RunInfo::id_of_slot(dag, run.info.logical_date);
    Ok(journal.runs(&filter).await?.into_iter().filter(is_of_slot).collect())
}

/// What a run is for the deadline of its slot; `None` for one of a backfill that has not succeeded.
async fn standing(journal: &Journal, dag: &DagDef, run: &RunSummary) -> Result<Option<SlotStanding>, OpsError> {
    let number = run.number;
    let open = |reason: String| Some(SlotStanding::Open { run: Some(number), reason });
    let callbacks = dag.options.callbacks.or(dag.options.task_defaults.callbacks);
    Ok(match run.state {
        RunState::Success => Some(SlotStanding::Succeeded { at: run.ended.unwrap_or(run.created), run: number }),
        _ if run.info.run_type == RunType::Backfill => None,
        RunState::Failed if callbacks.on_failure.is_some() => Some(SlotStanding::Settled),
        RunState::Failed => open(format!("run {number} failed")),
        RunState::Cancelled if callbacks.on_cancel.is_some() => Some(SlotStanding::Settled),
        RunState::Cancelled => open(format!("run {number} was cancelled")),
        RunState::Queued | RunState::Running | RunState::Interrupted => open(why_open(journal, run).await?),
    })
}

/// What a run waits for, in one line.
async fn why_open(journal: &Journal, run: &RunSummary) -> Result<String, OpsError> {
    const SHOWN: usize = 3;

    let number = run.number;
    match run.state {
        RunState::Queued if run.is_owned => {
            let dag = &run.info.dag_id;
            return Ok(format!("run {number} is queued: as many runs of `{dag}` are active as may be"));
        }
        RunState::Queued => return Ok(format!("run {number} is queued, and no process has started it")),
        RunState::Interrupted => return Ok(format!("run {number} is interrupted, and no process continues it")),
        _ => {}
    }
    let mut explanations = journal.history(&word_of(run.number)).await?.explain_open();
    explanations.retain(|explanation| !explanation.state.is_terminal());
    // What waits for others says less than what they wait for.
    explanations.sort_by_key(|explanation| explanation.state == TaskState::None);
    let more = explanations.len().saturating_sub(SHOWN);
    let shown = explanations.iter().take(SHOWN).map(|task| format!("`{}`: {}", task.task, task.why.join("; ")));
    let mut parts = vec![format!("run {number} is running")];
    parts.extend(shown);
    if more > 0 {
        parts.push(format!("and {more} more tasks"));
    }
    Ok(parts.join("; "))
}

/// The deadlines that slots of a DAG have missed, the latest first: those among the last `limit`
/// entries in the history of its schedule.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn missed_deadlines(journal: &Journal, dag: &str, limit: u32) -> Result<Vec<MissedSlots>, OpsError> {
    let notes = journal.schedule_notes(dag, limit).await?;
    let missed = notes.into_iter().filter_map(|(_, note)| match note {
        Note::DeadlineMissed(missed) => Some(missed),
        _ => None,
    });
    Ok(missed.collect())
}

/// The history of a run, with the deadline of its slot if it has missed that: the run may not know.
///
/// # Errors
///
/// When there is no such run, or the store cannot be read.
pub async fn history(journal: &Journal, run: &str) -> Result<RunHistory, OpsError> {
    let mut history = journal.history(run).await?;
    if history.missed_deadline.is_none() {
        history.missed_deadline = missed_deadline_of(journal, &history.info).await?;
    }
    Ok(history)
}

/// The deadline of its slot that a run has missed.
///
/// Deadlines are judged in the order of their slots, and not before the slot. So the first note
/// about the slot or a later one decides, and a long history is not read.
async fn missed_deadline_of(journal: &Journal, run: &RunInfo) -> Result<Option<MissedDeadline>, OpsError> {
    /// How many notes are read at once.
    const BATCH: u32 = 50;

    let slot = run.logical_date;
    if run.run_id != RunInfo::id_of_slot(&run.dag_id, slot) {
        return Ok(None);
    }
    let mut skipped = 0;
    loop {
        let notes = journal.schedule_notes_from(&run.dag_id, slot, skipped, BATCH).await?;
        let is_last = notes.len() < BATCH as usize;
        skipped += BATCH;
        let missed = notes.into_iter().find_map(|(_, note)| match note {
            Note::DeadlineMissed(missed) if missed.last >= slot => Some(missed),
            _ => None,
        });
        if let Some(MissedSlots { first, deadline, noticed, reason, .. }) = missed {
            return Ok((first <= slot).then_some(MissedDeadline { deadline, noticed, reason }));
        }
        if is_last {
            return Ok(None);
        }
    }
}

/// The deadlines that the callback of a DAG has yet to be notified of.
pub(super) async fn untold(journal: &Journal, dag: &str) -> Result<Vec<MissedSlots>, OpsError> {
    let stored = journal.slot_deadlines().await?.remove(dag).and_then(Result::ok);
    Ok(stored.map(|stored| stored.state.untold).unwrap_or_default())
}

/// The DAGs whose stored deadlines cannot be read, and why.
pub(super) async fn damaged_deadlines(journal: &Journal) -> Result<HashMap<String, JournalError>, OpsError> {
    let stored = journal.slot_deadlines().await?.into_iter();
    Ok(stored.filter_map(|(dag, stored)| Some((dag, stored.err()?.error))).collect())
}

/// When the deadline of a slot of this DAG is due, if it has one.
pub(super) fn deadline_of(dag: &DagDef, slot: Timestamp) -> Option<Timestamp> {
    let deadline = dag.options.deadline?.of_slot()?;
    deadline.due(slot, &dag.options.timezone().ok()?)
}
