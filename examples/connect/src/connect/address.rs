//! What a connection of the configuration says about a Spark Connect server.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use taskflow::Connection;

use super::SessionError;

/// The kinds of connections that lead to Spark Connect: that of its addresses, and Airflow's.
const KINDS: [&str; 2] = ["sc", "spark_connect"];
const PORT: u16 = 15002;

/// Where a server is, and how it is spoken to.
pub(super) struct Address {
    /// For people and for a first call: `host:port`.
    pub(super) place: String,
    /// The address as Spark's clients read it. The token is in it.
    pub(super) remote: String,
}

impl Address {
    /// Reads `sc://user:token@host:15002?use_ssl=true`.
    ///
    /// The extras are the [parameters of Spark's own addresses](https://github.com/apache/spark/blob/master/sql/connect/docs/client-connection-string.md),
    /// `user_id` and `token` among them.
    pub(super) fn of(connection: &Connection) -> Result<Address, SessionError> {
        let name = || connection.name().to_owned();
        if !KINDS.contains(&connection.kind()) {
            return Err(SessionError::WrongKind { connection: name(), kind: connection.kind().to_owned() });
        }
        // Spark's own form has a token there that nobody would take for a secret.
        if connection.schema().is_some() {
            return Err(SessionError::Path { connection: name() });
        }
        let host = connection.host().ok_or_else(|| SessionError::NoHost { connection: name() })?;
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let place = format!("{host}:{}", connection.port().unwrap_or(PORT));

        // The client says that it is Python otherwise.
        let mut parameters = vec![("user_agent".to_owned(), "taskflow".to_owned())];
        parameters.extend(connection.login().map(|login| ("user_id".to_owned(), login.to_owned())));
        parameters.extend(connection.password().map(|token| ("token".to_owned(), token.expose().to_owned())));
        for key in connection.extra_keys() {
            if key == "session_id" {
                return Err(SessionError::SharedSession { connection: name() });
            }
            parameters.push((key.to_owned(), text(connection, key)?));
        }
        let mut remote = format!("sc://{place}/");
        for (key, value) in parameters {
            remote += &format!(";{key}={}", utf8_percent_encode(&value, NON_ALPHANUMERIC));
        }
        Ok(Address { place, remote })
    }
}

/// An extra as text: `use_ssl = true` in `taskflow.toml` is none.
fn text(connection: &Connection, key: &str) -> Result<String, SessionError> {
    let value: serde_json::Value = connection.extra(key)?;
    Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}
