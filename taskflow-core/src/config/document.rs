//! Parses `taskflow.toml`: its tables and keys, with their lines.

use std::borrow::Cow;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ItemKind;
use super::hidden;
use super::layer::{Layer, Mistakes, Variable, slots};
use super::name::Named;
use super::origin::{Given, Origin};
use super::setting::SETTINGS;
use super::source::Source;
use super::spec::Spec;
use super::webhook::Webhook;
use crate::base::did_you_mean;

const TABLES: [&str; 10] =
    ["run", "serve", "auth", "store", "log", "pools", "variables", "connections", "secrets", "webhooks"];

/// A text in the format of `taskflow.toml`.
pub(super) struct Document<'t> {
    pub(super) text: &'t str,
    pub(super) path: Option<PathBuf>,
    /// The permissions of the file if others can read it: it must then not contain secrets.
    pub(super) open_to_others: Option<u32>,
}

/// A value with its key, and their positions.
type Entry<'d, 't> = (&'d Spanned<Cow<'t, str>>, &'d Spanned<DeValue<'t>>);

impl Document<'_> {
    /// Reads all entries. Invalid ones are skipped and recorded as mistakes.
    pub(super) fn read(&self, mistakes: &mut Mistakes) -> Layer {
        let mut layer = Layer::default();
        let document = match DeTable::parse(self.text) {
            Ok(document) => document,
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                mistakes.add(&self.origin(at), error.message().replace('\n', ", "));
                return layer;
            }
        };
        for (key, value) in document.get_ref() {
            let (name, origin) = (&**key.get_ref(), self.origin(key.span().start));
            if !TABLES.contains(&name) {
                mistakes.add(&origin, format!("unknown table [{name}]{}", did_you_mean(name, TABLES)));
                continue;
            }
            let DeValue::Table(table) = value.get_ref() else {
                mistakes.add(&origin, format!("`{name}` must be a table: `[{name}]`"));
                continue;
            };
            for (key, value) in table {
                if (name, &**key.get_ref()) == ("serve", "oidc") {
                    self.oidc((key, value), &mut layer, mistakes);
                } else {
                    self.entry(name, (key, value), &mut layer, mistakes);
                }
            }
        }
        layer
    }

    /// Reads `[serve.oidc]`, the only table of settings within another.
    fn oidc(&self, (key, value): Entry<'_, '_>, layer: &mut Layer, mistakes: &mut Mistakes) {
        let DeValue::Table(table) = value.get_ref() else {
            let origin = self.origin(key.span().start);
            return mistakes.add(&origin, "`oidc` must be a table: `[serve.oidc]`");
        };
        table.iter().for_each(|entry| self.entry("serve.oidc", entry, layer, mistakes));
    }

    fn origin(&self, byte: usize) -> Origin {
        let before = self.text.as_bytes().get(..byte).unwrap_or_default();
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        Origin::File { path: self.path.clone(), line }
    }

    /// Reads one key of a table.
    fn entry(&self, table: &str, (key, value): Entry<'_, '_>, layer: &mut Layer, mistakes: &mut Mistakes) {
        let (name, origin) = (&**key.get_ref(), self.origin(key.span().start));
        let json = match json(value.get_ref()) {
            Ok(json) => json,
            Err(reason) => return mistakes.add(&origin, format!("`{name}` {reason}")),
        };
        match table {
            "variables" => {
                hidden::register(&json, crate::log::Redactor::is_secret_name(name));
                add(&mut layer.variables, ItemKind::Variable, name, Variable::Value(json), origin, mistakes);
            }
            "connections" => {
                if let Some(spec) = self.connection(name, (value, json), &origin, mistakes) {
                    add(&mut layer.connections, ItemKind::Connection, name, spec, origin, mistakes);
                }
            }
            "webhooks" => {
                if let Some(webhook) = self.webhook(name, (value, json), &origin, mistakes) {
                    add(&mut layer.webhooks, "webhook", name, webhook, origin, mistakes);
                }
            }
            "secrets" => {
                let source = self.secret(name, &json, &origin);
                if let Some(source) = mistakes.ok(&origin, source) {
                    add(&mut layer.secrets, ItemKind::Secret, name, source, origin, mistakes);
                }
            }
            "pools" => {
                if let Some(slots) = mistakes.ok(&origin, slots(name, &json)) {
                    layer.pools.set(name, Given::new(slots, origin));
                }
            }
            _ => {
                let keys =
                    || SETTINGS.iter().map(super::setting::Setting::table_and_key).filter(|known| known.0 == table);
                match SETTINGS.iter().find(|setting| setting.table_and_key() == (table, name)) {
                    Some(setting) => {
                        let read = setting.read(&json, &origin);
                        layer.settings.take(setting, origin, read, mistakes);
                    }
                    None => {
                        let near = did_you_mean(name, keys().map(|known| known.1));
                        let known = keys().map(|known| known.1).collect::<Vec<_>>().join(", ");
                        let known = if near.is_empty() { format!("; the keys are {known}") } else { near };
                        mistakes.add(&origin, format!("unknown key `{name}` in [{table}]{known}"));
                    }
                }
            }
        }
    }

    fn connection(
        &self,
        name: &str,
        (value, json): (&Spanned<DeValue<'_>>, Value),
        origin: &Origin,
        mistakes: &mut Mistakes,
    ) -> Option<Spec> {
        let read = match json {
            Value::String(text) => Spec::of_text(&text, origin),
            Value::Object(table) => Spec::of_table(table, origin),
            _ => Err(vec!["it must be a table or a URI such as `postgres://user@host:5432/db`".to_owned()]),
        };
        match read {
            Ok(spec) => {
                for part in spec.literals() {
                    let what = format!("{part} of the connection `{name}`");
                    mistakes.ok(origin, self.allow_literal(&what));
                }
                Some(spec)
            }
            Err(reasons) => {
                self.mistakes_of("connection", name, value, reasons, origin, mistakes);
                None
            }
        }
    }

    fn webhook(
        &self,
        name: &str,
        (value, json): (&Spanned<DeValue<'_>>, Value),
        origin: &Origin,
        mistakes: &mut Mistakes,
    ) -> Option<Webhook> {
        let read = match json {
            Value::Object(table) => Webhook::of_table(name, table),
            _ => Err(vec![format!("it must be a table: `[webhooks.{name}]`")]),
        };
        match read {
            Ok(webhook) => Some(webhook),
            Err(reasons) => {
                self.mistakes_of("webhook", name, value, reasons, origin, mistakes);
                None
            }
        }
    }

    /// Records what is wrong with a table, at the lines of its keys.
    fn mistakes_of(
        &self,
        kind: &str,
        name: &str,
        value: &Spanned<DeValue<'_>>,
        reasons: Vec<String>,
        origin: &Origin,
        mistakes: &mut Mistakes,
    ) {
        for reason in reasons {
            let origin = self.line_of_key(value, &reason).unwrap_or_else(|| origin.clone());
            mistakes.add(&origin, format!("the {kind} `{name}`: {reason}"));
        }
    }

    /// The line of the key that a message is about: the first one it quotes.
    fn line_of_key(&self, value: &Spanned<DeValue<'_>>, message: &str) -> Option<Origin> {
        let quoted = message.split('`').nth(1)?;
        let table = value.get_ref().as_table()?;
        let (key, _) = table.iter().find(|(key, _)| &**key.get_ref() == quoted)?;
        Some(self.origin(key.span().start))
    }

    fn secret(&self, name: &str, json: &Value, origin: &Origin) -> Result<Source, String> {
        match json {
            Value::String(text) => {
                let source = Source::literal(text);
                self.allow_literal(&format!("the secret `{name}`")).map(|()| source)
            }
            Value::Object(table) => Source::of_table(table, origin)
                .ok_or_else(|| format!("the secret `{name}` must be a string, {REFERENCES}")),
            _ => Err(format!("the secret `{name}` must be a string, {REFERENCES}")),
        }
    }

    /// Allows a literal secret only in a file that nobody else can read.
    fn allow_literal(&self, what: &str) -> Result<(), String> {
        let Some(mode) = self.open_to_others else { return Ok(()) };
        let file = self.path.as_deref().unwrap_or(Path::new("taskflow.toml")).display();
        Err(format!(
            "{what} is written here in plain text, in a file that others can read (mode {mode:04o}): write \
             {REFERENCES} instead, or `chmod 600 {file}`"
        ))
    }
}

const REFERENCES: &str = "`{ env = \"NAME\" }` or `{ file = \"PATH\" }`";

/// Adds a named value, unless the name exists in another spelling.
fn add<T>(
    named: &mut Named<Given<T>>,
    kind: impl Display,
    name: &str,
    value: T,
    origin: Origin,
    mistakes: &mut Mistakes,
) {
    match named.written(name) {
        Some(written) => {
            mistakes.add(
                &origin,
                format!("the {kind} `{name}` is already defined as `{written}`: case, `-`, `.` and `_` are ignored"),
            );
        }
        None => named.set(name, Given::new(value, origin)),
    }
}

/// A TOML value as JSON. Times become texts.
fn json(value: &DeValue<'_>) -> Result<Value, String> {
    match value {
        DeValue::String(text) => Ok(Value::String(text.clone().into_owned())),
        DeValue::Boolean(flag) => Ok(Value::Bool(*flag)),
        DeValue::Datetime(time) => Ok(Value::String(time.to_string())),
        DeValue::Integer(number) => {
            let digits = number.as_str();
            let read = i64::from_str_radix(digits, number.radix()).map(Number::from);
            let read = read.or_else(|_| u64::from_str_radix(digits, number.radix()).map(Number::from));
            read.map(Value::Number).map_err(|_| format!("is {digits}, which does not fit into 64 bits"))
        }
        DeValue::Float(number) => {
            let read = number.as_str().parse().ok().and_then(Number::from_f64);
            read.map(Value::Number).ok_or_else(|| format!("is {}, which is not a finite number", number.as_str()))
        }
        DeValue::Array(values) => values.iter().map(|value| json(value.get_ref())).collect(),
        DeValue::Table(table) => {
            let entry = |(key, value): (&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
                Ok((key.get_ref().clone().into_owned(), json(value.get_ref())?))
            };
            table.iter().map(entry).collect::<Result<Map<_, _>, String>>().map(Value::Object)
        }
    }
}
