//! The form that starts a run, filled with the parameters of an earlier run.
//!
//! A text is filled in only if the form reads the stored value from it. What no text gives, and
//! what the DAG does not have any more, is named.

use std::borrow::Cow;

use serde_json::Value;

use super::address;
use super::form::Values;
use super::trigger::{name_of, texts};
use crate::base::text::{bounded, visible};
use crate::dag::{DagDef, ParamDef, ParamDefault};
use crate::journal::RunParam;
use crate::ops::OpsError;
use crate::ops::accounts::Right;
use crate::server::auth::Visitor;
use crate::server::keys::RunKey;
use crate::server::permit::{Permit, ViewValues};
use crate::server::problem::Problem;

/// The name of the field with the number of the earlier run.
pub(super) const LIKE: &str = "like";
/// How many characters of a value are shown that the form has no field for.
const SHOWN: usize = 200;

/// The form with the parameters of a run; empty if the visitor cannot start one like it.
pub(super) fn address_of(visitor: &Visitor, dag: &str, run: i64) -> String {
    let may = |right| visitor.may(right, dag);
    let is_known = visitor.dags.iter().any(|known| known.id == dag);
    match is_known && !visitor.options.read_only && may(Right::Operate) && may(Right::ViewValues) {
        true => address::with(&format!("{}/trigger", address::dag(dag)), &[(LIKE, &run.to_string())]),
        false => String::new(),
    }
}

/// Fills the fields that were not sent with the parameters of the run that the form names, and
/// returns what there is to say about it.
pub(super) async fn fill(state: &Visitor, dag: &'static DagDef, values: &mut Values) -> Result<Vec<String>, Problem> {
    let like = values.get(LIKE).to_owned();
    if like.is_empty() {
        return Ok(Vec::new());
    }
    let permit = Permit::<ViewValues, _>::of_run(state, &RunKey::parse(like)?).await?;
    if permit.run().info.dag_id != dag.id {
        return Err(Problem::not_found(format!("the DAG `{}` has no run {}", dag.id, permit.run().number)));
    }
    let history = permit.history(state).await?;
    let stored = state.journal.params(&history).await?;
    let plan = dag.plan().map_err(OpsError::from)?;
    Ok(filled(plan.params(), &stored, history.number, values))
}

fn filled(params: &[ParamDef], stored: &[RunParam], run: i64, values: &mut Values) -> Vec<String> {
    let mut notes = vec![format!("Filled with the parameters of run {run}. Its logical date is not taken over.")];
    for RunParam { name, value, .. } in stored {
        let Some(param) = params.iter().find(|param| param.name == name) else {
            let value = value.to_string();
            let value = bounded(&value, SHOWN);
            notes.push(format!("The DAG has no parameter {name} any more; in run {run} it was {value}."));
            continue;
        };
        let field = name_of(param);
        if values.has(&field) {
            continue;
        }
        match text_of(param, value) {
            Some(text) => values.set(field, text),
            None if is_default(param, value) => {}
            None => notes.push(format!("The value of {name} in run {run} cannot be typed: its field is empty.")),
        }
    }
    notes
}

/// The text of the field that gives a parameter this value; `None` if no text does. A text that is
/// not valid any more is one, too: the field says what is wrong with it.
fn text_of(param: &ParamDef, value: &Value) -> Option<String> {
    if param.event.is_some() {
        return events(value);
    }
    let short = match value {
        Value::Null => String::new(),
        Value::Array(items) if param.is_list() => items.iter().map(plain).collect::<Vec<_>>().join("\n"),
        value => plain(value),
    };
    if short.is_empty() && is_default(param, value) {
        return Some(short);
    }
    let mut refused = None;
    for text in [short, value.to_string()] {
        // A page makes some characters visible, and would send what it shows.
        let is_kept = matches!(visible(&text), Cow::Borrowed(_)) && (param.is_list() || !text.contains('\n'));
        let mut typed = Values::default();
        typed.set(name_of(param), text.clone());
        let Some(texts) = texts(param, &typed).filter(|_| is_kept) else { continue };
        match param.parse_all(&texts) {
            Ok(read) if param.json(&read).is_ok_and(|read| read == *value) => return Some(text),
            Ok(_) => {}
            Err(_) => refused = refused.or(Some(text)),
        }
    }
    refused
}

/// Stored events by their numbers, as the field of an event parameter takes them.
fn events(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Array(all) => Some(all.iter().map(events).collect::<Option<Vec<_>>>()?.join("\n")),
        // An event that was made by hand has the number 0.
        value => value["number"].as_i64().filter(|number| *number > 0).map(|number| format!("@{number}")),
    }
}

fn is_default(param: &ParamDef, value: &Value) -> bool {
    matches!(param.default_view(), Some(ParamDefault::Value(default)) if default == *value)
}

/// A string without its quotes, anything else as JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dag::Param;

    #[test]
    fn a_text_gives_the_value_that_it_is_made_of() {
        let count = Param::<u32>::new("count").range("1..=9", 1..=9_u32).erase();
        assert_eq!(text_of(&count, &json!(7)).as_deref(), Some("7"));
        assert_eq!(text_of(&count, &json!(70)).as_deref(), Some("70"), "the field says what is wrong");
        let most = Param::<Option<u32>>::new("most").default("None", || None).erase();
        assert_eq!(text_of(&most, &json!(null)).as_deref(), Some(""));
        let most = Param::<Option<u32>>::new("most").default("Some(3)", || Some(3)).erase();
        assert_eq!(text_of(&most, &json!(null)).as_deref(), Some("null"), "an empty field means the default");
        let text = Param::<String>::new("text").erase();
        for lost in ["", " a", "a\nb", "a\u{202e}b"] {
            assert_eq!(text_of(&text, &json!(lost)), None, "{lost:?}");
        }
        assert_eq!(text_of(&text, &json!("5 <b>")).as_deref(), Some("5 <b>"));
        let names = Param::<Vec<String>>::new("names").erase();
        assert_eq!(text_of(&names, &json!(["a", "b c"])).as_deref(), Some("a\nb c"));
        assert_eq!(text_of(&names, &json!(["a", "b\nc"])).as_deref(), Some("[\"a\",\"b\\nc\"]"));
        let any = Param::<Value>::new("any").erase();
        assert_eq!(text_of(&any, &json!("5")).as_deref(), Some("\"5\""));
        assert_eq!(text_of(&any, &json!({ "a": [1] })).as_deref(), Some("{\"a\":[1]}"));
    }

    #[test]
    fn stored_events_are_named_by_their_numbers() {
        let event = |number: i64| json!({ "number": number, "value": 1 });
        assert_eq!(events(&event(7)).as_deref(), Some("@7"));
        assert_eq!(events(&json!([event(7), event(9)])).as_deref(), Some("@7\n@9"));
        assert_eq!(events(&json!(null)).as_deref(), Some(""));
        assert_eq!((events(&event(0)), events(&json!("x"))), (None, None));
    }
}
