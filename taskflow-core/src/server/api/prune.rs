//! Deleting what is old.

use std::time::Duration;

use axum::http::StatusCode;

use super::document::{changed, document};
use super::runs;
use crate::journal::Prune;
use crate::ops::accounts::Right;
use crate::ops::{self, RunSummaryDocument};
use crate::server::call::Call;
use crate::server::routes::Answer;

/// With `dry_run`, the runs that would be deleted.
pub(in crate::server) async fn prune(call: Call) -> Answer {
    call.state.check_everywhere(Right::Admin)?;
    let filter = runs::filter_of(&call)?;
    // The table of routes requires the duration.
    let older_than = call.span("older_than").unwrap_or(Duration::MAX);
    let prune = Prune { older_than, dag: filter.dag, states: filter.states, audit: call.switch("audit") };
    if call.switch("dry_run") {
        let would = ops::would_prune(&call.state.journal, &prune).await?;
        return document(&call, &would.iter().map(RunSummaryDocument::of).collect::<Vec<_>>());
    }
    changed(StatusCode::OK, &ops::prune(&call.service, &prune, Some(call.state.home.config())).await?)
}
