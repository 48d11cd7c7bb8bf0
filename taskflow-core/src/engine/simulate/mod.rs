//! The simulated driver: the machine, one thread, and a virtual clock.
//!
//! What the live engine does with threads happens here one step after the other, and a [`SimHooks`]
//! chooses which step: every interleaving is possible, and can be repeated. The protocol:
//!
//! 1. Before each step the hooks may interfere: the process dies, the run is cancelled, the clock
//!    jumps.
//! 2. Then one of the possible steps is made. An ended attempt is reported; recorded entries are
//!    stored; notifications are delivered; a deadline that has passed is handled; a ready task
//!    starts, if a worker and the limits permit it.
//! 3. A sync body is called when its attempt starts, and its result is reported when its time is
//!    over. It takes no time unless the hooks set one. Async attempts wait on the same clock.
//! 4. If no step is possible, time passes until one is: the end of an attempt, a deadline, the end
//!    of storing.
//! 5. If time could pass without end, the run is stuck, and the result names the tasks that hang.
//!
//! - `driver`: the loop. `steps`: starting and ending attempts. `futures`: async attempts. `hooks`:
//!   what a simulation leaves to its caller.

mod driver;
mod futures;
mod hooks;
mod steps;

use std::sync::{Arc, OnceLock};

use self::driver::Driver;
pub(crate) use self::futures::Asyncs;
use self::futures::Futures;
pub(crate) use self::hooks::{Interference, Part, SimHooks, StandIn, Starting};
use super::children::Children;
use super::clock::Clock;
use super::notes::Notes;
use super::report::RunReport;
use super::request::{Prepared, RunError, RunRequest, RunStart};
use super::run::{Finished, Run};
use super::run_shared::RunShared;
use super::sessions::Sessions;
use crate::base::{Quietly, Timestamp};
use crate::dag::Registry;
use crate::machine::Dispatcher;
use crate::task::{Kind, Scratch};
use crate::value::Value;

/// How a run is simulated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SimConfig {
    /// How many sync tasks run at once.
    pub(crate) workers: usize,
    /// How many tasks of any kind run at once.
    pub(crate) at_once: usize,
    pub(crate) asyncs: Asyncs,
    pub(crate) start: Timestamp,
}

/// The result of a simulation.
pub(crate) struct Simulated<T> {
    pub(crate) report: RunReport<T>,
    pub(crate) end: End,
    /// When it ended.
    pub(crate) now: Timestamp,
}

/// How a simulation ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Over,
    /// The process died; `unsaved` is whether recorded entries were not stored.
    Crashed {
        unsaved: bool,
    },
    /// Nothing can happen any more. These tasks are running or wait for an event.
    Stuck(Vec<String>),
}

impl<T: Value> RunRequest<T> {
    /// Simulates it with these hooks.
    pub(crate) fn simulate(self, sim_config: SimConfig, world: &mut dyn SimHooks) -> Result<Simulated<T>, RunError> {
        let Prepared {
            config,
            plan,
            info,
            machine,
            params,
            observers,
            open_recorder,
            restored,
            pending_callbacks,
            durability,
            without_callbacks,
            ..
        } = self.prepare()?;
        crate::base::install_hook();
        let pools = Registry::pools().into_iter().map(|pool| (pool.name.to_owned(), pool.slots));
        let mut dispatcher = Dispatcher::new(sim_config.at_once, pools);
        dispatcher.check_pools(&plan)?;
        let about = RunStart { plan: &plan, info: &info, params: &params, durability, at: sim_config.start };
        let recorder = open_recorder.map(|open| open(&about)).transpose().map_err(RunError::Journal)?;
        let limit = plan.options().max_active_tasks.map_or(usize::MAX, |limit| limit as usize);
        let key = dispatcher.add_run(&plan, limit, false);
        let mut futures = Futures::new(sim_config.asyncs);
        if plan.defs().iter().any(|def| def.kind == Kind::Async) {
            futures.prepare()?;
        }
        // The clock of the run is read by live threads only.
        let has_products = plan.defs().iter().any(|def| def.produces.is_some());
        let shared = Arc::new(RunShared {
            plan,
            info,
            params: Quietly(params.clone()),
            clock: Clock::start(),
            runtime: None,
            recorder,
            config,
            in_process: true,
            without_callbacks,
            callback_dispatcher: None,
            has_products,
            notes: Notes::default(),
            scratch: Scratch::default(),
            engine_ref: OnceLock::new(),
            children: Children::default(),
            sessions: Sessions::default(),
        });
        let mut run = Run::new(Arc::clone(&shared), machine, params);
        run.emitted = Some(Vec::new());
        let restored = restored.unwrap_or_default();
        let halted = restored.halted.clone();
        run.take_up(restored, pending_callbacks);
        dispatcher.suspect(key, std::mem::take(&mut run.held.suspects));
        let mut driver = Driver {
            world,
            observers,
            sim_config,
            run,
            dispatcher,
            key,
            now: sim_config.start,
            running: Vec::new(),
            futures,
            stirred: false,
            storing: None,
            stored: 0,
            over: false,
            commands: Vec::new(),
            unused: Vec::new(),
        };
        let end = driver.drive(halted);
        if let Some(recorder) = &shared.recorder {
            recorder.over();
        }
        let Driver { mut run, now, .. } = driver;
        let finished = Finished {
            result: run.values.result(&shared.plan),
            entry: run.last_entry(),
            machine: run.machine,
            callback_failures: Vec::new(),
        };
        Ok(Simulated { report: RunReport::new(&shared.info, finished), end, now })
    }
}
