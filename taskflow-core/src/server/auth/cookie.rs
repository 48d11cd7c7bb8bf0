//! The cookie of a session.
//!
//! Over HTTPS it is called `__Host-taskflow`: browsers take it from this host only, and send it
//! over HTTPS only. Over HTTP its name has the port, because cookies do not tell ports apart and
//! several servers may run on one machine.
//!
//! A server below a base path shares its host with others. So browsers send its cookie to addresses
//! below that path only, which a `__Host-` cookie cannot have: it is called `__Secure-taskflow_`
//! and the port. Its name ends with a digest of the path, also over HTTP: a browser sends it
//! together with those of the paths above, and of two cookies of one name neither would count.

use axum::http::{HeaderMap, header};

#[cfg(feature = "oidc")]
use super::Attempt;
use super::Auth;
use crate::server::api::digest;

/// How long a browser keeps it, in seconds: as long as a session lives.
const AGE: u32 = 7 * 86_400;

impl Auth {
    fn cookie(&self) -> String {
        self.name_of_cookie("")
    }

    /// The name of a cookie for this purpose.
    fn name_of_cookie(&self, purpose: &str) -> String {
        let port = self.address.port();
        let of_path = match self.base_path.as_str() {
            "" => String::new(),
            base => format!("_{}", digest(base.as_bytes(), 4)),
        };
        match (self.is_https, of_path.as_str()) {
            (true, "") => format!("__Host-taskflow{purpose}"),
            (true, _) => format!("__Secure-taskflow{purpose}_{port}{of_path}"),
            (false, _) => format!("taskflow{purpose}_{port}{of_path}"),
        }
    }

    /// The name of the cookie of an attempt to log in.
    #[cfg(feature = "oidc")]
    fn cookie_of_attempt(&self) -> String {
        self.name_of_cookie("_login")
    }

    /// The attempt to log in of the browser that has sent a request.
    #[cfg(feature = "oidc")]
    pub(in crate::server) fn attempt(&self, headers: &HeaderMap, now: crate::base::Timestamp) -> Option<Attempt> {
        Attempt::of_text(&cookie_value(headers, &self.cookie_of_attempt())?, now)
    }

    fn attributes(&self) -> String {
        let path = match self.base_path.as_str() {
            "" => "/",
            base => base,
        };
        let secure = if self.is_https { "; Secure" } else { "" };
        format!("Path={path}; HttpOnly; SameSite=Lax{secure}")
    }

    /// The secret in the cookie of a request.
    pub(in crate::server) fn presented(&self, headers: &HeaderMap) -> Option<String> {
        cookie_value(headers, &self.cookie())
    }
}

/// The value of a cookie. If there are several, there is none: one of them may be another server's.
pub(in crate::server) fn cookie_value(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(known, _)| *known == name).map(|(_, value)| value);
    let value = found.next().filter(|value| !value.is_empty())?;
    found.next().is_none().then(|| value.to_owned())
}

/// The value of `Set-Cookie` that begins a session.
pub(in crate::server) fn session_cookie(auth: &Auth, secret: &str) -> String {
    format!("{}={secret}; Max-Age={AGE}; {}", auth.cookie(), auth.attributes())
}

/// The value of `Set-Cookie` that ends it.
pub(in crate::server) fn drop_cookie(auth: &Auth) -> String {
    format!("{}=; Max-Age=0; {}", auth.cookie(), auth.attributes())
}

/// The value of `Set-Cookie` that keeps an attempt to log in.
#[cfg(feature = "oidc")]
pub(in crate::server) fn attempt_cookie(auth: &Auth, attempt: &Attempt) -> String {
    let (name, age) = (auth.cookie_of_attempt(), super::oidc::PATIENCE);
    format!("{name}={}; Max-Age={age}; {}", attempt.text(), auth.attributes())
}

/// The value of `Set-Cookie` that ends it.
#[cfg(feature = "oidc")]
pub(in crate::server) fn drop_attempt_cookie(auth: &Auth) -> String {
    format!("{}=; Max-Age=0; {}", auth.cookie_of_attempt(), auth.attributes())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use crate::config::Config;
    use crate::server::ServerOptions;

    fn auth(port: u16) -> Auth {
        let config = Config::builder().build().unwrap();
        Auth::new(config.settings(), ([127, 0, 0, 1], port).into(), &ServerOptions::default(), None)
    }

    fn presented(auth: &Auth, cookie: &'static str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static(cookie));
        auth.presented(&headers)
    }

    #[test]
    fn a_cookie_is_that_of_its_port() {
        let (one, other) = (auth(8090), auth(8091));
        let both = "a=b; taskflow_8090=one; taskflow_8091=other";
        assert_eq!(presented(&one, both).as_deref(), Some("one"));
        assert_eq!(presented(&other, both).as_deref(), Some("other"));
        for none in ["taskflow_8090=", "taskflow_8090=a; taskflow_8090=b", "taskflow=a", "taskflow_80901=a", ""] {
            assert_eq!(presented(&one, none), None, "{none}");
        }
    }

    #[test]
    fn over_https_a_cookie_is_bound_to_its_host() {
        let mut auth = auth(8090);
        assert!(!session_cookie(&auth, "x").contains("Secure"));
        auth.is_https = true;
        let cookie = session_cookie(&auth, "x");
        assert!(cookie.starts_with("__Host-taskflow=x;") && cookie.ends_with("Path=/; HttpOnly; SameSite=Lax; Secure"));
        assert!(drop_cookie(&auth).contains("Max-Age=0"));
    }

    #[test]
    fn below_a_base_path_a_cookie_is_bound_to_that_path() {
        let mut auth = auth(8090);
        auth.base_path = "/team".parse().unwrap();
        let cookie = session_cookie(&auth, "x");
        assert!(cookie.starts_with("taskflow_8090_ef0c9409=x;"), "{cookie}");
        assert!(cookie.ends_with("Path=/team; HttpOnly; SameSite=Lax"), "{cookie}");
        // A browser sends it together with those of `/`, of a path above, and of an earlier
        // version.
        let all = "taskflow_8090=root; taskflow_8090_ef0c9409=one; taskflow_8090_00000000=above; taskflow_8090=old";
        assert_eq!(presented(&auth, all).as_deref(), Some("one"));
        auth.is_https = true;
        let cookie = session_cookie(&auth, "x");
        assert!(cookie.starts_with("__Secure-taskflow_8090_ef0c9409=x;"), "{cookie}");
        assert!(cookie.ends_with("Path=/team; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
        let dropped = drop_cookie(&auth);
        let is_its = dropped.starts_with("__Secure-taskflow_8090_ef0c9409=;") && dropped.contains("Path=/team;");
        assert!(is_its, "{dropped}");
        let both = "__Secure-taskflow_8090_ef0c9409=one; __Host-taskflow=other";
        assert_eq!(presented(&auth, both).as_deref(), Some("one"));
    }
}
