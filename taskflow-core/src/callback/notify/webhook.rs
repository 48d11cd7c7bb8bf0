//! A notifier that sends requests to a server.

use std::time::Duration;

use percent_encoding::{CONTROLS, utf8_percent_encode};

use super::json_of;
use crate::base::{Address, BoxError, http};
use crate::config::Config;
use crate::task::{Notification, Notifier};

/// The time limit of a request.
const PATIENCE: Duration = Duration::from_secs(15);

/// A request to a server for each notification; see [`webhook`].
#[derive(Clone, Debug)]
pub struct Webhook {
    to: To,
    headers: Vec<(String, String)>,
    /// Headers whose values are secrets of the configuration.
    secret_headers: Vec<(String, String)>,
    body: Option<fn(&Notification) -> serde_json::Value>,
}

/// The address.
#[derive(Clone, Debug)]
enum To {
    Url(String),
    /// The name of the secret that contains the address.
    Secret(String),
}

/// Sends each notification as the JSON body of a POST request, with its key in the header
/// `Idempotency-Key`.
///
/// A status from 200 to 299 is success. Any other status, or no response within 15 seconds, is a
/// failure that is retried later. Redirects are not followed. The address may contain a secret:
/// only its host is ever displayed.
///
/// ```
/// use taskflow::notify::{webhook, webhook_of};
/// use taskflow::prelude::*;
///
/// #[dag(
///     on_failure = webhook("https://example.com/hooks/daily").secret_header("Authorization", "hook_token"),
///     on_success = webhook_of("slack").body(|notification| serde_json::json!({ "text": notification.to_string() })),
/// )]
/// fn daily(day: Date) -> Date {
///     day
/// }
/// # assert!(daily::def().plan().is_ok());
/// ```
pub fn webhook(url: impl Into<String>) -> Webhook {
    Webhook { to: To::Url(url.into()), headers: Vec::new(), secret_headers: Vec::new(), body: None }
}

/// Like [`webhook`], with an address from a secret in the configuration of the process:
/// `TASKFLOW_SECRET_SLACK` for `slack`.
pub fn webhook_of(secret: impl Into<String>) -> Webhook {
    Webhook { to: To::Secret(secret.into()), headers: Vec::new(), secret_headers: Vec::new(), body: None }
}

impl Webhook {
    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a header whose value is a secret in the configuration of the process.
    #[must_use]
    pub fn secret_header(mut self, name: impl Into<String>, secret: impl Into<String>) -> Self {
        self.secret_headers.push((name.into(), secret.into()));
        self
    }

    /// Sets the body that is sent instead of the notification, for services such as Slack.
    #[must_use]
    pub fn body(mut self, body: fn(&Notification) -> serde_json::Value) -> Self {
        self.body = Some(body);
        self
    }
}

impl Notifier for Webhook {
    fn notify(&self, notification: &Notification) -> Result<(), BoxError> {
        let address = match &self.to {
            To::Url(url) => Address::new(url)?,
            To::Secret(name) => Address::new(Config::global()?.secret(name)?.expose())?,
        };
        let body = match self.body {
            Some(body) => {
                let mut text = body(notification).to_string();
                crate::log::Redactor::current().message(&mut text);
                text
            }
            None => json_of(notification)?,
        };
        let key = utf8_percent_encode(&notification.key, CONTROLS).to_string();
        let mut headers = self.headers.clone();
        headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        headers.push(("Idempotency-Key".to_owned(), key));
        for (name, secret) in &self.secret_headers {
            headers.push((name.clone(), Config::global()?.secret(secret)?.expose().to_owned()));
        }
        let answer = http::post(&address, &headers, &body, PATIENCE)?;
        match answer.status {
            200..300 => Ok(()),
            status => Err(format!("{address} answered with status {status}{}", answer.excerpt()).into()),
        }
    }

    fn name(&self) -> String {
        match &self.to {
            To::Url(url) => {
                format!("webhook {}", Address::new(url).map_or_else(|_| "?".to_owned(), |url| url.to_string()))
            }
            To::Secret(name) => format!("webhook `{name}`"),
        }
    }
}
