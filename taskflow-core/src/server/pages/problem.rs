//! Pages for what went wrong with a request.

use askama::Template;

use super::frame::{Crumb, Frame, Place, Request};

/// An error page.
#[derive(Clone, Debug, Template)]
#[template(path = "problem.html")]
pub(crate) struct ProblemPage {
    frame: Frame,
    status: u16,
    heading: String,
    /// What happened, in a sentence.
    sentence: String,
    /// What is near: words and addresses below the base path.
    near: Vec<Crumb>,
    /// The id by which the log of the server has the request.
    request_id: String,
}

impl ProblemPage {
    /// Nothing is at the address. `near` is what the user may have meant.
    pub(crate) fn not_found(request: &Request, sentence: impl Into<String>, near: Vec<Crumb>) -> ProblemPage {
        ProblemPage::new(request, 404, "Not found", sentence, near, String::new())
    }

    /// The server failed. The page has the id of the request and not the error.
    pub(crate) fn failed(request: &Request, request_id: impl Into<String>) -> ProblemPage {
        let sentence = "The server could not make this page. Its log has the reason under the id of the request.";
        ProblemPage::new(request, 500, "Something went wrong", sentence, Vec::new(), request_id.into())
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
            near,
            request_id,
        }
    }

    /// The page as HTML.
    pub(crate) fn html(&self) -> String {
        super::escape::html(self)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::super::times::Clock;
    use super::*;

    fn request() -> Request {
        let clock = Clock::new(Timestamp::UNIX_EPOCH, TimeZone::UTC);
        Request { base: "/a".to_owned(), clock, build: "taskflow".to_owned(), theme: "" }
    }

    #[test]
    fn foreign_text_is_escaped_and_nothing_is_inline() {
        let hostile = "<script>x</script>\"'\u{202e}";
        let near = vec![Crumb::link(hostile, "/dags/daily")];
        let html = ProblemPage::not_found(&request(), hostile, near).html();
        for inline in ["<script", "<style", " style=", "\u{202e}"] {
            assert!(!html.contains(inline), "{inline}: {html}");
        }
        assert!(html.contains("&lt;script&gt;") && html.contains("href=\"/a/dags/daily\""), "{html}");
        assert!(html.trim_end().ends_with("</html>"), "{html}");
    }

    #[test]
    fn a_failure_shows_the_id_of_the_request() {
        let html = ProblemPage::failed(&request(), "r-17").html();
        assert!(html.contains("<code>r-17</code>"), "{html}");
    }
}
