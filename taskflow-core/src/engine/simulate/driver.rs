//! The loop of a simulation, and each step of it.

use tokio::task::AbortHandle;

use super::futures::{Ended, Futures};
use super::hooks::{Interference, SimHooks};
use super::{End, SimConfig};
use crate::base::Timestamp;
use crate::engine::attempt::Instance;
use crate::engine::observer::Observer;
use crate::engine::run::Run;
use crate::machine::{Command, Dispatcher, Input, Lane, RunKey};
use crate::run::{RunState, TaskIndex, TaskState};
use crate::task::Outcome;
use crate::value::AnyValue;

pub(super) struct Driver<'w> {
    pub(super) world: &'w mut dyn SimHooks,
    pub(super) observers: Vec<Box<dyn Observer>>,
    pub(super) sim_config: SimConfig,
    pub(super) run: Run,
    pub(super) dispatcher: Dispatcher,
    pub(super) key: RunKey,
    pub(super) now: Timestamp,
    pub(super) running: Vec<Running>,
    pub(super) futures: Futures,
    /// Async attempts may have progressed since they were last polled.
    pub(super) stirred: bool,
    /// When the current commit is stored, and its last entry.
    pub(super) storing: Option<(Timestamp, u64)>,
    /// The last entry that is stored.
    pub(super) stored: u64,
    pub(super) over: bool,
    pub(super) commands: Vec<Command>,
    pub(super) unused: Vec<AnyValue>,
}

/// A running attempt.
pub(super) struct Running {
    pub(super) place: Instance,
    pub(super) attempt: u32,
    pub(super) lane: Lane,
    pub(super) started: Timestamp,
    pub(super) span: tracing::Span,
    pub(super) ends: Ends,
}

pub(super) enum Ends {
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
    /// Notifications are delivered.
    Tell,
    Deadline,
}

impl Driver<'_> {
    pub(super) fn drive(&mut self, halted: Option<(String, RunState)>) -> End {
        self.send(Input::Start);
        self.world.on_begin(&self.run.machine, self.now);
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
                Some(Interference::Event(key, value)) => {
                    self.send(Input::Event { key, value, by: "the test".to_owned(), reason: String::new() });
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

    pub(super) fn is_recorded(&self) -> bool {
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

    /// An async attempt has ended and can be reported.
    fn came(&mut self, (task, attempt, outcome): Ended) {
        let is_it = |running: &&mut Running| running.place.task == task && running.attempt == attempt;
        if let Some(running) = self.running.iter_mut().find(is_it) {
            running.ends = Ends::At(self.now, Box::new(outcome));
        }
        self.run.take_early();
    }

    /// Executes one of the steps that are possible now; returns whether there was one.
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
                // Only the attempt shows whether anything can start.
                Step::Start if self.start() => {}
                Step::Start => continue,
            }
            return true;
        }
        false
    }

    /// Takes the recorded entries, or stores those that were taken.
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

    /// Nothing more can be stored: the session of this process ends.
    fn cannot_store(&mut self, reason: &str) {
        self.run.held.given_up = true;
        self.run.machine.interrupt(reason);
        if self.run.held.end.is_some() {
            self.over = true;
            return;
        }
        self.send(Input::Halt { reason: reason.to_owned(), state: RunState::Interrupted });
    }

    /// Lets time pass until a step is possible; returns whether one ever will be.
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
        let hangs =
            |task: &TaskIndex| matches!(self.run.machine.task_state(*task), TaskState::Running | TaskState::Deferred);
        layout.tasks().filter(hangs).map(|task| layout.id(task).into_owned()).collect()
    }
}
