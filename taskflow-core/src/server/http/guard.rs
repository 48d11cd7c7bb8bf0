//! What holds for each request, whatever its route.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::task::JoinHandle;

use super::hosts::{Hosts, host};
use crate::server::problem::Problem;

/// The most bytes of an address.
const LONGEST: usize = 8 * 1024;

/// The policy of a picture that is opened by itself: its style sheet is within it.
const IMAGE: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'";

/// On each response, errors included.
const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src \
         'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types taskflow",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=()"),
];

/// The caching of responses that do not decide about it.
const CACHE: &str = "private, no-cache";

/// The headers of a response that no handler has made.
pub(super) fn headers() -> impl Iterator<Item = (&'static str, &'static str)> {
    HEADERS.into_iter().chain([("cache-control", CACHE)])
}

/// How long browsers ask a host with TLS only, on all of its ports: a year.
const STRICT: &str = "max-age=31536000";

pub(super) async fn guard(State(hosts): State<Arc<Hosts>>, request: Request, next: Next) -> Response {
    let is_https_only = host(request.headers()).is_some_and(|host| hosts.answers_to(host) && hosts.is_https_only(host));
    let mut response = match check(&hosts, &request) {
        Ok(()) => caught(request, next).await,
        Err(problem) => problem.into_response(),
    };
    let is_image = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "image/svg+xml");
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    if is_image {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(IMAGE));
    }
    if is_https_only {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(STRICT));
    }
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static(CACHE));
    response
}

/// Calls the handler in a task of its own: a panic becomes a problem document, and a change is not
/// left half done by a client that goes away. Nobody waits for the answer of a request that only
/// reads once its client is gone.
async fn caught(request: Request, next: Next) -> Response {
    let is_safe = request.method().is_safe();
    let mut handler = Handler { task: tokio::spawn(next.run(request)), is_safe };
    match (&mut handler.task).await {
        Ok(response) => response,
        Err(error) => Problem::internal(&format!("a handler has panicked: {error}")).into_response(),
    }
}

struct Handler {
    task: JoinHandle<Response>,
    is_safe: bool,
}

impl Drop for Handler {
    fn drop(&mut self) {
        if self.is_safe {
            self.task.abort();
        }
    }
}

fn check(hosts: &Hosts, request: &Request) -> Result<(), Problem> {
    if request.uri().to_string().len() > LONGEST {
        return Err(Problem::new(StatusCode::URI_TOO_LONG, "the address is too long"));
    }
    let host = host(request.headers());
    // A name that an attacker has made to resolve to this machine is not one of its own names.
    let is_foreign = |name: &str| !hosts.answers_to(name);
    if host.is_none_or(is_foreign) || request.uri().authority().is_some_and(|own| is_foreign(own.as_str())) {
        let detail = "this server answers only to the loopback names of its machine and to configured names";
        let next = "use http://localhost, or add the name to `hosts` in [serve] of taskflow.toml";
        return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail).next(next));
    }
    if !request.method().is_safe() && !is_same_origin(hosts, request.headers(), host) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "a page of another origin cannot change anything here"));
    }
    Ok(())
}

/// Whether the request comes from this origin, or not from a browser.
fn is_same_origin(hosts: &Hosts, headers: &HeaderMap, host: Option<&str>) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let origin = headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or("null"));
    matches!(site, None | Some(b"same-origin" | b"none"))
        && origin.is_none_or(|origin| hosts.is_own_origin(origin, host))
}
