//! Backfills.

use super::field::{AFTER, BY, DAG, DRY_RUN, Kind, LIMIT, NOTE, REASON, field};
use super::route::{Route, Verb, route};
use crate::base::schema::Schema;
use crate::ops;
use crate::server::api::backfills;

pub(super) static ROUTES: &[Route] = &[
    route!(Get "/api/v1/backfills", backfills::list, "Backfills, the latest first"
        => Vec<ops::BackfillStatus>)
    .query(&[DAG, LIMIT, AFTER]),
    route!(Post "/api/v1/backfills", backfills::start, "Starts a backfill, which the service carries out"
        => ops::StartedBackfill, ops::BackfillPreview)
    .costly()
    .query(&[DRY_RUN])
    .body(&[
        field("dag", Kind::Text, "The DAG").required(),
        field("slots", Kind::Texts, "Ranges such as 2026-01-01/2026-01-31, days, or times of slots").required(),
        field("scope", Kind::Word(&["missing", "failed", "all"]), "The slots that run. Default: missing"),
        field("order", Kind::Word(&["oldest", "newest", "random"]), "Which slots come first. Default: oldest"),
        field("seed", Kind::Number(0, i64::MAX), "Seeds the random order"),
        field("limit", Kind::Number(1, u32::MAX as i64), "How many of its runs may be active at once"),
        field("as_one_run", Kind::Switch, "Makes one run of all slots"),
        field("params", Kind::Object, "The values of parameters, by name"),
        REASON,
        BY,
    ]),
    route!(Get "/api/v1/backfills/{backfill}", backfills::backfill, "A backfill" => ops::BackfillStatus),
    route!(Post "/api/v1/backfills/{backfill}/pause", backfills::pause, "Starts no more runs of a backfill"
        => ops::BackfillStatus)
    .body(NOTE),
    route!(Post "/api/v1/backfills/{backfill}/resume", backfills::resume, "Continues a paused backfill"
        => ops::BackfillStatus)
    .body(NOTE),
    route!(Post "/api/v1/backfills/{backfill}/limit", backfills::limit,
        "Changes how many runs may be active at once"
        => ops::BackfillStatus)
    .body(&[field("limit", Kind::Number(1, u32::MAX as i64), "How many").required(), REASON, BY]),
    route!(Post "/api/v1/backfills/{backfill}/extend", backfills::extend, "Extends a backfill to a later end"
        => ops::ExtendedBackfill)
    .body(&[field("to", Kind::Text, "The new end, a day or a time; inclusive").required(), REASON, BY]),
    route!(Post "/api/v1/backfills/{backfill}/retry", backfills::retry,
        "Starts another one for the failed slots"
        => ops::StartedBackfill)
    .body(NOTE),
    route!(Post "/api/v1/backfills/{backfill}/cancel", backfills::cancel,
        "Drops the pending slots of a backfill"
        => ops::CancelledBackfill)
    .body(&[field("running", Kind::Switch, "Cancels its active runs too"), REASON, BY]),
];
