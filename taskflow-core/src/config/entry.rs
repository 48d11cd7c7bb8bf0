//! The entries of a configuration for display, without secrets.

use serde_json::Value;

use super::layer::{Layer, Variable};
use super::origin::{Given, Origin};
use super::spec::{Extra, Spec};
use super::{hidden, oidc};

/// An entry of a configuration.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// The table it belongs to: `run`, `serve`, `serve.oidc`, `auth`, `store`, `log`, `pools`,
    /// `variables`, `connections`, `secrets` or `webhooks`.
    pub section: &'static str,
    /// Its name there.
    pub name: String,
    /// Its value, with secrets as `***`.
    pub value: Value,
    /// The origin of the value; `None` for the default of a setting.
    pub origin: Option<Origin>,
}

/// All entries, settings first.
pub(super) fn entries(layer: &Layer) -> Vec<Entry> {
    let mut entries = Vec::new();
    let has_oidc = layer.settings.has_oidc();
    for (setting, given) in layer.settings.iter() {
        // Most programs have no provider; whoever has one sees all its settings.
        if setting.name.starts_with(oidc::PREFIX) && !has_oidc {
            continue;
        }
        let (section, name) = setting.table_and_key();
        let value = match given {
            // Perhaps the secret itself, by mistake.
            Some(given) if setting.name == oidc::SECRET && layer.secrets.get(&given.value.to_string()).is_none() => {
                hidden::MASK.to_owned()
            }
            Some(given) => given.value.to_string(),
            None => setting.default.to_owned(),
        };
        let origin = given.map(|given| given.origin.clone());
        entries.push(Entry { section, name: name.to_owned(), value: value.into(), origin });
    }
    for (name, given) in layer.pools.iter() {
        entries.push(entry("pools", name, given.value.into(), given));
    }
    for (name, given) in layer.variables.iter() {
        let value = match &given.value {
            Variable::Value(value) => hidden::masked(name, value),
            Variable::Text(text) => hidden::masked(name, &Value::String(text.clone())),
        };
        entries.push(entry("variables", name, value, given));
    }
    for (name, given) in layer.connections.iter() {
        entries.push(entry("connections", name, shown(&given.value), given));
    }
    for (name, given) in layer.secrets.iter() {
        entries.push(entry("secrets", name, given.value.to_string().into(), given));
    }
    for (name, given) in layer.webhooks.iter() {
        let has_secret = layer.secrets.get(&given.value.secret).is_some();
        entries.push(entry("webhooks", name, given.value.shown(has_secret), given));
    }
    entries
}

fn entry<T>(section: &'static str, name: &str, value: Value, given: &Given<T>) -> Entry {
    Entry { section, name: name.to_owned(), value, origin: Some(given.origin.clone()) }
}

/// A connection as configured, without resolving its secrets.
fn shown(spec: &Spec) -> Value {
    let Spec { kind, description, host, port, login, password, schema, extra } = spec;
    let shown_extra = |(key, extra): (&String, &Extra)| {
        let value = match extra {
            Extra::Plain(value) => hidden::masked(key, value),
            Extra::Secret(source) => source.to_string().into(),
        };
        (key.clone(), value)
    };
    let fields = [
        ("kind", kind.clone().map(Value::from)),
        ("description", description.clone().map(Value::from)),
        ("host", host.clone().map(Value::from)),
        ("port", port.map(Value::from)),
        ("login", login.clone().map(Value::from)),
        ("password", password.as_ref().map(|source| source.to_string().into())),
        ("schema", schema.clone().map(Value::from)),
        ("extra", (!extra.is_empty()).then(|| Value::Object(extra.iter().map(shown_extra).collect()))),
    ];
    let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(given.collect())
}
