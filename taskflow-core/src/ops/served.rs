//! Which process serves a home.

use std::fs::TryLockError;
use std::io::{self, Read as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::base::schema::Schema;
use crate::base::{Timestamp, private};

/// The file that the service of a home locks. It holds the name of the process, and its limit of
/// runs in the second line, and its DAGs in the third.
pub(crate) const SERVE_LOCK: &str = "serve.lock";

/// What the limit follows.
pub(crate) const SERVE_LIMIT: &str = "max_active_runs = ";

/// What the DAGs follow, which are separated by spaces.
pub(crate) const SERVE_DAGS: &str = "dags = ";

/// The process that serves a home.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct ServingProcess {
    /// `host:process`.
    pub worker: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// How many runs it runs at once.
    pub max_active_runs: Option<usize>,
    /// The DAGs whose runs it starts; `None` if it does not say.
    #[serde(skip)]
    pub dags: Option<Vec<String>>,
}

/// The process that serves a home, if one does.
///
/// # Errors
///
/// When the lock file cannot be read.
pub fn serving_process(home: &Path) -> io::Result<Option<ServingProcess>> {
    let mut file = match private::options().read(true).open(home.join(SERVE_LOCK)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // A service that starts in this moment tries again.
    match file.try_lock_shared() {
        Ok(()) => return Ok(None),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let since = file.metadata()?.modified().ok();
    let since = since.and_then(|since| since.duration_since(std::time::UNIX_EPOCH).ok());
    let worker = text.lines().next().map(str::trim).filter(|worker| !worker.is_empty());
    let max_active_runs = text.lines().find_map(|line| line.strip_prefix(SERVE_LIMIT)?.trim().parse().ok());
    let dags = text.lines().find_map(|line| line.strip_prefix(SERVE_DAGS));
    Ok(Some(ServingProcess {
        worker: worker.unwrap_or("another process").to_owned(),
        since: since.map(|since| Timestamp::EPOCH + since),
        max_active_runs,
        dags: dags.map(|dags| dags.split_whitespace().map(str::to_owned).collect()),
    }))
}
