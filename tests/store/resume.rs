//! Resuming an interrupted run: finished tasks stay finished, running ones run again, and the
//! program may have changed meanwhile.
//!
//! A run is interrupted here by closing its journal while tasks are running, and resumed with
//! another one in the same directory. `process/crash.rs` does the same with processes that are
//! killed.

use std::time::Duration;

use taskflow::engine::{RunReport, RunState, TaskState};
use taskflow::journal::{Journal, JournalError, RunHistory};
use taskflow::notify::Notification;
use taskflow::prelude::*;
use taskflow::{BoxError, Value};
use taskflow_tests::calls::Calls;
use taskflow_tests::common::PATIENCE;

/// How often each task was called, by test and task.
static CALLS: Calls = Calls::new();

/// Counts a call.
fn call(test: &str, task: &str) -> u32 {
    CALLS.call(&format!("{test}/{task}"))
}

fn calls(test: &str, task: &str) -> u32 {
    CALLS.of(&format!("{test}/{task}"))
}

#[task]
fn number(test: &str, n: u32) -> u32 {
    call(test, &format!("number {n}"));
    n
}

/// Is running when the run is interrupted for the first time.
#[task(retries = 1, retry_delay = "0s")]
async fn holds(test: &str, n: u32, ctx: &TaskContext) -> Result<String> {
    if call(test, "holds") == 1 {
        ctx.cancelled().await;
        return Err("stopped")?;
    }
    Ok(format!("{} {} of {}, {n}", ctx.idempotency_key(), ctx.attempt(), ctx.max_attempts()))
}

#[task]
fn length(test: &str, text: &str) -> u32 {
    call(test, "length");
    text.len() as u32
}

/// Runs the graph until its history is as wanted, then closes its journal.
async fn interrupt<T: Value>(
    home: &std::path::Path,
    dag: &Dag<T>,
    wanted: impl Fn(&RunHistory) -> bool,
) -> Result<RunReport<T>, BoxError> {
    let journal = Journal::open(home).await?;
    let handle = dag.run().journal(&journal).grace(Duration::from_secs(5)).start()?;
    until(&journal, wanted).await;
    journal.close().await?;
    let report = tokio::time::timeout(PATIENCE, handle).await?;
    assert_eq!(report.state(), RunState::Interrupted);
    Ok(report)
}

/// Looks at the last run again and again until its history is as wanted.
async fn until(journal: &Journal, wanted: impl Fn(&RunHistory) -> bool) {
    let look = async {
        loop {
            if let Ok(history) = journal.history("last").await
                && wanted(&history)
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, look).await.expect("the history comes to what is wanted");
}

fn is(task: &'static str, state: TaskState) -> impl Fn(&RunHistory) -> bool {
    move |history| history.task(task).is_some_and(|task| task.state == state)
}

/// How the attempts of a task ended.
fn ends(history: &RunHistory, task: &str) -> Vec<String> {
    let attempts = &history.task(task).expect("there is such a task").attempts;
    let end = |attempt: &taskflow::journal::AttemptHistory| match &attempt.failure {
        Some(failure) => format!("{} {}", attempt.number, failure.kind()),
        None => format!("{} {}", attempt.number, attempt.state),
    };
    attempts.iter().map(end).collect()
}

#[tokio::test]
async fn finished_tasks_keep_their_state_and_running_tasks_run_again() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let dag = Dag::build("stays", || length("stays", holds("stays", number("stays", 5))))?;
    interrupt(home.path(), &dag, is("holds", TaskState::Running)).await?;

    let journal = Journal::open(home.path()).await?;
    let before = journal.history("last").await?;
    assert_eq!(before.state, RunState::Interrupted);
    let report = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!(report.state(), RunState::Success);
    assert_eq!(report.run(), &before.info);
    assert_eq!((calls("stays", "number 5"), calls("stays", "holds"), calls("stays", "length")), (1, 2, 1));

    let after = journal.history("last").await?;
    assert_eq!(after.state, RunState::Success);
    assert_eq!(after.sessions.len(), 2);
    assert_eq!(after.sessions[1].token, 2);
    assert_eq!(ends(&after, "number"), ["1 success"]);
    assert_eq!(ends(&after, "holds"), ["1 lost", "2 success"]);
    let attempts = &after.task("holds").unwrap().attempts;
    assert_eq!((attempts[0].session, attempts[1].session), (0, 1));
    let lost = attempts[0].failure.as_deref();
    assert_eq!(lost, Some(&Failure::Lost { worker: after.sessions[0].worker.clone() }));
    // The report of the second process agrees with that of the first.
    let of_report = report.task("holds").unwrap().attempts();
    assert_eq!(of_report.len(), 2);
    for (one, other) in of_report.iter().zip(attempts) {
        assert_eq!((one.number, one.started, &one.failure), (other.number, other.started, &other.failure));
        assert_eq!(Some(one.ended), other.ended);
    }
    // The key of the task is that of every attempt, and the lost one is on top of the two that it
    // may have.
    let output = journal.value(&after, "holds").await?.unwrap().json()?;
    assert_eq!(output, format!("{}/holds 2 of 3, 5", after.info.run_id));
    Ok(())
}

/// Fails, is then running when the run is interrupted, and then fails finally.
#[task(retries = 1, retry_delay = "0s")]
async fn fails_around_a_crash(test: &str, ctx: &TaskContext) -> Result<u32> {
    if call(test, "fails") == 2 {
        ctx.cancelled().await;
    }
    Err(format!("attempt {} of {}", ctx.attempt(), ctx.max_attempts()))?
}

#[tokio::test]
async fn a_lost_attempt_neither_uses_nor_adds_a_retry() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let dag = Dag::build("costs", || fails_around_a_crash("costs"))?;
    let second = |history: &RunHistory| history.tasks[0].attempts.len() == 2;
    interrupt(home.path(), &dag, second).await?;
    let journal = Journal::open(home.path()).await?;
    let report = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!(report.state(), RunState::Failed);
    let history = journal.history("last").await?;
    assert_eq!(ends(&history, "fails_around_a_crash"), ["1 error", "2 lost", "3 error"]);
    let failure = history.tasks[0].failure.as_ref().unwrap();
    assert_eq!(failure.to_string(), "attempt 3 of 3");
    Ok(())
}

#[task]
fn fails_at_first(test: &str, n: u32) -> Result<u32> {
    if call(test, "fails") == 1 { Err("not yet")? } else { Ok(n) }
}

#[tokio::test]
async fn a_pending_retry_keeps_its_time_after_a_resume() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let hour = Duration::from_secs(3600);
    let dag = Dag::build("waits", || fails_at_first("waits", 1).retries(1).retry_delay(hour))?;
    interrupt(home.path(), &dag, is("fails_at_first", TaskState::UpForRetry)).await?;

    let journal = Journal::open(home.path()).await?;
    let before = journal.history("last").await?;
    let task = before.task("fails_at_first").unwrap();
    let due = task.retry_at.unwrap();
    assert_eq!(due, task.attempts[0].ended.unwrap() + hour);

    let handle = journal.resume_dag("last", &dag).await?.start()?;
    until(&journal, |history| history.sessions.len() == 2).await;
    let during = journal.history("last").await?;
    let task = during.task("fails_at_first").unwrap();
    assert_eq!((task.state, task.retry_at), (TaskState::UpForRetry, Some(due)));
    handle.control().cancel("an hour is long");
    assert_eq!(handle.await.state(), RunState::Cancelled);
    assert_eq!(ends(&journal.history("last").await?, "fails_at_first"), ["1 error"]);
    assert_eq!(calls("waits", "fails"), 1);
    Ok(())
}

fn tell(notification: &Notification) {
    let failure = notification.failure.as_ref().map(ToString::to_string).unwrap_or_default();
    call(&notification.run.dag_id, &format!("{}: {failure}", notification.kind));
}

/// Is running when the run is interrupted.
#[task(on_failure = tell)]
async fn hangs(test: &str, ctx: &TaskContext) -> Result<u32> {
    call(test, "hangs");
    ctx.cancelled().await;
    Err("stopped")?
}

/// Waits for its retry when the run is interrupted.
#[task(on_failure = tell, retries = 1, retry_delay = "1h")]
fn fails_before(test: &str) -> Result<u32> {
    call(test, "fails_before");
    Err("not yet")?
}

/// The limit over all attempts has passed when the run is resumed: the program has another one by
/// then, of a nanosecond. A lost attempt was followed by one more, and a retry that was due in an
/// hour was waited for.
#[tokio::test]
async fn a_task_without_time_left_fails_without_another_call() -> Result<(), BoxError> {
    let (long, short) = (Duration::from_secs(7200), Duration::from_nanos(1));
    let lost = |limit: Duration| Dag::build("no_time", || hangs("no_time").total_timeout(limit));
    let failed = |limit: Duration| Dag::build("no_time", || fails_before("no_time").total_timeout(limit));
    let why = "took longer than 1ns in all, in one attempt";
    for (task, before, after, state, ended) in [
        ("hangs", lost(long)?, lost(short)?, TaskState::Running, "1 lost"),
        ("fails_before", failed(long)?, failed(short)?, TaskState::UpForRetry, "1 error"),
    ] {
        let home = tempfile::tempdir()?;
        interrupt(home.path(), &before, is(task, state)).await?;
        let journal = Journal::open(home.path()).await?;
        let handle = journal.resume_dag("last", &after).await?.start()?;
        let report = tokio::time::timeout(PATIENCE, handle).await?;
        assert_eq!(report.state(), RunState::Failed, "{task}");
        let history = journal.history("last").await?;
        let known = history.task(task).expect("there is such a task");
        assert_eq!((known.state, ends(&history, task)), (TaskState::Failed, vec![ended.to_owned()]));
        assert_eq!(known.failure.as_ref().map(ToString::to_string).as_deref(), Some(why), "{task}");
    }
    assert_eq!((calls("no_time", "hangs"), calls("no_time", "fails_before")), (1, 1));
    assert_eq!(calls("no_time", &format!("failure: {why}")), 2, "one notification each");
    Ok(())
}

/// As `number`, of another type.
#[task]
fn word(test: &str, n: u32) -> String {
    call(test, &format!("word {n}"));
    n.to_string()
}

#[task]
async fn holds_word(test: &str, word: &str, ctx: &TaskContext) -> Result<String> {
    if call(test, "holds") == 1 {
        ctx.cancelled().await;
    }
    Ok(word.to_owned())
}

#[tokio::test]
async fn a_changed_graph_runs_new_tasks_and_drops_removed_ones() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let old = Dag::build("changes", || {
        let kept = number("changes", 5).id("kept");
        number("changes", 6).id("gone").before(kept);
        length("changes", holds("changes", kept)).id("also_gone")
    })?;
    interrupt(home.path(), &old, is("holds", TaskState::Running)).await?;
    let new = Dag::build("changes", || {
        let kept = number("changes", 5).id("kept");
        let held = holds("changes", kept);
        let added = number("changes", 7).id("added").after(kept);
        length("changes", held).after(added).id("last")
    })?;

    let journal = Journal::open(home.path()).await?;
    let report = journal.resume_dag("last", &new).await?.await?;
    assert_eq!(report.state(), RunState::Success);
    let numbers: Vec<u32> = [5, 6, 7].map(|n| calls("changes", &format!("number {n}"))).into();
    assert_eq!(numbers, [1, 1, 1]);
    let history = journal.history("last").await?;
    let states: Vec<String> = history.tasks.iter().map(|task| format!("{} {}", task.id, task.state)).collect();
    assert_eq!(
        states,
        ["kept success", "holds success", "added success", "last success", "also_gone removed", "gone removed"]
    );
    assert_eq!(ends(&history, "gone"), ["1 success"]);
    assert_eq!(history.graph, new.plan().hash());
    assert_eq!(history.sessions[0].graph, old.plan().hash());
    let summary = journal.find("last").await?;
    assert_eq!((summary.tasks, summary.counts), (4, vec![(TaskState::Success, 4)]));
    Ok(())
}

#[task]
fn one_number(test: &str) -> Vec<u32> {
    call(test, "one_number");
    vec![1]
}

/// Fails when it is called for the first and the second time in a test.
#[task(retries = 1, retry_delay = "1h")]
fn fails_twice(test: &str, n: u32, ctx: &TaskContext) -> Result<String> {
    if call(test, "fails_twice") < 3 {
        return Err("not yet")?;
    }
    Ok(format!("{} {n}", ctx.idempotency_key()))
}

/// Resumes the last run with this graph until its history is as wanted, then closes its journal.
async fn interrupt_again<T: Value>(
    home: &std::path::Path,
    dag: &Dag<T>,
    wanted: impl Fn(&RunHistory) -> bool,
) -> Result<(), BoxError> {
    let journal = Journal::open(home).await?;
    let handle = journal.resume_dag("last", dag).await?.grace(Duration::from_secs(5)).start()?;
    until(&journal, wanted).await;
    journal.close().await?;
    assert_eq!(tokio::time::timeout(PATIENCE, handle).await?.state(), RunState::Interrupted);
    Ok(())
}

/// Runs a task of three graphs, one after the other, of which the second lacks it: it waits for its
/// retry when the first one is interrupted.
async fn leave_and_rejoin<A: Value, B: Value>(
    task: &'static str,
    before: &Dag<A>,
    without: &Dag<B>,
    again: &Dag<A>,
) -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    interrupt(home.path(), before, is(task, TaskState::UpForRetry)).await?;
    interrupt_again(home.path(), without, is("hangs", TaskState::Running)).await?;
    let journal = Journal::open(home.path()).await?;
    let report = journal.resume_dag("last", again).await?.await?;
    let history = journal.history("last").await?;
    assert_eq!(ends(&history, task), ["1 error", "2 error", "3 success"]);
    assert_eq!(report.state(), RunState::Success);
    // It was not cleared, so the key for its effects is the same.
    let output = journal.value(&history, task).await?.expect("a value").json()?;
    assert_eq!(output, format!("{}/{task} 1", history.info.run_id));
    Ok(())
}

/// A task, and an element. The attempt before the second graph counted as if it was of now, so the
/// next one was the last.
#[tokio::test]
async fn a_task_that_is_in_the_graph_again_has_all_its_retries() -> Result<(), BoxError> {
    let (hour, zero) = (Duration::from_secs(3600), Duration::ZERO);
    let with = |delay: Duration| Dag::build("rejoins", || fails_twice("task", 1).retry_delay(delay));
    let without = Dag::build("rejoins", || hangs("task"))?;
    leave_and_rejoin("fails_twice", &with(hour)?, &without, &with(zero)?).await?;

    let with = |delay: Duration| {
        Dag::build("rejoins", || {
            let all = one_number("element").each(|n| {
                number("element", n);
                fails_twice("element", n).retry_delay(delay)
            });
            all.collect()
        })
    };
    let without = Dag::build("rejoins", || {
        one_number("element").each(|n| number("element", n));
        hangs("element")
    })?;
    leave_and_rejoin("fails_twice[0]", &with(hour)?, &without, &with(zero)?).await
}

#[tokio::test]
async fn a_stored_value_of_another_type_is_rejected_by_its_consumer() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let old = Dag::build("types", || holds("types", number("types", 5).id("made")))?;
    interrupt(home.path(), &old, is("holds", TaskState::Running)).await?;
    let new = Dag::build("types", || holds_word("types", word("types", 5).id("made")).id("holds"))?;

    let journal = Journal::open(home.path()).await?;
    let error = journal.resume_dag("last", &new).await.unwrap_err();
    assert!(matches!(error, JournalError::Changed { .. }), "{error:?}");
    let output = error.to_string();
    assert!(output.contains("task `made` returned a u32 and returns a String now"), "{output}");
    assert!(output.contains("`clear 1 made` runs it again"), "{output}");
    // Nothing has happened to it.
    let history = journal.history("last").await?;
    assert_eq!((history.state, history.sessions.len()), (RunState::Interrupted, 1));
    assert_eq!(journal.resume_dag("last", &old).await?.await?.state(), RunState::Success);
    Ok(())
}

#[tokio::test]
async fn a_stored_value_without_consumers_can_change_its_type() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let old = Dag::build("unwanted", || holds("unwanted", number("unwanted", 5).id("made")))?;
    interrupt(home.path(), &old, is("holds", TaskState::Running)).await?;
    let new = Dag::build("unwanted", || {
        let made = word("unwanted", 5).id("made");
        holds("unwanted", 8).after(made)
    })?;
    let journal = Journal::open(home.path()).await?;
    assert_eq!(journal.resume_dag("last", &new).await?.await?.state(), RunState::Success);
    assert_eq!(calls("unwanted", "word 5"), 0);
    Ok(())
}

#[tokio::test]
async fn a_run_is_resumed_only_by_its_own_dag() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let dag = Dag::build("one", || holds("one", 1))?;
    interrupt(home.path(), &dag, is("holds", TaskState::Running)).await?;
    let journal = Journal::open(home.path()).await?;
    let other = Dag::build("other", || number("one", 1))?;
    let output = journal.resume_dag("last", &other).await.unwrap_err().to_string();
    assert!(output.contains("it is a run of the DAG `one`, not of `other`"), "{output}");
    let output = journal.resume("last").await.unwrap_err().to_string();
    assert!(output.contains("belongs to the DAG `one`, which this program does not contain"), "{output}");
    assert_eq!(journal.resume_dag("last", &dag).await?.await?.state(), RunState::Success);
    Ok(())
}

#[task]
fn large(test: &str) -> String {
    call(test, "large");
    "large".repeat(20_000)
}

#[tokio::test]
async fn a_value_whose_file_is_missing_is_named_with_the_remedy() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let dag = Dag::build("file", || holds_word("file", large("file")))?;
    interrupt(home.path(), &dag, is("holds_word", TaskState::Running)).await?;
    let (values, aside) = (home.path().join("values"), home.path().join("aside"));
    std::fs::rename(&values, &aside)?;
    let journal = Journal::open(home.path()).await?;
    let output = journal.resume_dag("last", &dag).await.unwrap_err().to_string();
    assert!(output.contains("the value of task `large`") && output.contains("the value is missing"), "{output}");
    assert!(output.contains("clear"), "{output}");
    std::fs::rename(&aside, &values)?;
    assert_eq!(journal.resume_dag("last", &dag).await?.await?.state(), RunState::Success);
    assert_eq!(calls("file", "large"), 1);
    Ok(())
}

/// Waits until `stubborn` runs, and fails.
#[task]
async fn fails_beside(test: &str) -> Result<u32> {
    while calls(test, "stubborn") == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Err("the first failure")?
}

/// Does not stop when it is asked to, as long as the journal is open.
#[task]
fn stubborn(test: &str, ctx: &TaskContext) -> u32 {
    if call(test, "stubborn") == 1 {
        while calls(test, "closed") == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    ctx.attempt()
}

#[tokio::test]
async fn a_run_interrupted_while_it_ended_early_ends_the_same() -> Result<(), BoxError> {
    for (test, cancelled, ends) in [("fast", false, RunState::Failed), ("cancelled", true, RunState::Cancelled)] {
        let home = tempfile::tempdir()?;
        let dag = Dag::build(test, || {
            let waits = stubborn(test);
            if !cancelled {
                let _ = fails_beside(test);
            }
            number(test, waits)
        })?;
        let journal = Journal::open(home.path()).await?;
        let handle = dag.run().journal(&journal).fail_fast(true).start()?;
        until(&journal, is("stubborn", TaskState::Running)).await;
        if cancelled {
            handle.control().cancel("enough");
        }
        until(&journal, |history| history.halt_reason.is_some()).await;
        journal.close().await?;
        call(test, "closed");
        assert_eq!(tokio::time::timeout(PATIENCE, handle).await?.state(), RunState::Interrupted);

        let journal = Journal::open(home.path()).await?;
        let before = journal.history("last").await?;
        assert_eq!(before.state, RunState::Interrupted);
        let report = journal.resume_dag("last", &dag).await?.await?;
        let after = journal.history("last").await?;
        assert_eq!((report.state(), after.state), (ends, ends));
        assert_eq!(report.halt_reason().map(str::to_owned), before.halt_reason);
        assert_eq!(after.halt_reason, before.halt_reason);
        assert_eq!(after.task("stubborn").unwrap().state, TaskState::Cancelled);
        assert_eq!(calls(test, "stubborn"), 1, "nothing starts any more");
    }
    Ok(())
}
