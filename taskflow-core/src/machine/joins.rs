//! Propagates ends of tasks to the joins below, and verdicts of joins to their tasks.

use super::cells::DECIDED;
use super::command::Command;
use super::core::Core;
use crate::base::Timestamp;
use crate::base::index::indices;
use crate::dag::{GroupIndex, JoinIndex, Layout, Plan, RunJoinIndex};
use crate::run::{TaskIndex, TaskState, Transition};
use crate::task::{Tally, TriggerRule, Verdict};

/// Which of the joins below a task are updated when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recipients {
    All,
    /// Joins of tasks in this group.
    Inside(GroupIndex),
    /// Joins of tasks outside this group.
    Outside(GroupIndex),
}

impl Recipients {
    /// Whether this join is updated.
    pub(super) fn include(self, plan: &Plan, join: JoinIndex) -> bool {
        let is_inside = |unit| plan.units().of(plan.join(join).node) == Some(unit);
        match self {
            Recipients::All => true,
            Recipients::Inside(unit) => is_inside(unit),
            Recipients::Outside(unit) => !is_inside(unit),
        }
    }
}

impl Core {
    /// Propagates every pending end, and the ends that follow from it, until none is left.
    #[inline(never)]
    pub(super) fn propagate(&mut self, graph: &Layout, now: Timestamp, commands: &mut Vec<Command>) {
        if self.pending_ends.is_empty() {
            return;
        }
        let plan = graph.plan();
        if self.halted.is_some() && plan.teardowns().is_empty() {
            // The halt has ended everything below.
            self.pending_ends.clear();
            return;
        }
        while let Some(task) = self.pending_ends.pop() {
            let unit = if plan.units().is_empty() { None } else { self.open_group(graph, task) };
            self.propagate_end(graph, task, unit.map_or(Recipients::All, Recipients::Inside), now, commands);
        }
    }

    /// Propagates the end of a task to the joins that `recipients` includes.
    pub(super) fn propagate_end(
        &mut self,
        graph: &Layout,
        task: TaskIndex,
        recipients: Recipients,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        let plan = graph.plan();
        if !plan.mappings().is_empty() {
            return self.propagate_among_elements(graph, task, recipients, now, commands);
        }
        let state = self.tasks[task].state;
        for &join in plan.successors(graph.node(task)).iter().filter(|&&join| recipients.include(plan, join)) {
            self.update_join(graph, RunJoinIndex::of(join), task, state, now, commands);
        }
    }

    #[inline(never)]
    pub(super) fn update_join(
        &mut self,
        graph: &Layout,
        join: RunJoinIndex,
        upstream: TaskIndex,
        state: TaskState,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        let cell = &mut self.joins[join];
        if cell.pending == DECIDED {
            return;
        }
        cell.pending -= 1;
        let rule = graph.join_rule(join).1;
        match state {
            TaskState::Success => {
                cell.success += 1;
                // By far the most common case, kept short.
                if rule == TriggerRule::AllSuccess && cell.pending > 0 {
                    return;
                }
            }
            TaskState::Skipped => cell.skipped += 1,
            TaskState::UpstreamFailed if rule == TriggerRule::OneDone => cell.skipped += 1,
            _ => cell.failed += 1,
        }
        self.judge(graph, join, upstream, now, commands);
    }

    /// Decides a join if it has its verdict; `upstream` is the one that changed.
    pub(super) fn judge(
        &mut self,
        graph: &Layout,
        join: RunJoinIndex,
        upstream: TaskIndex,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        let (node, rule) = graph.join_rule(join);
        let cell = &mut self.joins[join];
        let tally = Tally {
            pending: cell.pending,
            success: cell.success,
            failed: cell.failed,
            skipped: cell.skipped,
            ..Tally::default()
        };
        let verdict = rule.verdict(&tally);
        if verdict == Verdict::Wait {
            return;
        }
        cell.pending = DECIDED;

        if self.tasks[node].state != TaskState::None {
            return;
        }
        match verdict {
            Verdict::Wait => return,
            Verdict::Run => {
                if rule == TriggerRule::OneSuccess {
                    self.winners.insert(join, upstream);
                }
            }
            Verdict::Skip => {
                self.tasks[node].skip = true;
                self.tasks[node].cause = self.cause_of(graph, join, upstream, verdict);
            }
            Verdict::Fail => {
                self.tasks[node].cause = self.cause_of(graph, join, upstream, verdict);
                return self.settle(graph, node, Transition::FailUpstream, now, commands);
            }
        }
        let target = &mut self.tasks[node];
        target.undecided -= 1;
        if target.undecided > 0 {
            return;
        }
        if target.skip {
            self.settle(graph, node, Transition::Skip, now, commands);
        } else {
            self.ready(graph, node, now, commands);
        }
    }

    /// The task because of which a join skips or fails its node: usually `decisive`, whose end
    /// decided. Where all upstreams had to end, that is only the last one: then it is an upstream
    /// that failed or was skipped, and under `one_success` one that was skipped by itself, not by a
    /// branch.
    fn cause_of(&self, graph: &Layout, join: RunJoinIndex, decisive: TaskIndex, verdict: Verdict) -> TaskIndex {
        let (task, rule) = graph.join_rule(join);
        let explains = |&upstream: &TaskIndex| match verdict {
            Verdict::Fail => !matches!(self.tasks[upstream].state, TaskState::Success | TaskState::Skipped),
            _ if rule == TriggerRule::OneSuccess => !graph.plan().def(graph.node(self.root_of(upstream))).is_built_in(),
            _ => self.tasks[upstream].state == TaskState::Skipped,
        };
        if explains(&decisive) {
            return self.root_of(decisive);
        }
        let (plan, place) = (graph.plan(), graph.joins_of(task).position(|known| known == join));
        let drawn = place.and_then(|place| indices(plan.joins_of(graph.node(task))).nth(place));
        let is_of_join =
            |&upstream: &TaskIndex| drawn.is_some_and(|join| plan.successors(graph.node(upstream)).contains(&join));
        let found = graph.upstreams(task).into_iter().find(|upstream| is_of_join(upstream) && explains(upstream));
        self.root_of(found.unwrap_or(decisive))
    }

    /// The task that failed or skipped first, and so caused the state of `task`.
    pub(super) fn root_of(&self, task: TaskIndex) -> TaskIndex {
        let inherited = matches!(self.tasks[task].state, TaskState::UpstreamFailed | TaskState::Skipped)
            && !self.failures.contains_key(&task);
        if inherited { self.tasks[task].cause } else { task }
    }
}
