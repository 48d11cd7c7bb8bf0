//! The exchange of a code for an ID token (RFC 6749, 4.1.3; RFC 7636).

use base64ct::{Base64, Encoding as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::outgoing::Outgoing;
use super::provider::{Document, ProviderError};
use crate::base::text::bounded;
use crate::config::Secret;

/// This server, as the provider knows it.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) id: String,
    /// A client without one is authenticated by the verifier only.
    pub(super) secret: Option<Secret>,
    /// Where the provider leads back to.
    pub(super) redirect: String,
}

#[derive(Deserialize)]
struct Granted {
    id_token: Option<String>,
}

#[derive(Default, Deserialize)]
struct Refused {
    #[serde(default)]
    error: String,
}

impl Client {
    /// The ID token for a code.
    pub(super) async fn redeem(
        &self,
        document: &Document,
        code: &str,
        verifier: String,
    ) -> Result<String, ProviderError> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect),
            ("code_verifier", &verifier),
        ];
        let mut authorization = None;
        match &self.secret {
            Some(secret) if document.takes_basic() => {
                let pair = format!("{}:{}", encode(&self.id), encode(secret.expose()));
                authorization = Some(format!("Basic {}", Base64::encode_string(pair.as_bytes())));
            }
            Some(secret) => form.extend([("client_id", &*self.id), ("client_secret", secret.expose())]),
            None => form.push(("client_id", &self.id)),
        }
        let url = document.token_endpoint.clone();
        let request = Outgoing::Form { url, authorization, body: encoded(&form) };
        let answer = request.send().await.map_err(ProviderError::Unreachable)?;
        if answer.status != 200 {
            let refused: Refused = serde_json::from_str(&answer.body).unwrap_or_default();
            return Err(match &*refused.error {
                "invalid_client" | "unauthorized_client" => ProviderError::Client,
                "invalid_grant" => ProviderError::Code,
                error => ProviderError::Answer {
                    what: "token endpoint",
                    reason: format!("the status is {} and the error is {:?}", answer.status, bounded(error, 100)),
                },
            });
        }
        let granted: Option<Granted> = serde_json::from_str(&answer.body).ok();
        granted.and_then(|granted| granted.id_token).ok_or_else(|| ProviderError::Answer {
            what: "token endpoint",
            reason: "the answer has no `id_token`".to_owned(),
        })
    }
}

/// What stays as it is in a query or a form.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn encode(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// A query or a form.
pub(super) fn encoded(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| format!("{name}={}", encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// For fuzzing: reads a text as the answer to a code.
pub(super) fn read_any(text: &str) {
    let _ = (serde_json::from_str::<Granted>(text), serde_json::from_str::<Refused>(text));
}
