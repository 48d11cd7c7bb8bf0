//! How to reach and log in to external systems: Airflow's connections.

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
use crate::log::encodings::base64;
use crate::log::mask;

/// A connection: its kind, address, credentials and extras.
///
/// It is defined as a table below `[connections]` in `taskflow.toml`, as a URI, or as JSON in
/// `TASKFLOW_CONN_<NAME>`. `{}`, `{:?}` and serde replace its secrets with `***`. It is not a
/// [`Value`](crate::value::Value) and cannot be passed from task to task.
///
/// ```
/// use taskflow::config::Config;
///
/// let config = Config::from_toml(r#"
///     [connections]
///     warehouse = "postgres://etl:pa%40ss-word@db.example.com:5432/sales?sslmode=require&retries=3"
/// "#)?;
/// let warehouse = config.connection("warehouse")?;
/// assert_eq!((warehouse.kind(), warehouse.port()), ("postgres", Some(5432)));
/// assert_eq!(warehouse.host(), Some("db.example.com"));
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

/// A field specific to connections of this kind.
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
        let Spec { kind, description, host, port, login, schema, .. } = spec.clone();
        if let Some(password) = &password {
            // As in an `Authorization` header.
            let both = format!("{}:{}", login.as_deref().unwrap_or_default(), password.expose());
            base64(both.as_bytes()).iter().for_each(|text| mask(text));
        }
        let kind = kind.unwrap_or_default();
        Connection { name: name.to_owned(), kind, description, host, port, login, password, schema, extra, origin }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type of the system, with Airflow's names: `postgres`, `http`, `aws`. In lower case, with
    /// `_` instead of `-`; `postgresql` is `postgres`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The description.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The host, optionally with a protocol: `https://api.example.com`.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// The port.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The user name.
    pub fn login(&self) -> Option<&str> {
        self.login.as_deref()
    }

    /// The password.
    pub fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    /// The database, bucket or path: what follows the host in a URI, without the first `/`.
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// Returns an extra as a `T`. If a text is not a `T`, it is parsed as JSON: the extras of a URI
    /// are all texts.
    ///
    /// # Errors
    ///
    /// If the extra does not exist, or is not a `T`.
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

    /// Like [`extra`](Connection::extra), with a default if the extra does not exist.
    ///
    /// # Errors
    ///
    /// If it is not a `T`.
    pub fn extra_or<T: DeserializeOwned>(&self, key: &str, default: T) -> Result<T, ConfigError> {
        if self.extra.contains_key(key) { self.extra(key) } else { Ok(default) }
    }

    /// The names of its extras.
    pub fn extra_keys(&self) -> impl Iterator<Item = &str> {
        self.extra.keys().map(String::as_str)
    }

    /// The whole connection as a URI, for libraries that need one. Extras follow the `?`; if not
    /// all of them are texts, they are one JSON object under `__extra__`, as in Airflow.
    pub fn uri(&self) -> Secret {
        Secret::of_masked_parts(self.written(|secret| secret.expose().to_owned(), uri::encoded))
    }

    /// The URI, with secrets mapped by `shown`; `encoded` is applied to other parts.
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

    /// The extras, without secrets.
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
    /// The URI, with secrets replaced by `***`.
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
    /// Replaces secrets with `***`.
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
