//! How far the service is behind the schedules.

use super::error::OpsError;
use super::schedules::{asking, schedule_of, stored_state};
use crate::base::{ErrorKind, Timestamp};
use crate::dag::DagDef;
use crate::journal::Journal;

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
    let mut oldest: Option<Timestamp> = None;
    for dag in dags.iter().filter(|dag| dag.options.schedule.is_some()) {
        match due(journal, dag, now).await {
            Ok(due) => oldest = oldest.into_iter().chain(due).min(),
            Err(error) if error.kind() == ErrorKind::Damaged || matches!(error, OpsError::Schedule(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(oldest)
}

/// When the first slot was due that the stored state of a schedule does not know.
async fn due(journal: &Journal, dag: &'static DagDef, now: Timestamp) -> Result<Option<Timestamp>, OpsError> {
    let schedule = schedule_of(dag)?;
    let Some((state, _)) = stored_state(journal, dag).await? else { return Ok(None) };
    if state.pause.is_some() {
        return Ok(None);
    }
    let slot = asking(|| schedule.after(state.noticed, state.first_seen))?;
    Ok(slot.map(|slot| slot.at + schedule.offset).filter(|due| *due <= now))
}
