//! What is known of a DAG run before any of its tasks starts.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::base::{Interval, Timestamp};

/// What is known of a DAG run before any of its tasks starts.
///
/// Defaults of parameters may be computed from it: `#[param(default = |run| run.logical_date.date())]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunInfo {
    /// The id of the DAG.
    pub dag_id: String,
    /// The id of the run, `manual__2026-01-31T06:00:00Z_k3f9qa` for one started by hand. No two runs have the same.
    pub run_id: String,
    /// The point in time the run is about; for a run started by hand, when that happened.
    pub logical_date: Timestamp,
    /// What started it.
    pub trigger: RunTrigger,
    interval: Option<Interval>,
    /// The task that started it, if one did.
    #[serde(default)]
    pub triggered_by: Option<TriggeredBy>,
}

/// The task that started a run of another DAG.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TriggeredBy {
    /// The id of its run.
    pub run_id: String,
    /// Its id.
    pub task_id: String,
}

/// What started a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunTrigger {
    /// A person or a program asked for it.
    Manual,
    /// A task of a run of another DAG did: [`RunInfo::triggered_by`].
    Dag,
}

/// Six characters that tell runs about the same moment apart, also those of different processes.
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
    /// A run asked for at `logical_date`.
    pub fn manual(dag_id: &str, logical_date: Timestamp) -> Self {
        RunInfo {
            dag_id: dag_id.to_owned(),
            run_id: format!("manual__{logical_date}_{}", distinction()),
            logical_date,
            trigger: RunTrigger::Manual,
            interval: Some(Interval { start: logical_date, end: logical_date }),
            triggered_by: None,
        }
    }

    /// A run that a task started. The id is made of a key that the task has for it, so that it is the same however often
    /// the task asks.
    pub(crate) fn triggered(dag_id: &str, logical_date: Timestamp, by: TriggeredBy, key: &str) -> Self {
        let run_id = format!("triggered__{logical_date}_{}", letters(spread(key.bytes().map(u64::from)), 12));
        let trigger = RunTrigger::Dag;
        RunInfo { run_id, trigger, triggered_by: Some(by), ..RunInfo::manual(dag_id, logical_date) }
    }

    /// The span of time whose data the run is about; none in a run of a DAG whose schedule has no intervals. A run started by
    /// hand has the empty span at its logical date.
    pub fn data_interval(&self) -> Option<Interval> {
        self.interval
    }

    /// The same of a DAG whose schedule has no intervals.
    pub(crate) fn without_interval(self) -> Self {
        RunInfo { interval: None, ..self }
    }
}
