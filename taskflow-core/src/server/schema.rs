//! The shapes of documents as JSON schemas. Documents with a name are components of the `OpenAPI`
//! document, so that a generated client has one type for each.
//!
//! A document of several kinds is one schema with the members of all of them, and those that not
//! every kind has may be missing: clients get one type, and its tag says what to expect. What is
//! not listed may come later, so no schema forbids further members.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::base::schema::{Case, Cases, Member, Object, Of, Shape, Words};

/// The schemas of the documents that the routes answer with.
#[derive(Default)]
pub(super) struct Components(BTreeMap<&'static str, Value>);

impl Components {
    pub(super) fn into_schemas(self) -> BTreeMap<&'static str, Value> {
        self.0
    }

    /// The schema of an answer that is one of these.
    pub(super) fn answer(&mut self, answers: &[Of]) -> Value {
        match answers {
            [] => json!({}),
            [answer] => self.schema(answer()),
            answers => self.any_of(answers),
        }
    }

    fn schema(&mut self, shape: Shape) -> Value {
        match shape {
            Shape::Any => json!({}),
            Shape::Text => json!({ "type": "string" }),
            Shape::Time => json!({ "type": "string", "format": "date-time" }),
            Shape::Day => json!({ "type": "string", "format": "date" }),
            Shape::Integer => json!({ "type": "integer" }),
            Shape::Number => json!({ "type": "number" }),
            Shape::Switch => json!({ "type": "boolean" }),
            Shape::List(of) => json!({ "type": "array", "items": self.schema(of()) }),
            Shape::Map(of) => json!({ "type": "object", "additionalProperties": self.schema(of()) }),
            Shape::Nullable(of) => nullable(self.schema(of())),
            Shape::Either(all) => self.any_of(all),
            Shape::Words(Words { name, about, words }) => {
                self.component(name, about, |_| json!({ "type": "string", "enum": words }))
            }
            Shape::Object(Object { name, about, .. }) | Shape::Cases(Cases { name, about, .. }) => {
                self.component(name, about, |components| components.members(shape).into_schema())
            }
        }
    }

    fn any_of(&mut self, all: &[Of]) -> Value {
        json!({ "anyOf": all.iter().map(|of| self.schema(of())).collect::<Vec<_>>() })
    }

    /// A reference to a component, which is made for the first one.
    fn component(&mut self, name: &'static str, about: &str, make: impl FnOnce(&mut Self) -> Value) -> Value {
        if !self.0.contains_key(name) {
            // A document that contains itself finds the reference.
            self.0.insert(name, Value::Null);
            let mut schema = make(self);
            describe(&mut schema, about);
            self.0.insert(name, schema);
        }
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }

    /// The members of a document, with those of the documents that are flattened into it.
    fn members(&mut self, shape: Shape) -> Members {
        match shape {
            Shape::Object(object) => self.listed(object.members, object.flattened),
            Shape::Cases(Cases { tag, cases, .. }) => {
                let kinds = cases.iter().map(|Case { members, flattened, .. }| self.listed(members, flattened));
                let mut members = Members::of_one_of(kinds.collect());
                if let Some(tag) = tag {
                    let words: Vec<&str> = cases.iter().map(|case| case.word).collect();
                    let schema = json!({ "type": "string", "enum": words, "description": "Which kind it is." });
                    members.0.insert(tag, (schema, true));
                }
                members
            }
            _ => Members::default(),
        }
    }

    fn listed(&mut self, members: &[Member], flattened: &[Of]) -> Members {
        let mut all = Members::default();
        for Member { name, about, is_required, shape } in members {
            let shape = match shape() {
                // It is left out in place of `null`.
                Shape::Nullable(of) if !is_required => of(),
                shape => shape,
            };
            let mut schema = self.schema(shape);
            describe(&mut schema, about);
            all.0.insert(name, (schema, *is_required));
        }
        for of in flattened {
            all.0.extend(self.members(of()).0);
        }
        all
    }
}

/// The schemas of members, and whether they are required.
#[derive(Default)]
struct Members(BTreeMap<&'static str, (Value, bool)>);

impl Members {
    /// Those of a document of one of these kinds.
    fn of_one_of(kinds: Vec<Members>) -> Self {
        let count = kinds.len();
        let mut all: BTreeMap<&'static str, Vec<(Value, bool)>> = BTreeMap::new();
        for (name, member) in kinds.into_iter().flat_map(|kind| kind.0) {
            all.entry(name).or_default().push(member);
        }
        let merged = all.into_iter().map(|(name, members)| {
            let is_required = members.len() == count && members.iter().all(|(_, is_required)| *is_required);
            (name, (either(members.into_iter().map(|(schema, _)| schema).collect()), is_required))
        });
        Members(merged.collect())
    }

    fn into_schema(self) -> Value {
        let required: Vec<&str> =
            self.0.iter().filter(|(_, (_, is_required))| *is_required).map(|(name, _)| *name).collect();
        let mut schema = json!({ "type": "object", "required": required });
        if required.is_empty() {
            schema = json!({ "type": "object" });
        }
        schema["properties"] = self.0.into_iter().map(|(name, (schema, _))| (name.to_owned(), schema)).collect();
        schema
    }
}

/// A schema for what has one of these. The descriptions of several kinds do not hold for all.
fn either(mut schemas: Vec<Value>) -> Value {
    if let [schema] = &mut *schemas {
        return schema.take();
    }
    let first = schemas[0].clone();
    if schemas.iter().all(|schema| *schema == first) {
        return first;
    }
    for schema in &mut schemas {
        if let Value::Object(schema) = schema {
            schema.remove("description");
        }
    }
    let mut distinct: Vec<Value> = Vec::new();
    for schema in schemas {
        if !distinct.contains(&schema) {
            distinct.push(schema);
        }
    }
    match &mut *distinct {
        [schema] => schema.take(),
        _ => json!({ "anyOf": distinct }),
    }
}

fn nullable(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(members) if members.is_empty() => {}
        Value::Object(members) if members.get("type").is_some_and(Value::is_string) => {
            let ty = members["type"].take();
            members["type"] = json!([ty, "null"]);
        }
        _ => schema = json!({ "anyOf": [schema, { "type": "null" }] }),
    }
    schema
}

fn describe(schema: &mut Value, about: &str) {
    if let Value::Object(members) = schema
        && !about.is_empty()
    {
        members.insert("description".to_owned(), json!(about));
    }
}
