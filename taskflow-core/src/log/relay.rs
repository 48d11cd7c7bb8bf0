//! Relays records from the process of an isolated task to the log of its attempt.
//!
//! 1. In that process, [`relay`] installs the subscriber. It creates records like the layer of any
//!    process, redacts the secrets registered there, and sends the records to the parent.
//! 2. In the parent, [`emit`] turns each record into an event inside the span of the attempt, with
//!    the level and message of the record, so that other layers of the application can display it;
//!    the field `record` contains the whole record.
//! 3. The [`layer`](super::layer) takes the record from that event and filters it by its original
//!    target.

use std::fmt;
use std::sync::Arc;

use tracing::Metadata;
use tracing::field::{Field, Visit};
use tracing_log::{AsLog as _, LogTracer};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;

use super::attempt::Attempt;
use super::layer::{Destination, layer_to};
use super::record::{LogLevel, LogRecord};
use super::redact::Redactor;

/// The target of events that carry a record.
const TARGET: &str = "taskflow::relay";

/// Sends every record of an attempt in this process, down to `level`, to `send`. Has no effect if
/// the program already has a subscriber.
pub(crate) fn relay(level: LevelFilter, send: impl Fn(LogRecord) + Send + Sync + 'static) {
    let layer = layer_to(Relay(Box::new(send)), Targets::new().with_default(level));
    if tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).is_ok() {
        // A logger of the `log` crate that the program has installed stays.
        let _ = LogTracer::builder().with_max_level(level.as_log()).init();
    }
}

struct Relay(Box<dyn Fn(LogRecord) + Send + Sync>);

impl Destination for Relay {
    fn send(&self, _attempt: &Arc<Attempt>, record: impl FnOnce() -> LogRecord) {
        let mut record = record();
        Redactor::current().record(&mut record);
        (self.0)(record);
    }

    fn end(&self, _attempt: Arc<Attempt>) {}
}

/// Adds a record from another process to the log of the attempt whose span is current.
pub(crate) fn emit(record: &LogRecord) {
    let (Ok(json), text) = (serde_json::to_string(record), &record.message) else { return };
    match record.level {
        LogLevel::Error => tracing::error!(target: TARGET, record = json, "{text}"),
        LogLevel::Warn => tracing::warn!(target: TARGET, record = json, "{text}"),
        LogLevel::Info => tracing::info!(target: TARGET, record = json, "{text}"),
        LogLevel::Debug => tracing::debug!(target: TARGET, record = json, "{text}"),
        LogLevel::Trace => tracing::trace!(target: TARGET, record = json, "{text}"),
    }
}

/// Whether an event carries a record.
pub(super) fn is_relayed(metadata: &Metadata<'_>) -> bool {
    metadata.is_event() && metadata.target() == TARGET
}

/// The record in an event.
#[derive(Default)]
pub(super) struct Carried(pub(super) Option<LogRecord>);

impl Visit for Carried {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "record" {
            self.0 = value.parse().ok();
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {}
}
