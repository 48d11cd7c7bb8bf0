//! The form that starts a backfill: first a preview, then exactly what it has shown.
//!
//! 1. The form is sent with GET for a preview, so that a preview has an address: links from the
//!    grid and the calendar lead to the preview of a range.
//! 2. The preview has a token. The button that starts the backfill sends it with POST.
//! 3. If the slots, their runs or the fields have changed since, nothing is started. The response
//!    is 412 with the preview of now, whose button starts that.

use std::collections::BTreeMap;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse};

use super::address;
use super::backfill::{expected, scope_words, usual};
use super::backfill_changes::limit;
use super::backfill_list::{Part, parts};
use super::command::Program;
use super::escape::html;
use super::form::{Field, Input, Sent, Values, done, refusal, wrong, wrong_fields};
use super::frame::{Crumb, Frame, Place};
use super::marks::Mark;
use super::problem::sentence;
use super::reply::{Asked, Page, request};
use super::slot_table::{SlotMark, SlotTable};
use super::times::{Clock, took};
use super::trigger;
use crate::dag::{DagDef, ParamDef, flag_names, taken_flags_of_backfill};
use crate::ops::{self, BackfillPreview, OpsError};
use crate::schedule::{BackfillError, BackfillOrder, BackfillRequest, BackfillScope, Recurrence, SlotRange};
use crate::server::acting::Acting;
use crate::server::auth::Visitor;
use crate::server::keys::DagKey;
use crate::server::permit::{Operate, Permit};
use crate::server::problem::Problem;

#[derive(Debug, Template)]
#[template(path = "backfill_form.html")]
struct BackfillFormPage {
    frame: Frame,
    heading: String,
    error: String,
    fields: Vec<Field>,
    preview: Option<Preview>,
    action: String,
    back: String,
    command: String,
}

/// What would happen.
#[derive(Debug)]
struct Preview {
    token: String,
    /// `31 slots, daily at 00:00`
    heading: String,
    parts: Vec<Part>,
    fates: Vec<Fate>,
    slots: SlotTable,
    /// `done in about 2 min`
    expected: String,
    future: String,
    /// Other backfills with these slots: then it cannot start.
    overlaps: Vec<Crumb>,
    /// What the button says; empty if there is nothing to run.
    button: String,
}

/// Slots that share their fate.
#[derive(Debug)]
struct Fate {
    mark: Mark,
    what: String,
    span: String,
}

/// Whether a DAG has slots that a backfill could run.
pub(super) fn has_slots(dag: &DagDef) -> bool {
    let schedule = dag.options.schedule(dag.id).ok().flatten();
    schedule.is_some_and(|schedule| matches!(schedule.recurrence, Recurrence::Timetable(_)))
}

/// The address of the preview of a range of days or slots, which are inclusive.
pub(super) fn address_of(dag: &str, from: &str, to: &str) -> String {
    address::with(&(address::dag(dag) + "/backfill"), &[("from", from), ("to", to)])
}

pub(super) async fn show(state: Visitor, Path(dag): Path<String>, Query(query): Asked) -> Page {
    let dag = Permit::<Operate, _>::of_dag(&state, &DagKey::parse(dag)?)?.dag();
    let values = Values::asked(&query);
    let mut form = Form::of(&state, dag, &values)?;
    if !form.values.is_empty() {
        form.preview().await?;
    }
    Ok(Html(html(&form.page)))
}

pub(super) async fn send(
    state: Visitor,
    Acting(service): Acting,
    Path(dag): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Sent {
    let dag = Permit::<Operate, _>::of_dag(&state, &DagKey::parse(dag)?)?.dag();
    let values = Values::of(&headers, &body)?;
    let mut form = Form::of(&state, dag, &values)?;
    let problem = match form.request() {
        // What nobody has seen does not start.
        Some(_) if values.get("token").is_empty() => {
            Problem::new(StatusCode::PRECONDITION_REQUIRED, "look at what it would do, then start it")
        }
        Some(request) => {
            match ops::start_backfill(&service, dag, &request, Some(values.get("token")), &values.note()).await {
                Ok(started) => return done(&state, &address::backfill(started.status.number)),
                Err(error) => {
                    form.point_at(&error);
                    error.into()
                }
            }
        }
        None => wrong_fields(&form.page.fields).unwrap_or_else(|| Problem::invalid("a field is not valid")),
    };
    let (status, error) = refusal(problem)?;
    // The new preview shows what has changed.
    form.preview().await?;
    form.page.error = error;
    Ok((status, Html(html(&form.page))).into_response())
}

/// The form with what was typed.
struct Form<'v> {
    state: &'v Visitor,
    dag: &'static DagDef,
    params: Vec<ParamDef>,
    values: &'v Values,
    clock: Clock,
    page: BackfillFormPage,
}

impl<'v> Form<'v> {
    fn of(state: &'v Visitor, dag: &'static DagDef, values: &'v Values) -> Result<Self, Problem> {
        let plan = dag.plan().map_err(OpsError::from)?;
        let here = address::dag(dag.id);
        let request = request(dag.options.timezone);
        let path = vec![Crumb::link("DAGs", "/dags"), Crumb::link(dag.id, here.clone()), Crumb::here("Backfill")];
        let mut fields = own_fields(dag);
        fields.extend(plan.params().iter().map(trigger::field));
        fields.push(Field::line("reason", "Reason", "Stored in the history."));
        if !values.is_empty() {
            // A link names the range only.
            let typed = |field: Field| match values.get(&field.name) {
                "" if field.name == "limit" && !values.has("limit") => field,
                _ => field.with(values),
            };
            fields = fields.into_iter().map(typed).collect();
        }
        let mut form = Form {
            state,
            dag,
            params: plan.params().to_vec(),
            values,
            page: BackfillFormPage {
                frame: Frame::new(&request, Place::Dags, format!("Backfill {}", dag.id), path),
                heading: format!("Backfill {}", dag.id),
                error: String::new(),
                fields,
                preview: None,
                action: format!("{here}/backfill"),
                back: here,
                command: String::new(),
            },
            clock: request.clock,
        };
        form.page.command = form.command();
        Ok(form)
    }

    /// What the fields say, or `None`: then the fields that are wrong say so.
    fn request(&mut self) -> Option<BackfillRequest> {
        let (values, dag, fields) = (self.values, self.dag, &mut self.page.fields);
        let range = |text: &str| match text {
            "" => Err("a day or the time of a slot is needed".to_owned()),
            text => dag.options.slot_range(text).map_err(|error| error.to_string()),
        };
        let from = range(values.get("from"));
        let to = match values.get("to") {
            "" => from.clone(),
            text => range(text),
        };
        for (name, range) in [("from", &from), ("to", &to)] {
            if let Err(error) = range
                && !values.get(name).is_empty() | (name == "from")
            {
                wrong(fields, name, error);
            }
        }
        let limit = match (values.has("limit"), dag.options.max_active_runs) {
            (false, most) => Ok(most.unwrap_or(1)),
            _ => limit(values.get("limit")),
        };
        if let Err(error) = &limit {
            wrong(fields, "limit", error);
        }
        let order = choice(fields, values, "order", BackfillOrder::Oldest);
        let scope = choice(fields, values, "scope", BackfillScope::Missing);
        let given = self.params.iter().filter_map(|param| {
            let texts = trigger::texts(param, values)?;
            Some((param.name.to_owned(), texts.into_iter().map(str::to_owned).collect()))
        });
        let params: BTreeMap<String, Vec<String>> = given.collect();
        for error in ops::invalid_params(dag, &self.params, &params) {
            wrong(fields, &format!("{}{}", trigger::PARAM, error.param), error.to_string());
        }
        if fields.iter().any(|field| !field.error.is_empty()) {
            return None;
        }
        Some(BackfillRequest {
            ranges: vec![SlotRange { from: from.ok()?.from, to: to.ok()?.to }],
            scope,
            order,
            seed: 0,
            limit: limit.ok()?,
            as_one_run: !values.get("as_one_run").is_empty(),
            params,
        })
    }

    /// Adds what would happen now, or says what is wrong.
    async fn preview(&mut self) -> Result<(), Problem> {
        let Some(request) = self.request() else {
            let problem = wrong_fields(&self.page.fields);
            self.page.error = problem.map(|problem| sentence(&problem.shown().detail)).unwrap_or_default();
            return Ok(());
        };
        match ops::preview_backfill(Some(&self.state.journal), self.dag, &request).await {
            Ok(preview) => {
                let usual = usual(&self.state.journal, self.dag.id).await?;
                self.page.preview = Some(shown(self.dag, &preview, usual, &self.clock));
                Ok(())
            }
            Err(error) => {
                self.point_at(&error);
                (_, self.page.error) = refusal(error.into())?;
                Ok(())
            }
        }
    }

    /// Says at a field what the schedule does not allow.
    fn point_at(&mut self, error: &OpsError) {
        let OpsError::Backfill { source, .. } = error else { return };
        let field = match source {
            BackfillError::EmptyRange { .. } => "to",
            BackfillError::AfterPrevious(_) => "order",
            BackfillError::WithoutIntervals | BackfillError::IntervalNotTaken => "as_one_run",
            BackfillError::NoLimit => "limit",
            BackfillError::NotASlot { .. } | BackfillError::NoSlots { .. } => "from",
            _ => return,
        };
        wrong(&mut self.page.fields, field, source.to_string());
    }

    /// The verb that does the same.
    fn command(&self) -> String {
        let values = self.values;
        let range = match (values.get("from"), values.get("to")) {
            ("", _) => "2026-01-01/2026-01-31".to_owned(),
            (from, "") => from.to_owned(),
            (from, to) => format!("{from}/{to}"),
        };
        let mut line = vec!["backfill".to_owned(), self.dag.id.to_owned(), range];
        if let scope @ ("failed" | "all") = values.get("scope") {
            line.push(format!("--{scope}"));
        }
        if let order @ ("newest" | "random") = values.get("order") {
            line.extend(["--order".to_owned(), order.to_owned()]);
        }
        if let Ok(limit) = limit(values.get("limit")) {
            line.extend(["--limit".to_owned(), limit.to_string()]);
        }
        if !values.get("as_one_run").is_empty() {
            line.push("--as-one-run".to_owned());
        }
        let flags = flag_names(&self.params, &taken_flags_of_backfill());
        for (param, flag) in self.params.iter().zip(flags) {
            let texts = trigger::texts(param, values).unwrap_or_default();
            line.extend(texts.into_iter().map(|text| format!("--{flag}={text}")));
        }
        Program::of(&self.state.home).line(&line.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// The fields that every backfill has.
fn own_fields(dag: &DagDef) -> Vec<Field> {
    let zone = dag.options.timezone.unwrap_or("UTC");
    let mut from = Field::line("from", "From", &format!("A day in {zone}, or the time of a slot."));
    (from.placeholder, from.is_required) = ("2026-01-01".to_owned(), true);
    let mut to = Field::line("to", "To", "Inclusive. Without it, the first day or slot only.");
    to.placeholder = "2026-01-31".to_owned();
    let scope = [BackfillScope::Missing, BackfillScope::Failed, BackfillScope::All];
    let scope = scope.map(|scope| (scope.to_string(), scope_words(scope).to_owned()));
    let mut which = Field::choice("scope", "Which slots", &[]);
    which.input = Input::Choice(scope.to_vec());
    "Of a run that has failed, the failed tasks run again.".clone_into(&mut which.help);
    let orders = [("oldest", "Oldest first"), ("newest", "Newest first"), ("random", "Random")];
    let order = Field::choice("order", "Order", &orders);
    let most = dag.options.max_active_runs;
    let help = most.map(|most| format!("At most {most}: the DAG allows no more."));
    let mut limit = Field::line("limit", "Runs at once", &help.unwrap_or_default());
    limit.value = most.unwrap_or(1).to_string();
    let mut fields = vec![from, to, which, order, limit];
    if dag.options.has_intervals() {
        let runs = [("", "One for each slot"), ("true", "One for the whole range")];
        fields.push(Field::choice("as_one_run", "Runs", &runs));
    }
    fields
}

/// The value of a choice; the first one if nothing was sent.
fn choice<T: std::str::FromStr<Err: ToString>>(fields: &mut [Field], values: &Values, name: &str, first: T) -> T {
    match values.get(name) {
        "" => first,
        text => text.parse().unwrap_or_else(|error: T::Err| {
            wrong(fields, name, error.to_string());
            first
        }),
    }
}

fn shown(dag: &DagDef, preview: &BackfillPreview, usual: Option<u64>, clock: &Clock) -> Preview {
    let totals = preview.totals;
    let runs = if preview.as_one_run { 1 } else { totals.new + totals.reprocessed };
    let fates = preview.fates.iter().map(|fate| Fate {
        mark: mark_of(&fate.fate),
        what: match (&*fate.fate, &*fate.reason) {
            ("new", _) if preview.as_one_run => format!("{} in one run", slots(fate.count)),
            ("new", _) => format!("{} new: has no run yet", fate.count),
            ("reprocessed", reason) => format!("{} run again: {reason}", fate.count),
            (_, reason) => format!("{} left alone: {reason}", fate.count),
        },
        span: match fate.first == fate.last {
            true => clock.at(fate.first).text,
            false => format!("{} to {}", clock.at(fate.first).text, clock.at(fate.last).text),
        },
    });
    let marks: Vec<SlotMark> = preview
        .first_slots
        .iter()
        .map(|&(at, fate)| SlotMark { at, mark: mark_of(fate), note: "", href: String::new() })
        .collect();
    let calendar = address::dag(dag.id) + "/calendar";
    let overlaps: Vec<Crumb> = preview
        .overlaps
        .iter()
        .map(|overlap| {
            let words = format!("Backfill {}", overlap.backfill);
            Crumb::link(words, address::backfill(overlap.backfill))
        })
        .collect();
    Preview {
        token: preview.token.clone(),
        heading: format!("{}, {}", slots(totals.slots), preview.schedule),
        parts: parts(
            totals.slots,
            &[("run", totals.new), ("blocked", totals.reprocessed), ("other", totals.left_alone)],
        ),
        fates: fates.collect(),
        slots: SlotTable::of(&marks, clock, |month| address::with(&calendar, &[("month", month)])),
        expected: match usual.filter(|_| runs > 0 && !preview.as_one_run) {
            Some(usual) => format!(
                "{runs} × {} at {} at once: done in about {}.",
                took(usual),
                preview.limit,
                expected(runs, preview.limit, usual)
            ),
            None => String::new(),
        },
        future: match preview.future {
            Some(future) => {
                format!("The slots from {} on lie in the future, and are left out.", clock.at(future.first).text)
            }
            None => String::new(),
        },
        button: match (runs, overlaps.is_empty()) {
            (0, _) | (_, false) => String::new(),
            _ if preview.as_one_run => "Start one run".to_owned(),
            _ => format!("Run {}", slots(runs)),
        },
        overlaps,
    }
}

fn slots(count: u64) -> String {
    if count == 1 { "1 slot".to_owned() } else { format!("{count} slots") }
}

/// The mark of what would become of a slot.
fn mark_of(fate: &str) -> Mark {
    match fate {
        "new" => Mark { words: "new run", ..Mark::of_slot("waiting") },
        "reprocessed" => Mark { words: "runs again", ..Mark::of("up_for_retry") },
        _ => Mark { words: "left alone", ..Mark::of("skipped") },
    }
}
