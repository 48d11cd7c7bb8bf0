//! Log-in with OpenID Connect: the authorisation code flow with PKCE.
//!
//! # A log-in
//!
//! 1. The log-in page has a link to `/login/oidc`. It is a link and no form, because the policy
//!    `form-action` would stop the redirect that follows.
//! 2. [`Attempt::new`] draws a secret of 256 bits. A cookie keeps it, with the time and the way
//!    back, for ten minutes. *State*, *nonce* and *verifier* are digests of that cookie, each with
//!    a label of its own, so the server keeps nothing, and whoever sees one learns no other.
//! 3. The browser is led to the provider with the state, the nonce, and the digest of the verifier.
//!    The address of the provider comes from its discovery document, never from the request.
//! 4. The provider leads back to `/login/oidc/callback` below `public_url` with a code and the
//!    state. The cookie ends there, unless there were too many attempts. The state must be that of
//!    the cookie: the log-in has begun in this browser, and nobody has changed the cookie. An `iss`
//!    must be that of the provider.
//! 5. The server exchanges the code, with the verifier, for an ID token. A stolen code is worth
//!    nothing without the verifier, and the provider takes a code once.
//! 6. [`id_token`] checks the token, in this order: its signature, by a key of the provider and an
//!    algorithm that belongs to that key; `iss`; `aud` and `azp`; `exp`, `iat` and `nbf` with a
//!    minute of tolerance; the nonce; `sub`.
//! 7. Issuer and subject are the person. The groups decide the roles:
//!    [`accounts::enter`](crate::ops::accounts::enter) begins one of our own sessions, or nobody is
//!    let in.
//! 8. The browser is led to the page that was asked for, which is one of ours.
//!
//! Whatever fails leads to the log-in page with a sentence from a fixed list; the log of the server
//! has the reason. Nothing that the provider or the browser has sent is part of a page.
//!
//! # Discovery and keys
//!
//! 1. They are fetched when the server starts, and before a log-in if they are older than an hour.
//!    One request fetches at a time, and others wait for it.
//! 2. If that fails, those known so far are used for a day. Without any, log-ins fail, and it is
//!    tried again after two seconds at the earliest. Users with a password do not notice.
//! 3. A token with a key that is not known makes the keys be fetched again, at most once a minute:
//!    a provider that has just changed its keys is understood, and forged tokens cause no requests.
//!
//! Requests to the provider have a time limit, a size limit and threads of their own, at most four,
//! so a slow provider takes no thread from those who read. Redirects are not followed. Everything
//! but a provider on this machine is asked over HTTPS.

mod attempt;
mod exchange;
mod id_token;
mod jwk;
mod outgoing;
mod provider;
mod settings;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

pub(in crate::server) use self::attempt::{Attempt, PATIENCE};
use self::exchange::Client;
use self::id_token::{Expected, TokenError};
use self::provider::Provider;
pub(in crate::server) use self::provider::ProviderError;
use super::OidcError;
use crate::base::Timestamp;
use crate::config::Config;
use crate::ops::accounts::{GroupRoles, Identity};
use crate::server::BasePath;

/// A provider that authenticates users.
#[derive(Clone)]
pub struct Oidc(Arc<Inner>);

struct Inner {
    /// What people call the provider.
    name: String,
    client: Client,
    provider: Provider,
    scopes: String,
    name_claim: String,
    groups_claim: String,
    roles: GroupRoles,
    /// How long a session lasts at most.
    session: Duration,
}

impl fmt::Debug for Oidc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oidc").field("issuer", &self.issuer()).finish_non_exhaustive()
    }
}

/// Somebody whom the provider has authenticated.
#[derive(Debug)]
pub(in crate::server) struct Person {
    pub(in crate::server) identity: Identity,
    /// What the provider calls them.
    pub(in crate::server) called: String,
}

/// Why a log-in failed. Its display is for the log of the server.
#[derive(Debug, thiserror::Error)]
pub(in crate::server) enum LogInError {
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error("its ID token is refused: {0}")]
    Token(#[from] TokenError),
}

impl Oidc {
    /// The provider of a configuration, for a server below a base path. `None` if there is none.
    ///
    /// # Errors
    ///
    /// When a setting is missing or makes no sense, or the secret of the client cannot be read.
    pub fn of(config: &Config, base_path: &BasePath) -> Result<Option<Self>, OidcError> {
        let inner = settings::read(config, base_path)?;
        Ok(inner.map(|inner| Oidc(Arc::new(inner))))
    }

    /// What people call the provider.
    pub(in crate::server) fn name(&self) -> &str {
        &self.0.name
    }

    pub(in crate::server) fn issuer(&self) -> &str {
        self.0.provider.issuer()
    }

    pub(in crate::server) fn roles(&self) -> &GroupRoles {
        &self.0.roles
    }

    pub(in crate::server) fn session(&self) -> Duration {
        self.0.session
    }

    /// Fetches what is needed for log-ins, and reports in the log if that fails.
    pub(in crate::server) async fn prepare(&self) {
        if let Err(error) = self.0.provider.known().await {
            tracing::warn!("nobody can log in with {} now: {error}", self.name());
        }
    }

    /// The address at the provider that an attempt to log in leads to.
    pub(in crate::server) async fn address(&self, attempt: &Attempt) -> Result<String, LogInError> {
        let known = self.0.provider.known().await?;
        let client = &self.0.client;
        let query = exchange::encoded(&[
            ("response_type", "code"),
            ("client_id", &client.id),
            ("redirect_uri", &client.redirect),
            ("scope", &self.0.scopes),
            ("state", &attempt.state()),
            ("nonce", &attempt.nonce()),
            ("code_challenge", &attempt.challenge()),
            ("code_challenge_method", "S256"),
        ]);
        let joint = if known.document.authorization_endpoint.contains('?') { '&' } else { '?' };
        Ok(format!("{}{joint}{query}", known.document.authorization_endpoint))
    }

    /// Whether an answer says that it is from this provider, or says nothing and need not.
    pub(in crate::server) async fn is_sender(&self, iss: &str) -> Result<bool, LogInError> {
        let must_say = self.0.provider.known().await?.document.names_itself;
        Ok(if iss.is_empty() { !must_say } else { iss == self.issuer() })
    }

    /// Exchanges a code for the person who has logged in.
    pub(in crate::server) async fn redeem(&self, attempt: &Attempt, code: &str) -> Result<Person, LogInError> {
        let known = self.0.provider.known().await?;
        let token = self.0.client.redeem(&known.document, code, attempt.verifier()).await?;
        let nonce = attempt.nonce();
        let expected =
            Expected { issuer: self.issuer(), client: &self.0.client.id, nonce: &nonce, now: Timestamp::now() };
        let claims = match id_token::check(&token, &known.keys, &expected) {
            Err(TokenError::UnknownKey) => {
                let known = self.0.provider.known_anew().await?;
                id_token::check(&token, &known.keys, &expected)?
            }
            checked => checked?,
        };
        Ok(self.person(&claims))
    }

    fn person(&self, claims: &Map<String, Value>) -> Person {
        let text = |name: &str| claim(claims, name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
        let subject = text("sub").unwrap_or_default();
        let called = text(&self.0.name_claim).or_else(|| text("email")).unwrap_or(subject);
        let groups = groups(claims, &self.0.groups_claim);
        Person { identity: Identity::new(self.issuer(), subject, groups), called: called.to_owned() }
    }
}

/// A claim: a member with this name, or with a path of names such as `realm_access.roles`.
fn claim<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    claims.get(name).or_else(|| {
        let mut names = name.split('.');
        let first = claims.get(names.next()?)?;
        names.try_fold(first, |value, name| value.get(name))
    })
}

/// The most groups that are kept of a person, and the most bytes of one.
const GROUPS: usize = 500;
const GROUP: usize = 256;

/// The groups of a person: an array of texts, or one text. An address that the provider has not
/// verified is none.
fn groups(claims: &Map<String, Value>, name: &str) -> Vec<String> {
    if name == "email" && claims.get("email_verified") != Some(&Value::Bool(true)) {
        return Vec::new();
    }
    let Some(value) = claim(claims, name) else { return Vec::new() };
    let texts = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice).iter().filter_map(Value::as_str);
    texts.filter(|group| group.len() <= GROUP).take(GROUPS).map(str::to_owned).collect()
}

/// For fuzzing: reads a text as each answer of the provider.
pub(super) fn read_any(text: &str) {
    provider::read_any(text);
    exchange::read_any(text);
    let expected = Expected { issuer: "https://id", client: "taskflow", nonce: "n", now: Timestamp::EPOCH };
    let keys = serde_json::from_str::<Value>(text).ok().and_then(|set| jwk::Key::of_set(&set)).unwrap_or_default();
    let _ = id_token::check(text, &keys, &expected);
    for key in &keys {
        for alg in ["RS256", "PS512", "ES256", "ES384", "EdDSA", text] {
            let _ = (key.is_for(alg, None), key.has_signed(alg, b"message", text.as_bytes()));
        }
    }
    if let Ok(claims) = serde_json::from_str::<Map<String, Value>>(text) {
        let _ = (groups(&claims, "groups"), groups(&claims, "email"), groups(&claims, "realm_access.roles"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn groups_are_texts_at_a_name_or_a_path() {
        let claims = json!({
            "groups": ["a", 1, "b"],
            "hd": "example.com",
            "realm_access": {"roles": ["c"]},
            "https://example.com/groups": ["d"],
        });
        let claims = claims.as_object().unwrap();
        let of = |name: &str| groups(claims, name);
        assert_eq!(of("groups"), ["a", "b"]);
        assert_eq!(of("hd"), ["example.com"]);
        assert_eq!(of("realm_access.roles"), ["c"]);
        assert_eq!(of("https://example.com/groups"), ["d"]);
        for none in ["", "group", "realm_access", "realm_access.roles.0", "hd.x", "."] {
            assert_eq!(of(none), [""; 0], "{none}");
        }
    }

    #[test]
    fn an_address_counts_once_it_is_verified() {
        let of = |verified: Value| {
            let claims = json!({"email": "kim@example.com", "email_verified": verified});
            groups(claims.as_object().unwrap(), "email")
        };
        assert_eq!(of(json!(true)), ["kim@example.com"]);
        for not in [json!(false), json!("true"), json!(null)] {
            assert_eq!(of(not), [""; 0]);
        }
    }
}
