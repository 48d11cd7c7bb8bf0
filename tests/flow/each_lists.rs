//! The input of an element is that of the list it was expanded from; another list is expanded
//! again.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use taskflow::BoxError;
use taskflow::engine::{Engine, RunReport, RunState, TaskState};
use taskflow::journal::{Journal, Note, TaskFilter};
use taskflow::prelude::*;
use taskflow_tests::common::{PATIENCE, locked};

/// What `items` returns, and what the elements last worked on, for each test.
static LISTS: LazyLock<Mutex<HashMap<String, Vec<u32>>>> = LazyLock::new(Mutex::default);
static WORKED_ON: LazyLock<Mutex<HashMap<String, Vec<u32>>>> = LazyLock::new(Mutex::default);

fn set_list(test: &str, list: &[u32]) {
    locked(&LISTS).insert(test.to_owned(), list.to_vec());
}

/// What the elements have worked on since the last call, sorted.
fn worked_on(test: &str) -> Vec<u32> {
    let mut items = locked(&WORKED_ON).remove(test).unwrap_or_default();
    items.sort_unstable();
    items
}

#[task]
fn items(test: &str) -> Result<Vec<u32>> {
    Ok(locked(&LISTS).get(test).cloned().ok_or("there is no list yet")?)
}

#[task]
fn work(test: &str, item: u32) -> u32 {
    locked(&WORKED_ON).entry(test.to_owned()).or_default().push(item);
    item * 10
}

#[task]
fn next(value: u32) -> u32 {
    value + 1
}

#[task]
fn sum(values: &[u32]) -> u32 {
    values.iter().sum()
}

fn mapped(test: &'static str) -> Dag<u32> {
    Dag::build(test, || sum(items(test).each(|item| next(work(test, item))))).expect("no mistake")
}

/// Clears these tasks one call after the other; a `+` adds what is downstream.
async fn cleared(journal: &Journal, dag: &Dag<u32>, clears: &[&str]) -> Result<RunReport<u32>, BoxError> {
    for task in clears {
        let filter = TaskFilter::tasks([task.trim_end_matches('+')]);
        let filter = if task.ends_with('+') { filter.downstream() } else { filter };
        journal.clear("last", &filter, &Note::default()).await?;
    }
    let report = journal.resume_dag("last", dag).await?.await?;
    assert_eq!(report.state(), RunState::Success);
    Ok(report)
}

/// A2: `clear last items` and `resume`, and then `clear last work --downstream` and `resume`.
#[tokio::test]
async fn elements_of_another_list_are_those_of_another_expansion() -> Result<(), BoxError> {
    let test = "another";
    let (journal, dag) = (Journal::in_memory()?, mapped(test));
    set_list(test, &[1, 2, 3, 4]);
    assert_eq!(dag.run().journal(&journal).await?.result(), Some(&104));
    worked_on(test);
    for list in [&[5, 6, 7, 8, 9, 10][..], &[11, 12], &[], &[13, 14, 15]] {
        set_list(test, list);
        cleared(&journal, &dag, &["items"]).await?;
        assert_eq!(worked_on(test), [0; 0], "what has ended stays, while nothing of it is cleared");
        let work = if list.len() == 3 { "items.each+" } else { "work+" };
        let report = cleared(&journal, &dag, &[work]).await?;
        assert_eq!(worked_on(test), list);
        assert_eq!(report.result(), Some(&(list.iter().map(|item| item * 10 + 1).sum())));
        let history = journal.history("last").await?;
        let ended = history.tasks.iter().filter(|task| task.state == TaskState::Success).count();
        assert_eq!(ended, 3 + 2 * list.len(), "{:?}", history.counts());
    }
    Ok(())
}

/// A2: `clear last items` and `clear last next[1]` in every order, with and without `resume`
/// between.
#[tokio::test]
async fn one_cleared_element_of_another_list_runs_with_all_others() -> Result<(), BoxError> {
    let orders: [&[&[&str]]; 4] =
        [&[&["items"], &["next[1]"]], &[&["items", "next[1]"]], &[&["next[1]", "items"]], &[&["items"], &["work[1]"]]];
    for (number, steps) in orders.into_iter().enumerate() {
        let test = ["one", "two", "three", "four"][number];
        let (journal, dag) = (Journal::in_memory()?, mapped(test));
        set_list(test, &[1, 2, 3]);
        dag.run().journal(&journal).await?;
        worked_on(test);
        set_list(test, &[7, 2, 3, 4]);
        for step in steps {
            cleared(&journal, &dag, step).await?;
        }
        assert_eq!(worked_on(test), [2, 3, 4, 7], "{steps:?}");
    }
    Ok(())
}

#[tokio::test]
async fn one_cleared_element_of_the_same_list_runs_alone() -> Result<(), BoxError> {
    let test = "same";
    let (journal, dag) = (Journal::in_memory()?, mapped(test));
    set_list(test, &[1, 2, 3]);
    dag.run().journal(&journal).await?;
    worked_on(test);
    cleared(&journal, &dag, &["work[1]"]).await?;
    cleared(&journal, &dag, &["work[2]"]).await?;
    assert_eq!(worked_on(test), [2, 3]);
    Ok(())
}

#[dag]
fn marked_list(test: String) -> u32 {
    sum(items(test).each(|item| work(test, item)))
}

/// A2: `mark success last items --value '[8, 9, 10, 11, 12]'`, `clear last work --downstream`.
#[tokio::test]
async fn a_list_that_is_marked_is_expanded_again() -> Result<(), BoxError> {
    let test = "marked";
    let journal = Journal::in_memory()?;
    set_list(test, &[1, 2, 3, 4]);
    marked_list::run(test.to_owned()).journal(&journal).await?;
    worked_on(test);
    for list in [serde_json::json!([8, 9, 10, 11, 12]), serde_json::json!([8])] {
        let (items, work) = (TaskFilter::tasks(["items"]), TaskFilter::tasks(["work"]).downstream());
        journal.mark("last", &items, TaskState::Success, Some(&list), &Note::default()).await?;
        journal.clear("last", &work, &Note::default()).await?;
        let report = journal.resume("last").await?.await?;
        assert_eq!(report.state(), RunState::Success);
        assert_eq!(serde_json::json!(worked_on(test)), list);
    }
    Ok(())
}

/// A2: the closure of a projection is another one when the run is resumed: `clear last work[1]`.
#[tokio::test]
async fn a_projected_list_stays_what_it_was() -> Result<(), BoxError> {
    let test = "projected";
    let draw = |keeps: fn(&u32) -> bool| {
        let body = || sum(items(test).filter(keeps).each(|item| work(test, item)));
        Dag::build(test, body).expect("no mistake")
    };
    let journal = Journal::in_memory()?;
    set_list(test, &[1, 2, 3, 4, 5]);
    draw(|item| *item > 1).run().journal(&journal).await?;
    assert_eq!(worked_on(test), [2, 3, 4, 5]);
    cleared(&journal, &draw(|item| *item != 2), &["work[1]"]).await?;
    assert_eq!(worked_on(test), [3]);
    // A shorter list, in which the element is not.
    cleared(&journal, &draw(|item| *item > 4), &["work[3]"]).await?;
    assert_eq!(worked_on(test), [5]);
    // Another list is projected as the closure says now.
    set_list(test, &[6, 7]);
    cleared(&journal, &draw(|item| *item > 6), &["items", "work[0]"]).await?;
    assert_eq!(worked_on(test), [7]);
    Ok(())
}

#[task]
fn pairs(item: u32) -> Vec<u32> {
    vec![item, item + 100]
}

/// The list of an inner `each` is an element of the outer one, or made of it.
#[tokio::test]
async fn inner_lists_of_another_list_are_expanded_again() -> Result<(), BoxError> {
    let test = "inner";
    let draw = || {
        let outer = |item| sum(pairs(item).each(|inner| work(test, inner)));
        sum(items(test).each(outer))
    };
    let (journal, dag) = (Journal::in_memory()?, Dag::build(test, draw)?);
    set_list(test, &[1, 2]);
    dag.run().journal(&journal).await?;
    assert_eq!(worked_on(test), [1, 2, 101, 102]);
    cleared(&journal, &dag, &["work[1][0]"]).await?;
    assert_eq!(worked_on(test), [2]);
    // The inner list is made again, and is the same.
    cleared(&journal, &dag, &["pairs[0]", "work[0][1]"]).await?;
    assert_eq!(worked_on(test), [1, 101]);
    set_list(test, &[5, 2]);
    cleared(&journal, &dag, &["items", "work[1][0]"]).await?;
    assert_eq!(worked_on(test), [2, 5, 102, 105]);
    Ok(())
}

/// The first element of the second list is running when the run is interrupted.
#[task]
async fn held(test: &str, item: u32, ctx: &TaskContext) -> Result<u32> {
    locked(&WORKED_ON).entry(test.to_owned()).or_default().push(item);
    if item == 20 && ctx.attempt() == 2 {
        ctx.cancelled().await;
        return Err("stopped")?;
    }
    Ok(item)
}

/// The elements of the first list had succeeded under the ids of those that have yet to run.
#[tokio::test]
async fn an_element_of_another_list_is_not_taken_for_one_that_has_succeeded() -> Result<(), BoxError> {
    let (test, home) = ("stopped", tempfile::tempdir()?);
    let dag = Dag::build(test, || sum(items(test).each(|item| held(test, item))))?;
    let journal = Journal::open(home.path()).await?;
    set_list(test, &[10, 11, 12]);
    dag.run().journal(&journal).await?;
    assert_eq!(worked_on(test), [10, 11, 12]);
    set_list(test, &[20, 21, 22]);
    journal.clear("last", &TaskFilter::tasks(["items", "held[2]"]), &Note::default()).await?;
    let engine = Engine::builder().max_active_tasks(NonZeroUsize::MIN).build()?;
    let request = journal.resume_dag("last", &dag).await?.engine(&engine).grace(Duration::from_secs(5));
    let handle = request.start()?;
    let start = std::time::Instant::now();
    while journal.history("last").await?.task("held[0]").is_none_or(|task| task.state != TaskState::Running) {
        assert!(start.elapsed() < PATIENCE, "the element does not start");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    journal.close().await?;
    assert_eq!(tokio::time::timeout(PATIENCE, handle).await?.state(), RunState::Interrupted);

    let journal = Journal::open(home.path()).await?;
    worked_on(test);
    let report = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!((report.state(), worked_on(test)), (RunState::Success, vec![20, 21, 22]));
    Ok(())
}

#[task]
fn offset() -> u32 {
    5
}

#[task]
fn add(item: u32, offset: u32) -> u32 {
    item + offset
}

/// `mark success last offset` without a value, before the elements that take it exist.
#[tokio::test]
async fn a_value_that_only_elements_take_is_needed_before_they_exist() -> Result<(), BoxError> {
    let test = "needed";
    let dag = Dag::build(test, || {
        let offset = offset().id("offset");
        sum(items(test).each(|item| add(item, offset)))
    })?;
    let journal = Journal::in_memory()?;
    assert_eq!(dag.run().journal(&journal).await?.state(), RunState::Failed);
    set_list(test, &[1, 2]);
    journal.clear("last", &TaskFilter::tasks(["items", "offset"]), &Note::default()).await?;
    let mark = journal.mark("last", &TaskFilter::tasks(["offset"]), TaskState::Success, None, &Note::default()).await;
    let error = mark.expect_err("its value was cleared").to_string();
    assert!(error.contains("other tasks need the value of `offset`"), "{error}");
    assert_eq!(journal.resume_dag("last", &dag).await?.await?.result(), Some(&13));
    Ok(())
}
