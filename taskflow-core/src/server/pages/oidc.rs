//! Log-in with OpenID Connect: the way to the provider, and the way back. The protocol is that of
//! `auth::oidc`.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::Query;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};

use super::account::never_kept;
use super::address;
use super::form::{Sent, below};
use super::login::{entered, way_back, with_cookie};
use super::reply::{Asked, PageProblem, asked};
use crate::base::Timestamp;
use crate::journal::Journal;
use crate::ops::accounts::{self, NewSession};
use crate::server::acting::Acting;
use crate::server::auth::{
    Attempt, LogInError, LogIns, Oidc, Peer, Person, ProviderError, Visitor, attempt_cookie, drop_attempt_cookie,
};

/// Why nobody was let in, for the person. The log of the server says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Late,
    Unreachable,
    Denied,
    Invalid,
    Settings,
    NoRole,
}

impl Refusal {
    const ALL: [Refusal; 6] =
        [Refusal::Late, Refusal::Unreachable, Refusal::Denied, Refusal::Invalid, Refusal::Settings, Refusal::NoRole];

    /// Its name in the address of the log-in page.
    fn word(self) -> &'static str {
        match self {
            Refusal::Late => "late",
            Refusal::Unreachable => "unreachable",
            Refusal::Denied => "denied",
            Refusal::Invalid => "invalid",
            Refusal::Settings => "settings",
            Refusal::NoRole => "no_role",
        }
    }

    fn sentence(self, provider: &str) -> String {
        match self {
            Refusal::Late => {
                "This log-in has expired, was used already, or began in another browser. Log in again.".to_owned()
            }
            Refusal::Unreachable => format!("{provider} cannot be reached now. Try again in a minute."),
            Refusal::Denied => format!("{provider} has not let you in."),
            Refusal::Invalid => {
                format!("The answer of {provider} is not valid. An admin finds the reason in the log of the server.")
            }
            Refusal::Settings => {
                format!("{provider} does not accept this server. An admin finds the reason in the log of the server.")
            }
            Refusal::NoRole => {
                format!("{provider} knows you, but none of your groups may use this server. Ask an admin for a role.")
            }
        }
    }

    fn of(error: &LogInError) -> Self {
        match error {
            LogInError::Provider(ProviderError::Unreachable(_) | ProviderError::Answer { .. }) => Refusal::Unreachable,
            LogInError::Provider(ProviderError::OtherIssuer { .. } | ProviderError::Client) => Refusal::Settings,
            LogInError::Provider(ProviderError::Code) => Refusal::Late,
            LogInError::Token(_) => Refusal::Invalid,
        }
    }
}

/// The sentence about a refused log-in, by its word in the address; empty for other words.
pub(super) fn sentence_of(state: &Visitor, word: &str) -> String {
    let refusal = Refusal::ALL.into_iter().find(|refusal| refusal.word() == word);
    match (refusal, &state.auth.oidc) {
        (Some(refusal), Some(oidc)) => refusal.sentence(oidc.name()),
        _ => String::new(),
    }
}

/// Leads back to the log-in page. The attempt ends.
fn refused(state: &Visitor, next: &str, refusal: Refusal) -> Response {
    let next = if next == "/" { "" } else { next };
    let page = below(&address::with("/login", &[("next", next), ("refused", refusal.word())])).into_response();
    with_cookie(page, &drop_attempt_cookie(&state.auth))
}

/// Leads to the provider.
pub(super) async fn begin(state: Visitor, Query(query): Asked) -> Sent {
    let next = way_back(asked(&query, "next"));
    if state.principal().actor().is_some() {
        return Ok(below(next).into_response());
    }
    let Some(oidc) = &state.auth.oidc else { return Ok(below("/login").into_response()) };
    let attempt = Attempt::new(next, Timestamp::now()).map_err(crate::ops::OpsError::from)?;
    let response = match oidc.address(&attempt).await {
        Ok(address) => {
            let to_provider = Redirect::to(&address).into_response();
            with_cookie(to_provider, &attempt_cookie(&state.auth, &attempt))
        }
        Err(error) => refused(&state, next, noted(oidc, &error)),
    };
    Ok(never_kept(response))
}

/// Where the provider leads back to.
pub(super) async fn arrive(
    state: Visitor,
    Acting(service): Acting,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Query(query): Asked,
) -> Sent {
    let Some(oidc) = &state.auth.oidc else { return Ok(below("/login").into_response()) };
    let log_ins = LogIns { state: &state, service: &service, peer };
    log_ins.may_answer().await?;
    let attempt = state.auth.attempt(&headers, Timestamp::now());
    let Some(attempt) = attempt.filter(|attempt| attempt.is_answered_by(asked(&query, "state"))) else {
        return Ok(never_kept(refused(&state, "/", Refusal::Late)));
    };
    let next = way_back(attempt.next());
    let response = match admitted(&service, oidc, &attempt, &query).await? {
        Ok(session) => {
            state.metrics.log_in("succeeded");
            with_cookie(entered(&state, &session, next), &drop_attempt_cookie(&state.auth))
        }
        Err(refusal) => {
            log_ins.refused(&refusal.sentence(oidc.name())).await?;
            refused(&state, next, refusal)
        }
    };
    Ok(never_kept(response))
}

/// The session of whom an answer of the provider is about, if they may come in.
async fn admitted(
    service: &Journal,
    oidc: &Oidc,
    attempt: &Attempt,
    query: &BTreeMap<String, String>,
) -> Result<Result<NewSession, Refusal>, PageProblem> {
    let person = match authenticated(oidc, attempt, query).await {
        Ok(person) => person,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let Person { identity, called } = &person;
    let session = accounts::enter(service, identity, called, oidc.roles(), oidc.session()).await?;
    if session.is_none() {
        tracing::warn!(
            "{called:?}, {:?} at {}, may not log in: none of the groups {:?} has a role in [serve.oidc.groups]",
            identity.subject,
            identity.issuer,
            identity.groups,
        );
    }
    Ok(session.ok_or(Refusal::NoRole))
}

async fn authenticated(oidc: &Oidc, attempt: &Attempt, query: &BTreeMap<String, String>) -> Result<Person, Refusal> {
    let noted = |error: LogInError| noted(oidc, &error);
    if !oidc.is_sender(asked(query, "iss")).await.map_err(noted)? {
        tracing::warn!("an answer of {} is refused: its `iss` names another provider, or is missing", oidc.name());
        return Err(Refusal::Invalid);
    }
    match (asked(query, "error"), asked(query, "code")) {
        ("", "") => Err(Refusal::Invalid),
        ("", code) => oidc.redeem(attempt, code).await.map_err(noted),
        ("access_denied", _) => Err(Refusal::Denied),
        ("server_error" | "temporarily_unavailable", _) => Err(Refusal::Unreachable),
        (error, _) => {
            tracing::warn!("{} refuses a log-in with the error {error:?}; see [serve.oidc]", oidc.name());
            Err(Refusal::Settings)
        }
    }
}

/// Writes a failure to the log.
fn noted(oidc: &Oidc, error: &LogInError) -> Refusal {
    tracing::warn!("a log-in with {} has failed: {error}", oidc.name());
    Refusal::of(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_a_word_and_a_sentence() {
        for refusal in Refusal::ALL {
            let sentence = refusal.sentence("Keycloak");
            assert!(sentence.ends_with('.') && sentence.starts_with(char::is_uppercase), "{sentence}");
            assert_eq!(Refusal::ALL.iter().filter(|other| other.word() == refusal.word()).count(), 1);
        }
    }
}
