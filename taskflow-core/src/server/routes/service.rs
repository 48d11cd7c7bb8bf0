//! The server and the service themselves.

use serde_json::{Map, Value};

use super::field::{Kind, field};
use super::route::{EVENT_STREAM, Route, Verb, route};
use crate::base::schema::Schema;
use crate::ops;
use crate::server::api::health;
use crate::server::streams;

pub(super) static ROUTES: &[Route] = &[
    route!(Get "/health/live", health::live, "Whether the server answers" => health::Liveness),
    route!(Get "/health/ready", health::ready, "Whether the service works, and why not" => health::Readiness),
    route!(Get "/metrics", health::metrics,
        "Metrics in the text format of Prometheus")
    .media_type("text/plain"),
    route!(Get "/api/v1/version", health::version, "The versions of the API and of taskflow"
        => health::Versions),
    route!(Get "/api/v1/openapi.json", health::openapi_document, "This document" => Map<String, Value>),
    route!(Get "/api/v1/doctor", health::doctor,
        "What keeps the home from working" => ops::Diagnosis)
    .costly(),
    route!(Get "/api/v1/stream", streams::changes, "What changes in the home, as server-sent events")
        .query(&[
            field(
                "topics",
                Kind::Texts,
                "runs, dags, assets, backfills, pools, run:4711, dag:ID, asset:ID. Default: all",
            ),
            field("after", Kind::Text, "Begins after this place, the `id` of an event. Default: now"),
        ])
        .media_type(EVENT_STREAM),
];
