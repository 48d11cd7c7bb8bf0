//! The form that starts a run, made from the parameters of the DAG.

use std::collections::{HashMap, HashSet};

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::response::Html;

use super::address;
use super::command::Program;
use super::form::{Field, FormPage, Input, Sent, Values, done, wrong, wrong_fields};
use super::frame::{Crumb, Frame, Place};
use super::reply::{Page, request};
use crate::base::{ErrorKind, Timestamp};
use crate::dag::{DagDef, ParamDef, ParamDefault, Params};
use crate::ops::{self, OpsError};
use crate::server::acting::Acting;
use crate::server::auth::Visitor;
use crate::server::keys::DagKey;
use crate::server::permit::{Operate, Permit};
use crate::server::problem::Problem;
use crate::value::AnyValue;

/// The prefix of the fields of parameters: a parameter may have the name of another field.
pub(super) const PARAM: &str = "p.";

pub(super) async fn show(state: Visitor, Path(dag): Path<String>) -> Page {
    let dag = Permit::<Operate, _>::of_dag(&state, &DagKey::parse(dag)?)?.dag();
    let plan = dag.plan().map_err(OpsError::from)?;
    let page: Html<String> = form(&state, dag, plan.params(), &Values::default()).await?.html();
    Ok(page)
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
    let plan = dag.plan().map_err(OpsError::from)?;
    let mut page = form(&state, dag, plan.params(), &values).await?;
    let date = match values.get("logical_date") {
        "" => None,
        text => match text.parse::<Timestamp>() {
            Ok(date) => Some(date),
            Err(error) => {
                wrong(&mut page.fields, "logical_date", error.to_string());
                None
            }
        },
    };
    let draft = match ops::draft(dag, date) {
        Ok(draft) => draft,
        Err(error) => return page.refused(error),
    };
    let given: HashMap<&str, Vec<&str>> =
        plan.params().iter().filter_map(|param| Some((param.name, texts(param, &values)?))).collect();
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
                wrong(&mut page.fields, &name_of(param), error.to_string());
            }
            Err(error) => return Err(error.into()),
        }
    }
    let params = Params::from_text(plan.params(), draft.info(), &known, |param| given.get(param.name).cloned());
    let params = match params {
        Ok(params) => Some(params),
        Err(errors) => {
            for error in errors.iter().filter(|error| !lost.contains(error.param)) {
                wrong(&mut page.fields, &format!("{PARAM}{}", error.param), error.to_string());
            }
            None
        }
    };
    if let Some(problem) = wrong_fields(&page.fields) {
        return page.refused(problem);
    }
    let Some(params) = params else { return page.refused(Problem::invalid("a parameter is not valid")) };
    match ops::trigger(draft.params(params), &service).await {
        Ok(run) => done(&state, &address::run(run.number)),
        Err(error) => page.refused(error),
    }
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

async fn form(
    state: &Visitor,
    dag: &'static DagDef,
    params: &[ParamDef],
    values: &Values,
) -> Result<FormPage, Problem> {
    let here = address::dag(dag.id);
    let request = request(dag.options.timezone);
    let mut date = Field::line("logical_date", "Logical date", "The point in time that the run is about.");
    date.placeholder = "now".to_owned();
    let mut fields = vec![date.with(values)];
    fields.extend(params.iter().map(|param| field(param).with(values)));
    let pause = ops::pause_of(&state.journal, dag.id).await?;
    let path = vec![Crumb::link("DAGs", "/dags"), Crumb::link(dag.id, here.clone()), Crumb::here("Trigger")];
    Ok(FormPage {
        frame: Frame::new(&request, Place::Dags, format!("Trigger {}", dag.id), path),
        heading: format!("Trigger {}", dag.id),
        lead: match pause {
            Some(_) => "The DAG is paused. That does not hold back a run that is started by hand.".to_owned(),
            None => "The run is queued, and starts as soon as the limits of the DAG allow it.".to_owned(),
        },
        error: String::new(),
        fields,
        hidden: Vec::new(),
        preview: None,
        button: "Trigger".to_owned(),
        is_danger: false,
        action: format!("{here}/trigger"),
        back: here,
        command: Program::of(&state.home).line(&["trigger", dag.id]),
    })
}

/// The field of a parameter, as its type has it.
pub(super) fn field(param: &ParamDef) -> Field {
    let mut field = Field::line(&name_of(param), param.name, param.help.trim());
    field.ty = param.ty.short();
    field.is_required = !param.has_default();
    let default = param.default_view().filter(|default| *default != ParamDefault::Value(serde_json::Value::Null));
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
