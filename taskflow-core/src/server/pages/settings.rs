//! The settings of the server's program, where they come from, and what it works with. Secrets are
//! not shown.

use askama::Template;
use axum::response::Html;

use super::command::Program;
use super::escape::html;
use super::frame::{Crumb, Frame, Place};
use super::reply::{Page, request};
use super::run_facts::Fact;
use crate::base::text::bounded;
use crate::config::{Entry, Origin};
use crate::ops;
use crate::ops::accounts::Right;
use crate::server::auth::Visitor;
use crate::store::SCHEMA;

/// The most bytes of a value.
const VALUE: usize = 400;

#[derive(Debug, Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    frame: Frame,
    facts: Vec<Fact>,
    rows: Vec<SettingRow>,
    command: String,
}

#[derive(Debug)]
struct SettingRow {
    name: String,
    value: String,
    origin: String,
    /// Whether it was given, and is not a default.
    is_given: bool,
}

pub(super) async fn show(state: Visitor) -> Page {
    // They name files of this machine.
    state.check_everywhere(Right::Admin)?;
    let request = request(None);
    let config = state.home.config();
    let rows = config.entries().into_iter().map(|Entry { section, name, value, origin, .. }| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        SettingRow {
            name: format!("{section}.{name}"),
            value: bounded(&text, VALUE).into_owned(),
            is_given: origin.is_some(),
            origin: match origin {
                None => "default".to_owned(),
                Some(Origin::Code) => "the program".to_owned(),
                Some(Origin::Environment { variable }) => variable,
                Some(Origin::File { path, line }) => {
                    let path = path.map_or_else(|| "taskflow.toml".to_owned(), |path| path.display().to_string());
                    format!("{path}:{line}")
                }
            },
        }
    });
    let rows: Vec<SettingRow> = rows.collect();
    let frame = Frame::new(&request, Place::Settings, "Settings", vec![Crumb::here("Settings")]);
    let mut facts = vec![
        Fact::new("Home", state.home.path().display().to_string()),
        Fact::new("taskflow", env!("CARGO_PKG_VERSION")),
        Fact::new("Schema of the store", SCHEMA.to_string()),
        Fact::new("DAGs", state.dags.len().to_string()),
        Fact::new("Changes by pages", if state.options.read_only { "no: read-only" } else { "yes" }),
    ];
    // A lock file that cannot be read names no service.
    if let Ok(Some(service)) = ops::serving_process(state.home.path()) {
        let since = service.since.map(|since| format!("since {}", request.clock.at(since).text));
        facts.insert(1, Fact::new("Service", service.worker).hint(since.unwrap_or_default()));
    }
    let command = Program::of(&state.home).line(&["config", "show", "--origin"]);
    Ok(Html(html(&SettingsPage { frame, facts, rows, command })))
}
