//! The parameters of a run from a JSON object.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::base::did_you_mean;
use crate::dag::{ParamDef, ParamError, Params};
use crate::ops;
use crate::run::RunInfo;
use crate::server::call::Call;
use crate::server::problem::Problem;
use crate::value::AnyValue;

/// The given parameters as the command line takes them: each as texts, of which a list has several.
///
/// # Errors
///
/// When the DAG has no such parameter.
pub(super) fn texts(call: &Call, params: &[ParamDef]) -> Result<BTreeMap<String, Vec<String>>, Problem> {
    let mut all = BTreeMap::new();
    let Some(given) = call.value("params").and_then(Value::as_object) else { return Ok(all) };
    for (name, value) in given {
        let Some(param) = params.iter().find(|param| param.name == name) else {
            let near = did_you_mean(name, params.iter().map(|param| param.name));
            return Err(Problem::invalid(format!("the DAG has no parameter `{name}`{near}")).at(place(name)));
        };
        let texts = match value {
            // As if it were not given.
            Value::Null => continue,
            Value::Array(items) if param.is_list() => items.iter().map(text).collect(),
            value => vec![text(value)],
        };
        all.insert(name.clone(), texts);
    }
    Ok(all)
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

fn place(param: &str) -> String {
    format!("params.{param}")
}

/// The values of all parameters of a run.
///
/// # Errors
///
/// When a parameter has no valid value.
pub(super) async fn values(call: &Call, params: &[ParamDef], run: &RunInfo) -> Result<Params, Problem> {
    let given = texts(call, params)?;
    let of = |param: &ParamDef| given.get(param.name).map(|texts| texts.iter().map(String::as_str).collect::<Vec<_>>());
    let mut known: HashMap<&'static str, AnyValue> = HashMap::new();
    for param in params {
        let value = match of(param) {
            Some(texts) => ops::stored_events(&call.state.journal, param, &texts).await?,
            None => ops::seen_event(&call.state.journal, param).await?,
        };
        known.extend(value.map(|value| (param.name, value)));
    }
    Params::from_text(params, run, &known, of).map_err(|errors| {
        let sentences: Vec<String> = errors.iter().map(ParamError::to_string).collect();
        let problem = Problem::invalid(sentences.join("; "));
        match &*errors {
            [error, ..] => problem.at(place(error.param)),
            [] => problem,
        }
    })
}
