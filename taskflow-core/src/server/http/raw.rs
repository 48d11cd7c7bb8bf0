//! A connection whose every response is one of ours.
//!
//! hyper answers a head that it cannot parse (400), or that is too long (431), by itself: without a
//! body and without our headers. [`Raw`] recognises such an answer when it is written, and writes
//! a problem document in its place.
//!
//! hyper has no time limit for writing. A client that never reads would hold its connection, one of
//! a bounded number, for as long as it likes. So [`Raw`] measures for how long a write waits:
//!
//! 1. The time begins when the stream takes nothing more, and ends with the next bytes that it
//!    takes. However slowly a client reads, it is not disconnected while it does.
//! 2. When it is over, the write fails, and hyper ends the connection.
//! 3. While there is nothing to write, such as on a stream of events in which nothing happens, no
//!    time is measured.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::guard;
use crate::server::problem::Problem;

/// hyper's own answers are shorter.
const LONGEST: usize = 200;

/// A connection.
pub(super) struct Raw<S> {
    stream: S,
    /// What is written before anything else.
    pending: Vec<u8>,
    /// How long a write may wait.
    patience: Duration,
    /// The end of the present wait, if something waits to be written.
    wait: Option<Pin<Box<Sleep>>>,
}

impl<S> Raw<S> {
    /// A connection on which nothing that is written may wait for longer than that.
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        Raw { stream, pending: Vec::new(), patience, wait: None }
    }

    /// What the stream has answered to a write, or an error when it has waited for too long.
    fn in_time<T>(&mut self, cx: &mut Context<'_>, answer: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if answer.is_ready() {
            self.wait = None;
            return answer;
        }
        let patience = self.patience;
        let wait = self.wait.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        wait.as_mut().poll(cx).map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}

impl<S: AsyncWrite + Unpin> Raw<S> {
    fn poll_pending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            let answer = Pin::new(&mut self.stream).poll_write(cx, &self.pending);
            let written = ready!(self.in_time(cx, answer))?;
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
        let answer = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.in_time(cx, answer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(cx))?;
        let answer = Pin::new(&mut self.stream).poll_flush(cx);
        self.in_time(cx, answer)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(cx))?;
        let answer = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.in_time(cx, answer)
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
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::Instant;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_waited_for_so_long() {
        let (near, _far) = tokio::io::duplex(10);
        let mut raw = Raw::new(near, PATIENCE);
        raw.write_all(&[0; 10]).await.unwrap();
        // Nothing has to be written.
        tokio::time::sleep(2 * PATIENCE).await;
        let began = Instant::now();
        assert_eq!(raw.write_all(&[0; 10]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed(), PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_slowly_gets_all() {
        let (near, mut far) = tokio::io::duplex(10);
        let mut raw = Raw::new(near, PATIENCE);
        let (written, read) = tokio::join!(raw.write_all(&[7; 100]), async {
            let mut read = Vec::new();
            while read.len() < 100 {
                tokio::time::sleep(PATIENCE - Duration::from_secs(1)).await;
                let mut part = [0; 10];
                let count = far.read(&mut part).await.unwrap();
                read.extend_from_slice(&part[..count]);
            }
            read
        });
        written.unwrap();
        assert_eq!(read, [7; 100]);
    }

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
