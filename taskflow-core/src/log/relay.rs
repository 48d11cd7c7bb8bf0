//! Records that cross from the process of an isolated task into the log of its attempt.
//!
//! 1. There, [`relay`] is the subscriber of the process. It makes records as the layer of any process does, takes out the
//!    secrets that are registered there, and hands them on.
//! 2. Here, [`emit`] makes an event of each, inside the span of the attempt. Its level is that of the record, its message the
//!    text, so that other layers of the application show something sensible; the field `record` has all of it.
//! 3. The [`layer`](super::layer) takes the record out of that event, and asks its filter about the target that the record
//!    came from.

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

/// Where events that carry a record say they come from.
const TARGET: &str = "taskflow::relay";

/// Makes this process hand every record of an attempt to `send`, down to `level`. Without effect where the program has a
/// subscriber of its own.
pub(crate) fn relay(level: LevelFilter, send: impl Fn(LogRecord) + Send + Sync + 'static) {
    let layer = layer_to(Relay(Box::new(send)), Targets::new().with_default(level));
    if tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).is_ok() {
        // Whoever has a logger of the `log` crate keeps it.
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

/// Puts a record from another process into the log of the attempt that this thread is in the span of.
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

/// The record that an event carries.
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
