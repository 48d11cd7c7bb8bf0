//! Callbacks: which notifications they receive, and how these are delivered.
//!
//! - `projection`: derives the notifications from the entries of a run.
//! - `dispatcher`: delivers them and logs the deliveries; documents the protocol.
//! - [`notify`]: ready-made notifiers.

mod dispatcher;
pub mod notify;
mod projection;

pub use dispatcher::CallbackFailure;
pub(crate) use dispatcher::{CallbackDispatcher, DeliveryAttempt, DeliveryLog, PendingCallback, Recorded};
pub(crate) use projection::{CallbackProjection, Names};
