//! Branches in stored runs: what is stored, resuming, deciding again, explaining, replaying.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use taskflow::BoxError;
use taskflow::engine::{RunState, TaskState};
use taskflow::journal::{Journal, Note, RunHistory, TaskFilter};
use taskflow::prelude::*;
use taskflow_tests::calls::Calls;
use taskflow_tests::common::{PATIENCE, states};

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Route {
    Small(u32),
    Large { rows: Vec<u32>, parts: u32 },
}

/// How often each task was called, by test and task.
static CALLS: Calls = Calls::new();

fn call(test: &str, task: &str) -> u32 {
    CALLS.call(&format!("{test}/{task}"))
}

fn calls(test: &str, task: &str) -> u32 {
    CALLS.of(&format!("{test}/{task}"))
}

/// Large the first time, small from then on.
#[task]
fn route(test: &str) -> Route {
    match call(test, "route") {
        1 => Route::Large { rows: vec![1, 2, 3], parts: 2 },
        _ => Route::Small(7),
    }
}

#[task]
fn small(test: &str, n: u32) -> String {
    call(test, "small");
    format!("{n} is small")
}

#[task]
fn split(test: &str, rows: &[u32], parts: u32) -> Vec<Vec<u32>> {
    call(test, "split");
    rows.chunks(parts as usize).map(<[u32]>::to_vec).collect()
}

/// Is running when the run is interrupted for the first time in the test `interrupted`.
#[task]
async fn load(test: &str, parts: &[Vec<u32>], ctx: &TaskContext) -> Result<String> {
    if call(test, "load") == 1 && test == "interrupted" {
        ctx.cancelled().await;
        return Err("stopped")?;
    }
    Ok(format!("{parts:?}"))
}

/// Takes nothing from its arm.
#[task]
fn note(test: &str) {
    call(test, "note");
}

fn draw(test: &'static str) -> Output<String> {
    branch!(route(test) => {
        Route::Small(n) => small(test, n),
        Route::Large { rows, parts } => {
            note(test);
            load(test, split(test, rows, parts))
        }
    })
}

fn by() -> Note {
    Note { by: "ada".to_owned(), reason: "mended".to_owned() }
}

fn why(history: &RunHistory, task: &str) -> Vec<String> {
    history.explain(task).expect("there is such a task").why
}

#[tokio::test]
async fn a_run_interrupted_in_an_arm_resumes_there() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let dag = Dag::build("interrupted", || draw("interrupted"))?;
    let journal = Journal::open(home.path()).await?;
    let handle = dag.run().journal(&journal).grace(Duration::from_secs(5)).start()?;
    let runs = async {
        loop {
            let history = journal.history("last").await;
            let at = |task: &str, state| {
                history.as_ref().is_ok_and(|history| history.task(task).is_some_and(|task| task.state == state))
            };
            if at("load", TaskState::Running) && at("small", TaskState::Skipped) && at("note", TaskState::Success) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, runs).await?;
    journal.close().await?;
    assert_eq!(tokio::time::timeout(PATIENCE, handle).await?.state(), RunState::Interrupted);

    let journal = Journal::open(home.path()).await?;
    let before = journal.history("last").await?;
    assert_eq!(before.state, RunState::Interrupted);
    let payload = journal.value(&before, "route.Large").await?.expect("what the variant holds is stored");
    assert_eq!(payload.json()?, serde_json::json!([[1, 2, 3], 2]));
    assert_eq!(why(&before, "route.Small"), ["skipped: the branch `Large` was taken"]);
    assert_eq!(why(&before, "route.joined")[0], "waits for 1 of 2 upstream tasks, `load` (running): one must succeed");

    let report = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!(report.success()?, "[[1, 2], [3]]");
    let counts = ["route", "small", "split", "load", "note"].map(|task| calls("interrupted", task));
    assert_eq!(counts, [1, 0, 1, 2, 1]);
    let after = journal.history("last").await?;
    assert_eq!(
        why(&after, "small"),
        ["its upstream task `route.Small` was skipped", "`route.Small`: skipped: the branch `Large` was taken",]
    );
    let joined = journal.value(&after, "route.joined").await?.expect("the value of the whole is stored");
    assert_eq!(joined.json()?, "[[1, 2], [3]]");
    Ok(())
}

#[tokio::test]
async fn clearing_the_deciding_task_and_its_downstreams_decides_again() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let dag = Dag::build("again", || draw("again"))?;
    let first = dag.run().journal(&journal).await?;
    assert_eq!(first.success()?, "[[1, 2], [3]]");

    let cleared = journal.clear("last", &TaskFilter::tasks(["route"]).downstream(), &by()).await?;
    assert_eq!(cleared.len(), dag.plan().len());
    let waits = journal.history("last").await?;
    assert_eq!(
        why(&waits, "note")[0],
        "waits for 1 of 1 upstream tasks, `route.Large` (none): this arm of the branch must be taken"
    );
    let second = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!(second.success()?, "7 is small");
    let expected = "route=success route.Small=success small=success route.Large=skipped note=skipped split=skipped \
                    load=skipped route.joined=success";
    assert_eq!(states(&second), expected);
    assert_eq!((calls("again", "route"), calls("again", "note")), (2, 1));
    Ok(())
}

#[tokio::test]
async fn a_task_of_an_arm_cleared_alone_takes_the_stored_payload() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let dag = Dag::build("alone", || draw("alone"))?;
    dag.run().journal(&journal).await?;
    journal.clear("last", &TaskFilter::tasks(["split", "note"]), &by()).await?;
    let again = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!(again.success()?, "[[1, 2], [3]]");
    let counts = ["route", "split", "load", "note"].map(|task| calls("alone", task));
    assert_eq!(counts, [1, 2, 1, 2]);
    Ok(())
}

#[dag]
fn kept(test: String) -> String {
    branch!(route(test) => {
        Route::Small(n) => small(test, n),
        Route::Large { rows, parts } => {
            note(test);
            load(test, split(test, rows, parts))
        }
    })
}

#[tokio::test]
async fn tasks_arms_and_joins_are_replayed_from_stored_values() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    kept::run("replay".to_owned()).journal(&journal).await?;
    for (task, expected) in [
        ("split", serde_json::json!([[1, 2], [3]])),
        ("route.Large", serde_json::json!([[1, 2, 3], 2])),
        ("note", serde_json::json!(null)),
        ("route.joined", serde_json::json!("[[1, 2], [3]]")),
    ] {
        let replay = journal.replay("last", task).await?;
        let value = replay.value.unwrap_or_else(|| panic!("{task}: {}", states(&replay.report)));
        assert_eq!(value.json()?, expected, "{task}");
    }
    Ok(())
}

#[tokio::test]
async fn an_arm_that_only_gates_can_be_marked_success_without_a_value() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let dag = |name: &str| {
        Dag::build(name, || {
            branch!(route("mark") => { Route::Small(_) => small("mark", 1), Route::Large { parts, .. } => {
            note("mark");
            small("mark", parts)
        } })
        })
    };
    let dag = dag("mark")?;
    dag.run().journal(&journal).await?;
    journal.clear("last", &TaskFilter::tasks(["route.Small"]).downstream(), &by()).await?;
    journal.mark("last", &TaskFilter::tasks(["route.Small"]), TaskState::Success, None, &by()).await?;
    let report = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!(report.task("small").map(|task| task.state()), Some(TaskState::Success));
    Ok(())
}
