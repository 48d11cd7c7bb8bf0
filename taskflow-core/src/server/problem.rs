//! Errors as documents, `application/problem+json` (RFC 9457).
//!
//! `detail` is the sentence that the command line prints. Errors of the store and of the
//! configuration can name files of this machine: their sentence goes to the log of the server, and
//! the document refers to it by its `request_id`.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::base::ErrorKind;
use crate::base::schema::Schema;
use crate::journal::JournalError;
use crate::ops::OpsError;

/// An error as a document.
#[derive(Debug)]
pub(super) struct Problem(Box<Document>);

/// An error (RFC 9457).
#[derive(Debug, Serialize, Schema)]
#[schema(name = "Problem")]
pub(super) struct Document {
    #[serde(rename = "type")]
    ty: &'static str,
    title: &'static str,
    pub(super) status: u16,
    /// The sentence that the command line prints.
    pub(super) detail: String,
    /// The parameter or the member of the body that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    /// What the id may have meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) candidates: Vec<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
    /// The name of the request in the log of the server.
    pub(super) request_id: String,
    /// A header that goes with the status.
    #[serde(skip)]
    header: Option<(header::HeaderName, String)>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        static REQUESTS: AtomicU64 = AtomicU64::new(1);
        let request = REQUESTS.fetch_add(1, Ordering::Relaxed);
        Problem(Box::new(Document {
            ty: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            place: None,
            candidates: Vec::new(),
            next: None,
            request_id: format!("{}-{request}", std::process::id()),
            header: None,
        }))
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::NOT_FOUND, detail)
    }

    /// It is known, and may not be done.
    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::FORBIDDEN, detail)
    }

    /// A value has the right form, and does not make sense.
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// The server failed: the error goes to its log.
    pub(super) fn internal(error: &dyn std::fmt::Display) -> Self {
        Problem::hidden(StatusCode::INTERNAL_SERVER_ERROR, error)
    }

    fn hidden(status: StatusCode, error: &dyn std::fmt::Display) -> Self {
        let problem = Problem::new(status, "the request cannot be answered; the log of the server says why");
        tracing::error!(request_id = problem.0.request_id, "{error}");
        problem.next("run `doctor` on the machine of the server")
    }

    /// A method that the address does not have.
    pub(super) fn method_not_allowed(allowed: &str) -> Self {
        let detail = format!("this address does not allow the method; it allows {allowed}");
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).header(header::ALLOW, allowed)
    }

    pub(super) fn next(mut self, next: impl Into<String>) -> Self {
        self.0.next = Some(next.into());
        self
    }

    pub(super) fn at(mut self, place: impl Into<String>) -> Self {
        self.0.place = Some(place.into());
        self
    }

    pub(super) fn candidates(mut self, candidates: Vec<String>) -> Self {
        self.0.candidates = candidates;
        self
    }

    pub(super) fn header(mut self, name: header::HeaderName, value: impl Into<String>) -> Self {
        self.0.header = Some((name, value.into()));
        self
    }

    /// Adds the header that goes with the status.
    pub(super) fn add_header(&self, headers: &mut HeaderMap) {
        if let Some((name, value)) = &self.0.header
            && let Ok(value) = HeaderValue::from_str(value)
        {
            headers.insert(name, value);
        }
    }

    /// What a page shows of it.
    pub(super) fn shown(&self) -> &Document {
        &self.0
    }

    /// The document.
    pub(super) fn json(&self) -> Vec<u8> {
        super::json::pretty(&self.0).unwrap_or_default().into_bytes()
    }
}

impl From<OpsError> for Problem {
    fn from(error: OpsError) -> Self {
        if let OpsError::Journal(JournalError::AmbiguousRun { run, runs }) = error {
            return several_runs(&run, runs);
        }
        let (status, is_public) = answer_to(&error);
        if is_public {
            return Problem::new(status, error.to_string());
        }
        let mut problem = Problem::hidden(status, &error);
        if let OpsError::PrunedInPart { pruned, .. } = error {
            let counts = pruned.counts();
            problem.0.detail =
                format!("not all could be deleted, and the log of the server says why; deleted: {counts}");
        }
        problem
    }
}

/// The status of an error, and whether its sentence names nothing of this machine.
fn answer_to(error: &OpsError) -> (StatusCode, bool) {
    match (error, error.kind()) {
        // What was deleted is said with why the rest was not.
        (OpsError::PrunedInPart { error, .. }, _) => answer_to(error),
        (
            OpsError::ClearChanged { .. }
            | OpsError::RetryChanged { .. }
            | OpsError::CancelChanged { .. }
            | OpsError::MarkChanged { .. }
            | OpsError::PruneChanged { .. }
            | OpsError::BackfillChanged { .. },
            _,
        ) => (StatusCode::PRECONDITION_FAILED, true),
        (OpsError::Journal(JournalError::PrunedRun { .. }) | OpsError::PrunedDag { .. }, _) => (StatusCode::GONE, true),
        (OpsError::MayNotAnswer { .. }, _) => (StatusCode::FORBIDDEN, true),
        (OpsError::Journal(JournalError::Files(_)), _) => (StatusCode::SERVICE_UNAVAILABLE, true),
        (_, ErrorKind::NotFound) => (StatusCode::NOT_FOUND, !matches!(error, OpsError::NoHome { .. })),
        (_, ErrorKind::Conflict) => (StatusCode::CONFLICT, true),
        (_, ErrorKind::Invalid) => (StatusCode::UNPROCESSABLE_ENTITY, !matches!(error, OpsError::Config(_))),
        (_, ErrorKind::Unavailable) => (StatusCode::SERVICE_UNAVAILABLE, false),
        (_, ErrorKind::Damaged) => (StatusCode::INTERNAL_SERVER_ERROR, false),
    }
}

impl From<JournalError> for Problem {
    fn from(error: JournalError) -> Self {
        OpsError::from(error).into()
    }
}

/// The response to a part of an id. An address names one run, today and tomorrow.
pub(super) fn several_runs(word: &str, runs: Vec<String>) -> Problem {
    let next = "use the number or the whole id of the run";
    Problem::not_found(format!("there is no run `{word}`; it is a part of the ids of others"))
        .candidates(runs)
        .next(next)
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = self.json();
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        self.add_header(response.headers_mut());
        response
    }
}

/// The response to an address that is no route.
pub(super) async fn no_route() -> Problem {
    Problem::not_found("there is nothing at this address").next("the API begins with /api/v1")
}
