//! Deleting what is old.

use serde_json::{Value, json};

use crate::cli::error::CliError;
use crate::cli::source::Source;
use crate::journal::Prune;
use crate::ops::{self, Pruned, RunSummaryDocument};

impl Source {
    /// The runs that pruning would delete, and how many events; a service does not count events.
    pub(in crate::cli) fn would_prune(&self, prune: &Prune) -> Result<(Vec<RunSummaryDocument>, u64, u64), CliError> {
        match self {
            Source::Home(home) => {
                let journal = home.journal()?;
                let runs = home.wait(ops::would_prune(&journal, prune))?;
                let events = home.wait(ops::would_prune_events(&journal, prune))?;
                let audit = home.wait(ops::would_prune_audit(&journal, prune))?;
                Ok((runs.iter().map(RunSummaryDocument::of).collect(), events, audit))
            }
            Source::Server(client) => {
                let runs =
                    client.send("POST", "/db/prune", &[("dry_run", "true".to_owned())], &prune_body(prune), None)?;
                Ok((runs, 0, 0))
            }
        }
    }

    pub(in crate::cli) fn prune(&self, prune: &Prune) -> Result<Pruned, CliError> {
        match self {
            Source::Home(home) => home.wait(ops::prune(&home.journal()?, prune, Some(home.config()))),
            Source::Server(client) => client.send("POST", "/db/prune", &[], &prune_body(prune), None),
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
