//! Who a request comes from.
//!
//! # Ways to be known
//!
//! | way | when |
//! |---|---|
//! | `Authorization: Bearer` | Always. A token that is not valid is refused, whatever else the request has. |
//! | the session cookie | Always. |
//! | a header of a proxy | `auth.proxy_header` is set, and the connection comes from `auth.proxy_trusted`. |
//! | this machine | The server is bound to a loopback address, there are no users and no proxy, and the request names a loopback host and has not passed a proxy. |
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
//! 6. What is answered to a principal is no other's: `Vary` names what it depends on.

mod assets;
mod cookie;
mod current;
mod layer;
mod limits;
mod principal;
mod proxy;
mod rates;
mod setup;
mod visitor;

pub(super) use assets::AssetRights;
pub(super) use cookie::{drop_cookie, session_cookie};
pub(super) use current::{current, note_of_current};
pub(super) use layer::{authenticate, too_many};
pub(super) use limits::Limits;
pub(super) use principal::Principal;
pub(super) use proxy::ProxyAuth;
pub(super) use setup::SetupToken;
pub(super) use visitor::Visitor;

use std::net::{IpAddr, SocketAddr};

use self::rates::Rates;
use super::ServerOptions;
use super::http::Hosts;
use crate::config::Settings;

/// The address that a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// How requests are authenticated.
#[derive(Debug)]
pub(super) struct Auth {
    /// Where the server listens.
    address: SocketAddr,
    /// Whether people reach it over HTTPS.
    pub(super) is_https: bool,
    /// Whether everybody may do everything: `--insecure-no-auth`.
    pub(super) is_off: bool,
    proxy: Option<ProxyAuth>,
    /// Creates the first user.
    pub(super) setup: Option<SetupToken>,
    /// Limits how often passwords and tokens are tried.
    pub(super) limits: Limits,
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
            is_https: is_proxied || options.is_tls(),
            is_off: options.insecure_no_auth,
            proxy: ProxyAuth::of(settings),
            setup,
            limits: Limits::default(),
            rates: Rates::new(settings.rate_limit()),
        }
    }

    /// Whether it listens on this machine only.
    pub(super) fn is_loopback(&self) -> bool {
        self.address.ip().is_loopback()
    }

    /// Whether a request can only come from this machine, as far as it says itself.
    fn is_local(&self, peer: Option<Peer>, headers: &axum::http::HeaderMap) -> bool {
        const PROXIED: [&str; 5] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];
        self.address.ip().is_loopback()
            && peer.is_some_and(|Peer(address)| address.is_loopback())
            && Hosts::is_loopback_host(headers)
            && !PROXIED.iter().any(|name| headers.contains_key(*name))
    }
}
