//! Who waits for room: queued runs, and the pools.

use super::{Exposition, labels, seconds};
use crate::ops;
use crate::run::RunState;
use crate::server::ServerState;
use crate::server::problem::Problem;
use crate::store::{RunFilter, RunOrder};

/// The gauges about queued runs and pools.
///
/// # Errors
///
/// When the store cannot be read.
pub(super) async fn expose(state: &ServerState, text: &mut Exposition) -> Result<(), Problem> {
    let queued = RunFilter { states: vec![RunState::Queued], order: RunOrder::Number, ..RunFilter::default() };
    let oldest = state.journal.runs(&queued).await?.into_iter().map(|run| run.created).min();
    let help = "When the run was created that has been queued for the longest time.";
    text.gauge("taskflow_queue_oldest_timestamp_seconds", help, oldest.map(|at| (labels(&[]), seconds(at))));
    let mut slots = Vec::new();
    for pool in ops::pools(&state.journal, state.home.config()).await? {
        let waiting = pool.waiting.iter().map(|waiter| waiter.slots).sum::<u32>();
        for (kind, count) in [("size", pool.size), ("taken", pool.taken), ("waiting", waiting)] {
            slots.push((labels(&[("pool", &pool.pool), ("kind", kind)]), f64::from(count)));
        }
    }
    text.gauge("taskflow_pool_slots", "Slots of pools: how many there are, are taken and are waited for.", slots);
    Ok(())
}
