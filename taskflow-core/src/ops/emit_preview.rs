//! What an event of an asset would do, before it is emitted by hand.

use serde::Serialize;

use super::consumers::{Loaded, in_words};
use super::error::OpsError;
use super::schedules::asking;
use super::situation::{active_event_runs, backfilled};
use crate::dag::DagDef;
use crate::journal::Journal;
use crate::schedule::{Consumer, ConsumerDecision, EventRun, Takes, consume};

/// What an event would do for a DAG with a parameter for its asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EmitEffect {
    /// The DAG.
    pub dag_id: String,
    /// What becomes of the event.
    pub effect: EventEffect,
}

/// What becomes of an event for a DAG.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventEffect {
    /// A run starts that takes it.
    Starts,
    /// It is pending.
    Pends {
        /// What the next run waits for.
        waits_for: String,
    },
    /// It is one of a group of events, and a run takes those of a group: of its key, or of a whole
    /// period, once the period is complete.
    Joins,
    /// Runs look at the newest event of the asset. None starts because of it.
    Seen,
    /// No service has served the DAG yet: it takes the events that are emitted from then on.
    Unserved,
}

/// What an event of an asset would do if it were emitted now, for each of these DAGs that has a
/// parameter for the asset. Changes nothing.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn preview_emit(journal: &Journal, dags: &[&DagDef], asset: &str) -> Result<Vec<EmitEffect>, OpsError> {
    let mut effects = Vec::new();
    for &dag in dags {
        // The page of the DAG shows a mistake of its parameters.
        let Ok(Some(consumer)) = dag.consumer() else { continue };
        if consumer.inputs.iter().any(|input| input.asset == asset) {
            let effect = effect(journal, dag, &consumer, asset).await?;
            effects.push(EmitEffect { dag_id: dag.id.to_owned(), effect });
        }
    }
    Ok(effects)
}

async fn effect(journal: &Journal, dag: &DagDef, consumer: &Consumer, asset: &str) -> Result<EventEffect, OpsError> {
    let mut of_asset = consumer.inputs.iter().filter(|input| input.asset == asset);
    if of_asset.clone().all(|input| input.takes == Takes::Seen) {
        return Ok(EventEffect::Seen);
    }
    let mut loaded = Loaded::load(journal, dag, consumer).await?;
    if loaded.version == 0 {
        return Ok(EventEffect::Unserved);
    }
    let is_paused = loaded.state.is_paused(journal.now());
    // The group of an event is read from its payload, which there is not yet.
    if of_asset.any(|input| input.by_key || input.takes == Takes::Period) && !is_paused {
        return Ok(EventEffect::Joins);
    }
    let active = active_event_runs(journal, dag.id, &backfilled(journal).await?).await?;
    let now = journal.now();
    let number = loaded.add(asset, now);
    let situation = loaded.situation(now, &active);
    let step = asking(|| consume(consumer, Some(&loaded.state), &situation))?;
    let takes_it = |run: &EventRun| run.taken.iter().flatten().any(|taken| *taken == number);
    let starts =
        step.decisions.iter().any(|decision| matches!(decision, ConsumerDecision::Start(run) if takes_it(run)));
    Ok(match step.waits {
        _ if starts => EventEffect::Starts,
        Some(waits) => EventEffect::Pends { waits_for: in_words(&waits) },
        None => EventEffect::Pends { waits_for: "the next step of the service".to_owned() },
    })
}
