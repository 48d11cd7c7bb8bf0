//! DAGs and their schedules.

use super::document::{document, tagged};
use crate::base::Timestamp;
use crate::ops::{self, OpsError};
use crate::render::{Format, render};
use crate::server::call::Call;
use crate::server::permit::View;
use crate::server::problem::Problem;
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
    match (call.time("from"), call.time("to")) {
        (Some(from), Some(to)) => {
            let limit = usize::try_from(call.limit()).unwrap_or(usize::MAX);
            return document(&call, &ops::slots_between(&call.state.journal, permit.dag(), from, to, limit).await?);
        }
        (None, None) => {}
        (Some(_), None) => return Err(Problem::bad_request("`from` needs `to`").at("to")),
        (None, Some(_)) => return Err(Problem::bad_request("`to` needs `from`").at("from")),
    }
    document(&call, &ops::past_slots(&call.state.journal, permit.dag(), call.limit()).await?)
}
