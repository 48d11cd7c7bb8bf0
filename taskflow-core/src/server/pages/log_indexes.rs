//! The indexes of the logs that people read: a page of a log that was read before costs what it
//! shows.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::log::{LinesIndex, LogName, LogStore};

/// How many are kept: those that were asked for last. One of 200,000 lines has 20 KB.
const KEPT: usize = 64;

/// The indexes of logs. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct LogIndexes(Arc<Mutex<VecDeque<(LogName, LinesIndex)>>>);

impl LogIndexes {
    /// The index of a log as it is now.
    ///
    /// # Errors
    ///
    /// If the log cannot be read.
    pub(super) fn of(&self, logs: &dyn LogStore, name: &LogName) -> io::Result<LinesIndex> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().iter().find(|(known, _)| known == name).map(|(_, index)| index.clone());
        let mut index = known.unwrap_or_default();
        // Without the lock: others read other logs meanwhile.
        index.update(logs, name)?;
        let mut kept = lock();
        kept.retain(|(known, _)| known != name);
        kept.push_front((name.clone(), index.clone()));
        kept.truncate(KEPT);
        Ok(index)
    }
}
