//! What is stored of a backfill.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fate::{BackfillFate, LeftAlone};
use super::order::Shuffle;
use super::request::BackfillRequest;
use crate::base::schema::Schema;
use crate::base::{Interval, Timestamp};
use crate::schedule::policy::BackfillOrder;
use crate::schedule::state::Span;

/// A backfill that was started: what it was asked to do, and how far it got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillPlan {
    /// What people did with it, oldest first: somebody started it.
    pub history: Vec<BackfillAction>,
    /// The names of those who have asked for its runs, if they are known.
    #[serde(default)]
    pub requested_by: Vec<String>,
    /// What it was asked to do. Its ranges are in order, disjoint, and end at the latest when the
    /// plan was made.
    pub request: BackfillRequest,
    /// Whether it is carried out.
    pub phase: BackfillPhase,
    /// How many slots it has.
    pub total: u64,
    /// Spans whose slots are not decided yet, oldest first.
    pub pending: Vec<Span>,
    /// The place in a random order.
    pub shuffle: Option<Shuffle>,
    /// The slots whose runs are active.
    pub active: Vec<ActiveSlot>,
    /// What became of the slots that are decided.
    pub counts: BackfillCounts,
    /// The slots whose runs have failed, or could not be made.
    pub failed: Vec<Timestamp>,
    /// How many runs failed since the plan was last started or resumed.
    pub failed_since: u32,
    /// Why the last run could not be made.
    #[serde(default)]
    pub trouble: Option<String>,
    /// The timetable that the slots are computed with.
    pub fingerprint: String,
}

/// Something that somebody did with a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct BackfillAction {
    /// When.
    pub at: Timestamp,
    /// What: `started`, `paused`, `limit set to 4`.
    pub what: String,
    /// Who.
    pub by: String,
    /// Why; may be empty.
    pub reason: String,
}

/// Whether a plan is carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum BackfillPhase {
    /// A service carries it out.
    Active,
    /// No run of it starts.
    Paused {
        /// Who paused it.
        by: String,
        /// Why; may be empty.
        reason: String,
        /// Since when.
        since: Timestamp,
    },
    /// Its pending slots were dropped. Runs that were active may still be.
    Cancelled {
        /// Who cancelled it.
        by: String,
        /// Why; may be empty.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// All its slots are decided, and all its runs have ended.
    Done {
        /// When.
        at: Timestamp,
    },
}

impl BackfillPhase {
    /// The name in JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            BackfillPhase::Active => "active",
            BackfillPhase::Paused { .. } => "paused",
            BackfillPhase::Cancelled { .. } => "cancelled",
            BackfillPhase::Done { .. } => "done",
        }
    }
}

/// A slot whose run is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveSlot {
    /// The slot.
    pub at: Timestamp,
    /// Which run of the slot it is.
    pub run: ActiveRun,
}

/// Which run of a slot a plan has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActiveRun {
    /// The run of the slot, which is new.
    New,
    /// The run of the slot, which is cleared and runs again.
    Again {
        /// When it had ended before. As long as it still has, it is not cleared yet.
        ended: Option<Timestamp>,
    },
    /// A run beside that of the slot, with other parameters.
    Sibling,
    /// The run of the whole range.
    Whole {
        /// The range.
        interval: Interval,
    },
}

/// What became of the slots that are decided. The counts of slots are `new`, `again`, `left` and
/// `dropped`; the others count ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(default)]
pub struct BackfillCounts {
    /// They became new runs.
    pub new: u64,
    /// Their runs were reprocessed.
    pub again: u64,
    /// They were left alone.
    pub left: BTreeMap<LeftAlone, u64>,
    /// They were pending when the plan was cancelled.
    pub dropped: u64,
    /// Runs that succeeded.
    pub success: u64,
    /// Runs that failed, or could not be made.
    pub failed: u64,
    /// Runs that were cancelled, or deleted before their end was noted.
    pub cancelled: u64,
}

impl BackfillCounts {
    /// How many slots are decided.
    pub fn decided(&self) -> u64 {
        self.new + self.again + self.left.values().sum::<u64>() + self.dropped
    }

    pub(super) fn take(&mut self, fate: BackfillFate) {
        match fate {
            BackfillFate::New => self.new += 1,
            BackfillFate::Again | BackfillFate::Sibling => self.again += 1,
            BackfillFate::Left(reason) => *self.left.entry(reason).or_default() += 1,
        }
    }
}

impl BackfillPlan {
    /// The plan, which has so many slots.
    #[must_use]
    pub fn counted(mut self, total: u64) -> Self {
        self.total = total;
        if self.request.order == BackfillOrder::Random && !self.request.as_one_run {
            self.shuffle = Some(Shuffle::new(self.request.seed, total));
        }
        self
    }

    /// How many slots are not decided.
    pub fn remaining(&self) -> u64 {
        self.total.saturating_sub(self.counts.decided())
    }

    /// Whether there may be something left to do: slots to decide, or runs to wait for.
    pub fn is_open(&self) -> bool {
        !self.active.is_empty() || matches!(self.phase, BackfillPhase::Active | BackfillPhase::Paused { .. })
    }
}
