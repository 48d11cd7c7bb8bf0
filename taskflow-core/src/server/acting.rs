//! Who acts with a request: the journal of the service under their name, so that what changes is in
//! the audit trail.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::ServerState;
use crate::base::account;
use crate::journal::Journal;
use crate::ops::{Actor, Client, Via, acting_from};

/// The most bytes of the id that a client gives its request.
const REQUEST_ID: usize = 100;

/// The address of the client of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// The journal of the service, for whoever has sent the request. Handlers write with it, and with
/// no other.
pub(super) struct Acting(pub(super) Journal);

impl Acting {
    pub(super) fn of(state: &ServerState, parts: &Parts) -> Acting {
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.0.ip().to_string());
        let request = parts.headers.get("x-request-id").and_then(|id| id.to_str().ok());
        let is_valid =
            |id: &&str| (1..=REQUEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
        let request = request.filter(is_valid).map(str::to_owned);
        Acting(acting_from(&state.service, &actor(), Client { peer, request }))
    }
}

/// Without a log-in it is the account of the server: only this machine can reach it.
fn actor() -> Actor {
    Actor { name: account(), via: Via::Loopback }
}

impl FromRequestParts<ServerState> for Acting {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &ServerState) -> Result<Self, Infallible> {
        Ok(Acting::of(state, parts))
    }
}
