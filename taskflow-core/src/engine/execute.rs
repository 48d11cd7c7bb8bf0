//! Carrying out what a state machine commands, under the lock of the engine.

use std::collections::VecDeque;
use std::sync::Arc;

use super::attempt::{Done, StartPermit};
use super::effects::Effects;
use super::engine_state::EngineState;
use super::run::Run;
use super::run_shared::RunShared;
use super::share::lock;
use crate::base::{Failure, Timestamp};
use crate::machine::{Command, Input, RunKey};
use crate::run::{RunState, TaskIndex};
use crate::task::Kind;

impl EngineState {
    /// Closes an attempt. With `next`, the first task that it made ready goes before waiting ones.
    pub(super) fn apply(&mut self, key: RunKey, of: &Arc<RunShared>, done: Done, next: bool, effects: &mut Effects) {
        let mut commands = std::mem::take(&mut self.commands);
        let (task, now) = (done.task, done.ended);
        if let Some(run) = live(&mut self.runs, key, of) {
            if run.finish(done, &mut commands, &mut effects.unused) {
                self.dispatcher.release(key, run.machine.layout(), task);
            }
        } else {
            effects.unused.extend(done.into_value());
        }
        self.execute(key, commands, next, now, effects);
    }

    /// As [`apply`](EngineState::apply), for the results of a share. The tasks that become ready by
    /// them are queued together.
    pub(super) fn apply_all(
        &mut self,
        key: RunKey,
        of: &Arc<RunShared>,
        finished: &mut Vec<Done>,
        effects: &mut Effects,
    ) {
        let Some(last) = finished.pop() else { return };
        let has_equal_slots = self.dispatcher.has_equal_slots(key);
        let (mut commands, mut released, mut now) = (std::mem::take(&mut self.commands), 0, last.ended);
        for mut done in finished.drain(..) {
            let (task, before) = (done.task, commands.len());
            now = done.ended;
            let Some(run) = live(&mut self.runs, key, of) else {
                effects.unused.extend(done.into_value());
                continue;
            };
            let is_closed = run.finish_in_place(&mut done, &mut commands, &mut effects.unused);
            // Nothing is left in it: its drop would look for a value.
            std::mem::forget(done);
            if is_closed {
                if has_equal_slots {
                    released += 1;
                } else {
                    self.dispatcher.release(key, run.machine.layout(), task);
                }
            }
            // Whatever else it commands comes before the next result.
            let waits = |commands: &[Command]| !(commands.iter().all(is_ready) && run.starts_at_once());
            if commands.len() > before && waits(&commands[before..]) {
                self.dispatcher.release_count(key, std::mem::take(&mut released));
                self.execute(key, commands, false, now, effects);
                commands = std::mem::take(&mut self.commands);
            }
        }
        self.dispatcher.release_count(key, released);
        self.execute(key, commands, false, now, effects);
        self.apply(key, of, last, true, effects);
    }

    /// As [`apply`](EngineState::apply), for a worker that ran one task: if this made exactly one
    /// task ready and no other waits, the worker continues with it, bypassing the queues. Returns
    /// whether it does; the task is then its `next`. `commands` is empty before and after.
    #[inline]
    pub(super) fn follow_on(
        &mut self,
        me: usize,
        (key, of): (RunKey, &Arc<RunShared>),
        done: &mut Done,
        next: &mut Option<StartPermit>,
        commands: &mut Vec<Command>,
        effects: &mut Effects,
    ) -> bool {
        let (task, now) = (done.task, done.ended);
        match live(&mut self.runs, key, of) {
            Some(run) => {
                if run.finish_in_place(done, commands, &mut effects.unused) {
                    if let [Command::Settled(_), Command::Ready(ready)] | [Command::Ready(ready)] = commands[..]
                        && self.reclaimed.is_empty()
                        && !self.congested
                        && run.starts_at_once()
                        && self.dispatcher.hand_over(key, run.machine.layout(), task, ready)
                        && let Some(Some(slot)) = self.slots.get_mut(me)
                    {
                        if let [Command::Settled(settled), _] = commands[..] {
                            run.settled(settled, &mut effects.unused);
                        }
                        commands.clear();
                        slot.single = Some(ready);
                        run.permit_in_place(ready, now, commands, next);
                        // A start has no commands.
                        debug_assert!(commands.is_empty());
                        return true;
                    }
                    self.dispatcher.release(key, run.machine.layout(), task);
                }
            }
            None => effects.unused.extend(done.take().into_value()),
        }
        self.commands.append(commands);
        let commands = std::mem::take(&mut self.commands);
        self.execute(key, commands, true, now, effects);
        false
    }

    /// Sends an input to the machine of a run.
    pub(super) fn send(&mut self, key: RunKey, input: Input, now: Timestamp, effects: &mut Effects) {
        let mut commands = std::mem::take(&mut self.commands);
        if let Some(run) = self.run(key) {
            run.step(input, now, &mut commands);
        }
        self.execute(key, commands, false, now, effects);
    }

    /// Carries out the commands of a run, and keeps the empty list for the next ones.
    #[inline]
    fn execute(&mut self, key: RunKey, commands: Vec<Command>, next: bool, now: Timestamp, effects: &mut Effects) {
        if commands.is_empty() {
            self.commands = commands;
        } else {
            self.execute_all(key, commands, next, now, effects);
        }
    }

    fn execute_all(
        &mut self,
        key: RunKey,
        mut commands: Vec<Command>,
        mut next: bool,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        if commands.len() > 1
            && let Some(Some(run)) = self.runs.get(key.0 as usize)
            && run.starts_at_once()
            && commands.iter().all(is_ready)
        {
            let ready = commands.drain(..).filter_map(Command::ready);
            self.dispatcher.push_all(key, run.machine.layout(), ready, next);
            self.commands = commands;
            return;
        }
        let mut halted = false;
        for &command in &commands {
            let Some(Some(run)) = self.runs.get_mut(key.0 as usize) else { break };
            match command {
                Command::Ready(task) if run.starts_at_once() => {
                    self.dispatcher.push(key, run.machine.layout(), task, next);
                    next = false;
                }
                Command::Ready(_) if run.machine.drains() => {}
                Command::Ready(task) if run.holds() => {
                    run.held.ready.push_back((run.held.recorded, task));
                    effects.await_entries(&run.shared);
                }
                Command::Ready(task) => {
                    if run.lingering.holds(task) {
                        continue;
                    }
                    self.dispatcher.push(key, run.machine.layout(), task, next);
                    next = false;
                }
                Command::Settled(task) => {
                    run.settled(task, &mut effects.unused);
                    self.dispatcher.settled(key, task);
                }
                Command::Forget(task) => effects.unused.extend(run.values.forget(task)),
                Command::Abandon(task) => self.abandon(key, task, effects),
                Command::EndWork(task) => {
                    let id = run.machine.layout().id(task).into_owned();
                    if run.shared.children.has_work_of(Some(&id)) {
                        run.lingering.add_kill();
                        effects.ended_work.push((key, Arc::clone(&run.shared), Some(id)));
                    }
                }
                Command::Halt => {
                    let continues = run.machine.drains() || run.machine.ends_as() == Some(RunState::Interrupted);
                    if !continues {
                        effects.halted.push(Arc::clone(&run.shared));
                        if run.shared.children.has_work_of(None) {
                            run.lingering.add_kill();
                            effects.ended_work.push((key, Arc::clone(&run.shared), None));
                        }
                    }
                    run.held.ready.clear();
                    run.lingering.forget_ready();
                    self.dispatcher.clear(key);
                    halted = true;
                }
                Command::Ended(_) => {
                    run.held.end = Some(if run.shared.recorder.is_some() { run.held.recorded } else { 0 });
                    effects.await_entries(&run.shared);
                    if run.is_over() {
                        self.end(key, effects);
                    }
                }
            }
        }
        commands.clear();
        self.commands = commands;
        if halted {
            self.stop_attempts(key, now, effects);
        }
    }

    pub(super) fn end(&mut self, key: RunKey, effects: &mut Effects) {
        self.dispatcher.remove_run(key);
        effects.over.extend(self.runs[key.0 as usize].take());
    }

    /// The entries of a run are stored up to this one: releases what waited for them.
    pub(super) fn stored(&mut self, key: RunKey, of: &Arc<RunShared>, entry: u64, effects: &mut Effects) {
        let Some(Some(run)) = self.runs.get_mut(key.0 as usize) else { return };
        if !Arc::ptr_eq(&run.shared, of) {
            return;
        }
        while let Some(&(waits_for, task)) = run.held.ready.front()
            && waits_for <= entry
        {
            run.held.ready.pop_front();
            if !run.lingering.holds(task) {
                self.dispatcher.push(key, run.machine.layout(), task, false);
            }
        }
        while run.held.starts.front().is_some_and(|&(waits_for, _)| waits_for <= entry) {
            let Some((_, permit)) = run.held.starts.pop_front() else { break };
            let shared = Arc::clone(&run.shared);
            match shared.plan.lane(permit.node, !shared.in_process) {
                Kind::Sync => self.reclaimed.push_back((key, shared, permit)),
                Kind::Async | Kind::Blocking => effects.launches.push((key, shared, permit)),
            }
        }
        run.send_stored(entry);
        run.held.stored = run.held.stored.max(entry);
        if run.is_over() {
            self.end(key, effects);
        }
    }

    /// No further entry of this run can be stored: it ends in this process.
    pub(super) fn cannot_store(&mut self, key: RunKey, of: &Arc<RunShared>, reason: &str, effects: &mut Effects) {
        let Some(run) = self.run(key).filter(|run| Arc::ptr_eq(&run.shared, of)) else { return };
        if std::mem::replace(&mut run.held.given_up, true) {
            return;
        }
        run.held.task_states.clear();
        run.machine.interrupt(reason);
        if run.held.end.is_some() {
            if run.is_over() {
                self.end(key, effects);
            }
            return;
        }
        let now = of.clock.now();
        let (reason, state) = (reason.to_owned(), RunState::Interrupted);
        self.send(key, Input::Halt { reason, state }, now, effects);
    }

    /// After a halt: asks running attempts to stop, and ends those that cannot be asked.
    fn stop_attempts(&mut self, key: RunKey, now: Timestamp, effects: &mut Effects) {
        let Some(run) = self.run(key) else { return };
        let shared = Arc::clone(&run.shared);
        let mut ended: Vec<(TaskIndex, u32)> = Vec::new();
        let first_refused = effects.refused.len();
        let spared = run.machine.spared();
        let drains = run.machine.drains();
        for (&task, control) in run.attempts.iter().filter(|&(task, _)| !spared.contains(task)) {
            let node = run.machine.layout().node(task);
            let def = shared.plan.def(node);
            // A drained run asks those that can stop in order; the others have the grace time.
            if drains && (!def.takes_context || shared.plan.is_teardown(node)) {
                continue;
            }
            // An async task without a context is not notified: it is dropped at its next await.
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
            let (kept, refused): (VecDeque<_>, VecDeque<Box<StartPermit>>) =
                queue.drain(..).partition(|permit| spared.contains(&permit.task));
            *queue = kept;
            effects.refused.extend(refused.into_iter().map(|permit| *permit));
        }
        let reclaimed = std::mem::take(&mut self.reclaimed);
        for (other_key, of, permit) in reclaimed {
            if Arc::ptr_eq(&of, &shared) && !spared.contains(&permit.task) {
                effects.refused.push(permit);
            } else {
                self.reclaimed.push_back((other_key, of, permit));
            }
        }
        if let Some(run) = self.run(key) {
            let starts = std::mem::take(&mut run.held.starts);
            let (kept, refused): (VecDeque<_>, VecDeque<_>) =
                starts.into_iter().partition(|(_, permit)| spared.contains(&permit.task));
            run.held.starts = kept;
            effects.refused.extend(refused.into_iter().map(|(_, permit)| permit));
        }
        ended.extend(effects.refused[first_refused..].iter().map(|permit| (permit.task, permit.attempt)));
        for (task, attempt) in ended {
            let failure = Failure::Cancelled { reason: "the run was stopped".to_owned() };
            let started = self.run(key).map_or(now, |run| run.machine.times(task).0);
            let done = Done { task, attempt, started, ended: now, outcome: failure.into() };
            self.apply(key, &shared, done, false, effects);
        }
    }

    /// A worker thread inside this task counts as lost until it returns.
    pub(super) fn lose_worker(&mut self, of: &Arc<RunShared>, task: TaskIndex) {
        for slot in self.slots.iter_mut().flatten().filter(|slot| slot.works_for(of)) {
            let current = slot.single.or_else(|| lock(&slot.share).current.map(|(task, _)| task));
            if current == Some(task) && !slot.lost {
                slot.lost = true;
                self.lost += 1;
            }
        }
    }
}

fn is_ready(command: &Command) -> bool {
    command.ready().is_some()
}

/// The run of a key, if it is still this one: another may have the key of a run that has ended.
fn live<'r>(runs: &'r mut [Option<Run>], key: RunKey, of: &Arc<RunShared>) -> Option<&'r mut Run> {
    runs.get_mut(key.0 as usize)?.as_mut().filter(|run| Arc::ptr_eq(&run.shared, of))
}
