//! What of a history applies to the graph of this program.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::history::RunHistory;
use super::steps;
use super::task_history::{AttemptHistory, TaskHistory};
use crate::base::index::{IndexVec, indices};
use crate::base::{Failure, Timestamp};
use crate::dag::{ArgPlan, Layout, MappingIndex, NodeIndex, Plan, Selection, Source, node_id_of};
use crate::run::{AttemptRecord, Restored, RestoredNote, RestoredState, RestoredTask, TaskIndex, TaskState};
use crate::value::AnyValue;

/// The history of a run, mapped to the graph of this program.
pub(super) struct ResumeState<'a> {
    pub(super) plan: &'a Arc<Plan>,
    pub(super) history: &'a RunHistory,
    /// The task instances, with the elements of lists that are kept.
    pub(super) layout: Layout,
    /// The place in the history of each task instance.
    pub(super) places: IndexVec<TaskIndex, Option<usize>>,
    /// The lists that are kept, in the order of their expansion, with their lengths.
    pub(super) expansions: Vec<(TaskIndex, u32)>,
    /// The places of tasks that have ended and run again: see [`reopened`](super::reopened).
    pub(super) reopened: BTreeSet<usize>,
    /// Whether states that follow from other tasks are still valid.
    settled: bool,
    /// When the run is resumed. A wait for a delay, counted from here, never takes longer than the
    /// delay: the clock may have been set back.
    at: Option<Timestamp>,
}

impl<'a> ResumeState<'a> {
    pub(super) fn new(history: &'a RunHistory, plan: &'a Arc<Plan>) -> Self {
        ResumeState::with_reopened(history, plan, BTreeSet::new(), None)
    }

    /// As [`ResumeState::new`], without the ends of the tasks at these places, and at this time.
    pub(super) fn with_reopened(
        history: &'a RunHistory,
        plan: &'a Arc<Plan>,
        reopened: BTreeSet<usize>,
        at: Option<Timestamp>,
    ) -> Self {
        let by_id: HashMap<&str, usize> =
            history.tasks.iter().enumerate().map(|(place, task)| (&*task.id, place)).collect();
        let settled = !history.edited && history.graph == plan.hash();
        let mut layout = Layout::new(Arc::clone(plan));
        let lists = history.tasks.iter().enumerate().filter(|(place, _)| !reopened.contains(place));
        let lists = lists.map(|(_, task)| task).filter(|task| task.length.is_some());
        let mut lists: Vec<&TaskHistory> = lists.filter(|task| task.state == TaskState::Success).collect();
        lists.sort_by_key(|task| task.order);
        let mut expansions = Vec::new();
        let nodes = if lists.is_empty() { HashMap::new() } else { plan.by_id() };
        for list in lists {
            // A list inside a list that is gone is gone, too.
            let expand = nodes.get(node_id_of(&list.id)).and_then(|&node| layout.find_of(node, &list.id));
            let Some((expand, count)) = expand.zip(list.length) else { continue };
            if layout.expand(expand, count).is_some() {
                expansions.push((expand, count));
            }
        }
        let mut places = IndexVec::from(vec![None; indices(layout.numbers()).len()]);
        for task in layout.tasks() {
            places[task] = by_id.get(&*layout.id(task)).copied();
        }
        ResumeState { plan, history, layout, places, expansions, reopened, settled, at }
    }

    pub(super) fn task(&self, task: TaskIndex) -> Option<&'a TaskHistory> {
        self.places[task].map(|place| &self.history.tasks[place])
    }

    /// The final state of the task, if it is kept.
    pub(super) fn kept(&self, task: TaskIndex) -> Option<(&'a TaskHistory, TaskState)> {
        if !self.reopened.is_empty() && self.places[task].is_some_and(|place| self.reopened.contains(&place)) {
            return None;
        }
        let task = self.task(task)?;
        let derived = task.cause.is_some() && !task.marked;
        let stays = match task.state {
            TaskState::Success | TaskState::Failed | TaskState::Cancelled => true,
            TaskState::Skipped | TaskState::UpstreamFailed => !derived || self.settled,
            _ => false,
        };
        stays.then_some((task, task.state))
    }

    /// Refuses values whose type in the present graph is another one.
    pub(super) fn check_types(&self) -> Result<(), String> {
        self.check_types_of(&self.wanted())
    }

    /// As [`ResumeState::check_types`], for the values of these tasks.
    pub(super) fn check_types_of(&self, tasks: &[TaskIndex]) -> Result<(), String> {
        let mut mistakes = Vec::new();
        for &number in tasks {
            let Some((task, TaskState::Success)) = self.kept(number) else { continue };
            let Some(place) = self.places[number].filter(|&place| place < self.history.shape.nodes.len()) else {
                continue;
            };
            let ty = self.plan.def(self.layout.node(number)).output;
            let (was, is) = (&self.history.shape.kind(place as u32).output, ty.short());
            if *was != is {
                let number = self.history.number;
                mistakes.push(format!(
                    "task `{}` returned a {was} and returns a {is} now; `clear {number} {}` runs it again",
                    task.id, task.id
                ));
            }
        }
        if mistakes.is_empty() { Ok(()) } else { Err(mistakes.join("; ")) }
    }

    /// Whether the task is still to run, or may be.
    pub(super) fn is_open(&self, task: TaskIndex) -> bool {
        self.kept(task).is_none() && !self.is_left_out(self.layout.node(task))
    }

    /// Whether the selection of the run has left out the node.
    fn is_left_out(&self, node: NodeIndex) -> bool {
        self.history.left_out.contains(self.plan.node(node).id())
    }

    /// The nodes with instances that are still to run, or that may get some; and the expand nodes
    /// of such elements.
    fn open(&self) -> IndexVec<NodeIndex, bool> {
        let mut open = IndexVec::from(vec![false; self.plan.len()]);
        for task in self.layout.tasks().filter(|&task| self.is_open(task)) {
            let node = self.layout.node(task);
            open[node] = true;
            if let Some(mapping) = self.plan.place(node).expands {
                self.open_all(mapping, &mut open);
            }
        }
        for group in self.plan.units().groups() {
            let nodes = self.plan.units().nodes(group);
            // The group may be retried as a whole.
            if nodes.iter().any(|&node| open[node]) {
                nodes.iter().for_each(|&node| open[node] = true);
            }
        }
        for mapping in self.plan.mappings().iter().rev() {
            // The list is needed again to expand.
            open[mapping.expand] |= mapping.nodes.iter().any(|&node| open[node]);
        }
        open
    }

    fn open_all(&self, mapping: MappingIndex, open: &mut IndexVec<NodeIndex, bool>) {
        for &node in &self.plan.mapping(mapping).nodes {
            open[node] = true;
            if let Some(inner) = self.plan.place(node).expands {
                self.open_all(inner, open);
            }
        }
    }

    /// The tasks whose values are taken by tasks still to run, and the task of the result.
    pub(super) fn wanted(&self) -> Vec<TaskIndex> {
        let open = self.open();
        let result = self.plan.result().and_then(Source::as_task);
        // A run that may be retried needs what any task may take.
        let may_fail = self.plan.options().retries.unwrap_or(0) > 0;
        let takers = self.plan.node_indices().filter(|&node| open[node] || may_fail);
        let mut wanted = IndexVec::from(vec![false; self.plan.len()]);
        for node in takers.flat_map(|node| taken_by(self.plan, node)).chain(result) {
            steps::count(1);
            wanted[node] = true;
        }
        let succeeded = |task: &TaskIndex| match self.kept(*task) {
            // The list of an expand node is stored only if it is not simply the value of its
            // upstream.
            Some((known, TaskState::Success)) => {
                self.plan.place(self.layout.node(*task)).expands.is_none() || known.has_value()
            }
            _ => false,
        };
        self.layout.tasks().filter(succeeded).filter(|&task| wanted[self.layout.node(task)]).collect()
    }

    /// The tasks of the run, if the run was started with a selection.
    pub(super) fn selection(&self) -> Option<Selection> {
        let taken: IndexVec<NodeIndex, bool> = self.plan.node_indices().map(|node| !self.is_left_out(node)).collect();
        taken.as_slice().contains(&false).then(|| Selection::of(taken))
    }

    pub(super) fn generations(&self) -> HashMap<String, u32> {
        let cleared = self.history.tasks.iter().filter(|task| task.cleared > 0);
        cleared.map(|task| (task.id.to_string(), task.cleared)).collect()
    }

    /// The tasks with these ids.
    pub(super) fn with_ids(&self, ids: &[String]) -> impl Iterator<Item = TaskIndex> {
        self.layout
            .tasks()
            .filter(|&number| self.task(number).is_some_and(|task| ids.iter().any(|id| **id == *task.id)))
    }

    pub(super) fn restore(&self, mut values: HashMap<TaskIndex, AnyValue>, notes: Vec<RestoredNote>) -> Restored {
        let (mut in_flight, mut suspects) = (HashSet::new(), HashSet::new());
        let mut tasks: Vec<(u32, RestoredTask)> = Vec::new();
        let mut reopened: Vec<(TaskIndex, TaskState)> = Vec::new();
        let mut numbers: HashMap<&str, TaskIndex> = HashMap::new();
        for task in self.layout.tasks() {
            numbers.extend(self.task(task).map(|known| (&*known.id, task)));
        }
        for number in self.layout.tasks() {
            let Some(task) = self.task(number) else { continue };
            if task.state == TaskState::Scheduled || task.attempts.last().is_some_and(is_lost) {
                in_flight.insert(number);
            }
            let kept = self.kept(number);
            let rejoins = task.state == TaskState::Removed && !self.is_left_out(self.layout.node(number));
            if kept.is_none() && !rejoins && task.deaths >= SUSPECT {
                suspects.insert(number);
            }
            if kept.is_none() && task.attempts.is_empty() && !self.is_reopened(number) {
                continue;
            }
            let failure =
                || task.failure.clone().unwrap_or_else(|| Arc::new(Failure::Cancelled { reason: String::new() }));
            let cause = || task.cause.as_deref().and_then(|cause| numbers.get(cause).copied()).unwrap_or(number);
            let state = match (kept, task.state) {
                (Some((_, TaskState::Success)), _) => RestoredState::Success(values.remove(&number)),
                (Some((_, TaskState::Failed)), _) => RestoredState::Failed(failure()),
                (Some((_, TaskState::Cancelled)), _) if task.failure.is_some() => RestoredState::Cancelled(failure()),
                (Some((_, TaskState::Skipped)), _) if task.cause.is_none() => {
                    RestoredState::Skipped { reason: failure(), by_halt: task.by_halt }
                }
                (Some((_, state)), _) => RestoredState::Because { state, cause: cause() },
                (None, _) if rejoins || self.is_reopened(number) => RestoredState::Open,
                (None, TaskState::UpForRetry) => {
                    let (due, failed) = (task.retry_at.unwrap_or(Timestamp::EPOCH), task.since);
                    RestoredState::Retry(self.no_later(due, failed.map(|failed| due.since(failed))))
                }
                (None, _) => match &task.waits_for {
                    Some(wait) => RestoredState::Waits { poke: wait.poke },
                    None => RestoredState::Open,
                },
            };
            let mut known = restored(number, state, task);
            if let (RestoredState::Waits { poke: true }, Some(wait)) = (&known.state, &mut known.wait) {
                let delay = |until: Timestamp| match task.state {
                    // It was about to poke again: see `TaskHistory::unschedule`.
                    TaskState::Scheduled => Some(Duration::ZERO),
                    _ => task.since.map(|poked| until.since(poked)),
                };
                wait.until = wait.until.map(|until| self.no_later(until, delay(until)));
            }
            if rejoins {
                known = self.rejoined(known);
            }
            if self.is_reopened(number) {
                known = self.anew(known);
                reopened.push((number, task.state));
            }
            tasks.push((task.order, known));
        }
        tasks.sort_by_key(|&(order, _)| order);
        let tasks = tasks.into_iter().map(|(_, task)| task).collect();
        let expansions = self.expansions.clone();
        let (run_retries, run_retry) = self.history.retries_made();
        let delay = self.plan.options().wait_before_retry();
        let run_retry = run_retry.map(|(retry, due)| (retry, self.no_later(due, Some(delay))));
        let was_over = self.history.run_ends as usize > self.history.run_retries.len();
        Restored {
            started: self.history.started(),
            tasks,
            in_flight,
            suspects,
            deadly: Vec::new(),
            expansions,
            later: self.later(),
            retired: Vec::new(),
            outdated: self.outdated_lists(),
            reopened,
            halted: self.history.halted(),
            events: self.history.events.clone(),
            labels: self.labels(),
            units: self
                .history
                .groups
                .iter()
                .map(|(group, retried)| {
                    let options = self.plan.groups().iter().find(|options| options.id == *group);
                    let due = self.no_later(retried.due, options.map(|options| options.retry_delay));
                    (group.clone(), (retried.retry, (!retried.has_begun).then_some(due)))
                })
                .collect(),
            queued: Some(self.history.created),
            run_retries,
            run_retry,
            past_deadline: self.history.missed_deadline.is_some(),
            was_over,
            judged: self.history.run_retries.iter().rev().find_map(|retry| retry.started),
            missed: self
                .history
                .missed_task_deadlines
                .iter()
                .filter_map(|missed| self.plan.find(&missed.task))
                .map(|node| TaskIndex::new(node.as_u32()))
                .collect(),
            ends: self.history.run_ends,
            notes,
            entries: self.history.entries,
            task_state: self.history.tasks.iter().flat_map(own_texts).collect(),
        }
    }

    /// The end of a wait that was to take this long.
    fn no_later(&self, due: Timestamp, delay: Option<Duration>) -> Timestamp {
        match (self.at, delay) {
            (Some(at), Some(delay)) => due.min(at + delay),
            _ => due,
        }
    }

    fn is_reopened(&self, task: TaskIndex) -> bool {
        self.places[task].is_some_and(|place| self.reopened.contains(&place))
    }

    /// A task that runs again after it had ended: as [`TaskHistory::again`] has it.
    fn anew(&self, known: RestoredTask) -> RestoredTask {
        let rounds = known.rounds + u32::from(known.attempts > 0);
        RestoredTask { rounds, ..self.rejoined(known) }
    }

    /// A task that the graph has again: as [`TaskHistory::rejoin`] has it.
    fn rejoined(&self, known: RestoredTask) -> RestoredTask {
        let events_seen = if known.attempts > 0 { self.history.events.len() as u64 } else { known.events_seen };
        let (uncounted_attempts, earlier_attempts) = (known.attempts, known.attempts);
        RestoredTask { uncounted_attempts, earlier_attempts, wait: None, events_seen, ..known }
    }

    fn labels(&self) -> HashMap<TaskIndex, Arc<[String]>> {
        let of = |&(expand, _): &(TaskIndex, u32)| Some((expand, Arc::clone(self.task(expand)?.labels.as_ref()?)));
        self.expansions.iter().filter_map(of).collect()
    }

    /// Elements of lists that have yet to be expanded again. They run again, whatever became of
    /// them, and their attempt numbers continue.
    fn later(&self) -> HashMap<String, RestoredTask> {
        if self.plan.mappings().is_empty() {
            return HashMap::new();
        }
        let here: HashSet<usize> = self.places.iter().flatten().copied().collect();
        let all = self.history.tasks.iter().enumerate();
        let later = all.filter(|(place, task)| !here.contains(place) && !task.attempts.is_empty());
        let restored = |task| self.anew(restored(TaskIndex::default(), RestoredState::Open, task));
        later.map(|(_, task)| (task.id.to_string(), restored(task))).collect()
    }
}

/// A task that was running when this many processes in a row died may have killed them.
const SUSPECT: u32 = 2;

/// The task state store of a task: id, key, text.
fn own_texts(task: &TaskHistory) -> impl Iterator<Item = (String, String, String)> {
    task.task_state.iter().map(|(key, text)| (task.id.to_string(), key.clone(), text.clone()))
}

fn is_lost(attempt: &AttemptHistory) -> bool {
    matches!(attempt.failure.as_deref(), Some(Failure::Lost { .. }))
}

/// A task as the run restores it.
fn restored(task: TaskIndex, state: RestoredState, known: &TaskHistory) -> RestoredTask {
    let open = matches!(state, RestoredState::Retry(_) | RestoredState::Open | RestoredState::Waits { .. });
    let last = known.attempts.last();
    // The attempt with which a task ended is in its cell; all earlier ones were retried, lost or
    // cleared. A task that was marked, or did not run again, ended without one.
    let earlier = match known.attempts.split_last() {
        Some((last, rest)) if !open && last.ended == known.since && !is_lost(last) => rest,
        _ => &known.attempts[..],
    };
    let record = |attempt: &AttemptHistory| AttemptRecord {
        started: attempt.started,
        ended: attempt.ended.unwrap_or(attempt.started),
        due: None,
        failure: attempt.failure.clone(),
    };
    // A deferred attempt has not ended.
    let under_way = usize::from(matches!(state, RestoredState::Waits { .. }));
    let earlier = &earlier[..earlier.len().saturating_sub(under_way)];
    let retried = earlier.iter().map(record).collect();
    let attempts = known.attempts.iter().map(|attempt| attempt.number).max().unwrap_or(0);
    let started = last.map_or(Timestamp::EPOCH, |attempt| attempt.started);
    RestoredTask {
        task,
        state,
        attempts,
        uncounted_attempts: known.uncounted_attempts.min(attempts),
        earlier_attempts: known.earlier_attempts.min(attempts),
        rounds: known.rounds,
        started,
        ended: known.since.unwrap_or(started),
        retried,
        wait: known.wait.clone(),
        events_seen: known.events_seen,
    }
}

/// The nodes whose values a node takes.
fn taken_by(plan: &Plan, node: NodeIndex) -> impl Iterator<Item = NodeIndex> + '_ {
    let edges = plan.args(node).filter_map(|arg| match arg {
        ArgPlan::Constant(_) => None,
        ArgPlan::Edges(edges) => Some(edges),
    });
    edges.flat_map(|edges| edges.sources().iter().filter_map(|source| source.as_task()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dag::Dag;
    use crate::journal::fuzz::three_tasks;
    use crate::machine::{Command, Input, Machine, Settings};
    use crate::run::{Durability, Entry, Session, WaitRecord};

    /// A14: the clock of the first process was ahead. The second one waited for the delay of 10 s
    /// by its own clock, and died before it had poked, so that the stored time is still to come for
    /// the third one. Its clock goes on, was set back, or is that of the first one.
    #[test]
    fn a_sensor_that_was_about_to_poke_pokes_at_once_wherever_the_clock_stands() {
        let at = |second: i64| Timestamp::from_nanos(second * 1_000_000_000);
        let session = |token: u64| {
            let (worker, build, graph) = ("host:1".to_owned(), "b".to_owned(), String::new());
            Entry::Session(Box::new(Session { worker, build, token, graph, durability: Durability::Strict }))
        };
        let dag = Dag::draw("dag", |dag| {
            for id in ["a", "b", "c"] {
                dag.add(id, |_| Ok(()));
            }
        });
        let dag = dag.unwrap();
        let task = TaskIndex::new(0);
        for second in [61, 40, 200] {
            let record = WaitRecord { since: at(100), count: 1, until: Some(at(110)), event: None };
            let entries = [
                (100, session(1)),
                (100, Entry::Scheduled { task }),
                (100, Entry::Started { task, attempt: 1 }),
                (100, Entry::Waiting { task, attempt: 1, took: 0, poke: true, record: Box::new(record) }),
                (50, session(2)),
                (60, Entry::Scheduled { task }),
            ];
            let (mut history, shape) = three_tasks();
            for (second, entry) in entries {
                history.apply(1, at(second), entry, |_| Ok(Arc::clone(&shape))).unwrap();
            }
            history.lose(at(second));
            let known = ResumeState::to_resume(&history, dag.plan(), at(second));
            let mut machine = Machine::new(Arc::clone(dag.plan()), None, Settings::default());
            machine.restore(&known.restore(HashMap::new(), Vec::new()));
            let mut commands = Vec::new();
            machine.step(Input::Start, at(second), &mut commands);
            assert!(commands.contains(&Command::Ready(task)), "at {second} s: {commands:?}");
            assert_eq!((machine.task_state(task), machine.attempt(task)), (TaskState::Scheduled, 1));
        }
    }
}
