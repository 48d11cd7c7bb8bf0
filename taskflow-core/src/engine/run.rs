//! A live run, under the lock of the engine: its machine, its values, its attempts.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::attempt::{Details, Done, More, Returned, StartPermit};
use super::engine::Engine;
use super::held::Held;
use super::lingering::Lingering;
use super::observer::{LastReport, Observers};
use super::recorder::Attached;
use super::report;
use super::run_shared::RunShared;
use super::share::UsedUp;
use super::values::{Gathered, Values};
use crate::base::{Timestamp, drop_quietly};
use crate::callback::{CallbackFailure, CallbackProjection, PendingCallback};
use crate::dag::{NodeIndex, Source};
use crate::machine::{Command, Input, Machine};
use crate::run::{Emission, Restored, RestoredState, RunState, TaskIndex, TaskState};
use crate::task::{AttemptControl, Kind, Outcome, TaskDef, Waiting};
use crate::value::AnyValue;

/// A live run.
pub(crate) struct Run {
    pub(crate) shared: Arc<RunShared>,
    pub(crate) machine: Machine,
    pub(crate) values: Values,
    /// The controls of running attempts.
    pub(crate) attempts: HashMap<TaskIndex, Arc<AttemptControl>>,
    pub(super) observers: Observers,
    pub(crate) finish: Option<oneshot::Sender<Finished>>,
    /// Keeps the threads of the engine while the run is live, even without a handle.
    pub(crate) engine: Option<Engine>,
    /// What waits until the entries before it are stored.
    pub(crate) held: Held,
    /// Closed attempts whose processes still have to end.
    pub(super) lingering: Lingering,
    /// The expected duration of a task of each definition, in nanoseconds; 0 before the first
    /// ended.
    costs: Vec<u32>,
    /// Whether all values are kept until the run ends: it may be retried, and then ended tasks need
    /// them.
    keeps: bool,
    /// Whether plain tasks take the short path as long as the machine allows it.
    plain: bool,
    /// Derives notifications from entries, if the DAG has callbacks.
    pub(super) callback_projection: Option<CallbackProjection>,
    /// How many entries earlier processes of the run have recorded.
    pub(super) entries_before: u64,
    /// Notifications of a run without a callback dispatcher, which its driver delivers.
    pub(crate) outbox: Vec<PendingCallback>,
    /// The events of its tasks, for the driver of a simulation.
    pub(crate) emitted: Option<Vec<Emission>>,
}

/// The remains of a run.
pub(crate) struct Finished {
    pub(crate) machine: Machine,
    pub(crate) result: Option<AnyValue>,
    /// The number of the last entry; 0 without a journal.
    pub(crate) entry: u64,
    /// The notifications that callbacks could not deliver.
    pub(crate) callback_failures: Vec<CallbackFailure>,
}

impl Run {
    pub(crate) fn new(shared: Arc<RunShared>, machine: Machine, params: Vec<AnyValue>) -> Self {
        let mut values = Values::new(&shared.plan, params);
        let mut unused = Vec::new();
        values.grow(machine.layout());
        let keeps = shared.plan.options().retries.unwrap_or(0) > 0;
        if !keeps && !machine.is_all_open() {
            for task in machine.layout().tasks().filter(|&task| machine.task_state(task) == TaskState::Removed) {
                values.release(machine.layout(), task, &mut unused);
            }
        }
        let costs = vec![0; shared.plan.defs().len()];
        let callback_projection =
            CallbackProjection::new(&shared.plan, &shared.info).filter(|_| !shared.without_callbacks);
        let plain = !keeps && !shared.has_products && shared.recorder.is_none() && callback_projection.is_none();
        Run {
            shared,
            machine,
            values,
            attempts: HashMap::new(),
            observers: Observers::default(),
            entries_before: 0,
            finish: None,
            engine: None,
            held: Held::default(),
            lingering: Lingering::default(),
            costs,
            keeps,
            plain,
            callback_projection,
            outbox: Vec::new(),
            emitted: None,
        }
    }

    /// Takes over the state of a run that is resumed; without one, of a run that begins.
    pub(crate) fn take_up(&mut self, restored: Restored, pending: Vec<PendingCallback>) {
        let mut unused = Vec::new();
        self.entries_before = restored.entries;
        if self.shared.recorder.is_some() {
            self.held.in_flight.clone_from(&restored.in_flight);
            self.held.suspects.clone_from(&restored.suspects);
        }
        if let Some(callback_projection) = &mut self.callback_projection {
            callback_projection.restore(&restored, &self.machine);
        }
        pending.into_iter().for_each(|pending| self.send(pending));
        self.shared.children.take_over(&restored.task_state, &self.shared.plan, self.shared.config.as_ref());
        self.shared.notes.restore(restored.notes, restored.task_state);
        let ends = |state: TaskState| state.is_terminal() && state != TaskState::Removed;
        let known = restored.tasks.iter().map(|known| known.task);
        let ended: Vec<TaskIndex> = known.filter(|&task| ends(self.machine.task_state(task))).collect();
        self.take_param_as_result();
        let result = self.shared.plan.result().and_then(Source::as_task).map(NodeIndex::task);
        for known in restored.tasks {
            if let RestoredState::Success(Some(value)) = known.state {
                if result == Some(known.task) {
                    self.restore_result(&value);
                }
                self.values.put(known.task, value, &mut unused);
            }
        }
        // Outer lists before inner ones, which are their elements; and before their producers
        // release them.
        restored.expansions.iter().for_each(|&(expand, _)| self.values.restore_list(self.machine.layout(), expand));
        let lets_go = |task: &TaskIndex| !self.keeps && !self.machine.keeps_inputs(*task);
        let ended = ended.into_iter().filter(lets_go);
        ended.for_each(|task| self.values.release(self.machine.layout(), task, &mut unused));
    }

    /// Takes a parameter that the DAG returns for its result.
    fn take_param_as_result(&mut self) {
        let param = self.shared.plan.result().and_then(Source::as_param);
        if let Some(value) = param.and_then(|param| self.shared.params.get(param as usize)).cloned() {
            self.restore_result(&value);
        }
    }

    /// Takes over the result of the DAG from an earlier process. A value that was stored once can
    /// be stored again, so an error is one of the disk, which the next entry meets as well.
    fn restore_result(&mut self, value: &AnyValue) {
        let result = report::returned(&self.shared.plan, value.clone());
        self.held.result = result.and_then(|result| self.shared.encoded_result(&result)).ok().flatten();
    }

    /// Whether a task starts as soon as it is ready and has its slot.
    #[inline]
    pub(super) fn starts_at_once(&self) -> bool {
        let has_short_path = self.plain && self.machine.has_short_path();
        // The tasks with a short path may be beside others, whose processes linger.
        (has_short_path || self.holds_nothing_back()) && self.lingering.is_empty()
    }

    /// Whether it neither drains nor waits for entries to be stored.
    fn holds_nothing_back(&self) -> bool {
        !self.machine.drains() && !self.holds() && self.held.in_flight.is_empty()
    }

    /// Starts an attempt of a task that has its slot.
    #[inline]
    pub(crate) fn permit(&mut self, task: TaskIndex, now: Timestamp, commands: &mut Vec<Command>) -> StartPermit {
        if self.plain
            && let Some(attempt) = self.machine.start_plain(task, now)
        {
            let mut permit = self.permit_plain(task, attempt);
            self.values.gather_plain(&self.machine, permit.node, &mut permit.gathered);
            return permit;
        }
        self.permit_any(task, now, commands)
    }

    /// As [`permit`](Run::permit), into the place of a permit that is used up: a permit is large,
    /// and would be moved more than once.
    #[inline(always)]
    pub(super) fn permit_in_place(
        &mut self,
        task: TaskIndex,
        now: Timestamp,
        commands: &mut Vec<Command>,
        place: &mut Option<StartPermit>,
    ) {
        if self.plain
            && let Some(attempt) = self.machine.start_plain(task, now)
        {
            let permit = match place {
                Some(used) if used.is_used_up() => {
                    self.refill(used, task, attempt);
                    used
                }
                _ => place.insert(self.permit_plain(task, attempt)),
            };
            self.values.gather_plain(&self.machine, permit.node, &mut permit.gathered);
        } else {
            *place = Some(self.permit_any(task, now, commands));
        }
    }

    /// As [`permit`](Run::permit), for a share: into one of these permits, which are used up.
    #[inline]
    pub(super) fn permit_of_share(
        &mut self,
        task: TaskIndex,
        now: Timestamp,
        commands: &mut Vec<Command>,
        used_up: &mut UsedUp,
    ) -> Box<StartPermit> {
        if self.plain
            && let Some(attempt) = self.machine.start_plain(task, now)
        {
            let mut permit = match used_up.take() {
                Some(mut used) => {
                    self.refill(&mut used, task, attempt);
                    used
                }
                None => Box::new(self.permit_plain(task, attempt)),
            };
            self.values.gather_plain(&self.machine, permit.node, &mut permit.gathered);
            return permit;
        }
        Box::new(self.permit_any(task, now, commands))
    }

    /// The permit of a plain task, whose attempt has started, without its inputs.
    #[inline]
    fn permit_plain(&self, task: TaskIndex, attempt: u32) -> StartPermit {
        let (node, expected, def) = self.known(task);
        StartPermit { task, node, attempt, expected, def, gathered: Gathered::default(), details: None }
    }

    /// Makes a permit that is used up that of a plain task, without its inputs.
    #[inline]
    fn refill(&self, used: &mut StartPermit, task: TaskIndex, attempt: u32) {
        let (node, expected, def) = self.known(task);
        (used.task, used.node, used.attempt, used.expected, used.def) = (task, node, attempt, expected, def);
    }

    /// What is known of a plain task: its node, the expected duration and the definition.
    #[inline]
    fn known(&self, task: TaskIndex) -> (NodeIndex, u32, &'static TaskDef) {
        // It is not a task of an element.
        let node = NodeIndex::new(task.as_u32());
        let place = self.shared.plan.def_index(node);
        (node, self.costs[place], self.shared.plan.defs()[place])
    }

    #[inline(never)]
    fn permit_any(&mut self, task: TaskIndex, now: Timestamp, commands: &mut Vec<Command>) -> StartPermit {
        let before = self.machine.attempt(task);
        self.held.urgent = !self.held.in_flight.is_empty() && self.held.in_flight.contains(&task);
        if self.is_reported() {
            self.step(Input::Started { task }, now, commands);
        } else {
            self.machine.start(task, now);
        }
        if self.machine.attempt(task) != before {
            self.forget_notes(task);
        }
        let layout = self.machine.layout();
        let node = layout.node(task);
        let id = layout.at(task).is_some().then(|| Arc::from(&*layout.id(task)));
        let def = self.shared.plan.def(node);
        let last = !self.keeps && self.machine.is_last_attempt(task);
        let gathered = self.values.gather(&self.machine, task, last);
        let lane = self.shared.plan.lane(node, !self.shared.in_process);
        let control = (def.takes_context || lane != Kind::Sync).then(Arc::default);
        if let Some(control) = &control {
            self.attempts.insert(task, Arc::clone(control));
        }
        let details = Details {
            id,
            uncounted_attempts: self.machine.uncounted_attempts(task),
            rounds: self.machine.rounds(task),
            control,
            wait_state: self.machine.wait_state(task, now),
        };
        StartPermit {
            task,
            node,
            attempt: self.machine.attempt(task),
            expected: if self.is_shareable(node) { self.cost(node) } else { 0 },
            def,
            gathered,
            details: Some(Box::new(details)),
        }
    }

    /// Closes an attempt. Returns `false`, without an effect, if it is not the running one.
    pub(crate) fn finish(&mut self, mut done: Done, commands: &mut Vec<Command>, unused: &mut Vec<AnyValue>) -> bool {
        self.finish_in_place(&mut done, commands, unused)
    }

    /// As [`finish`](Run::finish). Of a plain task, only the value leaves its place: what else
    /// there is to a result would be moved more than once.
    #[inline]
    pub(super) fn finish_in_place(
        &mut self,
        done: &mut Done,
        commands: &mut Vec<Command>,
        unused: &mut Vec<AnyValue>,
    ) -> bool {
        let Done { task, attempt, started, ended, outcome } = done;
        if let Outcome::Success(Returned { value, more: None }) = outcome
            && self.plain
            && self.machine.succeed_plain((*task, *attempt), *started, *ended, commands)
        {
            // It is not a task of an element.
            self.learn(NodeIndex::new(task.as_u32()), *started, *ended);
            self.values.put(*task, std::mem::replace(value, AnyValue::new(())), unused);
            return true;
        }
        self.finish_any(done, commands, unused)
    }

    #[inline(never)]
    fn finish_any(&mut self, done: &mut Done, commands: &mut Vec<Command>, unused: &mut Vec<AnyValue>) -> bool {
        if !self.machine.is_running(done.task, done.attempt) {
            unused.extend(done.take().into_value());
            return false;
        }
        let Done { task, attempt, started, ended, outcome } = done.take();
        if !self.attempts.is_empty() {
            self.attempts.remove(&task);
        }
        self.learn(self.machine.layout().node(task), started, ended);
        let noted = self.take_notes(task, attempt);
        let mut attached = Attached::default();
        let outcome = outcome.map(|returned| {
            self.values.put(task, returned.value, unused);
            let More { stored, elements, emits } = returned.more.map_or_else(More::default, |more| *more);
            attached = Attached { value: stored, emissions: noted };
            if let Some(emits) = emits {
                attached.emissions.extend(emits.produced);
                self.held.result = emits.result.or(self.held.result.take());
            }
            elements
        });
        if let Some(emitted) = &mut self.emitted {
            emitted.extend(attached.emissions.iter().cloned());
        }
        let input = Input::Finished { task, attempt, started, outcome };
        self.step_with(input, attached, ended, commands);
        true
    }

    /// A task will not run (again): releases its inputs.
    pub(crate) fn settled(&mut self, task: TaskIndex, unused: &mut Vec<AnyValue>) {
        let took_its_inputs = self.machine.attempt(task) > 0 && self.machine.is_last_attempt(task);
        if !took_its_inputs && !self.keeps {
            self.values.release(self.machine.layout(), task, unused);
        }
    }

    pub(crate) fn step(&mut self, input: Input, now: Timestamp, commands: &mut Vec<Command>) {
        self.step_with(input, Attached::default(), now, commands);
    }

    /// Sends the report, after the observers have seen all events. Not under the lock.
    pub(crate) fn conclude(mut self) {
        let recorder = self.shared.recorder.clone();
        let over = move || recorder.iter().for_each(|recorder| recorder.over());
        // The thread that ends the run early does so as well, perhaps later than this.
        if self.machine.ends_as().is_some_and(|state| state != RunState::Interrupted) {
            self.shared.end_children();
        }
        self.shared.children.clear();
        self.shared.notes.clear();
        let result = self.values.result(&self.shared.plan);
        let mut finished =
            Finished { entry: self.last_entry(), machine: self.machine, result, callback_failures: Vec::new() };
        for value in self.values.into_rest() {
            drop_quietly(value);
        }
        let (waiting, observers) = (self.finish.take(), std::mem::take(&mut self.observers));
        let shared = Arc::clone(&self.shared);
        let end: Box<dyn FnOnce() + Send> = Box::new(move || {
            over();
            // The receiver of the report may be `main`, after which nothing is dropped.
            shared.scratch.clear();
            if let Some(callback_dispatcher) = &shared.callback_dispatcher {
                finished.callback_failures = callback_dispatcher.failures();
            }
            if let Some(waiting) = waiting {
                observers.finish(LastReport::new(waiting, finished));
            }
        });
        let shared = Arc::clone(&self.shared);
        // What it has started on executors ends before the report is sent.
        self.shared.sessions.close_and(self.shared.runtime.as_ref(), move || match &shared.callback_dispatcher {
            // The report is sent after the notifications are delivered or have failed.
            Some(callback_dispatcher) => callback_dispatcher.last(end),
            None => end(),
        });
    }

    /// The expected duration of a task of the definition of this node, in nanoseconds; 0 if
    /// unknown.
    fn cost(&self, node: NodeIndex) -> u32 {
        self.costs[self.shared.plan.def_index(node)]
    }

    #[inline]
    fn learn(&mut self, node: NodeIndex, started: Timestamp, ended: Timestamp) {
        let took = ended.nanos_since(started).clamp(1, u64::from(u32::MAX)) as u32;
        let cost = &mut self.costs[self.shared.plan.def_index(node)];
        // Adapts at once to longer tasks and slowly to shorter ones.
        *cost = if *cost == 0 || took > *cost { took } else { *cost - (*cost - took) / 8 };
    }

    /// Whether a worker may take a task of this node together with others: its start need not be
    /// exact.
    fn is_shareable(&self, node: NodeIndex) -> bool {
        let plan = &self.shared.plan;
        let (def, options) = (plan.def(node), plan.node_options(node));
        !def.takes_context
            && options.timeout.is_none()
            && options.total_timeout.is_none()
            && options.waiting == Waiting::Never
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Run({})", self.shared.info.run_id)
    }
}
