//! The audit trail.

use axum::body::Bytes;

use super::document::document;
use super::paging::linked;
use crate::ops::accounts::Right;
use crate::ops::{self, Action, AuditPages, AuditQuery};
use crate::server::call::Call;
use crate::server::json;
use crate::server::permit::Audit;
use crate::server::problem::Problem;
use crate::server::routes::{Answer, JSON_LINES};
use crate::server::streams::{self, File, Parts};

/// A page of the trail. The header `Link` leads to the next page.
pub(in crate::server) async fn list(call: Call) -> Answer {
    let query = AuditQuery { limit: Some(call.limit()), ..asked(&call).await? };
    let list = ops::audit(&call.state.journal, &query).await?;
    linked(&call, document(&call, &list), "before", list.next.map(|next| next.to_string()))
}

/// The trail as a file. A file that was broken off goes on with `before`.
pub(in crate::server) async fn json_lines(call: Call) -> Answer {
    let limit = call.number("limit").and_then(|limit| u32::try_from(limit).ok());
    let query = AuditQuery { limit, ..asked(&call).await? };
    let file = File { media_type: JSON_LINES, disposition: "attachment; filename=\"audit.jsonl\"" };
    streams::download(&call.state, file, Lines(AuditPages::new(&call.state.journal, query))).await
}

/// The lines of the trail.
struct Lines(AuditPages);

impl Parts for Lines {
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        let Some(entries) = self.0.next().await? else { return Ok(None) };
        let lines: String = entries.iter().map(|entry| json::line(entry) + "\n").collect();
        Ok(Some(lines.into()))
    }
}

/// What a request asks for, if who asks may read it.
async fn asked(call: &Call) -> Result<AuditQuery, Problem> {
    let journal = &call.state.journal;
    // Entries about no DAG, and the trail of all, are for those who may read all of it.
    let (run, dag) = (call.text("run"), call.text("dag"));
    if call.text("about").is_some() && (run.is_some() || dag.is_some()) {
        return Err(Problem::invalid("`about` is a DAG or a run: leave out `dag` and `run`").at("about"));
    }
    if !call.state.principal().may_everywhere(Right::Audit) {
        if run.is_none() && dag.is_none() {
            // What it is about is found in the trail itself.
            call.state.check_everywhere(Right::Audit)?;
        }
        if let Some(dag) = dag {
            call.dag_named::<Audit>(dag)?;
        }
        if let Some(run) = run {
            call.run_named::<Audit>(run).await?;
        }
    }
    let action = call
        .text("action")
        .map(|name| name.parse::<Action>().map_err(|error| Problem::bad_request(error).at("action")));
    let mut query = match (call.text("about"), run) {
        (Some(word), _) => AuditQuery::about(journal, word).await?,
        (None, Some(run)) => AuditQuery::about_run(journal, run).await?,
        (None, None) => AuditQuery::default(),
    };
    query.dag = query.dag.or_else(|| dag.map(str::to_owned));
    query.by = call.text("by").map(str::to_owned);
    query.action = action.transpose()?;
    query.since = call.time("since");
    query.until = call.time("until");
    query.before = call.number("before");
    Ok(query)
}
