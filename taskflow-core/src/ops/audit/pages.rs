//! The whole trail, page by page: a home may have a million entries.

use super::entry::{AuditEntry, AuditList, AuditQuery, audit};
use crate::journal::Journal;
use crate::ops::OpsError;

/// How many entries are read at once.
const PAGE: u32 = 1_000;

/// The entries of the audit trail that match a query, the newest first, page by page. Entries that
/// come in between are on none.
#[derive(Clone, Debug)]
pub struct AuditPages {
    journal: Journal,
    /// What is left.
    query: AuditQuery,
    /// How many entries a page has.
    size: u32,
    is_over: bool,
}

impl AuditPages {
    /// The pages of the entries that match a query, as many entries as it allows.
    pub fn new(journal: &Journal, query: AuditQuery) -> Self {
        AuditPages { journal: journal.clone(), query, size: PAGE, is_over: false }
    }

    /// The next page; `None` after the last one. Cancel safe.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<AuditEntry>>, OpsError> {
        if self.is_over {
            return Ok(None);
        }
        let limit = self.query.limit.map_or(self.size, |left| left.min(self.size));
        let query = AuditQuery { limit: Some(limit), ..self.query.clone() };
        let AuditList { entries, next } = audit(&self.journal, &query).await?;
        let read = u32::try_from(entries.len()).unwrap_or(limit);
        self.query.limit = self.query.limit.map(|left| left.saturating_sub(read));
        self.query.before = next;
        self.is_over = next.is_none() || self.query.limit == Some(0);
        Ok((!entries.is_empty()).then_some(entries))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::journal::Prune;
    use crate::ops::{self, Actor, Via};

    #[tokio::test]
    async fn pages_have_all_entries_once_while_others_are_stored() {
        let journal = Journal::in_memory().unwrap();
        let kim = ops::acting_as(&journal, &Actor { name: "kim".to_owned(), via: Via::Cli });
        let nothing = Prune { older_than: Duration::from_secs(3_600), dag: None, states: Vec::new(), audit: false };
        for _ in 0..7 {
            ops::prune(&kim, &nothing, None).await.unwrap();
        }
        for (limit, expected) in [(None, 7), (Some(5), 5), (Some(6), 6), (Some(99), 7)] {
            let whole = audit(&journal, &AuditQuery { limit, ..AuditQuery::default() }).await.unwrap().entries;
            let mut pages =
                AuditPages { size: 3, ..AuditPages::new(&journal, AuditQuery { limit, ..AuditQuery::default() }) };
            let mut all = Vec::new();
            while let Some(page) = pages.next().await.unwrap() {
                assert!(page.len() <= 3 && !page.is_empty(), "{}", page.len());
                all.extend(page);
                // It is newer than what is left.
                ops::prune(&kim, &nothing, None).await.unwrap();
            }
            assert!(all.len() >= expected, "{limit:?}: {}", all.len());
            assert_eq!(all, whole, "{limit:?}");
        }
        let none = AuditQuery { by: Some("lee".to_owned()), ..AuditQuery::default() };
        assert_eq!(AuditPages::new(&journal, none).next().await.unwrap(), None);
    }
}
