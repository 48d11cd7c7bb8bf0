//! The consumers of events: what is pending for whom, pausing, events for runs by hand.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::audit::changed;
use super::condition::Condition;
use super::error::OpsError;
use super::event_groups::GroupReader;
use super::schedules::asking;
use super::situation::{ActiveEventRuns, active_event_runs, backfilled};
use super::slots::PastSlots;
use crate::asset::RawEvent;
use crate::base::Timestamp;
use crate::base::schema::Schema;
use crate::dag::{DagDef, ParamDef, ParamError};
use crate::journal::{Journal, NewConsumption, Note, StepOutcome, StoredConsumer, StoredEvent};
use crate::schedule::{
    Catchup, Consumer, ConsumerState, EventGroups, EventSituation, EventWaits, Note as ScheduleNote, Pause,
    PendingEvent, PendingPeriod, SlotRecord, Takes, Unpause, begin_changed_slots, consume, end_consumer_pause,
    pass_over_slots, unpause_consumer_noted,
};
use crate::value::AnyValue;

/// What is shown of a consumer does not ask which slots have a run of a backfill.
static NO_SLOTS: BTreeSet<Timestamp> = BTreeSet::new();

/// How many heads of events are read at once.
const BATCH: u32 = 10_000;

/// A DAG with event parameters: what is pending for it, and what its next run waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct ConsumerStatus {
    /// The DAG.
    pub dag_id: String,
    /// Who paused the DAG, if it is paused: then its events stay pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// Who paused its schedule alone, because its timetable panicked: its events start runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_pause: Option<Pause>,
    /// How many of its runs that a schedule or events have started are queued or running.
    pub active_runs: u32,
    /// What the next run waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// What the next run needs, and what of it is there. `None` if no service has seen the DAG.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// Slots of its schedule that wait for events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open_slots: Vec<Timestamp>,
    /// Its event parameters, in order.
    pub inputs: Vec<ConsumerInput>,
}

/// An event parameter of a DAG.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct ConsumerInput {
    /// The parameter.
    pub param: String,
    /// The asset.
    pub asset: String,
    /// What a run takes: `one`, `all`, `newest`, `period`, or `seen` if it only looks.
    pub takes: Cow<'static, str>,
    /// Whether a run waits for it.
    pub required: bool,
    /// The number of the last event that is decided. `None` if no service has seen the parameter,
    /// or it only looks.
    pub cursor: Option<i64>,
    /// How many events are pending.
    pub pending: u64,
    /// The number of the first pending event.
    pub first_pending: Option<i64>,
    /// When the first pending event was emitted.
    pub since: Option<Timestamp>,
    /// How many keys the pending events have, if a run takes those of one key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<u64>,
    /// The periods with pending events of which more parts are needed, if a run takes a period.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub periods: Vec<PendingPeriod>,
}

/// What the DAGs with event parameters among some have consumed, and what is pending for them.
/// Without a journal nothing is.
///
/// # Errors
///
/// When the event parameters of a DAG contradict each other, or the store cannot be read.
pub async fn consumers(journal: Option<&Journal>, dags: &[&DagDef]) -> Result<Vec<ConsumerStatus>, OpsError> {
    let mut all = Vec::new();
    for &dag in dags {
        if let Some(consumer) = dag.consumer()? {
            all.push(status(journal, dag, &consumer).await?);
        }
    }
    Ok(all)
}

/// What a DAG with event parameters has consumed.
pub(super) async fn status(
    journal: Option<&Journal>,
    dag: &DagDef,
    consumer: &Consumer,
) -> Result<ConsumerStatus, OpsError> {
    let loaded = match journal {
        Some(journal) => Loaded::load(journal, dag, consumer).await?,
        None => Loaded::first_seen(dag, consumer, 0, Timestamp::now()),
    };
    let (active, now) = match journal {
        Some(journal) => {
            let active = active_event_runs(journal, dag.id, &backfilled(journal).await?).await?;
            (active, journal.now())
        }
        None => (ActiveEventRuns::default(), Timestamp::now()),
    };
    let situation = loaded.situation(now, &active);
    let step = asking(|| consume(consumer, Some(&loaded.state), &situation))?;
    let waits_for = step.waits.map(|waits| in_words(&waits));
    let Loaded { state, version, pending, groups, .. } = &loaded;
    let is_known = *version > 0;
    let inputs = consumer.inputs.iter().map(|input| {
        let cursor = state.cursor(&input.asset).filter(|_| is_known && input.takes != Takes::Seen);
        let pending = cursor.and_then(|_| pending.get(&input.asset)).map_or(&[][..], Vec::as_slice);
        let is_pending = |event: &&PendingEvent| !state.has_decided(&input.asset, event.number);
        let pending: Vec<PendingEvent> = pending.iter().filter(is_pending).copied().collect();
        let groups = groups.groups().get(&input.asset);
        ConsumerInput {
            param: input.param.clone(),
            asset: input.asset.clone(),
            takes: Cow::Borrowed(match input.takes {
                Takes::One => "one",
                Takes::All { .. } => "all",
                Takes::Newest => "newest",
                Takes::Period => "period",
                Takes::Seen => "seen",
            }),
            required: input.required,
            cursor,
            pending: pending.len() as u64,
            first_pending: pending.first().map(|event| event.number),
            since: pending.first().map(|event| event.at),
            keys: groups.filter(|_| input.by_key).map(|groups| keys_of(groups, &pending)),
            periods: groups.map(|groups| groups.pending_periods(&pending, input.parts)).unwrap_or_default(),
        }
    });
    let inputs: Vec<ConsumerInput> = inputs.collect();
    let condition = match is_known {
        true => Some(asking(|| Condition::of(consumer, state, &situation, &inputs))?),
        false => None,
    };
    Ok(ConsumerStatus {
        dag_id: dag.id.to_owned(),
        active_runs: active.count,
        waits_for: if is_known { waits_for } else { Some("a service that serves the DAG".to_owned()) },
        condition,
        open_slots: state.open.iter().map(|slot| slot.at).collect(),
        inputs,
        schedule_pause: state.schedule.as_ref().and_then(|schedule| schedule.pause.clone()),
        pause: state.pause.clone().filter(|pause| !pause.is_over(now)),
    })
}

/// How many keys some events have.
fn keys_of(groups: &EventGroups, events: &[PendingEvent]) -> u64 {
    let keys: BTreeSet<&str> =
        events.iter().filter_map(|event| Some(&*groups.events.get(&event.number)?.key)).collect();
    keys.len() as u64
}

/// What a run waits for, in words.
pub(super) fn in_words(waits: &EventWaits) -> String {
    match waits {
        EventWaits::ForRoom { active: 1 } => "the end of the active run".to_owned(),
        EventWaits::ForRoom { active } => format!("the end of one of {active} active runs"),
        EventWaits::ForPrevious { run } => format!("the success of run {run}"),
        EventWaits::ForEvents { assets } => format!("an event of {}", assets.join(" and ")),
        EventWaits::ForSettling { asset, until } => format!("{asset} to settle, at {until} at the earliest"),
        EventWaits::ForKey { key } => format!("the end of the run of {key}"),
        EventWaits::ForParts { asset, period } => format!("the rest of {asset}, {period}"),
        EventWaits::ForSlot => "the next slot of the schedule".to_owned(),
        EventWaits::Paused => "the end of the pause".to_owned(),
    }
}

/// A consumer as stored, with the events after its cursors.
pub(super) struct Loaded {
    pub(super) state: ConsumerState,
    /// 0 if no service has seen the DAG.
    pub(super) version: i64,
    last_event: i64,
    /// With those that are decided: whoever changes the state keeps what it says about them.
    pending: BTreeMap<String, Vec<PendingEvent>>,
    groups: GroupReader,
}

impl Loaded {
    fn first_seen(dag: &DagDef, consumer: &Consumer, last_event: i64, now: Timestamp) -> Self {
        let state = ConsumerState::first_seen(consumer, now, last_event, dag.options.paused);
        Loaded { state, version: 0, last_event, pending: BTreeMap::new(), groups: GroupReader::default() }
    }

    pub(super) async fn load(journal: &Journal, dag: &DagDef, consumer: &Consumer) -> Result<Self, OpsError> {
        let stored = journal.consumer(dag.id).await?;
        let last_event = journal.last_event().await?;
        let Some(StoredConsumer { state, version }) = stored else {
            return Ok(Loaded::first_seen(dag, consumer, last_event, journal.now()));
        };
        let mut pending: BTreeMap<String, Vec<PendingEvent>> = BTreeMap::new();
        let assets: Vec<String> = state.cursors.keys().cloned().collect();
        let mut after = state.lowest_cursor().unwrap_or(last_event);
        loop {
            let heads = journal.pending(&assets, after, BATCH).await?;
            let is_last = heads.len() < BATCH as usize;
            after = heads.last().map_or(after, |head| head.number);
            for head in heads {
                let event = PendingEvent { number: head.number, at: head.emitted };
                pending.entry(head.asset).or_default().push(event);
            }
            if is_last {
                break;
            }
        }
        let mut groups = GroupReader::of(dag);
        // A group that cannot be told pauses the DAG, which is shown.
        let _ = groups.read(&state, journal).await?;
        Ok(Loaded { state, version, last_event, pending, groups })
    }

    /// Adds an event that was not emitted, as the last one, and returns its number.
    pub(super) fn add(&mut self, asset: &str, at: Timestamp) -> i64 {
        self.last_event += 1;
        self.pending.entry(asset.to_owned()).or_default().push(PendingEvent { number: self.last_event, at });
        self.last_event
    }

    pub(super) fn situation<'a>(&'a self, now: Timestamp, active: &'a ActiveEventRuns) -> EventSituation<'a> {
        EventSituation {
            now,
            active: active.count,
            unsuccessful: None,
            last_event: self.last_event,
            pending: &self.pending,
            groups: self.groups.groups(),
            running: &active.last_events,
            slots_with_runs: &NO_SLOTS,
            failures: Vec::new(),
        }
    }
}

/// What is stored of a DAG with event parameters; `None` if it has none.
pub(super) async fn state_of(journal: &Journal, dag: &DagDef) -> Result<Option<(Consumer, ConsumerState)>, OpsError> {
    let Some(consumer) = dag.consumer()? else { return Ok(None) };
    let state = Loaded::load(journal, dag, &consumer).await?.state;
    Ok(Some((consumer, state)))
}

/// Pauses a DAG with event parameters.
pub(super) async fn pause(
    journal: &Journal,
    dag: &DagDef,
    consumer: &Consumer,
    note: &Note,
    until: Option<Timestamp>,
    now: Timestamp,
) -> Result<Pause, OpsError> {
    loop {
        let Loaded { mut state, version, .. } = Loaded::load(journal, dag, consumer).await?;
        let (mut records, mut notes) = (Vec::new(), Vec::new());
        // A DAG whose timetable panics can be paused as well.
        if let Ok(begun) = asking(|| begin_changed_slots(consumer, &state, now)) {
            (state, records, notes) = begun;
        }
        let (mut state, of_pause, noted) = asking(|| end_consumer_pause(consumer, &state, now))?;
        if let Some(pause) = state.pause {
            return Err(OpsError::Paused { dag: dag.id.to_owned(), by: pause.by });
        }
        records.extend(of_pause);
        notes.extend(noted);
        if let Ok(passed) = asking(|| pass_over_slots(consumer, &state, now)) {
            state = passed;
        }
        let pause = Pause { by: note.by.clone(), reason: note.reason.clone(), since: now, until };
        state.pause = Some(pause.clone());
        changed(journal, json!({ "paused": false }), json!({}));
        notes.push(ScheduleNote::Paused(pause.clone()));
        if store(journal, dag, version, &state, (records, notes), now).await? {
            return Ok(pause);
        }
    }
}

/// Ends the pause of a DAG with event parameters.
pub(super) async fn unpause(
    journal: &Journal,
    dag: &DagDef,
    consumer: &Consumer,
    note: &Note,
    (catchup, events): (Catchup, Unpause),
    now: Timestamp,
) -> Result<Vec<PastSlots>, OpsError> {
    loop {
        let loaded = Loaded::load(journal, dag, consumer).await?;
        let of_schedule = loaded.state.schedule.as_ref().and_then(|schedule| schedule.pause.as_ref());
        let mut pauses = loaded.state.pause.iter().chain(of_schedule);
        if pauses.all(|pause| pause.is_over(now)) {
            return Err(OpsError::NotPaused { dag: dag.id.to_owned() });
        }
        let active = ActiveEventRuns::default();
        let situation = loaded.situation(now, &active);
        let (state, records, mut notes) =
            asking(|| unpause_consumer_noted(consumer, &loaded.state, &situation, events, catchup))?;
        changed(journal, json!({ "paused": true }), json!({}));
        notes.push(ScheduleNote::Unpaused { by: note.by.clone(), reason: note.reason.clone(), catchup });
        if store(journal, dag, loaded.version, &state, (records.clone(), notes), now).await? {
            return Ok(records.into_iter().map(PastSlots::from).collect());
        }
    }
}

/// Resets the schedule of a DAG with event parameters. Returns up to where its slots were decided,
/// and up to where they are now; `None` if it is not ahead of this time.
pub(super) async fn reset_schedule(
    journal: &Journal,
    dag: &DagDef,
    consumer: &Consumer,
    note: &Note,
    now: Timestamp,
) -> Result<Option<(Timestamp, Timestamp)>, OpsError> {
    loop {
        let Loaded { state, version, .. } = Loaded::load(journal, dag, consumer).await?;
        let Some(reset) = state.reset(now) else { return Ok(None) };
        let noticed = |state: &ConsumerState| state.schedule.as_ref().map(|schedule| schedule.noticed);
        // What was reset has a schedule.
        let Some((from, to)) = noticed(&state).zip(noticed(&reset)) else { return Ok(None) };
        let note = ScheduleNote::Reset { by: note.by.clone(), reason: note.reason.clone(), from, to };
        if store(journal, dag, version, &reset, (Vec::new(), vec![note]), now).await? {
            return Ok(Some((from, to)));
        }
    }
}

async fn store(
    journal: &Journal,
    dag: &DagDef,
    version: i64,
    state: &ConsumerState,
    (records, notes): (Vec<SlotRecord>, Vec<ScheduleNote>),
    now: Timestamp,
) -> Result<bool, OpsError> {
    let step = NewConsumption::new(dag.id.to_owned(), version, state, records, notes, Vec::new())?;
    let outcome = journal.store_consumptions(vec![step], now).await?;
    Ok(outcome.iter().all(|outcome| *outcome != StepOutcome::Conflict))
}

/// The value of a parameter that only looks at the newest event, for a run by hand; `None` if it is
/// another parameter.
///
/// # Errors
///
/// When the event does not fit the parameter, or the store cannot be read.
pub async fn seen_event(journal: &Journal, param: &ParamDef) -> Result<Option<AnyValue>, OpsError> {
    let Some(binding) = param.event.as_ref().filter(|binding| binding.takes == Takes::Seen) else { return Ok(None) };
    let event = journal.newest_event(&binding.asset).await?;
    let refused = |reason| OpsError::Param(ParamError { param: param.name, given: None, message: reason });
    let value = binding.value(event.into_iter().map(raw).collect());
    Ok(Some(value.map_err(|reason| refused(format!("cannot be made: {reason}")))?))
}

pub(crate) fn raw(event: StoredEvent) -> RawEvent {
    let StoredEvent { head, ty, bytes, run, task, .. } = event;
    let (number, at, partition) = (head.number, head.emitted, head.partition);
    RawEvent { number, at, partition, ty, bytes, run, task }
}

/// The value of an event parameter for a run by hand: `last` is the newest event of its asset, and
/// `@4711` the event with this number. Nothing is consumed. `None` if the texts are payloads, as
/// [`ParamDef::parse_all`] reads them.
///
/// # Errors
///
/// When there is no such event, or it does not fit the parameter.
pub async fn stored_events(journal: &Journal, param: &ParamDef, texts: &[&str]) -> Result<Option<AnyValue>, OpsError> {
    let Some(binding) = &param.event else { return Ok(None) };
    let number = |text: &str| text.strip_prefix('@')?.parse::<i64>().ok();
    if texts.is_empty() || !texts.iter().all(|text| *text == "last" || number(text).is_some()) {
        return Ok(None);
    }
    let refused = |given: &str, message: String| {
        OpsError::Param(ParamError { param: param.name, given: Some(given.to_owned()), message })
    };
    let mut events = Vec::with_capacity(texts.len());
    for text in texts {
        let event = match number(text) {
            Some(number) => journal.event(number).await?.filter(|event| event.head.asset == binding.asset),
            None => journal.newest_event(&binding.asset).await?,
        };
        let missing = || match number(text) {
            Some(_) => {
                format!("is not an event of the asset `{}`; `events {}` lists them", binding.asset, binding.asset)
            }
            None => format!("is not there: the asset `{}` has no events yet", binding.asset),
        };
        events.push(raw(event.ok_or_else(|| refused(text, missing()))?));
    }
    let given = texts.join(" ");
    let value = binding.value(events).map_err(|reason| refused(&given, format!("does not fit: {reason}")))?;
    Ok(Some(value))
}

#[cfg(test)]
mod tests;
