//! The audit trail, and deleting what is old.

use super::field::{DAG, DRY_RUN, Field, Kind, LIMIT, STATE, field};
use super::route::{JSON_LINES, Route, Verb, route};
use crate::base::schema::Schema;
use crate::ops;
use crate::server::api::{audit, prune};

const RUN: Field = field("run", Kind::Text, "Only about the run with this number or id");
const ABOUT: Field = field("about", Kind::Text, "Only about this DAG, or this run, also one that was deleted");
const ACTOR: Field = field("by", Kind::Text, "Only by this actor");
const ACTION: Field = field("action", Kind::Text, "Only of this kind: a verb of the command line, such as clear");
const SINCE: Field = field("since", Kind::Time, "Not older than this");
const UNTIL: Field = field("until", Kind::Time, "Older than this");

pub(super) static ROUTES: &[Route] = &[
    route!(Get "/api/v1/audit", audit::list,
        "Who has changed what, the newest first" => ops::AuditList)
    .query(&[
        DAG,
        RUN,
        ABOUT,
        ACTOR,
        ACTION,
        SINCE,
        UNTIL,
        LIMIT,
        field("before", Kind::Number(1, i64::MAX), "Only with a lower number: the next page"),
    ]),
    route!(Get "/api/v1/audit.jsonl", audit::json_lines,
        "The audit trail as a file with a document a line, the newest first")
    .query(&[
        DAG,
        RUN,
        ABOUT,
        ACTOR,
        ACTION,
        SINCE,
        UNTIL,
        field("limit", Kind::Number(1, u32::MAX as i64), "At most this many. Default: all"),
        field("before", Kind::Number(1, i64::MAX), "Only with a lower number: the rest of a file that was broken off"),
    ])
    .media_type(JSON_LINES),
    route!(Post "/api/v1/db/prune", prune::prune, "Deletes old runs that have ended, and old events; the preview has its token in `ETag`"
        => ops::Pruned, Vec<ops::RunSummaryDocument>)
    .costly()
    .query(&[DRY_RUN])
    .body(&[
        field("older_than", Kind::Span(u64::MAX), "Only what was created longer ago").required(),
        DAG,
        STATE,
        field("audit", Kind::Switch, "Also old entries of the audit trail"),
    ]),
];
