//! The settings of the command line: their names and valid values.

use std::ffi::OsStr;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::Value;
use tracing_subscriber::filter::Targets;

use super::group::{GroupRole, read_groups};
use super::network::Network;
use super::origin::Origin;
use crate::base::{did_you_mean, units};

/// A setting. Each can be set in `taskflow.toml` and in the environment; most have a flag, which
/// takes precedence.
#[derive(Debug)]
pub(super) struct Setting {
    /// The table and the key: `run.jobs`.
    pub(super) name: &'static str,
    pub(super) variable: &'static str,
    kind: Kind,
    /// The default, for display.
    pub(super) default: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Path,
    Word(&'static [&'static str]),
    Count,
    Size,
    Span,
    Switch,
    Filter,
    Address,
    Url,
    /// Names of hosts.
    Hosts,
    Networks,
    /// The name of a header.
    Header,
    /// A text that is not empty.
    Text,
    /// Words without spaces.
    Words,
    /// Roles of groups.
    Groups,
}

const fn setting(name: &'static str, variable: &'static str, kind: Kind, default: &'static str) -> Setting {
    Setting { name, variable, kind, default }
}

pub(super) static SETTINGS: [Setting; 36] = [
    setting("run.jobs", "TASKFLOW_JOBS", Kind::Count, "no limit"),
    setting("run.workers", "TASKFLOW_WORKERS", Kind::Count, "one per core"),
    setting("run.grace", "TASKFLOW_GRACE", Kind::Span, "10s"),
    setting("run.fail_fast", "TASKFLOW_FAIL_FAST", Kind::Switch, "as the DAG declares"),
    setting("run.durability", "TASKFLOW_DURABILITY", Kind::Word(&["strict", "relaxed", "ephemeral"]), "strict"),
    setting("serve.bind", "TASKFLOW_BIND", Kind::Address, "127.0.0.1:8090"),
    setting("serve.max_active_runs", "TASKFLOW_MAX_ACTIVE_RUNS", Kind::Count, "1000"),
    setting("serve.public_url", "TASKFLOW_PUBLIC_URL", Kind::Url, "none"),
    setting("serve.hosts", "TASKFLOW_HOSTS", Kind::Hosts, "loopback names and the bound address"),
    setting("serve.rate_limit", "TASKFLOW_RATE_LIMIT", Kind::Count, "50"),
    setting("serve.tls_cert", "TASKFLOW_TLS_CERT", Kind::Path, "none"),
    setting("serve.tls_key", "TASKFLOW_TLS_KEY", Kind::Path, "none"),
    setting("serve.webhook_limit", "TASKFLOW_WEBHOOK_LIMIT", Kind::Size, "1.0 MiB"),
    setting("serve.oidc.issuer", "TASKFLOW_OIDC_ISSUER", Kind::Text, "none"),
    setting("serve.oidc.name", "TASKFLOW_OIDC_NAME", Kind::Text, "the host of the issuer"),
    setting("serve.oidc.client_id", "TASKFLOW_OIDC_CLIENT_ID", Kind::Text, "none"),
    setting("serve.oidc.client_secret", "TASKFLOW_OIDC_CLIENT_SECRET", Kind::Text, "none"),
    setting("serve.oidc.scopes", "TASKFLOW_OIDC_SCOPES", Kind::Words, "profile, email"),
    setting("serve.oidc.name_claim", "TASKFLOW_OIDC_NAME_CLAIM", Kind::Text, "preferred_username"),
    setting("serve.oidc.groups_claim", "TASKFLOW_OIDC_GROUPS_CLAIM", Kind::Text, "groups"),
    setting("serve.oidc.groups", "TASKFLOW_OIDC_GROUPS", Kind::Groups, "none"),
    setting("serve.oidc.session", "TASKFLOW_OIDC_SESSION", Kind::Span, "12h"),
    setting("auth.proxy_header", "TASKFLOW_AUTH_PROXY_HEADER", Kind::Header, "none"),
    setting("auth.proxy_trusted", "TASKFLOW_AUTH_PROXY_TRUSTED", Kind::Networks, "none"),
    setting(
        "auth.proxy_role",
        "TASKFLOW_AUTH_PROXY_ROLE",
        Kind::Word(&["none", "viewer", "operator", "admin"]),
        "none",
    ),
    setting("auth.proxy_groups_header", "TASKFLOW_AUTH_PROXY_GROUPS_HEADER", Kind::Header, "none"),
    setting("auth.proxy_groups", "TASKFLOW_AUTH_PROXY_GROUPS", Kind::Groups, "none"),
    setting("auth.confirm_after", "TASKFLOW_AUTH_CONFIRM_AFTER", Kind::Span, "15m"),
    setting("store.home", "TASKFLOW_HOME", Kind::Path, ".taskflow"),
    setting("store.sync", "TASKFLOW_SYNC", Kind::Word(&["full", "normal"]), "full"),
    setting("store.inline_limit", "TASKFLOW_INLINE_LIMIT", Kind::Size, "48.0 KiB"),
    setting("store.value_limit", "TASKFLOW_VALUE_LIMIT", Kind::Size, "512.0 MiB"),
    setting("log.level", "TASKFLOW_LOG_LEVEL", Kind::Filter, "info"),
    setting("log.attempt_limit", "TASKFLOW_LOG_ATTEMPT_LIMIT", Kind::Size, "16.0 MiB"),
    setting("log.queue_records", "TASKFLOW_LOG_QUEUE_RECORDS", Kind::Count, "8192"),
    setting("log.queue_bytes", "TASKFLOW_LOG_QUEUE_BYTES", Kind::Size, "32.0 MiB"),
];

/// The value of a setting.
#[derive(Clone, Debug)]
pub(super) enum Datum {
    Path(PathBuf),
    Word(&'static str),
    Count(NonZeroUsize),
    Size(u64),
    Span(Duration),
    Switch(bool),
    Filter(Targets, String),
    Address(SocketAddr),
    Text(String),
    Texts(Vec<String>),
    Networks(Vec<Network>),
    Groups(Vec<GroupRole>),
}

impl Setting {
    /// Its table and key: `serve.oidc` and `issuer`.
    pub(super) fn table_and_key(&self) -> (&'static str, &'static str) {
        self.name.rsplit_once('.').unwrap_or(("", self.name))
    }

    /// Parses a value of the file.
    pub(super) fn read(&self, value: &Value, origin: &Origin) -> Result<Datum, String> {
        let datum = match (self.kind, value) {
            (Kind::Path, Value::String(path)) => return Ok(Datum::Path(origin.directory().join(path))),
            (Kind::Count | Kind::Switch, Value::String(_)) => None,
            (_, Value::String(text)) => self.of_text(text),
            (Kind::Groups, Value::Object(groups)) => read_groups(groups).map(Datum::Groups),
            (Kind::Hosts | Kind::Networks | Kind::Words | Kind::Groups, Value::Array(items)) => {
                let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
                texts
                    .filter(|texts| !texts.iter().any(|text| text.contains(',')))
                    .and_then(|t| self.of_text(&t.join(",")))
            }
            (Kind::Switch, Value::Bool(_)) | (Kind::Count | Kind::Size, Value::Number(_)) => {
                self.of_text(&value.to_string())
            }
            _ => None,
        };
        datum.ok_or_else(|| self.refusal(&value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
    }

    /// Parses an environment variable.
    pub(super) fn read_variable(&self, text: &OsStr) -> Result<Datum, String> {
        if let Kind::Path = self.kind {
            return Ok(Datum::Path(text.into()));
        }
        text.to_str().and_then(|text| self.of_text(text)).ok_or_else(|| self.refusal(&text.to_string_lossy()))
    }

    fn of_text(&self, text: &str) -> Option<Datum> {
        match self.kind {
            Kind::Path => Some(Datum::Path(text.into())),
            Kind::Word(words) => words.iter().find(|&&word| word == text).map(|word| Datum::Word(word)),
            Kind::Count => text.parse().ok().map(Datum::Count),
            Kind::Size => units::read_bytes(text).map(Datum::Size),
            Kind::Span => {
                let span: SignedDuration = text.parse().ok()?;
                Duration::try_from(span).ok().map(Datum::Span)
            }
            Kind::Switch => text.parse().ok().map(Datum::Switch),
            Kind::Filter => text.parse().ok().map(|targets| Datum::Filter(targets, text.to_owned())),
            Kind::Address => text.parse().ok().map(Datum::Address),
            Kind::Url => read_url(text).map(Datum::Text),
            Kind::Hosts => listed(text, read_host).map(Datum::Texts),
            Kind::Networks => listed(text, |text| text.parse().ok()).map(Datum::Networks),
            Kind::Header => {
                let is_name = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
                is_name.then(|| Datum::Text(text.to_ascii_lowercase()))
            }
            Kind::Text => (!text.trim().is_empty()).then(|| Datum::Text(text.trim().to_owned())),
            Kind::Words => listed(text, |word| {
                let is_word = !word.is_empty() && !word.contains(char::is_whitespace);
                is_word.then(|| word.to_owned())
            })
            .map(Datum::Texts),
            Kind::Groups => {
                let table = || read_groups(&serde_json::from_str(text).ok()?);
                listed(text, |text| text.parse().ok()).or_else(table).map(Datum::Groups)
            }
        }
    }

    /// Describes an invalid value.
    fn refusal(&self, text: &str) -> String {
        let wanted = match self.kind {
            Kind::Path => "a path".to_owned(),
            Kind::Word(words) => {
                let near = did_you_mean(text, words.iter().copied());
                format!("one of {}{near}", words.join(", "))
            }
            Kind::Count => "a number of at least 1".to_owned(),
            Kind::Size => "a size such as \"64 MiB\" or a number of bytes".to_owned(),
            Kind::Span => "a duration such as \"10s\" or \"1m 30s\"".to_owned(),
            Kind::Switch => "true or false".to_owned(),
            Kind::Filter => {
                "a level (error, warn, info, debug, trace) or a filter such as \"info,my_crate=debug\"".to_owned()
            }
            Kind::Address => "an address and a port such as \"127.0.0.1:8090\"".to_owned(),
            Kind::Url => "an address such as \"https://taskflow.example.com\"".to_owned(),
            Kind::Hosts => "names of hosts such as [\"taskflow.example.com\"]".to_owned(),
            Kind::Networks => "networks such as [\"10.0.0.0/8\"]".to_owned(),
            Kind::Header => "the name of a header such as \"X-Forwarded-User\"".to_owned(),
            Kind::Text => "a text".to_owned(),
            Kind::Words => "words without spaces such as [\"profile\", \"email\"]".to_owned(),
            Kind::Groups => "roles of groups, such as [\"ops = operator\", \"finance = viewer of tag:finance\"] or \
                             { admins = \"admin\", team = { role = \"operator\", dags = [\"team_a.*\"] } }; the roles \
                             are viewer, operator and admin"
                .to_owned(),
        };
        let (_, key) = self.table_and_key();
        format!("`{key}` must be {wanted}; it is `{text}`")
    }
}

impl fmt::Display for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Datum::Path(path) => write!(f, "{}", path.display()),
            Datum::Word(word) => f.write_str(word),
            Datum::Count(count) => write!(f, "{count}"),
            Datum::Size(bytes) => f.write_str(&units::bytes(*bytes)),
            Datum::Span(span) => write!(f, "{span:?}"),
            Datum::Switch(on) => write!(f, "{on}"),
            Datum::Filter(_, text) | Datum::Text(text) => f.write_str(text),
            Datum::Address(address) => write!(f, "{address}"),
            Datum::Texts(texts) => f.write_str(&texts.join(", ")),
            Datum::Networks(networks) => {
                f.write_str(&networks.iter().map(Network::to_string).collect::<Vec<_>>().join(", "))
            }
            Datum::Groups(groups) => {
                f.write_str(&groups.iter().map(GroupRole::to_string).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// Values that are separated by commas; at least one.
fn listed<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    text.split(',').map(|part| read(part.trim())).collect()
}

/// The name of a host, perhaps with a port.
fn read_host(text: &str) -> Option<String> {
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']' | '_');
    (!text.is_empty() && text.chars().all(is_host)).then(|| text.to_ascii_lowercase())
}

/// An address of the web without a query, and without a slash at its end.
fn read_url(text: &str) -> Option<String> {
    let text = text.trim_end_matches('/');
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '~');
    (read_host(host).is_some() && path.chars().all(is_path)).then(|| text.to_owned())
}
