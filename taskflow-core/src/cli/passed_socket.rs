//! The socket that systemd passes to `serve`: it belongs to the unit, and is open while the service
//! restarts. Whoever connects meanwhile waits, instead of being refused.
//!
//! The protocol is that of `sd_listen_fds(3)`: `LISTEN_FDS` says how many descriptors there are,
//! from 3 on, and `LISTEN_PID` for which process.

use std::net::TcpListener;

use listenfd::ListenFd;

use super::error::CliError;

/// Takes the socket, if there is one. The variables are removed: a child is passed nothing.
pub(super) fn take() -> Result<Option<TcpListener>, CliError> {
    let mut passed = ListenFd::from_env();
    if passed.len() > 1 {
        return Err(CliError::usage(format!(
            "systemd passes {} sockets, and `serve` answers on one; leave one `ListenStream` in the unit of the socket",
            passed.len()
        )));
    }
    passed.take_tcp_listener(0).map_err(|error| {
        CliError::usage(format!(
            "the socket that systemd passes cannot be used: {error}; `ListenStream` in the unit of the socket has to \
             be an address and a port, such as 127.0.0.1:8090"
        ))
    })
}
