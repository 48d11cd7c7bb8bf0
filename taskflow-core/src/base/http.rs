//! A small blocking HTTP client for webhooks, sensors and clusters.
//!
//! A redirect can send a request, with its secrets, anywhere. Those of GET requests without headers
//! are followed within the same origin (scheme, host and port); all others are the response, for
//! the caller to report.

use std::fmt;
use std::time::Duration;

use ureq::http::Uri;

use super::error::BoxError;

/// The most bytes of a body that are read.
const BODY: u64 = 1 << 20;
/// The most characters of a body that messages show.
const SHOWN: usize = 200;
/// The most redirects that are followed.
const REDIRECTS: usize = 5;

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
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let host = origin(&uri).ok_or_else(wrong)?;
        Ok(Address { url: url.to_owned(), host })
    }

    /// The address that a `Location` header names.
    fn resolved(&self, location: &str) -> Option<Address> {
        if location.contains("://") {
            return Address::new(location).ok();
        }
        let uri: Uri = self.url.parse().ok()?;
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
        let url = match location {
            _ if location.starts_with("//") => format!("{scheme}:{location}"),
            _ if location.starts_with('/') => format!("{scheme}://{authority}{location}"),
            _ if location.starts_with('?') => format!("{scheme}://{authority}{}{location}", uri.path()),
            _ => {
                let directory = uri.path().rsplit_once('/').map_or("", |(directory, _)| directory);
                format!("{scheme}://{authority}{directory}/{location}")
            }
        };
        Address::new(&url).ok()
    }

    fn hide(&self, text: &str) -> String {
        text.replace(&self.url, &self.host)
    }
}

/// Hides the rest of the address, as its display does.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)
    }
}

/// Scheme, host and port of an HTTP URL, the default port left out.
fn origin(uri: &Uri) -> Option<String> {
    let (scheme @ ("http" | "https"), host) = (uri.scheme_str()?, uri.host()?) else { return None };
    let default = if scheme == "http" { 80 } else { 443 };
    let port = uri.port_u16().filter(|&port| port != default).map(|port| format!(":{port}")).unwrap_or_default();
    (!host.is_empty()).then(|| format!("{scheme}://{}{port}", host.to_ascii_lowercase()))
}

/// The response of a server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// The version of the body, if the server names it.
    pub(crate) etag: Option<String>,
    /// Where the server wants the request to be sent instead.
    pub(crate) redirect: Option<Address>,
}

impl Answer {
    /// The beginning of the body, or where a redirect leads to, for messages.
    pub(crate) fn excerpt(&self) -> String {
        if let Some(elsewhere) = &self.redirect {
            return format!(", a redirect to {elsewhere} that is not followed: use the address that it leads to");
        }
        let line = self.body.trim();
        match line.is_empty() {
            true => String::new(),
            false => format!(": {}", line.chars().take(SHOWN).collect::<String>()),
        }
    }
}

/// Sends a GET request. Redirects within the same origin are followed.
///
/// # Errors
///
/// If there is no response.
pub(crate) fn get(address: &Address, patience: Duration) -> Result<Answer, BoxError> {
    let mut answer = get_with(address, &[], patience)?;
    for _ in 0..REDIRECTS {
        match &answer.redirect {
            Some(next) if next.host == address.host => answer = get_with(next, &[], patience)?,
            _ => break,
        }
    }
    Ok(answer)
}

/// Like [`get`], with headers, which may be secret: no redirect is followed.
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
        .max_redirects(0)
        .max_redirects_will_error(false)
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
    let location = answer.headers().get("location").filter(|_| matches!(status, 301 | 302 | 303 | 307 | 308));
    let redirect = location.and_then(|location| address.resolved(location.to_str().ok()?));
    let etag = answer.headers().get("etag").and_then(|etag| Some(etag.to_str().ok()?.to_owned()));
    let body = answer.body_mut().with_config().limit(BODY).lossy_utf8(true).read_to_string().map_err(failed)?;
    Ok(Answer { status, body, etag, redirect })
}

/// For fuzzing: reads a text as an address, and as where an answer leads to.
pub(crate) fn read_any(text: &str) {
    for url in ["http://example.com:8080/a/b?c=d", text] {
        let Ok(address) = Address::new(url) else { continue };
        let redirect = address.resolved(text);
        let _ = address.hide(text);
        let _ = Answer { status: 302, body: text.to_owned(), etag: None, redirect }.excerpt();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_its_origin_only() {
        let address = Address::new("https://me:pw@Example.com:443/hook?token=t").unwrap();
        assert_eq!(
            (address.to_string(), format!("{address:?}")),
            ("https://example.com".to_owned(), "Address(https://example.com)".to_owned())
        );
        assert!(Address::new("ftp://example.com").is_err() && Address::new("example.com").is_err());
    }

    #[test]
    fn locations_are_relative_to_the_address() {
        let address = Address::new("http://example.com:8080/a/b?c=d").unwrap();
        let url = |location| address.resolved(location).map(|address| address.url);
        assert_eq!(url("/x").as_deref(), Some("http://example.com:8080/x"));
        assert_eq!(url("x?y").as_deref(), Some("http://example.com:8080/a/x?y"));
        assert_eq!(url("?y").as_deref(), Some("http://example.com:8080/a/b?y"));
        assert_eq!(url("//other/x").as_deref(), Some("http://other/x"));
        assert_eq!(url("file:///etc/passwd"), None);
    }
}
