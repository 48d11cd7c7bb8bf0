//! The identity of a DAG run: ids, run type, logical date, data interval.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::base::schema::Schema;
use crate::base::{Date, Interval, Timestamp};
use crate::schedule::{ActiveRun, ActiveSlot, Slot, Zone};

/// The identity of a DAG run: known before any of its tasks starts, and fixed from then on.
///
/// Defaults of parameters may be computed from it: `#[param(default = |run| run.day())]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunInfo {
    /// The id of the DAG.
    pub dag_id: String,
    /// The id of the run, such as `manual__2026-01-31T06:00:00Z_k3f9qa`. It is unique.
    pub run_id: String,
    /// The logical date: the point in time that the run is about. For a manual run, when it was
    /// requested.
    pub logical_date: Timestamp,
    /// How the run came about. Stores of schema 1 and 2 call it `trigger`.
    #[serde(alias = "trigger")]
    pub run_type: RunType,
    interval: Option<Interval>,
    /// The IANA time zone of the schedule of its DAG, if it is not UTC.
    #[serde(default)]
    timezone: Option<String>,
    /// The task that triggered it, if one did.
    #[serde(default)]
    pub triggered_by: Option<TriggeredBy>,
    /// The events that it consumes, if its DAG has event parameters.
    #[serde(default)]
    pub triggering_events: Option<TriggeringEvents>,
    /// Who has asked for it, or for the backfill or the run that made it: the names of accounts, of
    /// tokens, and of the users that the tokens belong to. Empty if nobody is known: the run of a
    /// schedule or of events, and one that a program has started by itself.
    #[serde(default)]
    pub requested_by: Vec<String>,
}

/// The events that a run consumes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct TriggeringEvents {
    /// By parameter, in their order. A parameter that took nothing is left out.
    pub consumed: Vec<ConsumedEvents>,
    /// The DAGs of the runs on the way to it: the one that emitted an event of these is the last.
    pub path: Vec<String>,
    /// The key or the period that the run is about, if its events are grouped.
    #[serde(default)]
    pub key: Option<String>,
}

/// The events of an asset that a run consumes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct ConsumedEvents {
    /// The parameter that receives them.
    pub param: String,
    /// The asset.
    pub asset: String,
    /// The number of the first of them.
    pub first: i64,
    /// The number of the last of them.
    pub last: i64,
    /// How many they are.
    pub count: u64,
}

impl ConsumedEvents {
    /// These events, in ascending order; `None` if there are none.
    pub(crate) fn of(param: &str, asset: &str, numbers: &[i64]) -> Option<Self> {
        let ([first, ..], [.., last]) = (numbers, numbers) else { return None };
        let (param, asset, count) = (param.to_owned(), asset.to_owned(), numbers.len() as u64);
        Some(ConsumedEvents { param, asset, first: *first, last: *last, count })
    }
}

/// The task that triggered a run of another DAG.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct TriggeredBy {
    /// The id of its run.
    pub run_id: String,
    /// Its id.
    pub task_id: String,
    /// The DAGs of the runs on the way to it: of the one that nothing has triggered first, of its
    /// own run last.
    #[serde(default)]
    pub path: Vec<String>,
    /// How many DAGs at the beginning of `path` are on the way to the events that started the first
    /// run that triggered another.
    #[serde(default)]
    pub through_events: u32,
    /// Whether the task waits for the end of the run.
    #[serde(default = "waits")]
    pub waits: bool,
}

/// What a run that says nothing about it does.
fn waits() -> bool {
    true
}

/// How a run came about. Who asked for it is a separate question: see [`RunInfo::requested_by`],
/// and for a task [`RunInfo::triggered_by`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunType {
    /// A person or a program asked for this run.
    Manual,
    /// The schedule of the DAG is due.
    Scheduled,
    /// A backfill covers this logical date.
    Backfill,
    /// The events that the DAG waits for have arrived.
    Event,
    /// A task of another run triggered it: [`RunInfo::triggered_by`]. Stores of schema 1 and 2 call
    /// it `dag`.
    #[serde(alias = "dag")]
    Triggered,
}

impl RunType {
    /// Every type.
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for filters"))]
    pub(crate) const ALL: [RunType; 5] =
        [RunType::Manual, RunType::Scheduled, RunType::Backfill, RunType::Event, RunType::Triggered];

    /// The name of the type in run ids, in JSON and in stores.
    pub const fn name(self) -> &'static str {
        match self {
            RunType::Manual => "manual",
            RunType::Scheduled => "scheduled",
            RunType::Backfill => "backfill",
            RunType::Event => "event",
            RunType::Triggered => "triggered",
        }
    }
}

impl fmt::Display for RunType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Six characters that keep the ids of runs with the same logical date distinct, across processes
/// too.
fn distinction() -> String {
    static SERIAL: AtomicU64 = AtomicU64::new(1);

    let facts = [
        SERIAL.fetch_add(1, Ordering::Relaxed),
        Timestamp::now().as_nanos().cast_unsigned(),
        u64::from(std::process::id()),
    ];
    letters(spread(facts.into_iter()), 6)
}

/// The finalizer of `SplitMix64` spreads each fact over all bits.
fn spread(facts: impl Iterator<Item = u64>) -> u64 {
    facts.fold(0_u64, |state, fact| {
        let mut mixed = (state ^ fact).wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

/// The lowest bits, five in a character.
fn letters(bits: u64, count: u32) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    (0..count).map(|place| char::from(ALPHABET[(bits >> (5 * place)) as usize % ALPHABET.len()])).collect()
}

impl RunInfo {
    /// A manual run, requested at `logical_date`.
    pub fn manual(dag_id: &str, logical_date: Timestamp) -> Self {
        RunInfo {
            dag_id: dag_id.to_owned(),
            run_id: format!("manual__{logical_date}_{}", distinction()),
            logical_date,
            run_type: RunType::Manual,
            interval: Some(Interval { start: logical_date, end: logical_date }),
            timezone: None,
            triggered_by: None,
            triggering_events: None,
            requested_by: Vec::new(),
        }
    }

    /// A run triggered by a task. The id derives from `key`, so a task that asks again gets the
    /// same run.
    pub(crate) fn triggered(dag_id: &str, logical_date: Timestamp, by: TriggeredBy, key: &str) -> Self {
        let run_id = format!("triggered__{logical_date}_{}", letters(spread(key.bytes().map(u64::from)), 12));
        let run_type = RunType::Triggered;
        RunInfo { run_id, run_type, triggered_by: Some(by), ..RunInfo::manual(dag_id, logical_date) }
    }

    /// A run of a slot of the schedule. The id derives from the slot, so that no second process can
    /// make the run twice.
    pub(crate) fn scheduled(dag_id: &str, at: Timestamp, interval: Option<Interval>) -> Self {
        let run_id = RunInfo::id_of_slot(dag_id, at);
        RunInfo { run_id, run_type: RunType::Scheduled, interval, ..RunInfo::manual(dag_id, at) }
    }

    /// The part of an id that only ids made by this crate have, if it has one: a run with such an
    /// id would take the place of a run of a slot, of an event or of a request to come, perhaps of
    /// another DAG. Airflow reserves the beginnings as well.
    #[cfg(feature = "server")]
    pub(crate) fn reserved_part(id: &str) -> Option<&'static str> {
        const BEGINNINGS: [&str; 5] = ["scheduled__", "event__", "backfill__", "triggered__", "manual__"];
        let beginning = BEGINNINGS.into_iter().find(|beginning| id.starts_with(beginning));
        // Requests with a key look for its digest anywhere in an id.
        beginning.or_else(|| id.contains("__key_").then_some("__key_"))
    }

    /// The id of the run of a slot.
    pub(crate) fn id_of_slot(dag_id: &str, at: Timestamp) -> String {
        format!("scheduled__{at}__{dag_id}")
    }

    /// A run that a backfill makes.
    pub(crate) fn of_backfill(dag_id: &str, backfill: i64, slot: Slot, run: ActiveRun) -> Self {
        let run_id = RunInfo::id_of_backfill(dag_id, backfill, &ActiveSlot { at: slot.at, run });
        RunInfo { run_id, run_type: RunType::Backfill, interval: slot.interval, ..RunInfo::manual(dag_id, slot.at) }
    }

    /// The id of a run of a backfill. The run of a slot has the id that the schedule would have
    /// given to it, so that a slot never has two.
    pub(crate) fn id_of_backfill(dag_id: &str, backfill: i64, slot: &ActiveSlot) -> String {
        match slot.run {
            ActiveRun::New | ActiveRun::Again { .. } => RunInfo::id_of_slot(dag_id, slot.at),
            ActiveRun::Sibling => format!("{}__b{backfill}", RunInfo::id_of_slot(dag_id, slot.at)),
            ActiveRun::Whole { interval: Interval { start, end } } => {
                format!("backfill__{start}__{end}__{dag_id}__b{backfill}")
            }
        }
    }

    /// Whether this is the id of the run that a backfill makes of its whole range.
    pub(crate) fn is_of_whole_backfill(run_id: &str, dag_id: &str, backfill: i64) -> bool {
        run_id.starts_with("backfill__") && run_id.ends_with(&format!("__{dag_id}__b{backfill}"))
    }

    /// A run that events have started: `number` is that of the last one, and `at` is when it was
    /// emitted. The id derives from the number, so that no second process can make the run twice.
    pub(crate) fn event(dag_id: &str, at: Timestamp, number: i64) -> Self {
        let run_id = format!("event__{number}__{dag_id}");
        RunInfo { run_id, run_type: RunType::Event, ..RunInfo::manual(dag_id, at) }
    }

    /// The same run, for those who have asked for it.
    pub(crate) fn for_requesters(self, names: Vec<String>) -> Self {
        RunInfo { requested_by: names, ..self }
    }

    /// The same run, which consumes these events.
    pub(crate) fn consuming(self, consumed: Vec<ConsumedEvents>, path: Vec<String>, key: Option<String>) -> Self {
        RunInfo { triggering_events: Some(TriggeringEvents { consumed, path, key }), ..self }
    }

    /// The last event that the run consumes.
    pub(crate) fn last_event(&self) -> Option<i64> {
        self.triggering_events.as_ref()?.consumed.iter().map(|consumed| consumed.last).max()
    }

    /// The DAGs of the runs on the way to this run, and its own: through tasks that have triggered
    /// runs, and through events.
    pub(crate) fn path(&self) -> Vec<String> {
        let triggered = self.triggered_by.as_ref().map(|by| &by.path);
        let events = self.triggering_events.as_ref().map(|events| &events.path);
        let mut path = triggered.or(events).cloned().unwrap_or_default();
        path.push(self.dag_id.clone());
        path
    }

    /// How many DAGs at the beginning of its [path](RunInfo::path) are on the way to events.
    pub(crate) fn through_events(&self) -> u32 {
        match (&self.triggered_by, &self.triggering_events) {
            (Some(by), _) => by.through_events,
            (None, Some(events)) => events.path.len() as u32,
            (None, None) => 0,
        }
    }

    /// The data interval of the run; `None` if the schedule of its DAG has no intervals. A run that
    /// is not one of the schedule has the last complete interval before its logical date.
    pub fn data_interval(&self) -> Option<Interval> {
        self.interval
    }

    /// The day of the logical date in the time zone of the schedule: what a daily run is about.
    /// Without a time zone, the day in UTC.
    pub fn day(&self) -> Date {
        // The zones are those of the program that stored the run.
        let zone = self.timezone.as_deref().and_then(|name| Zone::named(name).ok()).unwrap_or(Zone::UTC);
        zone.day_of(self.logical_date)
    }

    /// The IANA name of the time zone of the schedule of its DAG, if it is not UTC.
    #[cfg(feature = "server")]
    pub(crate) fn timezone_name(&self) -> Option<&str> {
        self.timezone.as_deref()
    }

    /// The same run for a DAG whose schedule is in this time zone.
    pub(crate) fn in_timezone(self, timezone: Option<&str>) -> Self {
        RunInfo { timezone: timezone.map(str::to_owned), ..self }
    }

    /// The same run with this data interval.
    pub(crate) fn with_interval(self, interval: Option<Interval>) -> Self {
        RunInfo { interval, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_stored_by_an_earlier_schema_keeps_its_type() {
        let info = RunInfo::manual("etl", Timestamp::EPOCH);
        let stored = serde_json::to_string(&info).unwrap();
        assert!(stored.contains(r#""run_type":"manual""#), "{stored}");
        let earlier = stored.replace(r#""run_type":"manual""#, r#""trigger":"dag""#);
        let read: RunInfo = serde_json::from_str(&earlier).unwrap();
        assert_eq!(read, RunInfo { run_type: RunType::Triggered, ..info });
    }

    /// Isolated tasks receive it in a format without names of fields: none can be left out.
    #[test]
    fn a_run_that_a_task_triggered_reaches_another_process() {
        for waits in [true, false] {
            let (run_id, task_id) = ("parent".to_owned(), "child".to_owned());
            let by = TriggeredBy { run_id, task_id, path: vec!["parent".to_owned()], through_events: 0, waits };
            let info = RunInfo::triggered("etl", Timestamp::EPOCH, by, "key");
            let bytes = postcard::to_stdvec(&(&info, "the next field")).unwrap();
            let read: (RunInfo, String) = postcard::from_bytes(&bytes).unwrap();
            assert_eq!(read, (info, "the next field".to_owned()));
        }
    }

    #[test]
    fn the_name_of_a_run_type_is_its_serialized_form() {
        for run_type in RunType::ALL {
            assert_eq!(serde_json::to_value(run_type).unwrap(), run_type.name());
        }
    }
}
