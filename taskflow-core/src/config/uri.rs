//! Connections as URIs: `postgres://user:pa%40ss@host:5432/db?sslmode=require`.
//!
//! The forms are Airflow's. Every part is percent-encoded; the extras follow the `?` as texts, or
//! all of them as one JSON object under `__extra__`. The host may have its own protocol:
//! `http://https://host/`. No message shows a part of the URI: if it is split in the wrong place,
//! any part may contain the password.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Map, Value};

use super::origin::Origin;
use super::source::Source;
use super::spec::{Extra, Spec};

const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// There may be several hosts with ports: `a:27017,b:27017`.
const HOST: &AsciiSet = &PART.remove(b',').remove(b':');
const PATH: &AsciiSet = &PART.remove(b'/').remove(b':');

const EXTRA: &str = "__extra__";

/// Reads a URI.
pub(super) fn read(text: &str, origin: &Origin) -> Result<Spec, String> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err("it is not a URI such as `postgres://user@host:5432/db`: `://` is missing".to_owned());
    };
    if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.chars().all(sign) {
        return Err("before `://`, write the kind of the connection, such as `postgres`".to_owned());
    }
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    let (protocol, place) = match place.split_once("://") {
        Some((protocol, place)) if protocol.chars().all(sign) => (Some(protocol), place),
        _ => (None, place),
    };
    let (authority, path) = place.split_once('/').unwrap_or((place, ""));
    let (user, address) = match authority.rsplit_once('@') {
        Some((user, address)) => (Some(user), address),
        None => (None, authority),
    };
    let (login, password) = match user.map(|user| user.split_once(':').map_or((user, None), |(a, b)| (a, Some(b)))) {
        Some((login, password)) => (decoded(login, "login")?, password.map(|text| decoded(text, "password"))),
        None => (None, None),
    };
    let (host, port) = host_and_port(address)?;
    let host = match (protocol, host) {
        (Some(protocol), host) => Some(format!("{protocol}://{}", host.unwrap_or_default())),
        (None, host) => host,
    };
    Ok(Spec {
        kind: Some(normalised(scheme)),
        description: None,
        host,
        port,
        login,
        password: password.transpose()?.flatten().map(|text| Source::literal(&text)),
        schema: decoded(path, "path")?,
        extra: query.map_or_else(|| Ok(BTreeMap::new()), |query| extras(query, origin))?,
    })
}

/// Whether a kind or a protocol may contain the character.
fn sign(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_')
}

/// The kind in Airflow's form: `postgresql` is `postgres`, `google-cloud-platform` is
/// `google_cloud_platform`.
pub(super) fn normalised(kind: &str) -> String {
    let kind = kind.to_ascii_lowercase().replace('-', "_");
    if kind == "postgresql" { "postgres".to_owned() } else { kind }
}

/// Percent-decodes a part; `None` if it is empty.
fn decoded(text: &str, part: &str) -> Result<Option<String>, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| format!("its {part}, percent-decoded, is not UTF-8"))?;
    Ok((!decoded.is_empty()).then(|| decoded.into_owned()))
}

fn host_and_port(address: &str) -> Result<(Option<String>, Option<u16>), String> {
    let (host, port) = match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => address.rsplit_once(':').map_or((address, None), |(host, port)| (host, Some(port))),
    };
    let number = |port: &str| {
        let reason = "the port after its host must be a number from 0 to 65535; in a login or password, write `@`, \
                      `:`, `/` and `?` as %40, %3A, %2F and %3F";
        port.parse().map_err(|_| reason.to_owned())
    };
    let port = port.filter(|port| !port.is_empty()).map(number).transpose()?;
    Ok((decoded(host, "host")?, port))
}

fn extras(query: &str, origin: &Origin) -> Result<BTreeMap<String, Extra>, String> {
    let mut extras = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let part = |text: &str| decoded(&text.replace('+', " "), "query").map(Option::unwrap_or_default);
        let (key, value) = (part(key)?, part(value)?);
        if key != EXTRA {
            extras.insert(key.clone(), Extra::of(&key, Value::String(value), origin));
            continue;
        }
        let json = serde_json::from_str(&value).map_err(|error| format!("its `{EXTRA}` is not valid JSON: {error}"))?;
        let Value::Object(table) = json else { return Err(format!("its `{EXTRA}` is not a JSON object")) };
        extras.extend(table.into_iter().map(|(key, value)| {
            let extra = Extra::of(&key, value, origin);
            (key, extra)
        }));
    }
    Ok(extras)
}

/// Whether the host is an IPv6 address, which may have a zone: `fe80::1%eth0`.
fn is_ipv6(host: &str) -> bool {
    let (address, zone) = host.split_once('%').map_or((host, None), |(address, zone)| (address, Some(zone)));
    let is_plain = |zone: &str| zone.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    address.parse::<Ipv6Addr>().is_ok() && zone.is_none_or(|zone| !zone.is_empty() && is_plain(zone))
}

/// Encodes a part of a URI.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PART).to_string()
}

/// The parts of a URI to write; secrets are already in their final form.
pub(super) struct Parts<'a> {
    pub(super) kind: &'a str,
    pub(super) host: Option<&'a str>,
    pub(super) port: Option<u16>,
    pub(super) login: Option<&'a str>,
    /// Already encoded.
    pub(super) password: Option<String>,
    pub(super) schema: Option<&'a str>,
    pub(super) extra: Map<String, Value>,
}

/// Writes a URI.
pub(super) fn write(parts: Parts<'_>) -> String {
    let mut uri = format!("{}://", parts.kind.replace('_', "-"));
    let host = parts.host.unwrap_or_default();
    let protocol = host.split_once("://").filter(|(protocol, _)| protocol.chars().all(sign));
    let (protocol, host) = protocol.map_or((None, host), |(protocol, host)| (Some(protocol), host));
    if let Some(protocol) = protocol {
        uri = format!("{uri}{protocol}://");
    }
    if parts.login.is_some() || parts.password.is_some() {
        uri += &encoded(parts.login.unwrap_or_default());
        if let Some(password) = parts.password {
            uri = format!("{uri}:{password}");
        }
        uri.push('@');
    }
    // An IPv6 address contains colons.
    uri += &match host {
        host if host.contains(',') && parts.port.is_some() => utf8_percent_encode(host, HOST).to_string(),
        host if is_ipv6(host) => format!("[{}]", host.replacen('%', "%25", 1)),
        host => encoded(host),
    };
    if let Some(port) = parts.port {
        uri = format!("{uri}:{port}");
    }
    if let Some(schema) = parts.schema {
        uri = format!("{uri}/{}", utf8_percent_encode(schema, PATH));
    }
    if parts.extra.is_empty() {
        return uri;
    }
    let texts: Option<Vec<String>> =
        parts.extra.iter().map(|(key, value)| Some(format!("{}={}", encoded(key), encoded(value.as_str()?)))).collect();
    let query = match texts {
        Some(texts) => texts.join("&"),
        None => format!("{EXTRA}={}", encoded(&Value::Object(parts.extra).to_string())),
    };
    format!("{uri}?{query}")
}
