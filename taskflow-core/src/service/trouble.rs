//! Trouble with the store: what of it is news.

use std::time::{Duration, Instant};

use super::serving::ServiceEvent;
use crate::base::ErrorKind;
use crate::ops::OpsError;
use crate::store::waiting_for_lock;

/// The same error is reported again after this time.
const REMINDER: Duration = Duration::from_secs(60);

/// The trouble of a service, if its last turn failed.
#[derive(Debug, Default)]
pub(super) struct Trouble(Option<Present>);

#[derive(Debug)]
struct Present {
    error: String,
    /// Whether it is that another process has locked the store. That is reported once: the system
    /// does not always say which process it is, and it may take an hour.
    is_locked: bool,
    /// Whether it is that something in the store is damaged.
    is_damage: bool,
    since: Instant,
    reported: Instant,
}

impl Trouble {
    /// Whether the next turn waits, because the last one failed. `is_due`: whether there is more to
    /// do at once. What is damaged may stay so for days, and slows down nothing else.
    pub(super) fn holds_up(&self, is_due: bool) -> bool {
        self.0.as_ref().is_some_and(|present| !(present.is_damage && is_due))
    }

    /// What is worth reporting about a turn: an error that is new or old enough, and the end of the
    /// trouble.
    pub(super) fn news(&mut self, turn: Result<(), OpsError>) -> Option<ServiceEvent> {
        let error = match turn {
            Ok(()) => return self.0.take().map(|present| ServiceEvent::Recovered { after: present.since.elapsed() }),
            Err(error) => error,
        };
        let (is_locked, is_damage) = (error.locked_store().is_some(), error.kind() == ErrorKind::Damaged);
        let error = in_words(&error);
        let is_known = |present: &Present| match is_locked {
            true => present.is_locked,
            false => present.error == error && present.reported.elapsed() < REMINDER,
        };
        let now = Instant::now();
        let since = match &self.0 {
            Some(present) if is_known(present) => return None,
            Some(present) => present.since,
            None => now,
        };
        self.0 = Some(Present { error: error.clone(), is_locked, is_damage, since, reported: now });
        Some(ServiceEvent::Trouble { error })
    }
}

/// The error in words. Of a locked store it says what waits: whoever reads it need not try again.
fn in_words(error: &OpsError) -> String {
    let Some((place, holder)) = error.locked_store() else { return error.to_string() };
    waiting_for_lock(place, holder, "slots, events and queued runs wait for it, and none is lost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::JournalError;
    use crate::store::StoreError;

    #[test]
    fn an_error_is_reported_when_it_is_new() {
        let failed = |dag: &str| Err(OpsError::NotPaused { dag: dag.to_owned() });
        let mut trouble = Trouble::default();
        assert!(trouble.news(Ok(())).is_none());
        assert!(matches!(trouble.news(failed("a")), Some(ServiceEvent::Trouble { .. })));
        assert!(trouble.news(failed("a")).is_none() && trouble.holds_up(true));
        assert!(matches!(trouble.news(failed("b")), Some(ServiceEvent::Trouble { .. })));
        assert!(matches!(trouble.news(Ok(())), Some(ServiceEvent::Recovered { .. })));
        assert!(trouble.news(Ok(())).is_none() && !trouble.holds_up(false));
    }

    /// A row that nobody mends: each turn of a backfill took a second.
    #[test]
    fn damage_holds_up_no_turn_that_is_due() {
        let (place, what) = ("runs.db".to_owned(), "run 7: its checksum does not match".to_owned());
        let mut trouble = Trouble::default();
        trouble.news(Err(OpsError::from(JournalError::from(StoreError::Damaged { place, what }))));
        assert!(trouble.holds_up(false), "the damaged row is not read again and again");
        assert!(!trouble.holds_up(true));
    }

    /// The system says now and then who has the lock, and the store what it was asked to do.
    #[test]
    fn a_locked_store_is_reported_once_with_what_waits_for_it() {
        let locked = |doing: &'static str, holder: Option<&str>| {
            let (place, holder) = ("runs.db".to_owned(), holder.map(str::to_owned));
            Err(OpsError::from(JournalError::from(StoreError::Busy { doing, place, holder })))
        };
        let mut trouble = Trouble::default();
        let Some(ServiceEvent::Trouble { error }) = trouble.news(locked("write to", Some("process 7 (delays)"))) else {
            panic!("it is new");
        };
        let expected = "the store runs.db is locked by process 7 (delays); slots, events and queued runs wait for it, \
                        and none is lost: let it continue or end it";
        assert_eq!(error, expected);
        assert!(trouble.news(locked("write to", None)).is_none());
        assert!(trouble.news(locked("open", Some("process 8 (delays)"))).is_none() && trouble.holds_up(true));
        assert!(matches!(trouble.news(Ok(())), Some(ServiceEvent::Recovered { .. })));
        assert!(matches!(trouble.news(locked("write to", None)), Some(ServiceEvent::Trouble { .. })), "another lock");
    }
}
