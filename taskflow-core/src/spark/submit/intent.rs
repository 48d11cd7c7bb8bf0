//! The record of a job in the state of its task, so that the job is found again and not submitted
//! twice.
//!
//! 1. Before a job is submitted, its tag is stored: [`SubmissionState::Intended`]. An attempt that
//!    finds this searches the cluster for the tag.
//! 2. When the cluster has accepted it, its id is stored: [`SubmissionState::Submitted`]. An
//!    attempt that finds this follows the job.
//! 3. When it has ended, its end is stored. A success is reused by every attempt that does not
//!    count as a retry; after any other end the next attempt submits again, in the next round, with
//!    another tag.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::SparkError;
use super::spec::Spec;
use crate::base::Timestamp;
use crate::task::{TaskContext, XComError};

/// The stored record of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) tag: String,
    round: u32,
    /// The attempt that submitted it, counted as a retry.
    counted: u32,
    /// When the intent was stored.
    pub(super) since: Timestamp,
    #[serde(rename = "stage")]
    pub(super) state: SubmissionState,
    /// How to reach its cluster, for finding it without its task. Earlier versions did not store
    /// it.
    #[serde(default)]
    pub(super) location: Spec,
    /// The last attempt that has shown the links of the job.
    pub(super) linked: u32,
}

/// The state of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SubmissionState {
    Intended {
        /// Since when it is unknown whether the cluster has it.
        unclear: Option<Timestamp>,
    },
    Submitted {
        id: String,
        at: Timestamp,
        /// Since when it has resources.
        running: Option<Timestamp>,
        /// Since when the cluster has not reported a clear state.
        unclear: Option<Timestamp>,
    },
    /// With success.
    Succeeded {
        id: String,
        application: Option<String>,
    },
    Over,
}

/// The key prefix of records.
const PREFIX: &str = "spark:";

/// The record of a job and where it is stored.
#[derive(Clone, Debug)]
pub(super) struct SubmissionRecord {
    context: TaskContext,
    app: String,
    key: String,
    pub(super) record: Record,
    /// Whether the record existed before.
    pub(super) found: bool,
}

impl SubmissionRecord {
    /// Opens or creates the record of the next job of this call of the function.
    ///
    /// # Errors
    ///
    /// If the stored state is not a record.
    pub(super) fn open(spec: &Spec, context: &TaskContext) -> Result<SubmissionRecord, SparkError> {
        let number = context.next_job();
        let key = format!("{PREFIX}{}:{number}", context.idempotency_key());
        let counted = match context.host().counted() {
            0 => context.attempt(),
            counted => counted,
        };
        let wrong = |error: XComError| SparkError::Intent { app: spec.app.clone(), why: error.to_string() };
        let stored: Option<Record> = context.get_state(&key).map_err(wrong)?;
        let round = match &stored {
            Some(record) if record.applies_to(counted) => record.round,
            Some(record) => record.round + 1,
            None => 1,
        };
        let found = stored.as_ref().is_some_and(|record| record.round == round);
        let mut record = stored.filter(|_| found).unwrap_or_else(|| Record {
            tag: tag(context, number, round),
            round,
            counted,
            since: context.now(),
            state: SubmissionState::Intended { unclear: None },
            location: Spec::default(),
            linked: 0,
        });
        // Also for an existing record: if the program was changed, its location is newer.
        record.location = spec.location();
        Ok(SubmissionRecord { context: context.clone(), app: spec.app.clone(), key, record, found })
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Stores the record with this state.
    ///
    /// # Errors
    ///
    /// If it cannot be stored.
    pub(super) async fn store(&mut self, state: SubmissionState) -> Result<(), SparkError> {
        self.record.state = state;
        let stored = self.context.set_state(&self.key, &self.record).await;
        stored.map_err(|error| SparkError::Intent { app: self.app.clone(), why: error.to_string() })
    }
}

impl Record {
    /// The record of a job, if the state is one.
    pub(super) fn read(key: &str, text: &str) -> Option<Record> {
        key.strip_prefix(PREFIX)?;
        serde_json::from_str(text).ok()
    }

    /// Whether the record still applies to the attempt with this number.
    fn applies_to(&self, counted: u32) -> bool {
        match self.state {
            SubmissionState::Intended { .. } | SubmissionState::Submitted { .. } => true,
            SubmissionState::Succeeded { .. } => self.counted == counted,
            SubmissionState::Over => false,
        }
    }
}

/// A unique tag: the same for the same job of the same task in the same round.
pub(super) fn tag(context: &TaskContext, number: u64, round: u32) -> String {
    let digest = Sha256::digest(format!("{}\n{number}\n{round}", context.idempotency_key()));
    let hex: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("taskflow-{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_intent_is_found_until_its_job_is_finished() {
        let spec = Spec::default();
        // One context stands for one call of the function.
        let context = TaskContext::detached("job");
        let mut first = SubmissionRecord::open(&spec, &context).unwrap();
        assert!(!first.found);
        first.store(SubmissionState::Intended { unclear: None }).await.unwrap();
        let again = |context: &TaskContext| context.get_state::<Record>(first.key()).unwrap().unwrap();
        assert_eq!(again(&context), first.record);
        assert!(again(&context).applies_to(1) && again(&context).applies_to(2));
        let succeeded = Record {
            state: SubmissionState::Succeeded { id: "1".to_owned(), application: None },
            ..first.record.clone()
        };
        assert!(succeeded.applies_to(1) && !succeeded.applies_to(2));
        let second = SubmissionRecord::open(&spec, &context).unwrap();
        assert_ne!(second.record.tag, first.record.tag);
    }
}
