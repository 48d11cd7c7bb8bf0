//! Who acts.

use crate::base::schema::Schema;
use serde::{Deserialize, Serialize};

/// Who acts, and how that was established.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Schema)]
pub struct Actor {
    /// The name of a person, a token or a program.
    pub name: String,
    /// How the name was established.
    pub via: Via,
}

/// How the name of an [`Actor`] was established.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// A request from this machine, without a log-in: the account of the server.
    Loopback,
    /// A log-in.
    Session,
    /// A bearer token.
    Token,
    /// A proxy that authenticates.
    Proxy,
    /// The command line: the account of the process.
    Cli,
    /// The service itself.
    Service,
    /// A signed delivery to a webhook: the name of the webhook.
    Webhook,
}
