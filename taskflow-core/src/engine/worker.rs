//! A worker thread: it takes a share of the ready sync tasks, runs it, comes back with what came of it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use super::attempt::{Done, Grant, call_sync};
use super::hub::{Effects, Hub, Of, Share, Shared, lock};
use super::run::RunShared;
use crate::time::Timestamp;

/// Starts another worker.
pub(super) fn spawn(shared: &Arc<Shared>, hub: &mut Hub) {
    let share = Arc::new(Mutex::new(Share::default()));
    let name = format!("taskflow-worker-{}", hub.shares.len());
    let (of, own) = (Arc::clone(shared), Arc::clone(&share));
    let started = std::thread::Builder::new().name(name).spawn(move || work(&of, &own));
    // Without a thread to be had the workers there are go on; the next call tries again.
    if started.is_ok() {
        hub.threads += 1;
        hub.shares.push(share);
    }
}

fn work(shared: &Arc<Shared>, share: &Arc<Mutex<Share>>) {
    let mut effects = Effects::default();
    let mut finished: Vec<Done> = Vec::new();
    let mut of: Of = None;
    while come_back(shared, share, &mut of, &mut finished, &mut effects) {
        effects.carry_out(shared);
        if let Some((_, run)) = &of {
            run_share(shared, run, share);
        }
    }
    effects.carry_out(shared);
}

/// Reports, takes the next share, sleeps while there is none. `false` when the thread is to end.
fn come_back(
    shared: &Arc<Shared>,
    share: &Arc<Mutex<Share>>,
    of: &mut Of,
    finished: &mut Vec<Done>,
    effects: &mut Effects,
) -> bool {
    let mut hub = shared.lock();
    loop {
        let (was_lost, has_more) = {
            let mut share = lock(share);
            share.current = None;
            std::mem::swap(&mut share.done, finished);
            (std::mem::take(&mut share.lost), !share.queue.is_empty())
        };
        if let Some((key, run)) = &*of {
            let count = finished.len();
            for (position, done) in finished.drain(..).enumerate() {
                hub.apply(*key, run, done, position + 1 == count, effects);
            }
        }
        if was_lost {
            hub.lost -= 1;
        }
        hub.launch(effects);
        let surplus = hub.threads > shared.workers + hub.lost;
        if hub.shutdown || (surplus && !has_more) {
            hub.threads -= 1;
            hub.shares.retain(|other| !Arc::ptr_eq(other, share));
            shared.wake(&mut hub);
            return false;
        }
        if has_more || hub.take_share(shared.workers, share, of) {
            shared.wake(&mut hub);
            return true;
        }
        if of.take().is_some() {
            lock(share).run = None;
        }
        if !effects.is_empty() {
            drop(hub);
            effects.carry_out(shared);
            hub = shared.lock();
        } else if !hub.take_back(false, effects) {
            shared.wake(&mut hub);
            shared.sleeping.fetch_add(1, Ordering::Relaxed);
            hub = shared.work.wait(hub).unwrap_or_else(PoisonError::into_inner);
            shared.sleeping.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Runs the tasks of the share, until it is empty or there is a reason to report earlier.
fn run_share(shared: &Shared, run: &Arc<RunShared>, share: &Mutex<Share>) {
    /// How long a result may wait for the rest of its share.
    const LATE: std::time::Duration = std::time::Duration::from_micros(100);

    let first = run.clock.now();
    let mut now = first;
    let mut last: Option<Done> = None;
    loop {
        let grant = {
            let mut share = lock(share);
            share.current = None;
            share.done.extend(last.take());
            let unreported = !share.done.is_empty();
            let someone_sleeps = share.worth_sharing && shared.sleeping.load(Ordering::Relaxed) > 0;
            let next_is_long = share.queue.front().is_some_and(|grant| !grant.short);
            let report = share.lost || (unreported && (someone_sleeps || next_is_long || now.since(first) > LATE));
            if report {
                return;
            }
            let Some(grant) = share.queue.pop_front() else { return };
            share.current = Some((grant.task, grant.attempt, now));
            grant
        };
        last = Some(attempt(run, grant, &mut now));
    }
}

/// Runs one task. `now` is read once: the end of one task is the start of the next.
pub(super) fn attempt(run: &Arc<RunShared>, grant: Grant, now: &mut Timestamp) -> Done {
    let (task, attempt, started) = (grant.task, grant.attempt, *now);
    let context = match grant.def.takes_context {
        true => {
            let retries = run.plan.node_options(task).retry.retries;
            grant.context(&run.info, run.plan.nodes()[task as usize].id(), retries.saturating_add(1))
        }
        false => None,
    };
    let (outcome, value) = call_sync(grant, context.as_ref());
    *now = run.clock.now();
    Done { task, attempt, started, ended: *now, outcome, value }
}
