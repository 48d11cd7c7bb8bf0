//! Callbacks: functions that are notified of events of a task or a run.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::Notification;
use crate::base::{BoxError, catch};

/// The kind of event that a callback handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CallbackKind {
    /// A task or a run succeeded.
    Success,
    /// A task failed without another retry, or a run failed.
    Failure,
    /// An attempt failed and is retried, or a run failed and is retried.
    Retry,
    /// A task skipped itself.
    Skip,
    /// A run did not end, or a task did not succeed, before its deadline.
    DeadlineMissed,
    /// A run was cancelled.
    Cancel,
}

impl CallbackKind {
    /// All kinds.
    pub const ALL: [CallbackKind; 6] = [
        CallbackKind::Success,
        CallbackKind::Failure,
        CallbackKind::Retry,
        CallbackKind::Skip,
        CallbackKind::DeadlineMissed,
        CallbackKind::Cancel,
    ];

    /// `success`, `failure`, `retry`, `skip`, `deadline_missed`, `cancel`.
    pub const fn name(self) -> &'static str {
        match self {
            CallbackKind::Success => "success",
            CallbackKind::Failure => "failure",
            CallbackKind::Retry => "retry",
            CallbackKind::Skip => "skip",
            CallbackKind::DeadlineMissed => "deadline_missed",
            CallbackKind::Cancel => "cancel",
        }
    }
}

impl fmt::Display for CallbackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Sends notifications: the type of the options `on_failure`, `on_success` and so on.
///
/// Every function that takes a [`Notification`] and returns nothing or a `Result` implements it.
/// [`taskflow::notify`](crate::callback::notify) contains ready-made ones.
///
/// A notifier runs on a thread of its own, so it may block. It never affects the run. In a run with
/// a journal, delivery is **at least once**: it is repeated after a crash of the process, and after
/// an error until it succeeds or a week has passed. Use [`Notification::key`] for effects that must
/// not happen twice.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a callback",
    label = "not a callback",
    note = "a callback is a function such as `fn notify(notification: &Notification) -> Result<()>`, or one of `taskflow::notify`"
)]
pub trait Notifier: Send + Sync + 'static {
    /// Delivers a notification.
    ///
    /// # Errors
    ///
    /// If the delivery failed. It is repeated later.
    fn notify(&self, notification: &Notification) -> Result<(), BoxError>;

    /// A name for messages and displays, without secrets.
    fn name(&self) -> String {
        let path = std::any::type_name::<Self>();
        path.rsplit("::").find(|part| !part.starts_with('{')).unwrap_or(path).to_owned()
    }
}

impl<F, R> Notifier for F
where
    F: Fn(&Notification) -> R + Send + Sync + 'static,
    R: CallbackResult,
{
    fn notify(&self, notification: &Notification) -> Result<(), BoxError> {
        self(notification).into_result()
    }
}

/// The return types of callbacks: nothing, or a `Result` without a value.
#[diagnostic::on_unimplemented(
    message = "a callback returns nothing or a `Result<()>`, not `{Self}`",
    label = "the callback returns this"
)]
pub trait CallbackResult {
    /// Converts it to a result.
    ///
    /// # Errors
    ///
    /// If the callback returned an error.
    fn into_result(self) -> Result<(), BoxError>;
}

impl CallbackResult for () {
    fn into_result(self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl<E: Into<BoxError>> CallbackResult for Result<(), E> {
    fn into_result(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}

/// A callback as an option: creates its notifier.
#[derive(Clone, Copy)]
pub struct Callback(fn() -> Arc<dyn Notifier>);

impl Callback {
    /// The callback whose notifier `make` creates.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use taskflow::DagOptions;
    /// use taskflow::notify::{Callback, log_line};
    ///
    /// let mut options = DagOptions::NONE;
    /// options.callbacks.on_failure = Some(Callback::new(|| Arc::new(log_line())));
    /// ```
    pub const fn new(make: fn() -> Arc<dyn Notifier>) -> Self {
        Callback(make)
    }

    /// Creates its notifier.
    pub fn notifier(&self) -> Arc<dyn Notifier> {
        (self.0)()
    }

    /// The name of its notifier. Creating and naming it both run user code.
    pub(crate) fn name(&self) -> String {
        catch(|| self.notifier().name()).unwrap_or_else(|_| "?".to_owned())
    }
}

impl PartialEq for Callback {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::fn_addr_eq(self.0, other.0)
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback")
    }
}

/// The callbacks of a task or a DAG; `None` means "not set here".
#[derive(Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Callbacks {
    /// Called when the task or run succeeds.
    pub on_success: Option<Callback>,
    /// Called when the task fails without another retry, or the run fails.
    pub on_failure: Option<Callback>,
    /// Called when an attempt fails and is retried.
    pub on_retry: Option<Callback>,
    /// Called when a task skips itself. A run is never skipped.
    pub on_skip: Option<Callback>,
    /// Called when the task, or the slot or run of the DAG, misses its deadline.
    pub on_deadline_missed: Option<Callback>,
    /// Called when a run is cancelled. Tasks have none.
    pub on_cancel: Option<Callback>,
}

impl Callbacks {
    /// No callbacks.
    pub const NONE: Callbacks = Callbacks {
        on_success: None,
        on_failure: None,
        on_retry: None,
        on_skip: None,
        on_deadline_missed: None,
        on_cancel: None,
    };

    /// Whether there are no callbacks.
    pub fn is_empty(&self) -> bool {
        CallbackKind::ALL.iter().all(|&kind| self.on(kind).is_none())
    }

    /// The callback for this kind of event.
    pub const fn on(&self, kind: CallbackKind) -> Option<Callback> {
        match kind {
            CallbackKind::Success => self.on_success,
            CallbackKind::Failure => self.on_failure,
            CallbackKind::Retry => self.on_retry,
            CallbackKind::Skip => self.on_skip,
            CallbackKind::DeadlineMissed => self.on_deadline_missed,
            CallbackKind::Cancel => self.on_cancel,
        }
    }

    /// These callbacks, with `fallback` for those that are not set.
    #[must_use]
    pub const fn or(self, fallback: Callbacks) -> Callbacks {
        // `Option::or` is not const.
        macro_rules! first {
            ($($field:ident),*) => {
                Callbacks { $($field: if self.$field.is_some() { self.$field } else { fallback.$field },)* }
            };
        }
        first!(on_success, on_failure, on_retry, on_skip, on_deadline_missed, on_cancel)
    }
}

/// Shows only which callbacks are set: the structural hash of a graph includes this, and functions
/// have no stable name.
impl fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = CallbackKind::ALL.into_iter().filter(|&kind| self.on(kind).is_some());
        f.debug_list().entries(set).finish()
    }
}
