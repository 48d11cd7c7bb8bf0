//! What a service says outside of attempts.
//!
//! Events outside of attempts have no log. Those of its server are for whoever runs it: why a
//! request could not be answered, or why somebody could not log in. So are those about runs that
//! wait for the store. A line that is repeated, such as that of a home that cannot be read, is
//! passed on once a minute.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::fields::Fields;

/// A layer that passes on what the service warns of, one line each.
pub(super) fn reports<S, F>(report: F) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    F: Fn(&str) + Send + Sync + 'static,
{
    Reports { report, last: Mutex::new(None) }
        .with_filter(Targets::new().with_targets(TARGETS.map(|target| (target, LevelFilter::WARN))))
}

/// Whose events are passed on.
const TARGETS: [&str; 2] = ["taskflow_core::server", "taskflow_core::journal::store_wait"];

/// How often the same line is passed on.
const REPEATED: Duration = Duration::from_secs(60);

struct Reports<F> {
    report: F,
    /// The last line that was passed on, and when.
    last: Mutex<Option<(String, Instant)>>,
}

impl<S: Subscriber, F: Fn(&str) + 'static> Layer<S> for Reports<F> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let request = fields.map.get("request_id").and_then(serde_json::Value::as_str);
        let request = request.map(|id| format!("request {id}: ")).unwrap_or_default();
        let line = format!("{request}{}", fields.message);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_some_and(|(known, at)| *known == line && at.elapsed() < REPEATED) {
            return;
        }
        (self.report)(&line);
        *last = Some((line, Instant::now()));
    }
}
