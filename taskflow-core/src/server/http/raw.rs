//! A connection whose every response is one of ours.
//!
//! hyper answers a head that it cannot parse (400), or that is too long (431), by itself: without a
//! body and without our headers. [`Raw`] recognises such an answer when it is written, and writes
//! a problem document in its place.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::guard;
use crate::server::problem::Problem;

/// hyper's own answers are shorter.
const LONGEST: usize = 200;

/// A connection.
pub(super) struct Raw<S> {
    stream: S,
    /// What is written before anything else.
    pending: Vec<u8>,
}

impl<S> Raw<S> {
    pub(super) fn new(stream: S) -> Self {
        Raw { stream, pending: Vec::new() }
    }
}

impl<S: AsyncWrite + Unpin> Raw<S> {
    fn poll_pending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.pending))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.pending.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Raw<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Raw<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_pending(cx))?;
        if let Some(status) = status_of_own_answer(bytes) {
            self.pending = answer(status);
            // Whatever cannot be written now is written with the flush.
            let _ = self.poll_pending(cx)?;
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The status if these bytes are an answer that hyper has made: a head of an error without a body,
/// and without the headers that all of ours have.
fn status_of_own_answer(bytes: &[u8]) -> Option<StatusCode> {
    if bytes.len() > LONGEST || !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let (line, headers) = text.strip_prefix("HTTP/1.")?.split_once("\r\n")?;
    let status = line.get(2..5)?.parse().ok().filter(|status| (400..600).contains(status))?;
    let headers = headers.to_ascii_lowercase();
    let is_own = headers.contains("content-length: 0\r\n") && !headers.contains("x-content-type-options");
    StatusCode::from_u16(status).ok().filter(|_| is_own)
}

fn answer(status: StatusCode) -> Vec<u8> {
    let detail = match status {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "a head has at most 64 headers and 16 KiB",
        StatusCode::URI_TOO_LONG => "the address is too long",
        _ => "this is not an HTTP request",
    };
    written(status, &Problem::new(status, detail))
}

/// The answer to a client that does not speak TLS.
pub(super) fn speaks_tls() -> Vec<u8> {
    let problem = Problem::bad_request("this address speaks HTTPS only").next("begin the address with https://");
    written(StatusCode::BAD_REQUEST, &problem)
}

/// A whole answer, after which the connection ends.
fn written(status: StatusCode, problem: &Problem) -> Vec<u8> {
    let body = problem.json();
    let reason = status.canonical_reason().unwrap_or("Error");
    let mut head = format!(
        "HTTP/1.1 {} {reason}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\nconnection: close\r\n",
        status.as_u16(),
        body.len()
    );
    for (name, value) in guard::headers() {
        head += &format!("{name}: {value}\r\n");
    }
    head += "\r\n";
    [head.into_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_of_hyper_are_replaced() {
        let own = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\ndate: x\r\n\r\n";
        assert_eq!(status_of_own_answer(own.as_bytes()), Some(StatusCode::BAD_REQUEST));
        for other in [
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nx-content-type-options: nosniff\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 7\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\nbody",
            "HTTP/1.1 4",
            "",
        ] {
            assert_eq!(status_of_own_answer(other.as_bytes()), None, "{other}");
        }
    }
}
