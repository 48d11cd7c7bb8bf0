//! Assets, what is pending for which DAG, and events.

use std::borrow::Cow;

use askama::Template;
use axum::extract::Query;
use axum::response::Html;

use super::action::Action;
use super::address;
use super::emit;
use super::escape::html;
use super::frame::{Crumb, Frame, Place};
use super::reply::{Asked, Page, asked, request};
use super::run_links::RunLinks;
use super::times::Moment;
use crate::base::text::bounded;
use crate::ops::accounts::Right;
use crate::ops::{self, EventDocument, EventQuery};
use crate::server::auth::{AssetRights, Visitor};

/// How many events a page has, and the most bytes of a payload that are shown.
const EVENTS: u32 = 100;
const PAYLOAD: usize = 200;

#[derive(Debug, Template)]
#[template(path = "asset_list.html")]
struct AssetListPage {
    frame: Frame,
    assets: Vec<AssetRow>,
    consumers: Vec<ConsumerRow>,
}

#[derive(Debug)]
struct AssetRow {
    name: String,
    href: String,
    doc: String,
    ty: String,
    last: Option<Moment>,
    partition: String,
    producers: String,
    consumers: Vec<Crumb>,
}

#[derive(Debug)]
struct ConsumerRow {
    dag: String,
    href: String,
    param: String,
    asset: String,
    asset_href: String,
    takes: Cow<'static, str>,
    pending: u64,
    since: Option<Moment>,
    waits: String,
}

pub(super) async fn show(state: Visitor) -> Page {
    let as_of = state.streams.place();
    let request = request(None);
    let mut rows = Vec::new();
    // A DAG whose event parameters contradict each other is shown by its own page.
    let rights = AssetRights::of(&state);
    for &dag in state.dags.iter().filter(|dag| state.may(Right::View, dag.id)) {
        for consumer in ops::consumers(Some(&state.journal), &[dag]).await.unwrap_or_default() {
            rows.extend(consumer.inputs.into_iter().map(|input| ConsumerRow {
                dag: consumer.dag_id.clone(),
                href: address::dag(&consumer.dag_id),
                asset_href: address::asset(&input.asset),
                param: input.param,
                asset: input.asset,
                takes: input.takes,
                pending: input.pending,
                since: input.since.map(|since| request.clock.at(since)),
                waits: consumer.waits_for.clone().unwrap_or_default(),
            }));
        }
    }
    let mut assets = Vec::new();
    for asset in ops::assets(Some(&state.journal)).await?.into_iter().filter(|asset| rights.sees(&asset.name)) {
        let asset = rights.shown_asset(asset).await?;
        assets.push(AssetRow {
            href: address::asset(&asset.name),
            doc: asset.doc.trim().lines().next().unwrap_or_default().to_owned(),
            ty: match asset.partition {
                Some(partition) => format!("{}, {partition}", asset.ty),
                None => asset.ty,
            },
            last: asset.last.as_ref().map(|event| request.clock.at(event.emitted)),
            partition: asset.last.and_then(|event| event.partition).unwrap_or_default(),
            producers: asset.producers.join(", "),
            consumers: rows
                .iter()
                .filter(|row| row.asset == asset.name)
                .map(|row| Crumb::link(row.dag.clone(), row.href.clone()))
                .collect(),
            name: asset.name,
        });
    }
    let frame = Frame::new(&request, Place::Assets, "Assets", vec![Crumb::here("Assets")]).live("assets,dags", as_of);
    Ok(Html(html(&AssetListPage { frame, assets, consumers: rows })))
}

#[derive(Debug, Template)]
#[template(path = "events.html")]
struct EventsPage {
    frame: Frame,
    asset: String,
    actions: Vec<Action>,
    rows: Vec<EventRow>,
    next: String,
}

#[derive(Debug)]
struct EventRow {
    number: i64,
    asset: String,
    asset_href: String,
    at: Moment,
    partition: String,
    by: String,
    href: String,
    payload: String,
}

pub(super) async fn events(state: Visitor, Query(query): Asked) -> Page {
    let as_of = state.streams.place();
    let request = request(None);
    let asset = asked(&query, "asset");
    let rights = AssetRights::of(&state);
    let wanted = EventQuery {
        asset: (!asset.is_empty()).then(|| asset.to_owned()),
        among: rights.seen(),
        before: asked(&query, "before").parse().ok(),
        limit: Some(EVENTS + 1),
        ..EventQuery::default()
    };
    let mut events = ops::events(&state.journal, &wanted).await?;
    let more = events.len() > EVENTS as usize;
    events.truncate(EVENTS as usize);
    let last = events.last().filter(|_| more).map(|event| event.number.to_string());
    let next = last.map(|last| address::with("/events", &[("asset", asset), ("before", &last)]));
    let (mut rows, mut links) = (Vec::new(), RunLinks::of(&state));
    for event in rights.all_shown(events).await? {
        let EventDocument { number, asset, partition, emitted, run_id, task, by, payload, .. } = event;
        rows.push(EventRow {
            number,
            asset_href: address::asset(&asset),
            asset,
            at: request.clock.at(emitted),
            partition: partition.unwrap_or_default(),
            by: task.or_else(|| run_id.as_ref().map(|_| "the result of a run".to_owned())).unwrap_or(by),
            href: match &run_id {
                Some(run) => links.to(run).await,
                None => String::new(),
            },
            payload: match payload {
                Some(payload) => bounded(&payload.to_string(), PAYLOAD).into_owned(),
                None => "not shown".to_owned(),
            },
        });
    }
    let here = if asset.is_empty() { "Events" } else { asset };
    let path = vec![Crumb::link("Assets", "/assets"), Crumb::here(here)];
    let frame = Frame::new(&request, Place::Assets, format!("Events {asset}"), path).live("assets", as_of);
    let is_declared = ops::assets(None).await?.iter().any(|known| known.name == asset);
    let may_emit = is_declared && !state.options.read_only && rights.check_emit(asset).is_ok();
    Ok(Html(html(&EventsPage {
        frame,
        asset: asset.to_owned(),
        actions: may_emit.then(|| Action::form("Emit an event…", emit::address_of(asset))).into_iter().collect(),
        rows,
        next: next.unwrap_or_default(),
    })))
}
