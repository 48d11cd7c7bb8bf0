//! All that a server reads of a request, given bytes that may be any: for the fuzz target, and for
//! proptest among the unit tests.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::api::ranged;
use super::auth::cookie_value;
use super::keys::{DagKey, RunKey, TaskKey};
use super::{BasePath, api, auth, call, hooks, http, pages, streams};
use crate::base::Timestamp;
use crate::log::LogPosition;
use crate::log::ansi::pieces;
use crate::store::RunCursor;

/// The headers that are parsed.
const HEADERS: [&str; 17] = [
    "accept",
    "accept-encoding",
    "cookie",
    "host",
    "if-match",
    "if-none-match",
    "if-range",
    "last-event-id",
    "origin",
    "range",
    "stripe-signature",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
    "x-forwarded-groups",
    "x-forwarded-user",
    "x-hub-signature-256",
];

/// Reads bytes that may be any as all parts of a request: nothing may panic.
pub(crate) fn read_any(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    // Places, and the ids of events.
    let _ = text.parse::<LogPosition>();
    let _ = RunCursor::decode(text);
    streams::read_any(text);
    // Addresses, queries and bodies.
    let _ = (RunKey::parse(text.to_owned()), DagKey::parse(text.to_owned()), TaskKey::parse(text.to_owned()));
    call::read_any(text);
    api::read_any(text);
    let _ = text.parse::<BasePath>();
    // Times and ranges of slots, parameters, partitions.
    let _ = text.parse::<Timestamp>();
    crate::dag::read_any(text);
    crate::asset::read_any(text);
    // What tasks have logged.
    let _ = pieces(text);
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let headers: HeaderMap = HEADERS.map(|name| (HeaderName::from_static(name), value.clone())).into_iter().collect();
    let _ = cookie_value(&headers, "taskflow_8090");
    let _ = ranged(&headers, "text/plain", vec![0; 100]);
    http::read_any(&headers);
    auth::read_any(text, &headers);
    pages::read_any(text, &headers);
    hooks::read_any(&headers, bytes, Duration::from_secs(300));
}

/// Reads a text as what a provider of OpenID Connect answers.
#[cfg(feature = "oidc")]
pub(crate) fn read_any_of_provider(text: &str) {
    auth::read_any_of_provider(text);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::nearly::nearly;

    /// What is right, or nearly.
    const SEEDS: &[&str] = &[
        "17,3:2.1048,9:0",
        "2.1024",
        "1700000000000000000.7",
        "0badcafe.12",
        "run:7",
        "asset:a/b",
        "limit=3&state=failed,queued&all&after=1.2&since=2026-01-31T06:00:00Z&wait=30s",
        "{\"tasks\": [\"a\"], \"reason\": null, \"params\": {\"day\": \"2026-01-31\"}, \"older_than\": \"30d\"}",
        "taskflow_8090=abc; theme=dark",
        "bytes=2-9",
        "W/\"abc\", \"def\", *",
        "127.0.0.1:8090",
        "[::1]:8090",
        "https://flow.example.com",
        "t=1700000000,v1=00ff,v1=1",
        "v1,AAAA v1,BBBB= v2,x",
        "sha256=00ff",
        "2026-01-31T06:00:00+09:00[Asia/Seoul]",
        "2026-01",
        "\u{1b}[31;1mred\u{1b}]8;;x\u{7}",
        "name=kim&password=several+good+words&next=%2Fruns%3Fstate%3Dfailed",
        "/runs?state=failed#tasks",
        "/team/dags",
        "gzip;q=0.5, *;q=0",
        "[true, \"a\"]",
        "2026-01-01/2026-01-31",
        "{\"partition\": \"2028-02-29\", \"value\": 3}",
        "2028-W05",
        "2026-02-03T14Z",
        "L10-L20",
        "dev, ops",
        "10.0.0.0/8",
    ];

    proptest! {
        #[test]
        fn no_bytes_make_a_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            read_any(&bytes);
        }

        #[test]
        fn nothing_that_is_nearly_right_makes_a_parser_panic(bytes in nearly(SEEDS)) {
            read_any(&bytes);
        }
    }

    #[test]
    fn what_is_right_is_read() {
        SEEDS.iter().for_each(|seed| read_any(seed.as_bytes()));
    }
}
