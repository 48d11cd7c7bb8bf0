//! The short path of a plain task.
//!
//! Most tasks of most runs need none of what a step considers: retries, waits, groups that are
//! retried, lists, entries, events, an early end. [`Plan::is_plain`] marks the nodes that never do,
//! when the plan is frozen, and [`Core::plain`] the runs that do not at present. For a plain task
//! of such a run the functions below do what [`step`](super::Machine::step) does, and nothing else:
//!
//! 1. They change the same data, by the same table of transitions ([`TaskState::after`]), and
//!    report nothing, because nobody listens. An input that they do not handle (a failure, a report
//!    of an attempt that is not the running one) takes the usual path.
//! 2. A run that is observed, ends early, drains or waits leaves the short path and does not return
//!    to it. A resumed run never takes it.
//! 3. There is no command that the inputs of the task can be dropped: its only attempt took them.

use super::cells::DECIDED;
use super::command::Command;
use super::core::Core;
use super::machine::Machine;
use crate::base::Timestamp;
use crate::dag::{Layout, NodeIndex, RunJoinIndex};
use crate::run::{TaskIndex, TaskState, Transition};
use crate::task::TriggerRule;

impl Machine {
    /// Whether plain tasks take the short path at present. Then nothing holds back a task that
    /// becomes ready: the run neither drains nor is recorded.
    #[inline]
    pub(crate) fn has_short_path(&self) -> bool {
        self.core.plain
    }

    /// Starts a plain task. `None`, without an effect, if it has to take the usual path.
    #[inline]
    pub(crate) fn start_plain(&mut self, task: TaskIndex, now: Timestamp) -> Option<u32> {
        let core = &mut self.core;
        let cell = core.tasks.get_mut(task).filter(|cell| cell.plain && cell.state == TaskState::Scheduled)?;
        if !core.plain {
            return None;
        }
        cell.make(Transition::Start)?;
        cell.attempt += 1;
        core.latest = now.max(core.latest);
        cell.started = core.latest;
        Some(cell.attempt)
    }

    /// The running attempt of a plain task succeeded. `false`, without an effect, if the report has
    /// to take the usual path.
    #[inline]
    pub(crate) fn succeed_plain(
        &mut self,
        (task, attempt): (TaskIndex, u32),
        started: Timestamp,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) -> bool {
        let Machine { layout, core } = self;
        let Some(cell) = core.tasks.get_mut(task) else { return false };
        let is_running = cell.state == TaskState::Running && cell.attempt == attempt;
        if !(core.plain && cell.plain && is_running) || cell.make(Transition::Succeed).is_none() {
            return false;
        }
        core.latest = now.max(core.latest);
        (cell.started, cell.ended) = (cell.started.max(started), core.latest);
        core.succeeded_plain(layout, task, core.latest, commands);
        true
    }
}

impl Core {
    /// What follows from the success of a plain task.
    #[inline]
    fn succeeded_plain(&mut self, graph: &Layout, task: TaskIndex, now: Timestamp, commands: &mut Vec<Command>) {
        let plan = graph.plan();
        self.open -= 1;
        // The numbers of its task and joins are those of the plan: there are no elements.
        for &below in plan.successors(NodeIndex::new(task.as_u32())) {
            let (join, cell) = (plan.join(below), &mut self.joins[RunJoinIndex::of(below)]);
            if join.rule != TriggerRule::AllSuccess || cell.failed + cell.skipped > 0 {
                self.update_join(graph, RunJoinIndex::of(below), task, TaskState::Success, now, commands);
                continue;
            }
            if cell.pending == DECIDED {
                continue;
            }
            cell.pending -= 1;
            cell.success += 1;
            if cell.pending > 0 {
                continue;
            }
            cell.pending = DECIDED;
            let target = join.node.task();
            let cell = &mut self.tasks[target];
            if cell.state != TaskState::None {
                continue;
            }
            cell.undecided -= 1;
            if cell.undecided > 0 {
                continue;
            }
            if cell.skip {
                self.settle(graph, target, Transition::Skip, now, commands);
            } else if cell.make(Transition::Schedule).is_some() {
                commands.push(Command::Ready(target));
            }
        }
        if !self.pending_ends.is_empty() {
            self.propagate(graph, now, commands);
        }
        if self.open == 0 {
            self.end(now, commands);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::base::Failure;
    use crate::dag::{Dag, Output, Plan, add_task};
    use crate::machine::{Elements, Input, Settings};
    use crate::run::RunState;
    use crate::task::{Outcome, TaskDef};

    /// The generator `SplitMix64`.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: usize) -> usize {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((mixed ^ (mixed >> 31)) % end as u64) as usize
        }
    }

    const PLAIN: &TaskDef = &TaskDef { id: "plain", module: "tests", ..TaskDef::OWN };

    /// A graph of up to forty tasks, most of them plain, with order edges under every rule.
    fn random_plan(random: &mut Random) -> Arc<Plan> {
        let drawn = Dag::draw("short_path", |_| {
            let mut tasks: Vec<Output<()>> = Vec::new();
            for _ in 0..2 + random.below(38) {
                let task: Output<()> = add_task(PLAIN, []);
                match random.below(12) {
                    0 => _ = task.retries(1).retry_delay(Duration::from_secs(5)),
                    1 => _ = task.timeout(Duration::from_secs(30)),
                    _ => {}
                }
                let upstreams = random.below(4).min(tasks.len());
                if upstreams > 0 && random.below(2) == 0 {
                    let rule = TriggerRule::ALL[random.below(TriggerRule::ALL.len())];
                    if rule != TriggerRule::AllDoneSetupSuccess {
                        _ = task.trigger_rule(rule);
                    }
                }
                for _ in 0..upstreams {
                    _ = task.after(tasks[random.below(tasks.len())]);
                }
                tasks.push(task);
            }
        });
        Arc::clone(drawn.unwrap().plan())
    }

    fn random_end(random: &mut Random) -> Outcome<Option<Box<Elements>>> {
        match random.below(20) {
            0 => Outcome::Failed(Box::new(Failure::Error { chain: vec!["no".to_owned()], retryable: true })),
            1 => Outcome::Skipped("not today".to_owned()),
            _ => Outcome::Success(None),
        }
    }

    fn copy(end: &Outcome<Option<Box<Elements>>>) -> Outcome<Option<Box<Elements>>> {
        match end {
            Outcome::Failed(failure) => Outcome::Failed(failure.clone()),
            Outcome::Skipped(reason) => Outcome::Skipped(reason.clone()),
            _ => Outcome::Success(None),
        }
    }

    /// A machine that takes the short path where it can, and one that never does.
    struct Pair {
        short: Machine,
        usual: Machine,
        commands: Vec<Command>,
        now: Timestamp,
        started_short: u32,
    }

    impl Pair {
        fn step(&mut self, input: impl Fn() -> Input) {
            let mut usual = Vec::new();
            self.short.step(input(), self.now, &mut self.commands);
            self.usual.step(input(), self.now, &mut usual);
            self.compare(&usual);
        }

        fn start(&mut self, task: TaskIndex) {
            match self.short.start_plain(task, self.now) {
                Some(attempt) => {
                    assert_eq!(attempt, 1);
                    self.started_short += 1;
                }
                None => self.short.start(task, self.now),
            }
            self.usual.start(task, self.now);
        }

        fn succeed(&mut self, task: TaskIndex, started: Timestamp) {
            let attempt = self.usual.attempt(task);
            let input = || Input::Finished { task, attempt, started, outcome: Outcome::Success(None) };
            if !self.short.succeed_plain((task, attempt), started, self.now, &mut self.commands) {
                return self.step(input);
            }
            let mut usual = Vec::new();
            self.usual.step(input(), self.now, &mut usual);
            self.compare(&usual);
        }

        /// Both have the same tasks in the same states, and gave the same commands, except that
        /// the short path does not report the task itself as settled.
        fn compare(&mut self, usual: &[Command]) {
            let all = |commands: &[Command]| -> Vec<Command> {
                commands.iter().copied().filter(|command| !matches!(command, Command::Settled(_))).collect()
            };
            let short = std::mem::take(&mut self.commands);
            assert_eq!(all(&short), all(usual));
            self.commands = short;
            assert_eq!(self.short.state(), self.usual.state());
            assert_eq!(self.short.run_times(), self.usual.run_times());
            assert_eq!(self.short.next_deadline(), self.usual.next_deadline());
            for task in self.usual.layout().tasks() {
                assert_eq!(self.short.task_state(task), self.usual.task_state(task));
                assert_eq!(self.short.attempt(task), self.usual.attempt(task));
                assert_eq!(self.short.times(task), self.usual.times(task));
                assert_eq!(self.short.failure(task), self.usual.failure(task));
            }
        }
    }

    /// Runs a random graph to its end; returns how many tasks took the short path.
    fn run(seed: u64) -> u32 {
        let mut random = Random(seed);
        let plan = random_plan(&mut random);
        let machine = || Machine::new(Arc::clone(&plan), None, Settings { seed, ..Settings::default() });
        let (short, mut usual) = (machine(), machine());
        usual.core.plain = false;
        let mut pair = Pair { short, usual, commands: Vec::new(), now: Timestamp::EPOCH, started_short: 0 };
        pair.step(|| Input::Start);
        let (mut ready, mut running): (Vec<TaskIndex>, Vec<(TaskIndex, Timestamp)>) = (Vec::new(), Vec::new());
        for _ in 0..1_000 {
            for command in std::mem::take(&mut pair.commands) {
                match command {
                    Command::Ready(task) => ready.push(task),
                    Command::Abandon(task) => running.retain(|&(other, _)| other != task),
                    Command::Halt => ready.clear(),
                    _ => {}
                }
            }
            if pair.usual.state() != RunState::Running {
                break;
            }
            pair.now = pair.now + Duration::from_millis(random.below(2_000) as u64);
            match random.below(100) {
                0 => pair.step(|| Input::Cancel { reason: "enough".to_owned() }),
                1 => pair.step(|| Input::Drain { reason: "a new version".to_owned() }),
                2..50 if !ready.is_empty() => {
                    let task = ready.swap_remove(random.below(ready.len()));
                    pair.start(task);
                    running.push((task, pair.now));
                }
                50..98 if !running.is_empty() => {
                    let (task, started) = running.swap_remove(random.below(running.len()));
                    let attempt = pair.usual.attempt(task);
                    match random_end(&mut random) {
                        Outcome::Success(_) => pair.succeed(task, started),
                        end => pair.step(|| Input::Finished { task, attempt, started, outcome: copy(&end) }),
                    }
                }
                _ => pair.step(|| Input::TimeReached),
            }
        }
        pair.started_short
    }

    #[test]
    fn the_short_path_does_what_the_usual_one_does() {
        let short: u32 = (0..500).map(run).sum();
        assert!(short > 3_000, "only {short} tasks took the short path");
    }
}
