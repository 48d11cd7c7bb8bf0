//! How far the service is behind the schedules.

use super::error::OpsError;
use super::schedules::{asking, schedule_in, schedule_of};
use crate::base::Timestamp;
use crate::dag::DagDef;
use crate::journal::Journal;
use crate::schedule::ScheduleState;

/// When the slot was due that has waited for the longest time for a decision of the service. A slot
/// whose run waits for room is decided, and so are those of a DAG that is paused. A schedule that
/// nobody has served yet, that cannot be read, or that cannot be asked, has none.
///
/// # Errors
///
/// When the store cannot be read.
pub(crate) async fn oldest_undecided(
    journal: &Journal,
    dags: &[&'static DagDef],
) -> Result<Option<Timestamp>, OpsError> {
    let now = journal.now();
    // All at once: a program may have a thousand.
    let (mut schedules, mut consumers) = (journal.schedules().await?, journal.consumers().await?);
    let due = |dag: &&'static DagDef| {
        let state = match dag.consumer().ok()? {
            Some(_) => schedule_in(consumers.remove(dag.id)?.ok()?.state)?.0,
            None => schedules.remove(dag.id)?.ok()?.state,
        };
        due(dag, &state, now)
    };
    Ok(dags.iter().filter(|dag| dag.options.schedule.is_some()).filter_map(due).min())
}

/// When the first slot was due that the stored state of a schedule does not know.
fn due(dag: &'static DagDef, state: &ScheduleState, now: Timestamp) -> Option<Timestamp> {
    if state.pause.as_ref().is_some_and(|pause| !pause.is_over(now)) {
        return None;
    }
    let schedule = schedule_of(dag).ok()?;
    let slot = asking(|| schedule.after(state.noticed, state.first_seen)).ok()??;
    Some(slot.at + schedule.offset).filter(|due| *due <= now)
}
