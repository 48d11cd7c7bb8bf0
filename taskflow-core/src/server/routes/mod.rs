//! The table of routes. The router, the checks of requests and the `OpenAPI` document are made
//! from it, so a route without a description does not exist.

mod field;
mod route;
mod router;

use serde_json::{Map, Value};

use self::field::field;
pub(super) use self::field::{Field, Kind};
use self::route::route;
pub(super) use self::route::{Answer, Route, Verb};
pub(super) use self::router::router;
use super::api::{
    accounts, approvals, assets, audit, backfills, bulk, changes, dags, elements, health, logs, pauses, prune,
    run_export, runs,
};
use super::hooks;
use super::streams;
use crate::base::schema::Schema;
use crate::journal::Explanation;
use crate::ops;
use crate::ops::accounts::{CreatedToken, EndedCredentials, TokenDocument, UserDocument};
use crate::render::View;
use crate::schedule::Pause;

const LIMIT: Field = field("limit", Kind::Number(1, 1_000), "At most this many. Default: 50");
const LIMIT_OF_ALL: Field = field("limit", Kind::Number(1, 1_000), "At most this many. Default: all");
const AFTER: Field = field("after", Kind::Text, "The place where the page begins, as the header Link has it");
/// The pages of a list that is answered as a whole unless a limit is named.
const PAGES: &[Field] = &[LIMIT_OF_ALL, AFTER];
const DAG: Field = field("dag", Kind::Text, "Only of this DAG");
const REASON: Field = field("reason", Kind::Text, "Why, for the history");
const BY: Field = field("by", Kind::Text, "Who, for the history. Default: the account of the server");
const NOTE: &[Field] = &[REASON, BY];
const TASKS: Field = field("tasks", Kind::Texts, "Tasks and groups. Default: all");
const DRY_RUN: Field = field("dry_run", Kind::Switch, "Shows what would change, and changes nothing");
const UNTIL: Field = field("until", Kind::Time, "When the pause ends by itself");
const CATCHUP: Field =
    field("catchup", Kind::Word(&["none", "last", "all"]), "The passed slots that run. Default: none");
const EVENTS: Field =
    field("events", Kind::Word(&["all", "newest", "skip"]), "The pending events that are consumed. Default: all");
const DAGS: Field = field("dags", Kind::Texts, "These DAGs");
const TAG: Field = field("tag", Kind::Text, "The DAGs with this tag");
const ALL: Field = field("all", Kind::Switch, "All DAGs with a schedule");
const RUNS: Field =
    field("runs", Kind::Texts, "The numbers or whole ids of the runs; or a filter, which is what follows");
const STATE: Field = field("state", Kind::Texts, "Only in these states");
const RUN_TYPE: Field = field("run_type", Kind::Texts, "Only of these run types");
const SINCE: Field = field("since", Kind::Time, "Only created at this time or later");
const BEFORE: Field = field("before", Kind::Time, "Only created before this time");
const FAILED: Field = field("failed", Kind::Switch, "Only those that failed");
const UPSTREAM: Field = field("upstream", Kind::Switch, "Also everything upstream of them");
const DOWNSTREAM: Field = field("downstream", Kind::Switch, "Also everything downstream of them");
const MARK: Kind = Kind::Word(&["success", "failed", "skipped"]);
const VALUE: Field = field("value", Kind::Json, "What they returned, for `success`");
/// The longest wait for the end of a run, in seconds.
const LONGEST_WAIT: u64 = 60;
const ROLE: Field = field("role", Kind::Word(&["viewer", "operator", "admin"]), "The role").required();
const DAG_PATTERNS: Field =
    field("dags", Kind::Texts, "Only for these DAGs: ids, `team_a.*` or `tag:finance`. Default: all DAGs");
pub(super) const JSON_LINES: &str = "application/jsonl";
pub(super) const CSV: &str = "text/csv; charset=utf-8";
const LOGICAL_SINCE: Field = field("logical_since", Kind::Time, "Only with this logical date or a later one");
const LOGICAL_BEFORE: Field = field("logical_before", Kind::Time, "Only with an earlier logical date");
const ORDER: Field = field("order", Kind::Word(&["created", "logical_date"]), "The order. Default: created");
/// The fields of a list of runs that is a file.
const EXPORT: &[Field] = &[
    DAG,
    STATE,
    RUN_TYPE,
    SINCE,
    BEFORE,
    LOGICAL_SINCE,
    LOGICAL_BEFORE,
    ORDER,
    field("limit", Kind::Number(1, u32::MAX as i64), "At most this many. Default: all"),
];
const EVENT_STREAM: &str = "text/event-stream";

/// All routes.
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
    route!(Get "/api/v1/dags", dags::list, "The DAGs with their schedules and last runs"
        => Vec<ops::DagStatus>)
    .query(PAGES),
    route!(Get "/api/v1/dags/{dag}", dags::dag, "A DAG with its parameters and tasks" => ops::DagDocument),
    route!(Get "/api/v1/dags/{dag}/graph", dags::graph, "The graph of a DAG" => View<'static>).query(&[field(
        "format",
        Kind::Word(&["tree", "dot", "mermaid", "json", "svg"]),
        "The format of the picture. Default: json",
    )]),
    route!(Get "/api/v1/dags/{dag}/next", dags::next,
        "The next slots of a schedule" => ops::NextSlots)
    .query(&[field("count", Kind::Number(1, 1_000), "How many. Default: 10")]),
    route!(Get "/api/v1/dags/{dag}/slots", dags::slots,
        "The last slots and events of a DAG, and what became of them"
        => Vec<ops::PastSlots>, ops::SlotSpan)
    .query(&[
        field("from", Kind::Time, "With `to`: the slots from this time on, past and to come"),
        field("to", Kind::Time, "With `from`: the slots before this time"),
        field("fate", Kind::Texts, "Only with these fates: states of runs, `missed`, `skipped`, `waiting`, `note`"),
        field("before", Kind::Time, "Only slots before this time: the next page"),
        LIMIT,
    ]),
    route!(Get "/api/v1/dags/{dag}/versions", dags::versions,
        "The graphs of a DAG by its last runs, and what changed"
        => Vec<ops::DagVersion>),
    route!(Put "/api/v1/dags/{dag}/pause", changes::pause, "Pauses the schedule and the events of a DAG"
        => Pause)
    .body(&[REASON, BY, UNTIL]),
    route!(Delete "/api/v1/dags/{dag}/pause", changes::unpause, "Ends the pause of a DAG"
        => Vec<ops::PastSlots>)
    .body(&[REASON, BY, CATCHUP, EVENTS]),
    route!(Put "/api/v1/pauses", pauses::pause, "Pauses several DAGs, with an answer for each"
        => Vec<pauses::Item<()>>)
    .body(&[DAGS, TAG, ALL, REASON, BY, UNTIL]),
    route!(Delete "/api/v1/pauses", pauses::unpause,
        "Ends the pauses of several DAGs, with an answer for each"
        => Vec<pauses::Item<()>>)
    .body(&[DAGS, TAG, ALL, REASON, BY, CATCHUP, EVENTS]),
    route!(Post "/api/v1/dags/{dag}/reset-schedule", changes::reset_schedule,
        "Lets a schedule continue from now, after the clock was ahead"
        => ops::ResetSchedule)
    .body(NOTE),
    route!(Post "/api/v1/dags/{dag}/runs", changes::trigger, "Queues a run, which the service starts"
        => ops::RunSummaryDocument)
    .body(&[
        field("params", Kind::Object, "The values of parameters, by name. Others have their defaults"),
        field("logical_date", Kind::Time, "The logical date. Default: now, or the end of the interval"),
        field("interval_start", Kind::Time, "The start of the data interval"),
        field("interval_end", Kind::Time, "The end of the data interval"),
        field(
            "run_id",
            Kind::Text,
            "The id of the run, unlike those that taskflow makes, such as `manual__..`. Default: a new one",
        ),
    ]),
    route!(Get "/api/v1/runs", runs::list, "Runs, the newest first" => Vec<ops::RunSummaryDocument>).query(&[
        DAG,
        STATE,
        RUN_TYPE,
        SINCE,
        BEFORE,
        LOGICAL_SINCE,
        LOGICAL_BEFORE,
        ORDER,
        LIMIT,
        AFTER,
    ]),
    route!(Get "/api/v1/runs.csv", run_export::csv, "Runs as a file of CSV, the newest first")
        .query(EXPORT)
        .media_type(CSV),
    route!(Get "/api/v1/runs.jsonl", run_export::json_lines, "Runs as a file with a document a line, the newest first")
        .query(EXPORT)
        .media_type(JSON_LINES),
    route!(Post "/api/v1/runs:cancel", bulk::cancel, "Ends several runs early, with an answer for each"
        => bulk::Outcomes)
    .costly()
    .query(&[DRY_RUN])
    .body(&[RUNS, DAG, STATE, RUN_TYPE, SINCE, BEFORE, REASON, BY]),
    route!(Post "/api/v1/runs:clear", bulk::clear, "Clears tasks of several runs, with an answer for each"
        => bulk::Outcomes)
    .costly()
    .query(&[DRY_RUN])
    .body(&[RUNS, DAG, STATE, RUN_TYPE, SINCE, BEFORE, TASKS, FAILED, UPSTREAM, DOWNSTREAM, REASON, BY]),
    route!(Post "/api/v1/runs:mark", bulk::mark,
        "Sets the state of tasks of several runs, with an answer for each"
        => bulk::Outcomes)
    .costly()
    .query(&[DRY_RUN])
    .body(&[
        RUNS,
        DAG,
        STATE,
        RUN_TYPE,
        SINCE,
        BEFORE,
        field("as", MARK, "The state").required(),
        field("tasks", Kind::Texts, "Tasks and groups").required(),
        VALUE,
        REASON,
        BY,
    ]),
    route!(Get "/api/v1/runs/{run}", runs::run, "A run with its tasks" => ops::RunStatus).query(&[
        field("wait", Kind::Span(LONGEST_WAIT), "Answers once the run has ended, or after this time"),
        field("until", Kind::Word(&["ended"]), "What `wait` waits for. Default: ended"),
    ]),
    route!(Get "/api/v1/runs/{run}/stream", streams::run, "The journal of a run, as server-sent events")
        .query(&[field("after", Kind::Text, "The number of an entry: begins after it. Default: 0")])
        .media_type(EVENT_STREAM),
    route!(Get "/api/v1/runs/{run}/tasks", runs::tasks, "The tasks of a run" => Vec<ops::TaskStatus>).query(PAGES),
    route!(Get "/api/v1/runs/{run}/tasks/{task}", runs::task, "A task of a run" => ops::TaskStatus),
    route!(Get "/api/v1/runs/{run}/tasks/{task}/elements", elements::list, "Elements of a mapped task"
        => ops::ElementList)
    .query(&[
        field("state", Kind::Texts, "Only in these states"),
        field("label", Kind::Text, "Only with this text in the label"),
        field("message", Kind::Text, "Only with this text in the message, in which numbers are #"),
        field("first", Kind::Number(0, u32::MAX as i64), "Only from this element on"),
        field("last", Kind::Number(0, u32::MAX as i64), "Only up to this element"),
        field("skip", Kind::Number(0, u32::MAX as i64), "Without so many of those that fit: the next page"),
        LIMIT,
    ]),
    route!(Get "/api/v1/runs/{run}/tasks/{task}/elements/summary", elements::summary,
        "What the elements of a mapped task have come to"
        => ops::ElementsSummary),
    route!(Get "/api/v1/runs/{run}/tasks/{task}/explain", runs::explain_task, "Why a task is in its state"
        => Explanation),
    route!(Get "/api/v1/runs/{run}/tasks/{task}/attempts/{attempt}/log", logs::attempt,
        "The log of an attempt")
    .query(&[LEVEL, FOLLOW, AFTER_EVENT])
    .media_type(JSON_LINES)
    .costly(),
    route!(Get "/api/v1/runs/{run}/log", logs::run, "The logs of all attempts of a run, by time")
        .query(&[
            LEVEL,
            field("task", Kind::Text, "Only of this task"),
            field("attempt", Kind::Number(1, u32::MAX as i64), "Only of this attempt"),
            field(
                "q",
                Kind::Text,
                "Only records with this text in a line of the message or in the fields; case does not matter",
            ),
            field("limit", Kind::Number(1, 100_000), "How many records at most. Default: all"),
            FOLLOW,
            AFTER_EVENT,
        ])
        .media_type(JSON_LINES)
        .costly(),
    route!(Get "/api/v1/runs/{run}/explain", runs::explain, "Why the open tasks of a run are in their states"
        => Vec<Explanation>),
    route!(Get "/api/v1/runs/{run}/lineage", runs::lineage,
        "The events and runs that a run comes from, and what comes from it"
        => ops::Lineage)
    .costly(),
    route!(Get "/api/v1/runs/{run}/values", runs::values, "The values that the tasks of a run returned"
        => Vec<ops::ValueDocument>, ops::ValuePreviews)
    .query(&[PREVIEW, field("limit", Kind::Number(1, 100_000), "With `preview`: at most this many. Default: all")])
    .costly(),
    route!(Get "/api/v1/runs/{run}/values/{task}", runs::value,
        "The value that a task returned" => Value)
    .query(&[PREVIEW]),
    route!(Post "/api/v1/runs/{run}/cancel", changes::cancel, "Ends a run early, whichever process runs it"
        => changes::Cancelled)
    .query(&[DRY_RUN])
    .body(NOTE),
    route!(Post "/api/v1/runs/{run}/resume", changes::resume, "Continues an interrupted run"
        => ops::RunSummaryDocument)
    .body(&[]),
    route!(Post "/api/v1/runs/{run}/retry", changes::retry, "Runs the failed tasks of a run again"
        => ops::Cleared)
    .costly()
    .query(&[DRY_RUN])
    .body(NOTE),
    route!(Post "/api/v1/runs/{run}/clear", changes::clear, "Clears tasks, so that they run again"
        => ops::ClearPreview, ops::Cleared)
    .costly()
    .query(&[DRY_RUN])
    .body(&[
        TASKS,
        FAILED,
        UPSTREAM,
        DOWNSTREAM,
        field("run", Kind::Switch, "Whether the service runs them at once. Default: true"),
        REASON,
        BY,
    ]),
    route!(Post "/api/v1/runs/{run}/mark", changes::mark, "Sets the state of tasks"
        => changes::Marked)
    .query(&[DRY_RUN])
    .body(&[
        field("state", MARK, "The state").required(),
        field("tasks", Kind::Texts, "Tasks and groups").required(),
        VALUE,
        REASON,
        BY,
    ]),
    route!(Post "/api/v1/runs/{run}/release", changes::release, "Sends an event that tasks wait for"
        => ops::SentEvent)
    .body(&[
        field("key", Kind::Text, "The key of the event").required(),
        field("value", Kind::Json, "Its value. Default: null"),
        REASON,
        BY,
    ]),
    route!(Get "/api/v1/approvals", approvals::list, "The questions that tasks ask people now"
        => Vec<ops::Approval>)
    .query(PAGES),
    route!(Get "/api/v1/approvals/{run}/{task}", approvals::approval, "The question that a task asks now"
        => ops::Approval),
    route!(Get "/api/v1/deadlines", approvals::deadlines,
        "The deadlines that are due next, and those that were missed"
        => ops::DeadlineList),
    route!(Get "/api/v1/deliveries", approvals::deliveries, "The notifications that could not be delivered"
        => Vec<ops::FailedDelivery>)
    .query(&[LIMIT, AFTER]),
    route!(Get "/api/v1/pools", approvals::limits, "The pools and limits, and who waits for them"
        => ops::LimitStatus),
    route!(Get "/api/v1/pools/{pool}", approvals::pool, "A pool: who holds its slots, and who waits for them"
        => ops::PoolStatus),
    route!(Get "/api/v1/assets", assets::list, "The assets of the program, and their last events"
        => Vec<ops::AssetDocument>)
    .query(PAGES),
    route!(Get "/api/v1/assets/{asset}/stream", streams::asset,
        "The events of an asset, as server-sent events")
    .query(&[field("after", Kind::Text, "The number of an event: begins after it. Default: the last one")])
    .media_type(EVENT_STREAM),
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
    route!(Get "/api/v1/audit", audit::list,
        "Who has changed what, the newest first" => ops::AuditList)
    .query(&[
        DAG,
        field("run", Kind::Text, "Only about the run with this number or id"),
        field("about", Kind::Text, "Only about this DAG, or this run, also one that was deleted"),
        field("by", Kind::Text, "Only by this actor"),
        field("action", Kind::Text, "Only of this kind: a verb of the command line, such as clear"),
        field("since", Kind::Time, "Not older than this"),
        LIMIT,
        field("before", Kind::Number(1, i64::MAX), "Only with a lower number: the next page"),
    ]),
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
    route!(Post "/api/v1/db/prune", prune::prune, "Deletes old runs that have ended, and old events"
        => ops::Pruned, Vec<ops::RunSummaryDocument>)
    .costly()
    .query(&[DRY_RUN])
    .body(&[
        field("older_than", Kind::Span(u64::MAX), "Only what was created longer ago").required(),
        DAG,
        STATE,
        field("audit", Kind::Switch, "Also old entries of the audit trail"),
    ]),
    route!(Get "/api/v1/me", accounts::me, "Who asks, and what they may do" => accounts::Me<'static>),
    route!(Get "/api/v1/tokens", accounts::tokens, "One's own tokens; all of them for an admin"
        => Vec<TokenDocument>)
    .query(PAGES),
    route!(Post "/api/v1/tokens", accounts::create_token, "Creates a token, which is shown once"
        => CreatedToken)
    .body(&[
        field("name", Kind::Text, "The name of the token").required(),
        ROLE,
        DAG_PATTERNS,
        field("days", Kind::Number(1, 3_660), "After how many days it expires. Default: 90"),
        field("expires", Kind::Span(u64::MAX), "In place of `days`: after how long it expires"),
        field("lasts", Kind::Switch, "It does not expire, which only an admin of all DAGs can choose"),
        field("user", Kind::Text, "The user that it belongs to, for an admin. Default: whoever asks"),
    ]),
    route!(Delete "/api/v1/tokens/{token}", accounts::revoke_token,
        "Ends a token" => accounts::Revoked)
    .body(&[]),
    route!(Get "/api/v1/users", accounts::users, "The users and their roles" => Vec<UserDocument>).query(PAGES),
    route!(Post "/api/v1/users", accounts::add_user, "Adds a user" => UserDocument).body(&[
        field("name", Kind::Text, "The name of the user").required(),
        field("password", Kind::Text, "The password, of at least 12 characters").required(),
        ROLE,
        DAG_PATTERNS,
    ]),
    route!(Delete "/api/v1/users/{user}", accounts::remove_user,
        "Removes a user, with all sessions and tokens"
        => EndedCredentials)
    .body(&[]),
    route!(Put "/api/v1/users/{user}/role", accounts::set_role,
        "Gives a user another role" => UserDocument)
    .body(&[ROLE, DAG_PATTERNS]),
    route!(Put "/api/v1/users/{user}/password", accounts::set_password,
        "Gives a user another password; all sessions and tokens of the user end"
        => EndedCredentials)
    .body(&[field("password", Kind::Text, "The password, of at least 12 characters").required()]),
];

const PREVIEW: Field = field(
    "preview",
    Kind::Number(0, 100_000),
    "Only the beginning, of so many characters, with everything that looks like a secret masked",
);

const LEVEL: Field = field(
    "level",
    Kind::Word(&["trace", "debug", "info", "warn", "error"]),
    "Only records of this level and above. Default: trace",
);

const FOLLOW: Field = field("follow", Kind::Switch, "Sends the lines as server-sent events, as they are written");

const AFTER_EVENT: Field = field("after", Kind::Text, "With `follow`: begins after this place, the `id` of an event");

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_route_is_listed_once_beside_the_others_of_its_path() {
        let mut seen = HashSet::new();
        for route in ROUTES {
            assert!(seen.insert((route.method.name(), route.path)), "{}", route.path);
            assert!(!route.about.is_empty() && !route.about.ends_with('.'), "{}", route.path);
        }
        let mut paths: Vec<_> = ROUTES.iter().map(|route| route.path).collect();
        paths.dedup();
        let all = paths.len();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), all, "routes of one path are beside each other");
    }

    #[test]
    fn words_of_the_table_are_those_of_the_types() {
        for route in ROUTES {
            for field in route.query.iter().chain(route.body) {
                assert!(!field.about.is_empty(), "{} {}", route.path, field.name);
                let in_query = route.query.iter().any(|other| other.name == field.name);
                assert!(!in_query || !matches!(field.kind, Kind::Json | Kind::Object), "{}", field.name);
            }
        }
    }
}
