//! Sends the events of a source as `text/event-stream`.
//!
//! 1. A task of the stream asks the source and puts its batches into a queue, which is the body of
//!    the response.
//! 2. The first line is in the queue before the response begins: some proxies hold a response until
//!    its first byte.
//! 3. Proxies close what is quiet for half a minute: a comment line is sent every 15 seconds.
//! 4. Each second the task asks whether who reads the stream is still known with the same rights.
//! 5. The task ends when they are not, when the source does, when the client is gone, and when the
//!    service begins to stop.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use hyper::body::{Bytes, Frame};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::source::{Batch, Source};
use crate::server::auth::Visitor;

/// How many batches wait for a slow client.
const QUEUE: usize = 4;
/// How often something is sent.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often the rights are asked for.
const RIGHTS: Duration = Duration::from_secs(1);
/// How long clients wait before they connect again, in milliseconds.
const RETRY: u64 = 1_000;
/// The same, while the service restarts: from the first to twice that, so that not all clients come
/// at once.
const RETRY_AFTER_RESTART: u64 = 3_000;

const HEADERS: [(header::HeaderName, &str); 3] = [
    (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
    (header::CACHE_CONTROL, "private, no-cache, no-transform"),
    (header::HeaderName::from_static("x-accel-buffering"), "no"),
];

/// The rights of who reads a stream.
pub(super) trait Rights: Send + 'static {
    /// Whether they are those with which it was opened.
    fn still_hold(&self) -> impl Future<Output = bool> + Send;
}

impl Rights for Visitor {
    fn still_hold(&self) -> impl Future<Output = bool> + Send {
        self.is_still_known()
    }
}

/// The response with the events of a source.
pub(super) fn response(
    source: impl Source,
    rights: impl Rights,
    place: impl Send + 'static,
    ends: watch::Receiver<bool>,
) -> Response {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let mut first = Batch::default();
    first.retry(RETRY);
    // The queue is empty.
    let _ = sender.try_send(Bytes::from(first.into_text()));
    tokio::spawn(send(source, rights, sender, ends, place));
    let mut response = Response::new(Body::new(Events(receiver)));
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn send(
    mut source: impl Source,
    rights: impl Rights,
    queue: mpsc::Sender<Bytes>,
    mut ends: watch::Receiver<bool>,
    _place: impl Send + 'static,
) {
    let (mut rest, mut asked) = (interval(HEARTBEAT), interval(RIGHTS));
    loop {
        let text = tokio::select! {
            () = queue.closed() => return,
            () = end(&mut ends) => break,
            batch = source.next() => match batch {
                Some(batch) => batch.into_text(),
                None => return,
            },
            _ = asked.tick() => match rights.still_hold().await {
                true => continue,
                false => return,
            },
            _ = rest.tick() => ":\n\n".to_owned(),
        };
        rest.reset();
        tokio::select! {
            () = end(&mut ends) => break,
            sent = queue.send(Bytes::from(text)) => if sent.is_err() { return },
        }
    }
    let mut bye = Batch::default();
    bye.retry(RETRY_AFTER_RESTART + spread(RETRY_AFTER_RESTART));
    bye.named("bye", "{}");
    // A client that does not read does not see it.
    let _ = queue.try_send(Bytes::from(bye.into_text()));
}

/// Waits until somebody is not known any more with the rights that they had when they asked.
pub(in crate::server) async fn end_of_rights(visitor: &Visitor) {
    let mut asked = interval(RIGHTS);
    loop {
        asked.tick().await;
        if !visitor.is_still_known().await {
            return;
        }
    }
}

/// Waits until the service begins to stop.
pub(super) async fn end(ends: &mut watch::Receiver<bool>) {
    let _ = ends.wait_for(|ends| *ends).await;
}

/// Ticks after each period, not at once.
fn interval(period: Duration) -> Interval {
    let mut interval = interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Any number below `most`.
fn spread(most: u64) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish() % most
}

/// A body whose frames come from a queue.
struct Events(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    /// Always has something to send.
    struct Endless(Arc<AtomicUsize>);

    impl Source for Endless {
        async fn next(&mut self) -> Option<Batch> {
            let mut batch = Batch::default();
            batch.event(self.0.fetch_add(1, Ordering::SeqCst), "{}");
            Some(batch)
        }
    }

    /// Rights that hold for ever, or not.
    impl Rights for bool {
        async fn still_hold(&self) -> bool {
            *self
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_when_its_rights_do() {
        let free = Arc::new(Semaphore::new(1));
        let ends = watch::Sender::new(false);
        let slot = free.try_acquire_owned().unwrap();
        let mut body = response(Silent, false, slot, ends.subscribe()).into_body();
        assert_eq!(next(&mut body).await.as_deref(), Some("retry: 1000\n\n"));
        assert_eq!(next(&mut body).await, None);
    }

    /// Never has anything to send.
    struct Silent;

    impl Source for Silent {
        async fn next(&mut self) -> Option<Batch> {
            std::future::pending().await
        }
    }

    async fn next(body: &mut Body) -> Option<String> {
        let frame = std::future::poll_fn(|context| hyper::body::Body::poll_frame(Pin::new(&mut *body), context)).await;
        let bytes = frame?.ok()?.into_data().ok()?;
        String::from_utf8(bytes.to_vec()).ok()
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_costs_a_queue_and_gives_its_place_back() {
        let (asked, free) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(1)));
        let slot = Arc::clone(&free).try_acquire_owned().unwrap();
        let ends = watch::Sender::new(false);
        let response = response(Endless(Arc::clone(&asked)), true, slot, ends.subscribe());
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(asked.load(Ordering::SeqCst), QUEUE, "the first line and all but one batch are in the queue");
        assert_eq!(free.available_permits(), 0);
        drop(response);
        while free.available_permits() == 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_stream_says_goodbye() {
        let free = Arc::new(Semaphore::new(1));
        let ends = watch::Sender::new(true);
        let slot = free.try_acquire_owned().unwrap();
        let mut body = response(Endless(Arc::default()), true, slot, ends.subscribe()).into_body();
        assert_eq!(next(&mut body).await.as_deref(), Some("retry: 1000\n\n"));
        let mut last = String::new();
        while let Some(text) = next(&mut body).await {
            last = text;
        }
        assert!(last.starts_with("retry: ") && last.ends_with("event: bye\ndata: {}\n\n"), "{last}");
    }
}
