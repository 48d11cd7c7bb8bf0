//! What becomes of a slot of a plan, given the run that it has.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::plan::BackfillPlan;
use crate::base::Timestamp;
use crate::schedule::policy::BackfillScope;

/// What becomes of a slot of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BackfillFate {
    /// It becomes a run.
    New,
    /// Its run is cleared and runs again.
    Again,
    /// A run with the parameters of the plan is made beside the one that it has.
    Sibling,
    /// It is left alone.
    Left(LeftAlone),
}

/// Why a slot is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftAlone {
    /// It has a run, and only missing ones are run.
    HasRun,
    /// Its run is queued, running or interrupted.
    InFlight,
    /// Its run has not failed, and only failed ones are run.
    NotFailed,
    /// It has no run, and only failed ones are run.
    NoRun,
}

impl LeftAlone {
    /// The reason in words, after "is left alone:".
    pub const fn describe(self) -> &'static str {
        match self {
            LeftAlone::HasRun => "has a run",
            LeftAlone::InFlight => "its run has not ended",
            LeftAlone::NotFailed => "its run has not failed",
            LeftAlone::NoRun => "has no run",
        }
    }
}

/// The run that a slot has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotRun {
    /// Its state.
    pub state: SlotRunState,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// The state of the run of a slot, as far as a plan distinguishes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlotRunState {
    /// It is queued, running or interrupted.
    InFlight,
    /// It succeeded.
    Success,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

/// Runs by slot.
pub type SlotRuns = BTreeMap<Timestamp, SlotRun>;

impl BackfillPlan {
    /// What becomes of a slot with this run.
    pub(super) fn fate(&self, run: Option<&SlotRun>) -> BackfillFate {
        let scope = self.request.scope;
        if self.request.as_one_run {
            return BackfillFate::New;
        }
        let Some(run) = run else {
            return match scope {
                BackfillScope::Failed => BackfillFate::Left(LeftAlone::NoRun),
                BackfillScope::Missing | BackfillScope::All => BackfillFate::New,
            };
        };
        match (run.state, scope) {
            (SlotRunState::InFlight, _) => BackfillFate::Left(LeftAlone::InFlight),
            (_, BackfillScope::Missing) => BackfillFate::Left(LeftAlone::HasRun),
            (SlotRunState::Success | SlotRunState::Cancelled, BackfillScope::Failed) => {
                BackfillFate::Left(LeftAlone::NotFailed)
            }
            _ if self.request.params.is_empty() => BackfillFate::Again,
            _ => BackfillFate::Sibling,
        }
    }
}
