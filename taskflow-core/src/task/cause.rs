//! Why a task did not run: the upstream and the trigger rule that decided it.

use std::sync::Arc;

use super::rule::TriggerRule;
use crate::base::Failure;
use crate::run::TaskState;

/// Why a task ended without running: what the engine reports, the history and the explanations say.
///
/// `state` is its state, `rule` the name of the rule of its order edges, `cause` the upstream
/// because of which it did not run and the state of that one. `None` for other states.
pub(crate) fn because_of(state: TaskState, rule: &str, cause: &str, cause_state: TaskState) -> Option<Arc<Failure>> {
    Some(Arc::new(match state {
        TaskState::UpstreamFailed => Failure::UpstreamFailed { task: cause.to_owned() },
        TaskState::Skipped => {
            let ended = match cause_state {
                TaskState::Success => "succeeded",
                TaskState::Failed => "failed",
                TaskState::UpstreamFailed => "did not run because of a failure",
                TaskState::Cancelled => "was cancelled",
                _ => "was skipped",
            };
            let reason = format!("upstream task `{cause}` {ended}");
            // A skip is passed on by most rules; otherwise the rule is what decides.
            let is_passed_on = ended == "was skipped" || rule == TriggerRule::AllSuccess.name();
            let rule = if is_passed_on { String::new() } else { format!(", and the trigger rule is `{rule}`") };
            Failure::Skipped { reason: format!("{reason}{rule}") }
        }
        _ => return None,
    }))
}
