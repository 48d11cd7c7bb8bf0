//! The thread that watches the time for every run of an engine: retries, time limits, long tasks in shares.
//!
//! It sleeps until the earliest deadline. While workers use shares of several tasks it also looks every millisecond
//! whether one of these tasks turned out long. It is started with the first deadline or the first share.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::effects::Effects;
use super::engine_state::{EngineState, Shared, Timekeeper};
use crate::machine::Input;

const LOOK: Duration = Duration::from_millis(1);

/// Sees to it that the timekeeper wakes in time for what is in the hub now.
pub(super) fn attend(shared: &Arc<Shared>, hub: &mut EngineState) {
    let wait = match (hub.watching, hub.until_deadline()) {
        (true, Some(deadline)) => deadline.min(LOOK),
        (true, None) => LOOK,
        (false, Some(deadline)) => deadline,
        (false, None) => return,
    };
    match hub.timekeeper {
        Timekeeper::Absent => {
            let of = Arc::clone(shared);
            let started = std::thread::Builder::new().name("taskflow-timekeeper".to_owned()).spawn(move || keep(&of));
            if started.is_ok() {
                hub.timekeeper = Timekeeper::Awake;
            }
        }
        Timekeeper::Awake => {}
        Timekeeper::Asleep(until) => {
            if until.is_none_or(|until| Instant::now() + wait < until) {
                hub.timekeeper = Timekeeper::Awake;
                shared.tick.notify_one();
            }
        }
    }
}

fn keep(shared: &Arc<Shared>) {
    let mut effects = Effects::default();
    let mut hub = shared.lock();
    loop {
        if hub.shutdown {
            hub.timekeeper = Timekeeper::Absent;
            return;
        }
        if hub.watching {
            hub.take_back(true, &mut effects);
            hub.watching = hub.shares_in_use();
        }
        for key in hub.run_keys() {
            let Some(run) = hub.run(key) else { continue };
            let now = run.shared.clock.now();
            if run.machine.next_deadline().is_some_and(|deadline| deadline <= now) {
                hub.tell(key, Input::TimeReached, now, &mut effects);
            }
        }
        hub.launch(&mut effects);
        if shared.attend(&mut hub) {
            shared.work.notify_one();
        }
        if !effects.is_empty() {
            drop(hub);
            effects.carry_out(shared);
            hub = shared.lock();
            continue;
        }
        let wait = match (hub.watching, hub.until_deadline()) {
            (true, deadline) => Some(deadline.unwrap_or(LOOK).min(LOOK)),
            (false, deadline) => deadline,
        };
        hub.timekeeper = Timekeeper::Asleep(wait.map(|wait| Instant::now() + wait));
        hub = match wait {
            Some(wait) => shared.tick.wait_timeout(hub, wait).unwrap_or_else(PoisonError::into_inner).0,
            None => shared.tick.wait(hub).unwrap_or_else(PoisonError::into_inner),
        };
        hub.timekeeper = Timekeeper::Awake;
    }
}
