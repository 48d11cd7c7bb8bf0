//! The layer that finds the attempt an event happened in, and sends it to its log.

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

/// A layer for the subscriber of an application: sends what tasks emit, down to `INFO`, to their logs.
///
/// It works beside other layers and takes nothing from them. Events outside of attempts are ignored.
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
/// A filter that stands before all layers (`registry().with(EnvFilter::..)`) holds for this one, too; give the filter to
/// the layer it is meant for instead (`fmt::layer().with_filter(..)`).
pub fn layer<S>(sink: LogSink) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    layer_with(sink, Targets::new().with_default(LevelFilter::INFO))
}

/// As [`layer`], with a filter of one's own.
///
/// Everything that passes is formatted, also by libraries that emit thousands of events at `TRACE` for a request: let
/// through what somebody will read.
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

/// Where the records of attempts go.
pub(super) trait Destination: Send + Sync + 'static {
    /// Takes a record of an attempt.
    fn send(&self, attempt: &Arc<Attempt>, record: impl FnOnce() -> LogRecord);
    /// The attempt is over, and emits no more.
    fn end(&self, attempt: Arc<Attempt>);
}

/// A layer that sends records to any place.
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
    /// For records that come from elsewhere.
    targets: Targets,
}

/// In the extensions of the spans of attempts, and of every span inside of one.
struct Inside {
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
            Inside { attempt, span: None }
        } else {
            // Each span inside holds the attempt, so one look at the parent is enough.
            let parent = span.parent();
            let attempt =
                parent.and_then(|parent| parent.extensions().get().map(|of: &Inside| Arc::clone(&of.attempt)));
            let Some(attempt) = attempt else { return };
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            let name = attributes.metadata().name().to_owned();
            Inside { attempt, span: Some(LogSpan { name, fields: fields.into_map() }) }
        };
        let mut extensions = span.extensions_mut();
        // A second layer of this kind shares what the first found; inserting twice would panic.
        if extensions.get_mut::<Inside>().is_none() {
            extensions.insert(inside);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if span.extensions().get::<Inside>().is_none_or(|inside| inside.span.is_none()) {
            return;
        }
        // Formatted before the lock is taken: the `Debug` of a user's type may do anything.
        let mut fields = Fields::default();
        values.record(&mut fields);
        if let Some(Inside { span: Some(span), .. }) = span.extensions_mut().get_mut() {
            span.fields.extend(fields.into_map());
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(leaf) = context.event_span(event) else { return };
        let attempt = leaf.extensions().get().map(|inside: &Inside| Arc::clone(&inside.attempt));
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
                    Some(Inside { span: Some(span), .. }) => spans.push(span.clone()),
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
            Some(Inside { attempt, span: None }) => Arc::clone(attempt),
            _ => return,
        };
        self.to.end(ended);
    }
}

fn record(event: &Event<'_>, fields: Fields, spans: Vec<LogSpan>) -> LogRecord {
    // Records of the `log` crate come with a place that is none.
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

/// Who an attempt is, as its span says.
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

/// What no filter by target is meant for: the spans of attempts, and records of other processes, which are filtered by the
/// target that they come from.
fn passes(metadata: &Metadata<'_>) -> bool {
    is_attempt(metadata) || is_relayed(metadata)
}

/// A filter that lets the spans of attempts through whatever else it says: without them no event has a log.
struct KeepAttempts(Targets);

impl<S> Filter<S> for KeepAttempts {
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        passes(metadata) || Filter::<S>::enabled(&self.0, metadata, context)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if passes(metadata) { Interest::always() } else { Filter::<S>::callsite_enabled(&self.0, metadata) }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        // The spans of attempts are errors by level.
        Filter::<S>::max_level_hint(&self.0).map(|level| level.max(LevelFilter::ERROR))
    }
}
