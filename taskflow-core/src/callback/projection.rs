//! What callbacks are to be told: a function of what is recorded of a run, and of nothing else.
//!
//! The live engine applies it to entries as they are made, a journal to those that it finds. So both come to the same notifications
//! under the same keys, and what was to be told before a process died is known after it.

use std::borrow::Cow;
use std::sync::Arc;

use super::dispatcher::PendingCallback;
use crate::base::{Failure, Timestamp};
use crate::dag::{Layout, Plan, path_of};
use crate::machine::Machine;
use crate::run::{Entry, Restored, RestoredState, RunInfo, RunState};
use crate::task::{CallbackKind, Callbacks, Notification, TaskNotification};

/// The tasks of a run, by the numbers that entries name them by.
pub(crate) trait Names {
    /// The id of a task instance.
    fn id(&self, task: u32) -> Cow<'_, str>;

    /// Who is told of what happens to it.
    fn callbacks(&self, task: u32) -> Callbacks;
}

impl Names for Layout {
    fn id(&self, task: u32) -> Cow<'_, str> {
        Layout::id(self, task)
    }

    fn callbacks(&self, task: u32) -> Callbacks {
        self.options(task).callbacks
    }
}

/// Follows a run through its entries.
pub(crate) struct CallbackProjection {
    info: Arc<RunInfo>,
    /// Who is told of the run itself.
    callbacks: Callbacks,
    started: Option<Timestamp>,
    /// How often the run came to an end, those included after which it was tried again.
    ends: u32,
    /// The first failure that nothing followed, or why the run ends early.
    failure: Option<Arc<Failure>>,
}

impl CallbackProjection {
    /// Nothing, if nobody wants to be told anything.
    pub(crate) fn new(plan: &Plan, info: &Arc<RunInfo>) -> Option<Self> {
        let callbacks = plan.options().callbacks;
        let info = Arc::clone(info);
        plan.has_callbacks().then_some(CallbackProjection { info, callbacks, started: None, ends: 0, failure: None })
    }

    /// Goes on where the run does.
    pub(crate) fn take_up(&mut self, restored: &Restored, machine: &Machine) {
        (self.started, self.ends) = (restored.started, restored.ends);
        let failed = restored.tasks.iter().find(|task| matches!(task.state, RestoredState::Failed(_)));
        self.failure = failed.and_then(|task| machine.failure(task.task));
    }

    /// What is to be told of an entry, if anything is.
    pub(crate) fn observe(&mut self, at: Timestamp, entry: &Entry, names: &dyn Names) -> Option<PendingCallback> {
        let run_started = *self.started.get_or_insert(at);
        let about_run = |kind, failure, retry_at, deadline, key: String| {
            let callback = self.callbacks.on(kind)?;
            let run = Arc::clone(&self.info);
            let key = format!("{}/{key}", run.run_id);
            let started = run_started;
            let notification = Notification { kind, run, task: None, at, started, failure, retry_at, deadline, key };
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
            // One that was skipped because of another has no reason of its own, one that never started no attempt.
            Entry::Skipped { task, attempt, took, reason: Some(reason), .. } if *took > 0 || *attempt > 0 => {
                let why = (Some(Arc::clone(reason)), None);
                self.of_task(names, *task, CallbackKind::Skip, at, (*attempt, *took), why)
            }
            Entry::Halted { reason, .. } => {
                self.failure.get_or_insert_with(|| Arc::new(Failure::Cancelled { reason: reason.clone() }));
                None
            }
            Entry::DeadlineMissed { due } => {
                let due = Some(Timestamp::from_nanos(*due));
                about_run(CallbackKind::DeadlineMissed, None, None, due, "deadline_missed".to_owned())
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
                    RunState::Queued | RunState::Running | RunState::Cancelled | RunState::Interrupted => None,
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
        task: u32,
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
        let notification = Notification { kind, run, task, at, started, failure, retry_at, deadline: None, key };
        Some(PendingCallback::new(notification, callback))
    }
}
