//! Runs: lists, one run and its tasks, and what changes them.

use serde_json::Value;

use super::field::{AFTER, BY, DAG, DRY_RUN, Field, Kind, LIMIT, NOTE, PAGES, REASON, STATE, field};
use super::route::{CSV, EVENT_STREAM, JSON_LINES, Route, Verb, route};
use crate::base::schema::Schema;
use crate::journal::Explanation;
use crate::ops;
use crate::server::api::{bulk, changes, elements, logs, prune, run_export, runs};
use crate::server::streams;

const TASKS: Field = field("tasks", Kind::Texts, "Tasks and groups. Default: all");
const RUNS: Field =
    field("runs", Kind::Texts, "The numbers or whole ids of the runs; or a filter, which is what follows");
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
const LOGICAL_SINCE: Field = field("logical_since", Kind::Time, "Only with this logical date or a later one");
const LOGICAL_BEFORE: Field = field("logical_before", Kind::Time, "Only with an earlier logical date");
/// Of a list. In the body of a change, `by` is who makes it.
const REQUESTED_BY: Field = field(
    "by",
    Kind::Text,
    "Only those that this account, user or token has asked for. Pages may be shorter, or empty: follow `Link`",
);
const PARAMS: Field = field(
    "param.{name}",
    Kind::Params,
    "Only those with this value of the parameter `name`: a text as the command line takes it, or JSON. Repeated: with \
     any of the values. Needs the right to read values. Pages may be shorter, or empty: follow `Link`",
);
const COUNT: Field = field(
    "count",
    Kind::Switch,
    "The header `Total-Count` says how many runs the whole list has. Counting ends at 10,000, or 1,000 if only \
     running, interrupted or queued ones are asked for: `Total-Count-More: true` says that there may be more. Missing \
     with `by` or a parameter if there are several pages",
);
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
    REQUESTED_BY,
    PARAMS,
    ORDER,
    field("limit", Kind::Number(1, u32::MAX as i64), "At most this many. Default: all"),
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

pub(super) static ROUTES: &[Route] = &[
    route!(Get "/api/v1/runs", runs::list, "Runs, the newest first" => Vec<ops::RunSummaryDocument>).query(&[
        DAG,
        STATE,
        RUN_TYPE,
        SINCE,
        BEFORE,
        LOGICAL_SINCE,
        LOGICAL_BEFORE,
        REQUESTED_BY,
        PARAMS,
        ORDER,
        LIMIT,
        AFTER,
        COUNT,
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
    route!(Delete "/api/v1/runs/{run}", prune::run, "Deletes a run that has ended, with its values, logs and artifacts"
        => ops::Pruned)
    .costly(),
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
];
