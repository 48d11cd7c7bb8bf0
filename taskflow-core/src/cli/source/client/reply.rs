//! An answer, and the error that it is.

use axum::http::StatusCode;
use serde::Deserialize;

use super::Client;
use crate::base::text::one_line;
use crate::cli::error::CliError;
use crate::cli::format;

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) media_type: String,
    /// The address of the next page, of a list that has one.
    pub(super) next: Option<String>,
    /// The text of its `ETag`; empty if it has none.
    pub(super) tag: String,
    pub(super) body: Vec<u8>,
}

/// What is read of a problem document.
#[derive(Debug, Deserialize)]
pub(super) struct Problem {
    detail: String,
    #[serde(default)]
    pub(super) candidates: Vec<String>,
    next: Option<String>,
}

impl Reply {
    pub(super) fn is_problem(&self) -> bool {
        self.media_type.starts_with("application/problem+json")
    }

    pub(super) fn problem(&self) -> Option<Problem> {
        if self.is_problem() { serde_json::from_slice(&self.body).ok() } else { None }
    }

    /// The error that the answer is.
    pub(super) fn error(&self, client: &Client) -> CliError {
        let Some(Problem { detail, candidates, next }) = self.problem() else {
            return CliError::Failure(format!("{} answers {}, without a reason", client.shown, self.status));
        };
        let mut message = detail;
        match &*candidates {
            [] => {}
            [only] => message += &format!("; did you mean `{only}`?"),
            several => message += &format!("; there are {}", format::some(several, 10)),
        }
        if let Some(next) = next {
            message += &format!("; {next}");
        }
        let message = one_line(&message).into_owned();
        let is_usage = self.status.is_client_error()
            && !matches!(
                self.status,
                StatusCode::UNAUTHORIZED
                    | StatusCode::FORBIDDEN
                    | StatusCode::REQUEST_TIMEOUT
                    | StatusCode::MISDIRECTED_REQUEST
                    | StatusCode::TOO_MANY_REQUESTS
            );
        if self.status == StatusCode::CONFLICT {
            return CliError::Conflict(message);
        }
        if is_usage { CliError::usage(message) } else { CliError::Failure(message) }
    }
}
