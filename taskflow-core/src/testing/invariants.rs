//! Invariants that hold despite all faults.
//!
//! - The journal matches the run, and its rollup matches the journal.
//! - Work runs between the setup and the teardown of its scope.
//! - The input of an element is that of the list it was expanded from.
//! - A wait never outlasts its delay, wherever the clock stands when a run is resumed.
//! - No limit is exceeded: active tasks, slots of pools, tasks of a list or group at once, attempts
//!   of a task.
//! - Each attempt has its start and its end, in order, starts when it was called, and after the one
//!   before; none panics inside of this crate.
//! - `last` never means a run that another one has triggered.

use std::collections::HashMap;

use crate::base::{Failure, Timestamp};
use crate::dag::Registry;
use crate::engine::{RunReport, Values};
use crate::journal::{AttemptHistory, Rollup, RunHistory, TaskHistory};
use crate::machine::Machine;
use crate::run::{TaskIndex, TaskState};
use crate::value::AnyValue;

/// The differences between the history of a run and its rollup, read as it is stored.
pub(super) fn rollup_differences(history: &RunHistory) -> Vec<String> {
    let Some(rollup) = Rollup::of(history).stored_and_read(history) else {
        return vec!["the rollup of the run cannot be read".to_owned()];
    };
    let mut found = Vec::new();
    let mut failed: HashMap<String, &str> = HashMap::new();
    for failure in rollup.failures() {
        failed.extend(failure.tasks.iter().map(|&at| (rollup.id_of(at as usize), &*failure.message)));
    }
    let mut known: HashMap<String, usize> = (0..rollup.len()).map(|at| (rollup.id_of(at), at)).collect();
    for task in &history.tasks {
        let Some(at) = known.remove(&*task.id) else {
            found.push(format!("the rollup lacks `{}`", task.id));
            continue;
        };
        let last = task.attempts.last().and_then(|last| Some(last.ended?.since(last.started).as_millis()));
        let expected = (task.state, last, task.attempts.len());
        let stored = rollup.task(at);
        let stored = (stored.state, stored.took.map(u128::from), usize::from(stored.attempts));
        if expected != stored {
            found.push(format!("the rollup has `{}` as {stored:?}, the history as {expected:?}", task.id));
        }
        if (task.state == TaskState::Failed) != failed.contains_key(&*task.id) {
            found.push(format!("the rollup does not say that `{}` failed", task.id));
        }
    }
    found.extend(known.keys().map(|id| format!("the rollup has `{id}`, which the history lacks")));
    found
}

/// The differences between the stored run, if all of it was stored, and the run itself.
pub(super) fn differences<T>(history: &RunHistory, report: &RunReport<T>, is_over: bool) -> Vec<String> {
    let (mut found, mut wrong) = (Vec::new(), Vec::new());
    let mut differ = |what: String, stored: String, live: String| {
        if stored != live {
            found.push(format!("{what}: {stored} in the journal, {live} in the run"));
        }
    };
    if is_over {
        differ("the run".to_owned(), history.state.to_string(), report.state().to_string());
        differ("the end".to_owned(), format!("{:?}", history.ended), format!("{:?}", Some(report.ended())));
        // After an edit the history keeps the elements of earlier lists.
        let was_edited = !history.edits.is_empty();
        let is_gone = |id: &str| was_edited && id.ends_with(']') && report.task(id).is_none();
        let is_there = |task: &&TaskHistory| !is_gone(&task.id);
        let known = history.tasks.iter().filter(is_there).count();
        differ("the tasks".to_owned(), known.to_string(), report.tasks().count().to_string());
    }
    for task in report.tasks() {
        let id = task.id();
        let Some(known) = history.task(&id) else {
            differ(format!("`{id}`"), "nothing".to_owned(), task.state().to_string());
            continue;
        };
        // Its wait had ended before a crash, but not according to the clock of this process, which
        // has stored nothing: the history has yet to see it.
        let waits_again = known.state == TaskState::Scheduled
            && matches!(task.state(), TaskState::Deferred | TaskState::UpForReschedule);
        if !waits_again {
            differ(format!("`{id}`"), known.state.to_string(), task.state().to_string());
        }
        let has_ended = |number: u32| number < task.attempt_count() || task.state().is_terminal();
        let panics = task.attempts().into_iter().filter_map(|attempt| match attempt.failure.as_deref() {
            Some(Failure::Panic { message, location: Some(location) }) if location.contains("taskflow-core") => Some(
                format!("attempt {} of `{id}` panics inside of taskflow, at {location}: {message}", attempt.number),
            ),
            _ => None,
        });
        wrong.extend(panics);
        let live = task.attempts().into_iter().filter(|attempt| has_ended(attempt.number));
        let live = live.map(|attempt| (attempt.number, attempt.started, attempt.ended));
        wrong.extend(live.filter(|(_, started, ended)| ended < started).map(|(number, started, ended)| {
            format!("attempt {number} of `{id}` starts at {started:?} and ends at {ended:?}")
        }));
        let attempts = known.attempts.iter().map(|attempt| attempt.number).max().unwrap_or(0);
        differ(format!("attempts of `{id}`"), attempts.to_string(), task.attempt_count().to_string());
        if is_over && task.state() != TaskState::Removed {
            differ(format!("the end of `{id}`"), format!("{:?}", known.since), format!("{:?}", Some(task.ended())));
        }
        if is_over && matches!(task.state(), TaskState::Failed | TaskState::Cancelled) {
            differ(format!("the failure of `{id}`"), format!("{:?}", known.failure), format!("{:?}", task.failure()));
        }
        // An expand node passes on the list of its upstream, which stores it.
        if is_over && known.length.is_none() && !known.marked {
            let is_there = task.state() == TaskState::Success;
            differ(format!("the value of `{id}`"), known.has_value().to_string(), is_there.to_string());
        }
    }
    found.append(&mut wrong);
    found
}

/// What is wrong about the stored attempts of a task. `called` has their calls, by number and
/// start; it is `None` if the clock was set within a session.
pub(super) fn of_attempts(
    id: &str,
    attempts: &[AttemptHistory],
    is_over: bool,
    called: Option<&HashMap<String, Vec<(u32, Timestamp)>>>,
) -> Vec<String> {
    let mut found = Vec::new();
    let called = called.map(|called| called.get(id).map_or(&[][..], Vec::as_slice));
    // One that still waited when another process took it has its start by the clock of that one.
    let has_one_clock = |number: u32| {
        called.is_some_and(|called| {
            let mut own = called.iter().filter(|(called, _)| *called == number);
            let first = own.next();
            own.all(|other| Some(other) == first)
        })
    };
    for attempt in attempts {
        let AttemptHistory { number, started, .. } = attempt;
        match attempt.ended {
            Some(ended) if ended < *started => {
                found.push(format!("attempt {number} of `{id}` starts at {started:?} and ends at {ended:?}"));
            }
            None if is_over => found.push(format!("attempt {number} of `{id}` has no end, but the run is over")),
            _ => {}
        }
    }
    for (one, next) in attempts.iter().zip(attempts.iter().skip(1)) {
        if next.number <= one.number {
            found.push(format!("attempt {} of `{id}` follows attempt {}", next.number, one.number));
        }
        // Another process has another clock.
        let is_one_clock = one.session == next.session && has_one_clock(next.number);
        if is_one_clock && one.ended.is_none_or(|ended| next.started < ended) {
            let (number, started, ended) = (next.number, next.started, one.ended);
            found.push(format!(
                "attempt {number} of `{id}` starts at {started:?}, and the one before ends at {ended:?}"
            ));
        }
    }
    found
}

/// The attempts of a task, by number and start, that began at another time than those that were
/// called.
pub(super) fn of_starts(
    id: &str,
    attempts: impl IntoIterator<Item = (u32, Timestamp)>,
    called: &HashMap<String, Vec<(u32, Timestamp)>>,
) -> Vec<String> {
    let called = called.get(id).map_or(&[][..], Vec::as_slice);
    let wrong = attempts.into_iter().filter(|attempt| !called.contains(attempt));
    wrong
        .map(|(number, started)| {
            let own = called.iter().filter(|(called, _)| *called == number);
            let at: Vec<String> = own.map(|(_, at)| at.to_string()).collect();
            format!("attempt {number} of `{id}` starts at {started:?}, but was called at {}", at.join(" and "))
        })
        .collect()
}

/// What is wrong about the limits of a task whose attempt has just started.
pub(super) fn of_limits(machine: &Machine, task: TaskIndex) -> Vec<String> {
    let (layout, plan) = (machine.layout(), machine.plan());
    let (id, node, options) = (layout.id(task), layout.node(task), layout.options(task));
    let running: Vec<TaskIndex> =
        layout.tasks().filter(|&task| machine.task_state(task) == TaskState::Running).collect();
    let mut found = Vec::new();
    let mut exceeds = |what: &str, found_to_be: usize, limit: u32| {
        if found_to_be > limit as usize {
            found.push(format!("`{id}` starts although {what}: {found_to_be}, and the limit is {limit}"));
        }
    };
    exceeds("it makes too many attempts", machine.attempt(task) as usize, machine.max_attempts(task));
    if let Some(limit) = plan.options().max_active_tasks {
        exceeds("too many tasks are active", running.len(), limit);
    }
    let of_pool = |name| Registry::pools().into_iter().find(|pool| pool.name == name);
    if let Some(pool) = options.pool.and_then(of_pool) {
        let theirs = running.iter().map(|&other| layout.options(other));
        let taken = theirs.filter(|other| other.pool == options.pool).map(|other| other.pool_slots as usize);
        exceeds("its pool has too few slots", taken.sum(), pool.slots);
    }
    let limits: Vec<u32> = plan.limits().collect();
    for limit in plan.limits_of(node) {
        let is_under = |other: &&TaskIndex| plan.limits_of(layout.node(**other)).any(|own| own == limit);
        let active = running.iter().filter(is_under).count();
        exceeds("too many tasks of its list or group are active", active, limits[limit as usize]);
    }
    found
}

/// What is wrong about the scopes of a task whose attempt has just started: no task of a scope runs
/// or will run when its teardown starts, and none runs in a scope that is not set up or is torn
/// down.
pub(super) fn of_scopes(machine: &Machine, task: TaskIndex) -> Vec<String> {
    let (layout, plan) = (machine.layout(), machine.plan());
    let (node, at) = (layout.node(task), layout.at(task));
    let mut found = Vec::new();
    for scope in plan.scopes() {
        let setup = layout.task(scope.setup, at);
        if scope.teardown.contains(&node) {
            let is_work = |work: &TaskIndex| {
                scope.work.contains(&layout.node(*work)) && layout.task(scope.setup, layout.at(*work)) == setup
            };
            let open = layout.tasks().filter(is_work).filter(|&work| !machine.task_state(work).is_terminal());
            found.extend(open.map(|work| {
                let (state, work) = (machine.task_state(work), layout.id(work));
                format!("the teardown `{}` starts while `{work}` of its scope is {state}", layout.id(task))
            }));
        }
        if scope.work.contains(&node) {
            if let Some(setup) = setup.filter(|&setup| machine.task_state(setup) != TaskState::Success) {
                let (state, setup) = (machine.task_state(setup), layout.id(setup));
                found.push(format!("`{}` starts in a scope whose setup `{setup}` is {state}", layout.id(task)));
            }
            let teardowns = crate::base::index::indices(scope.teardown.clone());
            let ran =
                |teardown: &TaskIndex| !matches!(machine.task_state(*teardown), TaskState::None | TaskState::Removed);
            for teardown in teardowns.filter_map(|teardown| layout.task(teardown, at)).filter(ran) {
                let (state, teardown) = (machine.task_state(teardown), layout.id(teardown));
                found.push(format!("`{}` starts in a scope whose teardown `{teardown}` is {state}", layout.id(task)));
            }
        }
    }
    found
}

/// What is wrong about the lists around a task whose attempt has just started. `expanded` has the
/// lists that expand nodes have last succeeded with, by their ids.
pub(super) fn of_lists(
    machine: &Machine,
    values: &Values,
    task: TaskIndex,
    expanded: &HashMap<String, AnyValue>,
) -> Vec<String> {
    let layout = machine.layout();
    let around = std::iter::successors(layout.at(task), |&at| layout.around(at)).map(|at| layout.expand_at(at));
    let is_another = |&expand: &TaskIndex| {
        let ty = machine.plan().def(layout.node(expand)).output;
        let encode = |list: Option<&AnyValue>| list.and_then(|list| ty.encode(list).ok());
        let list = values.list(expand);
        // Without consumers of its elements, it is not kept.
        list.is_some() && encode(list) != encode(expanded.get(&*layout.id(expand)))
    };
    let wrong = around.filter(is_another);
    wrong.map(|expand| format!("`{}` starts with another list of `{}`", layout.id(task), layout.id(expand))).collect()
}

/// What is wrong about the waits of a run whose session has just begun at this time.
pub(super) fn of_waits(machine: &Machine, now: Timestamp) -> Vec<String> {
    let layout = machine.layout();
    // Exponential delays lie between half and the whole of their step.
    let retries = layout.tasks().filter(|&task| machine.task_state(task) == TaskState::UpForRetry);
    let retries = retries.filter_map(|task| {
        let delay = layout.options(task).retry.delay_after(machine.attempt(task), 0);
        Some((machine.retry_due(task)?, task, delay * 2))
    });
    let pokes = layout.tasks().filter(|&task| machine.task_state(task) == TaskState::UpForReschedule);
    let pokes = pokes.filter_map(|task| {
        let (policy, wait) = (layout.options(task).sensor?, machine.wait(task)?);
        Some((wait.until?, task, policy.wait_after(wait.count, 0) * 2))
    });
    let too_long = retries.chain(pokes).filter(|&(due, _, delay)| due > now + delay);
    let outlasts = too_long.map(|(due, task, delay)| {
        let (task, wait) = (layout.id(task), due.since(now));
        format!("`{task}` waits for {wait:?} after a restart, although its delay is at most {delay:?}")
    });
    let run = machine.run_retry().map(|(_, due)| (due, machine.plan().options().wait_before_retry()));
    let run = run.into_iter().map(|(due, delay)| ("the run".to_owned(), due, delay));
    let groups = machine.group_retries().map(|(group, due)| {
        let options = machine.plan().group(group);
        (format!("the group `{}`", options.id), due, options.retry_delay)
    });
    let whole = run.chain(groups).filter(|&(_, due, delay)| due > now + delay);
    let whole = whole.map(|(what, due, delay)| format!("{what} waits for {:?}, not {delay:?}", due.since(now)));
    outlasts.chain(whole).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::dag::{Dag, Group};
    use crate::machine::{Input, Settings};
    use crate::run::{Restored, RestoredState, RestoredTask};

    const MINUTE: Duration = Duration::from_secs(60);

    /// What is found when a run is resumed whose task waits for its retry, and whose group for
    /// that of its own, until so long after the restart. Their delays are a minute each.
    fn found_of_waits(task: Duration, group: Duration) -> Vec<String> {
        let dag = Dag::draw("waits", |dag| {
            dag.add("load", |_| Ok(())).retries(1).retry_delay(MINUTE);
            Group::new("unit").retries(1).retry_delay(MINUTE).draw(|| dag.add("swap", |_| Ok(())));
        });
        let plan = Arc::clone(dag.unwrap().plan());
        let now = Timestamp::EPOCH + 60 * MINUTE;
        let load = plan.find("load").unwrap().task();
        let waits = RestoredTask {
            task: load,
            state: RestoredState::Retry(now + task),
            attempts: 1,
            uncounted_attempts: 0,
            earlier_attempts: 0,
            rounds: 0,
            started: now,
            ended: now,
            retried: Vec::new(),
            wait: None,
            events_seen: 0,
        };
        let units = HashMap::from([("unit".to_owned(), (1, Some(now + group)))]);
        let restored = Restored { tasks: vec![waits], units, ..Restored::default() };
        let mut machine = Machine::new(plan, None, Settings::default());
        machine.restore(&restored);
        machine.step(Input::Start, now, &mut Vec::new());
        assert_eq!(machine.task_state(load), TaskState::UpForRetry);
        of_waits(&machine, now)
    }

    #[test]
    fn waits_that_outlast_their_delays_after_a_restart_are_found() {
        assert_eq!(found_of_waits(MINUTE, MINUTE), [""; 0]);
        let found = found_of_waits(3 * MINUTE, MINUTE);
        assert!(matches!(&found[..], [one] if one.starts_with("`load` waits for 180s after a restart")), "{found:?}");
        let found = found_of_waits(MINUTE, 2 * MINUTE);
        assert!(matches!(&found[..], [one] if one.starts_with("the group `unit` waits for 120s")), "{found:?}");
    }

    fn attempt(number: u32, session: usize, started: i64, ended: Option<i64>) -> AttemptHistory {
        let state = if ended.is_some() { TaskState::Failed } else { TaskState::Running };
        let (started, ended) = (Timestamp::from_nanos(started), ended.map(Timestamp::from_nanos));
        AttemptHistory { number, started, ended, state, failure: None, session }
    }

    fn broken(attempts: &[AttemptHistory], is_over: bool) -> usize {
        of_attempts("load", attempts, is_over, Some(&HashMap::new())).len()
    }

    #[test]
    fn a_start_at_which_nothing_was_called_is_found() {
        let at = Timestamp::from_nanos;
        // The first call was lost with its process.
        let called = HashMap::from([("load".to_owned(), vec![(1, at(10)), (1, at(12)), (2, at(20))])]);
        assert!(of_starts("load", [(1, at(12)), (2, at(20))], &called).is_empty());
        for wrong in [(2, at(12)), (1, at(20)), (3, at(20))] {
            assert_eq!(of_starts("load", [(1, at(12)), wrong], &called).len(), 1, "{wrong:?}");
        }
        assert_eq!(of_starts("other", [(1, at(12))], &called).len(), 1);
    }

    #[test]
    fn attempts_that_a_broken_machine_would_store_are_found() {
        let first = attempt(1, 0, 10, Some(20));
        assert_eq!(broken(&[first.clone(), attempt(2, 0, 20, Some(30))], true), 0);
        // The clock of another process may be behind.
        assert_eq!(broken(&[first.clone(), attempt(2, 1, 5, Some(6))], true), 0);
        assert_eq!(broken(&[first.clone(), attempt(2, 0, 20, None)], false), 0);
        for (what, second, is_over) in [
            ("no end", attempt(2, 0, 20, None), true),
            ("an end before its start", attempt(2, 0, 30, Some(29)), false),
            ("the number of the one before", attempt(1, 0, 20, Some(30)), false),
            ("a start before the end of the one before", attempt(2, 0, 19, Some(30)), false),
        ] {
            assert_eq!(broken(&[first.clone(), second], is_over), 1, "{what}");
        }
        let open = [attempt(1, 0, 10, None), attempt(2, 0, 20, Some(30))];
        assert_eq!(broken(&open, false), 1, "a start while the one before runs");
        // It waited, and went on in another process.
        let at = Timestamp::from_nanos;
        let called = HashMap::from([("load".to_owned(), vec![(1, at(10)), (2, at(30)), (2, at(5))])]);
        let attempts = [first, attempt(2, 0, 5, Some(6))];
        assert_eq!(of_attempts("load", &attempts, true, Some(&called)), Vec::<String>::new());
    }
}
