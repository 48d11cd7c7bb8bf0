//! A text that may be long, as a file to save.
//!
//! 1. A task asks for the next part of the text and puts it into a queue of one, which is the body
//!    of the response. While the client does not read, nothing is asked for: the memory that it
//!    takes does not depend on the length.
//! 2. The first part is asked for before the response begins: what cannot be read at all is a
//!    problem document.
//! 3. It takes the place of a stream, and as a stream it ends when the service begins to stop, or
//!    when whoever asked is not known any more with the same rights.
//! 4. The queue says when the text is whole. A body whose queue ends before is broken off, and so
//!    is that of a store that cannot be read: no client takes a part for the whole.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use hyper::body::{Bytes, Frame};
use tokio::sync::{mpsc, watch};

use super::wire::{Rights, end};
use crate::server::auth::Visitor;
use crate::server::problem::Problem;

/// How many parts wait for a slow client.
const QUEUE: usize = 1;

/// The parts of a text.
pub(in crate::server) trait Parts: Send + 'static {
    /// The next part; `None` after the last one.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, Problem>> + Send;
}

/// A file: its media type, and its name for whoever saves it.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct File {
    pub(in crate::server) media_type: &'static str,
    /// `attachment; filename="runs.csv"`
    pub(in crate::server) disposition: &'static str,
}

/// The response with a file.
///
/// # Errors
///
/// When the first part cannot be read, or as many streams are open as there may be.
pub(in crate::server) async fn download(visitor: &Visitor, file: File, parts: impl Parts) -> Result<Response, Problem> {
    let mut response = Response::new(in_parts(visitor, parts).await?);
    for (name, value) in [(header::CONTENT_TYPE, file.media_type), (header::CONTENT_DISPOSITION, file.disposition)] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// The body of a response, which is sent part by part.
///
/// # Errors
///
/// As [`download`].
pub(in crate::server) async fn in_parts(visitor: &Visitor, mut parts: impl Parts) -> Result<Body, Problem> {
    let place = visitor.streams.take(visitor.principal().owner().as_ref())?;
    let first = parts.next().await?;
    let ends = visitor.streams.ends.subscribe();
    Ok(body(first, parts, visitor.clone(), place, ends))
}

fn body(
    first: Option<Bytes>,
    parts: impl Parts,
    rights: impl Rights,
    place: impl Send + 'static,
    ends: watch::Receiver<bool>,
) -> Body {
    let (queue, receiver) = mpsc::channel(QUEUE);
    let is_whole = first.is_none();
    // The queue is empty.
    let _ = queue.try_send(first);
    if !is_whole {
        tokio::spawn(send(parts, rights, queue, ends, place));
    }
    Body::new(Queued(receiver))
}

async fn send(
    mut parts: impl Parts,
    rights: impl Rights,
    queue: mpsc::Sender<Option<Bytes>>,
    mut ends: watch::Receiver<bool>,
    _place: impl Send + 'static,
) {
    loop {
        if !rights.still_hold().await {
            return;
        }
        let part = tokio::select! {
            () = queue.closed() => return,
            () = end(&mut ends) => return,
            part = parts.next() => match part {
                Ok(part) => part,
                Err(_) => return,
            },
        };
        let is_last = part.is_none();
        tokio::select! {
            () = end(&mut ends) => return,
            sent = queue.send(part) => if sent.is_err() || is_last { return },
        }
    }
}

/// A body whose frames come from a queue, in which `None` is the end of the text.
struct Queued(mpsc::Receiver<Option<Bytes>>);

impl hyper::body::Body for Queued {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(match ready!(self.0.poll_recv(context)) {
            Some(part) => part.map(|bytes| Ok(Frame::data(bytes))),
            None => Some(Err(io::Error::other("the text is cut"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    /// The numbers up to one, each a part, or an error in place of the last.
    struct Numbers {
        asked: Arc<AtomicUsize>,
        until: usize,
        fails: bool,
    }

    impl Parts for Numbers {
        async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
            match self.asked.fetch_add(1, Ordering::SeqCst) + 1 {
                number if number == self.until && self.fails => Err(Problem::internal(&"the disk is gone")),
                number => Ok((number <= self.until).then(|| format!("{number}\n").into())),
            }
        }
    }

    struct Sent {
        body: Body,
        asked: Arc<AtomicUsize>,
        free: Arc<Semaphore>,
        ends: watch::Sender<bool>,
    }

    fn sent(until: usize, fails: bool, rights: bool) -> Sent {
        let (asked, free) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(1)));
        let slot = Arc::clone(&free).try_acquire_owned().unwrap();
        let ends = watch::Sender::new(false);
        let parts = Numbers { asked: Arc::clone(&asked), until, fails };
        let body = body(Some(Bytes::from_static(b"0\n")), parts, rights, slot, ends.subscribe());
        Sent { body, asked, free, ends }
    }

    /// What arrives, and whether it is whole.
    async fn read(body: &mut Body) -> (String, bool) {
        let mut text = String::new();
        loop {
            let frame = std::future::poll_fn(|context| hyper::body::Body::poll_frame(Pin::new(&mut *body), context));
            match frame.await {
                Some(Ok(frame)) => text += std::str::from_utf8(&frame.into_data().unwrap()).unwrap(),
                Some(Err(_)) => return (text, false),
                None => return (text, true),
            }
        }
    }

    #[tokio::test]
    async fn a_text_arrives_part_by_part_and_is_whole() {
        let mut sent = sent(3, false, true);
        assert_eq!(read(&mut sent.body).await, ("0\n1\n2\n3\n".to_owned(), true));
        drop(sent.free.acquire().await.unwrap());
    }

    #[tokio::test]
    async fn a_text_that_cannot_be_read_to_its_end_is_broken_off() {
        assert_eq!(read(&mut sent(3, true, true).body).await, ("0\n1\n2\n".to_owned(), false));
        // Whoever asked is not known any more.
        assert_eq!(read(&mut sent(3, false, false).body).await, ("0\n".to_owned(), false));
        let mut stopped = sent(usize::MAX, false, true);
        stopped.ends.send_replace(true);
        assert!(!read(&mut stopped.body).await.1);
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_asked_nothing_for() {
        let sent = sent(usize::MAX, false, true);
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(sent.asked.load(Ordering::SeqCst), 1, "the first is in the queue, the second waits");
        assert_eq!(sent.free.available_permits(), 0);
        drop(sent.body);
        drop(sent.free.acquire().await.unwrap());
    }
}
