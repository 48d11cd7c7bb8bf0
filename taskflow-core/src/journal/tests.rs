//! How much a journal reads, how many steps it takes, and when it has stored the state of a task.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::graph::Graph;
use super::rollup::Rollup;
use super::segment::Buffer;
use super::{Journal, JournalError, Note, RunHistory, TaskFilter, steps};
use crate::base::Timestamp;
use crate::callback::notify::log_line;
use crate::dag::{Dag, DagBuilder, DagOptions, IntoArg, Output, add_task};
use crate::engine::RunRequest;
use crate::run::{Durability, Entry, RunState, Session};
use crate::store::{Append, AppendTarget, MemoryStore, RollupRow, RunUpdate, Segment};
use crate::task::{Body, Callback, InputDef, TaskDef, pass_on};
use crate::value::TypeInfo;

/// A DAG whose only task fails, with a callback.
fn failing() -> Dag<()> {
    let mut options = DagOptions::NONE;
    options.callbacks.on_failure = Some(Callback::new(|| Arc::new(log_line())));
    Dag::draw_with("failing", options, |dag| {
        dag.add("fails", |_| Err::<(), _>("no".into()));
    })
    .unwrap()
}

/// A journal in a store, with one run that failed.
async fn failed_run() -> (Arc<MemoryStore>, Journal, Dag<()>) {
    let store = Arc::new(MemoryStore::default());
    let journal = Journal::builder().over(Arc::clone(&store) as _, None).unwrap();
    let dag = failing();
    let report = dag.run().journal(&journal).await.unwrap();
    assert_eq!(report.state(), RunState::Failed);
    // The writer of rollups reads the entries as well.
    journal.rollup_is_stored().await;
    (store, journal, dag)
}

#[tokio::test]
async fn resuming_a_run_with_callbacks_reads_its_entries_once() {
    let (store, journal, dag) = failed_run().await;
    journal.clear("last", &TaskFilter::all(), &Note::default()).await.unwrap();
    let before = store.reads.load(Relaxed);
    let request = journal.resume_dag("last", &dag).await.unwrap();
    assert_eq!(store.reads.load(Relaxed) - before, 1);
    assert_eq!(request.await.unwrap().state(), RunState::Failed);
}

#[tokio::test]
async fn clearing_and_resuming_a_run_with_callbacks_reads_its_entries_once() {
    let (store, journal, dag) = failed_run().await;
    let before = store.reads.load(Relaxed);
    let row = journal.row("last").await.unwrap();
    let mut adopted = journal.adopt_row(&row, Some(dag.plan())).await.unwrap();
    adopted.clear(&TaskFilter::all(), &Note::default()).await.unwrap();
    let request: RunRequest<()> = adopted.resume_plan(dag.plan(), Timestamp::now()).await.unwrap();
    assert_eq!(store.reads.load(Relaxed) - before, 1);
    assert_eq!(request.await.unwrap().state(), RunState::Failed);
}

/// The history of a run that was interrupted, cleared and resumed, with the number of steps of its
/// fold.
async fn fold(draw: impl Fn(&DagBuilder, u32), size: u32) -> Result<(RunHistory, usize), JournalError> {
    let journal = Journal::in_memory()?;
    let dag = Dag::draw("large", |dag| draw(dag, size)).unwrap();
    dag.run().journal(&journal).await.unwrap();
    journal.clear("last", &TaskFilter::all(), &Note::default()).await?;
    journal.resume_dag("last", &dag).await?.await.unwrap();
    journal.clear("last", &TaskFilter::all(), &Note::default()).await?;
    // Another graph: every task is gone, and the elements that were there come back.
    let other = Dag::draw("large", |dag| draw(dag, size / 2)).unwrap();
    journal.resume_dag("last", &other).await?.await.unwrap();
    journal.clear("last", &TaskFilter::all().failed(), &Note::default()).await.ok();
    steps::taken();
    let history = journal.history("last").await?;
    history.explain_open();
    TaskFilter::all().failed().downstream().upstream().of(&history)?;
    for task in &history.tasks {
        assert!(history.task(&task.id).is_some(), "`{}` is not found", task.id);
    }
    history.in_order().count();
    Ok((history, steps::taken()))
}

fn list(dag: &DagBuilder, size: u32) -> Output<Vec<u32>> {
    dag.add("list", move |_| Ok((0..size).collect()))
}

fn work(dag: &DagBuilder) -> Output<()> {
    dag.add("work", |_| Ok(()))
}

fn one_list(dag: &DagBuilder, size: u32) {
    list(dag, size).each(|_| work(dag));
}

fn many_lists(dag: &DagBuilder, size: u32) {
    list(dag, size).each(|_| dag.add("inner", |_| Ok(vec![1, 2])).each(|_: Output<u32>| work(dag)));
}

fn many_tasks(dag: &DagBuilder, size: u32) {
    for number in 0..size {
        dag.add(&format!("task_{number}"), |_| Ok(()));
    }
}

/// A task that fails, above many others.
fn many_causes(dag: &DagBuilder, size: u32) {
    let first = dag.add("first", |_| Err::<(), _>("no".into()));
    for number in 0..size {
        dag.add(&format!("task_{number}"), |_| Ok(())).after(first);
    }
}

/// D1, D2: the history, the explanations and selections of runs with many elements, lists, tasks
/// and causes. It counts steps, which only the core sees: from outside they could only be timed,
/// which the benchmark `facts reading` does.
#[tokio::test]
async fn the_steps_of_a_fold_grow_with_the_size_of_the_run_and_not_with_its_square() {
    type Shape = fn(&DagBuilder, u32);
    let shapes: [(&str, Shape); 4] =
        [("one list", one_list), ("many lists", many_lists), ("many tasks", many_tasks), ("many causes", many_causes)];
    for (name, draw) in shapes {
        let (_, small) = fold(draw, 100).await.unwrap();
        let (_, large) = fold(draw, 800).await.unwrap();
        assert!(large < 12 * small, "{name}: {small} steps for 100, {large} for 800");
    }
}

/// The steps that it takes to resume a run whose last task, which takes the values of all others,
/// was cleared.
async fn resume(size: u32) -> usize {
    const COLLECT: TaskDef = TaskDef {
        id: "collect",
        module: "tests",
        inputs: const { &[InputDef { name: "values", ty: TypeInfo::of::<Vec<u32>>() }] },
        output: TypeInfo::of_value::<Vec<u32>>(),
        body: Body::Sync(pass_on),
        ..TaskDef::OWN
    };
    let journal = Journal::in_memory().unwrap();
    let dag = Dag::draw("drawn_fan", |dag| {
        let values: Vec<_> = (0..size).map(|number| dag.add(&format!("task_{number}"), move |_| Ok(number))).collect();
        let _: Output<Vec<u32>> = add_task(const { &COLLECT }, [IntoArg::<Vec<u32>>::into_arg(values)]);
    });
    let dag = dag.unwrap();
    dag.run().journal(&journal).await.unwrap();
    journal.clear("last", &TaskFilter::tasks(["collect"]), &Note::default()).await.unwrap();
    steps::taken();
    let request = journal.resume_dag("last", &dag).await.unwrap();
    let steps = steps::taken();
    let report = request.await.unwrap();
    assert_eq!(report.state(), RunState::Success);
    steps
}

/// D1: whose values are still taken was asked of each of them, by looking through all values that
/// the task takes.
#[tokio::test]
async fn the_steps_of_a_resume_grow_with_the_values_that_are_taken() {
    let (small, large) = (resume(100).await, resume(800).await);
    assert!(large < 12 * small, "{small} steps for 100, {large} for 800");
}

/// The process that took the run with another graph died when it had stored that and nothing else.
/// The elements, which had succeeded, ran again.
#[tokio::test]
async fn elements_that_have_succeeded_stay_after_a_crash_at_the_first_entry_of_another_graph() {
    let draw = |more: bool| {
        Dag::draw("changes", |dag| {
            one_list(dag, 3);
            dag.add("fails", |_| Err::<(), _>("no".into()));
            if more {
                dag.add("more", |_| Ok(()));
            }
        })
        .unwrap()
    };
    let journal = Journal::in_memory().unwrap();
    draw(false).run().journal(&journal).await.unwrap();
    journal.clear("last", &TaskFilter::tasks(["fails"]), &Note::default()).await.unwrap();

    let other = draw(true);
    let (plan, store) = (other.plan(), &journal.inner.store);
    let row = journal.row("last").await.unwrap();
    let adopted = journal.adopt_row(&row, None).await.unwrap();
    store.put_graph(plan.hash(), &Graph::of(plan).encode()).await.unwrap();
    let (token, durability) = (adopted.token(), Durability::Strict);
    let (worker, build, graph) = ("host:1".to_owned(), "b".to_owned(), plan.hash().to_owned());
    let mut buffer = Buffer::default();
    buffer.push(Timestamp::now(), Entry::Session(Box::new(Session { worker, build, token, graph, durability })), None);
    let (state, graph) = (RunState::Running, Some((plan.hash().to_owned(), plan.task_count() as u32)));
    let number = adopted.history.segments + 1;
    let append = Append {
        run: AppendTarget::Existing { run: adopted.number(), token },
        segment: Some(Segment { number, events: buffer.events, data: buffer.data }),
        update: Some(RunUpdate { state, ended: None, counts: Vec::new(), graph }),
        events: Vec::new(),
        audit: None,
    };
    store.append(&[append]).await.unwrap();
    drop(adopted);

    let row = journal.row("last").await.unwrap();
    let adopted = journal.adopt_row(&row, Some(plan)).await.unwrap();
    let request: RunRequest<()> = adopted.resume_plan(plan, Timestamp::now()).await.unwrap();
    assert_eq!(request.await.unwrap().state(), RunState::Failed);
    let history = journal.history("last").await.unwrap();
    let attempts = |id: &str| history.task(id).unwrap().attempts.len();
    assert_eq!(["work[0]", "work[1]", "work[2]"].map(attempts), [1; 3]);
    assert_eq!(["fails", "more"].map(attempts), [2, 1]);
}

/// Polls a future until it is ready, for a minute at most.
fn wait_for<T>(mut future: impl Future<Output = T> + Unpin) -> Option<T> {
    let (since, mut context) = (Instant::now(), Context::from_waker(Waker::noop()));
    while since.elapsed() < Duration::from_secs(60) {
        if let Poll::Ready(value) = Pin::new(&mut future).poll(&mut context) {
            return Some(value);
        }
        std::thread::yield_now();
    }
    None
}

/// The state under `page` is recorded and stored with that under `line`, as that of another task
/// can be that calls meanwhile. It waited for the next entry, which here is the end of the task.
/// Only the core sees the time between a call and its first poll.
#[tokio::test]
async fn task_state_that_was_stored_with_other_state_does_not_wait_for_the_next_entry() {
    let journal = Journal::in_memory().unwrap();
    let dag = Dag::draw("overtaken", |dag| {
        dag.add("sets", |ctx| {
            let page = ctx.host().set_state("page", "1".to_owned());
            let line = ctx.host().set_state("line", "2".to_owned());
            let line = wait_for(line).is_some_and(|stored| stored.is_ok());
            let page = wait_for(page).is_some_and(|stored| stored.is_ok());
            if line && page { Ok(()) } else { Err(format!("line: {line}, page: {page}").into()) }
        });
    });
    let report = dag.unwrap().run().journal(&journal).await.unwrap();
    assert_eq!(report.state(), RunState::Success, "{:?}", report.task("sets").and_then(|task| task.failure()));
}

/// A run of a DAG whose tasks fail in two ways, in a list and outside of it.
async fn run_with_failures(journal: &Journal) -> RunHistory {
    let dag = Dag::draw("with_failures", |dag| {
        dag.add("ok", |_| Ok(()));
        dag.add("late", |_| Err::<(), _>("timeout after 30 s".into()));
        let of = list(dag, 5);
        of.each(|_| dag.add("element", |_| Err::<(), _>("row 17: no such customer".into())));
    });
    dag.unwrap().run().journal(journal).await.unwrap();
    journal.rollup_is_stored().await;
    journal.history("last").await.unwrap()
}

impl Journal {
    /// Waits until the rollup of the first run is stored.
    async fn rollup_is_stored(&self) {
        while self.inner.store.rollups(&[1]).await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn the_rollup_of_a_run_is_stored_when_it_has_ended() {
    let journal = Journal::in_memory().unwrap();
    let history = run_with_failures(&journal).await;
    let stored = journal.inner.store.rollup_with_labels(1).await.unwrap().unwrap();
    assert_eq!(stored, Rollup::of(&history).row(&history));
    let rollup = journal.rollup(1).await.unwrap();
    let mut groups: Vec<(String, &str, usize)> = rollup
        .failures()
        .iter()
        .map(|failure| (rollup.id_of(failure.tasks[0] as usize), &*failure.message, failure.tasks.len()))
        .collect();
    groups.sort_unstable();
    let [element, late] = &*groups else { panic!("{groups:?}") };
    assert!(element.0.starts_with("element["), "{element:?}");
    assert_eq!((element.1, element.2), ("row #: no such customer", 5));
    assert_eq!(*late, ("late".to_owned(), "timeout after # s", 1));
    assert_eq!(journal.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_rollup_that_is_outdated_or_unreadable_is_made_anew() {
    let journal = Journal::in_memory().unwrap();
    let history = run_with_failures(&journal).await;
    let sound = Rollup::of(&history).row(&history);
    let store = &journal.inner.store;
    for body in [vec![], vec![250, 1, 2], sound.body[..sound.body.len() / 2].to_vec()] {
        store.put_rollups(&[RollupRow { body, ..sound.clone() }]).await.unwrap();
        journal.inner.rollups.forget();
        assert_eq!(*journal.rollup(1).await.unwrap(), Rollup::of(&history));
        assert_eq!(store.rollup_with_labels(1).await.unwrap().unwrap(), sound);
    }
    journal.clear("last", &TaskFilter::all(), &Note::default()).await.unwrap();
    let cleared = journal.history("last").await.unwrap();
    let rollup = journal.rollup(1).await.unwrap();
    assert_eq!(*rollup, Rollup::of(&cleared));
    assert_ne!(*rollup, Rollup::of(&history));
}

#[tokio::test]
async fn a_check_names_what_a_rollup_has_wrong() {
    let journal = Journal::in_memory().unwrap();
    let history = run_with_failures(&journal).await;
    let other = {
        let mut other = history.clone();
        let place = other.find("ok").unwrap();
        other.tasks[place].state = crate::run::TaskState::Skipped;
        Rollup::of(&other).row(&other)
    };
    journal.inner.store.put_rollups(&[other]).await.unwrap();
    let found = journal.check().await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("has `ok` as skipped after 1 attempts"), "{found:?}");
    assert!(found[0].contains("it is derived data"), "{found:?}");
}

#[tokio::test]
async fn the_rollup_of_a_live_run_follows_its_entries_and_is_not_stored() {
    let journal = Journal::in_memory().unwrap();
    let dag = Dag::draw("live", |dag| many_tasks(dag, 3)).unwrap();
    let row = {
        dag.run().journal(&journal).await.unwrap();
        journal.rollup_is_stored().await;
        journal.row("last").await.unwrap()
    };
    // It belongs to this process from here on, as a run does that is live.
    let mut adopted = journal.adopt_row(&row, None).await.unwrap();
    for tasks in ["task_0", "task_1"] {
        adopted.clear(&TaskFilter::tasks([tasks]), &Note::default()).await.unwrap();
        let rollup = journal.rollup(1).await.unwrap();
        assert_eq!(*rollup, Rollup::of(adopted.history()));
        let stored = journal.inner.store.rollup_with_labels(1).await.unwrap().unwrap();
        assert!(stored.segments < rollup.segments, "{stored:?}");
    }
    drop(adopted);
    let rollup = journal.rollup(1).await.unwrap();
    assert_eq!(*rollup, Rollup::of(&journal.history("last").await.unwrap()));
}
