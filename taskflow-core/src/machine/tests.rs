use std::sync::Arc;
use std::time::Duration;

use super::{Command, Elements, Input, Machine, Settings};
use crate::base::{Failure, Timestamp};
use crate::dag::{Dag, DagBuilder, Group, Layout, Output, Plan, chain, scope};
use crate::run::{AttemptRecord, Restored, RestoredState, RestoredTask, RunState, TaskIndex, TaskState, WaitRecord};
use crate::task::{Outcome, TriggerRule, Wait};

type Ended = Outcome<Option<Box<Elements>>>;

/// A machine, a clock and the commands that were not checked yet.
struct Run {
    machine: Machine,
    now: Timestamp,
    commands: Vec<Command>,
}

impl Run {
    fn of(draw: impl FnOnce(&DagBuilder)) -> Self {
        Run::with(Settings::default(), draw)
    }

    fn with(settings: Settings, draw: impl FnOnce(&DagBuilder)) -> Self {
        let mut run = Run::unstarted(plan(draw), settings);
        run.step(Input::Start);
        run
    }

    fn unstarted(plan: Arc<Plan>, settings: Settings) -> Self {
        let machine = Machine::new(plan, None, settings);
        Run { machine, now: Timestamp::EPOCH, commands: Vec::new() }
    }

    fn step(&mut self, input: Input) {
        self.machine.step(input, self.now, &mut self.commands);
    }

    fn task(&self, id: &str) -> TaskIndex {
        self.machine.layout().tasks().find(|&task| self.machine.layout().id(task) == id).unwrap()
    }

    /// The tasks that became ready since the last call.
    fn ready(&mut self) -> Vec<String> {
        let commands = std::mem::take(&mut self.commands);
        let ready = commands.into_iter().filter_map(|command| match command {
            Command::Ready(task) => Some(self.machine.layout().id(task).into_owned()),
            _ => None,
        });
        ready.collect()
    }

    fn begin(&mut self, id: &str) {
        let task = self.task(id);
        self.step(Input::Started { task });
        assert_eq!(self.state(id), TaskState::Running, "`{id}` could not start");
    }

    fn finish(&mut self, id: &str, outcome: Ended) {
        let task = self.task(id);
        let attempt = self.machine.attempt(task);
        self.step(Input::Finished { task, attempt, started: self.now, outcome });
    }

    /// A whole attempt.
    fn attempt(&mut self, id: &str, outcome: Ended) {
        self.begin(id);
        self.finish(id, outcome);
    }

    /// Moves the clock to the next deadline.
    fn wait(&mut self) {
        self.now = self.machine.next_deadline().expect("nothing is waited for");
        self.step(Input::TimeReached);
    }

    fn state(&self, id: &str) -> TaskState {
        self.machine.task_state(self.task(id))
    }
}

fn plan(draw: impl FnOnce(&DagBuilder)) -> Arc<Plan> {
    Arc::clone(Dag::draw("test", draw).unwrap().plan())
}

fn tasks<const N: usize>(dag: &DagBuilder, ids: [&str; N]) -> [Output<()>; N] {
    ids.map(|id| dag.add(id, |_| Ok(())))
}

fn failed() -> Ended {
    Outcome::Failed(Box::new(Failure::Error { chain: vec!["no".to_owned()], retryable: true }))
}

fn refused() -> Ended {
    Outcome::Failed(Box::new(Failure::Error { chain: vec!["never".to_owned()], retryable: false }))
}

fn skipped() -> Ended {
    Outcome::Skipped("not today".to_owned())
}

/// `a` and `b` above `c`.
fn two_above_one(dag: &DagBuilder) {
    let [a, b, c] = tasks(dag, ["a", "b", "c"]);
    chain(([a, b], c));
}

fn one_with_a_retry(dag: &DagBuilder) {
    dag.add("a", |_| Ok(())).retries(1).retry_delay(Duration::from_secs(30));
}

fn work_in_a_scope(dag: &DagBuilder) {
    let setup = dag.add("create", |_| Ok(()));
    scope(setup, |_| dag.add("work", |_| Ok(())), |_| dag.add("delete", |_| Ok(())));
}

/// A task that ended in an earlier session.
fn ended(task: TaskIndex, state: RestoredState) -> RestoredTask {
    RestoredTask {
        task,
        state,
        attempts: 1,
        uncounted_attempts: 0,
        earlier_attempts: 0,
        rounds: 0,
        started: Timestamp::EPOCH,
        ended: Timestamp::EPOCH,
        retried: Vec::new(),
        wait: None,
        events_seen: 0,
    }
}

#[test]
fn a_task_is_ready_once_all_its_upstreams_have_succeeded() {
    let mut run = Run::of(two_above_one);
    assert_eq!(run.ready(), ["a", "b"]);
    run.attempt("b", Outcome::Success(None));
    assert!(run.ready().is_empty());
    run.attempt("a", Outcome::Success(None));
    assert_eq!(run.ready(), ["c"]);
    run.attempt("c", Outcome::Success(None));
    assert_eq!(run.commands.last(), Some(&Command::Ended(RunState::Success)));
}

#[test]
fn a_failed_attempt_is_retried_after_its_delay() {
    let mut run = Run::of(one_with_a_retry);
    run.attempt("a", failed());
    assert_eq!(run.state("a"), TaskState::UpForRetry);
    run.ready();
    run.wait();
    assert_eq!(run.now.since(Timestamp::EPOCH), Duration::from_secs(30));
    assert_eq!(run.ready(), ["a"]);
    run.begin("a");
    assert_eq!(run.machine.attempt(run.task("a")), 2);
}

#[test]
fn a_task_fails_when_its_retries_are_exhausted() {
    let mut run = Run::of(one_with_a_retry);
    run.attempt("a", failed());
    run.wait();
    run.attempt("a", failed());
    assert_eq!(run.state("a"), TaskState::Failed);
    assert_eq!(run.machine.state(), RunState::Failed);
}

#[test]
fn a_failure_that_is_not_retryable_is_not_retried() {
    let mut run = Run::of(one_with_a_retry);
    run.attempt("a", refused());
    assert_eq!(run.state("a"), TaskState::Failed);
}

#[test]
fn an_attempt_that_is_no_longer_running_changes_nothing() {
    let mut run = Run::of(one_with_a_retry);
    run.attempt("a", failed());
    run.wait();
    run.begin("a");
    let task = run.task("a");
    run.step(Input::Finished { task, attempt: 1, started: run.now, outcome: Outcome::Success(None) });
    assert_eq!(run.state("a"), TaskState::Running);
}

#[test]
fn an_attempt_ends_at_its_time_limit() {
    let mut run = Run::of(|dag| {
        dag.add("a", |_| Ok(())).timeout(Duration::from_secs(5));
    });
    run.begin("a");
    run.wait();
    assert!(run.commands.contains(&Command::Abandon(run.task("a"))));
    assert_eq!(run.state("a"), TaskState::Failed);
    let limit = Duration::from_secs(5);
    assert_eq!(run.machine.failure(run.task("a")).as_deref(), Some(&Failure::TimedOut { limit }));
}

fn one_with_a_total_limit(dag: &DagBuilder) {
    let a = dag.add("a", |_| Ok(())).retries(9).retry_delay(Duration::from_secs(25));
    a.total_timeout(Duration::from_secs(60));
}

fn out_of_time(attempts: u32) -> Failure {
    Failure::OutOfTime { limit: Duration::from_secs(60), attempts }
}

#[test]
fn the_limit_over_all_attempts_ends_the_one_that_runs() {
    let mut run = Run::of(one_with_a_total_limit);
    run.attempt("a", failed());
    run.wait();
    run.begin("a");
    run.wait();
    assert_eq!(run.now.since(Timestamp::EPOCH), Duration::from_secs(60));
    assert!(run.commands.contains(&Command::Abandon(run.task("a"))));
    assert_eq!(run.state("a"), TaskState::Failed);
    assert_eq!(run.machine.failure(run.task("a")).as_deref(), Some(&out_of_time(2)));
    assert_eq!(run.machine.state(), RunState::Failed);
}

#[test]
fn no_retry_starts_at_the_limit_over_all_attempts_or_later() {
    let mut run = Run::of(one_with_a_total_limit);
    for _ in 0..2 {
        run.attempt("a", failed());
        assert_eq!(run.state("a"), TaskState::UpForRetry);
        run.wait();
    }
    run.begin("a");
    run.now = run.now + Duration::from_secs(5);
    run.finish("a", failed());
    // At 55 s; the next attempt would start at 80 s. The failure is that of the last attempt.
    assert_eq!(run.state("a"), TaskState::Failed);
    assert!(matches!(run.machine.failure(run.task("a")).as_deref(), Some(Failure::Error { .. })));
}

#[test]
fn an_attempt_that_starts_after_the_limit_over_all_attempts_fails_at_once() {
    let mut run = Run::of(one_with_a_total_limit);
    run.attempt("a", failed());
    run.wait();
    // It waits for a slot.
    run.now = run.now + Duration::from_secs(100);
    run.begin("a");
    run.step(Input::TimeReached);
    assert_eq!(run.machine.failure(run.task("a")).as_deref(), Some(&out_of_time(2)));
}

#[test]
fn a_deferred_task_stops_waiting_at_the_limit_over_all_attempts() {
    let wait = || Outcome::Waits(Box::new(Wait::Deferred { until: None, event: Some(("go".to_owned(), 0)) }));
    let mut run = Run::of(one_with_a_total_limit);
    run.attempt("a", wait());
    assert_eq!(run.state("a"), TaskState::Deferred);
    run.wait();
    assert_eq!(run.now.since(Timestamp::EPOCH), Duration::from_secs(60));
    assert!(run.commands.contains(&Command::EndWork(run.task("a"))));
    assert_eq!(run.machine.failure(run.task("a")).as_deref(), Some(&out_of_time(1)));
    let (key, by, reason) = ("go".to_owned(), String::new(), String::new());
    run.step(Input::Event { key, value: Arc::from("1"), by, reason });
    assert_eq!(run.state("a"), TaskState::Failed);
}

#[test]
fn a_retried_group_has_the_whole_limit_again() {
    let mut run = Run::of(|dag| {
        Group::new("g").retries(1).retry_delay(Duration::from_secs(600)).draw(|| one_with_a_total_limit(dag));
    });
    run.begin("g.a");
    run.wait();
    assert_eq!(run.now.since(Timestamp::EPOCH), Duration::from_secs(60));
    run.wait();
    assert_eq!(run.now.since(Timestamp::EPOCH), Duration::from_secs(660));
    run.begin("g.a");
    run.wait();
    assert_eq!(run.now.since(Timestamp::EPOCH), Duration::from_secs(720));
    assert_eq!(run.machine.failure(run.task("g.a")).as_deref(), Some(&out_of_time(1)));
}

/// The time goes on while no process runs the task.
#[test]
fn a_resumed_wait_keeps_the_limit_over_all_attempts() {
    let mut run = Run::unstarted(plan(one_with_a_total_limit), Settings::default());
    let started = Timestamp::EPOCH + Duration::from_secs(10);
    let record = WaitRecord { since: started, count: 1, until: None, event: Some(("go".to_owned(), 0)) };
    let waits = RestoredTask {
        task: run.task("a"),
        state: RestoredState::Waits { poke: false },
        attempts: 1,
        uncounted_attempts: 0,
        earlier_attempts: 0,
        rounds: 0,
        started,
        ended: started,
        retried: Vec::new(),
        wait: Some(Box::new(record)),
        events_seen: 0,
    };
    run.machine.restore(&Restored { tasks: vec![waits], ..Restored::default() });
    run.now = Timestamp::EPOCH + Duration::from_secs(30);
    run.step(Input::Start);
    run.wait();
    assert_eq!(run.now.since(Timestamp::EPOCH), Duration::from_secs(70));
    assert_eq!(run.machine.failure(run.task("a")).as_deref(), Some(&out_of_time(1)));
}

/// One attempt was lost after 10 s, and the run is resumed after 30 s. The limit counted from the
/// attempt after the lost one.
#[test]
fn the_limit_over_all_attempts_counts_lost_ones_but_not_those_before_a_clear() {
    let at = |seconds: u64| Timestamp::EPOCH + Duration::from_secs(seconds);
    for (earlier_attempts, end, attempts) in [(0, 70, 2), (1, 90, 1)] {
        let mut run = Run::unstarted(plan(one_with_a_total_limit), Settings::default());
        let failure = Arc::new(Failure::Lost { worker: "host:1".to_owned() });
        let lost = AttemptRecord { started: at(10), ended: at(30), failure: Some(failure), due: None };
        let open = RestoredTask {
            uncounted_attempts: 1,
            earlier_attempts,
            started: at(10),
            ended: at(30),
            retried: vec![lost],
            ..ended(run.task("a"), RestoredState::Open)
        };
        run.machine.restore(&Restored { tasks: vec![open], ..Restored::default() });
        run.now = at(30);
        run.step(Input::Start);
        run.begin("a");
        run.wait();
        assert_eq!(run.now, at(end));
        assert_eq!(run.machine.failure(run.task("a")).as_deref(), Some(&out_of_time(attempts)));
    }
}

/// A run that is resumed after so many seconds, whose task has made one attempt, from 10 s to 20 s.
fn resumed_late(known: RestoredTask, earlier_attempts: u32, second: u64) -> Run {
    let at = |seconds: u64| Timestamp::EPOCH + Duration::from_secs(seconds);
    let mut run = Run::unstarted(plan(one_with_a_total_limit), Settings::default());
    let known = RestoredTask { earlier_attempts, started: at(10), ended: at(20), ..known };
    run.machine.restore(&Restored { tasks: vec![known], ..Restored::default() });
    run.now = at(second);
    run.step(Input::Start);
    run
}

/// The tasks that go on with one attempt: a lost one, a failed one before its retry is due and
/// after it, and one whose wait is over.
fn with_one_attempt() -> [RestoredTask; 4] {
    let at = |seconds: u64| Timestamp::EPOCH + Duration::from_secs(seconds);
    let failure = Failure::Lost { worker: "host:1".to_owned() };
    let record = AttemptRecord { started: at(10), ended: at(20), failure: Some(Arc::new(failure)), due: None };
    let wait = WaitRecord { since: at(10), count: 1, until: Some(at(15)), event: None };
    let after = |state| RestoredTask { retried: vec![record.clone()], ..ended(TaskIndex::default(), state) };
    let waits = ended(TaskIndex::default(), RestoredState::Waits { poke: false });
    [
        after(RestoredState::Open),
        after(RestoredState::Retry(at(90))),
        after(RestoredState::Retry(at(45))),
        RestoredTask { wait: Some(Box::new(wait)), ..waits },
    ]
}

/// The limit of 60 s is reached at 70 s, and the run is resumed then. The task was called once more
/// before it failed.
#[test]
fn a_task_whose_limit_over_all_attempts_passed_without_a_process_is_not_called_again() {
    for known in with_one_attempt() {
        let state = format!("{:?}", known.state);
        let mut run = resumed_late(known, 0, 70);
        let task = run.task("a");
        assert_eq!(run.state("a"), TaskState::Failed, "{state}");
        assert_eq!(run.machine.failure(task).as_deref(), Some(&out_of_time(1)), "{state}");
        assert_eq!(run.machine.attempt(task), 1, "{state}");
        assert_eq!(run.machine.state(), RunState::Failed, "{state}");
        assert!(run.commands.contains(&Command::EndWork(task)), "{state}");
        assert!(run.ready().is_empty(), "{state}");
    }
}

/// The attempts before the clear are from an hour ago.
#[test]
fn a_cleared_task_is_called_however_long_ago_its_attempts_were() {
    let [lost, ..] = with_one_attempt();
    let mut run = resumed_late(lost, 1, 3600);
    assert_eq!(run.ready(), ["a"]);
}

/// The driver is late, as after a machine has slept: the retry was due at 25 s, and it is 100 s.
#[test]
fn no_retry_starts_late_after_the_limit_over_all_attempts() {
    let mut run = Run::of(one_with_a_total_limit);
    run.attempt("a", failed());
    run.ready();
    run.now = run.now + Duration::from_secs(100);
    run.step(Input::TimeReached);
    assert_eq!(run.machine.failure(run.task("a")).as_deref(), Some(&out_of_time(1)));
    assert!(run.ready().is_empty());
}

/// The fourth process would be the next to die.
#[test]
fn a_task_with_which_three_processes_have_died_fails_and_is_not_called_again() {
    for (fail_fast, ready) in [(false, &["b"][..]), (true, &[])] {
        let settings = Settings { fail_fast, ..Settings::default() };
        let mut run = Run::unstarted(plan(two_above_one), settings);
        let task = run.task("a");
        let lost = RestoredTask { attempts: 3, uncounted_attempts: 3, ..ended(task, RestoredState::Open) };
        let deadly = vec![(task, 3)];
        run.machine.restore(&Restored { tasks: vec![lost], deadly, ..Restored::default() });
        run.step(Input::Start);
        assert_eq!((run.state("a"), run.machine.attempt(task)), (TaskState::Failed, 3));
        let failure = run.machine.failure(task).expect("it failed").to_string();
        assert_eq!(failure, "its process has died 3 times while it ran");
        assert!(run.commands.contains(&Command::EndWork(task)), "it may have left a job on a cluster");
        assert_eq!(run.ready(), ready);
    }
}

/// The limit passed before the run was resumed, which was being cancelled.
#[test]
fn a_run_that_was_ending_early_ends_a_task_for_its_own_reason() {
    for known in with_one_attempt() {
        let mut run = Run::unstarted(plan(one_with_a_total_limit), Settings::default());
        let halted = Some(("enough".to_owned(), RunState::Cancelled));
        run.machine.restore(&Restored { tasks: vec![known], halted, ..Restored::default() });
        run.now = Timestamp::EPOCH + Duration::from_secs(3600);
        run.step(Input::Start);
        run.step(Input::Halt { reason: "enough".to_owned(), state: RunState::Cancelled });
        assert_eq!(run.state("a"), TaskState::Cancelled);
        assert_eq!(run.machine.state(), RunState::Cancelled);
    }
}

#[test]
fn a_skip_propagates_to_every_downstream_task() {
    let mut run = Run::of(|dag| {
        let [a, b, c] = tasks(dag, ["a", "b", "c"]);
        chain((a, b, c));
    });
    run.attempt("a", skipped());
    assert_eq!([run.state("b"), run.state("c")], [TaskState::Skipped; 2]);
    assert_eq!(run.machine.state(), RunState::Success);
}

#[test]
fn a_skip_stops_at_an_all_done_task() {
    let mut run = Run::of(|dag| {
        let [a, b] = tasks(dag, ["a", "b"]);
        b.trigger_rule(TriggerRule::AllDone);
        chain((a, b));
    });
    run.ready();
    run.attempt("a", skipped());
    assert_eq!(run.ready(), ["b"]);
}

#[test]
fn failure_wins_over_skip_in_either_order() {
    for [first, second] in [["a", "b"], ["b", "a"]] {
        let mut run = Run::of(two_above_one);
        for id in [first, second] {
            run.attempt(id, if id == "a" { skipped() } else { refused() });
        }
        assert_eq!(run.state("c"), TaskState::UpstreamFailed, "`{first}` ended first");
        let cause = Failure::UpstreamFailed { task: "b".to_owned() };
        assert_eq!(run.machine.failure(run.task("c")).as_deref(), Some(&cause));
    }
}

#[test]
fn a_failure_handled_downstream_does_not_fail_the_run() {
    let mut run = Run::of(|dag| {
        let [a, b] = tasks(dag, ["a", "b"]);
        b.trigger_rule(TriggerRule::OneFailed);
        chain((a, b));
    });
    run.attempt("a", refused());
    run.attempt("b", Outcome::Success(None));
    assert_eq!(run.machine.state(), RunState::Success);
}

#[test]
fn fail_fast_skips_unstarted_tasks_and_fails_the_run() {
    let settings = Settings { fail_fast: true, ..Settings::default() };
    let mut run = Run::with(settings, |dag| {
        tasks(dag, ["a", "b"]);
    });
    run.attempt("a", refused());
    assert!(run.commands.contains(&Command::Halt));
    assert_eq!(run.state("b"), TaskState::Skipped);
    assert_eq!(run.machine.state(), RunState::Failed);
}

#[test]
fn a_cancelled_run_ends_after_its_teardowns() {
    let mut run = Run::of(work_in_a_scope);
    run.attempt("create", Outcome::Success(None));
    run.begin("work");
    run.step(Input::Cancel { reason: "enough".to_owned() });
    run.ready();
    run.finish("work", failed());
    assert_eq!(run.state("work"), TaskState::Cancelled);
    assert_eq!(run.ready(), ["delete"]);
    assert_eq!(run.machine.state(), RunState::Running);
    run.attempt("delete", Outcome::Success(None));
    assert_eq!(run.machine.state(), RunState::Cancelled);
}

#[test]
fn a_run_that_cannot_be_recorded_cancels_its_teardowns() {
    let mut run = Run::of(work_in_a_scope);
    run.attempt("create", Outcome::Success(None));
    run.step(Input::Halt { reason: "disk full".to_owned(), state: RunState::Interrupted });
    assert_eq!([run.state("work"), run.state("delete")], [TaskState::Cancelled; 2]);
    assert_eq!(run.machine.state(), RunState::Interrupted);
}

#[test]
fn an_attempt_that_does_not_stop_is_abandoned_after_the_grace_time() {
    let mut run = Run::of(two_above_one);
    run.begin("a");
    run.step(Input::Cancel { reason: "enough".to_owned() });
    assert_eq!(run.machine.state(), RunState::Running);
    run.wait();
    assert_eq!(run.now.since(Timestamp::EPOCH), Settings::default().grace);
    assert!(run.commands.contains(&Command::Abandon(run.task("a"))));
    assert_eq!(run.machine.state(), RunState::Cancelled);
}

#[test]
fn a_group_with_retries_is_retried_as_a_whole() {
    let mut run = Run::of(|dag| {
        let group = Group::new("g").retries(1).retry_delay(Duration::from_secs(60));
        let last = group.draw(|| {
            let [a, b] = tasks(dag, ["a", "b"]);
            chain((a, b));
            b
        });
        chain((last, dag.add("c", |_| Ok(()))));
    });
    run.attempt("g.a", Outcome::Success(None));
    run.attempt("g.b", failed());
    assert_eq!([run.state("g.a"), run.state("g.b"), run.state("c")], [TaskState::None; 3]);
    run.ready();
    run.wait();
    assert_eq!(run.ready(), ["g.a"]);
    run.attempt("g.a", Outcome::Success(None));
    run.attempt("g.b", failed());
    assert_eq!([run.state("g.b"), run.state("c")], [TaskState::Failed, TaskState::UpstreamFailed]);
}

#[test]
fn a_resumed_run_starts_only_unfinished_tasks() {
    let mut run = Run::unstarted(plan(two_above_one), Settings::default());
    let ended = ended(run.task("a"), RestoredState::Success(None));
    run.machine.restore(&Restored { tasks: vec![ended], ..Restored::default() });
    run.step(Input::Start);
    assert_eq!(run.ready(), ["b"]);
    run.attempt("b", Outcome::Success(None));
    assert_eq!(run.ready(), ["c"]);
}

/// `x` fails before the list is expanded, so the elements of `a` end without it.
fn a_list_in_a_scope(dag: &DagBuilder) {
    let [x, create] = tasks(dag, ["x", "create"]);
    let work = |_| {
        let numbers = dag.add("numbers", |_| Ok(vec![1, 2]));
        numbers.each(|_| {
            let [a, b] = tasks(dag, ["a", "b"]);
            chain((x, a));
            (a, b)
        })
    };
    scope(create, work, |_| dag.add("delete", |_| Ok(())));
}

#[test]
fn a_teardown_of_a_resumed_run_waits_for_the_elements_left_to_run() {
    let plan = plan(a_list_in_a_scope);
    let expand = plan.node_indices().find(|&node| plan.place(node).expands.is_some()).unwrap().task();
    // A list that was expanded again has elements of its own each time.
    for expansions in [1, 2] {
        let mut layout = Layout::new(Arc::clone(&plan));
        for _ in 0..expansions {
            layout.retire(expand);
            layout.expand(expand, 2);
        }
        let task = |id: &str| layout.tasks().find(|&task| layout.id(task) == id).unwrap();
        let failure = Arc::new(Failure::Error { chain: vec!["no".to_owned()], retryable: false });
        let mut known = vec![ended(task("x"), RestoredState::Failed(failure))];
        let succeeded = [task("create"), task("numbers"), expand, task("b[0]")];
        known.extend(succeeded.map(|task| ended(task, RestoredState::Success(None))));

        let mut run = Run::unstarted(Arc::clone(&plan), Settings::default());
        let expansions = vec![(expand, 2); expansions];
        run.machine.restore(&Restored { tasks: known, expansions, ..Restored::default() });
        run.step(Input::Start);
        assert_eq!([run.state("a[0]"), run.state("a[1]")], [TaskState::UpstreamFailed; 2]);
        assert_eq!(run.ready(), ["b[1]"]);
        run.attempt("b[1]", Outcome::Success(None));
        assert_eq!(run.ready(), ["delete"]);
        run.attempt("delete", Outcome::Success(None));
        assert_eq!(run.machine.state(), RunState::Failed);
    }
}
