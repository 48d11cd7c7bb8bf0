//! Requests to servers: a small blocking client, for webhooks and sensors.

use std::fmt;
use std::time::Duration;

use super::error::BoxError;

/// How much of a body is read, in bytes.
const BODY: u64 = 1 << 20;
/// How much of it is shown in messages, in characters.
const SHOWN: usize = 200;

/// An address of a server. Shown without what may be secret in it: only scheme and host.
#[derive(Clone)]
pub(crate) struct Address {
    url: String,
    host: String,
}

impl Address {
    /// # Errors
    ///
    /// When it is none of HTTP.
    pub(crate) fn new(url: &str) -> Result<Self, BoxError> {
        let wrong = || "the address is none of a web server: it begins with `http://` or `https://`";
        let uri: ureq::http::Uri = url.parse().map_err(|_| wrong())?;
        let host = match (uri.scheme_str(), uri.host()) {
            (Some(scheme @ ("http" | "https")), Some(host)) if !host.is_empty() => {
                let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
                format!("{scheme}://{host}{port}")
            }
            _ => return Err(wrong().into()),
        };
        Ok(Address { url: url.to_owned(), host })
    }

    fn hide(&self, text: &str) -> String {
        text.replace(&self.url, &self.host)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)
    }
}

/// What a server answers.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    /// The beginning of the body, for messages.
    pub(crate) fn said(&self) -> String {
        let line = self.body.trim();
        match line.is_empty() {
            true => String::new(),
            false => format!(": {}", line.chars().take(SHOWN).collect::<String>()),
        }
    }
}

/// Asks for what is at an address.
///
/// # Errors
///
/// When there is no answer.
pub(crate) fn get(address: &Address, patience: Duration) -> Result<Answer, BoxError> {
    get_with(address, &[], patience)
}

/// As [`get`], with headers.
///
/// # Errors
///
/// When there is no answer.
pub(crate) fn get_with(
    address: &Address,
    headers: &[(String, String)],
    patience: Duration,
) -> Result<Answer, BoxError> {
    read(address, with(agent(patience).get(&address.url), headers).call())
}

/// Sends a text to an address.
///
/// # Errors
///
/// When there is no answer.
pub(crate) fn post(
    address: &Address,
    headers: &[(String, String)],
    body: &str,
    patience: Duration,
) -> Result<Answer, BoxError> {
    read(address, with(agent(patience).post(&address.url), headers).send(body))
}

/// What a request does to what is at an address.
#[cfg(feature = "spark")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Put,
    Delete,
}

/// As [`get_with`], with a body for [`Verb::Put`], to a server whose certificate may be of an authority of its own (PEM).
///
/// # Errors
///
/// When there is no answer, or the authority is none.
#[cfg(feature = "spark")]
pub(crate) fn request(
    verb: Verb,
    address: &Address,
    headers: &[(String, String)],
    body: &str,
    authority: Option<&[u8]>,
    patience: Duration,
) -> Result<Answer, BoxError> {
    let agent = match authority {
        None => agent(patience),
        Some(pem) => {
            let certificate = ureq::tls::Certificate::from_pem(pem)
                .map_err(|error| BoxError::from(format!("the certificate of the authority cannot be read: {error}")))?;
            let roots = ureq::tls::RootCerts::new_with_certs(&[certificate]);
            config(patience).tls_config(ureq::tls::TlsConfig::builder().root_certs(roots).build()).build().into()
        }
    };
    let answered = match verb {
        Verb::Get => with(agent.get(&address.url), headers).call(),
        Verb::Delete => with(agent.delete(&address.url), headers).call(),
        Verb::Put => with(agent.put(&address.url), headers).send(body),
    };
    read(address, answered)
}

fn with<B>(request: ureq::RequestBuilder<B>, headers: &[(String, String)]) -> ureq::RequestBuilder<B> {
    headers.iter().fold(request, |request, (name, value)| request.header(name, value))
}

fn agent(patience: Duration) -> ureq::Agent {
    config(patience).build().into()
}

fn config(patience: Duration) -> ureq::config::ConfigBuilder<ureq::typestate::AgentScope> {
    ureq::Agent::config_builder()
        .timeout_global(Some(patience))
        .http_status_as_error(false)
        .user_agent(concat!("taskflow/", env!("CARGO_PKG_VERSION")))
}

fn read(
    address: &Address,
    answered: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<Answer, BoxError> {
    let failed =
        |error: ureq::Error| BoxError::from(format!("no answer from {address}: {}", address.hide(&error.to_string())));
    let mut answer = answered.map_err(failed)?;
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(BODY).lossy_utf8(true).read_to_string().map_err(failed)?;
    Ok(Answer { status, body })
}
