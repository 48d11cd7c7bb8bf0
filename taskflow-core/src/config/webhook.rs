//! `[webhooks.NAME]`: which deliveries of other systems become events of which asset.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use crate::base::{did_you_mean, units};

/// A webhook as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "server"), allow(dead_code, reason = "the server receives the deliveries"))]
pub(crate) struct Webhook {
    /// Its deliveries become events of this asset.
    pub(crate) asset: String,
    /// The name of the secret that deliveries are signed with.
    pub(crate) secret: String,
    pub(crate) scheme: WebhookScheme,
    /// How far the time of a delivery may be from the clock of the server.
    pub(crate) tolerance: Duration,
    /// Where the partition stands in the body, as a JSON pointer.
    pub(crate) partition: Option<String>,
    /// The kinds of deliveries that become events; all if there are none.
    pub(crate) events: Vec<String>,
}

/// How deliveries are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WebhookScheme {
    /// Standard Webhooks: the id, the time and the body are signed.
    Standard,
    /// GitHub: the body is signed.
    Github,
    /// Stripe: the time and the body are signed, and the body has the id.
    Stripe,
}

const FIELDS: [&str; 6] = ["asset", "secret", "scheme", "tolerance", "partition", "events"];
const TOLERANCE: Duration = Duration::from_secs(300);
/// The most characters of a name.
const NAME: usize = 64;

impl WebhookScheme {
    pub(crate) const ALL: [WebhookScheme; 3] = [WebhookScheme::Standard, WebhookScheme::Github, WebhookScheme::Stripe];

    pub(crate) fn name(self) -> &'static str {
        match self {
            WebhookScheme::Standard => "standard",
            WebhookScheme::Github => "github",
            WebhookScheme::Stripe => "stripe",
        }
    }

    fn named(name: &str) -> Result<Self, String> {
        let found = WebhookScheme::ALL.into_iter().find(|scheme| scheme.name() == name);
        found.ok_or_else(|| {
            let names = WebhookScheme::ALL.map(WebhookScheme::name);
            format!("`scheme` must be one of {}{}", names.join(", "), did_you_mean(name, names))
        })
    }
}

impl Webhook {
    /// Parses the table of a webhook.
    pub(super) fn of_table(name: &str, table: Map<String, Value>) -> Result<Self, Vec<String>> {
        let mut webhook = Webhook {
            asset: String::new(),
            secret: String::new(),
            scheme: WebhookScheme::Standard,
            tolerance: TOLERANCE,
            partition: None,
            events: Vec::new(),
        };
        let mut mistakes = Vec::new();
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > NAME || !name.chars().all(is_name) {
            mistakes.push(format!("its name must have letters, digits, `-`, `_` and `.`, at most {NAME}"));
        }
        for (key, value) in table {
            let read = match &*key {
                "asset" => text(&key, value).map(|text| webhook.asset = text),
                "secret" => secret(value).map(|text| webhook.secret = text),
                "scheme" => {
                    text(&key, value).and_then(|text| WebhookScheme::named(&text)).map(|scheme| webhook.scheme = scheme)
                }
                "tolerance" => tolerance(&value).map(|tolerance| webhook.tolerance = tolerance),
                "partition" => pointer(value).map(|pointer| webhook.partition = Some(pointer)),
                "events" => kinds(value).map(|kinds| webhook.events = kinds),
                _ => Err(format!("unknown key `{key}`{}", did_you_mean(&key, FIELDS))),
            };
            mistakes.extend(read.err());
        }
        if mistakes.is_empty() {
            for (key, text) in [("asset", &webhook.asset), ("secret", &webhook.secret)] {
                if text.is_empty() {
                    mistakes.push(format!("`{key}` is missing"));
                }
            }
            if !webhook.events.is_empty() && webhook.scheme != WebhookScheme::Github {
                mistakes.push("`events` needs `scheme = \"github\"`: other schemes have no kinds".to_owned());
            }
        }
        if mistakes.is_empty() { Ok(webhook) } else { Err(mistakes) }
    }

    /// For display. What is not the name of a secret may be one, so it is hidden.
    pub(super) fn shown(&self, has_secret: bool) -> Value {
        let mut shown = json!({
            "asset": self.asset,
            "secret": if has_secret { &*self.secret } else { "***" },
            "scheme": self.scheme.name(),
            "tolerance": units::duration(self.tolerance),
        });
        if let Some(partition) = &self.partition {
            shown["partition"] = json!(partition);
        }
        if !self.events.is_empty() {
            shown["events"] = json!(self.events);
        }
        shown
    }
}

fn text(key: &str, value: Value) -> Result<String, String> {
    match value {
        Value::String(text) if !text.is_empty() => Ok(text),
        _ => Err(format!("`{key}` must be a text")),
    }
}

fn secret(value: Value) -> Result<String, String> {
    text("secret", value).map_err(|_| "`secret` must be the name of a secret in [secrets]".to_owned())
}

fn tolerance(value: &Value) -> Result<Duration, String> {
    let read = value.as_str().and_then(|text| text.parse::<SignedDuration>().ok());
    let read = read.and_then(|span| Duration::try_from(span).ok()).filter(|span| !span.is_zero());
    read.ok_or_else(|| "`tolerance` must be a duration such as \"5m\"".to_owned())
}

fn pointer(value: Value) -> Result<String, String> {
    let wrong = || "`partition` must be a place in the body such as \"/day\" or \"/commit/branch\"".to_owned();
    text("partition", value).ok().filter(|text| text.starts_with('/')).ok_or_else(wrong)
}

fn kinds(value: Value) -> Result<Vec<String>, String> {
    let wrong = || "`events` must be a list of texts such as [\"push\"]".to_owned();
    let Value::Array(items) = value else { return Err(wrong()) };
    items.into_iter().map(|item| text("events", item).map_err(|_| wrong())).collect()
}
