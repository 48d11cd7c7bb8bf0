//! The span that identifies the attempt a thread works for.

use tracing::{Metadata, Span};

/// The target of the span of an attempt.
const TARGET: &str = "taskflow::attempt";
/// Its name.
const NAME: &str = "attempt";

/// Creates the span of an attempt: entered around sync tasks, instrumenting async ones.
///
/// Its level is `ERROR`, so that a filter by level that enables any event also enables this span.
/// It has no parent, because the thread that creates it may be inside an unrelated span. Without a
/// subscriber this only compares a static.
pub(crate) fn attempt_span(run_id: &str, dag_id: &str, task_id: &str, attempt: u32) -> Span {
    tracing::error_span!(
        target: TARGET,
        parent: None,
        NAME,
        run = run_id,
        dag = dag_id,
        task = task_id,
        attempt = attempt
    )
}

/// Whether a span is the span of an attempt.
pub(super) fn is_attempt(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == TARGET && metadata.name() == NAME
}

#[cfg(test)]
mod tests {
    use super::attempt_span;

    #[test]
    fn the_span_of_an_attempt_has_no_parent_and_can_be_looked_up() {
        use tracing_subscriber::layer::{Context, SubscriberExt as _};
        struct Check;
        impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Check {
            fn on_new_span(
                &self,
                attributes: &tracing::span::Attributes<'_>,
                _id: &tracing::span::Id,
                _context: Context<'_, S>,
            ) {
                let is_attempt = attributes.metadata().name() == "attempt";
                assert_eq!(super::is_attempt(attributes.metadata()), is_attempt);
                assert_eq!(attributes.is_root(), is_attempt);
            }
        }
        tracing::subscriber::with_default(tracing_subscriber::registry().with(Check), || {
            let _outer = tracing::info_span!("outer").entered();
            assert!(!attempt_span("r", "d", "t", 1).is_none());
        });
    }
}
