//! Changes that people ask for, and may not make.
//!
//! 1. [`record`], around the routes, finds the [`Action`] of a request that changes something.
//! 2. Some actions need more than a session that somebody may have left open: the password must
//!    have been given a short while ago. Otherwise nothing is done, and the answer is a form that
//!    asks for it.
//! 3. An [`ChangeRequest`] goes with the request. Handlers reach it through their
//!    [`Visitor`](super::Visitor) only: where a right is missing, it notes that.
//! 4. Once the request is answered, what was noted becomes a row in the audit trail: of a request
//!    about several objects the first one, with the number of the others.
//! 5. Whoever is refused once may ask again as fast as the network is. So an actor has one row a
//!    minute for each action, and the next one says how many refusals have none.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Principal;
use super::actions::{action_of, is_sensitive};
use super::sparse::Sparse;
use crate::base::units::duration;
use crate::ops::{self, Action, Actor, AuditTarget};
use crate::server::ServerState;
use crate::server::acting::Acting;
use crate::server::pages::confirm_page;
use crate::server::problem::Problem;

/// The refusals that have no row yet, by actor and action.
pub(in crate::server) type Refusals = Sparse<(Actor, Action)>;

/// A request for a change.
#[derive(Debug, Default)]
pub(super) struct ChangeRequest(Mutex<Option<Refusal>>);

/// A right that was missing.
#[derive(Debug)]
struct Refusal {
    target: AuditTarget,
    error: String,
    /// How many others were missing for the same request.
    others: u64,
}

impl ChangeRequest {
    /// Notes that a right is missing.
    pub(super) fn note(&self, target: AuditTarget, error: &str) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *noted {
            Some(first) => first.others += 1,
            None => *noted = Some(Refusal { target, error: error.to_owned(), others: 0 }),
        }
    }

    fn taken(&self) -> Option<Refusal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Answers a request, and records which right it lacked, if it was one for a change.
pub(in crate::server) async fn record(State(state): State<ServerState>, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let action = path.and_then(|path| action_of(request.method().as_str(), path.as_str()));
    let actor = request.extensions().get::<Arc<Principal>>().and_then(|principal| principal.actor().cloned());
    let (Some(action), Some(actor)) = (action, actor) else { return next.run(request).await };
    let (path, principal) = (request.uri().path().to_owned(), request.extensions().get::<Arc<Principal>>());
    if is_sensitive(action, &path) && !principal.is_some_and(|principal| state.is_confirmed(principal)) {
        return unconfirmed(&state, &path);
    }
    let Acting(journal) = Acting::of(&state, request.headers(), request.extensions());
    let attempt = Arc::new(ChangeRequest::default());
    request.extensions_mut().insert(Arc::clone(&attempt));
    let response = next.run(request).await;
    if let Some(Refusal { target, error, others }) = attempt.taken() {
        let due = state.auth.refusals.due((actor, action), 1 + others, Instant::now());
        if let Some(count) = due
            && let Err(error) = ops::audit_refusal(&journal, action, target, &error, count - 1).await
        {
            tracing::warn!("a refused change is not in the audit trail: {error}");
        }
    }
    response
}

/// The answer to a sensitive change without the password.
fn unconfirmed(state: &ServerState, path: &str) -> Response {
    if !path.starts_with("/api/") {
        let back = match path {
            _ if path.starts_with("/users/") => "/users",
            // The form of a DAG has the address that it is sent to.
            _ if path.starts_with("/dags/") => path,
            _ => "/account",
        };
        return confirm_page(back, "Nothing has changed yet. Confirm that it is you, and send the form again.");
    }
    let span = duration(state.auth.confirm_after);
    let problem = Problem::forbidden(format!("this needs the password, which was given more than {span} ago"));
    problem.next("give it again on the page /account, or use a token").into_response()
}

impl ServerState {
    /// Whether somebody has given their password a short while ago, if they have logged in with
    /// one. A clock that went back asks for it again.
    pub(super) fn is_confirmed(&self, principal: &Principal) -> bool {
        let now = self.journal.now();
        principal.confirmed().is_none_or(|at| at <= now && now.since(at) < self.auth.confirm_after)
    }
}
