//! How a delivery is signed, by scheme.
//!
//! | scheme | signature | signed | id | time |
//! |---|---|---|---|---|
//! | `standard` | `webhook-signature: v1,BASE64 ..` | `ID.TIME.BODY` | `webhook-id` | `webhook-timestamp` |
//! | `github` | `x-hub-signature-256: sha256=HEX` | `BODY` | `x-github-delivery` | none |
//! | `stripe` | `stripe-signature: t=TIME,v1=HEX,..` | `TIME.BODY` | `id` in the body | in the signature |
//!
//! Several signatures are those of several secrets, while the sender changes its secret: one that
//! is right suffices. Signatures of other versions are ignored.

use std::fmt;
use std::time::Duration;

use axum::http::HeaderMap;
use base64ct::{Base64, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::base::{Timestamp, from_hex};
use crate::config::{Webhook, WebhookScheme};

/// The bytes of a signature.
type Signature = [u8; 32];

/// The fewest bytes of a secret.
const SHORTEST: usize = 16;
/// The most characters of an id.
const ID: usize = 200;
/// The most signatures of a delivery.
const SIGNATURES: usize = 8;

/// What a signed delivery says about itself, besides its body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Delivery {
    /// `None`: it is in the body.
    pub(super) id: Option<String>,
    /// What has happened, if the scheme says so beside the body.
    pub(super) kind: Option<String>,
}

/// Why a request is no delivery. For the audit trail, never for the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no webhook of this name.
    Unknown,
    /// Its secret cannot be read.
    Secret(String),
    /// A header is not there, or not what it should be.
    Header(&'static str),
    /// Its time is too far from that of the server.
    Time { tolerance: Duration },
    /// No signature is right.
    Signature,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Unknown => f.write_str("there is no webhook of this name in [webhooks] of taskflow.toml"),
            Refusal::Secret(reason) => f.write_str(reason),
            Refusal::Header(name) => write!(f, "the header {name} is missing or not valid"),
            Refusal::Time { tolerance } => {
                let tolerance = crate::base::units::duration(*tolerance);
                write!(f, "its time is more than {tolerance} from the clock of this server")
            }
            Refusal::Signature => f.write_str("its signature is not that of the secret and the body"),
        }
    }
}

/// The key that a secret is the text of.
///
/// # Errors
///
/// What is wrong with the text.
pub(super) fn key(webhook: &Webhook, secret: &str) -> Result<Vec<u8>, String> {
    let key = match (webhook.scheme, secret.strip_prefix("whsec_")) {
        (WebhookScheme::Standard, Some(encoded)) => Base64::decode_vec(encoded)
            .map_err(|_| "its secret begins with `whsec_`, and no Base64 follows".to_owned())?,
        _ => secret.as_bytes().to_vec(),
    };
    match key.len() < SHORTEST {
        true => Err(format!("its secret has fewer than {SHORTEST} bytes; `openssl rand -hex 32` makes one")),
        false => Ok(key),
    }
}

/// What a scheme finds in the head of a request.
#[derive(Debug)]
struct Parts {
    delivery: Delivery,
    /// Signed before the body.
    prefix: String,
    time: Option<i64>,
    signatures: Vec<Signature>,
}

/// The HMAC-SHA256 of the parts, one after the other.
fn sign(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    // A key may have any length.
    let mac = Hmac::new_from_slice(key).expect("an HMAC takes keys of any length");
    parts.iter().fold(mac, Hmac::chain_update)
}

/// Checks a delivery. One HMAC is computed in every case, so that the time of the answer does not
/// say what is wrong.
pub(super) fn verify(
    scheme: WebhookScheme,
    headers: &HeaderMap,
    body: &[u8],
    key: &[u8],
    tolerance: Duration,
    now: Timestamp,
) -> Result<Delivery, Refusal> {
    let parts = parts(scheme, headers);
    let (prefix, signatures) = match &parts {
        Ok(parts) => (parts.prefix.as_bytes(), &*parts.signatures),
        Err(_) => (&b""[..], &[][..]),
    };
    let mac = sign(key, &[prefix, body]);
    let is_right = |signature: &Signature| mac.clone().verify_slice(signature).is_ok();
    let is_signed = signatures.iter().fold(false, |is_signed, signature| is_signed | is_right(signature));
    let Parts { delivery, time, .. } = parts?;
    if !is_signed {
        return Err(Refusal::Signature);
    }
    if time.is_some_and(|time| (now.as_nanos() / 1_000_000_000).abs_diff(time) > tolerance.as_secs()) {
        return Err(Refusal::Time { tolerance });
    }
    Ok(delivery)
}

fn parts(scheme: WebhookScheme, headers: &HeaderMap) -> Result<Parts, Refusal> {
    match scheme {
        WebhookScheme::Standard => {
            let id = required(headers, "webhook-id", |id| is_id(id) && !id.contains('.'))?;
            let time = required(headers, "webhook-timestamp", |time| read_time(time).is_some())?;
            let signatures = required(headers, "webhook-signature", |_| true)?;
            let of_version = signatures.split(' ').filter_map(|signature| signature.strip_prefix("v1,"));
            Ok(Parts {
                delivery: Delivery { id: Some(id.to_owned()), kind: None },
                prefix: format!("{id}.{time}."),
                time: read_time(time),
                signatures: of_version.take(SIGNATURES).filter_map(of_base64).collect(),
            })
        }
        WebhookScheme::Github => {
            let id = required(headers, "x-github-delivery", is_id)?;
            let signature = required(headers, "x-hub-signature-256", |_| true)?;
            let kind = required(headers, "x-github-event", is_id).ok();
            Ok(Parts {
                delivery: Delivery { id: Some(id.to_owned()), kind: kind.map(str::to_owned) },
                prefix: String::new(),
                time: None,
                signatures: signature.strip_prefix("sha256=").and_then(from_hex).into_iter().collect(),
            })
        }
        WebhookScheme::Stripe => {
            let name = "stripe-signature";
            let header = required(headers, name, |_| true)?;
            let of = |wanted: &'static str| {
                let pairs = header.split(',').filter_map(|pair| pair.trim().split_once('='));
                pairs.filter(move |(key, _)| *key == wanted).map(|(_, value)| value)
            };
            let time = of("t").next().filter(|time| read_time(time).is_some()).ok_or(Refusal::Header(name))?;
            Ok(Parts {
                delivery: Delivery { id: None, kind: None },
                prefix: format!("{time}."),
                time: read_time(time),
                signatures: of("v1").take(SIGNATURES).filter_map(from_hex).collect(),
            })
        }
    }
}

/// The only header of this name, if it is valid.
fn required<'h>(
    headers: &'h HeaderMap,
    name: &'static str,
    is_valid: impl Fn(&str) -> bool,
) -> Result<&'h str, Refusal> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().and_then(|value| value.to_str().ok()).filter(|value| is_valid(value));
    value.filter(|_| values.next().is_none()).ok_or(Refusal::Header(name))
}

/// Whether a text can be the id of a delivery.
pub(super) fn is_id(text: &str) -> bool {
    (1..=ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Seconds since 1970. Only digits, so that there is one text for a time.
fn read_time(text: &str) -> Option<i64> {
    let is_plain = text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

fn of_base64(text: &str) -> Option<Signature> {
    let mut mac = Signature::default();
    let length = Base64::decode(text, &mut mac).ok()?.len();
    (length == mac.len()).then_some(mac)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::hex;

    const KEY: &[u8] = b"a secret of a partner";
    const NOW: i64 = 1_764_400_000;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        pairs.collect()
    }

    fn check(scheme: WebhookScheme, pairs: &[(&'static str, &str)], body: &str) -> Result<Delivery, Refusal> {
        let now = Timestamp::from_nanos(NOW * 1_000_000_000);
        verify(scheme, &headers(pairs), body.as_bytes(), KEY, Duration::from_secs(300), now)
    }

    fn standard(id: &str, time: i64, body: &str) -> [(&'static str, String); 3] {
        let mac = sign(KEY, &[format!("{id}.{time}.{body}").as_bytes()]).finalize().into_bytes();
        let signature = format!("v1a,other v1,{}", Base64::encode_string(&mac));
        [("webhook-id", id.to_owned()), ("webhook-timestamp", time.to_string()), ("webhook-signature", signature)]
    }

    fn check_standard(parts: &[(&'static str, String); 3], body: &str) -> Result<Delivery, Refusal> {
        let pairs = parts.each_ref().map(|(name, value)| (*name, &**value));
        check(WebhookScheme::Standard, &pairs, body)
    }

    #[test]
    fn an_example_of_github_is_signed() {
        // From its documentation, "Validating webhook deliveries".
        let secret = b"It's a Secret to Everybody";
        let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let head = headers(&[("x-hub-signature-256", signature), ("x-github-delivery", "72d3162e-cc78")]);
        let check = |body: &[u8]| verify(WebhookScheme::Github, &head, body, secret, Duration::ZERO, Timestamp::EPOCH);
        let expected = Delivery { id: Some("72d3162e-cc78".to_owned()), kind: None };
        assert_eq!(check(b"Hello, World!"), Ok(expected));
        assert_eq!(check(b"Hello, World"), Err(Refusal::Signature));
    }

    #[test]
    fn an_example_of_standard_webhooks_is_signed() {
        // From its specification.
        let webhook = Webhook {
            asset: String::new(),
            secret: String::new(),
            scheme: WebhookScheme::Standard,
            tolerance: Duration::from_secs(300),
            partition: None,
            events: Vec::new(),
        };
        let key = key(&webhook, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let head = headers(&[
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ]);
        let now = Timestamp::from_nanos(1_614_265_330 * 1_000_000_000);
        let verified = verify(WebhookScheme::Standard, &head, br#"{"test": 2432232314}"#, &key, webhook.tolerance, now);
        assert_eq!(verified.map(|delivery| delivery.id), Ok(Some("msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned())));
    }

    #[test]
    fn a_delivery_of_stripe_has_its_time_in_the_signature() {
        let sign = |time: i64| hex(&sign(KEY, &[format!("{time}.{{}}").as_bytes()]).finalize().into_bytes());
        let header = |time: i64, signature: &str| format!("t={time}, v1=00ff,v1={signature},v0={}", "0".repeat(64));
        let check = |header: &str| check(WebhookScheme::Stripe, &[("stripe-signature", header)], "{}");
        assert_eq!(check(&header(NOW, &sign(NOW))), Ok(Delivery { id: None, kind: None }));
        assert_eq!(check(&header(NOW, &sign(NOW + 1))), Err(Refusal::Signature));
        let old = NOW - 301;
        assert!(matches!(check(&header(old, &sign(old))), Err(Refusal::Time { .. })));
        assert_eq!(check(&format!("v1={}", sign(NOW))), Err(Refusal::Header("stripe-signature")));
    }

    #[test]
    fn a_time_outside_of_the_tolerance_is_refused_in_both_directions() {
        for (time, is_accepted) in [(-301, false), (-300, true), (0, true), (300, true), (301, false)] {
            let checked = check_standard(&standard("a", NOW + time, "{}"), "{}");
            assert_eq!(checked.is_ok(), is_accepted, "{time}: {checked:?}");
        }
        for time in ["", "-1", "+1", " 1", "1.0", "0x1", "9999999999999", "now"] {
            let mut parts = standard("a", NOW, "{}");
            time.clone_into(&mut parts[1].1);
            assert_eq!(check_standard(&parts, "{}"), Err(Refusal::Header("webhook-timestamp")), "{time}");
        }
    }

    #[test]
    fn what_is_signed_cannot_be_divided_in_another_way() {
        // `a.1` and `2`, where `a` and `1` were signed with a body that begins with `2.`.
        let [_, _, (_, signature)] = standard("a", 1, "2.{}");
        let pairs = [("webhook-id", "a.1"), ("webhook-timestamp", "2"), ("webhook-signature", &*signature)];
        assert_eq!(check(WebhookScheme::Standard, &pairs, "{}"), Err(Refusal::Header("webhook-id")));
    }

    #[test]
    fn a_header_that_is_there_twice_is_refused() {
        for index in 0..3 {
            let parts = standard("a", NOW, "{}");
            let mut head = headers(&parts.each_ref().map(|(name, value)| (*name, &**value)));
            head.append(parts[index].0, parts[index].1.parse().unwrap());
            let now = Timestamp::from_nanos(NOW * 1_000_000_000);
            let verified = verify(WebhookScheme::Standard, &head, b"{}", KEY, Duration::from_secs(300), now);
            assert_eq!(verified, Err(Refusal::Header(parts[index].0)));
        }
    }

    proptest! {
        #[test]
        fn nothing_but_the_signed_bytes_is_accepted(body in ".{0,40}", other in ".{0,40}", id in "[a-z]{1,9}") {
            let parts = standard(&id, NOW, &body);
            prop_assert!(check_standard(&parts, &body).is_ok());
            prop_assert_eq!(check_standard(&parts, &other).is_ok(), other == body);
        }

        #[test]
        fn no_header_makes_it_panic(value in "[ -~]{0,120}", scheme in 0..3_usize) {
            let names = ["webhook-id", "webhook-timestamp", "webhook-signature", "x-hub-signature-256",
                "x-github-delivery", "stripe-signature"];
            let pairs = names.map(|name| (name, &*value));
            let checked = check(WebhookScheme::ALL[scheme], &pairs, "{}");
            prop_assert!(checked.is_err());
        }
    }
}
