//! The state that the threads of an engine share.
//!
//! There is one lock, around the [`EngineState`]: all runs, their machines and values, and the
//! dispatcher. It is held for bookkeeping only. Neither user code nor anything that can wait runs
//! under it.
//!
//! 1. A thread with results (a worker, a finished async task, the timekeeper) takes the lock,
//!    [`apply`](EngineState::apply)s them, takes what can start, and releases the lock. What must
//!    happen outside the lock is collected in [`Effects`].
//! 2. Worker threads take ready sync tasks. A worker takes a *share*: one task, or several of a
//!    kind that has proven short, and runs them without returning in between. A share has a lock of
//!    its own, which is taken briefly, after that of the engine or alone. A worker whose single
//!    task made exactly one task ready, while no other waits, continues with that one.
//! 3. A task starts under the lock, also one that then waits in a share: its state is visible, its
//!    slots are counted, and its inputs leave the places of the values, which count their
//!    consumers. All that its call needs is in its permit then. Outside the lock, a worker reads
//!    only its permits, which are in no other hands, and what needs no lock ([`RunShared`]). A
//!    permit of a share stays where it was made: the queue and the worker that calls it pass on its
//!    box. Used up, the box is the place of a permit of the worker's next share.
//! 4. A share must not hide work. Before it sleeps, a worker takes back from others the tasks that
//!    they have not started and the results that they have not reported. While another worker
//!    sleeps, a worker reports between two tasks. The timekeeper checks every millisecond for a
//!    task in a share that turned out long, and takes back the others of that share.
//! 5. Ready async and blocking tasks are launched by the thread that holds the lock when there is
//!    room for them.
//! 6. A worker inside a sync task that was abandoned, such as after a timeout, cannot be stopped.
//!    It counts as lost, and another thread replaces it. When its task returns, the result is
//!    rejected and the thread ends.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

use super::attempt::{Done, StartPermit};
use super::blocking_calls::BlockingTask;
use super::effects::Effects;
use super::held::Unstarted;
use super::recorder::Commits;
use super::run::Run;
use super::run_shared::{EngineRef, RunShared};
use super::share::Slot;
use crate::base::Timestamp;
use crate::machine::{Command, Dispatcher, Input, Lane, RunKey};
use crate::run::{RunState, TaskIndex};

/// What the threads of an engine share.
pub(crate) struct Shared {
    state: Mutex<EngineState>,
    /// Workers sleep here.
    pub(super) work: Condvar,
    /// The timekeeper sleeps here.
    pub(super) tick: Condvar,
    /// How many workers sleep: read without the lock.
    pub(super) sleeping: AtomicUsize,
    pub(super) workers: usize,
    /// Async tasks that have blocked their threads.
    blocking: Mutex<Vec<BlockingTask>>,
}

/// Under the lock.
pub(crate) struct EngineState {
    pub(super) dispatcher: Dispatcher,
    pub(super) runs: Vec<Option<Run>>,
    /// The workers, by their numbers.
    pub(super) slots: Vec<Option<Slot>>,
    /// Tasks and results taken back from a share.
    pub(super) reclaimed: VecDeque<(RunKey, Arc<RunShared>, StartPermit)>,
    /// How many attempts have started and are not called before that is stored: a bound, which
    /// [`keeps_starts`](EngineState::keeps_starts) makes exact.
    pub(super) kept_starts: usize,
    /// The maximum number of workers, the number of threads, and how many of them have work.
    pub(super) workers: usize,
    pub(super) threads: usize,
    pub(super) working: usize,
    pub(super) lost: usize,
    pub(super) timekeeper: Timekeeper,
    /// Whether the timekeeper has to check shares.
    pub(super) watching: bool,
    pub(super) shutdown: bool,
    /// A journal cannot keep up: nothing starts until it has caught up.
    pub(super) congested: bool,
    /// The store that its pools are shared in.
    pub(super) pools_of: Option<usize>,
    /// Why the process leaves, once it does.
    pub(super) draining: Option<String>,
    pub(super) commands: Vec<Command>,
}

/// What the timekeeper is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timekeeper {
    /// Not started.
    Absent,
    /// About to take the lock.
    Awake,
    /// Asleep until then, or until it is notified.
    Asleep(Option<Instant>),
}

impl Shared {
    pub(super) fn new(dispatcher: Dispatcher, workers: usize) -> Self {
        let state = EngineState {
            dispatcher,
            runs: Vec::new(),
            slots: Vec::new(),
            reclaimed: VecDeque::new(),
            kept_starts: 0,
            workers,
            threads: 0,
            working: 0,
            lost: 0,
            timekeeper: Timekeeper::Absent,
            watching: false,
            shutdown: false,
            congested: false,
            pools_of: None,
            draining: None,
            commands: Vec::new(),
        };
        Shared {
            state: Mutex::new(state),
            work: Condvar::new(),
            tick: Condvar::new(),
            sleeping: AtomicUsize::new(0),
            workers,
            blocking: Mutex::default(),
        }
    }

    /// Async tasks that have blocked their threads. Never locked together with the state.
    pub(super) fn blocking(&self) -> MutexGuard<'_, Vec<BlockingTask>> {
        self.blocking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lock. No user code runs under it, so only a bug of the engine can poison it; then
    /// continuing is better than blocking every run.
    pub(super) fn lock(&self) -> MutexGuard<'_, EngineState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a run and starts what can start, unless the run has to wait for its admission. A run
    /// that was ending early when it was interrupted continues to end, for that reason.
    pub(super) fn begin(self: &Arc<Self>, mut run: Run, limit: usize, halted: Option<(String, RunState)>) -> RunKey {
        let mut effects = Effects::default();
        let mut state = self.lock();
        let key = state.dispatcher.add_run(&run.shared.plan, limit, !run.shared.in_process);
        state.dispatcher.suspect(key, std::mem::take(&mut run.held.suspects));
        let place = key.0 as usize;
        if state.runs.len() <= place {
            state.runs.resize_with(place + 1, || None);
        }
        let now = run.shared.clock.now();
        if let Some(engine) = &run.engine {
            // A run begins once.
            let _ =
                run.shared.engine_ref.set(EngineRef { state: Arc::downgrade(self), key, engine: engine.downgrade() });
        }
        run.held.unstarted = Some(Unstarted { halted });
        let mut waits = false;
        if let Some(recorder) = &run.shared.recorder {
            if recorder.waits().is_some() {
                waits = true;
                run.machine.wait_to_start(now);
            }
            if let Some(store) = recorder.pools_of() {
                state.share_pools(store);
            }
            recorder.attach(Commits::new(self, key, &run.shared));
        }
        state.runs[place] = Some(run);
        if !waits {
            state.start(key, now, &mut effects);
        }
        if let Some(reason) = state.draining.clone() {
            state.drain(key, &reason, now, &mut effects);
        }
        self.leave(state, &mut effects);
        effects.carry_out(self);
        key
    }

    /// Drains every run.
    pub(super) fn drain(self: &Arc<Self>, reason: &str) {
        let mut effects = Effects::default();
        let mut state = self.lock();
        state.draining.get_or_insert_with(|| reason.to_owned());
        for key in state.run_keys() {
            let now = state.run(key).map(|run| run.shared.clock.now());
            if let Some(now) = now {
                state.drain(key, reason, now, &mut effects);
            }
        }
        self.leave(state, &mut effects);
        effects.carry_out(self);
    }

    /// Whether it drains.
    pub(super) fn drains(&self) -> bool {
        self.lock().draining.is_some()
    }

    /// Sends an input to a run, unless it has ended. Returns whether the run has heard it.
    pub(super) fn send(self: &Arc<Self>, key: RunKey, run_id: &str, input: Input) -> bool {
        let mut effects = Effects::default();
        let mut state = self.lock();
        let mut is_heard = false;
        // A key is reused after a run has ended.
        if let Some(run) = state.run(key)
            && run.shared.info.run_id == run_id
            && run.listens()
        {
            let now = run.shared.clock.now();
            if matches!(input, Input::Cancel { .. }) {
                // A run that waits for its admission ends as others do: with a history. Nothing of
                // it starts before the lock is released.
                state.start(key, now, &mut effects);
            }
            state.send(key, input, now, &mut effects);
            is_heard = true;
        }
        self.leave(state, &mut effects);
        effects.carry_out(self);
        is_heard
    }

    /// Records the links that running tasks have added.
    pub(super) fn take_links(&self, key: RunKey, run_id: &str) {
        let mut state = self.lock();
        if let Some(run) = state.run(key)
            && run.shared.info.run_id == run_id
        {
            run.take_early();
        }
    }

    /// Records task state that an attempt has set, and notifies `stored` when it is stored.
    pub(super) fn store_task_state(
        &self,
        key: RunKey,
        run_id: &str,
        of: (TaskIndex, u32),
        stored: oneshot::Sender<()>,
    ) {
        let mut state = self.lock();
        if let Some(run) = state.run(key)
            && run.shared.info.run_id == run_id
            && run.machine.is_running(of.0, of.1)
        {
            run.store_task_state(stored);
        }
    }

    /// Reports an attempt that ended outside the workers.
    pub(super) fn report(self: &Arc<Self>, key: RunKey, run: &Arc<RunShared>, done: Done) {
        let mut effects = Effects::default();
        let mut state = self.lock();
        state.apply(key, run, done, true, &mut effects);
        self.leave(state, &mut effects);
        effects.carry_out(self);
    }

    /// Launches what can be launched, wakes a worker if there is work for one, and releases the
    /// lock.
    pub(super) fn leave(self: &Arc<Self>, mut state: MutexGuard<'_, EngineState>, effects: &mut Effects) {
        state.launch(effects);
        self.wake(state);
    }

    /// Ensures that a worker takes the ready sync tasks and that the timekeeper keeps deadlines;
    /// releases the lock.
    pub(super) fn wake(self: &Arc<Self>, mut state: MutexGuard<'_, EngineState>) {
        let call = self.attend(&mut state);
        // The worker needs the lock first.
        drop(state);
        if call {
            self.work.notify_one();
        }
    }

    /// As [`wake`](Shared::wake); returns whether a sleeping worker is to be notified.
    pub(super) fn attend(self: &Arc<Self>, state: &mut EngineState) -> bool {
        let mut call = false;
        let has_work = !state.congested && state.dispatcher.has_sync() && !state.keeps_starts();
        if has_work || !state.reclaimed.is_empty() {
            call = self.sleeping.load(Ordering::Relaxed) > 0;
            if !call && state.threads < self.workers + state.lost {
                super::worker::spawn(self, state);
            }
        }
        super::timekeeper::attend(self, state);
        call
    }
}

impl EngineState {
    pub(super) fn run(&mut self, key: RunKey) -> Option<&mut Run> {
        self.runs.get_mut(key.0 as usize)?.as_mut()
    }

    /// Shares the pools in a store, unless they are shared in another one. Returns whether they are
    /// shared in this one.
    pub(super) fn share_pools(&mut self, store: usize) -> bool {
        if self.pools_of.is_none() {
            self.pools_of = Some(store);
            self.dispatcher.close_pools();
        }
        self.pools_of == Some(store)
    }

    /// Starts a run, at the first call.
    pub(super) fn start(&mut self, key: RunKey, now: Timestamp, effects: &mut Effects) {
        let Some(unstarted) = self.run(key).and_then(|run| run.held.unstarted.take()) else { return };
        self.send(key, Input::Start, now, effects);
        if let Some((reason, state)) = unstarted.halted {
            self.send(key, Input::Halt { reason, state }, now, effects);
        }
    }

    pub(super) fn run_keys(&self) -> impl Iterator<Item = RunKey> + use<> {
        let keys: Vec<RunKey> =
            (0..).zip(&self.runs).filter(|(_, run)| run.is_some()).map(|(place, _)| RunKey(place)).collect();
        keys.into_iter()
    }

    /// The time until the earliest deadline of any run.
    pub(super) fn until_deadline(&self) -> Option<std::time::Duration> {
        let runs = self.runs.iter().flatten();
        runs.filter_map(|run| Some(run.machine.next_deadline()?.since(run.shared.clock.now()))).min()
    }

    /// How many workers have nothing to do.
    pub(super) fn free_workers(&self) -> usize {
        (self.workers + self.lost).saturating_sub(self.working)
    }

    /// Whether as many attempts as there are free workers wait until their starts are stored. No
    /// others start before: their time limits would begin with their starts.
    pub(super) fn keeps_starts(&mut self) -> bool {
        if self.kept_starts == 0 {
            return false;
        }
        self.kept_starts = self.runs.iter().flatten().map(|run| run.held.starts.len()).sum();
        self.kept_starts >= self.free_workers().max(1)
    }

    /// Grants every async and blocking task that has room.
    pub(super) fn launch(&mut self, effects: &mut Effects) {
        let free_workers = self.free_workers();
        while !self.congested
            && let Some((key, task)) = self.dispatcher.pop(Lane::Runtime, free_workers)
        {
            if let Some((shared, permit)) = self.permit(key, task) {
                effects.launches.push((key, shared, permit));
            }
        }
    }

    /// Drains a run; cancels it if it cannot be resumed.
    fn drain(&mut self, key: RunKey, reason: &str, now: Timestamp, effects: &mut Effects) {
        let Some(run) = self.run(key) else { return };
        let is_recorded = run.shared.recorder.is_some();
        // What it has recorded is not stored before its admission.
        run.held.given_up |= run.held.unstarted.is_some();
        let reason = reason.to_owned();
        let input = if is_recorded { Input::Drain { reason } } else { Input::Cancel { reason } };
        self.send(key, input, now, effects);
    }

    fn permit(&mut self, key: RunKey, task: TaskIndex) -> Option<(Arc<RunShared>, StartPermit)> {
        let mut commands = std::mem::take(&mut self.commands);
        let run = self.run(key)?;
        let now = run.shared.clock.now();
        let is_kept = run.keeps_start(task);
        let permit = run.permit(task, now, &mut commands);
        let shared = Arc::clone(&run.shared);
        // A start has no commands.
        debug_assert!(commands.is_empty());
        if is_kept {
            run.keep_start(permit);
            self.commands = commands;
            return None;
        }
        self.commands = commands;
        Some((shared, permit))
    }
}
