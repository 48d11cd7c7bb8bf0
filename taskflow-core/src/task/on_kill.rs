//! How to kill the external work of tasks when their run ends early.

use std::sync::Arc;

use crate::config::Config;

/// Kills external work when a run ends early. Does not block.
pub(crate) type OnKill = Arc<dyn Fn() + Send + Sync>;

/// Derives from the stored state of a task whether it has external work, and how to kill it: for a
/// run that another process has started. It receives the key, the text, and the configuration of
/// the engine if there is one.
pub(crate) struct OnKillResolver(pub(crate) fn(&str, &str, Option<&Config>) -> Option<OnKill>);

inventory::collect!(OnKillResolver);

impl OnKillResolver {
    /// What to kill when the run ends early, according to the stored state of a task.
    pub(crate) fn on_kill(key: &str, text: &str, config: Option<&Config>) -> Option<OnKill> {
        inventory::iter::<OnKillResolver>().find_map(|caretaker| (caretaker.0)(key, text, config))
    }
}
