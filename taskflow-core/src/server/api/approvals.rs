//! What waits for people, what is due, and what is at its limits.

use axum::http::{HeaderValue, header};

use super::document::document;
use super::paging::{Page, place};
use crate::ops::accounts::Right;
use crate::ops::{self, Approval, FailedDelivery, OpsError};
use crate::server::auth::Visitor;
use crate::server::call::Call;
use crate::server::permit::View;
use crate::server::problem::Problem;
use crate::server::routes::Answer;
use crate::store::DeliveryPlace;

/// The most deliveries that are read for those who see a part of them.
const DELIVERIES: u32 = 100_000;
/// How many of them are read for a page that shows the latest.
const LATEST: u32 = 50;

pub(in crate::server) async fn list(call: Call) -> Answer {
    let approvals = seen_approvals(&call.state).await?;
    let place = |approval: &Approval| (approval.since, approval.number, approval.task.clone());
    never_kept(Page::of(&call, approvals, place)?.answer(&call))
}

pub(in crate::server) async fn approval(call: Call) -> Answer {
    let (permit, task) = (call.run::<View>().await?, call.task()?);
    let state = &call.state;
    let mut approval = ops::approval(&state.journal, &state.dags, &permit.word(), task.as_str()).await?;
    hide_values(state, &mut approval);
    never_kept(document(&call, &approval))
}

/// The questions of the DAGs that somebody sees, with values as far as they may read them.
pub(in crate::server) async fn seen_approvals(state: &Visitor) -> Result<Vec<Approval>, OpsError> {
    let mut approvals = ops::approvals(&state.journal, &state.dags).await?;
    approvals.retain(|approval| state.may(Right::View, &approval.dag_id));
    for approval in &mut approvals {
        hide_values(state, approval);
    }
    Ok(approvals)
}

/// Takes the values out of a question for those who may not read them.
pub(in crate::server) fn hide_values(state: &Visitor, approval: &mut Approval) {
    if !state.may(Right::ViewValues, &approval.dag_id) {
        approval.about.iter_mut().for_each(|input| input.preview = None);
    }
}

/// Values are not kept by caches.
fn never_kept(answer: Answer) -> Answer {
    let mut response = answer?;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

pub(in crate::server) async fn deadlines(call: Call) -> Answer {
    document(&call, &ops::deadlines(&call.state.journal, &call.state.seen_dags()).await?)
}

pub(in crate::server) async fn deliveries(call: Call) -> Answer {
    let after: Option<DeliveryPlace> = place(&call)?;
    // One more shows whether there are more.
    let deliveries = seen_after(&call.state, after.as_ref(), call.limit() + 1).await?;
    Page::first(deliveries, call.limit() as usize, FailedDelivery::place).answer(&call)
}

/// The latest failed notifications of the DAGs that somebody sees.
pub(in crate::server) async fn seen_deliveries(state: &Visitor, limit: u32) -> Result<Vec<FailedDelivery>, OpsError> {
    seen_after(state, None, limit).await
}

/// The latest failed notifications of the DAGs that somebody sees, among the latest of all: those
/// who see few of them may get fewer.
pub(in crate::server) async fn latest_deliveries(state: &Visitor, limit: u32) -> Result<Vec<FailedDelivery>, OpsError> {
    let mut deliveries = ops::deliveries(&state.journal, None, LATEST.max(limit)).await?;
    deliveries.retain(|delivery| state.may(Right::View, &delivery.dag_id));
    deliveries.truncate(limit as usize);
    Ok(deliveries)
}

/// Those after a place. It reads more of them until there are enough.
async fn seen_after(
    state: &Visitor,
    after: Option<&DeliveryPlace>,
    limit: u32,
) -> Result<Vec<FailedDelivery>, OpsError> {
    let mut read = limit;
    loop {
        let mut deliveries = ops::deliveries(&state.journal, after, read).await?;
        let is_all = deliveries.len() < read as usize || read >= DELIVERIES;
        deliveries.retain(|delivery| state.may(Right::View, &delivery.dag_id));
        if is_all || deliveries.len() >= limit as usize {
            deliveries.truncate(limit as usize);
            return Ok(deliveries);
        }
        read = read.saturating_mul(8).min(DELIVERIES);
    }
}

async fn limits_of(call: &Call) -> Result<ops::LimitStatus, Problem> {
    // Whoever waits for a slot waits for the tasks of other DAGs.
    call.state.check_everywhere(Right::View)?;
    let (state, home) = (&call.state, &call.state.home);
    Ok(ops::limits(&state.journal, home.path(), home.config(), &state.dags).await?)
}

pub(in crate::server) async fn limits(call: Call) -> Answer {
    document(&call, &limits_of(&call).await?)
}

pub(in crate::server) async fn pool(call: Call) -> Answer {
    let name = call.param("pool");
    let limits = limits_of(&call).await?;
    let near = crate::base::nearest(&name, limits.pools.iter().map(|pool| &*pool.pool)).map(str::to_owned);
    match limits.pools.iter().find(|pool| pool.pool == name) {
        Some(pool) => document(&call, pool),
        None => {
            let unknown = Problem::not_found("this program has no such pool");
            Err(unknown.candidates(near.into_iter().collect()))
        }
    }
}
