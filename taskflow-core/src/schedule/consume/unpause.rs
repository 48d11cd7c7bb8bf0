//! Ending a pause.

use serde::{Deserialize, Serialize};

use super::consumer::Consumer;
use super::pending::{pending, record};
use super::state::ConsumerState;
use super::step::EventSituation;
use crate::schedule::policy::Catchup;
use crate::schedule::state::ScheduleState;
use crate::schedule::step::{SlotFate, SlotRecord, unpause};

/// What happens to the events that were emitted during a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unpause {
    /// They are consumed, as if there had been no pause.
    All,
    /// The newest of each asset is consumed; the others are superseded.
    Newest,
    /// None of them is consumed.
    Skip,
}

/// Ends a pause: `which` decides what happens to the events of the pause, and `catchup` what
/// happens to its slots, as in [`unpause`](crate::schedule::unpause()).
pub fn unpause_consumer(
    consumer: &Consumer,
    state: &ConsumerState,
    situation: &EventSituation<'_>,
    which: Unpause,
    catchup: Catchup,
) -> (ConsumerState, Vec<SlotRecord>) {
    let mut state = state.clone();
    let mut records = Vec::new();
    let Some(pause) = state.pause.take() else { return (state, records) };
    let reason = match which {
        Unpause::All => "",
        Unpause::Newest => "a later event took its place, because the DAG was unpaused with the newest one",
        Unpause::Skip => "the DAG was unpaused without the events of the pause",
    };
    for (asset, cursor) in &mut state.cursors {
        let events = pending(situation, asset, *cursor);
        let (passed, fate) = match which {
            Unpause::All => continue,
            Unpause::Newest => (&events[..events.len().saturating_sub(1)], SlotFate::Superseded),
            Unpause::Skip => (events, SlotFate::Skipped),
        };
        *cursor = passed.last().map_or(*cursor, |event| event.number);
        records.extend(record(asset, passed, fate, reason));
    }
    if let (Some(schedule), Some(slots)) = (&consumer.schedule, &state.schedule) {
        let paused = ScheduleState { pause: Some(pause), ..slots.clone() };
        let (slots, of_slots) = unpause(schedule, &paused, situation.now, catchup);
        state.schedule = Some(slots);
        records.extend(of_slots);
    }
    (state, records)
}
