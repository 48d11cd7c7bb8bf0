//! One's own account: roles, password and tokens.

use std::time::{Duration, Instant};

use askama::Template;
use axum::Extension;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::escape::html;
use super::form::below;
use super::form::{Sent, Values};
use super::frame::{Crumb, Frame, Place};
use super::login::way_back;
use super::problem::sentence;
use super::reply::{PageProblem, request};
use super::times::{Clock, Moment};
use crate::ops::accounts::{self, AccountError, Grant, NewToken, Role, TokenDocument};
use crate::ops::{AuditTarget, OpsError};
use crate::server::acting::Acting;
use crate::server::api::accounts::{Managed, check_create, check_managed, check_owner};
use crate::server::auth::{Peer, Visitor, too_many};
use crate::server::problem::Problem;

#[derive(Debug, Template)]
#[template(path = "confirm.html")]
struct ConfirmPage {
    frame: Frame,
    /// Where to go then.
    confirm: String,
    error: String,
}

#[derive(Debug, Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    name: String,
    /// How they are known, in words.
    via: &'static str,
    roles: String,
    /// The subject and the issuer of somebody whom a provider authenticates.
    identity: Option<(String, String)>,
    /// Whether they have a password here.
    has_password: bool,
    /// Where they are logged in.
    sessions: Vec<SessionRow>,
    can_end: bool,
    tokens: Vec<TokenRow>,
    /// Whether the tokens are those of all.
    is_all: bool,
    can_create: bool,
    /// The page itself, if it asks for the password before it has forms.
    confirm: String,
    /// A token that was just created: it is shown once.
    created: String,
    error: String,
}

#[derive(Debug)]
struct TokenRow {
    name: String,
    owner: String,
    roles: String,
    created: Moment,
    expires: Option<Moment>,
    used: Option<Moment>,
    expired: bool,
}

#[derive(Debug)]
struct SessionRow {
    id: String,
    from: String,
    is_current: bool,
    created: Moment,
    used: Moment,
    ends: Moment,
}

async fn session_rows(state: &Visitor, headers: &HeaderMap, clock: &Clock) -> Result<Vec<SessionRow>, OpsError> {
    let user = state.principal().user().filter(|_| state.principal().has_session());
    let (Some(user), Some(secret)) = (user, state.auth.presented(headers)) else { return Ok(Vec::new()) };
    let sessions = accounts::sessions(&state.journal, user, &secret).await?.into_iter();
    let rows = sessions.map(|session| SessionRow {
        id: session.id,
        from: session.from.unwrap_or_else(|| "an unknown address".to_owned()),
        is_current: session.is_current,
        created: clock.at(session.created),
        used: clock.at(session.used),
        ends: clock.at(session.ends),
    });
    Ok(rows.collect())
}

fn row(token: TokenDocument, clock: &Clock) -> TokenRow {
    TokenRow {
        roles: accounts::roles_in_words(&token.grants),
        created: clock.at(token.created),
        expires: token.expires.map(|at| clock.at(at)),
        used: token.last_used.map(|at| clock.at(at)),
        expired: token.expired,
        owner: token.owner.unwrap_or_default(),
        name: token.name,
    }
}

async fn page(state: &Visitor, headers: &HeaderMap, created: String, error: String) -> Result<Response, PageProblem> {
    let request = request(None);
    let principal = state.principal();
    let managed = Managed::by(state);
    let tokens = match managed {
        Managed::All => accounts::tokens(&state.journal, None).await?,
        Managed::Own(user) => accounts::tokens(&state.journal, Some(user)).await?,
        Managed::None => Vec::new(),
    };
    let can_create = managed.may_create(state) && !state.options.read_only;
    let user = match principal.user() {
        Some(user) => accounts::user(&state.journal, user).await?,
        None => None,
    };
    let identity = user.and_then(|user| user.identity);
    let via = match principal.actor().map(|actor| actor.via) {
        Some(crate::ops::Via::Session) if identity.is_some() => "logged in with OpenID Connect",
        Some(crate::ops::Via::Session) => "logged in here",
        Some(crate::ops::Via::Token) => "by a token",
        Some(crate::ops::Via::Proxy) => "named by the proxy in front of this server",
        _ => "everybody who reaches this server, because it has no users",
    };
    let bounds = principal.access().bounds().iter().map(|grants| accounts::roles_in_words(grants)).collect::<Vec<_>>();
    let page = AccountPage {
        frame: Frame::new(&request, Place::Nowhere, "Account", vec![Crumb::here("Account")]),
        name: principal.actor().map(|actor| actor.name.clone()).unwrap_or_default(),
        via,
        roles: bounds.join("; within: "),
        identity: identity.as_ref().map(|identity| (identity.subject.clone(), identity.issuer.clone())),
        has_password: principal.has_session() && identity.is_none() && !state.options.read_only,
        sessions: session_rows(state, headers, &request.clock).await?,
        can_end: !state.options.read_only,
        tokens: tokens.into_iter().map(|token| row(token, &request.clock)).collect(),
        is_all: managed == Managed::All,
        can_create: can_create && state.is_confirmed(),
        confirm: if can_create && !state.is_confirmed() { "/account".to_owned() } else { String::new() },
        created,
        error,
    };
    let status = if page.error.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(never_kept((status, Html(html(&page))).into_response()))
}

/// A page that no cache keeps.
pub(super) fn never_kept(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The sentence of a mistake of the person, or the problem of another kind.
pub(super) fn mistake(error: OpsError) -> Result<String, PageProblem> {
    match error {
        OpsError::Account(error) => Ok(sentence(&error.to_string())),
        error => Err(error.into()),
    }
}

pub(super) async fn show(state: Visitor, headers: HeaderMap) -> Sent {
    page(&state, &headers, String::new(), String::new()).await
}

/// Ends one of their own sessions.
pub(super) async fn end_session(state: Visitor, Acting(service): Acting, headers: HeaderMap, body: Bytes) -> Sent {
    let values = Values::of(&headers, &body)?;
    let user = state.principal().user().filter(|_| state.principal().has_session());
    let user = user.ok_or_else(|| {
        let problem = Problem::forbidden("only those who log in here have sessions");
        state.refused(AuditTarget::default(), problem)
    })?;
    match accounts::end_session(&service, user, values.get("id")).await? {
        true => Ok(below("/account").into_response()),
        false => page(&state, &headers, String::new(), "This session has ended already.".to_owned()).await,
    }
}

/// The roles of a form. The patterns are separated by spaces.
pub(super) fn grants(values: &Values) -> Result<Vec<Grant>, AccountError> {
    let role: Role = values.get("role").parse()?;
    Grant::of_role(role, values.get("dags").split_whitespace())
}

/// The user who has logged in with a password.
fn with_password<'v>(state: &'v Visitor, to: &str) -> Result<&'v str, Problem> {
    let user = state.principal().user().filter(|_| state.principal().confirmed().is_some());
    user.ok_or_else(|| {
        let problem = Problem::forbidden(format!("only those who log in with a password can {to}"));
        state.refused(AuditTarget::default(), problem)
    })
}

/// Takes the password again, before what decides who may do what.
pub(super) async fn confirm(
    state: Visitor,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    body: Bytes,
) -> Sent {
    let values = Values::of(&headers, &body)?;
    let (user, next) = (with_password(&state, "confirm it")?, way_back(values.get("next")));
    if let Err(rest) = state.auth.limits.log_in(user, peer, Instant::now()) {
        return Err(too_many("the password was tried too often", rest).into());
    }
    let secret = state.auth.presented(&headers).unwrap_or_default();
    if accounts::confirm_session(&state.service, &secret, values.raw("password")).await? {
        return Ok(below(next).into_response());
    }
    state.note_refusal(AuditTarget::account(user), "the password is wrong");
    Ok(confirm_page(next, "The password is wrong."))
}

/// The page that asks for the password again, and leads back.
pub(in crate::server) fn confirm_page(next: &str, error: &str) -> Response {
    let request = request(None);
    let page = ConfirmPage {
        frame: Frame::new(&request, Place::Nowhere, "Confirm", vec![Crumb::here("Confirm")]),
        confirm: next.to_owned(),
        error: error.to_owned(),
    };
    never_kept((StatusCode::FORBIDDEN, Html(html(&page))).into_response())
}

/// Changes one's own password. All sessions and tokens end; this browser gets a new session.
pub(super) async fn password(
    state: Visitor,
    Acting(service): Acting,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    body: Bytes,
) -> Sent {
    let values = Values::of(&headers, &body)?;
    let user = with_password(&state, "change it")?;
    if let Err(rest) = state.auth.limits.log_in(user, peer, Instant::now()) {
        return Err(too_many("the password was tried too often", rest).into());
    }
    if !accounts::has_password(&service, user, values.raw("current")).await? {
        state.note_refusal(AuditTarget::account(user), "the present password is wrong");
        return page(&state, &headers, String::new(), "The present password is wrong.".to_owned()).await;
    }
    if let Err(error) = accounts::set_password(&service, user, values.raw("password")).await {
        return page(&state, &headers, String::new(), mistake(error)?).await;
    }
    match accounts::log_in(&service, user, values.raw("password")).await? {
        Some(session) => Ok(super::login::entered(&state, &session, "/account")),
        None => Ok(below("/login").into_response()),
    }
}

/// Creates a token, and shows it once.
pub(super) async fn create(state: Visitor, Acting(service): Acting, headers: HeaderMap, body: Bytes) -> Sent {
    let values = Values::of(&headers, &body)?;
    check_create(&state, values.get("name"))?;
    check_owner(&state, values.get("name"), state.principal().user())?;
    let days = values.get("days").parse::<u64>().ok().filter(|days| (1..=3_660).contains(days));
    let grants = match grants(&values) {
        Ok(grants) => grants,
        Err(error) => return page(&state, &headers, String::new(), sentence(&error.to_string())).await,
    };
    let new = NewToken {
        name: values.get("name").to_owned(),
        owner: state.principal().user().map(str::to_owned),
        grants,
        expires_after: Some(days.map_or(accounts::DEFAULT_EXPIRY, |days| Duration::from_secs(days * 86_400))),
    };
    match accounts::create_token(&service, new).await {
        Ok(created) => page(&state, &headers, created.token, String::new()).await,
        Err(error) => page(&state, &headers, String::new(), mistake(error)?).await,
    }
}

pub(super) async fn revoke(state: Visitor, Acting(service): Acting, headers: HeaderMap, body: Bytes) -> Sent {
    let values = Values::of(&headers, &body)?;
    let owner = check_managed(&state, values.get("name"))?;
    match accounts::revoke_token(&service, values.get("name"), owner).await {
        Ok(()) => Ok(below("/account").into_response()),
        Err(error) => page(&state, &headers, String::new(), mistake(error)?).await,
    }
}
