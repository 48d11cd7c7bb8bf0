//! Errors as documents, `application/problem+json` (RFC 9457).
//!
//! `detail` is the sentence that the command line prints. Errors of the store and of the
//! configuration can name files of this machine: their sentence goes to the log of the server, and
//! the document refers to it by its `request_id`.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::base::ErrorKind;
use crate::ops::OpsError;

/// An error as a document.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    #[serde(rename = "type")]
    ty: &'static str,
    title: &'static str,
    pub(super) status: u16,
    pub(super) detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
    pub(super) request_id: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        static REQUESTS: AtomicU64 = AtomicU64::new(1);
        let request = REQUESTS.fetch_add(1, Ordering::Relaxed);
        Problem {
            ty: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            next: None,
            request_id: format!("{}-{request}", std::process::id()),
        }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(super) fn next(self, next: impl Into<String>) -> Self {
        Problem { next: Some(next.into()), ..self }
    }
}

impl From<OpsError> for Problem {
    fn from(error: OpsError) -> Self {
        let (status, is_public) = match error.kind() {
            ErrorKind::NotFound => (StatusCode::NOT_FOUND, !matches!(error, OpsError::NoHome { .. })),
            ErrorKind::Conflict => (StatusCode::CONFLICT, true),
            ErrorKind::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, !matches!(error, OpsError::Config(_))),
            ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, false),
            ErrorKind::Damaged => (StatusCode::INTERNAL_SERVER_ERROR, false),
        };
        if is_public {
            return Problem::new(status, error.to_string());
        }
        let problem = Problem::new(status, "the request cannot be answered; the log of the server says why");
        tracing::error!(request_id = problem.request_id, "{error}");
        problem.next("run `doctor` on the machine of the server")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec_pretty(&self).unwrap_or_default();
        (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}

/// The response to an address that is no route.
pub(super) async fn no_route() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing at this address").next("the API begins with /api/v1")
}

/// The response to a method that a route does not have.
pub(super) async fn no_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this address does not allow the method")
}
