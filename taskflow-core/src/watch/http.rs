//! A watcher of an endpoint.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::asset::{Batch, Cursor, Watch, WatchError};
use crate::base::units::read_duration;
use crate::base::{Address, hex, http as client};

/// The time limit of a request.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What an endpoint returned: the payload of [`http`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HttpChanged {
    /// The body, as text. Up to 1 MiB; more is an error of the watcher.
    pub body: String,
    /// The version of the body, if the server names it.
    pub etag: Option<String>,
}

impl HttpChanged {
    /// Parses the body as JSON; `None` if it is not a `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.body).ok()
    }
}

/// Asks an endpoint once a minute: an event for its first response, and for each that differs from
/// the one before. If the server names versions (`ETag`), an unchanged body is not sent again.
///
/// A status other than 2xx and 304 is an error: the service reports it and tries again. Redirects
/// are not followed.
pub fn http(url: impl Into<String>) -> HttpWatch {
    HttpWatch { url: url.into(), every: Duration::from_secs(60), mistake: None, is_first: true }
}

/// A watcher of an endpoint: see [`http`].
#[derive(Debug)]
pub struct HttpWatch {
    url: String,
    every: Duration,
    /// What is wrong with an option.
    mistake: Option<String>,
    is_first: bool,
}

impl HttpWatch {
    /// How often the endpoint is asked, such as `5m`.
    #[must_use]
    pub fn every(mut self, time: &str) -> Self {
        match read_duration(time) {
            Ok(every) => self.every = every.max(Duration::from_millis(10)),
            Err(reason) => self.mistake = Some(format!("`every` of the watcher: {reason}")),
        }
        self
    }
}

impl Watch for HttpWatch {
    type Event = HttpChanged;

    /// The address may contain secrets, and the source is shown.
    fn source(&self) -> String {
        let shown = Address::new(&self.url).map_or_else(|_| "?".to_owned(), |address| address.to_string());
        format!("http:{shown}#{}", &hex(&Sha256::digest(&self.url))[..12])
    }

    async fn next(&mut self, cursor: Option<Cursor>) -> Result<Batch<HttpChanged>, WatchError> {
        if let Some(mistake) = &self.mistake {
            return Err(WatchError::new(mistake.clone()));
        }
        let address = Address::new(&self.url).map_err(WatchError::new)?;
        // `etag` or `sha256`, and the version.
        let known = cursor.as_ref().and_then(|cursor| cursor.as_str().split_once(' '));
        loop {
            if !std::mem::take(&mut self.is_first) {
                tokio::time::sleep(self.every).await;
            }
            let etag = known.filter(|(kind, _)| *kind == "etag").map(|(_, etag)| etag.to_owned());
            let headers: Vec<(String, String)> =
                etag.into_iter().map(|etag| ("if-none-match".to_owned(), etag)).collect();
            let at = address.clone();
            let asked = tokio::task::spawn_blocking(move || client::get_with(&at, &headers, TIMEOUT));
            let answer = asked.await.map_err(WatchError::new)?.map_err(WatchError::new)?;
            match answer.status {
                304 => continue,
                200..300 => {}
                status => return Err(WatchError::new(format!("{address} answers {status}{}", answer.excerpt()))),
            }
            let hash = hex(&Sha256::digest(&answer.body));
            let version = answer.etag.as_ref().map_or_else(|| format!("sha256 {hash}"), |etag| format!("etag {etag}"));
            if cursor.as_ref().is_some_and(|cursor| cursor.as_str() == version) {
                continue;
            }
            let mut batch = Batch::up_to(Cursor::new(version));
            batch.push(HttpChanged { body: answer.body, etag: answer.etag });
            return Ok(batch);
        }
    }
}
