//! Everything that changes in a run, and the one function that changes the state of a task.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::cells::{Draining, ElementStarts, GroupRetries, Halted, JoinCell, TaskCell, Waiter};
use super::past::Past;
use super::settings::Settings;
use super::timer::Timer;
use crate::base::index::IndexVec;
use crate::base::{Failure, Timestamp};
use crate::dag::{BlockIndex, Plan, RunJoinIndex, Selection};
use crate::run::{AttemptRecord, Entry, Event, Events, RunState, TaskIndex, TaskState, Transition, ValueRef, nanos};

/// Everything that changes, apart from the layout so that both can be borrowed at once.
pub(super) struct Core {
    pub(super) settings: Settings,
    /// Whether plain tasks take the short path.
    pub(super) plain: bool,
    pub(super) tasks: IndexVec<TaskIndex, TaskCell>,
    pub(super) joins: IndexVec<RunJoinIndex, JoinCell>,
    /// Tasks not yet in a terminal state.
    pub(super) open: u32,
    pub(super) state: RunState,
    pub(super) started: Timestamp,
    pub(super) ended: Timestamp,
    /// The time of the latest step.
    pub(super) latest: Timestamp,
    /// Retries, waits, time limits of attempts and of the run, the end of the grace time.
    pub(super) timers: BTreeSet<(Timestamp, Timer)>,
    /// The earliest of the deadlines of tasks among them.
    pub(super) task_deadline: Option<Timestamp>,
    pub(super) failures: HashMap<TaskIndex, Arc<Failure>>,
    /// Tasks skipped by the early end of the run. They run again in a retry of the run, unlike
    /// those that skipped themselves.
    pub(super) skipped_by_halt: HashSet<TaskIndex>,
    /// Closed attempts that a retry followed.
    pub(super) retried: HashMap<TaskIndex, Vec<AttemptRecord>>,
    /// The upstream whose success decided the join of an `AnyOf`.
    pub(super) winners: HashMap<RunJoinIndex, TaskIndex>,
    pub(super) halted: Option<Halted>,
    pub(super) draining: Option<Draining>,
    pub(super) failed_leaf: bool,
    /// Ends of tasks that are not propagated yet.
    pub(super) pending_ends: Vec<TaskIndex>,
    pub(super) events: Vec<Event>,
    /// Entries to record.
    pub(super) entries: Vec<(Timestamp, Entry)>,
    /// What a resumed run brings with it; empty for others.
    pub(super) past: Past,
    /// The nodes that take part, if not all do.
    pub(super) selection: Option<Selection>,
    /// Tasks of new elements that have nothing to wait for.
    pub(super) unbound: Vec<TaskIndex>,
    /// Ends of tasks outside to propagate to joins of new elements, as `(upstream, join)`.
    pub(super) late: Vec<(TaskIndex, RunJoinIndex)>,
    /// Tasks that wait without a slot, or did.
    pub(super) waiters: HashMap<TaskIndex, Waiter>,
    /// The events received.
    pub(super) external: Events,
    /// The number of events received.
    pub(super) event_count: u64,
    /// When elements may begin, by the blocks of mappings with a rate.
    pub(super) element_starts: HashMap<BlockIndex, ElementStarts>,
    /// The labels of elements, by expand node.
    pub(super) labels: HashMap<TaskIndex, Arc<[String]>>,
    /// The groups with retries.
    pub(super) group_retries: GroupRetries,
    /// How often the run was retried.
    pub(super) run_retries: u32,
    /// The pending retry of the run: its number, counted from 1, and when it is due.
    pub(super) run_retry: Option<(u32, Timestamp)>,
    /// The retry of the run is due.
    pub(super) tries_again: bool,
}

impl Core {
    /// The core of a run that has not started.
    pub(super) fn new(plan: &Plan, selection: Option<&Selection>, settings: Settings) -> Self {
        let (tasks, joins): (IndexVec<_, TaskCell>, IndexVec<_, JoinCell>) = match selection {
            Some(_) => {
                let cell = |node| {
                    let cell = TaskCell::new(plan, node, selection);
                    // A mapped node has no task instance yet: they come with the elements.
                    if plan.is_mapped(node) { TaskCell { state: TaskState::Removed, ..cell } } else { cell }
                };
                let joins = plan.join_indices().map(|join| JoinCell::new(plan, join, selection));
                (plan.node_indices().map(cell).collect(), joins.collect())
            }
            None => (TaskCell::all(plan), JoinCell::all(plan)),
        };
        let open = tasks.iter().filter(|task| !task.state.is_terminal()).count() as u32;
        Core {
            plain: plan.has_short_path() && !settings.observed && !settings.recorded,
            settings,
            tasks,
            joins,
            open,
            state: RunState::Running,
            started: Timestamp::EPOCH,
            ended: Timestamp::EPOCH,
            latest: Timestamp::EPOCH,
            timers: BTreeSet::new(),
            task_deadline: None,
            failures: HashMap::new(),
            skipped_by_halt: HashSet::new(),
            retried: HashMap::new(),
            winners: HashMap::new(),
            halted: None,
            draining: None,
            failed_leaf: false,
            pending_ends: Vec::new(),
            events: Vec::new(),
            entries: Vec::new(),
            past: Past::default(),
            selection: selection.cloned(),
            unbound: Vec::new(),
            late: Vec::new(),
            waiters: HashMap::new(),
            external: Arc::default(),
            event_count: 0,
            element_starts: HashMap::new(),
            labels: HashMap::new(),
            group_retries: GroupRetries::default(),
            run_retries: 0,
            run_retry: None,
            tries_again: false,
        }
    }

    /// Makes the transition if it is legal, and reports it. Every change of a task's state goes
    /// through here, except on the short path, where nothing is reported.
    #[inline]
    pub(super) fn apply(&mut self, task: TaskIndex, transition: Transition, now: Timestamp) -> bool {
        let Some(from) = self.tasks[task].make(transition) else { return false };
        if self.settings.observed || self.settings.recorded {
            self.report(task, transition, from, now);
        }
        true
    }

    /// Adds the event and the entry of a transition that was made.
    #[inline(never)]
    fn report(&mut self, task: TaskIndex, transition: Transition, from: TaskState, now: Timestamp) {
        let TaskCell { attempt, state: to, .. } = self.tasks[task];
        if self.settings.observed {
            self.events.push(Event::Task { at: now, task, attempt, from, to });
        }
        if self.settings.recorded {
            let entry = self.entry(task, transition, from, now);
            self.entries.extend(entry.map(|entry| (now, entry)));
        }
    }

    /// The entry for a transition.
    fn entry(&self, task: TaskIndex, transition: Transition, from: TaskState, now: Timestamp) -> Option<Entry> {
        let cell = &self.tasks[task];
        let attempt = cell.attempt;
        let under_way = match from {
            TaskState::Running | TaskState::Deferred | TaskState::UpForReschedule => true,
            // Its wait is over, and its attempt was to go on.
            TaskState::Scheduled => self.waiters.get(&task).is_some_and(|waiter| waiter.waits),
            _ => false,
        };
        let took = if under_way { nanos(now.since(cell.started)) } else { 0 };
        Some(match transition {
            // After a start, it says that the attempt was cut off.
            Transition::Schedule | Transition::Interrupt => Entry::Scheduled { task },
            Transition::Start => Entry::Started { task, attempt },
            Transition::Succeed => Entry::Succeeded { task, attempt, took, value: ValueRef::Nowhere },
            Transition::Fail => {
                Entry::Failed { task, attempt, took, failure: Arc::clone(self.failures.get(&task)?), retry: None }
            }
            Transition::Skip => {
                let reason = self.failures.get(&task).map(Arc::clone);
                let cause = if reason.is_none() { Some(cell.cause) } else { None };
                Entry::Skipped { task, attempt, took, reason, cause }
            }
            Transition::FailUpstream => Entry::UpstreamFailed { task, cause: cell.cause },
            Transition::Cancel => Entry::Cancelled { task, attempt, took },
            // Retries and waits are recorded where they happen, removed tasks when the run starts.
            Transition::Retry | Transition::Reschedule | Transition::Defer | Transition::Remove => return None,
        })
    }

    /// The number of attempts that do not count against the retries.
    pub(super) fn uncounted_attempts(&self, task: TaskIndex) -> u32 {
        if self.past.uncounted_attempts.is_empty() {
            0
        } else {
            self.past.uncounted_attempts.get(&task).copied().unwrap_or(0)
        }
    }

    /// The number of attempts before the task was last cleared, or retried with its group or its
    /// run. Lost ones since then are not among them.
    pub(super) fn earlier_attempts(&self, task: TaskIndex) -> u32 {
        self.past.earlier_attempts.get(&task).copied().unwrap_or(0)
    }

    #[inline]
    pub(super) fn is_running(&self, task: TaskIndex, attempt: u32) -> bool {
        let cell = &self.tasks[task];
        cell.state == TaskState::Running && cell.attempt == attempt
    }
}

/// The seed of the jitter: tasks that fail together are not retried together.
pub(super) fn seed_of(settings: &Settings, task: TaskIndex) -> u64 {
    settings.seed ^ u64::from(task.as_u32())
}
