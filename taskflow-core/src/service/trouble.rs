//! Trouble with the store: what of it is news.

use std::time::{Duration, Instant};

use super::serving::ServiceEvent;
use crate::ops::OpsError;

/// The same error is reported again after this time.
const REMINDER: Duration = Duration::from_secs(60);

/// The trouble of a service, if its last turn failed.
#[derive(Debug, Default)]
pub(super) struct Trouble(Option<Present>);

#[derive(Debug)]
struct Present {
    error: String,
    since: Instant,
    reported: Instant,
}

impl Trouble {
    /// Whether the last turn failed.
    pub(super) fn is_present(&self) -> bool {
        self.0.is_some()
    }

    /// What is worth reporting about a turn: an error that is new or old enough, and the end of the
    /// trouble.
    pub(super) fn news(&mut self, turn: Result<(), OpsError>) -> Option<ServiceEvent> {
        let error = match turn {
            Ok(()) => return self.0.take().map(|present| ServiceEvent::Recovered { after: present.since.elapsed() }),
            Err(error) => error.to_string(),
        };
        let now = Instant::now();
        let since = match &self.0 {
            Some(present) if present.error == error && present.reported.elapsed() < REMINDER => return None,
            Some(present) => present.since,
            None => now,
        };
        self.0 = Some(Present { error: error.clone(), since, reported: now });
        Some(ServiceEvent::Trouble { error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_reported_when_it_is_new() {
        let failed = |dag: &str| Err(OpsError::NotPaused { dag: dag.to_owned() });
        let mut trouble = Trouble::default();
        assert!(trouble.news(Ok(())).is_none());
        assert!(matches!(trouble.news(failed("a")), Some(ServiceEvent::Trouble { .. })));
        assert!(trouble.news(failed("a")).is_none() && trouble.is_present());
        assert!(matches!(trouble.news(failed("b")), Some(ServiceEvent::Trouble { .. })));
        assert!(matches!(trouble.news(Ok(())), Some(ServiceEvent::Recovered { .. })));
        assert!(trouble.news(Ok(())).is_none() && !trouble.is_present());
    }
}
