//! Webhooks: a signed request of another system emits an event of an asset.
//!
//! # A delivery
//!
//! 1. `POST /api/v1/hooks/NAME` needs nobody who is known: the layer of authentication lets it pass
//!    as nobody, and looks at no token and no cookie.
//! 2. What can be refused without the name is refused first: a server that changes nothing now
//!    (403, 503), a body that is not JSON (415), or too large (413). The answer is the same for
//!    every name.
//! 3. The webhook is found by its name, and its secret is read. A secret in a file is read each
//!    time, so a new one counts at once. Where either is missing, the check goes on with a secret
//!    that nobody has.
//! 4. [`scheme`] checks the signature of the raw body, and the time that is signed with it.
//! 5. Whatever is wrong in 3 and 4, the answer is the same (401), and so is the work on the body: a
//!    stranger learns neither names nor what is missing. The audit trail says which it was, at most
//!    once a minute for a network. Wrong signatures lock nobody out, because a stranger could send
//!    them through the addresses of the real sender: an account on GitHub is enough.
//! 6. The body is parsed, and its type is that of the asset, or the event is refused (400, 422). A
//!    kind that the webhook does not want, and the `ping` of GitHub, are accepted and emit nothing.
//! 7. [`ops::emit`] stores the event with the key `NAME:ID`, where `ID` is that of the delivery. A
//!    repeated delivery finds the key and emits nothing (200 in place of 201), also after a restart
//!    and however many arrive at once: the store has one event with a key.
//! 8. The event is stored before the answer. A sender without an answer delivers again, which is 7.
//!
//! So a recorded request is useless after the tolerance, and emits nothing before it. GitHub signs
//! neither a time nor the id: there the id protects from deliveries that are repeated, and TLS from
//! those that are recorded.

mod scheme;

use std::time::Instant;

use axum::http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::Value;

use self::scheme::{Delivery, Refusal, is_id, key, verify};
use super::api::changed;
use super::auth::Peer;
use super::call::Call;
use super::problem::Problem;
use super::routes::Answer;
use crate::base::ErrorKind;
use crate::base::schema::Schema;
use crate::base::text::{bounded, one_line};
use crate::config::{Config, ConfigError, Webhook, WebhookScheme};
use crate::journal::Note;
use crate::ops::{self, Action, Actor, AuditTarget, Membership, NewAssetEvent, Via, acting_from};

/// Where the names of webhooks follow.
pub(super) const PATH: &str = "/api/v1/hooks/";
/// The most bytes of a body, unless another limit is configured.
pub(super) const LIMIT: u64 = 1 << 20;
/// What GitHub sends when a webhook is made.
const PING: &str = "ping";

/// Checks that all webhooks of the configuration can work with this program.
///
/// # Errors
///
/// All that cannot, with their places.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    ops::check_webhooks(config, |webhook, secret| key(webhook, secret).err())
}

/// The answer to a delivery that emits nothing.
#[derive(Debug, Serialize, Schema)]
#[schema(name = "IgnoredDelivery")]
pub(super) struct Ignored {
    /// The kind of the delivery.
    ignored: String,
}

pub(super) async fn receive(call: Call) -> Answer {
    let config = call.state.home.config().clone();
    let name = call.param("hook");
    let Some((name, webhook)) = config.webhook(&name) else {
        // The work of a name that is known.
        let nobody = [0; 32];
        let tolerance = std::time::Duration::ZERO;
        let _ = verify(WebhookScheme::Standard, &call.headers, &call.raw, &nobody, tolerance, call.service.now());
        return Err(refused(&call, &name, None, &Refusal::Unknown).await);
    };
    let delivery = match signed(&call, &config, webhook) {
        Ok(delivery) => delivery,
        Err(refusal) => return Err(refused(&call, name, Some(webhook), &refusal).await),
    };
    let count = |outcome| call.state.metrics.delivery(name, outcome);
    if let Some(kind) = ignored(webhook, &delivery) {
        count("ignored");
        return changed(StatusCode::OK, &Ignored { ignored: bounded(kind, 64).into_owned() });
    }
    let event = event(webhook, name, delivery, &call.raw).inspect_err(|_| count("invalid"))?;
    let note = Note { by: format!("webhook {name}"), reason: String::new() };
    let actor = Actor { name: name.to_owned(), via: Via::Webhook };
    let service = acting_from(&call.state.service, &actor, Membership::default(), call.client.clone());
    match ops::emit(&service, &webhook.asset, event, &note).await {
        Ok(emitted) if emitted.is_new => {
            count("emitted");
            changed(StatusCode::CREATED, &emitted)
        }
        Ok(emitted) => {
            count("repeated");
            let mut response = changed(StatusCode::OK, &emitted)?;
            response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
            Ok(response)
        }
        Err(error) => {
            count(match error.kind() {
                ErrorKind::Unavailable | ErrorKind::Damaged => "failed",
                ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::Invalid => "invalid",
            });
            Err(error.into())
        }
    }
}

/// Checks the signature of a delivery.
fn signed(call: &Call, config: &Config, webhook: &Webhook) -> Result<Delivery, Refusal> {
    let secret = config.webhook_secret(webhook).and_then(|secret| key(webhook, secret.expose()));
    let nobody = vec![0; 32];
    let (key, missing) = match secret {
        Ok(key) => (key, None),
        Err(reason) => (nobody, Some(Refusal::Secret(reason))),
    };
    let now = call.service.now();
    let verified = verify(webhook.scheme, &call.headers, &call.raw, &key, webhook.tolerance, now);
    missing.map_or(verified, Err)
}

/// The kind of a delivery that emits nothing.
fn ignored<'d>(webhook: &Webhook, delivery: &'d Delivery) -> Option<&'d str> {
    let kind = delivery.kind.as_deref()?;
    let is_wanted = match webhook.events.is_empty() {
        true => kind != PING,
        false => webhook.events.iter().any(|wanted| wanted == kind),
    };
    (!is_wanted).then_some(kind)
}

/// The event that a delivery is.
fn event(webhook: &Webhook, name: &str, delivery: Delivery, body: &[u8]) -> Result<NewAssetEvent, Problem> {
    let payload: Value =
        serde_json::from_slice(body).map_err(|error| Problem::bad_request(format!("the body is not JSON: {error}")))?;
    let id = delivery.id.or_else(|| payload.get("id")?.as_str().map(str::to_owned));
    let id = id.filter(|id| is_id(id)).ok_or_else(|| Problem::invalid("the body has no `id`").at("id"))?;
    let partition = match &webhook.partition {
        Some(place) => match payload.pointer(place).and_then(Value::as_str) {
            Some(partition) => Some(partition.to_owned()),
            None => return Err(Problem::invalid(format!("there is no text at `{place}` in the body")).at(place)),
        },
        None => None,
    };
    let mut event = NewAssetEvent::new(payload);
    event.partition = partition;
    event.key = Some(format!("{name}:{id}"));
    Ok(event)
}

/// The answer to what is no delivery. It is the same whatever is wrong.
async fn refused(call: &Call, name: &str, webhook: Option<&Webhook>, refusal: &Refusal) -> Problem {
    call.state.metrics.delivery(if webhook.is_some() { name } else { "other" }, "refused");
    let is_noted = call.peer.is_none_or(|Peer(peer)| call.state.auth.limits.refused_delivery(peer, Instant::now()));
    if is_noted {
        note_refusal(call, name, webhook, refusal).await;
    }
    Problem::new(StatusCode::UNAUTHORIZED, "this is not a signed delivery to a webhook of this server")
        .header(header::WWW_AUTHENTICATE, "Signature")
        .next(
            "check the name in the address, the secret and the clock; the audit trail of the server says what is wrong",
        )
}

async fn note_refusal(call: &Call, name: &str, webhook: Option<&Webhook>, refusal: &Refusal) {
    let name = one_line(&bounded(name, 64)).into_owned();
    let from = call.client.peer.as_deref().unwrap_or("an unknown address");
    tracing::warn!("a delivery to the webhook `{name}` from {from} was refused: {refusal}");
    let actor = Actor { name: "nobody".to_owned(), via: Via::Webhook };
    let service = acting_from(&call.state.service, &actor, Membership::default(), call.client.clone());
    let target = webhook.map(|webhook| AuditTarget::asset(&webhook.asset)).unwrap_or_default();
    let error = format!("the delivery to the webhook `{name}` was refused: {refusal}");
    if let Err(error) = ops::audit_refusal(&service, Action::Emit, target, &error, 0).await {
        tracing::warn!("a refused delivery is not in the audit trail: {error}");
    }
}

/// For fuzzing: reads a delivery in all schemes.
pub(super) fn read_any(headers: &axum::http::HeaderMap, body: &[u8], tolerance: std::time::Duration) {
    for scheme in WebhookScheme::ALL {
        let _ = verify(scheme, headers, body, b"key", tolerance, crate::base::Timestamp::EPOCH);
    }
}
