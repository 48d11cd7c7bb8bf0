//! What tasks have running outside of this process, and how it is ended when their run ends early.

use std::fmt;
use std::sync::Arc;

use crate::base::BoxError;
use crate::config::Config;

/// Ends something outside when a run ends early. It does not block.
pub(crate) type OnKill = Arc<dyn Fn() + Send + Sync>;

/// A job in another system that a task of a run has submitted and that no process follows. Displays
/// its id there, or how it can be found.
pub(crate) trait UnattendedWork: fmt::Display + Send {
    /// The system, such as `Spark`.
    fn system(&self) -> &'static str;

    /// Ends the job, and returns whether the system confirms that it has ended. Blocks.
    ///
    /// # Errors
    ///
    /// When it is unknown where the job is.
    fn end(&self) -> Result<bool, BoxError>;

    /// Ends the job when its run ends early.
    fn on_kill(self: Box<Self>) -> OnKill;
}

/// Recognises the jobs of one system by what their tasks have stored: a key and a text of the task
/// state store, and the configuration of the engine if there is one. For runs that another process
/// has started.
pub(crate) struct OnKillResolver(pub(crate) Resolve);

/// The function of an [`OnKillResolver`].
pub(crate) type Resolve = fn(&str, &str, Option<&Config>) -> Option<Box<dyn UnattendedWork>>;

inventory::collect!(OnKillResolver);

impl OnKillResolver {
    /// The job behind what a task has stored, if there is one that has to be ended.
    pub(crate) fn job(key: &str, text: &str, config: Option<&Config>) -> Option<Box<dyn UnattendedWork>> {
        inventory::iter::<OnKillResolver>().find_map(|resolver| (resolver.0)(key, text, config))
    }

    /// How that job is ended when its run ends early.
    pub(crate) fn on_kill(key: &str, text: &str, config: Option<&Config>) -> Option<OnKill> {
        Some(OnKillResolver::job(key, text, config)?.on_kill())
    }
}
