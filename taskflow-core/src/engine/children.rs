//! The runs that tasks of a run have triggered and wait for, if both are in this process.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::archive::EndedRun;
use super::handle::RunControl;
use crate::base::drop_quietly;
use crate::config::Config;
use crate::dag::{Plan, node_id_of};
use crate::task::{OnKill, OnKillResolver};

thread_local! {
    /// The runs that this thread has yet to cancel, and why, while it cancels.
    static CANCELS: RefCell<Option<VecDeque<(RunControl, String)>>> = const { RefCell::new(None) };
}

/// This thread cancels the runs in its queue, until this is dropped.
struct Draining;

impl Drop for Draining {
    fn drop(&mut self) {
        CANCELS.set(None);
    }
}

/// Those of one run.
#[derive(Default)]
pub(crate) struct Children {
    /// By their ids.
    runs: Mutex<HashMap<String, Child>>,
    /// How to kill external work, such as a job on a cluster, by a key of the task, with the id of
    /// the task.
    outside: Mutex<HashMap<String, (String, OnKill)>>,
}

/// A run that a task waits for.
#[derive(Clone, Debug)]
pub(super) enum Child {
    Running(RunControl),
    Ended(EndedRun),
}

impl std::fmt::Debug for Children {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Children").field("runs", &self.runs).finish_non_exhaustive()
    }
}

impl Children {
    pub(super) fn get(&self, run_id: &str) -> Option<Child> {
        locked(&self.runs).get(run_id).cloned()
    }

    pub(super) fn put(&self, run_id: &str, child: Child) {
        let before = locked(&self.runs).insert(run_id.to_owned(), child);
        drop(before);
    }

    /// Registers, or with `None` clears, what to kill if the run ends while a task waits for it.
    pub(super) fn register_on_kill(&self, task: &str, key: &str, end: Option<OnKill>) {
        let mut outside = locked(&self.outside);
        let before = match end {
            Some(end) => outside.insert(key.to_owned(), (task.to_owned(), end)),
            None => outside.remove(key),
        };
        drop(outside);
        drop(before);
    }

    /// Restores from task state how to kill external work that tasks of an earlier process have
    /// started: until those tasks run again, this process knows nothing else of it. The work of
    /// teardowns is not killed.
    pub(super) fn take_over(&self, task_state: &[(String, String, String)], plan: &Plan, config: Option<&Config>) {
        let is_teardown = |task: &str| plan.find(node_id_of(task)).is_some_and(|node| plan.is_teardown(node));
        for (task, key, text) in task_state {
            if let Some(end) = OnKillResolver::on_kill(key, text, config)
                && !is_teardown(task)
            {
                self.register_on_kill(task, key, Some(end));
            }
        }
    }

    /// Whether there is external work, of a task or of any.
    pub(super) fn has_work_of(&self, task: Option<&str>) -> bool {
        locked(&self.outside).values().any(|(of, _)| task.is_none_or(|task| of == task))
    }

    /// Takes how to kill the external work of a task that has ended, or of all. Nobody else kills
    /// it then.
    pub(super) fn take_work_of(&self, task: Option<&str>) -> Vec<OnKill> {
        let is_of_task = |of: &str| task.is_none_or(|task| of == task);
        locked(&self.outside).extract_if(|_, (of, _)| is_of_task(of)).map(|(_, (_, end))| end).collect()
    }

    /// Cancels the runs and kills the external work, which no task waits for any more. Must not be
    /// called under the engine's lock.
    ///
    /// A run that is cancelled cancels those that it has triggered. They wait for their turn, so
    /// that a chain of runs needs no stack.
    pub(super) fn cancel(&self, reason: &str) {
        let outside = std::mem::take(&mut *locked(&self.outside));
        outside.values().for_each(|(_, end)| end());
        let running: Vec<RunControl> = locked(&self.runs)
            .values()
            .filter_map(|child| match child {
                Child::Running(control) => Some(control.clone()),
                Child::Ended(_) => None,
            })
            .collect();
        let is_inner = CANCELS.with_borrow_mut(|queue| {
            let is_inner = queue.is_some();
            queue.get_or_insert_default().extend(running.into_iter().map(|control| (control, reason.to_owned())));
            is_inner
        });
        if is_inner {
            return;
        }
        let draining = Draining;
        while let Some((control, reason)) = CANCELS.with_borrow_mut(|queue| queue.as_mut()?.pop_front()) {
            control.cancel(&reason);
        }
        drop(draining);
    }

    /// Called at the end of the run. Drops results, so it must not be called under the engine's
    /// lock.
    pub(super) fn clear(&self) {
        let all = std::mem::take(&mut *locked(&self.runs));
        let outside = std::mem::take(&mut *locked(&self.outside));
        drop_quietly((all, outside));
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
