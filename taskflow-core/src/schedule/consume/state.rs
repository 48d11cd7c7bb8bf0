//! What is stored of a consumer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::consumer::Consumer;
use crate::base::Timestamp;
use crate::schedule::slot::Slot;
use crate::schedule::state::{Pause, ScheduleState};

/// What is stored of a consumer: which events are decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerState {
    /// When a service first saw the DAG.
    pub first_seen: Timestamp,
    /// For each asset that the DAG consumes, the last event that is decided.
    pub cursors: BTreeMap<String, i64>,
    /// The state of the schedule, if the DAG has one. A pause is not in it.
    #[serde(default)]
    pub schedule: Option<ScheduleState>,
    /// Slots that wait for events, oldest first.
    #[serde(default)]
    pub open: Vec<Slot>,
    /// Who paused the DAG.
    pub pause: Option<Pause>,
}

impl ConsumerState {
    /// The state of a DAG that no service has seen before. `last_event` is the number of the last
    /// event of any asset. `paused`: until somebody unpauses it.
    pub fn first_seen(consumer: &Consumer, now: Timestamp, last_event: i64, paused: bool) -> Self {
        let mut schedule = consumer.schedule.as_ref().map(|schedule| ScheduleState::first_seen(schedule, now, paused));
        let pause = || Pause {
            by: "the option `paused`".to_owned(),
            reason: "the DAG is new".to_owned(),
            since: now,
            until: None,
        };
        let pause = paused.then(|| schedule.as_mut().and_then(|schedule| schedule.pause.take()).unwrap_or_else(pause));
        let cursors = consumer.assets().into_iter().map(|asset| (asset, last_event)).collect();
        ConsumerState { first_seen: now, cursors, schedule, open: Vec::new(), pause }
    }

    /// The cursor of an asset.
    pub fn cursor(&self, asset: &str) -> Option<i64> {
        self.cursors.get(asset).copied()
    }

    /// The lowest cursor: every pending event has a higher number.
    pub fn lowest_cursor(&self) -> Option<i64> {
        self.cursors.values().copied().min()
    }
}
