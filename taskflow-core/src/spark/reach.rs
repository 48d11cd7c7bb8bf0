//! Calling a master before Spark does, who would take a minute and then complain about something
//! else.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use super::{Master, SparkError};

/// How long one master may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether somebody is there, of clusters of Spark's own kind; others are asked in ways of their
/// own. One of several masters is enough: the others stand by. Blocks.
///
/// # Errors
///
/// When nobody answers.
pub(super) fn reach(master: &Master) -> Result<(), SparkError> {
    let Master::Standalone(hosts) = master else { return Ok(()) };
    knock(hosts.iter().map(String::as_str))
        .map_err(|why| SparkError::MasterUnreachable { master: master.to_string(), why })
}

/// Whether somebody listens at one of these, each a name and a port. Blocks.
///
/// # Errors
///
/// What was heard at each, when nobody does.
pub(super) fn knock<'a>(hosts: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut heard = Vec::new();
    for host in hosts {
        let connected = host.to_socket_addrs().and_then(|mut addresses| {
            let first = addresses.next().ok_or_else(|| std::io::Error::other("the name cannot be resolved"))?;
            TcpStream::connect_timeout(&first, PATIENCE)
        });
        match connected {
            Ok(_) => return Ok(()),
            Err(error) => heard.push(format!("{host}: {error}")),
        }
    }
    Err(heard.join("; "))
}
