//! Pages for what went wrong with a request.

use askama::Template;

use super::frame::{Crumb, Frame, Place, Request};
use crate::server::problem::Problem;

/// An error page.
#[derive(Clone, Debug, Template)]
#[template(path = "problem.html")]
pub(crate) struct ProblemPage {
    frame: Frame,
    status: u16,
    heading: String,
    /// What happened, in a sentence.
    sentence: String,
    /// What to do, in a sentence.
    next: String,
    /// What is near: words and addresses below the base path.
    near: Vec<Crumb>,
    /// The id by which the log of the server has the request.
    request_id: String,
}

impl ProblemPage {
    /// The page of a problem. It has the sentence of the problem, which names no file of the
    /// machine.
    pub(crate) fn of(request: &Request, problem: &Problem) -> ProblemPage {
        let shown = problem.shown();
        let heading = match shown.status {
            404 => "Not found",
            410 => "No longer here",
            409 | 503 => "Not possible now",
            400 | 422 => "Not valid",
            status if status >= 500 => "Something went wrong",
            _ => "Not possible",
        };
        let near = match shown.status {
            404 | 410 => vec![Crumb::link("DAGs", "/dags"), Crumb::link("Runs", "/runs")],
            _ => Vec::new(),
        };
        // The log of the server has the reason of a failure under the id of its request.
        let id = if shown.status >= 500 { shown.request_id.clone() } else { String::new() };
        let mut page = ProblemPage::new(request, shown.status, heading, sentence(&shown.detail), near, id);
        page.next = shown.next.as_deref().map(sentence).unwrap_or_default();
        page
    }

    fn new(
        request: &Request,
        status: u16,
        heading: &str,
        sentence: impl Into<String>,
        near: Vec<Crumb>,
        request_id: String,
    ) -> ProblemPage {
        let path = vec![Crumb::here(heading)];
        ProblemPage {
            frame: Frame::new(request, Place::Nowhere, heading, path),
            status,
            heading: heading.to_owned(),
            sentence: sentence.into(),
            next: String::new(),
            near,
            request_id,
        }
    }

    /// The page as HTML.
    pub(crate) fn html(&self) -> String {
        super::escape::html(self)
    }
}

/// A message of the command line as a sentence.
pub(crate) fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if message.ends_with(['.', '?', '!']) { "" } else { "." };
    first + letters.as_str() + end
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::super::reply;
    use super::super::times::Clock;
    use super::*;

    fn request() -> Request {
        let clock = Clock::new(Timestamp::UNIX_EPOCH, TimeZone::UTC);
        Request { base: "/a".to_owned(), clock, build: "taskflow".to_owned(), ..reply::request(None) }
    }

    #[test]
    fn foreign_text_is_escaped_and_nothing_is_inline() {
        let problem = Problem::bad_request("<script>x</script>\"'\u{202e}").next("<b>");
        let html = ProblemPage::of(&request(), &problem).html();
        for inline in ["<script>", "<style", " style=", "<b>", "\u{202e}"] {
            assert!(!html.contains(inline), "{inline}: {html}");
        }
        assert!(html.contains("&lt;script&gt;") && html.contains("href=\"/a/dags\""), "{html}");
        assert!(html.trim_end().ends_with("</html>"), "{html}");
    }

    #[test]
    fn a_failure_shows_the_id_of_the_request() {
        let problem = Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "it failed");
        let html = ProblemPage::of(&request(), &problem).html();
        assert!(
            html.contains("It failed.") && html.contains(&format!("<code>{}</code>", problem.shown().request_id)),
            "{html}"
        );
    }
}
