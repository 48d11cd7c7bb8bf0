//! What handlers of pages read from a request and answer.

use std::collections::BTreeMap;

use axum::extract::Query;
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::frame::Request;
use super::problem::ProblemPage;
use super::times::Clock;
use super::who::Who;
use super::{choices, counts};
use crate::journal::JournalError;
use crate::ops::OpsError;
use crate::server::base_path;
use crate::server::problem::{self, Problem};

/// A page, or a page about why there is none.
pub(crate) type Page = Result<Html<String>, PageProblem>;

/// The parameters of an address. Of one that is repeated, the last counts.
pub(crate) type Asked = Query<BTreeMap<String, String>>;

/// The value of a parameter; empty if it is missing.
pub(crate) fn asked<'q>(query: &'q BTreeMap<String, String>, name: &str) -> &'q str {
    query.get(name).map_or("", |value| value.trim())
}

/// What all pages of a request share. `zone` is that of the schedule that the page is about; pages
/// about several DAGs show UTC. Who reads may have chosen another one.
pub(crate) fn request(zone: Option<&str>) -> Request {
    let of_schedule = zone.and_then(|zone| TimeZone::get(zone).ok());
    let (zone, zones) = choices::chosen(of_schedule);
    Request {
        base: base_path::current(),
        clock: Clock::new(Timestamp::now(), zone),
        build: format!("taskflow {}", env!("CARGO_PKG_VERSION")),
        theme: choices::theme(),
        keys_are_off: choices::keys_are_off(),
        tz: choices::zone_name(),
        zones,
        counts: counts::of_request(),
        who: Who::current(),
    }
}

/// An error as a page.
#[derive(Debug)]
pub(crate) struct PageProblem(Problem);

impl IntoResponse for PageProblem {
    fn into_response(self) -> Response {
        let PageProblem(problem) = self;
        let status = StatusCode::from_u16(problem.shown().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Html(ProblemPage::of(&request(None), &problem).html())).into_response();
        problem.add_header(response.headers_mut());
        response
    }
}

impl From<Problem> for PageProblem {
    fn from(problem: Problem) -> Self {
        PageProblem(problem)
    }
}

impl From<OpsError> for PageProblem {
    fn from(error: OpsError) -> Self {
        PageProblem(error.into())
    }
}

impl From<JournalError> for PageProblem {
    fn from(error: JournalError) -> Self {
        OpsError::from(error).into()
    }
}

/// The page of a problem that no handler has.
pub(in crate::server) fn problem_page(problem: Problem) -> Response {
    PageProblem(problem).into_response()
}

/// The response to an address that is no route: a document below `/api`, otherwise a page.
pub(in crate::server) async fn no_route(uri: Uri) -> Response {
    if uri.path() == "/api" || uri.path().starts_with("/api/") {
        return problem::no_route().await.into_response();
    }
    not_found("There is nothing at this address.").into_response()
}

/// A page that says what does not exist.
pub(crate) fn not_found(sentence: impl Into<String>) -> PageProblem {
    PageProblem(Problem::new(StatusCode::NOT_FOUND, sentence))
}
