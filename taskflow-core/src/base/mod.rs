//! What every layer needs: failures, points in time, typed indices, panics, units for display, file
//! names, the account of the process.

mod account;
pub(crate) mod csv;
pub mod error;
pub(crate) mod failpoint;
mod histogram;
#[cfg(feature = "http")]
pub(crate) mod http;
pub(crate) mod index;
#[cfg(test)]
pub(crate) mod nearly;
pub(crate) mod panics;
pub(crate) mod paths;
pub(crate) mod private;
pub(crate) mod schema;
mod source;
pub(crate) mod suggest;
pub(crate) mod text;
pub mod time;
pub(crate) mod units;

pub(crate) use account::account;
pub use error::{BoxError, Crash, ErrorKind, Failure, Result};
pub(crate) use error::{SignalName, bound_message};
pub(crate) use histogram::Histogram;
#[cfg(feature = "spark")]
pub(crate) use http::Verb;
#[cfg(feature = "http")]
pub(crate) use http::{Address, Answer};
pub(crate) use panics::{QUIET, Quietly, catch, drop_quietly, install_hook};
pub(crate) use paths::{from_hex, hex, safe_name};
pub use source::SourceLocation;
pub(crate) use suggest::{did_you_mean, nearest};
pub use time::{Date, Interval, Timestamp};
