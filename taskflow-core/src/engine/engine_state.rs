//! Everything the threads of an engine share, and what they do to it.
//!
//! There is one lock, around the [`EngineState`]: all runs, their machines and values, and the dispatcher. It is held for
//! bookkeeping only; user code never runs under it, and neither does anything that can wait.
//!
//! 1. Whoever comes with results (a worker, a finished async task, the timekeeper) takes the lock, [`apply`](EngineState::apply)s
//!    them, takes what can start, and leaves. What must happen outside the lock is collected in [`Effects`].
//! 2. Ready sync tasks are taken by worker threads. A worker takes a *share*: one task, or several of a kind that has
//!    proven short, and runs it without coming back. Its share lies under a lock of its own, which is only ever taken
//!    for a moment, after that of the hub or alone.
//! 3. A share must not hide work. A worker about to sleep first takes back from others what they have not started and
//!    what they have finished but not reported; a worker that sees somebody sleep reports between two tasks; and the
//!    timekeeper looks every millisecond for a task in a share that turned out long, and takes back what lies around it.
//! 4. Ready async and blocking tasks are launched by whoever holds the lock when there is room for them.
//! 5. A worker inside a sync task that was given up (its time was over) cannot be stopped. It counts as lost, another
//!    thread takes its place, and when it comes back its result is refused and it ends.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

use super::attempt::{Done, StartPermit};
use super::effects::Effects;
use super::recorder::Commits;
use super::run::{EngineRef, Run, RunShared};
use super::share::{Of, Slot, lock};
use crate::base::{Failure, Timestamp};
use crate::machine::{Command, Dispatcher, Input, Lane, RunKey};
use crate::run::RunState;
use crate::task::Kind;

/// What the threads of an engine share.
pub(crate) struct Shared {
    hub: Mutex<EngineState>,
    /// Workers sleep here.
    pub(super) work: Condvar,
    /// The timekeeper sleeps here.
    pub(super) tick: Condvar,
    /// How many workers sleep: read without the lock.
    pub(super) sleeping: AtomicUsize,
    pub(super) workers: usize,
}

/// Under the lock.
pub(crate) struct EngineState {
    pub(super) dispatcher: Dispatcher,
    pub(super) runs: Vec<Option<Run>>,
    /// The workers, by their numbers.
    pub(super) slots: Vec<Option<Slot>>,
    /// Tasks and results taken back from a share.
    pub(super) reclaimed: VecDeque<(RunKey, Arc<RunShared>, StartPermit)>,
    /// How many workers there may be, how many there are, how many of them have work.
    pub(super) workers: usize,
    pub(super) threads: usize,
    pub(super) working: usize,
    pub(super) lost: usize,
    pub(super) timekeeper: Timekeeper,
    /// Whether shares are in use that the timekeeper has to look at.
    pub(super) watching: bool,
    pub(super) shutdown: bool,
    /// A journal cannot keep up: nothing starts until it has.
    pub(super) congested: bool,
    pub(super) commands: Vec<Command>,
}

/// What the timekeeper is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timekeeper {
    /// There is none yet.
    Absent,
    /// It is about to look at the hub.
    Awake,
    /// It sleeps until then, or until it is called.
    Asleep(Option<Instant>),
}

impl Shared {
    pub(super) fn new(dispatcher: Dispatcher, workers: usize) -> Self {
        let hub = EngineState {
            dispatcher,
            runs: Vec::new(),
            slots: Vec::new(),
            reclaimed: VecDeque::new(),
            workers,
            threads: 0,
            working: 0,
            lost: 0,
            timekeeper: Timekeeper::Absent,
            watching: false,
            shutdown: false,
            congested: false,
            commands: Vec::new(),
        };
        Shared {
            hub: Mutex::new(hub),
            work: Condvar::new(),
            tick: Condvar::new(),
            sleeping: AtomicUsize::new(0),
            workers,
        }
    }

    /// The hub. No user code runs under the lock, so it is never poisoned by a panic of one; if a bug of ours did, going
    /// on is better than hanging every run.
    pub(super) fn lock(&self) -> MutexGuard<'_, EngineState> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a run and starts what can start. One that was ending early when it stopped goes on ending, for that reason.
    pub(super) fn begin(self: &Arc<Self>, run: Run, limit: usize, halted: Option<(String, RunState)>) -> RunKey {
        let mut effects = Effects::default();
        let mut hub = self.lock();
        let key = hub.dispatcher.add_run(&run.shared.plan, limit, !run.shared.in_process);
        let place = key.0 as usize;
        if hub.runs.len() <= place {
            hub.runs.resize_with(place + 1, || None);
        }
        let now = run.shared.clock.now();
        if let Some(engine) = &run.engine {
            // A run begins once.
            let _ = run.shared.engine_ref.set(EngineRef { hub: Arc::downgrade(self), key, engine: engine.downgrade() });
        }
        if let Some(recorder) = &run.shared.recorder {
            recorder.attach(Commits::new(self, key, &run.shared));
        }
        hub.runs[place] = Some(run);
        hub.tell(key, Input::Start, now, &mut effects);
        if let Some((reason, state)) = halted {
            hub.tell(key, Input::Halt { reason, state }, now, &mut effects);
        }
        self.leave(hub, &mut effects);
        effects.carry_out(self);
        key
    }

    /// Tells the machine of a run something from outside.
    pub(super) fn tell(self: &Arc<Self>, key: RunKey, run_id: &str, input: Input) {
        let mut effects = Effects::default();
        let mut hub = self.lock();
        // A key is used again after a run has ended.
        if let Some(run) = hub.run(key)
            && run.shared.info.run_id == run_id
        {
            let now = run.shared.clock.now();
            hub.tell(key, input, now, &mut effects);
        }
        self.leave(hub, &mut effects);
        effects.carry_out(self);
    }

    /// Tasks of a run have left links.
    pub(super) fn take_links(&self, key: RunKey, run_id: &str) {
        let mut hub = self.lock();
        if let Some(run) = hub.run(key)
            && run.shared.info.run_id == run_id
        {
            run.take_early();
        }
    }

    /// An attempt of a run keeps something for itself.
    pub(super) fn store_task_state(&self, key: RunKey, run_id: &str, of: (u32, u32), stored: oneshot::Sender<()>) {
        let mut hub = self.lock();
        if let Some(run) = hub.run(key)
            && run.shared.info.run_id == run_id
            && run.machine.is_running(of.0, of.1)
        {
            run.store_task_state(stored);
        }
    }

    /// Reports an attempt that ended outside the workers.
    pub(super) fn report(self: &Arc<Self>, key: RunKey, run: &Arc<RunShared>, done: Done) {
        let mut effects = Effects::default();
        let mut hub = self.lock();
        hub.apply(key, run, done, true, &mut effects);
        self.leave(hub, &mut effects);
        effects.carry_out(self);
    }

    /// Launches what can be launched, wakes whom there is work for, and releases the lock.
    pub(super) fn leave(self: &Arc<Self>, mut hub: MutexGuard<'_, EngineState>, effects: &mut Effects) {
        hub.launch(effects);
        self.wake(hub);
    }

    /// Sees to it that somebody comes for the sync tasks that are ready, and that deadlines are kept; releases the lock.
    pub(super) fn wake(self: &Arc<Self>, mut hub: MutexGuard<'_, EngineState>) {
        let call = self.attend(&mut hub);
        // Whoever is called wants the lock first.
        drop(hub);
        if call {
            self.work.notify_one();
        }
    }

    /// As [`wake`](Shared::wake); the answer is whether a sleeping worker is to be called.
    pub(super) fn attend(self: &Arc<Self>, hub: &mut EngineState) -> bool {
        let mut call = false;
        if (!hub.congested && hub.dispatcher.has_sync()) || !hub.reclaimed.is_empty() {
            call = self.sleeping.load(Ordering::Relaxed) > 0;
            if !call && hub.threads < self.workers + hub.lost {
                super::worker::spawn(self, hub);
            }
        }
        super::timekeeper::attend(self, hub);
        call
    }
}

impl EngineState {
    pub(super) fn run(&mut self, key: RunKey) -> Option<&mut Run> {
        self.runs.get_mut(key.0 as usize)?.as_mut()
    }

    pub(super) fn run_keys(&self) -> impl Iterator<Item = RunKey> + use<> {
        let keys: Vec<RunKey> =
            (0..).zip(&self.runs).filter(|(_, run)| run.is_some()).map(|(place, _)| RunKey(place)).collect();
        keys.into_iter()
    }

    /// The earliest deadline of any run, and how far away it is.
    pub(super) fn until_deadline(&self) -> Option<std::time::Duration> {
        let runs = self.runs.iter().flatten();
        runs.filter_map(|run| Some(run.machine.next_deadline()?.since(run.shared.clock.now()))).min()
    }

    /// Closes an attempt. With `next`, what it made ready goes before what has waited.
    pub(super) fn apply(&mut self, key: RunKey, of: &Arc<RunShared>, done: Done, next: bool, effects: &mut Effects) {
        let mut commands = std::mem::take(&mut self.commands);
        let (task, now) = (done.task, done.ended);
        match self.runs.get_mut(key.0 as usize) {
            // The place of a run that has ended may have been taken by another.
            Some(Some(run)) if Arc::ptr_eq(&run.shared, of) => {
                if run.finish(done, &mut commands, &mut effects.unused) {
                    self.dispatcher.release(key, run.machine.layout(), task);
                }
            }
            _ => effects.unused.extend(done.into_value()),
        }
        self.execute(key, commands, next, now, effects);
    }

    /// As [`apply`](EngineState::apply), for a worker that has ended just this task: if that made exactly one task ready and
    /// nothing else waits, the worker goes on with it, without a turn through the queues.
    pub(super) fn follow_on(&mut self, me: usize, of: &Of, done: Done, effects: &mut Effects) -> Option<StartPermit> {
        let (key, shared) = of.as_ref()?;
        let (key, task, now) = (*key, done.task, done.ended);
        let mut commands = std::mem::take(&mut self.commands);
        let mut grant = None;
        match self.runs.get_mut(key.0 as usize) {
            Some(Some(run)) if Arc::ptr_eq(&run.shared, shared) => {
                if run.finish(done, &mut commands, &mut effects.unused) {
                    if let [Command::Settled(settled), Command::Ready(next)] = commands[..]
                        && self.reclaimed.is_empty()
                        && !run.holds()
                        && self.dispatcher.hand_over(key, run.machine.layout(), task, next)
                        && let Some(Some(slot)) = self.slots.get_mut(me)
                    {
                        run.settled(settled, &mut effects.unused);
                        commands.clear();
                        slot.single = Some(next);
                        grant = Some(run.grant(next, now, &mut commands));
                    } else {
                        self.dispatcher.release(key, run.machine.layout(), task);
                    }
                }
            }
            _ => effects.unused.extend(done.into_value()),
        }
        self.execute(key, commands, true, now, effects);
        grant
    }

    /// Tells the machine of a run something.
    pub(super) fn tell(&mut self, key: RunKey, input: Input, now: Timestamp, effects: &mut Effects) {
        let mut commands = std::mem::take(&mut self.commands);
        if let Some(run) = self.run(key) {
            run.step(input, now, &mut commands);
        }
        self.execute(key, commands, false, now, effects);
    }

    fn execute(
        &mut self,
        key: RunKey,
        mut commands: Vec<Command>,
        mut next: bool,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let mut halted = false;
        if commands.is_empty() {
            self.commands = commands;
            return;
        }
        for command in commands.drain(..) {
            let Some(Some(run)) = self.runs.get_mut(key.0 as usize) else { break };
            match command {
                Command::Ready(task) if run.holds() => run.held.ready.push_back((run.held.recorded, task)),
                Command::Ready(task) => {
                    self.dispatcher.push(key, run.machine.layout(), task, next);
                    next = false;
                }
                Command::Settled(task) => run.settled(task, &mut effects.unused),
                Command::Forget(task) => effects.unused.extend(run.values.forget(task)),
                Command::Abandon(task) => {
                    if let Some(control) = run.attempts.remove(&task) {
                        effects.cancels.push((control, true));
                    }
                    let shared = Arc::clone(&run.shared);
                    self.dispatcher.release(key, run.machine.layout(), task);
                    self.lose_worker(&shared, task);
                }
                Command::Halt => {
                    if run.machine.ends_as() != Some(RunState::Interrupted) {
                        effects.halted.push(Arc::clone(&run.shared));
                    }
                    run.held.ready.clear();
                    self.dispatcher.clear(key);
                    halted = true;
                }
                Command::Ended(_) if run.shared.recorder.is_some() && !run.held.given_up => {
                    run.held.end = Some(run.held.recorded);
                }
                Command::Ended(_) => self.end(key, effects),
            }
        }
        self.commands = commands;
        if halted {
            self.stop_attempts(key, now, effects);
        }
    }

    fn end(&mut self, key: RunKey, effects: &mut Effects) {
        self.dispatcher.remove_run(key);
        effects.over.extend(self.runs[key.0 as usize].take());
    }

    /// The entries of a run are stored up to this one: what waited for them goes on.
    pub(super) fn stored(&mut self, key: RunKey, of: &Arc<RunShared>, entry: u64, effects: &mut Effects) {
        let Some(Some(run)) = self.runs.get_mut(key.0 as usize) else { return };
        if !Arc::ptr_eq(&run.shared, of) {
            return;
        }
        while let Some(&(waits_for, task)) = run.held.ready.front()
            && waits_for <= entry
        {
            run.held.ready.pop_front();
            self.dispatcher.push(key, run.machine.layout(), task, false);
        }
        run.send_stored(entry);
        if run.held.end.is_some_and(|end| end <= entry) {
            self.end(key, effects);
        }
    }

    /// Nothing more of this run can be stored: it ends, as far as this process is concerned.
    pub(super) fn cannot_store(&mut self, key: RunKey, of: &Arc<RunShared>, reason: &str, effects: &mut Effects) {
        let Some(run) = self.run(key).filter(|run| Arc::ptr_eq(&run.shared, of)) else { return };
        if std::mem::replace(&mut run.held.given_up, true) {
            return;
        }
        run.held.task_states.clear();
        run.machine.interrupt(reason);
        if run.held.end.is_some() {
            return self.end(key, effects);
        }
        let now = of.clock.now();
        let (reason, state) = (reason.to_owned(), RunState::Interrupted);
        self.tell(key, Input::Halt { reason, state }, now, effects);
    }

    /// After a halt: asks running attempts to stop, and ends those that nobody can ask.
    fn stop_attempts(&mut self, key: RunKey, now: Timestamp, effects: &mut Effects) {
        let Some(run) = self.run(key) else { return };
        let shared = Arc::clone(&run.shared);
        let mut ended: Vec<(u32, u32)> = Vec::new();
        let first_refused = effects.refused.len();
        let spared = run.machine.spared();
        for (&task, control) in run.attempts.iter().filter(|&(task, _)| !spared.contains(task)) {
            let node = run.machine.layout().node(task);
            let def = shared.plan.def(node);
            // An async task without a context cannot listen: it is dropped at its next await.
            let isolated = def.isolation.is_some() && !shared.in_process;
            let elsewhere = isolated || shared.executor(node).is_some();
            let deaf = def.kind == Kind::Async && !def.takes_context && !elsewhere;
            effects.cancels.push((Arc::clone(control), deaf));
            if deaf {
                ended.push((task, run.machine.attempt(task)));
            }
        }
        for slot in self.slots.iter().flatten().filter(|slot| slot.works_for(&shared)) {
            let queue = &mut lock(&slot.share).queue;
            let (kept, refused) = queue.drain(..).partition(|grant| spared.contains(&grant.task));
            *queue = kept;
            effects.refused.extend::<VecDeque<StartPermit>>(refused);
        }
        let reclaimed = std::mem::take(&mut self.reclaimed);
        for (stray_key, of, grant) in reclaimed {
            if Arc::ptr_eq(&of, &shared) && !spared.contains(&grant.task) {
                effects.refused.push(grant);
            } else {
                self.reclaimed.push_back((stray_key, of, grant));
            }
        }
        ended.extend(effects.refused[first_refused..].iter().map(|grant| (grant.task, grant.attempt)));
        for (task, attempt) in ended {
            let failure = Failure::Cancelled { reason: "the run was stopped".to_owned() };
            let done = Done { task, attempt, started: now, ended: now, outcome: failure.into() };
            self.apply(key, &shared, done, false, effects);
        }
    }

    /// If a worker thread is inside this task, it is lost until it returns.
    fn lose_worker(&mut self, of: &Arc<RunShared>, task: u32) {
        for slot in self.slots.iter_mut().flatten().filter(|slot| slot.works_for(of)) {
            let current = slot.single.or_else(|| lock(&slot.share).current.map(|(task, _)| task));
            if current == Some(task) && !slot.lost {
                slot.lost = true;
                self.lost += 1;
            }
        }
    }

    /// Grants every async and blocking task that there is room for.
    pub(super) fn launch(&mut self, effects: &mut Effects) {
        let free_workers = (self.workers + self.lost).saturating_sub(self.working);
        while !self.congested
            && let Some((key, task)) = self.dispatcher.pop(Lane::Runtime, free_workers)
        {
            if let Some((shared, grant)) = self.grant(key, task) {
                effects.launches.push((key, shared, grant));
            }
        }
    }

    fn grant(&mut self, key: RunKey, task: u32) -> Option<(Arc<RunShared>, StartPermit)> {
        let mut commands = std::mem::take(&mut self.commands);
        let run = self.run(key)?;
        let now = run.shared.clock.now();
        let grant = run.grant(task, now, &mut commands);
        let shared = Arc::clone(&run.shared);
        // A start asks for nothing.
        debug_assert!(commands.is_empty());
        self.commands = commands;
        Some((shared, grant))
    }
}
