//! The layer around all routes that finds out who a request comes from.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use super::rates::Key;
use super::{OWN, Peer, Principal, current};
use crate::ops::accounts;
use crate::server::pages::problem_page;
use crate::server::problem::Problem;
use crate::server::{ServerState, base_path, hooks};

/// The addresses that nobody has to be known for. Below `/static/` there are only files of the
/// binary.
const PUBLIC: [&str; 5] = ["/favicon.ico", "/health/live", "/health/ready", "/login", "/setup"];
const STATIC: &str = "/static/";
const HEALTH: &str = "/health/";

/// The way to a provider and back.
#[cfg(feature = "oidc")]
const PROVIDER: [&str; 2] = ["/login/oidc", "/login/oidc/callback"];
#[cfg(not(feature = "oidc"))]
const PROVIDER: [&str; 0] = [];

fn is_public(path: &str) -> bool {
    PUBLIC.contains(&path) || PROVIDER.contains(&path) || path.starts_with(STATIC)
}

/// Whether it is the address of a webhook, which is authenticated by its signature alone.
fn is_webhook(path: &str) -> bool {
    path.strip_prefix(hooks::PATH).is_some_and(|name| !name.is_empty() && !name.contains('/'))
}

/// What a request was authenticated by.
#[derive(Debug)]
pub(super) struct Presented {
    peer: Option<Peer>,
    version: Version,
    headers: HeaderMap,
}

impl Presented {
    /// Whether it makes somebody the same principal now. While the store cannot be read, it does.
    pub(super) async fn still_is(&self, state: &ServerState, principal: &Principal) -> bool {
        match find(state, self.peer, self.version, &self.headers, Counting::Nothing).await {
            Ok(Some(known)) => known.principal.is_same(principal),
            Ok(None) => false,
            Err(problem) => problem.shown().status != StatusCode::UNAUTHORIZED.as_u16(),
        }
    }

    /// The principal that it makes somebody now. It was presented to the API.
    ///
    /// # Errors
    ///
    /// Those of a request of now with the same headers: when it makes them nobody any more.
    pub(super) async fn now(&self, state: &ServerState) -> Result<Principal, Problem> {
        let known = find(state, self.peer, self.version, &self.headers, Counting::Nothing).await?;
        known.map(|known| known.principal).ok_or_else(|| unknown(false, self.version))
    }
}

/// Whether a wrong token counts against its network, which may present no more of them for a while.
/// That of a request that is being answered does not count: the answer would be "too many" instead
/// of "not valid", and the stream of a revoked token would go on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counting {
    WrongTokens,
    Nothing,
}

/// Who a request comes from, and whether a cookie says so.
struct Known {
    principal: Principal,
    by_cookie: bool,
}

pub(in crate::server) async fn authenticate(
    State(state): State<ServerState>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let peer = request.extensions().get::<Peer>().copied();
    let version = request.version();
    let is_static = path.starts_with(STATIC);
    let is_page = is_page(&state, &path);
    let refused = |problem: Problem| match is_page {
        true => problem_page(problem),
        false => problem.into_response(),
    };
    let admitted = admit(&state, peer, &path, version, request.method().is_safe(), request.headers()).await;
    let who = admitted.as_ref().ok().and_then(Option::as_ref);
    let admitted = limited(&state, &path, who, peer).and(admitted);
    let mut response = match admitted {
        Ok(Some(principal)) => {
            let principal = Arc::new(principal);
            let presented = Presented { peer, version, headers: request.headers().clone() };
            request.extensions_mut().insert(Arc::new(presented));
            request.extensions_mut().insert(Arc::clone(&principal));
            current::scope(principal, next.run(request)).await
        }
        Ok(None) if is_page && matches!(request.method(), &Method::GET | &Method::HEAD) => {
            log_in_first(&state, request.uri().path_and_query().map_or("/", |whole| whole.as_str())).await
        }
        Ok(None) => refused(unknown(is_page, version)),
        Err(problem) => refused(problem),
    };
    if !is_static {
        // A layer within may have named others.
        response.headers_mut().append(header::VARY, HeaderValue::from_static("Cookie, Authorization"));
    }
    response
}

/// Takes a token from whoever asks.
fn limited(state: &ServerState, path: &str, principal: Option<&Principal>, peer: Option<Peer>) -> Result<(), Problem> {
    if path.starts_with(STATIC) || path.starts_with(HEALTH) {
        return Ok(());
    }
    let Some(who) = Key::of(principal, peer) else { return Ok(()) };
    state.auth.rates.take(who, Instant::now()).map_err(|rest| {
        state.metrics.limited();
        too_many("too many requests", rest)
    })
}

/// The principal that may go on; `None` if somebody has to be known.
async fn admit(
    state: &ServerState,
    peer: Option<Peer>,
    path: &str,
    version: Version,
    is_safe: bool,
    headers: &HeaderMap,
) -> Result<Option<Principal>, Problem> {
    if path.starts_with(STATIC) || is_webhook(path) {
        return Ok(Some(Principal::nobody()));
    }
    let Some(Known { principal, by_cookie }) = find(state, peer, version, headers, Counting::WrongTokens).await? else {
        return Ok(is_public(path).then(Principal::nobody));
    };
    if by_cookie && !is_safe && !says_origin(headers) {
        let detail = "a request with a session cookie that changes something needs the header Origin or Sec-Fetch-Site";
        return Err(Problem::forbidden(detail).next("browsers send it; a program uses a token instead of the cookie"));
    }
    Ok(Some(principal))
}

/// The guard has checked what they say.
fn says_origin(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site")
}

async fn find(
    state: &ServerState,
    peer: Option<Peer>,
    version: Version,
    headers: &HeaderMap,
    counting: Counting,
) -> Result<Option<Known>, Problem> {
    let (auth, journal) = (&state.auth, &state.journal);
    let known = |principal| Some(Known { principal, by_cookie: false });
    if let Some(header) = headers.get(header::AUTHORIZATION) {
        let source = peer.filter(|_| counting == Counting::WrongTokens);
        return bearer(state, source, header).await.map(known);
    }
    if auth.is_off {
        return Ok(known(Principal::anybody(true)));
    }
    if let Some(secret) = auth.presented(headers)
        && let Some(authenticated) = accounts::session(journal, &secret).await?
    {
        return Ok(Some(Known { principal: authenticated.into(), by_cookie: true }));
    }
    if let Some(proxy) = &auth.proxy {
        return Ok(proxy.principal(journal, peer, headers).await?.map(|principal| Known {
            principal,
            // A browser sends what the proxy recognises it by, as it sends a cookie.
            by_cookie: true,
        }));
    }
    let knows_nobody = auth.setup.is_none() && auth.oidc.is_none();
    if knows_nobody && auth.is_local(peer, version, headers) && !accounts::has_users(journal).await? {
        return Ok(known(Principal::anybody(false)));
    }
    Ok(None)
}

/// The principal of a token. One that is not valid is refused, even where nobody has to be known.
/// A valid one works whatever others of its network present: behind a proxy, that is everybody.
async fn bearer(state: &ServerState, source: Option<Peer>, header: &HeaderValue) -> Result<Principal, Problem> {
    let text = header.to_str().unwrap_or_default();
    let token = text.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let token = token.map(|(_, token)| token.trim()).unwrap_or_default();
    if let Some(authenticated) = accounts::token(&state.journal, token).await? {
        return Ok(authenticated.into());
    }
    if let Some(Peer(address)) = source {
        let (limits, now) = (&state.auth.limits, Instant::now());
        limits.may_present(address, now).map_err(|rest| too_many("too many wrong tokens", rest))?;
        limits.wrong_token(address, now);
    }
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "the token is not valid: it is unknown, expired or revoked");
    Err(problem.header(header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"").next("create one: `tokens create`"))
}

/// The answer to too many attempts.
pub(in crate::server) fn too_many(what: &str, rest: std::time::Duration) -> Problem {
    // Whoever comes a moment too early is refused again.
    let seconds = rest.as_millis().div_ceil(1_000).max(1);
    let unit = if seconds == 1 { "second" } else { "seconds" };
    Problem::new(StatusCode::TOO_MANY_REQUESTS, format!("{what}; try again in {seconds} {unit}"))
        .header(header::RETRY_AFTER, seconds.to_string())
}

fn unknown(is_page: bool, version: Version) -> Problem {
    let detail = match version < OWN {
        true => {
            "this server has to know who asks: over HTTP/1.0, which proxies speak, a request does not count as one of \
             this machine (docs/operations.md, \"Behind a proxy\")"
        }
        false => "this server has to know who asks",
    };
    let problem = Problem::new(StatusCode::UNAUTHORIZED, detail);
    match is_page {
        true => problem.next("log in, and send the form again"),
        false => problem
            .header(header::WWW_AUTHENTICATE, "Bearer")
            .next("send a token in the header `Authorization: Bearer`; `tokens create` makes one"),
    }
}

/// Whether an address is that of a page, as far as its beginning says.
fn is_page(state: &ServerState, path: &str) -> bool {
    let is_api = path == "/api" || path.starts_with("/api/") || path.starts_with("/health/") || path == "/metrics";
    !state.options.no_ui && !is_api
}

/// The way to the page that makes somebody known, and back.
async fn log_in_first(state: &ServerState, wanted: &str) -> Response {
    let page = match state.auth.setup {
        Some(_) if !accounts::has_users(&state.journal).await.unwrap_or(true) => "/setup".to_owned(),
        _ => crate::server::pages::log_in_address(wanted),
    };
    Redirect::to(&(base_path::current() + &page)).into_response()
}
