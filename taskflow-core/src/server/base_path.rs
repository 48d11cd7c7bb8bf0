//! The path below which the server answers: empty, or such as `/team/dags`.
//!
//! A proxy that serves several programs under one name passes each of them a part of the paths.
//!
//! 1. [`strip`] takes the base path off the address of a request: routes do not know of it. What
//!    lies outside is answered with 404, and with the address that is right.
//! 2. Whatever makes an address that a client gets, in a page or in a header, begins it with
//!    [`current`]. That is a value of the task that answers the request, so that no function on the
//!    way has to pass it on.

use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::pages;
use super::problem::Problem;

tokio::task_local! {
    static CURRENT: BasePath;
}

/// A base path. The default is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BasePath(Arc<str>);

impl BasePath {
    /// Empty, or with a leading and no trailing slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no base path.
#[derive(Debug, thiserror::Error)]
#[error(
    "a base path begins with `/` and has letters, digits, `-`, `_`, `.` and `~` between slashes, such as /team/dags"
)]
pub struct InvalidBasePath;

impl FromStr for BasePath {
    type Err = InvalidBasePath;

    fn from_str(text: &str) -> Result<Self, InvalidBasePath> {
        let text = text.strip_suffix('/').unwrap_or(text);
        if text.is_empty() {
            return Ok(BasePath::default());
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
        let is_segment = |part: &str| !matches!(part, "" | "." | "..") && part.chars().all(is_plain);
        let rest = text.strip_prefix('/').ok_or(InvalidBasePath)?;
        if rest.split('/').all(is_segment) { Ok(BasePath(text.into())) } else { Err(InvalidBasePath) }
    }
}

/// The base path of the request that is answered.
pub(super) fn current() -> String {
    CURRENT.try_with(|base| base.as_str().to_owned()).unwrap_or_default()
}

/// Answers a request below the base path.
pub(super) async fn strip(State(base): State<BasePath>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let inside = match path.strip_prefix(base.as_str()) {
        Some("") => Some("/"),
        Some(rest) if rest.starts_with('/') => Some(rest),
        _ => None,
    };
    let Some(inside) = inside else {
        let accepts = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
        let is_page = accepts.is_some_and(|accept| accept.contains("text/html"));
        return CURRENT.scope(base.clone(), async move { outside(base.as_str(), is_page) }).await;
    };
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    // A part of an address that is valid, from one slash on.
    if let Ok(uri) = format!("{inside}{query}").parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    CURRENT.scope(base, next.run(request)).await
}

/// What is not below the base path.
fn outside(base: &str, is_page: bool) -> Response {
    let problem = Problem::not_found("there is nothing at this address");
    let problem = problem.next(format!("the addresses of this server begin with {base}"));
    if is_page { pages::problem_page(problem) } else { problem.into_response() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_has_plain_segments() {
        for (text, expected) in [("", ""), ("/", ""), ("/a", "/a"), ("/a/b/", "/a/b"), ("/team-1/d.v2", "/team-1/d.v2")]
        {
            assert_eq!(text.parse::<BasePath>().map(|base| base.as_str().to_owned()).ok().as_deref(), Some(expected));
        }
        for wrong in ["a", "//", "/a//b", "/..", "/a/../b", "/a b", "/a?b", "/a%2fb", "/ä", "/<x>", "/{dag}"] {
            assert!(wrong.parse::<BasePath>().is_err(), "{wrong}");
        }
    }
}
