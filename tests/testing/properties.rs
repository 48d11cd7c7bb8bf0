//! Random graphs whose tasks end in random ways, on both drivers, against a small model that was
//! written without looking at the engine.
//!
//! A graph consists of a few kinds of tasks whose constant argument determines how each of their
//! attempts ends. Both the observer of the run and the tasks themselves record what happened, and
//! both must agree with the model.
//!
//! `PROPTEST_CASES=10000 cargo test --package taskflow-tests --test testing properties::` tries
//! more graphs, `PROPTEST_RNG_SEED=7` others.

use std::num::NonZeroUsize;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use taskflow::Selection;
use taskflow::engine::{Durability, Engine, Event, RunState, TaskState};
use taskflow::journal::Journal;
use taskflow::prelude::*;
use taskflow_tests::common::{self, Log, live, locked, reference, watch_panics};

use crate::comparison::{Check, check_history, check_notes, check_report, check_story};
use crate::model::model;
use crate::random_graphs::{Graph, Part, graph, part_of_a_graph};
use crate::scripted_tasks::{NOTES, draw};

static ENGINES: LazyLock<[Engine; 3]> = LazyLock::new(|| {
    [1, 2, 4].map(|workers| {
        let workers = NonZeroUsize::new(workers).expect("not zero");
        Engine::builder().workers(workers).build().expect("no pool is named")
    })
});

fn next_run() -> u64 {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    RUNS.fetch_add(1, Ordering::Relaxed)
}

fn selection(graph: &Graph, dag: &Dag<u32>) -> Option<Selection> {
    let plan = dag.plan();
    Some(match graph.part? {
        Part::Only(task) => Selection::only(plan, &format!("t{task}")).expect("there is such a task"),
        Part::From(task) => Selection::from(plan, &format!("t{task}")).expect("there is such a task"),
    })
}

fn check(graph: &Graph) -> Check {
    watch_panics();
    let expected = model(graph);
    for engine in [None].into_iter().chain(ENGINES.iter().map(Some)) {
        let run = next_run();
        let dag = draw(graph, run);
        let log = Log::default();
        let mut request = dag.run().observe(log.observer());
        if let Some(selection) = selection(graph, &dag) {
            request = request.select(selection);
        }
        let report = match engine {
            None => reference(request),
            Some(engine) => live(request.engine(engine)),
        };
        let notes = locked(&NOTES).remove(&run).unwrap_or_default();
        let (states, end) = check_story(graph, &log.events())?;
        prop_assert_eq!(&states, &expected.states, "as the events tell it");
        prop_assert_eq!(end, expected.run);
        check_report(graph, &expected, &report)?;
        check_notes(graph, &expected, &notes)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(common::cases(250))]

    #[test]
    fn every_run_of_a_random_graph_matches_the_model(graph in graph(16)) {
        check(&graph)?;
    }

    #[test]
    fn every_partial_run_of_a_random_graph_matches_the_model(graph in part_of_a_graph(12)) {
        check(&graph)?;
    }
}

/// Runs the graph with a journal on each engine.
fn check_stored(graph: &Graph, durability: Durability, fail_fast: bool) -> Check {
    watch_panics();
    for engine in ENGINES.iter() {
        let (run, journal) = (next_run(), Journal::in_memory().expect("its thread starts"));
        let dag = draw(graph, run);
        let mut request = dag.run().engine(engine).journal(&journal).durability(durability).fail_fast(fail_fast);
        if let Some(selection) = selection(graph, &dag) {
            request = request.select(selection);
        }
        let report = live(request);
        let notes = locked(&NOTES).remove(&run).unwrap_or_default();
        if !fail_fast {
            let expected = model(graph);
            check_report(graph, &expected, &report)?;
            check_notes(graph, &expected, &notes)?;
        }
        check_history(&journal, &report)?;
    }
    Ok(())
}

fn durability() -> impl Strategy<Value = Durability> {
    prop_oneof![Just(Durability::Strict), Just(Durability::Relaxed)]
}

proptest! {
    #![proptest_config(common::cases(60))]

    #[test]
    fn the_history_of_a_random_run_matches_its_report(graph in graph(16), durability in durability()) {
        check_stored(&graph, durability, false)?;
    }

    #[test]
    fn the_history_of_a_partial_random_run_matches_its_report(
        graph in part_of_a_graph(12),
        durability in durability(),
    ) {
        check_stored(&graph, durability, false)?;
    }

    #[test]
    fn the_history_of_a_fail_fast_random_run_matches_its_report(graph in graph(16)) {
        check_stored(&graph, Durability::Strict, true)?;
    }
}

proptest! {
    #![proptest_config(common::cases(20))]

    #[test]
    fn large_random_graphs_match_the_model(graph in graph(300)) {
        check(&graph)?;
    }
}

proptest! {
    #![proptest_config(common::cases(200))]

    /// Wherever a run is cancelled, every task ends, nothing starts afterwards, and no finished
    /// task changes.
    #[test]
    fn a_cancelled_random_run_ends(
        graph in graph(16),
        after in 0..40usize,
        is_stored in any::<bool>(),
    ) {
        watch_panics();
        for engine in ENGINES.iter() {
            let run = next_run();
            let log = Log::default();
            let (send_control, control) = std::sync::mpsc::channel::<taskflow::engine::RunControl>();
            let mut observe = log.observer();
            let mut seen = 0;
            let observer = move |event: &Event| {
                observe(event);
                seen += 1;
                if seen == after + 1 && let Ok(control) = control.recv_timeout(common::PATIENCE) {
                    control.cancel("as drawn");
                }
            };
            let journal = is_stored.then(|| Journal::in_memory().expect("its thread starts"));
            let mut request = draw(&graph, run).run().engine(engine).observe(observer);
            if let Some(journal) = &journal {
                request = request.journal(journal);
            }
            let handle = request.start().expect("the graph is sound");
            let _ = send_control.send(handle.control());
            let report = common::finish(handle);
            if let Some(journal) = &journal {
                check_history(journal, &report)?;
            }
            let notes = locked(&NOTES).remove(&run).unwrap_or_default();

            let events = log.events();
            let (states, end) = check_story(&graph, &events)?;
            prop_assert_eq!(&states, &report.tasks().map(|task| task.state()).collect::<Vec<_>>());
            prop_assert_eq!(end, report.state());
            let is_cancelled = |event: &Event| matches!(event, Event::Task { to: TaskState::Cancelled, .. });
            if let Some(halt) = events.iter().position(is_cancelled) {
                let starts = |event: &Event| {
                    matches!(event, Event::Task { to: TaskState::Running | TaskState::Scheduled, .. })
                };
                prop_assert!(!events[halt..].iter().any(starts), "something started after the cancellation");
                prop_assert_eq!(end, RunState::Cancelled);
            }
            // What was never given to a worker did not run; what ran was told of.
            for (task, node) in report.tasks().zip(&graph.nodes) {
                let ran = notes.attempts.iter().filter(|(index, _)| *index == task.index().as_usize()).count();
                prop_assert!(ran as u32 <= task.attempt_count(), "{:?} of {:?}", task, node);
                if task.state() == TaskState::Success {
                    prop_assert_eq!(ran as u32, task.attempt_count());
                }
            }
        }
    }

    /// With `fail_fast` the first failure ends the run, and it is the only one unless others were
    /// running.
    #[test]
    fn a_fail_fast_random_run_ends(graph in graph(16)) {
        watch_panics();
        let failure_is_due = model(&graph).states.contains(&TaskState::Failed);
        for engine in [None].into_iter().chain(ENGINES.iter().map(Some)) {
            let run = next_run();
            let log = Log::default();
            let request = draw(&graph, run).run().fail_fast(true).observe(log.observer());
            let report = match engine {
                None => reference(request),
                Some(engine) => live(request.engine(engine)),
            };
            locked(&NOTES).remove(&run);
            let events = log.events();
            let (states, end) = check_story(&graph, &events)?;
            prop_assert_eq!(end, report.state());
            prop_assert_eq!(states.contains(&TaskState::Failed), failure_is_due);
            prop_assert_eq!(end == RunState::Failed, failure_is_due);
            let is_failure = |event: &Event| matches!(event, Event::Task { to: TaskState::Failed, .. });
            if let Some(halt) = events.iter().position(is_failure) {
                let starts = |event: &Event| {
                    matches!(event, Event::Task { to: TaskState::Running | TaskState::Scheduled, .. })
                };
                prop_assert!(!events[halt..].iter().any(starts), "something started after the failure");
            }
        }
    }
}
