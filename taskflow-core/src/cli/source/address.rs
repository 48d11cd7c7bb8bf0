//! The address of a service: `http://127.0.0.1:8090`, `https://dags.example.org/team/a`.

use std::net::IpAddr;

use axum::http::Uri;

use super::super::error::CliError;

/// The address of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) is_https: bool,
    /// The name or the IP address, without the brackets of IPv6.
    pub(super) host: String,
    pub(super) port: u16,
    /// The host as the header `Host` has it.
    pub(super) authority: String,
    /// What precedes `/api`: empty, or with a leading and no trailing slash.
    pub(super) base: String,
}

impl Address {
    pub(super) fn parse(text: &str) -> Result<Self, CliError> {
        let wrong = |why: &str| {
            CliError::usage(format!("`{text}` is not the address of a server such as http://127.0.0.1:8090: {why}"))
        };
        let uri: Uri = text.trim().parse().map_err(|_| wrong("it is no URL"))?;
        let is_https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("it does not begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it has a name or a password in it; use TASKFLOW_TOKEN"));
        }
        if uri.query().is_some() {
            return Err(wrong("it has a query"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(wrong("it has no host"));
        }
        let port = authority.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        // Somebody may copy the address of the API.
        let base = uri.path().trim_end_matches('/');
        let base = base.strip_suffix("/api/v1").unwrap_or(base).to_owned();
        Ok(Address { is_https, host, port, authority: authority.as_str().to_owned(), base })
    }

    /// Whether what is sent stays on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// As people write it.
    pub(super) fn text(&self) -> String {
        let scheme = if self.is_https { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority, self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_a_host_and_perhaps_a_base_path() {
        let parts = |text: &str| {
            let address = Address::parse(text).map_err(|error| format!("{error:?}")).unwrap();
            (address.host.clone(), address.port, address.base.clone(), address.text())
        };
        let expected = |host: &str, port, base: &str, text: &str| (host.to_owned(), port, base.to_owned(), text.into());
        assert_eq!(parts("http://127.0.0.1:8090"), expected("127.0.0.1", 8090, "", "http://127.0.0.1:8090"));
        assert_eq!(parts("http://[::1]:8090/"), expected("::1", 8090, "", "http://[::1]:8090"));
        assert_eq!(
            parts("https://dags.example.org/a/b/api/v1/"),
            expected("dags.example.org", 443, "/a/b", "https://dags.example.org/a/b")
        );
        for wrong in ["", "localhost:8090", "ftp://x", "http://", "http://ada:pw@x", "http://x?a=b", "http://a b"] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn loopback_names_stay_on_this_machine() {
        let is_loopback = |text: &str| Address::parse(text).is_ok_and(|address| address.is_loopback());
        assert!(is_loopback("http://localhost:1") && is_loopback("http://127.0.0.1") && is_loopback("http://[::1]"));
        assert!(!is_loopback("http://10.0.0.1") && !is_loopback("http://localhost.evil.test"));
    }
}
