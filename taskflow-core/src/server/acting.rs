//! Who acts with a request: the journal of the service under their name, so that what changes is in
//! the audit trail.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};

use super::ServerState;
use super::auth::{Peer, Principal};
use crate::journal::Journal;
use crate::ops::{Actor, Client, Membership, Via, acting_from};

/// The most bytes of the id that a client gives its request.
const REQUEST_ID: usize = 100;

/// The journal of the service, for whoever has sent the request. Handlers write with it, and with
/// no other.
pub(super) struct Acting(pub(super) Journal);

impl Acting {
    pub(super) fn of(state: &ServerState, headers: &HeaderMap, extensions: &Extensions) -> Acting {
        Acting::from(state, client(headers, extensions), extensions)
    }

    /// For a request that comes from there.
    pub(super) fn from(state: &ServerState, client: Client, extensions: &Extensions) -> Acting {
        let principal = extensions.get::<Arc<Principal>>();
        let known = principal.and_then(|principal| Some((principal.actor()?.clone(), principal.membership())));
        // Those who log in, and the senders of deliveries, are not known yet.
        let somebody = || (Actor { name: "somebody".to_owned(), via: Via::Session }, Membership::default());
        let (actor, membership) = known.unwrap_or_else(somebody);
        Acting(acting_from(&state.service, &actor, membership, client))
    }
}

/// Where a request comes from.
pub(super) fn client(headers: &HeaderMap, extensions: &Extensions) -> Client {
    let peer = extensions.get::<Peer>().map(|Peer(address)| address.to_string());
    let request = headers.get("x-request-id").and_then(|id| id.to_str().ok());
    let is_valid = |id: &&str| (1..=REQUEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    Client { peer, request: request.filter(is_valid).map(str::to_owned) }
}

impl FromRequestParts<ServerState> for Acting {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &ServerState) -> Result<Self, Infallible> {
        Ok(Acting::of(state, &parts.headers, &parts.extensions))
    }
}
