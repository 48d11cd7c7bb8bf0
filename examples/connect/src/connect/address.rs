//! Reads the address of a Spark Connect server from a connection of the configuration.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use taskflow::Connection;

use super::SessionError;

/// The kinds of connections to Spark Connect: that of its own addresses, and Airflow's.
const KINDS: [&str; 2] = ["sc", "spark_connect"];
const PORT: u16 = 15002;

/// The address of a server.
pub(super) struct Address {
    /// `host:port`, for messages and for checking that the server can be reached.
    pub(super) endpoint: String,
    /// The address in the form of Spark's clients. Contains the token.
    pub(super) remote: String,
}

impl Address {
    /// Reads `sc://user:token@host:15002?use_ssl=true`.
    ///
    /// The extras are the [parameters of Spark's own
    /// addresses](https://github.com/apache/spark/blob/master/sql/connect/docs/client-connection-string.md),
    /// `user_id` and `token` among them.
    pub(super) fn of(connection: &Connection) -> Result<Address, SessionError> {
        let name = || connection.name().to_owned();
        if !KINDS.contains(&connection.kind()) {
            return Err(SessionError::WrongKind { connection: name(), kind: connection.kind().to_owned() });
        }
        // In Spark's own form the token is here, where it is not recognized as a secret.
        if connection.schema().is_some() {
            return Err(SessionError::Path { connection: name() });
        }
        let host = connection.host().ok_or_else(|| SessionError::NoHost { connection: name() })?;
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let endpoint = format!("{host}:{}", connection.port().unwrap_or(PORT));

        // The client would otherwise identify itself as Python.
        let mut parameters = vec![("user_agent".to_owned(), "taskflow".to_owned())];
        parameters.extend(connection.login().map(|login| ("user_id".to_owned(), login.to_owned())));
        parameters.extend(connection.password().map(|token| ("token".to_owned(), token.expose().to_owned())));
        for key in connection.extra_keys() {
            if key == "session_id" {
                return Err(SessionError::SharedSession { connection: name() });
            }
            parameters.push((key.to_owned(), text(connection, key)?));
        }
        let mut remote = format!("sc://{endpoint}/");
        for (key, value) in parameters {
            remote += &format!(";{key}={}", utf8_percent_encode(&value, NON_ALPHANUMERIC));
        }
        Ok(Address { endpoint, remote })
    }
}

/// An extra as text. In `taskflow.toml` it may have another type, as in `use_ssl = true`.
fn text(connection: &Connection, key: &str) -> Result<String, SessionError> {
    let value: serde_json::Value = connection.extra(key)?;
    Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}
