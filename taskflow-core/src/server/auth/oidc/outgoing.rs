//! Requests to the provider.

use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

use crate::base::http::{get_with, post};
use crate::base::{Address, Answer};

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many there are at once.
static ASKING: Semaphore = Semaphore::const_new(4);

/// A request. It has secrets, so it is not for debug output.
pub(super) enum Outgoing {
    Get {
        url: String,
    },
    /// A form, with the value of `Authorization`, if it has one.
    Form {
        url: String,
        authorization: Option<String>,
        body: String,
    },
}

impl Outgoing {
    /// The answer, whatever its status is.
    ///
    /// # Errors
    ///
    /// When there is none: the reason.
    pub(super) async fn send(self) -> Result<Answer, String> {
        // It is never closed.
        let turn = ASKING.acquire().await.map_err(|error| error.to_string())?;
        let (sender, answered) = oneshot::channel();
        let work = move || {
            // It may be longer than who waits for it.
            let _turn = turn;
            let _ = sender.send(self.ask());
        };
        std::thread::Builder::new()
            .name("taskflow-oidc".to_owned())
            .spawn(work)
            .map_err(|error| format!("no thread can be started: {error}"))?;
        answered.await.unwrap_or_else(|_| Err("the request was not sent".to_owned()))
    }

    fn ask(self) -> Result<Answer, String> {
        let accept = || ("accept".to_owned(), "application/json".to_owned());
        let answer = match self {
            Outgoing::Get { url } => Address::new(&url).and_then(|address| get_with(&address, &[accept()], PATIENCE)),
            Outgoing::Form { url, authorization, body } => Address::new(&url).and_then(|address| {
                let form = ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
                let authorization = authorization.map(|value| ("authorization".to_owned(), value));
                let headers: Vec<_> = [accept(), form].into_iter().chain(authorization).collect();
                post(&address, &headers, &body, PATIENCE)
            }),
        };
        answer.map_err(|error| error.to_string())
    }
}

/// Whether what is sent to an address can be read by nobody else: HTTPS, or this machine.
pub(super) fn is_safe(url: &str) -> bool {
    let authority = |rest: &str| rest.split(['/', '?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    if let Some(rest) = url.strip_prefix("https://") {
        let host = authority(rest);
        return !host.is_empty() && !host.contains('@');
    }
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let host = authority(rest);
    let name = match host.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    !host.contains('@')
        && (name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_asked_over_https_or_on_this_machine() {
        for safe in ["https://id.example.com/realms/a", "http://127.0.0.1:80/x", "http://localhost", "http://[::1]:1/"]
        {
            assert!(is_safe(safe), "{safe}");
        }
        for unsafe_one in [
            "",
            "id.example.com",
            "https://",
            "http://id.example.com",
            "http://127.0.0.1@id.example.com/",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "https://a@b/",
            "ftp://localhost",
            "javascript:alert(1)",
        ] {
            assert!(!is_safe(unsafe_one), "{unsafe_one}");
        }
    }
}
