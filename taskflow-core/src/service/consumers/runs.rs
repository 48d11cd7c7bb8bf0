//! The runs of events, with their parameters.

use std::collections::{HashMap, HashSet};

use super::consuming::Consuming;
use crate::asset::{EventBinding, RawEvent};
use crate::base::{ErrorKind, Timestamp};
use crate::journal::{Journal, QueuedRun};
use crate::ops::{OpsError, raw_event as raw};
use crate::run::{ConsumedEvents, RunInfo};
use crate::schedule::{ConsumerDecision, ConsumerStep, EventRun, Takes};

/// How many runs may start each other through events, one after the other.
const DEPTH: usize = 100;

/// How many of the runs that emitted the events of a run are asked for their path. In a cycle, the
/// newest are among them.
const ASKED: usize = 20;

impl Consuming {
    /// The slots whose run a step starts, and which have a run already.
    pub(super) async fn slots_with_runs(
        &self,
        step: &ConsumerStep,
        journal: &Journal,
    ) -> Result<Vec<Timestamp>, OpsError> {
        let mut found = Vec::new();
        for decision in &step.decisions {
            let ConsumerDecision::Start(EventRun { slot: Some(slot), .. }) = decision else { continue };
            let info = RunInfo::scheduled(self.dag.id, slot.at, slot.interval);
            if journal.run_info(&info.run_id).await?.is_some() {
                found.push(slot.at);
            }
        }
        Ok(found)
    }

    /// The run of some events, with the defaults of its other parameters; or why it cannot be made.
    pub(super) async fn run_of(
        &self,
        run: &EventRun,
        now: Timestamp,
        journal: &Journal,
    ) -> Result<Result<QueuedRun, String>, OpsError> {
        let dag = self.dag;
        let plan = match dag.plan() {
            Ok(plan) => plan,
            Err(errors) => return Ok(Err(errors.to_string())),
        };
        let mut values = HashMap::new();
        let (mut consumed, mut emitters) = (Vec::new(), Vec::new());
        let bindings = plan.params().iter().filter_map(|param| Some((param.name, param.event.as_ref()?)));
        for ((param, binding), numbers) in bindings.zip(&run.taken) {
            let read = match (binding.takes, run.again, run.key.as_deref(), run.last_event()) {
                (Takes::Period, true, Some(period), Some(last)) => newest_parts(binding, period, last, journal).await,
                _ => read_events(binding, numbers, journal).await,
            };
            let events = match read {
                Ok(events) => events,
                Err(error) if error.kind() == ErrorKind::Damaged => return Ok(Err(error.to_string())),
                Err(error) => return Err(error),
            };
            if events.len() < numbers.len() {
                let gone = format!(
                    "events of `{}` that parameter `{param}` takes are not in the store any more",
                    binding.asset
                );
                return Ok(Err(gone));
            }
            // Looking is not consuming, and starts nothing.
            if binding.takes != Takes::Seen {
                consumed.extend(ConsumedEvents::of(param, &binding.asset, numbers));
                emitters.extend(events.iter().rev().filter_map(|event| event.run.clone()));
            }
            match binding.value(events) {
                Ok(value) => values.insert(param, value),
                Err(reason) => return Ok(Err(format!("parameter `{param}`: {reason}"))),
            };
        }
        let path = self.path(emitters, journal).await?;
        if path.len() >= DEPTH {
            return Ok(Err(too_deep(&path, dag.id)));
        }
        let info = match (run.slot, run.last_event()) {
            (None, Some(number)) => RunInfo::event(dag.id, run.at, number),
            (slot, _) => RunInfo::scheduled(dag.id, run.at, slot.and_then(|slot| slot.interval)),
        };
        Ok(QueuedRun::of_dag(dag, info.consuming(consumed, path, run.key.clone()), &values, |_| None, now))
    }

    /// The longest path of the runs that emitted the events: the DAGs that led to the new run.
    async fn path(&self, emitters: Vec<String>, journal: &Journal) -> Result<Vec<String>, OpsError> {
        let mut longest = Vec::new();
        let mut asked = HashSet::new();
        for run in emitters {
            if asked.len() == ASKED {
                break;
            }
            if asked.insert(run.clone()) {
                // A run that was deleted has no path any more.
                let path = journal.run_info(&run).await?.map(|info| info.path()).unwrap_or_default();
                if path.len() > longest.len() {
                    longest = path;
                }
            }
        }
        Ok(longest)
    }
}

/// The newest event of each part of a period, up to the last one.
async fn newest_parts(
    binding: &EventBinding,
    period: &str,
    last: i64,
    journal: &Journal,
) -> Result<Vec<RawEvent>, OpsError> {
    let mut events = Vec::new();
    for part in binding.parts(period).unwrap_or_default() {
        events.extend(journal.newest_event_of(&binding.asset, &part, last).await?.map(raw));
    }
    Ok(events)
}

/// The events that a parameter takes; for one that only looks, the newest.
async fn read_events(binding: &EventBinding, numbers: &[i64], journal: &Journal) -> Result<Vec<RawEvent>, OpsError> {
    let events = match binding.takes {
        Takes::Seen => journal.newest_event(&binding.asset).await?.into_iter().collect(),
        _ => journal.events_of(&binding.asset, numbers).await?,
    };
    Ok(events.into_iter().map(raw).collect())
}

/// Why a cycle of runs is ended, with one round of it.
fn too_deep(path: &[String], dag: &str) -> String {
    let last = path.iter().rposition(|before| before == dag).unwrap_or(path.len().saturating_sub(3));
    let mut round: Vec<&str> = path[last..].iter().map(String::as_str).collect();
    round.push(dag);
    format!("{} runs have started each other through events: {}", path.len(), round.join(" -> "))
}
