//! What a DAG consumes.

use std::time::Duration;

use crate::schedule::policy::{Combine, OnUpdate};
use crate::schedule::spec::Schedule;

/// How many runs of keys or periods may be active if the DAG does not say.
const ACTIVE_GROUPS: u32 = 16;

/// What a DAG consumes, and when that starts a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Consumer {
    /// The event parameters of the DAG, in order. No two of them consume the same asset.
    pub inputs: Vec<EventInput>,
    /// The schedule, if the DAG has one as well.
    pub schedule: Option<Schedule>,
    /// Whether a slot of the schedule and the events start a run only together.
    pub combine: Combine,
    /// How long a slot waits for events. Without it, a slot waits until they are there.
    pub wait: Option<Duration>,
    /// How many runs may be active at once. At least 1.
    pub max_active_runs: u32,
    /// The DAG is paused after so many failed runs in a row.
    pub pause_after_failures: Option<u32>,
}

impl Consumer {
    /// A consumer without a schedule, with one active run at a time; with groups, one for each key
    /// or period, and at most 16.
    pub fn new(inputs: Vec<EventInput>) -> Self {
        let max_active_runs = if inputs.iter().any(EventInput::is_grouped) { ACTIVE_GROUPS } else { 1 };
        let pause_after_failures = None;
        Consumer { inputs, schedule: None, combine: Combine::And, wait: None, max_active_runs, pause_after_failures }
    }

    /// The assets that its inputs consume, without duplicates.
    pub fn assets(&self) -> Vec<String> {
        let mut assets: Vec<String> = self.consuming().map(|input| input.asset.clone()).collect();
        assets.sort();
        assets.dedup();
        assets
    }

    /// Why nothing can start a run of it, or its inputs contradict each other.
    pub fn mistake(&self) -> Option<String> {
        let mut assets: Vec<&EventInput> = Vec::new();
        for input in self.consuming() {
            if let Some(other) = assets.iter().find(|other| other.asset == input.asset) {
                return Some(format!(
                    "its parameters `{}` and `{}` both consume the asset `{}`; a DAG consumes an event once",
                    other.param, input.param, input.asset
                ));
            }
            assets.push(input);
        }
        if self.schedule.is_none() && assets.is_empty() {
            return Some(
                "nothing starts its runs: `Seen` only looks at events; add a schedule or a parameter that consumes events"
                    .to_owned(),
            );
        }
        if self.schedule.is_some()
            && self.combine == Combine::Or
            && let Some(input) = self.consuming().find(|input| input.required)
        {
            return Some(format!(
                "with `events = \"or\"` a slot starts a run without events, so the parameter `{0}` must be able to be \
                 without one; write `Option<..>` as its type",
                input.param
            ));
        }
        self.groups_mistake()
    }

    /// Why its groups cannot start runs.
    fn groups_mistake(&self) -> Option<String> {
        let EventInput { param, takes, .. } = self.consuming().find(|input| input.is_grouped())?;
        let what = match takes {
            Takes::Period => "takes whole periods",
            _ => "has a `key`",
        };
        if self.schedule.is_some() {
            return Some(format!(
                "its parameter `{param}` {what}, each of which starts a run, and so does each slot of its schedule; \
                 remove one of the two"
            ));
        }
        if let Some(input) = self.consuming().find(|input| input.is_grouped() && !input.required) {
            return Some(format!(
                "a run is about one group of the events of `{0}`, so the parameter `{0}` cannot be without one; remove \
                 `Option<..>`",
                input.param
            ));
        }
        let reruns = self.consuming().find(|input| input.on_update == OnUpdate::Rerun)?;
        let without = self.consuming().find(|input| input.required && input.takes != Takes::Period)?;
        Some(format!(
            "with `on_update = \"rerun\"` on `{}`, a period can run again without a new event for the parameter `{}`; \
             write `Option<..>` or `Seen<..>` as its type",
            reruns.param, without.param
        ))
    }

    /// Whether a run is about one key or one period.
    pub(super) fn is_grouped(&self) -> bool {
        self.consuming().any(EventInput::is_grouped)
    }

    /// Whether each run needs a slot of the schedule.
    pub(super) fn starts_with_slots(&self) -> bool {
        self.schedule.is_some() && self.combine == Combine::And
    }

    pub(super) fn consuming(&self) -> impl Iterator<Item = &EventInput> {
        self.inputs.iter().filter(|input| input.takes != Takes::Seen)
    }
}

/// An event parameter of a DAG.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventInput {
    /// The parameter.
    pub param: String,
    /// The asset.
    pub asset: String,
    /// Which of the pending events a run takes.
    pub takes: Takes,
    /// Whether a run needs something from it.
    pub required: bool,
    /// Events that are older than this do not count.
    pub max_age: Option<Duration>,
    /// How long the asset must have been without a new event before its events count; with a key or
    /// of a period, how long that must have been without one.
    pub settle: Option<Duration>,
    /// Whether a run takes the events of one key only, as the groups of the asset say.
    pub by_key: bool,
    /// How many parts of a period must have an event, for one that takes periods.
    pub parts: PartsNeeded,
    /// What an event of a period does that has had its run.
    pub on_update: OnUpdate,
}

impl EventInput {
    /// A required input without limits.
    pub fn new(param: &str, asset: &str, takes: Takes) -> Self {
        EventInput {
            param: param.to_owned(),
            asset: asset.to_owned(),
            takes,
            required: takes != Takes::Seen,
            max_age: None,
            settle: None,
            by_key: false,
            parts: PartsNeeded::All,
            on_update: OnUpdate::Ignore,
        }
    }

    /// Whether its events are in groups, by key or by period.
    pub(super) fn is_grouped(&self) -> bool {
        self.by_key || self.takes == Takes::Period
    }
}

/// How many parts of a period must have an event before its run starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PartsNeeded {
    /// All.
    #[default]
    All,
    /// So many, or all of a period that has fewer.
    AtLeast(u32),
    /// All but so many, and at least one.
    AllBut(u32),
}

impl PartsNeeded {
    /// How many of these parts are needed.
    pub fn of(self, parts: usize) -> usize {
        let count = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        let needed = match self {
            PartsNeeded::All => parts,
            PartsNeeded::AtLeast(least) => parts.min(count(least)),
            PartsNeeded::AllBut(missing) => parts.saturating_sub(count(missing)),
        };
        needed.max(1)
    }
}

/// Which of the pending events a run takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Takes {
    /// The oldest: one run for each event.
    One,
    /// All, the oldest first, but not more than this. At least 1.
    All {
        /// The limit.
        max: usize,
    },
    /// The newest. Older ones are superseded.
    Newest,
    /// The newest event of each part of a period, when as many of them are there as are
    /// [needed](PartsNeeded). Older ones are superseded.
    Period,
    /// Looks at the newest event, consumed or not. It consumes nothing and starts nothing.
    Seen,
}
