//! Backfills.

use axum::http::StatusCode;

use super::document::{changed, document};
use super::paging::{Page, place};
use super::params::texts;
use crate::dag::DagDef;
use crate::ops::{self, OpsError};
use crate::schedule::{BackfillOrder, BackfillRequest, BackfillScope, SlotRange};
use crate::server::call::Call;
use crate::server::permit::{Operate, View};
use crate::server::problem::Problem;
use crate::server::routes::Answer;

pub(in crate::server) async fn list(call: Call) -> Answer {
    let visible = call.state.visible().await?;
    // One more shows whether there are more.
    let limit = visible.has_all().then(|| call.limit() + 1);
    let mut list = ops::list_backfills(&call.state.journal, call.text("dag"), place(&call)?, limit).await?;
    list.retain(|backfill| visible.has(&backfill.dag_id));
    Page::first(list, call.limit() as usize, |backfill| backfill.number).answer(&call)
}

pub(in crate::server) async fn backfill(call: Call) -> Answer {
    document(&call, &call.backfill::<View>().await?.backfill())
}

/// With `dry_run`, the preview. With the token of a preview in `If-Match`, exactly that.
pub(in crate::server) async fn start(call: Call) -> Answer {
    if call.switch("dry_run") {
        let dag = named::<View>(&call)?;
        let request = request(&call, dag)?;
        return document(&call, &ops::preview_backfill(Some(&call.state.journal), dag, &request).await?);
    }
    let dag = named::<Operate>(&call)?;
    let request = request(&call, dag)?;
    let started = ops::start_backfill(&call.service, dag, &request, call.token(), &call.note()).await?;
    changed(StatusCode::CREATED, &started)
}

fn named<R: crate::server::permit::Right>(call: &Call) -> Result<&'static DagDef, Problem> {
    let permit = call.dag_of_field::<R>("dag")?;
    // The table of routes requires the field.
    permit.map(|permit| permit.dag()).ok_or_else(|| Problem::invalid("`dag` is needed").at("dag"))
}

fn request(call: &Call, dag: &'static DagDef) -> Result<BackfillRequest, Problem> {
    let range = |text: &String| {
        let read = dag.options.slot_range(text);
        read.map_err(|error| Problem::invalid(error.to_string()).at("slots"))
    };
    let ranges = call.texts("slots").unwrap_or_default().iter().map(range).collect::<Result<Vec<SlotRange>, _>>()?;
    let limit = call.number("limit").and_then(|limit| u32::try_from(limit).ok());
    Ok(BackfillRequest {
        ranges,
        scope: match call.text("scope") {
            Some("failed") => BackfillScope::Failed,
            Some("all") => BackfillScope::All,
            _ => BackfillScope::Missing,
        },
        order: match call.text("order") {
            Some("newest") => BackfillOrder::Newest,
            Some("random") => BackfillOrder::Random,
            _ => BackfillOrder::Oldest,
        },
        seed: call.number("seed").and_then(|seed| u64::try_from(seed).ok()).unwrap_or_default(),
        limit: limit.or(dag.options.max_active_runs).unwrap_or(1),
        as_one_run: call.switch("as_one_run"),
        params: texts(call, dag.plan().map_err(OpsError::from)?.params())?,
    })
}

pub(in crate::server) async fn pause(call: Call) -> Answer {
    let number = call.backfill::<Operate>().await?.number();
    changed(StatusCode::OK, &ops::pause_backfill(&call.service, number, &call.note()).await?)
}

pub(in crate::server) async fn resume(call: Call) -> Answer {
    let number = call.backfill::<Operate>().await?.number();
    changed(StatusCode::OK, &ops::resume_backfill(&call.service, number, &call.note()).await?)
}

pub(in crate::server) async fn retry(call: Call) -> Answer {
    let number = call.backfill::<Operate>().await?.number();
    changed(StatusCode::CREATED, &ops::retry_backfill(&call.service, number, &call.note()).await?)
}

pub(in crate::server) async fn limit(call: Call) -> Answer {
    let number = call.backfill::<Operate>().await?.number();
    // The table of routes requires the limit, and has checked it.
    let limit = call.number("limit").and_then(|limit| u32::try_from(limit).ok()).unwrap_or(1);
    changed(StatusCode::OK, &ops::limit_backfill(&call.service, number, limit, &call.note()).await?)
}

pub(in crate::server) async fn extend(call: Call) -> Answer {
    let number = call.backfill::<Operate>().await?.number();
    let status = ops::backfill_status(&call.state.journal, number).await?;
    let dag = call.state.dags.iter().find(|dag| dag.id == status.dag_id);
    let foreign = || OpsError::ForeignBackfill { number, dag: status.dag_id.clone() };
    let range = dag.ok_or_else(foreign)?.options.slot_range(call.text("to").unwrap_or_default());
    let to = range.map_err(|error| Problem::invalid(error.to_string()).at("to"))?.to;
    changed(StatusCode::OK, &ops::extend_backfill(&call.service, number, to, &call.note()).await?)
}

pub(in crate::server) async fn cancel(call: Call) -> Answer {
    let (number, running) = (call.backfill::<Operate>().await?.number(), call.switch("running"));
    let config = Some(call.state.home.config());
    let cancelled = ops::cancel_backfill(&call.service, number, running, &call.note(), config).await?;
    changed(StatusCode::OK, &cancelled)
}
