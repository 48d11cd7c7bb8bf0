//! Whether a client of the baseline can still use the API.
//!
//! `docs/openapi-v1-baseline.json` is the document that clients of version 1 were written for. What
//! it has may be added to: addresses, methods, parameters and members that may be left out, members
//! of answers. Nothing of it may go away or mean something else.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

/// What a client of the old document can no longer rely on.
fn breaks(old: &Value, new: &Value) -> Vec<String> {
    let mut comparison = Comparison { old, new, seen: BTreeSet::new(), found: Vec::new() };
    comparison.paths();
    comparison.found
}

struct Comparison<'d> {
    old: &'d Value,
    new: &'d Value,
    /// The components that were compared, since they may contain themselves.
    seen: BTreeSet<(String, String, Way)>,
    found: Vec<String>,
}

/// Who writes what a schema describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// The client: what it sends must stay valid.
    Request,
    /// The server: what it sends must be what the client expects.
    Answer,
}

impl<'d> Comparison<'d> {
    fn paths(&mut self) {
        let (old, new) = (self.old, self.new);
        for (path, operations) in members(&old["paths"]) {
            let Some(kept) = new["paths"].get(path) else {
                self.found.push(format!("{path} is gone"));
                continue;
            };
            for (method, operation) in members(operations) {
                match kept.get(method) {
                    Some(kept) => self.operation(&format!("{} {path}", method.to_uppercase()), operation, kept),
                    None => self.found.push(format!("{} {path} is gone", method.to_uppercase())),
                }
            }
        }
    }

    fn operation(&mut self, place: &str, old: &'d Value, new: &'d Value) {
        if old["operationId"] != new["operationId"] {
            self.found.push(format!("{place}: its operationId is {}", new["operationId"]));
        }
        self.parameters(place, old, new);
        let (old_body, new_body) = (&old["requestBody"], &new["requestBody"]);
        if new_body["required"] == true && old_body["required"] != true {
            self.found.push(format!("{place}: a body is required"));
        }
        if old_body.is_object() && !new_body.is_object() {
            self.found.push(format!("{place}: the body is gone"));
        }
        self.contents(&format!("{place} body"), Way::Request, old_body, new_body);
        for (status, answer) in members(&old["responses"]) {
            let place = format!("{place} {status}");
            match new["responses"].get(status) {
                Some(kept) => self.contents(&place, Way::Answer, answer, kept),
                None => self.found.push(format!("{place} is gone")),
            }
        }
    }

    fn parameters(&mut self, place: &str, old: &'d Value, new: &'d Value) {
        let same = |one: &Value, other: &Value| one["name"] == other["name"] && one["in"] == other["in"];
        for parameter in list(&old["parameters"]) {
            let place = format!("{place} {}", text(&parameter["name"]));
            match list(&new["parameters"]).find(|kept| same(parameter, kept)) {
                None => self.found.push(format!("{place} is gone")),
                Some(kept) => {
                    if kept["required"] == true && parameter["required"] != true {
                        self.found.push(format!("{place} is required"));
                    }
                    self.schema(&place, Way::Request, &parameter["schema"], &kept["schema"]);
                }
            }
        }
        for parameter in list(&new["parameters"]).filter(|parameter| parameter["required"] == true) {
            if !list(&old["parameters"]).any(|known| same(parameter, known)) {
                self.found.push(format!("{place} {} is new and required", text(&parameter["name"])));
            }
        }
    }

    fn contents(&mut self, place: &str, way: Way, old: &'d Value, new: &'d Value) {
        for (kind, content) in members(&old["content"]) {
            match new["content"].get(kind) {
                Some(kept) => self.schema(place, way, &content["schema"], &kept["schema"]),
                None if new.is_object() => self.found.push(format!("{place}: {kind} is gone")),
                None => {}
            }
        }
    }

    fn schema(&mut self, place: &str, way: Way, old: &'d Value, new: &'d Value) {
        if let (Some(one), Some(other)) = (old.get("$ref"), new.get("$ref"))
            && !self.seen.insert((text(one), text(other), way))
        {
            return;
        }
        let (old, new) = (resolved(self.old, old), resolved(self.new, new));
        for limit in ["type", "format", "pattern", "minimum", "maximum"] {
            // What is wider for whoever sends it is no change for them.
            let is_wider = way == Way::Request && new.get(limit).is_none();
            if old.get(limit) != new.get(limit) && !is_wider && !(way == Way::Request && widens(limit, old, new)) {
                self.found.push(format!("{place}: its {limit} is {} in place of {}", new[limit], old[limit]));
            }
        }
        for word in list(&old["enum"]) {
            if new["enum"].is_array() && !list(&new["enum"]).any(|kept| kept == word) {
                self.found.push(format!("{place}: {word} is gone"));
            }
        }
        if way == Way::Answer && old["enum"].is_array() && !new["enum"].is_array() {
            self.found.push(format!("{place}: it may be any text"));
        }
        if way == Way::Request && new["enum"].is_array() && !old["enum"].is_array() {
            self.found.push(format!("{place}: it is one of {}", new["enum"]));
        }
        self.object(place, way, old, new);
        match (old.get("anyOf"), new.get("anyOf")) {
            (Some(old), Some(new)) if list(old).count() == list(new).count() => {
                for (at, (old, new)) in list(old).zip(list(new)).enumerate() {
                    self.schema(&format!("{place}/{at}"), way, old, new);
                }
            }
            (None, None) => {}
            _ => self.found.push(format!("{place}: it has other forms")),
        }
        for part in ["items", "additionalProperties"] {
            match (old.get(part), new.get(part)) {
                (Some(old), Some(new)) if old.is_object() && new.is_object() => {
                    self.schema(&format!("{place}[]"), way, old, new);
                }
                (old, new) if old == new => {}
                _ => self.found.push(format!("{place}: its {part} are other ones")),
            }
        }
    }

    fn object(&mut self, place: &str, way: Way, old: &'d Value, new: &'d Value) {
        for (name, member) in members(&old["properties"]) {
            match new["properties"].get(name) {
                Some(kept) => self.schema(&format!("{place}.{name}"), way, member, kept),
                None => self.found.push(format!("{place}.{name} is gone")),
            }
        }
        let is_required = |schema: &Value, name: &Value| list(&schema["required"]).any(|known| known == name);
        match way {
            Way::Request => {
                for name in list(&new["required"]).filter(|name| !is_required(old, name)) {
                    self.found.push(format!("{place}.{} is required", text(name)));
                }
            }
            Way::Answer => {
                for name in list(&old["required"]).filter(|name| !is_required(new, name)) {
                    self.found.push(format!("{place}.{} may be missing", text(name)));
                }
            }
        }
    }
}

/// Whether a limit of a number allows all that it has allowed.
fn widens(limit: &str, old: &Value, new: &Value) -> bool {
    match (limit, old[limit].as_i64(), new[limit].as_i64()) {
        ("minimum", Some(old), Some(new)) => new <= old,
        ("maximum", Some(old), Some(new)) => new >= old,
        _ => false,
    }
}

fn resolved<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    let path = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
    path.map_or(schema, |path| document.pointer(path).unwrap_or_else(|| panic!("{path} is not there")))
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn document(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().expect("it is JSON")
}

#[test]
fn the_api_is_compatible_with_the_baseline() {
    let found = breaks(&document("openapi-v1-baseline.json"), &document("openapi.json"));
    assert!(found.is_empty(), "docs/api.md says when the baseline moves: {found:#?}");
}

/// A document with one of each kind.
fn small() -> Value {
    json!({
        "paths": {
            "/runs": {
                "get": {
                    "operationId": "get_runs",
                    "parameters": [
                        { "name": "state", "in": "query", "required": false,
                          "schema": { "type": "string", "enum": ["failed", "success"] } },
                        { "name": "limit", "in": "query", "required": false,
                          "schema": { "type": "integer", "minimum": 1, "maximum": 10 } },
                    ],
                    "responses": {
                        "2XX": { "content": { "application/json": {
                            "schema": { "type": "array", "items": { "$ref": "#/components/schemas/Run" } },
                        } } },
                    },
                },
                "post": {
                    "operationId": "post_runs",
                    "requestBody": { "required": false, "content": { "application/json": { "schema": {
                        "type": "object",
                        "properties": { "dag": { "type": "string" }, "as": { "type": "string", "enum": ["a", "b"] } },
                    } } } },
                    "responses": {},
                },
            },
            "/dags": { "get": { "operationId": "get_dags", "responses": {} } },
        },
        "components": { "schemas": { "Run": {
            "type": "object",
            "required": ["number", "state"],
            "properties": {
                "number": { "type": "integer" },
                "state": { "type": "string", "enum": ["failed", "success"] },
                "triggered": { "type": "array", "items": { "$ref": "#/components/schemas/Run" } },
                "counts": { "type": "object", "additionalProperties": { "type": "integer" } },
            },
        } } },
    })
}

const GET: &str = "/paths/~1runs/get";
const BODY: &str = "/paths/~1runs/post/requestBody";
const SENT: &str = "/paths/~1runs/post/requestBody/content/application~1json/schema";
const RUN: &str = "/components/schemas/Run";

/// The small document with another value at a place, or without the place.
fn changed(place: &str, member: &str, value: Option<Value>) -> Value {
    let mut document = small();
    let object = document.pointer_mut(place).unwrap_or_else(|| panic!("{place}"));
    match (object, value) {
        (Value::Object(object), Some(value)) => drop(object.insert(member.to_owned(), value)),
        (Value::Object(object), None) => drop(object.remove(member)),
        (Value::Array(all), Some(value)) => all.push(value),
        (Value::Array(all), None) => drop(all.remove(member.parse().expect("a place in a list"))),
        (other, _) => panic!("{place}: {other}"),
    }
    document
}

#[test]
fn what_a_client_cannot_rely_on_any_more_is_found() {
    assert_eq!(breaks(&small(), &small()), [""; 0]);
    let parameters = format!("{GET}/parameters");
    let needed = json!({ "name": "dag", "in": "query", "required": true, "schema": { "type": "string" } });
    for (place, member, value, expected) in [
        ("/paths", "/dags", None, "/dags is gone"),
        ("/paths/~1runs", "post", None, "POST /runs is gone"),
        (GET, "operationId", Some(json!("list")), "GET /runs: its operationId is \"list\""),
        (&*parameters, "0", None, "GET /runs state is gone"),
        (&*parameters, "", Some(needed), "GET /runs dag is new and required"),
        (&*format!("{parameters}/0"), "required", Some(json!(true)), "GET /runs state is required"),
        (&*format!("{parameters}/0/schema"), "enum", Some(json!(["failed"])), "GET /runs state: \"success\" is gone"),
        (
            &*format!("{parameters}/1/schema"),
            "maximum",
            Some(json!(5)),
            "GET /runs limit: its maximum is 5 in place of 10",
        ),
        (
            &*format!("{parameters}/1/schema"),
            "type",
            Some(json!("string")),
            "GET /runs limit: its type is \"string\" in place of \"integer\"",
        ),
        (BODY, "required", Some(json!(true)), "POST /runs: a body is required"),
        (SENT, "required", Some(json!(["dag"])), "POST /runs body.dag is required"),
        (&*format!("{SENT}/properties"), "dag", None, "POST /runs body.dag is gone"),
        (&*format!("{SENT}/properties/as"), "enum", Some(json!(["a"])), "POST /runs body.as: \"b\" is gone"),
        (
            &*format!("{SENT}/properties/dag"),
            "enum",
            Some(json!(["daily"])),
            "POST /runs body.dag: it is one of [\"daily\"]",
        ),
        (&*format!("{GET}/responses"), "2XX", None, "GET /runs 2XX is gone"),
        (&*format!("{RUN}/properties"), "number", None, "GET /runs 2XX[].number is gone"),
        (RUN, "required", Some(json!(["number"])), "GET /runs 2XX[].state may be missing"),
        (
            &*format!("{RUN}/properties/number"),
            "type",
            Some(json!(["integer", "null"])),
            "GET /runs 2XX[].number: its type is [\"integer\",\"null\"] in place of \"integer\"",
        ),
        (
            &*format!("{RUN}/properties/state"),
            "enum",
            Some(json!(["failed", "done"])),
            "GET /runs 2XX[].state: \"success\" is gone",
        ),
        (&*format!("{RUN}/properties/state"), "enum", None, "GET /runs 2XX[].state: it may be any text"),
        (
            &*format!("{RUN}/properties/counts/additionalProperties"),
            "type",
            Some(json!("string")),
            "GET /runs 2XX[].counts[]: its type is \"string\" in place of \"integer\"",
        ),
        (
            &*format!("{RUN}/properties/number"),
            "anyOf",
            Some(json!([{ "type": "integer" }])),
            "GET /runs 2XX[].number: it has other forms",
        ),
    ] {
        assert_eq!(breaks(&small(), &changed(place, member, value)), [expected]);
    }
}

#[test]
fn what_is_added_breaks_nothing() {
    let parameters = format!("{GET}/parameters");
    let optional = json!({ "name": "dag", "in": "query", "required": false, "schema": { "type": "string" } });
    for (place, member, value) in [
        ("/paths", "/new", Some(json!({ "get": {} }))),
        ("/paths/~1dags", "post", Some(json!({ "requestBody": { "required": true } }))),
        (&*parameters, "", Some(optional)),
        (&*format!("{parameters}/0/schema"), "enum", Some(json!(["failed", "success", "queued"]))),
        (&*format!("{parameters}/1/schema"), "maximum", Some(json!(20))),
        (&*format!("{parameters}/1/schema"), "minimum", None),
        (&*format!("{SENT}/properties"), "reason", Some(json!({ "type": "string" }))),
        (&*format!("{RUN}/properties"), "ended", Some(json!({ "type": "string" }))),
        (&*format!("{RUN}/properties/state"), "enum", Some(json!(["failed", "success", "queued"]))),
        (RUN, "required", Some(json!(["number", "state", "counts"]))),
        (RUN, "description", Some(json!("A run."))),
    ] {
        assert_eq!(breaks(&small(), &changed(place, member, value)), [""; 0], "{place} {member}");
    }
}
