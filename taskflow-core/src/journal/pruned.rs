//! What is known of runs that were pruned.
//!
//! 1. No number of a run is used again. So a number that is not higher than the last one, and that
//!    no run has, is that of a run that was pruned.
//! 2. The row of the audit trail about a prune has the numbers of its runs. It tells when they were
//!    deleted, and by whom. A program that prunes without a name leaves no row.
//! 3. The id of a run that was pruned is known if somebody had changed the run by hand.

use serde_json::{Map, Value, json};

use super::RunSummary;
use super::error::JournalError;
use super::journal::Journal;
use crate::base::Timestamp;
use crate::store::{AuditFilter, AuditRow};

/// What the audit trail calls a prune, and its member with the numbers of runs.
const PRUNE: &str = "db prune";
const NUMBERS: &str = "numbers";
/// The most ranges of numbers in a row, and the most rows that are searched.
const RANGES: usize = 1_000;
const ROWS: u32 = 1_000;

impl Journal {
    /// Adds the numbers of runs that are about to be deleted to the row of the audit trail.
    pub(crate) fn note_pruned(&self, runs: &[RunSummary]) {
        let numbers: Vec<i64> = runs.iter().map(|run| run.number).collect();
        if numbers.is_empty() {
            return;
        }
        self.amend_audit(|row| {
            let Ok(mut after) = serde_json::from_str::<Map<String, Value>>(&row.after) else { return };
            after.insert(NUMBERS.to_owned(), json!(ranges(numbers)));
            row.after = Value::Object(after).to_string();
        });
    }

    /// The error about a number that no run has, if a run had it.
    pub(super) async fn pruned_run(&self, word: &str, number: i64) -> Result<Option<JournalError>, JournalError> {
        if number < 1 || number > self.inner.store.last_number().await? {
            return Ok(None);
        }
        let filter = AuditFilter { action: Some(PRUNE.to_owned()), limit: Some(ROWS), ..AuditFilter::default() };
        // What is damaged of the trail has an error of its own, elsewhere.
        let rows = self.inner.store.audit(&filter).await.unwrap_or_default();
        let row = rows.into_iter().find(|row| has(row, number));
        let (at, by): (Option<Timestamp>, _) = row.map(|row| (row.at, row.actor)).unzip();
        Ok(Some(JournalError::PrunedRun { run: word.to_owned(), at, by }))
    }

    /// The same, for an id.
    pub(super) async fn pruned_run_with_id(&self, run_id: &str) -> Result<Option<JournalError>, JournalError> {
        let filter = AuditFilter { run_id: Some(run_id.to_owned()), ..AuditFilter::default() };
        let rows = self.inner.store.audit(&filter).await.unwrap_or_default();
        match rows.into_iter().find_map(|row| row.run) {
            Some(number) => self.pruned_run(run_id, number).await,
            None => Ok(None),
        }
    }
}

/// The numbers as ranges, in ascending order.
fn ranges(mut numbers: Vec<i64>) -> Vec<[i64; 2]> {
    numbers.sort_unstable();
    let mut ranges: Vec<[i64; 2]> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some([_, last]) if *last + 1 >= number => *last = number,
            _ => ranges.push([number, number]),
        }
    }
    // The newest are those that people ask for.
    ranges.drain(..ranges.len().saturating_sub(RANGES));
    ranges
}

/// Whether a prune has deleted the run with this number.
fn has(row: &AuditRow, number: i64) -> bool {
    let after: Map<String, Value> = serde_json::from_str(&row.after).unwrap_or_default();
    let ranges: Vec<[i64; 2]> =
        after.get(NUMBERS).and_then(|ranges| serde_json::from_value(ranges.clone()).ok()).unwrap_or_default();
    ranges.iter().any(|[first, last]| (*first..=*last).contains(&number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_a_row_are_one_range() {
        assert_eq!(ranges(vec![9, 3, 1, 2, 2, 7]), [[1, 3], [7, 7], [9, 9]]);
        let many = ranges((0..3_000).map(|number| 2 * number).collect());
        assert_eq!((many.len(), many.last()), (RANGES, Some(&[5_998, 5_998])));
    }
}
