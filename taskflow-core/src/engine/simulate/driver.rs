//! The loop of a simulation, and each step of it.

use std::sync::Arc;

use tokio::task::AbortHandle;

use super::futures::{Ended, Futures};
use super::hooks::{Interference, SimHooks, Starting};
use super::{End, SimConfig};
use crate::base::{Failure, Timestamp, drop_quietly};
use crate::engine::attempt::{Done, Instance, call_as, call_sync, log_outcome, span, store};
use crate::engine::observer::Observer;
use crate::engine::run::Run;
use crate::machine::{Command, Dispatcher, Input, Lane, RunKey};
use crate::run::{RunState, TaskState};
use crate::task::{Kind, Outcome};
use crate::value::AnyValue;

pub(super) struct Driver<'w> {
    pub(super) world: &'w mut dyn SimHooks,
    pub(super) observers: Vec<Box<dyn Observer>>,
    pub(super) stage: SimConfig,
    pub(super) run: Run,
    pub(super) dispatcher: Dispatcher,
    pub(super) key: RunKey,
    pub(super) now: Timestamp,
    pub(super) running: Vec<Running>,
    pub(super) futures: Futures,
    /// Async attempts may have come further since they were last looked at.
    pub(super) stirred: bool,
    /// When what is being stored is, and its last entry.
    pub(super) storing: Option<(Timestamp, u64)>,
    /// The last entry that is stored.
    pub(super) stored: u64,
    pub(super) over: bool,
    pub(super) commands: Vec<Command>,
    pub(super) unused: Vec<AnyValue>,
}

/// An attempt under way.
pub(super) struct Running {
    place: Instance,
    attempt: u32,
    lane: Lane,
    started: Timestamp,
    span: tracing::Span,
    ends: Ends,
}

enum Ends {
    At(Timestamp, Box<Outcome>),
    Awaited(AbortHandle),
    Never,
}

/// What can happen next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The running attempt at this place is reported.
    Finish(usize),
    Start,
    Store,
    /// Callbacks are told.
    Tell,
    Deadline,
}

impl Driver<'_> {
    pub(super) fn drive(&mut self, halted: Option<(String, RunState)>) -> End {
        self.send(Input::Start);
        if let Some((reason, state)) = halted {
            self.send(Input::Halt { reason, state });
        }
        loop {
            if self.over {
                self.deliver_all();
                return End::Over;
            }
            match self.world.interfere(self.now) {
                Some(Interference::Crash) => {
                    let held = &self.run.held;
                    let unsaved = held.given_up || self.stored < held.recorded;
                    return End::Crashed { unsaved };
                }
                Some(Interference::Cancel(reason)) => self.send(Input::Cancel { reason }),
                Some(Interference::Release(key, value)) => {
                    self.send(Input::Release { key, value, by: "the test".to_owned(), reason: String::new() });
                }
                Some(Interference::Jump(by)) => {
                    self.now = Timestamp::from_nanos(self.now.as_nanos().saturating_add(by));
                }
                None => {}
            }
            while let Some(ended) = self.poll() {
                self.came(ended);
            }
            if self.over {
                continue;
            }
            if !self.make_a_step() && !self.pass_time() {
                return End::Stuck(self.hanging());
            }
        }
    }

    fn is_recorded(&self) -> bool {
        self.run.shared.recorder.is_some() && !self.run.held.given_up
    }

    fn poll(&mut self) -> Option<Ended> {
        if !self.stirred {
            return None;
        }
        let ended = self.futures.poll();
        self.stirred = ended.is_some();
        ended
    }

    /// An async attempt has come to its end, and can be reported.
    fn came(&mut self, (task, attempt, outcome): Ended) {
        let is_it = |running: &&mut Running| running.place.task == task && running.attempt == attempt;
        if let Some(running) = self.running.iter_mut().find(is_it) {
            running.ends = Ends::At(self.now, Box::new(outcome));
        }
        self.run.take_early();
    }

    /// Makes one of the steps that are possible now, if any is.
    fn make_a_step(&mut self) -> bool {
        let due = |running: &Running| matches!(running.ends, Ends::At(at, _) if at <= self.now);
        let finished = (0..self.running.len()).filter(|&place| due(&self.running[place])).map(Step::Finish);
        let mut steps: Vec<Step> = finished.collect();
        steps.push(Step::Start);
        let can_store = match self.storing {
            Some((due, _)) => due <= self.now,
            None => self.is_recorded() && self.stored < self.run.held.recorded,
        };
        if can_store && self.world.stores_at_once() {
            self.store();
            return true;
        }
        if can_store {
            steps.push(Step::Store);
        }
        if !self.run.outbox.is_empty() {
            steps.push(Step::Tell);
        }
        if self.run.machine.next_deadline().is_some_and(|deadline| deadline <= self.now) {
            steps.push(Step::Deadline);
        }
        while !steps.is_empty() {
            let place = self.world.choose(steps.len());
            match steps.remove(place) {
                Step::Finish(place) => self.finish(place),
                Step::Store => self.store(),
                Step::Tell => self.deliver_all(),
                Step::Deadline => self.send(Input::TimeReached),
                // Whether anything can start shows when it is tried.
                Step::Start if self.start() => {}
                Step::Start => continue,
            }
            return true;
        }
        false
    }

    /// Starts the task whose turn it is, if there is a place for one.
    fn start(&mut self) -> bool {
        let busy = self.running.iter().filter(|running| running.lane == Lane::Sync).count();
        let free = self.stage.workers.saturating_sub(busy);
        // One at a time: so the order is that of priorities and turns, whatever the kinds of the tasks.
        let rivals = if self.stage.at_once == 1 { usize::MAX } else { free };
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

    fn begin(&mut self, task: u32, lane: Lane) {
        let mut commands = std::mem::take(&mut self.commands);
        let grant = self.run.grant(task, self.now, &mut commands);
        self.commands = commands;
        let shared = Arc::clone(&self.run.shared);
        let (place, context, span) = (grant.place(), grant.context(&shared), span(&shared, &grant));
        let earlier = self.run.machine.retried(task).iter();
        let lost = earlier.filter(|record| matches!(*record.failure, Failure::Lost { .. })).count() as u32;
        let starting = Starting {
            task: place.id(&shared.plan),
            node: shared.plan.nodes()[grant.node as usize].id(),
            def: grant.def,
            counted: grant.attempt.saturating_sub(lost).max(1),
        };
        let part = self.world.part(&starting);
        let attempt = grant.attempt;
        let ends = if part.lost {
            drop_quietly(grant);
            Ends::Never
        } else if let Some(body) = &part.body {
            let outcome = span.in_scope(|| call_as(grant, context.as_ref(), |inputs, context| body(inputs, context)));
            Ends::At(self.now + part.takes, Box::new(outcome))
        } else if grant.def.kind == Kind::Async {
            match self.futures.start(grant, context, part.takes, span.clone()) {
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
            let outcome = span.in_scope(|| call_sync(grant, context.as_ref()));
            Ends::At(self.now + part.takes, Box::new(outcome))
        };
        self.running.push(Running { place, attempt, lane, started: self.now, span, ends });
        self.run.take_early();
        // The start itself is an event, and asks for nothing.
        self.execute();
    }

    fn finish(&mut self, place: usize) {
        let Running { place, attempt, started, span, ends, .. } = self.running.remove(place);
        let Ends::At(_, outcome) = ends else { return };
        let outcome = store(&self.run.shared, &place, *outcome);
        log_outcome(&span, &outcome);
        if let Outcome::Success(returned) = &outcome {
            self.world.made(place.id(&self.run.shared.plan), &returned.value);
        }
        let task = place.task;
        self.report(Done { task, attempt, started, ended: self.now, outcome });
    }

    fn report(&mut self, done: Done) {
        let task = done.task;
        let mut commands = std::mem::take(&mut self.commands);
        if self.run.finish(done, &mut commands, &mut self.unused) {
            self.dispatcher.release(self.key, self.run.machine.layout(), task);
        }
        self.commands = commands;
        self.execute();
    }

    fn send(&mut self, input: Input) {
        let mut commands = std::mem::take(&mut self.commands);
        self.run.step(input, self.now, &mut commands);
        self.commands = commands;
        self.execute();
    }

    /// Does what the machine has said.
    fn execute(&mut self) {
        let mut halted = false;
        let mut ready = Vec::new();
        for command in std::mem::take(&mut self.commands) {
            match command {
                Command::Ready(task) if self.run.holds() => {
                    self.run.held.ready.push_back((self.run.held.recorded, task));
                }
                Command::Ready(task) => ready.push(task),
                Command::Settled(task) => self.run.settled(task, &mut self.unused),
                Command::Forget(task) => self.unused.extend(self.run.values.forget(task)),
                Command::Abandon(task) => self.abandon(task),
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
                crate::run::Event::Task { task, .. } => self.run.machine.layout().id(*task),
                _ => "".into(),
            };
            self.world.saw(&event, &id);
        }
        if halted {
            self.stop_attempts();
        }
    }

    /// Tells callbacks what they are to be told.
    fn deliver(&mut self) {
        if self.world.tells_at_once() || self.over {
            self.deliver_all();
        }
    }

    fn deliver_all(&mut self) {
        for pending in std::mem::take(&mut self.run.outbox) {
            self.world.tell(self.now, pending);
        }
    }

    /// Ready tasks join the queues: in their order, unless the world wants another one that threads could have made.
    fn queue(&mut self, mut ready: Vec<u32>) {
        while !ready.is_empty() {
            let task = ready.remove(self.world.choose(ready.len()));
            let next = self.world.choose(2) == 1;
            self.dispatcher.push(self.key, self.run.machine.layout(), task, next);
        }
    }

    /// The attempt that runs is over for the machine.
    fn abandon(&mut self, task: u32) {
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

    /// After a halt: asks running attempts to stop, and ends those that nobody can ask.
    fn stop_attempts(&mut self) {
        let spared = self.run.machine.spared();
        let stopped = self.run.attempts.iter().filter(|&(task, _)| !spared.contains(task));
        stopped.for_each(|(_, control)| control.cancel());
        let deaf = |running: &Running| {
            let def = self.run.shared.plan.def(running.place.node);
            matches!(running.ends, Ends::Awaited(_)) && !def.takes_context && !spared.contains(&running.place.task)
        };
        let (deaf, rest) = std::mem::take(&mut self.running).into_iter().partition::<Vec<_>, _>(deaf);
        self.running = rest;
        for Running { place, attempt, ends, .. } in deaf {
            if let Ends::Awaited(handle) = ends {
                handle.abort();
            }
            let failure = Failure::Cancelled { reason: "the run was stopped".to_owned() };
            let (task, now) = (place.task, self.now);
            self.report(Done { task, attempt, started: now, ended: now, outcome: failure.into() });
        }
    }

    /// Takes what is recorded, or stores what was taken.
    fn store(&mut self) {
        let (due, last) =
            self.storing.take().unwrap_or_else(|| (self.now + self.world.take_batch(), self.run.held.recorded));
        if due > self.now {
            self.storing = Some((due, last));
            return;
        }
        match self.world.store_batch() {
            Ok(()) => self.is_stored(last),
            Err(reason) => self.cannot_store(&reason),
        }
    }

    fn is_stored(&mut self, last: u64) {
        self.stored = last;
        self.run.send_stored(last);
        self.deliver();
        let mut ready = Vec::new();
        while let Some(&(waits_for, task)) = self.run.held.ready.front()
            && waits_for <= last
        {
            self.run.held.ready.pop_front();
            ready.push(task);
        }
        self.queue(ready);
        self.over |= self.run.held.end.is_some_and(|end| end <= last);
    }

    /// Nothing more can be stored: the run ends, as far as this process is concerned.
    fn cannot_store(&mut self, reason: &str) {
        self.run.held.given_up = true;
        self.run.machine.interrupt(reason);
        if self.run.held.end.is_some() {
            self.over = true;
            return;
        }
        self.send(Input::Halt { reason: reason.to_owned(), state: RunState::Interrupted });
    }

    /// Lets time pass until a step is possible; whether one ever will be.
    fn pass_time(&mut self) -> bool {
        let ends = self.running.iter().filter_map(|running| match running.ends {
            Ends::At(at, _) => Some(at),
            Ends::Awaited(_) | Ends::Never => None,
        });
        let storing = self.storing.map(|(due, _)| due);
        let others = [self.run.machine.next_deadline(), self.world.interferes_at(), storing];
        let next = ends.chain(others.into_iter().flatten()).min();
        if !self.running.iter().any(|running| matches!(running.ends, Ends::Awaited(_))) {
            let Some(next) = next else { return false };
            self.now = self.now.max(next);
            return true;
        }
        self.stirred = true;
        let (passed, ended) = self.futures.wait(next.map(|next| next.since(self.now)));
        if ended.is_none() && next.is_none() {
            return false;
        }
        self.now = self.now + passed;
        if let Some(ended) = ended {
            self.came(ended);
        }
        true
    }

    fn hanging(&self) -> Vec<String> {
        let layout = self.run.machine.layout();
        let hangs = |task: &u32| matches!(self.run.machine.task_state(*task), TaskState::Running | TaskState::Deferred);
        layout.tasks().filter(hangs).map(|task| layout.id(task).into_owned()).collect()
    }
}
