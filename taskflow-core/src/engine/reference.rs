//! The reference driver: the machine, one thread, one task at a time, and no waiting.
//!
//! Time is virtual: when nothing is ready it jumps to the next deadline. What the live engine does must be something
//! that this loop could have done.

use std::collections::VecDeque;
use std::sync::Arc;

use super::attempt::{Done, call_async, call_sync};
use super::dispatch::{Dispatcher, Lane};
use super::machine::{Command, Input};
use super::record::Durability;
use super::report::RunReport;
use super::request::{Prepared, RunError, RunRequest};
use super::run::{Clock, Run, RunShared};
use crate::dag::Registry;
use crate::panics::drop_quietly;
use crate::task::Kind;
use crate::value::Value;

impl<T: Value> RunRequest<T> {
    /// Runs it on this thread, one task after the other, with waits skipped: a run of hours ends in milliseconds.
    ///
    /// For tests of a DAG's logic; limits and priorities hold, parallelism there is none, and time limits of attempts
    /// do not strike. No journal is written.
    ///
    /// # Errors
    ///
    /// As [`RunRequest::start`].
    ///
    /// # Panics
    ///
    /// Inside async code, when the DAG has async tasks.
    pub fn run_sequentially(self) -> Result<RunReport<T>, RunError> {
        let Prepared { config, plan, info, machine, params, observer, .. } =
            self.durability(Durability::Ephemeral).prepare()?;
        crate::panics::install_hook();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let pools = Registry::pools().into_iter().map(|pool| (pool.name.to_owned(), pool.slots));
        // One task at a time: so the order is that of priorities and turns, whatever the kinds of the tasks.
        let mut dispatcher = Dispatcher::new(1, pools);
        let limit = plan.options().max_active_tasks.map_or(usize::MAX, |limit| limit as usize);
        let key = dispatcher.add_run(&plan, limit);
        let clock = Clock::start();
        let shared = Arc::new(RunShared { plan, info, clock, runtime: None, recorder: None, config });
        let mut run = Run::new(Arc::clone(&shared), machine, params);

        let mut observer = observer;
        let mut now = clock.now();
        let mut commands = Vec::new();
        let mut unused = Vec::new();
        run.step(Input::Start, now, &mut commands);
        loop {
            let mut open: VecDeque<Command> = commands.drain(..).collect();
            while let Some(command) = open.pop_front() {
                match command {
                    Command::Ready(task) => dispatcher.push(key, run.machine.layout(), task, false),
                    Command::Settled(task) => run.settled(task, &mut unused),
                    Command::Halt => dispatcher.clear(key),
                    // Nothing runs while the loop looks at commands.
                    Command::Abandon(_) | Command::Ended(_) => {}
                }
            }
            unused.drain(..).for_each(drop_quietly);
            if let Some(observer) = &mut observer {
                run.machine.take_events().iter().for_each(|event| observer.on_event(event));
            }
            let next = dispatcher.pop(Lane::Sync, usize::MAX).or_else(|| dispatcher.pop(Lane::Runtime, usize::MAX));
            let Some((_, task)) = next else {
                let Some(deadline) = run.machine.next_deadline() else { break };
                now = now.max(deadline);
                run.step(Input::TimeReached, now, &mut commands);
                continue;
            };
            let grant = run.grant(task, now, &mut commands);
            let attempt = grant.attempt;
            let context = grant.context(&shared);
            let started = now;
            let (outcome, value) = match grant.def.kind {
                Kind::Async => runtime.block_on(call_async(grant, context)),
                Kind::Sync | Kind::Blocking => call_sync(grant, context.as_ref()),
            };
            let done = Done { task, attempt, started, ended: now, outcome, value, stored: None };
            if run.finish(done, &mut commands, &mut unused) {
                dispatcher.release(key, run.machine.layout(), task);
            }
        }
        let result = run.values.result(&shared.plan);
        Ok(RunReport::new(&shared.info, run.machine, result))
    }
}
