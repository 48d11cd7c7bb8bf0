//! What the next run of a DAG needs that events start, as a tree: which branch is there, and what
//! is pending for which.

use serde::{Deserialize, Serialize};

use super::consumers::ConsumerInput;
use crate::base::Timestamp;
use crate::base::schema::Schema;
use crate::schedule::{Combine, Consumer, ConsumerState, EventInput, EventSituation, Offered, Takes, offers};

/// What the next run needs. Events that a run takes if there are any, and does not need, are no
/// part of it.
///
/// As JSON: `{"met": false, "all": [{"met": true, "event": {..}}, {"met": false, "slot": {..}}]}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct Condition {
    /// Whether it is there.
    pub met: bool,
    /// What it is.
    #[serde(flatten)]
    pub kind: ConditionKind,
}

/// What a run needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ConditionKind {
    /// All of these.
    All(Vec<Condition>),
    /// One of these.
    Any(Vec<Condition>),
    /// A slot of the schedule.
    Slot {
        /// The schedule in words.
        schedule: String,
        /// The oldest slot that waits for events.
        open: Option<Timestamp>,
    },
    /// Events of an asset.
    Event {
        /// The parameter that takes them.
        param: String,
        /// The asset.
        asset: String,
        /// How many are pending.
        pending: u64,
        /// When the first of them was emitted.
        since: Option<Timestamp>,
        /// What is missing, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lacks: Option<String>,
    },
}

impl Condition {
    /// What the next run of a consumer needs. `inputs` are its event parameters in order.
    pub(super) fn of(
        consumer: &Consumer,
        state: &ConsumerState,
        situation: &EventSituation<'_>,
        inputs: &[ConsumerInput],
    ) -> Condition {
        let all: Vec<(bool, Condition)> = offers(consumer, state, situation)
            .into_iter()
            .filter_map(|(input, offered)| {
                let known = inputs.iter().find(|known| known.param == input.param)?;
                Some((input.required, Condition::of_event(input, offered, known)))
            })
            .collect();
        let is_required = all.iter().any(|(required, _)| *required);
        let needed = all.into_iter().filter(|(required, _)| *required == is_required).map(|(_, event)| event);
        let Some(schedule) = &consumer.schedule else {
            return if is_required { Condition::all(needed) } else { Condition::any(needed) };
        };
        let open = state.open.first().map(|slot| slot.at);
        let slot =
            Condition { met: open.is_some(), kind: ConditionKind::Slot { schedule: schedule.to_string(), open } };
        match consumer.combine {
            // No event is needed if none is required.
            Combine::And if !is_required => slot,
            Combine::And => Condition::all(std::iter::once(slot).chain(needed)),
            Combine::Or => Condition::any(std::iter::once(slot).chain(needed)),
        }
    }

    fn of_event(input: &EventInput, offered: Offered, known: &ConsumerInput) -> Condition {
        let lacks = match (input.takes, offered, &*known.periods) {
            (Takes::Period, _, []) if known.pending > 0 => None,
            (Takes::Period, _, [period, ..]) => Some(format!("the rest of {period}")),
            (_, Offered::Events, _) => None,
            (_, Offered::Unsettled(until), _) => Some(format!("to settle, at {until} at the earliest")),
            (_, Offered::Nothing, _) => Some("an event".to_owned()),
        };
        let ConsumerInput { param, asset, pending, since, .. } = known.clone();
        Condition { met: lacks.is_none(), kind: ConditionKind::Event { param, asset, pending, since, lacks } }
    }

    fn all(of: impl Iterator<Item = Condition>) -> Condition {
        let of: Vec<Condition> = of.collect();
        match <[Condition; 1]>::try_from(of) {
            Ok([only]) => only,
            Err(of) => Condition { met: of.iter().all(|one| one.met), kind: ConditionKind::All(of) },
        }
    }

    fn any(of: impl Iterator<Item = Condition>) -> Condition {
        let of: Vec<Condition> = of.collect();
        match <[Condition; 1]>::try_from(of) {
            Ok([only]) => only,
            Err(of) => Condition { met: of.iter().any(|one| one.met), kind: ConditionKind::Any(of) },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::{Value, json};

    use super::*;
    use crate::schedule::PendingEvent;

    /// The condition of a consumer with so many pending events of each asset, without the moments.
    fn condition(consumer: &Consumer, pending: &[(&str, i64)]) -> Value {
        let (now, groups, running) = (Timestamp::EPOCH, BTreeMap::new(), BTreeSet::new());
        let events = |count: i64| (1..=count).map(|number| PendingEvent { number, at: now }).collect::<Vec<_>>();
        let pending = pending.iter().map(|&(asset, count)| (asset.to_owned(), events(count))).collect();
        let situation = EventSituation {
            now,
            active: 0,
            unsuccessful: None,
            last_event: 9,
            pending: &pending,
            groups: &groups,
            running: &running,
            slots_with_runs: &BTreeSet::new(),
            failures: Vec::new(),
        };
        let state = ConsumerState::first_seen(consumer, now, 0, false);
        let inputs: Vec<ConsumerInput> = consumer
            .inputs
            .iter()
            .map(|input| ConsumerInput {
                param: input.param.clone(),
                asset: input.asset.clone(),
                takes: Cow::Borrowed("one"),
                required: input.required,
                cursor: Some(0),
                pending: pending.get(&input.asset).map_or(0, |events| events.len() as u64),
                first_pending: None,
                since: None,
                keys: None,
                periods: Vec::new(),
            })
            .collect();
        serde_json::to_value(Condition::of(consumer, &state, &situation, &inputs)).unwrap()
    }

    fn event(asset: &str, pending: u64) -> Value {
        let mut event = json!({ "param": asset, "asset": asset, "pending": pending, "since": null });
        if pending == 0 {
            event["lacks"] = json!("an event");
        }
        json!({ "met": pending > 0, "event": event })
    }

    fn optional(asset: &str) -> EventInput {
        EventInput { required: false, ..EventInput::new(asset, asset, Takes::One) }
    }

    #[test]
    fn a_run_needs_all_required_events_and_none_of_the_others() {
        let required = |asset: &str| EventInput::new(asset, asset, Takes::One);
        let consumer = Consumer::new(vec![required("a"), required("b"), optional("c")]);
        let expected = json!({ "met": false, "all": [event("a", 2), event("b", 0)] });
        assert_eq!(condition(&consumer, &[("a", 2)]), expected);
        let expected = json!({ "met": true, "all": [event("a", 2), event("b", 1)] });
        assert_eq!(condition(&consumer, &[("a", 2), ("b", 1)]), expected);
        assert_eq!(condition(&Consumer::new(vec![required("a")]), &[]), event("a", 0));
        let read: Condition = serde_json::from_value(expected).unwrap();
        assert!(matches!(read.kind, ConditionKind::All(of) if of.len() == 2));
    }

    #[test]
    fn any_event_is_enough_if_none_is_required() {
        let consumer = Consumer::new(vec![optional("a"), optional("b")]);
        let expected = json!({ "met": true, "any": [event("a", 0), event("b", 1)] });
        assert_eq!(condition(&consumer, &[("b", 1)]), expected);
    }
}
