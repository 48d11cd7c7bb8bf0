//! Ends are told to the joins below, and joins that have their verdict tell their tasks.

use super::cells::DECIDED;
use super::command::Command;
use super::core::Core;
use crate::base::Timestamp;
use crate::dag::{Layout, Plan};
use crate::run::{TaskState, Transition};
use crate::task::{Tally, TriggerRule, Verdict};

/// Who is told of the end of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hearers {
    All,
    /// The tasks of this unit.
    Inside(u32),
    /// All but those.
    Outside(u32),
}

impl Hearers {
    /// Whether the node of a join is among them.
    pub(super) fn hear(self, plan: &Plan, join: u32) -> bool {
        let is_inside = |unit| plan.units().of(plan.joins()[join as usize].node) == Some(unit);
        match self {
            Hearers::All => true,
            Hearers::Inside(unit) => is_inside(unit),
            Hearers::Outside(unit) => !is_inside(unit),
        }
    }
}

impl Core {
    /// Tells every new end to the joins below it, and the ends that follow from it, until there are none.
    pub(super) fn tell(&mut self, graph: &Layout, now: Timestamp, commands: &mut Vec<Command>) {
        if self.told.is_empty() {
            return;
        }
        let plan = graph.plan();
        if self.halted.is_some() && plan.teardowns().is_empty() {
            // Nothing below is waiting any more.
            self.told.clear();
            return;
        }
        while let Some(task) = self.told.pop() {
            let unit = if plan.units().is_empty() { None } else { self.open_unit(graph, task) };
            self.tell_end(graph, task, unit.map_or(Hearers::All, Hearers::Inside), now, commands);
        }
    }

    /// Tells the end of a task to those of the joins below it that are to hear of it.
    pub(super) fn tell_end(
        &mut self,
        graph: &Layout,
        task: u32,
        hearers: Hearers,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        let plan = graph.plan();
        if !plan.mappings().is_empty() {
            return self.tell_among_elements(graph, task, hearers, now, commands);
        }
        let state = self.tasks[task as usize].state;
        for &join in plan.successors(task).iter().filter(|&&join| hearers.hear(plan, join)) {
            self.tell_join(graph, join, task, state, now, commands);
        }
    }

    pub(super) fn tell_join(
        &mut self,
        graph: &Layout,
        join: u32,
        upstream: u32,
        state: TaskState,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        let cell = &mut self.joins[join as usize];
        if cell.pending == DECIDED {
            return;
        }
        cell.pending -= 1;
        let rule = graph.join_rule(join).1;
        match state {
            TaskState::Success => {
                cell.success += 1;
                // The common case by far, kept short.
                if rule == TriggerRule::AllSuccess && cell.pending > 0 {
                    return;
                }
            }
            TaskState::Skipped => cell.skipped += 1,
            _ => cell.failed += 1,
        }
        self.judge(graph, join, upstream, now, commands);
    }

    /// Looks whether a join has its verdict; `upstream` is the one that has changed.
    pub(super) fn judge(
        &mut self,
        graph: &Layout,
        join: u32,
        upstream: u32,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        let (node, rule) = graph.join_rule(join);
        let cell = &mut self.joins[join as usize];
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

        if self.tasks[node as usize].state != TaskState::None {
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
                self.tasks[node as usize].skip = true;
                self.tasks[node as usize].cause = self.culprit(graph, join, upstream, verdict);
            }
            Verdict::Fail => {
                self.tasks[node as usize].cause = self.culprit(graph, join, upstream, verdict);
                return self.settle(graph, node, Transition::FailUpstream, now, commands);
            }
        }
        let target = &mut self.tasks[node as usize];
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

    /// The task that a join is skipped or failed for. Mostly it is the one whose end decided. Where all were waited for that is
    /// merely the last one to end: then it is one that failed or was skipped, and where the first success is waited for one that was
    /// skipped for another reason than that its arm of a branch was not taken.
    fn culprit(&self, graph: &Layout, join: u32, told: u32, verdict: Verdict) -> u32 {
        let (task, rule) = graph.join_rule(join);
        let telling = |&upstream: &u32| match verdict {
            Verdict::Fail => !matches!(self.tasks[upstream as usize].state, TaskState::Success | TaskState::Skipped),
            _ if rule == TriggerRule::OneSuccess => !graph.plan().def(graph.node(self.root_of(upstream))).is_built_in(),
            _ => self.tasks[upstream as usize].state == TaskState::Skipped,
        };
        if telling(&told) {
            return self.root_of(told);
        }
        let (plan, place) = (graph.plan(), graph.joins_of(task).position(|known| known == join));
        let drawn = place.and_then(|place| plan.joins_of(graph.node(task)).nth(place));
        let is_of_join =
            |&upstream: &u32| drawn.is_some_and(|join| plan.successors(graph.node(upstream)).contains(&join));
        let found = graph.upstreams(task).into_iter().find(|upstream| is_of_join(upstream) && telling(upstream));
        self.root_of(found.unwrap_or(told))
    }

    /// The task in which the trouble of `task` began.
    pub(super) fn root_of(&self, task: u32) -> u32 {
        let inherited = matches!(self.tasks[task as usize].state, TaskState::UpstreamFailed | TaskState::Skipped)
            && !self.failures.contains_key(&task);
        if inherited { self.tasks[task as usize].cause } else { task }
    }
}
