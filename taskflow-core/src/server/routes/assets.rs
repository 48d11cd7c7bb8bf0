//! Assets, their events and their consumers.

use super::field::{AFTER, BY, DAG, Kind, LIMIT, LIMIT_OF_ALL, PAGES, field};
use super::route::{EVENT_STREAM, Route, Verb, route};
use crate::base::schema::Schema;
use crate::ops;
use crate::server::api::{assets, changes};
use crate::server::hooks;
use crate::server::streams;

pub(super) static ROUTES: &[Route] = &[
    route!(Get "/api/v1/assets", assets::list, "The assets of the program, and their last events"
        => Vec<ops::AssetDocument>)
    .query(PAGES),
    route!(Get "/api/v1/assets/{asset}", assets::asset, "An asset, and its last event" => ops::AssetDocument),
    route!(Get "/api/v1/assets/{asset}/stream", streams::asset,
        "The events of an asset, as server-sent events")
    .query(&[field("after", Kind::Text, "The number of an event: begins after it. Default: the last one")])
    .media_type(EVENT_STREAM),
    route!(Get "/api/v1/events", assets::events, "The events of assets, the newest first"
        => Vec<ops::EventDocument>)
    .query(&[
        field("asset", Kind::Text, "Only of this asset"),
        field("partition", Kind::Text, "Only of this partition"),
        field("run", Kind::Text, "Only emitted by the run with this id"),
        LIMIT,
        field("before", Kind::Number(1, i64::MAX), "Only with a lower number: the next page"),
    ]),
    route!(Post "/api/v1/events", changes::emit, "Emits an event of an asset" => ops::AssetEmission).body(&[
        field("asset", Kind::Text, "The asset").required(),
        field("payload", Kind::Json, "The payload, which has the type of the asset. Default: null"),
        field("partition", Kind::Text, "The partition"),
        field("key", Kind::Text, "The idempotency key: the asset has one event with it"),
        BY,
    ]),
    route!(Post "/api/v1/hooks/{hook}", hooks::receive,
        "Receives a signed delivery of another system, which emits an event"
        => ops::AssetEmission, hooks::Ignored)
    .raw(),
    route!(Get "/api/v1/events/{event}", assets::event, "An event with its payload" => ops::EventDocument),
    route!(Get "/api/v1/consumers", assets::consumers,
        "The DAGs that consume events, and what is pending for them"
        => Vec<ops::ConsumerStatus>)
    .query(&[DAG, LIMIT_OF_ALL, AFTER]),
];
