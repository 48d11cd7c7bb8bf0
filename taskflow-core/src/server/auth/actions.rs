//! Which action each route that changes something is, and what it needs besides rights.

use crate::ops::Action;

/// The routes that change something, and what they do.
const ACTIONS: &[(&str, &str, Action)] = &[
    ("PUT", "/api/v1/dags/{dag}/pause", Action::Pause),
    ("DELETE", "/api/v1/dags/{dag}/pause", Action::Unpause),
    ("PUT", "/api/v1/pauses", Action::Pause),
    ("DELETE", "/api/v1/pauses", Action::Unpause),
    ("POST", "/api/v1/dags/{dag}/reset-schedule", Action::ResetSchedule),
    ("POST", "/api/v1/dags/{dag}/runs", Action::Trigger),
    ("POST", "/api/v1/runs:cancel", Action::Cancel),
    ("POST", "/api/v1/runs:clear", Action::Clear),
    ("POST", "/api/v1/runs:mark", Action::Mark),
    ("POST", "/api/v1/runs/{run}/cancel", Action::Cancel),
    ("POST", "/api/v1/runs/{run}/resume", Action::Resume),
    ("POST", "/api/v1/runs/{run}/retry", Action::Retry),
    ("POST", "/api/v1/runs/{run}/clear", Action::Clear),
    ("POST", "/api/v1/runs/{run}/mark", Action::Mark),
    ("POST", "/api/v1/runs/{run}/release", Action::Release),
    ("DELETE", "/api/v1/runs/{run}", Action::DbPrune),
    ("POST", "/api/v1/events", Action::Emit),
    ("POST", "/api/v1/hooks/{hook}", Action::Emit),
    ("POST", "/api/v1/backfills", Action::Backfill),
    ("POST", "/api/v1/backfills/{backfill}/pause", Action::BackfillsPause),
    ("POST", "/api/v1/backfills/{backfill}/resume", Action::BackfillsResume),
    ("POST", "/api/v1/backfills/{backfill}/limit", Action::BackfillsLimit),
    ("POST", "/api/v1/backfills/{backfill}/extend", Action::BackfillsExtend),
    ("POST", "/api/v1/backfills/{backfill}/retry", Action::BackfillsRetry),
    ("POST", "/api/v1/backfills/{backfill}/cancel", Action::BackfillsCancel),
    ("POST", "/api/v1/db/prune", Action::DbPrune),
    ("POST", "/api/v1/tokens", Action::TokensCreate),
    ("DELETE", "/api/v1/tokens/{token}", Action::TokensRevoke),
    ("POST", "/api/v1/users", Action::UsersAdd),
    ("DELETE", "/api/v1/users/{user}", Action::UsersRemove),
    ("PUT", "/api/v1/users/{user}/role", Action::UsersRole),
    ("PUT", "/api/v1/users/{user}/password", Action::UsersPassword),
    ("POST", "/dags/{dag}/trigger", Action::Trigger),
    ("POST", "/dags:pause", Action::Pause),
    ("POST", "/dags:unpause", Action::Unpause),
    ("POST", "/runs:clear", Action::Clear),
    ("POST", "/runs:cancel", Action::Cancel),
    ("POST", "/dags/{dag}/pause", Action::Pause),
    ("POST", "/dags/{dag}/unpause", Action::Unpause),
    ("POST", "/dags/{dag}/backfill", Action::Backfill),
    ("POST", "/dags/{dag}/reset-schedule", Action::ResetSchedule),
    ("POST", "/backfills/{number}/pause", Action::BackfillsPause),
    ("POST", "/backfills/{number}/resume", Action::BackfillsResume),
    ("POST", "/backfills/{number}/limit", Action::BackfillsLimit),
    ("POST", "/backfills/{number}/extend", Action::BackfillsExtend),
    ("POST", "/backfills/{number}/retry", Action::BackfillsRetry),
    ("POST", "/backfills/{number}/cancel", Action::BackfillsCancel),
    ("POST", "/events/emit", Action::Emit),
    ("POST", "/approvals/{run}/{task}/answer", Action::Release),
    ("POST", "/runs/{run}/cancel", Action::Cancel),
    ("POST", "/runs/{run}/clear", Action::Clear),
    ("POST", "/runs/{run}/mark", Action::Mark),
    ("POST", "/runs/{run}/release", Action::Release),
    ("POST", "/runs/{run}/retry", Action::Retry),
    ("POST", "/runs/{run}/resume", Action::Resume),
    ("POST", "/account/confirm", Action::LogIn),
    ("POST", "/account/password", Action::UsersPassword),
    ("POST", "/account/sessions/end", Action::LogOut),
    ("POST", "/account/tokens", Action::TokensCreate),
    ("POST", "/account/tokens/revoke", Action::TokensRevoke),
    ("POST", "/users/add", Action::UsersAdd),
    ("POST", "/users/role", Action::UsersRole),
    ("POST", "/users/password", Action::UsersPassword),
    ("POST", "/users/remove", Action::UsersRemove),
];

/// The action of a route, if it is one that needs a right.
pub(super) fn action_of(method: &str, path: &str) -> Option<Action> {
    ACTIONS.iter().find(|(of, at, _)| *of == method && *at == path).map(|(_, _, action)| *action)
}

/// Whether a change is for those only who have given their password a short while ago: it decides
/// who may do what, or cannot be undone.
pub(super) fn is_sensitive(action: Action, path: &str) -> bool {
    // It asks for the password itself.
    let asks_itself = path == "/account/password";
    let decides = matches!(
        action,
        Action::UsersAdd
            | Action::UsersRemove
            | Action::UsersPassword
            | Action::UsersRole
            | Action::TokensCreate
            | Action::TokensRevoke
            | Action::DbPrune
            | Action::ResetSchedule
    );
    decides && !asks_itself
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::server::routes;

    #[test]
    fn every_route_that_changes_something_is_an_action() {
        let of_api = ACTIONS.iter().filter(|(_, path, _)| path.starts_with("/api/"));
        let listed: HashSet<(&str, &str)> = of_api.map(|(method, path, _)| (*method, *path)).collect();
        let changing = routes::all().filter(|route| route.changes());
        assert_eq!(listed, changing.map(|route| (route.method.name(), route.path)).collect::<HashSet<_>>());
        assert_eq!(action_of("GET", "/api/v1/runs"), None);
    }
}
