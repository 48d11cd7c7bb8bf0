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
//!    once, what runs is asked to stop and has the grace time to do so.
//! 7. When no task is left open, `Ended` comes as the last command.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::event::Event;
use super::state::{RunState, TaskState, Transition};
use crate::dag::{Join, Plan, Selection};
use crate::error::Failure;
use crate::task::{Tally, TriggerRule, Verdict};
use crate::time::Timestamp;

/// What happened outside.
#[derive(Debug)]
pub(crate) enum Input {
    /// The run begins.
    Start,
    /// A ready task got its slot and its worker.
    Started { task: u32 },
    /// An attempt came to its end; `started` is when it really began.
    Finished { task: u32, attempt: u32, started: Timestamp, outcome: Outcome },
    /// Time has passed.
    TimeReached,
    /// Somebody wants the run to end.
    Cancel { reason: String },
}

/// How an attempt ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Success,
    Skipped(String),
    Failed(Box<Failure>),
}

/// What the driver is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// The task may start when there is room.
    Ready(u32),
    /// The task will not run (again): its inputs can go.
    Settled(u32),
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
    /// For the jitter of retries.
    pub(crate) seed: u64,
    /// Whether to keep events for observers.
    pub(crate) observed: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { fail_fast: false, timeout: None, grace: Duration::from_secs(10), seed: 0, observed: false }
    }
}

pub(crate) struct Machine {
    plan: Arc<Plan>,
    core: Core,
}

/// Everything that changes; apart from the plan, so that both can be borrowed at once.
struct Core {
    settings: Settings,
    tasks: Vec<TaskCell>,
    joins: Vec<JoinCell>,
    /// Tasks not yet in a terminal state.
    open: u32,
    state: RunState,
    started: Timestamp,
    ended: Timestamp,
    /// Retries, time limits of attempts and of the run, the end of the grace time.
    timers: BTreeSet<(Timestamp, Timer)>,
    failures: HashMap<u32, Arc<Failure>>,
    /// Closed attempts that a retry followed.
    retried: HashMap<u32, Vec<AttemptRecord>>,
    /// Which upstream made the join of an `AnyOf` run.
    winners: HashMap<u32, u32>,
    halted: Option<Halted>,
    failed_leaf: bool,
    /// The cascade under way: ends that joins below have yet to hear of.
    told: Vec<u32>,
    events: Vec<Event>,
}

#[derive(Clone, Copy, Debug, Default)]
struct TaskCell {
    started: Timestamp,
    ended: Timestamp,
    attempt: u32,
    /// Joins without a verdict.
    undecided: u32,
    /// The task whose end decided that this one is skipped or `upstream_failed`.
    cause: u32,
    state: TaskState,
    /// A join said skip; a later one may still say fail.
    skip: bool,
}

#[derive(Clone, Copy, Debug)]
struct JoinCell {
    pending: u32,
    success: u32,
    failed: u32,
    skipped: u32,
}

/// Stands in `pending` of a join that has its verdict.
const DECIDED: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Retry(u32),
    Attempt { task: u32, attempt: u32 },
    Run,
    Grace,
}

#[derive(Debug)]
struct Halted {
    reason: String,
    /// What the run becomes.
    state: RunState,
}

/// An attempt that is over.
#[derive(Clone, Debug)]
pub(crate) struct AttemptRecord {
    pub(crate) started: Timestamp,
    pub(crate) ended: Timestamp,
    pub(crate) failure: Arc<Failure>,
}

impl Machine {
    pub(crate) fn new(plan: Arc<Plan>, selection: Option<&Selection>, settings: Settings) -> Self {
        let joins = plan.joins().iter();
        // A task under `always` is below its upstreams, and does not look at them.
        let waits = |join: &Join| join.rule != TriggerRule::Always;
        let pending = |join: &Join| if waits(join) { join.upstreams } else { DECIDED };
        let joins = joins.map(|join| JoinCell { pending: pending(join), success: 0, failed: 0, skipped: 0 }).collect();
        let mut tasks = Vec::with_capacity(plan.len());
        for node in 0..plan.len() as u32 {
            let joins = &plan.joins()[plan.joins_of(node).start as usize..plan.joins_of(node).end as usize];
            let undecided = joins.iter().filter(|join| waits(join)).count() as u32;
            let removed = selection.is_some_and(|selection| !selection.contains(node));
            let state = if removed { TaskState::None.after(Transition::Remove) } else { Some(TaskState::None) };
            tasks.push(TaskCell { undecided, state: state.unwrap_or_default(), ..TaskCell::default() });
        }
        let open = tasks.iter().filter(|task| !task.state.is_terminal()).count() as u32;
        let core = Core {
            settings,
            tasks,
            joins,
            open,
            state: RunState::Running,
            started: Timestamp::EPOCH,
            ended: Timestamp::EPOCH,
            timers: BTreeSet::new(),
            failures: HashMap::new(),
            retried: HashMap::new(),
            winners: HashMap::new(),
            halted: None,
            failed_leaf: false,
            told: Vec::new(),
            events: Vec::new(),
        };
        Machine { plan, core }
    }

    /// Takes in what happened and appends what is to be done.
    pub(crate) fn step(&mut self, input: Input, now: Timestamp, commands: &mut Vec<Command>) {
        let Machine { plan, core } = self;
        core.step(plan, input, now, commands);
    }
}

impl Core {
    fn step(&mut self, plan: &Plan, input: Input, now: Timestamp, commands: &mut Vec<Command>) {
        match input {
            Input::Start => self.start(now, commands),
            Input::Started { task } => return self.task_started(plan, task, now),
            Input::Finished { task, attempt, started, outcome } => {
                if self.is_running(task, attempt) {
                    self.tasks[task as usize].started = started;
                    self.finished(plan, task, outcome, now, commands);
                }
            }
            Input::TimeReached => self.time_reached(plan, now, commands),
            Input::Cancel { reason } => self.halt(plan, reason, RunState::Cancelled, Transition::Cancel, now, commands),
        }
        self.tell(plan, now, commands);
        if self.open == 0 && self.state == RunState::Running {
            self.end(now, commands);
        }
    }

    fn start(&mut self, now: Timestamp, commands: &mut Vec<Command>) {
        self.started = now;
        if let Some(timeout) = self.settings.timeout {
            self.timers.insert((now + timeout, Timer::Run));
        }
        for task in 0..self.tasks.len() as u32 {
            if self.tasks[task as usize].undecided == 0 && self.apply(task, Transition::Schedule, now) {
                commands.push(Command::Ready(task));
            }
        }
    }

    fn task_started(&mut self, plan: &Plan, task: u32, now: Timestamp) {
        let cell = &mut self.tasks[task as usize];
        cell.attempt += 1;
        cell.started = now;
        let attempt = cell.attempt;
        if self.apply(task, Transition::Start, now)
            && let Some(timeout) = plan.node_options(task).timeout
        {
            self.timers.insert((now + timeout, Timer::Attempt { task, attempt }));
        }
    }

    fn finished(&mut self, plan: &Plan, task: u32, outcome: Outcome, now: Timestamp, commands: &mut Vec<Command>) {
        match outcome {
            Outcome::Success => self.settle(plan, task, Transition::Succeed, now, commands),
            Outcome::Skipped(reason) => {
                self.failures.insert(task, Arc::new(Failure::Skipped { reason }));
                self.settle(plan, task, Transition::Skip, now, commands);
            }
            Outcome::Failed(failure) => self.attempt_failed(plan, task, *failure, now, commands),
        }
    }

    fn attempt_failed(
        &mut self,
        plan: &Plan,
        task: u32,
        failure: Failure,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        if let Some(halted) = &self.halted
            && matches!(failure, Failure::Error { .. } | Failure::Cancelled { .. })
        {
            // It stopped because it was asked to; what it says about that is not a failure of its own.
            self.failures.insert(task, Arc::new(Failure::Cancelled { reason: halted.reason.clone() }));
            return self.settle(plan, task, Transition::Cancel, now, commands);
        }
        let cell = self.tasks[task as usize];
        let retry = plan.node_options(task).retry;
        if self.halted.is_none() && failure.is_retryable() && cell.attempt <= retry.retries {
            let record = AttemptRecord { started: cell.started, ended: now, failure: Arc::new(failure) };
            self.retried.entry(task).or_default().push(record);
            self.apply(task, Transition::Retry, now);
            let due = now + retry.delay_after(cell.attempt, seed_of(&self.settings, task));
            self.timers.insert((due, Timer::Retry(task)));
            return;
        }
        self.failures.insert(task, Arc::new(failure));
        self.settle(plan, task, Transition::Fail, now, commands);
        if self.settings.fail_fast && self.halted.is_none() {
            let reason = format!("`{}` failed and the run is to fail fast", plan.nodes()[task as usize].id());
            self.halt(plan, reason, RunState::Failed, Transition::Skip, now, commands);
        }
    }

    fn time_reached(&mut self, plan: &Plan, now: Timestamp, commands: &mut Vec<Command>) {
        while let Some(&(due, timer)) = self.timers.first()
            && due <= now
        {
            self.timers.pop_first();
            match timer {
                Timer::Retry(task) => {
                    if self.apply(task, Transition::Schedule, now) {
                        commands.push(Command::Ready(task));
                    }
                }
                Timer::Attempt { task, attempt } => {
                    let cell = &self.tasks[task as usize];
                    if cell.state == TaskState::Running
                        && cell.attempt == attempt
                        && let Some(limit) = plan.node_options(task).timeout
                    {
                        commands.push(Command::Abandon(task));
                        self.attempt_failed(plan, task, Failure::TimedOut { limit }, now, commands);
                    }
                }
                Timer::Run => {
                    let limit = self.settings.timeout.unwrap_or_default();
                    let reason = format!("the run took longer than its timeout of {limit:?}");
                    self.halt(plan, reason, RunState::Failed, Transition::Cancel, now, commands);
                }
                Timer::Grace => {
                    let reason = self.halted.as_ref().map(|halted| halted.reason.clone()).unwrap_or_default();
                    for task in 0..self.tasks.len() as u32 {
                        if self.tasks[task as usize].state == TaskState::Running {
                            commands.push(Command::Abandon(task));
                            self.failures.insert(task, Arc::new(Failure::Cancelled { reason: reason.clone() }));
                            self.settle(plan, task, Transition::Cancel, now, commands);
                        }
                    }
                }
            }
        }
    }

    /// Ends the run early: what has not started takes `transition`.
    fn halt(
        &mut self,
        plan: &Plan,
        reason: String,
        state: RunState,
        transition: Transition,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        if self.halted.is_some() || self.state != RunState::Running {
            return;
        }
        let shared = Arc::new(match transition {
            Transition::Skip => Failure::Skipped { reason: reason.clone() },
            _ => Failure::Cancelled { reason: reason.clone() },
        });
        self.halted = Some(Halted { reason, state });
        commands.push(Command::Halt);
        self.timers.insert((now + self.settings.grace, Timer::Grace));
        for task in 0..self.tasks.len() as u32 {
            let state = self.tasks[task as usize].state;
            if !state.is_terminal() && state != TaskState::Running {
                self.failures.insert(task, Arc::clone(&shared));
                self.settle(plan, task, transition, now, commands);
            }
        }
    }

    /// A final state: counted, and to be told to the joins below.
    fn settle(&mut self, plan: &Plan, task: u32, transition: Transition, now: Timestamp, commands: &mut Vec<Command>) {
        if !self.apply(task, transition, now) {
            return;
        }
        let cell = &mut self.tasks[task as usize];
        cell.ended = now;
        self.open -= 1;
        commands.push(Command::Settled(task));
        let bad = matches!(cell.state, TaskState::Failed | TaskState::UpstreamFailed | TaskState::Cancelled);
        if bad && self.is_leaf(plan, task) {
            self.failed_leaf = true;
        }
        self.told.push(task);
    }

    fn is_leaf(&self, plan: &Plan, task: u32) -> bool {
        let joins = plan.joins();
        let below = plan.successors(task).iter().map(|&join| joins[join as usize].node);
        below.into_iter().all(|node| self.tasks[node as usize].state == TaskState::Removed)
    }

    /// Tells every new end to the joins below it, and the ends that follow from it, until there are none.
    fn tell(&mut self, plan: &Plan, now: Timestamp, commands: &mut Vec<Command>) {
        if self.told.is_empty() {
            return;
        }
        if self.halted.is_some() {
            // Nothing below is waiting any more.
            self.told.clear();
            return;
        }
        while let Some(task) = self.told.pop() {
            let state = self.tasks[task as usize].state;
            for &join in plan.successors(task) {
                self.tell_join(plan, join, task, state, now, commands);
            }
        }
    }

    fn tell_join(
        &mut self,
        plan: &Plan,
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
        let rule = plan.joins()[join as usize].rule;
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

        let node = plan.joins()[join as usize].node;
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
                self.tasks[node as usize].cause = self.root_of(upstream);
            }
            Verdict::Fail => {
                self.tasks[node as usize].cause = self.root_of(upstream);
                return self.settle(plan, node, Transition::FailUpstream, now, commands);
            }
        }
        let target = &mut self.tasks[node as usize];
        target.undecided -= 1;
        if target.undecided > 0 {
            return;
        }
        if target.skip {
            self.settle(plan, node, Transition::Skip, now, commands);
        } else if self.apply(node, Transition::Schedule, now) {
            commands.push(Command::Ready(node));
        }
    }

    /// The task in which the trouble of `task` began.
    fn root_of(&self, task: u32) -> u32 {
        let inherited = matches!(self.tasks[task as usize].state, TaskState::UpstreamFailed | TaskState::Skipped)
            && !self.failures.contains_key(&task);
        if inherited { self.tasks[task as usize].cause } else { task }
    }

    fn end(&mut self, now: Timestamp, commands: &mut Vec<Command>) {
        self.state = match &self.halted {
            Some(halted) => halted.state,
            None if self.failed_leaf => RunState::Failed,
            None => RunState::Success,
        };
        self.ended = now;
        self.timers.clear();
        if self.settings.observed {
            self.events.push(Event::Run { at: now, to: self.state });
        }
        commands.push(Command::Ended(self.state));
    }

    /// Makes the transition if it is legal; every change of a task's state goes through here.
    fn apply(&mut self, task: u32, transition: Transition, now: Timestamp) -> bool {
        let cell = &mut self.tasks[task as usize];
        let Some(next) = cell.state.after(transition) else { return false };
        if self.settings.observed {
            self.events.push(Event::Task { at: now, task, attempt: cell.attempt, from: cell.state, to: next });
        }
        cell.state = next;
        true
    }

    fn is_running(&self, task: u32, attempt: u32) -> bool {
        let cell = &self.tasks[task as usize];
        cell.state == TaskState::Running && cell.attempt == attempt
    }
}

/// What the driver and the report read.
impl Machine {
    /// Whether this attempt is the one that runs.
    pub(crate) fn is_running(&self, task: u32, attempt: u32) -> bool {
        self.core.is_running(task, attempt)
    }

    pub(crate) fn plan(&self) -> &Arc<Plan> {
        &self.plan
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

    /// Whether no attempt can follow the one that runs.
    pub(crate) fn is_last_attempt(&self, task: u32) -> bool {
        self.core.tasks[task as usize].attempt > self.plan.node_options(task).retry.retries
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
        let cause = || self.plan.nodes()[cell.cause as usize].id().to_owned();
        match cell.state {
            TaskState::UpstreamFailed => Some(Arc::new(Failure::UpstreamFailed { task: cause() })),
            TaskState::Skipped => {
                Some(Arc::new(Failure::Skipped { reason: format!("upstream task `{}` was skipped", cause()) }))
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
        self.plan.node_options(task).retry.delay_after(attempt, seed_of(&self.core.settings, task))
    }

    /// The retries that are waited for, with their times, the next one first.
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the command line is what uses it"))]
    pub(crate) fn retries(&self) -> impl Iterator<Item = (Timestamp, u32)> + '_ {
        self.core.timers.iter().filter_map(|&(due, timer)| match timer {
            Timer::Retry(task) if self.task_state(task) == TaskState::UpForRetry => Some((due, task)),
            _ => None,
        })
    }

    /// Why the run ends early, once it does.
    pub(crate) fn halt_reason(&self) -> Option<&str> {
        self.core.halted.as_ref().map(|halted| halted.reason.as_str())
    }

    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.core.events)
    }
}

/// Tasks that fail together are not tried again together.
fn seed_of(settings: &Settings, task: u32) -> u64 {
    settings.seed ^ u64::from(task)
}
