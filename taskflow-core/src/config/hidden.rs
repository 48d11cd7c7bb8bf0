//! Secrets that are recognised by name only: `password` in a variable that is a table, `api_key`
//! among the extras of a connection.

use serde_json::Value;

use crate::log::{Redactor, mask};

/// What is shown in place of a secret.
pub(super) const MASK: &str = "***";

/// Registers the texts and numbers under secret names, at any depth; all of them if `named`.
pub(super) fn register(value: &Value, named: bool) {
    match value {
        Value::String(text) if named => mask(text),
        Value::Number(number) if named => mask(&number.to_string()),
        Value::Array(values) => values.iter().for_each(|value| register(value, named)),
        Value::Object(map) => {
            map.iter().for_each(|(name, value)| register(value, named || Redactor::is_secret_name(name)));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The value for display: `***` if the name marks a secret.
pub(super) fn masked(name: &str, value: &Value) -> Value {
    if Redactor::is_secret_name(name) {
        return MASK.into();
    }
    let mut shown = value.clone();
    Redactor::current().json(&mut shown);
    shown
}
