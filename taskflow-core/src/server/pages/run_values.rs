//! The values of a run: its parameters, and what its tasks returned and pushed.

use askama::Template;
use axum::extract::Path;
use axum::response::Html;

use super::command::Program;
use super::dag_list::Filter;
use super::escape::html;
use super::frame::{Frame, Place};
use super::marks::Mark;
use super::reply::{Page, request};
use super::run_tabs::{path, tabs};
use super::{address, again};
use crate::base::text::bounded;
use crate::base::units;
use crate::server::auth::Visitor;
use crate::server::keys::RunKey;
use crate::server::permit::{Permit, ViewValues};

/// How many values are shown, and how many characters of each.
const VALUES: usize = 200;
const PREVIEW: usize = 400;

#[derive(Debug, Template)]
#[template(path = "run_values.html")]
struct RunValuesPage {
    frame: Frame,
    number: i64,
    dag: String,
    mark: Mark,
    tabs: Vec<Filter>,
    params: Vec<ValueRow>,
    /// The form that starts a run with the same parameters, or empty.
    repeat: String,
    values: Vec<ValueRow>,
    more: usize,
    command: String,
}

#[derive(Debug)]
struct ValueRow {
    name: String,
    /// The address of the task, or empty.
    href: String,
    ty: String,
    preview: String,
    size: String,
}

pub(super) async fn show(state: Visitor, Path(run): Path<String>) -> Page {
    let as_of = state.streams.place();
    let permit = Permit::<ViewValues, _>::of_run(&state, &RunKey::parse(run)?).await?;
    let history = permit.history(&state).await?;
    let request = request(history.info.timezone_name());
    let (number, mark) = (history.number, Mark::of(history.state.name()));
    let params = state.journal.params(&history).await?.into_iter().map(|param| ValueRow {
        name: param.name,
        href: String::new(),
        ty: param.ty,
        preview: bounded(&param.value.to_string(), PREVIEW).into_owned(),
        size: String::new(),
    });
    let params: Vec<ValueRow> = params.collect();
    let (mut values, mut more) = (Vec::new(), 0);
    for place in history.in_order() {
        let task = &history.tasks[place];
        let pushed = task.pushed.iter().map(|pushed| Some(&*pushed.key));
        for key in task.has_value().then_some(None).into_iter().chain(pushed) {
            if values.len() == VALUES {
                more += 1;
                continue;
            }
            let stored = match key {
                None => state.journal.value(&history, &task.id).await,
                Some(key) => state.journal.pushed(&history, &task.id, key).await,
            };
            // A damaged value hides no other.
            let (ty, preview, size) = match stored {
                Ok(Some(value)) => (value.ty.clone(), value.preview(PREVIEW), units::bytes(value.bytes.len() as u64)),
                Ok(None) => continue,
                Err(error) => (String::new(), error.to_string(), String::new()),
            };
            let key = key.map(|key| format!(" · {key}")).unwrap_or_default();
            let href = address::task(number, &task.id);
            values.push(ValueRow { name: format!("{}{key}", task.id), href, ty, preview, size });
        }
    }
    let title = format!("Values · run {number}");
    Ok(Html(html(&RunValuesPage {
        frame: Frame::new(&request, Place::Runs, title, path(&history, "Values"))
            .with_sign(mark)
            .live(format!("run:{number}"), as_of),
        number,
        dag: history.info.dag_id.clone(),
        mark,
        tabs: tabs(&state, &history, "Values"),
        params,
        repeat: again::address_of(&state, &history.info.dag_id, number),
        values,
        more,
        command: Program::of(&state.home).line(&["values", &number.to_string()]),
    })))
}
