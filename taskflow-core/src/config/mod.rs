//! Configuration: variables, connections, secrets and settings, and where they come from.
//!
//! - [`Config`]: the face. `builder`: how one is put together; says what wins over what.
//! - `place`: which file is read. `document`: what stands in it, line by line. `environment`, `overrides`: what environment
//!   variables say. `layer`: everything that is given. `origin`: where each of it comes from. `name`: what a name is.
//! - `setting`, `settings`: the settings of the command line, checked and typed.
//! - `typed`: variables in the type that is asked for.
//! - [`Connection`]; `spec`, `uri`: the forms in which one is given.
//! - [`Secret`]; `source`: where its text is. `hidden`: secrets that only their names give away.
//! - `entry`: all of it for people. `error`: what can be wrong.

mod builder;
#[allow(clippy::module_inception, reason = "the type is the room's face")]
mod config;
mod connection;
mod document;
mod entry;
mod environment;
mod error;
mod hidden;
mod layer;
mod name;
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

pub use builder::ConfigBuilder;
pub use config::Config;
pub use connection::Connection;
pub use entry::Entry;
pub use error::{ConfigError, ItemKind, Mistake};
pub use origin::Origin;
pub use secret::Secret;
pub use settings::Settings;
