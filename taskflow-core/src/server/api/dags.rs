//! DAGs and their schedules.

use super::document::{document, tagged};
use super::paging::Page;
use crate::base::Timestamp;
use crate::ops::accounts::Right;
use crate::ops::{self, OpsError, SlotQuery};
use crate::render::{Format, render};
use crate::server::call::Call;
use crate::server::json;
use crate::server::permit::View;
use crate::server::problem::Problem;
use crate::server::routes::Answer;

pub(in crate::server) async fn list(call: Call) -> Answer {
    let mut dags = ops::dags(Some(&call.state.journal), &call.state.dags).await?;
    dags.retain(|dag| call.state.may(Right::View, &dag.dag_id));
    Page::of(&call, dags, |dag| (dag.is_gone, dag.dag_id.clone()))?.answer(&call)
}

pub(in crate::server) async fn dag(call: Call) -> Answer {
    let permit = match call.dag::<View>() {
        Ok(permit) => permit,
        Err(unknown) => {
            let id = call.param("dag");
            let pruned = match call.state.may(Right::View, &id) {
                true => ops::pruned_dag(&call.state.journal, &id).await?,
                false => None,
            };
            return Err(pruned.map_or(unknown, Problem::from));
        }
    };
    document(&call, &ops::dag(Some(&call.state.journal), permit.dag()).await?)
}

pub(in crate::server) async fn graph(call: Call) -> Answer {
    let plan = call.dag::<View>()?.dag().plan().map_err(OpsError::from)?;
    // The table of routes has checked the name.
    let format = call.text("format").and_then(|name| name.parse().ok()).unwrap_or(Format::Json);
    let media_type = match format {
        Format::Json => "application/json",
        Format::Svg => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    };
    let picture = render(&plan, format);
    let picture = if format == Format::Json { json::safe(&picture) } else { picture };
    Ok(tagged(&call.headers, media_type, picture.into_bytes()))
}

pub(in crate::server) async fn next(call: Call) -> Answer {
    let permit = call.dag::<View>()?;
    let count = call.number("count").and_then(|count| usize::try_from(count).ok()).unwrap_or(10);
    document(&call, &ops::next_slots(Some(&call.state.journal), permit.dag(), Timestamp::now(), count).await?)
}

pub(in crate::server) async fn slots(call: Call) -> Answer {
    let permit = call.dag::<View>()?;
    let (fates, before) = (call.texts("fate").unwrap_or_default(), call.time("before"));
    match (call.time("from"), call.time("to")) {
        (Some(_), Some(_)) if before.is_some() || !fates.is_empty() => {
            return Err(Problem::bad_request("a span of time is not combined with `fate` and `before`").at("from"));
        }
        (Some(from), Some(to)) => {
            let limit = usize::try_from(call.limit()).unwrap_or(usize::MAX);
            return document(&call, &ops::slots_between(&call.state.journal, permit.dag(), from, to, limit).await?);
        }
        (None, None) => {}
        (Some(_), None) => return Err(Problem::bad_request("`from` needs `to`").at("to")),
        (None, Some(_)) => return Err(Problem::bad_request("`to` needs `from`").at("from")),
    }
    let fates = fates.iter().map(|fate| SlotQuery::fate(fate)).collect::<Result<Vec<_>, _>>();
    let fates = fates.map_err(|error| Problem::bad_request(error).at("fate"))?;
    let query = SlotQuery { fates, before, limit: Some(call.limit()) };
    document(&call, &ops::slots(&call.state.journal, permit.dag(), &query).await?)
}

pub(in crate::server) async fn versions(call: Call) -> Answer {
    let permit = call.dag::<View>()?;
    document(&call, &ops::versions(&call.state.journal, permit.dag().id, Some(permit.dag())).await?)
}
