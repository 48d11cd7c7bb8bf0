//! Attempts to log in: their limits, the metrics, and the audit trail.
//!
//! What fails is in the trail once a minute at most for each network, with the number of those that
//! are not. The name that was typed is in it only if there is such a user: people type passwords
//! into the wrong field.

use std::time::Instant;

use super::limits::Source;
use super::sparse::Sparse;
use super::{Peer, Visitor, too_many};
use crate::journal::Journal;
use crate::ops::accounts::{self, NewSession};
use crate::ops::{Action, AuditTarget, OpsError, audit_refusal};
use crate::server::problem::Problem;

/// Attempts of a client to log in.
pub(in crate::server) struct LogIns<'v> {
    pub(in crate::server) state: &'v Visitor,
    /// The journal for somebody who is not known yet.
    pub(in crate::server) service: &'v Journal,
    pub(in crate::server) peer: Peer,
}

impl LogIns<'_> {
    /// Begins a session. `None`: the name or the password is wrong.
    ///
    /// # Errors
    ///
    /// When there were too many attempts, or the store cannot be used.
    pub(in crate::server) async fn log_in(&self, name: &str, password: &str) -> Result<Option<NewSession>, Problem> {
        self.may_try(name).await?;
        let session = accounts::log_in(self.service, name, password).await?;
        match session {
            Some(_) => self.state.metrics.log_in("succeeded"),
            None => {
                self.state.metrics.log_in("failed");
                let user = accounts::user(&self.state.journal, name).await?;
                let why = if user.is_some() { "the password is wrong" } else { "there is no user of that name" };
                self.failed(user.map(|user| user.name).as_deref(), why).await?;
            }
        }
        Ok(session)
    }

    /// Counts an attempt with a name, or with the set-up token.
    ///
    /// # Errors
    ///
    /// When there were too many.
    pub(in crate::server) async fn may_try(&self, name: &str) -> Result<(), Problem> {
        let Peer(address) = self.peer;
        let Err(rest) = self.state.auth.limits.log_in(name, address, Instant::now()) else { return Ok(()) };
        self.state.metrics.log_in("limited");
        self.failed(None, "there were too many attempts").await?;
        Err(too_many("there were too many attempts to log in", rest))
    }

    /// Counts the way back from a provider.
    ///
    /// # Errors
    ///
    /// When there were too many.
    #[cfg(feature = "oidc")]
    pub(in crate::server) async fn may_answer(&self) -> Result<(), Problem> {
        let Peer(address) = self.peer;
        let Err(rest) = self.state.auth.limits.code(address, Instant::now()) else { return Ok(()) };
        self.state.metrics.log_in("limited");
        self.failed(None, "there were too many attempts").await?;
        Err(too_many("there were too many attempts to log in", rest))
    }

    /// Counts and records a log-in at a provider that has failed.
    #[cfg(feature = "oidc")]
    pub(in crate::server) async fn refused(&self, why: &str) -> Result<(), OpsError> {
        self.state.metrics.log_in("failed");
        self.failed(None, why).await
    }

    /// Records an attempt that has failed, if it is time for a row.
    pub(in crate::server) async fn failed(&self, user: Option<&str>, why: &str) -> Result<(), OpsError> {
        let Peer(address) = self.peer;
        let failures: &Sparse<Source> = &self.state.auth.failures;
        match failures.due(Source::of(address), 1, Instant::now()) {
            Some(count) => {
                let target = user.map(AuditTarget::account).unwrap_or_default();
                audit_refusal(self.service, Action::LogIn, target, why, count - 1).await
            }
            None => Ok(()),
        }
    }
}
