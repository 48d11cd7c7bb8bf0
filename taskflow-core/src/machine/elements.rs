//! Elements of lists: creates them, and propagates ends into and out of them.

use super::cells::{DECIDED, JoinCell, TaskCell};
use super::command::Command;
use super::core::Core;
use super::joins::Recipients;
use crate::base::Timestamp;
use crate::base::index::indices;
use crate::dag::{At, Block, JoinIndex, Layout, RunJoinIndex};
use crate::run::{TaskIndex, TaskState};

impl Core {
    /// Propagates the end of a task in a plan with mappings, where edges lead into and out of
    /// elements.
    pub(super) fn propagate_among_elements(
        &mut self,
        graph: &Layout,
        task: TaskIndex,
        recipients: Recipients,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        let (plan, state) = (graph.plan(), self.tasks[task].state);
        let (node, at) = (graph.node(task), graph.at(task));
        let own = plan.place(node);
        for &join in plan.successors(node).iter().filter(|&&join| recipients.include(plan, join)) {
            let to = plan.place(plan.join(join).node).mapping;
            match to.filter(|_| plan.is_within(to, own.mapping) && to != own.mapping) {
                // Inwards: to all elements that exist. Later ones get it in `grow`.
                Some(mapping) => {
                    for at in graph.elements(mapping, at) {
                        let join = graph.join(join, Some(at));
                        self.update_join_if_any(graph, join, task, state, now, commands);
                    }
                }
                None => self.update_join_if_any(graph, graph.join(join, at), task, state, now, commands),
            }
        }
        if own.expands.is_none() {
            return;
        }
        if state == TaskState::Success && !self.past.awaited.remove(&task) {
            self.await_elements(graph, task, recipients);
        }
        for join in self.collectors(graph, task, recipients) {
            if state != TaskState::Success {
                self.update_join(graph, join, task, state, now, commands);
            } else if self.joins[join].pending != DECIDED {
                self.joins[join].pending -= 1;
                self.judge(graph, join, task, now, commands);
            }
        }
    }

    /// Lets the collectors of an expanded list, which waited for the list, wait for its elements.
    pub(super) fn await_elements(&mut self, graph: &Layout, expand: TaskIndex, recipients: Recipients) {
        let count = graph.block_of(expand).map_or(0, |block| block.count);
        for join in self.collectors(graph, expand, recipients) {
            let cell = &mut self.joins[join];
            if cell.pending != DECIDED {
                cell.pending += count;
            }
        }
    }

    /// The joins that collect the elements of a list: each one once for every node of the list that
    /// it collects and that takes part.
    fn collectors(&self, graph: &Layout, expand: TaskIndex, recipients: Recipients) -> Vec<RunJoinIndex> {
        let plan = graph.plan();
        let Some(mapping) = plan.place(graph.node(expand)).expands else { return Vec::new() };
        let takes_part = |node| self.selection.as_ref().is_none_or(|selection| selection.contains(node));
        let own = plan.mapping(mapping).collectors.iter();
        let own = own.filter(|&&(upstream, join)| takes_part(upstream) && recipients.include(plan, join));
        own.filter_map(|&(_, join)| graph.join(join, graph.at(expand))).collect()
    }

    fn update_join_if_any(
        &mut self,
        graph: &Layout,
        join: Option<RunJoinIndex>,
        upstream: TaskIndex,
        state: TaskState,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        if let Some(join) = join {
            self.update_join(graph, join, upstream, state, now, commands);
        }
    }

    /// Adds the elements of a list.
    pub(super) fn grow(&mut self, graph: &Layout, block: &Block) {
        let plan = graph.plan();
        let mapping = plan.mapping(block.mapping);
        let cells: Vec<TaskCell> =
            mapping.nodes.iter().map(|&node| TaskCell::new(plan, node, self.selection.as_ref())).collect();
        let joins: Vec<JoinCell> =
            mapping.joins.iter().map(|&join| JoinCell::new(plan, join, self.selection.as_ref())).collect();
        let first = self.tasks.next_index();
        for _ in 0..block.count {
            self.tasks.extend_from_slice(&cells);
            self.joins.extend_from_slice(&joins);
        }
        let takes_part = |cell: &&TaskCell| !cell.state.is_terminal();
        self.open += block.count * cells.iter().filter(takes_part).count() as u32;
        for (task, cell) in self.tasks.enumerated().skip(first.as_usize()) {
            if cell.undecided == 0 && takes_part(&cell) {
                self.unbound.push(task);
            }
        }
        if !self.past.later.is_empty() {
            for task in indices(first..self.tasks.next_index()) {
                let Some(known) = self.past.later.remove(&*graph.id(task)) else { continue };
                self.tasks[task].attempt = known.attempts;
                self.past.uncounted_attempts.insert(task, known.uncounted_attempts);
                self.past.earlier_attempts.insert(task, known.earlier_attempts);
                if known.rounds > 0 {
                    self.past.rounds.insert(task, known.rounds);
                }
                self.retried.insert(task, known.retried);
                // It is an element of another list now: earlier events are not for it.
                self.past.events_seen.insert(task, self.event_count);
            }
        }
        let around = graph.at(block.expand);
        let captured = mapping.captured.iter();
        let captured = captured.filter_map(|&(upstream, join)| Some((graph.task(upstream, around)?, join)));
        let has_ended = |&(upstream, _): &(TaskIndex, JoinIndex)| {
            self.tasks[upstream].state.is_terminal() && self.open_group(graph, upstream).is_none()
        };
        let mut captured: Vec<(TaskIndex, JoinIndex)> = captured.filter(has_ended).collect();
        // In the order of their ends: the first success decides an `AnyOf`.
        captured.sort_by_key(|&(upstream, _)| (self.tasks[upstream].ended, upstream));
        for (upstream, join) in captured {
            let own = graph.block_of(block.expand).map(|_| graph.elements(block.mapping, around)).unwrap_or_default();
            self.late.extend(own.into_iter().filter_map(|at: At| Some((upstream, graph.join(join, Some(at))?))));
        }
    }
}
