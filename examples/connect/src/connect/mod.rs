//! Spark Connect for tasks: a session from a connection of the configuration, which belongs to one attempt.
//!
//! Three files without anything of this example, to be taken along: `session.rs` opens and closes, `address.rs` reads the
//! connection, `error.rs` says what went wrong and whether another attempt helps.

mod address;
mod error;
mod session;

pub use error::{CutOff, QueryError, SessionError, is_passing};
pub use session::{Session, session};
