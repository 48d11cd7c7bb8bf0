//! What tasks have under way outside of this process, and how it is ended when their run ends early.

use std::sync::Arc;

use crate::config::Config;

/// What is done outside when a run ends early. It does not block.
pub(crate) type OnKill = Arc<dyn Fn() + Send + Sync>;

/// Who knows, from what a task has kept, whether something of it goes on outside, and how that is ended: for a run that another
/// process has begun. It is asked with the key, the text, and the configuration of the engine if it has one.
pub(crate) struct OnKillResolver(pub(crate) fn(&str, &str, Option<&Config>) -> Option<OnKill>);

inventory::collect!(OnKillResolver);

impl OnKillResolver {
    /// What is to be done outside when the run ends early, by what a task has kept.
    pub(crate) fn on_kill(key: &str, text: &str, config: Option<&Config>) -> Option<OnKill> {
        inventory::iter::<OnKillResolver>().find_map(|caretaker| (caretaker.0)(key, text, config))
    }
}
