//! The principal of the request that this task answers.
//!
//! It is for what every page shows, and for whom a change is attributed to in the history. Rights
//! are never decided by it: they need a [`Visitor`](super::Visitor).

use std::sync::Arc;

use super::Principal;
use crate::journal::Note;

tokio::task_local! {
    static CURRENT: Arc<Principal>;
}

/// Answers a request of this principal.
pub(super) async fn scope<F: Future>(principal: Arc<Principal>, answer: F) -> F::Output {
    CURRENT.scope(principal, answer).await
}

/// The principal, where a request is answered.
pub(in crate::server) fn current() -> Option<Arc<Principal>> {
    CURRENT.try_with(Arc::clone).ok()
}

/// A note by the principal; by the account of the server if it is whoever uses this machine.
pub(in crate::server) fn note_of_current(reason: &str) -> Note {
    let note = Note::by_user(reason);
    match current().filter(|principal| principal.is_named()).and_then(|principal| principal.actor().cloned()) {
        Some(actor) => Note { by: actor.name, ..note },
        None => note,
    }
}
