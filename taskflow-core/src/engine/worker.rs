//! A worker thread: takes a share of the ready sync tasks, runs it, and reports the results.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::attempt::{Done, Returned, StartPermit, call_plain, call_sync, is_silent, log_outcome, span, store};
use super::effects::Effects;
use super::engine_state::{EngineState, Shared};
use super::run_shared::RunShared;
use super::share::{Of, Share, Slot, Taken, UsedUp, lock};
use crate::base::Timestamp;
use crate::machine::Command;
use crate::task::Outcome;

/// Starts another worker.
pub(super) fn spawn(shared: &Arc<Shared>, state: &mut EngineState) {
    let me = state.slots.iter().position(Option::is_none).unwrap_or(state.slots.len());
    let share = Arc::new(Mutex::new(Share::default()));
    let worker = Worker {
        shared: Arc::clone(shared),
        me,
        share: Arc::clone(&share),
        of: None,
        finished: Vec::new(),
        commands: Vec::new(),
        effects: Effects::default(),
        now: None,
        next: None,
        used_up: UsedUp::default(),
        working: false,
    };
    let started = std::thread::Builder::new().name(format!("taskflow-worker-{me}")).spawn(move || worker.work());
    // If no thread can be started, the present workers continue; the next call tries again.
    if started.is_ok() {
        state.threads += 1;
        if me == state.slots.len() {
            state.slots.push(None);
        }
        state.slots[me] = Some(Slot { run: None, single: None, share, lost: false });
    }
}

struct Worker {
    shared: Arc<Shared>,
    me: usize,
    share: Arc<Mutex<Share>>,
    /// The run of its last share.
    of: Of,
    /// The results of its share.
    finished: Vec<Done>,
    /// What its last task commanded: empty, for the next one.
    commands: Vec<Command>,
    effects: Effects,
    /// When its last task ended: precise enough as the start of the next one.
    now: Option<Timestamp>,
    /// The single task that it runs next, or what is left of the last one. A field, because a
    /// permit is large and would be moved by each function that returns it.
    next: Option<StartPermit>,
    /// What is left of the permits of its shares: the places of those of the next share.
    used_up: UsedUp,
    /// Whether it is counted as working.
    working: bool,
}

impl Worker {
    fn work(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut several = false;
        let mut state = shared.lock();
        while let Some(taken) = self.come_back(state, several) {
            if !self.effects.is_empty() {
                self.effects.carry_out(&shared);
            }
            several = false;
            state = match (taken, &self.of) {
                (Taken::One, Some(_)) => self.run_chain(&shared),
                (Taken::Several, Some((_, run))) => {
                    self.now = Some(run_share(&shared, run, &self.share, &mut self.used_up));
                    several = true;
                    shared.lock()
                }
                (Taken::Nothing, _) | (_, None) => shared.lock(),
            };
        }
        self.effects.carry_out(&shared);
    }

    /// Runs the single task that it has taken, and then what follows on it, one task after the
    /// other: one lock for each, no queue, no wake-up. Returns with the lock, when the result of
    /// the last one is applied.
    #[inline(never)]
    fn run_chain<'s>(&mut self, shared: &'s Arc<Shared>) -> MutexGuard<'s, EngineState> {
        let Worker { me, of, effects, now, next, commands, .. } = self;
        let Some((key, run)) = &*of else { return shared.lock() };
        let now = now.get_or_insert_with(|| run.clock.now());
        loop {
            let Some(permit) = next else { return shared.lock() };
            let was_plain = permit.details.is_none();
            let (task, attempt, started) = (permit.task, permit.attempt, *now);
            let outcome = match next {
                Some(permit) if is_called_plainly(permit) => call_plain(permit),
                _ => {
                    let Some(permit) = next.take() else { return shared.lock() };
                    call_any(run, permit)
                }
            };
            // Read once: the end of one task is the start of the next.
            *now = run.clock.now();
            let mut done = Done { task, attempt, started, ended: *now, outcome };
            let mut state = shared.lock();
            let follows = state.follow_on(*me, (*key, run), &mut done, next, commands, effects);
            // Nothing is left in it: its drop would look for a value.
            std::mem::forget(done);
            if !follows {
                return state;
            }
            if was_plain && next.as_ref().is_some_and(|next| next.details.is_none()) {
                drop(state);
            } else {
                // One of them may have set a timer, as for a time limit: the timekeeper has to
                // know.
                shared.wake(state);
            }
            // Nothing else follows from it.
            if !effects.unused.is_empty() {
                effects.carry_out(shared);
            }
        }
    }

    /// Reports, takes the next share, and sleeps while there is none. `None` when the thread is to
    /// end.
    fn come_back(&mut self, state: MutexGuard<'_, EngineState>, mut several: bool) -> Option<Taken> {
        let Worker { shared, me, share, of, finished, effects, now, next, used_up, working, .. } = self;
        let (me, mut state) = (*me, state);
        state.working -= usize::from(std::mem::take(working));
        loop {
            let mut rest = false;
            if several {
                let mut share = lock(share);
                share.current = None;
                std::mem::swap(&mut share.done, finished);
                rest = !share.queue.is_empty();
            }
            several = rest;
            if let Some((key, run)) = &*of {
                state.apply_all(*key, run, finished, effects);
            }
            if let Some(Some(slot)) = state.slots.get_mut(me) {
                slot.single = None;
                if std::mem::take(&mut slot.lost) {
                    state.lost -= 1;
                }
            }
            state.launch(effects);
            if state.shutdown || (state.threads > shared.workers + state.lost && !rest) {
                state.threads -= 1;
                state.slots[me] = None;
                shared.wake(state);
                return None;
            }
            let taken =
                if rest { Taken::Several } else { state.take_share(me, shared.workers, of, now, next, used_up) };
            if !matches!(taken, Taken::Nothing) {
                state.working += 1;
                *working = true;
                shared.wake(state);
                return Some(taken);
            }
            if of.take().is_some()
                && let Some(Some(slot)) = state.slots.get_mut(me)
            {
                slot.run = None;
            }
            if !effects.is_empty() {
                drop(state);
                effects.carry_out_idle(shared);
                *now = None;
                state = shared.lock();
            } else if !state.take_back(false, effects) {
                if shared.attend(&mut state) {
                    shared.work.notify_one();
                }
                shared.sleeping.fetch_add(1, Ordering::Relaxed);
                state = shared.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                shared.sleeping.fetch_sub(1, Ordering::Relaxed);
                *now = None;
            }
        }
    }
}

/// Runs the tasks of the share until it is empty or an early report is due. Returns the time.
#[inline(never)]
fn run_share(shared: &Shared, run: &Arc<RunShared>, share: &Mutex<Share>, used_up: &mut UsedUp) -> Timestamp {
    /// How long a result may wait for the rest of its share, in nanoseconds.
    const LATE: u64 = 100_000;

    let first = run.clock.now();
    let mut now = first;
    let Some(mut permit) = start_next(&mut lock(share), now) else { return now };
    loop {
        let (task, attempt, started) = (permit.task, permit.attempt, now);
        let outcome;
        if is_called_plainly(&permit) {
            outcome = call_plain(&mut permit);
            used_up.keep(permit);
        } else {
            outcome = call_any(run, *permit);
        }
        now = run.clock.now();
        let mut share = lock(share);
        share.current = None;
        share.done.push(Done { task, attempt, started, ended: now, outcome });
        let someone_sleeps = share.worth_sharing && shared.sleeping.load(Ordering::Relaxed) > 0;
        let next_is_long = share.queue.front().is_some_and(|permit| !permit.is_short());
        if someone_sleeps || next_is_long || now.nanos_since(first) > LATE {
            return now;
        }
        let Some(next) = start_next(&mut share, now) else { return now };
        permit = next;
    }
}

/// The next task of a share, which is its running one from now on.
#[inline]
fn start_next(share: &mut Share, now: Timestamp) -> Option<Box<StartPermit>> {
    let permit = share.queue.pop_front()?;
    share.current = Some((permit.task, now));
    Some(permit)
}

/// Whether nothing but the call belongs to the attempt.
#[inline]
fn is_called_plainly(permit: &StartPermit) -> bool {
    permit.details.is_none() && is_silent()
}

/// Runs any sync task, with its context, its span and its journal.
#[inline(never)]
fn call_any(run: &Arc<RunShared>, permit: StartPermit) -> Outcome<Returned> {
    let task = permit.place();
    let context = permit.context(run);
    let span = span(run, &permit);
    let entered = span.enter();
    let outcome = call_sync(permit, context.as_ref());
    drop(entered);
    let outcome = store(run, &task, outcome);
    log_outcome(&span, &outcome);
    outcome
}
