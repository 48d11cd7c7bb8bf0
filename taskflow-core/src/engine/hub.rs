//! Everything the threads of an engine share, and what they do to it.
//!
//! There is one lock, around the [`Hub`]: all runs, their machines and values, and the dispatcher. It is held for
//! bookkeeping only; user code never runs under it, and neither does anything that can wait.
//!
//! 1. Whoever comes with results (a worker, a finished async task, the timekeeper) takes the lock, [`apply`](Hub::apply)s
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

use super::attempt::{Done, Grant};
use super::dispatch::{Dispatcher, Lane, RunKey};
use super::machine::{Command, Input, Outcome};
use super::run::{Run, RunShared};
use crate::error::Failure;
use crate::panics::drop_quietly;
use crate::task::{AttemptControl, Kind};
use crate::time::Timestamp;
use crate::value::AnyValue;

/// What the threads of an engine share.
pub(crate) struct Shared {
    hub: Mutex<Hub>,
    /// Workers sleep here.
    pub(super) work: Condvar,
    /// The timekeeper sleeps here.
    pub(super) tick: Condvar,
    /// How many workers sleep: read without the lock.
    pub(super) sleeping: AtomicUsize,
    pub(super) workers: usize,
}

/// Under the lock.
pub(crate) struct Hub {
    pub(super) dispatcher: Dispatcher,
    runs: Vec<Option<Run>>,
    /// The workers, by their numbers.
    pub(super) slots: Vec<Option<Slot>>,
    /// Tasks and results taken back from a share.
    strays: VecDeque<(RunKey, Arc<RunShared>, Grant)>,
    /// How many workers there may be, how many there are, how many of them have work.
    pub(super) workers: usize,
    pub(super) threads: usize,
    pub(super) working: usize,
    pub(super) lost: usize,
    pub(super) timekeeper: Timekeeper,
    /// Whether shares are in use that the timekeeper has to look at.
    pub(super) watching: bool,
    pub(super) shutdown: bool,
    commands: Vec<Command>,
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

/// What the hub knows of a worker thread.
pub(super) struct Slot {
    /// The run it works for.
    pub(super) run: Of,
    /// The task it is in, when it has taken just one.
    pub(super) single: Option<u32>,
    /// What it has taken, when it has taken several.
    pub(super) share: Arc<Mutex<Share>>,
    /// Whether the task it is in was given up.
    pub(super) lost: bool,
}

/// Several tasks one worker has taken, and what came of them.
#[derive(Default)]
pub(crate) struct Share {
    pub(super) queue: VecDeque<Grant>,
    pub(super) done: Vec<Done>,
    /// The task under way and when it began.
    pub(super) current: Option<(u32, Timestamp)>,
    /// Whether the rest is worth a waking call to somebody who sleeps.
    pub(super) worth_sharing: bool,
}

/// What a worker gets when it asks.
pub(super) enum Taken {
    /// Nothing is ready.
    Nothing,
    /// One task.
    One(Grant),
    /// Several, in its share.
    Several,
}

/// A run and where it stands in the engine.
pub(super) type Of = Option<(RunKey, Arc<RunShared>)>;

/// What is to be done after the lock is released.
#[derive(Default)]
pub(crate) struct Effects {
    pub(super) launches: Vec<(RunKey, Arc<RunShared>, Grant)>,
    pub(super) cancels: Vec<(Arc<AttemptControl>, bool)>,
    pub(super) unused: Vec<AnyValue>,
    pub(super) refused: Vec<Grant>,
    pub(super) over: Vec<Run>,
}

impl Shared {
    pub(super) fn new(dispatcher: Dispatcher, workers: usize) -> Self {
        let hub = Hub {
            dispatcher,
            runs: Vec::new(),
            slots: Vec::new(),
            strays: VecDeque::new(),
            workers,
            threads: 0,
            working: 0,
            lost: 0,
            timekeeper: Timekeeper::Absent,
            watching: false,
            shutdown: false,
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
    pub(super) fn lock(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a run and starts what can start.
    pub(super) fn begin(self: &Arc<Self>, run: Run, limit: usize) -> RunKey {
        let mut effects = Effects::default();
        let mut hub = self.lock();
        let key = hub.dispatcher.add_run(&run.shared.plan, limit);
        let place = key.0 as usize;
        if hub.runs.len() <= place {
            hub.runs.resize_with(place + 1, || None);
        }
        let now = run.shared.clock.now();
        hub.runs[place] = Some(run);
        hub.tell(key, Input::Start, now, &mut effects);
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

    /// Reports an attempt that ended outside the workers.
    pub(super) fn report(self: &Arc<Self>, key: RunKey, run: &Arc<RunShared>, done: Done) {
        let mut effects = Effects::default();
        let mut hub = self.lock();
        hub.apply(key, run, done, true, &mut effects);
        self.leave(hub, &mut effects);
        effects.carry_out(self);
    }

    /// Launches what can be launched, wakes whom there is work for, and releases the lock.
    pub(super) fn leave(self: &Arc<Self>, mut hub: MutexGuard<'_, Hub>, effects: &mut Effects) {
        hub.launch(effects);
        self.wake(&mut hub);
    }

    /// Sees to it that somebody comes for the sync tasks that are ready, and that deadlines are kept.
    pub(super) fn wake(self: &Arc<Self>, hub: &mut Hub) {
        if hub.dispatcher.has_sync() || !hub.strays.is_empty() {
            if self.sleeping.load(Ordering::Relaxed) > 0 {
                self.work.notify_one();
            } else if hub.threads < self.workers + hub.lost {
                super::worker::spawn(self, hub);
            }
        }
        super::timekeeper::attend(self, hub);
    }
}

impl Hub {
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
                    self.dispatcher.release(key, &of.plan, task);
                }
            }
            _ => effects.unused.extend(done.value),
        }
        self.obey(key, commands, next, now, effects);
    }

    /// As [`apply`](Hub::apply), for a worker that has ended just this task: if that made exactly one task ready and
    /// nothing else waits, the worker goes on with it, without a turn through the queues.
    pub(super) fn follow_on(&mut self, me: usize, of: &Of, done: Done, effects: &mut Effects) -> Option<Grant> {
        let (key, shared) = of.as_ref()?;
        let (key, task, now) = (*key, done.task, done.ended);
        let mut commands = std::mem::take(&mut self.commands);
        let mut grant = None;
        match self.runs.get_mut(key.0 as usize) {
            Some(Some(run)) if Arc::ptr_eq(&run.shared, shared) => {
                if run.finish(done, &mut commands, &mut effects.unused) {
                    if let [Command::Settled(settled), Command::Ready(next)] = commands[..]
                        && self.strays.is_empty()
                        && self.dispatcher.hand_over(key, &shared.plan, task, next)
                        && let Some(Some(slot)) = self.slots.get_mut(me)
                    {
                        run.settled(settled, &mut effects.unused);
                        commands.clear();
                        slot.single = Some(next);
                        grant = Some(run.grant(next, now, &mut commands));
                    } else {
                        self.dispatcher.release(key, &shared.plan, task);
                    }
                }
            }
            _ => effects.unused.extend(done.value),
        }
        self.obey(key, commands, true, now, effects);
        grant
    }

    /// Tells the machine of a run something.
    pub(super) fn tell(&mut self, key: RunKey, input: Input, now: Timestamp, effects: &mut Effects) {
        let mut commands = std::mem::take(&mut self.commands);
        if let Some(run) = self.run(key) {
            run.step(input, now, &mut commands);
        }
        self.obey(key, commands, false, now, effects);
    }

    fn obey(&mut self, key: RunKey, mut commands: Vec<Command>, mut next: bool, now: Timestamp, effects: &mut Effects) {
        let mut halted = false;
        if commands.is_empty() {
            self.commands = commands;
            return;
        }
        for command in commands.drain(..) {
            let Some(Some(run)) = self.runs.get_mut(key.0 as usize) else { break };
            match command {
                Command::Ready(task) => {
                    self.dispatcher.push(key, &run.shared.plan, task, next);
                    next = false;
                }
                Command::Settled(task) => run.settled(task, &mut effects.unused),
                Command::Abandon(task) => {
                    if let Some(control) = run.attempts.remove(&task) {
                        effects.cancels.push((control, true));
                    }
                    let shared = Arc::clone(&run.shared);
                    self.dispatcher.release(key, &shared.plan, task);
                    self.lose_worker(&shared, task);
                }
                Command::Halt => {
                    self.dispatcher.clear(key);
                    halted = true;
                }
                Command::Ended(_) => {
                    self.dispatcher.remove_run(key);
                    effects.over.extend(self.runs[key.0 as usize].take());
                }
            }
        }
        self.commands = commands;
        if halted {
            self.stop_attempts(key, now, effects);
        }
    }

    /// After a halt: asks running attempts to stop, and ends those that nobody can ask.
    fn stop_attempts(&mut self, key: RunKey, now: Timestamp, effects: &mut Effects) {
        let Some(run) = self.run(key) else { return };
        let shared = Arc::clone(&run.shared);
        let mut ended: Vec<(u32, u32)> = Vec::new();
        for (&task, control) in &run.attempts {
            let def = shared.plan.def(task);
            // An async task without a context cannot listen: it is dropped at its next await.
            let deaf = def.kind == Kind::Async && !def.takes_context;
            effects.cancels.push((Arc::clone(control), deaf));
            if deaf {
                ended.push((task, run.machine.attempt(task)));
            }
        }
        for slot in self.slots.iter().flatten().filter(|slot| slot.works_for(&shared)) {
            effects.refused.extend(lock(&slot.share).queue.drain(..));
        }
        let strays = std::mem::take(&mut self.strays);
        for (stray_key, of, grant) in strays {
            if Arc::ptr_eq(&of, &shared) {
                effects.refused.push(grant);
            } else {
                self.strays.push_back((stray_key, of, grant));
            }
        }
        ended.extend(effects.refused.iter().map(|grant| (grant.task, grant.attempt)));
        for (task, attempt) in ended {
            let failure = Failure::Cancelled { reason: "the run was stopped".to_owned() };
            let outcome = Outcome::Failed(Box::new(failure));
            let done = Done { task, attempt, started: now, ended: now, outcome, value: None };
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
        while let Some((key, task)) = self.dispatcher.pop(Lane::Runtime, free_workers) {
            if let Some((shared, grant)) = self.grant(key, task) {
                effects.launches.push((key, shared, grant));
            }
        }
    }

    fn grant(&mut self, key: RunKey, task: u32) -> Option<(Arc<RunShared>, Grant)> {
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

    /// The next share of worker `me`; `now` is about the present.
    ///
    /// A share is one task, unless tasks like it have proven short. Then it is a fair part of what is ready, bounded by
    /// the time it should take; all of it, when the whole is less work than waking somebody for it.
    pub(super) fn take_share(&mut self, me: usize, workers: usize, of: &mut Of, now: &mut Option<Timestamp>) -> Taken {
        /// What a share may take, in nanoseconds.
        const LONG: u64 = 100_000;
        /// What it costs to wake a thread.
        const WAKING: u64 = 10_000;
        const MOST: usize = 64;

        let Some(Some(slot)) = self.slots.get_mut(me) else { return Taken::Nothing };
        if let Some((key, shared, grant)) = self.strays.pop_front() {
            *of = Some((key, shared));
            slot.run.clone_from(of);
            slot.single = Some(grant.task);
            *now = None;
            return Taken::One(grant);
        }
        let Some((key, first)) = self.dispatcher.pop(Lane::Sync, usize::MAX) else { return Taken::Nothing };
        let Some(Some(run)) = self.runs.get_mut(key.0 as usize) else { return Taken::Nothing };
        if !slot.works_for(&run.shared) {
            *of = Some((key, Arc::clone(&run.shared)));
            slot.run.clone_from(of);
            *now = None;
        }
        let now = *now.get_or_insert_with(|| run.shared.clock.now());
        let mut commands = std::mem::take(&mut self.commands);
        let first_grant = run.grant(first, now, &mut commands);

        let cost = u64::from(run.cost(first));
        let ready = self.dispatcher.ready_sync_of(key) as u64;
        let most = match () {
            () if ready == 0 || !first_grant.short => 1,
            () if (ready + 1) * cost <= WAKING => MOST,
            () => ((ready + 1).div_ceil(workers as u64) as usize).min(MOST),
        };
        if most == 1 {
            self.commands = commands;
            slot.single = Some(first);
            return Taken::One(first_grant);
        }

        slot.single = None;
        let mut share = lock(&slot.share);
        share.queue.push_back(first_grant);
        let mut expected = cost;
        while share.queue.len() < most && expected < LONG {
            let Some(task) = self.dispatcher.pop_from(key, Lane::Sync) else { break };
            let grant = run.grant(task, now, &mut commands);
            // A task not known to be short ends the share.
            expected += if grant.short { u64::from(run.cost(task)) } else { LONG };
            share.queue.push_back(grant);
        }
        share.worth_sharing = expected > WAKING;
        self.watching = true;
        self.commands = commands;
        Taken::Several
    }

    /// Takes back from the shares of others: results not reported, and the later half of what is not started. With
    /// `overdue`, only from those whose task under way has turned out long, and then all of it.
    ///
    /// Whether there was anything.
    pub(super) fn take_back(&mut self, overdue: bool, effects: &mut Effects) -> bool {
        const OVERDUE: std::time::Duration = std::time::Duration::from_millis(1);
        let mut found = false;
        for place in 0..self.slots.len() {
            let Some(Some(slot)) = self.slots.get(place) else { continue };
            let Some((key, of)) = slot.run.clone() else { continue };
            let mut share = lock(&slot.share);
            if share.queue.is_empty() && share.done.is_empty() {
                continue;
            }
            let stuck = |since: Timestamp| of.clock.now().since(since) > OVERDUE;
            if overdue && !share.current.is_some_and(|(_, since)| stuck(since)) {
                continue;
            }
            let keep = if overdue { 0 } else { share.queue.len() / 2 };
            let taken: Vec<Grant> = share.queue.drain(keep..).collect();
            let done = std::mem::take(&mut share.done);
            drop(share);
            found |= !taken.is_empty() || !done.is_empty();
            self.strays.extend(taken.into_iter().map(|grant| (key, Arc::clone(&of), grant)));
            for done in done {
                self.apply(key, &of, done, false, effects);
            }
        }
        found
    }

    /// Whether any share holds something that its worker has not come back with.
    pub(super) fn shares_in_use(&self) -> bool {
        self.slots.iter().flatten().any(|slot| {
            let share = lock(&slot.share);
            !share.queue.is_empty() || !share.done.is_empty()
        })
    }
}

impl Slot {
    fn works_for(&self, run: &Arc<RunShared>) -> bool {
        self.run.as_ref().is_some_and(|(_, of)| Arc::ptr_eq(of, run))
    }
}

impl Effects {
    pub(super) fn is_empty(&self) -> bool {
        self.launches.is_empty()
            && self.cancels.is_empty()
            && self.unused.is_empty()
            && self.refused.is_empty()
            && self.over.is_empty()
    }

    /// Does what was collected, and what follows from it: without the lock, since all of it may run user code or wait.
    pub(super) fn carry_out(&mut self, shared: &Arc<Shared>) {
        while !self.is_empty() {
            for (control, drop_it) in self.cancels.drain(..) {
                control.cancel();
                if drop_it {
                    control.abort();
                }
            }
            let launches = std::mem::take(&mut self.launches);
            for value in self.unused.drain(..) {
                drop_quietly(value);
            }
            for grant in self.refused.drain(..) {
                drop_quietly(grant);
            }
            for run in self.over.drain(..) {
                run.conclude();
            }
            if !launches.is_empty() {
                let refused = super::launch::launch_all(shared, launches);
                if !refused.is_empty() {
                    let mut hub = shared.lock();
                    for (key, run, done) in refused {
                        hub.apply(key, &run, done, false, self);
                    }
                    shared.leave(hub, self);
                }
            }
        }
    }
}

pub(super) fn lock(share: &Mutex<Share>) -> MutexGuard<'_, Share> {
    share.lock().unwrap_or_else(PoisonError::into_inner)
}
