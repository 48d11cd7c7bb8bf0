//! Mapped tasks in stored runs: their history, and what resuming, clearing, retrying and replaying
//! do to them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use taskflow::engine::{RunState, TaskState};
use taskflow::journal::{Journal, Note, RunHistory, TaskFilter};
use taskflow::prelude::*;
use taskflow::{BoxError, Selection};
use taskflow_tests::calls::Calls;
use taskflow_tests::common::{PATIENCE, locked};

static CALLS: Calls = Calls::new();

#[task]
fn numbers(test: &str, n: u32) -> Vec<u32> {
    CALLS.call(&format!("{test} numbers"));
    (0..n).collect()
}

/// The first attempt for the number `holds` is running when the run is interrupted.
#[task]
async fn double(test: &str, n: u32, holds: u32, ctx: &TaskContext) -> Result<u32> {
    if CALLS.call(&format!("{test} double {n}")) == 1 && n == holds {
        ctx.cancelled().await;
        return Err("stopped")?;
    }
    Ok(n * 2)
}

#[task]
fn plus(a: u32, b: u32) -> u32 {
    a + b
}

#[task]
fn total(test: &str, values: &[u32]) -> u32 {
    CALLS.call(&format!("{test} total"));
    values.iter().sum()
}

async fn interrupted(
    home: &std::path::Path,
    dag: &Dag<u32>,
    wanted: impl Fn(&RunHistory) -> bool,
) -> Result<(), BoxError> {
    let journal = Journal::open(home).await?;
    let handle = dag.run().journal(&journal).grace(Duration::from_secs(5)).start()?;
    let start = std::time::Instant::now();
    loop {
        if let Ok(history) = journal.history("last").await
            && wanted(&history)
        {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "what is waited for does not come");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    journal.close().await?;
    let report = tokio::time::timeout(PATIENCE, handle).await?;
    assert_eq!(report.state(), RunState::Interrupted);
    Ok(())
}

fn state(history: &RunHistory, task: &str) -> TaskState {
    history.task(task).unwrap_or_else(|| panic!("no {task}")).state
}

#[tokio::test]
async fn the_history_has_every_element() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let dag = Dag::build("history", || {
        let doubled = numbers("history", 3).each(|n| double("history", n, 99));
        total("history", doubled)
    })?;
    let report = dag.run().journal(&journal).await?;
    assert_eq!(report.result(), Some(&6));
    let history = journal.history("last").await?;
    let mut of_history: Vec<String> = history.tasks.iter().map(|task| format!("{} {}", task.id, task.state)).collect();
    let mut of_report: Vec<String> = report.tasks().map(|task| format!("{} {}", task.id(), task.state())).collect();
    of_history.sort();
    of_report.sort();
    assert_eq!(of_history, of_report);
    assert_eq!(journal.value(&history, "double[2]").await?.unwrap().json()?, 4);
    assert_eq!(journal.value(&history, "total").await?.unwrap().json()?, 6);
    Ok(())
}

#[tokio::test]
async fn finished_elements_do_not_run_again() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let test = "resumed";
    let dag = Dag::build(test, || {
        let extra = plus(40, 2);
        let doubled = numbers(test, 4).each(|n| plus(double(test, n, 2), extra));
        total(test, doubled)
    })?;
    let done = |history: &RunHistory| {
        ["plus_2[0]", "plus_2[1]", "plus_2[3]"]
            .iter()
            .all(|id| history.task(id).is_some_and(|task| task.state == TaskState::Success))
            && state(history, "double[2]") == TaskState::Running
    };
    interrupted(home.path(), &dag, done).await?;
    let journal = Journal::open(home.path()).await?;
    let report = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!((report.state(), report.result()), (RunState::Success, Some(&(12 + 4 * 42))));
    for (n, expected) in [(0, 1), (1, 1), (2, 2), (3, 1)] {
        assert_eq!(CALLS.of(&format!("{test} double {n}")), expected, "{n}");
    }
    assert_eq!(CALLS.of(&format!("{test} numbers")), 1);
    let history = journal.history("last").await?;
    assert_eq!(history.task("double[2]").unwrap().attempts.len(), 2);
    assert_eq!(state(&history, "plus_2[3]"), TaskState::Success);
    assert_eq!(history.tasks.len(), report.tasks().count());
    Ok(())
}

#[tokio::test]
async fn nested_elements_resume_where_they_stopped() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let test = "nested";
    let dag = Dag::build(test, || {
        let sums = numbers(test, 4).each(|n| {
            let inner = numbers("inner", n).each(|m| double(test, plus(m, n), 5));
            total("inner", inner)
        });
        total(test, sums)
    })?;
    let done = |history: &RunHistory| {
        // 3 + 2 is the last element of the last list.
        ["double[3][0]", "double[3][1]", "total[2]"]
            .iter()
            .all(|id| history.task(id).is_some_and(|task| task.state == TaskState::Success))
            && history.task("double[3][2]").is_some_and(|task| task.state == TaskState::Running)
    };
    interrupted(home.path(), &dag, done).await?;
    let journal = Journal::open(home.path()).await?;
    let report = journal.resume_dag("last", &dag).await?.await?;
    // 2 * (1 + (2 + 3) + (3 + 4 + 5))
    assert_eq!((report.state(), report.result()), (RunState::Success, Some(&36)));
    assert_eq!((CALLS.of("nested double 5"), CALLS.of("nested double 4"), CALLS.of("nested double 1")), (2, 1, 1));
    Ok(())
}

#[tokio::test]
async fn one_element_can_be_cleared_with_its_downstreams() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let test = "cleared";
    let dag = Dag::build(test, || {
        let doubled = numbers(test, 3).each(|n| double(test, n, 99));
        total(test, doubled)
    })?;
    assert_eq!(dag.run().journal(&journal).await?.result(), Some(&6));
    let mut cleared = journal.clear("last", &TaskFilter::tasks(["double[1]"]).downstream(), &Note::default()).await?;
    cleared.sort();
    assert_eq!(cleared, ["double[1]", "total"]);
    let report = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!((report.state(), report.result()), (RunState::Success, Some(&6)));
    assert_eq!((CALLS.of("cleared double 0"), CALLS.of("cleared double 1"), CALLS.of("cleared total")), (1, 2, 2));
    let history = journal.history("last").await?;
    assert_eq!(history.task("double[1]").unwrap().attempts.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_recomputed_list_can_be_longer_or_shorter() -> Result<(), BoxError> {
    static LENGTH: Mutex<u32> = Mutex::new(3);
    #[task]
    fn some() -> Vec<u32> {
        (0..*locked(&LENGTH)).collect()
    }
    let journal = Journal::in_memory()?;
    let dag = Dag::build("lengths", || total("lengths", some().each(|n| plus(n, 1))))?;
    assert_eq!(dag.run().journal(&journal).await?.result(), Some(&6));
    for (length, expected) in [(5, 15), (2, 3), (4, 10)] {
        *locked(&LENGTH) = length;
        journal.clear("last", &TaskFilter::tasks(["some"]).downstream(), &Note::default()).await?;
        let report = journal.resume_dag("last", &dag).await?.await?;
        assert_eq!((report.state(), report.result()), (RunState::Success, Some(&expected)), "{length}");
        let history = journal.history("last").await?;
        let there =
            |task: &&taskflow::journal::TaskHistory| task.id.starts_with("plus[") && task.state == TaskState::Success;
        assert_eq!(history.tasks.iter().filter(there).count(), length as usize);
    }
    let history = journal.history("last").await?;
    assert_eq!(history.task("plus[1]").unwrap().attempts.len(), 4);
    let numbers: Vec<u32> = history.task("plus[3]").unwrap().attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 2]);
    assert_eq!(state(&history, "plus[4]"), TaskState::Removed);
    Ok(())
}

#[tokio::test]
async fn only_the_failed_elements_are_retried() -> Result<(), BoxError> {
    static BROKEN: AtomicBool = AtomicBool::new(true);
    #[task]
    fn check(n: u32) -> Result<u32> {
        CALLS.call(&format!("retried check {n}"));
        if n == 1 && BROKEN.load(Ordering::SeqCst) { Err("broken")? } else { Ok(n) }
    }
    let journal = Journal::in_memory()?;
    let dag = Dag::build("retried", || total("retried", numbers("retried", 3).each(check)))?;
    assert_eq!(dag.run().journal(&journal).await?.state(), RunState::Failed);
    BROKEN.store(false, Ordering::SeqCst);
    let mut cleared = journal.clear("last", &TaskFilter::all().failed(), &Note::default()).await?;
    cleared.sort();
    assert_eq!(cleared, ["check[1]", "total"]);
    let report = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!((report.state(), report.result()), (RunState::Success, Some(&3)));
    assert_eq!((CALLS.of("retried check 0"), CALLS.of("retried check 1")), (1, 2));
    Ok(())
}

#[tokio::test]
async fn elements_are_kept_when_the_graph_changes() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let test = "changed";
    let before = Dag::build(test, || {
        let doubled = numbers(test, 3).each(|n| double(test, n, 1));
        total(test, doubled)
    })?;
    let done = |history: &RunHistory| {
        ["double[0]", "double[2]"]
            .iter()
            .all(|id| history.task(id).is_some_and(|task| task.state == TaskState::Success))
            && state(history, "double[1]") == TaskState::Running
    };
    interrupted(home.path(), &before, done).await?;
    // A task before, one more in the template, in front of the others.
    let after = Dag::build(test, || {
        let extra = plus(1, 2).id("extra");
        let doubled = numbers(test, 3).each(|n| {
            let more = plus(n, extra).id("more");
            plus(double(test, n, 1), more)
        });
        total(test, doubled)
    })?;
    let journal = Journal::open(home.path()).await?;
    let report = journal.resume_dag("last", &after).await?.await?;
    // 2 * (0 + 1 + 2) + (3 + 4 + 5)
    assert_eq!((report.state(), report.result()), (RunState::Success, Some(&18)));
    assert_eq!((CALLS.of("changed double 0"), CALLS.of("changed double 1"), CALLS.of("changed numbers")), (1, 2, 1));
    let history = journal.history("last").await?;
    assert_eq!(history.task("double[0]").unwrap().attempts.len(), 1);
    // It used to be said that its process was asked to leave.
    let first = &history.task("double[1]").unwrap().attempts[0];
    assert_eq!(first.failure.as_ref().map(|failure| failure.kind()), Some("lost"));
    assert_eq!(history.tasks.len(), report.tasks().count());
    Ok(())
}

/// The selection of a run used to be forgotten inside an `each` when the run was resumed.
#[tokio::test]
async fn elements_that_a_selection_leaves_out_stay_out_when_the_run_is_resumed() -> Result<(), BoxError> {
    let (journal, test) = (Journal::in_memory()?, "selected");
    let dag = Dag::build(test, || {
        let doubled = numbers(test, 2).each(|n| {
            let twice = double(test, n, 99);
            total(test, vec![n]).after(twice);
            twice
        });
        total(test, doubled)
    })?;
    let only = Selection::only(dag.plan(), "double")?;
    dag.run().select(only).journal(&journal).await?;
    journal.clear("last", &TaskFilter::tasks(["double[1]"]), &Note::default()).await?;
    let is_out = |history: &RunHistory| state(history, "total[1]") == TaskState::Removed;
    assert!(is_out(&journal.history("last").await?));
    let report = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!((report.state(), CALLS.of("selected double 1"), CALLS.of("selected total")), (RunState::Success, 2, 0));
    assert!(is_out(&journal.history("last").await?));
    Ok(())
}

/// It used to be forgotten by the second resume after a change of the graph.
#[tokio::test]
async fn tasks_that_a_selection_leaves_out_stay_out_when_the_graph_changes() -> Result<(), BoxError> {
    let (journal, test) = (Journal::in_memory()?, "reselected");
    let draw = |name: &'static str| {
        Dag::build(test, move || {
            let one = plus(1, 1).id("one");
            plus(one, 1).id(name);
            let values = numbers(test, 1).each(|n| double(test, n, 99));
            total(test, values)
        })
    };
    let before = draw("early")?;
    let only = Selection::only(before.plan(), "one")?;
    before.run().select(only).journal(&journal).await?;
    let after = draw("late")?;
    for _ in 0..2 {
        journal.clear("last", &TaskFilter::tasks(["one"]), &Note::default()).await?;
        let report = journal.resume_dag("last", &after).await?.await?;
        let history = journal.history("last").await?;
        let states = ["one", "numbers", "total"].map(|task| state(&history, task));
        assert_eq!(states, [TaskState::Success, TaskState::Removed, TaskState::Removed], "{:?}", report.state());
    }
    assert_eq!(
        (CALLS.of("reselected numbers"), CALLS.of("reselected double 0"), CALLS.of("reselected total")),
        (0, 0, 0)
    );
    Ok(())
}

#[tokio::test]
async fn explain_covers_elements() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let test = "explained";
    let dag = Dag::build(test, || {
        let doubled = numbers(test, 3).each(|n| double(test, n, 1));
        total(test, doubled)
    })?;
    let done = |history: &RunHistory| {
        history.task("double[2]").is_some_and(|task| task.state == TaskState::Success)
            && history.task("double[0]").is_some_and(|task| task.state == TaskState::Success)
            && state(history, "double[1]") == TaskState::Running
    };
    interrupted(home.path(), &dag, done).await?;
    let journal = Journal::open(home.path()).await?;
    let history = journal.history("last").await?;
    let why = history.explain("total").unwrap().why.join("\n");
    assert!(why.contains("waits for 1 of 4 upstream tasks, `double[1]` (running)"), "{why}");
    Ok(())
}

#[tokio::test]
async fn one_element_can_be_replayed() -> Result<(), BoxError> {
    // Replays look for their DAG among those of the program.
    let journal = Journal::in_memory()?;
    let report = replayed::run().journal(&journal).await?;
    assert_eq!(report.result(), Some(&6));
    let replay = journal.replay("last", "double[2]").await?;
    assert_eq!(replay.report.state(), RunState::Success);
    assert_eq!(replay.value.unwrap().json()?, 4);
    assert_eq!(CALLS.of("replayed double 2"), 2);
    assert_eq!((CALLS.of("replayed double 1"), CALLS.of("replayed numbers")), (1, 1));
    Ok(())
}

#[dag]
fn replayed() -> u32 {
    let test = "replayed";
    let doubled = numbers(test, 3).each(|n| double(test, n, 99));
    total(test, doubled)
}

#[tokio::test]
async fn a_projected_list_is_projected_again() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let test = "projected";
    let dag = Dag::build(test, || {
        let odd = numbers(test, 6).filter(|n| n % 2 == 1);
        let doubled = odd.each(|n| double(test, n.map(|n| n + 10), 13));
        total(test, doubled)
    })?;
    let done = |history: &RunHistory| {
        ["double[0]", "double[2]"]
            .iter()
            .all(|id| history.task(id).is_some_and(|task| task.state == TaskState::Success))
            && state(history, "double[1]") == TaskState::Running
    };
    interrupted(home.path(), &dag, done).await?;
    let journal = Journal::open(home.path()).await?;
    let report = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!((report.state(), report.result()), (RunState::Success, Some(&78)));
    Ok(())
}

#[task]
fn priced(n: u32) -> Result<u32> {
    if n == 1 { Err("no price")? } else { Ok(n * 10) }
}

#[dag]
fn prices() -> u32 {
    total("prices", numbers("prices", 3).each(priced))
}

#[tokio::test]
async fn an_element_is_marked_with_a_value_and_the_run_goes_on_with_it() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    assert_eq!(prices::run().journal(&journal).await?.state(), RunState::Failed);
    let (pick, note) = (TaskFilter::tasks(["priced[1]"]), Note::default());
    let mark = |value| journal.mark("last", &pick, TaskState::Success, value, &note);
    let missing = mark(None).await.unwrap_err().to_string();
    assert!(missing.contains("other tasks need the value of `priced[1]`"), "{missing}");
    let (text, number) = ("seven".into(), 7.into());
    let wrong = mark(Some(&text)).await.unwrap_err().to_string();
    assert!(wrong.contains("the JSON is not a valid u32"), "{wrong}");
    assert_eq!(mark(Some(&number)).await?, ["priced[1]"]);
    let report = journal.resume("last").await?.await?;
    assert_eq!(report.state(), RunState::Success);
    let history = journal.history("last").await?;
    assert_eq!(journal.value(&history, "priced[1]").await?.unwrap().json()?, 7);
    assert_eq!(journal.value(&history, "total").await?.unwrap().json()?, 27);
    assert_eq!(history.task("priced[0]").unwrap().attempts.len(), 1);
    // The name of the template means all of its elements.
    journal.mark("last", &TaskFilter::tasks(["priced"]), TaskState::Success, Some(&5.into()), &note).await?;
    journal.clear("last", &TaskFilter::tasks(["total"]), &note).await?;
    journal.resume("last").await?.await?;
    let history = journal.history("last").await?;
    assert_eq!(journal.value(&history, "total").await?.unwrap().json()?, 15);
    // A list is that of the task that returns it.
    let list = TaskFilter::tasks(["numbers.each"]);
    let passed_on = journal.mark("last", &list, TaskState::Success, Some(&5.into()), &note).await.unwrap_err();
    assert!(passed_on.to_string().contains("mark the task that returns the list"), "{passed_on}");
    Ok(())
}
