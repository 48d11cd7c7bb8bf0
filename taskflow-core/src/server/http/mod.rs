//! Serving over sockets. Only this module and the handlers name axum and hyper.

mod connection;
mod guard;
mod hosts;
#[cfg(not(feature = "tls"))]
mod no_tls;
mod raw;
#[cfg(feature = "tls")]
mod tls;
mod tls_error;
#[cfg(feature = "tls")]
mod validity;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use hyper_util::service::TowerToHyperService;
use tokio::sync::{Semaphore, watch};

use self::connection::Connection;
pub(super) use self::hosts::Hosts;
#[cfg(not(feature = "tls"))]
pub use self::no_tls::Tls;
#[cfg(feature = "tls")]
pub use self::tls::Tls;
pub use self::tls_error::TlsError;
use super::ServerState;
use super::auth::Peer;
use super::ends::Ends;
use super::metrics::Metrics;
use super::streams::{Streams, watch_home};
use crate::service::ServiceEvent;

/// What a client may take.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// How long it may take to send the head of a request.
    head: Duration,
    /// For how long it may read nothing of what there is to send to it.
    write: Duration,
    /// How long open requests may take once the server stops.
    grace: Duration,
    /// The most connections. Further ones wait to be accepted.
    connections: usize,
}

const LIMITS: Limits = Limits {
    head: Duration::from_secs(10),
    write: Duration::from_secs(30),
    grace: Duration::from_secs(10),
    connections: 1024,
};

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address is not a loopback address, and no way of authentication is configured.
    #[error(
        "{address} is reachable from other machines, and nothing says who may use the server; add a user with `users \
         add NAME`, or create the first one in a browser with `serve --setup`, or let a proxy name the users with \
         `proxy_header` in [auth] of taskflow.toml, or a provider of OpenID Connect with [serve.oidc]; without any of \
         them, bind a loopback address such as 127.0.0.1:{}, or give everybody all rights with --insecure-no-auth",
        address.port()
    )]
    Public {
        /// The address.
        address: SocketAddr,
    },
    /// Another process uses the address.
    #[error(
        "port {} of {} is in use by another process; stop it, or choose another port with --bind {0}:{port}, where \
         port 0 takes any free one",
        address.port(), address.ip(), port = address.port().wrapping_add(1)
    )]
    Taken {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be bound: such as one that this machine does not have.
    #[error("cannot listen on {address}: {source}; choose another address with --bind")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the operating system reports.
        source: std::io::Error,
    },
    /// The threads of the server cannot be started.
    #[error("the threads of the server cannot be started: {0}")]
    Thread(#[source] std::io::Error),
}

/// A server that has an address, and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Binds a loopback address; port 0 chooses a free port.
    ///
    /// # Errors
    ///
    /// When the address is reachable from other machines, or cannot be bound.
    pub fn bind(address: SocketAddr) -> Result<Self, ServerError> {
        if !address.ip().is_loopback() {
            return Err(ServerError::Public { address });
        }
        Server::bind_public(address)
    }

    /// Binds any address, for a server that knows its users or that everybody may use.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound.
    pub fn bind_public(address: SocketAddr) -> Result<Self, ServerError> {
        let failed = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::AddrInUse => ServerError::Taken { address },
            _ => ServerError::Bind { address, source },
        };
        Server::on(TcpListener::bind(address).map_err(failed)?)
    }

    /// Takes a socket that listens, whoever has opened it. It may be reachable from other machines:
    /// the server knows its users, or everybody may use it.
    ///
    /// # Errors
    ///
    /// When the socket has no address, or cannot be used without blocking.
    pub fn on(listener: TcpListener) -> Result<Self, ServerError> {
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let address = listener.local_addr().map_err(|source| ServerError::Bind { address: unknown, source })?;
        listener.set_nonblocking(true).map_err(|source| ServerError::Bind { address, source })?;
        Ok(Server { listener, address })
    }

    /// The address that it is bound to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests, on threads of its own, until the returned value is dropped.
    ///
    /// # Errors
    ///
    /// When the threads cannot be started.
    pub fn serve(self, state: ServerState) -> Result<RunningServer, ServerError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            // They read logs: those of costly requests, of streams, and of pages.
            .max_blocking_threads(8)
            .thread_name("taskflow-http")
            .enable_all()
            .build()
            .map_err(ServerError::Thread)?;
        let (stop, stopped) = watch::channel(());
        let (draining, metrics, ends) = (Arc::clone(&state.draining), state.metrics.clone(), state.ends.clone());
        let address = self.address;
        let hosts = Hosts::new(state.home.config().settings(), address).over_tls(state.options.is_tls());
        let (tls, secure) = (state.options.tls.clone(), state.options.tls.clone());
        let streams = Arc::clone(&state.streams);
        let main = move || {
            // They end with the runtime.
            runtime.spawn(watch_home(state.clone()));
            #[cfg(feature = "oidc")]
            if let Some(oidc) = state.auth.oidc.clone() {
                runtime.spawn(async move { oidc.prepare().await });
            }
            runtime.block_on(accept(self.listener, super::router(state), hosts, secure, LIMITS, stopped));
        };
        let thread = std::thread::Builder::new().name("taskflow-http".to_owned()).spawn(main);
        Ok(RunningServer {
            address,
            stop: Some(stop),
            draining,
            streams,
            metrics,
            ends,
            tls,
            thread: Some(thread.map_err(ServerError::Thread)?),
        })
    }
}

/// A server that answers. Dropping it stops the server and waits for open requests.
#[derive(Debug)]
pub struct RunningServer {
    address: SocketAddr,
    stop: Option<watch::Sender<()>>,
    draining: Arc<AtomicBool>,
    streams: Arc<Streams>,
    metrics: Metrics,
    ends: Ends,
    tls: Option<Tls>,
    thread: Option<JoinHandle<()>>,
}

impl RunningServer {
    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Counts what the service in this process did, for the metrics, and tells requests that wait
    /// for the end of a run.
    pub fn observe(&self, event: &ServiceEvent) {
        self.metrics.observe(event);
        if let ServiceEvent::Ended { number, .. } = event {
            self.ends.report(*number);
        }
    }

    /// Whether it speaks HTTPS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Reads the certificate again if its files have changed, or in any case if `is_asked`.
    /// Connections that are accepted from then on have the new one. `None`: there is nothing new.
    /// After an error the server keeps the certificate that it has.
    pub async fn renew_certificate(&self, is_asked: bool) -> Option<Result<&Tls, TlsError>> {
        let tls = self.tls.as_ref()?;
        let files = tls.clone();
        // The files may be on a network that is slow. The task fails only if the runtime ends.
        let renewed = tokio::task::spawn_blocking(move || files.renew(is_asked)).await.ok()?;
        Some(renewed?.map(|()| tls))
    }

    /// From now on it refuses requests that change something: the service is about to end.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.ends.stop();
        self.streams.end();
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.streams.end();
        // Receivers notice that the sender is gone.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// For fuzzing: reads the headers that say for whom a request is.
pub(super) fn read_any(headers: &axum::http::HeaderMap) {
    if let Some(host) = hosts::host(headers) {
        let hosts = Hosts::new(&crate::config::Settings::default(), SocketAddr::from(([127, 0, 0, 1], 8090)));
        let _ = (hosts.answers_to(host), hosts.is_own_origin(host, Some(host)), hosts.is_https_only(host));
    }
    let _ = Hosts::is_loopback_host(headers);
}

async fn accept(
    listener: TcpListener,
    router: Router,
    hosts: Hosts,
    tls: Option<Tls>,
    limits: Limits,
    mut stopped: watch::Receiver<()>,
) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("the server cannot listen: {error}"),
    };
    let app = router.layer(axum::middleware::from_fn_with_state(Arc::new(hosts), guard::guard));
    let free = Arc::new(Semaphore::new(limits.connections));
    loop {
        let slot = tokio::select! {
            _ = stopped.changed() => break,
            slot = free.clone().acquire_owned() => slot,
        };
        let Ok(slot) = slot else { return };
        let (stream, peer) = tokio::select! {
            _ = stopped.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => (stream, Peer(peer.ip())),
                Err(error) => {
                    // Such as too many open files: it passes when other connections end.
                    tracing::warn!("a connection cannot be accepted: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let app = TowerToHyperService::new(app.clone());
        let connection = Connection { app, peer, limits, stopped: stopped.clone() };
        let tls = tls.clone();
        tokio::spawn(async move {
            match tls {
                Some(tls) => connection.converse_over(&tls, stream).await,
                None => connection.converse(stream).await,
            }
            drop(slot);
        });
    }
    drop(listener);
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(limits.grace, free.acquire_many(all)).await;
}

#[cfg(test)]
mod tests;
