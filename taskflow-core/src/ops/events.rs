//! The events of assets: emitting them by hand, and listing them.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::assets;
use super::audit::{Action, AuditTarget, Trail, changed};
use super::error::OpsError;
use crate::asset::check_partition;
use crate::base::Timestamp;
use crate::base::schema::Schema;
use crate::base::text::bounded;
use crate::journal::{Journal, Note, RunHistory};
use crate::run::Stored;
use crate::store::{Emitted, EventFilter, EventRow, NewEvent};

/// The most events that the document or the page of a run has.
const OF_RUN: u32 = 500;

/// The most bytes of a key or a partition, and how many of a longer one are shown.
const KEY: usize = 512;
const SHOWN: usize = 64;

/// An event that is emitted by hand.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct NewAssetEvent {
    /// The payload as JSON.
    pub payload: serde_json::Value,
    /// The partition, such as `2026-02-03`, if the asset has partitions.
    pub partition: Option<String>,
    /// The asset has one event with this key: emitting it again stores nothing.
    pub key: Option<String>,
}

impl NewAssetEvent {
    /// An event without a partition and a key.
    pub fn new(payload: serde_json::Value) -> Self {
        NewAssetEvent { payload, ..NewAssetEvent::default() }
    }
}

/// An event that was emitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct AssetEmission {
    /// The number of the event: with a key that is known, that of the earlier event.
    pub number: i64,
    /// The asset.
    pub asset: String,
    /// Its partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// Its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Whether the event is new. Otherwise the asset has an event with this key, and nothing was
    /// stored.
    pub is_new: bool,
}

/// An event of an asset, as JSON documents have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct EventDocument {
    /// Its number. Later events have higher numbers.
    pub number: i64,
    /// The asset.
    pub asset: String,
    /// Its partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// Its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The type of the payload, without modules.
    #[serde(rename = "type")]
    pub ty: String,
    /// When it was emitted.
    pub emitted: Timestamp,
    /// The id of the run that emitted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// The task that emitted it; none for the result of a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Who emitted it, if no run did.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// The size of the stored payload, in bytes.
    pub size: u64,
    /// The payload as JSON, if it was asked for and is not large: large ones are in files, and
    /// [`event`] reads them. What JSON cannot represent is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<serde_json::Value>,
}

impl EventDocument {
    pub(super) fn of(row: EventRow, with_payload: bool) -> Self {
        let EventRow { number, asset, partition, key, ty, content, value, emitted, run, task, by } = row;
        let payload = match value {
            Some(Stored::Inline(bytes)) if with_payload => crate::value::to_json(&bytes, &ty).ok(),
            _ => None,
        };
        EventDocument { number, asset, partition, key, ty, emitted, run_id: run, task, by, size: content.len, payload }
    }
}

/// Selects events. The default selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventQuery {
    /// Of this asset.
    pub asset: Option<String>,
    /// Of one of these assets: of none if there are none. `None`: of all.
    pub among: Option<Vec<String>>,
    /// Of this partition.
    pub partition: Option<String>,
    /// Emitted by the run with this id.
    pub run_id: Option<String>,
    /// With a lower number than this: the next page.
    pub before: Option<i64>,
    /// At most this many; all if `None`.
    pub limit: Option<u32>,
}

/// Emits an event of an asset of the program: DAGs that consume the asset can start.
///
/// # Errors
///
/// When the program has no such asset, the payload or the partition does not have its type, or the
/// event cannot be stored.
pub async fn emit(
    journal: &Journal,
    asset: &str,
    event: NewAssetEvent,
    note: &Note,
) -> Result<AssetEmission, OpsError> {
    let trail = Trail::begin(journal, Action::Emit, AuditTarget::asset(asset), &note.reason);
    let emitted = emit_event(trail.journal(), asset, event, note).await;
    trail.end(emitted).await
}

async fn emit_event(
    journal: &Journal,
    asset: &str,
    event: NewAssetEvent,
    note: &Note,
) -> Result<AssetEmission, OpsError> {
    let NewAssetEvent { payload, partition, key } = event;
    changed(journal, json!({}), json!({ "partition": partition, "key": key }));
    let known = assets::find(asset)?;
    let named = || asset.to_owned();
    let invalid = |reason: String| OpsError::InvalidEvent { asset: named(), reason };
    check_partition(known.partition, partition.as_deref()).map_err(|error| invalid(error.to_string()))?;
    for (what, text) in [("key", &key), ("partition", &partition)] {
        if let Some(text) = text.as_ref().filter(|text| text.len() > KEY) {
            return Err(invalid(format!("the {what} `{}` has more than {KEY} bytes", bounded(text, SHOWN))));
        }
    }
    let ty = known.ty.short();
    let value = known.ty.from_json(&payload).and_then(|value| known.ty.encode(&value));
    let value = value.map_err(|reason| invalid(format!("its payload is a {ty}: {reason}")))?;
    let new = NewEvent {
        asset: named(),
        partition: partition.clone(),
        key: key.clone(),
        ty,
        value: Stored::Inline(value),
        emitted: journal.now(),
        run: None,
        task: None,
        by: note.by.clone(),
        on_change: false,
    };
    let emitted = journal.emit(vec![new]).await?;
    let Some(emitted) = emitted.first() else { return Err(invalid("the store has not answered".to_owned())) };
    let is_new = matches!(emitted, Emitted::Stored(_));
    Ok(AssetEmission { number: emitted.number(), asset: named(), partition, key, is_new })
}

/// The events that match a query, the newest first, with payloads that are not large.
///
/// # Errors
///
/// When the store cannot be read, or what it holds is damaged.
pub async fn events(journal: &Journal, query: &EventQuery) -> Result<Vec<EventDocument>, OpsError> {
    let EventQuery { asset, among, partition, run_id, before, limit } = query.clone();
    let assets: Vec<String> = match (asset, among) {
        (Some(asset), Some(among)) if !among.contains(&asset) => return Ok(Vec::new()),
        (Some(asset), _) => vec![asset],
        (None, Some(among)) if among.is_empty() => return Ok(Vec::new()),
        (None, among) => among.unwrap_or_default(),
    };
    let filter = EventFilter {
        assets,
        partition,
        run: run_id,
        before,
        limit,
        newest_first: true,
        with_values: true,
        ..EventFilter::default()
    };
    let rows = journal.event_rows(&filter).await?;
    Ok(rows.into_iter().map(|row| EventDocument::of(row, true)).collect())
}

/// The events of an asset with higher numbers, the lowest first.
#[cfg(feature = "server")]
pub(crate) async fn events_after(
    journal: &Journal,
    asset: &str,
    after: i64,
    limit: u32,
) -> Result<Vec<EventDocument>, OpsError> {
    let filter = EventFilter {
        assets: vec![asset.to_owned()],
        after: Some(after),
        limit: Some(limit),
        with_values: true,
        ..EventFilter::default()
    };
    let rows = journal.event_rows(&filter).await?;
    Ok(rows.into_iter().map(|row| EventDocument::of(row, true)).collect())
}

/// Whether the program has an asset.
#[cfg(feature = "server")]
pub(crate) fn check_asset(asset: &str) -> Result<(), OpsError> {
    assets::find(asset).map(drop)
}

/// The event with this number, with its payload.
///
/// # Errors
///
/// When there is no such event, or its payload is missing or damaged.
pub async fn event(journal: &Journal, number: i64) -> Result<EventDocument, OpsError> {
    let stored = journal.event(number).await?.ok_or(OpsError::UnknownEvent { number })?;
    let damaged = |reason| OpsError::Journal(crate::journal::JournalError::Payload { number, reason });
    let payload = crate::value::to_json(&stored.bytes, &stored.ty).map_err(damaged)?;
    Ok(EventDocument {
        number,
        asset: stored.head.asset,
        partition: stored.head.partition,
        key: stored.key,
        ty: stored.ty,
        emitted: stored.head.emitted,
        run_id: stored.run,
        task: stored.task,
        by: stored.by,
        size: stored.bytes.len() as u64,
        payload: Some(payload),
    })
}

/// The events that the tasks of a run emitted: see [`emitted_by`].
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RunEmissions {
    /// The first 500 of them, in order, without their payloads.
    pub events: Vec<EventDocument>,
    /// How many others there are.
    pub more: u32,
}

/// The first 500 events that the tasks of a run emitted, and how many others there are. Not the
/// result of the run. [`events()`] has all of them.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn emitted_by(journal: &Journal, history: &RunHistory) -> Result<RunEmissions, OpsError> {
    let filter = EventFilter {
        run: Some(history.info.run_id.clone()),
        of_tasks: true,
        limit: Some(OF_RUN),
        ..EventFilter::default()
    };
    let rows = journal.event_rows(&filter).await?;
    let more = match rows.last() {
        // A run may have a million others, so they are counted and not read.
        Some(last) if rows.len() >= OF_RUN as usize => {
            let others = EventFilter { after: Some(last.number), limit: None, ..filter };
            journal.count_matching_events(&others).await?
        }
        _ => 0,
    };
    let events = rows.into_iter().map(|row| EventDocument::of(row, false)).collect();
    Ok(RunEmissions { events, more: u32::try_from(more).unwrap_or(u32::MAX) })
}
