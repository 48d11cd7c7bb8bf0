//! Configuration: variables, connections, secrets and settings, and their sources.
//!
//! - [`Config`]: the public API. `builder`: builds one; documents the precedence of sources.
//! - `place`: finds the file. `document`: parses it. `environment`, `overrides`: environment
//!   variables. `layer`: all values. `origin`: where each value comes from. `name`: names.
//! - `setting`, `settings`: the settings of the command line, validated and typed.
//! - `network`: networks of addresses. `group`: roles of groups. `oidc`: the settings of
//!   `[serve.oidc]`.
//! - `typed`: conversion of variables to the requested type.
//! - [`Connection`]; `spec`, `uri`: the forms in which it is defined.
//! - [`Secret`]; `source`: where its text is stored. `hidden`: secrets recognised by name only.
//! - `webhook`: which deliveries of other systems become events.
//! - `entry`: all entries for display. `error`: errors.

mod builder;
#[allow(clippy::module_inception, reason = "the type is the public API of the module")]
mod config;
mod connection;
mod document;
mod entry;
mod environment;
mod error;
mod group;
mod hidden;
mod layer;
mod name;
mod network;
mod oidc;
mod origin;
mod overrides;
mod place;
mod secret;
mod setting;
mod settings;
mod source;
mod spec;
mod typed;
mod uri;
mod webhook;

pub use builder::ConfigBuilder;
pub use config::Config;
pub use connection::Connection;
pub use entry::Entry;
pub(crate) use environment::secret_variables;
pub use error::{ConfigError, ItemKind, Mistake};
pub use group::GroupRole;
pub use network::Network;
pub use oidc::OidcSettings;
pub use origin::Origin;
pub use secret::Secret;
pub use settings::Settings;
#[cfg(feature = "server")]
pub(crate) use webhook::{Webhook, WebhookScheme};
