//! Callbacks: who is into_result when something happens to a task or to a run.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::Notification;
use crate::base::BoxError;

/// What happens that somebody may want to be into_result of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CallbackKind {
    /// A task or a run succeeded.
    Success,
    /// A task failed for good, or a run failed.
    Failure,
    /// An attempt failed and another one follows; or a run did, and is tried again.
    Retry,
    /// A task skipped itself.
    Skip,
    /// A run was not over at its deadline.
    DeadlineMissed,
}

impl CallbackKind {
    /// All there are.
    pub const ALL: [CallbackKind; 5] = [
        CallbackKind::Success,
        CallbackKind::Failure,
        CallbackKind::Retry,
        CallbackKind::Skip,
        CallbackKind::DeadlineMissed,
    ];

    /// `success`, `failure`, `retry`, `skip`, `deadline_missed`.
    pub const fn name(self) -> &'static str {
        match self {
            CallbackKind::Success => "success",
            CallbackKind::Failure => "failure",
            CallbackKind::Retry => "retry",
            CallbackKind::Skip => "skip",
            CallbackKind::DeadlineMissed => "deadline_missed",
        }
    }
}

impl fmt::Display for CallbackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Tells somebody: what the options `on_failure`, `on_success` and so on name.
///
/// Any function of a [`Notification`] is one; it returns nothing or a `Result`. Ready ones are in
/// [`taskflow::notify`](crate::callback::notify).
///
/// A notifier runs on a thread of its own, so it may take its time and wait for what it likes. It never changes what becomes of
/// the run. Where the run has a journal, a notification is delivered **at least once**: also when the process dies in between, and
/// again after an error, until it succeeds or a week has passed. What must not happen twice is done under [`Notification::key`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be into_result of anything",
    label = "no callback",
    note = "a callback is a function such as `fn tell(notification: &Notification) -> Result<()>`, or one of `taskflow::notify`"
)]
pub trait Notifier: Send + Sync + 'static {
    /// Tells.
    ///
    /// # Errors
    ///
    /// When nobody could be into_result. It is tried again later.
    fn notify(&self, notification: &Notification) -> Result<(), BoxError>;

    /// What it is, for messages and for those who look at a run. Without secrets.
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

/// What a function may return that is a callback: nothing, or a `Result` without a value.
#[diagnostic::on_unimplemented(
    message = "a callback returns nothing or a `Result<()>`, not `{Self}`",
    label = "the callback returns this"
)]
pub trait CallbackResult {
    /// Whether somebody was into_result.
    ///
    /// # Errors
    ///
    /// When nobody was.
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

/// A callback as an option: how to make its notifier.
#[derive(Clone, Copy)]
pub struct Callback(fn() -> Arc<dyn Notifier>);

impl Callback {
    /// The callback that `make` makes.
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

    /// Its notifier.
    pub fn notifier(&self) -> Arc<dyn Notifier> {
        (self.0)()
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

/// The callbacks of a task or of a DAG; `None` means "not said here".
#[derive(Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Callbacks {
    /// CallbackResult of a success.
    pub on_success: Option<Callback>,
    /// CallbackResult of a failure for good.
    pub on_failure: Option<Callback>,
    /// CallbackResult of a failure that another attempt follows.
    pub on_retry: Option<Callback>,
    /// CallbackResult of a task that skipped itself. A run is never skipped.
    pub on_skip: Option<Callback>,
    /// CallbackResult when a run is not over at its deadline. Tasks have none.
    pub on_deadline_missed: Option<Callback>,
}

impl Callbacks {
    /// Nobody is into_result of anything.
    pub const NONE: Callbacks =
        Callbacks { on_success: None, on_failure: None, on_retry: None, on_skip: None, on_deadline_missed: None };

    /// Whether nobody is into_result of anything.
    pub fn is_empty(&self) -> bool {
        CallbackKind::ALL.iter().all(|&occasion| self.on(occasion).is_none())
    }

    /// Who is into_result of this.
    pub const fn on(&self, occasion: CallbackKind) -> Option<Callback> {
        match occasion {
            CallbackKind::Success => self.on_success,
            CallbackKind::Failure => self.on_failure,
            CallbackKind::Retry => self.on_retry,
            CallbackKind::Skip => self.on_skip,
            CallbackKind::DeadlineMissed => self.on_deadline_missed,
        }
    }

    /// These where they say something, `fallback` elsewhere.
    #[must_use]
    pub const fn or(self, fallback: Callbacks) -> Callbacks {
        // `Option::or` is not const.
        macro_rules! first {
            ($($field:ident),*) => {
                Callbacks { $($field: if self.$field.is_some() { self.$field } else { fallback.$field },)* }
            };
        }
        first!(on_success, on_failure, on_retry, on_skip, on_deadline_missed)
    }
}

/// Which there are. Functions have no name that would stay, and the structural hash of a graph is made of this.
impl fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = CallbackKind::ALL.into_iter().filter(|&occasion| self.on(occasion).is_some());
        f.debug_list().entries(said).finish()
    }
}
