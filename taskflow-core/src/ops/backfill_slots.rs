//! The slots of a backfill, and what has become of each.

use std::borrow::Cow;

use serde::Serialize;

use super::backfill_status::stored;
use super::error::OpsError;
use super::schedules::{asking, schedule_of};
use crate::base::Timestamp;
use crate::dag::DagDef;
use crate::journal::Journal;
use crate::schedule::{BackfillPhase, SlotRange};

/// The slots of a backfill.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BackfillSlots {
    /// The slots, in ascending order.
    pub slots: Vec<BackfillSlot>,
    /// Whether slots were left out, because there are too many.
    pub more: bool,
}

/// A slot of a backfill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BackfillSlot {
    /// The slot.
    pub at: Timestamp,
    /// The run that it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
    /// The state of the run. Without one: `pending`, `paused`, `dropped` by a cancellation,
    /// `failed` if the run could not be made, or `left_alone`.
    pub state: Cow<'static, str>,
    /// Whether the backfill has yet to come to it; then a run that it has is an earlier one.
    pub is_pending: bool,
}

/// The first slots of a backfill of a DAG, at most `limit`. One that makes a single run of all
/// slots has none.
///
/// # Errors
///
/// When there is no such backfill, the DAG has no schedule any more, or the store cannot be read.
pub async fn backfill_slots(
    journal: &Journal,
    dag: &DagDef,
    number: i64,
    limit: usize,
) -> Result<BackfillSlots, OpsError> {
    let stored = stored(journal, number).await?;
    if stored.plan.request.as_one_run {
        return Ok(BackfillSlots::default());
    }
    let schedule = schedule_of(dag)?;
    let mut slots = asking(|| stored.plan.slots(&schedule, limit.saturating_add(1)))?;
    let more = slots.len() > limit;
    slots.truncate(limit);
    let (Some(&from), Some(&to)) = (slots.first(), slots.last()) else {
        return Ok(BackfillSlots::default());
    };
    let runs = journal.runs_of_plan(&stored, SlotRange { from, to }).await?;
    let plan = &stored.plan;
    let slot = |at: Timestamp| {
        let run = runs.get(&at);
        let is_pending = plan.is_pending(at, run.is_some());
        let state = match (run, &plan.phase) {
            (Some((_, state)), _) => Cow::from(state.to_string()),
            (None, BackfillPhase::Paused { .. }) if is_pending => "paused".into(),
            (None, _) if is_pending => "pending".into(),
            // Its run is about to be made.
            (None, _) if plan.active.iter().any(|active| active.at == at) => "pending".into(),
            (None, _) if plan.failed.contains(&at) => "failed".into(),
            (None, BackfillPhase::Cancelled { .. }) => "dropped".into(),
            (None, _) => "left_alone".into(),
        };
        BackfillSlot { at, run: run.map(|(number, _)| *number), state, is_pending }
    };
    Ok(BackfillSlots { slots: slots.into_iter().map(slot).collect(), more })
}
