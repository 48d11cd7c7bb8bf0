//! The layer that finds the attempt of an event and sends the event to its log.

use std::fmt;
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_log::NormalizeEvent as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;

use super::attempt::Attempt;
use super::fields::Fields;
use super::record::{LogRecord, LogSpan};
use super::relay::{Carried, is_relayed};
use super::sink::LogSink;
use super::span::is_attempt;
use crate::base::Timestamp;

/// A layer for the subscriber of an application that sends what tasks emit, down to `INFO`, to
/// their logs.
///
/// It does not affect other layers. Events outside of attempts are ignored.
///
/// ```
/// use tracing_subscriber::prelude::*;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = std::env::temp_dir().join("taskflow-log-example");
/// let sink = taskflow::log::LogSink::open(directory)?;
/// let subscriber = tracing_subscriber::registry().with(taskflow::log::layer(sink.clone()));
/// // subscriber.init();
/// # drop(subscriber);
/// # Ok(())
/// # }
/// ```
///
/// A filter in front of all layers (`registry().with(EnvFilter::..)`) applies to this one too. To
/// avoid that, attach the filter to the layer it is meant for (`fmt::layer().with_filter(..)`).
pub fn layer<S>(sink: LogSink) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    layer_with(sink, Targets::new().with_default(LevelFilter::INFO))
}

/// Like [`layer`], with a custom filter.
///
/// Everything that passes the filter is formatted, including libraries that emit thousands of
/// `TRACE` events per request, so let through only what is worth reading.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = std::env::temp_dir().join("taskflow-log-example");
/// use tracing_subscriber::prelude::*;
///
/// let sink = taskflow::log::LogSink::open(directory)?;
/// let layer = taskflow::log::layer_with(sink, "info,my_dags=debug".parse()?);
/// let subscriber = tracing_subscriber::registry().with(layer);
/// # drop(subscriber);
/// # Ok(())
/// # }
/// ```
pub fn layer_with<S>(sink: LogSink, targets: Targets) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    layer_to(sink, targets)
}

/// The destination of the records of attempts.
pub(super) trait Destination: Send + Sync + 'static {
    /// Sends a record of an attempt.
    fn send(&self, attempt: &Arc<Attempt>, record: impl FnOnce() -> LogRecord);
    /// Ends an attempt, which emits no more records.
    fn end(&self, attempt: Arc<Attempt>);
}

/// A layer that sends records to any destination.
pub(super) fn layer_to<S, D>(to: D, targets: Targets) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    D: Destination,
{
    AttemptLayer { to, targets: targets.clone() }.with_filter(KeepAttempts(targets))
}

/// The layer without its filter.
struct AttemptLayer<D> {
    to: D,
    /// For records relayed from other processes.
    targets: Targets,
}

/// Stored in the extensions of the span of an attempt and of every span inside it.
struct AttemptSpan {
    attempt: Arc<Attempt>,
    /// `None` for the span of the attempt itself.
    span: Option<LogSpan>,
}

impl<S, D> Layer<S> for AttemptLayer<D>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    D: Destination,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let inside = if is_attempt(attributes.metadata()) {
            let mut identity = Identity::default();
            attributes.record(&mut identity);
            let attempt = Arc::new(Attempt::new(identity.run, identity.task, identity.attempt));
            AttemptSpan { attempt, span: None }
        } else {
            // Each inner span holds the attempt, so checking the parent is enough.
            let parent = span.parent();
            let attempt =
                parent.and_then(|parent| parent.extensions().get().map(|of: &AttemptSpan| Arc::clone(&of.attempt)));
            let Some(attempt) = attempt else { return };
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            let name = attributes.metadata().name().to_owned();
            AttemptSpan { attempt, span: Some(LogSpan { name, fields: fields.into_map() }) }
        };
        let mut extensions = span.extensions_mut();
        // A second layer of this kind shares the entry of the first; inserting twice would panic.
        if extensions.get_mut::<AttemptSpan>().is_none() {
            extensions.insert(inside);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if span.extensions().get::<AttemptSpan>().is_none_or(|inside| inside.span.is_none()) {
            return;
        }
        // Format before taking the lock: the `Debug` of a user type can do anything.
        let mut fields = Fields::default();
        values.record(&mut fields);
        if let Some(AttemptSpan { span: Some(span), .. }) = span.extensions_mut().get_mut() {
            span.fields.extend(fields.into_map());
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(leaf) = context.event_span(event) else { return };
        let attempt = leaf.extensions().get().map(|inside: &AttemptSpan| Arc::clone(&inside.attempt));
        let Some(attempt) = attempt else { return };
        if is_relayed(event.metadata()) {
            let mut carried = Carried::default();
            event.record(&mut carried);
            if let Carried(Some(record)) = carried
                && self.targets.would_enable(&record.target, &record.level.into())
            {
                self.to.send(&attempt, || record);
            }
            return;
        }
        self.to.send(&attempt, || {
            let mut fields = Fields::default();
            event.record(&mut fields);
            let mut spans = Vec::new();
            for span in leaf.scope() {
                match span.extensions().get() {
                    Some(AttemptSpan { span: Some(span), .. }) => spans.push(span.clone()),
                    _ => break,
                }
            }
            spans.reverse();
            record(event, fields, spans)
        });
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let ended = match span.extensions().get() {
            Some(AttemptSpan { attempt, span: None }) => Arc::clone(attempt),
            _ => return,
        };
        self.to.end(ended);
    }
}

fn record(event: &Event<'_>, fields: Fields, spans: Vec<LogSpan>) -> LogRecord {
    // The metadata of `log` records does not contain their origin.
    let normalized = event.normalized_metadata();
    let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
    LogRecord {
        at: Timestamp::now(),
        level: (*metadata.level()).into(),
        target: metadata.target().to_owned(),
        message: fields.message,
        fields: fields.map,
        spans,
        file: metadata.file().map(str::to_owned),
        line: metadata.line(),
        thread: std::thread::current().name().map(str::to_owned),
        dropped: 0,
    }
}

/// The attempt, as identified by its span.
#[derive(Default)]
struct Identity {
    run: String,
    task: String,
    attempt: u32,
}

impl Visit for Identity {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "run" => value.clone_into(&mut self.run),
            "task" => value.clone_into(&mut self.task),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "attempt" {
            self.attempt = u32::try_from(value).unwrap_or(u32::MAX);
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {}
}

/// Events that the filter by target does not apply to: the spans of attempts, and records of other
/// processes, which are filtered by their own target.
fn passes(metadata: &Metadata<'_>) -> bool {
    is_attempt(metadata) || is_relayed(metadata)
}

/// A filter that always enables the spans of attempts: without them an event has no log.
struct KeepAttempts(Targets);

impl<S> Filter<S> for KeepAttempts {
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        passes(metadata) || Filter::<S>::enabled(&self.0, metadata, context)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if passes(metadata) { Interest::always() } else { Filter::<S>::callsite_enabled(&self.0, metadata) }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        // The spans of attempts have the level `ERROR`.
        Filter::<S>::max_level_hint(&self.0).map(|level| level.max(LevelFilter::ERROR))
    }
}
