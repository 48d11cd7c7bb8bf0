//! Where something outside is, and how to get in: Airflow's connections.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::{Map, Value};

use super::error::ConfigError;
use super::origin::Origin;
use super::secret::Secret;
use super::spec::Spec;
use super::typed;
use super::uri::{self, Parts};
use crate::base::nearest;
use crate::log::mask;

/// A connection: what it is, where it is, who we are there, and whatever else connections of its kind need.
///
/// Given as a table below `[connections]` in `taskflow.toml`, as a URI, or as JSON in `TASKFLOW_CONN_<NAME>`. Shown with
/// `{}`, with `{:?}` or through serde it has `***` in the place of its secrets; it is no [`Value`](crate::value::Value) and
/// cannot be passed from task to task.
///
/// ```
/// use taskflow::config::Config;
///
/// let config = Config::from_toml(r#"
///     [connections]
///     warehouse = "postgres://etl:pa%40ss-word@db.example.com:5432/sales?sslmode=require&retries=3"
/// "#)?;
/// let warehouse = config.connection("warehouse")?;
/// assert_eq!((warehouse.kind(), warehouse.host(), warehouse.port()), ("postgres", Some("db.example.com"), Some(5432)));
/// assert_eq!(warehouse.password().map(|password| password.expose()), Some("pa@ss-word"));
/// assert_eq!(warehouse.extra::<u32>("retries")?, 3);
/// assert_eq!(
///     warehouse.to_string(),
///     "postgres://etl:***@db.example.com:5432/sales?retries=3&sslmode=require",
/// );
/// # Ok::<(), taskflow::config::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Connection {
    name: String,
    kind: String,
    description: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    login: Option<String>,
    password: Option<Secret>,
    schema: Option<String>,
    extra: BTreeMap<String, Extra>,
    origin: Origin,
}

/// Something that only connections of this kind have.
#[derive(Clone)]
pub(super) enum Extra {
    Plain(Value),
    Secret(Secret),
}

impl Connection {
    pub(super) fn new(
        name: &str,
        spec: &Spec,
        origin: Origin,
        password: Option<Secret>,
        extra: BTreeMap<String, Extra>,
    ) -> Self {
        // In the URI they stand encoded.
        let secret = |extra: &Extra| match extra {
            Extra::Secret(secret) => Some(secret.clone()),
            Extra::Plain(_) => None,
        };
        for secret in password.iter().cloned().chain(extra.values().filter_map(secret)) {
            mask(&uri::encoded(secret.expose()));
        }
        let Spec { kind, description, host, port, login, schema, .. } = spec.clone();
        let kind = kind.unwrap_or_default();
        Connection { name: name.to_owned(), kind, description, host, port, login, password, schema, extra, origin }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it leads to, in Airflow's words: `postgres`, `http`, `aws`. In small letters, with `_` for `-`; `postgresql` is
    /// `postgres`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What it is for.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The host, in front of which a protocol may stand: `https://api.example.com`.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// The port.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Who we are there.
    pub fn login(&self) -> Option<&str> {
        self.login.as_deref()
    }

    /// How we show it.
    pub fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    /// The database, the bucket, the path: what stands behind the host in a URI, without the first `/`.
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// One of its extras, in the type that is wanted. A text that is no such value is read as JSON: those of a URI are
    /// all texts.
    ///
    /// # Errors
    ///
    /// When it has no such extra, or one of another type.
    pub fn extra<T: DeserializeOwned>(&self, key: &str) -> Result<T, ConfigError> {
        let found = self.extra.get(key).ok_or_else(|| ConfigError::NoExtra {
            connection: self.name.clone(),
            key: key.to_owned(),
            near: nearest(key, self.extra.keys().map(String::as_str)).map(str::to_owned),
        })?;
        let (value, secret) = match found {
            Extra::Plain(value) => (value.clone(), false),
            Extra::Secret(secret) => (Value::String(secret.expose().to_owned()), true),
        };
        typed::read(value).map_err(|reason| ConfigError::WrongType {
            what: format!("the extra `{key}` of the connection `{}`", self.name),
            origin: self.origin.clone(),
            wanted: typed::name::<T>(),
            reason: if secret { "its value is not shown".to_owned() } else { reason },
        })
    }

    /// As [`extra`](Connection::extra), with what is taken when it has no such extra.
    ///
    /// # Errors
    ///
    /// When it has one of another type.
    pub fn extra_or<T: DeserializeOwned>(&self, key: &str, default: T) -> Result<T, ConfigError> {
        if self.extra.contains_key(key) { self.extra(key) } else { Ok(default) }
    }

    /// The names of its extras.
    pub fn extra_keys(&self) -> impl Iterator<Item = &str> {
        self.extra.keys().map(String::as_str)
    }

    /// The whole connection as a URI, for libraries that want one. Extras follow the `?`; if not all of them are texts, as
    /// one JSON object under `__extra__`, as Airflow has it.
    pub fn uri(&self) -> Secret {
        Secret::of_masked_parts(self.written(|secret| secret.expose().to_owned(), uri::encoded))
    }

    /// The URI with what `shown` makes of each secret; `encoded` is for where it stands between other signs.
    fn written(&self, shown: impl Fn(&Secret) -> String, encoded: impl Fn(&str) -> String) -> String {
        let extra = self.extra.iter().map(|(key, extra)| {
            let value = match extra {
                Extra::Plain(value) => value.clone(),
                Extra::Secret(secret) => Value::String(shown(secret)),
            };
            (key.clone(), value)
        });
        uri::write(Parts {
            kind: &self.kind,
            host: self.host(),
            port: self.port,
            login: self.login(),
            password: self.password.as_ref().map(|password| encoded(&shown(password))),
            schema: self.schema(),
            extra: extra.collect(),
        })
    }

    /// Its extras, without the secrets.
    fn shown_extra(&self) -> Map<String, Value> {
        let shown = |(key, extra): (&String, &Extra)| {
            let value = match extra {
                Extra::Plain(value) => super::hidden::masked(key, value),
                Extra::Secret(_) => "***".into(),
            };
            (key.clone(), value)
        };
        self.extra.iter().map(shown).collect()
    }
}

impl fmt::Display for Connection {
    /// The URI, with `***` in the place of each secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = Connection {
            extra: self.shown_extra().into_iter().map(|(key, value)| (key, Extra::Plain(value))).collect(),
            ..self.clone()
        };
        // Encoded, the stars would be `%2A%2A%2A`.
        f.write_str(&hidden.written(|_| "***".to_owned(), str::to_owned).replace("%2A%2A%2A", "***"))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(&self.name).field(&format_args!("{self}")).finish()
    }
}

impl Serialize for Connection {
    /// With `***` in the place of each secret.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Connection", 9)?;
        fields.serialize_field("name", &self.name)?;
        fields.serialize_field("kind", &self.kind)?;
        fields.serialize_field("description", &self.description)?;
        fields.serialize_field("host", &self.host)?;
        fields.serialize_field("port", &self.port)?;
        fields.serialize_field("login", &self.login)?;
        fields.serialize_field("password", &self.password.as_ref().map(|_| "***"))?;
        fields.serialize_field("schema", &self.schema)?;
        fields.serialize_field("extra", &self.shown_extra())?;
        fields.end()
    }
}
