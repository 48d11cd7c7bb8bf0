//! The bodies of requests: read whole, within a size and a time.
//!
//! 1. A body that says that it is too large is refused before it is read, and one that grows too
//!    large as soon as it does.
//! 2. A client has [`PATIENCE`] to send it. Whoever announces a body and sends none holds a
//!    connection meanwhile, and nothing else: a body is read before a request waits for its
//!    [turn](super::costly).
//! 3. The API reads it with its fields, in `call`. For pages, [`read_first`] does, before handlers
//!    take it as bytes.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::pages::problem_page;
use super::problem::Problem;
use crate::base::units;

/// How long a client may take to send it.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most bytes of a form.
const FORM: usize = 2 << 20;

/// The whole body; empty if there is none.
pub(super) async fn read(headers: &HeaderMap, body: Body, most: usize) -> Result<Bytes, Problem> {
    let too_large = || {
        let most = units::bytes(most as u64);
        let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a body has at most {most}"));
        problem.header(header::CONNECTION, "close")
    };
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > most as u64) {
        return Err(too_large());
    }
    let late = |_| {
        let problem = Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in 30 seconds");
        problem.header(header::CONNECTION, "close")
    };
    // A client that is gone does not see the answer.
    tokio::time::timeout(PATIENCE, to_bytes(body, most)).await.map_err(late)?.map_err(|_| too_large())
}

/// Reads the form of a page before anything else is done for it.
pub(super) async fn read_first(request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    match read(&head.headers, body, FORM).await {
        Ok(bytes) => next.run(Request::from_parts(head, bytes.into())).await,
        Err(problem) => problem_page(problem),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_waited_for_so_long() {
        let began = Instant::now();
        let refused = read(&HeaderMap::new(), Body::new(Silent), FORM).await.unwrap_err();
        assert_eq!((refused.shown().status, began.elapsed()), (408, PATIENCE));
    }

    #[tokio::test]
    async fn a_body_that_is_too_large_is_refused_whatever_it_says() {
        let headers = HeaderMap::from_iter([(header::CONTENT_LENGTH, "11".parse().unwrap())]);
        for (headers, body) in [(headers, Body::new(Silent)), (HeaderMap::new(), Body::from("12345678901"))] {
            assert_eq!(read(&headers, body, 10).await.unwrap_err().shown().status, 413);
        }
        assert_eq!(read(&HeaderMap::new(), Body::from("1234567890"), 10).await.unwrap(), "1234567890");
    }

    /// A body of which nothing comes.
    struct Silent;

    impl hyper::body::Body for Silent {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
            std::task::Poll::Pending
        }
    }
}
