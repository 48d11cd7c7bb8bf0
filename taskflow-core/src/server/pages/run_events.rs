//! The events of a run: what it consumed and emitted, and the runs behind and ahead of it.

use askama::Template;
use axum::extract::Path;
use axum::response::Html;

use super::address;
use super::dag_list::Filter;
use super::escape::html;
use super::frame::{Frame, Place};
use super::marks::Mark;
use super::reply::{Page, request};
use super::run_tabs::{path, tabs};
use super::times::{Clock, Moment};
use crate::base::text::bounded;
use crate::ops::{self, EventDocument, NeighbourRun};
use crate::server::auth::{AssetRights, Visitor};
use crate::server::keys::RunKey;
use crate::server::permit::{Permit, View};

/// The most bytes of a payload.
const PAYLOAD: usize = 300;

#[derive(Debug, Template)]
#[template(path = "run_events.html")]
struct RunEventsPage {
    frame: Frame,
    number: i64,
    dag: String,
    mark: Mark,
    tabs: Vec<Filter>,
    /// The key or the period of the run.
    key: String,
    consumed: Vec<EventRow>,
    emitted: Vec<EventRow>,
    behind: Vec<RunRow>,
    ahead: Vec<RunRow>,
}

#[derive(Debug)]
struct EventRow {
    number: i64,
    asset: String,
    href: String,
    partition: String,
    /// The task that emitted it, or who did.
    by: String,
    at: Moment,
    payload: String,
}

#[derive(Debug)]
struct RunRow {
    mark: Mark,
    number: i64,
    href: String,
    dag: String,
    about: Moment,
    through: String,
}

pub(super) async fn show(state: Visitor, Path(run): Path<String>) -> Page {
    let as_of = state.streams.place();
    let permit = Permit::<View, _>::of_run(&state, &RunKey::parse(run)?).await?;
    let history = permit.history(&state).await?;
    let mut events = ops::run_events(&state.journal, &history).await?;
    let visible = state.visible().await?;
    events.behind.retain(|run| visible.has(&run.dag_id));
    events.ahead.retain(|run| visible.has(&run.dag_id));
    let rights = AssetRights::of(&state);
    for list in [&mut events.consumed, &mut events.emitted] {
        list.retain(|event| rights.sees(&event.asset));
        *list = rights.all_shown(std::mem::take(list)).await?;
    }
    let request = request(history.info.timezone_name());
    let (number, mark, clock) = (history.number, Mark::of(history.state.name()), &request.clock);
    let title = format!("Events · run {number}");
    Ok(Html(html(&RunEventsPage {
        frame: Frame::new(&request, Place::Runs, title, path(&history, "Events"))
            .with_sign(mark)
            .live(format!("run:{number},assets"), as_of),
        number,
        dag: history.info.dag_id.clone(),
        mark,
        tabs: tabs(&state, &history, "Events"),
        key: events.key.unwrap_or_default(),
        consumed: events.consumed.iter().map(|event| event_row(event, clock)).collect(),
        emitted: events.emitted.iter().map(|event| event_row(event, clock)).collect(),
        behind: events.behind.into_iter().map(|run| run_row(run, clock)).collect(),
        ahead: events.ahead.into_iter().map(|run| run_row(run, clock)).collect(),
    })))
}

fn event_row(event: &EventDocument, clock: &Clock) -> EventRow {
    let payload = event.payload.as_ref().map(ToString::to_string);
    EventRow {
        number: event.number,
        asset: event.asset.clone(),
        href: address::asset(&event.asset),
        partition: event.partition.clone().unwrap_or_default(),
        by: match (&event.task, &event.run_id) {
            (Some(task), _) => task.clone(),
            (None, Some(_)) => "the result of the run".to_owned(),
            (None, None) => event.by.clone(),
        },
        at: clock.at(event.emitted),
        payload: bounded(&payload.unwrap_or_default(), PAYLOAD).into_owned(),
    }
}

fn run_row(run: NeighbourRun, clock: &Clock) -> RunRow {
    RunRow {
        mark: Mark::of(run.state.name()),
        number: run.number,
        href: address::run(run.number),
        dag: run.dag_id,
        about: clock.at(run.logical_date),
        through: run.through,
    }
}
