//! A request over a connection of its own, and its answer, part by part.

use std::pin::Pin;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, StatusCode, header, response};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;

use super::reply::Reply;
use super::{ANSWER, CONNECT, Client};
use crate::cli::source::address::Address;

/// An answer whose head was read.
pub(in crate::cli::source) struct Opened {
    pub(super) head: response::Parts,
    pub(super) body: Unread,
}

/// The rest of an answer.
pub(super) enum Unread {
    /// On a connection of its own, which ends with it.
    Plain { body: Incoming, _conversation: Conversation },
    #[cfg(feature = "http")]
    Encrypted(ureq::BodyReader<'static>),
}

/// Ends a connection that nobody reads any more.
pub(super) struct Conversation(tokio::task::JoinHandle<Result<(), hyper::Error>>);

impl Drop for Conversation {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How much of an encrypted answer is read at once.
#[cfg(feature = "http")]
const PART: usize = 64 * 1024;

fn late() -> String {
    "there was no answer in time".to_owned()
}

impl Opened {
    pub(in crate::cli::source) fn status(&self) -> StatusCode {
        self.head.status
    }

    /// How long the service asks to wait.
    pub(in crate::cli::source) fn retry_after(&self) -> Option<Duration> {
        let seconds = self.head.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
        seconds.parse().ok().map(Duration::from_secs)
    }

    /// Waits for the next bytes; none at the end. An encrypted connection has a time limit of its
    /// own.
    pub(in crate::cli::source) fn read(&mut self, client: &Client, most: Duration) -> Result<Vec<u8>, String> {
        match &mut self.body {
            Unread::Plain { body, .. } => client.runtime.block_on(async {
                let frames =
                    std::future::poll_fn(|context| hyper::body::Body::poll_frame(Pin::new(&mut *body), context));
                match tokio::time::timeout(most, frames).await.map_err(|_| late())? {
                    None => Ok(Vec::new()),
                    // Trailers are no bytes.
                    Some(Ok(frame)) => Ok(frame.into_data().map(Into::into).unwrap_or_default()),
                    Some(Err(error)) => Err(error.to_string()),
                }
            }),
            #[cfg(feature = "http")]
            Unread::Encrypted(body) => {
                let mut bytes = vec![0; PART];
                let read = std::io::Read::read(body, &mut bytes).map_err(|error| error.to_string())?;
                bytes.truncate(read);
                Ok(bytes)
            }
        }
    }

    /// Reads the rest.
    pub(super) fn reply(mut self, client: &Client, deadline: Instant) -> Result<Reply, String> {
        let mut body = Vec::new();
        loop {
            let part = self.read(client, deadline.saturating_duration_since(Instant::now()))?;
            if part.is_empty() {
                break;
            }
            body.extend(part);
        }
        let header = |name| self.head.headers.get(name).and_then(|value| value.to_str().ok());
        let next = header(header::LINK).and_then(next_page).map(str::to_owned);
        let media_type = header(header::CONTENT_TYPE).unwrap_or_default().to_owned();
        let tag = header(header::ETAG).unwrap_or_default().trim_matches('"').to_owned();
        Ok(Reply { status: self.head.status, media_type, next, tag, body })
    }
}

/// The address of the next page, in the header `Link` of a list.
pub(super) fn next_page(link: &str) -> Option<&str> {
    link.strip_prefix('<')?.strip_suffix(">; rel=\"next\"")
}

/// Sends a request and reads the head of the answer, on a connection of its own.
pub(super) async fn exchange(address: &Address, request: Request<Body>) -> Result<Opened, String> {
    let stream = tokio::net::TcpStream::connect((&*address.host, address.port));
    let stream = tokio::time::timeout(CONNECT, stream).await.map_err(|_| late())?;
    let stream = stream.map_err(|error| error.to_string())?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let conversation = Conversation(tokio::spawn(connection));
    let answered = tokio::time::timeout(ANSWER, sender.send_request(request)).await.map_err(|_| late())?;
    let (head, body) = answered.map_err(|error| error.to_string())?.into_parts();
    Ok(Opened { head, body: Unread::Plain { body, _conversation: conversation } })
}
