//! Backfills.

use serde_json::{Value, json};

use super::{noted, params};
use crate::base::Timestamp;
use crate::cli::error::CliError;
use crate::cli::source::{Source, own_dag};
use crate::journal::Note;
use crate::ops::{self, BackfillPreview, BackfillStatus, CancelledBackfill, ExtendedBackfill, StartedBackfill};
use crate::schedule::BackfillRequest;
use crate::store::SyncMode;

/// A backfill as the flags describe it.
#[derive(Clone, Debug)]
pub(in crate::cli) struct BackfillAsked {
    pub(in crate::cli) dag: String,
    /// The slots, as they were typed.
    pub(in crate::cli) slots: Vec<String>,
    /// The same as this program understands it, if it has the DAG.
    pub(in crate::cli) request: BackfillRequest,
    /// The limit, if a flag gives one.
    pub(in crate::cli) limit: Option<u32>,
}

impl BackfillAsked {
    fn body(&self) -> Value {
        let BackfillRequest { scope, order, seed, as_one_run, params: texts, .. } = &self.request;
        json!({
            "dag": self.dag,
            "slots": self.slots,
            "scope": scope,
            "order": order,
            "seed": seed,
            "limit": self.limit,
            "as_one_run": as_one_run,
            "params": params(texts),
        })
    }
}

impl Source {
    pub(in crate::cli) fn preview_backfill(&self, asked: &BackfillAsked) -> Result<BackfillPreview, CliError> {
        match self {
            Source::Home(home) => {
                let journal = home.existing_journal()?;
                home.wait(ops::preview_backfill(journal.as_ref(), own_dag(&asked.dag)?, &asked.request))
            }
            Source::Server(client) => {
                client.send("POST", "/backfills", &[("dry_run", "true".to_owned())], &asked.body(), None)
            }
        }
    }

    /// Starts a backfill; with the token of a preview, exactly that.
    pub(in crate::cli) fn start_backfill(
        &self,
        asked: &BackfillAsked,
        token: Option<&str>,
        note: &Note,
    ) -> Result<StartedBackfill, CliError> {
        match self {
            Source::Home(home) => {
                let journal = home.create_journal(SyncMode::Full)?;
                home.wait(ops::start_backfill(&journal, own_dag(&asked.dag)?, &asked.request, token, note))
            }
            Source::Server(client) => client.send("POST", "/backfills", &[], &noted(note, asked.body()), token),
        }
    }

    /// `pause`, `resume`.
    pub(in crate::cli) fn set_backfill(
        &self,
        verb: &str,
        number: i64,
        note: &Note,
    ) -> Result<BackfillStatus, CliError> {
        match self {
            Source::Home(home) => {
                let journal = home.journal()?;
                match verb {
                    "pause" => home.wait(ops::pause_backfill(&journal, number, note)),
                    _ => home.wait(ops::resume_backfill(&journal, number, note)),
                }
            }
            Source::Server(client) => {
                let path = format!("/backfills/{number}/{verb}");
                let status: BackfillStatus = client.send("POST", &path, &[], &noted(note, json!({})), None)?;
                Ok(status.in_own_zone())
            }
        }
    }

    pub(in crate::cli) fn retry_backfill(&self, number: i64, note: &Note) -> Result<StartedBackfill, CliError> {
        match self {
            Source::Home(home) => home.wait(ops::retry_backfill(&home.journal()?, number, note)),
            Source::Server(client) => {
                client.send("POST", &format!("/backfills/{number}/retry"), &[], &noted(note, json!({})), None)
            }
        }
    }

    pub(in crate::cli) fn limit_backfill(
        &self,
        number: i64,
        limit: u32,
        note: &Note,
    ) -> Result<BackfillStatus, CliError> {
        match self {
            Source::Home(home) => home.wait(ops::limit_backfill(&home.journal()?, number, limit, note)),
            Source::Server(client) => {
                let body = noted(note, json!({ "limit": limit }));
                client.send("POST", &format!("/backfills/{number}/limit"), &[], &body, None)
            }
        }
    }

    /// Extends a backfill to a day or a time, which a home understands as `understood` does.
    pub(in crate::cli) fn extend_backfill(
        &self,
        number: i64,
        to: &str,
        note: &Note,
        understood: impl Fn(&str, &BackfillStatus) -> Result<Timestamp, CliError>,
    ) -> Result<ExtendedBackfill, CliError> {
        match self {
            Source::Home(home) => {
                let journal = home.journal()?;
                let status = home.wait(ops::backfill_status(&journal, number))?;
                home.wait(ops::extend_backfill(&journal, number, understood(to, &status)?, note))
            }
            Source::Server(client) => {
                let body = noted(note, json!({ "to": to }));
                let extended: ExtendedBackfill =
                    client.send("POST", &format!("/backfills/{number}/extend"), &[], &body, None)?;
                Ok(ExtendedBackfill { status: extended.status.in_own_zone(), ..extended })
            }
        }
    }

    pub(in crate::cli) fn cancel_backfill(
        &self,
        number: i64,
        running: bool,
        note: &Note,
    ) -> Result<CancelledBackfill, CliError> {
        match self {
            Source::Home(home) => {
                home.wait(ops::cancel_backfill(&home.journal()?, number, running, note, Some(home.config())))
            }
            Source::Server(client) => {
                let body = noted(note, json!({ "running": running }));
                client.send("POST", &format!("/backfills/{number}/cancel"), &[], &body, None)
            }
        }
    }

    /// The process that carries backfills out, if one does.
    pub(in crate::cli) fn serving_process(&self) -> Option<String> {
        match self {
            Source::Home(home) => ops::serving_process(home.path()).ok().flatten().map(|service| service.worker),
            Source::Server(client) => Some(client.shown().to_owned()),
        }
    }
}
