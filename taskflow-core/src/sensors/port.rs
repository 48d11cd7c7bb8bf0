//! A sensor that waits for an open port.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::SENSOR;
use crate::dag::{IntoArg, Output, add_task};
use crate::task::{Body, InputDef, Inputs, Interrupt, Produced, TaskContext, TaskDef};
use crate::value::{AnyValue, TypeInfo};

/// The time limit of a connection attempt.
const TIMEOUT: Duration = Duration::from_secs(5);

static DEF: TaskDef = TaskDef {
    id: "port_open",
    doc: "Waits until a TCP connection to an address succeeds.",
    inputs: &[InputDef { name: "address", ty: TypeInfo::of::<String>() }],
    output: TypeInfo::of_value::<String>(),
    body: Body::Sync(connect),
    ..SENSOR
};

/// A sensor for a server: returns its address, `"host:port"`, when a TCP connection succeeds.
///
/// It also waits for a name that cannot be resolved yet; an address that is not of the form
/// `host:port` is an error of the sensor.
#[track_caller]
pub fn port_open(address: impl IntoArg<String>) -> Output<String> {
    add_task(&DEF, [address.into_arg()])
}

fn connect(inputs: &mut Inputs, _: Option<&TaskContext>) -> Produced {
    let address = inputs.shared::<String>(0);
    let port = address.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    if !matches!(port, Some(Ok(_))) {
        return Err(format!("`{address}` is not a valid address: write `host:port`").into());
    }
    let mut found = address.to_socket_addrs().into_iter().flatten();
    if found.any(|place| TcpStream::connect_timeout(&place, TIMEOUT).is_ok()) {
        return Ok(AnyValue::new(String::clone(&address)));
    }
    Err(Interrupt::not_yet().into())
}
