//! DAGs and their schedules.

use super::document::{document, tagged};
use crate::base::Timestamp;
use crate::ops::{self, OpsError};
use crate::render::{Format, render};
use crate::server::call::Call;
use crate::server::permit::View;
use crate::server::routes::Answer;

pub(in crate::server) async fn list(call: Call) -> Answer {
    document(&call, &ops::dags(Some(&call.state.journal), &call.state.dags).await?)
}

pub(in crate::server) async fn dag(call: Call) -> Answer {
    let permit = call.dag::<View>()?;
    document(&call, &ops::dag(Some(&call.state.journal), permit.dag()).await?)
}

pub(in crate::server) async fn graph(call: Call) -> Answer {
    let plan = call.dag::<View>()?.dag().plan().map_err(OpsError::from)?;
    Ok(tagged(&call.headers, "application/json", render(&plan, Format::Json).into_bytes()))
}

pub(in crate::server) async fn next(call: Call) -> Answer {
    let permit = call.dag::<View>()?;
    let count = call.number("count").and_then(|count| usize::try_from(count).ok()).unwrap_or(10);
    document(&call, &ops::next_slots(Some(&call.state.journal), permit.dag(), Timestamp::now(), count).await?)
}

pub(in crate::server) async fn slots(call: Call) -> Answer {
    let permit = call.dag::<View>()?;
    document(&call, &ops::past_slots(&call.state.journal, permit.dag(), call.limit()).await?)
}

pub(in crate::server) async fn versions(call: Call) -> Answer {
    let permit = call.dag::<View>()?;
    document(&call, &ops::versions(&call.state.journal, permit.dag().id, Some(permit.dag())).await?)
}
