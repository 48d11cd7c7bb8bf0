//! What is looked at before anything is started: it saves a minute and a half, and a message that misleads.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use super::super::Master;
use super::SparkError;
use super::place::Place;
use super::spec::Spec;

/// How long one master may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Blocks.
///
/// # Errors
///
/// When the application is not there, or nobody answers at the master.
pub(super) fn look(spec: &Spec, place: &Place) -> Result<(), SparkError> {
    if let Some(path) = spec.path() {
        let folder = spec.cwd.clone().or_else(|| std::env::current_dir().ok()).unwrap_or_default();
        if !folder.join(path).is_file() {
            return Err(SparkError::ApplicationMissing { app: spec.app.clone(), folder: folder.display().to_string() });
        }
    }
    match &place.master {
        Master::Standalone(hosts) => reach(hosts, &place.master),
        Master::Local(_) | Master::Yarn | Master::Kubernetes(_) => Ok(()),
    }
}

/// One of several is enough: the others stand by.
fn reach(hosts: &[String], master: &Master) -> Result<(), SparkError> {
    let mut heard = Vec::new();
    for host in hosts {
        let connected = host.to_socket_addrs().and_then(|mut addresses| {
            let first = addresses.next().ok_or_else(|| std::io::Error::other("the name leads nowhere"))?;
            TcpStream::connect_timeout(&first, PATIENCE)
        });
        match connected {
            Ok(_) => return Ok(()),
            Err(error) => heard.push(format!("{host}: {error}")),
        }
    }
    Err(SparkError::MasterUnreachable { master: master.to_string(), why: heard.join("; ") })
}
