//! Spark Connect for tasks: sessions that are opened from a connection of the configuration and
//! belong to one attempt.
//!
//! This module does not depend on the rest of the example, so it can be copied to other projects.
//! `session.rs` opens and closes sessions, `address.rs` reads the connection, and `error.rs`
//! defines the errors and decides which ones are retried.

mod address;
mod error;
mod session;

pub use error::{IncompleteResult, QueryError, SessionError, is_transient};
pub use session::{Session, session};
