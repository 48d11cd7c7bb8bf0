//! Finds the rows of the options that are written in a list, and reads their values.

use std::fmt::Write as _;

use super::list::{Item, Value};
use super::place::Place;
use super::reader::Reader;
use super::row::{Form, Row};
use super::table::{OPTIONS, Options, rows};
use crate::errors::Errors;
use crate::suggest::nearest;

/// Reads the options written at `place`. Reports options that are unknown, repeated or invalid, and
/// omits them.
pub(crate) fn read(items: Vec<Item>, place: Place, errors: &mut Errors) -> Options {
    let mut options = Options::default();
    let mut seen = Vec::new();
    for item in items {
        if let Some(row) = look_up(&item, place, &mut seen, errors) {
            (row.read)(&mut options, &mut Reader { row, item: &item, errors });
        }
    }
    options
}

/// The row of an item, unless the option is unknown here, repeated, or written in the wrong form.
fn look_up(item: &Item, place: Place, seen: &mut Vec<&'static str>, errors: &mut Errors) -> Option<&'static Row> {
    let name = item.name.to_string();
    let Some(row) = OPTIONS.iter().find(|row| row.name == name && row.places.contains(&place)) else {
        errors.at(item.name.span(), unknown(&name, place));
        return None;
    };
    if seen.contains(&row.name) {
        errors.at(item.name.span(), format!("`{name}` is set twice; remove one of the two"));
        return None;
    }
    seen.push(row.name);
    if let Value::Invalid(error) = &item.value {
        errors.syntax(error.clone());
        return None;
    }
    let fits = match (&item.value, row.form) {
        (Value::Expr(_), Form::Value | Form::Flag) => true,
        (Value::Flag, form) => form == Form::Flag,
        (Value::List(_), form) => form == Form::List,
        (Value::Missing | Value::Invalid(_), _) | (Value::Expr(_), Form::List) => false,
    };
    if !fits {
        let example = row.example;
        let message = match (row.form, &item.value) {
            (Form::Value, Value::Flag | Value::Missing) => format!("`{name}` needs a value, as in `{example}`"),
            (Form::Value, _) => format!("`{name}` takes its value after `=`, as in `{example}`"),
            (Form::Flag, _) => flag_form(&name),
            (Form::List, _) => format!("`{name}` takes options in parentheses, as in `{example}`"),
        };
        errors.at(item.value.span(&item.name), message);
    }
    fits.then_some(row)
}

/// The message for a flag with a value that is not a boolean.
pub(crate) fn flag_form(name: &str) -> String {
    format!("`{name}` is a flag: write `{name}`, `{name} = true` or `{name} = false`")
}

fn unknown(name: &str, place: Place) -> String {
    let here = place.text();
    let mut message = format!("{here} has no option `{name}`");
    let alias = rows(place).find(|row| row.aliases.contains(&name));
    let owners: Vec<_> =
        Place::ALL.into_iter().filter(|&place| rows(place).any(|row| row.name == name)).map(Place::text).collect();
    if let Some(explanation) = explanation(name, place) {
        let _ = write!(message, ": {explanation}");
    } else if let Some(row) = alias {
        let _ = write!(message, "; write `{}`", row.example);
    } else if !owners.is_empty() {
        message = format!("`{name}` is an option of {}, not of {here}", enumerate(&owners));
    } else if let Some(nearest) = nearest(name, rows(place).map(|row| row.name)) {
        let _ = write!(message, "; did you mean `{nearest}`?");
    }
    let valid: Vec<_> = rows(place).map(|row| row.name).collect();
    let _ = write!(message, "\nvalid options for {here}: {}", valid.join(", "));
    message
}

/// Explanations for names that are not another name of one option.
fn explanation(name: &str, place: Place) -> Option<&'static str> {
    Some(match (name, place) {
        ("dag_id" | "id" | "name", Place::Dag) => "the id of a DAG is the name of its function",
        ("description" | "doc" | "doc_md", Place::Dag) => "the description of a DAG is its doc comment",
        ("weight", Place::Task | Place::Sensor | Place::TaskDefaults) => {
            "the ready task with the highest `priority` starts first; only DAGs have weights"
        }
        ("doc_md" | "description", Place::Task | Place::Sensor) => "write a doc comment, or `doc = \"..\"`",
        ("mode", Place::Sensor) => {
            "a sensor never holds a slot between pokes, as with `mode=\"reschedule\"` in Airflow"
        }
        ("on_skip", Place::Dag) => {
            "only tasks are skipped, not runs; write `default(on_skip = ..)` to set it for all tasks"
        }
        ("inlets", Place::Task | Place::Sensor) => {
            "a DAG consumes an asset by a parameter, and its tasks take that parameter as an argument"
        }
        ("params", Place::Dag) => "the parameters of a DAG are those of its function",
        _ => return None,
    })
}

/// `a`, `a and b`, `a, b and c`.
fn enumerate(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelled_options_are_recognized() {
        let misspelled = [
            ("retires", Place::Task, "retries"),
            ("retrydelay", Place::Task, "retry_delay"),
            ("prio", Place::Task, "priority"),
            ("triger_rule", Place::TaskDefaults, "trigger_rule"),
            ("Timezone", Place::Dag, "timezone"),
            ("max_active_task", Place::Dag, "max_active_tasks"),
            ("chioces", Place::Param, "choices"),
            ("maxage", Place::Event, "max_age"),
        ];
        for (word, place, meant) in misspelled {
            assert_eq!(nearest(word, rows(place).map(|row| row.name)), Some(meant));
        }
        assert_eq!(nearest("colour", rows(Place::Task).map(|row| row.name)), None);
    }
}
