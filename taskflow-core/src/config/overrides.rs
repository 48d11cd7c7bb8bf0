//! Overrides from the environment.

use std::ffi::OsStr;
use std::path::PathBuf;

use serde_json::Value;

use super::environment::Environment;
use super::error::ItemKind;
use super::hidden;
use super::layer::{Layer, Mistakes, Variable, slots};
use super::origin::{Given, Origin};
use super::setting::SETTINGS;
use super::source::Source;
use super::spec::Spec;
use crate::log::Redactor;

const POOL: &str = "TASKFLOW_POOL_";
/// The suffix of a secret's name, in lower case.
const FILE: &str = "_file";

/// Variables of taskflow that are not settings.
const OTHERS: [&str; 3] = ["TASKFLOW_CONFIG", "TASKFLOW_FAILPOINTS", "TASKFLOW_SPARK"];

/// Applies the overrides of the environment to the layer.
pub(super) fn apply(environment: &Environment, layer: &mut Layer, mistakes: &mut Mistakes) {
    for setting in &SETTINGS {
        if let Some(text) = environment.get_nonempty(setting.variable) {
            layer.settings.take(setting, Origin::variable(setting.variable), setting.read_variable(text), mistakes);
        }
    }
    for (name, text, origin) in given(environment, POOL) {
        let text = text.to_string_lossy();
        let read = slots(&name, &text.parse::<u32>().map_or_else(|_| Value::from(text), Value::from));
        if let Some(slots) = mistakes.ok(&origin, read) {
            layer.pools.set(&name, Given::new(slots, origin));
        }
    }
    for (name, text, origin) in given(environment, ItemKind::Variable.prefix()) {
        if let Some(text) = mistakes.ok(&origin, unicode(text)) {
            let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
            hidden::register(&value, Redactor::is_secret_name(&name));
            layer.variables.set(&name, Given::new(Variable::Text(text.to_owned()), origin));
        }
    }
    for (name, text, origin) in given(environment, ItemKind::Connection.prefix()) {
        // Scripts use `NAME=` to unset a variable.
        let Some(text) = mistakes.ok(&origin, unicode(text)).filter(|text| !text.is_empty()) else { continue };
        match Spec::of_text(text, &origin) {
            Ok(spec) => layer.connections.set(&name, Given::new(spec, origin)),
            Err(reasons) => {
                reasons.iter().for_each(|reason| mistakes.add(&origin, format!("the connection `{name}`: {reason}")));
            }
        }
    }
    secrets(environment, layer, mistakes);
}

/// `TASKFLOW_SECRET_<NAME>` contains a secret, `TASKFLOW_SECRET_<NAME>_FILE` the path of a file
/// with one.
fn secrets(environment: &Environment, layer: &mut Layer, mistakes: &mut Mistakes) {
    let prefix = ItemKind::Secret.prefix();
    for (name, text, origin) in given(environment, prefix) {
        let source = match name.strip_suffix(FILE).filter(|name| !name.is_empty()) {
            Some(name) => {
                let direct = format!("{prefix}{}", super::name::in_environment(name));
                if environment.get(&direct).is_some() {
                    mistakes.add(&origin, format!("{direct} is also set; unset one of the two"));
                    continue;
                }
                (name.to_owned(), Source::File(PathBuf::from(text)))
            }
            None => match mistakes.ok(&origin, unicode(text)) {
                Some(text) => (name, Source::literal(text)),
                None => continue,
            },
        };
        layer.secrets.set(&source.0, Given::new(source.1, origin));
    }
}

/// The variables with this prefix: the rest of the name in lower case, and the value.
fn given<'e>(environment: &'e Environment, prefix: &'e str) -> impl Iterator<Item = (String, &'e OsStr, Origin)> {
    environment
        .starting_with(prefix)
        .map(move |(name, value)| (name.to_lowercase(), value, Origin::variable(&format!("{prefix}{name}"))))
}

fn unicode(text: &OsStr) -> Result<&str, String> {
    text.to_str().ok_or_else(|| "it is not UTF-8".to_owned())
}

/// Variables with the prefix of taskflow that have no meaning: typing mistakes, mostly.
pub(super) fn unknown(environment: &Environment) -> Vec<String> {
    let prefixes = [ItemKind::Variable, ItemKind::Connection, ItemKind::Secret].map(ItemKind::prefix);
    let known = |name: &str| {
        OTHERS.contains(&name)
            || SETTINGS.iter().any(|setting| setting.variable == name)
            || prefixes.iter().chain(&[POOL]).any(|prefix| name.len() > prefix.len() && name.starts_with(prefix))
    };
    let ours = environment.starting_with("TASKFLOW_").map(|(rest, _)| format!("TASKFLOW_{rest}"));
    ours.filter(|name| !known(name)).collect()
}

/// The environment variables of all settings, for suggestions.
pub(super) fn known() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().map(|setting| setting.variable).chain(OTHERS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::environment::Environment;

    #[test]
    fn unknown_variables_with_our_prefix_are_reported() {
        let names = ["TASKFLOW_JOB", "TASKFLOW_JOBS", "TASKFLOW_VAR_A", "TASKFLOW_VAR_", "TASKFLOW_CONFIG", "HOME"];
        let environment = Environment::of(names.map(|name| (name.into(), "1".into())));
        assert_eq!(unknown(&environment), ["TASKFLOW_JOB", "TASKFLOW_VAR_"]);
    }
}
