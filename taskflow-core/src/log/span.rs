//! The span that says which attempt a thread is working for.

use tracing::{Metadata, Span};

/// Where the span of an attempt says it comes from.
const TARGET: &str = "taskflow::attempt";
/// Its name.
const NAME: &str = "attempt";

/// The span of an attempt: entered around sync tasks, instrumenting async ones.
///
/// Its level is `ERROR`, so that no filter by level that lets anything through takes the attempt away from the events in
/// it. It has no parent: the thread that makes it may be inside the span of something else entirely. When nobody
/// subscribes, this is the comparison of one static.
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
    fn the_span_of_an_attempt_has_no_parent_and_is_found_again() {
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
