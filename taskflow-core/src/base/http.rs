//! A small blocking HTTP client for webhooks and sensors.

use std::fmt;
use std::time::Duration;

use super::error::BoxError;

/// The most bytes of a body that are read.
const BODY: u64 = 1 << 20;
/// The most characters of a body that messages show.
const SHOWN: usize = 200;

/// The address of a server. It displays only scheme and host, because the rest may be secret.
#[derive(Clone)]
pub(crate) struct Address {
    url: String,
    host: String,
}

impl Address {
    /// # Errors
    ///
    /// If it is not an HTTP or HTTPS URL.
    pub(crate) fn new(url: &str) -> Result<Self, BoxError> {
        let wrong = || "the address must begin with `http://` or `https://`";
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

/// The response of a server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    /// The beginning of the body, for messages.
    pub(crate) fn excerpt(&self) -> String {
        let line = self.body.trim();
        match line.is_empty() {
            true => String::new(),
            false => format!(": {}", line.chars().take(SHOWN).collect::<String>()),
        }
    }
}

/// Sends a GET request.
///
/// # Errors
///
/// If there is no response.
pub(crate) fn get(address: &Address, patience: Duration) -> Result<Answer, BoxError> {
    get_with(address, &[], patience)
}

/// Like [`get`], with headers.
///
/// # Errors
///
/// If there is no response.
pub(crate) fn get_with(
    address: &Address,
    headers: &[(String, String)],
    patience: Duration,
) -> Result<Answer, BoxError> {
    read(address, with(agent(patience).get(&address.url), headers).call())
}

/// Sends a text in a POST request.
///
/// # Errors
///
/// If there is no response.
pub(crate) fn post(
    address: &Address,
    headers: &[(String, String)],
    body: &str,
    patience: Duration,
) -> Result<Answer, BoxError> {
    read(address, with(agent(patience).post(&address.url), headers).send(body))
}

/// The method of a request.
#[cfg(feature = "spark")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Put,
    Delete,
}

/// Like [`get_with`], with a body for [`Verb::Put`]. `authority`, in PEM, replaces the root
/// certificates of the system.
///
/// # Errors
///
/// If there is no response, or the certificate of the authority is invalid.
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
