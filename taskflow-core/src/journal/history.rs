//! The history of a run, built from its entries.
//!
//! The history is a pure function of the entries, the same for a run that is over, live or
//! interrupted. It agrees with the report and the view of the engine.

use std::sync::{Arc, OnceLock};

use super::elements::Numbers;
use super::graph::{Graph, GraphNode};
pub(super) use super::run_history::RunHistory;
use super::run_history::{Edit, MissedDeadline, MissedTaskDeadline, RetriedGroup, RunRetry, SessionHistory};
use super::steps;
use super::task_history::{Place, TaskHistory};
use crate::base::{Failure, Timestamp};
use crate::run::{Entry, EventPayload, RunState, Session, TaskIndex, TaskState};

impl RunHistory {
    /// The task with this number.
    fn numbered(&mut self, number: TaskIndex) -> Option<&mut TaskHistory> {
        self.numbers.place(number).and_then(|place| self.tasks.get_mut(place))
    }

    /// A task may run, so the retry delay of each group around it is over.
    fn group_begins(&mut self, task: TaskIndex) {
        if self.groups.is_empty() {
            return;
        }
        let place = self.numbers.place(task);
        let group = place.and_then(|place| self.shape.nodes.get(place)?.group);
        for id in self.shape.groups_around(group) {
            if let Some(retried) = self.groups.get_mut(id) {
                retried.has_begun = true;
            }
        }
    }

    /// Applies the next entry. `graph` returns the snapshot of a graph that a new session uses.
    ///
    /// # Errors
    ///
    /// Why the entry is invalid after the ones before it. The history is not to be used then.
    pub(crate) fn apply(
        &mut self,
        segment: u32,
        at: Timestamp,
        entry: Entry,
        graph: impl FnOnce(&str) -> Result<Arc<Graph>, String>,
    ) -> Result<(), String> {
        self.segments = self.segments.max(segment);
        if let Entry::Session(session) = &entry
            && session.graph != self.shape.hash
        {
            // With other edges, what follows from other tasks is decided anew. Elements are among
            // the tasks only as long as the graph stays.
            self.edited = true;
            self.leave_off(at);
            self.reshape(&graph(&session.graph)?);
        } else if matches!(entry, Entry::Session(_)) && self.edited {
            // After an edit, elements that have yet to come back run again.
            let behind = self.shape.nodes.len();
            self.tasks[behind..].iter_mut().chain(self.gone.values_mut()).for_each(TaskHistory::leave_for_good);
        }
        self.entries += 1;
        steps::count(1);
        self.running = OnceLock::new();
        self.take(at, segment, entry).ok_or_else(|| format!("segment {segment} names a task that does not exist"))
    }

    /// Switches to another graph: tasks keep their history by id.
    fn reshape(&mut self, graph: &Arc<Graph>) {
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

    fn take(&mut self, at: Timestamp, segment: u32, entry: Entry) -> Option<()> {
        let session = self.sessions.len().saturating_sub(1);
        if self.began.is_none() && self.sessions.len() == 1 {
            self.began = Some(at);
        }
        match entry {
            Entry::Session(session) => self.begin(at, *session),
            Entry::Expanded { task, count } => self.expanded(at, task, count)?,
            Entry::Labelled { task, labels } => self.labelled(task, labels)?,
            Entry::Regrouped { group, retry, due, tasks, .. } => {
                let events = self.events.len() as u64;
                for task in tasks {
                    self.numbered(task)?.again(events);
                }
                let due = Timestamp::from_nanos(due);
                self.groups.insert(group, RetriedGroup { retry, due, has_begun: false });
            }
            Entry::Removed { task } => {
                let task = self.numbered(task)?;
                task.settle(at, TaskState::Removed);
                let id = Arc::clone(&task.id);
                self.left_out.insert(id);
            }
            Entry::LeftOut { nodes } => self.left_out.extend(nodes.into_iter().map(Arc::from)),
            Entry::Scheduled { task } => {
                self.group_begins(task);
                let task = self.numbered(task)?;
                if task.state == TaskState::Running {
                    task.interrupt(at);
                }
                task.settle(at, TaskState::Scheduled);
            }
            Entry::Started { task, attempt: number } => {
                self.group_begins(task);
                let entry = in_a_task(self.entries);
                let task = self.numbered(task)?;
                task.start(at, number, session);
                task.last_start = entry;
            }
            Entry::Reopened { tasks } => {
                let events = self.events.len() as u64;
                for task in tasks {
                    self.numbered(task)?.again(events);
                }
            }
            Entry::Waiting { task, took, poke, record, .. } => self.numbered(task)?.wait(at, took, poke, *record),
            Entry::Released { key, value, by } => self.happened(at, key, &value, &by, ""),
            Entry::Happened { key, value, by, reason } => self.happened(at, key, &value, &by, &reason),
            Entry::DeadlineMissed { due } => {
                let (deadline, reason) = (Timestamp::from_nanos(due), String::new());
                self.missed_deadline = Some(MissedDeadline { deadline, noticed: at, reason });
            }
            Entry::TaskDeadlineMissed { task, due, open } => {
                let deadline = Timestamp::from_nanos(due);
                self.missed_task_deadlines.push(MissedTaskDeadline { task, deadline, noticed: at, open });
            }
            Entry::TriedAgain { retry, due } => {
                self.run_ends += 1;
                self.halt_reason = None;
                let due = Timestamp::from_nanos(due);
                self.run_retries.push(RunRetry { number: retry, failed: at, due, started: None });
            }
            Entry::Again { tasks, .. } => {
                let events = self.events.len() as u64;
                for task in tasks {
                    self.numbered(task)?.again(events);
                }
                // The retries of groups count anew.
                self.groups.clear();
                if let Some(retry) = self.run_retries.last_mut() {
                    retry.started = Some(at);
                }
            }
            Entry::Linked { task, name, url, .. } => self.numbered(task)?.link(name, url),
            Entry::TaskStateSet { task, key, text } => {
                self.numbered(task)?.details().task_state.insert(key, text);
            }
            Entry::Pushed { task, key, ty, value, .. } => {
                self.numbered(task)?.push(key, ty, Place::of(segment, &value));
            }
            Entry::Succeeded { task, took, value, .. } => {
                let end = self.next_end();
                let entry = in_a_task(self.entries);
                let list = self.list_of(task);
                let task = self.numbered(task)?;
                task.last_success = entry;
                if list.is_some() || task.list.is_some() {
                    task.details().list = list;
                }
                task.began(at, took);
                task.close(at, TaskState::Success, None);
                task.settle(at, TaskState::Success);
                task.decided_itself();
                (task.failure, task.order) = (None, end);
                task.value = Place::of(segment, &value);
            }
            Entry::Failed { task, took, failure, retry, .. } => {
                let end = self.next_end();
                let task = self.numbered(task)?;
                task.began(at, took);
                let state = if retry.is_some() { TaskState::UpForRetry } else { TaskState::Failed };
                task.close(at, state, Some(Arc::clone(&failure)));
                task.settle(at, state);
                if let Some(retry) = retry {
                    task.details().retry_at = Some(Timestamp::from_nanos(retry));
                }
                (task.failure, task.order) = (Some(failure), end);
            }
            Entry::Skipped { task, took, reason, cause, .. } => {
                let end = self.next_end();
                let cause = cause.map(|cause| (self.id_of(cause), self.state_of(cause)));
                let is_halted = self.halt_reason.is_some();
                let task = self.numbered(task)?;
                let by_halt = is_halted && cause.is_none() && task.state != TaskState::Running;
                task.began(at, took);
                task.close(at, TaskState::Skipped, reason.clone());
                task.settle(at, TaskState::Skipped);
                if by_halt {
                    task.details().by_halt = true;
                }
                (task.failure, task.order) = (reason, end);
                match cause {
                    Some((cause, state)) => task.decided_by(cause, state),
                    None => task.decided_itself(),
                }
            }
            Entry::UpstreamFailed { task, cause } => {
                let end = self.next_end();
                let (cause, cause_state) = (self.id_of(cause), self.state_of(cause));
                let task = self.numbered(task)?;
                task.settle(at, TaskState::UpstreamFailed);
                task.decided_by(cause, cause_state);
                task.order = end;
            }
            Entry::Cancelled { task, took, .. } => {
                let end = self.next_end();
                let reason = self.halt_reason.clone().unwrap_or_default();
                let failure = Some(Arc::new(Failure::Cancelled { reason }));
                let task = self.numbered(task)?;
                task.began(at, took);
                task.close(at, TaskState::Cancelled, failure.clone());
                task.settle(at, TaskState::Cancelled);
                (task.failure, task.order) = (failure, end);
            }
            Entry::Halted { reason, state } => (self.halt_reason, self.halts_as) = (Some(reason), state),
            Entry::Ended { state } => {
                self.run_ends += 1;
                (self.state, self.ended) = (state, Some(at));
            }
            Entry::Cleared { tasks, by, reason } => {
                let events = self.events.len() as u64;
                for &task in &tasks {
                    self.numbered(task)?.reset(events);
                }
                self.edit(at, &tasks, None, by, reason);
            }
            Entry::Marked { tasks, state, by, reason, value } => {
                let place = Place::of(segment, &value);
                let why = if reason.is_empty() { format!("marked as {state}") } else { reason.clone() };
                let why = super::edit::reason_by(&why, &by);
                let entry = in_a_task(self.entries);
                for &number in &tasks {
                    let end = self.next_end();
                    let task = self.numbered(number)?;
                    task.settle(at, state);
                    // As if it had run: who marks a teardown has torn down by hand.
                    task.last_start = entry;
                    if state == TaskState::Success {
                        task.last_success = entry;
                    }
                    task.decided_itself();
                    (task.marked, task.order) = (true, end);
                    task.failure = match state {
                        TaskState::Success => None,
                        TaskState::Skipped => Some(Arc::new(Failure::Skipped { reason: why.clone() })),
                        _ => Some(Arc::new(Failure::Error { chain: vec![why.clone()], retryable: false })),
                    };
                    if place.is_some() || state != TaskState::Success {
                        task.value.clone_from(&place);
                    }
                }
                self.edit(at, &tasks, Some(state), by, reason);
            }
        }
        Some(())
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
    fn leave_off(&mut self, at: Timestamp) {
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

    fn begin(&mut self, at: Timestamp, session: Session) {
        self.leave_off(at);
        self.numbers.restart();
        let Session { worker, build, token, graph, .. } = session;
        self.sessions.push(SessionHistory { at, worker, build, token, graph });
        (self.state, self.ended, self.edited) = (RunState::Running, None, false);
    }

    fn edit(&mut self, at: Timestamp, tasks: &[TaskIndex], marked: Option<TaskState>, by: String, reason: String) {
        let tasks = tasks.iter().map(|&task| self.id_of(task)).collect();
        self.edits.push(Edit { at, tasks, marked, by, reason });
        self.retries_before_edit = self.run_retries.len();
        (self.edited, self.state, self.ended, self.halt_reason) = (true, RunState::Running, None, None);
    }

    fn happened(&mut self, at: Timestamp, key: String, value: &str, by: &str, reason: &str) {
        let (value, by, reason) = (Arc::from(value), Arc::from(by), Arc::from(reason));
        self.events.push((key, EventPayload { value, by, reason, at }));
    }

    /// The position of the next end of a task.
    fn next_end(&mut self) -> u32 {
        self.ends += 1;
        in_a_task(self.ends)
    }
}

/// A number of entries, as a task has it: as many as can be read are fewer than four billion.
fn in_a_task(entries: u64) -> u32 {
    u32::try_from(entries).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::journal::fuzz::three_tasks;
    use crate::journal::segment::{self, Buffer};
    use crate::run::{Durability, Stored, ValueRef, WaitRecord};

    fn session(token: u64) -> Entry {
        let text = || "x".to_owned();
        let durability = Durability::Strict;
        Entry::Session(Box::new(Session { worker: text(), build: text(), token, graph: text(), durability }))
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let task = || (0..4u32).prop_map(TaskIndex::new);
        let failure = || Arc::new(Failure::Error { chain: vec!["no".to_owned()], retryable: true });
        prop_oneof![
            (0..3u64).prop_map(session),
            task().prop_map(|task| Entry::Scheduled { task }),
            (task(), 0..3u32).prop_map(|(task, attempt)| Entry::Started { task, attempt }),
            (task(), 0..9u64).prop_map(|(task, took)| {
                let value = ValueRef::Inline { start: 0, len: 3 };
                Entry::Succeeded { task, attempt: 1, took, value }
            }),
            (task(), any::<Option<i64>>()).prop_map(move |(task, retry)| {
                Entry::Failed { task, attempt: 1, took: u64::MAX, failure: failure(), retry }
            }),
            (task(), task()).prop_map(|(task, cause)| {
                Entry::Skipped { task, attempt: 0, took: 0, reason: None, cause: Some(cause) }
            }),
            (task(), task()).prop_map(|(task, cause)| Entry::UpstreamFailed { task, cause }),
            task().prop_map(|task| Entry::Cancelled { task, attempt: 1, took: 1 }),
            prop::collection::vec(task(), 0..3).prop_map(|tasks| Entry::Cleared {
                tasks,
                by: String::new(),
                reason: String::new()
            }),
        ]
    }

    /// The clock of the process that cleared a task was behind, or ahead: a retry before it
    /// counted, and one after it was forgotten.
    #[test]
    fn the_retries_of_a_run_after_an_edit_count_wherever_the_clocks_stand() {
        let at = |second: i64| Timestamp::from_nanos(second * 1_000_000_000);
        for edited in [50, 100, 200] {
            let (mut history, shape) = three_tasks();
            let mut made = |second: i64, entry: Entry| {
                history.apply(1, at(second), entry, |_| Ok(Arc::clone(&shape))).unwrap();
                history.retries_made()
            };
            let tried_again = |retry: u32| Entry::TriedAgain { retry, due: at(130).as_nanos() };
            let again = || Entry::Again { tasks: vec![], were: vec![] };
            made(90, session(1));
            assert_eq!(made(100, tried_again(1)), (0, Some((1, at(130)))));
            assert_eq!(made(110, again()), (1, None));
            let (tasks, by, reason) = (vec![TaskIndex::new(0)], String::new(), String::new());
            assert_eq!(made(edited, Entry::Cleared { tasks, by, reason }), (0, None), "{edited}");
            made(120, session(2));
            assert_eq!(made(120, tried_again(1)), (0, Some((1, at(130)))), "{edited}");
            assert_eq!(made(130, again()), (1, None), "{edited}");
        }
    }

    /// The next process may die before it has decided anything: the one after it took the end for
    /// one by the graph that it has.
    #[test]
    fn what_follows_from_other_tasks_is_open_as_soon_as_a_process_has_another_graph() {
        for (graph, state) in [("", TaskState::UpstreamFailed), ("another", TaskState::None)] {
            let (mut history, shape) = three_tasks();
            let [task, cause] = [TaskIndex::new(1), TaskIndex::new(0)];
            let failure = Arc::new(Failure::Error { chain: vec!["no".to_owned()], retryable: false });
            let of_graph = |token, graph: &str| match session(token) {
                Entry::Session(known) => {
                    Entry::Session(Box::new(Session { graph: graph.to_owned(), ..Session::clone(&known) }))
                }
                other => other,
            };
            let entries = [
                of_graph(1, ""),
                Entry::Failed { task: cause, attempt: 1, took: 0, failure, retry: None },
                Entry::UpstreamFailed { task, cause },
                of_graph(2, graph),
            ];
            for entry in entries {
                history.apply(1, Timestamp::EPOCH, entry, |_| Ok(Arc::clone(&shape))).unwrap();
            }
            assert_eq!(history.tasks[0].state, TaskState::Failed);
            assert_eq!(history.tasks[1].state, state, "{graph:?}");
        }
    }

    #[test]
    fn lost_attempts_are_not_earlier_ones_but_those_before_a_clear_are() {
        let task = TaskIndex::new(0);
        let (mut history, shape) = three_tasks();
        let mut attempts = |entry: Entry| {
            history.apply(1, Timestamp::EPOCH, entry, |_| Ok(Arc::clone(&shape))).unwrap();
            let task = history.task("a").unwrap();
            (task.uncounted_attempts, task.earlier_attempts)
        };
        attempts(session(1));
        attempts(Entry::Started { task, attempt: 1 });
        assert_eq!(attempts(session(2)), (1, 0));
        assert_eq!(attempts(Entry::Started { task, attempt: 2 }), (1, 0));
        let (by, reason) = (String::new(), String::new());
        assert_eq!(attempts(Entry::Cleared { tasks: vec![task], by, reason }), (2, 2));
    }

    /// The second graph lacks the task, whose retry was pending, and the third one has it again.
    #[test]
    fn the_attempts_of_a_task_that_is_in_the_graph_again_are_earlier_ones() {
        let task = TaskIndex::new(0);
        let (mut history, shape) = three_tasks();
        let mut without = Graph::clone(&shape);
        without.nodes.remove(0);
        let without = Arc::new(without);
        let failure = Arc::new(Failure::Error { chain: vec!["no".to_owned()], retryable: true });
        let entries = [
            (&shape, session(1)),
            (&shape, Entry::Started { task, attempt: 1 }),
            (&shape, Entry::Failed { task, attempt: 1, took: 0, failure, retry: Some(10) }),
            (&without, session(2)),
            (&shape, session(3)),
        ];
        for (graph, entry) in entries {
            history.apply(1, Timestamp::EPOCH, entry, |_| Ok(Arc::clone(graph))).unwrap();
        }
        let task = history.task("a").unwrap();
        assert_eq!((task.state, task.retry_at, task.attempts.len()), (TaskState::None, None, 1));
        assert_eq!((task.uncounted_attempts, task.earlier_attempts), (1, 1));
        // It was not cleared: the key for its effects stays.
        assert_eq!((task.cleared, task.rounds), (0, 0));
    }

    /// A14: the process dies after the wait and before the next start, and the clock of the next
    /// process is behind. Its history had no state for the task, which waited.
    #[test]
    fn a_task_whose_wait_was_over_waits_again_in_the_next_process() {
        let at = |second: i64| Timestamp::from_nanos(second * 1_000_000_000);
        // A deferred task waits until its time, a sensor pokes at once.
        for (poke, state, until) in [(false, TaskState::Deferred, 10), (true, TaskState::UpForReschedule, 4)] {
            let task = TaskIndex::new(0);
            let record = Box::new(WaitRecord { since: at(0), count: 1, until: Some(at(10)), event: None });
            let entries = [
                (0, session(1)),
                (0, Entry::Scheduled { task }),
                (0, Entry::Started { task, attempt: 1 }),
                (0, Entry::Waiting { task, attempt: 1, took: 0, poke, record }),
                (10, Entry::Scheduled { task }),
                (4, session(2)),
            ];
            let (mut history, shape) = three_tasks();
            for (second, entry) in entries {
                history.apply(1, at(second), entry, |_| Ok(Arc::clone(&shape))).unwrap();
            }
            let task = history.task("a").unwrap();
            assert_eq!((task.state, task.attempts.len()), (state, 1));
            assert_eq!(task.waits_for.as_ref().map(|wait| wait.until), Some(Some(at(until))));
            assert_eq!(task.wait.as_ref().map(|wait| wait.until), Some(Some(at(until))));
        }
    }

    /// A14: a task of the group had run again when the process died, and the clock of the next
    /// process is behind. The group waited for its delay once more.
    #[test]
    fn the_delay_of_a_group_is_over_once_a_task_of_it_may_run() {
        let at = |second: i64| Timestamp::from_nanos(second * 1_000_000_000);
        let (mut history, shape) = three_tasks();
        let mut shape = Graph::clone(&shape);
        shape.groups = vec![("outer".to_owned(), None), ("inner".to_owned(), Some(0)), ("other".to_owned(), None)];
        (shape.nodes[0].group, shape.nodes[1].group) = (Some(1), Some(2));
        let shape = Arc::new(shape);
        let task = TaskIndex::new;
        let regrouped = |group: &str, number: u32| Entry::Regrouped {
            group: group.to_owned(),
            retry: 1,
            due: at(10).as_nanos(),
            tasks: vec![task(number)],
            were: vec![(TaskState::Failed, 1)],
        };
        let mut begun = |second: i64, entry: Entry| {
            history.apply(1, at(second), entry, |_| Ok(Arc::clone(&shape))).unwrap();
            ["outer", "other"].map(|group| history.groups.get(group).map(|retried| retried.has_begun))
        };
        begun(0, session(1));
        begun(0, regrouped("outer", 0));
        assert_eq!(begun(0, regrouped("other", 1)), [Some(false); 2]);
        assert_eq!(begun(10, Entry::Scheduled { task: task(0) }), [Some(true), Some(false)]);
        assert_eq!(begun(10, Entry::Started { task: task(1), attempt: 2 }), [Some(true); 2]);
        assert_eq!(begun(11, regrouped("outer", 0)), [Some(false), Some(true)]);
    }

    proptest! {
        #[test]
        fn folding_a_damaged_history_does_not_panic(
            entries in prop::collection::vec((any::<i64>(), entry()), 0..20),
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        ) {
            let mut buffer = Buffer::default();
            for (at, entry) in entries {
                buffer.push(Timestamp::from_nanos(at), entry, Some(Stored::Inline(vec![1, 2, 3])));
            }
            let sound = buffer.events.clone();
            prop_assert!(sound.is_empty() || segment::read(&sound).is_ok());
            crate::journal::fold_any(&sound);
            let mut damaged = sound;
            if !damaged.is_empty() {
                for (place, byte) in flips {
                    let place = place.index(damaged.len());
                    damaged[place] = byte;
                }
            }
            crate::journal::fold_any(&damaged);
        }
    }
}
