//! The steps of a simulation that start, report and stop attempts.

use std::sync::Arc;

use super::driver::{Driver, Ends, Running};
use super::hooks::Starting;
use crate::base::{Failure, drop_quietly};
use crate::engine::attempt::{Done, call_as, call_sync, log_outcome, span, store};
use crate::machine::{Command, Input, Lane};
use crate::run::TaskIndex;
use crate::task::{Kind, Outcome};

impl Driver<'_> {
    /// Starts the next task, if a worker or slot is free.
    pub(super) fn start(&mut self) -> bool {
        let busy = self.running.iter().filter(|running| running.lane == Lane::Sync).count();
        let free = self.sim_config.workers.saturating_sub(busy);
        // One at a time: so the order is that of priorities and turns, whatever the kinds of the
        // tasks.
        let rivals = if self.sim_config.at_once == 1 { usize::MAX } else { free };
        let mut lanes = [(Lane::Sync, usize::MAX), (Lane::Runtime, rivals)];
        lanes.rotate_left(self.world.choose(2));
        for (lane, rivals) in lanes {
            if lane == Lane::Sync && free == 0 {
                continue;
            }
            if let Some((_, task)) = self.dispatcher.pop(lane, rivals) {
                self.begin(task, lane);
                return true;
            }
        }
        false
    }

    pub(super) fn begin(&mut self, task: TaskIndex, lane: Lane) {
        let mut commands = std::mem::take(&mut self.commands);
        let permit = self.run.permit(task, self.now, &mut commands);
        self.commands = commands;
        self.world.on_start(&self.run.machine, &self.run.values, task);
        let shared = Arc::clone(&self.run.shared);
        let (place, context, span) = (permit.place(), permit.context(&shared), span(&shared, &permit));
        let earlier = self.run.machine.retried(task).iter();
        let lost =
            earlier.filter(|record| matches!(record.failure.as_deref(), Some(Failure::Lost { .. }))).count() as u32;
        let starting = Starting {
            task: place.id(&shared.plan),
            node: shared.plan.node(permit.node).id(),
            def: permit.def,
            counted: permit.attempt.saturating_sub(lost).max(1),
            waits: permit.wait_state().map_or(0, |state| state.waits),
        };
        let part = self.world.behaviour(&starting);
        let attempt = permit.attempt;
        let ends = if part.lost {
            drop_quietly(permit);
            Ends::Never
        } else if let Some(body) = &part.body {
            let outcome = span.in_scope(|| call_as(permit, context.as_ref(), |inputs, context| body(inputs, context)));
            Ends::At(self.now + part.takes, Box::new(outcome))
        } else if permit.def.kind == Kind::Async {
            match self.futures.start(permit, context, part.takes, span.clone()) {
                Some(handle) => {
                    self.stirred = true;
                    Ends::Awaited(handle)
                }
                // It has run to its end.
                None => {
                    self.futures.poll().map_or(Ends::Never, |(_, _, outcome)| Ends::At(self.now, Box::new(outcome)))
                }
            }
        } else {
            let outcome = span.in_scope(|| call_sync(permit, context.as_ref()));
            Ends::At(self.now + part.takes, Box::new(outcome))
        };
        self.running.push(Running { place, attempt, lane, started: self.now, span, ends });
        self.run.take_early();
        // The start only produces an event, no commands.
        self.execute();
    }

    pub(super) fn finish(&mut self, place: usize) {
        let Running { place, attempt, started, span, ends, .. } = self.running.remove(place);
        let Ends::At(_, outcome) = ends else { return };
        let outcome = store(&self.run.shared, &place, *outcome);
        log_outcome(&span, &outcome);
        if let Outcome::Success(returned) = &outcome {
            self.world.on_value(place.id(&self.run.shared.plan), &returned.value);
        }
        let task = place.task;
        self.report(Done { task, attempt, started, ended: self.now, outcome });
    }

    pub(super) fn report(&mut self, done: Done) {
        let task = done.task;
        let mut commands = std::mem::take(&mut self.commands);
        if self.run.finish(done, &mut commands, &mut self.unused) {
            self.dispatcher.release(self.key, self.run.machine.layout(), task);
        }
        let emitted = self.run.emitted.as_mut().map(std::mem::take).unwrap_or_default();
        emitted.into_iter().for_each(|emission| self.world.on_emit(emission));
        self.commands = commands;
        self.execute();
    }

    pub(super) fn send(&mut self, input: Input) {
        let mut commands = std::mem::take(&mut self.commands);
        self.run.step(input, self.now, &mut commands);
        self.commands = commands;
        self.execute();
    }

    /// Executes the commands of the machine.
    pub(super) fn execute(&mut self) {
        let mut halted = false;
        let mut ready = Vec::new();
        for command in std::mem::take(&mut self.commands) {
            match command {
                Command::Ready(task) if self.run.holds() => {
                    self.run.held.ready.push_back((self.run.held.recorded, task));
                }
                Command::Ready(task) => ready.push(task),
                Command::Settled(task) => {
                    self.run.settled(task, &mut self.unused);
                    self.dispatcher.settled(self.key, task);
                }
                Command::Forget(task) => self.unused.extend(self.run.values.forget(task)),
                Command::Abandon(task) => self.abandon(task),
                Command::EndWork(task) => {
                    let id = self.run.machine.layout().id(task).into_owned();
                    self.run.shared.children.take_work_of(Some(&id)).iter().for_each(|end| end());
                }
                Command::Halt => {
                    self.run.held.ready.clear();
                    self.dispatcher.clear(self.key);
                    ready.clear();
                    halted = true;
                }
                Command::Ended(_) if self.is_recorded() => self.run.held.end = Some(self.run.held.recorded),
                Command::Ended(_) => self.over = true,
            }
        }
        self.queue(ready);
        self.unused.drain(..).for_each(drop_quietly);
        self.deliver();
        for event in self.run.machine.take_events() {
            self.observers.iter_mut().for_each(|observer| observer.on_event(&event));
            let id = match &event {
                crate::run::Event::Task { task, .. } | crate::run::Event::TaskDeadlineMissed { task, .. } => {
                    self.run.machine.layout().id(*task)
                }
                _ => "".into(),
            };
            self.world.on_event(&event, &id);
        }
        if halted {
            self.stop_attempts();
        }
    }

    /// Delivers pending notifications.
    pub(super) fn deliver(&mut self) {
        if self.world.delivers_at_once() || self.over {
            self.deliver_all();
        }
    }

    pub(super) fn deliver_all(&mut self) {
        for pending in std::mem::take(&mut self.run.outbox) {
            self.world.deliver(self.now, pending);
        }
    }

    /// Queues ready tasks: in their order, unless the hooks choose another one that threads could
    /// have produced.
    pub(super) fn queue(&mut self, mut ready: Vec<TaskIndex>) {
        while !ready.is_empty() {
            let task = ready.remove(self.world.choose(ready.len()));
            let next = self.world.choose(2) == 1;
            self.dispatcher.push(self.key, self.run.machine.layout(), task, next);
        }
    }

    /// Abandons the running attempt of a task, which has ended for the machine.
    pub(super) fn abandon(&mut self, task: TaskIndex) {
        if let Some(control) = self.run.attempts.remove(&task) {
            control.cancel();
        }
        if let Some(place) = self.running.iter().position(|running| running.place.task == task)
            && let Ends::Awaited(handle) = self.running.remove(place).ends
        {
            handle.abort();
        }
        self.dispatcher.release(self.key, self.run.machine.layout(), task);
    }

    /// After a halt: asks running attempts to stop, and abandons those that cannot be asked.
    pub(super) fn stop_attempts(&mut self) {
        let spared = self.run.machine.spared();
        let stopped = self.run.attempts.iter().filter(|&(task, _)| !spared.contains(task));
        stopped.for_each(|(_, control)| control.cancel());
        let deaf = |running: &Running| {
            let def = self.run.shared.plan.def(running.place.node);
            matches!(running.ends, Ends::Awaited(_)) && !def.takes_context && !spared.contains(&running.place.task)
        };
        let (deaf, rest) = std::mem::take(&mut self.running).into_iter().partition::<Vec<_>, _>(deaf);
        self.running = rest;
        for Running { place, attempt, started, ends, .. } in deaf {
            if let Ends::Awaited(handle) = ends {
                handle.abort();
            }
            let failure = Failure::Cancelled { reason: "the run was stopped".to_owned() };
            let (task, now) = (place.task, self.now);
            self.report(Done { task, attempt, started, ended: now, outcome: failure.into() });
        }
    }
}
