//! The form that emits an event of an asset by hand, with what it would start.

use axum::body::Bytes;
use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode};

use super::address;
use super::command::Program;
use super::form::{Field, FormPage, Input, Sent, Values, done, wrong, wrong_fields};
use super::frame::{Crumb, Frame, Place};
use super::marks::Mark;
use super::preview::{Affected, Preview};
use super::reply::{Asked, Page, request};
use crate::ops::accounts::Right;
use crate::ops::{self, AssetDocument, EventEffect, NewAssetEvent, OpsError};
use crate::server::acting::Acting;
use crate::server::auth::{AssetRights, Visitor};
use crate::server::problem::Problem;

/// The address of the form for an asset.
pub(super) fn address_of(asset: &str) -> String {
    address::with("/events/emit", &[("asset", asset)])
}

/// The asset of an address, for those who may emit its events.
async fn asset_of(state: &Visitor, name: &str) -> Result<AssetDocument, Problem> {
    AssetRights::of(state).check_emit(name)?;
    let known = ops::assets(Some(&state.journal)).await?.into_iter().find(|asset| asset.name == name);
    Ok(known.ok_or_else(|| OpsError::UnknownAsset { asset: name.to_owned(), nearest: None })?)
}

fn fields(asset: &AssetDocument) -> Vec<Field> {
    let payload = Field::line("payload", "Payload", "JSON. Without one, null.");
    let mut fields = vec![Field { input: Input::Lines, ty: asset.ty.clone(), ..payload }];
    if let Some(partition) = &asset.partition {
        let mut field = Field::line("partition", "Partition", "What the event is about.");
        (field.ty, field.is_required) = (partition.clone(), true);
        let last = asset.last.as_ref().and_then(|event| event.partition.as_deref());
        field.placeholder = last.unwrap_or_default().to_owned();
        fields.push(field);
    }
    let key = "Nothing is stored if the asset has an event with this key.";
    fields.extend([
        Field::line("key", "Idempotency key", key),
        Field::line("reason", "Reason", "Stored in the audit trail."),
    ]);
    fields
}

/// The payload as it was typed.
fn payload(values: &Values) -> Result<serde_json::Value, serde_json::Error> {
    match values.get("payload") {
        "" => Ok(serde_json::Value::Null),
        text => serde_json::from_str(text),
    }
}

/// What becomes of the event for a DAG: the state of the DAG before, and words.
fn effect(effect: &EventEffect) -> (Mark, String) {
    let waiting = Mark::of_slot("waiting");
    match effect {
        EventEffect::Starts => (waiting, "a run starts".to_owned()),
        EventEffect::Pends { waits_for } => (waiting, format!("pending, the next run waits for {waits_for}")),
        EventEffect::Joins => (waiting, "joins the events of its key or period".to_owned()),
        EventEffect::Seen => (Mark { words: "looks at it", ..waiting }, "starts no run".to_owned()),
        EventEffect::Unserved => (Mark { words: "not served yet", ..waiting }, "does not take it".to_owned()),
    }
}

/// The form, with what the event would start now.
async fn form(state: &Visitor, asset: &AssetDocument, values: &Values) -> Result<FormPage, Problem> {
    let request = request(None);
    let here = address::asset(&asset.name);
    let seen: Vec<_> = state.dags.iter().copied().filter(|dag| state.may(Right::View, dag.id)).collect();
    let effects = ops::preview_emit(&state.journal, &seen, &asset.name).await?;
    let affected = effects.iter().map(|of_dag| {
        let (from, to) = effect(&of_dag.effect);
        Affected { id: of_dag.dag_id.clone(), from, to: to.into() }
    });
    let mut preview = Preview::of_several(affected.collect(), &[]);
    if preview.affected.is_empty() {
        preview = preview.note("No DAG has a parameter for this asset: the event is stored, and starts nothing.");
    }
    let mut line = vec!["emit", &*asset.name];
    line.extend(Some(values.get("payload")).filter(|payload| !payload.is_empty()));
    for (name, flag) in [("partition", "--partition"), ("key", "--key")] {
        if !values.get(name).is_empty() {
            line.extend([flag, values.get(name)]);
        }
    }
    let path =
        vec![Crumb::link("Assets", "/assets"), Crumb::link(asset.name.clone(), here.clone()), Crumb::here("Emit")];
    let mut page = FormPage {
        frame: Frame::new(&request, Place::Assets, format!("Emit an event of {}", asset.name), path),
        heading: format!("Emit an event of {}", asset.name),
        lead: asset.doc.trim().lines().next().unwrap_or_default().to_owned(),
        error: String::new(),
        fields: fields(asset).into_iter().map(|field| field.with(values)).collect(),
        hidden: vec![("asset", asset.name.clone())],
        preview: Some(preview),
        button: "Emit the event".to_owned(),
        is_danger: false,
        action: address_of(&asset.name),
        back: here,
        command: Program::of(&state.home).line(&line),
    };
    if let Err(error) = payload(values) {
        wrong(&mut page.fields, "payload", format!("This is not JSON: {error}."));
    }
    Ok(page)
}

pub(super) async fn show(state: Visitor, Query(query): Asked) -> Page {
    let values = Values::asked(&query);
    let asset = asset_of(&state, values.get("asset")).await?;
    Ok(form(&state, &asset, &values).await?.html())
}

pub(super) async fn send(state: Visitor, Acting(service): Acting, headers: HeaderMap, body: Bytes) -> Sent {
    let values = Values::of(&headers, &body)?;
    let asset = asset_of(&state, values.get("asset")).await?;
    let mut page = form(&state, &asset, &values).await?;
    if asset.partition.is_some() && values.get("partition").is_empty() {
        wrong(&mut page.fields, "partition", "The events of this asset have a partition.");
    }
    if let Some(problem) = wrong_fields(&page.fields) {
        return page.refused(problem);
    }
    let given = |name: &str| Some(values.get(name)).filter(|text| !text.is_empty()).map(str::to_owned);
    // What is not JSON is wrong at its field.
    let mut event = NewAssetEvent::new(payload(&values).unwrap_or_default());
    (event.partition, event.key) = (given("partition"), given("key"));
    match ops::emit(&service, &asset.name, event, &values.note()).await {
        Ok(emitted) if emitted.is_new => done(&state, &address::asset(&asset.name)),
        Ok(known) => {
            let detail = format!("event {} has this key: nothing was stored", known.number);
            page.refused(Problem::new(StatusCode::CONFLICT, detail))
        }
        Err(error) => page.refused(error),
    }
}
