//! Derives callback notifications from the recorded entries of a run, and from nothing else.
//!
//! The live engine applies it to entries as they are created, a journal to stored ones. Both derive
//! the same notifications with the same keys, so pending notifications are known after a crash.

use std::borrow::Cow;
use std::sync::Arc;

use super::dispatcher::PendingCallback;
use crate::base::{Failure, Timestamp};
use crate::dag::{Layout, Plan, path_of};
use crate::machine::Machine;
use crate::run::{Entry, Restored, RestoredState, RunInfo, RunState, TaskIndex};
use crate::task::{CallbackKind, Callbacks, Notification, TaskNotification};

/// Resolves the task numbers in entries.
pub(crate) trait Names {
    /// The id of a task instance.
    fn id(&self, task: TaskIndex) -> Cow<'_, str>;

    /// The callbacks of the task.
    fn callbacks(&self, task: TaskIndex) -> Callbacks;

    /// The callbacks of the task with this id in the graph.
    fn callbacks_of_node(&self, id: &str) -> Callbacks;
}

impl Names for Layout {
    fn id(&self, task: TaskIndex) -> Cow<'_, str> {
        Layout::id(self, task)
    }

    fn callbacks(&self, task: TaskIndex) -> Callbacks {
        self.options(task).callbacks
    }

    fn callbacks_of_node(&self, id: &str) -> Callbacks {
        let node = self.plan().find(id);
        node.map_or(Callbacks::NONE, |node| self.plan().node_options(node).callbacks)
    }
}

/// Follows a run through its entries.
pub(crate) struct CallbackProjection {
    info: Arc<RunInfo>,
    /// The callbacks of the run itself.
    callbacks: Callbacks,
    started: Option<Timestamp>,
    /// How many times the run has ended, including ends after which it was retried.
    ends: u32,
    /// The first failure among the last tasks, or the reason why the run ends early.
    failure: Option<Arc<Failure>>,
}

impl CallbackProjection {
    /// Returns `None` if there are no callbacks.
    pub(crate) fn new(plan: &Plan, info: &Arc<RunInfo>) -> Option<Self> {
        let callbacks = plan.options().callbacks;
        let info = Arc::clone(info);
        plan.has_callbacks().then_some(CallbackProjection { info, callbacks, started: None, ends: 0, failure: None })
    }

    /// Continues from a restored run.
    pub(crate) fn restore(&mut self, restored: &Restored, machine: &Machine) {
        (self.started, self.ends) = (restored.started, restored.ends);
        let failed = restored.tasks.iter().find(|task| matches!(task.state, RestoredState::Failed(_)));
        self.failure = failed.and_then(|task| machine.failure(task.task));
    }

    /// The notification caused by an entry, if any.
    pub(crate) fn observe(&mut self, at: Timestamp, entry: &Entry, names: &dyn Names) -> Option<PendingCallback> {
        let run_started = *self.started.get_or_insert(at);
        let about_run = |kind, failure, retry_at, deadline, key: String| {
            let callback = self.callbacks.on(kind)?;
            let run = Arc::clone(&self.info);
            let key = format!("{}/{key}", run.run_id);
            let started = run_started;
            let notification =
                Notification { kind, run, task: None, at, started, failure, retry_at, deadline, why: None, key };
            Some(PendingCallback::new(notification, callback))
        };
        match entry {
            Entry::Succeeded { task, attempt, took, .. } => {
                self.of_task(names, *task, CallbackKind::Success, at, (*attempt, *took), (None, None))
            }
            Entry::Failed { task, attempt, took, failure, retry } => {
                let kind = if retry.is_some() { CallbackKind::Retry } else { CallbackKind::Failure };
                if retry.is_none() {
                    self.failure.get_or_insert_with(|| Arc::clone(failure));
                }
                let retry_at = retry.map(Timestamp::from_nanos);
                let why = (Some(Arc::clone(failure)), retry_at);
                self.of_task(names, *task, kind, at, (*attempt, *took), why)
            }
            // A task skipped because of another has no reason of its own; one that never started
            // has no attempt.
            Entry::Skipped { task, attempt, took, reason: Some(reason), .. } if *took > 0 || *attempt > 0 => {
                let why = (Some(Arc::clone(reason)), None);
                self.of_task(names, *task, CallbackKind::Skip, at, (*attempt, *took), why)
            }
            Entry::Halted { reason, state } => {
                let halted = || Arc::new(Failure::Cancelled { reason: reason.clone() });
                if *state == RunState::Cancelled {
                    // Whatever has failed before: this is why the run ends.
                    self.failure = Some(halted());
                }
                self.failure.get_or_insert_with(halted);
                None
            }
            Entry::DeadlineMissed { due } => {
                let due = Some(Timestamp::from_nanos(*due));
                about_run(CallbackKind::DeadlineMissed, None, None, due, "deadline_missed".to_owned())
            }
            Entry::TaskDeadlineMissed { task, due, .. } => {
                // Without one of its own, that of the DAG.
                let kind = CallbackKind::DeadlineMissed;
                let callback = names.callbacks_of_node(task).or(self.callbacks).on(kind)?;
                let (run, id) = (Arc::clone(&self.info), task.clone());
                let key = format!("{}/{id}/{kind}", run.run_id);
                let (task, deadline) = (TaskNotification::new(id, Vec::new(), 0), Timestamp::from_nanos(*due));
                let notification = Notification {
                    kind,
                    run,
                    task: Some(task),
                    at,
                    started: run_started,
                    failure: None,
                    retry_at: None,
                    deadline: Some(deadline),
                    why: None,
                    key,
                };
                Some(PendingCallback::new(notification, callback))
            }
            Entry::TriedAgain { due, .. } => {
                self.ends += 1;
                let (due, key) = (Some(Timestamp::from_nanos(*due)), format!("retry/{}", self.ends));
                about_run(CallbackKind::Retry, self.failure.clone(), due, None, key)
            }
            Entry::Ended { state } => {
                self.ends += 1;
                match state {
                    RunState::Success => {
                        about_run(CallbackKind::Success, None, None, None, format!("success/{}", self.ends))
                    }
                    RunState::Failed => {
                        let key = format!("failure/{}", self.ends);
                        about_run(CallbackKind::Failure, self.failure.clone(), None, None, key)
                    }
                    RunState::Cancelled => {
                        let key = format!("cancel/{}", self.ends);
                        about_run(CallbackKind::Cancel, self.failure.clone(), None, None, key)
                    }
                    RunState::Queued | RunState::Running | RunState::Interrupted => None,
                }
            }
            Entry::Again { .. } | Entry::Regrouped { .. } | Entry::Cleared { .. } => {
                self.failure = None;
                None
            }
            _ => None,
        }
    }

    fn of_task(
        &self,
        names: &dyn Names,
        task: TaskIndex,
        kind: CallbackKind,
        at: Timestamp,
        (attempt, took): (u32, u64),
        (failure, retry_at): (Option<Arc<Failure>>, Option<Timestamp>),
    ) -> Option<PendingCallback> {
        let callback = names.callbacks(task).on(kind)?;
        let id = names.id(task).into_owned();
        let run = Arc::clone(&self.info);
        let key = format!("{}/{id}/{attempt}/{kind}", run.run_id);
        let started = at - std::time::Duration::from_nanos(took);
        let task = Some(TaskNotification::new(id.clone(), path_of(&id), attempt));
        let notification =
            Notification { kind, run, task, at, started, failure, retry_at, deadline: None, why: None, key };
        Some(PendingCallback::new(notification, callback))
    }
}
