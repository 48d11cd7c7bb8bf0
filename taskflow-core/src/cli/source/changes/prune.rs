//! Deleting what is old.

use serde_json::{Value, json};

use crate::cli::error::CliError;
use crate::cli::source::{Source, segment};
use crate::journal::Prune;
use crate::ops::{self, Pruned, RunSummaryDocument};

/// What pruning would delete.
#[derive(Debug)]
pub(in crate::cli) struct WouldPrune {
    pub(in crate::cli) runs: Vec<RunSummaryDocument>,
    /// How many events, and how many entries of the audit trail. A service does not count them.
    pub(in crate::cli) events: u64,
    pub(in crate::cli) audit: u64,
    /// For exactly these runs.
    pub(in crate::cli) token: String,
}

impl Source {
    /// What pruning would delete, with a token for exactly that.
    pub(in crate::cli) fn would_prune(&self, prune: &Prune) -> Result<WouldPrune, CliError> {
        match self {
            Source::Home(home) => {
                let journal = home.journal()?;
                let preview = home.wait(ops::preview_prune(&journal, prune))?;
                let events = home.wait(ops::would_prune_events(&journal, prune))?;
                let audit = home.wait(ops::would_prune_audit(&journal, prune))?;
                let runs = preview.runs.iter().map(RunSummaryDocument::of).collect();
                Ok(WouldPrune { runs, events, audit, token: preview.token })
            }
            Source::Server(client) => {
                let query = [("dry_run", "true".to_owned())];
                let (runs, token) = client.preview("/db/prune", &query, &prune_body(prune))?;
                Ok(WouldPrune { runs, events: 0, audit: 0, token })
            }
        }
    }

    /// Deletes what is old; with the token of a preview, exactly that.
    pub(in crate::cli) fn prune(&self, prune: &Prune, token: Option<&str>) -> Result<Pruned, CliError> {
        match self {
            Source::Home(home) => {
                let (journal, config) = (home.journal()?, Some(home.config()));
                match token {
                    Some(token) => home.wait(ops::prune_previewed(&journal, prune, token, config)),
                    None => home.wait(ops::prune(&journal, prune, config)),
                }
            }
            Source::Server(client) => client.send("POST", "/db/prune", &[], &prune_body(prune), token),
        }
    }

    /// Deletes a run.
    pub(in crate::cli) fn prune_run(&self, run: &str) -> Result<Pruned, CliError> {
        match self {
            Source::Home(home) => home.wait(ops::prune_run(&home.journal()?, run)),
            Source::Server(client) => {
                let path = format!("/runs/{}", segment(&client.run_name(run)?));
                client.send("DELETE", &path, &[], &json!({}), None)
            }
        }
    }
}

fn prune_body(prune: &Prune) -> Value {
    let states: Vec<&str> = prune.states.iter().map(|state| state.name()).collect();
    json!({
        "older_than": format!("{}s", prune.older_than.as_secs()),
        "dag": prune.dag,
        "state": states,
        "audit": prune.audit,
    })
}
