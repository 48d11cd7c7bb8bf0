//! What the inputs of a consumer have for its next run, for those who ask why it has not started.

use std::collections::BTreeMap;

use super::consumer::{Consumer, EventInput};
use super::events::Offer;
use super::pending::undecided;
use super::state::ConsumerState;
use super::step::EventSituation;
use super::stepper::Stepper;
use crate::base::Timestamp;

/// What an input has for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offered {
    Events,
    Nothing,
    /// Events that count from then on, unless a new one is emitted.
    Unsettled(Timestamp),
}

/// The inputs that consume, in order, with what each has for a run. Those that take whole periods
/// have nothing: their periods have.
pub(crate) fn offers<'c>(
    consumer: &'c Consumer,
    state: &ConsumerState,
    situation: &EventSituation<'_>,
) -> Vec<(&'c EventInput, Offered)> {
    let undecided = undecided(state, situation);
    let pending = undecided.as_ref().unwrap_or(situation.pending);
    let situation = &EventSituation { pending, ..situation.clone() };
    let stepper = Stepper {
        consumer,
        situation,
        state: state.clone(),
        passed: BTreeMap::new(),
        decisions: Vec::new(),
        ended: None,
        wake: None,
        room: 0,
        schedule_changed: false,
    };
    let offered = |input: &'c EventInput| {
        let offered = match stepper.offer(input, None) {
            Offer::Events(_) => Offered::Events,
            Offer::Nothing => Offered::Nothing,
            Offer::Unsettled(until) => Offered::Unsettled(until),
        };
        (input, offered)
    };
    consumer.consuming().map(offered).collect()
}
