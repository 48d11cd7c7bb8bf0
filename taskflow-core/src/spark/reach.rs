//! Checks that a master is reachable before Spark tries to connect, which would take a minute and
//! end in a misleading error.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use super::{Master, SparkError};

/// The time limit for connecting to one master.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Checks that one of the masters of a standalone cluster accepts connections; the others may be
/// on standby. The backends of other clusters have their own check. Blocks.
///
/// # Errors
///
/// If no master is reachable.
pub(super) fn reach(master: &Master) -> Result<(), SparkError> {
    let Master::Standalone(hosts) = master else { return Ok(()) };
    connect_to_any(hosts.iter().map(String::as_str))
        .map_err(|why| SparkError::MasterUnreachable { master: master.to_string(), why })
}

/// Checks that one of these `host:port` accepts connections. Blocks.
///
/// # Errors
///
/// The error of each host, if none of them does.
pub(super) fn connect_to_any<'a>(hosts: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut errors = Vec::new();
    for host in hosts {
        let connected = host.to_socket_addrs().and_then(|mut addresses| {
            let first = addresses.next().ok_or_else(|| std::io::Error::other("the name has no address"))?;
            TcpStream::connect_timeout(&first, TIMEOUT)
        });
        match connected {
            Ok(_) => return Ok(()),
            Err(error) => errors.push(format!("{host}: {error}")),
        }
    }
    Err(errors.join("; "))
}
