//! Who does something.

use serde::{Deserialize, Serialize};

/// Who does something, and how they are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The name of the user or of the token, or the account of the machine.
    pub name: String,
    /// How they are known.
    pub via: Via,
}

/// How somebody is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// A request from this machine, to a server without users.
    Loopback,
    /// A user who has logged in.
    Session,
    /// A token.
    Token,
    /// A header of a trusted proxy.
    Proxy,
    /// The command line.
    Cli,
    /// The service itself.
    Service,
}

impl Via {
    /// Its name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Via::Loopback => "loopback",
            Via::Session => "session",
            Via::Token => "token",
            Via::Proxy => "proxy",
            Via::Cli => "cli",
            Via::Service => "service",
        }
    }
}
