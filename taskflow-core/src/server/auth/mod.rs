//! Who a request comes from.
//!
//! # Ways to be known
//!
//! | way | when |
//! |---|---|
//! | `Authorization: Bearer` | Always. A token that is not valid is refused, whatever else the request has. |
//! | the session cookie | Always. |
//! | OpenID Connect | `[serve.oidc]` is set: a provider authenticates who logs in, and the session cookie is one of ours. `oidc` has the protocol. |
//! | a header of a proxy | `auth.proxy_header` is set, and the connection comes from `auth.proxy_trusted`. |
//! | this machine | The server is bound to a loopback address, there are no users, no provider and no proxy, and the request names a loopback host and shows no sign of a proxy. |
//!
//! So the rule of loopback is: without users nobody logs in, with users everybody does.
//!
//! # Life of a request
//!
//! 1. [`authenticate`] is the outermost layer of the router, also around addresses that are no
//!    routes. It finds the [`Principal`], by reading the store: nothing is cached, so what has
//!    ended is refused at once.
//! 2. A request without a principal gets no further than [`PUBLIC`]: 401, or the way to the
//!    log-in page. The body has not been read.
//! 3. A request of somebody who sends too many is refused (429): [`rates`].
//! 4. A request that a cookie authenticates and that changes something must say where it comes
//!    from, in `Origin` or `Sec-Fetch-Site`. Browsers do.
//! 5. Handlers get a [`Visitor`]: the state of the server with the principal. There is no other way
//!    to the state, and a run or a DAG needs a [`Permit`](super::permit::Permit) besides.
//! 6. A change for which a right is missing leaves a row in the audit trail, at most one a minute
//!    for each principal and action.
//! 7. What is answered to a principal is no other's: `Vary` names what it depends on.

mod actions;
mod assets;
mod attempts;
mod cookie;
mod current;
mod layer;
mod limits;
mod log_ins;
#[cfg(not(feature = "oidc"))]
mod no_oidc;
#[cfg(feature = "oidc")]
mod oidc;
mod oidc_error;
mod principal;
mod proxy;
mod rates;
mod setup;
mod sparse;
mod visitor;

pub(super) use assets::AssetRights;
pub(super) use attempts::record;
#[cfg(feature = "oidc")]
pub(super) use cookie::{attempt_cookie, drop_attempt_cookie};
pub(super) use cookie::{cookie_value, drop_cookie, session_cookie};
pub(super) use current::{current, note_of_current};
pub(super) use layer::{authenticate, too_many};
pub(super) use limits::Limits;
pub(super) use log_ins::LogIns;
#[cfg(not(feature = "oidc"))]
pub use no_oidc::Oidc;
#[cfg(feature = "oidc")]
pub use oidc::Oidc;
#[cfg(feature = "oidc")]
pub(super) use oidc::{Attempt, LogInError, Person, ProviderError};
pub use oidc_error::OidcError;
pub(super) use principal::{Owner, Principal};
pub(super) use proxy::ProxyAuth;
pub(super) use setup::SetupToken;
pub(super) use visitor::Visitor;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::http::{HeaderMap, Version};

use self::attempts::Refusals;
use self::limits::Source;
use self::rates::Rates;
use self::sparse::Sparse;
use super::http::Hosts;
use super::{BasePath, ServerOptions};
use crate::config::Settings;

/// The address that a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// Headers by which a proxy names the client, besides those that begin with `x-forwarded-`.
const OF_PROXIES: [&str; 8] = [
    "cf-connecting-ip",
    "forwarded",
    "true-client-ip",
    "via",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-forwarded",
    "x-real-ip",
];

/// What browsers and other clients speak. A proxy may speak HTTP/1.0: nginx does by default before
/// 1.29.7, with the loopback address of the server as `Host` and without a header of its own.
const OWN: Version = Version::HTTP_11;

/// How long a password counts for sensitive changes, unless the configuration says otherwise.
const CONFIRM_AFTER: Duration = Duration::from_secs(15 * 60);

/// How requests are authenticated.
#[derive(Debug)]
pub(super) struct Auth {
    /// Where the server listens.
    address: SocketAddr,
    /// The path below which browsers send its cookies.
    base_path: BasePath,
    /// Whether people reach it over HTTPS.
    pub(super) is_https: bool,
    /// Whether everybody may do everything: `--insecure-no-auth`.
    pub(super) is_off: bool,
    proxy: Option<ProxyAuth>,
    /// Authenticates users who have no password here.
    pub(super) oidc: Option<Oidc>,
    /// Creates the first user.
    pub(super) setup: Option<SetupToken>,
    /// Limits how often passwords and tokens are tried.
    pub(super) limits: Limits,
    /// Keep refused changes, and log-ins that fail, from filling the audit trail.
    refusals: Refusals,
    failures: Sparse<Source>,
    /// How long a password counts for sensitive changes.
    confirm_after: Duration,
    /// Limits how many requests somebody sends.
    rates: Rates,
}

impl Auth {
    pub(super) fn new(
        settings: &Settings,
        address: SocketAddr,
        options: &ServerOptions,
        setup: Option<SetupToken>,
    ) -> Self {
        let is_proxied = settings.public_url().is_some_and(|url| url.starts_with("https://"));
        Auth {
            address,
            base_path: options.base_path.clone(),
            is_https: is_proxied || options.is_tls(),
            is_off: options.insecure_no_auth,
            proxy: ProxyAuth::of(settings),
            oidc: options.oidc.clone(),
            setup,
            limits: Limits::default(),
            refusals: Refusals::default(),
            failures: Sparse::default(),
            confirm_after: settings.confirm_after().unwrap_or(CONFIRM_AFTER),
            rates: Rates::new(settings.rate_limit()),
        }
    }

    /// Whether it listens on this machine only.
    pub(super) fn is_loopback(&self) -> bool {
        self.address.ip().is_loopback()
    }

    /// Whether a request can only come from this machine, as far as it says itself.
    fn is_local(&self, peer: Option<Peer>, version: Version, headers: &HeaderMap) -> bool {
        // Each proxy sets others: only the scheme, or the user whom it has authenticated.
        let is_of_proxy = |name: &str| OF_PROXIES.contains(&name) || name.starts_with("x-forwarded-");
        self.address.ip().is_loopback()
            && peer.is_some_and(|Peer(address)| address.is_loopback())
            && version >= OWN
            && Hosts::is_loopback_host(headers)
            && !headers.keys().any(|name| is_of_proxy(name.as_str()))
    }
}

/// For fuzzing: reads headers and a text as what says who asks.
pub(super) fn read_any(text: &str, headers: &HeaderMap) {
    proxy::read_any(headers);
    let _ = (cookie_value(headers, "taskflow_8090"), Hosts::is_loopback_host(headers));
    let _ = text.parse::<crate::config::Network>();
    #[cfg(feature = "oidc")]
    let _ = Attempt::of_text(text, crate::base::Timestamp::EPOCH);
}

/// For fuzzing: reads a text as what a provider of OpenID Connect answers.
#[cfg(feature = "oidc")]
pub(super) fn read_any_of_provider(text: &str) {
    oidc::read_any(text);
}
