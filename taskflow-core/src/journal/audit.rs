//! The audit trail: who acts through a journal, and the row about what they change.
//!
//! 1. Whoever acts gets a journal that is [signed](Journal::signed) with their name. It is the same
//!    journal otherwise. A journal without a signature leaves no rows: that of a service, and that
//!    of a program that runs its DAGs.
//! 2. An operation that changes something begins a row ([`Journal::auditing`]) and works with the
//!    journal that it gets. The first change that this journal stores takes the row along, into the
//!    same transaction; whatever the operation stores after it belongs to the same act.
//! 3. A change that is not stored, because another process was faster, leaves the row to the next
//!    try.
//! 4. A run that is started or resumed takes the row into the transaction of its first entries. The
//!    journal of its tasks has no signature: what they do is in the history of the run.
//! 5. An operation that ends with the row left stores it by itself, with the reason.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::error::JournalError;
use super::journal::Journal;
use crate::base::Timestamp;
use crate::log::Redactor;
use crate::store::{AuditFilter, AuditRow};

/// Who acts through a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) actor: String,
    /// How that was established.
    pub(crate) via: &'static str,
    /// The user that the session or the token belongs to.
    pub(crate) user: Option<String>,
    /// The groups of the person, as whoever has authenticated them says.
    pub(crate) groups: Vec<String>,
    /// The address of the client.
    pub(crate) peer: Option<String>,
    /// The id that the client gave its request.
    pub(crate) request: Option<String>,
}

/// The row about one act, until it is stored.
#[derive(Debug)]
pub(crate) struct PendingAudit(Mutex<Pending>);

#[derive(Debug)]
struct Pending {
    row: AuditRow,
    is_stored: bool,
}

impl PendingAudit {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The row with secrets masked, unless it is stored.
    pub(super) fn row(&self) -> Option<AuditRow> {
        let pending = self.lock();
        (!pending.is_stored).then(|| masked(pending.row.clone()))
    }

    /// The row was stored with a change.
    pub(super) fn stored(&self) {
        self.lock().is_stored = true;
    }
}

/// What a handle of a journal knows of who acts.
#[derive(Clone, Debug, Default)]
pub(super) struct Acting {
    signature: Option<Arc<Signature>>,
    pending: Option<Arc<PendingAudit>>,
}

impl Journal {
    /// The same journal for somebody who acts.
    pub(crate) fn signed(&self, signature: Signature) -> Journal {
        self.with_acting(Acting { signature: Some(Arc::new(signature)), pending: None })
    }

    /// The same journal for what nobody does.
    pub(super) fn unsigned(&self) -> Journal {
        self.with_acting(Acting::default())
    }

    fn with_acting(&self, acting: Acting) -> Journal {
        Journal { inner: Arc::clone(&self.inner), acting }
    }

    /// Who acts.
    pub(crate) fn signature(&self) -> Option<&Signature> {
        self.acting.signature.as_deref()
    }

    /// Whether an operation that leaves a row has begun.
    pub(crate) fn is_auditing(&self) -> bool {
        self.acting.pending.is_some()
    }

    /// The same journal for one act: the first change that it stores takes this row along.
    pub(crate) fn auditing(&self, row: AuditRow) -> Journal {
        let pending = Arc::new(PendingAudit(Mutex::new(Pending { row, is_stored: false })));
        self.with_acting(Acting { signature: self.acting.signature.clone(), pending: Some(pending) })
    }

    /// Completes the row, if there is one that is not stored.
    pub(crate) fn amend_audit(&self, amend: impl FnOnce(&mut AuditRow)) {
        if let Some(pending) = &self.acting.pending {
            amend(&mut pending.lock().row);
        }
    }

    /// Adds the checksum of the encoded parameters of a run: the same for equal values, which the
    /// row does not have.
    pub(super) fn amend_params(&self, encoded: &[u8]) {
        self.amend_audit(|row| {
            let known = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&row.after);
            let Ok(mut after) = known else { return };
            let sum: String = Sha256::digest(encoded).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            after.insert("params_sha256".to_owned(), sum.into());
            row.after = serde_json::Value::Object(after).to_string();
        });
    }

    /// The row that the next change takes along.
    pub(super) fn audit_row(&self) -> Option<AuditRow> {
        self.acting.pending.as_ref()?.row()
    }

    /// A change was stored, with the row if there was one.
    pub(super) fn audit_stored(&self) {
        if let Some(pending) = &self.acting.pending {
            pending.stored();
        }
    }

    /// The row, for a run that is about to start: its first entries take it along.
    pub(super) fn pending_audit(&self) -> Option<Arc<PendingAudit>> {
        self.acting.pending.clone()
    }

    /// Stores what is left of the row: nothing was changed.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub(crate) async fn settle_audit(&self) -> Result<(), JournalError> {
        if let Some(row) = self.audit_row() {
            self.inner.store.record_audit(&row).await?;
            self.audit_stored();
        }
        Ok(())
    }

    /// Stores a row about what was refused before an operation began.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub(crate) async fn record_audit(&self, row: AuditRow) -> Result<(), JournalError> {
        Ok(self.inner.store.record_audit(&masked(row)).await?)
    }

    /// The rows that match a filter, the newest first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub(crate) async fn audit_rows(&self, filter: &AuditFilter) -> Result<Vec<AuditRow>, JournalError> {
        Ok(self.inner.store.audit(filter).await?)
    }

    /// How many rows [`Journal::prune_audit`] would delete.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub(crate) async fn count_audit(&self, before: Timestamp) -> Result<u64, JournalError> {
        Ok(self.inner.store.count_audit(self.audit_before(before)).await?)
    }

    /// Deletes the rows from before a time, but for the one about this act. If it fails or is
    /// dropped, the oldest of them may be gone.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or written.
    pub(crate) async fn prune_audit(&self, before: Timestamp) -> Result<u64, JournalError> {
        let before = self.audit_before(before);
        let (old, mut gone) = (self.inner.store.count_audit(before).await?, 0);
        // Until nothing more is deleted: an error may have ended a deletion early.
        loop {
            let deleted = self.inner.store.delete_audit(before, self.audit_row().as_ref()).await?;
            if deleted > 0 {
                self.audit_stored();
            }
            gone += deleted;
            if deleted == 0 || gone >= old {
                return Ok(gone);
            }
        }
    }
}

impl Journal {
    /// This time, or that of the row about the present act, which may be stored already: whichever
    /// is earlier.
    fn audit_before(&self, before: Timestamp) -> Timestamp {
        self.acting.pending.as_ref().map_or(before, |pending| before.min(pending.lock().row.at))
    }
}

/// The row without secrets: what people write, and what errors quote, can hold them.
fn masked(mut row: AuditRow) -> AuditRow {
    let redactor = Redactor::current();
    for text in [&mut row.reason, &mut row.error] {
        *text = redactor.text(text).into_owned();
    }
    for text in [&mut row.before, &mut row.after] {
        // They are written by this program: text that is no JSON is masked as text.
        match serde_json::from_str(text) {
            Ok(mut json) => {
                redactor.json(&mut json);
                *text = json.to_string();
            }
            Err(_) => *text = redactor.text(text).into_owned(),
        }
    }
    for text in [&mut row.task, &mut row.asset, &mut row.request].into_iter().flatten() {
        *text = redactor.text(text).into_owned();
    }
    row
}
