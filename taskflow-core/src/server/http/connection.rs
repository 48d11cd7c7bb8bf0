//! A connection, with TLS or without, from its beginning to its end.
//!
//! A server has a bounded number of them, so a client does not hold one that it does nothing with:
//! the head of a request has a time limit here, a body has one in `bodies`, and what is written has
//! one in [`raw`].

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::raw::{self, Raw};
use super::{Limits, Tls};
use crate::server::auth::Peer;

/// The most bytes of the head of a request.
const HEAD_SIZE: usize = 16 * 1024;

/// What the connections of a server share.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) app: TowerToHyperService<Router>,
    pub(super) peer: Peer,
    pub(super) limits: Limits,
    pub(super) stopped: watch::Receiver<()>,
}

impl Connection {
    /// Answers the requests of a client that speaks TLS; one that does not is told so.
    pub(super) async fn converse_over(self, tls: &Tls, mut stream: TcpStream) {
        let mut stopped = self.stopped.clone();
        let begin = async {
            // The first byte of a TLS handshake.
            let mut first = [0];
            match stream.peek(&mut first).await.ok()? {
                1 if first == [22] => tls.accept(stream).await,
                1 => {
                    let _ = stream.write_all(&raw::speaks_tls()).await;
                    let _ = stream.shutdown().await;
                    // With unread bytes, the connection would be reset, and the answer perhaps
                    // lost.
                    let mut rest = [0; 1024];
                    while matches!(stream.read(&mut rest).await, Ok(1..)) {}
                    None
                }
                _ => None,
            }
        };
        let stream = tokio::select! {
            _ = stopped.changed() => return,
            begun = tokio::time::timeout(self.limits.head, begin) => begun,
        };
        if let Ok(Some(stream)) = stream {
            self.converse(stream).await;
        }
    }

    /// Answers requests until the client is gone, or the server stops.
    pub(super) async fn converse(self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let Connection { app, peer, limits, mut stopped } = self;
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(peer);
            app.call(request)
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(HEAD_SIZE).max_headers(64);
        let mut connection =
            std::pin::pin!(http.serve_connection(TokioIo::new(Raw::new(stream, limits.write)), service));
        tokio::select! {
            // Its client is gone, does not read, or has sent what is not HTTP.
            _ = connection.as_mut() => {}
            _ = stopped.changed() => {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        }
    }
}
