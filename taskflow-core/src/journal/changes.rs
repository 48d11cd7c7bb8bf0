//! What a reader compares to notice what others have changed.

use super::error::JournalError;
use super::journal::Journal;
use crate::store::{RunHead, TableVersion};

impl Journal {
    /// A number that differs from the last one if anything was committed in between. `None` if the
    /// store cannot tell.
    pub(crate) async fn data_version(&self) -> Result<Option<i64>, JournalError> {
        Ok(self.inner.store.data_version().await?)
    }

    /// The number of the newest run that there has been; 0 if there was none.
    pub(crate) async fn last_number(&self) -> Result<i64, JournalError> {
        Ok(self.inner.store.last_number().await?)
    }

    /// The heads of active runs, of runs with a higher number than `after`, and of these runs.
    pub(crate) async fn run_heads(&self, after: i64, also: &[i64]) -> Result<Vec<RunHead>, JournalError> {
        Ok(self.inner.store.run_heads(after, also).await?)
    }

    /// The versions of everything that is not a run.
    pub(crate) async fn table_versions(&self) -> Result<Vec<TableVersion>, JournalError> {
        Ok(self.inner.store.table_versions().await?)
    }
}
