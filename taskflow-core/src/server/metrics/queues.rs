//! Who waits for room: queued runs, and the pools.

use super::{Exposition, labels};
use crate::base::Timestamp;
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
    let age = oldest.map_or(0.0, |created| Timestamp::now().since(created).as_secs_f64());
    let help = "How long the run has been queued that waits for the longest time; 0 if none is.";
    text.gauge("taskflow_queue_oldest_seconds", help, [(labels(&[]), age)]);
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
