//! Assets, their events and their consumers.

use super::document::document;
use super::paging::{Page, linked};
use crate::asset::dag_of;
use crate::dag::DagDef;
use crate::ops::accounts::Right;
use crate::ops::{self, AssetDocument, EventQuery, OpsError};
use crate::server::auth::AssetRights;
use crate::server::call::Call;
use crate::server::permit::View;
use crate::server::routes::Answer;

pub(in crate::server) async fn list(call: Call) -> Answer {
    let rights = AssetRights::of(&call.state);
    let mut assets = Vec::new();
    for asset in ops::assets(Some(&call.state.journal)).await?.into_iter().filter(|asset| rights.sees(&asset.name)) {
        assets.push(rights.shown_asset(asset).await?);
    }
    // Those of the program come first, then the results of DAGs.
    let place = |asset: &AssetDocument| (dag_of(&asset.name).is_some(), asset.name.clone());
    Page::of(&call, assets, place)?.answer(&call)
}

pub(in crate::server) async fn asset(call: Call) -> Answer {
    let (name, rights) = (call.asset()?, AssetRights::of(&call.state));
    if !rights.sees(&name) {
        return Err(OpsError::UnknownAsset { asset: name, nearest: None }.into());
    }
    let asset = ops::asset(&call.state.journal, &name).await?;
    document(&call, &rights.shown_asset(asset).await?)
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
        // One more shows whether there are more.
        limit: Some(call.limit() + 1),
    };
    let events = ops::events(&call.state.journal, &query).await?;
    let page = Page::first(events, call.limit() as usize, |event| event.number.to_string());
    linked(&call, document(&call, &rights.all_shown(page.entries).await?), "before", page.next)
}

pub(in crate::server) async fn event(call: Call) -> Answer {
    let number = call.number_of_path("event")?;
    let rights = AssetRights::of(&call.state);
    let event = ops::event(&call.state.journal, number).await?;
    if !rights.sees(&event.asset) {
        return Err(OpsError::UnknownEvent { number }.into());
    }
    document(&call, &rights.shown(event).await?)
}

pub(in crate::server) async fn consumers(call: Call) -> Answer {
    let named = call.dag_of_field::<View>("dag")?.map(|permit| permit.dag());
    let dags: Vec<&DagDef> = match named {
        Some(dag) => vec![dag],
        None => call.state.dags.iter().copied().filter(|dag| call.state.may(Right::View, dag.id)).collect(),
    };
    let consumers = ops::consumers(Some(&call.state.journal), &dags).await?;
    Page::of(&call, consumers, |consumer| consumer.dag_id.clone())?.answer(&call)
}
