//! What it means for a history that a process takes the run: attempts are lost, what tasks were
//! about to do is decided anew, and the graph may be another one.

use std::sync::{Arc, OnceLock};

use crate::base::{Failure, Timestamp};
use crate::journal::elements::Numbers;
use crate::journal::graph::{Graph, GraphNode};
use crate::journal::run_history::{RunHistory, SessionHistory};
use crate::journal::steps;
use crate::journal::task_history::TaskHistory;
use crate::run::{RunState, Session, TaskState};

impl RunHistory {
    pub(super) fn begin(&mut self, at: Timestamp, session: Session) {
        self.leave_off(at);
        self.numbers.restart();
        let Session { worker, build, token, graph, .. } = session;
        self.sessions.push(SessionHistory { at, worker, build, token, graph });
        (self.state, self.ended, self.edited) = (RunState::Running, None, false);
    }

    /// A process takes the run at this time: attempts that were running are lost.
    pub(crate) fn lose(&mut self, at: Timestamp) {
        self.running = OnceLock::new();
        steps::count(self.tasks.len());
        let lost_by = self.sessions.last().map(|session| session.worker.clone());
        // Of several tasks, nobody knows which one has killed the process, if any.
        let died_alone = self.tasks.iter().filter(|task| task.state == TaskState::Running).count() == 1;
        for task in self.tasks.iter_mut().filter(|task| task.state == TaskState::Running) {
            let worker = lost_by.clone().unwrap_or_default();
            let deaths = task.deaths + 1;
            task.close(at, TaskState::Failed, Some(Arc::new(Failure::Lost { worker })));
            task.settle(at, TaskState::None);
            let details = task.details();
            (details.deaths, details.died_alone) = (deaths, died_alone);
            // A lost attempt does not count against the retries.
            details.uncounted_attempts += 1;
        }
    }

    /// A process takes the run at this time: what its tasks were about to do is decided anew.
    pub(super) fn leave_off(&mut self, at: Timestamp) {
        self.lose(at);
        for task in &mut self.tasks {
            match task.state {
                TaskState::Scheduled => task.unschedule(at),
                TaskState::UpstreamFailed if self.edited => task.settle(at, TaskState::None),
                TaskState::Skipped if self.edited && task.cause.is_some() => task.settle(at, TaskState::None),
                _ => {}
            }
        }
    }

    /// Switches to another graph: tasks keep their history by id.
    pub(super) fn reshape(&mut self, graph: &Arc<Graph>) {
        let (numbers, shape) = Numbers::of(graph);
        self.numbers = numbers;
        steps::count(self.tasks.len() + self.gone.len());
        let mut known = std::mem::take(&mut self.gone);
        known.extend(std::mem::take(&mut self.tasks).into_iter().map(|task| (Arc::clone(&task.id), task)));
        let kept = |node: &GraphNode| known.remove(&node.id).unwrap_or_else(|| TaskHistory::new(Arc::clone(&node.id)));
        self.tasks = shape.nodes.iter().map(kept).collect();
        let events = self.events.len() as u64;
        for task in &mut self.tasks {
            match self.left_out.contains(&task.id) {
                true => task.state = TaskState::Removed,
                false if task.state == TaskState::Removed => task.rejoin(events),
                false => {}
            }
        }
        for task in known.values_mut() {
            if task.state == TaskState::Removed {
                task.leave_for_good();
            } else {
                task.leave();
            }
        }
        self.gone = known;
        self.graph.clone_from(&shape.hash);
        self.shape = shape;
    }
}
