//! The HTTP server of a service: a JSON API over [`ops`], metrics, and pages.
//!
//! # Life of a request
//!
//! 1. `http` reads the head, within a time limit and a size limit, on a runtime of its own: readers
//!    take no thread of the engine. What is not HTTP is answered in `http::raw`.
//! 2. `http::guard` refuses hosts that are not names of this server (421) and unsafe methods of
//!    other origins (403), catches panics of handlers, and adds the security headers to each
//!    response.
//! 3. `base_path` takes the base path off the address, and answers what lies outside (404).
//! 4. `auth` finds out who asks, and refuses those who are not known (401) before anything is read.
//! 5. `routes` finds the route by path and method. `call` checks the query and the body against the
//!    fields that the route declares; `bodies` reads the bodies, also those of forms, within a time
//!    limit. Requests that change something are refused here if the server is read-only (403) or
//!    the service is about to end (503).
//! 6. `keys` parses the segments of the path. Whatever cannot be an id is refused before the store
//!    is touched.
//! 7. `permit` finds the run, and decides by its DAG. A handler gets the state of the server only
//!    with who asks, and a run only with a permit. What somebody may not see does not exist for
//!    them (404); what they may see and not do is forbidden (403).
//!    `acting` is the journal of the service under the name of whoever has sent the request: what
//!    changes with it is in the audit trail.
//!    A delivery to a webhook is checked in `hooks` instead, by its signature.
//! 8. `costly`: of the requests that cost most, a bounded number is answered at a time. Their
//!    bodies have arrived by now. `shares`: nobody takes all turns or streams alone.
//! 9. The handler in `api` calls one operation and returns its document, which is the one that
//!    `--output json` prints. Errors become documents in `problem`.
//!
//! Reading uses connections of the server's own. What changes something is written with the journal
//! of the service, which is woken then; runs that continue are handed to the service.
//!
//! # Shutdown
//!
//! 1. [`RunningServer::drain`]: changes are refused, and `/health/ready` answers 503. Reading
//!    works. Streams end, because a connection that waits for events would never do.
//! 2. Dropping the [`RunningServer`] stops accepting connections.
//! 3. Open connections finish their present request, for at most ten seconds.
//! 4. The thread of the server ends.

mod acting;
mod api;
mod auth;
mod base_path;
mod bodies;
mod call;
mod costly;
mod ends;
mod fuzz;
mod hooks;
mod http;
mod json;
mod keys;
mod log_reads;
mod metrics;
mod openapi;
mod pages;
mod permit;
mod problem;
mod routes;
mod run_changes;
mod schema;
mod shares;
mod streams;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use self::auth::{Auth, SetupToken};
pub use self::auth::{Oidc, OidcError};
use self::costly::Costly;
use self::ends::Ends;
use self::metrics::Metrics;
use self::streams::Streams;
pub use base_path::{BasePath, InvalidBasePath};
pub(crate) use fuzz::read_any;
#[cfg(feature = "oidc")]
pub(crate) use fuzz::read_any_of_provider;
pub use http::{RunningServer, Server, ServerError, Tls, TlsError};

use crate::dag::DagDef;
use crate::journal::Journal;
use crate::ops::{self, Home, OpsError};
use crate::run::Durability;
use crate::service::ServiceHandle;
use crate::store::SyncMode;

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub struct ServerState {
    /// For reading: it has connections of its own, so that readers take none of the engine's.
    journal: Journal,
    /// The journal of the service, for writing.
    service: Journal,
    /// For the streams, which notice with a connection of their own what others commit.
    watched: Journal,
    home: Home,
    dags: Arc<[&'static DagDef]>,
    options: ServerOptions,
    handle: ServiceHandle,
    metrics: Metrics,
    ends: Ends,
    /// Held by a request with an idempotency key. A home has one `serve`, so no other process
    /// starts runs with keys.
    keys: Arc<tokio::sync::Mutex<()>>,
    draining: Arc<AtomicBool>,
    auth: Arc<Auth>,
    streams: Arc<Streams>,
    costly: Arc<Costly>,
    /// What waits for people, for the rail of the pages.
    counts: pages::CountCache,
    log_indexes: pages::LogIndexes,
}

/// The options of a server.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// Whether it refuses everything that changes something.
    pub read_only: bool,
    /// Whether it has the API only, without the pages.
    pub no_ui: bool,
    /// Whether everybody has all rights, whoever they are.
    pub insecure_no_auth: bool,
    /// Whether the first user is created with a set-up token, unless there are users.
    pub setup: bool,
    /// The path below which everything lies.
    pub base_path: BasePath,
    /// Authenticates users who have no password here.
    pub oidc: Option<Oidc>,
    /// The certificate of a server that speaks HTTPS, and not HTTP.
    pub tls: Option<Tls>,
}

impl ServerOptions {
    /// Whether the server speaks HTTPS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}

impl fmt::Debug for ServerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerState").field("dags", &self.dags.len()).finish_non_exhaustive()
    }
}

impl ServerState {
    /// The state of a server of these DAGs. `service` is the journal of the service in this
    /// process; the server opens another one of the same home for reading. `address` is that of
    /// the server. Also returns the text of the set-up token, if there is one.
    ///
    /// # Errors
    ///
    /// When the home cannot be opened, or a webhook of the configuration cannot work.
    pub async fn new(
        home: &Home,
        service: &Journal,
        handle: ServiceHandle,
        dags: Vec<&'static DagDef>,
        options: ServerOptions,
        address: SocketAddr,
    ) -> Result<(Self, Option<String>), OpsError> {
        hooks::check(home.config())?;
        let journal = home.open(SyncMode::Full).await?;
        let watched = home.open(SyncMode::Full).await?;
        let (setup, text) = match options.setup && !ops::accounts::has_users(&journal).await? {
            true => {
                let (token, text) = SetupToken::new(std::time::Instant::now())?;
                (Some(token), Some(text))
            }
            false => (None, None),
        };
        let provider = options.oidc.as_ref().map(|oidc| (oidc.issuer(), oidc.roles()));
        // The groups may have other roles than when the users have logged in.
        ops::accounts::apply_groups(service, provider).await?;
        let metrics = Metrics::new(journal.last_event().await?);
        let auth = Arc::new(Auth::new(home.config().settings(), address, &options, setup));
        let (home, service) = (home.clone(), service.clone());
        let state = ServerState {
            journal,
            service,
            watched,
            home,
            dags: dags.into(),
            options,
            handle,
            metrics,
            ends: Ends::default(),
            keys: Arc::default(),
            draining: Arc::default(),
            auth,
            counts: pages::CountCache::default(),
            log_indexes: pages::LogIndexes::default(),
            streams: Arc::new(Streams::new()),
            costly: Arc::new(Costly::new()),
        };
        Ok((state, text))
    }

    /// Whether the service is about to end.
    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// The durability of runs that continue.
    fn durability(&self) -> Durability {
        ops::durability(self.home.config(), None)
    }
}

/// The routes of the API: `GET /api/v1/dags`.
#[cfg(all(test, feature = "cli"))]
pub(crate) fn route_names() -> impl Iterator<Item = String> {
    routes::all().map(|route| format!("{} {}", route.method.name(), route.path))
}

/// All routes: the API, and the pages unless they are left out.
fn router(state: ServerState) -> axum::Router {
    let api = routes::router();
    let router = match state.options.no_ui {
        true => api.fallback(problem::no_route),
        false => api.merge(pages::routes(&state)).fallback(pages::no_route),
    };
    let base = state.options.base_path.clone();
    let authenticate = axum::middleware::from_fn_with_state(state.clone(), auth::authenticate);
    let record = axum::middleware::from_fn_with_state(state.clone(), auth::record);
    let inside = router.route_layer(record).layer(authenticate).with_state(state);
    let strip = axum::middleware::from_fn_with_state(base, base_path::strip);
    // A layer of the inner router would see a request when its route is chosen already.
    axum::Router::new().fallback_service(inside).layer(strip)
}
