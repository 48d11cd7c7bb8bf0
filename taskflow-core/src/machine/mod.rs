//! The state machine of one DAG run.
//!
//! [`Machine::step`] takes an event and the time and says what is to be done about it. There is no clock in it, no I/O,
//! no thread and no value: whoever drives it brings those. The live engine drives it from worker threads, the reference
//! driver from a loop.
//!
//! 1. `Start` makes every task without upstreams `scheduled` and says `Ready`.
//! 2. The driver grants a ready task a slot and a worker and says `Started`; the task is `running`, its attempt counted.
//! 3. `Finished` closes the attempt. A failure with a retry left makes it `up_for_retry` until its time comes; every
//!    other end is final, and is told to each join below. A join that has its verdict tells its node; a node whose
//!    joins all have theirs is scheduled, skipped or failed, and the last two are told further down in the same step.
//! 4. `Finished` of an attempt that is not the running one changes nothing: a stale worker cannot write.
//! 5. `TimeReached` starts due retries, ends attempts and runs whose time is up. The driver calls it whenever
//!    [`Machine::next_deadline`] has passed.
//! 6. `Cancel`, a failure under `fail_fast` and the time limit of the run all *halt* it: what has not started ends at
//!    once, what runs is asked to stop and has the grace time to do so. Teardowns are *spared*: they run as ever, and the run
//!    ends after them. Only where nothing can be recorded any more they end with the rest.
//! 7. A run that goes on after a crash or after tasks were cleared is the same machine with some tasks ended before it
//!    starts ([`Machine::restore`]): `Start` tells their ends to the joins below, in their order, and goes on from there.
//! 8. An expand node that succeeds brings the elements of its list: in one step the [`Layout`] and the cells grow, the joins
//!    that its list stood for wait for the elements in its place, and those without anything else to wait for are scheduled.
//! 9. An attempt that waits ([`Outcome::Waits`]) makes its task `deferred` or `up_for_reschedule` until its time comes or the
//!    event it waits for is released; then it is scheduled as any other, and goes on under the same number.
//! 10. A group with retries is tried again as a whole (`units`): until it is over nobody outside hears of its tasks.
//! 11. When no task is left open, `Ended` comes as the last command; or, if the run has failed and has retries left, the machine
//!     makes itself anew with its failed tasks open ([`Machine::restore`]), after a wait, and starts again.
//! 12. A run that is not over at its deadline says so once, and goes on.
//!
//! - `cells`: what is kept of each task and join. `core`: the transitions. `joins`: ends are told downwards. `elements`: into and
//!   out of lists. `pace`: when elements may begin. `units`: groups that are tried again. `waits`: sensors and deferred tasks.
//!   `halt`: runs that end early. `again`: runs that are tried again, and deadlines.

mod cells;
mod core;
mod dispatch;
mod elements;
mod group_retry;
mod halt;
mod joins;
mod rate;
mod run_retry;
mod waits;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use self::cells::{Halted, JoinCell, Past, TaskCell, Timer};
use self::core::{Core, seed_of};
pub(crate) use self::dispatch::{Dispatcher, Lane, RunKey};
use self::group_retry::Units;
use self::waits::Waiter;
use crate::base::{Failure, Timestamp};
use crate::dag::{Layout, Plan, Selection};
use crate::run::{AttemptRecord, Entry, Event, Restored, RestoredState, RunState, TaskState};
use crate::task::{Outcome, WaitState, Waiting};

/// What happened outside.
#[derive(Debug)]
pub(crate) enum Input {
    /// The run begins.
    Start,
    /// A ready task got its slot and its worker.
    Started { task: u32 },
    /// An attempt ended; `started` is when it really began. The success of an expand node has the
    /// elements of its list.
    Finished { task: u32, attempt: u32, started: Timestamp, outcome: Outcome<Option<Box<Elements>>> },
    /// Time has passed.
    TimeReached,
    /// Somebody wants the run to end.
    Cancel { reason: String },
    /// Somebody says that an event has come; its value is JSON.
    Release { key: String, value: Arc<str>, by: String, reason: String },
    /// The run ends early as what is said: it cannot go on for a reason of its host, or it was ending early before
    /// it was interrupted.
    Halt { reason: String, state: RunState },
}

/// The list of an expand node.
#[derive(Debug)]
pub(crate) struct Elements {
    pub(crate) count: u32,
    /// The labels of the elements, if the list is labelled.
    pub(crate) labels: Option<Arc<[String]>>,
}

/// What the driver is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// The task may start when there is room.
    Ready(u32),
    /// The task will not run (again): its inputs can go.
    Settled(u32),
    /// The task has ended and runs again: what it gave is nothing any more.
    Forget(u32),
    /// The attempt that runs is over for the machine: stop it if possible, ignore what it gives.
    Abandon(u32),
    /// Nothing more will start: forget ready tasks, ask running ones to stop.
    Halt,
    /// The run is over.
    Ended(RunState),
}

/// How a run is to be run.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) fail_fast: bool,
    pub(crate) timeout: Option<Duration>,
    /// How long running attempts may take to stop after a halt.
    pub(crate) grace: Duration,
    /// What the run is about: its deadline may be counted from it.
    pub(crate) logical_date: Timestamp,
    /// For the jitter of retries.
    pub(crate) seed: u64,
    /// Whether to keep events for observers.
    pub(crate) observed: bool,
    /// Whether to keep entries for a recorder.
    pub(crate) recorded: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            fail_fast: false,
            timeout: None,
            grace: Duration::from_secs(10),
            logical_date: Timestamp::EPOCH,
            seed: 0,
            observed: false,
            recorded: false,
        }
    }
}

pub(crate) struct Machine {
    layout: Layout,
    core: Core,
}

impl Machine {
    pub(crate) fn new(plan: Arc<Plan>, selection: Option<&Selection>, settings: Settings) -> Self {
        let joins = (0..plan.joins().len() as u32).map(|join| JoinCell::new(&plan, join, selection)).collect();
        let cell = |node| {
            let cell = TaskCell::new(&plan, node, selection);
            // A node of a template stands for no task: its instances come with their elements.
            if plan.is_mapped(node) { TaskCell { state: TaskState::Removed, ..cell } } else { cell }
        };
        let tasks: Vec<TaskCell> = (0..plan.len() as u32).map(cell).collect();
        let open = tasks.iter().filter(|task| !task.state.is_terminal()).count() as u32;
        let core = Core {
            settings,
            tasks,
            joins,
            open,
            state: RunState::Running,
            started: Timestamp::EPOCH,
            ended: Timestamp::EPOCH,
            latest: Timestamp::EPOCH,
            timers: BTreeSet::new(),
            failures: HashMap::new(),
            retried: HashMap::new(),
            winners: HashMap::new(),
            halted: None,
            failed_leaf: false,
            told: Vec::new(),
            events: Vec::new(),
            entries: Vec::new(),
            past: Past::default(),
            selection: selection.cloned(),
            unbound: Vec::new(),
            late: Vec::new(),
            waiters: HashMap::new(),
            external: Arc::default(),
            released: 0,
            paces: HashMap::new(),
            labels: HashMap::new(),
            units: Units::default(),
            run_retries: 0,
            run_retry: None,
            tries_again: false,
        };
        Machine { layout: Layout::new(plan), core }
    }

    /// Puts tasks into the state in which an earlier part of the run left them. Before `Start`.
    pub(crate) fn restore(&mut self, restored: &Restored) {
        self.core.past.expansions.clone_from(&restored.expansions);
        self.core.past.later = restored.later.iter().map(|(id, known)| (id.clone(), known.clone())).collect();
        for &(expand, count) in &restored.expansions {
            if let Some(block) = self.layout.expand(expand, count) {
                self.core.grow(&self.layout, &block);
            }
        }
        self.core.labels.clone_from(&restored.labels);
        self.core.past.units.clone_from(&restored.units);
        // All there is will be told when the run starts.
        self.core.late.clear();
        self.core.unbound.clear();
        for (key, payload) in &restored.events {
            self.core.released += 1;
            Arc::make_mut(&mut self.core.external).insert(key.clone(), (self.core.released, payload.clone()));
        }
        (self.core.run_retries, self.core.run_retry) = (restored.run_retries, restored.run_retry);
        (self.core.past.queued, self.core.past.past_deadline) = (restored.queued, restored.past_deadline);
        let Core { tasks, past, failures, retried, open, waiters, .. } = &mut self.core;
        past.started = restored.started;
        for known in &restored.tasks {
            let task = known.task;
            let Some(cell) = tasks.get_mut(task as usize) else { continue };
            (cell.attempt, cell.started, cell.ended) = (known.attempts, known.started, known.ended);
            if known.uncounted_attempts > 0 {
                past.uncounted_attempts.insert(task, known.uncounted_attempts);
            }
            if known.rounds > 0 {
                past.rounds.insert(task, known.rounds);
            }
            if known.events_seen > 0 {
                past.deaf.insert(task, known.events_seen);
            }
            if !known.retried.is_empty() {
                retried.insert(task, known.retried.clone());
            }
            if let Some(record) = &known.wait {
                let waits = matches!(known.state, RestoredState::Waits { .. });
                waiters.insert(task, Waiter { record: (**record).clone(), waits, called: known.started });
            }
            let state = match &known.state {
                RestoredState::Success(_) => TaskState::Success,
                RestoredState::Skipped(reason) => {
                    failures.insert(task, Arc::clone(reason));
                    TaskState::Skipped
                }
                RestoredState::Failed(failure) => {
                    failures.insert(task, Arc::clone(failure));
                    TaskState::Failed
                }
                RestoredState::Because { state, cause } => {
                    cell.cause = *cause;
                    *state
                }
                RestoredState::Retry(due) => {
                    past.retries.insert(task, *due);
                    continue;
                }
                RestoredState::Waits { poke } => {
                    past.waits.insert(task, *poke);
                    continue;
                }
                RestoredState::Open => continue,
            };
            if cell.state != TaskState::Removed {
                cell.state = state;
                *open -= 1;
                past.ended.push(task);
            }
        }
        for place in 0..self.core.past.ended.len() {
            let task = self.core.past.ended[place];
            // What its group comes to is judged when that is over.
            if !self.keeps_inputs(task) {
                self.core.judge_leaf(&self.layout, task);
            }
        }
    }

    /// Takes in what happened and appends what is to be done.
    pub(crate) fn step(&mut self, input: Input, now: Timestamp, commands: &mut Vec<Command>) {
        let Machine { layout, core } = self;
        let input = match input {
            Input::Finished { task, attempt, started, outcome: Outcome::Success(Some(elements)) }
                if core.is_running(task, attempt) =>
            {
                let outcome = Machine::expand(layout, core, task, *elements, now);
                Input::Finished { task, attempt, started, outcome }
            }
            input => input,
        };
        core.step(layout, input, now, commands);
        if core.tries_again {
            self.try_again(now, commands);
        }
    }

    fn expand(
        layout: &mut Layout,
        core: &mut Core,
        task: u32,
        Elements { count, labels }: Elements,
        now: Timestamp,
    ) -> Outcome<Option<Box<Elements>>> {
        // Nothing starts any more, so nothing would ever come of the elements.
        if let Some(halted) = &core.halted
            && !core.is_spared(layout, task)
        {
            return Outcome::Failed(Box::new(Failure::Cancelled { reason: halted.reason.clone() }));
        }
        let refuse = |message| Outcome::Failed(Box::new(Failure::Error { chain: vec![message], retryable: false }));
        if let Some(limit) = layout.limit(task).filter(|&limit| count > limit) {
            return refuse(format!("the list has {count} elements, and its `each` takes at most {limit}"));
        }
        let Some(block) = layout.expand(task, count) else {
            return refuse(format!("{count} elements are more than a run can have tasks for"));
        };
        core.grow(layout, &block);
        if core.settings.recorded {
            core.entries.push((now.max(core.latest), Entry::Expanded { task, count }));
            let labels = labels.iter().map(|labels| labels.to_vec());
            core.entries.extend(labels.map(|labels| (now.max(core.latest), Entry::Labelled { task, labels })));
        }
        core.labels.extend(labels.map(|labels| (task, labels)));
        Outcome::Success(None)
    }
}

/// What the driver and the report read.
impl Machine {
    /// Whether this attempt is the one that runs.
    pub(crate) fn is_running(&self, task: u32, attempt: u32) -> bool {
        self.core.is_running(task, attempt)
    }

    pub(crate) fn plan(&self) -> &Arc<Plan> {
        self.layout.plan()
    }

    /// What people call the element that a task instance is part of.
    pub(crate) fn label(&self, task: u32) -> Option<&str> {
        if self.core.labels.is_empty() {
            return None;
        }
        let at = self.layout.at(task)?;
        Some(self.core.labels.get(&self.layout.expand_at(at))?.get(at.element as usize)?)
    }

    /// Which task instances there are.
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn state(&self) -> RunState {
        self.core.state
    }

    pub(crate) fn task_state(&self, task: u32) -> TaskState {
        self.core.tasks[task as usize].state
    }

    /// The running attempt, or the last one; 0 before the first.
    pub(crate) fn attempt(&self, task: u32) -> u32 {
        self.core.tasks[task as usize].attempt
    }

    /// Whether no attempt can follow the one that runs, nor the task come back from a wait.
    pub(crate) fn is_last_attempt(&self, task: u32) -> bool {
        self.core.tasks[task as usize].attempt >= self.max_attempts(task)
            && self.layout.options(task).waiting == Waiting::Never
            // Its group may be tried again.
            && self.plan().units().of(self.layout.node(task)).is_none()
    }

    /// What a task that may wait is told when it is called now.
    pub(crate) fn wait_state(&self, task: u32, now: Timestamp) -> Option<WaitState> {
        if self.layout.options(task).waiting == Waiting::Never {
            return None;
        }
        let record = self.core.waiters.get(&task).map(|waiter| &waiter.record);
        let (since, waits) = record.map_or((now, 0), |record| (record.since, record.count));
        let after = self.core.past.deaf.get(&task).copied().unwrap_or(0);
        Some(WaitState { now, since, waits, after, events: Arc::clone(&self.core.external) })
    }

    /// How often the task ran again with its group or its run.
    pub(crate) fn rounds(&self, task: u32) -> u32 {
        if self.core.past.rounds.is_empty() { 0 } else { self.core.past.rounds.get(&task).copied().unwrap_or(0) }
    }

    /// The attempts that do not count against the retries.
    pub(crate) fn uncounted_attempts(&self, task: u32) -> u32 {
        self.core.uncounted_attempts(task)
    }

    /// How many attempts the task may have.
    pub(crate) fn max_attempts(&self, task: u32) -> u32 {
        let retries = self.layout.options(task).retry.retries;
        retries.saturating_add(1).saturating_add(self.core.uncounted_attempts(task))
    }

    /// When the last attempt started and the task came to its end.
    pub(crate) fn times(&self, task: u32) -> (Timestamp, Timestamp) {
        let cell = &self.core.tasks[task as usize];
        (cell.started, cell.ended)
    }

    pub(crate) fn run_times(&self) -> (Timestamp, Timestamp) {
        (self.core.started, self.core.ended)
    }

    pub(crate) fn retried(&self, task: u32) -> &[AttemptRecord] {
        self.core.retried.get(&task).map_or(&[], Vec::as_slice)
    }

    /// Why a task did not succeed.
    pub(crate) fn failure(&self, task: u32) -> Option<Arc<Failure>> {
        if let Some(failure) = self.core.failures.get(&task) {
            return Some(Arc::clone(failure));
        }
        let cell = &self.core.tasks[task as usize];
        let cause = || self.layout.id(cell.cause).into_owned();
        match cell.state {
            TaskState::UpstreamFailed => Some(Arc::new(Failure::UpstreamFailed { task: cause() })),
            TaskState::Skipped => {
                Some(Arc::new(Failure::Skipped { reason: format!("upstream task `{}` was skipped", cause()) }))
            }
            // Ended before the run went on: why is known of the run.
            TaskState::Cancelled => {
                let reason = self.halt_reason()?.to_owned();
                Some(Arc::new(Failure::Cancelled { reason }))
            }
            _ => None,
        }
    }

    /// Which upstream made this join of an `AnyOf` run.
    pub(crate) fn winner(&self, join: u32) -> Option<u32> {
        self.core.winners.get(&join).copied()
    }

    /// When `TimeReached` is due.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.core.timers.first().map(|&(due, _)| due)
    }

    /// The wait after the failure of an attempt, if another one follows.
    pub(crate) fn retry_delay(&self, task: u32, attempt: u32) -> Duration {
        // As it was, if it is known.
        let record = self.retried(task).get(attempt.saturating_sub(1) as usize);
        if let Some(record) = record
            && let Some(due) = record.due
        {
            return due.since(record.ended);
        }
        let counted = attempt.saturating_sub(self.core.uncounted_attempts(task));
        self.layout.options(task).retry.delay_after(counted.max(1), seed_of(&self.core.settings, task))
    }

    /// What a task that is `deferred` or `up_for_reschedule` waits for: a time, the key of an event.
    pub(crate) fn wait(&self, task: u32) -> (Option<Timestamp>, Option<&str>) {
        let record = self.core.waiters.get(&task).filter(|waiter| waiter.waits).map(|waiter| &waiter.record);
        record.map_or((None, None), |record| (record.until, record.event.as_ref().map(|(key, _)| key.as_str())))
    }

    /// Which retry of the whole run is waited for, and when it is due.
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the command line is what uses it"))]
    pub(crate) fn run_retry(&self) -> Option<(u32, Timestamp)> {
        self.core.run_retry
    }

    /// The pending retries with their times, the earliest first.
    pub(crate) fn retries(&self) -> impl Iterator<Item = (Timestamp, u32)> + '_ {
        self.core.timers.iter().filter_map(|&(due, timer)| match timer {
            Timer::Retry(task) if self.task_state(task) == TaskState::UpForRetry => Some((due, task)),
            _ => None,
        })
    }

    /// Whether a task that has ended keeps its inputs, because it may run again with its group. Before `Start`.
    pub(crate) fn keeps_inputs(&self, task: u32) -> bool {
        let unit = self.plan().units().of(self.layout.node(task));
        unit.is_some_and(|unit| {
            self.plan().units().nodes(unit).iter().any(|&node| !self.task_state(node).is_terminal())
        })
    }

    /// The tasks that run although the run ends early.
    pub(crate) fn spared(&self) -> HashSet<u32> {
        let mut tasks = 0..self.core.tasks.len() as u32;
        if self.plan().teardowns().is_empty() {
            tasks.end = 0;
        }
        let runs = |&task: &u32| self.task_state(task) == TaskState::Running;
        tasks.filter(runs).filter(|&task| self.core.is_spared(&self.layout, task)).collect()
    }

    /// Why the run ends early, once it does.
    pub(crate) fn halt_reason(&self) -> Option<&str> {
        self.core.halted.as_ref().map(|halted| halted.reason.as_str())
    }

    /// What the run becomes that ends early.
    pub(crate) fn ends_as(&self) -> Option<RunState> {
        self.core.halted.as_ref().map(|halted| halted.state)
    }

    /// What is to be recorded, in order.
    pub(crate) fn entries(&mut self) -> &mut Vec<(Timestamp, Entry)> {
        &mut self.core.entries
    }

    /// The run cannot be called what it is about to be called: its last entries are not stored.
    ///
    /// A run that is ending early is still to be halted, as any other: what it had spared cannot be kept either.
    pub(crate) fn interrupt(&mut self, reason: &str) {
        let core = &mut self.core;
        core.halted = None;
        if core.state != RunState::Running {
            core.state = RunState::Interrupted;
            core.halted = Some(Halted { reason: reason.to_owned(), state: RunState::Interrupted });
        }
    }

    /// Whether to collect events from now on.
    pub(crate) fn set_observed(&mut self, observed: bool) {
        self.core.settings.observed = observed;
    }

    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.core.events)
    }
}
