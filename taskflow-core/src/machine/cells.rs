//! What the machine keeps of each task and join, and what it knows of attempts and of what was before.

use std::collections::HashMap;

use crate::base::Timestamp;
use crate::dag::{Join, Plan, Selection};
use crate::run::{RestoredTask, RunState, TaskState, Transition};
use crate::task::TriggerRule;

/// What a run that goes on brings with it.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// When it first started.
    pub(super) started: Option<Timestamp>,
    /// Tasks that have ended, in the order in which they did.
    pub(super) ended: Vec<u32>,
    /// Retries that were waited for.
    pub(super) retries: HashMap<u32, Timestamp>,
    /// Tasks that waited for something else, and whether they are sensors.
    pub(super) waits: HashMap<u32, bool>,
    /// Attempts that do not count against the retries.
    pub(super) uncounted_attempts: HashMap<u32, u32>,
    /// How often tasks ran again with their group or their run.
    pub(super) rounds: HashMap<u32, u32>,
    /// The last events that are not for tasks, because they were cleared since.
    pub(super) deaf: HashMap<u32, u64>,
    /// What is known of elements whose lists have yet to come, by id.
    pub(super) later: HashMap<String, RestoredTask>,
    /// The lists that are there: to be said again.
    pub(super) expansions: Vec<(u32, u32)>,
    /// How often groups were tried again, and when their tasks may run.
    pub(super) units: HashMap<String, (u32, Option<Timestamp>)>,
    /// When the run was asked for.
    pub(super) queued: Option<Timestamp>,
    /// Its deadline counts no more.
    pub(super) past_deadline: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TaskCell {
    pub(super) started: Timestamp,
    pub(super) ended: Timestamp,
    pub(super) attempt: u32,
    /// Joins without a verdict.
    pub(super) undecided: u32,
    /// The task whose end decided that this one is skipped or `upstream_failed`.
    pub(super) cause: u32,
    pub(super) state: TaskState,
    /// A join said skip; a later one may still say fail.
    pub(super) skip: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct JoinCell {
    pub(super) pending: u32,
    pub(super) success: u32,
    pub(super) failed: u32,
    pub(super) skipped: u32,
}

impl TaskCell {
    /// A task of which nothing is known yet.
    pub(super) fn new(plan: &Plan, node: u32, selection: Option<&Selection>) -> Self {
        let joins = &plan.joins()[plan.joins_of(node).start as usize..plan.joins_of(node).end as usize];
        let is_open = |join: &&Join| waits(join) && join.upstreams > left_out(plan, join, selection);
        let undecided = joins.iter().filter(is_open).count() as u32;
        let removed = selection.is_some_and(|selection| !selection.contains(node));
        let state = if removed { TaskState::None.after(Transition::Remove) } else { Some(TaskState::None) };
        TaskCell { undecided, state: state.unwrap_or_default(), ..TaskCell::default() }
    }
}

impl JoinCell {
    /// A join that nobody has told anything yet.
    pub(super) fn new(plan: &Plan, join: u32, selection: Option<&Selection>) -> Self {
        let join = &plan.joins()[join as usize];
        let upstreams = join.upstreams - left_out(plan, join, selection);
        let pending = if waits(join) && upstreams > 0 { upstreams } else { DECIDED };
        JoinCell { pending, success: 0, failed: 0, skipped: 0 }
    }
}

/// A task under `always` is below its upstreams, and does not look at them.
fn waits(join: &Join) -> bool {
    join.rule != TriggerRule::Always
}

/// How many upstreams of a join do not take part in the run. Only work that a teardown comes after can be left out: of
/// everything else that takes part the upstreams do, too.
fn left_out(plan: &Plan, join: &Join, selection: Option<&Selection>) -> u32 {
    let Some(selection) = selection else { return 0 };
    if join.rule != TriggerRule::AllDoneSetupSuccess || plan.node_options(join.node).teardown.is_none() {
        return 0;
    }
    plan.orders(join.node).iter().filter(|&&(upstream, _)| !selection.contains(upstream)).count() as u32
}

/// Stands in `pending` of a join that has its verdict.
pub(super) const DECIDED: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Retry(u32),
    Wait(u32),
    /// The element of the task begins.
    Begin(u32),
    /// The tasks of this group may run again.
    Unit(u32),
    Attempt {
        task: u32,
        attempt: u32,
    },
    Run,
    Grace,
    Deadline,
    TryAgain,
}

#[derive(Debug)]
pub(super) struct Halted {
    pub(super) reason: String,
    /// What the run becomes.
    pub(super) state: RunState,
}
