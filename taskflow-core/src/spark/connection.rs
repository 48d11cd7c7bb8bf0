//! Reads the settings of a cluster from a connection of the configuration.

use crate::config::{ConfigError, Connection};

/// The prefix of extras that are Spark properties.
const PROPERTY: &str = "spark.";

/// The master of a connection, if it has a host.
pub(super) fn master_of(connection: &Connection) -> Option<String> {
    let host = connection.host()?;
    let port = connection.port();
    let with_port = |host: &str| port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    if host.contains("://") {
        return Some(with_port(host));
    }
    match connection.kind() {
        "k8s" | "kubernetes" => Some(format!("k8s://https://{}", with_port(host))),
        "yarn" => Some("yarn".to_owned()),
        _ if port.is_none() && (host == "yarn" || host.starts_with("local")) => Some(host.to_owned()),
        // The host may be a list of hosts with ports.
        _ if host.contains(':') => Some(format!("spark://{host}")),
        _ => Some(format!("spark://{host}:{}", port.unwrap_or(7077))),
    }
}

/// The Spark properties of a connection.
///
/// # Errors
///
/// If one of them is not a text.
pub(super) fn properties_of(connection: &Connection) -> Result<Vec<(String, String)>, ConfigError> {
    let keys = connection.extra_keys().filter(|key| key.starts_with(PROPERTY));
    keys.map(|key| Ok((key.to_owned(), connection.extra::<String>(key)?))).collect()
}
