//! Who waits for room: queued runs, and the pools; and the tasks of running runs, which come from
//! the same histories.

use std::collections::BTreeMap;

use super::{Exposition, labels, tasks};
use crate::base::Timestamp;
use crate::journal::{Journal, JournalError, RunSummary};
use crate::ops;
use crate::run::RunState;
use crate::server::ServerState;
use crate::server::problem::Problem;
use crate::store::{RunFilter, RunOrder};

/// Of how many queued runs that had run before the history is read.
const AGAIN: usize = 100;

/// The gauges about queued runs, pools and running tasks.
///
/// # Errors
///
/// When the store cannot be read.
pub(super) async fn expose(state: &ServerState, text: &mut Exposition) -> Result<(), Problem> {
    let age = oldest(&state.journal).await?;
    let age = age.map_or(0.0, |since| Timestamp::now().since(since).as_secs_f64());
    let help = "How long the run has been queued that waits for the longest time; 0 if none is.";
    text.gauge("taskflow_queue_oldest_seconds", help, [(labels(&[]), age)]);
    let (pools, counts) = ops::pools(&state.journal, state.home.config()).await?;
    let mut slots = Vec::new();
    for pool in pools {
        let waiting = pool.waiting.iter().map(|waiter| waiter.slots).sum::<u32>();
        for (kind, count) in [("size", pool.size), ("taken", pool.taken), ("waiting", waiting)] {
            slots.push((labels(&[("pool", &pool.pool), ("kind", kind)]), f64::from(count)));
        }
    }
    text.gauge("taskflow_pool_slots", "Slots of pools: how many there are, are taken and are waited for.", slots);
    let by_state: BTreeMap<&str, u64> = counts.iter().map(|(state, count)| (state.name(), *count)).collect();
    let tasks = by_state.into_iter().map(|(state, count)| (labels(&[("state", state)]), count as f64));
    text.gauge("taskflow_tasks", "Tasks of running runs, by state.", tasks);
    Ok(())
}

/// Since when the run has been queued that waits for the longest time.
async fn oldest(journal: &Journal) -> Result<Option<Timestamp>, JournalError> {
    let queued = RunFilter { states: vec![RunState::Queued], order: RunOrder::Number, ..RunFilter::default() };
    let (again, new): (Vec<RunSummary>, Vec<RunSummary>) =
        journal.runs(&queued).await?.into_iter().partition(|run| !run.worker.is_empty());
    let mut oldest = new.into_iter().map(|run| run.created).min();
    // Those that have run before were created long ago, and are queued since somebody cleared them.
    for run in again.into_iter().take(AGAIN) {
        let history = tasks::history(journal, run.number).await?;
        let edited = history.and_then(|history| Some(history.edits.last()?.at));
        let since = edited.unwrap_or(run.created);
        oldest = Some(oldest.map_or(since, |oldest| oldest.min(since)));
    }
    Ok(oldest)
}
