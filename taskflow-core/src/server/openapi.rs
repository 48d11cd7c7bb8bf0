//! The `OpenAPI` document, written from the table of routes.

use serde_json::{Map, Value, json};

use super::problem::Document;
use super::routes::{self, Field, JSON_LINES, Kind, Route, Verb};
use super::schema::Components;
use crate::base::schema::Schema as _;

/// The document as JSON, of a server below a base path.
pub(super) fn openapi(base: &str) -> String {
    let mut components = Components::default();
    components.answer(&[Document::shape]);
    let mut paths = Map::new();
    for route in routes::all() {
        let operations = paths.entry(route.path).or_insert_with(|| json!({}));
        operations[route.method.name().to_ascii_lowercase()] = operation(route, &mut components);
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "taskflow",
            "version": "1",
            "description": "The HTTP API of a taskflow service. Documents are those that the command line prints \
                            with `--output json`.",
        },
        "paths": paths,
        "components": { "schemas": components.into_schemas() },
    });
    if !base.is_empty() {
        document["servers"] = json!([{ "url": base }]);
    }
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

fn operation(route: &Route, components: &mut Components) -> Value {
    let mut parameters: Vec<Value> = segments(route.path).map(segment).collect();
    parameters.extend(route.query.iter().map(|field| parameter(field, "query")));
    if route.method == Verb::Post && route.path.ends_with("/dags/{dag}/runs") {
        parameters.push(header("Idempotency-Key", "Starts one run, however often the request is repeated"));
    }
    if route.method == Verb::Post && route.path.ends_with("/events") {
        parameters.push(header("Idempotency-Key", "The same as the member `key`"));
    }
    if route.query.iter().any(|field| field.name == "dry_run") {
        parameters.push(header("If-Match", "The token of a preview: exactly that is done, or nothing (412)"));
    }
    let problem = json!({
        "description": "An error",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.about,
        "parameters": parameters,
        "responses": {
            "2XX": { "description": "Success", "content": content(route, components) },
            "default": problem,
        },
    });
    if route.is_raw {
        operation["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": {} } } });
    }
    if !route.body.is_empty() {
        let properties: Map<String, Value> =
            route.body.iter().map(|field| (field.name.to_owned(), described(field))).collect();
        let required: Vec<&str> = route.body.iter().filter(|field| field.is_required).map(|field| field.name).collect();
        let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        operation["requestBody"] = json!({
            "required": !required.is_empty(),
            "content": { "application/json": { "schema": schema } },
        });
    }
    operation
}

/// What is known of the content of an answer. Of what is not JSON, that it is text.
fn content(route: &Route, components: &mut Components) -> Value {
    let text = json!({ "schema": { "type": "string" } });
    match route.media_type {
        "application/json" => json!({ "application/json": { "schema": components.answer(route.answers) } }),
        // Clients that ask for text get the text of a log.
        JSON_LINES if route.path.ends_with("/log") => json!({ JSON_LINES: text, "text/plain": text }),
        other => {
            let media_type = other.split(';').next().unwrap_or(other);
            json!({ media_type: text })
        }
    }
}

/// `get_runs_run_tasks`
fn operation_id(route: &Route) -> String {
    let path = route.path.strip_prefix("/api/v1").unwrap_or(route.path);
    let words = path.split(['/', '.', ':']).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.map(|word| word.trim_matches(['{', '}'])).collect();
    format!("{}_{}", route.method.name().to_ascii_lowercase(), words.join("_"))
}

/// The names in braces of a path.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|word| word.strip_prefix('{')?.strip_suffix('}'))
}

fn segment(name: &str) -> Value {
    let (about, ty) = match name {
        "pool" => ("The name of the pool", "string"),
        "run" => ("The number or the whole id of the run", "string"),
        "dag" => ("The id of the DAG", "string"),
        "task" => ("The id of the task", "string"),
        "attempt" => ("The number of the attempt, from 1", "integer"),
        "asset" => ("The name of the asset", "string"),
        "hook" => ("The name of the webhook, as the configuration has it", "string"),
        "event" => ("The number of the event", "integer"),
        "token" => ("The name of the token", "string"),
        "user" => ("The name of the user", "string"),
        _ => ("The number of the backfill", "integer"),
    };
    json!({ "name": name, "in": "path", "required": true, "description": about, "schema": { "type": ty } })
}

fn header(name: &str, about: &str) -> Value {
    json!({ "name": name, "in": "header", "description": about, "schema": { "type": "string" } })
}

fn parameter(field: &Field, place: &str) -> Value {
    json!({
        "name": field.name,
        "in": place,
        "required": field.is_required,
        "description": field.about,
        "schema": schema(field.kind),
    })
}

fn described(field: &Field) -> Value {
    let mut schema = schema(field.kind);
    schema["description"] = json!(field.about);
    schema
}

fn schema(kind: Kind) -> Value {
    match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Word(words) => json!({ "type": "string", "enum": words }),
        Kind::Number(least, i64::MAX) => json!({ "type": "integer", "format": "int64", "minimum": least }),
        Kind::Number(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Switch => json!({ "type": "boolean" }),
        Kind::Time => json!({ "type": "string", "format": "date-time" }),
        Kind::Span(_) => json!({ "type": "string", "pattern": "^[0-9]+[smhdw]$" }),
        Kind::Texts | Kind::Params => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Json => json!({}),
        Kind::Object => json!({ "type": "object" }),
    }
}
