//! A connection as defined, before its secrets are resolved.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::connection::Connection;
use super::environment::Environment;
use super::error::ConfigError;
use super::origin::Origin;
use super::source::Source;
use super::{hidden, uri};
use crate::base::did_you_mean;
use crate::log::Redactor;

/// The parts of a connection, as in Airflow.
#[derive(Clone, Debug, Default)]
pub(super) struct Spec {
    pub(super) kind: Option<String>,
    pub(super) description: Option<String>,
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) login: Option<String>,
    pub(super) password: Option<Source>,
    pub(super) schema: Option<String>,
    pub(super) extra: BTreeMap<String, Extra>,
}

/// A field specific to connections of this kind.
#[derive(Clone, Debug)]
pub(super) enum Extra {
    Plain(Value),
    Secret(Source),
}

const FIELDS: [&str; 9] = ["kind", "conn_type", "description", "host", "port", "login", "password", "schema", "extra"];

impl Extra {
    /// The value under this name: a secret if it is a reference to one, or if the name marks a
    /// secret.
    pub(super) fn of(name: &str, value: Value, origin: &Origin) -> Self {
        match value {
            Value::Object(table) => match Source::of_table(&table, origin) {
                Some(source) => Extra::Secret(source),
                None => Extra::plain(Value::Object(table)),
            },
            Value::String(text) if Redactor::is_secret_name(name) => Extra::Secret(Source::literal(&text)),
            value => Extra::plain(value),
        }
    }

    fn plain(value: Value) -> Self {
        hidden::register(&value, false);
        Extra::Plain(value)
    }
}

impl Spec {
    /// Parses a connection from text: a URI, or a JSON object with the fields of the table form.
    pub(super) fn of_text(text: &str, origin: &Origin) -> Result<Self, Vec<String>> {
        if !text.trim_start().starts_with('{') {
            return uri::read(text.trim(), origin).map_err(|mistake| vec![mistake]);
        }
        match serde_json::from_str(text) {
            Ok(Value::Object(table)) => Spec::of_table(table, origin),
            // The error of serde_json contains the position, but no part of the text.
            Err(error) => Err(vec![format!("it is not valid JSON: {error}")]),
            Ok(_) => Err(vec!["it is not a JSON object".to_owned()]),
        }
    }

    /// Parses a connection from a table.
    pub(super) fn of_table(table: Map<String, Value>, origin: &Origin) -> Result<Self, Vec<String>> {
        let mut spec = Spec::default();
        let mut mistakes = Vec::new();
        for (name, value) in table {
            let read = match &*name {
                // Airflow writes all fields, with null for those that are not set.
                _ if value.is_null() => Ok(()),
                "kind" | "conn_type" if spec.kind.is_some() => Err("`kind` and `conn_type` are the same".to_owned()),
                "kind" | "conn_type" => text(&name, value).map(|text| spec.kind = Some(uri::normalised(&text))),
                "description" => text(&name, value).map(|text| spec.description = Some(text)),
                "host" => text(&name, value).map(|text| spec.host = Some(text)),
                "login" => text(&name, value).map(|text| spec.login = Some(text)),
                "schema" => text(&name, value).map(|text| spec.schema = Some(text)),
                "port" => port(&value).map(|port| spec.port = Some(port)),
                "password" => password(value, origin).map(|source| spec.password = Some(source)),
                "extra" => extra(value, origin).map(|extra| spec.extra = extra),
                _ => Err(format!("unknown key `{name}`{}", did_you_mean(&name, FIELDS))),
            };
            mistakes.extend(read.err());
        }
        if spec.kind.is_none() && mistakes.is_empty() {
            mistakes.push("it has no `kind`, such as `kind = \"postgres\"`".to_owned());
        }
        if mistakes.is_empty() { Ok(spec) } else { Err(mistakes) }
    }

    /// The parts that are literal secrets.
    pub(super) fn literals(&self) -> Vec<String> {
        let password = matches!(self.password, Some(Source::Literal(_))).then(|| "the password".to_owned());
        let extra = self.extra.iter().filter(|(_, extra)| matches!(extra, Extra::Secret(Source::Literal(_))));
        password.into_iter().chain(extra.map(|(key, _)| format!("the extra `{key}`"))).collect()
    }

    /// Resolves the secrets of the connection.
    pub(super) fn resolve(
        &self,
        name: &str,
        environment: &Environment,
        origin: &Origin,
    ) -> Result<Connection, ConfigError> {
        let password = || format!("the password of the connection `{name}`");
        let password =
            self.password.as_ref().map(|source| source.resolve(environment, password, origin)).transpose()?;
        let mut extra = BTreeMap::new();
        for (key, given) in &self.extra {
            let value = match given {
                Extra::Plain(value) => super::connection::Extra::Plain(value.clone()),
                Extra::Secret(source) => {
                    let what = || format!("the extra `{key}` of the connection `{name}`");
                    super::connection::Extra::Secret(source.resolve(environment, what, origin)?)
                }
            };
            extra.insert(key.clone(), value);
        }
        Ok(Connection::new(name, self, origin.clone(), password, extra))
    }
}

fn text(name: &str, value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(format!("`{name}` is not a string")),
    }
}

fn port(value: &Value) -> Result<u16, String> {
    let port = match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64().and_then(|port| u16::try_from(port).ok()),
    };
    port.ok_or_else(|| "`port` is not a port number, 0 to 65535".to_owned())
}

fn password(value: Value, origin: &Origin) -> Result<Source, String> {
    let unclear = || "`password` is neither a text nor `{ env = \"NAME\" }` nor `{ file = \"PATH\" }`".to_owned();
    match value {
        Value::String(text) => Ok(Source::literal(&text)),
        Value::Object(table) => Source::of_table(&table, origin).ok_or_else(unclear),
        _ => Err(unclear()),
    }
}

fn extra(value: Value, origin: &Origin) -> Result<BTreeMap<String, Extra>, String> {
    let value = match value {
        // Airflow stores it as a text that contains JSON.
        Value::String(text) if text.trim().is_empty() => return Ok(BTreeMap::new()),
        Value::String(text) => {
            serde_json::from_str(&text).map_err(|error| format!("`extra` is not valid JSON: {error}"))?
        }
        value => value,
    };
    let Value::Object(table) = value else { return Err("`extra` is not a table".to_owned()) };
    Ok(table
        .into_iter()
        .map(|(key, value)| {
            let extra = Extra::of(&key, value, origin);
            (key, extra)
        })
        .collect())
}
