//! The timer thread of an engine: retries, timeouts, and long tasks in shares.
//!
//! It sleeps until the earliest deadline. While workers use shares of several tasks it also checks
//! every millisecond whether one of these tasks turned out long. It starts with the first deadline
//! or the first share.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::effects::Effects;
use super::engine_state::{EngineState, Shared, Timekeeper};
use crate::machine::Input;

const LOOK: Duration = Duration::from_millis(1);

/// Ensures that the timekeeper wakes in time for the present runs.
pub(super) fn attend(shared: &Arc<Shared>, state: &mut EngineState) {
    let wait = match (state.watching, state.until_deadline()) {
        (true, Some(deadline)) => deadline.min(LOOK),
        (true, None) => LOOK,
        (false, Some(deadline)) => deadline,
        (false, None) => return,
    };
    match state.timekeeper {
        Timekeeper::Absent => {
            let of = Arc::clone(shared);
            let started = std::thread::Builder::new().name("taskflow-timekeeper".to_owned()).spawn(move || keep(&of));
            if started.is_ok() {
                state.timekeeper = Timekeeper::Awake;
            }
        }
        Timekeeper::Awake => {}
        Timekeeper::Asleep(until) => {
            if until.is_none_or(|until| Instant::now() + wait < until) {
                state.timekeeper = Timekeeper::Awake;
                shared.tick.notify_one();
            }
        }
    }
}

fn keep(shared: &Arc<Shared>) {
    let mut effects = Effects::default();
    let mut state = shared.lock();
    loop {
        if state.shutdown {
            state.timekeeper = Timekeeper::Absent;
            return;
        }
        if state.watching {
            state.take_back(true, &mut effects);
            state.watching = state.shares_in_use();
        }
        for key in state.run_keys() {
            let Some(run) = state.run(key) else { continue };
            let now = run.shared.clock.now();
            if run.machine.next_deadline().is_some_and(|deadline| deadline <= now) {
                state.send(key, Input::TimeReached, now, &mut effects);
            }
        }
        state.launch(&mut effects);
        if shared.attend(&mut state) {
            shared.work.notify_one();
        }
        if !effects.is_empty() {
            drop(state);
            effects.carry_out(shared);
            state = shared.lock();
            continue;
        }
        let wait = match (state.watching, state.until_deadline()) {
            (true, deadline) => Some(deadline.unwrap_or(LOOK).min(LOOK)),
            (false, deadline) => deadline,
        };
        state.timekeeper = Timekeeper::Asleep(wait.map(|wait| Instant::now() + wait));
        state = match wait {
            Some(wait) => shared.tick.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0,
            None => shared.tick.wait(state).unwrap_or_else(PoisonError::into_inner),
        };
        state.timekeeper = Timekeeper::Awake;
    }
}
