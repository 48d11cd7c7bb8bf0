//! Deleting what is old.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};

use super::document::{changed, document};
use super::runs;
use crate::journal::Prune;
use crate::ops::accounts::Right;
use crate::ops::{self, AuditTarget, RunSummaryDocument};
use crate::server::call::Call;
use crate::server::permit::View;
use crate::server::routes::Answer;

/// With `dry_run`, the runs that would be deleted, and a token in `ETag`. With the token in
/// `If-Match`, exactly these.
pub(in crate::server) async fn prune(call: Call) -> Answer {
    call.state.check_everywhere(Right::Admin)?;
    let filter = runs::filter_of(&call)?;
    // The table of routes requires the duration.
    let older_than = call.span("older_than").unwrap_or(Duration::MAX);
    let prune = Prune { older_than, dag: filter.dag, states: filter.states, audit: call.switch("audit") };
    if call.switch("dry_run") {
        let preview = ops::preview_prune(&call.state.journal, &prune).await?;
        let mut answer = document(&call, &preview.runs.iter().map(RunSummaryDocument::of).collect::<Vec<_>>())?;
        // The document is a list, which has no place for the token.
        if let Ok(token) = HeaderValue::from_str(&format!("\"{}\"", preview.token)) {
            answer.headers_mut().insert(header::ETAG, token);
        }
        return Ok(answer);
    }
    let config = Some(call.state.home.config());
    let pruned = match call.token() {
        Some(token) => ops::prune_previewed(&call.service, &prune, token, config).await?,
        None => ops::prune(&call.service, &prune, config).await?,
    };
    changed(StatusCode::OK, &pruned)
}

/// Deletes a run. It cannot be undone, so whoever may prune may do it.
pub(in crate::server) async fn run(call: Call) -> Answer {
    let permit = call.run::<View>().await?;
    let run = permit.run();
    call.state.check_everywhere_of(Right::Admin, AuditTarget::run(&run.info, Some(run.number)))?;
    changed(StatusCode::OK, &ops::prune_run(&call.service, &permit.word()).await?)
}
