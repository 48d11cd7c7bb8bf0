//! Entries and the histories that they make.

use proptest::prelude::*;

use super::*;
use crate::journal::fuzz::three_tasks;
use crate::journal::segment::{self, Buffer};
use crate::run::{Durability, Session, Stored, ValueRef, WaitRecord};

fn session(token: u64) -> Entry {
    let text = || "x".to_owned();
    let durability = Durability::Strict;
    Entry::Session(Box::new(Session { worker: text(), build: text(), token, graph: text(), durability }))
}

fn entry() -> impl Strategy<Value = Entry> {
    let task = || (0..4u32).prop_map(TaskIndex::new);
    let failure = || Arc::new(Failure::Error { chain: vec!["no".to_owned()], retryable: true });
    prop_oneof![
        (0..3u64).prop_map(session),
        task().prop_map(|task| Entry::Scheduled { task }),
        (task(), 0..3u32).prop_map(|(task, attempt)| Entry::Started { task, attempt }),
        (task(), 0..9u64).prop_map(|(task, took)| {
            let value = ValueRef::Inline { start: 0, len: 3 };
            Entry::Succeeded { task, attempt: 1, took, value }
        }),
        (task(), any::<Option<i64>>()).prop_map(move |(task, retry)| {
            Entry::Failed { task, attempt: 1, took: u64::MAX, failure: failure(), retry }
        }),
        (task(), task()).prop_map(|(task, cause)| {
            Entry::Skipped { task, attempt: 0, took: 0, reason: None, cause: Some(cause) }
        }),
        (task(), task()).prop_map(|(task, cause)| Entry::UpstreamFailed { task, cause }),
        task().prop_map(|task| Entry::Cancelled { task, attempt: 1, took: 1 }),
        prop::collection::vec(task(), 0..3).prop_map(|tasks| Entry::Cleared {
            tasks,
            by: String::new(),
            reason: String::new()
        }),
    ]
}

/// The clock of the process that cleared a task was behind, or ahead: a retry before it
/// counted, and one after it was forgotten.
#[test]
fn the_retries_of_a_run_after_an_edit_count_wherever_the_clocks_stand() {
    let at = |second: i64| Timestamp::from_nanos(second * 1_000_000_000);
    for edited in [50, 100, 200] {
        let (mut history, shape) = three_tasks();
        let mut made = |second: i64, entry: Entry| {
            history.apply(1, at(second), entry, |_| Ok(Arc::clone(&shape))).unwrap();
            history.retries_made()
        };
        let tried_again = |retry: u32| Entry::TriedAgain { retry, due: at(130).as_nanos() };
        let again = || Entry::Again { tasks: vec![], were: vec![] };
        made(90, session(1));
        assert_eq!(made(100, tried_again(1)), (0, Some((1, at(130)))));
        assert_eq!(made(110, again()), (1, None));
        let (tasks, by, reason) = (vec![TaskIndex::new(0)], String::new(), String::new());
        assert_eq!(made(edited, Entry::Cleared { tasks, by, reason }), (0, None), "{edited}");
        made(120, session(2));
        assert_eq!(made(120, tried_again(1)), (0, Some((1, at(130)))), "{edited}");
        assert_eq!(made(130, again()), (1, None), "{edited}");
    }
}

/// The next process may die before it has decided anything: the one after it took the end for
/// one by the graph that it has.
#[test]
fn what_follows_from_other_tasks_is_open_as_soon_as_a_process_has_another_graph() {
    for (graph, state) in [("", TaskState::UpstreamFailed), ("another", TaskState::None)] {
        let (mut history, shape) = three_tasks();
        let [task, cause] = [TaskIndex::new(1), TaskIndex::new(0)];
        let failure = Arc::new(Failure::Error { chain: vec!["no".to_owned()], retryable: false });
        let of_graph = |token, graph: &str| match session(token) {
            Entry::Session(known) => {
                Entry::Session(Box::new(Session { graph: graph.to_owned(), ..Session::clone(&known) }))
            }
            other => other,
        };
        let entries = [
            of_graph(1, ""),
            Entry::Failed { task: cause, attempt: 1, took: 0, failure, retry: None },
            Entry::UpstreamFailed { task, cause },
            of_graph(2, graph),
        ];
        for entry in entries {
            history.apply(1, Timestamp::EPOCH, entry, |_| Ok(Arc::clone(&shape))).unwrap();
        }
        assert_eq!(history.tasks[0].state, TaskState::Failed);
        assert_eq!(history.tasks[1].state, state, "{graph:?}");
    }
}

#[test]
fn lost_attempts_are_not_earlier_ones_but_those_before_a_clear_are() {
    let task = TaskIndex::new(0);
    let (mut history, shape) = three_tasks();
    let mut attempts = |entry: Entry| {
        history.apply(1, Timestamp::EPOCH, entry, |_| Ok(Arc::clone(&shape))).unwrap();
        let task = history.task("a").unwrap();
        (task.uncounted_attempts, task.earlier_attempts)
    };
    attempts(session(1));
    attempts(Entry::Started { task, attempt: 1 });
    assert_eq!(attempts(session(2)), (1, 0));
    assert_eq!(attempts(Entry::Started { task, attempt: 2 }), (1, 0));
    let (by, reason) = (String::new(), String::new());
    assert_eq!(attempts(Entry::Cleared { tasks: vec![task], by, reason }), (2, 2));
}

/// The second graph lacks the task, whose retry was pending, and the third one has it again.
#[test]
fn the_attempts_of_a_task_that_is_in_the_graph_again_are_earlier_ones() {
    let task = TaskIndex::new(0);
    let (mut history, shape) = three_tasks();
    let mut without = Graph::clone(&shape);
    without.nodes.remove(0);
    let without = Arc::new(without);
    let failure = Arc::new(Failure::Error { chain: vec!["no".to_owned()], retryable: true });
    let entries = [
        (&shape, session(1)),
        (&shape, Entry::Started { task, attempt: 1 }),
        (&shape, Entry::Failed { task, attempt: 1, took: 0, failure, retry: Some(10) }),
        (&without, session(2)),
        (&shape, session(3)),
    ];
    for (graph, entry) in entries {
        history.apply(1, Timestamp::EPOCH, entry, |_| Ok(Arc::clone(graph))).unwrap();
    }
    let task = history.task("a").unwrap();
    assert_eq!((task.state, task.retry_at, task.attempts.len()), (TaskState::None, None, 1));
    assert_eq!((task.uncounted_attempts, task.earlier_attempts), (1, 1));
    // It was not cleared: the key for its effects stays.
    assert_eq!((task.cleared, task.rounds), (0, 0));
}

/// A14: the process dies after the wait and before the next start, and the clock of the next
/// process is behind. Its history had no state for the task, which waited.
#[test]
fn a_task_whose_wait_was_over_waits_again_in_the_next_process() {
    let at = |second: i64| Timestamp::from_nanos(second * 1_000_000_000);
    // A deferred task waits until its time, a sensor pokes at once.
    for (poke, state, until) in [(false, TaskState::Deferred, 10), (true, TaskState::UpForReschedule, 4)] {
        let task = TaskIndex::new(0);
        let record = Box::new(WaitRecord { since: at(0), count: 1, until: Some(at(10)), event: None });
        let entries = [
            (0, session(1)),
            (0, Entry::Scheduled { task }),
            (0, Entry::Started { task, attempt: 1 }),
            (0, Entry::Waiting { task, attempt: 1, took: 0, poke, record }),
            (10, Entry::Scheduled { task }),
            (4, session(2)),
        ];
        let (mut history, shape) = three_tasks();
        for (second, entry) in entries {
            history.apply(1, at(second), entry, |_| Ok(Arc::clone(&shape))).unwrap();
        }
        let task = history.task("a").unwrap();
        assert_eq!((task.state, task.attempts.len()), (state, 1));
        assert_eq!(task.waits_for.as_ref().map(|wait| wait.until), Some(Some(at(until))));
        assert_eq!(task.wait.as_ref().map(|wait| wait.until), Some(Some(at(until))));
    }
}

/// A14: a task of the group had run again when the process died, and the clock of the next
/// process is behind. The group waited for its delay once more.
#[test]
fn the_delay_of_a_group_is_over_once_a_task_of_it_may_run() {
    let at = |second: i64| Timestamp::from_nanos(second * 1_000_000_000);
    let (mut history, shape) = three_tasks();
    let mut shape = Graph::clone(&shape);
    shape.groups = vec![("outer".to_owned(), None), ("inner".to_owned(), Some(0)), ("other".to_owned(), None)];
    (shape.nodes[0].group, shape.nodes[1].group) = (Some(1), Some(2));
    let shape = Arc::new(shape);
    let task = TaskIndex::new;
    let regrouped = |group: &str, number: u32| Entry::Regrouped {
        group: group.to_owned(),
        retry: 1,
        due: at(10).as_nanos(),
        tasks: vec![task(number)],
        were: vec![(TaskState::Failed, 1)],
    };
    let mut begun = |second: i64, entry: Entry| {
        history.apply(1, at(second), entry, |_| Ok(Arc::clone(&shape))).unwrap();
        ["outer", "other"].map(|group| history.groups.get(group).map(|retried| retried.has_begun))
    };
    begun(0, session(1));
    begun(0, regrouped("outer", 0));
    assert_eq!(begun(0, regrouped("other", 1)), [Some(false); 2]);
    assert_eq!(begun(10, Entry::Scheduled { task: task(0) }), [Some(true), Some(false)]);
    assert_eq!(begun(10, Entry::Started { task: task(1), attempt: 2 }), [Some(true); 2]);
    assert_eq!(begun(11, regrouped("outer", 0)), [Some(false), Some(true)]);
}

proptest! {
    #[test]
    fn folding_a_damaged_history_does_not_panic(
        entries in prop::collection::vec((any::<i64>(), entry()), 0..20),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut buffer = Buffer::default();
        for (at, entry) in entries {
            buffer.push(Timestamp::from_nanos(at), entry, Some(Stored::Inline(vec![1, 2, 3])));
        }
        let sound = buffer.events.clone();
        prop_assert!(sound.is_empty() || segment::read(&sound).is_ok());
        crate::journal::fold_any(&sound);
        let mut damaged = sound;
        if !damaged.is_empty() {
            for (place, byte) in flips {
                let place = place.index(damaged.len());
                damaged[place] = byte;
            }
        }
        crate::journal::fold_any(&damaged);
    }
}
