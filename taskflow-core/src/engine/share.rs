//! Shares: the tasks that a worker takes at once, and how others take them back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::attempt::{Done, StartPermit};
use super::effects::Effects;
use super::engine_state::EngineState;
use super::run_shared::RunShared;
use crate::base::Timestamp;
use crate::machine::{Lane, RunKey};
use crate::run::TaskIndex;

/// What the engine knows of a worker thread.
pub(super) struct Slot {
    /// The run it works for.
    pub(super) run: Of,
    /// The task it runs, if it has taken a single one.
    pub(super) single: Option<TaskIndex>,
    /// The tasks it has taken, if several.
    pub(super) share: Arc<Mutex<Share>>,
    /// Whether the task it runs was abandoned.
    pub(super) lost: bool,
}

/// Several tasks that a worker has taken, and their results.
#[derive(Default)]
pub(crate) struct Share {
    /// Boxed, because a permit is large: it stays where it was made, and its place is that of a
    /// later task when it is used up.
    pub(super) queue: VecDeque<Box<StartPermit>>,
    pub(super) done: Vec<Done>,
    /// The running task and its start.
    pub(super) current: Option<(TaskIndex, Timestamp)>,
    /// Whether the rest is worth waking another worker.
    pub(super) worth_sharing: bool,
}

/// Permits whose attempts are over: the places of later permits.
#[derive(Default)]
pub(super) struct UsedUp(
    #[allow(clippy::vec_box, reason = "a permit is never moved out of its box")] Vec<Box<StartPermit>>,
);

impl UsedUp {
    /// Keeps the place of a permit.
    #[inline]
    pub(super) fn keep(&mut self, permit: Box<StartPermit>) {
        debug_assert!(permit.is_used_up());
        self.0.push(permit);
    }

    /// The permit, in one of the places.
    fn put(&mut self, permit: StartPermit) -> Box<StartPermit> {
        match self.take() {
            Some(mut place) => {
                *place = permit;
                place
            }
            None => Box::new(permit),
        }
    }

    /// One of the places, with what is left of the permit in it.
    #[inline]
    pub(super) fn take(&mut self) -> Option<Box<StartPermit>> {
        self.0.pop()
    }
}

/// What a worker receives.
pub(super) enum Taken {
    /// Nothing is ready.
    Nothing,
    /// One task: the worker's next.
    One,
    /// Several, in its share.
    Several,
}

/// A run and its key in the engine.
pub(super) type Of = Option<(RunKey, Arc<RunShared>)>;
impl EngineState {
    /// The next share of worker `me`: a single task in `next`, several in its share, in the places
    /// of permits that are used up. `now` is about the present.
    ///
    /// A share is one task, unless tasks like it have proven short. Then it is a fair part of the
    /// ready tasks, bounded by its expected duration; all of them, if they are less work than
    /// waking a thread.
    pub(super) fn take_share(
        &mut self,
        me: usize,
        workers: usize,
        of: &mut Of,
        now: &mut Option<Timestamp>,
        next: &mut Option<StartPermit>,
        used_up: &mut UsedUp,
    ) -> Taken {
        /// The longest expected duration of a share, in nanoseconds.
        const LONG: u64 = 100_000;
        /// The cost of waking a thread, in nanoseconds.
        const WAKING: u64 = 10_000;
        const MOST: usize = 64;

        let (free, is_full) = (self.free_workers().max(1), self.keeps_starts());
        let Some(Some(slot)) = self.slots.get_mut(me) else { return Taken::Nothing };
        if let Some((key, shared, permit)) = self.reclaimed.pop_front() {
            *of = Some((key, shared));
            slot.run.clone_from(of);
            slot.single = Some(permit.task);
            *now = None;
            *next = Some(permit);
            return Taken::One;
        }
        if self.congested || is_full {
            return Taken::Nothing;
        }
        let mut commands = std::mem::take(&mut self.commands);
        let (key, run, first, first_permit, now) = loop {
            let Some((key, first)) = self.dispatcher.pop(Lane::Sync, usize::MAX) else {
                self.commands = commands;
                return Taken::Nothing;
            };
            let Some(Some(run)) = self.runs.get_mut(key.0 as usize) else { return Taken::Nothing };
            if !slot.works_for(&run.shared) {
                *of = Some((key, Arc::clone(&run.shared)));
                slot.run.clone_from(of);
                *now = None;
            }
            let now = *now.get_or_insert_with(|| run.shared.clock.now());
            let is_kept = run.keeps_start(first);
            let permit = run.permit(first, now, &mut commands);
            if !is_kept {
                break (key, run, first, permit, now);
            }
            run.keep_start(permit);
            self.kept_starts += 1;
            if self.kept_starts >= free {
                self.commands = commands;
                return Taken::Nothing;
            }
        };

        let cost = u64::from(first_permit.expected);
        let ready = self.dispatcher.ready_sync_of(key) as u64;
        let most = match () {
            () if ready == 0 || !first_permit.is_short() => 1,
            () if (ready + 1) * cost <= WAKING => MOST,
            () => ((ready + 1).div_ceil(workers as u64) as usize).min(MOST),
        };
        if most == 1 {
            self.commands = commands;
            slot.single = Some(first);
            *next = Some(first_permit);
            return Taken::One;
        }

        slot.single = None;
        let mut share = lock(&slot.share);
        share.queue.push_back(used_up.put(first_permit));
        let mut expected = cost;
        self.dispatcher.pop_while(key, Lane::Sync, |task| {
            let is_kept = run.keeps_start(task);
            let permit = run.permit_of_share(task, now, &mut commands, used_up);
            if is_kept {
                run.keep_start(*permit);
                self.kept_starts += 1;
                return self.kept_starts < free;
            }
            // A task that is not known to be short ends the share.
            expected += if permit.is_short() { u64::from(permit.expected) } else { LONG };
            share.queue.push_back(permit);
            share.queue.len() < most && expected < LONG
        });
        share.worth_sharing = expected > WAKING;
        self.watching = true;
        self.commands = commands;
        Taken::Several
    }

    /// Takes back from the shares of others: unreported results, and the later half of the tasks
    /// that are not started. With `overdue`, only from shares whose running task turned out long,
    /// and then all of them. Returns whether there was anything.
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
            let taken: Vec<Box<StartPermit>> = share.queue.drain(keep..).collect();
            let done = std::mem::take(&mut share.done);
            drop(share);
            found |= !taken.is_empty() || !done.is_empty();
            self.reclaimed.extend(taken.into_iter().map(|permit| (key, Arc::clone(&of), *permit)));
            for done in done {
                self.apply(key, &of, done, false, effects);
            }
        }
        found
    }

    /// Whether any share has tasks or unreported results.
    pub(super) fn shares_in_use(&self) -> bool {
        self.slots.iter().flatten().any(|slot| {
            let share = lock(&slot.share);
            !share.queue.is_empty() || !share.done.is_empty()
        })
    }
}

impl Slot {
    pub(super) fn works_for(&self, run: &Arc<RunShared>) -> bool {
        self.run.as_ref().is_some_and(|(_, of)| Arc::ptr_eq(of, run))
    }
}

pub(super) fn lock(share: &Mutex<Share>) -> MutexGuard<'_, Share> {
    share.lock().unwrap_or_else(PoisonError::into_inner)
}
