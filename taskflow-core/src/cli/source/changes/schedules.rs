//! Pauses and the place of a schedule.

use serde_json::json;

use super::noted;
use crate::base::Timestamp;
use crate::cli::error::CliError;
use crate::cli::schedules;
use crate::cli::source::{Source, own_dag, segment};
use crate::journal::Note;
use crate::ops::{self, PastSlots, ResetSchedule};
use crate::schedule::{Catchup, Pause, Unpause};
use crate::store::SyncMode;

impl Source {
    pub(in crate::cli) fn pause(&self, dag: &str, note: &Note, until: Option<Timestamp>) -> Result<Pause, CliError> {
        match self {
            Source::Home(home) => {
                home.wait(ops::pause(&home.create_journal(SyncMode::Full)?, own_dag(dag)?, note, until))
            }
            Source::Server(client) => {
                let body = noted(note, json!({ "until": until }));
                client.send("PUT", &format!("/dags/{}/pause", segment(dag)), &[], &body, None)
            }
        }
    }

    pub(in crate::cli) fn unpause(
        &self,
        dag: &str,
        note: &Note,
        catchup: Catchup,
        events: Unpause,
    ) -> Result<Vec<PastSlots>, CliError> {
        match self {
            Source::Home(home) => {
                let journal = home.create_journal(SyncMode::Full)?;
                home.wait(ops::unpause(&journal, own_dag(dag)?, note, catchup, events))
            }
            Source::Server(client) => {
                let body = noted(note, json!({ "catchup": catchup.name(), "events": events.name() }));
                client.send("DELETE", &format!("/dags/{}/pause", segment(dag)), &[], &body, None)
            }
        }
    }

    pub(in crate::cli) fn reset_schedule(&self, dag: &str, note: &Note) -> Result<ResetSchedule, CliError> {
        match self {
            Source::Home(home) => home.wait(ops::reset_schedule(&home.journal()?, own_dag(dag)?, note)),
            Source::Server(client) => client.send(
                "POST",
                &format!("/dags/{}/reset-schedule", segment(dag)),
                &[],
                &noted(note, json!({})),
                None,
            ),
        }
    }

    /// Who paused a DAG, if it has a schedule and is paused.
    pub(in crate::cli) fn pause_of(&self, dag: &str) -> Result<Option<Pause>, CliError> {
        match self {
            Source::Home(home) => {
                let (journal, dag) = (home.journal()?, own_dag(dag)?);
                schedules::pause_of(dag, &journal, home)
            }
            Source::Server(client) => {
                let status: ops::DagStatus = client.get(&format!("/dags/{}", segment(dag)), &[])?;
                Ok(status.pause.filter(|_| status.schedule.is_some()))
            }
        }
    }
}
