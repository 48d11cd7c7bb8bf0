//! DAGs, their schedules and their pauses; starting runs.

use super::field::{BY, Field, Kind, LIMIT, NOTE, PAGES, REASON, field};
use super::route::{Route, Verb, route};
use crate::base::schema::Schema;
use crate::ops;
use crate::render::View;
use crate::schedule::Pause;
use crate::server::api::{changes, dags, pauses};

const UNTIL: Field = field("until", Kind::Time, "When the pause ends by itself");
const CATCHUP: Field =
    field("catchup", Kind::Word(&["none", "last", "all"]), "The passed slots that run. Default: none");
const EVENTS: Field =
    field("events", Kind::Word(&["all", "newest", "skip"]), "The pending events that are consumed. Default: all");
const DAGS: Field = field("dags", Kind::Texts, "These DAGs");
const TAG: Field = field("tag", Kind::Text, "The DAGs with this tag");
const ALL: Field = field("all", Kind::Switch, "All DAGs with a schedule");

pub(super) static ROUTES: &[Route] = &[
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
];
