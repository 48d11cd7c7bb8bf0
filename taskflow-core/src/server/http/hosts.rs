//! The names that the server answers to.
//!
//! A page of another site can make its own name resolve to this machine, and then send requests
//! that browsers take for its own. Such a request has the name of that site in `Host`.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header};

use crate::config::Settings;

/// The names that the server answers to: loopback names, the bound address, and configured ones.
#[derive(Clone, Debug)]
pub(in crate::server) struct Hosts {
    /// In lower case, with or without a port.
    names: Vec<String>,
    /// The addresses of pages of this server, besides the scheme and the host.
    origins: Vec<String>,
    /// `http://` or `https://`
    scheme: &'static str,
}

impl Hosts {
    pub(in crate::server) fn new(settings: &Settings, address: SocketAddr) -> Self {
        let mut names: Vec<String> = settings.hosts().to_vec();
        let mut origins = Vec::new();
        if let Some(url) = settings.public_url() {
            let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
            let host = rest.split('/').next().unwrap_or_default().to_ascii_lowercase();
            origins.push(format!("{}://{host}", scheme.to_ascii_lowercase()));
            names.push(host);
        }
        if !address.ip().is_loopback() && !address.ip().is_unspecified() {
            names.push(match address.ip() {
                IpAddr::V4(address) => address.to_string(),
                IpAddr::V6(address) => format!("[{address}]"),
            });
        }
        Hosts { names, origins, scheme: "http://" }
    }

    /// The same for a server that speaks TLS.
    pub(in crate::server) fn over_tls(self, is_tls: bool) -> Self {
        Hosts { scheme: if is_tls { "https://" } else { "http://" }, ..self }
    }

    /// Whether a host, perhaps with a port, is a name of this server.
    pub(super) fn answers_to(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        is_loopback(&host) || self.names.iter().any(|name| *name == host || *name == without_port(&host))
    }

    /// Whether pages of this origin are pages of this server, which was asked as `host`.
    pub(super) fn is_own_origin(&self, origin: &str, host: Option<&str>) -> bool {
        let is_host = origin.strip_prefix(self.scheme).is_some_and(|origin| Some(origin) == host);
        is_host || self.origins.iter().any(|own| own.eq_ignore_ascii_case(origin))
    }

    /// Whether browsers may be told never to ask this host without TLS: it is `public_url` with
    /// https, or the server speaks nothing else. Loopback names are also those of other programs of
    /// the machine.
    pub(super) fn is_https_only(&self, host: &str) -> bool {
        let is_public =
            |own: &String| own.strip_prefix("https://").is_some_and(|public| public.eq_ignore_ascii_case(host));
        !is_loopback(host) && (self.scheme == "https://" || self.origins.iter().any(is_public))
    }

    /// Whether a request names a loopback host.
    pub(in crate::server) fn is_loopback_host(headers: &HeaderMap) -> bool {
        host(headers).is_some_and(is_loopback)
    }
}

/// The only `Host` of a request.
pub(super) fn host(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next()?.to_str().ok()?;
    hosts.next().is_none().then_some(host)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Whether it is a loopback name, with or without a port.
fn is_loopback(host: &str) -> bool {
    let name = without_port(host);
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn only_loopback_names_are_hosts_unless_others_are_configured() {
        for host in ["localhost", "LOCALHOST:8090", "127.0.0.1", "127.0.0.1:8090", "[::1]:8090", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in
            ["", "evil.test", "localhost.evil.test", "127.0.0.1.evil.test:80", "0.0.0.0", "10.0.0.1", "a@localhost"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn configured_names_and_the_bound_address_are_answered() {
        let text = "[serve]\npublic_url = \"https://flow.example.com/a/\"\nhosts = [\"Other.example.com\", \"x:81\"]";
        let config = Config::builder().toml(text).build().unwrap();
        let hosts = Hosts::new(config.settings(), "192.0.2.1:8090".parse().unwrap());
        for host in ["flow.example.com", "FLOW.example.com:443", "other.example.com:80", "x:81", "192.0.2.1:8090"] {
            assert!(hosts.answers_to(host), "{host}");
        }
        for host in ["x", "x:82", "example.com", "192.0.2.2", "a.flow.example.com", ""] {
            assert!(!hosts.answers_to(host), "{host}");
        }
        assert!(hosts.is_own_origin("https://flow.example.com", Some("flow.example.com")));
        assert!(!hosts.is_own_origin("https://evil.example.com", Some("flow.example.com")));
        assert!(hosts.is_own_origin("http://x:81", Some("x:81")) && !hosts.is_own_origin("null", Some("x:81")));
        assert!(!hosts.is_own_origin("https://x:81", Some("x:81")));
        assert!(hosts.is_https_only("Flow.example.com"));
        assert!(!hosts.is_https_only("other.example.com") && !hosts.is_https_only("localhost"));
        let hosts = hosts.over_tls(true);
        assert!(hosts.is_https_only("other.example.com:80") && !hosts.is_https_only("localhost:8090"));
        assert!(hosts.is_own_origin("https://x:81", Some("x:81")) && !hosts.is_own_origin("http://x:81", Some("x:81")));
    }
}
