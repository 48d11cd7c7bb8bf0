//! One run inside the engine: its machine, its values, its attempts, its clock.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, OnceLock, Weak, mpsc};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::attempt::{Done, StartPermit};
use super::children::Children;
use super::engine::{Engine, WeakEngine};
use super::engine_state::Shared;
use super::notes::Notes;
use super::observer::Observer;
use super::recorder::Recorder;
use super::sessions::Sessions;
use super::values::Values;
use crate::base::{Quietly, Timestamp, drop_quietly};
use crate::callback::{CallbackDispatcher, CallbackProjection, PendingCallback};
use crate::config::Config;
use crate::dag::Plan;
use crate::machine::{Command, Input, Machine, Outcome, RunKey};
use crate::run::{Event, Restored, RestoredState, RunInfo, RunState, Stored, TaskState};
use crate::task::{AttemptControl, Executor, Kind, Scratch, Waiting};
use crate::value::AnyValue;

/// What every thread that works for a run needs of it.
#[derive(Debug)]
pub(crate) struct RunShared {
    pub(crate) plan: Arc<Plan>,
    pub(crate) info: Arc<RunInfo>,
    /// For tasks that ask for a parameter by name.
    pub(crate) params: Quietly<AnyValue>,
    pub(crate) clock: Clock,
    /// Where its async and blocking tasks run; plans without such tasks have none.
    pub(crate) runtime: Option<Handle>,
    /// Who takes down what happens, if anybody does.
    pub(crate) recorder: Option<Arc<dyn Recorder>>,
    /// Whether isolated tasks and those on executors run in this process as well.
    pub(crate) in_process: bool,
    /// What its tasks ask for variables, connections and secrets; that of the process without one.
    pub(crate) config: Option<Config>,
    /// Who tells its callbacks, on a thread of its own. Simulated runs have none.
    pub(crate) callback_dispatcher: Option<CallbackDispatcher>,
    /// What attempts leave beside their values.
    pub(crate) notes: Notes,
    /// The directory for files of a run that is not stored in one.
    pub(crate) scratch: Scratch,
    /// Where the engine has it; nowhere for one that is simulated.
    pub(crate) engine_ref: OnceLock<EngineRef>,
    /// The runs that tasks have triggered and wait for.
    pub(crate) children: Children,
    /// The executors that its attempts have used.
    pub(crate) sessions: Sessions,
}

/// Where an engine has a run.
#[derive(Clone)]
pub(crate) struct EngineRef {
    pub(crate) hub: Weak<Shared>,
    pub(crate) key: RunKey,
    /// Not to be kept alive by what a run leaves behind.
    pub(crate) engine: WeakEngine,
}

/// Wall-clock time that never goes back: the wall clock is read once, the rest is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    base: Timestamp,
    origin: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Clock { base: Timestamp::now(), origin: Instant::now() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.base + self.origin.elapsed()
    }
}

/// A run under way.
pub(crate) struct Run {
    pub(crate) shared: Arc<RunShared>,
    pub(crate) machine: Machine,
    pub(crate) values: Values,
    /// Running attempts that can be told something.
    pub(crate) attempts: HashMap<u32, Arc<AttemptControl>>,
    pub(crate) observer: Option<mpsc::Sender<Message>>,
    pub(crate) finish: Option<oneshot::Sender<Finished>>,
    /// Keeps the threads of the engine for as long as the run goes on, also when nobody holds a handle.
    pub(crate) engine: Option<Engine>,
    /// What waits until everything before it is stored.
    pub(crate) held: Held,
    /// What a task of each definition takes, in nanoseconds; 0 before the first has ended.
    costs: Vec<u32>,
    /// All values stay until the run ends: it may be tried again, and then tasks that have ended want them.
    keeps: bool,
    /// Who says what is to be told, if anybody wants to be told anything.
    callback_projection: Option<CallbackProjection>,
    /// What is to be told, for whoever drives a run without a callback_dispatcher.
    pub(crate) outbox: Vec<PendingCallback>,
}

/// What waits until everything before it is stored.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// The number of the last entry recorded.
    pub(crate) recorded: u64,
    /// Ready tasks, each with the entry it waits for.
    pub(crate) ready: VecDeque<(u64, u32)>,
    /// The end of the run.
    pub(crate) end: Option<u64>,
    /// What is to be told, each with the entry that says so.
    pub(crate) pending: VecDeque<(u64, PendingCallback)>,
    /// Attempts that wait until what they keep for themselves is stored.
    pub(super) task_states: VecDeque<(u64, oneshot::Sender<()>)>,
    /// Nothing more can be stored, and nobody waits for it.
    pub(crate) given_up: bool,
}

/// What goes to the thread of an observer.
pub(crate) enum Message {
    Event(Event),
    /// The last one: the run is over, and everything before has been seen.
    Finish(oneshot::Sender<Finished>, Box<Finished>),
}

/// The remains of a run.
pub(crate) struct Finished {
    pub(crate) machine: Machine,
    pub(crate) result: Option<AnyValue>,
}

impl RunShared {
    /// Tells the engine that a task has left a link.
    pub(crate) fn look_at_links(&self) {
        let Some((hub, key)) = self.place() else { return };
        hub.take_links(key, &self.info.run_id);
    }

    /// Tells the engine that an attempt keeps something for itself, and waits until that is stored. Whether it is.
    pub(crate) async fn store_task_state(&self, task: u32, attempt: u32) -> bool {
        // A simulated run takes it as soon as the function gives way.
        let Some((hub, key)) = self.place() else { return self.engine_ref.get().is_none() };
        let (sender, stored) = oneshot::channel();
        hub.store_task_state(key, &self.info.run_id, (task, attempt), sender);
        drop(hub);
        stored.await.is_ok()
    }

    /// The executor that a node runs on, if that is not this process.
    pub(crate) fn executor(&self, node: u32) -> Option<Executor> {
        self.plan.executor(node, !self.in_process)
    }

    /// Ends the runs that it waits for, because it ends early. Not under the lock of the engine.
    pub(crate) fn end_children(&self) {
        self.children.cancel(&format!("`{}`, which waits for it, was ended", self.info.run_id));
    }

    /// Tells the run something from outside.
    pub(crate) fn tell(&self, input: Input) {
        let Some((hub, key)) = self.place() else { return };
        hub.tell(key, &self.info.run_id, input);
    }

    /// The engine that runs it, as long as it does.
    pub(crate) fn engine(&self) -> Option<Engine> {
        self.engine_ref.get()?.engine.upgrade()
    }

    fn place(&self) -> Option<(Arc<Shared>, RunKey)> {
        let engine_ref = self.engine_ref.get()?;
        Some((engine_ref.hub.upgrade()?, engine_ref.key))
    }
}

impl std::fmt::Debug for EngineRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EngineRef({:?})", self.key)
    }
}

impl Run {
    pub(crate) fn new(shared: Arc<RunShared>, machine: Machine, params: Vec<AnyValue>) -> Self {
        let mut values = Values::new(&shared.plan, params);
        let mut unused = Vec::new();
        values.grow(machine.layout());
        let keeps = shared.plan.options().retries.unwrap_or(0) > 0;
        for task in machine.layout().tasks() {
            if machine.task_state(task) == TaskState::Removed && !keeps {
                values.release(machine.layout(), task, &mut unused);
            }
        }
        let costs = vec![0; shared.plan.defs().len()];
        let callback_projection = CallbackProjection::new(&shared.plan, &shared.info);
        Run {
            shared,
            machine,
            values,
            attempts: HashMap::new(),
            observer: None,
            finish: None,
            engine: None,
            held: Held::default(),
            costs,
            keeps,
            callback_projection,
            outbox: Vec::new(),
        }
    }

    /// Takes the values of tasks that ended in an earlier part of the run.
    pub(crate) fn take_up(&mut self, restored: Restored, pending: Vec<PendingCallback>) {
        let mut unused = Vec::new();
        if let Some(callback_projection) = &mut self.callback_projection {
            callback_projection.restore(&restored, &self.machine);
        }
        pending.into_iter().for_each(|pending| self.send(pending));
        self.shared.children.take_over(&restored.task_state, &self.shared.plan, self.shared.config.as_ref());
        self.shared.notes.restore(restored.notes, restored.task_state);
        let ends = |state: TaskState| state.is_terminal() && state != TaskState::Removed;
        let known = restored.tasks.iter().map(|known| known.task);
        let ended: Vec<u32> = known.filter(|&task| ends(self.machine.task_state(task))).collect();
        for known in restored.tasks {
            if let RestoredState::Success(Some(value)) = known.state {
                self.values.put(known.task, value, &mut unused);
            }
        }
        // An outer list before the inner ones that are its elements; and before those that made them let go of them.
        restored.expansions.iter().for_each(|&(expand, _)| self.values.restore_list(self.machine.layout(), expand));
        let lets_go = |task: &u32| !self.keeps && !self.machine.keeps_inputs(*task);
        let ended = ended.into_iter().filter(lets_go);
        ended.for_each(|task| self.values.release(self.machine.layout(), task, &mut unused));
    }

    /// Starts an attempt of a task that has its slot.
    pub(crate) fn grant(&mut self, task: u32, now: Timestamp, commands: &mut Vec<Command>) -> StartPermit {
        let before = self.machine.attempt(task);
        self.step(Input::Started { task }, now, commands);
        if self.machine.attempt(task) != before {
            self.forget_notes(task);
        }
        let layout = self.machine.layout();
        let node = layout.node(task);
        let id = (node != task).then(|| Arc::from(&*layout.id(task)));
        let def = self.shared.plan.def(node);
        let last = !self.keeps && self.machine.is_last_attempt(task);
        let gathered = self.values.gather(&self.machine, task, last);
        let lane = self.shared.plan.lane(node, !self.shared.in_process);
        let control = (def.takes_context || lane != Kind::Sync).then(Arc::default);
        if let Some(control) = &control {
            self.attempts.insert(task, Arc::clone(control));
        }
        let short = self.is_shareable(task);
        let (attempt, max_attempts) = (self.machine.attempt(task), self.machine.max_attempts(task));
        let rounds = self.machine.rounds(task);
        let wait_state = self.machine.wait_state(task, now).map(Box::new);
        StartPermit { task, node, id, attempt, max_attempts, rounds, def, gathered, control, short, wait_state }
    }

    /// Closes an attempt, unless it is not the one that runs: then nothing changes and the answer is `false`.
    pub(crate) fn finish(&mut self, done: Done, commands: &mut Vec<Command>, unused: &mut Vec<AnyValue>) -> bool {
        let Done { task, attempt, started, ended, outcome, value, stored } = done;
        if !self.machine.is_running(task, attempt) {
            unused.extend(value);
            return false;
        }
        if !self.attempts.is_empty() {
            self.attempts.remove(&task);
        }
        self.learn(task, started, ended);
        self.take_notes(task, attempt);
        let length = value.as_ref().and_then(|value| self.length(task, value));
        if let Some(value) = value {
            self.values.put(task, value, unused);
        }
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let outcome = match (outcome, length) {
            (Outcome::Success, Some(length)) => Outcome::Expanded { count: count(length), labels: None },
            (Outcome::Labelled(labels), Some(length)) => {
                Outcome::Expanded { count: count(length), labels: Some(labels) }
            }
            (outcome, _) => outcome,
        };
        let input = Input::Finished { task, attempt, started, outcome };
        self.step_with(input, stored.map(|stored| *stored), ended, commands);
        true
    }

    /// How many elements a list has, if the task is an expand node.
    fn length(&self, task: u32, value: &AnyValue) -> Option<usize> {
        if self.shared.plan.mappings().is_empty() {
            return None;
        }
        let mapping = self.shared.plan.place(self.machine.layout().node(task)).expands?;
        Some((self.shared.plan.mappings()[mapping as usize].split.len)(value))
    }

    /// A task will not run (again): its inputs can go.
    pub(crate) fn settled(&mut self, task: u32, unused: &mut Vec<AnyValue>) {
        let took_its_inputs = self.machine.attempt(task) > 0 && self.machine.is_last_attempt(task);
        if !took_its_inputs && !self.keeps {
            self.values.release(self.machine.layout(), task, unused);
        }
    }

    pub(crate) fn step(&mut self, input: Input, now: Timestamp, commands: &mut Vec<Command>) {
        self.step_with(input, None, now, commands);
    }

    fn step_with(&mut self, input: Input, value: Option<Stored>, now: Timestamp, commands: &mut Vec<Command>) {
        self.machine.step(input, now, commands);
        self.values.grow(self.machine.layout());
        let pending = self.project_callbacks();
        if let Some(recorder) = &self.shared.recorder {
            let entries = self.machine.entries();
            if self.held.given_up {
                entries.clear();
            } else if !entries.is_empty() {
                let waits = |command: &Command| match command {
                    Command::Ready(_) => recorder.is_strict(),
                    Command::Ended(_) => true,
                    _ => false,
                };
                self.held.recorded = recorder.record(entries, value, commands.iter().any(waits));
                self.held.pending.extend(pending.into_iter().map(|pending| (self.held.recorded, pending)));
            }
        } else if !pending.is_empty() {
            pending.into_iter().for_each(|pending| self.send(pending));
        }
        if let Some(observer) = &self.observer {
            for event in self.machine.take_events() {
                // An observer that panicked is gone; the run goes on without it.
                let _ = observer.send(Message::Event(event));
            }
        }
    }

    /// What is to be told of the entries that there are now. Without a journal they were made for this alone.
    fn project_callbacks(&mut self) -> Vec<PendingCallback> {
        let Some(callback_projection) = &mut self.callback_projection else { return Vec::new() };
        let entries = std::mem::take(self.machine.entries());
        let layout = self.machine.layout();
        let pending =
            entries.iter().filter_map(|(at, entry)| callback_projection.observe(*at, entry, layout)).collect();
        if self.shared.recorder.is_some() {
            *self.machine.entries() = entries;
        }
        pending
    }

    /// Hands something over that is to be told.
    pub(crate) fn send(&mut self, pending: PendingCallback) {
        match &self.shared.callback_dispatcher {
            Some(callback_dispatcher) => callback_dispatcher.send(pending),
            None => self.outbox.push(pending),
        }
    }

    /// Everything up to this entry is stored: what is to be told of it can be.
    pub(crate) fn send_stored(&mut self, entry: u64) {
        while let Some(&(waits_for, _)) = self.held.pending.front()
            && waits_for <= entry
        {
            let pending = self.held.pending.pop_front();
            pending.into_iter().for_each(|(_, pending)| self.send(pending));
        }
        while let Some(&(waits_for, _)) = self.held.task_states.front()
            && waits_for <= entry
        {
            let Some((_, stored)) = self.held.task_states.pop_front() else { break };
            // Whoever asked may have gone meanwhile.
            let _ = stored.send(());
        }
    }

    /// Whether a ready task has to wait until everything before it is stored.
    pub(crate) fn holds(&self) -> bool {
        !self.held.given_up && self.shared.recorder.as_ref().is_some_and(|recorder| recorder.is_strict())
    }

    /// Hands the remains to whoever waits for them, after the observer has seen everything.
    pub(crate) fn conclude(mut self) {
        let recorder = self.shared.recorder.clone();
        let over = move || recorder.iter().for_each(|recorder| recorder.over());
        // Whoever ends the run early does so as well, and may come to it later than this.
        if self.machine.ends_as().is_some_and(|state| state != RunState::Interrupted) {
            self.shared.end_children();
        }
        self.shared.children.clear();
        self.shared.notes.clear();
        let result = self.values.result(&self.shared.plan);
        let finished = Finished { machine: self.machine, result };
        for value in self.values.into_rest() {
            drop_quietly(value);
        }
        let (waiting, observer) = (self.finish.take(), self.observer.take());
        let shared = Arc::clone(&self.shared);
        let end: Box<dyn FnOnce() + Send> = Box::new(move || {
            over();
            // Whoever hears of the end may be `main`, behind which nothing is dropped any more.
            shared.scratch.clear();
            if let Some(waiting) = waiting {
                report(waiting, observer, finished);
            }
        });
        let shared = Arc::clone(&self.shared);
        // What it has started elsewhere has ended before anybody hears of its end.
        self.shared.sessions.close_and(self.shared.runtime.as_ref(), move || match &shared.callback_dispatcher {
            // The report comes when everybody was told, or could not be.
            Some(callback_dispatcher) => callback_dispatcher.last(end),
            None => end(),
        });
    }

    /// What a task of this definition is expected to take, in nanoseconds; 0 when unknown.
    pub(crate) fn cost(&self, task: u32) -> u32 {
        self.costs[self.shared.plan.def_index(self.machine.layout().node(task))]
    }

    fn learn(&mut self, task: u32, started: Timestamp, ended: Timestamp) {
        let took = u32::try_from(ended.since(started).as_nanos()).unwrap_or(u32::MAX).max(1);
        let cost = &mut self.costs[self.shared.plan.def_index(self.machine.layout().node(task))];
        // Quick to see that tasks have become long, slow to believe that they have become short.
        *cost = if *cost == 0 || took > *cost { took } else { *cost - (*cost - took) / 8 };
    }

    /// Whether a worker may take the task together with others: it is known to be short, and needs no exact start.
    pub(crate) fn is_shareable(&self, task: u32) -> bool {
        const SHORT: u32 = 50_000;
        let plan = &self.shared.plan;
        let node = self.machine.layout().node(task);
        let cost = self.cost(task);
        let (def, options) = (plan.def(node), plan.node_options(node));
        let plain = !def.takes_context && options.timeout.is_none() && options.waiting == Waiting::Never;
        cost > 0 && cost < SHORT && plain
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Run({})", self.shared.info.run_id)
    }
}

/// Hands the remains of a run to whoever waits for them, after the observer has seen everything.
fn report(waiting: oneshot::Sender<Finished>, observer: Option<mpsc::Sender<Message>>, finished: Finished) {
    let unread = match observer {
        Some(observer) => match observer.send(Message::Finish(waiting, Box::new(finished))) {
            // The observer is gone.
            Err(mpsc::SendError(Message::Finish(waiting, finished))) => waiting.send(*finished).err(),
            Err(_) | Ok(()) => None,
        },
        None => waiting.send(finished).err(),
    };
    if let Some(Finished { result: Some(result), .. }) = unread {
        drop_quietly(result);
    }
}

/// Starts the thread of an observer.
pub(crate) fn observe(mut observer: Box<dyn Observer>) -> std::io::Result<mpsc::Sender<Message>> {
    let (sender, messages) = mpsc::channel();
    std::thread::Builder::new().name("taskflow-observer".to_owned()).spawn(move || {
        for message in messages {
            match message {
                Message::Event(event) => {
                    let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| observer.on_event(&event)));
                    if seen.is_err() {
                        // The hook has reported the panic; a broken observer must not swallow the end of the run.
                        observer = Box::new(|_: &Event| {});
                    }
                }
                Message::Finish(waiting, finished) => {
                    if let Err(Finished { result: Some(result), .. }) = waiting.send(*finished) {
                        drop_quietly(result);
                    }
                    return;
                }
            }
        }
    })?;
    Ok(sender)
}
