//! What is known of the provider: its discovery document and its keys.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::Mutex;

use super::jwk::Key;
use super::outgoing::{Outgoing, is_safe};
use crate::base::text::bounded;

/// What is older is fetched again before it is used.
const FRESH: Duration = Duration::from_secs(3_600);
/// What is older is not used, even if nothing newer can be fetched.
const USABLE: Duration = Duration::from_secs(86_400);
/// How long nothing is fetched after a failure.
const PAUSE: Duration = Duration::from_secs(2);
/// How often keys are fetched because a token has an unknown one.
const ANEW: Duration = Duration::from_secs(60);

/// Why the provider is of no use. Its display is for the log of the server.
#[derive(Clone, Debug, thiserror::Error)]
pub(in crate::server) enum ProviderError {
    #[error("{0}; `issuer` in [serve.oidc] is the address of the provider")]
    Unreachable(String),
    #[error("its {what} is of no use: {reason}")]
    Answer { what: &'static str, reason: String },
    #[error(
        "`issuer` in [serve.oidc] is `{configured}`, and the provider there calls itself `{named}`; the two must be the \
         same, to the last slash"
    )]
    OtherIssuer { configured: String, named: String },
    #[error("it does not accept `client_id` and `client_secret` in [serve.oidc]")]
    Client,
    #[error("it does not accept the code: it has expired, or was used already")]
    Code,
}

/// The discovery document (OpenID Connect Discovery, 3).
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Document {
    issuer: String,
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Whether its answers say that they are from it (RFC 9207).
    #[serde(default, rename = "authorization_response_iss_parameter_supported")]
    pub(super) names_itself: bool,
}

impl Document {
    /// Whether the secret of the client stands in a header: the default of the standard.
    pub(super) fn takes_basic(&self) -> bool {
        self.token_endpoint_auth_methods_supported
            .as_ref()
            .is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"))
    }
}

/// What was fetched.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) document: Document,
    pub(super) keys: Vec<Key>,
    at: Instant,
}

/// The provider.
#[derive(Debug)]
pub(super) struct Provider {
    issuer: String,
    /// Held while something is fetched.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: Option<Arc<Known>>,
    failed: Option<(Instant, ProviderError)>,
    anew: Option<Instant>,
}

impl Provider {
    pub(super) fn new(issuer: String) -> Self {
        Provider { issuer, state: Mutex::default() }
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What is known, not older than an hour if the provider answers.
    pub(super) async fn known(&self) -> Result<Arc<Known>, ProviderError> {
        let mut state = self.state.lock().await;
        match &state.known {
            Some(known) if known.at.elapsed() < FRESH => return Ok(Arc::clone(known)),
            _ => {}
        }
        let usable = state.known.clone().filter(|known| known.at.elapsed() < USABLE);
        match (self.fetch(&mut state).await, usable) {
            (Err(error), Some(known)) => {
                tracing::warn!("what is known of the provider of [serve.oidc] is getting old: {error}");
                Ok(known)
            }
            (fetched, _) => fetched,
        }
    }

    /// What is known now, for a token whose key was not known.
    pub(super) async fn known_anew(&self) -> Result<Arc<Known>, ProviderError> {
        let mut state = self.state.lock().await;
        if let (Some(last), Some(known)) = (state.anew, &state.known)
            && last.elapsed() < ANEW
        {
            return Ok(Arc::clone(known));
        }
        let known = self.fetch(&mut state).await?;
        state.anew = Some(Instant::now());
        Ok(known)
    }

    async fn fetch(&self, state: &mut State) -> Result<Arc<Known>, ProviderError> {
        if let Some((at, error)) = &state.failed
            && at.elapsed() < PAUSE
        {
            return Err(error.clone());
        }
        match self.ask().await {
            Ok(known) => {
                state.failed = None;
                Ok(Arc::clone(state.known.insert(Arc::new(known))))
            }
            Err(error) => {
                state.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn ask(&self) -> Result<Known, ProviderError> {
        let what = "discovery document";
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let document: Document = json(what, url).await?;
        if document.issuer != self.issuer {
            let (configured, named) = (self.issuer.clone(), bounded(&document.issuer, 200).into_owned());
            return Err(ProviderError::OtherIssuer { configured, named });
        }
        for url in [&document.authorization_endpoint, &document.token_endpoint, &document.jwks_uri] {
            if !is_safe(url) || url.contains('#') || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
                let reason = format!("`{}` is not an address with https://", bounded(url, 200));
                return Err(ProviderError::Answer { what, reason });
            }
        }
        let what = "set of keys";
        let set: serde_json::Value = json(what, document.jwks_uri.clone()).await?;
        let keys = Key::of_set(&set).filter(|keys| !keys.is_empty());
        let none = || ProviderError::Answer { what, reason: "it has no key for signatures".to_owned() };
        Ok(Known { document, keys: keys.ok_or_else(none)?, at: Instant::now() })
    }
}

async fn json<T: serde::de::DeserializeOwned>(what: &'static str, url: String) -> Result<T, ProviderError> {
    let answer = Outgoing::Get { url }.send().await.map_err(ProviderError::Unreachable)?;
    let failed = |reason: String| ProviderError::Answer { what, reason };
    if answer.status != 200 {
        return Err(failed(format!("the status is {}{}", answer.status, answer.excerpt())));
    }
    serde_json::from_str(&answer.body).map_err(|error| failed(error.to_string()))
}

/// For fuzzing: reads a text as a discovery document.
pub(super) fn read_any(text: &str) {
    let _ = is_safe(text);
    if let Ok(document) = serde_json::from_str::<Document>(text) {
        let _ = (document.takes_basic(), is_safe(&document.jwks_uri));
    }
}
