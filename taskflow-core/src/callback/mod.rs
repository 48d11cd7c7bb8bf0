//! Callbacks: what they are to be notified of, and how the notifications reach them.
//!
//! - `projection`: the notifications that follow from the entries of a run.
//! - `dispatcher`: delivers them, and keeps a log of it; states its protocol.
//! - [`notify`]: notifiers that come along.

mod dispatcher;
pub mod notify;
mod projection;

pub(crate) use dispatcher::{CallbackDispatcher, DeliveryAttempt, DeliveryLog, PendingCallback};
pub(crate) use projection::{CallbackProjection, Names};
