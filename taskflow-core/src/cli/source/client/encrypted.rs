//! A request over TLS, with the client of the feature `http`.

use std::time::Duration;

use super::connection::Opened;
#[cfg(feature = "http")]
use super::connection::Unread;
#[cfg(feature = "http")]
use super::{ANSWER, CONNECT};
use crate::cli::source::address::Address;

#[cfg(feature = "http")]
pub(super) fn encrypted(
    address: &Address,
    target: &str,
    request: axum::http::request::Builder,
    body: Vec<u8>,
    silence: Option<Duration>,
) -> Result<Opened, String> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_connect(Some(CONNECT))
        .timeout_per_read(silence)
        .timeout_global(silence.is_none().then_some(ANSWER));
    let config = match authorities()? {
        Some(roots) => config.tls_config(ureq::tls::TlsConfig::builder().root_certs(roots).build()).build(),
        None => config.build(),
    };
    let request = request.uri(format!("https://{}{target}", address.authority)).body(body);
    let request = request.map_err(|error| error.to_string())?;
    let response = ureq::Agent::from(config).run(request).map_err(|error| error.to_string())?;
    let (head, body) = response.into_parts();
    Ok(Opened { head, body: Unread::Encrypted(body.into_with_config().limit(u64::MAX).reader()) })
}

/// The authorities in the file of `SSL_CERT_FILE`, as other programs have it, such as that of a
/// certificate of one's own; in place of those that browsers trust.
#[cfg(feature = "http")]
fn authorities() -> Result<Option<ureq::tls::RootCerts>, String> {
    use ureq::tls::PemItem;

    let Some(path) = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) else { return Ok(None) };
    let path = std::path::PathBuf::from(path);
    let cannot = |reason: String| format!("SSL_CERT_FILE: {}: {reason}", path.display());
    let text = std::fs::read(&path).map_err(|error| cannot(error.to_string()))?;
    let items = ureq::tls::parse_pem(&text).filter_map(Result::ok);
    let authorities: Vec<_> = items
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect();
    match authorities.is_empty() {
        true => Err(cannot("it has no certificate in PEM".to_owned())),
        false => Ok(Some(ureq::tls::RootCerts::new_with_certs(&authorities))),
    }
}

#[cfg(not(feature = "http"))]
pub(super) fn encrypted(
    _: &Address,
    _: &str,
    _: axum::http::request::Builder,
    _: Vec<u8>,
    _: Option<Duration>,
) -> Result<Opened, String> {
    Err("this program is built without the feature `http`, which has TLS; an SSH tunnel needs none".to_owned())
}
