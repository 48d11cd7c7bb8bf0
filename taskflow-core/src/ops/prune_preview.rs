//! What a prune would delete.
//!
//! A preview returns a token, which names its time and a checksum of the request, of the runs and
//! of their states. A prune with the token selects by that time: what has become old enough since
//! stays. It is refused if it would delete other runs than the preview has shown. Events and the
//! audit trail are bound by the time alone.

use sha2::{Digest, Sha256};

use super::error::OpsError;
use crate::base::Timestamp;
use crate::journal::{Journal, Prune, RunSummary};

/// What [`prune`](super::prune) would delete.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PrunePreview {
    /// The runs, newest first.
    pub runs: Vec<RunSummary>,
    /// For [`prune_previewed`](super::prune_previewed), which then deletes exactly these.
    pub token: String,
}

/// As [`would_prune`](super::would_prune), with a token for
/// [`prune_previewed`](super::prune_previewed).
///
/// # Errors
///
/// When the store cannot be read.
pub async fn preview_prune(journal: &Journal, prune: &Prune) -> Result<PrunePreview, OpsError> {
    let at = Timestamp::now();
    let runs = journal.runs_to_prune(prune, at - prune.older_than).await?;
    let token = token(prune, at, &runs);
    Ok(PrunePreview { runs, token })
}

/// The token of a preview that was made at a time.
pub(super) fn token(prune: &Prune, at: Timestamp, runs: &[RunSummary]) -> String {
    let mut hash = Sha256::new();
    hash.update(at.as_nanos().to_be_bytes());
    hash.update(prune.older_than.as_nanos().to_be_bytes());
    hash.update([u8::from(prune.audit), u8::from(prune.dag.is_some())]);
    hash.update(prune.dag.as_deref().unwrap_or_default());
    for state in &prune.states {
        hash.update([0]);
        hash.update(state.name());
    }
    for run in runs {
        hash.update([0]);
        hash.update(run.number.to_be_bytes());
        hash.update(run.state.name());
    }
    let hash: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{:x}.{hash}", at.as_nanos().cast_unsigned())
}

/// When the preview was made.
///
/// # Errors
///
/// When the text is no token.
pub(super) fn time_of(token: &str) -> Result<Timestamp, OpsError> {
    let time = token.split_once('.').and_then(|(time, _)| u64::from_str_radix(time, 16).ok());
    let nanos = time.ok_or_else(|| OpsError::InvalidToken { token: token.to_owned() })?;
    Ok(Timestamp::from_nanos(nanos.cast_signed()))
}

/// Runs with their states, for an error: `12 (failed)`.
pub(super) fn with_states(runs: &[RunSummary]) -> Vec<String> {
    runs.iter().map(|run| format!("{} ({})", run.number, run.state)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_token_has_its_time() {
        let prune = Prune { older_than: Duration::from_secs(60), dag: None, states: Vec::new(), audit: false };
        let at = Timestamp::from_nanos(1_772_000_000_123_456_789);
        let text = token(&prune, at, &[]);
        assert_eq!(time_of(&text).unwrap(), at);
        assert_ne!(token(&Prune { dag: Some(String::new()), ..prune.clone() }, at, &[]), text);
        assert_ne!(token(&Prune { audit: true, ..prune }, at, &[]), text);
        for text in ["", "1", "x.1", "11111111111111111.1", "0000"] {
            assert!(matches!(time_of(text), Err(OpsError::InvalidToken { .. })), "{text}");
        }
    }
}
