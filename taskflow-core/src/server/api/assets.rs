//! Assets, their events and their consumers.

use super::document::document;
use crate::dag::DagDef;
use crate::ops::accounts::Right;
use crate::ops::{self, EventQuery, OpsError};
use crate::server::auth::AssetRights;
use crate::server::call::Call;
use crate::server::permit::View;
use crate::server::routes::Answer;

pub(in crate::server) async fn list(call: Call) -> Answer {
    let rights = AssetRights::of(&call.state);
    let mut assets = ops::assets(Some(&call.state.journal)).await?;
    assets.retain(|asset| rights.sees(&asset.name));
    document(&call, &assets)
}

pub(in crate::server) async fn events(call: Call) -> Answer {
    let rights = AssetRights::of(&call.state);
    let text = |name: &str| call.text(name).map(str::to_owned);
    let query = EventQuery {
        asset: text("asset"),
        among: rights.seen(),
        partition: text("partition"),
        run_id: text("run"),
        before: call.number("before"),
        limit: Some(call.limit()),
    };
    let events = ops::events(&call.state.journal, &query).await?;
    document(&call, &events.into_iter().map(|event| rights.shown(event)).collect::<Vec<_>>())
}

pub(in crate::server) async fn event(call: Call) -> Answer {
    let number = call.number_of_path("event")?;
    let rights = AssetRights::of(&call.state);
    let event = ops::event(&call.state.journal, number).await?;
    if !rights.sees(&event.asset) {
        return Err(OpsError::UnknownEvent { number }.into());
    }
    document(&call, &rights.shown(event))
}

pub(in crate::server) async fn consumers(call: Call) -> Answer {
    let named = call.dag_of_field::<View>("dag")?.map(|permit| permit.dag());
    let dags: Vec<&DagDef> = match named {
        Some(dag) => vec![dag],
        None => call.state.dags.iter().copied().filter(|dag| call.state.may(Right::View, dag.id)).collect(),
    };
    document(&call, &ops::consumers(Some(&call.state.journal), &dags).await?)
}
