//! The form that starts a run, made from the parameters of the DAG.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value, json};

use super::address;
use super::again::{self, LIKE};
use super::command::{Program, quoted};
use super::escape::segment;
use super::form::{Field, FormPage, Input, Sent, Values, done, wrong, wrong_fields};
use super::frame::{Crumb, Frame, Place};
use super::marks::Mark;
use super::preview::Preview;
use super::problem::sentence;
use super::reply::{Page, request};
use crate::base::{ErrorKind, Interval};
use crate::dag::{DagDef, ParamDef, ParamDefault, Params, TAKEN_FLAGS, flag_names};
use crate::journal::RunSummary;
use crate::ops::{self, Draft, OpsError};
use crate::schedule::{Moment, Zone};
use crate::server::acting::Acting;
use crate::server::auth::Visitor;
use crate::server::base_path;
use crate::server::keys::DagKey;
use crate::server::permit::{Operate, Permit};
use crate::server::problem::Problem;
use crate::store::RunFilter;
use crate::value::AnyValue;

/// How many intervals the form suggests.
const INTERVALS: usize = 5;
/// The prefix of the fields of parameters: a parameter may have the name of another field.
pub(super) const PARAM: &str = "p.";

pub(super) async fn show(
    state: Visitor,
    Path(dag): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Page {
    let dag = Permit::<Operate, _>::of_dag(&state, &DagKey::parse(dag)?)?.dag();
    let mut values = Values::of_query(query.as_deref())?;
    let notes = again::fill(&state, dag, &mut values).await?;
    let (mut page, _) = form(&state, dag, &values, &headers).await?;
    if let Some(preview) = &mut page.preview {
        preview.notes.extend(notes);
    }
    // What was given in the address is checked as if it were sent.
    if !values.is_empty()
        && let Some(draft) = draft(dag, &values, &mut page.fields)?
    {
        params(&state, draft, &values, &mut page.fields).await?;
    }
    Ok(page.html())
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
    let (mut page, like) = form(&state, dag, &values, &headers).await?;
    // Mistakes of the parameters are shown beside those of the date.
    let draft = match draft(dag, &values, &mut page.fields)? {
        Some(draft) => params(&state, draft, &values, &mut page.fields).await?,
        None => {
            params(&state, ops::draft(dag, None)?, &values, &mut page.fields).await?;
            None
        }
    };
    if let Some(problem) = wrong_fields(&page.fields) {
        return page.refused(problem);
    }
    let Some(draft) = draft else { return page.refused(Problem::invalid("a field is not valid")) };
    // Whoever has seen that there is such a run wants another one.
    if let Some(like) = like.filter(|like| values.get("beside") != like.number.to_string()) {
        let detail = format!("run {} is about the same; trigger again to start another one", like.number);
        return page.refused(Problem::new(StatusCode::CONFLICT, detail));
    }
    match ops::trigger(draft, &service).await {
        Ok(run) => done(&state, &address::run(run.number)),
        Err(error) => page.refused(error),
    }
}

/// What the run is about; `None` if a field says it wrongly, which is shown there.
fn draft(dag: &'static DagDef, values: &Values, fields: &mut [Field]) -> Result<Option<Draft>, Problem> {
    let zone = dag.options.timezone().unwrap_or(Zone::UTC);
    let date = match values.get("logical_date") {
        "" => Ok(None),
        text => text.parse::<Moment>().and_then(|date| date.in_zone(&zone)).map(Some),
    };
    let interval = match values.get("interval") {
        "" => Ok(None),
        text => Moment::interval(text)
            .and_then(|(from, to)| Ok(Some(Interval { start: from.in_zone(&zone)?, end: to.in_zone(&zone)? }))),
    };
    let (date, interval) = match (date, interval) {
        (Ok(date), Ok(interval)) => (date, interval),
        (date, interval) => {
            for (name, error) in [("logical_date", date.err()), ("interval", interval.err())] {
                if let Some(error) = error {
                    wrong(fields, name, error);
                }
            }
            return Ok(None);
        }
    };
    let draft = match interval {
        Some(interval) => ops::draft_of_interval(dag, interval, date),
        None => ops::draft(dag, date),
    };
    match draft {
        Ok(draft) => Ok(Some(draft)),
        Err(error @ (OpsError::EmptyInterval { .. } | OpsError::WithoutIntervals { .. })) => {
            wrong(fields, "interval", sentence(&error.to_string()));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// The draft with its parameters; `None` if one of them is not valid, which is shown at its field.
async fn params(
    state: &Visitor,
    draft: Draft,
    values: &Values,
    fields: &mut [Field],
) -> Result<Option<Draft>, Problem> {
    let plan = Arc::clone(draft.plan());
    let given: HashMap<&str, Vec<&str>> =
        plan.params().iter().filter_map(|param| Some((param.name, texts(param, values)?))).collect();
    let mut known: HashMap<&'static str, AnyValue> = HashMap::new();
    // Parameters whose events cannot be found.
    let mut lost: HashSet<&'static str> = HashSet::new();
    for param in plan.params() {
        let value = match given.get(param.name) {
            Some(texts) => ops::stored_events(&state.journal, param, texts).await,
            None => ops::seen_event(&state.journal, param).await,
        };
        match value {
            Ok(value) => known.extend(value.map(|value| (param.name, value))),
            Err(error) if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::NotFound) => {
                lost.insert(param.name);
                wrong(fields, &name_of(param), error.to_string());
            }
            Err(error) => return Err(error.into()),
        }
    }
    match Params::from_text(plan.params(), draft.info(), &known, |param| given.get(param.name).cloned()) {
        Ok(params) => Ok(Some(draft.params(params))),
        Err(errors) => {
            for error in errors.iter().filter(|error| !lost.contains(error.param)) {
                wrong(fields, &format!("{PARAM}{}", error.param), error.to_string());
            }
            Ok(None)
        }
    }
}

/// The last run about the same point in time, if the form names one.
async fn like(state: &Visitor, dag: &'static DagDef, values: &Values) -> Result<Option<RunSummary>, Problem> {
    let names_one = ["logical_date", "interval"].iter().any(|name| !values.get(name).is_empty());
    let Some(draft) = draft(dag, values, &mut [])?.filter(|_| names_one) else { return Ok(None) };
    let filter = RunFilter {
        dag: Some(dag.id.to_owned()),
        about: Some(draft.info().logical_date),
        limit: Some(1),
        ..RunFilter::default()
    };
    Ok(ops::list_runs(&state.journal, &filter).await?.runs.into_iter().next())
}

/// The name of the field of a parameter.
pub(super) fn name_of(param: &ParamDef) -> String {
    format!("{PARAM}{}", param.name)
}

/// The texts of a parameter, if it is given. A list has one a line.
pub(super) fn texts<'v>(param: &ParamDef, values: &'v Values) -> Option<Vec<&'v str>> {
    let text = values.get(&name_of(param));
    match text {
        "" => None,
        text if param.is_list() => Some(text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()),
        text => Some(vec![text]),
    }
}

/// The form, and the run that is about the same.
async fn form(
    state: &Visitor,
    dag: &'static DagDef,
    values: &Values,
    headers: &HeaderMap,
) -> Result<(FormPage, Option<RunSummary>), Problem> {
    let here = address::dag(dag.id);
    let request = request(dag.options.timezone);
    let plan = dag.plan().map_err(OpsError::from)?;
    let mut date = Field::line("logical_date", "Logical date", "The time or the day that the run is about.");
    date.placeholder = "now".to_owned();
    let mut fields = vec![date];
    if dag.options.has_intervals() {
        let help = "Two times or days with / between them. The run is about its end.";
        let mut interval = Field::line("interval", "Data interval", help);
        interval.placeholder = "the last complete one before the logical date".to_owned();
        let last = ops::past_intervals(&state.journal, dag, INTERVALS).await?;
        let words = |interval: &Interval| {
            format!("{} to {}", request.clock.at(interval.start).text, request.clock.at(interval.end).text)
        };
        let suggestions = last.iter().map(|interval| (format!("{}/{}", interval.start, interval.end), words(interval)));
        interval.input = Input::Suggested(suggestions.collect());
        fields.push(interval);
    }
    fields.extend(plan.params().iter().map(field));
    let like = like(state, dag, values).await?;
    let mut preview = Preview::default();
    if let Some(like) = &like {
        let words = Mark::of(like.state.name()).words;
        preview = preview.note(format!("Run {} is about the same: {words}.", like.number));
    }
    let beside = like.as_ref().map(|like| like.number.to_string()).unwrap_or_default();
    let mut hidden = vec![("beside", beside)];
    if !values.get(LIKE).is_empty() {
        hidden.push((LIKE, values.get(LIKE).to_owned()));
    }
    let pause = ops::pause_of(&state.journal, dag.id).await?;
    let path = vec![Crumb::link("DAGs", "/dags"), Crumb::link(dag.id, here.clone()), Crumb::here("Trigger")];
    let page = FormPage {
        frame: Frame::new(&request, Place::Dags, format!("Trigger {}", dag.id), path),
        heading: format!("Trigger {}", dag.id),
        lead: match pause {
            Some(_) => "The DAG is paused. That does not hold back a run that is started by hand.".to_owned(),
            None => "The run is queued, and starts as soon as the limits of the DAG allow it.".to_owned(),
        },
        error: String::new(),
        fields: fields.into_iter().map(|field| field.with(values)).collect(),
        hidden,
        preview: Some(preview),
        button: "Trigger".to_owned(),
        is_danger: false,
        action: format!("{here}/trigger"),
        back: here,
        command: [
            command_line(state, dag, plan.params(), values),
            curl_line(state, dag, plan.params(), values, headers),
        ]
        .join("\n"),
    };
    Ok((page, like))
}

/// The call of the program that starts the same run.
fn command_line(state: &Visitor, dag: &DagDef, params: &[ParamDef], values: &Values) -> String {
    let mut words = vec!["trigger".to_owned(), dag.id.to_owned()];
    for (field, flag) in [("logical_date", "logical-date"), ("interval", "interval")] {
        if !values.get(field).is_empty() {
            words.push(format!("--{flag}={}", values.get(field)));
        }
    }
    for (param, flag) in params.iter().zip(flag_names(params, &TAKEN_FLAGS)) {
        words.extend(texts(param, values).into_iter().flatten().map(|text| format!("--{flag}={text}")));
    }
    Program::of(&state.home).line(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The request to the API that starts the same run.
fn curl_line(
    state: &Visitor,
    dag: &'static DagDef,
    params: &[ParamDef],
    values: &Values,
    headers: &HeaderMap,
) -> String {
    let given = params.iter().filter_map(|param| {
        let texts = texts(param, values)?;
        let value = if param.is_list() { json!(texts) } else { json!(texts.first()) };
        Some((param.name.to_owned(), value))
    });
    let mut body = Map::new();
    if let Ok(Some(draft)) = draft(dag, values, &mut []) {
        let info = draft.info();
        if !values.get("logical_date").is_empty() {
            body.insert("logical_date".to_owned(), json!(info.logical_date));
        }
        if let Some(interval) = info.data_interval().filter(|_| !values.get("interval").is_empty()) {
            body.insert("interval_start".to_owned(), json!(interval.start));
            body.insert("interval_end".to_owned(), json!(interval.end));
        }
    }
    body.insert("params".to_owned(), Value::Object(given.collect()));
    let scheme = if state.auth.is_https { "https" } else { "http" };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost:8090");
    let url = format!("{scheme}://{host}{}/api/v1/dags/{}/runs", base_path::current(), segment(dag.id));
    let token = if state.principal().user().is_some() { " -H \"Authorization: Bearer $TASKFLOW_TOKEN\"" } else { "" };
    let body = Value::Object(body).to_string();
    format!("curl -X POST{token} -H 'Content-Type: application/json' -d {} {}", quoted(&body), quoted(&url))
}

/// The field of a parameter, as its type has it.
pub(super) fn field(param: &ParamDef) -> Field {
    let mut field = Field::line(&name_of(param), param.name, param.help.trim());
    field.ty = param.ty.short();
    field.is_required = !param.has_default();
    let default = param.default_view().filter(|default| *default != ParamDefault::Value(Value::Null));
    let default = default.map(|default| default.to_string());
    field.placeholder = match (&default, &param.event) {
        (_, Some(_)) => "last, or @ and the number of an event".to_owned(),
        (Some(default), None) => default.clone(),
        (None, None) if field.is_required => String::new(),
        (None, None) => "not given".to_owned(),
    };
    let limits = param.range_text.map(|range| format!("In {range}."));
    let limits = limits.into_iter().chain(param.pattern.map(|pattern| format!("Matches {pattern}.")));
    for limit in limits {
        field.help = format!("{} {limit}", field.help).trim().to_owned();
    }
    let is_bool = matches!(param.ty.path(), "bool" | "core::option::Option<bool>");
    if is_bool || (!param.choices.is_empty() && !param.is_list()) {
        let absent = default.map_or_else(|| "not given".to_owned(), |default| format!("default: {default}"));
        let known = if is_bool { &["true", "false"][..] } else { param.choices };
        let absent = (!field.is_required).then(|| (String::new(), absent));
        let known = known.iter().map(|choice| ((*choice).to_owned(), (*choice).to_owned()));
        field.input = Input::Choice(absent.into_iter().chain(known).collect());
    } else if param.is_list() {
        field.input = Input::Lines;
        field.help = format!("{} One value a line.", field.help).trim().to_owned();
    }
    field
}
