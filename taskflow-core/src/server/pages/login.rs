//! Coming and going: log-in, log-out and the set-up of the first user.

use std::time::{Duration, Instant};

use askama::Template;
use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::Query;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::address;
use super::escape::html;
use super::form::below;
use super::form::{Sent, Values};
use super::frame::{Frame, Place};
use super::problem::sentence;
use super::reply::{Asked, PageProblem, asked, not_found, request};
use crate::ops::OpsError;
use crate::ops::accounts::{self, Grant, NewSession, Role};
use crate::server::acting::Acting;
use crate::server::auth::{LogIns, Peer, SetupToken, Visitor, drop_cookie, session_cookie};
use crate::server::problem::Problem;

/// The most bytes of a form that somebody unknown sends, and how long it may take.
const FORM: usize = 8 << 10;
const PATIENCE: Duration = Duration::from_secs(30);

const WRONG: &str = "The name or the password is wrong.";

#[derive(Debug, Template)]
#[template(path = "login.html")]
struct LogInPage {
    frame: Frame,
    name: String,
    next: String,
    error: String,
    /// What people call the provider that authenticates them, and the address that leads there.
    provider: Option<(String, String)>,
    /// Whether a password can be entered.
    has_form: bool,
    /// Whether somebody has a password here.
    has_passwords: bool,
    /// Whether the password crosses the network in plain text.
    is_plain: bool,
}

#[derive(Debug, Template)]
#[template(path = "setup.html")]
struct SetupPage {
    frame: Frame,
    token: String,
    name: String,
    error: String,
}

/// The address of the log-in page, with the way back.
pub(in crate::server) fn log_in_address(wanted: &str) -> String {
    match way_back(wanted) {
        "/" => "/login".to_owned(),
        next => address::with("/login", &[("next", next)]),
    }
}

/// Where to go after the log-in: a page of this server, or its home page.
pub(super) fn way_back(next: &str) -> &str {
    let path = next.split(['?', '#']).next().unwrap_or_default();
    let is_ours = next.starts_with('/') && !next.starts_with("//") && !next.contains('\\');
    let is_plain = next.len() <= 2_000 && next.bytes().all(|byte| byte.is_ascii_graphic());
    let is_below = |top: &str| path == top || path.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'));
    let is_page = !["/api", "/health", "/static", "/metrics", "/login", "/logout", "/setup"].into_iter().any(is_below);
    // A browser takes `/./` and `/a/..` out of a path.
    let is_straight = !path.contains("//") && !path.split('/').any(|part| matches!(part, "." | ".."));
    if is_ours && is_plain && is_page && is_straight { next } else { "/" }
}

async fn page(state: &Visitor, name: &str, next: &str, error: &str) -> Result<Html<String>, PageProblem> {
    let frame = Frame::new(&request(None), Place::Nowhere, "Log in", Vec::new());
    let is_plain = !state.auth.is_https && !state.auth.is_loopback();
    let provider = state.auth.oidc.as_ref().map(|oidc| {
        let query = if next == "/" { "" } else { next };
        (oidc.name().to_owned(), address::with("/login/oidc", &[("next", query)]))
    });
    let has_passwords = accounts::has_passwords(&state.journal).await?;
    let has_form = provider.is_none() || has_passwords;
    let (name, next, error) = (name.to_owned(), next.to_owned(), error.to_owned());
    Ok(Html(html(&LogInPage { frame, name, next, error, provider, has_form, has_passwords, is_plain })))
}

pub(super) async fn show(state: Visitor, Query(query): Asked) -> Sent {
    let next = way_back(asked(&query, "next"));
    if state.principal().actor().is_some() {
        return Ok(below(next).into_response());
    }
    #[cfg(feature = "oidc")]
    let error = super::oidc::sentence_of(&state, asked(&query, "refused"));
    #[cfg(not(feature = "oidc"))]
    let error = String::new();
    Ok(page(&state, "", next, &error).await?.into_response())
}

/// The values of a form of somebody unknown.
async fn values(headers: &HeaderMap, body: Body) -> Result<Values, Problem> {
    let late = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the form did not arrive in 30 seconds");
    let large = |_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the form is too large");
    let bytes = tokio::time::timeout(PATIENCE, to_bytes(body, FORM)).await.map_err(late)?.map_err(large)?;
    Values::of(headers, &bytes)
}

pub(super) async fn send(
    state: Visitor,
    Acting(service): Acting,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Sent {
    let values = values(&headers, body).await?;
    let (name, next) = (values.get("name"), way_back(values.get("next")));
    let attempts = LogIns { state: &state, service: &service, peer };
    match attempts.log_in(name, values.raw("password")).await? {
        Some(session) => Ok(entered(&state, &session, next)),
        None => Ok((StatusCode::UNAUTHORIZED, page(&state, name, next, WRONG).await?).into_response()),
    }
}

/// Leads on, with the cookie of a session.
pub(super) fn entered(state: &Visitor, session: &NewSession, next: &str) -> Response {
    with_cookie(below(next).into_response(), &session_cookie(&state.auth, &session.secret))
}

pub(super) fn with_cookie(mut response: Response, cookie: &str) -> Response {
    // The secret has letters and digits only.
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Ends all sessions of the user, in all browsers.
pub(super) async fn leave(state: Visitor, Acting(service): Acting) -> Sent {
    if state.principal().has_session()
        && let Some(user) = state.principal().user()
    {
        accounts::log_out(&service, user).await?;
    }
    let mut response = with_cookie(below("/login").into_response(), &drop_cookie(&state.auth));
    let clear = HeaderName::from_static("clear-site-data");
    response.headers_mut().insert(clear, HeaderValue::from_static("\"cache\""));
    Ok(response)
}

/// The set-up token, while there is something to set up.
async fn open_setup(state: &Visitor) -> Result<&SetupToken, PageProblem> {
    match &state.auth.setup {
        Some(token) if !accounts::has_users(&state.journal).await? => Ok(token),
        _ => Err(not_found("There is nothing to set up: there are users already, or `serve` has no `--setup`")),
    }
}

fn setup_page(token: &str, name: &str, error: &str) -> Html<String> {
    let frame = Frame::new(&request(None), Place::Nowhere, "Set up", Vec::new());
    let (token, name, error) = (token.to_owned(), name.to_owned(), error.to_owned());
    Html(html(&SetupPage { frame, token, name, error }))
}

pub(super) async fn show_setup(state: Visitor) -> Result<Html<String>, PageProblem> {
    open_setup(&state).await?;
    Ok(setup_page("", "", ""))
}

/// Creates the first user, an admin of all DAGs, who is logged in then.
pub(super) async fn send_setup(
    state: Visitor,
    Acting(service): Acting,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Sent {
    let values = values(&headers, body).await?;
    let token = open_setup(&state).await?;
    let (text, name, password) = (values.get("token"), values.get("name"), values.raw("password"));
    let refused = |status, error: &str| Ok((status, setup_page(text, name, error)).into_response());
    let attempts = LogIns { state: &state, service: &service, peer };
    attempts.may_try("set-up").await?;
    let _turn = token.turn().await;
    if !token.is(text, Instant::now()) {
        attempts.failed(None, "the set-up token is wrong, or older than an hour").await?;
        return refused(StatusCode::UNAUTHORIZED, "This is not the set-up token, or it is older than an hour.");
    }
    let grants = Grant::of_role(Role::Admin, []).map_err(OpsError::from)?;
    match accounts::add_user(&service, name, password, grants).await {
        Ok(user) => {
            token.take();
            match accounts::log_in(&service, &user.name, password).await? {
                Some(session) => Ok(entered(&state, &session, "/")),
                None => Ok(below("/login").into_response()),
            }
        }
        Err(OpsError::Account(error)) => refused(StatusCode::UNPROCESSABLE_ENTITY, &sentence(&error.to_string())),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_pages_are_ways_back() {
        for own in ["/", "/dags", "/runs/7?state=failed", "/dags/a%20b", "/logistics", "/apis"] {
            assert_eq!(way_back(own), own);
        }
        for other in [
            "",
            "dags",
            "//evil.test",
            "/\\evil.test",
            "\\\\evil.test",
            "///evil.test",
            "http://evil.test",
            "https:evil.test",
            "javascript:alert(1)",
            "/a//evil.test",
            "/\tevil",
            "/ /evil",
            "/\nevil",
            "/..//evil.test",
            "/./dags",
            "/a/../b",
            "/api/v1/dags",
            "/login",
            "/logout",
            "/static/x",
            "/metrics",
            "/setup?x",
            " /dags",
            "/dags\u{202e}",
            "data:text/html,x",
        ] {
            assert_eq!(way_back(other), "/", "{other:?}");
        }
        assert_eq!(log_in_address("/runs?state=failed"), "/login?next=%2Fruns%3Fstate%3Dfailed");
        assert_eq!(log_in_address("//evil.test"), "/login");
    }
}
