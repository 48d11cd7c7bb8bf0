//! ID tokens: what a provider says about who has logged in (OpenID Connect Core, 3.1.3.7).

use serde_json::{Map, Value};

use super::jwk::{Key, decode, is_supported};
use crate::base::Timestamp;
use crate::base::text::bounded;

/// How far the clock of the provider may be from ours, in seconds.
const TOLERANCE: f64 = 60.0;
/// The most bytes of a token.
const LONGEST: usize = 64 << 10;
/// The most characters of a subject, by the standard.
const SUBJECT: usize = 255;

/// What a token must be about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'e> {
    pub(super) issuer: &'e str,
    pub(super) client: &'e str,
    pub(super) nonce: &'e str,
    pub(super) now: Timestamp,
}

/// Why a token is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::server) enum TokenError {
    #[error("it is not a signed JSON Web Token: {0}")]
    Malformed(&'static str),
    #[error("its algorithm `{0}` is not one with a public key")]
    Algorithm(String),
    #[error("the provider has no key for it")]
    UnknownKey,
    #[error("its signature is wrong")]
    Signature,
    #[error("it is from `{0}`, not from the issuer in [serve.oidc]")]
    Issuer(String),
    #[error("it is for `{0}`, not for the `client_id` in [serve.oidc]")]
    Audience(String),
    #[error("it has expired; compare the clocks of the two machines")]
    Expired,
    #[error("it is from the future; compare the clocks of the two machines")]
    Future,
    #[error("it belongs to another log-in: its nonce differs")]
    Nonce,
    #[error("it has no subject")]
    Subject,
}

/// The claims of a token that is signed by one of the keys and is what is expected.
pub(super) fn check(token: &str, keys: &[Key], expected: &Expected<'_>) -> Result<Map<String, Value>, TokenError> {
    if token.len() > LONGEST {
        return Err(TokenError::Malformed("it is too long"));
    }
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(TokenError::Malformed("it does not have three parts"));
    };
    let message = &token[..header.len() + 1 + claims.len()];
    verify(&object(header)?, message, signature, keys)?;
    let claims = object(claims)?;
    accept(&claims, expected)?;
    Ok(claims)
}

fn object(part: &str) -> Result<Map<String, Value>, TokenError> {
    let bytes = decode(part).ok_or(TokenError::Malformed("a part is not base64"))?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed("a part is not a JSON object"))
}

fn verify(header: &Map<String, Value>, message: &str, signature: &str, keys: &[Key]) -> Result<(), TokenError> {
    let alg = header.get("alg").and_then(Value::as_str).unwrap_or_default();
    if !is_supported(alg) {
        return Err(TokenError::Algorithm(shown(alg)));
    }
    // What must be understood is not.
    if header.contains_key("crit") {
        return Err(TokenError::Malformed("it needs an extension"));
    }
    let id = header.get("kid").and_then(Value::as_str);
    let mut fitting = keys.iter().filter(|key| key.is_for(alg, id)).peekable();
    if fitting.peek().is_none() {
        return Err(TokenError::UnknownKey);
    }
    let signature = decode(signature).ok_or(TokenError::Malformed("its signature is not base64"))?;
    let is_signed = fitting.any(|key| key.has_signed(alg, message.as_bytes(), &signature));
    if is_signed { Ok(()) } else { Err(TokenError::Signature) }
}

fn accept(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), TokenError> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("iss") != expected.issuer {
        return Err(TokenError::Issuer(shown(text("iss"))));
    }
    let audience = claims.get("aud").unwrap_or(&Value::Null);
    let audiences = audience.as_array().map_or(std::slice::from_ref(audience), Vec::as_slice);
    let is_party = match claims.get("azp") {
        Some(party) => party.as_str() == Some(expected.client),
        None => audiences.len() == 1,
    };
    if !is_party || !audiences.iter().any(|audience| audience.as_str() == Some(expected.client)) {
        return Err(TokenError::Audience(shown(&audience.to_string())));
    }
    // Seconds, perhaps with a fraction.
    let time = |name: &str| claims.get(name).and_then(Value::as_f64);
    let now = expected.now.as_nanos() as f64 / 1e9;
    if time("exp").is_none_or(|expires| expires + TOLERANCE <= now) {
        return Err(TokenError::Expired);
    }
    let begun = [time("iat"), time("nbf").or(Some(0.0))];
    if begun.iter().any(|begun| begun.is_none_or(|begun| begun - TOLERANCE > now)) {
        return Err(TokenError::Future);
    }
    if text("nonce") != expected.nonce {
        return Err(TokenError::Nonce);
    }
    let subject = text("sub");
    if subject.trim().is_empty() || subject.chars().count() > SUBJECT {
        return Err(TokenError::Subject);
    }
    Ok(())
}

/// A part of what somebody else has sent, for the log.
fn shown(text: &str) -> String {
    bounded(text, 200).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    use serde_json::json;

    use super::*;

    fn part(value: &Value) -> String {
        Base64UrlUnpadded::encode_string(value.to_string().as_bytes())
    }

    /// A key, and what signs with it.
    fn pair() -> (EcdsaKeyPair, Vec<Key>) {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let point = pair.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(Base64UrlUnpadded::encode_string);
        let set = json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "a", "x": x, "y": y}]});
        (pair, Key::of_set(&set).unwrap())
    }

    fn signed(pair: &EcdsaKeyPair, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", part(header), part(claims));
        let signature = pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", Base64UrlUnpadded::encode_string(signature.as_ref()))
    }

    fn expected() -> Expected<'static> {
        let now = Timestamp::from_nanos(1_000_000 * 1_000_000_000);
        Expected { issuer: "https://id", client: "taskflow", nonce: "n", now }
    }

    fn claims() -> Value {
        json!({"iss": "https://id", "aud": "taskflow", "exp": 1_000_300, "iat": 999_990, "nonce": "n", "sub": "s"})
    }

    #[test]
    fn every_claim_is_checked() {
        let (pair, keys) = pair();
        let header = json!({"alg": "ES256", "kid": "a"});
        let with = |changes: &Value| {
            let mut claims = claims();
            for (name, value) in changes.as_object().unwrap() {
                claims[name] = value.clone();
            }
            check(&signed(&pair, &header, &claims), &keys, &expected())
        };
        for good in [
            json!({}),
            json!({"aud": ["taskflow"]}),
            json!({"aud": ["other", "taskflow"], "azp": "taskflow"}),
            json!({"exp": 999_950.5, "iat": 1_000_050}),
            json!({"nbf": 1_000_000}),
        ] {
            assert_eq!(with(&good).map(|claims| claims["sub"] == "s"), Ok(true), "{good}");
        }
        let issuer = |text: &str| TokenError::Issuer(text.to_owned());
        let audience = |text: &str| TokenError::Audience(text.to_owned());
        for (bad, error) in [
            (json!({"iss": "https://id/"}), issuer("https://id/")),
            (json!({"iss": null}), issuer("")),
            (json!({"aud": "other"}), audience("\"other\"")),
            (json!({"aud": null}), audience("null")),
            (json!({"aud": []}), audience("[]")),
            (json!({"aud": ["taskflow", "other"]}), audience("[\"taskflow\",\"other\"]")),
            (json!({"azp": "other"}), audience("\"taskflow\"")),
            (json!({"exp": 999_939}), TokenError::Expired),
            (json!({"exp": null}), TokenError::Expired),
            (json!({"exp": "1000300"}), TokenError::Expired),
            (json!({"iat": 1_000_061}), TokenError::Future),
            (json!({"iat": null}), TokenError::Future),
            (json!({"nbf": 1_000_061}), TokenError::Future),
            (json!({"nonce": "m"}), TokenError::Nonce),
            (json!({"nonce": null}), TokenError::Nonce),
            (json!({"sub": " "}), TokenError::Subject),
            (json!({"sub": 7}), TokenError::Subject),
            (json!({"sub": "s".repeat(256)}), TokenError::Subject),
        ] {
            assert_eq!(with(&bad), Err(error), "{bad}");
        }
    }

    #[test]
    fn what_is_not_signed_by_a_key_of_the_provider_is_refused() {
        let (pair, keys) = pair();
        let good = json!({"alg": "ES256", "kid": "a"});
        let token = signed(&pair, &good, &claims());
        let refused = |token: &str| check(token, &keys, &expected()).unwrap_err();
        assert_eq!(check(&signed(&pair, &json!({"alg": "ES256"}), &claims()), &keys, &expected()).map(drop), Ok(()));
        // Algorithms.
        for alg in ["none", "None", "HS256", "", "ES256K", "RS1"] {
            let header = json!({"alg": alg, "kid": "a"});
            assert_eq!(refused(&signed(&pair, &header, &claims())), TokenError::Algorithm(alg.to_owned()));
            let unsigned = format!("{}.{}.", part(&header), part(&claims()));
            assert_eq!(refused(&unsigned), TokenError::Algorithm(alg.to_owned()));
        }
        // Keys.
        for header in [json!({"alg": "ES256", "kid": "b"}), json!({"alg": "RS256", "kid": "a"})] {
            assert_eq!(refused(&signed(&pair, &header, &claims())), TokenError::UnknownKey, "{header}");
        }
        // A key that the token brings itself is none.
        let (other, _) = self::pair();
        let jwk = json!({"alg": "ES256", "kid": "a", "jwk": {"kty": "EC"}, "jku": "https://evil.test"});
        assert_eq!(refused(&signed(&other, &jwk, &claims())), TokenError::Signature);
        assert_eq!(
            refused(&signed(&pair, &json!({"alg": "ES256", "crit": ["b64"]}), &claims())),
            TokenError::Malformed("it needs an extension")
        );
        // Bytes.
        let (message, signature) = token.rsplit_once('.').unwrap();
        let changed = format!("{}.{}", part(&good), part(&json!({"sub": "admin"})));
        assert_eq!(refused(&format!("{changed}.{signature}")), TokenError::Signature);
        assert_eq!(refused(&format!("{message}.")), TokenError::Signature);
        for broken in ["", ".", "..", "a.b", &format!("{token}.a"), &format!("{message}.="), &"a".repeat(LONGEST + 1)] {
            assert!(matches!(refused(broken), TokenError::Malformed(_)), "{broken}");
        }
    }
}
