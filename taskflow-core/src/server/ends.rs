//! The ends of runs, for requests that wait for one.
//!
//! 1. The service reports the end of a run once it is stored: [`Ends::report`].
//! 2. A request that waits listens first, and reads the state of the run then. No end falls
//!    between the two.
//! 3. While it waits, it holds no connection to the store and no thread. The end of a run in
//!    another process is not reported: it looks again, after a second at most.
//! 4. When the service is about to end, all requests that wait are told, and answer with what there
//!    is.

use std::time::Duration;

use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::{Instant, timeout_at};

use crate::journal::{Journal, JournalError};

/// Further ends than this are not kept for a request that is slow to look: it reads the store.
const KEPT: usize = 256;
/// The pauses between two looks at the store, from the first to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// What is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// The run with this number has ended.
    Ended(i64),
    /// The service is about to end.
    Stopping,
}

/// Tells requests about the ends of runs. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Ends(broadcast::Sender<News>);

impl Default for Ends {
    fn default() -> Self {
        Ends(broadcast::channel(KEPT).0)
    }
}

impl Ends {
    /// The end of a run is stored.
    pub(super) fn report(&self, number: i64) {
        // Nobody may listen.
        let _ = self.0.send(News::Ended(number));
    }

    /// The service is about to end.
    pub(super) fn stop(&self) {
        let _ = self.0.send(News::Stopping);
    }

    /// Waits until no process runs the run, and none is to run it; at most this long.
    ///
    /// # Errors
    ///
    /// When there is no such run, or the store cannot be read.
    pub(super) async fn wait(&self, journal: &Journal, run: &str, most: Duration) -> Result<(), JournalError> {
        let (until, mut pause) = (Instant::now() + most, PAUSES.0);
        let mut news = self.0.subscribe();
        loop {
            let run = journal.find(run).await?;
            if !run.state.is_active() || Instant::now() >= until {
                return Ok(());
            }
            let look = (Instant::now() + pause).min(until);
            pause = (pause * 2).min(PAUSES.1);
            loop {
                match timeout_at(look, news.recv()).await {
                    Ok(Ok(News::Ended(number))) if number != run.number => {}
                    Ok(Ok(News::Stopping) | Err(RecvError::Closed)) => return Ok(()),
                    // It has ended, or it is time to look.
                    Ok(Ok(News::Ended(_)) | Err(RecvError::Lagged(_))) | Err(_) => break,
                }
            }
        }
    }
}
