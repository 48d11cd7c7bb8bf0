//! Whether JSON is what a schema of the `OpenAPI` document says: as much of JSON Schema as the
//! document uses. It is stricter than JSON Schema: a member that is not described is a mistake.

use serde_json::{Map, Value};

use crate::home::Response;

/// The keywords that are checked here, or say nothing about values.
const KEYWORDS: &[&str] = &[
    "$ref",
    "additionalProperties",
    "anyOf",
    "description",
    "enum",
    "format",
    "items",
    "properties",
    "required",
    "type",
];

/// What of an answer is not as the document says. Answers other than documents are not looked at.
pub(crate) fn mistakes(document: &Value, method: &str, path: &str, response: &Response) -> Vec<String> {
    let operation = &document["paths"][path][method.to_lowercase()];
    let is_success = (200..300).contains(&response.status);
    let (kind, answer) = match response.header("content-type") {
        "application/json" if is_success => ("application/json", "2XX"),
        "application/problem+json" => ("application/problem+json", "default"),
        _ => return Vec::new(),
    };
    let schema = &operation["responses"][answer]["content"][kind]["schema"];
    if !schema.is_object() {
        return vec![format!("{method} {path} has no schema for {kind}")];
    }
    let mut found = Vec::new();
    check(document, schema, &response.json(), "", &mut found);
    found.into_iter().map(|mistake| format!("{method} {path}: {mistake}")).collect()
}

/// Adds what is wrong with a value at a place.
fn check(document: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let schema = schema.as_object().expect("a schema is an object");
    for keyword in schema.keys() {
        assert!(KEYWORDS.contains(&&**keyword), "`{keyword}` is not checked");
    }
    if let Some(reference) = schema.get("$ref") {
        let path = reference.as_str().and_then(|text| text.strip_prefix('#')).expect("a reference into the document");
        let referred = document.pointer(path).unwrap_or_else(|| panic!("{path} is not there"));
        return check(document, referred, value, place, found);
    }
    if let Some(any) = schema.get("anyOf") {
        let all = any.as_array().expect("a list").iter().map(|schema| {
            let mut found = Vec::new();
            check(document, schema, value, place, &mut found);
            found
        });
        let all: Vec<Vec<String>> = all.collect();
        if all.iter().all(|found| !found.is_empty()) {
            found.push(format!("{place} is none of these: {all:?}"));
        }
        return;
    }
    if let Some(types) = schema.get("type")
        && !strings(types).iter().any(|name| has_type(name, value))
    {
        found.push(format!("{place} is {value}, not {types}"));
        return;
    }
    if value.is_null() {
        return;
    }
    if let Some(words) = schema.get("enum")
        && !words.as_array().expect("a list").contains(value)
    {
        found.push(format!("{place} is {value}, not one of {words}"));
    }
    if let (Some(format), Some(text)) = (schema.get("format"), value.as_str()) {
        let is_valid = match format.as_str() {
            Some("date-time") => text.parse::<taskflow::Timestamp>().is_ok(),
            Some("date") => text.parse::<taskflow::Date>().is_ok(),
            _ => panic!("{format} is not checked"),
        };
        if !is_valid {
            found.push(format!("{place} is {value}, not a {format}"));
        }
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        for (at, value) in values.iter().enumerate() {
            check(document, items, value, &format!("{place}[{at}]"), found);
        }
    }
    if let Some(members) = value.as_object() {
        check_members(document, schema, members, place, found);
    }
}

fn check_members(
    document: &Value,
    schema: &Map<String, Value>,
    members: &Map<String, Value>,
    place: &str,
    found: &mut Vec<String>,
) {
    let properties = schema.get("properties").and_then(Value::as_object);
    for required in schema.get("required").map(strings).unwrap_or_default() {
        if !members.contains_key(required) {
            found.push(format!("{place} lacks `{required}`"));
        }
    }
    for (name, value) in members {
        let described = properties.and_then(|properties| properties.get(name));
        match described.or(schema.get("additionalProperties")) {
            Some(schema) => check(document, schema, value, &format!("{place}.{name}"), found),
            // An object of which nothing is said.
            None if properties.is_none() => {}
            None => found.push(format!("{place}.{name} is not described")),
        }
    }
}

/// One text, or several.
fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        value => value.as_str().into_iter().collect(),
    }
}

fn has_type(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => panic!("there is no type `{name}`"),
    }
}

#[test]
fn each_kind_of_mistake_is_found() {
    let schema = serde_json::json!({
        "type": "object",
        "required": ["state"],
        "properties": {
            "state": { "type": "string", "enum": ["on", "off"] },
            "since": { "type": ["string", "null"], "format": "date-time" },
            "next": { "anyOf": [{ "$ref": "#/node" }, { "type": "null" }] },
            "counts": { "type": "object", "additionalProperties": { "type": "integer" } },
            "any": {},
        },
    });
    let document = serde_json::json!({ "node": schema });
    let mistakes = |text: &str| {
        let mut found = Vec::new();
        check(&document, &document["node"], &text.parse().expect("JSON"), "", &mut found);
        found
    };
    for good in [
        r#"{"state": "on"}"#,
        r#"{"state": "off", "since": null, "next": null, "counts": {"a": 1}, "any": [{}]}"#,
        r#"{"state": "on", "since": "2026-01-31T06:00:00Z", "next": {"state": "off", "next": {"state": "on"}}}"#,
    ] {
        assert_eq!(mistakes(good), [""; 0], "{good}");
    }
    for bad in [
        "[]",
        "{}",
        r#"{"state": "broken"}"#,
        r#"{"state": 1}"#,
        r#"{"state": null}"#,
        r#"{"state": "on", "since": "yesterday"}"#,
        r#"{"state": "on", "next": {}}"#,
        r#"{"state": "on", "counts": {"a": 1.5}}"#,
        r#"{"state": "on", "unknown": 1}"#,
    ] {
        assert_eq!(mistakes(bad).len(), 1, "{bad}: {:?}", mistakes(bad));
    }
}
